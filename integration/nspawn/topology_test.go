//go:build integration && linux

package nspawn_test

import (
	"slices"
	"strings"
	"testing"
)

// topology is a network as a user describes it, and what has to be there.
type topology struct {
	name string
	// description is a network-config of version 2.
	description string
	// files are the same in networkd's language, written by hand. That they come to the same proves the lab, and
	// what wants to be compared.
	files string
	want  string
	// renamed are cards that are renamed, which without udev nobody but us does.
	renamed string
	// kinds are kinds of links that a kernel may lack.
	kinds string
	// reach are addresses where the machine answers to one who is on no cable.
	reach string
}

// untouched are those of the three cards of every topology here that nothing is done to.
func untouched(cards ...int) string {
	var s strings.Builder
	for _, i := range cards {
		s.WriteString([]string{"eth0 card 02:00:00:00:00:01\n", "eth1 card 02:00:00:00:00:02\n", "eth2 card 02:00:00:00:00:03\n"}[i])
	}
	return s.String()
}

var topologies = []topology{
	{
		name: "static",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes:
        - {to: default, via: 10.77.0.1}
        - {to: 198.51.100.0/24, via: 10.77.0.9, metric: 70}
      nameservers: {addresses: [10.77.0.1]}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
DNS=10.77.0.1
[Route]
Destination=198.51.100.0/24
Gateway=10.77.0.9
Metric=70
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
198.51.100.0/24 via 10.77.0.9 dev eth0 metric 70
eth0 dns 10.77.0.1
`,
		reach: "10.77.0.2",
	}, {
		name: "dhcp",
		description: `
  ethernets:
    eth0:
      dhcp4: true
      accept-ra: false
      link-local: [ipv6]
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
DHCP=ipv4
IPv6AcceptRA=no
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.100/24
default via 10.77.0.1 dev eth0 src 10.77.0.100 by dhcp
10.77.0.1 dev eth0 src 10.77.0.100 by dhcp
eth0 dns 10.77.0.1
`,
		reach: "10.77.0.100",
	}, {
		name: "two cards",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
    eth1:
      dhcp4: true
      accept-ra: false
      dhcp4-overrides: {route-metric: 2000, use-dns: false}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth1.network --
[Match]
Name=eth1
[Network]
DHCP=ipv4
IPv6AcceptRA=no
[DHCPv4]
RouteMetric=2000
UseDNS=no
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
eth1 10.77.1.101/24
default via 10.77.1.1 dev eth1 metric 2000 src 10.77.1.101 by dhcp
10.77.1.1 dev eth1 metric 2000 src 10.77.1.101 by dhcp
`,
		reach: "10.77.0.2",
	}, {
		name: "by hardware address",
		description: `
  ethernets:
    lan:
      match: {macaddress: "02:00:00:00:00:02"}
      addresses: [10.77.1.2/24]
    wan:
      match: {macaddress: "02:00:00:00:00:01"}
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
`,
		files: `
-- lan.network --
[Match]
MACAddress=02:00:00:00:00:02
[Network]
Address=10.77.1.2/24
-- wan.network --
[Match]
MACAddress=02:00:00:00:00:01
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
eth1 10.77.1.2/24
`,
		reach: "10.77.0.2",
	}, {
		name: "renamed",
		description: `
  ethernets:
    wan:
      match: {macaddress: "02:00:00:00:00:01"}
      set-name: wan
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
`,
		renamed: "eth0 wan",
		files: `
-- wan.network --
[Match]
Name=wan
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
`,
		want: untouched(1, 2) + `
wan card 02:00:00:00:00:01
wan 10.77.0.2/24
default via 10.77.0.1 dev wan
`,
		reach: "10.77.0.2",
	}, {
		name: "swapped",
		description: `
  ethernets:
    eth1:
      match: {macaddress: "02:00:00:00:00:01"}
      set-name: eth1
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
    eth0:
      match: {macaddress: "02:00:00:00:00:02"}
      set-name: eth0
      addresses: [10.77.1.2/24]
`,
		renamed: "eth0 eth1 eth1 eth0",
		files: `
-- eth1.network --
[Match]
Name=eth1
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.1.2/24
`,
		want: `
eth1 card 02:00:00:00:00:01
eth0 card 02:00:00:00:00:02
eth2 card 02:00:00:00:00:03
eth1 10.77.0.2/24
default via 10.77.0.1 dev eth1
eth0 10.77.1.2/24
`,
		reach: "10.77.0.2",
	}, {
		name: "bridge",
		description: `
  ethernets:
    eth0: {}
    eth1: {}
  bridges:
    br0:
      interfaces: [eth0, eth1]
      parameters: {stp: false, forward-delay: 0}
      addresses: [10.77.0.2/24, "fd77:0::2/64"]
      routes: [{to: default, via: 10.77.0.1}]
`,
		files: `
-- br0.netdev --
[NetDev]
Name=br0
Kind=bridge
[Bridge]
STP=no
ForwardDelaySec=0
-- br0.network --
[Match]
Name=br0
[Network]
Address=10.77.0.2/24
Address=fd77:0::2/64
Gateway=10.77.0.1
IPv6AcceptRA=no
-- ports.network --
[Match]
Name=eth0 eth1
[Network]
Bridge=br0
LinkLocalAddressing=no
`,
		want: `
eth0 card 02:00:00:00:00:01 in br0
eth1 card 02:00:00:00:00:02 in br0
eth2 card 02:00:00:00:00:03
br0 bridge
br0 10.77.0.2/24
br0 fd77::2/64
default via 10.77.0.1 dev br0
`,
		reach: "10.77.0.2",
	}, {
		name: "IPv6 only",
		description: `
  ethernets:
    eth0:
      addresses: ["fd77:0::2/64"]
      accept-ra: false
      routes: [{to: default, via: "fd77:0::1"}]
      nameservers: {addresses: ["fd77:0::1"], search: [example.net]}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=fd77:0::2/64
Gateway=fd77:0::1
IPv6AcceptRA=no
DNS=fd77:0::1
Domains=example.net
`,
		want: untouched(0, 1, 2) + `
eth0 fd77::2/64
default via fd77::1 dev eth0
eth0 dns fd77::1
eth0 domains example.net
`,
		reach: "fd77::2",
	}, {
		name: "dual stack",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24, "fd77:0::2/64"]
      accept-ra: false
      routes:
        - {to: default, via: 10.77.0.1}
        - {to: "::/0", via: "fd77:0::1", metric: 50}
    eth2:
      dhcp4: true
      dhcp6: true
      accept-ra: true
      dhcp4-overrides: {use-routes: false, use-dns: false}
      dhcp6-overrides: {use-dns: false}
      ra-overrides: {use-dns: false}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Address=fd77:0::2/64
Gateway=10.77.0.1
IPv6AcceptRA=no
[Route]
Gateway=fd77:0::1
Metric=50
-- eth2.network --
[Match]
Name=eth2
[Network]
DHCP=yes
IPv6AcceptRA=yes
[DHCPv4]
UseRoutes=no
UseGateway=no
UseDNS=no
[DHCPv6]
UseDNS=no
[IPv6AcceptRA]
UseDNS=no
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
eth0 fd77::2/64
default via 10.77.0.1 dev eth0
default via fd77::1 dev eth0 metric 50
eth2 10.77.2.102/24
eth2 fd77:2::ff:fe00:3/64
eth2 fd77:2::66/128
fd77:2::/64 dev eth2 by ra
default via fe80::ff:fe00:103 dev eth2 by ra
`,
		reach: "10.77.0.2 fd77::2",
	}, {
		name: "policy rules",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
    eth1:
      addresses: [10.77.1.2/24, "fd77:1::2/64"]
      accept-ra: false
      routes:
        - {to: default, via: 10.77.1.1, table: 101}
        - {to: 10.77.1.0/24, scope: link, table: 101}
        - {to: "::/0", via: "fd77:1::1", table: 101}
      routing-policy:
        - {from: 10.77.1.0/24, table: 101, priority: 100}
        - {to: 192.0.2.0/24, table: 101, priority: 101, mark: 7}
        - {from: "fd77:1::2", table: 101, priority: 102}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth1.network --
[Match]
Name=eth1
[Network]
Address=10.77.1.2/24
Address=fd77:1::2/64
IPv6AcceptRA=no
[Route]
Gateway=10.77.1.1
Table=101
[Route]
Destination=10.77.1.0/24
Scope=link
Table=101
[Route]
Gateway=fd77:1::1
Table=101
[RoutingPolicyRule]
From=10.77.1.0/24
Table=101
Priority=100
[RoutingPolicyRule]
To=192.0.2.0/24
Table=101
Priority=101
FirewallMark=7
[RoutingPolicyRule]
From=fd77:1::2
Table=101
Priority=102
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
eth1 10.77.1.2/24
eth1 fd77:1::2/64
table 101 default via 10.77.1.1 dev eth1
table 101 10.77.1.0/24 dev eth1
table 101 default via fd77:1::1 dev eth1
rule 100 from 10.77.1.0/24 lookup 101
rule 101 to 192.0.2.0/24 fwmark 0x7 lookup 101
rule6 102 from fd77:1::2 lookup 101
`,
		reach: "10.77.0.2 10.77.1.2",
	}, {
		name: "MTU",
		description: `
  ethernets:
    eth0:
      mtu: 1400
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
    eth1:
      mtu: 9000
      addresses: [10.77.1.2/24]
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Link]
MTUBytes=1400
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth1.network --
[Match]
Name=eth1
[Link]
MTUBytes=9000
[Network]
Address=10.77.1.2/24
`,
		want: `
eth0 card 02:00:00:00:00:01 mtu 1400
eth1 card 02:00:00:00:00:02 mtu 9000
eth2 card 02:00:00:00:00:03
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
eth1 10.77.1.2/24
`,
		reach: "10.77.0.2",
	}, {
		name: "names",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24, 10.77.0.3/24, 10.77.9.2/28]
      routes: [{to: default, via: 10.77.0.1}]
      nameservers:
        addresses: [10.77.0.9, 10.77.0.1, "2001:db8::53", 10.77.0.5]
        search: [zz.example.net, example.net, aa.example.net]
    eth1:
      addresses: [10.77.1.2/24]
      nameservers: {addresses: [10.77.1.1]}
