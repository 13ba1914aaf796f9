package platform

import (
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/yamltree"
)

// Hetzner reads the list of a server's private networks, as YAML. Their cards ask by DHCP, which gives the address and the routes of the
// network; no default route comes by it. The public card is in another document.
//
// Format: Hetzner Cloud API, "Server Metadata", private-networks (2026); Hetzner Docs, "Networks", FAQ on DHCP and on the MTU (2026).
func Hetzner(c *findings.Collector, root *yamltree.Node) *network.Network {
	if root != nil && root.Kind == yamltree.Null {
		return nil
	}
	r := begin(c, root, yamltree.Sequence, "the list of Hetzner's private networks")
	if r == nil {
		return nil
	}
	for i, n := range root.Items {
		if l := r.card("private"+strconv.Itoa(i), n, "mac_address"); l != nil {
			dhcp(l, true, false)
			l.DHCP.Overrides4.UseDomains = ""
		}
	}
	return r.network
}
