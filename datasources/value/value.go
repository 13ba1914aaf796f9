// Package value checks what a platform says of a machine before it is taken.
//
// A [Checker] goes from value to value and keeps the first that cannot be what it should be: a service that lies once
// is not asked for more. [Tree] is what templates see of a document.
package value

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/schema/yamltree"
)

const (
	// MaxKeys is far beyond the keys that any platform hands out for one machine.
	MaxKeys     = 64
	maxKeyBytes = 16 << 10
	maxWord     = 128
	maxHostname = 253
	maxLabel    = 63
)

// Checker keeps the first value that cannot be what it should be. An empty value is none, and right. What is how the
// value is called in the error: a path, a key.
type Checker struct{ Err error }

// Lying says that a text is not what is wanted. Of the text the error has 40 bytes at most, in ASCII.
func (c *Checker) Lying(what, text, want string) {
	if c.Err == nil {
		const shown = 40
		if len(text) > shown {
			text = text[:shown] + "..."
		}
		c.Err = fmt.Errorf("%s: %+q is not %s", what, text, want)
	}
}

// Unreadable says that a whole document is not what is wanted; it may be secret, and nothing of it is in the error.
func (c *Checker) Unreadable(what, want string) { c.fail("%s: it is not %s", what, want) }

// Word is a text of up to 128 visible ASCII characters, without the blanks around it.
func (c *Checker) Word(what, text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxWord || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.Lying(what, text, "one word")
	}
	return text
}

// Hostname is a name of labels with dots between them. A dot at its end is left out.
func (c *Checker) Hostname(what, text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if text == "" {
		return ""
	}
	right := len(text) <= maxHostname
	for label := range strings.SplitSeq(text, ".") {
		right = right && len(label) > 0 && len(label) <= maxLabel && label[0] != '-' && !strings.ContainsFunc(label, notOfLabel)
	}
	if !right || text[0] == '_' {
		c.Lying(what, text, "a hostname")
	}
	return text
}

func notOfLabel(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}

// IPv4 is an address that a machine can have on its network, or "".
func (c *Checker) IPv4(what, text string) string {
	if a := c.Address(what, text); a.Is4() {
		return a.String()
	} else if a.IsValid() {
		c.Lying(what, text, "the IPv4 address of a machine")
	}
	return ""
}

// IPv6 is an address that a machine can have on its network, or the zero one.
func (c *Checker) IPv6(what, text string) netip.Addr {
	a := c.Address(what, text)
	if a.Is4() {
		c.Lying(what, text, "the IPv6 address of a machine")
		return netip.Addr{}
	}
	return a
}

// Address is an address of either family, with or without the length of its network, that a machine can have.
func (c *Checker) Address(what, text string) netip.Addr {
	text = strings.TrimSpace(text)
	if text == "" {
		return netip.Addr{}
	}
	host, length, isNet := strings.Cut(text, "/")
	a, err := netip.ParseAddr(host)
	bits, bad := strconv.Atoi(length)
	if err != nil || a.Zone() != "" || a.Is4In6() || !a.IsGlobalUnicast() || isNet && (bad != nil || bits < 0 || bits > a.BitLen()) {
		c.Lying(what, text, "the address of a machine")
		return netip.Addr{}
	}
	return a
}

// Keys is the lines of SSH keys, without empty ones. A key that is malformed is for others to find; here only the
// number and the size of all are bounded.
func (c *Checker) Keys(what string, texts []string) []string {
	var keys []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
			case len(keys) == MaxKeys:
				c.fail("%s: more than %d keys", what, MaxKeys)
				return keys
			case len(line) > maxKeyBytes:
				c.fail("%s: a key of more than %d KiB", what, maxKeyBytes>>10)
				return keys
			default:
				keys = append(keys, line)
			}
		}
	}
	return keys
}

func (c *Checker) fail(format string, args ...any) {
	if c.Err == nil {
		c.Err = fmt.Errorf(format, args...)
	}
}

// Tree is a document as maps, lists, texts, numbers, truth values and nil. A number that is written in another way
// than JSON has it stays a text.
func Tree(n *yamltree.Node) any {
	switch {
	case n == nil || n.Kind == yamltree.Null:
		return nil
	case n.Kind == yamltree.Mapping:
		m := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			m[p.Key.Value] = Tree(p.Value)
		}
		return m
	case n.Kind == yamltree.Sequence:
		list := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			list = append(list, Tree(item))
		}
		return list
	case n.Tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case n.Tag == "!!int" || n.Tag == "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}
