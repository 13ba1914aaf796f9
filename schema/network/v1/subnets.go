package v1

import (
	"net/netip"

	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
)

// subnetTypes are the ways to addresses.
var subnetTypes = []string{"dhcp", "dhcp4", "dhcp6", "static", "static6", "manual", "ipv6_slaac", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless", "loopback"}

// ip reads what a link has of IP: its subnets, and what stands beside them.
func (r *reader) ip(e *entry.Entry, l *network.Link) {
	l.IPv6.AcceptRA = e.Toggle("accept_ra")
	l.MTU, l.MTUAt = e.MTU("mtu")
	subnets := e.Entries("subnets")
	byHand := 0
	for _, s := range subnets {
		s.Only("a subnet", "type", "control", "address", "ip_address", "netmask", "prefix", "broadcast", "gateway", "pointopoint", "scope", "metric", "mtu",
			"dns_nameservers", "dns_search", "routes", "ipv4", "ipv6", "id")
		r.subnet(s, l)
		if s.Word("control", "auto", "hotplug", "manual") == "manual" {
			byHand++
		}
	}
	onLink(l)
	if byHand > 0 && byHand == len(subnets) {
		l.Activation = "manual"
		l.Optional = true
	}
}

func (r *reader) subnet(s *entry.Entry, l *network.Link) {
	kind := ""
	if s.Needed("type") != nil {
		kind = s.Word("type", subnetTypes...)
	}
	metric := s.Metric("metric")
	switch kind {
	case "dhcp", "dhcp4":
		l.DHCP.V4, l.DHCP.At, l.DHCP.Overrides4.Metric = true, s.Value("type").Range, metric
	case "dhcp6":
		l.DHCP.V6, l.DHCP.At, l.DHCP.Overrides6.Metric = true, s.Value("type").Range, metric
	case "ipv6_slaac", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless":
		// Whether there is an address to ask for, or only the rest, is what the router announces: systemd-networkd goes by
		// that, and cloud-init has it do no other.
		if l.IPv6.AcceptRA == network.Unset {
			l.IPv6.AcceptRA = network.On
		}
		l.DHCP.V6Stateless = l.DHCP.V6Stateless || kind == "ipv6_dhcpv6-stateless"
	case "static", "static6":
		s.Needed(s.Either("address", "ip_address"))
	}
	r.address(s, l)
	if gateway := s.Gateway("gateway"); gateway != nil {
		gateway.Metric = metric
		l.AddRoute(gateway)
	}
	for _, e := range s.Entries("routes") {
		e.Only("a route", routeKeys...)
		l.AddRoute(r.route(e))
	}
	s.DNS(&l.DNS, "dns_nameservers", "dns_search")
	r.mtu(s, l)
}

// address reads the address of a subnet; one of DHCP may have one beside.
func (r *reader) address(s *entry.Entry, l *network.Link) {
	a := s.Address(s.Either("address", "ip_address"), s.Either("netmask", "prefix"))
	if a == nil {
		return
	}
	if b := s.Addr("broadcast"); b.IsValid() && b != lastOf(a.Prefix) {
		if a.Prefix.Addr().Is6() || b.Is6() {
			s.Ignored("broadcast", "IPv6 has no broadcast")
		} else {
			a.Broadcast = b
		}
	}
	if peer := s.Addr("pointopoint"); peer.IsValid() && peer.Is4() == a.Prefix.Addr().Is4() {
		a.Peer = peer
	}
	l.Addresses = append(l.Addresses, *a)
}

// lastOf is the last address of an IPv4 network, which is its broadcast address unless somebody says otherwise.
func lastOf(p netip.Prefix) netip.Addr {
	if !p.Addr().Is4() {
		return netip.Addr{}
	}
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// mtu takes the MTU of a subnet where its link says nothing: systemd-networkd has one for the link and one for IPv6.
func (r *reader) mtu(s *entry.Entry, l *network.Link) {
	mtu, at := s.MTU("mtu")
	switch {
	case mtu == 0 || mtu == l.MTU:
	case l.MTU == 0:
		l.MTU, l.MTUAt = mtu, at
	default:
		s.Ignored("mtu", "the MTU is %d, which stands before it", l.MTU).Detail = "write mtu beside subnets"
	}
}
