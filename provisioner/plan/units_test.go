package plan_test

import (
	"slices"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

func unit(name, content string) schema.Unit {
	u := schema.Unit{At: at(1), Name: val(name)}
	if content != "" {
		u.Content = val(content)
	}
	return u
}

func TestUnits(t *testing.T) {
	runtime := func(u schema.Unit) schema.Unit {
		u.Runtime = val(true)
		return u
	}
	masked := func(u schema.Unit) schema.Unit {
		u.Mask = val(true)
		return u
	}
	dropIn := func(u schema.Unit, name, content string) schema.Unit {
		u.DropIns = append(u.DropIns, schema.DropIn{At: at(2), Name: val(name), Content: val(content)})
		return u
	}
	for _, tt := range []struct {
		name             string
		disk             map[string]string
		unit             schema.Unit
		want             map[string]string
		reload, networkd bool
	}{
		{
			name: "a unit", unit: unit("web.service", "[Service]\nExecStart=/bin/web\n"), reload: true,
			want: map[string]string{"etc/systemd/system/web.service": "[Service]\nExecStart=/bin/web\n"},
		},
		{
			name: "a unit for this boot", unit: runtime(unit("web.service", "[Service]\n")), reload: true,
			want: map[string]string{"run/systemd/system/web.service": "[Service]\n", "etc/systemd/system/web.service": "(none)"},
		},
		{
			name: "a unit that is there already reloads nothing", disk: map[string]string{"etc/systemd/system/web.service": "[Service]\n"},
			unit: unit("web.service", "[Service]\n"), want: map[string]string{"etc/systemd/system/web.service": "[Service]\n"},
		},
		{
			name: "an address in a unit and in a drop-in", reload: true,
			unit: dropIn(unit("web.service", "[Service]\nExecStart=/bin/web $private_ipv4 $MAINPID\n"), "10-a.conf", "[Service]\nEnvironment=IP=$private_ipv4\n"),
			want: map[string]string{
				"etc/systemd/system/web.service":             "[Service]\nExecStart=/bin/web 10.0.0.1 $MAINPID\n",
				"etc/systemd/system/web.service.d/10-a.conf": "[Service]\nEnvironment=IP=10.0.0.1\n",
			},
		},
		{
			name: "a drop-in without a unit", unit: dropIn(unit("docker.service", ""), "20-x.conf", "[Service]\n"), reload: true,
			want: map[string]string{"etc/systemd/system/docker.service.d/20-x.conf": "[Service]\n", "etc/systemd/system/docker.service": "(none)"},
		},
		{
			name: "a drop-in without content is not written", unit: dropIn(unit("docker.service", ""), "20-x.conf", ""),
			want: map[string]string{"etc/systemd/system/docker.service.d/20-x.conf": "(none)"},
		},
		{
			name: "a mask takes the place of what is there", disk: map[string]string{"etc/systemd/system/web.service": "[Service]\n"},
			unit: masked(unit("web.service", "")), want: map[string]string{"etc/systemd/system/web.service": "-> /dev/null"}, reload: true,
		},
		{
			name: "a mask before the content", unit: masked(unit("web.service", "[Service]\n")), reload: true,
			want: map[string]string{"etc/systemd/system/web.service": "-> /dev/null"},
		},
		{
			name: "a mask for this boot", unit: runtime(masked(unit("web.service", ""))), reload: true,
			want: map[string]string{"run/systemd/system/web.service": "-> /dev/null", "etc/systemd/system/web.service": "(none)"},
		},
		{
			name: "runtime takes away a mask of this boot", disk: map[string]string{"run/systemd/system/web.service": "-> /dev/null"},
			unit: runtime(unit("web.service", "")), want: map[string]string{"run/systemd/system/web.service": "(none)"}, reload: true,
		},
		{
			name: "an empty file is a mask too", disk: map[string]string{"run/systemd/system/web.service": ""},
			unit: runtime(unit("web.service", "")), want: map[string]string{"run/systemd/system/web.service": "(none)"}, reload: true,
		},
		{
			name: "runtime takes away nothing else", disk: map[string]string{"run/systemd/system/web.service": "[Service]\n", "etc/systemd/system/web.service": "-> /dev/null"},
			unit: runtime(unit("web.service", "")), want: map[string]string{"run/systemd/system/web.service": "[Service]\n", "etc/systemd/system/web.service": "-> /dev/null"},
		},
		{
			name: "content takes the place of a mask", disk: map[string]string{"etc/systemd/system/web.service": "-> /dev/null"},
			unit: unit("web.service", "[Service]\n"), want: map[string]string{"etc/systemd/system/web.service": "[Service]\n"}, reload: true,
		},
		{
			name: "networkd's files have a directory of their own", unit: dropIn(unit("10-eth.network", "[Match]\nName=eth0\n"), "a.conf", "[Network]\n"), networkd: true,
			want: map[string]string{"etc/systemd/network/10-eth.network": "[Match]\nName=eth0\n", "etc/systemd/network/10-eth.network.d/a.conf": "[Network]\n"},
		},
		{
			name: "a networkd file for this boot", unit: runtime(unit("10-eth.link", "[Match]\n")), networkd: true,
			want: map[string]string{"run/systemd/network/10-eth.link": "[Match]\n"},
		},
		{
			name: "a masked networkd file", unit: masked(unit("99-default.link", "")), networkd: true,
			want: map[string]string{"etc/systemd/network/99-default.link": "-> /dev/null"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			p := d.applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{tt.unit}}, Meta: schema.Metadata{PrivateIPv4: "10.0.0.1"}})
			for path, want := range tt.want {
				if got := d.content(path); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
			if p.Reload != tt.reload || p.Networkd != tt.networkd {
				t.Errorf("reload %v, networkd %v; want %v, %v", p.Reload, p.Networkd, tt.reload, tt.networkd)
			}
		})
	}
}

