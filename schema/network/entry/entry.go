// Package entry reads the values of one mapping of a description of a network, for languages that no table checks
// first: version 1 of cloud-init's, and the JSON of platforms.
//
// [Of] is where to start. Whatever reads a value reports what it refuses, once and at its place, and gives nothing.
// Hyphen and underscore are the same letter in keys. A value that is null or an empty text counts as not written.
package entry

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/yamltree"
)

// Entry is a mapping with its path. The zero value has no keys.
type Entry struct {
	c      *findings.Collector
	path   string
	node   *yamltree.Node
	values map[string]*yamltree.Node
	prefix string // of its keys, which reads as not there
}

// Of makes an Entry of a node. Of anything but a mapping it reports that, and the entry has no keys.
func Of(c *findings.Collector, n *yamltree.Node, path string) *Entry {
	e := &Entry{c: c, path: path, node: n}
	if n == nil || c.Bad[n] || n.Broken {
		return e
	}
	if n.Kind != yamltree.Mapping {
		c.Report(rules.WrongType, path, n, "%s must be a mapping", path)
		return e
	}
	e.values = make(map[string]*yamltree.Node, len(n.Pairs))
	for _, p := range n.Pairs {
		if name := language.Fold(p.Key.Value); e.values[name] == nil {
			e.values[name] = p.Value
		}
	}
	return e
}

// Bare is the same entry with a prefix taken from its keys, where they have it: bond_mode is mode.
func (e *Entry) Bare(prefix string) *Entry {
	bare := &Entry{c: e.c, path: e.path, node: e.node, prefix: prefix, values: make(map[string]*yamltree.Node, len(e.values))}
	if e.values == nil {
		return bare
	}
	for _, p := range e.node.Pairs {
		if name := bare.name(p.Key.Value); bare.values[name] == nil {
			bare.values[name] = p.Value
		}
	}
	return bare
}

// name is a key as the others of this package have it.
func (e *Entry) name(key string) string { return strings.TrimPrefix(language.Fold(key), e.prefix) }

// At is where the entry begins.
func (e *Entry) At() source.Range {
	if e.node == nil {
		return source.Range{}
	}
	return findings.FirstLine(e.node.Range)
}

// Path is the path of a key; of "" that of the entry.
func (e *Entry) Path(key string) string {
	if key == "" {
		return e.path
	}
	return language.Join(e.path, e.prefix+key)
}

// Only reports all keys that are not among those known: "unknown key "nmae" in a physical".
func (e *Entry) Only(what string, known ...string) {
	if e.values == nil || e.node == nil {
		return
	}
	for _, p := range e.node.Pairs {
		name := e.name(p.Key.Value)
		if strings.HasPrefix(name, "x_") || slices.Contains(known, name) {
			continue
		}
		d := e.c.Report(rules.UnknownKey, e.path, p.Key, "unknown key %s in %s", network.Quoted(p.Key.Value), what)
		e.c.Bad[p.Value] = true
		e.suggest(d, name, known)
	}
}

// suggest says which word was most likely meant; nothing if none is near.
func (e *Entry) suggest(d *diag.Diagnostic, word string, known []string) {
	if e.c.Full() {
		return // nobody will read it
	}
	if near := spelling.Nearest(word, known); near != "" {
		d.Detail = fmt.Sprintf("did you mean %q?", near)
	}
}

// Keys are the keys as they are written, in order.
func (e *Entry) Keys() []*yamltree.Node {
	if e.node == nil || e.values == nil {
		return nil
	}
	var keys []*yamltree.Node
	for _, p := range e.node.Pairs {
		keys = append(keys, p.Key)
	}
	return keys
}

// Value is what is written at a key; nil if nothing is, or if it is bad.
func (e *Entry) Value(key string) *yamltree.Node {
	n := e.values[key]
	if n == nil || n.Broken || e.c.Bad[n] || n.Kind == yamltree.Null || n.Kind == yamltree.Scalar && n.Value == "" {
		return nil
	}
	return n
}

// Scalar is the value of a key that has a single one.
func (e *Entry) Scalar(key string) *yamltree.Node {
	n := e.Value(key)
	if n != nil && n.Kind != yamltree.Scalar {
		e.c.Report(rules.WrongType, e.Path(key), n, "%s must be a single value", e.Path(key))
		return nil
	}
	return n
}

