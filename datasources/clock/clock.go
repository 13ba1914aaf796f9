// Package clock puts a clock that is wrong right, before certificates are judged by it.
//
// A machine without a battery wakes up in 1970, where no certificate is valid yet. [Clock.Now] never shows less than
// when the program was built, and [Clock.Correct] asks time servers where that is not enough. The answers of time
// servers prove nothing, so they are believed only so far: the clock moves forward only, and at most ten years past
// the build. Names and chains of certificates are none of this package's business, and are always checked.
package clock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	longest    = 10 * 365 * 24 * time.Hour // past the build
	agreement  = 10 * time.Second
	maxServers = 4
	maxTries   = 3
)

// ErrNoAnswer is wrapped by Correct if it may help to try again.
var ErrNoAnswer = errors.New("no time server helped")

// Clock is the machine's clock, put right. The zero value is the machine's clock as it is; so is nil. It may be used
// by several goroutines, and must not be copied once it is used.
type Clock struct {
	// Built is when the program was built; no right clock shows less. Without it nothing is corrected.
	Built time.Time
	// Servers are names or addresses of time servers, with a port where it is not 123, that the image's owner
	// named. The first that answers is believed.
	Servers []string
	// Root is the folder below which systemd-networkd's leases are read, for the servers that DHCP named: they are
	// asked if Servers is empty, and two must answer and agree within 10 s. "" is not to look.
	Root string
	// Set sets the machine's clock. If it is nil or fails, the right time is known to this process alone.
	Set func(time.Time) error
	// Say, if not nil, is told what was done, in a line.
	Say func(line string)
	// System is the machine's clock; nil means time.Now.
	System func() time.Time
	// Patience is how long all servers together are waited for; 0 means 3 s.
	Patience time.Duration

	mu     sync.Mutex // one exchange at a time
	tries  int
	last   error
	by     string // the server that was believed
	state  sync.Mutex
	offset time.Duration
	moved  time.Duration
}

// Now is the time, and never less than Built.
func (c *Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	if now := c.shown(); now.After(c.Built) {
		return now
	}
	return c.Built
}

// Shown is what the clock shows, right or wrong.
func (c *Clock) Shown() time.Time {
	if c == nil {
		return time.Now()
	}
	return c.shown()
}

func (c *Clock) shown() time.Time {
	c.state.Lock()
	defer c.state.Unlock()
	return c.system().Add(c.offset)
}

func (c *Clock) system() time.Time {
	if c.System != nil {
		return c.System()
	}
	return time.Now()
}

// Moved is how far the machine's clock was put forward, for who noted a time before.
func (c *Clock) Moved() time.Duration {
	c.state.Lock()
	defer c.state.Unlock()
	return c.moved
}

// IsBehind says that the clock shows less than can be.
func (c *Clock) IsBehind() bool { return c != nil && c.shown().Before(c.Built) }

// Correct asks time servers what time it is, and moves the clock there. The error says why it did not: no server is
// known, none answered, they lie or disagree, or the clock is right. Once a server was believed nothing is asked
// again; without an answer there are three tries in all.
func (c *Clock) Correct(ctx context.Context) error {
	if c == nil || c.Built.IsZero() {
		return errors.New("no time server is known")
	}
	if len(c.Servers) > 0 {
		return c.correct(ctx, c.Servers, false)
	}
	return c.correct(ctx, c.leased(), true)
}

func (c *Clock) correct(ctx context.Context, servers []string, fromDHCP bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.by != "":
		return fmt.Errorf("the clock is right by the time server %s", c.by)
	case c.tries == maxTries:
		return fmt.Errorf("time servers were asked %d times in vain, at last: %v", maxTries, c.last)
	}
	best, err := c.ask(ctx, servers, fromDHCP)
	if err != nil {
		c.last = err
		if c.tries == maxTries {
			return fmt.Errorf("%v", err) // it no longer says to try again
		}
		return err
	}
	c.by = best.server
	was := c.shown()
	is := was.Add(best.offset)
	if best.offset <= 0 {
		return fmt.Errorf("the clock is right by the time server %s, which has %s", c.by, Print(is))
	}
	c.move(was, is)
	return nil
}

