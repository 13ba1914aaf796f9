package config_test

import (
	"net/netip"
	"testing"

	"cloudconfig/schema/config"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

// TestEqualNetworks: networks are held against each other whole, addresses and tables of names among them.
func TestEqualNetworks(t *testing.T) {
	made := func(address string, offload bool, at int) *config.Config {
		return &config.Config{Network: &network.Network{Links: []network.Link{{
			ID: "eth0", At: source.Range{Start: source.Pos{Line: at}},
			Addresses: []network.Address{{Prefix: netip.MustParsePrefix(address)}},
			Hardware:  network.Hardware{Offloads: map[string]bool{"LargeReceiveOffload": offload}},
		}}}}
	}
	one := made("192.0.2.10/24", true, 1)
	for _, test := range []struct {
		name  string
		other *config.Config
		want  bool
	}{
		{"the same in another place", made("192.0.2.10/24", true, 7), true},
		{"another address", made("192.0.2.11/24", true, 1), false},
		{"another family", made("2001:db8::1/24", true, 1), false},
		{"another value of a name", made("192.0.2.10/24", false, 1), false},
		{"one name more", func() *config.Config {
			c := made("192.0.2.10/24", true, 1)
			c.Network.Links[0].Hardware.Offloads["TCPSegmentationOffload"] = true
			return c
		}(), false},
		{"no network", &config.Config{}, false},
	} {
		if got := config.Equal(one, test.other); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