// Text is the value of a key as it is written.
func (e *Entry) Text(key string) string {
	if n := e.Scalar(key); n != nil {
		return n.Value
	}
	return ""
}

// Needs reports that a key is not there. What was written and is bad was reported before.
func (e *Entry) Needs(key string) {
	if e.values == nil || e.values[key] != nil && e.Value(key) == nil && e.c.Bad[e.values[key]] {
		return
	}
	e.c.ReportAt(rules.MissingKey, e.path, e.At(), "%s needs %q", e.path, key)
}

// Needed is what is written at a key that must be there; nil if nothing is, which is reported.
func (e *Entry) Needed(key string) *yamltree.Node {
	n := e.Value(key)
	if n == nil {
		e.Needs(key)
	}
	return n
}

// Either is the second of two keys if that alone is written, else the first.
func (e *Entry) Either(key, other string) string {
	if e.Value(key) == nil && e.Value(other) != nil {
		return other
	}
	return key
}

// Ignored reports that what is at a key has no effect.
func (e *Entry) Ignored(key, format string, args ...any) *diag.Diagnostic {
	at := e.At()
	if n := e.values[key]; n != nil {
		at = findings.FirstLine(n.Range)
	}
	return e.c.ReportAt(rules.NetworkIgnored, e.Path(key), at, format, args...)
}

// Bad reports a value that its key does not take.
func (e *Entry) Bad(key string, n *yamltree.Node) *diag.Diagnostic {
	return e.c.Report(rules.BadValue, e.Path(key), n, "%s cannot be %s", e.Path(key), network.Quoted(n.Value))
}

// Word is a value that is one of some words; "" of any other.
func (e *Entry) Word(key string, words ...string) string {
	n := e.Scalar(key)
	if n == nil {
		return ""
	}
	if !slices.Contains(words, n.Value) {
		d := e.Bad(key, n)
		d.Detail = "one of " + strings.Join(words, ", ")
		e.suggest(d, n.Value, words)
		return ""
	}
	return n.Value
}

// Toggle is a value that is true or false, in any of YAML's words, or 1 or 0.
func (e *Entry) Toggle(key string) network.Toggle {
	n := e.Scalar(key)
	if n == nil {
		return network.Unset
	}
	on, ok := language.AsBoolean(n)
	switch {
	case ok:
		return network.ToggleOf(on)
	case n.Value == "1" || n.Value == "0":
		return network.ToggleOf(n.Value == "1")
	}
	e.Bad(key, n).Detail = "write true or false"
	return network.Unset
}

// Number is a whole number; nil if there is none. What it is of goes into the finding: "a VLAN".
func (e *Entry) Number(key, what string, low, high uint32) *uint32 {
	n := e.Scalar(key)
	if n == nil {
		return nil
	}
	v, fault := network.ParseRange(n.Value, what, low, high)
	if fault != nil {
		network.Refuse(e.c, rules.BadValue, e.Path(key), n, fault)
		return nil
	}
	return &v
}

// MTU is a number of bytes, and its place; 0 if there is none.
func (e *Entry) MTU(key string) (int, source.Range) {
	if v := e.Number(key, "a number of bytes that a packet can have", 68, 65536); v != nil {
		return int(*v), e.values[key].Range
	}
	return 0, source.Range{}
}

// Metric is the metric of a route.
func (e *Entry) Metric(key string) *uint32 { return e.Number(key, "a metric", 0, 1<<32-1) }

// MAC is a hardware address; "" if there is none.
func (e *Entry) MAC(key string) string {
	n := e.Scalar(key)
	if n == nil {
		return ""
	}
	mac, fault := network.ParseMAC(n.Value)
	if fault != nil {
		network.Refuse(e.c, rules.NetworkMAC, e.Path(key), n, fault)
		return ""
	}
	return mac
}

// Ref names another link.
func (e *Entry) Ref(key string) network.Ref {
	if n := e.Scalar(key); n != nil {
		return network.Ref{ID: n.Value, At: n.Range}
	}
	return network.Ref{}
}

// Item is a scalar of a list, with its path.
type Item struct {
	Node *yamltree.Node
	Path string
}

