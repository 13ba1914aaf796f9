package platform

import (
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/yamltree"
)

// DigitalOcean reads the interfaces and the dns of a Droplet's metadata, as JSON.
//
// All addresses are fixed ones: also the anchor, to which reserved addresses are translated. Default routes are those of public cards
// alone, and of the first that has one.
//
// Format: DigitalOcean, "Metadata API" (2026), https://docs.digitalocean.com/reference/api/metadata-api/.
func DigitalOcean(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := begin(c, root)
	routed := map[string]bool{} // families
	for _, kind := range []string{"public", "private"} {
		for i, n := range items(root.Get("interfaces").Get(kind)) {
			id := kind
			if i > 0 {
				id += strconv.Itoa(i)
			}
			l := r.card(id, n, "mac")
			if l == nil {
				continue
			}
			for _, family := range []string{"ipv4", "ipv6", "anchor_ipv4", "anchor_ipv6"} {
				a := n.Get(family)
				mask := text(a, "netmask")
				if mask == nil {
					mask = text(a, "cidr")
				}
				r.address(l, text(a, "ip_address"), mask)
				if gateway := text(a, "gateway"); kind == "public" && len(family) == len("ipv4") && gateway != nil && !routed[family] {
					r.defaultRoute(l, gateway)
					routed[family] = true
				}
			}
		}
	}
	for _, n := range items(root.Get("dns").Get("nameservers")) {
		r.server(n)
	}
	return r.network
}
