package plan_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/draw"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

const (
	macA = "52:54:00:00:00:0a"
	macB = "52:54:00:00:00:0b"
)

// where is a place in a network-config.
func where(line int) source.Range {
	r := at(line)
	r.File = "network-config"
	return r
}

func card(name, mac string) plan.Interface {
	return plan.Interface{Name: name, MAC: mac, PermanentMAC: mac, Driver: "virtio_net", Up: true, Carrier: true, MTU: 1500}
}

func loopback() plan.Interface { return plan.Interface{Name: "lo", Index: 1, Loopback: true, Up: true} }

// static is a card with an address and a default route.
func static(line int, id, mac string) network.Link {
	return network.Link{
		At: where(line), ID: id, Kind: network.Ethernet, Match: network.Match{MAC: mac, At: where(line + 1)},
		Addresses: []network.Address{{Prefix: netip.MustParsePrefix("192.0.2.10/24")}},
		Routes:    []network.Route{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1")}},
	}
}

func dhcp(line int, id string, m network.Match) network.Link {
	return network.Link{At: where(line), ID: id, Kind: network.Ethernet, Match: m, DHCP: network.DHCP{V4: true}}
}

func networkOf(links ...network.Link) *network.Network {
	return &network.Network{At: where(1), Links: links}
}

// live is an input for a running system.
func live(n *network.Network, interfaces ...plan.Interface) plan.Input {
	return plan.Input{Network: n, Facts: plan.Facts{Live: true, Interfaces: append([]plan.Interface{loopback()}, interfaces...)}}
}

// ours are the paths of networkd's files that a plan changes, with what is done.
func ours(p plan.Plan) []string {
	var out []string
	for _, c := range slices.Concat(p.Changes, p.Runtime) {
		if c.Kind != plan.MakeDirectory && strings.Contains(c.Path, "systemd/network") {
			out = append(out, string(c.Kind)+" "+c.Path)
		}
	}
	return out
}

func TestNetworkFiles(t *testing.T) {
	link := static(3, "eth0", macA)
	for _, tc := range []struct {
		name     string
		disk     map[string]string
		volumes  map[string]fsroot.Volume
		in       plan.Input
		want     []string
		networkd bool
	}{
		{
			name: "without a description nothing is touched", disk: map[string]string{"etc/systemd/network/05-provisioner-old.network": "x"},
		},
		{
			name: "a new file", disk: map[string]string{"etc/systemd/network/": ""}, in: plan.Input{Network: networkOf(link)},
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network"}, networkd: true,
		},
		{
			name: "ours that nothing asks for go, in both folders, and others stay",
			disk: map[string]string{
				"etc/systemd/network/05-provisioner-old.network": "[Match]\nName=old\n", "etc/systemd/network/05-provisioner-old.link": "",
				"run/systemd/network/05-provisioner-eth0.network": "", "etc/systemd/network/10-image.network": "[Match]\nName=x\n",
				"etc/systemd/network/05-provisioner-notes.txt": "",
			},
			in: plan.Input{Network: networkOf(link)},
			want: []string{
				"file etc/systemd/network/05-provisioner-eth0.network", "remove etc/systemd/network/05-provisioner-old.link",
				"remove etc/systemd/network/05-provisioner-old.network", "remove run/systemd/network/05-provisioner-eth0.network",
			}, networkd: true,
		},
		{
			name: "a network of nothing takes all of ours away", disk: map[string]string{"etc/systemd/network/05-provisioner-old.network": ""},
			in: plan.Input{Network: networkOf()}, want: []string{"remove etc/systemd/network/05-provisioner-old.network"}, networkd: true,
		},
		{
			name: "below /run where /etc is read-only", disk: map[string]string{"etc/systemd/network/": "", "run/": ""},
			volumes: map[string]fsroot.Volume{"etc/systemd/network": {Top: "etc", ReadOnly: true}},
			in:      plan.Input{Network: networkOf(link)},
			want:    []string{"file run/systemd/network/05-provisioner-eth0.network"}, networkd: true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDisk(tc.disk)
			for p, v := range tc.volumes {
				n := d[p]
				n.volume = v
				d[p] = n
			}
			p := d.applied(t, tc.in)
			if diff := cmp.Diff(tc.want, ours(p)); diff != "" {
				t.Error(diff)
			}
			if p.Networkd != tc.networkd || len(p.Network.Links) > 0 != tc.networkd {
				t.Errorf("networkd %v, links %+v", p.Networkd, p.Network.Links)
			}
			for _, c := range p.Changes {
				if c.Kind == plan.WriteFile && (c.Attr != fsroot.Attr{Mode: 0o644} || c.Why[0] != link.At) {
					t.Errorf("%s: %+v because of %v", c.Path, c.Attr, c.Why)
				}
			}
		})
	}
}

