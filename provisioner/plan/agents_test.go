package plan_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

func setting(variable, value string) schema.Setting {
	return schema.Setting{Key: strings.ToLower(variable), Variable: variable, Value: val(value)}
}

func secret(variable, value string) schema.Setting {
	s := setting(variable, value)
	s.Secret = true
	return s
}

func TestAgents(t *testing.T) {
	const dropIn = "run/systemd/system/etcd2.service.d/20-cloudinit.conf"
	for _, tt := range []struct {
		name     string
		agent    string
		settings []schema.Setting
		want     map[string]string
	}{
		{
			name: "a drop-in, in the order written", agent: "etcd2",
			settings: []schema.Setting{setting("ETCD_NAME", "infra0"), setting("ETCD_DATA_DIR", "/var/lib/etcd2")},
			want:     map[string]string{dropIn: "[Service]\nEnvironment=\"ETCD_NAME=infra0\"\nEnvironment=\"ETCD_DATA_DIR=/var/lib/etcd2\"\n"},
		},
		{
			name: "false, 0 and nothing are said if the user said them", agent: "etcd2",
			settings: []schema.Setting{setting("A", "false"), setting("B", "0"), setting("C", "")},
			want:     map[string]string{dropIn: "[Service]\nEnvironment=\"A=false\"\nEnvironment=\"B=0\"\nEnvironment=\"C=\"\n"},
		},
		{
			name: "an address is put in", agent: "etcd2",
			settings: []schema.Setting{setting("A", "http://$private_ipv4:2379")},
			want:     map[string]string{dropIn: "[Service]\nEnvironment=\"A=http://10.0.0.1:2379\"\n"},
		},
		{
			name: "nothing in a value means anything to systemd", agent: "etcd2",
			settings: []schema.Setting{setting("A", `a" %n \x`)},
			want:     map[string]string{dropIn: "[Service]\nEnvironment=\"A=a\\\" %%n \\\\x\"\n"},
		},
		{
			name: "a secret is not where everybody can read", agent: "fleet",
			settings: []schema.Setting{setting("FLEET_ETCD_USERNAME", "u"), secret("FLEET_ETCD_PASSWORD", `p w\`)},
			want: map[string]string{
				"run/systemd/system/fleet.service.d/20-cloudinit.conf": "[Service]\nEnvironment=\"FLEET_ETCD_USERNAME=u\"\nEnvironmentFile=/run/systemd/provisioner/fleet.env\n",
				"run/systemd/provisioner/fleet.env":                    "FLEET_ETCD_PASSWORD=\"p w\\\\\"\n",
			},
		},
		{
			name: "locksmith's unit has another name", agent: "locksmith",
			settings: []schema.Setting{setting("REBOOT_WINDOW_START", "Thu 23:00")},
			want:     map[string]string{"run/systemd/system/locksmithd.service.d/20-cloudinit.conf": "[Service]\nEnvironment=\"REBOOT_WINDOW_START=Thu 23:00\"\n"},
		},
		{
			name: "flannel has a file, which docker may read too", agent: "flannel",
			settings: []schema.Setting{setting("FLANNELD_ETCD_ENDPOINTS", "http://a:1,http://b:2"), setting("FLANNELD_IFACE", "a b"), setting("FLANNELD_X", `"q" $x`)},
			want:     map[string]string{"run/flannel/options.env": "FLANNELD_ETCD_ENDPOINTS=http://a:1,http://b:2\nFLANNELD_IFACE=a b\nFLANNELD_X=\"\\\"q\\\" \\$x\"\n"},
		},
		{
			name: "no settings, no drop-in", agent: "etcd2",
			want: map[string]string{dropIn: "(none)"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(nil)
			p := d.applied(t, plan.Input{
				Config: &schema.Config{Agents: []schema.Agent{{Name: tt.agent, At: at(1), Settings: tt.settings}}},
				Meta:   schema.Metadata{PrivateIPv4: "10.0.0.1"},
			})
			for path, want := range tt.want {
				if got := d.content(path); got != want {
					t.Errorf("%s is %q\nwant %q", path, got, want)
				}
			}
			if len(p.Jobs) > 0 {
				t.Errorf("settings start nothing, and here are %v", p.Jobs)
			}
		})
	}
}

func TestWhoMayReadAgentSecrets(t *testing.T) {
	for _, agent := range []string{"etcd", "etcd2", "fleet", "locksmith", "flannel"} {
		d := newDisk(nil)
		p := d.applied(t, plan.Input{Config: &schema.Config{Agents: []schema.Agent{
			{Name: agent, At: at(1), Settings: []schema.Setting{setting("A", "1"), secret("B", "canary")}},
		}}})
		found := false
		for _, c := range p.Changes {
			if !strings.Contains(string(c.Data), "canary") {
				continue
			}
			found = true
			if !c.Secret || c.Attr.Mode != 0o600 || c.Attr.UID != 0 {
				t.Errorf("%s: %s is %04o, Secret %v", agent, c.Path, c.Attr.Mode, c.Secret)
			}
		}
		if !found {
			t.Errorf("%s: the secret is nowhere", agent)
		}
		if dir, ok := d["run/systemd/provisioner"]; ok && dir.attr.Mode != 0o700 {
			t.Errorf("%s: the directory is %04o", agent, dir.attr.Mode)
		}
	}
}

func TestALineEndInASetting(t *testing.T) {
	for _, s := range []schema.Setting{setting("A", "x\nExecStartPre=/bin/evil"), secret("B", "canary\ny")} {
		p, diags := newDisk(nil).compute(t, plan.Input{Config: &schema.Config{Agents: []schema.Agent{{Name: "etcd2", At: at(1), Settings: []schema.Setting{s}}}}})
		if got := findings(diags); !slices.Equal(got, []string{"error one-line"}) {
			t.Errorf("%s: got %q", s.Variable, got)
		}
		for _, c := range p.Changes {
			if strings.Contains(string(c.Data), "evil") {
				t.Errorf("%s has it: %q", c.Path, c.Data)
			}
		}
		for _, d := range diags {
			if strings.Contains(d.Summary+d.Detail, "canary") {
				t.Errorf("the finding tells the secret: %s", d.Summary)
			}
		}
	}
}

func TestUpdateJobs(t *testing.T) {
	const mask = "run/systemd/system/locksmithd.service"
	units := map[string]string{"usr/lib/systemd/system/locksmithd.service": "[Service]\n", "usr/lib/systemd/system/update-engine.service": "[Service]\n"}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{units, more} {
			for p, c := range m {
				all[p] = c
			}
		}
		return all
	}
	strategy := func(s string) schema.Update { return schema.Update{RebootStrategy: val(s)} }
	for _, tt := range []struct {
		name     string
		disk     map[string]string
		update   schema.Update
		units    []schema.Unit
		jobs     []string
		mask     string // what is at the mask afterwards
		findings []string
	}{
		{name: "another strategy restarts locksmithd", disk: units, update: strategy("reboot"), jobs: []string{"restart locksmithd.service"}, mask: "(none)"},
		{name: "the strategy the file has restarts nothing", disk: with(map[string]string{"etc/coreos/update.conf": "REBOOT_STRATEGY=reboot\n"}), update: strategy("reboot"), mask: "(none)"},
		{name: "off stops and masks", disk: units, update: strategy("off"), jobs: []string{"stop locksmithd.service"}, mask: "-> /dev/null"},
		{name: "off again does nothing", disk: with(map[string]string{"etc/coreos/update.conf": "REBOOT_STRATEGY=off\n", mask: "-> /dev/null"}), update: strategy("off"), mask: "-> /dev/null"},
		{name: "on again takes the mask away", disk: with(map[string]string{"etc/coreos/update.conf": "REBOOT_STRATEGY=off\n", mask: "-> /dev/null"}), update: strategy("etcd-lock"), jobs: []string{"restart locksmithd.service"}, mask: "(none)"},
		{
			name: "a mask of this configuration stays", disk: units, update: strategy("reboot"),
			units: []schema.Unit{{At: at(1), Name: val("locksmithd.service"), Runtime: val(true), Mask: val(true)}}, mask: "-> /dev/null",
		},
		{name: "a mask in /etc stays, and nothing is asked of what it masks", disk: with(map[string]string{"etc/systemd/system/locksmithd.service": "-> /dev/null"}), update: strategy("reboot"), mask: "(none)"},
		{name: "a group restarts the update engine", disk: units, update: schema.Update{Group: val("beta")}, jobs: []string{"restart update-engine.service"}, mask: "(none)"},
		{name: "group and server restart it once", disk: units, update: schema.Update{Group: val("beta"), Server: val("http://s")}, jobs: []string{"restart update-engine.service"}, mask: "(none)"},
		{name: "the group that the file has", disk: with(map[string]string{"etc/coreos/update.conf": "GROUP=beta\n"}), update: schema.Update{Group: val("beta")}, mask: "(none)"},
		{name: "agents that are not there", update: schema.Update{Group: val("beta"), RebootStrategy: val("reboot")}, mask: "(none)", findings: []string{"warning agent-missing", "warning agent-missing"}},
		{name: "off where there is nobody to stop", update: strategy("off"), mask: "(none)"},
		{
			name: "the user's own commands come first", disk: units, update: strategy("reboot"),
			units: []schema.Unit{{At: at(1), Name: val("etcd2.service"), Command: val("start")}},
			jobs:  []string{"start etcd2.service", "restart locksmithd.service"}, mask: "(none)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			p, diags := d.compute(t, plan.Input{Config: &schema.Config{Update: tt.update, Units: tt.units}})
			d.apply(p)
			if got := jobsOf(p); !slices.Equal(got, tt.jobs) {
				t.Errorf("jobs %q, want %q", got, tt.jobs)
			}
			if got := d.content(mask); got != tt.mask {
				t.Errorf("the mask is %q, want %q", got, tt.mask)
			}
			if got := findings(diags); !slices.Equal(got, tt.findings) {
				t.Errorf("findings %q, want %q", got, tt.findings)
			}
		})
	}
}

func jobsOf(p plan.Plan) []string {
	var out []string
	for _, j := range p.Jobs {
		out = append(out, j.Action+" "+j.Unit)
	}
	return out
}

// TestSystemdReadsOurDropIns has systemd's own parser read a drop-in of values that are hard to quote: it
// prints what it does not understand, and ends well all the same.
func TestSystemdReadsOurDropIns(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze is not installed")
	}
	d := newDisk(map[string]string{
		"usr/lib/systemd/system/etcd2.service": "[Unit]\nDescription=etcd2\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n",
		"bin/true":                             "#!",
	})
	d.applied(t, plan.Input{Config: &schema.Config{Agents: []schema.Agent{{Name: "etcd2", At: at(1), Settings: []schema.Setting{
		setting("A", `a" b`), setting("B", `%n %`), setting("C", `\`), setting("D", "é 日本\tx"), setting("E", "'"), secret("F", "x"), setting("G", ""),
	}}}}})
	root := t.TempDir()
	d.write(t, root)
	if err := os.Chmod(filepath.Join(root, "bin/true"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "--root="+root, "--man=no", "verify", "etcd2.service").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s\nthe drop-in is %s", err, out, d.content("run/systemd/system/etcd2.service.d/20-cloudinit.conf"))
	}
}
