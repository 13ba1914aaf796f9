package datasources

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
// wraps the context's as well. What is the thing waited for, in words for Waiting.
func (e Env) Retry(ctx context.Context, what string, ask func(context.Context) error) error {
	patience := e.Limits.WithDefaults().Overall
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	start := e.now()
	var told time.Time
	var last error
	for {
		err := ask(ctx)
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
		if e.Waiting != nil && (told.IsZero() || now.Sub(told) >= tellEvery) {
			e.Waiting(fmt.Sprintf("%s, for up to %s: %v", what, left.Round(time.Second), err))
			told = now
		}
		// A sleep that the context ends is noticed by ask.
		_ = e.sleep(ctx, pause)
	}
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
