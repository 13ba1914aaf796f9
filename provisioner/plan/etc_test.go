package plan_test

import (
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

func TestHostname(t *testing.T) {
	long := strings.Repeat("a", 40)
	for _, tt := range []struct {
		name, config, platform, was string
		want                        string // etc/hostname, "(none)" if it is not there
		kernel                      string
		findings                    []string
	}{
		{name: "nobody names the machine", want: "(none)"},
		{name: "the configuration", config: "web1", want: "web1\n", kernel: "web1"},
		{name: "the configuration before the platform", config: "web1", platform: "ip-10-0-0-1", want: "web1\n", kernel: "web1"},
		{name: "the platform", platform: "ip-10-0-0-1", want: "ip-10-0-0-1\n", kernel: "ip-10-0-0-1"},
		{name: "a domain is kept, a dot at the end is not", config: "web1.example.com.", want: "web1.example.com\n", kernel: "web1.example.com"},
		{name: "a capital is kept", config: "Web1", want: "Web1\n", kernel: "Web1"},
		{name: "a name like an address", config: "10.0.0.1", want: "10.0.0.1\n", kernel: "10.0.0.1"},
		{name: "the platform's too long one is cut at the first dot", platform: long + "." + long, want: long + "\n", kernel: long, findings: []string{"warning platform-hostname"}},
		{name: "64 characters are not too many", platform: long + "." + long[:23], want: long + "." + long[:23] + "\n", kernel: long + "." + long[:23]},
		{name: "the platform's too long one without a dot is none", platform: long + long, want: "(none)", findings: []string{"warning platform-hostname", "warning platform-hostname"}},
		{name: "the platform's line end makes no second line", platform: "a\nb", want: "(none)", findings: []string{"warning platform-hostname"}},
		{name: "the platform's markup is no name", platform: "<html>", want: "(none)", findings: []string{"warning platform-hostname"}},
		{name: "the configuration's too long one is refused", config: long + "." + long, want: "(none)", findings: []string{"error hostname"}},
		{name: "a variable", config: "node-$instance_id", want: "node-i-1\n", kernel: "node-i-1"},
		{name: "the kernel has the name", config: "web1", was: "web1", want: "web1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := plan.Input{Config: &schema.Config{}, Meta: schema.Metadata{Hostname: tt.platform, InstanceID: "i-1"}}
			in.Facts.Live, in.Facts.SystemHostname = true, tt.was
			if tt.config != "" {
				in.Config.Hostname = val(tt.config)
			}
			d := newDisk(nil)
			p, diags := d.compute(t, in)
			d.apply(p)
			if got := d.content("etc/hostname"); got != tt.want {
				t.Errorf("etc/hostname is %q, want %q", got, tt.want)
			}
			if p.Hostname != tt.kernel {
				t.Errorf("the kernel is told %q, want %q", p.Hostname, tt.kernel)
			}
			if got := findings(diags); !slices.Equal(got, tt.findings) {
				t.Errorf("findings %q, want %q", got, tt.findings)
			}
		})
	}
}

