package datasources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
)

type busy time.Duration

func (b busy) Error() string             { return "busy" }
func (b busy) Unwrap() error             { return datasources.ErrNotReady }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

func TestRetry(t *testing.T) {
	broken := errors.New("broken")
	notReady := fmt.Errorf("no route: %w", datasources.ErrNotReady)
	for _, tt := range []struct {
		name     string
		answers  func(n int, since time.Duration) error
		asked    [2]int           // at least and at most
		took     [2]time.Duration // at least and at most, on the clock
		want     error
		wantText string
	}{
		{
			name:    "the first answer is taken",
			answers: func(int, time.Duration) error { return nil },
			asked:   [2]int{1, 1},
		},
		{
			name:    "an absence is definitive",
			answers: func(int, time.Duration) error { return datasources.ErrAbsent },
			asked:   [2]int{1, 1}, want: datasources.ErrAbsent,
		},
		{
			name:    "an unknown error ends it",
			answers: func(int, time.Duration) error { return broken },
			asked:   [2]int{1, 1}, want: broken,
		},
		{
			name: "what becomes ready is noticed within a second",
			answers: func(_ int, since time.Duration) error {
				if since < 30*time.Second {
					return notReady
				}
				return nil
			},
			asked: [2]int{30, 121}, took: [2]time.Duration{30 * time.Second, 31 * time.Second},
		},
		{
			name:    "what is never ready is given up before the limit, with the cause",
			answers: func(int, time.Duration) error { return notReady },
			asked:   [2]int{60, 241}, took: [2]time.Duration{59 * time.Second, 60 * time.Second},
			want: datasources.ErrNotReady, wantText: "gave up after",
		},
		{
			name: "a server that asks for time gets it",
			answers: func(n int, _ time.Duration) error {
				if n == 1 {
					return busy(7 * time.Second)
				}
				return nil
			},
			asked: [2]int{2, 2}, took: [2]time.Duration{7 * time.Second, 7 * time.Second},
		},
		{
			name: "but not an hour of it",
			answers: func(n int, _ time.Duration) error {
				if n == 1 {
					return busy(time.Hour)
				}
				return nil
			},
			asked: [2]int{2, 2}, took: [2]time.Duration{30 * time.Second, 30 * time.Second},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := metadatatest.NewClock()
			env := datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: time.Minute}}
			asked := 0
			err := env.Retry(t.Context(), "it", func(context.Context) error {
				asked++
				return tt.answers(asked, clock.Since())
			})
			if !errors.Is(err, tt.want) || tt.wantText != "" && !strings.Contains(err.Error(), tt.wantText) {
				t.Errorf("error %v, want %v %q", err, tt.want, tt.wantText)
			}
			if asked < tt.asked[0] || asked > tt.asked[1] {
				t.Errorf("asked %d times, want %v", asked, tt.asked)
			}
			if took := clock.Since(); took < tt.took[0] || took > max(tt.took[1], 0) {
				t.Errorf("took %v, want %v", took, tt.took)
			}
		})
	}
}

func TestRetryTellsWhatItWaitsFor(t *testing.T) {
	clock := metadatatest.NewClock()
	var lines []string
	env := datasources.Env{
		Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: time.Minute},
		Waiting: func(what string) { lines = append(lines, what) },
	}
	err := env.Retry(t.Context(), "the disk", func(context.Context) error {
		return fmt.Errorf("no such label: %w", datasources.ErrNotReady)
	})
	if err == nil {
		t.Fatal("it became ready")
	}
	if len(lines) != 4 {
		t.Errorf("%d lines in a minute, want one at once and one each 15 s: %q", len(lines), lines)
	}
	if want := "waiting for the disk, for up to 1m0s: no such label"; len(lines) > 0 && !strings.HasPrefix(lines[0], want) {
		t.Errorf("line %q, want %q", lines[0], want)
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := datasources.Env{}.Retry(ctx, "it", func(context.Context) error {
		asked++
		cancel()
		return datasources.ErrNotReady
	})
	if asked != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("asked %d times, error %v", asked, err)
	}
}

func TestRetryKeepsTheCauseBeforeItsEnd(t *testing.T) {
	clock := metadatatest.NewClock()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := datasources.Env{Now: clock.Now, Sleep: clock.Sleep}.Retry(ctx, "it", func(ctx context.Context) error {
		if asked++; asked == 1 {
			return busy(0)
		}
		cancel() // the second attempt is cut short
		return ctx.Err()
	})
	if err == nil || err.Error() != "context canceled: busy" {
		t.Errorf("error %v does not tell what was the matter", err)
	}
}

func TestRetryTellsOfAnAttemptThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []string
		env := datasources.Env{Limits: datasources.Limits{Overall: 2 * time.Minute}, Waiting: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		}}
		asked := 0
		err := env.Retry(t.Context(), "the service", func(ctx context.Context) error {
			if asked++; asked == 1 {
				return busy(0)
			}
			time.Sleep(50 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != 4 || !strings.HasSuffix(lines[0], ": busy") || !strings.HasSuffix(lines[1], ": no answer yet; before, busy") {
			t.Errorf("lines %q, want one at once and one each 15 s", lines)
		}
	})
}
