package language

import (
	"encoding/base64"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// CheckNetwork holds a network-config against the language: version and what belongs to it are below network, as in
// a cloud-config, or at the top.
func (c *Checker) CheckNetwork(root *yamltree.Node) {
	whole := &networkDocument
	if root.Kind == yamltree.Mapping && root.Get("network") == nil {
		c.check(root, &networkShape, "network")
		return
	}
	c.check(root, whole, "")
}

var networkDocument = shape{kind: mapping, fields: []field{{name: "network", shape: &networkShape}}}

func isRenderer(c *Checker, path string, n *yamltree.Node) {
	switch n.Value {
	case "networkd":
	case "NetworkManager", "sriov":
		c.Report(rules.NetworkUnsupported, path, n, "renderer %s is not supported", n.Value).Detail = onlyNetworkd
	default:
		c.Report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, &shape{})).Detail = "write networkd"
	}
}

// isLinkID checks what a link is called in the description, and where it is named.
func isLinkID(c *Checker, path string, n *yamltree.Node) {
	switch text := n.Value; {
	case text == "":
		c.Report(rules.NetworkName, path, n, "a link without a name")
	case strings.ContainsFunc(text, isBlankOrControl):
		c.Report(rules.NetworkName, path, n, "name %s has a blank or control character in it", quote(n, &shape{}))
	case strings.ContainsAny(text, "*?[]"):
		d := c.Report(rules.NetworkName, path, n, "%s is a pattern, not a name", quote(n, &shape{}))
		d.Detail = "take a name of your own, and write match: {name: ...} below it"
	case len(text) > 255:
		c.Report(rules.NetworkName, path, n, "the name is longer than 255 characters")
	default:
		c.mixed(path, n, diag.Warning)
	}
}

// isInterfaceName checks a name that the kernel is to take.
func isInterfaceName(c *Checker, path string, n *yamltree.Node) {
	if fault := network.CheckName(n.Value); fault != nil {
		network.Refuse(c.Collector, rules.NetworkName, path, n, fault)
	}
}

// isNamePattern checks what names of interfaces are held against.
func isNamePattern(c *Checker, path string, n *yamltree.Node) {
	if fault := network.CheckPattern(n.Value); fault != nil {
		network.Refuse(c.Collector, rules.NetworkName, path, n, fault)
	}
}

// isDriver checks what names of drivers are held against. A ! in front would turn round the whole list.
func isDriver(c *Checker, path string, n *yamltree.Node) {
	fault := network.CheckWord(n.Value)
	if fault == nil && strings.HasPrefix(n.Value, "!") {
		fault = &network.Fault{Summary: network.Quoted(n.Value) + " begins with !, which would turn the meaning round", Detail: "name the drivers that are meant"}
	}
	if fault != nil {
		network.Refuse(c.Collector, rules.NetworkName, path, n, fault)
	}
}

func isBlankOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func isMAC(c *Checker, path string, n *yamltree.Node) {
	if _, fault := network.ParseMAC(n.Value); fault != nil {
		network.Refuse(c.Collector, rules.NetworkMAC, path, n, fault)
	}
}

// isSetMAC checks what a hardware address is set to, which may be left to the machine.
func isSetMAC(c *Checker, path string, n *yamltree.Node) {
	if n.Value != "permanent" && n.Value != "random" {
		isMAC(c, path, n)
	}
}

// badAddress reports a value that is no address of the form that is wanted.
func (c *Checker) badAddress(path string, n *yamltree.Node, fault *network.Fault) {
	network.Refuse(c.Collector, rules.NetworkAddress, path, n, fault)
}

// isInterfaceAddress checks an address with the bits of its network.
func isInterfaceAddress(c *Checker, path string, n *yamltree.Node) {
	p, fault := network.ParsePrefix(n.Value)
	switch {
	case fault != nil:
		c.badAddress(path, n, fault)
	case p.Bits() == 0:
		c.Report(rules.NetworkAddress, path, n, "%s is in a network without end", quote(n, &shape{})).Detail = "write the bits of its network, such as /24"
	}
}

// isIP checks the address of a host.
func isIP(c *Checker, path string, n *yamltree.Node) {
	if _, fault := network.ParseAddr(n.Value); fault != nil {
		c.badAddress(path, n, fault)
	}
}

// isEnd checks the end of a tunnel, which may be a group or nothing at all.
func isEnd(c *Checker, path string, n *yamltree.Node) {
	if _, fault := network.ParseAnyAddr(n.Value); fault != nil {
		c.badAddress(path, n, fault)
	}
}

func isIPv4(c *Checker, path string, n *yamltree.Node) { c.family(path, n, true) }
func isIPv6(c *Checker, path string, n *yamltree.Node) { c.family(path, n, false) }

func (c *Checker) family(path string, n *yamltree.Node, v4 bool) {
	a, fault := network.ParseAddr(n.Value)
	switch {
	case fault != nil:
		c.badAddress(path, n, fault)
	case v4 && !a.Is4():
		c.Report(rules.NetworkAddress, path, n, "%s is not an address of IPv4", quote(n, &shape{})).Detail = "such as 192.0.2.1"
	case !v4 && a.Is4():
		c.Report(rules.NetworkAddress, path, n, "%s is not an address of IPv6", quote(n, &shape{})).Detail = "such as 2001:db8::1"
	}
}

