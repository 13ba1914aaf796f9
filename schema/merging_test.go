package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// parts decodes documents named a, b, c and so on, without their first line.
func parts(docs ...string) (*schema.Config, diag.List) {
	var in schema.Input
	for i, text := range docs {
		in.Files = append(in.Files, &source.File{Name: string(rune('a' + i)), Bytes: []byte("#cloud-config\n" + text)})
	}
	return schema.Decode(in)
}

// told writes findings a line each, with their first related place.
func told(found diag.List) string {
	var b strings.Builder
	for _, d := range found {
		fmt.Fprintf(&b, "%s %s %s", d.Subject, d.Rule.ID, d.Path)
		for _, r := range d.Related {
			fmt.Fprintf(&b, " (%s)", r.At)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestParts(t *testing.T) {
	const hash = `"$6$rounds=4096$saltsalt$JjZ.1GkGuHzOqbZ6zKXrYgJTKdwUwlNs0ndQBVLJ8rOKsJc4bFgS0ZWVnqOlWjZ4v7FsxBkCGnXJQhO/9wRZy."`
	for _, tt := range []struct {
		name string
		docs []string
		want string // the findings
		hold func(*schema.Config) any
		is   any
	}{
		{"a hostname", []string{"hostname: a1\n", "hostname: b1\n"}, "b:2:11 overridden hostname (a:2:11)\n",
			func(c *schema.Config) any { return c.Hostname.V }, "b1"},
		{"nothing takes no place", []string{"hostname: a1\n", "hostname:\n"}, "b:2:1 empty-value hostname\n",
			func(c *schema.Config) any { return c.Hostname.V + c.Hostname.At.File }, "a1a"},
		{"a wrong one is not merged", []string{"hostname: a1\n", "hostname: b_1\n"}, "b:2:11 hostname hostname\n",
			func(c *schema.Config) any { return c.Hostname.V }, "a1"},
		{"files of two parts", []string{"write_files: [{path: /a, content: x}, {path: /b, encoding: b64, content: eA==}]\n", "write_files: [{path: /b, content: y}, {path: /c}]\n"},
			"b:2:35 overridden write_files[1].content (a:2:74)\n",
			func(c *schema.Config) any {
				return fmt.Sprintf("%d %s %s", len(c.Files), c.Files[1].Content.V, c.Files[1].Path.At)
			}, "3 y a:2:46"},
		{"a file twice in one of them", []string{"write_files: [{path: /a}, {path: //a}]\n", "write_files: [{path: /a}]\n"}, "a:2:34 item-twice  (a:2:22)\n", nil, nil},
		{"a unit twice in one document", []string{"coreos: {units: [{name: a.service, content: ;}, {name: a.service, content: ;;}]}\n"}, "a:2:56 item-twice  (a:2:25)\n", nil, nil},
		{"a drop-in twice", []string{"coreos: {units: [{name: a.service, drop_ins: [{name: a.conf, content: ;}]}, {name: a.service, drop_ins: [{name: a.conf, content: ;;}]}]}\n"},
			"a:2:113 item-twice  (a:2:54)\n", nil, nil},
		{"a unit in pieces", []string{"coreos: {units: [{name: a.service, content: ;}, {name: b.service, command: start}, {name: a.service, command: start}]}\n"}, "",
			func(c *schema.Config) any {
				return fmt.Sprint(len(c.Units), c.Units[0].Content.V, c.Units[0].Command.V, c.Units[0].At)
			}, "2;starta:2:18"},
		{"commands one after the other", []string{"coreos: {units: [{name: a.service, command: stop}, {name: a.service, command: start}]}\n"}, "",
			func(c *schema.Config) any { return len(c.Units) }, 2},
		{"a user", []string{"users: [{name: anna, groups: [a], shell: /bin/sh}]\n", "users: [{name: anna, groups: 'b, c', shell: /bin/bash}, {name: bert}]\n"},
			"b:2:45 overridden users[0].shell (a:2:42)\n",
			func(c *schema.Config) any {
				return fmt.Sprint(len(c.Users), len(c.Users[0].Groups), c.Users[0].Shell.V)
			}, "2 3/bin/bash"},
		{"settings of an agent", []string{"coreos: {etcd2: {name: a, discovery-srv: a}}\n", "coreos: {etcd2: {discovery_srv: b}}\n"}, "b:2:33 overridden coreos.etcd2.discovery_srv (a:2:42)\n",
			func(c *schema.Config) any {
				return fmt.Sprint(len(c.Agents), len(c.Agents[0].Settings), c.Agents[0].Settings[1].Value.V)
			}, "1 2b"},
		{"groups keep their own spelling", []string{"groups: {a-b: [x]}\n", "groups: {a_b: [y]}\n"}, "",
			func(c *schema.Config) any { return len(c.Groups) }, 2},
		{"a password", []string{"users: [{name: anna, passwd: " + hash + "}]\n", "users: [{name: anna, hashed_passwd: " + hash + "}]\n"}, "",
			func(c *schema.Config) any { return c.Users[0].Passwd.At.File }, "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, found := parts(tt.docs...)
			found = slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return d.Severity == diag.Info && d.Rule != rules.Overridden })
			if got := told(found); got != tt.want {
				t.Errorf("findings\n%swant\n%s", got, tt.want)
			}
			if tt.hold != nil {
				if got := tt.hold(c); got != tt.is {
					t.Errorf("got %v, want %v", got, tt.is)
				}
			}
		})
	}
}

