package network_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

// at is a place; tests count them as lines.
func at(line int) source.Range {
	return source.Range{File: "f", Start: source.Pos{Line: line, Column: 1, Offset: line}, End: source.Pos{Line: line, Column: 2, Offset: line + 1}}
}

func ref(id string, line int) network.Ref { return network.Ref{ID: id, At: at(line)} }

func member(id string, line int) network.Member { return network.Member{Ref: ref(id, line)} }

func address(text string, line int) network.Address {
	return network.Address{Prefix: netip.MustParsePrefix(text), At: at(line)}
}

// route is one in the words of ip(8), without the link.
func route(to, via string, line int) network.Route {
	r := network.Route{At: at(line), ViaAt: at(line)}
	switch {
	case to == "default" && strings.Contains(via, ":"):
		r.To = netip.MustParsePrefix("::/0")
	case to == "default":
		r.To = netip.MustParsePrefix("0.0.0.0/0")
	default:
		r.To = netip.MustParsePrefix(to)
	}
	if via != "" {
		r.Via = netip.MustParseAddr(via)
	}
	return r
}

func metric(n uint32, r network.Route) network.Route {
	r.Metric = &n
	return r
}

func table(n uint32, r network.Route) network.Route {
	r.Table = n
	return r
}

func onLink(r network.Route) network.Route {
	r.OnLink = network.On
	return r
}

func servers(line int, addrs ...string) (d network.DNS) {
	for _, a := range addrs {
		d.Servers = append(d.Servers, network.Server{Addr: netip.MustParseAddr(a), At: at(line)})
	}
	return d
}

// card is an Ethernet link with an address.
func card(id string, line int, addresses ...string) network.Link {
	l := network.Link{ID: id, Kind: network.Ethernet, At: at(line), IPv6: network.IPv6{AcceptRA: network.Off}}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, address(a, line))
	}
	return l
}

func routed(l network.Link, routes ...network.Route) network.Link {
	l.Routes = routes
	return l
}

