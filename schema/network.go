package schema

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

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
