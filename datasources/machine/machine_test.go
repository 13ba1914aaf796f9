package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/machine"
)

// root makes a system of files by their paths.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const type11 = "\x0b\x05\x0b\x00\x03plain\x00io.systemd.credential:provisioner.datasource=ec2\x00third=3\x00\x00"

func TestRead(t *testing.T) {
	files := map[string]string{
		"sys/class/dmi/id/sys_vendor":           "Amazon EC2\n",
		"sys/class/dmi/id/product_uuid":         "EC2D0000-1111-2222-3333-444455556666\n",
		"sys/firmware/dmi/entries/11-0/raw":     type11,
		"proc/cmdline":                          "quiet ds=nocloud;s=http://10.0.0.1/ cloud-config-url=\"http://a/b c\" -- ds=init's\n",
		"proc/sys/kernel/hostname":              "web1\n",
		"run/credentials/@system/given":         "by the system",
		"sys/class/net/eth0/address":            "52:54:00:AA:BB:CC\n",
		"sys/class/net/eth0/carrier":            "1\n",
		"sys/class/net/eth0/device/vendor":      "0x1af4\n",
		"sys/class/net/lo/address":              "00:00:00:00:00:00\n",
		"sys/class/net/bonding_masters":         "bond0\n", // no link, but a file among them
		"sys/class/dmi/id/product_serial/is-no": "file",
	}
	m, err := machine.Read(root(t, files))
	if err != nil {
		t.Fatal(err)
	}
	want := &machine.Machine{
		DMI:     machine.DMI{SystemVendor: "Amazon EC2", ProductUUID: "ec2d0000-1111-2222-3333-444455556666"},
		Strings: []string{"plain", "io.systemd.credential:provisioner.datasource=ec2", "third=3"},
		Cmdline: machine.Cmdline{
			{Key: "quiet"}, {Key: "ds", Value: "nocloud;s=http://10.0.0.1/", IsSet: true}, {Key: "cloud_config_url", Value: "http://a/b c", IsSet: true},
		},
		Credentials: map[string]string{"provisioner.datasource": "ec2", "given": "by the system"},
		Links:       []machine.Link{{Name: "eth0", MAC: "52:54:00:aa:bb:cc", Physical: true, Up: true}, {Name: "lo"}},
		Arch:        m.Arch, Hostname: "web1",
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}

	files["run/systemd/container"] = "systemd-nspawn\n"
	m, err = machine.Read(root(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if m.Container != "systemd-nspawn" || !m.DMI.IsZero() || m.Strings != nil || m.Cmdline != nil {
		t.Errorf("in a container it has what is the host's: %+v", m)
	}
	if diff := cmp.Diff(map[string]string{"given": "by the system"}, m.Credentials); diff != "" {
		t.Error(diff)
	}
}

// A value that is no text comes in base64; what is no base64 is nothing.
func TestBinaryCredentials(t *testing.T) {
	raw := "\x0b\x05\x0b\x00\x02io.systemd.credential.binary:key=AAH/\x00io.systemd.credential.binary:bad=?\x00\x00"
	m, err := machine.Read(root(t, map[string]string{"sys/firmware/dmi/entries/11-0/raw": raw}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"key": "\x00\x01\xff"}, m.Credentials); diff != "" {
		t.Error(diff)
	}
}

func TestContainer(t *testing.T) {
	for _, tt := range []struct{ name, path, text, want string }{
		{"nothing", "etc/hostname", "", ""},
		{"systemd's file", "run/systemd/container", "lxc\n", "lxc"},
		{"the environment of PID 1", "proc/1/environ", "A=b\x00container=podman\x00", "podman"},
		{"docker's marker", ".dockerenv", "", "docker"},
		{"podman's marker", "run/.containerenv", "", "podman"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := machine.Read(root(t, map[string]string{tt.path: tt.text}))
			if err != nil || m.Container != tt.want {
				t.Errorf("%q, error %v; want %q", m.Container, err, tt.want)
			}
		})
	}
}

func TestReal(t *testing.T) {
	for text, want := range map[string]string{
		"To be filled by O.E.M.": "", "To Be Filled By O.E.M": "", "0": "", "None": "", " Default string ": "", "00000000-0000-0000-0000-000000000000": "",
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF": "", "03000200-0400-0500-0006-000700080009": "", "System Serial Number": "", "N/A": "",
		"CZ3401HB2K": "CZ3401HB2K", "f00d": "f00d", "4c4c4544-0042": "4c4c4544-0042",
	} {
		if got := machine.Real(text); got != want {
			t.Errorf("Real(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestCmdline(t *testing.T) {
	c := machine.ParseCmdline(`a=1 cloud-config-url=http://x/?a=b cloud_config_url=http://y a= flag flag=2 "q=w x"`)
	if v, _ := c.Get("cloud-config-url"); v != "http://y" {
		t.Errorf("the last one does not win: %q", v)
	}
	if diff := cmp.Diff([]string{"http://x/?a=b", "http://y"}, c.All("cloud_config_url")); diff != "" {
		t.Error(diff)
	}
	if v, ok := c.Get("a"); v != "" || !ok {
		t.Errorf("%q %v", v, ok)
	}
	if v, _ := c.Get("q"); v != "w x" {
		t.Errorf("quoted: %q", v)
	}
	if _, ok := c.Get("none"); ok {
		t.Error("there is none")
	}
}

func FuzzCmdline(f *testing.F) {
	f.Add(`BOOT_IMAGE=/vmlinuz ds=nocloud;s="http://a/ b" -- x`)
	f.Fuzz(func(t *testing.T, text string) {
		total := 0
		for _, o := range machine.ParseCmdline(text) {
			total += len(o.Key) + len(o.Value)
		}
		if total > len(text) {
			t.Errorf("more comes out than went in: %d of %d", total, len(text))
		}
	})
}