`,
		files: `
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Address=10.77.0.3/24
Address=10.77.9.2/28
Gateway=10.77.0.1
DNS=10.77.0.9 10.77.0.1 2001:db8::53 10.77.0.5
Domains=zz.example.net example.net aa.example.net
-- eth1.network --
[Match]
Name=eth1
[Network]
Address=10.77.1.2/24
DNS=10.77.1.1
`,
		want: untouched(0, 1, 2) + `
eth0 10.77.0.2/24
eth0 10.77.0.3/24
eth0 10.77.9.2/28
default via 10.77.0.1 dev eth0
eth0 dns 10.77.0.9 10.77.0.1 2001:db8::53 10.77.0.5
eth0 domains zz.example.net example.net aa.example.net
eth1 10.77.1.2/24
eth1 dns 10.77.1.1
`,
		reach: "10.77.0.2",
	}, {
		name: "bond",
		description: `
  ethernets:
    eth1: {}
    eth2: {}
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
  bonds:
    bond0:
      interfaces: [eth1, eth2]
      macaddress: "02:00:00:00:00:10"
      parameters: {mode: active-backup, mii-monitor-interval: 100, primary: eth1}
      addresses: [10.77.1.2/24]
`,
		kinds: "bond",
		files: `
-- bond0.netdev --
[NetDev]
Name=bond0
Kind=bond
MACAddress=02:00:00:00:00:10
[Bond]
Mode=active-backup
MIIMonitorSec=100ms
-- bond0.network --
[Match]
Name=bond0
[Network]
Address=10.77.1.2/24
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth1.network --
[Match]
Name=eth1
[Network]
Bond=bond0
PrimarySlave=yes
-- eth2.network --
[Match]
Name=eth2
[Network]
Bond=bond0
`,
		want: `