func TestJobs(t *testing.T) {
	command := func(name, action string) schema.Unit {
		u := unit(name, "")
		u.Command = val(action)
		return u
	}
	d := newDisk(nil)
	in := plan.Input{Config: &schema.Config{Units: []schema.Unit{
		command("etcd2.service", "start"), command("10-eth.network", "restart"), command("b.service", "reload-or-restart"), unit("c.service", "[Service]\n"),
	}}}
	want := []string{"start etcd2.service", "reload-or-restart b.service"}
	for range 2 { // what is asked for is asked for again by a second plan
		p, diags := d.compute(t, in)
		if got := jobsOf(p); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := findings(diags); !slices.Equal(got, []string{"warning network-enable"}) {
			t.Errorf("findings %q", got)
		}
		d.apply(p)
	}
}

func TestUnitsWhereEtcIsReadOnly(t *testing.T) {
	d := newDisk(nil)
	d.put("etc", node{kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o755}, volume: fsroot.Volume{Top: "etc", ReadOnly: true}})
	u := unit("web.service", "[Service]\n[Install]\nWantedBy=multi-user.target\n")
	u.Enable = val(true)
	p, diags := d.compute(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{u}}})
	for _, f := range diags {
		if f.Rule.ID != "unit-volatile" {
			t.Errorf("unexpected finding %s: %s", f.Rule.ID, f.Summary)
		}
	}
	d.apply(p)
	if got := d.content("run/systemd/system/web.service"); got != u.Content.V {
		t.Errorf("the unit is %q", got)
	}
	if got, want := d.content("run/systemd/system/multi-user.target.wants/web.service"), "-> /run/systemd/system/web.service"; got != want {
		t.Errorf("enabled as %q, want %q", got, want)
	}
}

func TestNetworkKeysAreNotForEverybody(t *testing.T) {
	wireguard := unit("wg0.netdev", "[NetDev]\nName=wg0\nKind=wireguard\n[WireGuard]\nPrivateKey=canary\n")
	public := unit("br0.netdev", "[NetDev]\nName=br0\nKind=bridge\n")
	dropIn := unit("wg1.netdev", "")
	dropIn.DropIns = []schema.DropIn{{At: at(2), Name: val("psk.conf"), Content: val("[WireGuardPeer]\nPresharedKey=canary\n")}}
	file := unit("wg2.netdev", "[WireGuard]\nPrivateKeyFile=/etc/wg.key\n")
	service := unit("a.service", "[Service]\nExecStart=/bin/a\n[X-A]\nKey=public\n")
	d := accountsOf(map[string]string{"etc/group": "root:x:0:\nsystemd-network:x:192:\n"})
	p := d.applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{wireguard, public, dropIn, file, service}}})
	private, open := fsroot.Attr{Mode: 0o640, GID: 192}, fsroot.Attr{Mode: 0o644}
	for path, want := range map[string]fsroot.Attr{
		"etc/systemd/network/wg0.netdev": private, "etc/systemd/network/wg1.netdev.d/psk.conf": private,
		"etc/systemd/network/br0.netdev": open, "etc/systemd/network/wg2.netdev": open,
		"etc/systemd/system/a.service": open,
	} {
		if got := d[path].attr; got != want {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	for _, c := range p.Changes {
		if c.Kind == plan.WriteFile && c.Secret != (c.Attr == private) {
			t.Errorf("%s: Secret is %v", c.Path, c.Secret)
		}
	}
}

func TestAPrivateKeyInAUnitIsNotShown(t *testing.T) {
	u := unit("a.service", "[Service]\nEnvironment='KEY=-----BEGIN EC PRIVATE KEY-----'\n")
	p := newDisk(nil).applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{u}}})
	if c := p.Changes[len(p.Changes)-1]; !c.Secret || c.Attr.Mode != 0o644 {
		t.Errorf("%s is %04o, Secret %v", c.Path, c.Attr.Mode, c.Secret)
	}
}

func TestAVariableWithoutAValueInAUnit(t *testing.T) {
	_, diags := newDisk(nil).compute(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{unit("a.service", "[Service]\nExecStart=/bin/x $public_ipv4\n")}}})
	if got := findings(diags); !slices.Equal(got, []string{"error variable-missing"}) {
		t.Errorf("got %q", got)
	}
}

func TestUnitNamesThatLeadOut(t *testing.T) {
	u := unit("a.service", "")
	u.DropIns = []schema.DropIn{{At: at(1), Name: val("../../passwd.conf"), Content: val("x")}}
	p, diags := newDisk(nil).compute(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{unit("../../../etc/passwd", "x"), u}}})
	if got := findings(diags); !slices.Equal(got, []string{"error unit-name", "error drop-in-name"}) || len(p.Changes) > 0 {
		t.Errorf("got %q and %d changes", got, len(p.Changes))
	}
}
