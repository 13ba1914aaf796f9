package confirm

import (
	"net/netip"
	"path"
	"slices"
	"time"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/network"
)

// Link is what is done with one link, and what must be so afterwards.
type Link struct {
	// Name is what it is called in the end; "" if that is what it is called already, whatever that is.
	Name string `json:"name,omitempty"`
	// Was is what it is called before; "" if it is not there.
	Was string `json:"was,omitempty"`
	// MAC is that of the card; "" of what is made.
	MAC string `json:"mac,omitempty"`
	// Rename says that the card is to be renamed to Name.
	Rename bool `json:"rename,omitempty"`
	// MTU is to be set; 0 leaves it. MTUWas is what it was.
	MTU    int `json:"mtu,omitempty"`
	MTUWas int `json:"mtu_was,omitempty"`

	// Unchecked says that nothing is claimed of it: it is optional, or not brought up.
	Unchecked bool `json:"unchecked,omitempty"`
	// NoCarrier says that it may be without a carrier: it is in a bond, or made without anything in it.
	NoCarrier bool `json:"no_carrier,omitempty"`
	// Addresses must be there, Drop must not.
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Drop      []netip.Prefix `json:"drop,omitempty"`
	// Gateways are those of its default routes: each must answer.
	Gateways []netip.Addr `json:"gateways,omitempty"`
	DHCP4    bool         `json:"dhcp4,omitempty"`
	DHCP6    bool         `json:"dhcp6,omitempty"`
}

// Of is what is to be done and checked of the links of n that changed, by their IDs, on a machine that has these interfaces.
// A link that several cards match is one for each.
func Of(n *network.Network, changed []string, now []plan.Interface) []Link {
	var out []Link
	if n == nil {
		return nil
	}
	members := map[string]bool{}
	for i := range n.Links {
		for _, m := range n.Links[i].Members {
			members[m.ID] = true
		}
	}
	for i := range n.Links {
		l := &n.Links[i]
		if !slices.Contains(changed, l.ID) {
			continue
		}
		claim := claimOf(l)
		claim.NoCarrier = claim.NoCarrier || members[l.ID]
		if l.Kind != network.Ethernet {
			out = append(out, claim.on(named(now, l.ID)))
			continue
		}
		cards := matching(l, now)
		if len(cards) == 0 {
			claim.MAC = l.Match.MAC
			out = append(out, claim)
		}
		for _, card := range cards {
			each := claim.on(card)
			each.Rename = l.Rename != "" && card.Name != l.Rename
			if each.Name == "" {
				each.Name = card.Name
			}
			out = append(out, each)
		}
	}
	return out
}

// claimOf is what the description itself says.
func claimOf(l *network.Link) Link {
	out := Link{
		Name: l.Name(), MTU: l.MTU,
		Unchecked: l.Optional || l.Unmanaged || l.Activation != "",
		NoCarrier: l.Kind == network.Bridge && len(l.Members) == 0,
		DHCP4:     l.DHCP.V4, DHCP6: l.DHCP.V6,
	}
	for _, a := range l.Addresses {
		out.Addresses = append(out.Addresses, a.Prefix)
	}
	for i := range l.Routes {
		r := &l.Routes[i]
		if r.IsDefault() && r.Via.IsValid() && !slices.Contains(out.Gateways, r.Via) {
			out.Gateways = append(out.Gateways, r.Via)
		}
	}
	return out
}

// on adds what an interface is now.
func (l Link) on(i *plan.Interface) Link {
	if i == nil {
		return l
	}
	l.Was, l.MTUWas = i.Name, i.MTU
	if i.Kind == "" || i.PermanentMAC != "" {
		l.MAC = macOf(i)
	}
	for _, a := range i.Addresses {
		if !a.Dynamic && !a.Prefix.Addr().IsLinkLocalUnicast() && !slices.Contains(l.Addresses, a.Prefix) {
			l.Drop = append(l.Drop, a.Prefix)
		}
	}
	return l
}

func macOf(i *plan.Interface) string {
	if i.PermanentMAC != "" {
		return i.PermanentMAC
	}
	return i.MAC
}

func named(all []plan.Interface, name string) *plan.Interface {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// matching are the cards that a link is.
func matching(l *network.Link, all []plan.Interface) []*plan.Interface {
	var out []*plan.Interface
	for i := range all {
		card := &all[i]
		m := l.Match
		switch {
		case card.Loopback:
		case m.IsZero():
			if card.Name == l.ID {
				out = append(out, card)
			}
		case m.MAC != "" && (m.MAC != macOf(card) || card.Kind == "bond" || card.Kind == "bridge" || card.Kind == "vlan"):
		case len(m.Names) > 0 && !anyGlob(m.Names, append([]string{card.Name}, card.AltNames...)):
		case len(m.Drivers) > 0 && !anyGlob(m.Drivers, []string{card.Driver}):
		default:
			out = append(out, card)
		}
	}
	return out
}

func anyGlob(patterns, names []string) bool {
	for _, p := range patterns {
		for _, name := range names {
			if ok, err := path.Match(p, name); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// find is the interface that the link is: by its card, else by the name that it gets, else by the one that it had.
func (l *Link) find(all []plan.Interface) *plan.Interface {
	for i := range all {
		if l.MAC != "" && macOf(&all[i]) == l.MAC && (all[i].Kind == "" || all[i].Name == l.Was || all[i].Name == l.Name) {
			return &all[i]
		}
	}
	if i := named(all, l.Name); i != nil {
		return i
	}
	return named(all, l.Was)
}

func (l *Link) drops(p netip.Prefix) bool { return slices.Contains(l.Drop, p) }

// undone is what puts links back: their names and their MTU.
func undone(links []Link) []Link {
	var out []Link
	for _, l := range links {
		if l.Was == "" {
			continue
		}
		back := Link{Name: l.Was, Was: l.Name, MAC: l.MAC, Rename: l.Rename, Unchecked: true}
		if l.MTU != 0 {
			back.MTU = l.MTUWas
		}
		out = append(out, back)
	}
	return out
}

// Bounds of the check. A port of a switch passes no packet for 30 s after the link is up where it looks for loops first
// (IEEE 802.1D: listening and learning, 15 s each), and negotiates before that.
const (
	usual     = 60 * time.Second
	forMetal  = 60 * time.Second
	forLACP   = 30 * time.Second
	forwarded = 15 // seconds, a bridge's forward delay if none is said

	// LongestTimeout is the most that may be asked for: with everything that has to be restored after it, it is less than what
	// the unit of the boot is given.
	LongestTimeout = 8 * time.Minute
	// longestStep bounds the check of one restored network.
	longestStep = 90 * time.Second
)

// Bound is how long the check of a network may take where nobody has said.
func Bound(n *network.Network, bareMetal bool) time.Duration {
	bound := usual
	if bareMetal {
		bound += forMetal
	}
	var lacp, delay time.Duration
	if n != nil {
		for i := range n.Links {
			l := &n.Links[i]
			if l.Bond != nil && l.Bond.Mode == "802.3ad" {
				lacp = forLACP
			}
			if b := l.Bridge; b != nil && b.STP == network.On {
				seconds := uint32(forwarded)
				if b.ForwardDelay != nil {
					seconds = min(*b.ForwardDelay, 30)
				}
				delay = max(delay, 2*time.Duration(seconds)*time.Second)
			}
		}
	}
	return min(bound+lacp+delay, LongestTimeout)
}
