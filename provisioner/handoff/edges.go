package handoff

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// hasFailed says that a service failed, and may be about to be started again.
func (s State) hasFailed() bool {
	return (s.Active == "failed" || s.Active == "activating") && s.Result != "" && s.Result != "success"
}

// failure is "exit-code, status 3".
func (s State) failure() string {
	if s.ExitStatus == 0 {
		return s.Result
	}
	return fmt.Sprintf("%s, status %d", s.Result, s.ExitStatus)
}

// maxEdges bounds how many units are looked at for a failure, and maxRing how many are for a ring.
const (
	maxEdges = 64
	maxRing  = 512
)

// culprit is that of the units which keeps the others from starting, with why: "etcd2.service, which failed
// (exit-code, status 3)", or "flanneld.service, which needs etcd2.service, which is masked". It is "" if none does. Units in seen are not looked at.
func (w *Watch) culprit(ctx context.Context, units []string, seen map[string]bool) string {
	idle := ""
	for _, unit := range slices.Sorted(slices.Values(units)) {
		if seen[unit] || len(seen) >= maxEdges {
			continue
		}
		seen[unit] = true
		s, err := w.state(ctx, unit)
		switch {
		case err != nil:
		case s.Load != "loaded":
			return unit + ", which is " + s.Load
		case s.hasFailed():
			return unit + ", which failed (" + s.failure() + ")"
		case s.Active == "failed":
			return unit + ", which failed"
		case s.Active == "inactive" && !s.Queued:
			if deeper := w.culprit(ctx, s.Needs, seen); deeper != "" {
				return unit + ", which needs " + deeper
			}
			if idle == "" {
				idle = unit + ", which did not start"
			}
		}
	}
	return idle
}

// edges says of each unit that failed which of those that it starts after had failed before.
func (w *Watch) edges(ctx context.Context) {
	failed := map[string]bool{}
	for _, out := range w.result.Outcomes {
		if !out.OK() {
			failed[out.Unit] = true
		}
	}
	for i := range w.result.Outcomes {
		out := &w.result.Outcomes[i]
		if out.Script != "" || out.Result != "failed" && out.Result != "timeout" {
			continue
		}
		s, err := w.state(ctx, out.Unit)
		if err != nil {
			continue
		}
		after := slices.Sorted(slices.Values(s.After))
		for _, unit := range after[:min(len(after), maxEdges)] {
			if !failed[unit] {
				other, err := w.state(ctx, unit)
				if err != nil || !other.hasFailed() {
					continue
				}
			}
			if out.Detail != "" {
				out.Detail += "; "
			}
			out.Detail += "after " + unit + ", which failed"
			break
		}
	}
}

// explainCycle is "units wait for each other: a.service after b.service after a.service".
func (w *Watch) explainCycle(ctx context.Context, unit string) string {
	o := newOrder(w)
	ring := o.ring(ctx, unit)
	for _, needed := range o.states[unit].Needs {
		if ring == nil {
			ring = o.ring(ctx, needed)
		}
	}
	return ringText(ring)
}

func ringText(ring []string) string {
	if ring == nil {
		return ErrCycle.Error()
	}
	return ErrCycle.Error() + ": " + strings.Join(ring, " after ")
}

// order is the order of units, as far as systemd was asked.
type order struct {
	watch  *Watch
	states map[string]State
	// later are the units that start after one by what they say themselves. systemd forgets a unit that nobody needs, and
	// with it that another one starts after it.
	later map[string][]string
}

func newOrder(w *Watch) order {
	return order{w, map[string]State{}, map[string][]string{}}
}

// after are the units that one starts after.
func (o order) after(ctx context.Context, unit string) []string {
	s, known := o.states[unit]
	if !known {
		if len(o.states) >= maxRing {
			return nil
		}
		s, _ = o.watch.state(ctx, unit) // of what it says nothing, nothing follows
		o.states[unit] = s
		for _, b := range s.Before {
			o.later[b] = append(o.later[b], unit)
		}
	}
	return slices.Concat(s.After, o.later[unit])
}

// ring is the shortest way from a unit back to itself, each unit starting after the next; nil if there is none.
func (o order) ring(ctx context.Context, unit string) []string {
	came := map[string]string{}
	for queue := []string{unit}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range o.after(ctx, at) {
			if _, seen := came[next]; seen {
				continue
			}
			came[next] = at
			if next != unit {
				queue = append(queue, next)
				continue
			}
			ring := []string{unit}
			for back := at; back != unit; back = came[back] {
				ring = append(ring, back)
			}
			ring = append(ring, unit)
			slices.Reverse(ring)
			return ring
		}
	}
	return nil
}

// Dropped is "units wait for each other: ..." if systemd has dropped the start of a unit, to break such a ring: it was
// to start with this boot, nobody has tried to start it, and nobody will. Else it is "".
func Dropped(ctx context.Context, m Manager, unit string) string {
	return watch(m, Options{}).dropped(ctx, unit)
}

func (w *Watch) dropped(ctx context.Context, unit string) string {
	s, err := w.state(ctx, unit)
	if err != nil || s.Load != "loaded" || s.Active != "inactive" || s.Queued || s.Tried || !w.isWanted(ctx, s) {
		return ""
	}
	// What is wanted by one that was dropped goes with it, so the ring may be further up.
	o := newOrder(w)
	for _, u := range append([]string{unit}, s.By...) {
		if ring := o.ring(ctx, u); ring != nil {
			return ringText(ring)
		}
	}
	return ""
}

// isWanted says that something that this boot starts or has started wants a unit, directly or by way of others.
func (w *Watch) isWanted(ctx context.Context, s State) bool {
	seen := map[string]bool{}
	for queue := s.By; len(queue) > 0 && len(seen) < maxEdges; queue = queue[1:] {
		if seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		by, err := w.state(ctx, queue[0])
		if err != nil {
			continue
		}
		if by.Queued || by.Active == "active" || by.Active == "activating" {
			return true
		}
		queue = append(queue, by.By...)
	}
	return false
}
