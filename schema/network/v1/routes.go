package v1

import (
	"net/netip"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// ways says which link reaches an address, by the networks that are on links. Asking costs as much as prefixes have
// lengths, however many links there are.
type ways struct {
	on      map[netip.Prefix]int
	lengths [129]bool
	// dynamic is the first link that gets addresses of a family from others, static the first that has one: of IPv4 and of
	// IPv6. -1 if there is none.
	dynamic, static [2]int
}

func waysOf(links []network.Link) *ways {
	w := &ways{on: map[netip.Prefix]int{}, dynamic: [2]int{-1, -1}, static: [2]int{-1, -1}}
	first := func(at *int, i int) {
		if *at < 0 {
			*at = i
		}
	}
	for i := range links {
		l := &links[i]
		for _, a := range l.Addresses {
			first(&w.static[family(a.Prefix.Addr())], i)
			if _, taken := w.on[a.Prefix.Masked()]; !taken {
				w.on[a.Prefix.Masked()] = i
				w.lengths[a.Prefix.Bits()] = true
			}
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
	for bits := r.Via.BitLen(); bits >= 0 && r.Via.IsValid(); bits-- {
		if !w.lengths[bits] {
			continue
		}
		if p, err := r.Via.Prefix(bits); err == nil {
			if i, ok := w.on[p]; ok {
				return i
			}
		}
	}
	f := family(r.To.Addr())
	if w.dynamic[f] >= 0 {
		return w.dynamic[f]
	}
	return w.static[f]
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
