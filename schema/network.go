package schema

import (
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/interfaces"
	"cloudconfig/schema/network/netplan"
	"cloudconfig/schema/network/openstack"
	"cloudconfig/schema/network/platform"
	"cloudconfig/schema/network/rackspace"
	"cloudconfig/schema/network/v1"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
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
// is in source order, and never nil. If the list has errors the network must not be applied. Without an error the
// network is nil where the description says that there is nothing to configure.
func DecodeNetwork(f *source.File, kind string) (*network.Network, diag.List) {
	c := findings.New()
	c.Sources[f.Name] = f.Whole()
	var n *network.Network
	switch kind {
	case "cloud-init":
		n = networkConfig(c, f)
	case "debian":
		n = interfaces.Read(c, f)
	case "openstack":
		n = readJSON(c, f, yamltree.Mapping, openstack.Read)
	case "rackspace":
		n = readJSON(c, f, yamltree.Mapping, rackspace.Read)
	case "ec2":
		n = readJSON(c, f, yamltree.Mapping, platform.EC2)
	case "gce":
		n = readJSON(c, f, yamltree.Sequence, platform.GCE)
	case "azure":
		n = readJSON(c, f, yamltree.Mapping, platform.Azure)
	case "digitalocean":
		n = readJSON(c, f, yamltree.Mapping, platform.DigitalOcean)
	case "hetzner":
		n = readJSON(c, f, yamltree.Mapping, hetzner)
	case "vmware":
		n = platform.VMware(c, f)
	default:
		c.ReportAt(rules.NetworkUnsupported, "", f.Range(0, 0), "a description of the network in the form of %s is not known", kind)
	}
	if n != nil {
		network.Check(c, n)
	}
	c.More(f)
	return n, c.Sorted()
}

// readJSON reads a description of a platform's, which is a mapping or a list in JSON. YAML has JSON in it, so places come for free.
func readJSON(c *findings.Collector, f *source.File, kind yamltree.Kind, read func(*findings.Collector, *yamltree.Node) *network.Network) *network.Network {
	root, found := yamltree.Parse(f)
	c.Diags.Add(found...)
	switch {
	case root == nil || root.Kind == yamltree.Null:
		return nil
	case root.Kind == kind:
		return read(c, root)
	case kind == yamltree.Sequence:
		c.Report(rules.NetworkSyntax, "", root, "the description of the network is not a list")
	default:
		c.Report(rules.NetworkSyntax, "", root, "the description of the network is not a mapping")
	}
	return nil
}

// networkConfig reads a network-config of cloud-init's, in YAML or JSON: version and what belongs to it stand below
// network, or at the top. An empty one describes nothing, as one that says config: disabled.
//
// Format: cloud-init, doc/rtd/reference/network-config.rst and network-config-format-v1.rst, -v2.rst of release 26.2
// (2026-08).
func networkConfig(c *findings.Collector, f *source.File) *network.Network {
	root, found := yamltree.Parse(f)
	c.Diags.Add(found...)
	if root == nil || root.Kind == yamltree.Null {
		return nil
	}
	return checkedNetwork(c, root)
}

// checkedNetwork reads a network-config that is not held against the language yet.
func checkedNetwork(c *findings.Collector, root *yamltree.Node) *network.Network {
	check := language.Checker{Collector: c}
	check.CheckNetwork(root)
	if below := root.Get("network"); below != nil {
		root = below
	}
	return describedNetwork(c, root)
}

// hetzner reads the two descriptions that a server of Hetzner's has: a network-config of its public card, and the list of its private
// networks.
func hetzner(c *findings.Collector, root *yamltree.Node) *network.Network {
	n := platform.Hetzner(c, root.Get("private-networks"))
	if config := root.Get("network-config"); config != nil {
		if public := checkedNetwork(c, config); public != nil {
			public.Links = append(public.Links, n.Links...)
			return public
		}
	}
	return n
}

// describedNetwork reads what is below network and held against the language. It is nil if that is nothing.
func describedNetwork(c *findings.Collector, n *yamltree.Node) *network.Network {
	if n.Kind != yamltree.Mapping || c.Bad[n] {
		return nil
	}
	first := false
	if version := n.Get("version"); version != nil {
		first = version.Value == "1"
	}
	switch config := n.Get("config"); {
	case config != nil && config.Value == "disabled":
		return nil
	case first:
		return v1.Read(c, n)
	case config != nil && !c.Bad[config]:
		c.Report(rules.NetworkConflict, "network.config", config, "config is version 1, and another part is version 2").Subject = findings.FirstLine(config.Range)
	}
	return netplan.Read(c, n)
}
