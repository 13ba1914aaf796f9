package draw

import (
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/provisioner/plan"
)

// DrawnLink is what becomes of a link, in the JSON form of a plan.
type DrawnLink struct {
	// Link is what the description calls it, Interface what the running system does now, and Name what it will be called.
	Link      string `json:"link"`
	Interface string `json:"interface,omitempty"`
	Name      string `json:"name,omitempty"`
	MAC       string `json:"mac,omitempty"`
	// Action is "removed" of one that is no longer described, else missing.
	Action string `json:"action,omitempty"`
	// NetDev is "added", "changed" or "removed" of one that is made, and is not as it was.
	NetDev string `json:"netdev,omitempty"`
	// Master is the bond, bridge or VRF that it will be in, Parent what a VLAN or tunnel will be on.
	Master string `json:"master,omitempty"`
	Parent string `json:"parent,omitempty"`
	// MTU is what it is set to, missing if it has that.
	MTU int `json:"mtu,omitempty"`
	// DHCP are the families that are asked for: "ipv4", "ipv6". DHCPOff says that it was on, and is not any more.
	DHCP      []string       `json:"dhcp,omitempty"`
	DHCPOff   bool           `json:"dhcp_off,omitempty"`
	Addresses []DrawnAddress `json:"addresses,omitempty"`
	Routes    []DrawnRoute   `json:"routes,omitempty"`
	// DNS are its name servers, in order.
	DNS []string `json:"dns,omitempty"`
	Why []string `json:"why,omitempty"`
}

// DrawnAddress is an address with its bits: "added", "removed", or "kept".
type DrawnAddress struct {
	Action  string `json:"action"`
	Address string `json:"address"`
}

// DrawnRoute is a route: "added", "removed", or "kept". To is a network, or "default"; without Via it is on the link.
type DrawnRoute struct {
	Action string `json:"action"`
	To     string `json:"to"`
	Via    string `json:"via,omitempty"`
	Metric uint32 `json:"metric,omitempty"`
	// Table is missing if it is the main one.
	Table uint32 `json:"table,omitempty"`
}

// drawnLink is the JSON form of what becomes of a link.
func drawnLink(n *plan.LinkChange) *DrawnLink {
	d := &DrawnLink{
		Link: n.ID, Interface: n.Interface, Name: n.Name, MAC: n.MAC, NetDev: n.NetDev, MTU: n.MTU, DHCPOff: n.DHCPOff,
		Master: n.Master, Parent: n.Parent, Why: reasons(n.Why, ""),
	}
	if n.Gone {
		d.Action = "removed"
	}
	if n.DHCP4 {
		d.DHCP = append(d.DHCP, "ipv4")
	}
	if n.DHCP6 {
		d.DHCP = append(d.DHCP, "ipv6")
	}
	address := func(action string, a netip.Prefix) {
		d.Addresses = append(d.Addresses, DrawnAddress{action, a.String()})
	}
	route := func(action string, r *plan.InterfaceRoute) {
		to := DrawnRoute{Action: action, To: "default", Metric: r.Metric, Table: r.Table}
		if r.To.Bits() > 0 || !r.Via.IsValid() {
			to.To = r.To.String()
		}
		if r.Via.IsValid() {
			to.Via = r.Via.String()
		}
		if r.Table == plan.TableMain {
			to.Table = 0
		}
		d.Routes = append(d.Routes, to)
	}
	for _, server := range n.DNS {
		d.DNS = append(d.DNS, server.String())
	}
	// What is new is a part of what is wanted, in the same order.
	fresh := n.AddAddresses
	for _, a := range n.Addresses {
		isNew := len(fresh) > 0 && fresh[0] == a
		if isNew {
			fresh = fresh[1:]
		}
		address(kept(isNew), a)
	}
	ways := n.AddRoutes
	for i := range n.Routes {
		r := &n.Routes[i]
		isNew := len(ways) > 0 && ways[0] == *r
		if isNew {
			ways = ways[1:]
		}
		route(kept(isNew), r)
	}
	for _, a := range n.DropAddresses {
		address("removed", a)
	}
	for i := range n.DropRoutes {
		route("removed", &n.DropRoutes[i])
	}
	return d
}

func kept(isNew bool) string {
	if isNew {
		return "added"
	}
	return "kept"
}

// maxItems is how many addresses and routes of a link are drawn in the text form.
const maxItems = 32

// network draws what becomes of the links, each on a line: what it will have, with a sign where that is new or goes.
func (d *drawer) network(links []plan.LinkChange) {
	if len(links) == 0 {
		return
	}
	d.line("", "network:")
	for i := range links {
		n := drawnLink(&links[i])
		d.line("", "  %s: %s%s", n.title(), strings.Join(n.words(), ", "), because(links[i].Why, ""))
	}
}

// title is the name by which a link is known, with its hardware address.
func (n *DrawnLink) title() string {
	name := n.Interface
	if name == "" {
		name = n.Name
	}
	if name == "" {
		name = n.Link
	}
	if n.MAC != "" {
		name += " (" + n.MAC + ")"
	}
	return name
}

// words are what becomes of a link, item by item.
func (n *DrawnLink) words() []string {
	var words []string
	say := func(word string) { words = append(words, word) }
	named := func(what, value string) {
		if value != "" {
			say(what + value)
		}
	}
	switch n.NetDev {
	case "added":
		say("made")
	case "changed":
		say("made anew")
	case "removed":
		say("taken away")
	}
	switch {
	case n.Action == "removed" && n.NetDev == "":
		say("no longer described")
	}
	if n.Interface != "" && n.Name != "" && n.Name != n.Interface {
		say("renamed to " + n.Name)
	}
	named("in ", n.Master)
	named("on ", n.Parent)
	var items []string
	for _, removed := range []bool{false, true} { // what goes comes last
		for _, a := range n.Addresses {
			if (a.Action == "removed") == removed {
				items = append(items, mark(a.Action)+a.Address)
			}
		}
		for _, r := range n.Routes {
			if (r.Action == "removed") == removed {
				items = append(items, mark(r.Action)+r.text())
			}
		}
	}
	if len(items) > maxItems {
		items = append(items[:maxItems:maxItems], strconv.Itoa(len(items)-maxItems)+" more")
	}
	words = append(words, items...)
	switch {
	case len(n.DHCP) == 2:
		say("dhcp")
	case len(n.DHCP) == 1:
		say("dhcp " + n.DHCP[0])
	case n.DHCPOff:
		say("dhcp off")
	}
	named("dns ", strings.Join(n.DNS, " "))
	if n.MTU != 0 {
		say("mtu " + strconv.Itoa(n.MTU))
	}
	if len(words) == 0 {
		return []string{"no address"}
	}
	return words
}

// mark is the sign in front of an address or route; none of what stays.
func mark(action string) string {
	if action == "kept" {
		return ""
	}
	sign, _ := Mark(action)
	return sign + " "
}

func (r *DrawnRoute) text() string {
	text := r.To
	if r.Via != "" {
		text += " via " + r.Via
	}
	if r.Metric != 0 {
		text += " metric " + strconv.FormatUint(uint64(r.Metric), 10)
	}
	if r.Table != 0 {
		text += " table " + strconv.FormatUint(uint64(r.Table), 10)
	}
	return text
}
