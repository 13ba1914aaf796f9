package network

import (
	"cmp"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
)

// Check reports what of a network does not fit together: links that are made on what is not there, and addresses, routes
// and name servers that cannot do what they are for. What is wrong with a value by itself is for who read it.
//
// What netplan, cloud-init and systemd-networkd all take is a warning at most; an error is what cannot be made at all.
// The cost is linear in the description, but for one sort of its addresses.
func Check(c *findings.Collector, n *Network) {
	k := &checker{Collector: c, n: n, links: make(map[string]*Link, len(n.Links)), master: map[*Link]membership{}, members: map[*Link][]*Link{}}
	k.names()
	k.references()
	k.loops()
	k.mtus()
	k.families()
	k.gateways()
	k.defaults()
	k.subnets()
	k.nameServers()
}

// checker is the state of one Check. Each subject has a method of its own.
type checker struct {
	*findings.Collector
	n *Network
	// links are by ID; of an ID that is there twice, the first.
	links map[string]*Link
	// master says which bond, bridge or VRF a link is in, and members is the same the other way.
	master  map[*Link]membership
	members map[*Link][]*Link
	guesses int
}

// membership is the bond, bridge or VRF that a link is in, and where that is said.
type membership struct {
	of *Link
	at source.Range
}

// other reports a finding that belongs to a second place.
func (k *checker) other(rule *diag.Rule, at *source.Range, message string, second *source.Range, format string, args ...any) *diag.Diagnostic {
	d := k.ReportAt(rule, "", *at, format, args...)
	beside(d, message, *second)
	return d
}

// beside adds a second place to a finding, if there is one.
func beside(d *diag.Diagnostic, message string, at source.Range) {
	if !at.IsZero() {
		d.Related = append(d.Related, diag.Related{Message: message, At: at})
	}
}

// names finds links that are described twice: by one ID, with one resulting name, or as one card.
func (k *checker) names() {
	called, cards, any, bare := map[string]*Link{}, map[string]*Link{}, map[string]*Link{}, map[string]*Link{}
	for i := range k.n.Links {
		l := &k.n.Links[i]
		if first := k.links[l.ID]; first != nil {
			k.other(rules.NetworkTwice, &l.At, "the first one", &first.At, "%q is described twice", l.ID)
			continue
		}
		k.links[l.ID] = l
		if k.first(called, l.Name(), l, "two links are called %q in the end") && l.Kind == Ethernet {
			k.first(cards, card(l), l, "the card %q is described twice")
		}
		if m := l.Match; m.MAC != "" {
			// Cards of one machine may share an address and differ in their driver, as those of Azure do.
			same := bare
			if len(m.Names) == 0 && len(m.Drivers) == 0 {
				same = any
			}
			if same[m.MAC] != nil {
				k.other(rules.NetworkTwice, &l.At, "the first one", &same[m.MAC].At, "the card with the hardware address %s is described twice", m.MAC)
			}
			any[m.MAC] = l
			if len(m.Names) == 0 && len(m.Drivers) == 0 {
				bare[m.MAC] = l
			}
		}
	}
}

