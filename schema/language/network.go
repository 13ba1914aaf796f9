package language

import "math"

// networkShape is what stands below network, and at the top of a network-config. Version 1 of cloud-init is checked
// by its own reader, since what may stand in an entry depends on its type.
var networkShape = shape{kind: either, either: []*shape{
	{kind: mapping, fields: networkFields, refuses: true, foreign: []foreign{
		{"wifis", notOnServers, ""}, {"modems", notOnServers, ""}, {"openvswitch", noSwitch, ""}, {"nm_devices", onlyNetworkd, ""},
	}},
	{kind: mapping, fields: []field{
		{name: "version", required: true, shape: &shape{kind: text, oneOf: []string{"1"}}},
		{name: "config", shape: &shape{kind: anything}},
	}},
}}

// What is not supported, and why.
const (
	onlyNetworkd = "systemd-networkd is what configures the network here"
	notOnServers = "systemd-networkd has no such links"
	noSwitch     = "systemd-networkd does not configure Open vSwitch"
	noSRIOV      = "write a .link unit in coreos.units: its SR-IOVVirtualFunctions= makes virtual functions"
	noAuth       = "systemd-networkd does not authenticate to switches"
)

// networkFields are version 2, the language of netplan.
//
// Source: netplan, doc/netplan-yaml.md and src/parse.c of release 1.1 (2024-10), as far as they are for networkd.
var networkFields = []field{
	{name: "version", shape: &shape{kind: text, oneOf: []string{"2"}}, doc: "The language: 2, which is netplan's, if nothing is said; 1 is cloud-init's older one, where everything stands in config", example: "2"},
	{name: "config", shape: &shape{kind: text, oneOf: []string{"disabled"}}, doc: "The word disabled, for a network that is left as it is; the entries of version 1", example: "disabled"},
	{name: "renderer", shape: &renderer, doc: "Who configures the network; networkd is the only one", example: "networkd"},
	{name: "ethernets", shape: links(&shape{kind: mapping, null: true, fields: ethernetFields, also: linkFields, refuses: true, foreign: []foreign{
		{"openvswitch", noSwitch, ""}, {"networkmanager", onlyNetworkd, ""}, {"auth", noAuth, ""}, {"link", noSRIOV, ""},
		{"virtual_function_count", noSRIOV, ""}, {"embedded_switch_mode", noSRIOV, ""}, {"delay_virtual_functions_rebind", noSRIOV, ""},
	}}), doc: "Cards, each by a name of your own; without match that is the name of the interface", example: "{eth0: {dhcp4: true}}"},
	{name: "bonds", shape: links(virtual(bondFields)), doc: "Several links as one; the keys of ethernets that are not about the card stand here and below as well", example: "{bond0: {interfaces: [eth0, eth1], parameters: {mode: active-backup}}}"},
	{name: "bridges", shape: links(virtual(bridgeFields)), doc: "Links between which packets are passed on", example: "{br0: {interfaces: [eth0], dhcp4: true}}"},
	{name: "vlans", shape: links(virtual(vlanFields)), doc: "Links that are one VLAN of another", example: "{web: {id: 10, link: eth0}}"},
	{name: "vrfs", shape: links(virtual(vrfFields)), doc: "Links with a routing table of their own", example: "{red: {table: 10, interfaces: [eth1]}}"},
	{name: "dummy_devices", shape: links(virtual(nil)), doc: "Links that lead nowhere", example: "{dm0: {addresses: [192.0.2.1/32]}}"},
	{name: "virtual_ethernets", shape: links(virtual(vethFields)), doc: "Both ends of cables inside the machine", example: "{veth0: {peer: veth1}, veth1: {peer: veth0}}"},
	{name: "tunnels", shape: links(virtual(tunnelFields)), doc: "Links to other machines over a network", example: "{tun0: {mode: gre, local: 192.0.2.1, remote: 198.51.100.1}}"},
}

