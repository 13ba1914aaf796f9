package plan_test

import (
	"strings"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

func TestAgentsAreOrdered(t *testing.T) {
	image := map[string]string{}
	for _, name := range []string{"etcd2", "flanneld", "docker", "kubelet", "locksmithd", "systemd-networkd", "systemd-timesyncd"} {
		image["usr/lib/systemd/system/"+name+".service"] = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	}
	with := func(path, content string) map[string]string {
		all := map[string]string{path: content}
		for p, c := range image {
			if p != path {
				all[p] = c
			}
		}
		return all
	}
	start := func(names ...string) (units []schema.Unit) {
		for _, n := range names {
			u := unit(n+".service", "")
			u.Command = val("start")
			units = append(units, u)
		}
		return units
	}
	etcd2 := schema.Agent{Name: "etcd2", At: at(1), Settings: []schema.Setting{setting("ETCD_NAME", "a")}}
	flannel := schema.Agent{Name: "flannel", At: at(2), Settings: []schema.Setting{setting("FLANNELD_IFACE", "eth0")}}
	for _, tt := range []struct {
		name   string
		disk   map[string]string
		config schema.Config
		want   map[string]string // what each agent starts after
	}{
		{
			name: "each after all that come before it", disk: image,
			config: schema.Config{Agents: []schema.Agent{flannel, etcd2}, Units: start("kubelet", "docker")},
			want: map[string]string{"flanneld": "etcd2.service", "docker": "etcd2.service flanneld.service",
				"kubelet": "etcd2.service flanneld.service docker.service provisioner-handoff.service"},
		},
		{name: "one alone", disk: image, config: schema.Config{Agents: []schema.Agent{etcd2}}},
		{
			name: "an agent that is not there is nobody to wait for", disk: image,
			config: schema.Config{Units: start("etcd", "fleet", "docker")},
		},
		{
			name: "a unit of the configuration is there", disk: image,
			config: schema.Config{Units: append(start("docker"), unit("etcd-member.service", "[Service]\n"))},
			want:   map[string]string{"docker": "etcd-member.service"},
		},
		{
			name: "what is stopped or masked starts after nothing", disk: image,
			config: schema.Config{Units: append(start("docker"),
				schema.Unit{At: at(1), Name: val("etcd2.service"), Command: val("stop")},
				schema.Unit{At: at(2), Name: val("flanneld.service"), Mask: val(true)})},
		},
		{
			name: "the image has it the other way round",
			disk: with("usr/lib/systemd/system/flanneld.service", "[Unit]\nAfter=docker.service\n[Service]\n"), config: schema.Config{Units: start("etcd2", "flanneld", "docker")},
			want: map[string]string{"flanneld": "etcd2.service provisioner-handoff.service", "docker": "etcd2.service provisioner-handoff.service"},
		},
		{
			name: "an order that ours would close to a ring",
			disk: with("usr/lib/systemd/system/etcd2.service", "[Unit]\nAfter=docker.service\n[Service]\n"), config: schema.Config{Units: start("etcd2", "flanneld", "docker")},
			want: map[string]string{"flanneld": "etcd2.service provisioner-handoff.service"},
		},
		{
			name: "an agent that our own units come after",
			disk: with("usr/lib/systemd/system/docker.service", "[Unit]\nBefore=provisioner.service\n[Service]\n"), config: schema.Config{Units: start("etcd2", "docker")},
			want: map[string]string{"docker": "etcd2.service"},
		},
		{
			name: "a unit of the user's between two agents", disk: image,
			config: schema.Config{Units: append(start("etcd2", "docker"), unit("gate.service", "[Unit]\nAfter=docker.service\nBefore=etcd2.service\n[Service]\n"))},
		},
		{
			name: "a unit of the image between two agents",
			disk: with("usr/lib/systemd/system/etcd2.service", "[Unit]\nWants=gate.service\n[Service]\n"),
			config: schema.Config{Units: append(start("etcd2", "docker"),
				unit("x.service", "[Unit]\nAfter=docker.service\nBefore=gate.service\n[Service]\n"), unit("gate.service", "[Unit]\nBefore=etcd2.service\n[Service]\n"))},
		},
		{
			name: "an agent after the boot, and one that the boot waits for", disk: func() map[string]string {
				d := with("usr/lib/systemd/system/etcd2.service", "[Unit]\nAfter=multi-user.target\n[Service]\n")
				d["etc/systemd/system/multi-user.target.wants/docker.service"] = "-> /usr/lib/systemd/system/docker.service"
				return d
			}(),
			config: schema.Config{Units: start("etcd2", "flanneld", "docker")},
			want:   map[string]string{"flanneld": "etcd2.service provisioner-handoff.service"},
		},
		{
			name: "the services that the configuration sets up come first", disk: image,
			config: schema.Config{Units: append(start("etcd2"), unit("10-x.network", "[Match]\nName=*\n")),
				System: schema.System{NTP: schema.NTP{At: at(3), Servers: []schema.Value[string]{val("ntp.example.com")}}}},
			want: map[string]string{"etcd2": "systemd-networkd.service systemd-timesyncd.service"},
		},
		{
			name: "a strategy for reboots starts locksmith", disk: image,
			config: schema.Config{Agents: []schema.Agent{etcd2}, Update: schema.Update{RebootStrategy: val("etcd-lock")}},
			want:   map[string]string{"locksmithd": "etcd2.service"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			in := plan.Input{Config: &tt.config}
			d.applied(t, in)
			for _, agent := range []string{"etcd", "etcd2", "etcd-member", "flanneld", "docker", "kubelet", "fleet", "locksmithd", "systemd-networkd"} {
				got := d.content("run/systemd/system/" + agent + ".service.d/10-provisioner-order.conf")
				want := "(none)"
				if after := tt.want[agent]; after != "" {
					want = "[Unit]\nAfter=" + after + "\n"
				}
				if got != want {
					t.Errorf("%s: %q, want %q", agent, got, want)
				}
			}
			if again := d.applied(t, in); len(again.Changes)+len(again.Runtime) > 0 {
				t.Errorf("a second plan changes %v", again.Changes)
			}
		})
	}
}

// An order that an earlier configuration asked for, and that is the wrong way round for this one, goes.
func TestAnOldOrderGoes(t *testing.T) {
	const file = "run/systemd/system/docker.service.d/10-provisioner-order.conf"
	d := newDisk(map[string]string{
		"usr/lib/systemd/system/docker.service": "[Service]\n",
		file:                                    "[Unit]\nAfter=etcd2.service\n",
	})
	p := d.applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{
		unit("docker.service", ""), unit("etcd2.service", "[Unit]\nAfter=docker.service\n[Service]\n"),
	}}})
	if got := d.content(file); got != "(none)" || !p.Reload {
		t.Errorf("the order is still %q, reload %v", got, p.Reload)
	}
	if got := strings.Join(p.Agents, " "); got != "etcd2.service docker.service" {
		t.Errorf("the agents are %s", got)
	}
}