func TestNetworkKeyIsSecret(t *testing.T) {
	tunnel := network.Link{At: where(2), ID: "wg0", Kind: network.Tunnel, Tunnel: &network.TunnelOptions{
		Mode: "wireguard", PrivateKey: "4GgaQCy68nzNsUE5aJ9fuLzHhB65tAlwbmA72MWnOm8=",
	}}
	for group, want := range map[string]fsroot.Attr{
		"systemd-network:x:998:\n": {Mode: 0o640, GID: 998},
		"":                         {Mode: 0o600},
	} {
		p := newDisk(map[string]string{"etc/group": "root:x:0:\n" + group, "etc/systemd/network/": ""}).applied(t, plan.Input{Network: networkOf(tunnel)})
		found := false
		for _, c := range p.Changes {
			if strings.HasSuffix(c.Path, ".netdev") {
				found = true
				if !c.Secret || c.Attr != want {
					t.Errorf("with %q: secret %v, %+v", group, c.Secret, c.Attr)
				}
			}
		}
		if !found {
			t.Errorf("with %q: no .netdev among %v", group, ours(p))
		}
		if drawn := show(t, p, draw.Options{}); strings.Contains(drawn, "4GgaQCy68") {
			t.Errorf("the key is shown:\n%s", drawn)
		}
	}
}

