package plan

import (
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/network"
	"cloudconfig/schema/unitfile"
)

// interfaces are those of the running system that a link is. A card that is in another one with the same address, as that of a
// virtual machine which can be moved, counts as part of that.
func (c *computation) interfaces(l *network.Link) []*Interface {
	if found, known := c.cards.of[l]; known {
		return found
	}
	var found []*Interface
	names := map[string]bool{}
	for _, i := range c.candidates(l) {
		if on := &c.Facts.Interfaces[i]; isLink(l, on) {
			found, names[on.Name] = append(found, on), true
		}
	}
	found = slices.DeleteFunc(found, func(on *Interface) bool { return l.Match.MAC != "" && names[on.Master] })
	if len(found) <= maxCards { // many links that are many cards each would take up the memory
		c.cards.of[l] = found
	}
	return found
}

// cards are the interfaces of the facts, by their place there, so that many links on a machine with many take no longer than
// both.
type cards struct {
	all   []int
	named map[string][]int // alternative names too
	mac   map[string][]int
	of    map[*network.Link][]*Interface
}

// candidates are the interfaces that a link may be, in their order.
func (c *computation) candidates(l *network.Link) []int {
	c.indexCards()
	m := &l.Match
	var found []int
	switch {
	case l.Kind != network.Ethernet || m.IsZero():
		return c.cards.named[l.ID]
	case m.MAC != "":
		found = append(slices.Clone(c.cards.mac[m.MAC]), c.cards.mac[l.MAC]...)
	case len(m.Names) == 0 || slices.ContainsFunc(m.Names, func(name string) bool { return strings.ContainsAny(name, "*?[") }):
		return c.cards.all
	default:
		for _, name := range append([]string{l.Rename}, m.Names...) {
			found = append(found, c.cards.named[name]...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (c *computation) indexCards() {
	if c.cards.of != nil {
		return
	}
	c.cards = cards{named: map[string][]int{}, mac: map[string][]int{}, of: map[*network.Link][]*Interface{}}
	for i := range c.Facts.Interfaces {
		on := &c.Facts.Interfaces[i]
		c.cards.all = append(c.cards.all, i)
		for _, name := range append([]string{on.Name}, on.AltNames...) {
			c.cards.named[name] = append(c.cards.named[name], i)
		}
		if mac := on.OwnMAC(); mac != "" {
			c.cards.mac[mac] = append(c.cards.mac[mac], i)
		}
	}
}

func isLink(l *network.Link, on *Interface) bool {
	m := &l.Match
	switch {
	case on.Loopback && l.ID != on.Name:
		return false
	case l.Kind != network.Ethernet:
		return on.Name == l.ID
	case m.IsZero():
		return on.hasName([]string{l.ID})
	}
	return (m.MAC == "" || hasMAC(l, on)) &&
		// It may have its new name already.
		(len(m.Names) == 0 || on.hasName(m.Names) || l.Rename != "" && on.Name == l.Rename) &&
		(len(m.Drivers) == 0 || anyGlob(m.Drivers, on.Driver))
}

// hasMAC says that a card is the one whose hardware address a link names. What is made on cards has the address of one of them.
func hasMAC(l *network.Link, on *Interface) bool {
	switch on.Kind {
	case "bond", "bridge", "team", "vlan":
		return false
	}
	if on.PermanentMAC != "" {
		return on.PermanentMAC == l.Match.MAC
	}
	return on.MAC == l.Match.MAC || l.MAC != "" && on.MAC == l.MAC
}

func (i *Interface) hasName(patterns []string) bool {
	return anyGlob(patterns, i.Name) || slices.ContainsFunc(i.AltNames, func(name string) bool { return anyGlob(patterns, name) })
}

// OwnMAC is the address of the card itself, or else the one that it has now.
func (i *Interface) OwnMAC() string {
	if i.PermanentMAC != "" {
		return i.PermanentMAC
	}
	return i.MAC
}

func (c *computation) byName(name string) *Interface {
	c.indexCards()
	for _, i := range c.cards.named[name] {
		if on := &c.Facts.Interfaces[i]; on.Name == name {
			return on
		}
	}
	return nil
}

// isPattern says that a match may be of several cards, or of none.
func isPattern(m network.Match) bool {
	return !m.IsZero() && m.MAC == "" && !slices.ContainsFunc(m.Names, func(name string) bool { return !strings.ContainsAny(name, "*?[") })
}

// anyGlob says that a text is like one of the patterns of glob(7).
func anyGlob(patterns []string, text string) bool {
	return text != "" && slices.ContainsFunc(patterns, func(pattern string) bool {
		if at := strings.IndexAny(pattern, "*?["); at < 0 || !strings.HasPrefix(text, pattern[:at]) {
			return pattern == text
		}
		ok, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), text)
		return ok && err == nil
	})
}

// traits are what is known of an interface that a [Match] section is held against.
type traits struct {
	names          []string
	mac, permanent string
	driver         string
	ether          bool
}

// traits are those of a link: of each interface that it is on the running system, else what the description says.
func (c *computation) traits(l *network.Link) []*traits {
	var all []*traits
	for _, on := range c.interfaces(l) {
		t := traitsOf(on)
		if l.Rename != "" {
			t.names = append(t.names, l.Rename)
		}
		all = append(all, t)
	}
	if len(all) > 0 {
		return all
	}
	t := &traits{mac: l.MAC, permanent: l.Match.MAC, ether: l.Kind == network.Ethernet}
	if t.mac == "" {
		t.mac = l.Match.MAC
	}
	if name := l.Name(); name != "" {
		t.names = append(t.names, name)
	}
	for _, name := range l.Match.Names {
		if !strings.ContainsAny(name, "*?[") {
			t.names = append(t.names, name)
		}
	}
	return []*traits{t}
}

func traitsOf(on *Interface) *traits {
	ether := on.Kind == "" || on.Kind == "veth"
	return &traits{names: append([]string{on.Name}, on.AltNames...), mac: on.MAC, permanent: on.OwnMAC(), driver: on.Driver, ether: ether}
}

// match is the [Match] section of a file: the values of each key, those of several lines together.
type match map[string][]string

func matchOf(text string) match {
	m := match{}
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		if s.Name != "Match" {
			continue
		}
		for _, d := range s.Directives {
			m[d.Name] = append(m[d.Name], strings.Fields(d.Value)...)
		}
	}
	return m
}

// fits says that an interface is clearly one of those that the section matches. Source: systemd.network(5), systemd 252.
func (m match) fits(t *traits) bool {
	for key, values := range m {
		ok := false
		switch key {
		case "Name", "OriginalName":
			ok = slices.ContainsFunc(t.names, func(name string) bool { return listFits(values, name) })
		case "Driver":
			ok = listFits(values, t.driver)
		case "Type":
			ok = t.ether && slices.Contains(values, "ether")
		case "MACAddress":
			ok = macListed(values, t.mac)
		case "PermanentMACAddress":
			ok = macListed(values, t.permanent)
		}
		if !ok {
			return false
		}
	}
	return len(m) > 0
}

// listFits holds a name against patterns; with "!" in front, the list is of those that it must not be like.
func listFits(patterns []string, name string) bool {
	if name == "" || len(patterns) == 0 {
		return false
	}
	if first, inverted := strings.CutPrefix(patterns[0], "!"); inverted {
		return !anyGlob(append([]string{first}, patterns[1:]...), name)
	}
	return anyGlob(patterns, name)
}

// macListed says that an address is in a list, where it may be written with colons, hyphens or dots.
func macListed(values []string, mac string) bool {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(s))
	}
	return mac != "" && slices.ContainsFunc(values, func(v string) bool { return plain(v) == plain(mac) })
}
