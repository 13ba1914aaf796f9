//go:build integration && linux

// Package ladder_test gives the built program every network source there is, with everything that can be the matter with
// it, in real time. It prints what it measured, and -update writes that into docs/datasources.md.
//
// What must hold is held on a clock of its own, by metadatatest.Ladder in the tests of each source; here the bounds leave
// room for a busy machine. What takes longer than a quarter of a minute, up to the five after which the program gives up,
// is left out unless LONG is set, as "make integration-long" does; all of it goes on at the same time.
package ladder_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudconfig/datasources/metadatatest"
)

var update = flag.Bool("update", false, "write the table of docs/datasources.md")

// platform is a network source: its name, as --datasource has it, and its service.
type platform struct {
	name  string
	serve func(userData []byte, faults ...metadatatest.Fault) *metadatatest.Handler
	path  string // of its URL
	// starts says that the service has 404 for everything while it starts, so that it is asked again.
	starts bool
	// bytes says that any bytes are a document, which is refused when it is read.
	bytes bool
	// forbidden says that 403 for everything ends the search.
	forbidden bool
	// requests and series are how many requests there may be, and answers in series; 0 is what nobody promises.
	requests, series int
}

// platforms are the columns of the table, in the order of the catalog.
var platforms = []platform{
	{name: "url", serve: metadatatest.ServeURL, path: "/web1.yaml", bytes: true, requests: 1, series: 1},
	{name: "nocloud", serve: metadatatest.ServeNoCloud, path: "/seed/", requests: 4, series: 1},
	{name: "ec2", serve: metadatatest.ServeEC2, forbidden: true, requests: 12, series: 3},
	{name: "gce", serve: metadatatest.ServeGCE, requests: 2, series: 1},
	{name: "openstack", serve: metadatatest.ServeOpenStack, requests: 9, series: 2},
	{name: "azure", serve: metadatatest.ServeAzure, starts: true, requests: 1, series: 1},
	{name: "digitalocean", serve: metadatatest.ServeDigitalOcean, requests: 2, series: 1},
	{name: "hetzner", serve: metadatatest.ServeHetzner, requests: 3, series: 1},
	{name: "brightbox", serve: metadatatest.ServeBrightbox, requests: 10, series: 3},
}

const (
	// noise is what a busy machine may add to every figure.
	noise = 5 * time.Second
	// stagger is between two starts, so that the programs do not wait for each other's.
	stagger = 150 * time.Millisecond
	longest = 6 * time.Minute
	late    = "every answer 2 s late"
	healthy = "200"
)

// outcome is what came of one run of the program.
type outcome struct {
	took     time.Duration
	requests int
	series   int // answers that were waited for one after another, if each is 2 s late
	status   int
	text     string // what it printed on both streams
	err      error  // it did not run
}

