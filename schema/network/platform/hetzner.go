package platform

import (
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/yamltree"
)

// Hetzner reads the list of a server's private networks, which may be nil. Their cards ask by DHCP, which gives the address and the routes of
// the network; no default route comes by it.
//
// Format: Hetzner Cloud API, "Server Metadata", private-networks (2026); Hetzner Docs, "Networks", FAQ on DHCP and on the MTU (2026).
func Hetzner(c *findings.Collector, list *yamltree.Node) *network.Network {
	r := &reader{c: c, network: &network.Network{}}
	if list != nil {
		r.network.At = findings.FirstLine(list.Range)
	}
	for i, n := range items(list) {
		if l := r.card("private"+strconv.Itoa(i), n, "mac_address"); l != nil {
			dhcp(l, true, false)
			l.DHCP.Overrides4.UseDomains = ""
		}
	}
	return r.network
}