// links is a mapping of the user's names to links of a kind.
func links(of *shape) *shape {
	return &shape{kind: mapping, fields: kindFields, keys: isLinkID, free: of}
}

// virtual is a link that is made rather than found.
func virtual(own []field) *shape {
	return &shape{kind: mapping, null: true, fields: own, also: linkFields, refuses: true, foreign: []foreign{
		{"openvswitch", noSwitch, ""}, {"networkmanager", onlyNetworkd, ""},
	}}
}

var kindFields = []field{
	{name: "renderer", shape: &renderer, doc: "As that of network"},
}

// Shapes of the network's values.
var (
	renderer     = shape{kind: text, rule: isRenderer}
	unsigned32   = shape{kind: integer, high: math.MaxUint32}
	unsigned16   = shape{kind: integer, high: math.MaxUint16}
	octet        = shape{kind: integer, high: 255}
	anyAddress   = shape{kind: text, rule: isIP}
	tunnelEnd    = shape{kind: text, rule: isEnd}
	destination  = shape{kind: text, rule: isNetwork}
	linkName     = shape{kind: text, rule: isLinkID}
	linkNames    = shape{kind: list, lone: true, item: &linkName}
	milliseconds = shape{kind: text, rule: isMilliseconds}
	seconds      = shape{kind: text, rule: isSeconds}
	domains      = shape{kind: text, oneOf: []string{"true", "false", "route"}}
)

var ethernetFields = []field{
	{name: "match", shape: &shape{kind: mapping, fields: []field{
		{name: "name", shape: &shape{kind: text, rule: isNamePattern}, doc: "The name of the interface, or a pattern of names", example: "enp2*"},
		{name: "macaddress", shape: &shape{kind: text, rule: isMAC}, doc: "The card's own hardware address", example: "52:54:00:6b:3c:58"},
		{name: "driver", shape: &shape{kind: list, lone: true, min: 1, item: &shape{kind: text, rule: isDriver}}, doc: "Drivers of the kernel, or patterns of them", example: "[ixgbe, virtio*]"},
	}}, doc: "Which cards are meant: all that it says must fit", example: "{macaddress: 52:54:00:6b:3c:58}"},
	{name: "set_name", shape: &shape{kind: text, rule: isInterfaceName}, doc: "The name that the interface is given", example: "lan"},
	{name: "wakeonlan", shape: &anyBoolean, doc: "Wake the machine by a packet", example: "true"},
	{name: "infiniband_mode", shape: &shape{kind: text, oneOf: []string{"datagram", "connected"}}, doc: "How InfiniBand carries IP", example: "connected"},
	{name: "receive_checksum_offload", shape: &anyBoolean, doc: "Let the card check packets", example: "false"},
	{name: "transmit_checksum_offload", shape: &anyBoolean, doc: "Let the card sum up packets", example: "false"},
	{name: "tcp_segmentation_offload", shape: &anyBoolean, doc: "Let the card cut TCP into packets", example: "false"},
	{name: "tcp6_segmentation_offload", shape: &anyBoolean, doc: "The same for TCP over IPv6", example: "false"},
	{name: "generic_segmentation_offload", shape: &anyBoolean, doc: "Cut packets late", example: "false"},
	{name: "generic_receive_offload", shape: &anyBoolean, doc: "Join packets early", example: "false"},
	{name: "large_receive_offload", shape: &anyBoolean, doc: "Let the card join packets", example: "false"},
}

