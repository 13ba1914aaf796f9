//go:build integration && linux

package links

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/draw"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/network"
)

// TestPlan holds a network against what the kernel has: from a lease to an address of its own, and what is not there.
func TestPlan(t *testing.T) {
	namespace(t, `
link add eth0 address 52:54:00:00:00:0a type veth peer name far0
link add eth1 address 52:54:00:00:00:0b type veth peer name far1
link set eth0 up
link set far0 up
addr add 10.0.0.5/24 valid_lft 300 preferred_lft 300 dev eth0
route add default via 10.0.0.1 metric 1024 proto dhcp
-6 route add 2001:db8:1::/48 dev eth0 metric 5 proto static`)
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	n := &network.Network{Links: []network.Link{
		{
			ID: "wan", Kind: network.Ethernet, Match: network.Match{MAC: "52:54:00:00:00:0a"}, MTU: 1400, Rename: "wan0",
			Addresses: []network.Address{{Prefix: prefix("192.0.2.10/24")}, {Prefix: prefix("2001:db8::10/64")}},
			Routes:    []network.Route{{To: prefix("0.0.0.0/0"), Via: addr("192.0.2.1")}},
		},
		{ID: "lan", Kind: network.Ethernet, Match: network.Match{MAC: "52:54:00:00:00:0b"}, Rename: "far0"},
		{ID: "gone", Kind: network.Ethernet, Match: network.Match{MAC: "52:54:00:00:00:0c"}},
		{ID: "br0", Kind: network.Bridge, Members: []network.Member{{Ref: network.Ref{ID: "lan"}}}, DHCP: network.DHCP{V4: true}},
	}}
	root, err := fsroot.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all, err := links.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.Gather(t.Context(), root, true, all)
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{Network: n, Facts: f}
	p, found := plan.Compute(in)
	for len(p.Unseen) > 0 {
		if err := facts.Look(root, &in.Facts, p.Unseen); err != nil {
			t.Fatal(err)
		}
		p, found = plan.Compute(in)
	}
	var rules []string
	for _, d := range found {
		rules = append(rules, d.Rule.ID)
	}
	if diff := cmp.Diff([]string{"network-name-taken", "network-absent"}, rules); diff != "" {
		t.Errorf("%s\n%v", diff, found)
	}
	var drawn strings.Builder
	if err := draw.Write(&drawn, p, draw.Options{Facts: in.Facts}); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(drawn.String(), "network:\n")
	got, _, _ = strings.Cut(got, "after the commit:")
	want := `  eth0 (52:54:00:00:00:0a): renamed to wan0, + 192.0.2.10/24, + 2001:db8::10/64, + default via 192.0.2.1, - 10.0.0.5/24, ` +
		`- default via 10.0.0.1 metric 1024, - 2001:db8:1::/48 metric 5, dhcp off, mtu 1400
  eth1 (52:54:00:00:00:0b): renamed to far0, in br0
  gone: no address
  br0: made, dhcp ipv4
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
