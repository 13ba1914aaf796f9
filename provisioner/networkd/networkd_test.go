package networkd_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cloudconfig/provisioner/networkd"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/secret"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// networks are those of testdata, by the names of their goldens. What systemd-networkd says of them is asked in integration/verify.
func networks() map[string]network.Network {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	n := func(v uint32) *uint32 { return &v }
	addresses := func(list ...string) (out []network.Address) {
		for _, s := range list {
			out = append(out, network.Address{Prefix: p(s), Text: s})
		}
		return out
	}
	servers := func(list ...string) (out []network.Server) {
		for _, s := range list {
			out = append(out, network.Server{Addr: a(s), Text: s})
		}
		return out
	}
	domains := func(list ...string) (out []network.Domain) {
		for _, s := range list {
			out = append(out, network.Domain{Name: s})
		}
		return out
	}
	via := func(to, gateway string) network.Route { return network.Route{To: p(to), ToText: to, Via: a(gateway)} }
	members := func(list ...string) (out []network.Member) {
		for _, s := range list {
			out = append(out, network.Member{Ref: network.Ref{ID: s}})
		}
		return out
	}
	card := func(id string) network.Link { return network.Link{ID: id, Kind: network.Ethernet} }
	cards := func(ids ...string) (out []network.Link) {
		for _, id := range ids {
			out = append(out, card(id))
		}
		return out
	}
	mac := network.Match{MAC: "52:54:00:12:34:56"}
	one := func(l network.Link) network.Network { return network.Network{Links: []network.Link{l}} }
	key := secret.Text("QFdSbk0xWnl3QWg2aHpmdGdZbXpVb0JKdFFYd2pKZUE=")

	return map[string]network.Network{
		"dhcp": one(network.Link{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{V4: true, V6: true}}),
		"static": {
			Links: []network.Link{{
				ID: "lan", Kind: network.Ethernet, Match: mac, Rename: "lan0", MTU: 9000, MTU6: 1400,
				Addresses: addresses("192.0.2.10/24", "2001:DB8::10/64"),
				Routes: []network.Route{
					{To: p("0.0.0.0/0"), Via: a("192.0.2.1")}, {To: p("::/0"), Via: a("2001:db8::1"), ViaText: "2001:DB8::1"},
					via("10.10.10.8/32", "192.0.2.2"),
				},
				DNS: network.DNS{Servers: servers("192.0.2.53"), Search: domains("example.com", "~corp.example", "localhost", "a..b", strings.Repeat("a", 64)+".example", "example.com.")},
			}},
			DNS: network.DNS{Servers: servers("192.0.2.53", "2001:db8::53"), Search: domains("~.")},
		},
		"bond": {Links: append(cards("eth0", "eth1"),
			network.Link{
				ID: "bond0", Kind: network.Bond, MAC: "52:54:00:00:00:01", MTU: 9000, Members: members("eth0", "eth1"), DHCP: network.DHCP{V4: true},
				Bond: &network.BondOptions{
					Mode: "802.3ad", LACPRate: "fast", TransmitHash: "layer3+4", AdSelect: "bandwidth", MIIMonitor: n(100), UpDelay: n(200), DownDelay: n(0),
					MinLinks: n(1), AllMembersActive: network.On, ResendIGMP: n(1),
				},
			})},
		"bond-arp": {Links: append(cards("eth0", "eth1"),
			network.Link{
				ID: "bond0", Kind: network.Bond, Members: members("eth0", "eth1"), Addresses: addresses("192.0.2.10/24"),
				Bond: &network.BondOptions{
					Mode: "active-backup", ARPInterval: n(2000), ARPTargets: []netip.Addr{a("192.0.2.1"), a("192.0.2.2")}, ARPValidate: "all", ARPAllTargets: "any",
					FailOverMAC: "active", PrimaryReselect: "better", Primary: network.Ref{ID: "eth1"}, GratuitousARP: n(5),
				},
			})},
		"bond-balance": {Links: append(cards("eth0"),
			network.Link{
				ID: "bond0", Kind: network.Bond, Members: members("eth0"),
				Bond: &network.BondOptions{Mode: "balance-tlb", LearnPacketSec: n(10), DynamicLB: network.Off, MIIMonitor: n(60000), PacketsPerMember: n(1)},
			})},
		"bridge": {Links: append(cards("eth0"),
			network.Link{
				ID: "br0", Kind: network.Bridge, Addresses: addresses("192.0.2.10/24"),
				Members: []network.Member{{Ref: network.Ref{ID: "eth0"}, Cost: n(50), Priority: n(28), Hairpin: network.On, Learning: network.Off, NeighSuppress: network.On}},
				Bridge:  &network.BridgeOptions{STP: network.On, Priority: n(22), AgeingTime: n(250), ForwardDelay: n(4), HelloTime: n(1), MaxAge: n(10), VLANFiltering: network.On},
			})},
		"bridge-without-stp": one(network.Link{ID: "br0", Kind: network.Bridge, Bridge: &network.BridgeOptions{STP: network.Off}}),
		"vlan-on-bond": {Links: append(cards("eth0"),
			network.Link{ID: "bond0", Kind: network.Bond, Members: members("eth0")},
			network.Link{ID: "bond0.10", Kind: network.VLAN, VLANID: 10, Parent: network.Ref{ID: "bond0"}, MTU: 1400, Addresses: addresses("192.0.2.10/24")},
			network.Link{ID: "storage", Kind: network.VLAN, VLANID: 0, Parent: network.Ref{ID: "bond0"}, MAC: "52:54:00:00:00:02"})},
		"vrf": {Links: append(cards("eth0"),
			network.Link{
				ID: "blue", Kind: network.VRF, Table: 1005, Members: members("eth0"),
				Routes: []network.Route{{To: p("0.0.0.0/0"), ToText: "default", Via: a("192.0.2.1"), Table: 1005}},
				Rules:  []network.Rule{{From: p("192.0.2.3/32"), FromText: "192.0.2.3", Table: 1005}},
			})},
		"match-broad": {Links: []network.Link{
			{ID: "all", Kind: network.Ethernet, Match: network.Match{Names: []string{"*"}}, DHCP: network.DHCP{V4: true}, Optional: true},
			{ID: "fast", Kind: network.Ethernet, Match: network.Match{Names: []string{"en*", "eth*"}, Drivers: []string{"ixgbe", "mlx5*"}}},
			{ID: "one", Kind: network.Ethernet, Match: network.Match{Names: []string{"eth9"}}},
			{ID: "both", Kind: network.Ethernet, Match: network.Match{Names: []string{"en1s*"}, MAC: "52:54:00:12:34:5a", MACText: "52-54-00-12-34-5A"}},
			{ID: "driven", Kind: network.Ethernet, Match: network.Match{Drivers: []string{"hv_netvsc"}}, Rename: "lom1"},
			{ID: "container", Kind: network.Ethernet, Match: network.Match{MAC: "52:54:00:12:34:57", Current: true}},
		}},
		"hardware": {Links: []network.Link{
			{ID: "eth1", Kind: network.Ethernet, Hardware: network.Hardware{WakeOnLAN: network.Off, Offloads: map[string]bool{"TCPSegmentationOffload": true, "LargeReceiveOffload": false}}},
			{ID: "eth2", Kind: network.Ethernet, Hardware: network.Hardware{MACPolicy: "random"}},
			{ID: "own", Kind: network.Ethernet, Match: network.Match{MAC: "52:54:00:12:34:58"}, Hardware: network.Hardware{MACPolicy: "persistent"}},
			{ID: "kept", Kind: network.Ethernet, Match: mac, Hardware: network.Hardware{WakeOnLAN: network.On}},
			{ID: "ib0", Kind: network.Ethernet, Match: network.Match{MAC: "11:22:33:44:55:66:77:88:99:00:11:22:33:44:55:66:77:88:99:00"}, Hardware: network.Hardware{Infiniband: "connected"}},
		}},
		"dhcp-overrides": one(network.Link{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{
			V4: true, V6: true, ByMAC: true, Critical: true,
			Overrides4: network.Overrides{UseDNS: network.Off, UseNTP: network.On, UseHostname: network.Off, UseMTU: network.Off, UseRoutes: network.Off, UseDomains: "route", Hostname: "hal", SendHostname: network.On, Metric: n(1100)},
			Overrides6: network.Overrides{UseDNS: network.Off, UseNTP: network.Off, UseDomains: "no", UseMTU: network.Off, Metric: n(1200)},
		}}),
		"dhcp6-alone": one(network.Link{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{
			V6: true, Overrides6: network.Overrides{SendHostname: network.Off, UseRoutes: network.Off, UseHostname: network.On},
		}}),
		"ipv6": {Links: []network.Link{
			{ID: "eth0", Kind: network.Ethernet, IPv6: network.IPv6{AcceptRA: network.On, Privacy: network.On, Generation: "stable-privacy", RA: network.Overrides{UseDNS: network.Off, UseDomains: "yes", Metric: n(50), UseRoutes: network.Off}, RATable: 7}},
			{ID: "eth1", Kind: network.Ethernet, IPv6: network.IPv6{AcceptRA: network.Off, Privacy: network.Off, Token: "::1:2"}},
			{ID: "eth3", Kind: network.Ethernet, IPv6: network.IPv6{Generation: "eui64"}, DHCP: network.DHCP{V6Stateless: true}, LinkLocal: network.LinkLocal{Said: true, V4: true, V6: true}},
			{ID: "eth4", Kind: network.Ethernet, LinkLocal: network.LinkLocal{Said: true, V4: true}},
			{ID: "eth5", Kind: network.Ethernet, LinkLocal: network.LinkLocal{Said: true}},
		}},
		"dhcp6-in-vain": {Links: []network.Link{
			{ID: "eth0", Kind: network.Ethernet, DHCP: network.DHCP{V6: true}, LinkLocal: network.LinkLocal{Said: true, V4: true}},
			{ID: "eth1", Kind: network.Ethernet, DHCP: network.DHCP{V6: true}, IPv6: network.IPv6{AcceptRA: network.Off}},
		}},
		"addresses": one(network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: []network.Address{
			{Prefix: p("192.0.2.10/24"), Label: "eth0:web"}, {Prefix: p("192.0.2.11/24"), Broadcast: a("192.0.2.127")},
			{Prefix: p("2001:db8::11/64"), Deprecated: true}, {Prefix: p("2001:db8::11/64")}, {Prefix: p("192.0.2.13/24"), Forever: true}, {Prefix: p("2001:db8::12/64"), Label: "web"}, {Prefix: p("198.51.100.1/32"), Peer: a("198.51.100.2")},
		}}),
		"routes": one(network.Link{ID: "eth0", Kind: network.Ethernet, Addresses: addresses("192.0.2.10/24"), Routes: []network.Route{
			{To: p("0.0.0.0/0"), Via: a("203.0.113.1"), OnLink: network.On},
			{To: p("10.0.0.0/8"), Via: a("192.0.2.1"), From: a("192.0.2.10"), Metric: n(4294967294), Table: 100, MTU: 1400, AdvertisedMSS: 1360, CongestionWindow: 20, AdvertisedReceiveWindow: 30, Scope: "global", Type: "unicast", OnLink: network.Off},
			{To: p("10.1.0.0/16"), Type: "unreachable"}, {To: p("10.2.0.0/16"), Scope: "link"},
			{To: p("0.0.0.0/0"), ToText: "0.0.0.0/0", Type: "local", Scope: "host", Table: 99},
			{To: p("2001:db8:2::/64"), Scope: "link"}, {To: p("::/0"), Type: "local", Scope: "host", Table: 99},
			{To: p("2001:db8:1::/64"), ToText: "2001:DB8:1::5/64", Via: a("fe80::1"), Metric: n(0)},
		}}),
		"rules": one(network.Link{ID: "eth0", Kind: network.Ethernet, Rules: []network.Rule{
			{From: p("10.10.10.0/24"), Table: 100, Priority: n(10)}, {To: p("2001:db8::/32"), Table: 101, Mark: n(50), TOS: n(16)}, {Mark: n(7), Table: 102},
		}}),
		"states": {Links: []network.Link{
			{ID: "down", Kind: network.Ethernet, Activation: "off"},
			{ID: "hand", Kind: network.Ethernet, Activation: "manual", IgnoreCarrier: network.On, EmitLLDP: network.On},
		}},
		"tunnels": {Links: append(cards("eth0"),
			network.Link{ID: "gre1", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "gre", Local: a("192.0.2.10"), Remote: a("192.0.2.11"), TTL: n(64), InputKey: "1234", OutputKey: "1.2.3.4"}},
			network.Link{ID: "six", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "ipip6", Local: a("2001:db8::1"), Remote: a("2001:db8::2")}},
			network.Link{ID: "sit1", Kind: network.Tunnel, Parent: network.Ref{ID: "eth0"}, Tunnel: &network.TunnelOptions{Mode: "sit", Local: a("192.0.2.10"), Remote: a("192.0.2.11")}, Addresses: addresses("2001:db8::10/64")},
			network.Link{ID: "isa", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "isatap", Local: a("192.0.2.10"), Remote: a("192.0.2.11")}},
			network.Link{ID: "vti1", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vti", Local: a("192.0.2.10"), Remote: a("192.0.2.12"), InputKey: "1", OutputKey: "2"}})},
		"vxlan": {Links: append(cards("eth0"),
			network.Link{ID: "vx0", Kind: network.Tunnel, Parent: network.Ref{ID: "eth0"}, Tunnel: &network.TunnelOptions{
				Mode: "vxlan", VNI: n(1005), Remote: a("192.0.2.11"), Local: a("192.0.2.10"), TTL: n(64), Port: n(4789), MACLearning: network.Off, Ageing: n(300), Limit: n(20), TypeOfService: n(4),
				FlowLabel: n(7), DontFragment: network.On, ARPProxy: network.On, ShortCircuit: network.On, PortRange: [2]uint16{10, 100},
				Notifications: []string{"l2-miss", "l3-miss"}, Checksums: []string{"udp", "zero-udp6-tx", "zero-udp6-rx", "remote-tx", "remote-rx"}, Extensions: []string{"group-policy", "generic-protocol"},
			}},
			network.Link{ID: "vx1", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vxlan", VNI: n(1006), Remote: a("ff42::dead:beef")}})},
		"wireguard": one(network.Link{ID: "wg0", Kind: network.Tunnel, Addresses: addresses("10.20.30.1/24"), Tunnel: &network.TunnelOptions{
			Mode: "wireguard", PrivateKey: key, ListenPort: n(51820), Mark: n(42),
			Peers: []network.Peer{
				{PublicKey: string(key), PresharedKey: key, Endpoint: "[2001:db8::1]:51820", AllowedIPs: []netip.Prefix{p("10.20.30.0/24"), p("::/0")}, Keepalive: n(25)},
				{PublicKey: "M9nt4YujIOmNrRmpIRTmYSfMdrpvE7u6WkG8FY8WjG4=", PresharedKeyFile: "/etc/wireguard/shared", Endpoint: "vpn.example.com:51820", AllowedIPs: []netip.Prefix{p("0.0.0.0/0")}},
			},
		}}),
		"wireguard-file": one(network.Link{ID: "wg0", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "wireguard", PrivateKeyFile: "/etc/wireguard/key"}}),
		"made": {Links: []network.Link{
			{ID: "dm0", Kind: network.Dummy, Addresses: addresses("192.0.2.1/32"), MAC: "52:54:00:00:00:03", MTU: 1400},
			{ID: "veth1", Kind: network.Veth, Peer: network.Ref{ID: "veth0"}},
			{ID: "veth0", Kind: network.Veth, Peer: network.Ref{ID: "veth1"}, MAC: "52:54:00:00:00:04"},
		}},
		"unsupported": {Links: append(cards("eth0"),
			network.Link{ID: "alone", Kind: network.Veth},
			network.Link{ID: "wwan0", Kind: "modem"},
			network.Link{ID: "eth1", Kind: network.Ethernet, Hardware: network.Hardware{Offloads: map[string]bool{"RocketOffload": true}}},
			network.Link{ID: "br0", Kind: network.Bridge, Members: members("eth0")},
			network.Link{ID: "br1", Kind: network.Bridge, Members: members("eth0", "eth7")},
			network.Link{ID: "web", Kind: network.VLAN, VLANID: 1}, network.Link{ID: "db", Kind: network.VLAN, VLANID: 1, Parent: network.Ref{ID: "eth8"}},
			network.Link{ID: "ra", Kind: network.Ethernet, Match: mac, IPv6: network.IPv6{RA: network.Overrides{UseNTP: network.On}}},
			network.Link{ID: "nothing", Kind: network.Ethernet, Match: network.Match{Current: true, Names: []string{}}},
			network.Link{ID: "tun", Kind: network.Tunnel},
			network.Link{ID: "vx0", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vxlan", VNI: n(1), Checksums: []string{"md5"}}},
			card("eth0"),
		)},
		"ranges": {Links: append(cards("eth1"),
			network.Link{ID: "eth0", Kind: network.Ethernet, MTU6: 1279, Routes: []network.Route{{To: p("10.0.0.0/8"), CongestionWindow: 1024, AdvertisedReceiveWindow: 1024}}, Rules: []network.Rule{{Mark: n(0), TOS: n(256)}}},
			network.Link{ID: "br0", Kind: network.Bridge, Members: []network.Member{{Ref: network.Ref{ID: "eth1"}, Cost: n(0), Priority: n(64)}}, Bridge: &network.BridgeOptions{Priority: n(65536)}},
			network.Link{ID: "web", Kind: network.VLAN, Parent: network.Ref{ID: "br0"}, VLANID: 4095}, network.Link{ID: "v", Kind: network.VRF},
			network.Link{ID: "bond0", Kind: network.Bond, Bond: &network.BondOptions{TransmitHash: "vlan+srcmac", AdSelect: "none", GratuitousARP: n(256), PacketsPerMember: n(65536), ResendIGMP: n(256), LearnPacketSec: n(0)}},
			network.Link{ID: "vx0", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{Mode: "vxlan", VNI: n(1 << 24), TTL: n(256), FlowLabel: n(1 << 20), Port: n(0)}},
		)},
		"names": {Links: []network.Link{
			{ID: "../../etc/passwd", Kind: network.Ethernet, Match: mac},
			{ID: "größe", Kind: network.Ethernet, Match: mac},
			{ID: "a/b", Kind: network.Bridge}, {ID: "sixteen.letters.", Kind: network.Bridge}, {ID: "en*", Kind: network.Ethernet}, {ID: "12", Kind: network.Dummy},
			{ID: "x", Kind: network.Ethernet, Match: network.Match{Names: []string{"!eth0"}}}, {ID: "y", Kind: network.Ethernet, Match: network.Match{Names: []string{"a b"}}},
			{ID: "z", Kind: network.Ethernet, Match: mac, Rename: "eth%d"}, {ID: "", Kind: network.Ethernet},
		}},
		"values": one(network.Link{
			ID: "eth0", Kind: network.Ethernet, MAC: "52:54:00:00:00:01\n[Match]", Match: network.Match{Drivers: []string{"a b"}},
			DNS: network.DNS{Search: domains("a\nDNS=192.0.2.1", "a b", "%H", "good.example", "tail\\", "\u2028", "")}, DHCP: network.DHCP{V4: true, Overrides4: network.Overrides{Hostname: "\"a"}},
			Addresses: []network.Address{{Prefix: p("192.0.2.1/24"), Text: "192.0.2.1/24\nDHCP=yes", Label: " a"}},
		}),
	}
}

func TestRender(t *testing.T) {
	seen := map[string]bool{}
	for name, n := range networks() {
		seen[name+".txtar"] = true
		t.Run(name, func(t *testing.T) {
			files, found := networkd.Render(&n)
			got := golden(files, found)
			path := filepath.Join("testdata", name+".txtar")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s is not what is rendered; got\n%s", path, got)
			}
		})
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".txtar") && !seen[f.Name()] {
			t.Errorf("testdata/%s is the golden of nothing", f.Name())
		}
	}
}

// golden is what was rendered, with the findings in front.
func golden(files []networkd.File, found diag.List) []byte {
	var a txtar.Archive
	for _, d := range found {
		a.Comment = fmt.Appendf(a.Comment, "%s: %s [%s]\n", d.Severity, d.Summary, d.Rule.ID)
	}
	for _, f := range files {
		if f.Secret {
			a.Comment = fmt.Appendf(a.Comment, "secret: %s\n", f.Name)
		}
		a.Files = append(a.Files, txtar.File{Name: f.Name, Data: []byte(f.Text)})
	}
	return txtar.Format(&a)
}

// TestRescueIsNoLinks: the file that brings a lost machine back is no link's, whatever that is called.
func TestRescueIsNoLinks(t *testing.T) {
	files, found := networkd.Render(&network.Network{Links: []network.Link{{ID: "dhcp", Kind: network.Dummy}}})
	if len(files) != 2 || len(found) > 0 {
		t.Fatalf("%d files, %v", len(files), found)
	}
	for _, f := range files {
		if f.Name == networkd.Rescue || !strings.HasPrefix(f.Name, networkd.Prefix+"dhcp-") {
			t.Errorf("the link has %s", f.Name)
		}
	}
}
