package netplan

import (
	"fmt"
	"net/netip"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

var (
	everywhere4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	everywhere6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// routes reads gateway4, gateway6 and routes.
func (r *reader) routes(l *network.Link, m *mapping) {
	for _, gateway := range []struct {
		key string
		to  netip.Prefix
	}{{"gateway4", everywhere4}, {"gateway6", everywhere6}} {
		n := m.node(gateway.key)
		if n == nil {
			continue
		}
		via, fault := network.ParseAddr(n.Value)
		if fault != nil {
			continue
		}
		route := network.Route{To: gateway.to, Via: via, ViaText: n.Value, At: n.Range, ViaAt: n.Range}
		if !reaches(l, via) {
			route.OnLink = network.On // as cloud-init has it, for hosts with a network of their own: 192.0.2.1/32
		}
		l.Routes = append(l.Routes, route)
	}
	for i, item := range m.items("routes") {
		if item.Kind == yamltree.Mapping {
			r.route(l, item, fmt.Sprintf("%s[%d]", m.path("routes"), i))
		}
	}
}

func (r *reader) route(l *network.Link, n *yamltree.Node, at string) {
	m := r.mapping(n, at)
	to := m.node("to")
	if to == nil {
		return
	}
	route := network.Route{
		Metric: m.unsigned("metric"), Table: m.number("table"), MTU: int(m.number("mtu")), AdvertisedMSS: int(m.number("advertised_mss")),
		CongestionWindow: int(m.number("congestion_window")), AdvertisedReceiveWindow: int(m.number("advertised_receive_window")),
		Type: m.text("type"), Scope: m.text("scope"), At: findings.FirstLine(n.Range), ToText: to.Value,
	}
	if m.toggle("on_link") == network.On {
		route.OnLink = network.On
	}
	if via := m.node("via"); via != nil {
		route.Via, _ = network.ParseAddr(via.Value)
		route.ViaText, route.ViaAt = via.Value, via.Range
	}
	if from := m.node("from"); from != nil {
		route.From, _ = network.ParseAddr(from.Value)
	}
	route.To, _ = language.AsNetwork(to.Value)
	if !route.To.IsValid() {
		route.To = everywhere4
		if route.Via.Is6() || !route.Via.IsValid() && route.From.Is6() {
			route.To = everywhere6
		}
	}
	route.Scope = scope(&route)
	if route.Type == "unicast" {
		route.Type = ""
	}
	l.Routes = append(l.Routes, route)
}

// reaches says that an address is in a network of a link, as far as the link says which those are.
func reaches(l *network.Link, via netip.Addr) bool {
	own := 0
	for _, a := range l.Addresses {
		if a.Prefix.Addr().Is4() != via.Is4() {
			continue
		}
		if own++; a.Prefix.Contains(via) {
			return true
		}
	}
	return own == 0 || via.IsLinkLocalUnicast()
}

// scope is how far a route leads, which its type decides where nothing is said; empty for everywhere, and of a route
// without a gateway, which for networkd is one on the link.
func scope(r *network.Route) string {
	switch {
	case r.Scope == "global":
		return ""
	case r.Scope != "":
		return r.Scope
	}
	switch r.Type {
	case "local", "nat":
		return "host"
	case "broadcast", "multicast", "anycast":
		return "link"
	}
	return ""
}

// rules reads routing-policy.
func (r *reader) rules(l *network.Link, m *mapping) {
	for i, item := range m.items("routing_policy") {
		if item.Kind != yamltree.Mapping {
			continue
		}
		p := r.mapping(item, fmt.Sprintf("%s[%d]", m.path("routing_policy"), i))
		if p.found["from"] == nil && p.found["to"] == nil {
			r.ReportAt(rules.MissingKey, p.at, findings.FirstLine(item.Range), "a rule needs \"from\" or \"to\"")
			continue
		}
		rule := network.Rule{Table: p.number("table"), Priority: p.unsigned("priority"), TOS: p.unsigned("type_of_service"), At: findings.FirstLine(item.Range)}
		if mark := p.unsigned("mark"); mark != nil && *mark != 0 {
			rule.Mark = mark
		}
		if n := p.node("from"); n != nil {
			rule.From, _ = language.AsNetwork(n.Value)
			rule.FromText = n.Value
		}
		if n := p.node("to"); n != nil {
			rule.To, _ = language.AsNetwork(n.Value)
			rule.ToText = n.Value
		}
		l.Rules = append(l.Rules, rule)
	}
}
