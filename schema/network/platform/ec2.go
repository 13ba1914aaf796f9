package platform

import (
	"math"
	"net/netip"
	"sort"
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// policies is the number from which on tables and rules of cards are counted, as Amazon's own do.
const policies = 10_000

// EC2 reads what the service has below meta-data/network, as JSON: cards by their hardware address, below interfaces and macs.
//
// Every card asks by DHCP, for IPv6 where it has an address of that. The first one, device 0, is preferred; what
// leaves from an address of another goes by that one's own gateway. Addresses after the first of a family are fixed ones.
//
// Format: Amazon EC2 User Guide, "Instance metadata categories" (2026); VPC User Guide, "Subnet CIDR blocks" for the address of the
// router. The tables and rules are those of amazon-ec2-net-utils 2.5 (lib/lib.sh).
func EC2(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := begin(c, root)
	cards := nics(root.Get("interfaces").Get("macs"))
	routed6 := false // a card has the main table's routes of IPv6
	for i, n := range cards {
		l := r.cardOf("nic"+strconv.Itoa(i), n.mac, n.mac.Value)
		if l == nil {
			continue
		}
		v4, v6 := text(n.values, "local-ipv4s"), text(n.values, "ipv6s")
		dhcp(l, v4 != nil || v6 == nil, v6 != nil)
		own4 := r.addresses(l, v4, netip.Addr.Is4)
		own6 := r.addresses(l, v6, netip.Addr.Is6)
		if len(cards) > 1 {
			rank(l, i)
		}
		table := uint32(policies + i)
		if i > 0 && n.device != unknown {
			r.ownTable(l, own4, text(n.values, "subnet-ipv4-cidr-block"), table)
			if routed6 && v6 != nil {
				l.IPv6.RATable = table
				rules6(l, own6, table)
			}
		}
		routed6 = routed6 || v6 != nil
	}
	return r.network
}

// unknown is the device number of a card that has none.
const unknown = math.MaxInt

type nic struct {
	mac, values *yamltree.Node
	device      int
}

// nics are the cards in the order of their device numbers, and then of their addresses.
func nics(macs *yamltree.Node) []nic {
	if macs == nil {
		return nil
	}
	all := make([]nic, 0, len(macs.Pairs))
	for _, p := range macs.Pairs {
		n := nic{p.Key, p.Value, unknown}
		if d := text(p.Value, "device-number"); d != nil {
			if number, err := strconv.ParseUint(d.Value, 10, 16); err == nil {
				n.device = int(number)
			}
		}
		all = append(all, n)
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].device != all[j].device {
			return all[i].device < all[j].device
		}
		return all[i].mac.Value < all[j].mac.Value
	})
	return all
}

// addresses reads those of a family, and adds all but the first, which comes by DHCP.
func (r *reader) addresses(l *network.Link, n *yamltree.Node, family func(netip.Addr) bool) []netip.Addr {
	var all []netip.Addr
	for i, word := range words(n) {
		a, err := network.ParseAddr(word)
		switch {
		case err != nil:
			network.Refuse(r.c, rules.NetworkAddress, "", n, err)
			return all
		case !family(a):
			r.c.Report(rules.NetworkAddress, "", n, "%s is an address of the other family", network.Quoted(word))
			return all
		case i > 0:
			l.Addresses = append(l.Addresses, network.Address{Prefix: netip.PrefixFrom(a, a.BitLen()), At: n.Range})
		}
		all = append(all, a)
	}
	return all
}

// ownTable routes what leaves from the addresses of a card by its own gateway, the first host of its subnet. That needs no address of the
// card to be there yet.
func (r *reader) ownTable(l *network.Link, own []netip.Addr, subnet *yamltree.Node, table uint32) {
	if subnet == nil || len(own) == 0 {
		return
	}
	p, err := network.ParseNetwork(subnet.Value)
	if err != nil {
		network.Refuse(r.c, rules.NetworkAddress, "", subnet, err)
		return
	}
	router := p.Addr().Next()
	if !router.Is4() || !p.Contains(router) {
		r.c.Report(rules.NetworkAddress, "", subnet, "%s is no subnet of IPv4 with a router in it", network.Quoted(subnet.Value))
		return
	}
	l.Routes = append(l.Routes,
		network.Route{To: p, ToText: subnet.Value, Scope: "link", Table: table, At: subnet.Range},
		network.Route{To: network.Everywhere(router), Via: router, OnLink: network.On, Table: table, At: subnet.Range, ViaAt: subnet.Range})
	for _, a := range own {
		l.Rules = append(l.Rules, rule(l, a, table))
	}
}

func rules6(l *network.Link, own []netip.Addr, table uint32) {
	for _, a := range own {
		l.Rules = append(l.Rules, rule(l, a, table))
	}
}

func rule(l *network.Link, from netip.Addr, table uint32) network.Rule {
	priority := table
	return network.Rule{From: netip.PrefixFrom(from, from.BitLen()), Table: table, Priority: &priority, At: l.At}
}
