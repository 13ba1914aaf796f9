package interfaces

import (
	"strconv"
	"strings"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// bond takes an option of a bond, without its "bond-", or of a member of one.
func (r *reader) bond(l *link, key string, o *option) {
	if len(o.args) == 0 {
		if key != "slaves" {
			r.report(rules.BadValue, o.name, "%s has no value", network.Quoted(o.name.text))
		}
		return
	}
	first := o.args[0]
	switch key {
	case "master":
		return
	case "primary": // said of the bond or of its members
		if first.text != "none" {
			l.primary = first
		}
		return
	}
	if l.Bond == nil {
		l.Bond = &network.BondOptions{}
	}
	if l.master.text == "" {
		r.make(l, network.Bond, o)
	}
	b := l.Bond
	switch key {
	case "slaves":
		r.join(l, o)
	case "mode":
		b.Mode = r.choice(o, "mode")
	case "miimon":
		b.MIIMonitor = r.number(first)
	case "updelay":
		b.UpDelay = r.number(first)
	case "downdelay":
		b.DownDelay = r.number(first)
	case "lacp-rate":
		b.LACPRate = r.choice(o, "lacp_rate")
	case "xmit-hash-policy":
		b.TransmitHash = r.choice(o, "xmit_hash_policy")
	case "ad-select":
		b.AdSelect = r.choice(o, "ad_select")
	case "arp-interval":
		b.ARPInterval = r.number(first)
	case "arp-ip-target":
		for _, w := range o.args {
			for _, text := range strings.Split(strings.Trim(w.text, ",+"), ",") {
				if a, ok := r.addr(word{text, w.from, w.to}, "inet"); ok {
					b.ARPTargets = append(b.ARPTargets, a)
				}
			}
		}
	case "arp-validate":
		b.ARPValidate = r.choice(o, "arp_validate")
	case "arp-all-targets":
		b.ARPAllTargets = r.choice(o, "arp_all_targets")
	case "fail-over-mac":
		b.FailOverMAC = r.choice(o, "fail_over_mac")
	case "primary-reselect":
		b.PrimaryReselect = r.choice(o, "primary_reselect")
	case "min-links":
		b.MinLinks = r.number(first)
	case "num-grat-arp", "num-unsol-na":
		b.GratuitousARP = r.number(first)
	case "packets-per-slave":
		b.PacketsPerMember = r.number(first)
	case "resend-igmp":
		b.ResendIGMP = r.number(first)
	case "lp-interval":
		b.LearnPacketSec = r.number(first)
	case "all-slaves-active":
		b.AllMembersActive, _ = r.flag(o, "0", "1")
	case "tlb-dynamic-lb":
		b.DynamicLB, _ = r.flag(o, "0", "1")
	default:
		r.ignore(o, "has no effect: systemd-networkd has no such setting")
	}
}

// choice reads a word of a parameter, or its number; "" if it is none, which is reported.
func (r *reader) choice(o *option, parameter string) string {
	words := network.BondWords(parameter)
	for i, known := range words {
		if text := o.args[0].text; text == known || text == strconv.Itoa(i) {
			return known
		}
	}
	r.report(rules.BadValue, o.args[0], "%s is not one of %s", network.Quoted(o.args[0].text), strings.Join(words, ", "))
	return ""
}

// bridge takes an option of a bridge, without its "bridge-".
func (r *reader) bridge(l *link, key string, o *option) {
	if len(o.args) == 0 {
		if key == "ports" {
			r.make(l, network.Bridge, o)
			return
		}
		r.report(rules.BadValue, o.name, "%s has no value", network.Quoted(o.name.text))
		return
	}
	if key == "access" || key == "vids" || key == "pvid" { // of a port of a bridge of ifupdown2
		r.ignore(o, "has no effect: it is not known")
		return
	}
	r.make(l, network.Bridge, o)
	if l.Bridge == nil {
		l.Bridge = &network.BridgeOptions{}
	}
	b, first := l.Bridge, o.args[0]
	switch key {
	case "ports":
		r.join(l, o)
	case "stp":
		b.STP, _ = r.flagOf(o, "off no 0", "on yes 1")
	case "vlan-aware":
		b.VLANFiltering, _ = r.flagOf(o, "off no 0", "on yes 1")
	case "bridgeprio":
		b.Priority = r.number(first)
	case "ageing":
		b.AgeingTime = r.seconds(first)
	case "fd":
		b.ForwardDelay = r.seconds(first)
	case "hello":
		b.HelloTime = r.seconds(first)
	case "maxage":
		b.MaxAge = r.seconds(first)
	case "hw":
		r.hwaddress(l, o)
	case "pathcost", "portprio":
		if len(o.args) != 2 {
			r.report(rules.BadValue, first, "%s takes a port and a number", network.Quoted(o.name.text))
			return
		}
		l.ports = append(l.ports, o)
	default:
		r.ignore(o, "has no effect: systemd-networkd has no such setting")
	}
}

// flagOf reads a word of two lists.
func (r *reader) flagOf(o *option, off, on string) (network.Toggle, bool) {
	for _, known := range strings.Fields(off) {
		if o.args[0].text == known {
			return network.Off, true
		}
	}
	for _, known := range strings.Fields(on) {
		if o.args[0].text == known {
			return network.On, true
		}
	}
	r.report(rules.BadValue, o.args[0], "%s takes on or off", network.Quoted(o.name.text))
	return network.Unset, false
}

// seconds are whole ones; bridge-utils takes fractions too.
func (r *reader) seconds(w word) *uint32 {
	whole, fraction, _ := strings.Cut(w.text, ".")
	if strings.Trim(fraction, "0") != "" {
		r.c.ReportAt(rules.NetworkIgnored, "", r.at(w), "the fraction of a second is left out")
	}
	if strings.Trim(fraction, "0123456789") != "" {
		whole = w.text
	}
	return r.number(word{whole, w.from, w.to})
}

// make notes what a link is by one of its options.
func (r *reader) make(l *link, kind network.Kind, o *option) {
	if l.made != "" && l.made != kind {
		if !l.mixed {
			r.report(rules.NetworkConflict, o.name, "%s is a %s and a %s", network.Quoted(l.ID), l.made, kind)
		}
		l.mixed = true
		return
	}
	l.made = kind
}

// join adds members: names, or none.
func (r *reader) join(l *link, o *option) {
	for _, w := range o.args {
		switch {
		case w.text == "none":
		case w.text == "all", w.text == "regex", w.text == "noregex":
			r.ignore(o, "has an effect only with names: what else the machine has is not known")
			return
		default:
			l.members = append(l.members, w)
		}
	}
}

// relate makes the links of which others are made, and says what each is.
func (r *reader) relate() {
	for _, l := range r.order {
		if l.master.text == "" {
			continue
		}
		if bond := r.named(l.master); bond != nil {
			r.make(bond, network.Bond, &option{name: l.master})
			bond.members = append(bond.members, word{l.ID, l.master.from, l.master.to})
			if bond.primary.text == "" {
				bond.primary = l.primary
			}
			if bond.Bond == nil {
				bond.Bond = l.Bond
			}
		}
	}
	// What is made on the way is looked at as well: eth0, of eth0.10, of br0.
	for i := 0; i < len(r.order); i++ {
		l := r.order[i]
		switch {
		case l.made == network.Bond:
			l.Kind = network.Bond
			r.enter(l)
			if l.Bond == nil {
				l.Bond = &network.BondOptions{}
			}
			if l.primary.text != "" && r.named(l.primary) != nil {
				l.Bond.Primary = network.Ref{ID: l.primary.text, At: r.at(l.primary)}
			}
		case l.made == network.Bridge:
			l.Kind, l.Bond = network.Bridge, nil
			r.enter(l)
		default:
			l.Bond = nil // a member's, that are those of its bond
			r.vlan(l)
		}
	}
}

// enter makes the members of a bond or bridge.
func (r *reader) enter(l *link) {
	in := map[string]int{}
	for _, w := range l.members {
		if _, twice := in[w.text]; twice || r.named(w) == nil {
			continue
		}
		in[w.text] = len(l.Members)
		l.Members = append(l.Members, network.Member{Ref: network.Ref{ID: w.text, At: r.at(w)}})
	}
	for _, o := range l.ports {
		i, isPort := in[o.args[0].text]
		if !isPort {
			r.report(rules.NetworkUndefined, o.args[0], "%s is no port of %s", network.Quoted(o.args[0].text), network.Quoted(l.ID))
			continue
		}
		if n := r.number(o.args[1]); o.key == "bridge-pathcost" {
			l.Members[i].Cost = n
		} else {
			l.Members[i].Priority = n
		}
	}
}

// vlan says of a link that it is a VLAN: one with a raw device, or by its name: eth0.10. Of vlan10 the name is the id.
func (r *reader) vlan(l *link) {
	device, id := l.raw, ""
	if before, after, dotted := cutLast(l.ID, '.'); dotted && isNumber(after) {
		id = after
		if device.text == "" {
			device = word{before, l.name.from, l.name.to}
		}
	} else if after, is := strings.CutPrefix(l.ID, "vlan"); is && isNumber(after) {
		id = after
	}
	switch {
	case device.text == "" && id == "" && !l.hasID:
		return // a card
	case device.text == "":
		r.report(rules.MissingKey, l.name, "%s has no vlan-raw-device, so what it is a VLAN on is not known", network.Quoted(l.ID))
		return
	case id == "" && !l.hasID:
		r.report(rules.MissingKey, device, "%s has no vlan-id, and none in its name", network.Quoted(l.ID))
		return
	case !l.hasID:
		n := r.within(word{id, l.name.from, l.name.to}, "the id of a VLAN", 0, 4094)
		if n == nil {
			return
		}
		l.VLANID = int(*n)
	}
	if r.named(device) != nil {
		l.Kind, l.Parent = network.VLAN, network.Ref{ID: device.text, At: r.at(device)}
	}
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// finish puts the network together.
func (r *reader) finish() *network.Network {
	for _, p := range r.routes {
		if l := r.links[p.device.text]; l != nil {
			l.AddRoute(p.route)
		} else {
			r.report(rules.NetworkUndefined, p.device, "no stanza is of %s", network.Quoted(p.device.text))
		}
	}
	for _, l := range r.order {
		if l.ID == loopback && len(l.Addresses)+len(l.Routes) == 0 {
			continue
		}
		l.Optional = l.said && l.ID != loopback && !r.isAuto(l.ID)
		r.network.Links = append(r.network.Links, l.Link)
	}
	return r.network
}

// A pending route goes to a link that a later stanza may be of.
type pending struct {
	device word
	route  *network.Route
}
