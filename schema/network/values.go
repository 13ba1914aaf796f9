package network

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/yamltree"
)

// A Fault says why a value is refused. Nothing in it is secret, and what it quotes is escaped and short.
type Fault struct {
	// Summary is one line that quotes the value, Detail what to write instead; Detail may be empty.
	Summary, Detail string
}

// String is both in one line. A Fault is no error: the text is wrong, not the machine.
func (f *Fault) String() string {
	if f.Detail == "" {
		return f.Summary
	}
	return f.Summary + "; " + f.Detail
}

// Refuse reports a value that a function of this package refused, at its node.
func Refuse(c *findings.Collector, rule *diag.Rule, path string, n *yamltree.Node, err *Fault) *diag.Diagnostic {
	d := c.Report(rule, path, n, "%s", err.Summary)
	d.Detail = err.Detail
	return d
}

func fault(detail, format string, args ...any) *Fault {
	return &Fault{Summary: fmt.Sprintf(format, args...), Detail: detail}
}

// Quoted is a value as findings show it: escaped, and not longer than a line.
func Quoted(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:57], "") + "..."
	}
	return strconv.Quote(s)
}

// ParseAddr reads the address of one host: a gateway, a name server, the end of a tunnel. What no host can have is
// refused: a group, the address of nothing, an IPv4 address in the clothes of an IPv6 one, a zone.
func ParseAddr(s string) (netip.Addr, *Fault) {
	a, err := ParseAnyAddr(s)
	if err == nil {
		err = isHost(a, s)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	return a, nil
}

// ParseAnyAddr reads an address that may be that of a group (VXLAN's) or of nothing (any address).
func ParseAnyAddr(s string) (netip.Addr, *Fault) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil && strings.Contains(s, "/"):
		if p, err := netip.ParsePrefix(s); err == nil {
			return netip.Addr{}, fault("write "+p.Addr().String(), "%s is a network or has bits; here stands a single address", Quoted(s))
		}
		return netip.Addr{}, notAnAddress(s)
	case err != nil:
		return netip.Addr{}, notAnAddress(s)
	case a.Zone() != "":
		return netip.Addr{}, fault("write "+a.WithZone("").String()+"; the link is the one it is written below", "%s names an interface behind %%", Quoted(s))
	case a.Is4In6():
		return netip.Addr{}, fault("write "+a.Unmap().String(), "%s is an IPv4 address written as an IPv6 one", Quoted(s))
	}
	return a, nil
}

func isHost(a netip.Addr, s string) *Fault {
	switch {
	case a.IsMulticast():
		return fault("write the address of one host", "%s is the address of a group (multicast)", Quoted(s))
	case a.IsUnspecified():
		return fault("write the address of a host", "%s is the address of nothing", Quoted(s))
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fault("write the address of one host", "%s is the address of everybody (broadcast)", Quoted(s))
	}
	return nil
}

// notAnAddress says what is wrong with a text that is not an address, as far as a slip can be told.
func notAnAddress(s string) *Fault {
	const form = "write it as in 192.0.2.10 or 2001:db8::10"
	switch quads := strings.Split(s, "."); {
	case s == "":
		return fault(form, "an address is missing")
	case strings.TrimSpace(s) != s || strings.ContainsAny(s, " ,"):
		return fault("write one address, without blanks or commas", "%s is not an address", Quoted(s))
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		return fault("write it without the brackets", "%s is not an address", Quoted(s))
	case strings.Contains(s, ":"):
		return fault("IPv6 addresses have up to eight groups of four hexadecimal digits, and :: once", "%s is not an IPv6 address", Quoted(s))
	case strings.Trim(s, "0123456789.") != "":
		return fault(form, "%s is not an address", Quoted(s))
	case len(quads) != 4:
		return fault(form, "%s is not an IPv4 address: it has %d numbers, not four", Quoted(s), len(quads))
	default:
		for _, q := range quads {
			if len(q) > 1 && q[0] == '0' {
				return fault("leave out the zeros in front: some programs read such numbers as octal", "%s is not an IPv4 address", Quoted(s))
			}
			if n, err := strconv.Atoi(q); err != nil || n > 255 {
				return fault("each number is from 0 to 255", "%s is not an IPv4 address", Quoted(s))
			}
		}
		return fault(form, "%s is not an address", Quoted(s))
	}
}

