package plan

import (
	"net/netip"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// Claim is an address of IPv4 that an interface, by its index, is to have.
type Claim struct {
	Interface int
	Addr      netip.Addr
}

// taken finds addresses that somebody else on the link has already. Who has one must be asked, so those that are new to
// the machine are asked for, on links that have a carrier: nobody answers on others.
func (p *networkPlan) taken() {
	var own map[netip.Addr]bool
	for i := range p.plan.Network.Links {
		n := &p.plan.Network.Links[i]
		on := p.byName(n.Interface)
		if on == nil || !on.Up || !on.Carrier || on.Loopback {
			continue
		}
		if own == nil {
			own = p.ownAddresses()
		}
		for _, a := range n.AddAddresses {
			if !a.Addr().Is4() || own[a.Addr()] {
				continue
			}
			claim := Claim{on.Index, a.Addr()}
			mac, asked := p.Facts.Holders[claim]
			switch {
			case !asked:
				p.plan.Unasked = append(p.plan.Unasked, claim)
			case mac != "":
				p.report(rules.NetworkTaken, addressIn(p.Input.Network.Link(n.ID), a), "%s is taken: %s answers for it on %s", a.Addr(), mac, on.Name)
			}
		}
	}
}

// ownAddresses are those that the machine has, on whatever interface.
func (p *networkPlan) ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	for i := range p.Facts.Interfaces {
		for _, a := range p.Facts.Interfaces[i].Addresses {
			own[a.Prefix.Addr()] = true
		}
	}
	return own
}

// addressIn is the place of an address of a link.
func addressIn(l *network.Link, addr netip.Prefix) source.Range {
	for i := range l.Addresses {
		if l.Addresses[i].Prefix == addr {
			return l.Addresses[i].At
		}
	}
	return l.At
}
