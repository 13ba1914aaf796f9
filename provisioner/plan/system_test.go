package plan_test

import (
	"maps"
	"slices"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// systemCase is a configuration of the whole system and what comes of it on a machine.
type systemCase struct {
	name   string
	config schema.System
	disk   map[string]string
	// image says that the root is not the running system's.
	image bool
	// want are the files that must be other than they were; "(none)" for one that goes.
	want map[string]string
	// jobs are "action unit".
	jobs     []string
	findings []string
}

// runSystem applies each case, and expects a second plan of it to have nothing left.
func runSystem(t *testing.T, cases []systemCase) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			in := plan.Input{Config: &schema.Config{System: tt.config}, DefaultUser: "core"}
			in.Facts.Live = !tt.image
			in.Facts.Salt = []byte("salt")
			d := newDisk(tt.disk)
			before := maps.Clone(d)
			p, diags := d.compute(t, in)
			d.apply(p)
			got := map[string]string{}
			for f := range d {
				if n, was := before[f]; d.content(f) != "" && (!was || n.data != d[f].data || n.target != d[f].target) {
					got[f] = d.content(f)
				}
			}
			for f := range before {
				if _, there := d[f]; !there {
					got[f] = "(none)"
				}
			}
			for _, f := range slices.Sorted(maps.Keys(got)) {
				if got[f] != tt.want[f] {
					t.Errorf("%s is %q, want %q", f, got[f], tt.want[f])
				}
			}
			for _, f := range slices.Sorted(maps.Keys(tt.want)) {
				if _, there := got[f]; !there {
					t.Errorf("%s is as it was, want %q", f, tt.want[f])
				}
			}
			for _, c := range p.Changes {
				if c.Records != nil && len(c.Records) == 0 {
					t.Errorf("%s changes, and no record says what", c.Path)
				}
			}
			if got := jobsOf(p); !slices.Equal(got, tt.jobs) {
				t.Errorf("jobs %q, want %q", got, tt.jobs)
			}
			if got := findings(diags); !slices.Equal(got, tt.findings) {
				t.Errorf("findings %q, want %q: %v", got, tt.findings, diags)
			}
			again, _ := d.compute(t, in)
			for _, c := range again.Changes {
				t.Errorf("a second plan still has %s %s: %q", c.Kind, c.Path, c.Data)
			}
			if got := jobsOf(again); len(got) > 0 {
				t.Errorf("a second plan still has jobs %q", got)
			}
		})
	}
}

func vals(list ...string) []schema.Value[string] {
	var out []schema.Value[string]
	for i, s := range list {
		out = append(out, val(s, i+1))
	}
	return out
}