// AsNetwork reads where a route leads: a network, an address, or nothing at all for default, whose family only the
// rest of the route says.
func AsNetwork(text string) (netip.Prefix, *network.Fault) {
	switch text {
	case "default":
		return netip.Prefix{}, nil
	case "0/0":
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	return network.ParseNetwork(text)
}

func isNetwork(c *Checker, path string, n *yamltree.Node) {
	if _, fault := AsNetwork(n.Value); fault != nil {
		c.badAddress(path, n, fault)
	}
}

// isToken checks the last half of an IPv6 address.
func isToken(c *Checker, path string, n *yamltree.Node) {
	a, fault := network.ParseAnyAddr(n.Value)
	switch {
	case fault != nil:
		c.badAddress(path, n, fault)
	case !a.Is6() || netip.PrefixFrom(a, 64).Masked().Addr() != netip.IPv6Unspecified() || a.IsUnspecified():
		c.Report(rules.NetworkAddress, path, n, "%s is not the last half of an IPv6 address", quote(n, &shape{})).Detail = "such as ::1:2"
	}
}

// isAddressLabel checks a label, which the kernel keeps where the name of an interface would fit.
func isAddressLabel(c *Checker, path string, n *yamltree.Node) {
	if len(n.Value) > network.MaxName || network.CheckWord(n.Value) != nil {
		c.Report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, &shape{})).Detail = "1 to 15 characters of ASCII, without blanks, quotes, backslashes and %"
	}
}

// AsCount reads a time as a number of milliseconds or of seconds, whichever unit is: a bare number is one of it, and
// else each number has a unit of systemd.time(7) behind it. What is no whole number of units, or too large, is none.
func AsCount(text, unit string) (uint32, bool) {
	if v, err := strconv.ParseUint(text, 10, 32); err == nil {
		return uint32(v), true
	}
	var total uint64
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, false
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		v, err := strconv.ParseUint(rest[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		rest = strings.TrimLeft(rest[digits:], " ")
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		each := inMilliseconds(rest[:letters])
		if each == 0 {
			return 0, false
		}
		total += v * each
		rest = strings.TrimLeft(rest[letters:], " ")
	}
	per := inMilliseconds(unit)
	if total%per != 0 || total/per > 1<<32-1 {
		return 0, false
	}
	return uint32(total / per), true
}

// inMilliseconds is a unit of time; 0 if there is none.
func inMilliseconds(unit string) uint64 {
	switch unit {
	case "ms", "msec":
		return 1
	case "s", "sec", "second", "seconds":
		return 1000
	case "m", "min", "minute", "minutes":
		return 60_000
	case "h", "hr", "hour", "hours":
		return 3_600_000
	}
	return 0
}

func isMilliseconds(c *Checker, path string, n *yamltree.Node) {
	c.count(path, n, "ms", "a whole number of milliseconds, or one with a unit: 100ms, 2s")
}

func isSeconds(c *Checker, path string, n *yamltree.Node) {
	c.count(path, n, "s", "a whole number of seconds, or one with a unit: 30s, 5min")
}

func (c *Checker) count(path string, n *yamltree.Node, unit, form string) {
	if _, ok := AsCount(n.Value, unit); !ok {
		c.Report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, &shape{})).Detail = form
	}
}

// IsTunnelKey says that a text is a key of a tunnel: a number, or as many bits as an IPv4 address.
func IsTunnelKey(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	a, notAddress := netip.ParseAddr(text)
	return err == nil || notAddress == nil && a.Is4()
}

func isTunnelKey(c *Checker, path string, n *yamltree.Node) {
	if !IsTunnelKey(n.Value) {
		c.Report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, &shape{})).Detail = "a number, or one written as an IPv4 address"
	}
}

// IsPeerKey says that a text is a key of WireGuard: 32 bytes in base64.
func IsPeerKey(text string) bool {
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(key) == 32 && len(text) == 44
}

func isPublicPeerKey(c *Checker, path string, n *yamltree.Node) {
	if !IsPeerKey(n.Value) {
		c.Report(rules.NetworkSecret, path, n, "%s is not a key of WireGuard's", path).Detail = "wg pubkey makes it of the private one"
	}
}

// isPeerSecret checks a key, or the path of a file that has it.
func isPeerSecret(c *Checker, path string, n *yamltree.Node) {
	if strings.HasPrefix(n.Value, "/") && !strings.ContainsFunc(n.Value, isBlankOrControl) || IsPeerKey(n.Value) {
		return
	}
	d := c.Report(rules.NetworkSecret, path, n, "%s is neither a key of WireGuard's nor the path of a file", path)
	d.Detail, d.Secret = "wg genkey makes one", true
}

func isEndpoint(c *Checker, path string, n *yamltree.Node) {
	host, port, err := net.SplitHostPort(n.Value)
	v, notPort := strconv.ParseUint(port, 10, 16)
	_, notAddress := netip.ParseAddr(host)
	if err != nil || notPort != nil || v == 0 || notAddress != nil && !isName(host) {
		c.Report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, &shape{})).Detail = "a host, a colon and a port: vpn.example.com:51820"
	}
}
