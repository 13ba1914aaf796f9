package platform

import (
	"strconv"
	"strings"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/yamltree"
)

// Azure reads the network of the instance metadata, as JSON.
//
// Every card that has an address asks by DHCP, and the first one is preferred; addresses after the first of a family are fixed ones. Names are
// looked up by the first card alone: the servers of others are not reached from there. A card that is made faster has two interfaces with the
// same hardware address, of which the synthetic one (hv_netvsc) is configured.
//
// Format: Microsoft Learn, "Azure Instance Metadata Service", api-version 2021-08-01 (2026); what is done with it is what cloud-init 26.2 does
// (DataSourceAzure.py).
func Azure(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := begin(c, root)
	for i, n := range items(root.Get("interface")) {
		v4, v6 := items(n.Get("ipv4").Get("ipAddress")), items(n.Get("ipv6").Get("ipAddress"))
		mac := text(n, "macAddress")
		if len(v4)+len(v6) == 0 || mac == nil {
			continue
		}
		l := r.cardOf("nic"+strconv.Itoa(i), mac, colons(mac.Value))
		if l == nil {
			continue
		}
		l.Match.Drivers = []string{"hv_netvsc"}
		dhcp(l, true, len(v6) > 0)
		if i > 0 {
			l.DHCP.Overrides4.UseDNS, l.DHCP.Overrides4.UseDomains = network.Off, ""
			if len(v6) > 0 {
				l.DHCP.Overrides6.UseDNS = network.Off
			}
		}
		rank(l, i)
		r.others(l, n.Get("ipv4"), v4)
		r.others(l, n.Get("ipv6"), v6)
	}
	return r.network
}

// others adds the addresses of a family after the first, with the bits of its subnet.
func (r *reader) others(l *network.Link, family *yamltree.Node, addresses []*yamltree.Node) {
	var bits *yamltree.Node
	if subnets := items(family.Get("subnet")); len(subnets) > 0 {
		bits = text(subnets[0], "prefix")
	}
	for i, n := range addresses {
		if i > 0 {
			r.address(l, text(n, "privateIpAddress"), bits)
		}
	}
}

// colons are put into twelve digits: 0011AAFFBB22.
func colons(mac string) string {
	if len(mac) != 12 {
		return mac
	}
	var pairs []string
	for i := 0; i < len(mac); i += 2 {
		pairs = append(pairs, mac[i:i+2])
	}
	return strings.Join(pairs, ":")
}
