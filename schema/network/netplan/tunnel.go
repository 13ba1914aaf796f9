package netplan

import (
	"cmp"
	"fmt"
	"strings"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/secret"
	"cloudconfig/schema/yamltree"
)

func (r *reader) tunnel(l *network.Link, m *mapping, key *yamltree.Node) {
	t := &network.TunnelOptions{Mode: m.text("mode"), TTL: m.unsigned("ttl")}
	l.Tunnel, l.Parent = t, m.ref("link")
	if n := m.node("local"); n != nil {
		t.Local, _ = network.ParseAnyAddr(n.Value)
	}
	if n := m.node("remote"); n != nil {
		t.Remote, _ = network.ParseAnyAddr(n.Value)
	}
	switch t.Mode {
	case "":
	case "wireguard":
		r.wireguard(t, m, key)
	case "vxlan":
		r.vxlan(t, m, key)
	default:
		r.ends(t, m, key)
		r.keys(t, m)
	}
}

// ends checks both ends of a tunnel of IP in IP.
func (r *reader) ends(t *network.TunnelOptions, m *mapping, entry *yamltree.Node) {
	if m.found["remote"] == nil {
		r.ReportAt(rules.MissingKey, m.at, entry.Range, "%s needs %q", m.at, "remote")
	}
	v6 := false
	switch t.Mode {
	case "ip6gre", "ip6gretap", "ip6ip6", "ipip6", "vti6":
		v6 = true
	}
	family := "IPv4"
	if v6 {
		family = "IPv6"
	}
	for _, end := range []string{"local", "remote"} {
		n := m.node(end)
		if n == nil {
			continue
		}
		if a, fault := network.ParseAnyAddr(n.Value); fault == nil && a.Is4() == v6 {
			r.Report(rules.NetworkConflict, m.path(end), n, "the ends of %s are addresses of %s", t.Mode, family)
		}
	}
}

// keys reads the keys of a tunnel that has some.
func (r *reader) keys(t *network.TunnelOptions, m *mapping) {
	name, n := m.keys()
	if n == nil {
		return
	}
	switch t.Mode {
	case "gre", "gretap", "ip6gre", "ip6gretap", "vti", "vti6":
	default:
		r.Report(rules.NetworkConflict, m.path(name), n, "a tunnel of mode %s has no key", t.Mode)
		return
	}
	if n.Kind == yamltree.Mapping {
		own := r.mapping(n, m.path(name))
		t.InputKey, t.OutputKey = own.text("input"), own.text("output")
		return
	}
	if !language.IsTunnelKey(n.Value) {
		d := r.Report(rules.BadValue, m.path(name), n, "%s is no key of a tunnel", m.path(name))
		d.Detail, d.Secret = "a number, or one written as an IPv4 address", true
		return
	}
	t.InputKey, t.OutputKey = n.Value, n.Value
}

// keys is the value of key or keys, which are two names of one thing.
func (m *mapping) keys() (string, *yamltree.Node) {
	if n := m.node("keys"); n != nil {
		return "keys", n
	}
	return "key", m.node("key")
}

func (r *reader) wireguard(t *network.TunnelOptions, m *mapping, entry *yamltree.Node) {
	t.Mark = m.unsigned("mark")
	t.ListenPort = m.unsigned("port") // nil for auto
	name, n := m.keys()
	path := m.path(name)
	if n != nil && n.Kind == yamltree.Mapping {
		own := r.mapping(n, path)
		path, n = own.path("private"), own.node("private")
	}
	switch {
	case n != nil && n.Kind == yamltree.Scalar && strings.HasPrefix(n.Value, "/"):
		t.PrivateKeyFile = n.Value
	case n != nil && n.Kind == yamltree.Scalar && language.IsPeerKey(n.Value):
		t.PrivateKey = secret.Text(n.Value)
	case n != nil:
		d := r.Report(rules.NetworkSecret, path, n, "%s is neither a key of WireGuard's nor the path of a file", path)
		d.Detail, d.Secret = "wg genkey makes one", true
	case m.found["key"] == nil && m.found["keys"] == nil:
		r.ReportAt(rules.MissingKey, m.at, entry.Range, "%s needs %q", m.at, "key")
	}
	for i, item := range m.items("peers") {
		if item.Kind == yamltree.Mapping {
			r.peer(t, item, fmt.Sprintf("%s[%d]", m.path("peers"), i))
		}
	}
}

func (r *reader) peer(t *network.TunnelOptions, n *yamltree.Node, at string) {
	m := r.mapping(n, at)
	own := r.mapping(m.node("keys"), m.path("keys"))
	p := network.Peer{PublicKey: own.text("public"), Endpoint: m.text("endpoint"), Keepalive: m.unsigned("keepalive"), At: findings.FirstLine(n.Range)}
	if shared := own.text("shared"); strings.HasPrefix(shared, "/") {
		p.PresharedKeyFile = shared
	} else {
		p.PresharedKey = secret.Text(shared)
	}
	if m.found["allowed_ips"] == nil {
		r.ReportAt(rules.MissingKey, at, p.At, "%s needs %q", at, "allowed_ips")
	}
	for _, item := range m.items("allowed_ips") {
		if to, fault := language.AsNetwork(item.Value); fault == nil && to.IsValid() {
			p.AllowedIPs = append(p.AllowedIPs, to)
		}
	}
	t.Peers = append(t.Peers, p)
}

func (r *reader) vxlan(t *network.TunnelOptions, m *mapping, entry *yamltree.Node) {
	t.VNI = m.unsigned("id")
	if m.found["id"] == nil {
		r.ReportAt(rules.MissingKey, m.at, entry.Range, "%s needs %q", m.at, "id")
	}
	if t.Local.IsValid() && t.Remote.IsValid() && t.Local.Is4() != t.Remote.Is4() {
		r.Report(rules.NetworkConflict, m.path("remote"), m.node("remote"), "both ends of VXLAN are of one family")
	}
	if t.Remote.IsMulticast() {
		t.Group, t.Remote = t.Remote, t.Group
	}
	t.Port, t.TypeOfService, t.FlowLabel = m.unsigned("port"), m.unsigned("type_of_service"), m.unsigned("flow_label")
	t.MACLearning, t.ARPProxy, t.ShortCircuit = m.toggle("mac_learning"), m.toggle("arp_proxy"), m.toggle("short_circuit")
	t.DontFragment = m.toggle("do_not_fragment")
	t.Ageing, t.Limit = cmp.Or(m.unsigned("ageing"), m.unsigned("aging")), m.unsigned("limit")
	t.Notifications, t.Checksums, t.Extensions = m.texts("notifications"), m.texts("checksums"), m.texts("extensions")
	if ports := m.items("port_range"); len(ports) == 2 {
		for i, n := range ports {
			v, _ := language.AsInteger(n)
			t.PortRange[i] = uint16(v)
		}
		if t.PortRange[0] > t.PortRange[1] {
			t.PortRange[0], t.PortRange[1] = t.PortRange[1], t.PortRange[0]
		}
	}
}
