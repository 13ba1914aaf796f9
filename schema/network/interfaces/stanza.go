package interfaces

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// loopback is the interface that is there in any case.
const loopback = "lo"

// methods are those that are known.
const methods = " static manual loopback dhcp auto ipv4ll "

// stanza adds what a stanza says to its link. Several of one name add up.
func (r *reader) stanza(s *stanza) {
	if !strings.Contains(methods, " "+s.method+" ") {
		r.unsupported(s.name, "the method %s of %s is not one of systemd-networkd's", network.Quoted(s.method), network.Quoted(s.name.text))
		return
	}
	name, _, isAlias := strings.Cut(s.name.text, ":") // eth0:1 is a label of an address on eth0
	l := r.named(word{name, s.name.from, s.name.from + len(name)})
	if l == nil {
		return
	}
	l.said = true
	for _, o := range s.options {
		if o.key == "bond-master" && len(o.args) > 0 { // so that what else is said of a bond is of that one
			l.master = o.args[0]
		}
	}
	st := &static{family: s.family, at: s.name}
	if isAlias {
		st.label = s.name.text
		if err := network.CheckName(strings.ReplaceAll(st.label, ":", ".")); err != nil {
			r.refuse(rules.NetworkName, s.name, err)
			return
		}
	}
	switch s.method {
	case "dhcp":
		l.DHCP.At = r.at(s.name)
		l.DHCP.V4, l.DHCP.V6 = l.DHCP.V4 || s.family == "inet", l.DHCP.V6 || s.family == "inet6"
	case "auto":
		l.IPv6.AcceptRA = network.On
	case "ipv4ll":
		l.LinkLocal = network.LinkLocal{Said: true, V4: true, V6: !l.LinkLocal.Said || l.LinkLocal.V6}
	}
	for _, o := range s.options {
		r.option(l, s, st, o)
	}
	if s.method == "static" {
		r.addresses(l, st)
	} else {
		for _, o := range st.said {
			r.ignore(o, "has no effect: the method of its stanza is not static")
		}
	}
	for _, o := range st.commands { // after the addresses, so that those come first
		r.command(l, o)
	}
}

// named finds or makes the link of a name; nil if that is none, which is reported.
func (r *reader) named(name word) *link {
	if l := r.links[name.text]; l != nil {
		return l
	}
	if err := network.CheckName(name.text); err != nil {
		r.refuse(rules.NetworkName, name, err)
		return nil
	}
	if len(r.order) >= maxLinks {
		if !r.full {
			r.report(rules.NetworkSyntax, name, "there are more than %d interfaces", maxLinks)
		}
		r.full = true
		return nil
	}
	l := &link{name: name}
	l.ID, l.At, l.Kind = name.text, r.at(name), network.Ethernet
	r.links[name.text] = l
	r.order = append(r.order, l)
	return l
}

// static is what a stanza says of addresses, and what it runs.
type static struct {
	family    string
	at        word
	label     string
	addresses []*option
	netmask   *option
	gateways  []*option
	metric    *uint32
	peer      netip.Addr
	broadcast *option
	retired   bool      // the address is not to be the source of new connections
	said      []*option // all of those
	commands  []*option
}

