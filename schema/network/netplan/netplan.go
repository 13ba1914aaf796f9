// Package netplan reads version 2 of the language of networks, which is netplan's: ethernets, bonds, bridges, VLANs,
// VRFs, dummies, veths and tunnels by their names.
//
// [Read] is the thing to call, with a mapping that package language has held against its table: what values look like
// is checked there, and what a link needs or excludes is checked here. Whether links fit each other is for
// [network.Check].
//
// Format: netplan, doc/netplan-yaml.md of release 1.1 (2024-10).
package netplan

import (
	"fmt"
	"net/netip"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// Read is the network that a mapping with ethernets and the others describes; what was found bad in it reads as not
// written. If an error was found the network must not be used.
func Read(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := &reader{Collector: c, names: map[string]bool{}}
	for _, p := range root.Pairs {
		name := language.Fold(p.Key.Value)
		kind, known := kinds[name]
		if !known || c.Bad[p.Value] {
			continue
		}
		for i, link := range p.Value.Pairs {
			if language.Fold(link.Key.Value) != "renderer" {
				r.link(kind, link, fmt.Sprintf("network.%s[%d]", name, i))
			}
		}
	}
	r.setPorts()
	return &r.network
}

var kinds = map[string]network.Kind{
	"ethernets": network.Ethernet, "bonds": network.Bond, "bridges": network.Bridge, "vlans": network.VLAN, "vrfs": network.VRF,
	"dummy_devices": network.Dummy, "virtual_ethernets": network.Veth, "tunnels": network.Tunnel,
}

// needs is a key without which a link of a kind is nothing. What has keys is held against the table; this is for an
// entry of a name alone.
var needs = map[network.Kind]string{network.VLAN: "id", network.VRF: "table", network.Veth: "peer", network.Tunnel: "mode"}

type reader struct {
	*findings.Collector
	network network.Network
	names   map[string]bool // the links so far
	ports   []port
}

// link reads one entry, whose path is at.
func (r *reader) link(kind network.Kind, p yamltree.Pair, at string) {
	if r.Bad[p.Key] || r.Bad[p.Value] && p.Value.Kind != yamltree.Mapping {
		return
	}
	id := p.Key.Value
	r.names[id] = true
	if key := needs[kind]; key != "" && p.Value.Kind == yamltree.Null {
		r.ReportAt(rules.MissingKey, at, p.Key.Range, "%s needs %q", at, key)
	}
	l := network.Link{At: p.Key.Range, ID: id, Kind: kind}
	m := r.mapping(p.Value, at)
	r.common(&l, m)
	switch kind {
	case network.Ethernet:
		r.ethernet(&l, m)
	case network.Bond:
		r.bond(&l, m)
	case network.Bridge:
		r.bridge(&l, m)
	case network.VLAN:
		if id := m.unsigned("id"); id != nil { // without it, it would be compared with others of its parent
			l.Parent, l.VLANID = m.ref("link"), int(*id)
		}
	case network.VRF:
		r.vrf(&l, m)
	case network.Veth:
		l.Peer = m.ref("peer")
	case network.Tunnel:
		r.tunnel(&l, m, p.Key)
	}
	r.checkName(&l, p.Key, at)
	r.network.Links = append(r.network.Links, l)
}

// checkName holds a name against what the kernel takes, where it is that of an interface. A card may have longer
// names beside its own, and be found by one of them.
func (r *reader) checkName(l *network.Link, key *yamltree.Node, at string) {
	if l.Kind == network.Ethernet && !l.Match.IsZero() {
		return
	}
	fault := network.CheckName(l.ID)
	if fault == nil {
		return
	}
	d := r.ReportAt(rules.NetworkName, at, key.Range, "%s", fault.Summary)
	d.Detail = fault.Detail
	if l.Kind == network.Ethernet && len(l.ID) > network.MaxName && network.CheckPattern(l.ID) == nil {
		d.Severity = diag.Warning
	}
}

// ethernet reads what is of cards alone.
func (r *reader) ethernet(l *network.Link, m *mapping) {
	if n := m.node("match"); n != nil {
		match := r.mapping(n, m.path("match"))
		l.Match = network.Match{MAC: mac(match.text("macaddress")), MACText: match.text("macaddress"), Drivers: match.texts("driver"), At: findings.FirstLine(n.Range)}
		if name := match.text("name"); name != "" {
			l.Match.Names = []string{name}
		}
		if l.Match.IsZero() {
			l.Match.Names = []string{"*"} // all cards there are, in netplan too
		}
	}
	if n := m.node("set_name"); n != nil {
		l.Rename = n.Value
		if m.node("match") == nil {
			r.Report(rules.NetworkConflict, m.path("set_name"), n, "set-name without match").Detail = "say which card it is: match: {macaddress: ...}"
		}
	}
	l.Hardware.Infiniband = m.text("infiniband_mode")
	for _, o := range offloads {
		if t := m.toggle(o.key); t != network.Unset {
			if l.Hardware.Offloads == nil {
				l.Hardware.Offloads = map[string]bool{}
			}
			l.Hardware.Offloads[o.name] = t == network.On
		}
	}
	l.Hardware.WakeOnLAN = m.toggle("wakeonlan")
	if l.Hardware.WakeOnLAN == network.Unset && (l.Rename != "" || l.MTU != 0 || l.Hardware.MACPolicy != "" || l.Hardware.Offloads != nil) {
		l.Hardware.WakeOnLAN = network.Off // netplan's own, wherever it writes a .link file
	}
}

// offloads are the names of systemd.link(5).
var offloads = []struct{ key, name string }{
	{"receive_checksum_offload", "ReceiveChecksumOffload"},
	{"transmit_checksum_offload", "TransmitChecksumOffload"},
	{"tcp_segmentation_offload", "TCPSegmentationOffload"},
	{"tcp6_segmentation_offload", "TCP6SegmentationOffload"},
	{"generic_segmentation_offload", "GenericSegmentationOffload"},
	{"generic_receive_offload", "GenericReceiveOffload"},
	{"large_receive_offload", "LargeReceiveOffload"},
}

// common reads the keys of links of every kind.
func (r *reader) common(l *network.Link, m *mapping) {
	switch set := m.text("macaddress"); {
	case set != "permanent" && set != "random":
		l.MAC = mac(set)
	case l.Kind != network.Ethernet:
		r.Report(rules.NetworkConflict, m.path("macaddress"), m.node("macaddress"), "%s is for a card, and %q is none", set, l.ID)
	case set == "permanent":
		l.Hardware.MACPolicy = "persistent"
	default:
		l.Hardware.MACPolicy = set
	}
	l.MTU, l.MTU6 = int(m.number("mtu")), int(m.number("ipv6_mtu"))
	for _, key := range []string{"mtu", "ipv6_mtu"} {
		if n := m.node(key); n != nil && l.MTUAt.IsZero() {
			l.MTUAt = n.Range
		}
	}
	if l.Activation = m.text("activation_mode"); l.Activation != "" && l.Activation != "manual" {
		l.Activation = "off" // in whichever word of YAML
	}
	l.Optional = m.toggle("optional") == network.On || l.Activation != ""
	l.IgnoreCarrier, l.EmitLLDP = m.toggle("ignore_carrier"), m.toggle("emit_lldp")
	r.addresses(l, m)
	r.dhcp(l, m)
	r.ipv6(l, m)
	if n := m.node("link_local"); n != nil {
		l.LinkLocal.Said = true
		for _, family := range m.texts("link_local") {
			l.LinkLocal.V4 = l.LinkLocal.V4 || family == "ipv4"
			l.LinkLocal.V6 = l.LinkLocal.V6 || family == "ipv6"
		}
	}
	r.routes(l, m)
	r.rules(l, m)
	if n := m.node("nameservers"); n != nil {
		servers := r.mapping(n, m.path("nameservers"))
		for _, item := range servers.items("addresses") {
			if a, fault := network.ParseAddr(item.Value); fault == nil {
				l.DNS.Servers = append(l.DNS.Servers, network.Server{Addr: a, Text: item.Value, At: item.Range})
			}
		}
		for _, item := range servers.items("search") {
			l.DNS.Search = append(l.DNS.Search, network.Domain{Name: item.Value, At: item.Range})
		}
	}
	if n := m.node("optional_addresses"); n != nil && len(n.Items) > 0 {
		r.ReportAt(rules.NetworkIgnored, m.path("optional_addresses"), findings.FirstLine(n.Range), "the boot waits for a link as a whole").Detail = "write optional: true to wait for none of it"
	}
	r.portOf(l.ID, m)
}

func (r *reader) addresses(l *network.Link, m *mapping) {
	add := func(n *yamltree.Node) *network.Address {
		p, fault := network.ParsePrefix(n.Value)
		if fault != nil || r.Bad[n] {
			return nil
		}
		l.Addresses = append(l.Addresses, network.Address{Prefix: p, Text: n.Value, At: n.Range})
		return &l.Addresses[len(l.Addresses)-1]
	}
	for i, item := range m.items("addresses") {
		if item.Kind == yamltree.Scalar {
			add(item)
			continue
		}
		for _, p := range item.Pairs {
			a := add(p.Key)
			if a == nil {
				continue
			}
			options := r.mapping(p.Value, fmt.Sprintf("%s[%d]", m.path("addresses"), i))
			a.Deprecated, a.Forever = options.text("lifetime") == "0", options.text("lifetime") == "forever"
			a.Label = options.text("label")
			if n := options.node("label"); n != nil && !a.Prefix.Addr().Is4() {
				r.Report(rules.NetworkConflict, options.path("label"), n, "an IPv6 address has no label")
				a.Label = ""
			}
		}
	}
}

func (r *reader) dhcp(l *network.Link, m *mapping) {
	l.DHCP = network.DHCP{
		V4: m.toggle("dhcp4") == network.On, V6: m.toggle("dhcp6") == network.On,
		ByMAC: m.text("dhcp_identifier") == "mac", Critical: m.toggle("critical") == network.On,
		Overrides4: r.overrides(m, "dhcp4_overrides"), Overrides6: r.overrides(m, "dhcp6_overrides"),
	}
	for _, key := range []string{"dhcp4", "dhcp6"} {
		if n := m.node(key); n != nil && m.toggle(key) == network.On && l.DHCP.At.IsZero() {
			l.DHCP.At = n.Range
		}
	}
}

func (r *reader) overrides(m *mapping, key string) network.Overrides {
	o := r.mapping(m.node(key), m.path(key))
	return network.Overrides{
		UseDNS: o.toggle("use_dns"), UseNTP: o.toggle("use_ntp"), UseHostname: o.toggle("use_hostname"), UseMTU: o.toggle("use_mtu"),
		UseRoutes: o.toggle("use_routes"), SendHostname: o.toggle("send_hostname"), UseDomains: o.domains(), Hostname: o.text("hostname"),
		Metric: o.unsigned("route_metric"),
	}
}

func (r *reader) ipv6(l *network.Link, m *mapping) {
	ra := r.mapping(m.node("ra_overrides"), m.path("ra_overrides"))
	l.IPv6 = network.IPv6{
		AcceptRA: m.toggle("accept_ra"), Privacy: m.toggle("ipv6_privacy"),
		Generation: m.text("ipv6_address_generation"), Token: token(m.text("ipv6_address_token")),
		RA: network.Overrides{UseDNS: ra.toggle("use_dns"), UseDomains: ra.domains()}, RATable: ra.number("table"),
	}
	if n := m.node("ipv6_address_token"); n != nil && l.IPv6.Generation != "" {
		r.Report(rules.NetworkConflict, m.path("ipv6_address_token"), n, "a token and a way to make addresses exclude each other").Detail = "leave ipv6-address-generation out"
	}
}

// token is an address in its one spelling.
func token(text string) string {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String()
	}
	return ""
}

// mac is a hardware address in its one spelling.
func mac(text string) string {
	made, fault := network.ParseMAC(text)
	if fault != nil {
		return ""
	}
	return made
}