func TestHostnameBelowAnotherRoot(t *testing.T) {
	in := plan.Input{Config: &schema.Config{Hostname: val("web1")}}
	if p := newDisk(nil).applied(t, in); p.Hostname != "" {
		t.Errorf("the kernel of this machine is told %q", p.Hostname)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 40)
	for _, tt := range []struct {
		name   string
		config schema.Config
		disk   map[string]string
		// What is in etc/hostname and which names etc/hosts has for the machine.
		file, hosts string
		kernel      string
		findings    []string
	}{
		{name: "the short name is the host's, both are in hosts", config: schema.Config{System: schema.System{FQDN: val("web1.example.com")}},
			file: "web1\n", hosts: "web1.example.com web1", kernel: "web1"},
		{name: "hostname beside fqdn is the host's", config: schema.Config{Hostname: val("front"), System: schema.System{FQDN: val("web1.example.com.")}},
			file: "front\n", hosts: "web1.example.com front", kernel: "front"},
		{name: "fqdn is preferred", config: schema.Config{Hostname: val("web1"), System: schema.System{FQDN: val("web1.example.com"), PreferFQDN: val(true)}},
			file: "web1.example.com\n", hosts: "web1.example.com web1", kernel: "web1.example.com"},
		{name: "a hostname of several labels stays whole", config: schema.Config{Hostname: val("web1.example.com")},
			file: "web1.example.com\n", hosts: "web1.example.com web1", kernel: "web1.example.com"},
		{name: "unless the short one is preferred", config: schema.Config{Hostname: val("web1.example.com"), System: schema.System{PreferFQDN: val(false)}},
			file: "web1\n", hosts: "web1.example.com web1", kernel: "web1"},
		{name: "a preference without fqdn changes nothing", config: schema.Config{Hostname: val("web1"), System: schema.System{PreferFQDN: val(true)}},
			file: "web1\n", hosts: "web1", kernel: "web1"},
		{name: "a name that is kept", config: schema.Config{Hostname: val("web1"), System: schema.System{PreserveHostname: val(true)}},
			disk: map[string]string{"etc/hostname": "old\n"}, file: "old\n", hosts: "old"},
		{name: "a name that is kept, with a domain", config: schema.Config{System: schema.System{FQDN: val("old.example.com"), PreserveHostname: val(true)}},
			disk: map[string]string{"etc/hostname": "old\n"}, file: "old\n", hosts: "old.example.com old"},
		{name: "the kernel alone", config: schema.Config{Hostname: val("web1"), System: schema.System{CreateHostnameFile: val(false)}},
			disk: map[string]string{"etc/hostname": "old\n"}, file: "old\n", hosts: "web1", kernel: "web1"},
		{name: "a variable", config: schema.Config{System: schema.System{FQDN: val("$instance_id.example.com")}},
			file: "i-1\n", hosts: "i-1.example.com i-1", kernel: "i-1"},
		{name: "no name", config: schema.Config{System: schema.System{FQDN: val(long + "." + long)}},
			file: "(none)", hosts: "before", findings: []string{"error hostname"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := plan.Input{Config: &tt.config, Meta: schema.Metadata{InstanceID: "i-1", Hostname: "platform"}}
			in.Config.ManageEtcHosts = val("localhost")
			in.Facts.Live, in.Facts.SystemHostname = true, "before"
			d := newDisk(tt.disk)
			p, diags := d.compute(t, in)
			d.apply(p)
			if got := d.content("etc/hostname"); got != tt.file {
				t.Errorf("etc/hostname is %q, want %q", got, tt.file)
			}
			if got, want := d.content("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 "+tt.hosts+"\n"; got != want {
				t.Errorf("etc/hosts is %q, want %q", got, want)
			}
			if p.Hostname != tt.kernel {
				t.Errorf("the kernel is told %q, want %q", p.Hostname, tt.kernel)
			}
			if got := findings(diags); !slices.Equal(got, tt.findings) {
				t.Errorf("findings %q, want %q", got, tt.findings)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		name, hostname string
		hosts          string
		want           string
		records        []string
	}{
		{
			name: "after localhost, everything else kept", hostname: "web1",
			hosts:   "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n\n# ours\n10.0.0.9 db\n",
			want:    "127.0.0.1\tlocalhost\n127.0.1.1 web1\n::1\tlocalhost ip6-localhost\n\n# ours\n10.0.0.9 db\n",
			records: []string{"host web1 added"},
		},
		{
			name: "a new name replaces the old one, in place", hostname: "web2.example.com",
			hosts:   "127.0.0.1 localhost\n10.0.0.9 db\n127.0.1.1\tweb1\n",
			want:    "127.0.0.1 localhost\n10.0.0.9 db\n127.0.1.1 web2.example.com web2\n",
			records: []string{"host web2.example.com changed"},
		},
		{
			name: "what says the same stays as it was written", hostname: "web1.example.com",
			hosts: "127.0.1.1\tweb1.example.com\tweb1 # Debian\n127.0.0.1 localhost\n",
			want:  "127.0.1.1\tweb1.example.com\tweb1 # Debian\n127.0.0.1 localhost\n",
		},
		{
			name: "one line of ours, not two", hostname: "web1",
			hosts:   "127.0.0.1 localhost\n127.0.1.1 old\n127.0.1.1 older\n",
			want:    "127.0.0.1 localhost\n127.0.1.1 web1\n",
			records: []string{"host web1 changed", "host older removed"},
		},
		{
			name: "what coreos-cloudinit has left gets its localhost back", hostname: "web1",
			hosts:   "127.0.0.1 web1\n",
			want:    "127.0.0.1 localhost\n127.0.1.1 web1\n127.0.0.1 web1\n",
			records: []string{"host localhost added", "host web1 added"},
		},
		{
			name: "no file", hostname: "web1", hosts: "(none)",
			want:    "127.0.0.1 localhost\n127.0.1.1 web1\n",
			records: []string{"host localhost added", "host web1 added"},
		},
		{
			name: "no line end at the end", hostname: "web1",
			hosts:   "127.0.0.1 localhost",
			want:    "127.0.0.1 localhost\n127.0.1.1 web1\n",
			records: []string{"host web1 added"},
		},
		{
			name: "a comment is no line of ours", hostname: "web1",
			hosts:   "#127.0.1.1 x\n127.0.0.1 localhost\r\n",
			want:    "#127.0.1.1 x\n127.0.0.1 localhost\r\n127.0.1.1 web1\n",
			records: []string{"host web1 added"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(nil)
			if tt.hosts != "(none)" {
				d = newDisk(map[string]string{"etc/hosts": tt.hosts})
			}
			p := d.applied(t, plan.Input{Config: &schema.Config{Hostname: val(tt.hostname), ManageEtcHosts: val("localhost")}})
			if got := d.content("etc/hosts"); got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if got := recordsOf(p, "etc/hosts"); !slices.Equal(got, tt.records) {
				t.Errorf("records %q, want %q", got, tt.records)
			}
		})
	}
}

func recordsOf(p plan.Plan, path string) []string {
	var out []string
	for _, c := range p.Changes {
		if c.Path == path {
			for _, r := range c.Records {
				out = append(out, r.Name+" "+r.Action)
			}
		}
	}
	return out
}

func TestHostsWithoutAConfiguredName(t *testing.T) {
	in := plan.Input{Config: &schema.Config{ManageEtcHosts: val("localhost")}}
	d := newDisk(map[string]string{"etc/hostname": "# set by hand\nbox\n"})
	d.applied(t, in)
	if got := d.content("etc/hosts"); !strings.Contains(got, "127.0.1.1 box\n") {
		t.Errorf("the machine's own name is not in %q", got)
	}
	d = newDisk(nil)
	p, diags := d.compute(t, in)
	if got := findings(diags); !slices.Equal(got, []string{"warning hosts-name"}) || len(p.Changes) != 0 {
		t.Errorf("got %q and %d changes", got, len(p.Changes))
	}
}

func TestASharedFileBehindALink(t *testing.T) {
	d := newDisk(map[string]string{"etc/hosts": "-> static/hosts", "etc/static/hosts": "127.0.0.1 localhost\n10.0.0.9 db\n"})
	d.applied(t, plan.Input{Config: &schema.Config{Hostname: val("web1"), ManageEtcHosts: val("localhost")}})
	if got, want := d.content("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 web1\n10.0.0.9 db\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := d.content("etc/static/hosts"); strings.Contains(got, "web1") {
		t.Errorf("the link was written through: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	meta := schema.Metadata{PublicIPv4: "203.0.113.5", PrivateIPv4: "10.0.0.1"}
	for _, tt := range []struct {
		name, file string
		meta       schema.Metadata
		files      []schema.File
		want       string
		findings   []string
	}{
		{name: "no address, no file", file: "(none)", want: "(none)"},
		{name: "a new file, sorted", file: "(none)", meta: meta, want: "COREOS_PRIVATE_IPV4=10.0.0.1\nCOREOS_PUBLIC_IPV4=203.0.113.5\n"},
		{
			name: "in place, the rest kept, new ones at the end", meta: meta,
			file: "COREOS_PUBLIC_IPV4=1.1.1.1\nPATH=/bin\r\nXCOREOS_PRIVATE_IPV4=x\n# c",
			want: "COREOS_PUBLIC_IPV4=203.0.113.5\nPATH=/bin\r\nXCOREOS_PRIVATE_IPV4=x\n# c\nCOREOS_PRIVATE_IPV4=10.0.0.1\n",
		},
		{
			name: "a line that says the same keeps its end", meta: schema.Metadata{PublicIPv6: "2001:db8::1"},
			file: "COREOS_PUBLIC_IPV6=2001:db8::1\r\n", want: "COREOS_PUBLIC_IPV6=2001:db8::1\r\n",
		},
		{
			name: "an entry for the file wins", file: "(none)", meta: meta,
			files: []schema.File{file("/etc/environment", "A=1\n", 1)}, want: "A=1\n",
		},
		{
			name: "an address with a line in it is none", file: "(none)", meta: schema.Metadata{PrivateIPv6: "fe80::1%a\nLD_PRELOAD=/x"},
			want: "(none)", findings: []string{"warning platform-address"},
		},
		{
			name: "HTML is no address", file: "(none)", meta: schema.Metadata{PublicIPv4: "<html>"},
			want: "(none)", findings: []string{"warning platform-address"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(nil)
			if tt.file != "(none)" {
				d = newDisk(map[string]string{"etc/environment": tt.file})
			}
			p, diags := d.compute(t, plan.Input{Config: &schema.Config{Files: tt.files}, Meta: tt.meta})
			d.apply(p)
			if got := d.content("etc/environment"); got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if got := findings(diags); !slices.Equal(got, tt.findings) {
				t.Errorf("findings %q, want %q", got, tt.findings)
			}
		})
	}
}

func TestOEMRelease(t *testing.T) {
	for _, tt := range []struct {
		name string
		oem  schema.OEM
		want string
	}{
		{name: "without an id there is no file", oem: schema.OEM{Name: val("x")}, want: "(none)"},
		{
			name: "as coreos-cloudinit writes it",
			oem: schema.OEM{
				ID: val("rackspace"), Name: val("Rackspace Cloud Servers"), VersionID: val("168.0.0"),
				HomeURL: val("https://www.rackspace.com/cloud/servers/"), BugReportURL: val("https://github.com/coreos/coreos-overlay"),
			},
			want: "ID=rackspace\nVERSION_ID=168.0.0\nNAME=\"Rackspace Cloud Servers\"\nHOME_URL=\"https://www.rackspace.com/cloud/servers/\"\nBUG_REPORT_URL=\"https://github.com/coreos/coreos-overlay\"\n",
		},
		{
			name: "nothing in a value runs in the shell that reads it",
			oem:  schema.OEM{ID: val("a b;c"), VersionID: val("1"), Name: val("\"$(id)`\\")},
			want: "ID=\"a b;c\"\nVERSION_ID=1\nNAME=\"\\\"\\$(id)\\`\\\\\"\nHOME_URL=\"\"\nBUG_REPORT_URL=\"\"\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(nil)
			d.applied(t, plan.Input{Config: &schema.Config{OEM: tt.oem}})
			if got := d.content("etc/oem-release"); got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestUpdateConf(t *testing.T) {
	update := schema.Update{Group: val("beta"), RebootStrategy: val("reboot")}
	for _, tt := range []struct {
		name   string
		disk   map[string]string
		update schema.Update
		want   string
	}{
		{name: "nothing asked", disk: map[string]string{"usr/share/coreos/update.conf": "GROUP=stable\n"}, want: "(none)"},
		{name: "no file at all", update: update, want: "GROUP=beta\nREBOOT_STRATEGY=reboot\n"},
		{
			name: "on the ground of the image's", update: update,
			disk: map[string]string{"usr/share/coreos/update.conf": "SERVER=https://s\nGROUP=stable\n"},
			want: "SERVER=https://s\nGROUP=beta\nREBOOT_STRATEGY=reboot\n",
		},
		{
			name: "the machine's own before the image's", update: schema.Update{Server: val("https://t")},
			disk: map[string]string{"usr/share/coreos/update.conf": "GROUP=stable\n", "etc/coreos/update.conf": "GROUP=alpha\n"},
			want: "GROUP=alpha\nSERVER=https://t\n",
		},
		{
			name: "names that merely begin alike stay", update: update,
			disk: map[string]string{"etc/coreos/update.conf": "GROUPX=1\nSERVER_OTHER=2\nGROUP=stable\nREBOOT_STRATEGY=off\n"},
			want: "GROUPX=1\nSERVER_OTHER=2\nGROUP=beta\nREBOOT_STRATEGY=reboot\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			p, _ := d.compute(t, plan.Input{Config: &schema.Config{Update: tt.update}})
			d.apply(p)
			if got := d.content("etc/coreos/update.conf"); got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestALineEndNeverMakesASecondLine(t *testing.T) {
	for name, cfg := range map[string]*schema.Config{
		"update.conf": {Update: schema.Update{Group: val("a\nSERVER=http://evil")}},
		"oem-release": {OEM: schema.OEM{ID: val("a"), Name: val("b\rc")}},
	} {
		t.Run(name, func(t *testing.T) {
			p, diags := newDisk(nil).compute(t, plan.Input{Config: cfg})
			if got := findings(diags); !slices.Equal(got, []string{"error one-line"}) || len(p.Changes) > 0 {
				t.Errorf("got %q and %d changes", got, len(p.Changes))
			}
		})
	}
}

func TestSharedFilesKeepTheirAttributes(t *testing.T) {
	d := newDisk(map[string]string{})
	d.put("etc/environment", node{kind: fsroot.Regular, data: "A=1\n", attr: fsroot.Attr{Mode: 0o600, UID: 5}})
	d.applied(t, plan.Input{Meta: schema.Metadata{PublicIPv4: "203.0.113.5"}})
	if got, want := d["etc/environment"].attr, (fsroot.Attr{Mode: 0o600, UID: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestScripts(t *testing.T) {
	s := schema.Script{Name: "user-data", Content: []byte("#!/bin/sh\nip=$private_ipv4 id=$instance_id\n"), At: at(1)}
	p := newDisk(nil).applied(t, plan.Input{Config: &schema.Config{Scripts: []schema.Script{s}}, Meta: schema.Metadata{PrivateIPv4: "10.0.0.1", InstanceID: "i-1"}})
	if len(p.Scripts) != 1 || string(p.Scripts[0].Content) != "#!/bin/sh\nip=10.0.0.1 id=$instance_id\n" || p.Scripts[0].Name != "user-data" {
		t.Errorf("got %+v", p.Scripts)
	}
}