// option takes one option of a stanza.
func (r *reader) option(l *link, s *stanza, st *static, o *option) {
	switch o.key {
	case "up", "post-up", "pre-up":
		st.commands = append(st.commands, o)
		return
	case "down", "pre-down", "post-down": // when a machine goes down, all is gone
		return
	case "network", "bond-use-carrier", "bridge-waitport", "bridge-maxwait", "vlan-flags": // what waits, or is so in any case
		return
	}
	if rest, is := strings.CutPrefix(o.key, "bond-"); is || o.key == "slaves" {
		if !is {
			rest = "slaves"
		}
		r.bond(l, rest, o)
		return
	}
	if rest, is := strings.CutPrefix(o.key, "bridge-"); is {
		r.bridge(l, rest, o)
		return
	}
	if len(o.args) == 0 {
		r.report(rules.BadValue, o.name, "%s has no value", network.Quoted(o.name.text))
		return
	}
	switch o.key {
	case "address", "netmask", "gateway", "broadcast", "pointopoint", "preferred-lifetime", "scope":
		st.said = append(st.said, o)
		r.static(st, o)
	case "metric":
		st.metric = r.number(o.args[0])
		if st.metric != nil && s.method == "dhcp" {
			overrides := &l.DHCP.Overrides4
			if s.family == "inet6" {
				overrides = &l.DHCP.Overrides6
			}
			overrides.Metric = st.metric
		}
	case "mtu":
		if n := r.within(o.args[0], "an MTU", 68, 65_536); n != nil {
			l.MTU, l.MTUAt = int(*n), r.at(o.args[0])
		}
	case "hwaddress":
		r.hwaddress(l, o)
	case "hostname":
		if s.method != "dhcp" || s.family != "inet" || network.CheckDomain(o.args[0].text) != nil || o.args[0].text[0] == '~' {
			r.ignore(o, "has no effect: it is a name to ask DHCP with, in a stanza of inet dhcp")
			return
		}
		l.DHCP.Overrides4.Hostname = o.args[0].text
	case "dns-nameservers", "dns-nameserver", "dns-search", "dns-domain":
		r.dns(l, o)
	case "vlan-raw-device":
		l.raw = o.args[0]
	case "vlan-id":
		if n := r.within(o.args[0], "the id of a VLAN", 0, 4094); n != nil {
			l.VLANID, l.hasID = int(*n), true
		}
	case "accept-ra":
		if on, ok := r.flag(o, "0", "1", "2"); ok {
			l.IPv6.AcceptRA = on
		}
	case "privext":
		if on, ok := r.flag(o, "0", "1", "2"); ok {
			l.IPv6.Privacy = on
		}
	case "autoconf":
		switch on, ok := r.flag(o, "0", "1"); {
		case ok && on == network.On && l.IPv6.AcceptRA == network.Unset:
			l.IPv6.AcceptRA = network.On
		case ok && on == network.Off && l.IPv6.AcceptRA != network.Off:
			r.ignore(o, "has no effect: what routers announce is taken whole or, with accept_ra 0, not at all")
		}
	case "dhcp":
		if on, ok := r.flag(o, "0", "1"); ok {
			l.DHCP.V6Stateless = on == network.On
		}
	default:
		d := r.c.ReportAt(rules.NetworkIgnored, "", r.span(o), "%s is not known, and has no effect", network.Quoted(o.name.text))
		d.Secret = strings.Contains(o.key, "psk") || strings.Contains(o.key, "pass") || strings.Contains(o.key, "key")
	}
}

// static takes what is said of addresses.
func (r *reader) static(st *static, o *option) {
	switch o.key {
	case "address":
		st.addresses = append(st.addresses, o)
	case "netmask":
		st.netmask = o
	case "gateway":
		if o.args[0].text != "none" {
			st.gateways = append(st.gateways, o)
		}
	case "broadcast":
		if o.args[0].text != "+" && o.args[0].text != "-" {
			st.broadcast = o
		}
	case "pointopoint":
		st.peer, _ = r.addr(o.args[0], st.family)
	case "preferred-lifetime":
		if n := r.number(o.args[0]); n != nil {
			if st.retired = *n == 0; !st.retired {
				r.ignore(o, "has no effect: an address here is preferred for ever, or with 0 never")
			}
		}
	case "scope":
		if o.args[0].text != "global" {
			r.ignore(o, "has no effect: all addresses are global")
		}
	}
}

// addresses adds those of a stanza, and its gateway.
func (r *reader) addresses(l *link, st *static) {
	if len(st.addresses) == 0 && st.family != "" {
		r.report(rules.MissingKey, st.at, "%s is static and has no address", network.Quoted(st.at.text))
	}
	var broadcast netip.Addr
	if o := st.broadcast; o != nil {
		broadcast, _ = r.addr(o.args[0], "inet")
	}
	for _, o := range st.addresses {
		p, text, ok := r.prefix(o.args[0], st)
		if !ok {
			continue
		}
		a := &network.Address{Prefix: p, Text: text, Label: st.label, Deprecated: st.retired, At: r.at(o.args[0])}
		if !p.Addr().Is4() {
			a.Label = "" // only IPv4 has them
		}
		if st.peer.IsValid() && st.peer.Is4() == p.Addr().Is4() {
			a.Peer = st.peer
		}
		switch {
		case !broadcast.IsValid() || p.Addr().Is6():
		case p.Bits() > 30 || a.Peer.IsValid():
			r.ignore(st.broadcast, "has no effect: where there are two hosts at most there is no broadcast")
		default:
			a.Broadcast = broadcast
		}
		r.address(l, o.args[0], a)
	}
	for _, o := range st.gateways {
		if via, ok := r.addr(o.args[0], st.family); ok {
			l.AddRoute(&network.Route{
				To: network.Everywhere(via), Via: via, ViaText: o.args[0].text, Metric: st.metric, OnLink: onLink(l, via), At: r.span(o), ViaAt: r.at(o.args[0]),
			})
		}
	}
}

