package metadatatest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
)

// Rung is one thing that can be the matter with a service, from when it was started.
type Rung struct {
	Name   string
	Faults []Fault
	// After is for how long connections are refused.
	After time.Duration
	// Data is "empty" for user-data without a byte, "none" for an instance without any, and "" for some.
	Data string
	// Well is when the service is well again, and Slack by how much later everything must have been fetched.
	Well, Slack time.Duration
	// Ends is how the search ends if the service never is well: [Absent], [NotReady] or [Fatal]. "" is success.
	Ends Ending
}

// Ending is what the error of a search that found nothing must say.
type Ending string

// The endings of a search.
const (
	Absent   Ending = "absent"    // at once: this is another platform
	NotReady Ending = "not ready" // after all the time there was
	Fatal    Ending = "fatal"     // at once: asking again would change nothing
	Refused  Ending = "refused"   // not ready or fatal: what came cannot be what it should be, and nobody takes it for an absence
)

const (
	pause   = time.Second     // the longest between two attempts
	attempt = 4 * time.Second // the limit of an answer
	// recovery is how much later than the service a client is well that asks often enough.
	recovery = 1500 * time.Millisecond
	// tooLarge is larger than any answer that is taken.
	tooLarge = 16<<20 + 1
)

// Rungs is the ladder: what can be the matter with any service.
func Rungs() []Rung {
	status := func(code int) []Fault { return []Fault{{Trouble: Status, Code: code}} }
	forSeconds := func(n int, f Fault) []Fault {
		f.Until = time.Duration(n) * time.Second
		return []Fault{f}
	}
	unavailable := Fault{Trouble: Status, Code: 503}
	return []Rung{
		{Name: "200", Slack: recovery},
		{Name: "200, empty", Data: "empty", Slack: recovery},
		{Name: "no user-data", Data: "none", Slack: recovery},
		{Name: "404", Faults: status(404), Ends: Absent},
		{Name: "401", Faults: status(401), Ends: NotReady},
		{Name: "403", Faults: status(403), Ends: NotReady},
		{Name: "429", Faults: status(429), Ends: NotReady},
		{Name: "429, then Retry-After: 3", Faults: []Fault{{Trouble: Status, Code: 429, RetryAfter: "3", Until: 2 * time.Second}}, Well: 3 * time.Second, Slack: recovery},
		{Name: "503", Faults: status(503), Ends: NotReady},
		{Name: "503 for 5 s", Faults: forSeconds(5, unavailable), Well: 5 * time.Second, Slack: recovery},
		{Name: "503 for 30 s", Faults: forSeconds(30, unavailable), Well: 30 * time.Second, Slack: recovery},
		{Name: "refused for 5 s", After: 5 * time.Second, Well: 5 * time.Second, Slack: recovery},
		{Name: "refused for 30 s", After: 30 * time.Second, Well: 30 * time.Second, Slack: recovery},
		{Name: "started 60 s late", After: time.Minute, Well: time.Minute, Slack: recovery},
		{Name: "dropped for 5 s", Faults: forSeconds(5, Fault{Trouble: Reset}), Well: 5 * time.Second, Slack: recovery},
		{Name: "hangs for 5 s", Faults: forSeconds(5, Fault{Trouble: Hang}), Well: 5 * time.Second, Slack: attempt + pause + recovery},
		{Name: "stalls for 5 s", Faults: forSeconds(5, Fault{Trouble: Stall}), Well: 5 * time.Second, Slack: attempt + pause + recovery},
		{Name: "cut short for 5 s", Faults: forSeconds(5, Fault{Trouble: Truncate}), Well: 5 * time.Second, Slack: recovery},
		{Name: "every answer 2 s late", Faults: []Fault{{Trouble: Late, Delay: 2 * time.Second}}, Slack: 8 * time.Second},
		{Name: "HTML for 5 s", Faults: forSeconds(5, Fault{Trouble: HTML}), Well: 5 * time.Second, Slack: recovery},
		{Name: "HTML", Faults: []Fault{{Trouble: HTML}}, Ends: NotReady},
		{Name: "garbage", Faults: []Fault{{Trouble: Garbage}}, Ends: Refused},
		{Name: "oversize", Faults: []Fault{{Trouble: Oversize, Bytes: tooLarge}}, Ends: Fatal},
	}
}

