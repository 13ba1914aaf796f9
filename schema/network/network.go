// Package network is what a machine's network is to be, as types. Begin with [Network] and [Link].
//
// Every description of a network becomes a Network, whatever language it is written in; there is a package below this
// one for each language. [Check] looks whether the links fit each other. The functions that read values (an address, a
// hardware address, the name of an interface) are here too, so that all languages refuse the same with the same words.
// What is written of a Network is for provisioner/networkd.
//
// These hold for all types here:
//
//   - What is not said is the zero value: "", 0, nil, [Unset], an address or prefix that is not valid. Where 0 can be
//     said as well, the field is a pointer.
//   - At is the place in the description, for findings. It is zero for what no description has.
//   - Text beside a value is how the author wrote it, and may be empty. It is for people and for files that are to look
//     like what they are made of; what counts is the value.
//   - Words are those of systemd 252, whatever the language has for them: systemd.network(5), systemd.netdev(5) and
//     systemd.link(5) of 2022-10-31.
package network

import (
	"net/netip"

	"cloudconfig/schema/secret"
	"cloudconfig/schema/source"
)

// Network is the network of a machine.
type Network struct {
	// At is where the description begins.
	At source.Range
	// Links are in the order of the description. [Check] reports an ID that is there twice.
	Links []Link
	// DNS is for all links, beside what each has of its own.
	DNS DNS
}

// Link finds a link by its ID: the first, or nil if there is none.
func (n *Network) Link(id string) *Link {
	for i := range n.Links {
		if n.Links[i].ID == id {
			return &n.Links[i]
		}
	}
	return nil
}

// Toggle is yes, no, or nothing said, which leaves it to systemd or the kernel.
type Toggle uint8

// The values of Toggle.
const (
	Unset Toggle = iota
	On
	Off
)

// ToggleOf is On or Off.
func ToggleOf(on bool) Toggle {
	if on {
		return On
	}
	return Off
}

// Kind is what a link is. There is no zero value.
type Kind string

// The kinds of link. An Ethernet link is a card that is there; networkd makes all others. They are named as in Kind= of
// systemd.netdev(5), but for tunnels, which have theirs in [TunnelOptions].
const (
	Ethernet Kind = "ethernet"
	Bond     Kind = "bond"
	Bridge   Kind = "bridge"
	VLAN     Kind = "vlan"
	VRF      Kind = "vrf"
	Dummy    Kind = "dummy"
	Veth     Kind = "veth"
	Tunnel   Kind = "tunnel"
)

// Ref names another link by its ID, and says where.
type Ref struct {
	ID string
	At source.Range
}

// Link is one interface, or several cards that Match takes together.
type Link struct {
	At source.Range // its name in the description
	// ID is what the description calls it. But for Ethernet, it is also the name of the interface.
	ID   string
	Kind Kind

	// Match says which card an Ethernet link is. If nothing in it is set, it is the one whose name is ID.
	Match Match
	// Rename is the new name of the card.
	Rename string

	// MAC is what the hardware address is set to, in lower case with colons; the card's own is Match.MAC.
	MAC string
	// MTU is in bytes, and MTU6 is that of IPv6 alone. MTUAt is the place of the first that is said.
	MTU, MTU6 int
	MTUAt     source.Range
	// Optional says that the boot does not wait for the link, and that its card need not be there.
	Optional bool
	// Activation is "" (it is brought up), "manual" (only by hand) or "off" (it is kept down).
	Activation string
	// IgnoreCarrier configures it without a carrier too; links that are made always are.
	IgnoreCarrier Toggle
	// EmitLLDP tells the neighbours who this machine is.
	EmitLLDP Toggle
	Hardware Hardware

	Addresses []Address
	DHCP      DHCP
	IPv6      IPv6
	LinkLocal LinkLocal
	Routes    []Route
	Rules     []Rule
	DNS       DNS

	// Members are what is in a bond, a bridge or a VRF.
	Members []Member
	// Parent is the link that a VLAN is on, or a tunnel.
	Parent Ref
	// VLANID is that of a VLAN, from 0 to 4094.
	VLANID int
	// Table is the routing table of a VRF.
	Table uint32
	// Peer is the other end of a Veth.
	Peer Ref

	// Each of these is for links of that kind; nil for others, and if nothing is said. A Tunnel always has its own.
	Bond   *BondOptions
	Bridge *BridgeOptions
	Tunnel *TunnelOptions
}