// linkFields are keys of links of every kind.
var linkFields = []field{
	{name: "addresses", shape: &shape{kind: list, lone: true, item: &shape{kind: either, either: []*shape{
		{kind: text, rule: isInterfaceAddress},
		{kind: mapping, min: 1, keys: isInterfaceAddress, free: &shape{kind: mapping, null: true, fields: []field{
			{name: "label", shape: &shape{kind: text, rule: isAddressLabel}, doc: "A name for the address", example: "eth0:web"},
			{name: "lifetime", shape: &shape{kind: text, oneOf: []string{"forever", "0"}}, doc: "0 for an address that no new connection comes from", example: "0"},
		}}},
	}}}, doc: "Addresses with the bits of their networks", example: "[192.0.2.10/24, 2001:db8::10/64]"},
	{name: "dhcp4", shape: &anyBoolean, doc: "Ask for an IPv4 address", example: "true"},
	{name: "dhcp6", shape: &anyBoolean, doc: "Ask for an IPv6 address", example: "true"},
	{name: "dhcp_identifier", shape: &shape{kind: text, oneOf: []string{"duid", "mac"}}, doc: "What the machine is to the server", example: "mac"},
	{name: "dhcp4_overrides", shape: &shape{kind: mapping, fields: overrideFields}, doc: "What of the answers is taken", example: "{use-dns: false}"},
	{name: "dhcp6_overrides", shape: &shape{kind: mapping, fields: overrideFields}, doc: "The same for IPv6", example: "{use-dns: false}"},
	{name: "accept_ra", shape: &anyBoolean, doc: "Take what routers announce", example: "false"},
	{name: "ra_overrides", shape: &shape{kind: mapping, fields: []field{
		{name: "use_dns", shape: &anyBoolean, doc: "Take name servers", example: "false"},
		{name: "use_domains", shape: &domains, doc: "Take search domains; route takes them only to choose a name server", example: "route"},
		{name: "table", shape: &unsigned32, doc: "The table that the routes go to", example: "100"},
	}}, doc: "What of the announcements is taken", example: "{use-dns: false}"},
	{name: "gateway4", shape: &shape{kind: text, rule: isIPv4}, doc: "The gateway of IPv4", example: "192.0.2.1", deprecated: &deprecated{instead: "use routes with to: default"}},
	{name: "gateway6", shape: &shape{kind: text, rule: isIPv6}, doc: "The gateway of IPv6", example: "2001:db8::1", deprecated: &deprecated{instead: "use routes with to: default"}},
	{name: "nameservers", shape: &shape{kind: mapping, fields: []field{
		{name: "addresses", shape: &shape{kind: list, lone: true, item: &anyAddress}, doc: "Addresses of name servers", example: "[192.0.2.53]"},
		{name: "search", shape: &shape{kind: list, lone: true, item: &shape{kind: text, rule: isDomain}}, doc: "Domains in which short names are looked for", example: "[example.com]"},
	}}, doc: "Name servers and search domains", example: "{addresses: [192.0.2.53], search: [example.com]}"},
	{name: "routes", shape: &shape{kind: list, item: &shape{kind: mapping, fields: routeFields}}, doc: "Ways to networks", example: "[{to: default, via: 192.0.2.1}]"},
	{name: "routing_policy", shape: &shape{kind: list, item: &shape{kind: mapping, fields: policyFields}}, doc: "Rules that choose a routing table", example: "[{from: 192.0.2.0/24, table: 10}]"},
	{name: "mtu", shape: &shape{kind: integer, low: 68, high: 65536}, doc: "The most bytes of a packet", example: "9000"},
	{name: "ipv6_mtu", shape: &shape{kind: integer, low: 1280, high: 65536}, doc: "The same for IPv6 alone", example: "1400"},
	{name: "macaddress", shape: &shape{kind: text, rule: isSetMAC}, doc: "The hardware address to set; permanent or random for a card", example: "52:54:00:6b:3c:59"},
	{name: "link_local", shape: &shape{kind: list, lone: true, item: &shape{kind: text, oneOf: []string{"ipv4", "ipv6"}}}, doc: "The families that get an address of the link alone; ipv6 if nothing is said", example: "[ipv4]"},
	{name: "ipv6_privacy", shape: &anyBoolean, doc: "Change the address that others see", example: "true"},
	{name: "ipv6_address_generation", shape: &shape{kind: text, oneOf: []string{"eui64", "stable-privacy"}}, doc: "How IPv6 addresses are made", example: "eui64"},
	{name: "ipv6_address_token", shape: &shape{kind: text, rule: isToken}, doc: "The last 64 bits of IPv6 addresses", example: `"::1:2"`},
	{name: "optional", shape: &anyBoolean, doc: "The boot does not wait for it, and it need not be there", example: "true"},
	{name: "optional_addresses", shape: &shape{kind: list, lone: true, item: &shape{kind: text, oneOf: []string{"ipv4-ll", "ipv6-ra", "dhcp4", "dhcp6", "static"}}}, doc: "Addresses that the boot does not wait for", example: "[dhcp6]"},
	{name: "critical", shape: &anyBoolean, doc: "Keep the addresses when systemd-networkd ends", example: "true"},
	{name: "activation_mode", shape: &shape{kind: text, oneOf: []string{"manual", "off"}}, doc: "manual to leave it to the administrator, off to keep it down", example: "manual"},
	{name: "ignore_carrier", shape: &anyBoolean, doc: "Configure it without a carrier", example: "true"},
	{name: "emit_lldp", shape: &anyBoolean, doc: "Tell the neighbours who this is", example: "true"},
	{name: "hairpin", shape: &anyBoolean, doc: "Of a bridge's port: send packets back the way they came", example: "true"},
	{name: "port_mac_learning", shape: &anyBoolean, doc: "Of a bridge's port: learn who is behind it", example: "false"},
	{name: "neigh_suppress", shape: &anyBoolean, doc: "Of a bridge's port: answer for neighbours", example: "true"},
	{name: "renderer", shape: &renderer, doc: "As that of network"},
}