func TestLadder(t *testing.T) {
	program := programPath(t)
	isLong := os.Getenv("LONG") != ""
	var rungs []metadatatest.Rung
	var left []string
	for _, rung := range metadatatest.Rungs() {
		if isLong || !takesLong(rung) {
			rungs = append(rungs, rung)
		} else {
			left = append(left, rung.Name)
		}
	}
	if len(left) > 0 {
		t.Logf("left out, as LONG is not set: %s", strings.Join(left, ", "))
	}
	outcomes := map[string]map[string]outcome{}
	for _, rung := range rungs {
		outcomes[rung.Name] = map[string]outcome{}
	}
	root := insecure(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for r := range rungs {
		// The longest begin first, and the shortest last, when it is quiet.
		rung := rungs[len(rungs)-1-r]
		for _, p := range platforms {
			if !isLong && p.starts && rung.Ends == metadatatest.Absent {
				continue // asked for five minutes
			}
			wg.Go(func() {
				o := climb(t.Context(), program, root, p, rung)
				mu.Lock()
				defer mu.Unlock()
				outcomes[rung.Name][p.name] = o
			})
			time.Sleep(stagger)
		}
	}
	wg.Wait()
	for _, rung := range rungs {
		for _, p := range platforms {
			if o, ran := outcomes[rung.Name][p.name]; ran {
				t.Run(rung.Name+"/"+p.name, func(t *testing.T) { check(t, p, rung, o) })
			}
		}
	}
	table := tabulate(rungs, outcomes)
	t.Log("\n" + table)
	if *update && isLong {
		write(t, table)
	}
}

// takesLong says that a rung takes half a minute or more on most platforms.
func takesLong(rung metadatatest.Rung) bool {
	return rung.Ends == metadatatest.NotReady || rung.Ends == metadatatest.Refused || rung.Well >= 30*time.Second
}

// insecure makes a root whose settings take what comes over plain http, so that url and nocloud need no proof.
func insecure(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(root, "etc", "provisioner", "provisioner.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("trust: {insecure: yes}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// climb asks a service by "provisioner plan", from when it is started.
func climb(ctx context.Context, program, root string, p platform, rung metadatatest.Rung) outcome {
	userData := []byte("#cloud-config\nhostname: web1\n")
	switch rung.Data {
	case "empty":
		userData = []byte{}
	case "none":
		userData = nil
	}
	h := p.serve(userData, rung.Faults...)
	defer h.Close()
	l, err := metadatatest.NewListener(h)
	if err != nil {
		return outcome{err: err}
	}
	defer l.Close()
	opened := make(chan error, 1)
	if rung.After == 0 {
		if err := l.Open(); err != nil {
			return outcome{err: err}
		}
	} else {
		time.AfterFunc(rung.After, func() { opened <- l.Open() })
	}
	var s series
	h.Log = s.request
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "plan", "--root", root, "--datasource", p.name+"=http://"+l.Addr+p.path)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	h.Start()
	start := time.Now()
	err = cmd.Run()
	o := outcome{took: time.Since(start), requests: len(h.Requests()), series: s.length(), text: text.String(), status: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.err = err
	}
	select {
	case o.err = <-opened:
	default:
	}
	return o
}

func check(t *testing.T, p platform, rung metadatatest.Rung, o outcome) {
	if o.err != nil {
		t.Fatal(o.err)
	}
	if rung.Ends != "" {
		want := 3
		if rung.Name == "garbage" && p.bytes {
			want = 1
		}
		waits := rung.Ends == metadatatest.NotReady && !(rung.Name == "403" && p.forbidden) || rung.Ends == metadatatest.Absent && p.starts
		if o.status != want || waits != (o.took > 4*time.Minute) && rung.Ends != metadatatest.Refused {
			t.Errorf("status %d after %v\n%s", o.status, o.took, o.text)
		}
		return
	}
	// What was asked for is planned with the place that asks for it.
	if o.status != 0 || strings.Contains(o.text, "(user-data:2:11)") != (rung.Data == "") {
		t.Errorf("status %d\n%s", o.status, o.text)
	}
	if after := o.took - rung.Well; after > rung.Slack+noise {
		t.Errorf("%v after the service, want at most %v", after, rung.Slack)
	}
	if rung.Name == healthy && o.requests > p.requests {
		t.Errorf("%d requests, want at most %d", o.requests, p.requests)
	}
	if rung.Name == late && o.series > p.series {
		t.Errorf("%d answers in series, want at most %d", o.series, p.series)
	}
}

// series counts answers that are waited for one after another, where each is 2 s late: a request that comes so much
// after the first of those before it may have waited for that one's answer.
type series struct {
	mu    sync.Mutex
	began time.Time
	n     int
}

func (s *series) request(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.began) >= 2*time.Second {
		s.began = now
		s.n++
	}
}

func (s *series) length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// tabulate makes the table, with two lines more than there are rungs.
func tabulate(rungs []metadatatest.Rung, outcomes map[string]map[string]outcome) string {
	var table strings.Builder
	line := func(name string, cell func(p platform) string) {
		table.WriteString("| " + name + " |")
		for _, p := range platforms {
			table.WriteString(" " + cell(p) + " |")
		}
		table.WriteString("\n")
	}
	line("what is the matter", func(p platform) string { return "`" + p.name + "`" })
	table.WriteString("|---|" + strings.Repeat("---|", len(platforms)) + "\n")
	for _, rung := range rungs {
		line(rung.Name, func(p platform) string {
			if o, ran := outcomes[rung.Name][p.name]; ran {
				return figure(rung, o)
			}
			return ""
		})
	}
	line("requests in all", func(p platform) string { return fmt.Sprint(outcomes[healthy][p.name].requests) })
	line("answers in series", func(p platform) string { return fmt.Sprint(outcomes[late][p.name].series) })
	return table.String()
}

// figure is a cell of the table: the seconds from when the service was well, or what was decided and when.
func figure(rung metadatatest.Rung, o outcome) string {
	seconds := fmt.Sprintf("%.2f", (o.took - rung.Well).Seconds())
	switch {
	case o.status == 0:
		return seconds
	case strings.Contains(o.text, "gave up after"):
		return fmt.Sprintf("gave up after %.0f", o.took.Seconds())
	case rung.Ends == metadatatest.Absent:
		return "absent, " + seconds
	}
	return "refused, " + seconds
}

const begin, end = "<!-- measured: LONG=1 go test -tags integration -run TestLadder ./integration/ladder -update -->\n", "<!-- end -->\n"

func write(t *testing.T, table string) {
	path := filepath.Join("..", "..", "docs", "datasources.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func programPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PROVISIONER")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "provisioner")
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "the program: "+err.Error()+` (try "make build", or name it in $PROVISIONER)`)
	}
	return path
}

// missing skips, but not in CI, where everything is there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