// Name is what the interface is called in the end; "" if that is not known before the card is found.
func (l *Link) Name() string {
	switch {
	case l.Kind != Ethernet:
		return l.ID
	case l.Rename != "":
		return l.Rename
	case l.Match.IsZero():
		return l.ID
	}
	return ""
}

// Match is which cards a link is. All that is set must fit; of a list, one item.
type Match struct {
	// MAC is the card's own hardware address, in lower case with colons: the permanent one, unless Current is set.
	MAC, MACText string
	// Names and Drivers may be patterns of glob(7).
	Names, Drivers []string
	// Current says that MAC is what the card has now: some have no permanent address, as a veth in a container. It is in
	// no description; a plan sets it when it has seen the card.
	Current bool
	At      source.Range
}

// IsZero says that nothing is set.
func (m Match) IsZero() bool { return m.MAC == "" && len(m.Names) == 0 && len(m.Drivers) == 0 }

// Hardware is what is set of a card itself.
type Hardware struct {
	WakeOnLAN Toggle // by magic packet
	// MACPolicy is "persistent" (the card's own address) or "random". With it Link.MAC is empty.
	MACPolicy string
	// Offloads are by their names in systemd.link(5): "TCPSegmentationOffload". What is not in it is left as it is.
	Offloads map[string]bool
	// Infiniband is the mode of IP over InfiniBand, "datagram" or "connected".
	Infiniband string
}

// Address is an address of a link.
type Address struct {
	// Prefix is the address with the bits of its network, not masked: 192.0.2.10/24.
	Prefix netip.Prefix
	Text   string
	// Label and Broadcast are for IPv4 alone.
	Label     string
	Broadcast netip.Addr
	// Peer is the other end of a point-to-point link.
	Peer netip.Addr
	// Deprecated says that new connections do not come from it: its preferred lifetime is 0. Forever says that it is
	// without end, which is so anyway if neither is said.
	Deprecated, Forever bool
	At                  source.Range
}

// DHCP is what is asked of DHCP servers.
type DHCP struct {
	V4, V6 bool
	// V6Stateless says that DHCPv6 is for everything but an address; V6 may be false then, as routers tell to ask.
	V6Stateless bool
	// ByMAC makes the hardware address the client identifier of IPv4.
	ByMAC bool
	// Critical keeps addresses and routes when networkd ends, or a lease does.
	Critical bool
	// Overrides4 and Overrides6 are those of the two versions.
	Overrides4, Overrides6 Overrides
	At                     source.Range
}

// Overrides say what is taken of the answers of a DHCP server, or of router advertisements, where only some apply.
type Overrides struct {
	UseDNS, UseNTP, UseHostname, UseMTU, UseRoutes Toggle
	UseDomains                                     string // "yes", "no" or "route"
	// SendHostname tells the server a name: Hostname, or that of the machine.
	SendHostname Toggle
	Hostname     string
	// Metric is that of the routes.
	Metric *uint32
}

// IPv6 is what is set of the protocol.
type IPv6 struct {
	// AcceptRA takes what routers announce. Unset is networkd's own way: yes, unless the link forwards packets.
	AcceptRA Toggle
	// Privacy makes temporary addresses, and prefers them.
	Privacy Toggle
	// Generation is how the last 64 bits of addresses are made, "eui64" or "stable-privacy". Token is those bits: "::1:2".
	// At most one of them is said.
	Generation, Token string
	// RA is what is taken of router advertisements, and RATable where their routes go.
	RA      Overrides
	RATable uint32
}

// LinkLocal are the families that get a link-local address. Without Said they are networkd's own: IPv6 alone, and none of a
// port of a bond or bridge.
type LinkLocal struct{ Said, V4, V6 bool }

// Route is a way to a network.
type Route struct {
	// To is where it leads, masked; of the default route it has no bits.
	To     netip.Prefix
	ToText string
	// Via is the gateway; without one the network is on the link.
	Via     netip.Addr
	ViaText string
	ViaAt   source.Range
	// From is the address that packets are sent from.
	From   netip.Addr
	Metric *uint32
	// Table is 0 for that of the link: the main one, or that of its VRF.
	Table uint32
	// MTU and AdvertisedMSS are in bytes, and the windows in packets.
	MTU, AdvertisedMSS      int
	CongestionWindow        int
	AdvertisedReceiveWindow int
	// OnLink says that Via is reached although no address of the link has it in its network.
	OnLink Toggle
	// Scope is "global", "link", "host" and so on, and Type "unicast", "local", "blackhole", "unreachable" and so on, as
	// in systemd.network(5).
	Scope, Type string
	At          source.Range
}