func TestTimezone(t *testing.T) {
	berlin := schema.System{Timezone: val("Europe/Berlin")}
	const zone = "usr/share/zoneinfo/Europe/Berlin"
	runSystem(t, []systemCase{
		{name: "a relative link, as timedatectl makes it", config: berlin, disk: map[string]string{zone: "TZif"},
			want: map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/Europe/Berlin"}},
		{name: "Debian names it too", config: berlin, disk: map[string]string{zone: "TZif", "etc/timezone": "Etc/UTC\n", "etc/localtime": "-> /usr/share/zoneinfo/Etc/UTC"},
			want: map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/Europe/Berlin", "etc/timezone": "Europe/Berlin\n"}},
		{name: "an absolute link is as good", config: berlin,
			disk: map[string]string{zone: "TZif", "etc/timezone": "Europe/Berlin", "etc/localtime": "-> /usr/share/zoneinfo/Europe/Berlin"}},
		{name: "a zone that is a link to another", config: schema.System{Timezone: val("Eire")},
			disk: map[string]string{"usr/share/zoneinfo/Eire": "-> Europe/Dublin", "usr/share/zoneinfo/Europe/Dublin": "TZif"},
			want: map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/Eire"}},
		{name: "a copy of a zone is replaced", config: berlin, disk: map[string]string{zone: "TZif", "etc/localtime": "TZif old"},
			want: map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/Europe/Berlin"}},
		{name: "no such zone", config: schema.System{Timezone: val("Europe/Atlantis")}, disk: map[string]string{zone: "TZif"}, findings: []string{"error timezone-missing"}},
		{name: "a part of the world is none", config: schema.System{Timezone: val("Europe")}, disk: map[string]string{zone: "TZif"}, findings: []string{"error timezone-missing"}},
		{name: "a way out of the zones", config: schema.System{Timezone: val("../../../etc/passwd")}, disk: map[string]string{"etc/passwd": "root:x:0:0::/:/\n"}, findings: []string{"error timezone-missing"}},
		{name: "UTC needs no zones", config: schema.System{Timezone: val("UTC")}, disk: map[string]string{"etc/localtime": "-> ../usr/share/zoneinfo/Europe/Berlin"},
			want: map[string]string{"etc/localtime": "(none)"}},
	})
}

func TestLocale(t *testing.T) {
	german := schema.System{Locale: val("de_DE.UTF-8")}
	const compiled = "usr/lib/locale/de_DE.utf8/LC_CTYPE"
	runSystem(t, []systemCase{
		{name: "systemd's file", config: german, disk: map[string]string{compiled: "x"},
			want: map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n"}},
		{name: "Debian's file too, other variables kept", config: german,
			disk: map[string]string{compiled: "x", "etc/locale.conf": "LANG=C\n", "etc/default/locale": "# by update-locale\nLANG=\"en_US.UTF-8\"\nLC_TIME=C"},
			want: map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n", "etc/default/locale": "# by update-locale\nLANG=de_DE.UTF-8\nLC_TIME=C"}},
		{name: "a Debian that has none yet", config: german, disk: map[string]string{compiled: "x", "etc/debian_version": "12.7\n"},
			want: map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n", "etc/default/locale": "LANG=de_DE.UTF-8\n"}},
		{name: "two names of one file", config: german,
			disk: map[string]string{compiled: "x", "etc/locale.conf": "-> default/locale", "etc/default/locale": "LANG=C\n"},
			want: map[string]string{"etc/default/locale": "LANG=de_DE.UTF-8\n"}},
		{name: "in the archive", config: german, disk: map[string]string{"usr/lib/locale/locale-archive": "\x01de_DE.utf8\x00fr_FR.utf8\x00"},
			want: map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n"}},
		{name: "not in the archive", config: german, disk: map[string]string{"usr/lib/locale/locale-archive": "\x01fr_FR.utf8\x00"},
			want: map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n"}, findings: []string{"warning locale-missing"}},
		{name: "built into the C library", config: schema.System{Locale: val("C.UTF-8")}, want: map[string]string{"etc/locale.conf": "LANG=C.UTF-8\n"}},
		{name: "with a modifier", config: schema.System{Locale: val("ca_ES.UTF-8@valencia")}, disk: map[string]string{"usr/lib/locale/ca_ES.utf8@valencia/LC_CTYPE": "x"},
			want: map[string]string{"etc/locale.conf": "LANG=\"ca_ES.UTF-8@valencia\"\n"}},
		{name: "no second line", config: schema.System{Locale: val("C\nLD_PRELOAD=x")}, findings: []string{"error one-line"}},
	})
}

func TestKeyboard(t *testing.T) {
	german := schema.System{Keyboard: schema.Keyboard{Layout: val("de")}}
	const table = "# console\tlayout\tmodel\tvariant\toptions\nde\tde\tpc105\t-\tterminate:ctrl_alt_bksp\nde-latin1\tde\tpc105\t-\tx\nde-latin1-nodeadkeys\tde\tpc105\tnodeadkeys\tx\n"
	const model = "usr/share/systemd/kbd-model-map"
	const xkb = "XKBLAYOUT=\"de\"\nXKBMODEL=\"pc105\"\nXKBVARIANT=\"\"\nXKBOPTIONS=\"\"\n"
	runSystem(t, []systemCase{
		{name: "console and X11", config: german, disk: map[string]string{model: table},
			want: map[string]string{"etc/vconsole.conf": "KEYMAP=de\n" + xkb}},
		{name: "all that can be said", config: schema.System{Keyboard: schema.Keyboard{Layout: val("de"), Model: val("pc104"), Variant: val("nodeadkeys"), Options: val("compose:rwin")}},
			disk: map[string]string{model: table},
			want: map[string]string{"etc/vconsole.conf": "KEYMAP=de-latin1-nodeadkeys\nXKBLAYOUT=\"de\"\nXKBMODEL=\"pc104\"\nXKBVARIANT=\"nodeadkeys\"\nXKBOPTIONS=\"compose:rwin\"\n"}},
		{name: "a layout that the console has no name for", config: schema.System{Keyboard: schema.Keyboard{Layout: val("de"), Variant: val("neo")}},
			disk: map[string]string{model: table, "etc/vconsole.conf": "FONT=eurlatgr\nKEYMAP=us\n"},
			want: map[string]string{"etc/vconsole.conf": "FONT=eurlatgr\nKEYMAP=us\nXKBLAYOUT=\"de\"\nXKBMODEL=\"pc105\"\nXKBVARIANT=\"neo\"\nXKBOPTIONS=\"\"\n"}},
		{name: "Debian's console-setup, the rest of its file kept", config: german,
			disk: map[string]string{
				"etc/default/keyboard":                                       "# KEYBOARD CONFIGURATION FILE\nXKBMODEL=\"pc105\"\nXKBLAYOUT=\"us\"\nXKBVARIANT=\"intl\"\nXKBOPTIONS=\"\"\n\nBACKSPACE=\"guess\"\n",
				"usr/lib/systemd/system/console-setup.service":               "[Service]\n",
				"usr/lib/systemd/system/" + "systemd-vconsole-setup.service": "[Service]\n",
			},
			want: map[string]string{
				"etc/vconsole.conf":    xkb,
				"etc/default/keyboard": "# KEYBOARD CONFIGURATION FILE\nXKBMODEL=\"pc105\"\nXKBLAYOUT=\"de\"\nXKBVARIANT=\"\"\nXKBOPTIONS=\"\"\n\nBACKSPACE=\"guess\"\n",
			},
			jobs: []string{"try-restart systemd-vconsole-setup.service", "try-restart console-setup.service"}},
		{name: "a Debian without console-setup", config: german, disk: map[string]string{"etc/debian_version": "12.5\n"},
			want: map[string]string{"etc/vconsole.conf": xkb, "etc/default/keyboard": xkb}},
		{name: "a quote ends nothing", config: schema.System{Keyboard: schema.Keyboard{Layout: val(`de"; reboot; "`)}},
			want: map[string]string{"etc/vconsole.conf": "XKBLAYOUT=\"de\\\"; reboot; \\\"\"\nXKBMODEL=\"pc105\"\nXKBVARIANT=\"\"\nXKBOPTIONS=\"\"\n"}},
	})
}

const timesyncdUnit = "[Unit]\nDescription=Network Time Synchronization\n[Install]\nWantedBy=sysinit.target\nAlias=dbus-org.freedesktop.timesync1.service\n"

func TestNTP(t *testing.T) {
	const file, unit = "usr/lib/systemd/system/systemd-timesyncd.service", "systemd-timesyncd.service"
	const wanted = "etc/systemd/system/sysinit.target.wants/" + unit
	const alias = "etc/systemd/system/dbus-org.freedesktop.timesync1.service"
	ntp := func(n schema.NTP) schema.System { n.At = at(1); return schema.System{NTP: n} }
	own := ntp(schema.NTP{Servers: vals("ntp1.example.com", "10.0.0.1"), Pools: vals("pool.example.com", "10.0.0.1")})
	enabled := map[string]string{file: timesyncdUnit, wanted: "-> /" + file, alias: "-> /" + file}
	with := func(more map[string]string) map[string]string {
		out := maps.Clone(enabled)
		maps.Copy(out, more)
		return out
	}
	const conf, text = "etc/systemd/timesyncd.conf.d/20-provisioner.conf", "[Time]\nNTP=\nNTP=ntp1.example.com 10.0.0.1 pool.example.com\n"
	runSystem(t, []systemCase{
		{name: "servers, then pools, each once", config: own, disk: enabled, want: map[string]string{conf: text}, jobs: []string{"restart " + unit}},
		{name: "it is enabled", config: own, disk: map[string]string{file: timesyncdUnit},
			want: map[string]string{conf: text, wanted: "-> /" + file, alias: "-> /" + file}, jobs: []string{"restart " + unit}},
		{name: "the distribution's servers", config: ntp(schema.NTP{Enabled: val(true)}), disk: map[string]string{file: timesyncdUnit},
			want: map[string]string{wanted: "-> /" + file, alias: "-> /" + file}, jobs: []string{"restart " + unit}},
		{name: "nothing to do", config: ntp(schema.NTP{Enabled: val(true)}), disk: enabled},
		{name: "not wanted", config: ntp(schema.NTP{Enabled: val(false), Servers: vals("a")}), disk: map[string]string{file: timesyncdUnit}},
		{name: "another one keeps the time", config: own, disk: with(map[string]string{"etc/systemd/system/multi-user.target.wants/chronyd.service": "-> /usr/lib/systemd/system/chronyd.service"}),
			findings: []string{"warning time-service-missing"}},
		{name: "none is there", config: own, findings: []string{"warning time-service-missing"}},
		{name: "masked", config: own, disk: map[string]string{file: timesyncdUnit, "etc/systemd/system/" + unit: "-> /dev/null"}, findings: []string{"warning time-service-missing"}},
		{name: "no second setting", config: ntp(schema.NTP{Servers: vals("a\nFallbackNTP=b")}), disk: enabled, findings: []string{"error one-line"}},
	})
}

func TestResolver(t *testing.T) {
	const unit, conf = "usr/lib/systemd/system/systemd-resolved.service", "etc/systemd/resolved.conf.d/20-provisioner.conf"
	resolver := func(r schema.Resolver) schema.System { r.At = at(1); return schema.System{Resolver: r} }
	disk := map[string]string{unit: "[Service]\n"}
	job := []string{"try-restart systemd-resolved.service"}
	runSystem(t, []systemCase{
		{name: "servers and domains, the machine's own first",
			config: resolver(schema.Resolver{Nameservers: vals("10.0.0.2", "10.0.0.3"), SearchDomains: vals("b.example.com", "a.example.com"), Domain: val("a.example.com")}),
			disk:   disk, want: map[string]string{conf: "[Resolve]\nDNS=\nDNS=10.0.0.2 10.0.0.3\nDomains=\nDomains=a.example.com b.example.com\n"}, jobs: job},
		{name: "servers alone", config: resolver(schema.Resolver{Nameservers: vals("10.0.0.2")}), disk: disk,
			want: map[string]string{conf: "[Resolve]\nDNS=\nDNS=10.0.0.2\n"}, jobs: job},
		{name: "nothing said", config: resolver(schema.Resolver{}), disk: disk},
		{name: "no resolved", config: resolver(schema.Resolver{Nameservers: vals("10.0.0.2")}), findings: []string{"warning resolver-missing"}},
		{name: "a blank makes two", config: resolver(schema.Resolver{Nameservers: vals("10.0.0.2 10.0.0.3")}), disk: disk, findings: []string{"error one-line"}},
	})
}
