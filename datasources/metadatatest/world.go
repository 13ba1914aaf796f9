package metadatatest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"cloudconfig/datasources"
)

// World is a service and a client that share a clock which only pauses move: an outage of an hour takes no time, and
// only what hangs is waited for.
type World struct {
	Handler *Handler
	Clock   *Clock
	Env     datasources.Env // the client's, with 20 s in all
	URL     string          // the service's: a scheme and a host
}

// NewWorld starts a service, which refuses connections at first if after is not 0: for so long. It ends with the test.
func NewWorld(t testing.TB, h *Handler, after time.Duration) *World {
	t.Helper()
	w := &World{Handler: h, Clock: NewClock()}
	h.Now = w.Clock.Now
	h.Sleep = (&gathering{clock: w.Clock}).sleep
	h.Start()
	l, err := NewListener(h)
	if err != nil {
		t.Fatal(err)
	}
	open := func(since time.Duration) {
		if since >= after {
			if err := l.Open(); err != nil {
				t.Error(err)
			}
		}
	}
	open(0)
	w.Clock.Moved = open
	t.Cleanup(func() {
		h.Close()
		l.Close()
	})
	w.URL = "http://" + l.Addr
	w.Env = datasources.Env{
		Now: w.Clock.Now, Sleep: w.Clock.Sleep,
		Limits: datasources.Limits{Connect: time.Second, Answer: 3 * time.Second, Slow: 3 * time.Second, Overall: 20 * time.Second},
	}
	if slices.ContainsFunc(h.faults, func(f Fault) bool { return f.Trouble == Hang || f.Trouble == Stall }) {
		w.Env.Limits.Answer, w.Env.Limits.Slow = 3*quiet, 3*quiet // nothing else waits for a time-out
	}
	return w
}

// quiet is how long nobody must come, by the real clock, until those who sleep are all there.
const quiet = 100 * time.Millisecond

// gathering moves a clock once for all who sleep at the same time, as time would pass for all of them at once.
type gathering struct {
	clock *Clock
	mu    sync.Mutex
	now   *sleepers
}

type sleepers struct {
	longest time.Duration
	timer   *time.Timer
	over    chan struct{}
}

func (g *gathering) sleep(d time.Duration) {
	g.mu.Lock()
	s := g.now
	if s == nil {
		s = &sleepers{over: make(chan struct{})}
		s.timer = time.AfterFunc(quiet, func() { g.wake(s) })
		g.now = s
	} else {
		s.timer.Reset(quiet)
	}
	s.longest = max(s.longest, d)
	g.mu.Unlock()
	<-s.over
}

func (g *gathering) wake(s *sleepers) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now != s {
		return // a timer that was set again as it went off
	}
	g.now = nil
	_ = g.clock.Sleep(context.Background(), s.longest)
	close(s.over)
}

// NewQuiet is the environment of a client without a service, on a clock that only pauses move, with 20 s in all.
func NewQuiet() datasources.Env {
	clock := NewClock()
	return datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: 20 * time.Second}}
}