func (r *reader) address(l *link, w word, a *network.Address) {
	if len(l.Addresses) == maxAddresses {
		r.report(rules.NetworkSyntax, w, "%s has more than %d addresses", network.Quoted(l.ID), maxAddresses)
		return
	}
	l.Addresses = append(l.Addresses, *a)
}

// onLink says of a gateway that it is in no network of the link. ifupdown reaches it all the same.
func onLink(l *link, via netip.Addr) network.Toggle {
	if via.Is6() && via.IsLinkLocalUnicast() {
		return network.Unset
	}
	for i := range l.Addresses {
		if a := &l.Addresses[i]; a.Prefix.Contains(via) || a.Peer == via {
			return network.Unset
		}
	}
	return network.On
}

// prefix is an address with its bits, which may be in netmask. Where they are nowhere they are as ifupdown takes them: by the class of an
// IPv4 address.
func (r *reader) prefix(w word, st *static) (p netip.Prefix, text string, ok bool) {
	host, behind, cut := strings.Cut(w.text, "/")
	addr, ok := r.addr(word{host, w.from, w.to}, st.family)
	if !ok {
		return p, "", false
	}
	mask := word{behind, w.from + len(host) + 1, w.to}
	switch {
	case cut:
	case st.netmask != nil:
		mask = st.netmask.args[0]
	case addr.Is6():
		mask = word{"64", w.from, w.to}
	default:
		bits := classful(addr)
		mask = word{strconv.Itoa(bits), w.from, w.to}
		d := r.c.ReportAt(rules.NetworkAddress, "", r.at(w), "%s has no netmask, and is taken as one of a network of %d bits", network.Quoted(w.text), bits)
		d.Severity, d.Detail = diag.Warning, "ifupdown goes by the class of the address; write the bits behind a slash"
	}
	p, err := network.PrefixOf(addr, mask.text)
	if err != nil {
		r.refuse(rules.NetworkAddress, mask, err)
		return p, "", false
	}
	return p, host + "/" + strconv.Itoa(p.Bits()), true
}

func classful(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first <= 127:
		return 8
	case first <= 191:
		return 16
	case first <= 223:
		return 24
	}
	return 32
}

// hwaddress sets the hardware address: "ether 52:54:00:12:34:56", or without the first word.
func (r *reader) hwaddress(l *link, o *option) {
	w := o.args[len(o.args)-1]
	switch mac, err := network.ParseMAC(w.text); {
	case w.text == "random":
		r.ignore(o, "random has no effect: the card keeps its address")
	case err != nil:
		r.refuse(rules.NetworkMAC, w, err)
	default:
		l.MAC = mac
	}
}

// dns takes name servers and domains. Those of lo are of the whole machine.
func (r *reader) dns(l *link, o *option) {
	dns := &l.DNS
	if l.ID == loopback {
		dns = &r.network.DNS
	}
	for _, w := range o.args {
		if strings.HasPrefix(o.key, "dns-nameserver") {
			if a, ok := r.addr(w, ""); ok {
				dns.Servers = append(dns.Servers, network.Server{Addr: a, Text: w.text, At: r.at(w)})
			}
			continue
		}
		if err := network.CheckDomain(w.text); err != nil {
			r.refuse(rules.BadValue, w, err)
			continue
		}
		dns.Search = append(dns.Search, network.Domain{Name: w.text, At: r.at(w)})
	}
}

// addr reads an address of a family; "" is any. What is none is reported.
func (r *reader) addr(w word, family string) (netip.Addr, bool) {
	a, err := network.ParseAddr(w.text)
	switch {
	case err != nil:
		r.refuse(rules.NetworkAddress, w, err)
	case family == "inet" && !a.Is4(), family == "inet6" && !a.Is6():
		r.report(rules.NetworkAddress, w, "%s is not an address of %s", network.Quoted(w.text), family)
	default:
		return a, true
	}
	return netip.Addr{}, false
}

// number reads one; nil if it is none, which is reported.
func (r *reader) number(w word) *uint32 { return r.within(w, "a number", 0, math.MaxUint32) }

// within reads a number of a range; what it is of goes into the finding.
func (r *reader) within(w word, what string, low, high uint32) *uint32 {
	n, err := network.ParseRange(w.text, what, low, high)
	if err != nil {
		r.refuse(rules.BadValue, w, err)
		return nil
	}
	return &n
}

// flag reads a word of a few, of which the first means no.
func (r *reader) flag(o *option, words ...string) (on network.Toggle, ok bool) {
	for i, known := range words {
		if o.args[0].text == known {
			return network.ToggleOf(i > 0), true
		}
	}
	r.report(rules.BadValue, o.args[0], "%s takes %s", network.Quoted(o.name.text), strings.Join(words, ", "))
	return network.Unset, false
}