// The user-data turns vendor data off, scripts and findings too; vendor data cannot do so itself.
func TestVendorDataIsTurnedOff(t *testing.T) {
	part := func(name, text string) *source.File { return &source.File{Name: name, Bytes: []byte(text)} }
	for _, tt := range []struct {
		name, user, vendor string
		hostname           string
		scripts            int
	}{
		{"nothing said", "#cloud-config\n", "#cloud-config\nhostname: vendor\n", "vendor", 2},
		{"off", "#cloud-config\nvendor_data: {enabled: false}\n", "#cloud-config\nhostname: vendor\nwrong: 1\n", "", 1},
		{"on", "#cloud-config\nvendor-data: {enabled: true}\n", "#cloud-config\nhostname: vendor\n", "vendor", 2},
		{"off by itself", "#cloud-config\n", "#cloud-config\nhostname: vendor\nvendor_data: {enabled: false}\n", "vendor", 2},
	} {
		c, found := schema.Decode(schema.Input{
			Vendor: []*source.File{part("vendor-data", tt.vendor), part("vendor-script", "#!/bin/vendor\n")},
			Files:  []*source.File{part("user-data", tt.user), part("script", "#!/bin/user\n")},
		})
		if c.Hostname.V != tt.hostname || len(c.Scripts) != tt.scripts || c.Scripts[len(c.Scripts)-1].Name != "script" || len(found) > 0 {
			t.Errorf("%s: hostname %q, %d scripts, found %v", tt.name, c.Hostname.V, len(c.Scripts), told(found))
		}
	}
}

// Vendor data comes first, whatever is in the user-data.
func TestVendorData(t *testing.T) {
	file := func(name, text string) *source.File {
		return &source.File{Name: name, Bytes: []byte("#cloud-config\n" + text)}
	}
	c, found := schema.Decode(schema.Input{
		Files:  []*source.File{file("user-data", "hostname: user\n")},
		Vendor: []*source.File{file("vendor-data", "hostname: vendor\nssh_authorized_keys: []\n")},
	})
	if c.Hostname.V != "user" || told(found) != "user-data:2:11 overridden hostname (vendor-data:2:11)\n" {
		t.Errorf("%q: %s", c.Hostname.V, told(found))
	}
}

