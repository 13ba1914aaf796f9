// Package v1 reads version 1 of cloud-init's language of networks: a list of entries, each with a type.
//
// [Read] is the thing to call. It checks what it reads: which keys an entry has depends on its type. What cloud-init
// takes and systemd-networkd can do is an error nowhere, but for keys that do not exist. Whether links fit each other is
// for [network.Check].
//
// Format: cloud-init, doc/rtd/reference/network-config-format-v1.rst and cloudinit/net/network_state.py, copies
// without a date that were read in November 2026. What it means is what cloudinit/net/networkd.py makes of it there.
package v1

import (
	"slices"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// Read is the network that a mapping with version and config describes; nil if there is no link in it. If an error was
// found it must not be used.
func Read(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := &reader{Collector: c, links: map[string]int{}}
	r.network.At = findings.FirstLine(root.Range)
	top := entry.Of(c, root, "network")
	top.Needed("config")
	for _, e := range top.Entries("config") {
		r.entry(e)
	}
	r.mention()
	r.tie()
	r.ports()
	r.place()
	if len(r.network.Links) == 0 {
		return nil
	}
	entry.Limit(c, &r.network.DNS)
	return &r.network
}

type reader struct {
	*findings.Collector
	network network.Network
	links   map[string]int  // where in the network each link is, by its name
	refs    []network.Ref   // the links that others are made on
	tied    []tied          // name servers of one link
	costs   []cost          // what bridges say of their ports
	routes  []network.Route // those of no link
}

// tied is name servers of the link that is named.
type tied struct {
	link network.Ref
	path string
	dns  network.DNS
}

// types are what an entry may be, in the order in which a finding lists them.
var types = []string{"physical", "bond", "bridge", "vlan", "infiniband", "loopback", "nameserver", "route"}

// common are the keys of all links. An id is curtin's, and names the entry for nobody but MAAS.
var common = []string{"type", "name", "id", "mac_address", "mtu", "subnets", "accept_ra", "params", "wakeonlan"}

// routeKeys are those of a route, of a subnet or of no link.
var routeKeys = []string{"type", "id", "destination", "network", "netmask", "prefix", "gateway", "metric"}

// entry reads one entry, of whatever type.
func (r *reader) entry(e *entry.Entry) {
	if e.Needed("type") == nil {
		return
	}
	l := network.Link{At: e.At(), Kind: network.Ethernet}
	switch kind := e.Word("type", types...); kind {
	case "physical", "infiniband", "loopback":
		e.Only("an entry of type "+kind, common...)
		r.card(e, &l, kind)
	case "bond":
		e.Only("a bond", append(slices.Clone(common), "bond_interfaces")...)
		l.Kind = network.Bond
		r.made(e, &l)
		r.bond(e, &l)
	case "bridge":
		e.Only("a bridge", append(slices.Clone(common), "bridge_interfaces")...)
		l.Kind = network.Bridge
		r.made(e, &l)
		r.bridge(e, &l)
	case "vlan":
		e.Only("a VLAN", append(slices.Clone(common), "vlan_link", "vlan_id")...)
		l.Kind = network.VLAN
		r.made(e, &l)
		r.vlan(e, &l)
	case "nameserver":
		e.Only("a nameserver", "type", "id", "address", "search", "interface")
		r.nameserver(e)
	case "route":
		e.Only("a route", routeKeys...)
		if route := r.route(e); route != nil {
			r.routes = append(r.routes, *route)
		}
	}
}

// add takes a link that is read. The loopback needs no description unless something is configured on it beside what the
// kernel does.
func (r *reader) add(l *network.Link) {
	if l.ID == "lo" && len(l.Addresses) == 0 && len(l.Routes) == 0 || l.ID == "" {
		return
	}
	if _, there := r.links[l.ID]; !there {
		r.links[l.ID] = len(r.network.Links)
	}
	r.network.Links = append(r.network.Links, *l) // one that is there twice is for network.Check
}

// name reads what a link is called, which is the name of the interface.
func (r *reader) name(e *entry.Entry, l *network.Link) {
	n := e.Scalar("name")
	if n == nil {
		e.Needs("name")
		return
	}
	l.At = n.Range
	if fault := network.CheckName(n.Value); fault != nil {
		network.Refuse(r.Collector, rules.NetworkName, e.Path("name"), n, fault)
		return
	}
	l.ID = n.Value
}

// card reads a link that the machine has. One with an address is given its name, as cloud-init does.
func (r *reader) card(e *entry.Entry, l *network.Link, kind string) {
	r.name(e, l)
	if mac := e.MAC("mac_address"); mac != "" && kind != "loopback" {
		l.Match = network.Match{MAC: mac, At: e.Value("mac_address").Range}
		l.Rename = l.ID
	}
	l.Hardware.WakeOnLAN = e.Toggle("wakeonlan")
	if p := e.Value("params"); p != nil {
		e.Ignored("params", "a card has no parameters")
	}
	r.ip(e, l)
	r.add(l)
}

// made reads what all links that are made have in common; whoever calls it adds the link.
func (r *reader) made(e *entry.Entry, l *network.Link) {
	r.name(e, l)
	l.MAC = e.MAC("mac_address")
	if e.Value("wakeonlan") != nil {
		e.Ignored("wakeonlan", "only a card can wake the machine")
	}
	r.ip(e, l)
}

func (r *reader) vlan(e *entry.Entry, l *network.Link) {
	e.Needed("vlan_id")
	e.Needed("vlan_link")
	if id := e.Number("vlan_id", "the number of a VLAN", 0, 4094); id != nil {
		l.VLANID = int(*id)
	}
	if e.Value("params") != nil {
		e.Ignored("params", "a VLAN has no parameters")
	}
	l.Parent = r.ref(e.Ref("vlan_link"), e.Path("vlan_link"))
	r.add(l)
}

// ref checks the name of a link that another is made on, and remembers it; it is empty if it cannot be one.
func (r *reader) ref(ref network.Ref, path string) network.Ref {
	if ref.ID == "" {
		return ref
	}
	if fault := network.CheckName(ref.ID); fault != nil {
		r.ReportAt(rules.NetworkName, path, ref.At, "%s", fault.Summary).Detail = fault.Detail
		return network.Ref{}
	}
	r.refs = append(r.refs, ref)
	return ref
}

// mention describes the links that are named and have no entry: cloud-init takes them for cards of that name.
func (r *reader) mention() {
	for _, ref := range r.refs {
		if _, there := r.links[ref.ID]; !there {
			r.add(&network.Link{At: ref.At, ID: ref.ID, Kind: network.Ethernet})
		}
	}
}

func (r *reader) nameserver(e *entry.Entry) {
	var dns network.DNS
	e.DNS(&dns, "address", "search")
	if e.Value("address") == nil && e.Value("search") == nil {
		e.Needs("address")
	}
	if link := e.Ref("interface"); link.ID != "" {
		r.tied = append(r.tied, tied{link, e.Path("interface"), dns})
		return
	}
	r.network.DNS.Servers = append(r.network.DNS.Servers, dns.Servers...)
	r.network.DNS.Search = append(r.network.DNS.Search, dns.Search...)
}

// tie gives links their name servers. Such a link is not given those of all links.
func (r *reader) tie() {
	for _, t := range r.tied {
		i, there := r.links[t.link.ID]
		if !there {
			r.ReportAt(rules.NetworkUndefined, t.path, t.link.At, "no entry describes %s", network.Quoted(t.link.ID)).Detail = "name a link that has an entry, or leave interface out for all links"
			continue
		}
		own := &r.network.Links[i].DNS
		own.Servers, own.Search, own.Alone = append(own.Servers, t.dns.Servers...), append(own.Search, t.dns.Search...), true
	}
}

// route reads an entry that is a route, or one of a subnet.
func (r *reader) route(e *entry.Entry) *network.Route {
	return e.Route(e.Either("destination", "network"), e.Either("netmask", "prefix"), "gateway", "metric")
}
