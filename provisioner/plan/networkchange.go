package plan

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/networkd"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// NetworkChange is what becomes of the machine's network.
type NetworkChange struct {
	// Links are those whose files come, change or go, in the order of the description; then those that it no longer has.
	Links []LinkChange
}

// LinkChange is what becomes of a link: of one interface, if the running system has it. A link that is several cards
// is several of these.
type LinkChange struct {
	// ID is the link's in the description, or in the name of its files if Gone.
	ID string
	// Kind is empty if it is Gone and no file of ours made it.
	Kind network.Kind
	// Gone says that the description no longer has it.
	Gone bool
	// Interface is what the running system calls it now; empty if it is not there, and below another root.
	Interface string
	// Name is what it will be called; empty if that is not known, and of one that goes.
	Name string
	// MAC is that of Interface, its own if it has one.
	MAC string
	// Files are those of it that come, change or go: "etc/systemd/network/05-provisioner-eth0.network".
	Files []string
	// NetDev is what becomes of the interface that a .netdev of ours makes: "added", "changed" or "removed"; empty if that
	// stays as it is. networkd neither changes nor removes one that is there.
	NetDev string
	// Rename says that Interface is to be called Name from now on.
	Rename bool
	// MTU is to be set: it is wanted, and is not what Interface has. Else 0.
	MTU int
	// DHCP4, DHCP6 and RA say what will be taken of servers and routers. DHCPOff says that the interface has what a server
	// gave it, and will not have it any more.
	DHCP4, DHCP6, RA, DHCPOff bool
	Optional                  bool
	Activation                string // as of network.Link
	// Master is the bond, bridge or VRF that it will be in, Parent what a VLAN or tunnel will be on: IDs.
	Master, Parent string
	// Addresses and Routes are what the description gives it, Gateways those of the routes, of default routes first.
	Addresses []netip.Prefix
	Routes    []InterfaceRoute
	Gateways  []netip.Addr
	// DNS are its name servers, in order; those of all links are not among them.
	DNS []netip.Addr
	// What is new on Interface, and what of it will not be there any more.
	AddAddresses, DropAddresses []netip.Prefix
	AddRoutes, DropRoutes       []InterfaceRoute
	Why                         []source.Range
}

// linkChange says what becomes of a link on an interface; that is nil if it is not there.
func (p *networkPlan) linkChange(l *network.Link, files []networkFile, on *Interface) *LinkChange {
	n := &LinkChange{
		ID: l.ID, Kind: l.Kind, Name: l.Name(), MTU: l.MTU, Optional: l.Optional, Activation: l.Activation,
		Why: []source.Range{l.At},
	}
	for _, f := range files {
		n.Files = append(n.Files, f.path)
		if strings.HasSuffix(f.path, ".netdev") {
			n.NetDev = f.action()
		}
	}
	ours := !p.left[l.ID]
	if ours {
		in := p.masters[l.ID]
		n.Parent = l.Parent.ID
		n.DHCP4, n.DHCP6 = l.DHCP.V4, l.DHCP.V6
		n.RA = l.IPv6.AcceptRA != network.Off && !(l.LinkLocal.Said && !l.LinkLocal.V6) && (in == nil || in.Kind == network.VRF || l.IPv6.AcceptRA == network.On)
		for _, a := range l.Addresses {
			n.Addresses = append(n.Addresses, a.Prefix)
		}
		for _, server := range l.DNS.Servers {
			n.DNS = append(n.DNS, server.Addr)
		}
		table := uint32(TableMain)
		if in != nil {
			n.Master = in.ID
			if in.Kind == network.VRF {
				table = in.Table
			}
		}
		n.routes(l, table)
	}
	if on == nil {
		n.AddAddresses, n.AddRoutes = n.Addresses, n.Routes
		return n
	}
	n.Interface, n.MAC = on.Name, on.OwnMAC()
	if n.Name == "" {
		n.Name = on.Name
	}
	n.Rename = l.Rename != "" && l.Rename != on.Name
	if on.MTU == l.MTU {
		n.MTU = 0
	}
	if ours {
		n.compare(on)
	}
	return n
}

func (f *networkFile) action() string {
	switch {
	case f.now == "":
		return "removed"
	case f.was == "":
		return "added"
	}
	return "changed"
}

// TableMain is the kernel's main routing table.
const TableMain = 254

// routes takes the routes of a link, and their gateways. table is that of routes which name none.
func (n *LinkChange) routes(l *network.Link, table uint32) {
	var others []netip.Addr
	for i := range l.Routes {
		r := &l.Routes[i]
		if r.Type != "" && r.Type != "unicast" {
			continue // it is on no link
		}
		to := InterfaceRoute{To: r.To, Via: r.Via, Source: r.From, Table: r.Table, Protocol: "static"}
		if to.Table == 0 {
			to.Table = table
		}
		if r.Metric != nil {
			to.Metric = *r.Metric
		}
		n.Routes = append(n.Routes, to)
		switch {
		case !r.Via.IsValid():
		case r.IsDefault():
			n.Gateways = append(n.Gateways, r.Via)
		default:
			others = append(others, r.Via)
		}
	}
	var once []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, g := range append(n.Gateways, others...) {
		if !seen[g] {
			once, seen[g] = append(once, g), true
		}
	}
	n.Gateways = once
}