// ParsePrefix reads the address of an interface with the bits of its network behind a slash, "192.0.2.10/24". The host
// part is kept.
func ParsePrefix(s string) (netip.Prefix, *Fault) {
	address, length, found := strings.Cut(s, "/")
	a, err := ParseAddr(address)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !found {
		detail := "write " + a.String() + "/24, with the bits of its network"
		if a.Is6() {
			detail = "write " + a.String() + "/64, with the bits of its network"
		}
		return netip.Prefix{}, fault(detail, "%s says nothing of the size of its network", Quoted(s))
	}
	return prefixOf(a, length, s)
}

// ParseNetwork reads where a route leads, or what a rule is about: "192.0.2.0/24", or one address without bits, which
// is that host alone. "default" stands for no prefix here: of which family it is, only the gateway says. The host part
// is cut off.
func ParseNetwork(s string) (netip.Prefix, *Fault) {
	address, length, found := strings.Cut(s, "/")
	a, err := ParseAnyAddr(address)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !found {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := prefixOf(a, length, s)
	return p.Masked(), err
}

// PrefixOf is an address with its netmask, in any form that [ParseMask] takes. The host part is kept.
func PrefixOf(a netip.Addr, mask string) (netip.Prefix, *Fault) {
	n, err := ParseMask(mask, a.Is6())
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, n), nil
}

func prefixOf(a netip.Addr, length, whole string) (netip.Prefix, *Fault) {
	n, err := ParseMask(length, a.Is6())
	if err != nil {
		return netip.Prefix{}, fault(err.Detail, "%s has a wrong number of bits", Quoted(whole))
	}
	return netip.PrefixFrom(a, n), nil
}