// Items are the scalars of a list. A lone scalar is several where it has blanks or commas in it.
func (e *Entry) Items(key string) []Item {
	n := e.Value(key)
	if n == nil {
		return nil
	}
	var items []Item
	switch n.Kind {
	case yamltree.Scalar:
		for _, word := range strings.FieldsFunc(n.Value, func(r rune) bool { return r == ',' || r <= ' ' }) {
			one := n
			if word != n.Value {
				one = &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: word, Range: n.Range}
			}
			items = append(items, Item{one, e.Path(key)})
		}
	case yamltree.Sequence:
		for i, item := range n.Items {
			path := fmt.Sprintf("%s[%d]", e.Path(key), i)
			switch {
			case item.Kind == yamltree.Null || item.Broken || e.c.Bad[item]:
			case item.Kind != yamltree.Scalar:
				e.c.Report(rules.WrongType, path, item, "%s must be a single value", path)
			default:
				items = append(items, Item{item, path})
			}
		}
	default:
		e.c.Report(rules.WrongType, e.Path(key), n, "%s must be a list", e.Path(key))
	}
	return items
}

// Entries are the mappings of a list.
func (e *Entry) Entries(key string) []*Entry {
	n := e.Value(key)
	if n == nil {
		return nil
	}
	if n.Kind != yamltree.Sequence {
		e.c.Report(rules.WrongType, e.Path(key), n, "%s must be a list", e.Path(key))
		return nil
	}
	var entries []*Entry
	for i, item := range n.Items {
		entries = append(entries, Of(e.c, item, fmt.Sprintf("%s[%d]", e.Path(key), i)))
	}
	return entries
}

// Below is the mapping at a key, if there is one.
func (e *Entry) Below(key string) *Entry {
	n := e.Value(key)
	if n == nil {
		return &Entry{c: e.c, path: e.Path(key)}
	}
	return Of(e.c, n, e.Path(key))
}

// Address is an address with its netmask: bits or a mask behind a slash, or at a key of their own. Where nothing says how
// large the network is, it is as cloud-init has it, and that is reported. nil if there is no address.
func (e *Entry) Address(key, mask string) *network.Address {
	n := e.Scalar(key)
	if n == nil {
		return nil
	}
	p, text, ok := e.withBits(n, key, mask, network.ParseAddr)
	if !ok {
		return nil
	}
	return &network.Address{Prefix: p, Text: text, At: n.Range}
}

// withBits is what is at a key with the bits of its network, and both as text.
func (e *Entry) withBits(n *yamltree.Node, key, mask string, parse func(string) (netip.Addr, *network.Fault)) (p netip.Prefix, text string, ok bool) {
	host, length, found := strings.Cut(n.Value, "/")
	a, fault := parse(host)
	bits := 0
	if fault == nil && found {
		bits, fault = e.bits(n.Value, length, a)
	}
	if fault != nil {
		network.Refuse(e.c, rules.NetworkAddress, e.Path(key), n, fault)
		return p, "", false
	}
	if !found {
		if bits, ok = e.mask(key, mask, a); !ok {
			return p, "", false
		}
	}
	return netip.PrefixFrom(a, bits), host + "/" + strconv.Itoa(bits), true
}

// bits is what is behind the slash as a number.
func (e *Entry) bits(whole, length string, a netip.Addr) (int, *network.Fault) {
	bits, fault := network.ParseMask(length, a.Is6())
	if fault != nil {
		fault = &network.Fault{Summary: network.Quoted(whole) + " has a wrong number of bits", Detail: fault.Detail}
	}
	return bits, fault
}

// mask is the netmask of an address at a key of its own, as a number of bits. The address of nothing needs none: it leads
// everywhere.
//
// Source: cloud-init, cloudinit/net/network_state.py _normalize_net_keys (2026-08).
func (e *Entry) mask(key, mask string, a netip.Addr) (int, bool) {
	if a.IsUnspecified() && e.Value(mask) == nil {
		return 0, true
	}
	m := e.Scalar(mask)
	if m == nil {
		if e.values[mask] != nil && e.c.Bad[e.values[mask]] {
			return 0, false
		}
		bits := 24
		if a.Is6() {
			bits = 64
		}
		d := e.c.Report(rules.NetworkAddress, e.Path(key), e.values[key], "%s says nothing of the size of its network, and /%d is taken", network.Quoted(e.values[key].Value), bits)
		d.Severity, d.Detail = diag.Warning, fmt.Sprintf("write %s/%d", a, bits)
		delete(e.c.Bad, e.values[key])
		return bits, true
	}
	bits, fault := network.ParseMask(m.Value, a.Is6())
	if fault != nil {
		network.Refuse(e.c, rules.NetworkAddress, e.Path(mask), m, fault)
	}
	return bits, fault == nil
}

