// Package network is what a machine's network is to be, as types: [Network].
//
// Every description of a network becomes one of these, whatever language it is written in; there is a package below
// this one for each. [Check] looks whether its links fit each other. What becomes of it is in provisioner/networkd.
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
	// Links are in the order of the description. Each has an ID of its own.
	Links []Link
	// DNS is what all links are given, beside their own.
	DNS DNS
}

// Link finds a link by its ID; nil if there is none.
func (n *Network) Link(id string) *Link {
	for i := range n.Links {
		if n.Links[i].ID == id {
			return &n.Links[i]
		}
	}
	return nil
}

// Toggle is yes, no, or nothing said.
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

// Kind is what a link is. The zero value is invalid.
type Kind string

// The kinds of link. All but Ethernet are made by networkd, and named as its NetDev kinds; of tunnels the kind is that of Tunnel.Mode.
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

// Ref names another link by its ID.
type Ref struct {
	ID string
	At source.Range
}

// Link is one interface, or several of a kind that Match takes together.
type Link struct {
	At source.Range // its name in the description
	// ID is what the description calls it. Of all kinds but Ethernet it is the name of the interface.
	ID   string
	Kind Kind

	// Match says which cards an Ethernet link is. If nothing in it is set, it is the one whose name is ID.
	Match Match
	// Rename is the name that the card is given; empty if it keeps its own.
	Rename string

	// MAC is what the hardware address is set to, and Match.MAC the card's own; both in lower case with colons.
	MAC string
	// MTU is in bytes; 0 if nothing is said. MTU6 is that of IPv6 alone.
	MTU, MTU6 int
	MTUAt     source.Range
	// Optional says that the boot does not wait for it, and that it need not be there.
	Optional bool
	// Activation is how it is brought up: "", "manual" (only by hand), "off" (kept down).
	Activation string
	// Unmanaged says that nothing at all is configured on it.
	Unmanaged bool
	// IgnoreCarrier configures it without a carrier, and EmitLLDP tells the neighbours who this is.
	IgnoreCarrier, EmitLLDP Toggle
	Hardware                Hardware

	Addresses []Address
	DHCP      DHCP
	IPv6      IPv6
	// LinkLocal are the families that get a link-local address; IPv6 alone where nothing is said.
	LinkLocal LinkLocal
	Routes    []Route
	Rules     []Rule
	DNS       DNS

	// Members are the links in a bond, a bridge or a VRF.
	Members []Member
	// Parent is the link that a VLAN is on, and may be that of a tunnel.
	Parent Ref
	// VLANID is from 0 to 4094.
	VLANID int
	// Table is the routing table of a VRF.
	Table uint32
	// Peer is the other end of a Veth.
	Peer Ref

	// Bond, Bridge and Tunnel are nil of other kinds, and where nothing is said.
	Bond   *BondOptions
	Bridge *BridgeOptions
	Tunnel *TunnelOptions
}

// Name is what the interface is called in the end; empty if that is not known before the card is found.
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
	// MAC is the card's own hardware address, its permanent one. MACText is how it was written, and may be empty.
	MAC, MACText string
	// Names and Drivers may be patterns of glob(7).
	Names, Drivers []string
	// Current says that MAC is the address that the card has now: some have no permanent one, as veth in a container.
	// It is what a plan found out, and in no description.
	Current bool
	At      source.Range
}

// IsZero says that nothing is set.
func (m Match) IsZero() bool { return m.MAC == "" && len(m.Names) == 0 && len(m.Drivers) == 0 }

// Hardware is what of a card is set. Each offload is by its name in systemd.link(5), "TCPSegmentationOffload".
type Hardware struct {
	WakeOnLAN Toggle
	// MACPolicy is "", "persistent" (the card's own) or "random", and is instead of Link.MAC.
	MACPolicy string
	Offloads  map[string]bool
	// Infiniband is "", "datagram" or "connected".
	Infiniband string
}

// Address is an address of a link.
type Address struct {
	// Prefix is the address itself, with its bits: 192.0.2.10/24. Text is how it was written, and may be empty.
	Prefix netip.Prefix
	Text   string
	Label  string
	// Peer is the other end of a point-to-point link.
	Peer netip.Addr
	// Deprecated says that it is not the source of new connections: its preferred lifetime is 0.
	Deprecated bool
	// Forever says the opposite of Deprecated, which is so without a word.
	Forever   bool
	Broadcast netip.Addr
	At        source.Range
}

// DHCP is what is asked of DHCP servers.
type DHCP struct {
	V4, V6 bool
	// V6Stateless asks for everything but an address.
	V6Stateless bool
	// ByMAC makes the hardware address the client identifier of IPv4.
	ByMAC bool
	// Critical keeps the addresses when networkd ends.
	Critical bool
	// Overrides are those of IPv4 and of IPv6.
	Overrides4, Overrides6 Overrides
	At                     source.Range
}

// Overrides say what of the answers of a DHCP server is taken.
type Overrides struct {
	UseDNS, UseNTP, UseHostname, UseMTU, UseRoutes, SendHostname Toggle
	UseDomains                                                   string // "", "yes", "no" or "route"
	Hostname                                                     string
	// Metric is that of the routes; nil if nothing is said.
	Metric *uint32
}

