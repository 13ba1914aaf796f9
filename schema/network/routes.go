package network

import (
	"net/netip"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// mainTable is the routing table that is meant where none is said.
const mainTable = 254

// vrf is the VRF that a link is or is in; nil if there is none.
func (k *checker) vrf(l *Link) *Link {
	if l.Kind == VRF {
		return l
	}
	if m := k.master[l].of; m != nil && m.Kind == VRF {
		return m
	}
	return nil
}

// table is the one that a link's addresses are in, and its routes where they say nothing else.
func (k *checker) table(l *Link) uint32 {
	if v := k.vrf(l); v != nil {
		return v.Table
	}
	return mainTable
}

// viaAt is the place of the gateway, or of the route where it has none of its own.
func (r *Route) viaAt() source.Range {
	if r.ViaAt.IsZero() {
		return r.At
	}
	return r.ViaAt
}

// families finds routes and rules that mix IPv4 and IPv6, and those of a VRF that are in another table than its own.
func (k *checker) families() {
	for i := range k.n.Links {
		l := &k.n.Links[i]
		for j := range l.Routes {
			r := &l.Routes[j]
			mixed := func(a netip.Addr) bool { return a.IsValid() && r.To.IsValid() && family(a) != family(r.To.Addr()) }
			switch {
			case mixed(r.Via):
				k.ReportAt(rules.NetworkConflict, "", r.viaAt(), "a route of %s cannot have the gateway %s", familyName(r.To.Addr()), r.Via)
			case mixed(r.From):
				k.ReportAt(rules.NetworkConflict, "", r.At, "a route of %s cannot be from %s", familyName(r.To.Addr()), r.From)
			}
			k.tableOf(l, r.Table, r.At, "route")
		}
		for j := range l.Rules {
			r := &l.Rules[j]
			if r.From.IsValid() && r.To.IsValid() && family(r.From.Addr()) != family(r.To.Addr()) {
				k.ReportAt(rules.NetworkConflict, "", r.At, "a rule cannot be from %s to %s", r.From, r.To)
			}
			k.tableOf(l, r.Table, r.At, "rule")
		}
	}
}

// tableOf checks the table that something of a VRF asks for. All of it is in the VRF's own.
func (k *checker) tableOf(l *Link, table uint32, at source.Range, what string) {
	if l.Kind == VRF && table != 0 && table != l.Table {
		k.other(rules.NetworkConflict, &at, "the VRF", &l.At, "a %s of %q is in its table %d, not %d", what, l.ID, l.Table, table)
	}
}

// defaults finds default routes of which only one can be taken. Routes that come by DHCP are not among them: only its
// server knows whether there are any.
func (k *checker) defaults() {
	type rank struct {
		family        int
		table, metric uint32
	}
	type holder struct {
		link  *Link
		route *Route
	}
	seen := map[rank]holder{}
	for i := range k.n.Links {
		l := &k.n.Links[i]
		for j := range l.Routes {
			r := &l.Routes[j]
			if !r.To.IsValid() || !r.IsDefault() || !r.isUnicast() {
				continue
			}
			key := rank{family: family(r.To.Addr()), table: r.Table}
			if key.table == 0 {
				key.table = k.table(l)
			}
			if r.Metric != nil {
				key.metric = *r.Metric
			}
			if key.family == 1 && key.metric == 0 {
				key.metric = 1024 // as the kernel has it: IP6_RT_PRIO_USER
			}
			first, there := seen[key]
			if !there {
				seen[key] = holder{l, r}
				continue
			}
			if first.link == l && first.route.Via == r.Via {
				continue // the same route again
			}
			k.other(rules.NetworkDefaults, &r.At, "the first one", &first.route.At,
				"a second default route of %s with the metric %d", familyName(r.To.Addr()), key.metric)
		}
	}
}