eth0 card 02:00:00:00:00:01
eth1 card 02:00:00:00:00:10 in bond0
eth2 card 02:00:00:00:00:10 in bond0
bond0 bond active-backup
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
bond0 10.77.1.2/24
`,
		reach: "10.77.0.2",
	}, {
		name: "VLAN on bond",
		description: `
  ethernets:
    eth0: {}
    eth2: {}
  bonds:
    bond0:
      interfaces: [eth0, eth2]
      macaddress: "02:00:00:00:00:10"
      parameters: {mode: active-backup, mii-monitor-interval: 100, primary: eth0}
  vlans:
    bond0.5:
      id: 5
      link: bond0
      addresses: [10.77.5.2/24]
      routes: [{to: default, via: 10.77.5.1}]
    storage:
      id: 6
      link: bond0
      mtu: 1400
      addresses: ["fd77:6::2/64"]
      accept-ra: false
`,
		kinds: "bond vlan",
		files: `
-- bond0.netdev --
[NetDev]
Name=bond0
Kind=bond
MACAddress=02:00:00:00:00:10
[Bond]
Mode=active-backup
MIIMonitorSec=100ms
-- bond0.network --
[Match]
Name=bond0
[Network]
VLAN=bond0.5
VLAN=storage
-- eth0.network --
[Match]
Name=eth0
[Network]
Bond=bond0
PrimarySlave=yes
-- eth2.network --
[Match]
Name=eth2
[Network]
Bond=bond0
-- bond0.5.netdev --
[NetDev]
Name=bond0.5
Kind=vlan
[VLAN]
Id=5
-- storage.netdev --
[NetDev]
Name=storage
Kind=vlan
MTUBytes=1400
[VLAN]
Id=6
-- bond0.5.network --
[Match]
Name=bond0.5
[Network]
Address=10.77.5.2/24
Gateway=10.77.5.1
-- storage.network --
[Match]
Name=storage
[Link]
MTUBytes=1400
[Network]
Address=fd77:6::2/64
IPv6AcceptRA=no
`,
		want: `
