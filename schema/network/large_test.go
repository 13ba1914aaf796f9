package network_test

import (
	"fmt"
	"net/netip"
	"testing"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
)

// hostile are networks of a size, each the worst for some part of the check.
var hostile = map[string]func(size int) *network.Network{
	"links": func(size int) *network.Network {
		n := &network.Network{}
		for i := range size {
			n.Links = append(n.Links, card(fmt.Sprint("eth", i), i+1, fmt.Sprintf("10.%d.%d.1/24", i>>8&255, i&255)))
		}
		return n
	},
	"links of one ID": func(size int) *network.Network {
		n := &network.Network{}
		for i := range size {
			n.Links = append(n.Links, card("eth0", i+1, "10.0.0.1/24"))
		}
		return n
	},
	"cards of one MAC": func(size int) *network.Network {
		n := &network.Network{}
		for i := range size {
			n.Links = append(n.Links, network.Link{ID: fmt.Sprint("eth", i), Kind: network.Ethernet, At: at(i + 1), Match: network.Match{MAC: "52:54:00:00:00:01", Drivers: []string{fmt.Sprint("d", i)}}})
		}
		return n
	},
	"members": func(size int) *network.Network {
		n := &network.Network{Links: []network.Link{{ID: "bond0", Kind: network.Bond, At: at(1), Bond: &network.BondOptions{Primary: ref("eth1", 1)}}}}
		for i := range size {
			n.Links = append(n.Links, card(fmt.Sprint("eth", i), i+2, "10.0.0.1/24"))
			n.Links[0].Members = append(n.Links[0].Members, member(fmt.Sprint("eth", i), i+2))
		}
		return n
	},
	"one member": func(size int) *network.Network {
		l := routed(card("eth0", 1), route("default", "10.0.0.1", 1))
		red := routed(network.Link{ID: "red", Kind: network.VRF, At: at(1)}, route("default", "10.0.0.1", 1))
		for i := range size {
			l.Addresses = append(l.Addresses, address(fmt.Sprintf("10.%d.%d.1/24", i>>8&255, i&255), i+1))
			red.Members = append(red.Members, member("eth0", i+1))
			red.Routes = append(red.Routes, route("default", "192.0.2.1", i+1))
		}
		return &network.Network{Links: []network.Link{l, red}}
	},
	"members that nothing describes": func(size int) *network.Network {
		n := &network.Network{Links: []network.Link{{ID: "br0", Kind: network.Bridge, At: at(1)}}}
		for i := range size {
			n.Links[0].Members = append(n.Links[0].Members, member(fmt.Sprint("br", i+1), i+2))
		}
		return n
	},
	"bonds of one card": func(size int) *network.Network {
		n := &network.Network{Links: []network.Link{card("eth0", 1)}}
		for i := range size {
			n.Links = append(n.Links, network.Link{ID: fmt.Sprint("bond", i), Kind: network.Bond, At: at(i + 2), Members: []network.Member{member("eth0", i+2)}, Bond: &network.BondOptions{Primary: ref("eth0", i+2)}})
		}
		return n
	},
	"a tower": func(size int) *network.Network { return &network.Network{Links: tower(size)} },
	"a loop": func(size int) *network.Network {
		n := &network.Network{Links: tower(size)}
		n.Links[0] = network.Link{ID: "v0", Kind: network.VLAN, At: at(1), Parent: ref(fmt.Sprint("v", size-1), 1)}
		return n
	},
	"links above a loop": func(size int) *network.Network {
		n := &network.Network{Links: tower(size)}
		n.Links[0] = network.Link{ID: "v0", Kind: network.VLAN, At: at(1), Parent: ref("v0", 1)}
		return n
	},
	"loops": func(size int) *network.Network {
		n := &network.Network{}
		for i := range size {
			n.Links = append(n.Links, network.Link{ID: fmt.Sprint("v", i), Kind: network.VLAN, At: at(i + 1), Parent: ref(fmt.Sprint("v", i^1), i+1)})
		}
		return n
	},
	"addresses and routes": func(size int) *network.Network {
		l := network.Link{ID: "eth0", Kind: network.Ethernet, At: at(1), IPv6: network.IPv6{AcceptRA: network.Off}}
		for i := range size {
			l.Addresses = append(l.Addresses, network.Address{At: at(i + 1),
				Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 16), byte(i >> 8), byte(i)}), i%128+1)})
			l.Routes = append(l.Routes, network.Route{At: at(i + 1), To: netip.PrefixFrom(netip.IPv6Unspecified(), 0),
				Via: netip.AddrFrom16([16]byte{0x30, 1, byte(i >> 16), byte(i >> 8), byte(i)})})
			l.DNS.Servers = append(l.DNS.Servers, network.Server{Addr: netip.AddrFrom16([16]byte{0x40, 1, byte(i >> 8), byte(i)}), At: at(i + 1)})
		}
		return &network.Network{Links: []network.Link{l}}
	},
	"networks in networks": func(size int) *network.Network {
		n := &network.Network{}
		for i := range size {
			n.Links = append(n.Links, card(fmt.Sprint("eth", i), i+1, fmt.Sprintf("10.%d.%d.1/%d", i>>8&255, i&255, i%24+8)))
		}
		return n
	},
}

// TestCheckIsBounded: whatever the description is, the check ends, and what it finds is bounded.
func TestCheckIsBounded(t *testing.T) {
	for name, of := range hostile {
		t.Run(name, func(t *testing.T) {
			c := findings.New()
			network.Check(c, of(10_000))
			for _, d := range c.Diags {
				if len(d.Related) > 8 || len(d.Summary) > 500 {
					t.Fatalf("%d places, %s", len(d.Related), d.Summary)
				}
			}
			if len(c.Diags) > findings.Most+1 {
				t.Errorf("%d findings", len(c.Diags))
			}
		})
	}
}

// BenchmarkCheck: ten times as much takes about ten times as long.
func BenchmarkCheck(b *testing.B) {
	for name, of := range hostile {
		for _, size := range []int{1_000, 10_000, 100_000} {
			n := of(size)
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				for range b.N {
					network.Check(findings.New(), n)
				}
			})
		}
	}
}
