package network_test

import (
	"strings"
	"testing"

	"cloudconfig/schema/network"
)

func TestValues(t *testing.T) {
	prefix := func(s string) (string, *network.Fault) {
		p, f := network.ParsePrefix(s)
		return p.String(), f
	}
	destination := func(s string) (string, *network.Fault) {
		p, f := network.ParseNetwork(s)
		return p.String(), f
	}
	addr := func(s string) (string, *network.Fault) {
		a, f := network.ParseAddr(s)
		return a.String(), f
	}
	any := func(s string) (string, *network.Fault) {
		a, f := network.ParseAnyAddr(s)
		return a.String(), f
	}
	masked := func(s string) (string, *network.Fault) {
		address, mask, _ := strings.Cut(s, " ")
		a, f := network.ParseAddr(address)
		if f != nil {
			return "", f
		}
		p, f := network.PrefixOf(a, mask)
		return p.String(), f
	}
	word := func(check func(string) *network.Fault) func(string) (string, *network.Fault) {
		return func(s string) (string, *network.Fault) { return s, check(s) }
	}
	name, pattern, domain, plain := word(network.CheckName), word(network.CheckPattern), word(network.CheckDomain), word(network.CheckWord)
	number := func(s string) (string, *network.Fault) {
		n, f := network.ParseRange(s, "an MTU", 68, 65535)
		if f == nil && (n < 68 || n > 65535) {
			t.Errorf("%q is %d", s, n)
		}
		return s, f
	}
	for _, test := range []struct {
		why      string
		parse    func(string) (string, *network.Fault)
		in, want string // want is "!" and the summary and detail of a Fault
	}{
		{"the host part is kept", prefix, "192.0.2.10/24", "192.0.2.10/24"},
		{"IPv6 in its short form", prefix, "2001:DB8:0::1/64", "2001:db8::1/64"},
		{"a netmask behind the slash", prefix, "192.0.2.10/255.255.255.0", "192.0.2.10/24"},
		{"no bits", prefix, "192.0.2.10", `!"192.0.2.10" says nothing of the size of its network; write 192.0.2.10/24, with the bits of its network`},
		{"too many bits", prefix, "192.0.2.10/33", `!"192.0.2.10/33" has a wrong number of bits; write a number of bits from 0 to 32, or a netmask as in 255.255.255.0`},
		{"too many bits of IPv6", prefix, "2001:db8::1/129", `!"2001:db8::1/129" has a wrong number of bits; write a number of bits from 0 to 128`},
		{"a sign in the bits", prefix, "192.0.2.10/+24", `!"192.0.2.10/+24" has a wrong number of bits; write a number of bits from 0 to 32, or a netmask as in 255.255.255.0`},
		{"a group as the address of a host", prefix, "224.0.0.1/24", `!"224.0.0.1" is the address of a group (multicast); write the address of one host`},
		{"nothing as the address of a host", prefix, "0.0.0.0/0", `!"0.0.0.0" is the address of nothing; write the address of a host`},

		{"the host part of a destination is cut off", destination, "192.0.2.10/24", "192.0.2.0/24"},
		{"a single host", destination, "192.0.2.10", "192.0.2.10/32"},
		{"everywhere", destination, "::/0", "::/0"},
		{"groups", destination, "224.0.0.0/4", "224.0.0.0/4"},
		{"no network at all", destination, "everywhere", `!"everywhere" is not an address; write it as in 192.0.2.10 or 2001:db8::10`},
		{"wrong bits give no network", destination, "192.0.2.0/x", `!"192.0.2.0/x" has a wrong number of bits; write a number of bits from 0 to 32, or a netmask as in 255.255.255.0`},

		{"a dotted mask", masked, "192.0.2.10 255.255.252.0", "192.0.2.10/22"},
		{"a mask in bits", masked, "192.0.2.10 22", "192.0.2.10/22"},
		{"a mask of IPv6", masked, "2001:db8::1 ffff:ffff:ffff:ffff::", "2001:db8::1/64"},
		{"the mask of one host", masked, "192.0.2.10 255.255.255.255", "192.0.2.10/32"},
		{"no mask", masked, "192.0.2.10 0.0.0.0", "192.0.2.10/0"},
		{"a mask with a hole", masked, "192.0.2.10 255.0.255.0", `!"255.0.255.0" is not a netmask; a netmask has all its ones in front`},
		{"a wildcard mask", masked, "192.0.2.10 0.0.0.255", `!"0.0.0.255" is not a netmask; a netmask has all its ones in front`},
		{"a mask of the other family", masked, "192.0.2.10 ffff::", `!"ffff::" is not a netmask; write a number of bits from 0 to 32, or a netmask as in 255.255.255.0`},
		{"zeros in front of bits", masked, "192.0.2.10 024", `!"024" is not a netmask; write a number of bits from 0 to 32, or a netmask as in 255.255.255.0`},

		{"a network for an address", addr, "192.0.2.1/24", `!"192.0.2.1/24" is a network or has bits; here stands a single address; write 192.0.2.1`},
		{"a zone", addr, "fe80::1%eth0", `!"fe80::1%eth0" names an interface behind %; write fe80::1; the link is the one it is written below`},
		{"mapped", addr, "::ffff:192.0.2.1", `!"::ffff:192.0.2.1" is an IPv4 address written as an IPv6 one; write 192.0.2.1`},
		{"broadcast", addr, "255.255.255.255", `!"255.255.255.255" is the address of everybody (broadcast); write the address of one host`},
		{"number too large", addr, "192.0.2.300", `!"192.0.2.300" is not an IPv4 address; each number is from 0 to 255`},
		{"octal", addr, "192.0.2.010", `!"192.0.2.010" is not an IPv4 address; leave out the zeros in front: some programs read such numbers as octal`},
		{"three numbers", addr, "192.0.2", `!"192.0.2" is not an IPv4 address: it has 3 numbers, not four; write it as in 192.0.2.10 or 2001:db8::10`},
		{"two addresses", addr, "192.0.2.1,192.0.2.2", `!"192.0.2.1,192.0.2.2" is not an address; write one address, without blanks or commas`},
		{"brackets", addr, "[2001:db8::1]", `!"[2001:db8::1]" is not an address; write it without the brackets`},
		{"two times ::", addr, "2001::db8::1", `!"2001::db8::1" is not an IPv6 address; IPv6 addresses have up to eight groups of four hexadecimal digits, and :: once`},
		{"a line break is escaped", addr, "192.0.2.1\nDNS=x", `!"192.0.2.1\nDNS=x" is not an address; write it as in 192.0.2.10 or 2001:db8::10`},
		{"a long value is cut", addr, strings.Repeat("é", 40), `!"` + strings.Repeat("é", 28) + `..." is not an address; write it as in 192.0.2.10 or 2001:db8::10`},
		{"nothing", addr, "", `!an address is missing; write it as in 192.0.2.10 or 2001:db8::10`},
		{"a group where one may stand", any, "ff02::1", "ff02::1"},

		{"hyphens and upper case", mac, "52-54-00-12-34-AB", "52:54:00:12:34:ab"},
		{"InfiniBand", mac, strings.Repeat("a0:", 19) + "01", strings.Repeat("a0:", 19) + "01"},
		{"too short", mac, "52:54:00", `!"52:54:00" is not a hardware address; write it as in 52:54:00:12:34:56`},
		{"not hexadecimal", mac, "52:54:00:12:34:5g", `!"52:54:00:12:34:5g" is not a hardware address; write it as in 52:54:00:12:34:56`},
		{"colons at the wrong places", mac, "5254:00:12::34:56", `!"5254:00:12::34:56" is not a hardware address; write it as in 52:54:00:12:34:56`},
		{"nobody's", mac, "00:00:00:00:00:00", `!"00:00:00:00:00:00" is the hardware address of nothing; write that of the card`},

		{"a name with a dot", name, "bond0.100", "bond0.100"},
		{"15 bytes", name, "enp0s31f6d1np12", "enp0s31f6d1np12"},
		{"16 bytes", name, "enp0s31f6d1np123", `!"enp0s31f6d1np123" is too long for the name of an interface: 16 bytes; the kernel takes 15 bytes at most`},
		{"a path", name, "../eth0", `!"../eth0" has a "/", and is no name for an interface; use letters, digits, '-', '_' and '.'`},
		{"a folder", name, "..", `!".." stands for something else in the kernel, and is no name for an interface; choose another`},
		{"a line break", name, "eth0\nx", `!"eth0\nx" has a blank or a control character, and is no name for an interface; leave it out`},
		{"a specifier", name, "eth%i", `!"eth%i" has a "%", and is no name for an interface; use letters, digits, '-', '_' and '.'`},
		{"a number", name, "12", `!"12" is a number, and no name for an interface; put a letter in front`},
		{"a pattern for a name", name, "en*", `!"en*" is a pattern, not the name of an interface; a pattern belongs below match`},
		{"beyond ASCII", name, "ét0", `!"ét0" has a character beyond ASCII, and is no name for an interface; use letters, digits, '-', '_' and '.'`},
		{"a pattern", pattern, "en[ps]*", "en[ps]*"},
		{"a pattern turned round", pattern, "!eth0", `!"!eth0" begins with !, which would turn the meaning round; name the interfaces that are meant`},
		{"a name with a pattern turned round", name, "!eth0", `!"!eth0" begins with !, which would turn the meaning round; name the interfaces that are meant`},
		{"a driver", plain, "virtio_net", "virtio_net"},
		{"two drivers", plain, "virtio_net e1000", `!"virtio_net e1000" has a character that cannot stand here; use letters, digits, '-', '_' and '.'`},

		{"a domain", domain, "a_b.example.com.", "a_b.example.com."},
		{"a domain to route", domain, "~example.com", "~example.com"},
		{"all domains", domain, "~.", "~."},
		{"two domains", domain, "a.example, b.example", `!"a.example, b.example" is not one domain; write a list of domains`},
		{"an empty label", domain, "a..example", `!"a..example" is not a domain; write it as in example.com`},

		{"a number", number, "1500", "1500"},
		{"hexadecimal", number, "0x5dc", "0x5dc"},
		{"too small", number, "67", `!"67" is not an MTU; write a number from 68 to 65535`},
		{"beyond 32 bits", number, "4294967296", `!"4294967296" is not an MTU; write a number from 68 to 65535`},
		{"a sign", number, "+1500", `!"+1500" is not an MTU; write a number from 68 to 65535`},
	} {
		got, fault := test.parse(test.in)
		if fault != nil {
			got = "!" + fault.String()
		}
		if got != test.want {
			t.Errorf("%s: %q:\n got %s\nwant %s", test.why, test.in, got, test.want)
		}
	}
}

func mac(s string) (string, *network.Fault) { return network.ParseMAC(s) }