// IsDefault says that it leads everywhere.
func (r *Route) IsDefault() bool { return r.To.Bits() == 0 }

// Everywhere is the prefix of the default route in the family of an address.
func Everywhere(a netip.Addr) netip.Prefix {
	if a.Is6() {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// AddRoute adds a route, if there is one.
func (l *Link) AddRoute(r *Route) {
	if r != nil {
		l.Routes = append(l.Routes, *r)
	}
}

// Rule is a rule of policy routing: for packets that have all that is set, a table is looked into.
type Rule struct {
	From, To         netip.Prefix
	FromText, ToText string
	Mark, TOS        *uint32
	// Table is what is looked into; 0 is the main one.
	Table uint32
	// Priority is its place among the rules, the lowest first.
	Priority *uint32
	At       source.Range
}

// DNS is name servers and domains, in the order in which they are asked and tried.
type DNS struct {
	Servers []Server
	Search  []Domain
	// Alone says that a link is not given what is for all links.
	Alone bool
}

// Server is a name server.
type Server struct {
	Addr netip.Addr
	Text string
	At   source.Range
}

// Domain is a domain to search in. With "~" in front it only says which names go to these servers; "~." is all names.
type Domain struct {
	Name string
	At   source.Range
}

// Member is a link in a bond, a bridge or a VRF. All but Ref is for ports of a bridge.
type Member struct {
	Ref
	Cost, Priority                   *uint32
	Hairpin, Learning, NeighSuppress Toggle
}

// BondOptions are those of a bond. Times are in milliseconds, but for LearnPacketSec.
type BondOptions struct {
	Mode               string // balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb
	LACPRate           string // slow, fast
	TransmitHash       string // layer2, layer3+4, layer2+3, encap2+3, encap3+4; networkd has no vlan+srcmac
	AdSelect           string // stable, bandwidth, count
	MIIMonitor         *uint32
	UpDelay, DownDelay *uint32
	ARPInterval        *uint32
	ARPTargets         []netip.Addr
	ARPValidate        string // none, active, backup, all
	ARPAllTargets      string // any, all
	FailOverMAC        string // none, active, follow
	PrimaryReselect    string // always, better, failure
	Primary            Ref    // the member that is used while it is up
	MinLinks           *uint32
	AllMembersActive   Toggle
	GratuitousARP      *uint32 // packets after a change
	PacketsPerMember   *uint32
	ResendIGMP         *uint32 // packets after a change
	LearnPacketSec     *uint32 // in seconds
	DynamicLB          Toggle
}

// BridgeOptions are those of a bridge. Times are in seconds.
type BridgeOptions struct {
	STP                     Toggle
	Priority                *uint32
	AgeingTime              *uint32
	ForwardDelay, HelloTime *uint32
	MaxAge                  *uint32
	VLANFiltering           Toggle
}

// TunnelOptions are those of a tunnel. Some are for some modes alone.
type TunnelOptions struct {
	// Mode is gre, gretap, ipip, ipip6, ip6gre, ip6gretap, ip6ip6, sit, isatap, vti, vti6, vxlan or wireguard.
	Mode          string
	Local, Remote netip.Addr
	TTL           *uint32
	// InputKey and OutputKey are numbers, or dotted quads.
	InputKey, OutputKey string

	// From here on of VXLAN.

	VNI           *uint32
	Port          *uint32
	Group         netip.Addr // of multicast, in place of Remote
	MACLearning   Toggle
	Ageing        *uint32 // in seconds
	Limit         *uint32 // how many addresses are learned at most
	TypeOfService *uint32
	FlowLabel     *uint32
	DontFragment  Toggle
	ARPProxy      Toggle
	ShortCircuit  Toggle
	PortRange     [2]uint16 // lowest and highest source port
	Notifications []string  // l2-miss, l3-miss
	Checksums     []string  // udp, zero-udp6-tx, zero-udp6-rx, remote-tx, remote-rx
	Extensions    []string  // group-policy, generic-protocol

	// From here on of WireGuard. A key stands here or in a file.

	PrivateKey     secret.Text
	PrivateKeyFile string
	ListenPort     *uint32
	Mark           *uint32
	Peers          []Peer
}

// Peer is another end of a WireGuard tunnel.
type Peer struct {
	PublicKey        string
	PresharedKey     secret.Text
	PresharedKeyFile string
	Endpoint         string // HOST:PORT
	AllowedIPs       []netip.Prefix
	Keepalive        *uint32 // in seconds; 0 for never
	At               source.Range
}
