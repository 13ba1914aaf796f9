package network

import (
	"net/netip"
	"sort"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// addressAt is the place of a link's first address of the family of another.
func addressAt(l *Link, like netip.Addr) source.Range {
	for i := range l.Addresses {
		if family(l.Addresses[i].Prefix.Addr()) == family(like) {
			return l.Addresses[i].At
		}
	}
	return source.Range{}
}

// subnet is the network that an address is in.
type subnet struct {
	net     netip.Prefix
	table   uint32
	link    *Link
	order   int // of the link
	address *Address
}

// subnets finds addresses that are there twice, and networks that two links are in.
func (k *checker) subnets() {
	type key struct {
		addr  netip.Addr
		table uint32
	}
	seen := map[key]*Address{}
	var all []subnet
	for i := range k.n.Links {
		l := &k.n.Links[i]
		table := k.table(l)
		for j := range l.Addresses {
			a := &l.Addresses[j]
			addr := a.Prefix.Addr()
			if !addr.IsValid() || addr.IsLinkLocalUnicast() || addr.IsLoopback() {
				continue // each link may have it
			}
			if first := seen[key{addr, table}]; first != nil {
				k.other(rules.NetworkDuplicate, &a.At, "the first one", &first.At, "the address %s is given twice", addr)
				continue
			}
			seen[key{addr, table}] = a
			if bits := a.Prefix.Bits(); bits > 0 && bits < addr.BitLen() && !a.Peer.IsValid() && !bridges(k.master[l].of) {
				all = append(all, subnet{a.Prefix.Masked(), table, l, i, a})
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		if a.table != b.table {
			return a.table < b.table
		}
		if c := a.net.Addr().Compare(b.net.Addr()); c != 0 {
			return c < 0
		}
		if a.net.Bits() != b.net.Bits() {
			return a.net.Bits() < b.net.Bits()
		}
		return a.order < b.order
	})
	var around []*subnet // the networks that the one at hand may be in, the smallest last
	for i := range all {
		s := &all[i]
		for len(around) > 0 && !around[len(around)-1].holds(s) {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			k.overlap(around[len(around)-1], s)
		}
		around = append(around, s)
	}
}

func (s *subnet) holds(t *subnet) bool { return s.table == t.table && s.net.Contains(t.net.Addr()) }

// overlap reports two links in one network. Where one of them has rules of its own, somebody thought of it.
func (k *checker) overlap(a, b *subnet) {
	if a.link == b.link || len(a.link.Rules) > 0 || len(b.link.Rules) > 0 {
		return
	}
	if a.order > b.order {
		a, b = b, a
	}
	k.other(rules.NetworkOverlap, &b.address.At, "the other address", &a.address.At,
		"%s of %q is in a network of %q too, %s", b.address.Prefix, b.link.ID, a.link.ID, a.net)
}
