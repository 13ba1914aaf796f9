package network

import (
	"net/netip"

	"cloudconfig/schema/rules"
)

// nets are networks. Whether an address is in one of them costs as much as they have lengths, not as there are networks.
type nets struct {
	in      map[netip.Prefix]bool
	lengths [2][129]bool
	all     [2]bool // nothing of that family is outside
}

// family is 0 for IPv4 and 1 for IPv6.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// familyName is what people say.
func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func (s *nets) add(p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	if s.in == nil {
		s.in = map[netip.Prefix]bool{}
	}
	s.in[p.Masked()] = true
	s.lengths[family(p.Addr())][p.Bits()] = true
}

func (s *nets) has(a netip.Addr) bool {
	f := family(a)
	for n := 0; n <= a.BitLen() && !s.all[f]; n++ {
		if !s.lengths[f][n] {
			continue
		}
		if p, err := a.Prefix(n); err == nil && s.in[p] {
			return true
		}
	}
	return s.all[f]
}

// connect adds what a link reaches without a gateway. What a DHCP server or a router gives it is not known, so then all
// of the family counts.
func (s *nets) connect(l *Link) {
	for i := range l.Addresses {
		a := &l.Addresses[i]
		if s.add(a.Prefix); a.Peer.IsValid() {
			s.add(netip.PrefixFrom(a.Peer, a.Peer.BitLen()))
		}
	}
	for i := range l.Routes {
		if r := &l.Routes[i]; !r.Via.IsValid() && r.isUnicast() {
			s.add(r.To)
		}
	}
	s.all[0] = s.all[0] || l.DHCP.V4
	s.all[1] = s.all[1] || l.DHCP.V6 || l.IPv6.AcceptRA == On
}

func (r *Route) isUnicast() bool { return r.Type == "" || r.Type == "unicast" }

// gateways finds routes whose gateway is in no network of their link: the kernel refuses them.
func (k *checker) gateways() {
	for i := range k.n.Links {
		l := &k.n.Links[i]
		var near *nets
		var own map[netip.Addr]bool
		for j := range l.Routes {
			r := &l.Routes[j]
			via := r.Via.WithZone("")
			onLink := r.OnLink == On || r.OnLink == Unset && len(l.Addresses) == 0 && l.Kind != VRF // systemd-networkd takes that for granted
			if !via.IsValid() || !r.isUnicast() || family(via) != family(r.To.Addr()) {
				continue
			}
			if near == nil {
				near, own = k.near(l)
			}
			switch {
			case own[via]:
				k.ReportAt(rules.NetworkGateway, "", r.viaAt(), "the gateway %s is the address of %q itself", via, l.ID)
			case onLink || via.Is6() && via.IsLinkLocalUnicast() || near.has(via):
			default:
				d := k.ReportAt(rules.NetworkGateway, "", r.viaAt(), "the gateway %s is in no network of %q", via, l.ID)
				beside(d, "its address", addressAt(l, via))
			}
		}
	}
}

// near is what a link reaches without a gateway, and its own addresses; of a VRF, what the links in it do.
func (k *checker) near(l *Link) (*nets, map[netip.Addr]bool) {
	s, own := &nets{}, map[netip.Addr]bool{}
	global := false // an address of IPv6 that more than the neighbours know
	add := func(l *Link) {
		s.connect(l)
		for i := range l.Addresses {
			a := l.Addresses[i].Prefix.Addr()
			own[a] = true
			global = global || a.Is6() && !a.IsLinkLocalUnicast()
		}
	}
	if add(l); l.Kind == VRF {
		for _, m := range k.members[l] {
			add(m)
		}
	}
	if l.IPv6.AcceptRA == Unset && !global {
		s.all[1] = true // what it has of IPv6 comes from a router
	}
	return s, own
}

// nameServers finds those that no route leads to, on any link.
func (k *checker) nameServers() {
	var s nets
	for i := range k.n.Links {
		l := &k.n.Links[i]
		if s.connect(l); l.IPv6.AcceptRA == Unset && !bridges(k.master[l].of) {
			s.all[1] = true // systemd-networkd takes routes that a router announces
		}
		for j := range l.Routes {
			if r := &l.Routes[j]; r.isUnicast() {
				s.add(r.To)
			}
		}
	}
	k.unreached(&s, &k.n.DNS)
	for i := range k.n.Links {
		k.unreached(&s, &k.n.Links[i].DNS)
	}
}

func (k *checker) unreached(s *nets, dns *DNS) {
	for i := range dns.Servers {
		a := dns.Servers[i].Addr.WithZone("")
		if a.IsValid() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !s.has(a) {
			k.ReportAt(rules.NetworkDNS, "", dns.Servers[i].At, "no route leads to the name server %s", a)
		}
	}
}
