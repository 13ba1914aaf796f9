package network

import "cloudconfig/schema/rules"

// minIPv6 is the smallest MTU of IPv6 in bytes (RFC 8200, 5).
const minIPv6 = 1280

// mtus finds sizes that something on the link cannot live with.
func (k *checker) mtus() {
	for i := range k.n.Links {
		l := &k.n.Links[i]
		switch {
		case l.MTU6 > 0 && l.MTU6 < minIPv6:
			k.ReportAt(rules.NetworkMTU, "", l.MTUAt, "the MTU of IPv6 is %d at least, not %d", minIPv6, l.MTU6)
		case l.MTU > 0 && l.MTU < minIPv6 && l.speaksIPv6():
			k.ReportAt(rules.NetworkMTU, "", l.MTUAt, "an MTU of %d is too small for IPv6, which %q has: systemd-networkd makes it %d", l.MTU, l.ID, minIPv6)
		case l.MTU > 0 && l.MTU6 > l.MTU:
			k.ReportAt(rules.NetworkMTU, "", l.MTUAt, "the MTU of IPv6, %d, is above that of the link, %d", l.MTU6, l.MTU)
		}
		if parent := k.links[l.Parent.ID]; l.Kind == VLAN && parent != nil && parent.MTU > 0 && l.MTU > parent.MTU {
			k.other(rules.NetworkMTU, &l.MTUAt, "its MTU", &parent.MTUAt, "an MTU of %d is above that of %q, which %q is on: %d", l.MTU, parent.ID, l.ID, parent.MTU)
		}
		m := k.master[l].of
		if m == nil || l.MTU == 0 || m.MTU == 0 {
			continue
		}
		if m.Kind == Bond && l.MTU != m.MTU {
			k.other(rules.NetworkMTU, &l.MTUAt, "that of the bond", &m.MTUAt, "an MTU of %d on a card of %q, which gives all of its cards its own: %d", l.MTU, m.ID, m.MTU)
		}
		if m.Kind == Bridge && l.MTU < m.MTU {
			k.other(rules.NetworkMTU, &l.MTUAt, "that of the bridge", &m.MTUAt, "an MTU of %d in %q, which sends packets of %d", l.MTU, m.ID, m.MTU)
		}
	}
}

// speaksIPv6 says that a link has IPv6. As systemd-networkd has it, that is so unless even link-local addresses are off.
func (l *Link) speaksIPv6() bool {
	if !l.LinkLocal.Said || l.LinkLocal.V6 || l.DHCP.V6 || l.IPv6.AcceptRA == On {
		return true
	}
	for i := range l.Addresses {
		if l.Addresses[i].Prefix.Addr().Is6() {
			return true
		}
	}
	return false
}