// TestNetworkOfVendorData: it is below the user's, link by link, and gives way where the two are not of one form.
func TestNetworkOfVendorData(t *testing.T) {
	const (
		two = "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n"
		one = "network:\n  version: 1\n  config: [{type: physical, name: eth1, subnets: [{type: dhcp}]}]\n"
		off = "network: {config: disabled}\n"
	)
	file := func(name, text string) *source.File {
		return &source.File{Name: name, Bytes: []byte("#cloud-config\n" + text)}
	}
	for _, tt := range []struct{ vendor, user, want string }{
		{two, "network:\n  ethernets:\n    eth1: {}\n", "eth0 eth1"},
		{two, one, "eth1"}, {one, two, "eth0"}, {off, two, "eth0"}, {off, one, "eth1"},
		{one, off, ""}, {two, off, ""}, {one, "hostname: web\n", "eth1"},
	} {
		cfg, found := schema.Decode(schema.Input{Files: []*source.File{file("user-data", tt.user)}, Vendor: []*source.File{file("vendor-data", tt.vendor)}})
		var links []string
		if cfg.Network != nil {
			for _, l := range cfg.Network.Links {
				links = append(links, l.ID)
			}
		}
		if got := strings.Join(links, " "); got != tt.want || found.HasErrors() {
			t.Errorf("vendor's\n%suser's\n%sthe links are %q, want %q; %s", tt.vendor, tt.user, got, tt.want, told(found))
		}
	}
}

// That a secret is given twice is told without it.
func TestOverriddenSecret(t *testing.T) {
	_, found := parts("write_files: [{path: /a, permissions: '0600', content: hush}]\ncoreos: {fleet: {etcd_password: hush}}\n",
		"write_files: [{path: /a, content: hush2}]\ncoreos: {fleet: {etcd_password: hush2}}\n")
	if len(found) != 2 || !found[0].Secret || !found[1].Secret || strings.Contains(told(found), "hush") {
		t.Errorf("%+v", found)
	}
}

// A part before another changes nothing of what is found in that.
func TestPartsOfGoldens(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, alone := decode("a", text)
		before := []byte("#cloud-config\nx-before: true\n")
		in := inputOf("a", text)
		in.Files = append([]*source.File{{Name: "before", Bytes: before}}, in.Files...)
		_, both := schema.Decode(in)
		isInfo := func(d diag.Diagnostic) bool { return d.Severity == diag.Info }
		rest, wanted := slices.DeleteFunc(both, isInfo), slices.DeleteFunc(alone, isInfo)
		if told(rest) != told(wanted) {
			t.Errorf("%s: got\n%swant\n%s", path, told(rest), told(wanted))
		}
	}
}

// FuzzMerge: two parts do not panic, every finding is inside its own, and the same parts give the same.
func FuzzMerge(f *testing.F) {
	everything, err := os.ReadFile("testdata/ok/everything.yaml")
	if err != nil {
		f.Fatal(err)
	}
	paths, _ := filepath.Glob("../examples/*.yaml")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, everything)
	}
	f.Add([]byte("#cloud-config\nusers: 'a, b'\ngroups: a\n"), []byte("#cloud-config\nusers: [{name: a}, a, {name: a}]\ngroups: {a: b}\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		files := []*source.File{{Name: "a", Bytes: a}, {Name: "b", Bytes: b}}
		_, found := schema.Decode(schema.Input{Files: files})
		for _, d := range found {
			r, size := d.Subject, len(a)
			if r.File == "b" {
				size = len(b)
			}
			if r.IsZero() || r.Start.Offset > r.End.Offset || r.End.Offset > size {
				t.Errorf("%s: range %+v of a text of %d bytes", d.Rule.ID, r, size)
			}
		}
		if _, again := schema.Decode(schema.Input{Files: files}); told(again) != told(found) {
			t.Errorf("first\n%sthen\n%s", told(found), told(again))
		}
	})
}
