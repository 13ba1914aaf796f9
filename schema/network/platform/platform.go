// Package platform reads what the metadata services of clouds say of the network of a machine, each in a form of its own.
//
// There is a function for each platform. What is wrong with a value is reported at its place, and the rest is read on; keys that
// are not known mean nothing. Every card is known by its hardware address, and keeps its name.
package platform

import (
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// maxCards is how many cards are read: more than any machine has.
const maxCards = 256

type reader struct {
	c       *findings.Collector
	network *network.Network
	full    bool // there are too many cards, and it is told
}

func begin(c *findings.Collector, root *yamltree.Node) *reader {
	return &reader{c: c, network: &network.Network{At: findings.FirstLine(root.Range)}}
}

// items are those of a list; none of anything else.
func items(n *yamltree.Node) []*yamltree.Node {
	if n == nil || n.Kind != yamltree.Sequence {
		return nil
	}
	return n.Items
}

// text is a scalar below a key; nil if there is none, or an empty one.
func text(n *yamltree.Node, key string) *yamltree.Node {
	if n = n.Get(key); n == nil || n.Kind != yamltree.Scalar || n.Value == "" {
		return nil
	}
	return n
}

// card adds a card by the hardware address below a key, under a name for people; nil if it has none.
func (r *reader) card(id string, n *yamltree.Node, key string) *network.Link {
	mac := text(n, key)
	if mac == nil {
		r.c.ReportAt(rules.NetworkIgnored, "", findings.FirstLine(n.Range), "a card without a hardware address is left as it is")
		return nil
	}
	return r.cardOf(id, mac, mac.Value)
}

func (r *reader) cardOf(id string, at *yamltree.Node, written string) *network.Link {
	mac, err := network.ParseMAC(written)
	if err != nil {
		network.Refuse(r.c, rules.NetworkMAC, "", at, err)
		return nil
	}
	if len(r.network.Links) >= maxCards {
		if !r.full {
			r.c.Report(rules.NetworkSyntax, "", at, "there are more than %d cards", maxCards)
		}
		r.full = true
		return nil
	}
	r.network.Links = append(r.network.Links, network.Link{ID: id, Kind: network.Ethernet, At: at.Range, Match: network.Match{MAC: mac, At: at.Range}})
	return &r.network.Links[len(r.network.Links)-1]
}

// dhcp asks for addresses of both or one of the families. The MTU of a cloud's network is what its server says, and so are the domains.
func dhcp(l *network.Link, v4, v6 bool) {
	l.DHCP.V4, l.DHCP.V6, l.DHCP.At = v4, v6, l.At
	if v4 {
		l.DHCP.Overrides4 = network.Overrides{UseMTU: network.On, UseDomains: "yes"}
	}
}

// rank gives the routes of a card a metric, of which the lowest is taken, by its place in the order of cards. All after the first may be taken off
// the machine, or not be there yet.
func rank(l *network.Link, place int) {
	metric := 100 * uint32(place+1)
	if l.DHCP.V4 {
		l.DHCP.Overrides4.Metric = &metric
	}
	if l.DHCP.V6 {
		l.IPv6.RA.Metric = &metric // those of IPv6 come from routers
	}
	l.Optional = place > 0
}

// addr reads an address of a node, which may be nil.
func (r *reader) addr(n *yamltree.Node) (netip.Addr, bool) {
	if n == nil {
		return netip.Addr{}, false
	}
	a, err := network.ParseAddr(n.Value)
	if err != nil {
		network.Refuse(r.c, rules.NetworkAddress, "", n, err)
	}
	return a, err == nil
}

// address adds one with its mask, in any form.
func (r *reader) address(l *network.Link, n *yamltree.Node, mask *yamltree.Node) {
	a, ok := r.addr(n)
	if !ok {
		return
	}
	p := netip.PrefixFrom(a, a.BitLen())
	if mask != nil {
		var err *network.Fault
		if p, err = network.PrefixOf(a, mask.Value); err != nil {
			network.Refuse(r.c, rules.NetworkAddress, "", mask, err)
			return
		}
	}
	l.Addresses = append(l.Addresses, network.Address{Prefix: p, Text: n.Value + "/" + strconv.Itoa(p.Bits()), At: n.Range})
}

// defaultRoute adds one by a gateway, which may be nil.
func (r *reader) defaultRoute(l *network.Link, n *yamltree.Node) {
	if via, ok := r.addr(n); ok {
		l.AddRoute(&network.Route{To: network.Everywhere(via), Via: via, ViaText: n.Value, At: n.Range, ViaAt: n.Range})
	}
}

// server adds a name server of the whole machine.
func (r *reader) server(n *yamltree.Node) {
	if a, ok := r.addr(n); ok {
		r.network.DNS.Servers = append(r.network.DNS.Servers, network.Server{Addr: a, Text: n.Value, At: n.Range})
	}
}

// words are those of a text with one on a line.
func words(n *yamltree.Node) []string {
	if n == nil {
		return nil
	}
	return strings.Fields(n.Value)
}
