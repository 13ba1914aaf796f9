package platform

import (
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/yamltree"
)

// GCE reads the networkInterfaces of an instance's metadata, as JSON.
//
// Every card asks by DHCP, for IPv6 where it has an address of that, and the first one is preferred. Forwarded addresses and alias ranges
// change while the machine runs: they are the guest agent's.
//
// Format: Google Cloud, "Predefined metadata keys", instance/network-interfaces (2026).
func GCE(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := begin(c, root)
	for i, n := range items(root) {
		l := r.card("nic"+strconv.Itoa(i), n, "mac")
		if l == nil {
			continue
		}
		v6 := len(items(n.Get("ipv6s"))) > 0
		dhcp(l, text(n, "ip") != nil || !v6, v6)
		if len(items(root)) > 1 {
			rank(l, i)
		}
		if i > 0 {
			l.DHCP.Overrides4.UseDomains = ""
		}
	}
	return r.network
}