var overrideFields = []field{
	{name: "use_dns", shape: &anyBoolean, doc: "Take name servers", example: "false"},
	{name: "use_ntp", shape: &anyBoolean, doc: "Take time servers", example: "false"},
	{name: "send_hostname", shape: &anyBoolean, doc: "Tell the server the hostname", example: "false"},
	{name: "use_hostname", shape: &anyBoolean, doc: "Take the hostname", example: "false"},
	{name: "use_mtu", shape: &anyBoolean, doc: "Take the MTU", example: "false"},
	{name: "hostname", shape: &shape{kind: text, rule: isHostname}, doc: "The hostname to tell", example: "web1"},
	{name: "use_routes", shape: &anyBoolean, doc: "Take routes", example: "false"},
	{name: "route_metric", shape: &unsigned32, doc: "The metric of the routes", example: "200"},
	{name: "use_domains", shape: &domains, doc: "Take the domain to search in; route takes it only to choose a name server", example: "route"},
}

var routeFields = []field{
	{name: "to", required: true, shape: &destination, doc: "Where it leads: a network, an address, or default", example: "default"},
	{name: "via", shape: &anyAddress, doc: "The gateway", example: "192.0.2.1"},
	{name: "from", shape: &anyAddress, doc: "The address that packets come from", example: "192.0.2.10"},
	{name: "metric", shape: &unsigned32, doc: "Of several routes the one with the lowest is taken", example: "100"},
	{name: "on_link", shape: &anyBoolean, doc: "The gateway is reached although no network has it", example: "true"},
	{name: "type", shape: &shape{kind: text, oneOf: []string{"unicast", "anycast", "blackhole", "broadcast", "local", "multicast", "nat", "prohibit", "throw", "unreachable", "xresolve"}}, doc: "What becomes of packets", example: "blackhole"},
	{name: "scope", shape: &shape{kind: text, oneOf: []string{"global", "link", "host"}}, doc: "How far it leads", example: "link"},
	{name: "table", shape: &unsigned32, doc: "The routing table", example: "10"},
	{name: "mtu", shape: &shape{kind: integer, low: 1, high: 65536}, doc: "The most bytes of a packet", example: "1400"},
	{name: "congestion_window", shape: &shape{kind: integer, low: 1, high: math.MaxUint16}, doc: "In packets", example: "20"},
	{name: "advertised_receive_window", shape: &shape{kind: integer, low: 1, high: math.MaxUint16}, doc: "In packets", example: "20"},
	{name: "advertised_mss", shape: &shape{kind: integer, low: 1, high: math.MaxUint16}, doc: "The most bytes of TCP in a packet", example: "1400"},
}

