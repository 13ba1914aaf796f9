package v1

import (
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// members reads the links that a bond or bridge is made of, beside those that it has. The word none is no link.
func (r *reader) members(e *entry.Entry, key string, l *network.Link) {
	there := map[string]bool{}
	for _, m := range l.Members {
		there[m.ID] = true
	}
	for _, item := range e.Items(key) {
		if item.Node.Value == "none" {
			continue
		}
		ref := r.ref(network.Ref{ID: item.Node.Value, At: item.Node.Range}, item.Path)
		if ref.ID != "" && !there[ref.ID] {
			there[ref.ID] = true
			l.Members = append(l.Members, network.Member{Ref: ref})
		}
	}
}

// bridgeParams are the parameters of a bridge, as bridge-utils-interfaces(5) calls them.
var bridgeParams = []string{"ageing", "bridgeprio", "fd", "hello", "maxage", "stp", "pathcost", "portprio", "hw", "ports", "vlan_aware", "gcint", "maxwait", "waitport"}

// bridge reads a bridge.
func (r *reader) bridge(e *entry.Entry, l *network.Link) {
	r.members(e, "bridge_interfaces", l)
	p := e.Below("params").Bare("bridge_")
	p.Only("the parameters of a bridge", bridgeParams...)
	seconds := func(key string, high uint32) *uint32 { return p.Number(key, "a number of seconds", 0, high) }
	l.Bridge = &network.BridgeOptions{
		STP: p.Toggle("stp"), Priority: p.Number("bridgeprio", "the priority of a bridge", 0, 65535),
		AgeingTime: seconds("ageing", 1<<24), ForwardDelay: seconds("fd", 3600), HelloTime: seconds("hello", 3600), MaxAge: seconds("maxage", 3600),
		VLANFiltering: p.Toggle("vlan_aware"),
	}
	if mac := p.MAC("hw"); mac != "" && l.MAC == "" {
		l.MAC = mac
	}
	r.members(p, "ports", l)
	if p.Value("gcint") != nil {
		p.Ignored("gcint", "systemd-networkd has no setting for gcint of a bridge")
	}
	for _, key := range []string{"maxwait", "waitport"} {
		if n := p.Value(key); n != nil && n.Value != "0" {
			p.Ignored(key, "systemd-networkd does not wait for ports: a bridge is up when one of them is")
		}
	}
	r.costsOf(p, "pathcost", l.ID, 65535, func(m *network.Member, v uint32) { m.Cost = &v })
	r.costsOf(p, "portprio", l.ID, 63, func(m *network.Member, v uint32) { m.Priority = &v })
	r.add(l)
}

// cost is something that a bridge says of one of its ports, with its place.
type cost struct {
	bridge, port string
	at           *yamltree.Node
	path         string
	set          func(*network.Member)
}

// costsOf reads what a bridge says of its ports: a list of "eth3 50", one of those alone, or a mapping.
func (r *reader) costsOf(p *entry.Entry, key, bridge string, high uint32, set func(*network.Member, uint32)) {
	n := p.Value(key)
	if n == nil {
		return
	}
	take := func(at *yamltree.Node, port, number, path string) {
		v, fault := network.ParseRange(number, "a "+key+" of a port", 0, high)
		if fault != nil {
			network.Refuse(r.Collector, rules.BadValue, path, at, fault)
			return
		}
		r.costs = append(r.costs, cost{bridge, port, at, path, func(m *network.Member) { set(m, v) }})
	}
	if n.Kind == yamltree.Mapping {
		for _, pair := range n.Pairs {
			take(pair.Value, pair.Key.Value, pair.Value.Value, p.Path(key))
		}
		return
	}
	items := []entry.Item{{Node: n, Path: p.Path(key)}}
	if n.Kind == yamltree.Sequence {
		items = p.Items(key)
	}
	for _, item := range items {
		words := strings.Fields(item.Node.Value)
		if len(words) == 0 || len(words)%2 != 0 {
			r.Report(rules.BadValue, item.Path, item.Node, "%s cannot be %s", item.Path, network.Quoted(item.Node.Value)).Detail = "write the name of a port, a blank and a number: eth3 50"
			continue
		}
		for i := 0; i < len(words); i += 2 {
			take(item.Node, words[i], words[i+1], item.Path)
		}
	}
}

// ports gives the ports of bridges what was said of them.
func (r *reader) ports() {
	if len(r.costs) == 0 {
		return
	}
	members := map[[2]string]*network.Member{}
	for i := range r.network.Links {
		l := &r.network.Links[i]
		for j := range l.Members {
			members[[2]string{l.ID, l.Members[j].ID}] = &l.Members[j]
		}
	}
	for _, c := range r.costs {
		if m := members[[2]string{c.bridge, c.port}]; m != nil {
			c.set(m)
			continue
		}
		d := r.ReportAt(rules.NetworkIgnored, c.path, c.at.Range, "%s is not in the bridge", network.Quoted(c.port))
		d.Severity, d.Detail = diag.Warning, "name it in bridge_interfaces"
	}
}
