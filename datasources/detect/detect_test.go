package detect_test

import (
	"errors"
	"strings"
	"testing"

	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/machine"
)

// sources is the order of the catalog, with all that is to come.
func sources() []string {
	return strings.Fields("file replay url cmdline nocloud configdrive vmware ec2 gce openstack azure digitalocean hetzner brightbox")
}

func detected(t *testing.T, e detect.Evidence) detect.Result {
	t.Helper()
	if e.Machine == nil {
		e.Machine = &machine.Machine{}
	}
	e.Sources = sources()
	r, err := detect.Detect(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func specs(all []detect.Candidate) string {
	var out []string
	for _, c := range all {
		out = append(out, c.Spec)
	}
	return strings.Join(out, " ")
}

// why is the reason given for a datasource, taken or not; it fails the test if there is none or more than one.
func why(t *testing.T, r detect.Result, spec string) string {
	t.Helper()
	var found []string
	for _, c := range append(append([]detect.Candidate(nil), r.Candidates...), r.Rejected...) {
		if c.Spec == spec {
			found = append(found, c.Reason)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d reasons for %s: %q", len(found), spec, found)
	}
	return found[0]
}

// Real machines, by what they say of themselves.
func TestPlatforms(t *testing.T) {
	for _, tt := range []struct {
		name           string
		dmi            machine.DMI
		platform, want string // "" for none
	}{
		{"EC2, Nitro", machine.DMI{SystemVendor: "Amazon EC2", ProductName: "m5.large", BIOSVendor: "Amazon EC2", BIOSVersion: "1.0", ProductUUID: "ec2b1f4e-0000-0000-0000-000000000000"}, "Amazon EC2", "ec2"},
		{"EC2, Xen", machine.DMI{SystemVendor: "Xen", ProductName: "HVM domU", BIOSVendor: "Xen", BIOSVersion: "4.11.amazon"}, "Amazon EC2", "ec2"},
		{"a stranger whose UUID begins with ec2", machine.DMI{SystemVendor: "HP", ProductName: "ProLiant DL360 Gen9", ProductUUID: "ec2d1111-2222-3333-4444-555566667777", ProductSerial: "ec2d1111-2222-3333-4444-555566667777"}, "", ""},
		{"another Xen", machine.DMI{SystemVendor: "Xen", ProductName: "HVM domU", BIOSVersion: "4.14.5"}, "Xen", ""},
		{"Brightbox", machine.DMI{SystemVendor: "Red Hat", ProductName: "KVM", ProductSerial: "srv-lv426.gb1.brightbox.com"}, "Brightbox", "brightbox"},
		{"ZStack", machine.DMI{SystemVendor: "OpenStack Foundation", ChassisAssetTag: "www.zstack.io"}, "ZStack", ""},
		{"E24Cloud", machine.DMI{SystemVendor: "e24cloud"}, "E24Cloud", ""},
		{"Outscale", machine.DMI{SystemVendor: "3DS Outscale", ProductName: "3DS Outscale VM"}, "Outscale", ""},
		{"Tilaa", machine.DMI{SystemVendor: "Tilaa"}, "Tilaa", ""},
		{"Exoscale", machine.DMI{SystemVendor: "Exoscale", ProductName: "Exoscale Compute Platform"}, "Exoscale", ""},
		{"CloudStack", machine.DMI{SystemVendor: "Apache Software Foundation", ProductName: "CloudStack KVM Hypervisor"}, "Apache CloudStack", ""},
		{"Alibaba", machine.DMI{SystemVendor: "Alibaba Cloud", ProductName: "Alibaba Cloud ECS"}, "Alibaba Cloud", ""},
		{"GCE", machine.DMI{SystemVendor: "Google", ProductName: "Google Compute Engine", ProductSerial: "GoogleCloud-1234"}, "Google Compute Engine", "gce"},
		{"GCE by its serial number", machine.DMI{ProductSerial: "GoogleCloud-1234"}, "Google Compute Engine", "gce"},
		{"a laptop of Google's", machine.DMI{SystemVendor: "Google", ProductName: "Eve"}, "", ""},
		{"Azure", machine.DMI{SystemVendor: "Microsoft Corporation", ProductName: "Virtual Machine", ChassisAssetTag: "7783-7084-3265-9085-8269-3286-77"}, "Microsoft Azure", "azure"},
		{"Hyper-V at home", machine.DMI{SystemVendor: "Microsoft Corporation", ProductName: "Virtual Machine"}, "Hyper-V", ""},
		{"DigitalOcean", machine.DMI{SystemVendor: "DigitalOcean", ProductName: "Droplet"}, "DigitalOcean", "digitalocean"},
		{"Hetzner", machine.DMI{SystemVendor: "Hetzner", ProductName: "vServer"}, "Hetzner Cloud", "hetzner"},
		{"VMware", machine.DMI{SystemVendor: "VMware, Inc.", ProductName: "VMware Virtual Platform"}, "VMware", "vmware"},
		{"OpenStack", machine.DMI{SystemVendor: "OpenStack Foundation", ProductName: "OpenStack Nova"}, "OpenStack", "openstack"},
		{"OpenStack of RDO", machine.DMI{SystemVendor: "RDO Project", ProductName: "OpenStack Compute"}, "OpenStack", "openstack"},
		{"OpenStack by its asset tag", machine.DMI{SystemVendor: "QEMU", ChassisAssetTag: "OpenStack Nova"}, "OpenStack", "openstack"},
		{"SAP", machine.DMI{SystemVendor: "VMware, Inc.", ChassisAssetTag: "SAP CCloud VM"}, "SAP Converged Cloud", "openstack"},
		{"Open Telekom Cloud", machine.DMI{SystemVendor: "Xen", ChassisAssetTag: "OpenTelekomCloud"}, "Open Telekom Cloud", "openstack"},
		{"a laptop's QEMU", machine.DMI{SystemVendor: "QEMU", ProductName: "Standard PC (Q35 + ICH9, 2009)"}, "QEMU", ""},
		{"Oracle, whose service is another's", machine.DMI{SystemVendor: "QEMU", ChassisAssetTag: "OracleCloud.com"}, "Oracle Cloud", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := detected(t, detect.Evidence{Machine: &machine.Machine{DMI: tt.dmi}})
			if r.Platform != tt.platform || specs(r.Candidates) != tt.want || r.Named {
				t.Errorf("platform %q because of %s, candidates %q; want %q and %q", r.Platform, r.Because, specs(r.Candidates), tt.platform, tt.want)
			}
			if len(r.Candidates)+len(r.Rejected) != len(sources()) {
				t.Errorf("some have no reason: %d and %d", len(r.Candidates), len(r.Rejected))
			}
			if tt.want != "" && !strings.Contains(why(t, r, tt.want), tt.platform) {
				t.Errorf("reason %q", why(t, r, tt.want))
			}
		})
	}
}

var (
	amazon = machine.DMI{SystemVendor: "Amazon EC2", ProductName: "t3.nano"}
	nova   = machine.DMI{SystemVendor: "OpenStack Foundation", ProductName: "OpenStack Nova"}
	server = machine.DMI{SystemVendor: "HPE", ProductName: "ProLiant"}
)

func on(dmi machine.DMI, cmdline string) *machine.Machine {
	return &machine.Machine{DMI: dmi, Cmdline: machine.ParseCmdline(cmdline)}
}

func disks(all ...detect.Disk) func() ([]detect.Disk, error) {
	return func() ([]detect.Disk, error) { return all, nil }
}

func TestDetect(t *testing.T) {
	serial := server
	serial.ProductSerial = "CZ1234 ds=nocloud-net;s=http://10.0.0.1/seed/;h=web1"
	withString := on(amazon, "")
	withString.Strings = []string{"other=1", "provisioner.datasource=configdrive"}
	withCredential := on(amazon, "")
	withCredential.Credentials = map[string]string{"provisioner.datasource": "nocloud\nec2\n"}
	container := &machine.Machine{Container: "docker"}
	namedContainer := &machine.Machine{Container: "docker", Credentials: map[string]string{"provisioner.datasource": "url=https://example.com/a"}}
	everything := on(amazon, "provisioner.datasource=gce cloud-config-url=http://a/ ds=azure")
	everything.Credentials = withCredential.Credentials

	for _, tt := range []struct {
		name     string
		machine  *machine.Machine
		settings []string
		disks    []detect.Disk
		policy   bool
		seed     string
		want     string
		named    bool
		about    string // whose reason is looked at
		reason   string // part of it
	}{
		{name: "nothing known", machine: on(server, ""), want: "", about: "ec2", reason: `DMI tells no platform that is known: system vendor "HPE", product name "ProLiant"`},
		{name: "no DMI", machine: on(machine.DMI{}, ""), disks: []detect.Disk{{Name: "sda1", Label: "cidata"}}, about: "nocloud", reason: "there is no DMI"},
		{name: "no DMI, but a command line of its own", machine: on(machine.DMI{}, "ds=nocloud"), want: "nocloud", named: true},
		{name: "a container", machine: container, disks: []detect.Disk{{Name: "sda1", Label: "cidata"}}, about: "nocloud", reason: `this is a container ("docker")`},
		{name: "a container by the settings", machine: container, settings: []string{"ec2"}, want: "ec2", named: true},
		{name: "a container by a credential", machine: namedContainer, want: "url=https://example.com/a", named: true},
		{name: "the platform", machine: on(amazon, "quiet"), want: "ec2", about: "gce", reason: `this is Amazon EC2: system vendor "Amazon EC2"`},
		{name: "a look-alike is named, and not asked", machine: on(machine.DMI{SystemVendor: "e24cloud"}, ""), about: "ec2", reason: "this is E24Cloud"},
		{name: "a disk comes before the network", machine: on(nova, ""), disks: []detect.Disk{{Name: "sr0", Label: "config-2"}}, want: "configdrive openstack", about: "configdrive", reason: `disk "sr0" is labelled config-2`},
		{name: "both disks", machine: on(server, ""), disks: []detect.Disk{{Name: "sr0", Label: "CONFIG-2"}, {Name: "vdb", Label: "CIDATA"}}, want: "nocloud configdrive"},
		{name: "labels are exact", machine: on(server, ""), disks: []detect.Disk{{Name: "sda", Label: "Cidata"}, {Name: "sdb", Label: "config-20"}}},
		{name: "a stick", machine: on(server, ""), disks: []detect.Disk{{Name: "sda1", Label: "cidata", Removable: true}}, about: "nocloud", reason: "removable: such a disk must be named"},
		{name: "a stick that the settings allow", machine: on(server, ""), disks: []detect.Disk{{Name: "sda1", Label: "cidata", Removable: true}}, policy: true, want: "nocloud"},
		{name: "a stick beside a disk", machine: on(server, ""), disks: []detect.Disk{{Name: "sda1", Label: "cidata", Removable: true}, {Name: "sdb", Label: "cidata"}}, want: "nocloud", about: "nocloud", reason: `"sdb"`},

		{name: "a seed", machine: on(server, ""), seed: "/seed", want: "nocloud=/seed", about: "nocloud=/seed", reason: `there is a seed in "/seed"`},
		{name: "a seed in a container", machine: container, seed: "/seed", want: "nocloud=/seed"},
		{name: "a seed beside a disk and a platform", machine: on(amazon, ""), seed: "/seed", disks: []detect.Disk{{Name: "sda1", Label: "cidata"}}, want: "nocloud=/seed ec2"},
		{name: "a seed that the command line does not mean", machine: on(server, "ds=nocloud"), seed: "/seed", want: "nocloud", named: true},

		{name: "the settings decide alone", machine: everything, settings: []string{"file=/etc/a", "ec2"}, disks: []detect.Disk{{Name: "sda", Label: "cidata"}}, want: "file=/etc/a ec2", named: true,
			about: "gce", reason: "provisioner.datasource= on the kernel command line names it, which counts less than the settings"},
		{name: "then the command line", machine: everything, want: "gce", named: true, about: "cmdline", reason: "which counts less than the kernel command line"},
		{name: "several there, in their order", machine: on(amazon, "provisioner.datasource=gce provisioner.datasource=ec2=http://10.0.0.1"), want: "gce ec2=http://10.0.0.1", named: true},
		{name: "a URL", machine: on(amazon, "cloud-config-url=http://a/"), want: "cmdline", named: true, about: "ec2", reason: "not named, and others are"},
		{name: "a URL, underscores", machine: on(server, "cloud_config_url=http://a/"), want: "cmdline", named: true},
		{name: "a URL that is switched off", machine: on(amazon, "cloud-config-url=/dev/null"), want: "ec2", about: "cmdline", reason: `is "/dev/null"`},
		{name: "as installers boot", machine: on(server, "autoinstall cloud-config-url=/dev/null ds=nocloud-net;s=http://10.0.0.1/"), want: "nocloud=http://10.0.0.1/", named: true},
		{name: "a URL and ds=", machine: on(server, "ds=nocloud cloud-config-url=http://a/"), want: "cmdline nocloud", named: true},
		{name: "an SMBIOS string", machine: withString, want: "configdrive", named: true},
		{name: "a credential", machine: withCredential, want: "nocloud ec2", named: true},
		{name: "a serial number", machine: on(serial, ""), want: "nocloud=http://10.0.0.1/seed/;h=web1", named: true, about: "nocloud=http://10.0.0.1/seed/;h=web1", reason: "ds= in the serial number"},
		{name: "ds= of others", machine: on(amazon, "ds=maas"), named: true, about: `"maas"`, reason: "is not one of ours"},
		{name: "ds=none", machine: on(amazon, "ds=None"), named: true, about: "none", reason: "there is no datasource"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := detected(t, detect.Evidence{Machine: tt.machine, Settings: tt.settings, Disks: disks(tt.disks...), Removable: tt.policy, Seed: tt.seed})
			if specs(r.Candidates) != tt.want || r.Named != tt.named {
				t.Errorf("candidates %q, named %v; want %q, %v", specs(r.Candidates), r.Named, tt.want, tt.named)
			}
			if tt.about != "" && !strings.Contains(why(t, r, tt.about), tt.reason) {
				t.Errorf("%s: reason %q, want one with %q", tt.about, why(t, r, tt.about), tt.reason)
			}
			for _, c := range append(r.Candidates, r.Rejected...) {
				if c.Reason == "" || c.Spec == "" {
					t.Errorf("%q has no reason", c.Spec)
				}
			}
		})
	}
}

// What cloud-init takes behind ds=, and in which words.
func TestDS(t *testing.T) {
	for value, want := range map[string]string{
		"nocloud":                                   "nocloud",
		"NoCloud-Net":                               "nocloud",
		"nocloud;s=/var/seed/":                      "nocloud=/var/seed/",
		"nocloud;s=file:///var/seed/":               "nocloud=/var/seed/",
		"nocloud;i=abc;s=http://x/;h=web":           "nocloud=http://x/;h=web;i=abc",
		"nocloud;seedfrom=http://x/;instance-id=i1": "nocloud=http://x/;i=i1",
		"nocloud;h=web":                             "nocloud=;h=web",
		"nocloud;other=1;;":                         "nocloud",
		"ec2":                                       "ec2", "Ec2": "ec2", "gce": "gce", "OpenStack": "openstack", "ConfigDrive": "configdrive",
		"Azure": "azure", "VMware": "vmware", "Hetzner": "hetzner", "digitalocean": "digitalocean",
		"lxd": "", "": "",
	} {
		if got := specs(detected(t, detect.Evidence{Machine: on(server, "ds="+value)}).Candidates); got != want {
			t.Errorf("ds=%s is %q, want %q", value, got, want)
		}
	}
	if got := specs(detected(t, detect.Evidence{Machine: on(server, "ci.ds=ec2")}).Candidates); got != "ec2" {
		t.Errorf("ci.ds=ec2 is %q", got)
	}
}

// Disks are looked at only where they decide: in a container they are the host's, and where a source is named it takes
// time for nothing.
func TestDisksAreLeftAlone(t *testing.T) {
	e := detect.Evidence{Disks: func() ([]detect.Disk, error) { return nil, errors.New("looked at the disks") }}
	for _, m := range []*machine.Machine{{Container: "docker"}, {}, on(amazon, "ds=ec2")} {
		e.Machine = m
		detected(t, e)
	}
	e.Machine = on(amazon, "")
	if _, err := detect.Detect(e); err == nil || err.Error() != "look for labelled disks: looked at the disks" {
		t.Errorf("error %v", err)
	}
}

// Hostile texts do not reach a terminal, and are bounded.
func TestReasonsCanBePrinted(t *testing.T) {
	hostile := machine.DMI{SystemVendor: "\x1b[31m\u202e" + strings.Repeat("A", 4096), ProductName: "x\ny"}
	for _, c := range detected(t, detect.Evidence{Machine: on(hostile, "ds=\x1b")}).Rejected {
		if strings.ContainsAny(c.Reason+c.Spec, "\x1b\n\u202e") || len(c.Reason) > 400 {
			t.Errorf("%q: %q", c.Spec, c.Reason)
		}
	}
}

// The order that this test goes by is the catalog's, as far as that is.
func TestOrder(t *testing.T) {
	last := -1
	for _, name := range catalog.Names() {
		at := -1
		for i, s := range sources() {
			if s == name {
				at = i
			}
		}
		if at <= last {
			t.Errorf("%s is at another place", name)
		}
		last = at
	}
}
