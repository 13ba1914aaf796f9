package openstack

import (
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
	"cloudconfig/schema/rules"
)

// ip reads what is below networks: one way to addresses of one link.
func (r *reader) ip(e *entry.Entry) {
	ref := e.Ref("link")
	if ref.ID == "" {
		e.Needs("link")
		return
	}
	i, there := r.links[ref.ID]
	if !there {
		r.ReportAt(rules.NetworkUndefined, e.Path("link"), ref.At, "no link has the id %s", network.Quoted(ref.ID))
		return
	}
	l := &r.network.Links[i]
	metric := e.Metric("metric")
	switch kind := e.Text("type"); kind {
	case "ipv4_dhcp", "dhcp4", "dhcp":
		l.DHCP.V4, l.DHCP.At, l.DHCP.Overrides4.Metric = true, e.At(), metric
	case "ipv6_dhcp", "dhcp6":
		l.DHCP.V6, l.DHCP.At, l.DHCP.Overrides6.Metric = true, e.At(), metric
		r.announced[i] = true
	case "ipv6_slaac", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless":
		// Which of them it is, the router says as well: systemd-networkd goes by that.
		l.DHCP.V6Stateless = l.DHCP.V6Stateless || kind == "ipv6_dhcpv6-stateless"
		r.announced[i] = true
	case "ipv4", "static", "ipv6", "static6":
		e.Needed("ip_address")
		if a := e.Address("ip_address", "netmask"); a != nil {
			l.Addresses = append(l.Addresses, *a)
			r.fixed[i] = r.fixed[i] || a.Prefix.Addr().Is6()
		}
	case "":
		e.Needs("type")
	default:
		e.Ignored("type", "a network of type %s is not known, and nothing is made of it", network.Quoted(kind))
		return
	}
	if gateway := e.Gateway("gateway"); gateway != nil {
		gateway.Metric = metric
		l.AddRoute(gateway)
	}
	for _, way := range e.Entries("routes") {
		l.AddRoute(way.Route("network", "netmask", "gateway", "metric"))
	}
	e.DNS(&l.DNS, "dns_nameservers", "dns_search")
	r.services(e, &l.DNS)
}

// routers says which links listen to routers: those that are to, and none that has its IPv6 addresses from here alone.
func (r *reader) routers() {
	for i := range r.fixed {
		if r.fixed[i] {
			r.network.Links[i].IPv6.AcceptRA = network.Off
		}
	}
	for i := range r.announced {
		r.network.Links[i].IPv6.AcceptRA = network.On
	}
}

// services reads the name servers among the services of the document, or of a network.
func (r *reader) services(e *entry.Entry, dns *network.DNS) {
	for _, s := range e.Entries("services") {
		if kind := s.Text("type"); kind != "" && kind != "dns" {
			s.Ignored("type", "a service of type %s is not known, and nothing is made of it", network.Quoted(kind))
			continue
		}
		s.DNS(dns, "address", "search")
	}
}