// IPv6 is what of the protocol is set.
type IPv6 struct {
	// AcceptRA takes what routers announce; unset is networkd's own way: yes, unless the link forwards.
	AcceptRA Toggle
	Privacy  Toggle
	// Generation is "", "eui64" or "stable-privacy", Token the last 64 bits of addresses: "::1:2".
	Generation, Token string
	// UseDNS and the others of router advertisements; RAMetric is nil if nothing is said.
	RA       Overrides
	RATable  uint32
	Disabled bool
}

// LinkLocal are families.
type LinkLocal struct{ Said, V4, V6 bool }

// Route is a way to a network.
type Route struct {
	// To is where it leads, masked; the prefix of no bits for the default route. Via is invalid of a route on the link.
	To   netip.Prefix
	Via  netip.Addr
	From netip.Addr
	// ToText and ViaText are how they were written, and may be empty.
	ToText, ViaText string
	// Metric is nil if nothing is said.
	Metric *uint32
	// Table is 0 for the main table; MTU and the others are 0 where nothing is said.
	Table                   uint32
	MTU, AdvertisedMSS      int
	CongestionWindow        int
	AdvertisedReceiveWindow int
	// OnLink says that Via is reached although no address of the link has it in its network.
	OnLink Toggle
	// Scope is "", "global", "link" or "host"; Type is "", "unicast", "local", "blackhole", "unreachable", "prohibit" and so on.
	Scope, Type string
	At          source.Range
	// ViaAt is the place of the gateway.
	ViaAt source.Range
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

// Rule is a policy routing rule. A prefix that is not valid is not asked for.
type Rule struct {
	From, To netip.Prefix
	// FromText and ToText are how they were written, and may be empty.
	FromText, ToText string
	// Table is what is looked at; Priority is nil if nothing is said, and so Mark and TOS.
	Table    uint32
	Priority *uint32
	Mark     *uint32
	TOS      *uint32
	At       source.Range
}

// DNS is servers and domains, in order.
type DNS struct {
	Servers []Server
	// Search are domains; "~" in front is of those that are only routed, "~." all.
	Search []Domain
	// Alone says, of a link, that it is not given what all links are.
	Alone bool
}

// Server is a name server, or a server of NTP.
type Server struct {
	Addr netip.Addr
	Text string // how it was written; may be empty
	At   source.Range
}

// Domain is a domain to search in.
type Domain struct {
	Name string
	At   source.Range
}

// Member is a link in a bond, bridge or VRF.
type Member struct {
	Ref
	// Cost and Priority are those of a bridge's port; nil if nothing is said. Hairpin, Learning and Neighbour suppression are networkd's defaults.
	Cost, Priority                   *uint32
	Hairpin, Learning, NeighSuppress Toggle
}

// BondOptions are in networkd's words; a time is a whole number of milliseconds. What is nil, 0 or empty is not said.
type BondOptions struct {
	// Mode is balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb or balance-alb.
	Mode               string
	LACPRate           string // slow or fast
	TransmitHash       string // layer2, layer3+4, layer2+3, encap2+3, encap3+4, vlan+srcmac
	AdSelect           string // stable, bandwidth, count
	MIIMonitor         *uint32
	UpDelay, DownDelay *uint32
	ARPInterval        *uint32
	ARPTargets         []netip.Addr
	ARPValidate        string // none, active, backup, all
	ARPAllTargets      string // any, all
	FailOverMAC        string // none, active, follow
	PrimaryReselect    string // always, better, failure
	// Primary is the member that is used while it is up.
	Primary          Ref
	MinLinks         *uint32
	AllMembersActive Toggle
	GratuitousARP    *uint32
	PacketsPerMember *uint32
	ResendIGMP       *uint32
	LearnPacketSec   *uint32 // in seconds
	DynamicLB        Toggle
}

// BridgeOptions are those of a bridge; times are whole seconds. What is nil is not said.
type BridgeOptions struct {
	STP                                         Toggle
	Priority                                    *uint32
	AgeingTime, ForwardDelay, HelloTime, MaxAge *uint32
	VLANFiltering                               Toggle
}

// TunnelOptions are those of all tunnels that networkd makes.
type TunnelOptions struct {
	// Mode is gre, gretap, ipip, ipip6, ip6gre, ip6gretap, ip6ip6, sit, isatap, vti, vti6, vxlan, wireguard.
	Mode          string
	Local, Remote netip.Addr
	TTL           *uint32
	// InputKey and OutputKey are numbers or dotted quads.
	InputKey, OutputKey string

	// VNI and the others are VXLAN's.
	VNI           *uint32
	Port          *uint32
	Group         netip.Addr
	MACLearning   Toggle
	Ageing        *uint32 // in seconds
	Limit         *uint32
	TypeOfService *uint32
	FlowLabel     *uint32
	DontFragment  Toggle
	ARPProxy      Toggle
	ShortCircuit  Toggle
	PortRange     [2]uint16
	Notifications []string // l2-miss, l3-miss
	Checksums     []string // udp, zero-udp6-tx, zero-udp6-rx, remote-tx, remote-rx
	Extensions    []string // group-policy, generic-protocol

	// PrivateKey and the others are WireGuard's.
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
	Keepalive        *uint32 // in seconds
	At               source.Range
}
