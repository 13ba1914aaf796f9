//go:build integration && linux

// Package ladder_test gives the built program every network source there is, with everything that can be the matter with
// it, in real time. It prints what it measured, and -update writes that into docs/datasources.md.
//
// What must hold is held on a clock of its own, by metadatatest.Ladder in the tests of each source; here the bounds leave
// room for a busy machine. Rungs on which the program gives up take its five minutes, all at the same time; -short leaves
// them out.
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
}

// platforms are the columns of the table, in the order of the catalog.
var platforms = []platform{
	{"ec2", metadatatest.ServeEC2},
	{"gce", metadatatest.ServeGCE},
	{"digitalocean", metadatatest.ServeDigitalOcean},
	{"hetzner", metadatatest.ServeHetzner},
	{"brightbox", metadatatest.ServeBrightbox},
}

const (
	// noise is what a busy machine may add to every figure.
	noise = 5 * time.Second
	// stagger is between two starts, so that the programs do not wait for each other's.
	stagger = 150 * time.Millisecond
	longest = 6 * time.Minute
)

// outcome is what came of one run of the program.
type outcome struct {
	took     time.Duration
	requests int
	status   int
	text     string // what it printed on both streams
	err      error  // it did not run
}

func TestLadder(t *testing.T) {
	program := programPath(t)
	rungs := metadatatest.Rungs()
	outcomes := make([][]outcome, len(rungs))
	var wg sync.WaitGroup
	for r, rung := range rungs {
		outcomes[r] = make([]outcome, len(platforms))
		if testing.Short() && takesForever(rung) {
			continue
		}
		for p, platform := range platforms {
			wg.Go(func() { outcomes[r][p] = climb(t.Context(), program, platform, rung) })
			time.Sleep(stagger)
		}
	}
	wg.Wait()

	var table strings.Builder
	table.WriteString("| what is the matter |")
	for _, p := range platforms {
		table.WriteString(" " + p.name + " |")
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(platforms)) + "\n")
	for r, rung := range rungs {
		table.WriteString("| " + rung.Name + " |")
		for p, platform := range platforms {
			o := outcomes[r][p]
			if o == (outcome{}) {
				table.WriteString(" |")
				continue
			}
			t.Run(rung.Name+"/"+platform.name, func(t *testing.T) { check(t, rung, o) })
			table.WriteString(" " + figures(rung, o) + " |")
		}
		table.WriteString("\n")
	}
	t.Log("\n" + table.String())
	if *update && !testing.Short() {
		write(t, table.String())
	}
}

func takesForever(rung metadatatest.Rung) bool {
	return rung.Ends == metadatatest.NotReady || rung.Ends == metadatatest.Refused
}

// climb asks a service by "provisioner render", from when it is started.
func climb(ctx context.Context, program string, p platform, rung metadatatest.Rung) outcome {
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
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "render", "--datasource", p.name+"=http://"+l.Addr)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	h.Start()
	start := time.Now()
	err = cmd.Run()
	o := outcome{took: time.Since(start), requests: len(h.Requests()), text: text.String(), status: cmd.ProcessState.ExitCode()}
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

func check(t *testing.T, rung metadatatest.Rung, o outcome) {
	if o.err != nil {
		t.Fatal(o.err)
	}
	if rung.Ends != "" {
		if o.status != 3 {
			t.Errorf("status %d\n%s", o.status, o.text)
		}
		return
	}
	if o.status != 0 || strings.Contains(o.text, "web1") != (rung.Data == "") {
		t.Errorf("status %d\n%s", o.status, o.text)
	}
	if late := o.took - rung.Well; late > rung.Slack+noise {
		t.Errorf("%v after the service, want at most %v", late, rung.Slack)
	}
}

// figures is a cell of the table: the seconds from when the service was well, and how many requests there were.
func figures(rung metadatatest.Rung, o outcome) string {
	cell := fmt.Sprintf("%.1f s, %d", (o.took - rung.Well).Seconds(), o.requests)
	switch {
	case rung.Ends == "":
		return cell
	case strings.Contains(o.text, "gave up after"):
		return "gave up: " + cell
	}
	return "ended: " + cell
}

const begin, end = "<!-- measured: go test -tags integration ./integration/ladder -update -->\n", "<!-- end -->\n"

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