// move puts the clock forward.
func (c *Clock) move(was, is time.Time) {
	where, by := "the clock of this run alone", &c.offset
	if c.Set != nil && c.Set(is) == nil {
		where, by = "the machine's clock", &c.moved
	}
	c.state.Lock()
	*by += is.Sub(was)
	c.state.Unlock()
	if c.Say != nil {
		c.Say(fmt.Sprintf("the clock was at %s; %s is now at %s, by the time server %s", Print(was), where, Print(is), c.by))
	}
}

// Print is a time as messages have it: "2026-11-28 12:00:00 UTC".
func Print(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// reading is what a server says.
type reading struct {
	server string
	offset time.Duration // from what our clock shows to the server's time
	err    error
}

// ask asks all servers at the same time and gives the reading that is believed.
func (c *Clock) ask(ctx context.Context, servers []string, fromDHCP bool) (reading, error) {
	if fromDHCP && len(servers) < 2 {
		return reading{}, errors.New("no time server is known: none in the settings, and DHCP did not name two, of which one alone is not believed")
	}
	servers = servers[:min(len(servers), maxServers)]
	c.tries++
	patience := c.Patience
	if patience == 0 {
		patience = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	readings := make([]reading, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		wg.Go(func() { readings[i] = c.read(ctx, server) })
	}
	wg.Wait()
	var good []reading
	var errs []error
	for _, r := range readings {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("the time server %s: %w", r.server, r.err))
		} else {
			good = append(good, r)
		}
	}
	switch {
	case len(good) == 0:
		return reading{}, fmt.Errorf("%w: %w", ErrNoAnswer, errors.Join(errs...))
	case !fromDHCP:
		return good[0], nil
	case len(good) == 1:
		return reading{}, errors.Join(append(errs, fmt.Errorf("the time server %s is DHCP's, and one alone is not believed", good[0].server))...)
	}
	for _, r := range good[1:] {
		if apart := (r.offset - good[0].offset).Abs(); apart > agreement {
			return reading{}, fmt.Errorf("the time servers %s and %s of DHCP are %s apart", good[0].server, r.server, apart.Round(time.Second))
		}
	}
	return good[0], nil
}

// read asks one server, and judges what it says by when this program was built.
func (c *Clock) read(ctx context.Context, server string) reading {
	began, base := time.Now(), c.shown()
	t, err := query(ctx, server, c.Built)
	switch {
	case err != nil:
	case t.Before(c.Built):
		err = fmt.Errorf("it has %s, which is before this program was built", Print(t))
	case t.After(c.Built.Add(longest)):
		err = fmt.Errorf("it has %s, more than ten years after this program was built", Print(t))
	}
	// Our own clock is not asked again: somebody else may have set it meanwhile.
	return reading{server: server, offset: t.Sub(base.Add(time.Since(began))), err: err}
}

// leased is the addresses of time servers in the leases and links of systemd-networkd, each once.
//
// Format: KEY=VALUE a line, NTP= a list with blanks between; systemd 252, src/libsystemd-network/sd-dhcp-lease.c and
// src/network/networkd-state-file.c. Both are private to systemd; a file of another form names nobody.
func (c *Clock) leased() []string {
	if c.Root == "" {
		return nil
	}
	var servers []string
	for _, dir := range []string{"leases", "links"} {
		dir = filepath.Join(c.Root, "run/systemd/netif", dir)
		entries, _ := os.ReadDir(dir) // sorted; none without networkd
		for _, entry := range entries[:min(len(entries), 64)] {
			for line := range strings.Lines(readSome(filepath.Join(dir, entry.Name()))) {
				value, ok := strings.CutPrefix(strings.TrimSpace(line), "NTP=")
				if !ok {
					continue
				}
				for _, word := range strings.Fields(value) {
					addr, err := netip.ParseAddr(word)
					if err == nil && !addr.IsLoopback() && !addr.IsUnspecified() && !addr.IsMulticast() && !slices.Contains(servers, word) {
						servers = append(servers, word)
					}
				}
			}
		}
	}
	return servers
}

const maxLeaseBytes = 64 << 10

func readSome(path string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxLeaseBytes {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// withPort is a server with the port of NTP, unless it has one.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "123")
}