// Addr is the address of one host; not valid if there is none.
func (e *Entry) Addr(key string) netip.Addr {
	if n := e.Scalar(key); n != nil {
		return e.addr(n, e.Path(key))
	}
	return netip.Addr{}
}

func (e *Entry) addr(n *yamltree.Node, path string) netip.Addr {
	a, fault := network.ParseAddr(n.Value)
	if fault != nil {
		network.Refuse(e.c, rules.NetworkAddress, path, n, fault)
	}
	return a
}

// Gateway is the default route by the gateway at a key; nil if there is none.
func (e *Entry) Gateway(key string) *network.Route {
	via := e.Addr(key)
	if !via.IsValid() {
		return nil
	}
	n := e.values[key]
	return &network.Route{To: network.Everywhere(via), Via: via, ViaText: n.Value, At: n.Range, ViaAt: n.Range}
}

// Route is a way to the network at key to, which must be there, by the gateway at key via, which need not; the netmask may
// be at key mask. nil if there is no such way.
func (e *Entry) Route(to, mask, via, metric string) *network.Route {
	if e.Needed(to) == nil {
		return nil
	}
	n, r := e.Scalar(to), &network.Route{At: e.At(), Metric: e.Metric(metric)}
	if n == nil {
		return nil
	}
	if gateway := e.Gateway(via); gateway != nil {
		r.Via, r.ViaText, r.ViaAt = gateway.Via, gateway.ViaText, gateway.ViaAt
	} else if e.values[via] != nil && e.c.Bad[e.values[via]] {
		return nil
	}
	if n.Value == "default" && r.Via.IsValid() {
		r.To, r.ToText = network.Everywhere(r.Via), n.Value
		return r
	}
	p, text, ok := e.withBits(n, to, mask, network.ParseAnyAddr)
	if !ok {
		return nil
	}
	r.To, r.ToText = p.Masked(), text
	return r
}

// maxServers is how many name servers, and domains, systemd-resolved has of a link: LINK_DNS_SERVERS_MAX and
// LINK_SEARCH_DOMAINS_MAX in its src/resolve at v252.
const maxServers = 256

// Limit takes away what is more of a DNS than systemd-resolved has, and reports that. What all links are given would
// otherwise be as much as their number times its own.
func Limit(c *findings.Collector, d *network.DNS) {
	if len(d.Servers) > maxServers {
		c.ReportAt(rules.NetworkIgnored, "", d.Servers[maxServers].At, "systemd-resolved takes %d name servers, and no more", maxServers)
		d.Servers = d.Servers[:maxServers]
	}
	if len(d.Search) > maxServers {
		c.ReportAt(rules.NetworkIgnored, "", d.Search[maxServers].At, "systemd-resolved takes %d domains to search in, and no more", maxServers)
		d.Search = d.Search[:maxServers]
	}
}

// DNS adds the name servers and the domains that are at two keys.
func (e *Entry) DNS(d *network.DNS, servers, search string) {
	d.Servers = append(d.Servers, e.Servers(servers)...)
	for _, item := range e.Items(search) {
		if fault := network.CheckDomain(item.Node.Value); fault != nil {
			network.Refuse(e.c, rules.DomainName, item.Path, item.Node, fault)
			continue
		}
		d.Search = append(d.Search, network.Domain{Name: item.Node.Value, At: item.Node.Range})
	}
}

// Servers are name servers.
func (e *Entry) Servers(key string) []network.Server {
	var servers []network.Server
	for _, item := range e.Items(key) {
		if a := e.addr(item.Node, item.Path); a.IsValid() {
			servers = append(servers, network.Server{Addr: a, Text: item.Node.Value, At: item.Node.Range})
		}
	}
	return servers
}
