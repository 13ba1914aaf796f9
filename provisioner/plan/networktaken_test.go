package plan_test

import (
	"net/netip"
	"slices"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/network"
)

// TestTaken: addresses that are new to the machine are asked for, and one that somebody has is refused.
func TestTaken(t *testing.T) {
	eth0 := plan.Interface{Name: "eth0", Index: 2, Up: true, Carrier: true}
	claim := func(addr string) plan.Claim { return plan.Claim{Interface: 2, Addr: netip.MustParseAddr(addr)} }
	n := &network.Network{Links: []network.Link{{ID: "eth0", Kind: network.Ethernet, At: at(1), Addresses: []network.Address{
		{Prefix: netip.MustParsePrefix("192.0.2.1/24"), At: at(2)},
		{Prefix: netip.MustParsePrefix("192.0.2.2/24"), At: at(3)},
		{Prefix: netip.MustParsePrefix("2001:db8::1/64"), At: at(4)},
	}}}}
	for _, tc := range []struct {
		name    string
		with    func(*plan.Interface)
		holders map[plan.Claim]string
		unasked []plan.Claim
		want    []string
	}{
		{"both are new", func(*plan.Interface) {}, nil, []plan.Claim{claim("192.0.2.1"), claim("192.0.2.2")}, nil},
		{"one is ours already", func(i *plan.Interface) {
			i.Addresses = []plan.InterfaceAddress{{Prefix: netip.MustParsePrefix("192.0.2.1/32")}}
		}, nil, []plan.Claim{claim("192.0.2.2")}, nil},
		{"nobody has one", func(*plan.Interface) {}, map[plan.Claim]string{claim("192.0.2.1"): "", claim("192.0.2.2"): ""}, nil, nil},
		{"somebody has one", func(*plan.Interface) {}, map[plan.Claim]string{claim("192.0.2.1"): "", claim("192.0.2.2"): "52:54:00:00:00:09"}, nil,
			[]string{"error network-address-taken"}},
		{"there is no carrier", func(i *plan.Interface) { i.Carrier = false }, nil, nil, nil},
		{"it is down", func(i *plan.Interface) { i.Up = false }, nil, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			on := eth0
			tc.with(&on)
			in := plan.Input{Config: &schema.Config{}, Network: n, Facts: plan.Facts{Live: true, Interfaces: []plan.Interface{on}, Holders: tc.holders}}
			d := disk{".": {}}
			p, found := d.compute(t, in)
			if !slices.Equal(p.Unasked, tc.unasked) {
				t.Errorf("asks for %v, want %v", p.Unasked, tc.unasked)
			}
			if got := findings(found); !slices.Equal(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if found.HasErrors() && found[0].Subject != at(3) {
				t.Errorf("at %v", found[0].Subject)
			}
			if d.apply(p); len(p.Network.Links) == 0 {
				t.Fatal("nothing changes")
			}
			if p, _ := d.compute(t, in); len(p.Unasked) > 0 {
				t.Errorf("a network that is so already asks for %v", p.Unasked)
			}
		})
	}
	in := plan.Input{Config: &schema.Config{}, Network: n}
	if p, found := (disk{".": {}}).compute(t, in); len(p.Unasked) > 0 || len(found) > 0 {
		t.Errorf("below another root: asks for %v, finds %q", p.Unasked, findings(found))
	}
}