var policyFields = []field{
	{name: "from", shape: &destination, doc: "Packets that come from there", example: "192.0.2.0/24"},
	{name: "to", shape: &destination, doc: "Packets that go there", example: "198.51.100.0/24"},
	{name: "table", shape: &unsigned32, doc: "The routing table that is looked at", example: "10"},
	{name: "priority", shape: &unsigned32, doc: "The lowest comes first", example: "100"},
	{name: "mark", shape: &unsigned32, doc: "Packets that the firewall has marked so", example: "7"},
	{name: "type_of_service", shape: &octet, doc: "Packets of this type of service", example: "8"},
}

// bondFields have the words of networkd, and none where netplan has it for nothing said.
var bondFields = []field{
	{name: "interfaces", shape: &linkNames, doc: "The links in it", example: "[eth0, eth1]"},
	{name: "parameters", shape: &shape{kind: mapping, fields: []field{
		{name: "mode", shape: &shape{kind: text, oneOf: []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}}, doc: "How packets are spread", example: "active-backup"},
		{name: "lacp_rate", shape: &shape{kind: text, oneOf: []string{"slow", "fast"}}, doc: "How often LACP speaks", example: "fast"},
		{name: "mii_monitor_interval", shape: &milliseconds, doc: "How often carriers are looked at, in ms or with a unit", example: "100"},
		{name: "min_links", shape: &unsigned32, doc: "How many links must be up", example: "1"},
		{name: "transmit_hash_policy", shape: &shape{kind: text, oneOf: []string{"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac", "none"}}, doc: "What of a packet decides on its link", example: "layer3+4"},
		{name: "ad_select", shape: &shape{kind: text, oneOf: []string{"stable", "bandwidth", "count", "none"}}, doc: "Which aggregate is taken", example: "bandwidth"},
		{name: "all_members_active", shape: &anyBoolean, doc: "Take what comes in by links that are not in use", example: "true"},
		{name: "all_slaves_active", shape: &anyBoolean, doc: "The older name of all_members_active", example: "true"},
		{name: "arp_interval", shape: &milliseconds, doc: "How often neighbours are asked, in ms or with a unit", example: "200"},
		{name: "arp_ip_targets", shape: &shape{kind: list, lone: true, max: 16, item: &shape{kind: text, rule: isIPv4}}, doc: "The neighbours that are asked", example: "[192.0.2.1]"},
		{name: "arp_validate", shape: &shape{kind: text, oneOf: []string{"none", "active", "backup", "all"}}, doc: "Which answers are looked at", example: "all"},
		{name: "arp_all_targets", shape: &shape{kind: text, oneOf: []string{"any", "all"}}, doc: "How many neighbours must answer", example: "any"},
		{name: "up_delay", shape: &milliseconds, doc: "How long to wait with a link that came up, in ms or with a unit", example: "200"},
		{name: "down_delay", shape: &milliseconds, doc: "How long to wait with one that went down, in ms or with a unit", example: "200"},
		{name: "fail_over_mac_policy", shape: &shape{kind: text, oneOf: []string{"none", "active", "follow"}}, doc: "Whose hardware address is used", example: "active"},
		{name: "gratuitous_arp", shape: &octet, doc: "How many announcements are made after a change", example: "2"},
		{name: "gratuitious_arp", shape: &octet, doc: "As gratuitous_arp, in netplan's first spelling", example: "2"},
		{name: "packets_per_member", shape: &unsigned16, doc: "How many packets go out by one link in turn", example: "1"},
		{name: "packets_per_slave", shape: &unsigned16, doc: "The older name of packets_per_member", example: "1"},
		{name: "primary_reselect_policy", shape: &shape{kind: text, oneOf: []string{"always", "better", "failure", "none"}}, doc: "When the primary is used again", example: "better"},
		{name: "resend_igmp", shape: &octet, doc: "How many reports of multicast are made after a change", example: "1"},
		{name: "learn_packet_interval", shape: &seconds, doc: "How often switches are told, in seconds or with a unit", example: "1"},
		{name: "primary", shape: &linkName, doc: "The link that is used while it is up", example: "eth0"},
	}}, doc: "How the bond works", example: "{mode: 802.3ad, lacp-rate: fast}"},
}

