package v1

import (
	"net/netip"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// nets are networks, each with the link it is on. Asking for an address costs as much as prefixes have lengths, however
// many networks there are.
type nets struct {
	on      map[netip.Prefix]int
	lengths [129]bool
}

func (n *nets) add(p netip.Prefix, link int) {
	if n.on == nil {
		n.on = map[netip.Prefix]int{}
	}
	if _, taken := n.on[p.Masked()]; !taken {
		n.on[p.Masked()] = link
		n.lengths[p.Bits()] = true
	}
}

// find is the link that has an address in its smallest network.
func (n *nets) find(a netip.Addr) (int, bool) {
	for bits := a.BitLen(); bits >= 0 && a.IsValid(); bits-- {
		if !n.lengths[bits] {
			continue
		}
		p, _ := a.Prefix(bits)
		if i, there := n.on[p]; there {
			return i, true
		}
	}
	return 0, false
}

// ways says which link suits a route.
type ways struct {
	nets
	// dynamic is the first link that gets addresses of a family from others, static the first that has one: of IPv4 and of
	// IPv6. -1 if there is none.
	dynamic, static [2]int
}

func waysOf(links []network.Link) *ways {
	w := &ways{dynamic: [2]int{-1, -1}, static: [2]int{-1, -1}}
	first := func(at *int, i int) {
		if *at < 0 {
			*at = i
		}
	}
	for i := range links {
		l := &links[i]
		for _, a := range l.Addresses {
			first(&w.static[family(a.Prefix.Addr())], i)
			w.add(a.Prefix, i)
		}
		if l.DHCP.V4 {
			first(&w.dynamic[0], i)
		}
		if l.DHCP.V6 || l.IPv6.AcceptRA == network.On {
			first(&w.dynamic[1], i)
		}
	}
	return w
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// to is the link that best suits a route: one with the gateway in its network, else one that may come to reach it, else
// one with an address of that family; -1 if there is none.
func (w *ways) to(r *network.Route) int {
	if i, there := w.find(r.Via); there {
		return i
	}
	f := family(r.To.Addr())
	if w.dynamic[f] >= 0 {
		return w.dynamic[f]
	}
	return w.static[f]
}

// onLink says of gateways that are in no network of their link that they are on it, as cloud-init does: hosts with a network
// of their own, 192.0.2.1/32, have such. What comes by DHCP may have any network.
func onLink(l *network.Link) {
	var near nets
	static := [2]bool{}
	for _, a := range l.Addresses {
		near.add(a.Prefix, 0)
		static[family(a.Prefix.Addr())] = true
	}
	for i := range l.Routes {
		route := &l.Routes[i]
		via := route.Via
		if route.ToText != "" || via.IsLinkLocalUnicast() || !static[family(via)] || via.Is4() && l.DHCP.V4 || via.Is6() && l.DHCP.V6 {
			continue
		}
		if _, in := near.find(via); !in {
			route.OnLink = network.On
		}
	}
}

// place gives the routes that are of no link to those that reach their gateways. cloud-init writes them for every link,
// and on most of them they cannot work.
func (r *reader) place() {
	if len(r.routes) == 0 {
		return
	}
	w := waysOf(r.network.Links)
	for _, route := range r.routes {
		i := w.to(&route)
		if i < 0 {
			r.ReportAt(rules.NetworkIgnored, "", route.At, "no link can have the route, since none has an address of its family").Detail = "write it below routes of a subnet"
			continue
		}
		r.network.Links[i].Routes = append(r.network.Links[i].Routes, route)
	}
}
