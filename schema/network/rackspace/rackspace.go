// Package rackspace reads Rackspace's description of the network: network_info in the vendor data of its configuration
// drives.
//
// [Read] is the thing to call. There are two forms. That of OnMetal, from which OpenStack's network_data.json came, has
// links, networks and services. That of virtual machines has an entry for each card, as its agents found them in the
// hypervisor's store: addresses, routes and name servers, by the card's hardware address. Keys that are not known are no
// finding.
//
// Format: no description of it was to be had in November 2026. The form of virtual machines is that of the store which
// Rackspace's guest agents read, from memory, and was not seen on a real machine.
package rackspace

import (
	"fmt"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
	"cloudconfig/schema/network/openstack"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// Read is the network that is described; nil if there is no card in it. If an error was found it must not be used.
func Read(c *findings.Collector, root *yamltree.Node) *network.Network {
	for _, key := range []string{"links", "networks", "services"} {
		if root.Get(key) != nil {
			return openstack.Read(c, root)
		}
	}
	r := &reader{Collector: c, ids: map[string]bool{}}
	r.network.At = findings.FirstLine(root.Range)
	for i, p := range root.Pairs {
		path := fmt.Sprintf("network_info[%d]", i)
		switch p.Value.Kind {
		case yamltree.Mapping:
			r.card(entry.Of(c, p.Value, path), p.Key)
		case yamltree.Sequence:
			for j, item := range p.Value.Items {
				if item.Kind == yamltree.Mapping {
					r.card(entry.Of(c, item, fmt.Sprintf("%s[%d]", path, j)), p.Key)
				}
			}
		}
	}
	if len(r.network.Links) > 0 {
		return &r.network
	}
	if !c.Diags.HasErrors() {
		c.ReportAt(rules.NetworkIgnored, "", r.network.At, "the description has neither links nor cards, and nothing is made of it")
	}
	return nil
}

type reader struct {
	*findings.Collector
	network network.Network
	ids     map[string]bool
	more    int // of those whose ID was taken
}

// card reads what is described of one card, at a key such as public.
func (r *reader) card(e *entry.Entry, key *yamltree.Node) {
	if e.Value("ips") == nil && e.Value("ip6s") == nil && e.Value("mac") == nil {
		return // of something else
	}
	l := network.Link{At: key.Range, ID: r.id(e, key.Value), Kind: network.Ethernet}
	mac := e.MAC("mac")
	if mac == "" {
		e.Needs("mac")
		return
	}
	l.Match = network.Match{MAC: mac, At: e.Value("mac").Range}
	r.addresses(e, "ips", "gateway", &l)
	r.addresses(e, "ip6s", "gateway_v6", &l)
	for _, way := range e.Entries("routes") {
		l.AddRoute(way.Route(way.Either("route", "network"), "netmask", "gateway", "metric"))
	}
	l.DNS.Servers = e.Servers("dns")
	r.network.Links = append(r.network.Links, l)
}

// addresses reads a list of addresses, and the default route of their family: a gateway stands beside the list, or beside
// each address. One that is not enabled is passed over.
func (r *reader) addresses(e *entry.Entry, list, gateway string, l *network.Link) {
	route := e.Gateway(gateway)
	for _, a := range e.Entries(list) {
		if a.Value("enabled") != nil && a.Toggle("enabled") == network.Off {
			continue
		}
		if a.Needed("ip") == nil {
			continue
		}
		if address := a.Address("ip", "netmask"); address != nil {
			l.Addresses = append(l.Addresses, *address)
		}
		if route == nil {
			route = a.Gateway("gateway")
		}
	}
	l.AddRoute(route)
}

// id is what a card is called among the others: its label, or the key it is at.
func (r *reader) id(e *entry.Entry, key string) string {
	id := e.Text("label")
	if network.CheckWord(id) != nil {
		id = key
	}
	if network.CheckWord(id) != nil {
		id = "card"
	}
	for plain := id; r.ids[id]; r.more++ {
		id = fmt.Sprintf("%s-%d", plain, r.more)
	}
	r.ids[id] = true
	return id
}