var bridgeFields = []field{
	{name: "interfaces", shape: &linkNames, doc: "The links in it", example: "[eth0]"},
	{name: "parameters", shape: &shape{kind: mapping, fields: []field{
		{name: "ageing_time", shape: &seconds, doc: "How long an address is remembered, in seconds or with a unit", example: "300"},
		{name: "aging_time", shape: &seconds, doc: "As ageing_time", example: "300"},
		{name: "priority", shape: &unsigned16, doc: "Of several bridges the one with the lowest is the root", example: "32768"},
		{name: "port_priority", shape: &shape{kind: mapping, keys: isLinkID, free: &shape{kind: integer, high: 63}}, doc: "The priority of each port", example: "{eth0: 20}"},
		{name: "forward_delay", shape: &seconds, doc: "How long a port listens first, in seconds or with a unit", example: "4"},
		{name: "hello_time", shape: &seconds, doc: "How often bridges speak, in seconds or with a unit", example: "2"},
		{name: "max_age", shape: &seconds, doc: "How long the root may be silent, in seconds or with a unit", example: "20"},
		{name: "path_cost", shape: &shape{kind: mapping, keys: isLinkID, free: &shape{kind: integer, low: 1, high: math.MaxUint16}}, doc: "The cost of each port", example: "{eth0: 100}"},
		{name: "stp", shape: &anyBoolean, doc: "Find loops; true if parameters are there and say nothing of it", example: "false"},
	}}, doc: "How the bridge works", example: "{stp: false}"},
}

var vlanFields = []field{
	{name: "id", required: true, shape: &shape{kind: integer, high: 4094}, doc: "The number of the VLAN", example: "10"},
	{name: "link", required: true, shape: &linkName, doc: "The link that it is on", example: "eth0"},
}

var vrfFields = []field{
	{name: "table", required: true, shape: &shape{kind: integer, low: 1, high: math.MaxUint32}, doc: "Its routing table", example: "10"},
	{name: "interfaces", shape: &linkNames, doc: "The links in it", example: "[eth1]"},
}

var vethFields = []field{
	{name: "peer", required: true, shape: &linkName, doc: "The other end", example: "veth1"},
}

