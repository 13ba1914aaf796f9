// Package claims checks what a platform says of a machine: names and addresses that go into files and commands are taken
// only if they can be what they should be.
//
// [Checker] is where to start.
package claims

import (
	"fmt"
	"net/netip"
	"strings"
)

const (
	// MaxKeys is far beyond the keys that any platform hands out for one machine.
	MaxKeys      = 64
	maxKeyBytes  = 16 << 10
	maxWordBytes = 128
)

// Checker checks one answer after another and keeps the first that cannot be what it should be. Each method takes the
// answer's name, as the error has it, and its text, white space around it left out; "" is an absence and stays so.
type Checker struct{ err error }

// Err is what is wrong with the first answer that is wrong; it can be printed.
func (c *Checker) Err() error { return c.err }

// Wrong notes that an answer is not what it should be: "a hostname".
func (c *Checker) Wrong(name, text, want string) {
	if c.err == nil {
		c.err = Wrong(name, text, want)
	}
}

// Wrong is the error for an answer that is not what it should be. It shows 40 bytes of it at most.
func Wrong(name, text, want string) error {
	const shown = 40
	if len(text) > shown {
		text = text[:shown] + "..."
	}
	return fmt.Errorf("%s: %+q is not %s", name, text, want)
}

// IPv4 is the IPv4 address of a machine.
func (c *Checker) IPv4(name, text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() || !usable(addr) {
		c.Wrong(name, text, "the IPv4 address of a machine")
	}
	return addr.String()
}

// IPv6 is the IPv6 address of a machine.
func (c *Checker) IPv6(name, text string) netip.Addr {
	if text = strings.TrimSpace(text); text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || !usable(addr) {
		c.Wrong(name, text, "the IPv6 address of a machine")
	}
	return addr
}

// usable says that an address can be that of a machine on its network.
func usable(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() // private addresses are, too
}

// Word is a text of visible ASCII characters, 128 at most: an id, a zone, a type.
func (c *Checker) Word(name, text string) string {
	if text = strings.TrimSpace(text); text != "" && !IsWord(text, maxWordBytes) {
		c.Wrong(name, text, "one word")
	}
	return text
}

// IsWord says that a text is of visible ASCII characters, from one to maxBytes of them.
func IsWord(text string, maxBytes int) bool {
	return text != "" && len(text) <= maxBytes && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Hostname is a name without the dot that may be at its end; "" if there is none.
func (c *Checker) Hostname(name, text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if text != "" && !isHostname(text) {
		c.Wrong(name, text, "a hostname")
	}
	return text
}

// FirstHostname is the first of several names: a service may give one for each network interface.
func (c *Checker) FirstHostname(name, text string) string {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return ""
	}
	return c.Hostname(name, fields[0])
}

// isHostname takes names of RFC 1123, and the underscores that platforms put into theirs.
func isHostname(name string) bool {
	if len(name) > 252 || strings.HasPrefix(name, "_") {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}

// Unreadable notes that a whole document is not what it should be; it may be secret, and nothing of it is in the error.
func (c *Checker) Unreadable(name, want string) { c.fail("%s: it is not %s", name, want) }

// Keys is the lines of SSH keys, without empty ones. A key that is malformed is for others to find; here only the number
// and the size of all are bounded.
func (c *Checker) Keys(name string, texts []string) []string {
	var keys []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
			case len(keys) == MaxKeys:
				c.fail("%s: more than %d keys", name, MaxKeys)
				return keys
			case len(line) > maxKeyBytes:
				c.fail("%s: a key of more than %d KiB", name, maxKeyBytes>>10)
				return keys
			default:
				keys = append(keys, line)
			}
		}
	}
	return keys
}

// Fail keeps an error of the caller's, unless there is one already or it is nil.
func (c *Checker) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *Checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}
