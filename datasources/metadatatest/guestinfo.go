package metadatatest

import (
	"strings"
	"sync"
)

// Guestinfo is the variables that a VMware hypervisor keeps for a guest. It may be used by several goroutines.
type Guestinfo struct {
	// ReadOnly lets the guest set nothing, as isolation.tools.setinfo.disable does.
	ReadOnly bool

	mu       sync.Mutex
	values   map[string]string
	commands []string
}

// NewGuestinfo has variables by their names without "guestinfo.".
func NewGuestinfo(values map[string]string) *Guestinfo {
	g := &Guestinfo{values: map[string]string{}}
	for key, text := range values {
		g.values["guestinfo."+strings.ToLower(key)] = text
	}
	return g
}

// RPCI answers a command as the hypervisor does: "1 " and a value, or "0 " and a reason. Names are without regard to
// case. Source: open-vm-tools, lib/rpcOut/rpcout.c and rpctool/rpctool.c (12.4).
func (g *Guestinfo) RPCI(command string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commands = append(g.commands, command)
	verb, rest, _ := strings.Cut(command, " ")
	switch verb {
	case "info-get":
		if text, ok := g.values[strings.ToLower(rest)]; ok {
			return "1 " + text
		}
		return "0 No value found"
	case "info-set":
		key, text, ok := strings.Cut(rest, " ")
		if g.ReadOnly {
			return "0 Disabled by configuration"
		}
		if !ok {
			return "0 Two arguments expected"
		}
		g.values[strings.ToLower(key)] = text
		return "1 "
	}
	return "0 Unknown command"
}

// Values is every variable, by its name without "guestinfo.".
func (g *Guestinfo) Values() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]string{}
	for key, text := range g.values {
		all[strings.TrimPrefix(key, "guestinfo.")] = text
	}
	return all
}

// Commands is what was asked so far.
func (g *Guestinfo) Commands() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.commands...)
}