var tunnelFields = []field{
	{name: "mode", required: true, shape: &shape{kind: text, oneOf: []string{"gre", "gretap", "ip6gre", "ip6gretap", "ip6ip6", "ipip", "ipip6", "isatap", "sit", "vti", "vti6", "vxlan", "wireguard"}}, doc: "The kind of tunnel", example: "gre"},
	{name: "local", shape: &tunnelEnd, doc: "This end", example: "192.0.2.1"},
	{name: "remote", shape: &tunnelEnd, doc: "The other end; a group of VXLAN", example: "198.51.100.1"},
	{name: "ttl", shape: &octet, doc: "How many routers packets may pass", example: "64"},
	{name: "key", shape: &tunnelKeys, doc: "The key of the tunnel, or the private one of WireGuard or its file", example: "1234"},
	{name: "keys", shape: &tunnelKeys, doc: "As key", example: "{input: 1234, output: 5678}"},
	{name: "mark", shape: &unsigned32, doc: "The firewall's mark of packets of WireGuard", example: "42"},
	{name: "port", shape: &shape{kind: either, either: []*shape{{kind: integer, low: 1, high: math.MaxUint16}, {kind: text, oneOf: []string{"auto"}}}}, doc: "The UDP port of WireGuard or VXLAN", example: "51820"},
	{name: "peers", shape: &shape{kind: list, item: &shape{kind: mapping, fields: []field{
		{name: "endpoint", shape: &shape{kind: text, rule: isEndpoint}, doc: "Where it is, HOST:PORT", example: "vpn.example.com:51820"},
		{name: "allowed_ips", shape: &shape{kind: list, lone: true, item: &destination}, doc: "The networks behind it", example: "[10.0.0.0/24]"},
		{name: "keepalive", shape: &unsigned16, doc: "How often to say something, in seconds", example: "25"},
		{name: "keys", required: true, shape: &shape{kind: mapping, fields: []field{
			{name: "public", required: true, shape: &shape{kind: text, rule: isPublicPeerKey}, doc: "Its public key", example: "rlbInAj0qV69CysWPQY7KEBnKxpYCpaWqOs/dLevdWc="},
			{name: "shared", shape: &shape{kind: text, secret: true, rule: isPeerSecret}, doc: "The key that both have, or its file", example: "/etc/wireguard/peer.key"},
		}}, doc: "Its keys"},
	}}}, doc: "The other ends of WireGuard"},
	{name: "id", shape: &shape{kind: integer, low: 1, high: 1<<24 - 1}, doc: "The number of the VXLAN", example: "1005"},
	{name: "link", shape: &linkName, doc: "The link that VXLAN is on", example: "eth0"},
	{name: "type_of_service", shape: &octet, doc: "The type of service of packets", example: "8"},
	{name: "mac_learning", shape: &anyBoolean, doc: "Learn who is behind VXLAN", example: "true"},
	{name: "ageing", shape: &unsigned32, doc: "How long that is remembered, in seconds", example: "300"},
	{name: "aging", shape: &unsigned32, doc: "As ageing", example: "300"},
	{name: "limit", shape: &unsigned32, doc: "How many of them are remembered", example: "1000"},
	{name: "arp_proxy", shape: &anyBoolean, doc: "Answer for neighbours", example: "true"},
	{name: "notifications", shape: &shape{kind: list, lone: true, item: &shape{kind: text, oneOf: []string{"l2-miss", "l3-miss"}}}, doc: "What the kernel tells of", example: "[l2-miss]"},
	{name: "short_circuit", shape: &anyBoolean, doc: "Send to where a route leads", example: "true"},
	{name: "checksums", shape: &shape{kind: list, lone: true, item: &shape{kind: text, oneOf: []string{"udp", "zero-udp6-tx", "zero-udp6-rx", "remote-tx", "remote-rx"}}}, doc: "Which checksums there are", example: "[udp]"},
	{name: "extensions", shape: &shape{kind: list, lone: true, item: &shape{kind: text, oneOf: []string{"group-policy", "generic-protocol"}}}, doc: "Extensions of VXLAN", example: "[group-policy]"},
	{name: "flow_label", shape: &shape{kind: integer, high: 1<<20 - 1}, doc: "The flow label of packets", example: "5"},
	{name: "do_not_fragment", shape: &anyBoolean, doc: "Cut no packets", example: "true"},
	{name: "port_range", shape: &shape{kind: list, min: 2, max: 2, item: &shape{kind: integer, low: 1, high: math.MaxUint16}}, doc: "The ports that packets come from", example: "[4000, 5000]"},
}

var tunnelKeys = shape{kind: either, secret: true, either: []*shape{
	{kind: text, secret: true, rule: isOneLine},
	{kind: mapping, fields: []field{
		{name: "input", shape: &shape{kind: text, rule: isTunnelKey}, doc: "The key of what comes in", example: "1234"},
		{name: "output", shape: &shape{kind: text, rule: isTunnelKey}, doc: "The key of what goes out", example: "5678"},
		{name: "private", shape: &shape{kind: text, secret: true, rule: isPeerSecret}, doc: "The private key of WireGuard, or its file", example: "/etc/wireguard/private.key"},
	}, refuses: true, foreign: []foreign{{"private_key_flags", onlyNetworkd, ""}}},
}}
