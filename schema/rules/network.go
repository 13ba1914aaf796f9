package rules

import "cloudconfig/schema/diag"

// Findings about the network.
var (
	NetworkVersion = &diag.Rule{ID: "network-version", Severity: diag.Error, Title: "a version of the network's language that does not exist",
		Help:    "version is 2, the language of netplan, or 1 in a network-config of cloud-init's.",
		Example: "network:\n  version: 3\n  ethernets: {}", Instead: "network:\n  version: 2\n  ethernets: {}"}
	NetworkSyntax = &diag.Rule{ID: "network-syntax", Severity: diag.Error, Title: "a description of the network that cannot be read",
		Help: "The text is not what its name says: JSON of a platform, or a file in the form of interfaces(5)."}
	NetworkName = &diag.Rule{ID: "network-name", Severity: diag.Error, Title: "not a name for an interface",
		Help:    "The kernel takes names of 1 to 15 characters without blanks, slashes and colons; a name with * or ? is a pattern, and belongs below match.",
		Example: "network:\n  ethernets:\n    en*: {dhcp4: true}", Instead: "network:\n  ethernets:\n    lan:\n      match: {name: en*}\n      dhcp4: true"}
	NetworkAddress = &diag.Rule{ID: "network-address", Severity: diag.Error, Title: "not an address of the form that is wanted",
		Help:    "An address of an interface has the bits of its network behind a slash; that of a gateway or a name server has none.",
		Example: "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.10]}", Instead: "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.10/24]}"}
	NetworkMAC = &diag.Rule{ID: "network-mac", Severity: diag.Error, Title: "not a hardware address",
		Help:    "A hardware address is six pairs of hexadecimal digits with colons between, twenty on InfiniBand.",
		Example: "network:\n  ethernets:\n    eth0: {macaddress: 52:54:00:6b}", Instead: "network:\n  ethernets:\n    eth0: {macaddress: 52:54:00:6b:3c:58}"}
	NetworkUndefined = &diag.Rule{ID: "network-undefined", Severity: diag.Error, Title: "a link that nothing describes",
		Help:    "What a bond, a bridge, a VLAN or a tunnel is made on has an entry of its own, even an empty one.",
		Example: "network:\n  vlans:\n    web: {id: 10, link: eth1}", Instead: "network:\n  ethernets:\n    eth1: {}\n  vlans:\n    web: {id: 10, link: eth1}"}
	NetworkTwice = &diag.Rule{ID: "network-twice", Severity: diag.Error, Title: "the same link in two places, or described twice",
		Help:    "A card is in one bond, bridge or VRF at most, and two entries cannot be the same card.",
		Example: "network:\n  ethernets: {eth0: {}, eth1: {}}\n  bonds:\n    bond0: {interfaces: [eth0]}\n    bond1: {interfaces: [eth0]}", Instead: "network:\n  ethernets: {eth0: {}, eth1: {}}\n  bonds:\n    bond0: {interfaces: [eth0]}\n    bond1: {interfaces: [eth1]}"}
	NetworkLoop = &diag.Rule{ID: "network-loop", Severity: diag.Error, Title: "links that are made on each other",
		Help:    "A bond, bridge or VLAN is made on others, and in the end on a card. One that is made on itself cannot be made at all. Linux has 8 links on each other at most, the card included.",
		Example: "network:\n  bridges:\n    br0: {interfaces: [web]}\n  vlans:\n    web: {id: 10, link: br0}", Instead: "network:\n  ethernets:\n    eth0: {}\n  bridges:\n    br0: {interfaces: [eth0]}\n  vlans:\n    web: {id: 10, link: br0}"}
	NetworkConflict = &diag.Rule{ID: "network-conflict", Severity: diag.Error, Title: "settings that exclude or need each other",
		Help:    "set-name needs match, a primary must be a member, a tunnel of one family has ends of that family, and so on: the finding says which.",
		Example: "network:\n  ethernets:\n    eth0: {set-name: lan}", Instead: "network:\n  ethernets:\n    eth0:\n      match: {macaddress: 52:54:00:6b:3c:58}\n      set-name: lan"}
	NetworkMember = &diag.Rule{ID: "network-member-address", Severity: diag.Warning, Title: "an address on a card that is in a bond or bridge",
		Help:    "Packets to the card go to the bond or bridge it is in, so nobody is reached at its own address. Give the address to the bond or bridge.",
		Example: "network:\n  ethernets:\n    eth0: {dhcp4: true}\n  bridges:\n    br0: {interfaces: [eth0]}", Instead: "network:\n  ethernets:\n    eth0: {}\n  bridges:\n    br0: {interfaces: [eth0], dhcp4: true}"}
	NetworkGateway = &diag.Rule{ID: "network-gateway", Severity: diag.Warning, Title: "a gateway outside the networks of its card",
		Help:    "The kernel refuses a route whose gateway is in no network of the link, unless the route is on-link or the network comes by DHCP or from a router. Look for a wrong digit or a wrong number of bits.",
		Example: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      routes: [{to: default, via: 192.0.3.1}]", Instead: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      routes: [{to: default, via: 192.0.2.1}]"}
	NetworkDefaults = &diag.Rule{ID: "network-default-routes", Severity: diag.Warning, Title: "two default routes with the same metric",
		Help:    "The kernel takes one of them, and the last that came is often the one that stays. Give one a higher metric, or a table of its own. Routes that come by DHCP are not counted: only the server knows whether there are any.",
		Example: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      routes: [{to: default, via: 192.0.2.1}]\n    eth1:\n      addresses: [198.51.100.10/24]\n      routes: [{to: default, via: 198.51.100.1}]",
		Instead: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      routes: [{to: default, via: 192.0.2.1}]\n    eth1:\n      addresses: [198.51.100.10/24]\n      routes: [{to: default, via: 198.51.100.1, metric: 200}]"}
	NetworkOverlap = &diag.Rule{ID: "network-overlap", Severity: diag.Warning, Title: "the same network on two links",
		Help:    "Answers leave by one of the links, whichever a packet came in by. Put the cards into a bond, or use rules and tables: a link with rules of its own is not complained of.",
		Example: "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.10/24]}\n    eth1: {addresses: [192.0.2.11/24]}",
		Instead: "network:\n  ethernets: {eth0: {}, eth1: {}}\n  bonds:\n    bond0: {interfaces: [eth0, eth1], addresses: [192.0.2.10/24]}"}
	NetworkDuplicate = &diag.Rule{ID: "network-duplicate-address", Severity: diag.Warning, Title: "the same address twice",
		Help:    "One address belongs to one link, once. Link-local addresses are each link's own.",
		Example: "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.10/24]}\n    eth1: {addresses: [192.0.2.10/24]}",
		Instead: "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.10/24]}\n    eth1: {addresses: [198.51.100.10/24]}"}
	NetworkMTU = &diag.Rule{ID: "network-mtu", Severity: diag.Warning, Title: "an MTU that something on the link cannot live with",
		Help:    "IPv6 needs 1280 bytes at least, and systemd-networkd gives a link that much unless link-local: [] takes IPv6 from it. A VLAN has at most the MTU of what it is on, the cards of a bond have the bond's, and those of a bridge no less than the bridge.",
		Example: "network:\n  ethernets:\n    eth0: {mtu: 1500}\n  vlans:\n    web: {id: 10, link: eth0, mtu: 9000}", Instead: "network:\n  ethernets:\n    eth0: {mtu: 9000}\n  vlans:\n    web: {id: 10, link: eth0, mtu: 9000}"}
	NetworkDNS = &diag.Rule{ID: "network-dns", Severity: diag.Warning, Title: "a name server that no route reaches",
		Help:    "Nothing of what is described has a route to the server. Routes that come by DHCP or from a router count as leading everywhere.",
		Example: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      nameservers: {addresses: [198.51.100.53]}", Instead: "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.10/24]\n      routes: [{to: default, via: 192.0.2.1}]\n      nameservers: {addresses: [198.51.100.53]}"}
	NetworkSecret = &diag.Rule{ID: "network-key", Severity: diag.Error, Title: "not a key of WireGuard's",
		Help: "A key is 32 bytes in base64: 44 characters that end in =. wg genkey makes one."}
	NetworkUnsupported = &diag.Rule{ID: "network-unsupported", Severity: diag.Error, Title: "something that systemd-networkd cannot do, or that is not a server's",
		Help: "Wi-Fi, modems, Open vSwitch and NetworkManager are not ours, and what systemd-networkd has no setting for cannot be written. In what a platform says it is a warning: the rest is taken."}
	NetworkIgnored = &diag.Rule{ID: "network-ignored", Severity: diag.Warning, Title: "a part of the description that has no effect",
		Help: "It is read and nothing is made of it: the finding says why."}
	NetworkReplaced = &diag.Rule{ID: "network-replaced", Severity: diag.Info, Title: "the platform's description of the network is not taken",
		Help: "The configuration has a network of its own, which takes its place whole."}

	NetworkAbsent = &diag.Rule{ID: "network-absent", Severity: diag.Error, Machine: true, Title: "a configured card that the machine does not have",
		Help: "No interface has this hardware address, name or driver. Nothing is changed: the card may have been swapped, and the rest would be configured for another machine. Say optional: true of a card that need not be there."}
	NetworkShared = &diag.Rule{ID: "network-mac-shared", Severity: diag.Error, Machine: true, Title: "a hardware address that two cards have",
		Help: "Both cards would be configured alike, with the same addresses. Match the name or the driver as well."}
	NetworkNameTaken = &diag.Rule{ID: "network-name-taken", Severity: diag.Error, Machine: true, Title: "a new name for a card that another interface has",
		Help: "The kernel has one interface of a name. Two cards may change their names with each other, if each is given its new one."}
	NetworkTaken = &diag.Rule{ID: "network-address-taken", Severity: diag.Error, Machine: true, Title: "somebody else has the address",
		Help: "Another machine on the link answers to the address (ARP, RFC 5227). Two machines with one address take each other off the network. Only static addresses of IPv4 that are new to the machine are asked for, and only on interfaces that are up and have a carrier: to find out, nothing is brought up."}
	NetworkShadowed = &diag.Rule{ID: "network-shadowed", Severity: diag.Warning, Machine: true, Title: "another file configures the link",
		Help: "systemd-networkd takes the first file that matches a link, by its name. A file of the image comes before ours, so ours has no effect on that link."}
)

func networkRules() []*diag.Rule {
	return []*diag.Rule{
		NetworkVersion, NetworkSyntax, NetworkName, NetworkAddress, NetworkMAC, NetworkUndefined, NetworkTwice, NetworkLoop, NetworkConflict,
		NetworkMember, NetworkGateway, NetworkDefaults, NetworkOverlap, NetworkDuplicate, NetworkMTU, NetworkDNS, NetworkSecret,
		NetworkUnsupported, NetworkIgnored, NetworkReplaced, NetworkAbsent, NetworkShared, NetworkNameTaken, NetworkTaken, NetworkShadowed,
	}
}
