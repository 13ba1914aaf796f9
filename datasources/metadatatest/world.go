package metadatatest

import (
	"slices"
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
	h.Sleep = func(d time.Duration) { _ = w.Clock.Sleep(t.Context(), d) }
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
		Limits: datasources.Limits{Connect: time.Second, Answer: 3 * time.Second, Overall: 20 * time.Second},
	}
	if slices.ContainsFunc(h.faults, func(f Fault) bool { return f.Trouble == Hang || f.Trouble == Stall }) {
		w.Env.Limits.Answer = 200 * time.Millisecond // nothing else waits for a time-out
	}
	return w
}
