package netplan_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/netplan"
	"cloudconfig/schema/secret"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// read is a network-config, held against the language and read.
func read(text string) (*network.Network, diag.List) {
	f := &source.File{Name: "network-config", Bytes: []byte(text)}
	c := findings.New()
	c.Sources[f.Name] = f
	root, found := yamltree.Parse(f)
	c.Diags.Add(found...)
	if root == nil || root.Kind != yamltree.Mapping {
		return nil, c.Sorted()
	}
	check := language.Checker{Collector: c}
	check.CheckNetwork(root)
	if below := root.Get("network"); below != nil {
		root = below
	}
	return netplan.Read(c, root), c.Sorted()
}

func number(v uint32) *uint32 { return &v }

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func members(ids ...string) (out []network.Member) {
	for _, id := range ids {
		out = append(out, network.Member{Ref: network.Ref{ID: id}})
	}
	return out
}

// TestRead holds links against what is written; of several links, against the last.
func TestRead(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       network.Link
	}{
		{"a card by its name alone", "ethernets: {eth0: {dhcp4: true}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{V4: true}}},
		{"a card without a value", "ethernets: {eth0: }", network.Link{ID: "eth0", Kind: network.Ethernet}},
		{"names of links are not keys of the language", "ethernets: {my_card-1: {match: {name: en*}}}",
			network.Link{ID: "my_card-1", Kind: network.Ethernet, Match: network.Match{Names: []string{"en*"}}}},
		{"no match at all is every card", "ethernets: {all-cards: {match: {}}}",
			network.Link{ID: "all-cards", Kind: network.Ethernet, Match: network.Match{Names: []string{"*"}}}},
		{"a card by its address, in another spelling", `ethernets: {lan: {match: {macaddress: "52-54-00-6B-3C-58", driver: ixgbe}, set-name: lan0}}`,
			network.Link{ID: "lan", Kind: network.Ethernet, Rename: "lan0", Match: network.Match{MAC: "52:54:00:6b:3c:58", MACText: "52-54-00-6B-3C-58", Drivers: []string{"ixgbe"}},
				Hardware: network.Hardware{WakeOnLAN: network.Off}}},
		{"what a card does itself", "ethernets: {eth0: {wakeonlan: on, tcp_segmentation_offload: no, infiniband-mode: connected}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Hardware: network.Hardware{
				WakeOnLAN: network.On, Infiniband: "connected", Offloads: map[string]bool{"TCPSegmentationOffload": false}}}},
		{"a hardware address by chance", "ethernets: {eth0: {macaddress: random}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Hardware: network.Hardware{MACPolicy: "random", WakeOnLAN: network.Off}}},
		{"the card's own hardware address", "ethernets: {eth0: {macaddress: permanent}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Hardware: network.Hardware{MACPolicy: "persistent", WakeOnLAN: network.Off}}},
		{"an address that stays", "ethernets: {eth0: {addresses: [192.0.2.10/24: {lifetime: forever}]}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: []network.Address{{Prefix: prefix("192.0.2.10/24"), Text: "192.0.2.10/24", Forever: true}}}},
		{"addresses", `ethernets: {eth0: {addresses: [192.0.2.10/24, {192.0.2.11/24: {lifetime: 0, label: "eth0:a"}}, "2001:DB8::1/64"]}}`,
			network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: []network.Address{
				{Prefix: prefix("192.0.2.10/24"), Text: "192.0.2.10/24"},
				{Prefix: prefix("192.0.2.11/24"), Text: "192.0.2.11/24", Label: "eth0:a", Deprecated: true},
				{Prefix: prefix("2001:db8::1/64"), Text: "2001:DB8::1/64"}}}},
		{"a lone address", "ethernets: {eth0: {addresses: 192.0.2.10/24}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: []network.Address{{Prefix: prefix("192.0.2.10/24"), Text: "192.0.2.10/24"}}}},
		{"DHCP and what is taken of it", "ethernets: {eth0: {dhcp6: y, dhcp-identifier: mac, critical: true, dhcp6-overrides: {use-dns: no, use-domains: yes, route-metric: 0, hostname: web1}}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{V6: true, ByMAC: true, Critical: true,
				Overrides6: network.Overrides{UseDNS: network.Off, UseDomains: "yes", Metric: number(0), Hostname: "web1"}}}},
		{"IPv6", `ethernets: {eth0: {accept-ra: false, ipv6-privacy: true, ipv6-address-token: "::0:2", link-local: [], ra-overrides: {use-domains: route, table: 7}}}`,
			network.Link{ID: "eth0", Kind: network.Ethernet, LinkLocal: network.LinkLocal{Said: true}, IPv6: network.IPv6{
				AcceptRA: network.Off, Privacy: network.On, Token: "::2", RA: network.Overrides{UseDomains: "route"}, RATable: 7}}},
		{"what the boot waits for", "ethernets: {eth0: {activation-mode: no, mtu: 9000, ipv6-mtu: 1400, ignore-carrier: true, emit-lldp: true}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Optional: true, Activation: "off", MTU: 9000, MTU6: 1400, IgnoreCarrier: network.On, EmitLLDP: network.On,
				Hardware: network.Hardware{WakeOnLAN: network.Off}}},
		{"name servers, in order", "ethernets: {eth0: {nameservers: {addresses: [192.0.2.2, 192.0.2.1], search: [b.example, ~a.example]}}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, DNS: network.DNS{
				Servers: []network.Server{{Addr: addr("192.0.2.2"), Text: "192.0.2.2"}, {Addr: addr("192.0.2.1"), Text: "192.0.2.1"}},
				Search:  []network.Domain{{Name: "b.example"}, {Name: "~a.example"}}}}},
		{"gateways", `ethernets: {eth0: {gateway4: 192.0.2.1, gateway6: "2001:db8::1"}}`,
			network.Link{ID: "eth0", Kind: network.Ethernet, Routes: []network.Route{
				{To: prefix("0.0.0.0/0"), Via: addr("192.0.2.1"), ViaText: "192.0.2.1"}, {To: prefix("::/0"), Via: addr("2001:db8::1"), ViaText: "2001:db8::1"}}}},
		{"a gateway beyond the network of a host", "ethernets: {eth0: {addresses: [192.0.2.10/32], gateway4: 198.51.100.1}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: []network.Address{{Prefix: prefix("192.0.2.10/32"), Text: "192.0.2.10/32"}}, Routes: []network.Route{
				{To: prefix("0.0.0.0/0"), Via: addr("198.51.100.1"), ViaText: "198.51.100.1", OnLink: network.On}}}},
		{"routes", `ethernets: {eth0: {routes: [{to: default, via: "2001:db8::1", metric: 0}, {to: 192.0.2.1, scope: global, type: unicast, via: 192.0.2.2, table: 10, mtu: 1400}, {to: 10.1.2.3/8}, {to: 10.0.0.0/8, type: local}]}}`,
			network.Link{ID: "eth0", Kind: network.Ethernet, Routes: []network.Route{
				{To: prefix("::/0"), ToText: "default", Via: addr("2001:db8::1"), ViaText: "2001:db8::1", Metric: number(0)},
				{To: prefix("192.0.2.1/32"), ToText: "192.0.2.1", Via: addr("192.0.2.2"), ViaText: "192.0.2.2", Table: 10, MTU: 1400},
				{To: prefix("10.0.0.0/8"), ToText: "10.1.2.3/8"},
				{To: prefix("10.0.0.0/8"), ToText: "10.0.0.0/8", Scope: "host", Type: "local"}}}},
		{"rules", "ethernets: {eth0: {routing-policy: [{from: 192.0.2.1, table: 10, mark: 0}, {to: 10.0.0.0/8, priority: 0, mark: 7, type-of-service: 0}]}}",
			network.Link{ID: "eth0", Kind: network.Ethernet, Rules: []network.Rule{
				{From: prefix("192.0.2.1/32"), FromText: "192.0.2.1", Table: 10},
				{To: prefix("10.0.0.0/8"), ToText: "10.0.0.0/8", Priority: number(0), Mark: number(7), TOS: number(0)}}}},
		{"a bond in older words", "bonds: {b: {interfaces: [eth0, eth1], parameters: {mode: 802.3ad, all-slaves-active: on, gratuitious-arp: 2, packets-per-slave: 3, mii-monitor-interval: 2s, up-delay: 1min 500ms, learn-packet-interval: 2, arp-ip-targets: 192.0.2.1, primary: eth0}}}",
			network.Link{ID: "b", Kind: network.Bond, Members: members("eth0", "eth1"), Bond: &network.BondOptions{
				Mode: "802.3ad", AllMembersActive: network.On, GratuitousARP: number(2), PacketsPerMember: number(3), MIIMonitor: number(2000),
				UpDelay: number(60_500), LearnPacketSec: number(2), ARPTargets: []netip.Addr{addr("192.0.2.1")}, Primary: network.Ref{ID: "eth0"}}}},
		{"a bond of nothing in particular", "bonds: {b: {parameters: {ad-select: none}}}",
			network.Link{ID: "b", Kind: network.Bond, Bond: &network.BondOptions{}}},
		{"a bridge and its ports", "ethernets: {eth0: {hairpin: true}, eth1: {port-mac-learning: no}}\nbridges: {b: {interfaces: [eth0, eth1], parameters: {aging-time: 5min, path-cost: {eth0: 7}, port-priority: {eth1: 0}}}}",
			network.Link{ID: "b", Kind: network.Bridge, Bridge: &network.BridgeOptions{STP: network.On, AgeingTime: number(300)}, Members: []network.Member{
				{Ref: network.Ref{ID: "eth0"}, Cost: number(7), Hairpin: network.On}, {Ref: network.Ref{ID: "eth1"}, Priority: number(0), Learning: network.Off}}}},
		{"a bridge without parameters", "bridges: {b: {interfaces: eth0}}", network.Link{ID: "b", Kind: network.Bridge, Members: members("eth0")}},
		{"a VLAN", "vlans: {web: {id: 0, link: eth0}}", network.Link{ID: "web", Kind: network.VLAN, Parent: network.Ref{ID: "eth0"}}},
		{"a VRF, whose table its routes are in", "vrfs: {red: {table: 42, interfaces: [eth0], routes: [{to: 10.0.0.0/8, via: 192.0.2.1}], routing-policy: [{from: 192.0.2.1, table: 42}]}}",
			network.Link{ID: "red", Kind: network.VRF, Table: 42, Members: members("eth0"),
				Routes: []network.Route{{To: prefix("10.0.0.0/8"), ToText: "10.0.0.0/8", Via: addr("192.0.2.1"), ViaText: "192.0.2.1", Table: 42}},
				Rules:  []network.Rule{{From: prefix("192.0.2.1/32"), FromText: "192.0.2.1", Table: 42}}}},
		{"a dummy", "dummy-devices: {dm0: {}}", network.Link{ID: "dm0", Kind: network.Dummy}},
		{"an end of a cable", "virtual-ethernets: {a: {peer: b}}", network.Link{ID: "a", Kind: network.Veth, Peer: network.Ref{ID: "b"}}},
		{"a tunnel with one key", "tunnels: {t: {mode: vti, local: 192.0.2.1, remote: 192.0.2.2, key: 1.2.3.4, ttl: 64}}",
			network.Link{ID: "t", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vti", Local: addr("192.0.2.1"), Remote: addr("192.0.2.2"), TTL: number(64), InputKey: "1.2.3.4", OutputKey: "1.2.3.4"}}},
		{"a tunnel with two keys", "tunnels: {t: {mode: ip6gre, remote: 2001:db8::2, keys: {input: 1, output: 2}}}",
			network.Link{ID: "t", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "ip6gre", Remote: addr("2001:db8::2"), InputKey: "1", OutputKey: "2"}}},
		{"a VXLAN to a group", "tunnels: {v: {mode: vxlan, id: 5, link: eth0, remote: 239.0.0.1, port-range: [20, 10], checksums: [udp], aging: 7}}",
			network.Link{ID: "v", Kind: network.Tunnel, Parent: network.Ref{ID: "eth0"}, Tunnel: &network.TunnelOptions{
				Mode: "vxlan", VNI: number(5), Group: addr("239.0.0.1"), PortRange: [2]uint16{10, 20}, Checksums: []string{"udp"}, Ageing: number(7)}}},
		{"WireGuard", "tunnels: {w: {mode: wireguard, port: auto, keys: {private: /etc/w.key}, peers: [{keys: {public: rlbInAj0qV69CysWPQY7KEBnKxpYCpaWqOs/dLevdWc=, shared: mNb7OIIXTdgW4khM7OFlzJ+UPs7lmcWHV7xjPgakMkQ=}, allowed-ips: 10.0.0.1/24, endpoint: \"[2001:db8::1]:5\", keepalive: 25}]}}",
			network.Link{ID: "w", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "wireguard", PrivateKeyFile: "/etc/w.key", Peers: []network.Peer{{
				PublicKey: "rlbInAj0qV69CysWPQY7KEBnKxpYCpaWqOs/dLevdWc=", PresharedKey: secret.Text("mNb7OIIXTdgW4khM7OFlzJ+UPs7lmcWHV7xjPgakMkQ="),
				AllowedIPs: []netip.Prefix{prefix("10.0.0.0/24")}, Endpoint: "[2001:db8::1]:5", Keepalive: number(25)}}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, found := read("version: 2\n" + test.text + "\n")
			if found.HasErrors() || n == nil || len(n.Links) == 0 {
				t.Fatalf("%v", found)
			}
			ranges := cmpopts.IgnoreTypes(source.Range{})
			same := cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})
			if diff := cmp.Diff(test.want, n.Links[len(n.Links)-1], ranges, same); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPlaces: a link is at its name, and what is found about a value at the value.
func TestPlaces(t *testing.T) {
	n, found := read("network:\n  version: 2\n  ethernets:\n    eth0: {}\n  bonds:\n    bond0:\n      interfaces: [eth0]\n      mtu: 9000\n")
	if len(found) > 0 {
		t.Fatal(found)
	}
	bond := n.Link("bond0")
	for _, place := range []struct {
		of   string
		at   source.Range
		want string
	}{
		{"the link", bond.At, "network-config:6:5"}, {"its member", bond.Members[0].At, "network-config:7:20"}, {"its MTU", bond.MTUAt, "network-config:8:12"},
	} {
		if place.at.String() != place.want {
			t.Errorf("%s is at %s", place.of, place.at)
		}
	}
}

// TestSecrets: keys of WireGuard are in no finding, and no line that has one is drawn.
func TestSecrets(t *testing.T) {
	_, found := read("tunnels:\n  w:\n    mode: wireguard\n    key: canary\n    peers:\n      - {keys: {public: canary, shared: canary}, allowed-ips: []}\n")
	secret := 0
	for _, d := range found {
		if strings.Contains(d.Summary+d.Detail, "canary") {
			t.Errorf("%s: %s", d.Summary, d.Detail)
		}
		if d.Secret {
			secret++
		}
	}
	if secret != len(found) || secret < 3 {
		t.Errorf("%d of %d findings are secret", secret, len(found))
	}
}

// TestSecretsInWrongPlaces: a key of WireGuard that is written as a list, or below a key that there is not, is hidden all the same.
func TestSecretsInWrongPlaces(t *testing.T) {
	for _, text := range []string{
		"tunnels:\n  w:\n    mode: wireguard\n    key: [canary]\n",
		"tunnels:\n  w:\n    mode: wireguard\n    keys: {private: [canary]}\n",
		"tunnels:\n  w:\n    mode: wireguard\n    private-key: canary\n",
		"tunnels:\n  w:\n    mode: gre\n    peers:\n      - presharedkey: canary\n",
		"tunnels:\n  w:\n    mode: wireguard\n    peers:\n      - keys: {presharedkey: canary}\n",
	} {
		_, found := read(text)
		if !found.HasErrors() {
			t.Errorf("nothing is wrong with %q", text)
		}
		for _, d := range found {
			line := strings.Split(text, "\n")[d.Subject.Start.Line-1]
			if strings.Contains(d.Summary+d.Detail, "canary") || strings.Contains(line, "canary") && !d.Secret {
				t.Errorf("%s: %s shows %q", d.Subject, d.Summary, line)
			}
		}
	}
}

// TestLabels: networkd takes ASCII alone, and what could be read as more than it is is not written.
func TestLabels(t *testing.T) {
	for label, good := range map[string]bool{`eth0:web`: true, `"e\u200bth0"`: false, `"%i"`: false, `'a"b'`: false, `abcdefghijklmnop`: false} {
		if _, found := read("ethernets: {eth0: {addresses: [{192.0.2.1/24: {label: " + label + "}}]}}"); found.HasErrors() == good {
			t.Errorf("%s: %v", label, found)
		}
	}
}