// card is the name of the card that a link is, as far as that is a name and nothing else.
func card(l *Link) string {
	switch m := l.Match; {
	case m.IsZero():
		return l.ID
	case m.MAC == "" && len(m.Drivers) == 0 && len(m.Names) == 1 && !isPattern(m.Names[0]):
		return m.Names[0]
	}
	return ""
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// first reports a link whose name another had before; the empty name is nobody's. It says that there was none.
func (k *checker) first(seen map[string]*Link, name string, l *Link, format string) bool {
	if name == "" {
		return true
	}
	if before := seen[name]; before != nil {
		k.other(rules.NetworkTwice, &l.At, "the first one", &before.At, format, name)
		return false
	}
	seen[name] = l
	return true
}

// references finds what is made on links that are not there, or that are taken.
func (k *checker) references() {
	type vlan struct {
		parent *Link
		id     int
	}
	vlans := map[vlan]*Link{}
	primaries := map[*Link]*Link{}
	for i := range k.n.Links {
		l := &k.n.Links[i]
		for j := range l.Members {
			if m := k.find(l.Members[j].Ref, l); m != nil {
				k.join(l, m, l.Members[j].At)
			}
		}
		if l.Parent.ID != "" {
			if parent := k.find(l.Parent, l); parent != nil && l.Kind == VLAN {
				key := vlan{parent, l.VLANID}
				if first := vlans[key]; first != nil {
					k.other(rules.NetworkTwice, &l.At, "the first one", &first.At, "%q has the VLAN %d twice", parent.ID, l.VLANID)
				} else {
					vlans[key] = l
				}
			}
		}
		if l.Kind == Veth && l.Peer.ID != "" {
			k.peers(l)
		}
		if l.Bond != nil && l.Bond.Primary.ID != "" {
			k.primary(l, primaries)
		}
	}
}

// find is the link that another refers to; nil, and a finding, if nothing describes it.
func (k *checker) find(r Ref, by *Link) *Link {
	l := k.links[r.ID]
	if l == nil {
		k.ReportAt(rules.NetworkUndefined, "", r.At, "%q is made on %q, which nothing describes", by.ID, r.ID).Detail = k.guess(r.ID)
	}
	return l
}

// maxGuesses bounds how often a near name is looked for, a thousand links at a time, since each costs as much as there
// are links.
const maxGuesses = 32

// guess is the ID that was most likely meant, in words.
func (k *checker) guess(id string) string {
	if k.guesses += 1 + len(k.n.Links)/1000; k.guesses > maxGuesses {
		return ""
	}
	var ids []string
	for i := range k.n.Links {
		if other := k.n.Links[i].ID; digits(other) == digits(id) { // eth1 is no slip of the pen for eth0
			ids = append(ids, other)
		}
	}
	if n := spelling.Nearest(id, ids); n != "" {
		return "did you mean " + strconv.Quote(n) + "?"
	}
	return ""
}

// digits are those of a name.
func digits(name string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, name)
}

// join puts a link into a bond, bridge or VRF. It can be in one only.
func (k *checker) join(l, member *Link, at source.Range) {
	before, taken := k.master[member]
	switch {
	case taken && before.of == l:
		k.other(rules.NetworkTwice, &at, "the first time", &before.at, "%q is in %q twice", member.ID, l.ID).Severity = diag.Warning
		return
	case taken:
		k.other(rules.NetworkTwice, &at, "it is here", &before.at, "%q is in %q already", member.ID, before.of.ID)
		return
	case l.Kind == member.Kind && l != member:
		k.other(rules.NetworkConflict, &at, "it is described here", &member.At, "a %s cannot be in another", l.Kind)
	}
	k.master[member] = membership{l, at}
	k.members[l] = append(k.members[l], member)
	if !bridges(l) {
		return
	}
	where := at
	if len(member.Addresses) > 0 {
		where = member.Addresses[0].At
	} else if member.DHCP.V4 || member.DHCP.V6 {
		where = member.DHCP.At
	} else {
		return
	}
	k.other(rules.NetworkMember, &where, "it is put there here", &at, "%q is in %q, and has an address of its own", member.ID, l.ID)
}

// bridges says that what comes in at a member goes to the link, not to the member.
func bridges(l *Link) bool { return l != nil && (l.Kind == Bond || l.Kind == Bridge) }

// peers checks the two ends of a cable: each names the other.
func (k *checker) peers(l *Link) {
	switch peer := k.find(l.Peer, l); {
	case peer == nil:
	case peer == l:
		k.ReportAt(rules.NetworkConflict, "", l.Peer.At, "%q cannot be its own peer", l.ID)
	case peer.Kind != Veth:
		k.other(rules.NetworkConflict, &l.Peer.At, "it is described here", &peer.At, "the peer %q is no veth", peer.ID)
	case peer.Peer.ID != l.ID:
		k.other(rules.NetworkConflict, &l.Peer.At, "it is described here", &peer.At, "the peer %q does not have %q as its own peer", peer.ID, l.ID)
	}
}

// primary checks the member that a bond uses while it is up.
func (k *checker) primary(l *Link, primaries map[*Link]*Link) {
	p := l.Bond.Primary
	member := k.find(p, l)
	if member == nil {
		return
	}
	if first := primaries[member]; first != nil {
		k.other(rules.NetworkTwice, &p.At, "the first one", &first.Bond.Primary.At, "%q is the primary of %q already", p.ID, first.ID)
		return
	}
	primaries[member] = l
	switch l.Bond.Mode {
	case "active-backup", "balance-tlb", "balance-alb":
	default:
		k.ReportAt(rules.NetworkConflict, "", p.At, "a primary has no effect in mode %s", cmp.Or(l.Bond.Mode, "balance-rr")).Severity = diag.Warning
	}
	for i := range l.Members {
		if l.Members[i].ID == p.ID {
			return
		}
	}
	k.other(rules.NetworkConflict, &p.At, "the bond", &l.At, "the primary %q is not a member of %q", p.ID, l.ID)
}
