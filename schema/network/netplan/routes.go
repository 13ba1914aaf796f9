package netplan

import (
	"fmt"
	"net/netip"

	"cloudconfig/schema/diag"
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
func (r *reader) routes(l *network.Link, m mapping) {
	for _, gateway := range []struct {
		key string
		to  netip.Prefix
	}{{"gateway4", everywhere4}, {"gateway6", everywhere6}} {
		n := m.node(gateway.key)
		if n == nil {
			continue
		}
		if via, err := network.ParseAddr(n.Value); err == nil {
			l.Routes = append(l.Routes, network.Route{To: gateway.to, Via: via, At: n.Range, ViaAt: n.Range})
		}
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
		OnLink: m.toggle("on_link"), Type: m.text("type"), Scope: m.text("scope"), At: findings.FirstLine(n.Range),
	}
	family := r.sameFamily(m, "to", "via", "from")
	if via := m.node("via"); via != nil {
		route.Via, _ = network.ParseAddr(via.Value)
		route.ViaAt = via.Range
	}
	if from := m.node("from"); from != nil {
		route.From, _ = network.ParseAddr(from.Value)
	}
	route.To, _ = language.AsNetwork(to.Value)
	if !route.To.IsValid() {
		route.To = everywhere4
		if family == 6 {
			route.To = everywhere6
		}
	}
	route.Scope = scope(&route)
	if route.Type == "unicast" {
		route.Type = ""
	}
	l.Routes = append(l.Routes, route)
}

// scope is how far a route leads, which its type decides where nothing is said; empty for everywhere.
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
	case "", "unicast":
		if !r.Via.IsValid() {
			return "link"
		}
	}
	return ""
}

// sameFamily holds the addresses at some keys against each other: 4 or 6 is the family of the first that has one, 0
// if none has.
func (r *reader) sameFamily(m mapping, keys ...string) int {
	var first *yamltree.Node
	family := 0
	for _, key := range keys {
		n := m.node(key)
		if n == nil {
			continue
		}
		p, err := language.AsNetwork(n.Value)
		if err != nil || !p.IsValid() {
			continue
		}
		own := 6
		if p.Addr().Is4() {
			own = 4
		}
		switch {
		case family == 0:
			first, family = n, own
		case family != own:
			d := r.Report(rules.NetworkConflict, m.path(key), n, "%s is IPv%d, and what it belongs to IPv%d", n.Value, own, family)
			d.Related = []diag.Related{{Message: "the other address", At: first.Range}}
		}
	}
	return family
}

// rules reads routing-policy.
func (r *reader) rules(l *network.Link, m mapping) {
	for i, item := range m.items("routing_policy") {
		if item.Kind != yamltree.Mapping {
			continue
		}
		p := r.mapping(item, fmt.Sprintf("%s[%d]", m.path("routing_policy"), i))
		if p.found["from"] == nil && p.found["to"] == nil {
			r.ReportAt(rules.MissingKey, p.at, findings.FirstLine(item.Range), "a rule needs \"from\" or \"to\"")
			continue
		}
		r.sameFamily(p, "from", "to")
		rule := network.Rule{Table: p.number("table"), Priority: p.unsigned("priority"), TOS: p.unsigned("type_of_service"), At: findings.FirstLine(item.Range)}
		if mark := p.unsigned("mark"); mark != nil && *mark != 0 {
			rule.Mark = mark
		}
		if n := p.node("from"); n != nil {
			rule.From, _ = language.AsNetwork(n.Value)
		}
		if n := p.node("to"); n != nil {
			rule.To, _ = language.AsNetwork(n.Value)
		}
		l.Rules = append(l.Rules, rule)
	}
}