func TestNetworkAndUnits(t *testing.T) {
	unit := func(name, content string) []schema.Unit {
		return []schema.Unit{{At: at(9), Name: val(name, 9), Content: val(content, 10)}}
	}
	for _, tc := range []struct {
		name     string
		units    []schema.Unit
		files    []schema.File
		link     network.Link
		platform bool
		findings []string
		want     []string
	}{
		{
			name: "a unit of the same name", units: unit("05-provisioner-eth0.network", "[Match]\nName=eth0\n"), link: static(3, "eth0", macA),
			findings: []string{"error path-twice"},
			want:     []string{"file etc/systemd/network/05-provisioner-eth0.network"},
		},
		{
			name: "a file of the same name", files: []schema.File{{At: at(9), Path: val("/etc/systemd/network/05-provisioner-eth0.network", 9), Content: val([]byte("x"))}},
			link: static(3, "eth0", macA), findings: []string{"error path-twice"},
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network"},
		},
		{
			name: "a unit beside the user's own description", units: unit("10-a.network", "[Match]\nMACAddress="+macA+"\n"), link: static(3, "eth0", macA),
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network", "file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit with the card's hardware address, in capitals", units: unit("10-a.network", "[Match]\nMACAddress="+strings.ToUpper(macA)+"\n"),
			link: static(3, "eth0", macA), platform: true, findings: []string{"info network-replaced"}, want: []string{"file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit with the name of the card", units: unit("10-a.network", "[Match]\nName=eth* en*\n"),
			link: dhcp(3, "eth0", network.Match{}), platform: true, findings: []string{"info network-replaced"}, want: []string{"file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit for another card", units: unit("10-a.network", "[Match]\nName=eth1\n"), link: dhcp(3, "eth0", network.Match{}), platform: true,
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network", "file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit for all but this card", units: unit("10-a.network", "[Match]\nName=!eth0\n"), link: dhcp(3, "eth0", network.Match{}), platform: true,
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network", "file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit that asks for more than is known", units: unit("10-a.network", "[Match]\nName=eth0\nHost=web1\n"), link: dhcp(3, "eth0", network.Match{}), platform: true,
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network", "file etc/systemd/network/10-a.network"},
		},
		{
			name: "a unit that makes something is not about a card", units: unit("10-a.netdev", "[Match]\nName=eth0\n[NetDev]\nName=eth0\nKind=dummy\n"), link: dhcp(3, "eth0", network.Match{}), platform: true,
			want: []string{"file etc/systemd/network/05-provisioner-eth0.network", "file etc/systemd/network/10-a.netdev"},
		},
		{
			name: "what makes a bridge is kept", units: unit("10-a.network", "[Match]\nName=br0\n"), platform: true,
			link: network.Link{At: where(3), ID: "br0", Kind: network.Bridge, Addresses: static(1, "", "").Addresses}, findings: []string{"info network-replaced"},
			want: []string{"file etc/systemd/network/05-provisioner-br0.netdev", "file etc/systemd/network/10-a.network"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := plan.Input{Network: networkOf(tc.link), Config: &schema.Config{Units: tc.units, Files: tc.files}}
			if tc.platform {
				in.NetworkUnits = tc.units
			}
			p, diags := newDisk(map[string]string{"etc/systemd/network/": ""}).compute(t, in)
			if diff := cmp.Diff(tc.findings, findings(diags)); diff != "" {
				t.Errorf("%s\n%v", diff, diags)
			}
			if diff := cmp.Diff(tc.want, ours(p)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(strings.Join(tc.findings, ""), "replaced") {
				for _, l := range p.Network.Links {
					if len(l.Addresses) > 0 {
						t.Errorf("%s is left to the unit, and is said to have %v of ours", l.ID, l.Addresses)
					}
				}
			}
		})
	}
}

func TestNetworkOfTheMachine(t *testing.T) {
	optional := static(3, "eth0", macB)
	optional.Optional = true
	renamed := func(line int, id, mac, name string) network.Link {
		l := dhcp(line, id, network.Match{MAC: mac, At: where(line + 1)})
		l.Rename = name
		return l
	}
	member := card("eth1", macA)
	member.PermanentMAC = macB // it has the address of its bond
	member.Master = "bond0"
	bond := plan.Interface{Name: "bond0", Kind: "bond", Driver: "bonding", MAC: macA}
	vlan := plan.Interface{Name: "eth0.7", Kind: "vlan", MAC: macA, Parent: "eth0"}
	virtual := plan.Interface{Name: "eth0", Kind: "veth", Driver: "veth", MAC: macA}
	passed := card("enP1s1", macA)
	passed.Driver, passed.Master = "mlx5_core", "eth0"
	alternative := card("eth0", macA)
	alternative.AltNames = []string{"enp3s0"}
	many := []plan.Interface{}
	for i := range 20 {
		many = append(many, card("eth"+string(rune('a'+i)), "52:54:00:00:01:"+string("0123456789abcdef"[i/16])+string("0123456789abcdef"[i%16])))
	}
	for _, tc := range []struct {
		name       string
		links      []network.Link
		interfaces []plan.Interface
		disk       map[string]string
		want       []string // "severity rule line: summary; detail"
	}{
		{"the card is there", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)}, nil, nil},
		{
			"the card was swapped", []network.Link{static(3, "eth0", macB)}, []plan.Interface{card("ens3", macA)}, nil,
			[]string{"error network-absent 4: no interface has the hardware address " + macB + "; the machine has ens3 (" + macA + ")"},
		},
		{
			"no card at all", []network.Link{dhcp(3, "eth0", network.Match{})}, nil, nil,
			[]string{"error network-absent 3: no interface has the name eth0; the machine has none"},
		},
		{
			"more cards than are worth naming", []network.Link{dhcp(3, "eth0", network.Match{})}, many, nil,
			[]string{"error network-absent 3: no interface has the name eth0; the machine has etha (52:54:00:00:01:00), ethb (52:54:00:00:01:01), ethc (52:54:00:00:01:02), " +
				"ethd (52:54:00:00:01:03), ethe (52:54:00:00:01:04), ethf (52:54:00:00:01:05), ethg (52:54:00:00:01:06), ethh (52:54:00:00:01:07), ethi (52:54:00:00:01:08), " +
				"ethj (52:54:00:00:01:09), ethk (52:54:00:00:01:0a), ethl (52:54:00:00:01:0b), ethm (52:54:00:00:01:0c), ethn (52:54:00:00:01:0d), etho (52:54:00:00:01:0e), ethp (52:54:00:00:01:0f), others"},
		},
		{
			"a card that need not be there", []network.Link{optional}, []plan.Interface{card("ens3", macA)}, nil,
			[]string{"warning network-absent 4: no interface has the hardware address " + macB + "; the machine has ens3 (" + macA + ")"},
		},
		{
			"a pattern promises nothing", []network.Link{dhcp(3, "all", network.Match{Names: []string{"eth*"}})}, []plan.Interface{card("ens3", macA)}, nil,
			[]string{"warning network-absent 3: no interface has the name eth*; the machine has ens3 (" + macA + ")"},
		},
		{
			"a driver", []network.Link{dhcp(3, "all", network.Match{Drivers: []string{"ixgbe", "i40e"}})}, []plan.Interface{card("ens3", macA)}, nil,
			[]string{"warning network-absent 3: no interface has the driver ixgbe or i40e; the machine has ens3 (" + macA + ")"},
		},
		{
			"the right address and the wrong driver", []network.Link{dhcp(3, "a", network.Match{MAC: macA, Drivers: []string{"e1000*"}})}, []plan.Interface{card("ens3", macA)}, nil,
			[]string{"error network-absent 3: no interface has the hardware address " + macA + " and the driver e1000*; the machine has ens3 (" + macA + ")"},
		},
		{"another name of the card", []network.Link{dhcp(3, "enp3s0", network.Match{})}, []plan.Interface{alternative}, nil, nil},
		{"the loopback is no card", []network.Link{dhcp(3, "all", network.Match{Names: []string{"*"}})}, nil, nil,
			[]string{"warning network-absent 3: no interface has the name *; the machine has none"}},
		{"a card without an address of its own", []network.Link{static(3, "eth0", macA)}, []plan.Interface{virtual}, nil, nil},
		{"what is made on a card has its address", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("eth0", macA), bond, vlan, member}, nil, nil},
		{"the card of a bond, by its own address", []network.Link{dhcp(3, "eth1", network.Match{MAC: macB})}, []plan.Interface{card("eth0", macA), bond, member}, nil, nil},
		{
			"two cards with one address", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA), card("ens4", macA)}, nil,
			[]string{"error network-mac-shared 4: ens3 and ens4 both have the hardware address " + macA + "; match the driver or the name as well"},
		},
		{"a card that is passed through is part of the one that it is in", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("eth0", macA), passed}, nil, nil},
		{
			"a new name that another has", []network.Link{renamed(3, "a", macA, "eth1")}, []plan.Interface{card("eth0", macA), card("eth1", macB)}, nil,
			[]string{"error network-name-taken 3: eth0 cannot be called eth1: that is the name of another interface; give the other one a new name as well, or this one a name that is free"},
		},
		{"two that change names", []network.Link{renamed(3, "a", macA, "eth1"), renamed(6, "b", macB, "eth0")}, []plan.Interface{card("eth0", macA), card("eth1", macB)}, nil, nil},
		{"the name that it has", []network.Link{renamed(3, "a", macA, "eth0")}, []plan.Interface{card("eth0", macA)}, nil, nil},
		{
			"the name of one that goes", []network.Link{renamed(3, "a", macA, "lan")}, []plan.Interface{card("eth0", macA), {Name: "lan", Kind: "bridge"}},
			map[string]string{"etc/systemd/network/05-provisioner-lan.netdev": "[NetDev]\nName=lan\nKind=bridge\n"}, nil,
		},
		{
			"a card that has its new name already", []network.Link{func() network.Link {
				l := dhcp(3, "a", network.Match{Names: []string{"eth0"}})
				l.Rename = "lan"
				return l
			}()}, []plan.Interface{card("lan", macA)}, nil, nil,
		},
		{
			"a file of the image comes before ours", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)},
			map[string]string{"usr/lib/systemd/network/00-all.network": "[Match]\nType=ether\nName=en*\n[Network]\nDHCP=yes\n"},
			[]string{"warning network-shadowed 3: /usr/lib/systemd/network/00-all.network matches \"eth0\" too, and comes before ours; "},
		},
		{
			"a file of the image that comes after ours", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)},
			map[string]string{"usr/lib/systemd/network/10-all.network": "[Match]\nName=en*\n"}, nil,
		},
		{
			"a file of the image that is masked", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)},
			map[string]string{"usr/lib/systemd/network/00-all.network": "[Match]\nName=en*\n", "etc/systemd/network/00-all.network": "-> /dev/null"}, nil,
		},
		{
			"a file of the image that is somewhere else", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)},
			map[string]string{"usr/share/all.network": "[Match]\nName=en*\n", "etc/systemd/network/00-all.network": "-> /usr/share/all.network"},
			[]string{"warning network-shadowed 3: /etc/systemd/network/00-all.network matches \"eth0\" too, and comes before ours; "},
		},
		{
			"a file of the image for what nobody can tell", []network.Link{static(3, "eth0", macA)}, []plan.Interface{card("ens3", macA)},
			map[string]string{"usr/lib/systemd/network/00-all.network": "[Match]\nName=en*\nKernelCommandLine=x\n"}, nil,
		},
		{
			"a file of the image for the names of cards", []network.Link{renamed(3, "a", macA, "lan")}, []plan.Interface{card("ens3", macA)},
			map[string]string{"etc/systemd/network/01-x.link": "[Match]\nOriginalName=en*\n[Link]\nNamePolicy=kernel\n"},
			[]string{"warning network-shadowed 3: /etc/systemd/network/01-x.link matches \"a\" too, and comes before ours; "},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, diags := newDisk(tc.disk).compute(t, live(networkOf(tc.links...), tc.interfaces...))
			var got []string
			for _, d := range diags {
				if d.Subject.File != "network-config" {
					t.Errorf("%s is in %q", d.Rule.ID, d.Subject.File)
				}
				got = append(got, d.Severity.String()+" "+d.Rule.ID+" "+string(rune('0'+d.Subject.Start.Line))+": "+d.Summary+"; "+d.Detail)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNetworkChanges(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	has := func(name, mac string, addresses []plan.InterfaceAddress, routes ...plan.InterfaceRoute) plan.Interface {
		i := card(name, mac)
		i.Addresses = append([]plan.InterfaceAddress{{Prefix: prefix("fe80::1/64")}}, addresses...)
		i.Routes = append([]plan.InterfaceRoute{{To: prefix("192.0.2.0/24"), Table: 254, Protocol: "kernel"}}, routes...)
		return i
	}
	leased := []plan.InterfaceAddress{{Prefix: prefix("10.0.0.5/24"), Dynamic: true}}
	lease := plan.InterfaceRoute{To: prefix("0.0.0.0/0"), Via: addr("10.0.0.1"), Table: 254, Metric: 1024, Protocol: "dhcp"}
	advertised := []plan.InterfaceAddress{{Prefix: prefix("2001:db8::5/64"), Dynamic: true}}
	router := plan.InterfaceRoute{To: prefix("::/0"), Via: addr("fe80::fe"), Table: 254, Metric: 512, Protocol: "ra"}
	byHand := []plan.InterfaceAddress{{Prefix: prefix("198.51.100.7/24")}}
	wanted := plan.InterfaceRoute{To: prefix("0.0.0.0/0"), Via: addr("192.0.2.1"), Table: 254, Protocol: "static"}
	metric := uint32(50)
	policy := static(3, "eth0", macA)
	policy.Routes = append(policy.Routes, network.Route{To: prefix("0.0.0.0/0"), Via: addr("192.0.2.2"), Table: 100, Metric: &metric},
		network.Route{To: prefix("203.0.113.0/24")}, network.Route{To: prefix("10.9.0.0/16"), Type: "blackhole"})
	same := static(3, "eth0", macA)
	same.MTU = 1500
	same.Routes = append(same.Routes, network.Route{To: prefix("::/0"), Via: addr("2001:db8::1")})
	chosen := plan.InterfaceRoute{To: prefix("::/0"), Via: addr("2001:db8::1"), Table: 254, Metric: 1024, Protocol: "static"}
	crowd := dhcp(3, "ens3", network.Match{})
	crowd.DHCP.V4 = false
	for range 40 {
		crowd.Addresses = append(crowd.Addresses, network.Address{Prefix: prefix("192.0.2.10/24")})
	}
	noRA := static(3, "eth0", macA)
	noRA.IPv6.AcceptRA = network.Off
	large := static(3, "eth0", macA)
	large.MTU, large.Rename = 9000, "lan"
	bondOf := func(at int, ids ...string) network.Link {
		l := network.Link{At: where(at), ID: "bond0", Kind: network.Bond, Addresses: []network.Address{{Prefix: prefix("192.0.2.10/24")}}}
		for _, id := range ids {
			l.Members = append(l.Members, network.Member{Ref: network.Ref{ID: id}})
		}
		return l
	}
	for _, tc := range []struct {
		name       string
		disk       map[string]string
		network    *network.Network
		interfaces []plan.Interface
		want       string
	}{
		{
			name: "from a lease to an address of its own", network: networkOf(static(3, "eth0", macA)),
			interfaces: []plan.Interface{has("ens3", macA, leased, lease)},
			want:       "ens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1, - 10.0.0.5/24, - default via 10.0.0.1 metric 1024, dhcp off",
		},
		{
			name: "a lease that stays", network: networkOf(dhcp(3, "ens3", network.Match{})),
			interfaces: []plan.Interface{has("ens3", macA, leased, lease)},
			want:       "ens3 (" + macA + "): dhcp ipv4",
		},
		{
			name: "what it has already, whatever metric the kernel chose", network: networkOf(same),
			interfaces: []plan.Interface{has("ens3", macA, []plan.InterfaceAddress{{Prefix: prefix("192.0.2.10/24")}}, wanted, chosen)},
			want:       "ens3 (" + macA + "): 192.0.2.10/24, default via 192.0.2.1, default via 2001:db8::1",
		},
		{
			name: "a route of a lease alone says that there was one", network: networkOf(network.Link{At: where(3), ID: "ens3", Kind: network.Ethernet}),
			interfaces: []plan.Interface{has("ens3", macA, nil, lease)},
			want:       "ens3 (" + macA + "): - default via 10.0.0.1 metric 1024, dhcp off",
		},
		{
			name: "an address of a lease alone as well", network: networkOf(network.Link{At: where(3), ID: "ens3", Kind: network.Ethernet}),
			interfaces: []plan.Interface{has("ens3", macA, leased)},
			want:       "ens3 (" + macA + "): - 10.0.0.5/24, dhcp off",
		},
		{
			name: "more than is worth a line", network: networkOf(crowd), interfaces: []plan.Interface{has("ens3", macA, nil)},
			want: "ens3 (" + macA + "): " + strings.Repeat("+ 192.0.2.10/24, ", 32) + "8 more",
		},
		{
			name: "a card that was a bond", disk: map[string]string{"etc/systemd/network/05-provisioner-bond0.netdev": "[NetDev]\nName=bond0\nKind=bond\n"},
			network: networkOf(dhcp(3, "bond0", network.Match{})), interfaces: []plan.Interface{{Name: "bond0", Kind: "bond", MAC: macA}},
			want: "bond0 (" + macA + "): taken away, dhcp ipv4",
		},
		{
			name: "what a router gives stays", network: networkOf(static(3, "eth0", macA)),
			interfaces: []plan.Interface{has("ens3", macA, advertised, router)},
			want:       "ens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1",
		},
		{
			name: "unless nobody listens to routers", network: networkOf(noRA),
			interfaces: []plan.Interface{has("ens3", macA, advertised, router)},
			want:       "ens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1, - 2001:db8::5/64, - default via fe80::fe metric 512",
		},
		{
			name: "what somebody set by hand goes", network: networkOf(dhcp(3, "ens3", network.Match{})),
			interfaces: []plan.Interface{has("ens3", macA, byHand, plan.InterfaceRoute{To: prefix("10.0.0.0/8"), Via: addr("198.51.100.1"), Table: 254, Protocol: "boot"})},
			want:       "ens3 (" + macA + "): - 198.51.100.7/24, - 10.0.0.0/8 via 198.51.100.1, dhcp ipv4",
		},
		{
			name: "tables, metrics, and routes without a gateway", network: networkOf(policy), interfaces: []plan.Interface{has("ens3", macA, nil)},
			want: "ens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1, + default via 192.0.2.2 metric 50 table 100, + 203.0.113.0/24",
		},
		{
			name: "a new name and MTU", network: networkOf(large), interfaces: []plan.Interface{has("ens3", macA, nil)},
			want: "ens3 (" + macA + "): renamed to lan, + 192.0.2.10/24, + default via 192.0.2.1, mtu 9000",
		},
		{
			name: "several cards, and the one that is taken by another link", interfaces: []plan.Interface{has("ens3", macA, nil), has("ens4", macB, nil)},
			network: networkOf(dhcp(3, "all", network.Match{Names: []string{"ens*"}}), static(6, "eth0", macA)),
			want:    "ens4 (" + macB + "): dhcp ipv4\nens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1",
		},
		{
			name: "a bond that is made of a card", interfaces: []plan.Interface{has("ens3", macA, leased, lease)},
			network: networkOf(network.Link{At: where(2), ID: "lan0", Kind: network.Ethernet, Match: network.Match{MAC: macA}}, bondOf(4, "lan0")),
			want:    "ens3 (" + macA + "): in bond0, - 10.0.0.5/24, - default via 10.0.0.1 metric 1024, dhcp off\nbond0: made, + 192.0.2.10/24",
		},
		{
			name: "a bond that is made otherwise", disk: map[string]string{"etc/systemd/network/05-provisioner-bond0.netdev": "[NetDev]\nName=bond0\nKind=bond\n[Bond]\nMode=802.3ad\n"},
			interfaces: []plan.Interface{{Name: "bond0", Kind: "bond", MAC: macA}},
			network:    networkOf(bondOf(4)),
			want:       "bond0 (" + macA + "): made anew, + 192.0.2.10/24",
		},
		{
			name: "a bond that goes", disk: map[string]string{
				"etc/systemd/network/05-provisioner-bond0.netdev":  "[NetDev]\nName=bond0\nKind=bond\n",
				"etc/systemd/network/05-provisioner-bond0.network": "[Match]\nName=bond0\n[Network]\nDHCP=ipv4\n",
			},
			interfaces: []plan.Interface{{Name: "bond0", Kind: "bond", MAC: macA, Addresses: leased}},
			network:    networkOf(),
			want:       "bond0 (" + macA + "): taken away, - 10.0.0.5/24",
		},
		{
			name: "a card that is no longer described", disk: map[string]string{
				"etc/systemd/network/05-provisioner-wan.network": "[Match]\nPermanentMACAddress=" + macA + "\n[Address]\nAddress=198.51.100.7/24\n",
			},
			interfaces: []plan.Interface{has("ens3", macA, append(byHand, leased...))},
			network:    networkOf(),
			want:       "ens3 (" + macA + "): no longer described, - 198.51.100.7/24",
		},
		{
			name: "a card that is called otherwise in the description", disk: map[string]string{
				"etc/systemd/network/05-provisioner-wan.network": "[Match]\nPermanentMACAddress=" + macA + "\n[Address]\nAddress=198.51.100.7/24\n",
			},
			interfaces: []plan.Interface{has("ens3", macA, byHand)},
			network:    networkOf(static(3, "eth0", macA)),
			want:       "ens3 (" + macA + "): + 192.0.2.10/24, + default via 192.0.2.1, - 198.51.100.7/24",
		},
		{
			name: "a VLAN in a VRF, with name servers", interfaces: []plan.Interface{has("ens3", macA, nil)}, network: networkOf(
				dhcp(2, "ens3", network.Match{}),
				network.Link{At: where(3), ID: "web", Kind: network.VLAN, VLANID: 7, Parent: network.Ref{ID: "ens3"}, Routes: static(1, "", "").Routes,
					DNS: network.DNS{Servers: []network.Server{{Addr: addr("192.0.2.53")}, {Addr: addr("192.0.2.54")}}}},
				network.Link{At: where(4), ID: "red", Kind: network.VRF, Table: 10, Members: []network.Member{{Ref: network.Ref{ID: "web"}}}},
			),
			want: "ens3 (" + macA + "): dhcp ipv4\nweb: made, in red, on ens3, + default via 192.0.2.1 table 10, dns 192.0.2.53 192.0.2.54\nred: made",
		},
		{
			name: "a card that need not be there", interfaces: []plan.Interface{card("ens4", macB)},
			network: networkOf(func() network.Link { l := static(3, "eth0", macA); l.Optional = true; return l }()),
			want:    "eth0: + 192.0.2.10/24, + default via 192.0.2.1",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newDisk(tc.disk).compute(t, live(tc.network, tc.interfaces...))
			_, after, _ := strings.Cut(show(t, p, draw.Options{Facts: plan.Facts{Live: true}}), "network:\n")
			after, _, _ = strings.Cut(after, "after the commit:")
			var got []string
			for line := range strings.Lines(after) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "  (network-config")
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What carries the network out is told by more than words.
func TestLinkChange(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	link := static(3, "eth0", macA)
	link.MTU, link.Rename, link.Optional = 9000, "lan", true
	link.Routes = append([]network.Route{{To: prefix("10.0.0.0/8"), Via: addr("192.0.2.2")}, {To: prefix("10.1.0.0/16"), Via: addr("192.0.2.1")}}, link.Routes...)
	on := card("ens3", macA)
	on.MAC = macB
	on.Addresses = []plan.InterfaceAddress{{Prefix: prefix("10.0.0.5/24"), Dynamic: true}}
	p, _ := newDisk(nil).compute(t, live(networkOf(link), on))
	route := func(to, via string) plan.InterfaceRoute {
		return plan.InterfaceRoute{To: prefix(to), Via: addr(via), Table: 254, Protocol: "static"}
	}
	routes := []plan.InterfaceRoute{route("10.0.0.0/8", "192.0.2.2"), route("10.1.0.0/16", "192.0.2.1"), route("0.0.0.0/0", "192.0.2.1")}
	want := plan.NetworkChange{Links: []plan.LinkChange{{
		ID: "eth0", Kind: network.Ethernet, Interface: "ens3", Name: "lan", MAC: macA, Rename: true, MTU: 9000, RA: true, DHCPOff: true, Optional: true,
		Files:     []string{"etc/systemd/network/05-provisioner-eth0.link", "etc/systemd/network/05-provisioner-eth0.network"},
		Addresses: []netip.Prefix{prefix("192.0.2.10/24")}, AddAddresses: []netip.Prefix{prefix("192.0.2.10/24")},
		DropAddresses: []netip.Prefix{prefix("10.0.0.5/24")},
		Routes:        routes, AddRoutes: routes, Gateways: []netip.Addr{addr("192.0.2.1"), addr("192.0.2.2")},
		Why: []source.Range{link.At},
	}}}
	equal := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	if diff := cmp.Diff(want, p.Network, equal); diff != "" {
		t.Error(diff)
	}
}

func TestDrawNetworkJSON(t *testing.T) {
	link := static(3, "eth0", macA)
	link.DHCP.V6, link.MTU = true, 9000
	link.DNS.Servers = []network.Server{{Addr: netip.MustParseAddr("192.0.2.53")}}
	on := card("ens3", macA)
	on.Addresses = []plan.InterfaceAddress{{Prefix: netip.MustParsePrefix("10.0.0.5/24")}, {Prefix: netip.MustParsePrefix("192.0.2.10/24")}}
	p, _ := newDisk(map[string]string{"etc/systemd/network/05-provisioner-wan.network": "[Match]\nName=wan\n"}).compute(t, live(networkOf(link), on))
	var got, want any
	var all struct{ Network json.RawMessage }
	if err := json.Unmarshal([]byte(show(t, p, draw.Options{JSON: true})), &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all.Network, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`[
		{"link": "eth0", "interface": "ens3", "name": "ens3", "mac": "52:54:00:00:00:0a", "mtu": 9000, "dhcp": ["ipv6"],
		 "addresses": [{"action": "kept", "address": "192.0.2.10/24"}, {"action": "removed", "address": "10.0.0.5/24"}],
		 "routes": [{"action": "added", "to": "default", "via": "192.0.2.1"}], "dns": ["192.0.2.53"], "why": ["network-config:3:1"]},
		{"link": "wan", "action": "removed", "why": ["network-config:1:1"]}]`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A card without an address of its own, as a container has it, is matched by the one that it has, and by the one that it gets.
func TestCardOfAContainer(t *testing.T) {
	veth := plan.Interface{Name: "eth0", MAC: macA, Kind: "veth", Up: true, Carrier: true}
	given := static(3, "eth0", macA)
	given.MAC = macB
	for _, tc := range []struct {
		name string
		link network.Link
		on   []plan.Interface
		want string
	}{
		{"a card", static(3, "eth0", macA), []plan.Interface{card("eth0", macA)}, "PermanentMACAddress=" + macA + "\n"},
		{"none, below another root", static(3, "eth0", macA), nil, "PermanentMACAddress=" + macA + "\n"},
		{"of a container", static(3, "eth0", macA), []plan.Interface{veth}, "\nMACAddress=" + macA + "\n"},
		{"of a container, with another address", given, []plan.Interface{veth}, "\nMACAddress=" + macA + " " + macB + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newDisk(nil).compute(t, plan.Input{Network: networkOf(tc.link), Facts: plan.Facts{Interfaces: tc.on}})
			for _, c := range p.Changes {
				if c.Path == "etc/systemd/network/05-provisioner-eth0.network" && !strings.Contains(string(c.Data), tc.want) {
					t.Errorf("%s", c.Data)
				}
			}
			if tc.link.Match.Current {
				t.Error("the description was changed")
			}
		})
	}
}

// TestLargeNetwork: many links on a machine with many interfaces take no longer than both. Were each link held against each interface, this
// test would be slower than all others of the package together.
func TestLargeNetwork(t *testing.T) {
	var cards []plan.Interface
	var links []network.Link
	for i := range 10_000 {
		mac := fmt.Sprintf("52:54:00:00:%02x:%02x", i>>8, i&255)
		l := static(3, fmt.Sprintf("lan%d", i), mac)
		if l.Optional = true; i < 4000 {
			cards = append(cards, card(fmt.Sprintf("ens%d", i), mac))
		}
		links = append(links, l)
	}
	p, found := disk{".": {}}.compute(t, live(networkOf(links...), cards...))
	on := 0
	for _, l := range p.Network.Links {
		if l.Interface == "ens"+strings.TrimPrefix(l.ID, "lan") {
			on++
		}
	}
	if on != len(cards) || len(found) == 0 || found.HasErrors() {
		t.Errorf("%d links are on their interfaces, of %d; %d findings", on, len(cards), len(found))
	}
}

// Name servers are systemd-resolved's to ask: where there is none, that is told once.
func TestNetworkNeedsAResolver(t *testing.T) {
	link := static(3, "eth0", macA)
	link.DNS.Servers = []network.Server{{Addr: netip.MustParseAddr("192.0.2.53"), At: where(9)}, {Addr: netip.MustParseAddr("192.0.2.54"), At: where(10)}}
	for _, tc := range []struct {
		name string
		disk map[string]string
		link network.Link
		want []string
	}{
		{"there is none", nil, link, []string{"network-config:9 resolver-missing"}},
		{"it is masked", map[string]string{"etc/systemd/system/systemd-resolved.service": "-> /dev/null"}, link, []string{"network-config:9 resolver-missing"}},
		{"it is there", map[string]string{"usr/lib/systemd/system/systemd-resolved.service": "[Service]\n"}, link, nil},
		{"no name servers", nil, static(3, "eth0", macA), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, found := newDisk(tc.disk).compute(t, plan.Input{Network: networkOf(tc.link)})
			var got []string
			for _, d := range found {
				got = append(got, fmt.Sprintf("%s:%d %s", d.Subject.File, d.Subject.Start.Line, d.Rule.ID))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// show is a plan as it is drawn.
func show(t *testing.T, p plan.Plan, o draw.Options) string {
	t.Helper()
	var b strings.Builder
	if err := draw.Write(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
