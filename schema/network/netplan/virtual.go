package netplan

import (
	"cmp"
	"fmt"

	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

func (r *reader) bond(l *network.Link, m *mapping) {
	l.Members = m.members()
	n := m.node("parameters")
	if n == nil {
		return
	}
	p := r.mapping(n, m.path("parameters"))
	o := &network.BondOptions{
		Mode: p.text("mode"), LACPRate: p.text("lacp_rate"),
		TransmitHash: p.unlessNone("transmit_hash_policy"), AdSelect: p.unlessNone("ad_select"), PrimaryReselect: p.unlessNone("primary_reselect_policy"),
		MIIMonitor: p.count("mii_monitor_interval", "ms"), UpDelay: p.count("up_delay", "ms"), DownDelay: p.count("down_delay", "ms"),
		ARPInterval: p.count("arp_interval", "ms"), ARPValidate: p.text("arp_validate"), ARPAllTargets: p.text("arp_all_targets"),
		FailOverMAC: p.text("fail_over_mac_policy"), Primary: p.ref("primary"), MinLinks: p.unsigned("min_links"),
		AllMembersActive: cmp.Or(p.toggle("all_members_active"), p.toggle("all_slaves_active")),
		GratuitousARP:    cmp.Or(p.unsigned("gratuitous_arp"), p.unsigned("gratuitious_arp")),
		PacketsPerMember: cmp.Or(p.unsigned("packets_per_member"), p.unsigned("packets_per_slave")),
		ResendIGMP:       p.unsigned("resend_igmp"), LearnPacketSec: p.count("learn_packet_interval", "s"),
	}
	for _, target := range p.items("arp_ip_targets") {
		if a, fault := network.ParseAddr(target.Value); fault == nil {
			o.ARPTargets = append(o.ARPTargets, a)
		}
	}
	l.Bond = o
}

// unlessNone is a word of a bond's, where netplan takes none and neither the kernel nor networkd has such a word.
func (m *mapping) unlessNone(key string) string {
	text := m.text(key)
	if text != "none" {
		return text
	}
	m.ignored(key, "none is no %s, and the kernel's own is taken", key)
	return ""
}

func (r *reader) bridge(l *network.Link, m *mapping) {
	l.Members = m.members()
	n := m.node("parameters")
	if n == nil {
		return
	}
	p := r.mapping(n, m.path("parameters"))
	l.Bridge = &network.BridgeOptions{
		STP: cmp.Or(p.toggle("stp"), network.On), Priority: p.unsigned("priority"),
		AgeingTime:   cmp.Or(p.count("ageing_time", "s"), p.count("aging_time", "s")),
		ForwardDelay: p.count("forward_delay", "s"), HelloTime: p.count("hello_time", "s"), MaxAge: p.count("max_age", "s"),
	}
	r.portsOf(l.ID, p, "path_cost", func(m *network.Member, v uint32) { m.Cost = &v })
	r.portsOf(l.ID, p, "port_priority", func(m *network.Member, v uint32) { m.Priority = &v })
}

// port is something that is said of a bridge's port, before all links are read.
type port struct {
	bridge string // empty for whichever it is in
	id     string
	name   *yamltree.Node // where it is named, or said
	path   string
	set    func(*network.Member)
}

// portsOf keeps what a mapping says of the ports of a bridge by their names.
func (r *reader) portsOf(bridge string, m *mapping, key string, set func(*network.Member, uint32)) {
	n := m.node(key)
	if n == nil {
		return
	}
	for i, p := range n.Pairs {
		if v, ok := language.AsInteger(p.Value); ok && !r.Bad[p.Value] && !r.Bad[p.Key] {
			r.ports = append(r.ports, port{bridge, p.Key.Value, p.Key, fmt.Sprintf("%s[%d]", m.path(key), i), func(m *network.Member) { set(m, uint32(v)) }})
		}
	}
}

// portOf keeps what a link says of itself as a port of a bridge.
func (r *reader) portOf(id string, m *mapping) {
	for _, key := range []string{"hairpin", "port_mac_learning", "neigh_suppress"} {
		n := m.node(key)
		if n == nil {
			continue
		}
		t := m.toggle(key)
		r.ports = append(r.ports, port{"", id, n, m.path(key), func(m *network.Member) {
			switch key {
			case "hairpin":
				m.Hairpin = t
			case "port_mac_learning":
				m.Learning = t
			default:
				m.NeighSuppress = t
			}
		}})
	}
}

// setPorts gives the ports of bridges what was said of them.
func (r *reader) setPorts() {
	members := map[[2]string]*network.Member{} // by bridge and link, and by the link alone
	for i := range r.network.Links {
		l := &r.network.Links[i]
		if l.Kind != network.Bridge {
			continue
		}
		for j := range l.Members {
			m := &l.Members[j]
			members[[2]string{l.ID, m.ID}] = m
			members[[2]string{"", m.ID}] = m
		}
	}
	for _, p := range r.ports {
		switch m := members[[2]string{p.bridge, p.id}]; {
		case m != nil:
			p.set(m)
		case !r.names[p.id]:
			r.Report(rules.NetworkUndefined, p.path, p.name, "%q is not described", p.id).Detail = "give it an entry of its own, and name it in interfaces"
		default:
			r.ReportAt(rules.NetworkIgnored, p.path, p.name.Range, "%q is not in the bridge", p.id).Detail = "name it in interfaces"
		}
	}
}

// vrf reads a VRF. What is routed in it is in its table.
func (r *reader) vrf(l *network.Link, m *mapping) {
	l.Table = m.number("table")
	l.Members = m.members()
	for i := range l.Routes {
		if l.Routes[i].Table == 0 {
			l.Routes[i].Table = l.Table
		}
	}
	for i := range l.Rules {
		if l.Rules[i].Table == 0 {
			l.Rules[i].Table = l.Table
		}
	}
}