eth0 card 02:00:00:00:00:10 in bond0
eth1 card 02:00:00:00:00:02
eth2 card 02:00:00:00:00:10 in bond0
bond0 bond active-backup
bond0.5 vlan 5 on bond0
storage vlan 6 on bond0 mtu 1400
bond0.5 10.77.5.2/24
default via 10.77.5.1 dev bond0.5
storage fd77:6::2/64
`,
		reach: "10.77.5.2",
	}, {
		name: "VRF and dummy",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
    eth1:
      addresses: [10.77.1.2/24]
  dummy-devices:
    anycast0:
      addresses: [192.0.2.1/32]
  vrfs:
    red:
      table: 1001
      interfaces: [eth1]
      routes: [{to: default, via: 10.77.1.1, on-link: true}]
`,
		kinds: "vrf dummy",
		files: `
-- red.netdev --
[NetDev]
Name=red
Kind=vrf
[VRF]
Table=1001
-- red.network --
[Match]
Name=red
[Network]
[Route]
Gateway=10.77.1.1
GatewayOnLink=yes
Table=1001
-- anycast0.netdev --
[NetDev]
Name=anycast0
Kind=dummy
-- anycast0.network --
[Match]
Name=anycast0
[Network]
Address=192.0.2.1/32
-- eth0.network --
[Match]
Name=eth0
[Network]
Address=10.77.0.2/24
Gateway=10.77.0.1
-- eth1.network --
[Match]
Name=eth1
[Network]
VRF=red
Address=10.77.1.2/24
`,
		want: untouched(0, 2) + `
eth1 card 02:00:00:00:00:02 in red
red vrf table 1001
anycast0 dummy
eth0 10.77.0.2/24
default via 10.77.0.1 dev eth0
eth1 10.77.1.2/24
anycast0 192.0.2.1/32
table 1001 default via 10.77.1.1 dev red onlink
`,
		reach: "10.77.0.2",
	},
}

// topologyOf is the topology of a name, which there is.
func topologyOf(name string) topology {
	return topologies[slices.IndexFunc(topologies, func(c topology) bool { return c.name == name })]
}

// lines are those that are not empty.
func lines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// newLabMachine is a machine with three cards, each on a cable with a DHCP server, and nothing that says how they are set up.
func newLabMachine(t *testing.T) (*machine, *lab) {
	t.Helper()
	need(t)
	l := newLab(t, 3)
	l.serveDHCP(t, 0, 1, 2)
	m := newMachineIn(t, l.network)
	m.plug = l.plug
	return m, l
}

// need skips the test where the kernel cannot make what the topology is of.
func (c topology) need(t *testing.T) {
	t.Helper()
	for _, kind := range strings.Fields(c.kinds) {
		if !supports(t, kind) {
			t.Skipf("this kernel makes no %s: TestKernel boots one that does", kind)
		}
	}
}

func (c topology) check(t *testing.T, m *machine, l *lab) {
	t.Helper()
	m.wantState(t, lines(c.want)...)
	m.wantNoComplaint(t)
	for _, address := range strings.Fields(c.reach) {
		l.wantReachable(t, address, reachBound)
	}
}

// TestByHand proves the lab: files for networkd that are written by hand make what the topologies say.
func TestByHand(t *testing.T) {
	if !long() {
		t.Skip("it is a test of the lab: LONG=1 runs it")
	}
	for _, c := range topologies {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			m, l := newLabMachine(t)
			for _, file := range strings.Split(c.files, "\n-- ")[1:] {
				name, text, _ := strings.Cut(file, " --\n")
				m.write(t, "etc/systemd/network/"+name, 0o644, text+"\n")
			}
			names := strings.Fields(c.renamed)
			plug := m.plug
			m.plug = func() error {
				if err := plug(); err != nil {
					return err
				}
				for i := 0; i < len(names); i += 2 {
					if _, err := run("ip", "-n", l.inside, "link", "set", names[i], "name", "moved"+names[i+1]); err != nil {
						return err
					}
				}
				for i := 0; i < len(names); i += 2 {
					if _, err := run("ip", "-n", l.inside, "link", "set", "moved"+names[i+1], "name", names[i+1]); err != nil {
						return err
					}
				}
				return nil
			}
			m.boot(t)
			c.check(t, m, l)
		})
	}
}
