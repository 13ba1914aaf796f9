package handoff

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Networkd is systemd-networkd: whether it runs by PID 1, and what it is asked by the message bus.
type Networkd struct {
	// Connect connects to PID 1.
	Connect func(context.Context) (Manager, error)
	// Say, if not nil, writes a line for the console.
	Say func(line string)

	// afresh says that it was started anew, and has read everything.
	afresh bool
}

// errNoBus is wrapped if there is no message bus.
var errNoBus = errors.New("there is no message bus")

// busTime is how long the message bus is waited for: early in a boot it may only be about to start.
const busTime = 5 * time.Second

// Running says that it runs, or is about to.
func (n *Networkd) Running(ctx context.Context) (bool, error) {
	s, err := n.state(ctx)
	return s.Active == "active" || s.Active == "activating" || s.Active == "reloading", err
}

// Enabled says that it is started at a boot.
func (n *Networkd) Enabled(ctx context.Context) (bool, error) {
	s, err := n.state(ctx)
	return s.File == "enabled" || s.File == "enabled-runtime", err
}

func (n *Networkd) state(ctx context.Context) (s State, err error) {
	err = n.with(ctx, func(m Manager) error { s, err = m.State(ctx, networkdUnit); return err })
	return s, err
}

// Start starts it, and waits until it has.
func (n *Networkd) Start(ctx context.Context) error {
	n.afresh = true
	return n.job(ctx, "start")
}

// Reload has it read its files again, and configure those links anew whose file is another one. Where there is no message bus
// that cannot be asked for, and it is started anew, which keeps what it has.
//
// Source: org.freedesktop.network1(5) of systemd 252.
func (n *Networkd) Reload(ctx context.Context) error {
	if n.afresh = false; !n.hasBus(ctx) {
		if err := ctx.Err(); err != nil {
			return err // as when the machine goes off, and the bus went first
		}
		if n.Say != nil {
			n.Say("there is no message bus, so systemd-networkd is started anew")
		}
		n.afresh = true
		return n.job(ctx, "restart")
	}
	return callNetworkd(ctx, "Reload")
}

// Known are the links that it has read of from the kernel: their names, by their numbers.
//
// Source: ListLinks of org.freedesktop.network1(5) of systemd 252.
func (n *Networkd) Known(ctx context.Context) (map[int]string, error) { return linksOfNetworkd(ctx) }

// Reconfigure has it configure one link anew, by its number.
func (n *Networkd) Reconfigure(ctx context.Context, index int) error {
	if n.afresh {
		return nil
	}
	return callNetworkd(ctx, "ReconfigureLink", int32(index))
}

func (n *Networkd) hasBus(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	for {
		err := callBus(ctx)
		if err == nil || !errors.Is(err, errNoBus) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(busTime / 20):
		}
	}
}

// with does something with PID 1.
func (n *Networkd) with(ctx context.Context, do func(Manager) error) error {
	m, err := n.Connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	if c, ok := m.(interface{ Close() }); ok {
		defer c.Close()
	}
	return do(m)
}

func (n *Networkd) job(ctx context.Context, action string) error {
	return n.with(ctx, func(m Manager) error {
		done, err := m.Enqueue(ctx, networkdUnit, action)
		if err != nil {
			return fmt.Errorf("%s %s: %w", action, networkdUnit, err)
		}
		select {
		case result := <-done:
			if result != "done" {
				return fmt.Errorf("%s %s: %s", action, networkdUnit, result)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s %s: %w", action, networkdUnit, ctx.Err())
		}
	})
}
