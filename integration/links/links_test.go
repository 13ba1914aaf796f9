//go:build integration && linux

// Package links shows that the network interfaces of the machine are read as ip(8) makes them: in a network namespace of their
// own.
package links

import (
	"context"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/plan"
)

// namespace gives the test a network namespace, and tells ip(8) each line of setup.
func namespace(t *testing.T, setup string) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread, and its namespace with it, ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal("a network namespace needs root:", err)
	}
	for line := range strings.Lines(setup) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			if strings.Contains(string(out), "Unknown device type") {
				t.Skipf("ip %s: this kernel cannot", line)
			}
			t.Fatalf("ip %s: %v: %s", line, err, out)
		}
	}
}

// read gives the interfaces by name, without what is the kernel's choice.
func read(t *testing.T) map[string]plan.Interface {
	t.Helper()
	all, err := links.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]plan.Interface{}
	for _, i := range all {
		var addresses []plan.InterfaceAddress
		for _, a := range i.Addresses {
			if !a.Prefix.Addr().IsLinkLocalUnicast() {
				addresses = append(addresses, a)
			}
		}
		var routes []plan.InterfaceRoute
		for _, r := range i.Routes {
			if r.Protocol != "kernel" {
				routes = append(routes, r)
			}
		}
		i.Addresses, i.Routes = addresses, routes
		byName[i.Name] = i
	}
	return byName
}

func TestKinds(t *testing.T) {
	const cable = `
link add eth0 address 52:54:00:00:00:01 type veth peer name far0
link set eth0 up
link set far0 up`
	for _, tc := range []struct {
		name, setup, look string
		want              plan.Interface
	}{
		{"the loopback", "link set lo up", "lo", plan.Interface{Loopback: true, Up: true, Carrier: true, MTU: 65536}},
		{"a cable", cable, "eth0",
			plan.Interface{Kind: "veth", Driver: "veth", MTU: 1500, MAC: "52:54:00:00:00:01", Parent: "far0", Up: true, Carrier: true}},
		{"unplugged", cable + "\nlink set far0 down", "eth0",
			plan.Interface{Kind: "veth", Driver: "veth", MTU: 1500, MAC: "52:54:00:00:00:01", Parent: "far0", Up: true}},
		{"another name", cable + "\nlink property add dev eth0 altname enp3s0\nlink property add dev eth0 altname card", "eth0",
			plan.Interface{Kind: "veth", Driver: "veth", MTU: 1500, MAC: "52:54:00:00:00:01", Parent: "far0", Up: true, Carrier: true, AltNames: []string{"enp3s0", "card"}}},
		{"a VLAN", cable + "\nlink add link eth0 name eth0.7 mtu 1400 type vlan id 7", "eth0.7",
			plan.Interface{Kind: "vlan", Driver: "802.1Q VLAN Support", MTU: 1400, MAC: "52:54:00:00:00:01", Parent: "eth0"}},
		{"a bridge", "link add br0 address 52:54:00:00:00:20 type bridge", "br0",
			plan.Interface{Kind: "bridge", Driver: "bridge", MTU: 1500, MAC: "52:54:00:00:00:20"}},
		{"in a bridge", cable + "\nlink add br0 type bridge\nlink set eth0 master br0", "eth0",
			plan.Interface{Kind: "veth", Driver: "veth", MTU: 1500, MAC: "52:54:00:00:00:01", Parent: "far0", Master: "br0", Up: true, Carrier: true}},
		{"a tunnel", "link add vx0 address 52:54:00:00:00:30 type vxlan id 5 dstport 4789", "vx0",
			plan.Interface{Kind: "vxlan", Driver: "vxlan", MTU: 1500, MAC: "52:54:00:00:00:30"}},
		{"a bond", "link add bond0 address 52:54:00:00:00:10 type bond mode active-backup", "bond0",
			plan.Interface{Kind: "bond", Driver: "bonding", MTU: 1500, MAC: "52:54:00:00:00:10"}},
		{"a card in a bond has the address of the bond, which knows its own", "link add bond0 address 52:54:00:00:00:10 type bond" + cable + "\nlink set eth0 down\nlink set eth0 master bond0", "eth0",
			plan.Interface{Kind: "veth", Driver: "veth", MTU: 1500, MAC: "52:54:00:00:00:10", PermanentMAC: "52:54:00:00:00:01", Parent: "far0", Master: "bond0", Up: true, Carrier: true}},
		{"a dummy", "link add dummy0 mtu 9000 address 52:54:00:00:00:30 type dummy\nlink set dummy0 up", "dummy0",
			plan.Interface{Kind: "dummy", Driver: "dummy", MTU: 9000, MAC: "52:54:00:00:00:30", Up: true, Carrier: true}},
		{"a VRF", "link add red mtu 1500 address 52:54:00:00:00:40 type vrf table 10", "red",
			plan.Interface{Kind: "vrf", Driver: "vrf", MTU: 1500, MAC: "52:54:00:00:00:40"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			namespace(t, tc.setup)
			tc.want.Name = tc.look
			if d := cmp.Diff(tc.want, read(t)[tc.look], cmpopts.IgnoreFields(plan.Interface{}, "Index", "Addresses", "Routes")); d != "" {
				t.Errorf("want -, got +\n%s", d)
			}
		})
	}
}

