package confirm

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/settings"
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

	// Stem is what the names of its files have in common: "05-provisioner-eth0".
	Stem string `json:"stem,omitempty"`

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

// Of is what is to be done and checked of the links that change, on a machine that has these interfaces. n is the network that they
// are of.
func Of(n *network.Network, change plan.NetworkChange, now []plan.Interface) []Link {
	var out []Link
	for i := range change.Links {
		c := &change.Links[i]
		l := Link{
			Name: c.Name, Was: c.Interface, Rename: c.Rename, MTU: c.MTU, Drop: c.DropAddresses,
			Unchecked: c.Gone || c.Optional || c.Activation != "",
			NoCarrier: n != nil && mayBeDark(n, c.ID),
			Addresses: c.Addresses, DHCP4: c.DHCP4, DHCP6: c.DHCP6,
		}
		if c.Kind == network.Ethernet || c.Gone && c.NetDev == "" {
			l.MAC = c.MAC
		}
		if on := named(now, c.Interface); on != nil {
			l.MTUWas = on.MTU
		}
		if len(c.Files) > 0 {
			l.Stem = stem(c.Files[0])
		}
		for _, r := range c.Routes {
			if r.To.Bits() == 0 && r.Via.IsValid() && !slices.Contains(l.Gateways, r.Via) {
				l.Gateways = append(l.Gateways, r.Via)
			}
		}
		out = append(out, l)
	}
	return out
}

func stem(file string) string { return strings.TrimSuffix(path.Base(file), path.Ext(file)) }

// usualMTU is that of Ethernet.
const usualMTU = 1500

// resetMTU gives links the usual MTU whose files named another one and name none any more: networkd leaves it as it was set.
func resetMTU(links []Link, before, wanted []File) {
	names := func(files []File, stemOf string) bool {
		return slices.ContainsFunc(files, func(f File) bool {
			return stem(f.Path) == stemOf && strings.Contains(string(f.Data), "\nMTUBytes=")
		})
	}
	for i := range links {
		l := &links[i]
		if l.MTU == 0 && l.MTUWas != 0 && l.Stem != "" && names(before, l.Stem) && !names(wanted, l.Stem) {
			l.MTU = usualMTU
		}
	}
}

// mayBeDark says that a link may well be without a carrier: it is in another one, which does not need them all, or nothing
// is in it.
func mayBeDark(n *network.Network, id string) bool {
	for i := range n.Links {
		l := &n.Links[i]
		if slices.ContainsFunc(l.Members, func(m network.Member) bool { return m.ID == id }) {
			return true
		}
		if l.ID == id && (l.IgnoreCarrier == network.On || l.Kind == network.Bridge && len(l.Members) == 0) {
			return true
		}
	}
	return false
}

func named(all []plan.Interface, name string) *plan.Interface {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// find is the interface that the link is: by its card, else by the name that it gets, else by the one that it had. What is made
// of a card has its address as well, so a name counts more.
func (l *Link) find(all []plan.Interface) *plan.Interface {
	var card *plan.Interface
	for i := range all {
		on := &all[i]
		switch {
		case l.MAC == "" || on.OwnMAC() != l.MAC:
		case on.Name == l.Name || on.Name == l.Was:
			return on
		case card == nil && on.Kind == "":
			card = on
		}
	}
	if card == nil {
		card = named(all, l.Name)
	}
	if card == nil {
		card = named(all, l.Was)
	}
	return card
}

func (l *Link) drops(p netip.Prefix) bool { return slices.Contains(l.Drop, p) }

// undone is what puts links back: their names, their MTU, and what they are in.
func undone(links []Link) []Link {
	var out []Link
	for _, l := range links {
		if l.Was == "" {
			continue
		}
		back := Link{Name: l.Was, Was: l.Name, MAC: l.MAC, Rename: l.Rename, Stem: l.Stem, Unchecked: true}
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
	return min(bound+lacp+delay, settings.LongestNetworkTimeout)
}
