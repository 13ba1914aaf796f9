package metadatatest

import (
	"context"
	"sync"
	"time"
)

// Clock is a clock that only sleepers move, so that minutes pass at once. It fits datasources.Env and [Handler].
// The zero value is not ready; [NewClock] makes one.
type Clock struct {
	// Moved, if not nil, is called after each sleep with the time since the clock was made.
	Moved func(since time.Duration)

	mu         sync.Mutex
	start, now time.Time
}

// NewClock makes a clock that stands at a fixed time.
func NewClock() *Clock {
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &Clock{start: t, now: t}
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Since is how much time has passed on the clock.
func (c *Clock) Since() time.Duration { return c.Now().Sub(c.start) }

// Sleep moves the clock on. It fails if the context has ended.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	if c.Moved != nil {
		c.Moved(c.Since())
	}
	return nil
}