func TestAddressesAndRoutes(t *testing.T) {
	namespace(t, `
link add eth0 type veth peer name far0
link add eth1 type veth peer name far1
link set eth0 up
link set far0 up
link set eth1 up
link set far1 up
addr add 192.0.2.10/24 dev eth0
addr add 192.0.2.11/24 valid_lft 300 preferred_lft 300 dev eth0
addr add 192.0.2.13/24 dev eth0
addr add 192.0.2.12 peer 203.0.113.1 dev eth0
addr add 2001:db8::10/64 nodad dev eth0
addr add 2001:db8::11/64 nodad preferred_lft 0 dev eth0
addr add 198.51.100.1/24 dev eth1
route add default via 192.0.2.1 metric 100 proto dhcp src 192.0.2.11
route add 10.0.0.0/8 via 192.0.2.2 proto static
route add 10.1.0.0/16 dev eth0 scope link
route add default via 192.0.2.3 table 1000
route add 10.2.0.0/16 nexthop via 192.0.2.4 dev eth0 nexthop via 198.51.100.4 dev eth1
route add 10.3.0.0/16 via inet6 2001:db8::9 dev eth0
route add unreachable 10.4.0.0/16
-6 route add default via 2001:db8::1 dev eth0 proto ra metric 1024
-6 route add 2001:db8:1::/48 via 2001:db8::2 dev eth0 metric 5`)
	got := read(t)
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	addresses := []plan.InterfaceAddress{
		{Prefix: p("192.0.2.10/24")},
		{Prefix: p("192.0.2.11/24"), Dynamic: true},
		{Prefix: p("192.0.2.12/32"), Peer: a("203.0.113.1")},
		{Prefix: p("192.0.2.13/24")},
		{Prefix: p("2001:db8::10/64")},
		{Prefix: p("2001:db8::11/64"), Deprecated: true},
	}
	routes := []plan.InterfaceRoute{
		{To: p("0.0.0.0/0"), Via: a("192.0.2.1"), Source: a("192.0.2.11"), Table: 254, Metric: 100, Protocol: "dhcp"},
		{To: p("0.0.0.0/0"), Via: a("192.0.2.3"), Table: 1000, Protocol: "boot"},
		{To: p("10.0.0.0/8"), Via: a("192.0.2.2"), Table: 254, Protocol: "static"},
		{To: p("10.1.0.0/16"), Table: 254, Protocol: "boot"},
		{To: p("10.2.0.0/16"), Via: a("192.0.2.4"), Table: 254, Protocol: "boot"},
		{To: p("10.3.0.0/16"), Via: a("2001:db8::9"), Table: 254, Protocol: "boot"},
		{To: p("2001:db8:1::/48"), Via: a("2001:db8::2"), Table: 254, Metric: 5, Protocol: "boot"},
		{To: p("::/0"), Via: a("2001:db8::1"), Table: 254, Metric: 1024, Protocol: "ra"},
	}
	plain := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	text := func(r plan.InterfaceRoute) string { return r.To.String() + " " + strconv.Itoa(int(r.Table)) }
	sorted := cmpopts.SortSlices(func(a, b plan.InterfaceRoute) bool { return text(a) < text(b) })
	byAddress := cmpopts.SortSlices(func(a, b plan.InterfaceAddress) bool { return a.Prefix.Addr().Less(b.Prefix.Addr()) })
	if d := cmp.Diff(addresses, got["eth0"].Addresses, plain, prefixes, byAddress); d != "" {
		t.Errorf("addresses: want -, got +\n%s", d)
	}
	if d := cmp.Diff(routes, got["eth0"].Routes, plain, prefixes, sorted); d != "" {
		t.Errorf("routes: want -, got +\n%s", d)
	}
	other := []plan.InterfaceRoute{{To: p("10.2.0.0/16"), Via: a("198.51.100.4"), Table: 254, Protocol: "boot"}}
	if d := cmp.Diff(other, got["eth1"].Routes, plain, prefixes); d != "" {
		t.Errorf("the other way of a route with two: want -, got +\n%s", d)
	}
}