// Platform is a service and the source that asks it.
type Platform struct {
	// Serve makes the service of an instance with this user-data: nil is none, empty is an answer without a byte.
	Serve func(userData []byte, faults ...Fault) *Handler
	// New makes the source; url is the service's, a scheme and a host.
	New func(env datasources.Env, url string) (datasources.Source, error)
	// Forbidden is what the error says where 403 for everything ends the search; "" where it is asked again.
	Forbidden string
	// Starts says that the service has 404 for everything while it starts, so that it is asked again.
	Starts bool
	// Bytes says that any bytes are a document to it: garbage is for whoever reads it to refuse.
	Bytes bool
	// Requests is how many requests a fetch from a service that is well makes at most, and Series how many
	// answers it waits for one after another; 0 is no limit and 4.
	Requests, Series int
}

// Ladder holds a source to what all promise, on a clock that only pauses and late answers move: that it has
// everything soon after the service is well again, the same as from one that always was; that it takes nothing but a
// 404 for an absence; and that it gives up when asking again is of no use, and else not before its time is over.
func Ladder(t *testing.T, p Platform) {
	t.Helper()
	healthy, err := fetchFrom(t, p, Rung{})
	if err != nil {
		t.Fatalf("from a service that is well: %v", err)
	}
	for _, rung := range Rungs() {
		if rung.Name == "403" && p.Forbidden != "" {
			rung.Ends = Fatal
		}
		if rung.Name == "404" && p.Starts {
			rung.Ends = NotReady
		}
		if rung.Name == "garbage" && p.Bytes {
			continue
		}
		t.Run(rung.Name, func(t *testing.T) {
			t.Parallel()
			w, err := climb(t, p, rung)
			if rung.Ends != "" {
				w.checkEnd(t, rung, err)
				if rung.Name == "403" && p.Forbidden != "" && !strings.Contains(err.Error(), p.Forbidden) {
					t.Errorf("error %q, want %q", err, p.Forbidden)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := healthy
			if rung.Data != "" {
				want.UserData = nil
			}
			w.data.From = want.From // every service has an address of its own
			if diff := cmp.Diff(want, w.data); diff != "" {
				t.Errorf("other data than from a service that is well: %s", diff)
			}
			late, requests := w.Clock.Since()-rung.Well, len(w.Handler.Requests())
			if late > rung.Slack {
				t.Errorf("ready %v after the service, want at most %v", late, rung.Slack)
			}
			if rung.Well == 0 && p.Requests > 0 && requests > p.Requests {
				t.Errorf("%d requests, want at most %d: %q", requests, p.Requests, w.Handler.Requests())
			}
			if n := int(late / (2 * time.Second)); rung.Name == "every answer 2 s late" && p.Series > 0 && n > p.Series {
				t.Errorf("%d answers in series, want at most %d", n, p.Series)
			}
		})
	}
}

type climber struct {
	*World
	data datasources.Data
}

func fetchFrom(t *testing.T, p Platform, rung Rung) (datasources.Data, error) {
	t.Helper()
	c, err := climb(t, p, rung)
	return c.data, err
}

// climb fetches as package catalog does, once.
func climb(t *testing.T, p Platform, rung Rung) (*climber, error) {
	t.Helper()
	userData := []byte("#cloud-config\nhostname: web1\n")
	switch rung.Data {
	case "empty":
		userData = []byte{}
	case "none":
		userData = nil
	}
	w := &climber{World: NewWorld(t, p.Serve(userData, rung.Faults...), rung.After)}
	w.Handler.Patience = attempt
	w.Env.Limits.Overall = 100 * time.Second
	source, err := p.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	return w, w.Env.Retry(t.Context(), source.Name(), func(ctx context.Context) (err error) {
		w.data, err = source.Fetch(ctx)
		return err
	})
}

func (w *climber) checkEnd(t *testing.T, rung Rung, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("took %+v", w.data)
	}
	absent, notReady := errors.Is(err, datasources.ErrAbsent), errors.Is(err, datasources.ErrNotReady)
	switch rung.Ends {
	case Absent:
		if !absent || notReady {
			t.Errorf("not an absence: %v", err)
		}
	case NotReady:
		if absent || !notReady {
			t.Errorf("does not say that it should be asked again: %v", err)
		}
	case Fatal:
		if absent || notReady {
			t.Errorf("does not end the search: %v", err)
		}
	case Refused:
		if absent {
			t.Errorf("takes it for an absence: %v", err)
		}
	}
	gaveUp := w.Clock.Since()
	if notReady && gaveUp < w.Env.Limits.Overall-5*time.Second {
		t.Errorf("gave up after %v", gaveUp)
	}
	if !notReady && gaveUp > 5*time.Second {
		t.Errorf("asked for %v, although it changes nothing", gaveUp)
	}
	if i := strings.IndexFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }); i >= 0 {
		t.Errorf("the error cannot be printed: %q", err)
	}
}
