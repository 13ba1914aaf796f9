// Package openstack reads OpenStack's description of the network: network_data.json of its metadata service and of
// configuration drives.
//
// [Read] is the thing to call. Keys that are not known are no finding, since platforms add their own; a type of link or
// network that is not known is a warning, and it is taken for a card, as cloud-init does.
//
// A card is found by its hardware address and keeps its name, unless the description has one for it: what OpenStack
// calls a link is the name of its other end on the host. The names of links that are made are ours.
//
// Format: cloud-init, convert_net_json of cloudinit/sources/helpers/openstack.py, a copy without a date that was read in
// November 2026; Nova's own schema was not at hand.
package openstack

import (
	"slices"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
	"cloudconfig/schema/network/v1"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// Read is the network that links, networks and services describe; nil if there is no link in it. If an error was found
// it must not be used.
func Read(c *findings.Collector, root *yamltree.Node) *network.Network {
	r := &reader{Collector: c, links: map[string]int{}, taken: map[string]bool{}, announced: map[int]bool{}, fixed: map[int]bool{}}
	r.network.At = findings.FirstLine(root.Range)
	top := entry.Of(c, root, "network_data")
	links := top.Entries("links")
	for _, e := range links {
		if name := e.Text("name"); name != "" {
			r.taken[name] = true
		}
	}
	for _, e := range links {
		r.link(e)
	}
	ids := r.name()
	r.resolve(ids)
	for _, e := range top.Entries("networks") {
		r.ip(e)
	}
	r.routers()
	r.services(top, &r.network.DNS)
	if len(r.network.Links) == 0 {
		return nil
	}
	entry.Limit(c, &r.network.DNS)
	return &r.network
}

type reader struct {
	*findings.Collector
	network network.Network
	links   map[string]int  // where in the network each link is, by what the description calls it
	taken   map[string]bool // the names that links have
	// announced are the links that are to listen to routers, fixed those with an IPv6 address from here.
	announced, fixed map[int]bool
}

// cards are the types of link that are cards of the machine, whatever they are on the host.
//
// Source: cloud-init's KNOWN_PHYSICAL_TYPES, as above; those that it lacks are what Nova calls VIF types, from memory.
var cards = []string{
	"phy", "vif", "ovs", "bridge", "tap", "hyperv", "dvs", "hw_veb", "hostdev_physical", "hostdev", "macvtap", "vhostuser", "cascading", "ethernet", "physical",
	"802.1qbg", "802.1qbh", "ib_hostdev", "ivs", "midonet", "binding_failed", "unbound", "other", "agilio_ovs", "vrouter", "nw_info", "null",
}

// link reads a link. What it is called in the network is settled once all are read.
func (r *reader) link(e *entry.Entry) {
	id := e.Scalar("id")
	if id == nil {
		e.Needs("id")
		return
	}
	l := network.Link{At: id.Range, ID: id.Value, Kind: network.Ethernet}
	l.MTU, l.MTUAt = e.MTU("mtu")
	switch kind := e.Text("type"); kind {
	case "bond":
		l.Kind = network.Bond
		l.MAC = e.MAC("ethernet_mac_address")
		for _, item := range e.Items("bond_links") {
			l.Members = append(l.Members, network.Member{Ref: network.Ref{ID: item.Node.Value, At: item.Node.Range}})
		}
		p := e.Bare("bond_")
		o := v1.Bond(p)
		o.Primary = p.Ref("primary")
		l.Bond = o
	case "vlan":
		l.Kind = network.VLAN
		if l.MAC = e.MAC("vlan_mac_address"); l.MAC == "" {
			l.MAC = e.MAC("ethernet_mac_address")
		}
		e.Needed("vlan_id")
		e.Needed("vlan_link")
		l.Parent = e.Ref("vlan_link")
		if n := e.Number("vlan_id", "the number of a VLAN", 0, 4094); n != nil {
			l.VLANID = int(*n)
		}
	default:
		if kind != "" && !slices.Contains(cards, kind) {
			e.Ignored("type", "a link of type %s is not known, and is taken for a card", network.Quoted(kind))
		}
		r.card(e, &l)
	}
	if first, there := r.links[l.ID]; there {
		d := r.ReportAt(rules.NetworkTwice, e.Path("id"), l.At, "the link %s is described twice", network.Quoted(l.ID))
		d.Related = []diag.Related{{Message: "the first one", At: r.network.Links[first].At}}
		return
	}
	r.links[l.ID] = len(r.network.Links)
	r.network.Links = append(r.network.Links, l)
}

// card reads what finds a card: its address, else its name.
func (r *reader) card(e *entry.Entry, l *network.Link) {
	if mac := e.MAC("ethernet_mac_address"); mac != "" {
		l.Match = network.Match{MAC: mac, At: e.Value("ethernet_mac_address").Range}
	}
	name := e.Scalar("name")
	if name == nil {
		if l.Match.MAC == "" {
			e.Needs("ethernet_mac_address")
		}
		return
	}
	if fault := network.CheckName(name.Value); fault != nil {
		network.Refuse(r.Collector, rules.NetworkName, e.Path("name"), name, fault)
		return
	}
	l.Rename = name.Value
}