// compare holds what is wanted against what an interface has: networkd takes away whatever it is not told of. What the kernel
// does by itself is nobody's.
func (n *LinkChange) compare(on *Interface) {
	there, wanted := map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
	for _, has := range on.Addresses {
		there[has.Prefix] = true
	}
	for _, a := range n.Addresses {
		wanted[a] = true
		if !there[a] {
			n.AddAddresses = append(n.AddAddresses, a)
		}
	}
	for _, has := range on.Addresses {
		if has.Prefix.Addr().IsLinkLocalUnicast() || wanted[has.Prefix] || has.Dynamic && n.gives(has.Prefix.Addr()) {
			continue
		}
		n.DropAddresses = append(n.DropAddresses, has.Prefix)
		n.DHCPOff = n.DHCPOff || has.Dynamic && has.Prefix.Addr().Is4()
	}
	for i := range n.Routes {
		if r := &n.Routes[i]; !slices.ContainsFunc(on.Routes, r.isThere) {
			n.AddRoutes = append(n.AddRoutes, *r)
		}
	}
	for _, has := range on.Routes {
		wanted := slices.ContainsFunc(n.Routes, func(r InterfaceRoute) bool { return r.isThere(has) })
		dynamic := has.Protocol == "dhcp" || has.Protocol == "ra"
		if wanted || has.Protocol == "kernel" || dynamic && n.gives(has.To.Addr()) {
			continue
		}
		n.DropRoutes = append(n.DropRoutes, has)
		n.DHCPOff = n.DHCPOff || has.Protocol == "dhcp"
	}
}

// gives says that a server or router gives what is of the family of an address.
func (n *LinkChange) gives(a netip.Addr) bool {
	return a.Is4() && n.DHCP4 || a.Is6() && (n.DHCP6 || n.RA)
}

// isThere says that a route that the kernel has is the one that is wanted. A metric that nobody asked for is the kernel's choice.
func (r *InterfaceRoute) isThere(has InterfaceRoute) bool {
	return r.To == has.To && r.Via == has.Via && r.Table == has.Table && (r.Metric == 0 || r.Metric == has.Metric)
}

// linkGone says what becomes of the link that files were of, and of its interface; nothing if that is another link's.
func (p *networkPlan) linkGone(of string, files []networkFile, others map[*Interface]string) []LinkChange {
	n := LinkChange{ID: strings.TrimPrefix(of, networkd.Prefix), Gone: true, Why: []source.Range{p.Input.Network.At}}
	var made netdev
	var m match
	var addresses []netip.Prefix
	for _, f := range files {
		n.Files = append(n.Files, f.path)
		switch path.Ext(f.path) {
		case ".netdev":
			made = madeBy(f.was)
			n.NetDev, n.Kind = "removed", network.Kind(made.kind)
		case ".network":
			m = matchOf(f.was)
			addresses = addressesIn(f.was)
		}
	}
	if made.name != "" {
		n.ID = made.name
	}
	var all []LinkChange
	owned := false
	for i := range p.Facts.Interfaces {
		on := &p.Facts.Interfaces[i]
		if on.Name != made.name && (made.name != "" || !m.fits(traitsOf(on))) {
			continue
		}
		if others[on] != "" {
			owned = true
			continue
		}
		goes := n
		goes.Interface, goes.MAC = on.Name, on.OwnMAC()
		for _, has := range on.Addresses {
			if has.Prefix.Addr().IsLinkLocalUnicast() {
				continue
			}
			if n.NetDev != "" || slices.Contains(addresses, has.Prefix) {
				goes.DropAddresses = append(goes.DropAddresses, has.Prefix)
			}
		}
		all = append(all, goes)
	}
	if len(all) == 0 && !owned {
		all = append(all, n)
	}
	return all
}

// netdev is what a .netdev makes.
type netdev struct{ name, kind string }

func madeBy(text string) netdev {
	var n netdev
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		for _, d := range s.Directives {
			switch {
			case s.Name == "NetDev" && d.Name == "Name":
				n.name = d.Value
			case s.Name == "NetDev" && d.Name == "Kind":
				n.kind = d.Value
			}
		}
	}
	return n
}

// addressesIn are those that a .network gives.
func addressesIn(text string) []netip.Prefix {
	var all []netip.Prefix
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		for _, d := range s.Directives {
			if p, err := netip.ParsePrefix(d.Value); err == nil && d.Name == "Address" {
				all = append(all, p)
			}
		}
	}
	return all
}
