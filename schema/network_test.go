package schema_test

import (
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// told are findings in short: LINE:COLUMN RULE, with commas between.
func toldOf(found diag.List) string {
	var out []string
	for _, d := range found {
		at := strings.TrimPrefix(d.Subject.String(), d.Subject.File+":")
		out = append(out, at+" "+d.Severity.String()+" "+d.Rule.ID)
	}
	return strings.Join(out, ", ")
}

// TestNetworkConfig: a network-config is YAML or JSON, below network or not, and may ask for nothing.
func TestNetworkConfig(t *testing.T) {
	for _, test := range []struct {
		name, text string
		links      string // their IDs; "-" for no network at all
		found      string
	}{
		{"nothing", "", "-", ""},
		{"a comment", "# nothing\n", "-", ""},
		{"an empty mapping", "{}\n", "", ""},
		{"disabled", "network: {config: disabled}\n", "-", ""},
		{"disabled, at the top", "config: disabled\n", "-", ""},
		{"disabled, in version 1", "version: 1\nconfig: disabled\n", "-", ""},
		{"below network", "network:\n  version: 2\n  ethernets: {eth0: {dhcp4: true}}\n", "eth0", ""},
		{"at the top", "version: 2\nethernets: {eth0: {dhcp4: true}}\n", "eth0", ""},
		{"without a version", "ethernets: {eth0: {dhcp4: true}}\n", "eth0", ""},
		{"JSON", "{\n\t\"network\": {\"version\": 2,\n\t\"ethernets\": {\"eth0\": {\"dhcp4\": true, \"mtu\": 1500}}}\n}\n", "eth0", ""},
		{"links before those they are made on", "vlans: {web: {id: 1, link: bond0}}\nbonds: {bond0: {interfaces: [eth0]}}\nethernets: {eth0: {}}\n", "web bond0 eth0", ""},
		{"a list", "- a\n", "-", "1:1 error wrong-type"},
		{"a text", "dhcp\n", "-", "1:1 error wrong-type"},
		{"nothing below network", "network:\n", "-", "1:1 warning empty-value"},
		{"a key beside network", "network: {version: 2}\nhostname: web1\n", "", "2:1 error unknown-key"},
		{"another version", "version: 3\n", "", "1:10 error network-version"},
		{"no YAML", "network: [\n", "-", "1:10 error yaml-unclosed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, found := schema.DecodeNetwork(&source.File{Name: "network-config", Bytes: []byte(test.text)}, "cloud-init")
			if got := toldOf(found); got != test.found {
				t.Errorf("found %q", got)
			}
			links := "-"
			if n != nil {
				var ids []string
				for _, l := range n.Links {
					ids = append(ids, l.ID)
				}
				links = strings.Join(ids, " ")
			}
			if links != test.links {
				t.Errorf("links %q", links)
			}
		})
	}
}

// TestNetworkOfParts: the networks of several parts are one, merged as all else. Keys of the language have two
// spellings, and names of links one.
func TestNetworkOfParts(t *testing.T) {
	part := func(name, text string) *source.File {
		return &source.File{Name: name, Bytes: []byte("#cloud-config\n" + text)}
	}
	cfg, found := schema.Decode(schema.Input{Files: []*source.File{
		part("a", "network:\n  version: 2\n  dummy-devices:\n    dm-0: {addresses: [192.0.2.1/32]}\n  ethernets: {eth0: {mtu: 1500}}\n"),
		part("b", "network:\n  dummy_devices:\n    dm_0: {}\n    dm-0: {addresses: [192.0.2.2/32]}\n  ethernets: {eth0: {mtu: 9000}}\n"),
	}})
	if got := toldOf(found); got != "6:27 info overridden" {
		t.Errorf("found %q", got)
	}
	_, mixed := schema.Decode(schema.Input{Files: []*source.File{
		part("a", "network:\n  version: 1\n  config: [{type: physical, name: eth0}]\n"), part("b", "network:\n  version: 2\n"),
	}})
	if got := toldOf(mixed); got != "4:11 error network-conflict, 3:12 info overridden" {
		t.Errorf("of two versions: %q", got)
	}
	links := cfg.Network.Links
	if len(links) != 3 || links[0].ID != "dm-0" || len(links[0].Addresses) != 2 || links[1].ID != "dm_0" || links[2].MTU != 9000 {
		t.Errorf("links %+v", links)
	}
}
