package schema

import (
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// networkKinds are the forms of a description of the network that people write or keep in files, by their name for users.
var networkKinds = []struct{ name, kind, file string }{
	{"network-config", "cloud-init", "network-config"},
	{"network-data", "openstack", "network_data.json"},
	{"interfaces", "debian", ""},
}

// NetworkKinds are the names of the forms that NetworkKind knows.
func NetworkKinds() []string {
	var out []string
	for _, k := range networkKinds {
		out = append(out, k.name)
	}
	return out
}

// NetworkKind is the kind, for DecodeNetwork, that a name of NetworkKinds stands for; "" for any other.
func NetworkKind(name string) string {
	for _, k := range networkKinds {
		if k.name == name {
			return k.kind
		}
	}
	return ""
}

// NetworkKindOf tells by the name of a file, without folders, that a description of the network is in it: "network-config" and
// "network_data.json", also with .yaml or .yml behind. It is "" of any other.
func NetworkKindOf(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".yml")
	for _, k := range networkKinds {
		if k.file != "" && k.file == name {
			return k.kind
		}
	}
	return ""
}

// DecodeNetwork reads a platform's description of the network, whose form is kind: as datasources.Document has it. What is found
// is in source order, and never nil. If the list has errors the network must not be applied.
func DecodeNetwork(f *source.File, kind string) (*network.Network, diag.List) {
	c := findings.New()
	c.Sources[f.Name] = f
	var n *network.Network
	switch kind {
	default:
		c.ReportAt(rules.NetworkUnsupported, "", f.Range(0, 0), "a description of the network in the form of %s is not known", kind)
	}
	if n != nil {
		network.Check(c, n)
	}
	return n, c.Sorted()
}