// ParseMask is how many bits of an address are those of the network: written as a number, "24", or as a netmask,
// "255.255.255.0" or "ffff:ffff::".
func ParseMask(s string, v6 bool) (int, *Fault) {
	most, wanted := 32, "write a number of bits from 0 to 32, or a netmask as in 255.255.255.0"
	if v6 {
		most, wanted = 128, "write a number of bits from 0 to 128"
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= most && (s == "0" || s[0] >= '1') {
		return n, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is6() != v6 || a.Zone() != "" {
		return 0, fault(wanted, "%s is not a netmask", Quoted(s))
	}
	n := 0
	for _, b := range a.AsSlice() {
		n += bits.LeadingZeros8(^b)
		if b != 0xFF {
			break
		}
	}
	if netip.PrefixFrom(allOnes(v6), n).Masked().Addr() != a {
		return 0, fault("a netmask has all its ones in front", "%s is not a netmask", Quoted(s))
	}
	return n, nil
}

func allOnes(v6 bool) netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = 0xFF
	}
	if v6 {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// ParseMAC reads a hardware address of 6 bytes, or 20 on InfiniBand. What comes back is in lower case with colons,
// whether it was written so or with hyphens.
func ParseMAC(s string) (string, *Fault) {
	const form = "write it as in 52:54:00:12:34:56"
	pairs := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' })
	if len(s) != 3*6-1 && len(s) != 3*20-1 || len(pairs) != (len(s)+1)/3 {
		return "", fault(form, "%s is not a hardware address", Quoted(s))
	}
	sum := byte(0)
	for _, p := range pairs {
		b, err := strconv.ParseUint(p, 16, 8)
		if err != nil || len(p) != 2 {
			return "", fault(form, "%s is not a hardware address", Quoted(s))
		}
		sum |= byte(b)
	}
	if sum == 0 {
		return "", fault("write that of the card", "%s is the hardware address of nothing", Quoted(s))
	}
	return strings.ToLower(strings.Join(pairs, ":")), nil
}

// MaxName is how long the name of an interface may be, in bytes: IFNAMSIZ of the kernel without its zero.
const MaxName = 15

// CheckName looks whether the kernel takes a name for an interface, and systemd as well: 1 to 15 bytes of printing
// ASCII without blanks, slashes and colons, not a number alone, and none of the names that stand for something else.
//
// Sources: dev_valid_name of Linux's net/core/dev.c; ifname_valid of systemd's src/basic/socket-util.c at v252.
func CheckName(s string) *Fault {
	if strings.ContainsAny(s, "*?[]") {
		return fault("a pattern belongs below match", "%s is a pattern, not the name of an interface", Quoted(s))
	}
	if len(s) > MaxName {
		return fault(fmt.Sprintf("the kernel takes %d bytes at most", MaxName), "%s is too long for the name of an interface: %d bytes", Quoted(s), len(s))
	}
	return checkName(s)
}

// CheckPattern is CheckName of a name that may have the *, ? and [...] of glob(7).
func CheckPattern(s string) *Fault {
	if len(s) > 255 {
		return fault("", "%s is too long for a pattern of names", Quoted(s))
	}
	return checkName(s)
}

func checkName(s string) *Fault {
	switch {
	case s == "":
		return fault("", "the name of an interface is missing")
	case s == "." || s == ".." || s == "all" || s == "default":
		return fault("choose another", "%s stands for something else in the kernel, and is no name for an interface", Quoted(s))
	case s[0] == '!':
		return fault("name the interfaces that are meant", "%s begins with !, which would turn the meaning round", Quoted(s))
	case strings.Trim(s, "0123456789") == "":
		return fault("put a letter in front", "%s is a number, and no name for an interface", Quoted(s))
	}
	for _, r := range s {
		switch {
		case r <= ' ' || r == 0x7F:
			return fault("leave it out", "%s has a blank or a control character, and is no name for an interface", Quoted(s))
		case r > 0x7F:
			return fault("use letters, digits, '-', '_' and '.'", "%s has a character beyond ASCII, and is no name for an interface", Quoted(s))
		case r == '/' || r == ':' || r == '%' || r == '"' || r == '\'' || r == '\\':
			return fault("use letters, digits, '-', '_' and '.'", "%s has a %q, and is no name for an interface", Quoted(s), string(r))
		}
	}
	return nil
}

// CheckWord looks whether a value that goes into a setting as it is, such as the name of a driver, is one word of
// printing ASCII, at most 255 bytes, without quotes, backslashes and "%", which systemd reads as more than themselves.
func CheckWord(s string) *Fault {
	if s == "" || len(s) > 255 {
		return fault("", "%s is empty or too long", Quoted(s))
	}
	for _, r := range s {
		if r <= ' ' || r >= 0x7F || r == '%' || r == '"' || r == '\'' || r == '\\' {
			return fault("use letters, digits, '-', '_' and '.'", "%s has a character that cannot stand here", Quoted(s))
		}
	}
	return nil
}

// CheckDomain looks whether a text is a domain to search in: labels of letters, digits, hyphens and underscores with
// dots between, at most 253 bytes; "~" in front of one that is only routed, "~." for all.
func CheckDomain(s string) *Fault {
	name := strings.TrimSuffix(strings.TrimPrefix(s, "~"), ".")
	if s == "~." || s == "." {
		return nil
	}
	if strings.ContainsAny(s, ", \t") {
		return fault("write a list of domains", "%s is not one domain", Quoted(s))
	}
	if len(name) > 253 {
		return fault("a name has at most 253 characters", "%s is not a domain", Quoted(s))
	}
	for _, label := range strings.Split(name, ".") {
		if !isLabel(label) {
			return fault("write it as in example.com", "%s is not a domain", Quoted(s))
		}
	}
	return nil
}

func isLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
}

// ParseRange reads a whole number from low to high, in decimal, or in hexadecimal with 0x in front; what it is of goes
// into the Fault.
func ParseRange(s, what string, low, high uint32) (uint32, *Fault) {
	digits, base := s, 10
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || uint32(n) < low || uint32(n) > high || strings.HasPrefix(digits, "+") {
		return 0, fault(fmt.Sprintf("write a number from %d to %d", low, high), "%s is not %s", Quoted(s), what)
	}
	return uint32(n), nil
}
