package datasources

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	shortestPause = 250 * time.Millisecond
	longestPause  = time.Second
	// longestRetryAfter is how long a server can make us wait with a header of its own.
	longestRetryAfter = 30 * time.Second
	tellEvery         = 15 * time.Second
)

// Retry calls ask until what it returns no longer wraps ErrNotReady, and gives that. Between two calls it pauses
// for 0.25 to 1 s, at random so that machines started together do not ask together, or for as long as the error
// says by a method RetryAfter() time.Duration, up to 30 s. When Limits.Overall or the context's deadline would
// pass, it gives up with the last error, which still wraps ErrNotReady; when the context is cancelled the error
// wraps the context's as well. What is the thing waited for, in words for Waiting, which hears of it after the first
// attempt and every 15 s, also while an attempt hangs.
func (e Env) Retry(ctx context.Context, what string, ask func(context.Context) error) error {
	patience := e.Limits.WithDefaults().Overall
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	start := e.now()
	t := &teller{env: e, what: what, until: start.Add(patience), told: start}
	var last error
	for {
		err := t.watch(func() error { return ask(ctx) })
		cutShort := ctx.Err() != nil && errors.Is(err, ctx.Err())
		if err == nil || !cutShort && !errors.Is(err, ErrNotReady) {
			return err
		}
		if last == nil || !cutShort {
			last = err // an attempt that was cut short knows less than the one before
		}
		if cause := outer.Err(); errors.Is(cause, context.Canceled) {
			return fmt.Errorf("%w: %w", cause, last)
		}
		now := e.now()
		left := patience - now.Sub(start)
		pause := pauseAfter(err)
		if pause >= left || ctx.Err() != nil {
			return fmt.Errorf("gave up after %s: %w", now.Sub(start).Round(time.Second/10), last)
		}
		t.tell(err.Error())
		// A sleep that the context ends is noticed by ask.
		_ = e.sleep(ctx, pause)
	}
}

// Worst is what to return of several questions asked at the same time: the first error that asking again would not change,
// else the first; nil if there is none.
func Worst(errs []error) error {
	var worst error
	for _, err := range errs {
		if err != nil && (worst == nil || errors.Is(worst, ErrNotReady) && !errors.Is(err, ErrNotReady)) {
			worst = err
		}
	}
	return worst
}

// teller says what is waited for: at once what went wrong first, and then what there is to say every 15 s, also
// while one attempt goes on.
type teller struct {
	env   Env
	what  string
	until time.Time

	mu     sync.Mutex
	told   time.Time
	reason string // the last one; "" before the first
}

// watch tells that an attempt goes on for as long as it does.
func (t *teller) watch(attempt func() error) error {
	if t.env.Waiting == nil {
		return attempt()
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				t.tell("")
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	return attempt()
}

// tell says the reason if it is the first or if it is time to say something; "" is that there is none yet.
func (t *teller) tell(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	isFirst := reason != "" && t.reason == ""
	if reason != "" {
		t.reason = reason
	}
	now := t.env.now()
	if t.env.Waiting == nil || !isFirst && now.Sub(t.told) < tellEvery {
		return
	}
	t.told = now
	line := fmt.Sprintf("waiting for %s, for up to %s", t.what, max(0, t.until.Sub(now).Round(time.Second)))
	switch {
	case reason != "":
		line += ": " + reason
	case t.reason == "":
		line += ": no answer yet"
	default:
		line += ": no answer yet; before, " + t.reason
	}
	t.env.Waiting(line)
}

func pauseAfter(err error) time.Duration {
	pause := shortestPause + rand.N(longestPause-shortestPause)
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) {
		pause = max(pause, min(asked.RetryAfter(), longestRetryAfter))
	}
	return pause
}

func (e Env) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e Env) sleep(ctx context.Context, d time.Duration) error {
	if e.Sleep != nil {
		return e.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