func TestCheck(t *testing.T) {
	const mac, other = "52:54:00:00:00:01", "52:54:00:00:00:02"
	dhcp := network.DHCP{V4: true, At: at(90)}
	for _, tc := range []struct {
		name  string
		links []network.Link
		dns   network.DNS
		want  string // LINE SEVERITY RULE: SUMMARY (LINES OF OTHER PLACES), a line each
	}{
		{"nothing", nil, network.DNS{}, ""},
		{"a network as most have it", []network.Link{
			{ID: "lan", Kind: network.Ethernet, At: at(1), Match: network.Match{MAC: mac}, Rename: "lan0", DHCP: dhcp},
			routed(card("eth1", 2, "192.0.2.10/24", "2001:db8::10/64"), route("default", "192.0.2.1", 3), route("default", "2001:db8::1", 4)),
		}, servers(5, "192.0.2.53", "9.9.9.9", "2001:db8:1::53"), ""},

		// Links.
		{"one ID twice", []network.Link{card("eth0", 1), {ID: "eth0", Kind: network.Dummy, At: at(2)}}, network.DNS{},
			`2 error network-twice: "eth0" is described twice (1)`},
		{"one name twice in the end", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{MAC: mac}, Rename: "br0"},
			{ID: "br0", Kind: network.Bridge, At: at(2)},
		}, network.DNS{}, `2 error network-twice: two links are called "br0" in the end (1)`},
		{"names that change places", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{Names: []string{"eth0"}}, Rename: "eth1"},
			{ID: "b", Kind: network.Ethernet, At: at(2), Match: network.Match{Names: []string{"eth1"}}, Rename: "eth0"},
		}, network.DNS{}, ""},
		{"one card by its MAC twice", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{MAC: mac}},
			{ID: "b", Kind: network.Ethernet, At: at(2), Match: network.Match{MAC: other}},
			{ID: "c", Kind: network.Ethernet, At: at(3), Match: network.Match{MAC: mac, Names: []string{"en*"}}},
		}, network.DNS{}, `3 error network-twice: the card with the hardware address 52:54:00:00:00:01 is described twice (1)`},
		{"one card by its MAC twice, the second time without more", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{MAC: mac, Drivers: []string{"e1000e"}}},
			{ID: "b", Kind: network.Ethernet, At: at(2), Match: network.Match{MAC: mac}},
		}, network.DNS{}, `2 error network-twice: the card with the hardware address 52:54:00:00:00:01 is described twice (1)`},
		{"two cards with one MAC and two drivers", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{MAC: mac, Drivers: []string{"hv_netvsc"}}},
			{ID: "b", Kind: network.Ethernet, At: at(2), Match: network.Match{MAC: mac, Drivers: []string{"mlx5_core"}}},
		}, network.DNS{}, ""},
		{"one card by its name twice", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{Names: []string{"eth0"}}}, card("eth0", 2),
		}, network.DNS{}, `2 error network-twice: the card "eth0" is described twice (1)`},
		{"two patterns are two cards", []network.Link{
			{ID: "a", Kind: network.Ethernet, At: at(1), Match: network.Match{Names: []string{"en*"}}},
			{ID: "b", Kind: network.Ethernet, At: at(2), Match: network.Match{Names: []string{"en*"}}},
		}, network.DNS{}, ""},

		// References.
		{"nothing describes what is named", []network.Link{
			card("eth0", 1),
			{ID: "bond0", Kind: network.Bond, At: at(2), Members: []network.Member{member("eth9", 3), member("lan", 4)}, Bond: &network.BondOptions{Mode: "active-backup", Primary: ref("wan", 5)}},
			{ID: "web", Kind: network.VLAN, At: at(6), VLANID: 10, Parent: ref("eht0", 7)},
			{ID: "gre", Kind: network.Tunnel, At: at(8), Parent: ref("eth7", 9)},
			{ID: "v0", Kind: network.Veth, At: at(10), Peer: ref("v1", 11)},
		}, network.DNS{}, `
3 error network-undefined: "bond0" is made on "eth9", which nothing describes
4 error network-undefined: "bond0" is made on "lan", which nothing describes
5 error network-undefined: "bond0" is made on "wan", which nothing describes
7 error network-undefined: "web" is made on "eht0", which nothing describes; did you mean "eth0"?
9 error network-undefined: "gre" is made on "eth7", which nothing describes
11 error network-undefined: "v0" is made on "v1", which nothing describes`},
		{"one card in two places", []network.Link{
			card("eth0", 1),
			{ID: "bond0", Kind: network.Bond, At: at(2), Members: []network.Member{member("eth0", 3), member("eth0", 4)}},
			{ID: "br0", Kind: network.Bridge, At: at(5), Members: []network.Member{member("eth0", 6), member("bond0", 7)}},
			{ID: "red", Kind: network.VRF, At: at(8), Table: 10, Members: []network.Member{member("eth0", 9), member("br0", 10)}},
		}, network.DNS{}, `
4 warning network-twice: "eth0" is in "bond0" twice (3)
6 error network-twice: "eth0" is in "bond0" already (3)
9 error network-twice: "eth0" is in "bond0" already (3)`},
		{"what the kernel does not put into each other", []network.Link{
			{ID: "br0", Kind: network.Bridge, At: at(1)},
			{ID: "br1", Kind: network.Bridge, At: at(2), Members: []network.Member{member("br0", 3)}},
		}, network.DNS{}, `3 error network-conflict: a bridge cannot be in another (1)`},
		{"one VLAN twice on a link", []network.Link{
			card("eth0", 1), card("eth1", 2),
			{ID: "a", Kind: network.VLAN, At: at(3), VLANID: 10, Parent: ref("eth0", 3)},
			{ID: "b", Kind: network.VLAN, At: at(4), VLANID: 10, Parent: ref("eth1", 4)},
			{ID: "c", Kind: network.VLAN, At: at(5), VLANID: 10, Parent: ref("eth0", 5)},
		}, network.DNS{}, `5 error network-twice: "eth0" has the VLAN 10 twice (3)`},
		{"a primary that is no member", []network.Link{
			card("eth0", 1), card("eth1", 2),
			{ID: "bond0", Kind: network.Bond, At: at(3), Members: []network.Member{member("eth0", 4)}, Bond: &network.BondOptions{Mode: "active-backup", Primary: ref("eth1", 5)}},
		}, network.DNS{}, `5 error network-conflict: the primary "eth1" is not a member of "bond0" (3)`},
		{"a primary of a mode that has none", []network.Link{
			card("eth0", 1),
			{ID: "bond0", Kind: network.Bond, At: at(2), Members: []network.Member{member("eth0", 3)}, Bond: &network.BondOptions{Mode: "802.3ad", Primary: ref("eth0", 4)}},
		}, network.DNS{}, `4 warning network-conflict: a primary has no effect in mode 802.3ad`},
		{"a primary of two", []network.Link{
			card("eth0", 1),
			{ID: "bond0", Kind: network.Bond, At: at(2), Members: []network.Member{member("eth0", 3)}, Bond: &network.BondOptions{Mode: "active-backup", Primary: ref("eth0", 4)}},
			{ID: "bond1", Kind: network.Bond, At: at(5), Bond: &network.BondOptions{Mode: "active-backup", Primary: ref("eth0", 6)}},
		}, network.DNS{}, `6 error network-twice: "eth0" is the primary of "bond0" already (4)`},
		{"the two ends of a cable", []network.Link{
			{ID: "v0", Kind: network.Veth, At: at(1), Peer: ref("v1", 2)},
			{ID: "v1", Kind: network.Veth, At: at(3), Peer: ref("v0", 4)},
		}, network.DNS{}, ""},
		{"cables that lead nowhere", []network.Link{
			card("eth0", 1),
			{ID: "v0", Kind: network.Veth, At: at(2), Peer: ref("v1", 3)},
			{ID: "v1", Kind: network.Veth, At: at(4)},
			{ID: "v2", Kind: network.Veth, At: at(5), Peer: ref("eth0", 6)},
			{ID: "v3", Kind: network.Veth, At: at(7), Peer: ref("v3", 8)},
		}, network.DNS{}, `
3 error network-conflict: the peer "v1" does not have "v0" as its own peer (4)
6 error network-conflict: the peer "eth0" is no veth (1)
8 error network-conflict: "v3" cannot be its own peer`},

		// Loops.
		{"a loop of three, and one above it", []network.Link{
			{ID: "top", Kind: network.VLAN, At: at(1), Parent: ref("bond0", 1)},
			{ID: "br0", Kind: network.Bridge, At: at(2), Members: []network.Member{member("bond0", 2)}},
			{ID: "bond0", Kind: network.Bond, At: at(3), Members: []network.Member{member("web", 3)}},
			{ID: "web", Kind: network.VLAN, At: at(4), VLANID: 2, Parent: ref("br0", 4)},
		}, network.DNS{}, `2 error network-loop: "br0" is made on itself (3 4)`},
		{"a VLAN on itself", []network.Link{{ID: "web", Kind: network.VLAN, At: at(1), Parent: ref("web", 2)}}, network.DNS{},
			`1 error network-loop: "web" is made on itself`},
		{"a bridge in itself", []network.Link{{ID: "br0", Kind: network.Bridge, At: at(1), Members: []network.Member{member("br0", 2)}}}, network.DNS{},
			`1 error network-loop: "br0" is made on itself`},
		{"as many on each other as Linux takes", tower(8), network.DNS{}, ""},
		{"one more", tower(12), network.DNS{}, `9 error network-loop: "v8" is the 9th link of a stack; Linux has 8 on each other at most`},

		// Members.
		{"addresses of cards that are in something", []network.Link{
			card("eth0", 1, "192.0.2.1/24"), {ID: "eth1", Kind: network.Ethernet, At: at(2), DHCP: dhcp}, card("eth2", 3, "198.51.100.1/24"),
			{ID: "bond0", Kind: network.Bond, At: at(4), Members: []network.Member{member("eth0", 5)}},
			{ID: "br0", Kind: network.Bridge, At: at(6), Members: []network.Member{member("eth1", 7)}},
			{ID: "red", Kind: network.VRF, At: at(8), Table: 10, Members: []network.Member{member("eth2", 9)}},
		}, network.DNS{}, `
1 warning network-member-address: "eth0" is in "bond0", and has an address of its own (5)
90 warning network-member-address: "eth1" is in "br0", and has an address of its own (7)`},

		// Gateways.
		{"gateways outside", []network.Link{
			routed(card("eth0", 1, "192.0.2.10/24", "2001:db8::10/64"), route("default", "192.0.3.1", 2), route("10.0.0.0/8", "192.0.2.39", 3), route("default", "2001:db8:1::1", 4)),
			routed(card("eth1", 5, "2001:db8:2::10/64"), route("198.51.100.0/24", "203.0.113.1", 6)),
		}, network.DNS{}, `
2 warning network-gateway: the gateway 192.0.3.1 is in no network of "eth0" (1)
4 warning network-gateway: the gateway 2001:db8:1::1 is in no network of "eth0" (1)
6 warning network-gateway: the gateway 203.0.113.1 is in no network of "eth1"`},
		{"a gateway of a link without addresses is taken for near", []network.Link{routed(card("eth0", 1), route("10.0.0.0/8", "203.0.113.1", 2))}, network.DNS{}, ""},
		{"a gateway outside, although a router may announce more", []network.Link{
			routed(network.Link{ID: "eth0", Kind: network.Ethernet, At: at(1), Addresses: []network.Address{address("2001:db8::10/64", 2)}}, route("default", "2001:db8:1::1", 3)),
		}, network.DNS{}, `3 warning network-gateway: the gateway 2001:db8:1::1 is in no network of "eth0" (2)`},
		{"a gateway that is the link itself", []network.Link{routed(card("eth0", 1, "192.0.2.1/24"), route("default", "192.0.2.1", 2))}, network.DNS{},
			`2 warning network-gateway: the gateway 192.0.2.1 is the address of "eth0" itself`},
		{"a gateway outside that is reached all the same", []network.Link{
			routed(card("on-link", 1, "192.0.2.10/32"), onLink(route("default", "172.31.1.1", 2))),
			routed(card("route", 3, "198.51.100.10/32"), route("172.31.2.1/32", "", 4), table(5, route("default", "172.31.2.1", 5))),
			routed(card("link-local", 6, "2001:db8::10/64"), route("default", "fe80::1", 7)),
			routed(network.Link{ID: "peer", Kind: network.Ethernet, At: at(8), IPv6: network.IPv6{AcceptRA: network.Off}, Addresses: []network.Address{
				{Prefix: netip.MustParsePrefix("203.0.113.9/32"), Peer: netip.MustParseAddr("203.0.113.200"), At: at(8)}}}, table(9, route("default", "203.0.113.200", 9))),
			routed(network.Link{ID: "dhcp", Kind: network.Ethernet, At: at(10), DHCP: dhcp}, route("10.0.0.0/8", "172.31.9.1", 11)),
			routed(network.Link{ID: "ra", Kind: network.Ethernet, At: at(12)}, route("2001:db8:ff::/48", "2001:db8:fe::1", 13)),
		}, network.DNS{}, ""},
		{"what needs no gateway", []network.Link{routed(card("eth0", 1, "192.0.2.1/24"),
			network.Route{To: netip.MustParsePrefix("10.0.0.0/8"), Via: netip.MustParseAddr("10.9.9.9"), Type: "blackhole", At: at(2)})}, network.DNS{}, ""},
		{"a gateway of a VRF", []network.Link{
			card("eth0", 1, "192.0.2.10/24"),
			routed(network.Link{ID: "red", Kind: network.VRF, At: at(2), Table: 10, Members: []network.Member{member("eth0", 3)}},
				route("default", "192.0.2.1", 4), route("10.0.0.0/8", "192.0.3.1", 5)),
		}, network.DNS{}, `5 warning network-gateway: the gateway 192.0.3.1 is in no network of "red"`},
		{"families that do not go together", []network.Link{
			func() network.Link {
				l := routed(card("eth0", 1, "192.0.2.10/24", "2001:db8::10/64"), route("10.0.0.0/8", "2001:db8::1", 2), route("2001:db8:1::/48", "192.0.2.1", 3))
				from := route("10.0.0.0/8", "192.0.2.1", 4)
				from.From = netip.MustParseAddr("2001:db8::10")
				l.Routes = append(l.Routes, from)
				l.Rules = []network.Rule{{From: netip.MustParsePrefix("10.0.0.0/8"), To: netip.MustParsePrefix("2001:db8::/32"), At: at(5)}}
				return l
			}(),
		}, network.DNS{}, `
2 error network-conflict: a route of IPv4 cannot have the gateway 2001:db8::1
3 error network-conflict: a route of IPv6 cannot have the gateway 192.0.2.1
4 error network-conflict: a route of IPv4 cannot be from 2001:db8::10
5 error network-conflict: a rule cannot be from 10.0.0.0/8 to 2001:db8::/32`},
		{"tables that are not the VRF's", []network.Link{
			{ID: "red", Kind: network.VRF, At: at(1), Table: 42,
				Routes: []network.Route{table(43, route("10.0.0.0/8", "", 2)), table(42, route("10.1.0.0/16", "", 3)), route("10.2.0.0/16", "", 4)},
				Rules:  []network.Rule{{From: netip.MustParsePrefix("10.0.0.0/8"), Table: 46, At: at(5)}, {From: netip.MustParsePrefix("10.1.0.0/16"), Table: 42, At: at(6)}}},
		}, network.DNS{}, `
2 error network-conflict: a route of "red" is in its table 42, not 43 (1)
5 error network-conflict: a rule of "red" is in its table 42, not 46 (1)`},

		// Default routes.
		{"default routes that are one too many", []network.Link{
			routed(card("eth0", 1, "192.0.2.10/24", "2001:db8::10/64"), route("default", "192.0.2.1", 2), metric(1024, route("default", "2001:db8::1", 3))),
			routed(card("eth1", 4, "198.51.100.10/24", "2001:db8:1::10/64"), table(254, metric(0, route("default", "198.51.100.1", 5))), route("default", "2001:db8:1::1", 6)),
		}, network.DNS{}, `
5 warning network-default-routes: a second default route of IPv4 with the metric 0 (2)
6 warning network-default-routes: a second default route of IPv6 with the metric 1024 (3)`},
		{"default routes that differ", []network.Link{
			card("eth3", 1, "203.0.113.10/24"),
			routed(card("eth0", 2, "192.0.2.10/24"), route("default", "192.0.2.1", 3), route("default", "192.0.2.1", 4)),
			routed(card("eth1", 5, "198.51.100.10/24"), metric(100, route("default", "198.51.100.1", 6)), table(7, route("default", "198.51.100.1", 7))),
			routed(network.Link{ID: "red", Kind: network.VRF, At: at(8), Table: 10, Members: []network.Member{member("eth3", 9)}}, route("default", "203.0.113.1", 10)),
			{ID: "eth4", Kind: network.Ethernet, At: at(11), DHCP: dhcp}, {ID: "eth5", Kind: network.Ethernet, At: at(12), DHCP: dhcp},
		}, network.DNS{}, ""},
		{"a default route that leads nowhere", []network.Link{
			routed(card("eth0", 1, "192.0.2.10/24"), route("default", "192.0.2.1", 2), network.Route{To: netip.MustParsePrefix("0.0.0.0/0"), Type: "unreachable", At: at(3)}),
		}, network.DNS{}, ""},

		// Subnets.
		{"one network on two links", []network.Link{
			card("eth0", 1, "192.0.2.10/24", "192.0.2.12/24"), card("eth1", 2, "192.0.2.11/24"), card("eth2", 3, "10.0.0.1/8"), card("eth3", 4, "10.1.0.1/16"), card("eth4", 5, "10.2.0.1/32"),
		}, network.DNS{}, `
2 warning network-overlap: 192.0.2.11/24 of "eth1" is in a network of "eth0" too, 192.0.2.0/24 (1)
4 warning network-overlap: 10.1.0.1/16 of "eth3" is in a network of "eth2" too, 10.0.0.0/8 (3)`},
		{"the larger network comes last", []network.Link{card("eth0", 1, "10.1.0.1/16"), card("eth1", 2, "10.0.0.1/8")}, network.DNS{},
			`2 warning network-overlap: 10.0.0.1/8 of "eth1" is in a network of "eth0" too, 10.1.0.0/16 (1)`},
		{"one network on purpose", []network.Link{
			card("eth0", 1, "192.0.2.10/24"), card("eth1", 2, "198.51.100.1/24"),
			func() network.Link {
				l := card("eth2", 3, "192.0.2.11/24")
				l.Rules = []network.Rule{{From: netip.MustParsePrefix("192.0.2.11/32"), Table: 7, At: at(4)}}
				return l
			}(),
			card("eth3", 5, "198.51.100.1/24"),
			{ID: "red", Kind: network.VRF, At: at(6), Table: 10, Members: []network.Member{member("eth3", 7)}},
			card("eth4", 8, "fe80::1/64"), card("eth5", 9, "fe80::1/64"),
		}, network.DNS{}, ""},
		{"one network, of which the first link has rules", []network.Link{
			func() network.Link {
				l := card("eth0", 1, "192.0.2.10/24")
				l.Rules = []network.Rule{{From: netip.MustParsePrefix("192.0.2.10/32"), Table: 7, At: at(2)}}
				return l
			}(),
			card("eth1", 3, "192.0.2.11/24"),
		}, network.DNS{}, ""},
		{"one address twice", []network.Link{card("eth0", 1, "192.0.2.10/24", "2001:db8::1/64"), card("eth1", 2, "192.0.2.10/24"), card("eth2", 3, "2001:db8:1::1/64", "2001:db8:1::1/128")}, network.DNS{}, `
2 warning network-duplicate-address: the address 192.0.2.10 is given twice (1)
3 warning network-duplicate-address: the address 2001:db8:1::1 is given twice (3)`},

		// Sizes.
		{"too small for IPv6", []network.Link{
			{ID: "eth0", Kind: network.Ethernet, At: at(1), MTU: 1279, MTUAt: at(2)},
			{ID: "eth1", Kind: network.Ethernet, At: at(3), MTU: 1280, MTUAt: at(4)},
			{ID: "eth2", Kind: network.Ethernet, At: at(5), MTU: 600, MTUAt: at(6), LinkLocal: network.LinkLocal{Said: true}},
			{ID: "eth3", Kind: network.Ethernet, At: at(7), MTU: 600, MTUAt: at(8), LinkLocal: network.LinkLocal{Said: true}, Addresses: []network.Address{address("2001:db8::1/64", 8)}},
			{ID: "eth4", Kind: network.Ethernet, At: at(9), MTU6: 1000, MTUAt: at(10)},
			{ID: "eth5", Kind: network.Ethernet, At: at(11), MTU: 1500, MTU6: 1501, MTUAt: at(12)},
		}, network.DNS{}, `
2 warning network-mtu: an MTU of 1279 is too small for IPv6, which "eth0" has: systemd-networkd makes it 1280
8 warning network-mtu: an MTU of 600 is too small for IPv6, which "eth3" has: systemd-networkd makes it 1280
10 warning network-mtu: the MTU of IPv6 is 1280 at least, not 1000
12 warning network-mtu: the MTU of IPv6, 1501, is above that of the link, 1500`},
		{"sizes of links that are made on each other", []network.Link{
			{ID: "eth0", Kind: network.Ethernet, At: at(1), MTU: 1500, MTUAt: at(2)},
			{ID: "eth1", Kind: network.Ethernet, At: at(3), MTU: 9000, MTUAt: at(4)},
			{ID: "eth2", Kind: network.Ethernet, At: at(5)},
			{ID: "web", Kind: network.VLAN, At: at(6), VLANID: 1, Parent: ref("eth0", 7), MTU: 9000, MTUAt: at(8)},
			{ID: "db", Kind: network.VLAN, At: at(9), VLANID: 1, Parent: ref("eth2", 10), MTU: 9000, MTUAt: at(11)},
			{ID: "bond0", Kind: network.Bond, At: at(12), MTU: 1500, MTUAt: at(13), Members: []network.Member{member("eth0", 14), member("eth1", 15)}},
			{ID: "eth3", Kind: network.Ethernet, At: at(16), MTU: 1500, MTUAt: at(17)},
			{ID: "eth4", Kind: network.Ethernet, At: at(18), MTU: 9216, MTUAt: at(19)},
			{ID: "br0", Kind: network.Bridge, At: at(20), MTU: 9000, MTUAt: at(21), Members: []network.Member{member("eth3", 22), member("eth4", 23)}},
		}, network.DNS{}, `
4 warning network-mtu: an MTU of 9000 on a card of "bond0", which gives all of its cards its own: 1500 (13)
8 warning network-mtu: an MTU of 9000 is above that of "eth0", which "web" is on: 1500 (2)
17 warning network-mtu: an MTU of 1500 in "br0", which sends packets of 9000 (21)`},

		// Name servers.
		{"name servers that no route leads to", []network.Link{func() network.Link {
			l := routed(card("eth0", 1, "192.0.2.10/24", "2001:db8::10/64"), route("10.0.0.0/8", "192.0.2.1", 2))
			l.DNS = servers(3, "192.0.2.53", "10.9.9.9", "127.0.0.53", "::1", "fe80::1")
			l.DNS.Servers = append(l.DNS.Servers, servers(4, "9.9.9.9").Servers...)
			return l
		}()}, servers(5, "2001:db8:1::1"), `
4 warning network-dns: no route leads to the name server 9.9.9.9
5 warning network-dns: no route leads to the name server 2001:db8:1::1`},
		{"routes that somebody else gives", []network.Link{
			{ID: "eth0", Kind: network.Ethernet, At: at(1), DHCP: dhcp},
		}, servers(2, "9.9.9.9", "2001:db8:1::1"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, want := check(&network.Network{Links: tc.links, DNS: tc.dns}), strings.TrimPrefix(tc.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// tower is VLANs on each other, and a card below them.
func tower(height int) []network.Link {
	links := []network.Link{card("v0", 1)}
	for i := 1; i < height; i++ {
		links = append(links, network.Link{ID: fmt.Sprint("v", i), Kind: network.VLAN, At: at(i + 1), VLANID: i, Parent: ref(fmt.Sprint("v", i-1), i+1)})
	}
	return links
}

// check is what is found, a line each.
func check(n *network.Network) string {
	c := findings.New()
	network.Check(c, n)
	var lines []string
	for _, d := range c.Sorted() {
		line := fmt.Sprintf("%d %s %s: %s", d.Subject.Start.Line, d.Severity, d.Rule.ID, d.Summary)
		if d.Detail != "" {
			line += "; " + d.Detail
		}
		var others []string
		for _, r := range d.Related {
			others = append(others, fmt.Sprint(r.At.Start.Line))
		}
		if others != nil {
			line += " (" + strings.Join(others, " ") + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
