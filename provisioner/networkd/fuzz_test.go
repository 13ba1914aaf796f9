package networkd_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/networkd"
	"cloudconfig/schema/network"
	"cloudconfig/schema/secret"
)

// known are the sections that are written.
const known = " Match Link NetDev Network Address Route RoutingPolicyRule DHCPv4 DHCPv6 IPv6AcceptRA Bridge Bond VLAN VRF Peer Tunnel VXLAN WireGuard WireGuardPeer "

// FuzzRender puts texts of others wherever the model has a text: names and the like, or the words of the language too. Whatever they are, the
// files have our names, and as many lines as with harmless texts, or a finding says why not.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"eth0", "a\nb", "a\r[Match]", "%H", "a b", "\\", "\"", "a\\\n", " a", "../../etc/passwd", "\x00", "\u0085", "\u2028", "#", ";", "=", "", "!a", "*", "a]", "\xff"} {
		f.Add(s, "x"+s, s+"y", len(s)%2 == 0)
	}
	f.Add("eth0", "eth1", "eth2", false)
	f.Add(".0", "ax]a", "a]", false) // a domain that is passed over, with a warning
	f.Fuzz(func(t *testing.T, a, b, c string, words bool) {
		plain, said := networkd.Render(filledWith("eth0", "eth1", "eth2", false))
		size := map[string]int{}
		for _, file := range plain {
			size[what(file)] = strings.Count(file.Text, "\n")
		}
		files, found := networkd.Render(filledWith(a, b, c, words))
		if len(files) < len(plain) && !found.HasErrors() {
			t.Errorf("%d files instead of %d, and no finding", len(files), len(plain))
		}
		for _, file := range files {
			if !strings.HasPrefix(file.Name, networkd.Prefix) || strings.ContainsAny(file.Name, "/\n\x00") || len(file.Name) > 255 {
				t.Errorf("a file of the name %q", file.Name)
			}
			lines(t, file.Text)
			if want, is := size[what(file)], strings.Count(file.Text, "\n"); len(found) == len(said) && want != is && !words && a != b && b != c && a != c && a != "" && b != "" && c != "" {
				t.Errorf("%d lines instead of %d:\n%s", is, want, file.Text)
			}
		}
	})
}

// what tells which of the files of a network one is.
func what(f networkd.File) string { return fmt.Sprint(f.Why.Start.Line, filepath.Ext(f.Name)) }

// lines looks whether a text is sections of ours, with settings in them.
func lines(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		key, value, isSetting := strings.Cut(line, "=")
		switch {
		case line == "":
		case line[0] == '[':
			if !strings.Contains(known, " "+strings.Trim(line, "[]")+" ") {
				t.Errorf("the section %q in\n%s", line, text)
			}
		case !isSetting || key == "" || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "":
			t.Errorf("the line %q in\n%s", line, text)
		case strings.ContainsAny(value, "\r\x00\\\"'%") || strings.TrimSpace(value) != value || value == "":
			t.Errorf("the value %q in\n%s", value, text)
		}
	}
}

// filledWith is a network with these texts in all its places, and in those of the language's own words too if that is asked for.
func filledWith(a, b, c string, words bool) *network.Network {
	w := func(text, word string) string {
		if words {
			return text
		}
		return word
	}
	v4, p := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix("192.0.2.0/24")
	dns := network.DNS{Servers: []network.Server{{Addr: v4, Text: a}}, Search: []network.Domain{{Name: a}, {Name: b}}}
	overrides := network.Overrides{Hostname: b, UseDomains: w(c, "route")}
	key := secret.Text(b)
	id := func(s string) network.Ref { return network.Ref{ID: s} }
	n := &network.Network{DNS: dns, Links: []network.Link{
		{
			ID: a, Kind: network.Ethernet, Match: network.Match{MAC: b, Names: []string{b, c}, Drivers: []string{a, c}}, Rename: c, MAC: c, Activation: w(b, "off"),
			Hardware:  network.Hardware{Infiniband: w(a, "connected")},
			Addresses: []network.Address{{Prefix: p, Text: a, Label: b}}, DNS: dns, IPv6: network.IPv6{Token: a, Generation: b, RA: network.Overrides{UseDomains: w(c, "yes")}},
			DHCP:   network.DHCP{V4: true, V6: true, Overrides4: overrides, Overrides6: overrides},
			Routes: []network.Route{{To: p, ToText: a, Via: v4, ViaText: b, Scope: w(c, "link"), Type: w(a, "local")}}, Rules: []network.Rule{{From: p, FromText: a, To: p, ToText: b}},
		},
		{ID: "bo" + b, Kind: network.Bond, Members: []network.Member{{Ref: id(a)}}, Bond: &network.BondOptions{
			Mode: w(a, "802.3ad"), LACPRate: w(b, "fast"), TransmitHash: w(c, "layer2"), AdSelect: w(a, "count"), ARPValidate: w(b, "all"), ARPAllTargets: w(c, "any"),
			FailOverMAC: w(a, "active"), PrimaryReselect: w(b, "better"), Primary: id(c),
		}},
		{ID: "vl" + c, Kind: network.VLAN, Parent: id("bo" + b), MAC: a},
		{ID: "gr" + a, Kind: network.Tunnel, Parent: id(a), Tunnel: &network.TunnelOptions{Mode: w(b, "gre"), InputKey: a, OutputKey: c}},
		{ID: "vx" + a, Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vxlan", Notifications: []string{w(a, "l2-miss")}}},
		{ID: "wg" + b, Kind: network.Tunnel, Tunnel: &network.TunnelOptions{
			Mode: "wireguard", PrivateKey: key, PrivateKeyFile: c, Peers: []network.Peer{{PublicKey: a, PresharedKey: key, PresharedKeyFile: b, Endpoint: c}},
		}},
		{ID: "ve" + a, Kind: network.Veth, Peer: id("ww" + b)},
		{ID: c, Kind: network.Kind(w(a, string(network.Ethernet))), Hardware: network.Hardware{Offloads: map[string]bool{w(b, "TCPSegmentationOffload"): true}}},
	}}
	for i := range n.Links {
		n.Links[i].At.Start.Line = i + 1
	}
	return n
}
