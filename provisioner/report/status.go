package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"cloudconfig/provisioner/fsroot"
)

// maxStatusBytes bounds a status file that is read back: 10,000 changes are about 3 MiB.
const maxStatusBytes = 32 << 20

// ReadStatus reads the status below a root. There is no error if
// nothing ran yet: the state is [None]. While another process holds the lock the state is [Running], whatever
// the file says; if the process that was at it is gone, the run was cut short and the state is [Failed].
func ReadStatus(root *fsroot.Root) (Status, error) { return Look(context.Background(), root, nil) }

// Look is ReadStatus with an answer to what the file cannot know, which is asked only if it matters: coming says that a
// stage of a boot runs or is still to come. If one is, a machine on which nothing ran is [Running], not begun yet; if none
// is, a boot that nobody goes on with was cut short. Coming may be nil; its error means that nobody knows.
func Look(ctx context.Context, root *fsroot.Root, coming func(context.Context) (bool, error)) (Status, error) {
	s, who, err := read(root)
	if err != nil || who == present || s.State != Running && (s.State != None || s.Reason != "") {
		return s, err
	}
	if coming != nil {
		more, err := coming(ctx)
		switch {
		case err == nil && more:
			s.State, s.ExitStatus = Running, ExitRunning
			return s, nil
		case err == nil:
			// It may have ended between the two questions.
			if s, who, err = read(root); err != nil || who == present {
				return s, err
			}
			who = gone
		}
	}
	if who == gone && s.State == Running {
		s.State, s.ExitStatus = Failed, ExitFailed
		s.Errors = append(s.Errors, "the run was cut short; the next one undoes what it left half-done")
	}
	return s, nil
}

// worker is whether somebody is at a run.
type worker int

const (
	nobody  worker = iota // as between two stages of a boot
	present               // a process is at it
	gone                  // the process that was at it is not there any more
)

func read(root *fsroot.Root) (Status, worker, error) {
	s, err := readFile(root)
	if err != nil {
		return Status{}, nobody, fmt.Errorf("read status: %w", err)
	}
	who := nobody
	switch {
	case s.State == Running && s.PID != 0 && alive(s.PID):
		who = present
	case s.State == Running && s.PID != 0:
		s.PID, who = 0, gone
	case root.IsLocked(path.Join(Dir, lockFile)):
		if who = present; s.State != Running {
			s = Status{Version: 1, State: Running}
		}
	}
	s.ExitStatus = s.State.ExitStatus()
	return s, who, nil
}

// alive says that a process is there.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

func readFile(root *fsroot.Root) (s Status, err error) {
	err = readJSON(root, StatusFile, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{Version: 1, State: None}, nil
	}
	if err != nil {
		return Status{}, err
	}
	switch s.State {
	case None, Running, Done, Refused, Failed, Degraded:
	default:
		return Status{}, fmt.Errorf("%s has an unknown state", StatusFile)
	}
	if s.Version != 1 {
		return Status{}, fmt.Errorf("%s has version %d; this program knows version 1", StatusFile, s.Version)
	}
	return s, nil
}

// readJSON reads a file of ours. Below another root it is what somebody else has put there.
func readJSON(root *fsroot.Root, name string, v any) error {
	text, _, err := root.ReadFile(path.Join(Dir, name), maxStatusBytes)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// pollInterval is how often Wait looks; nothing needs to be told sooner.
const pollInterval = 250 * time.Millisecond

// Wait looks at the status until it is other than running, or ctx ends; then it gives the context's error with the
// last status.
func Wait(ctx context.Context, root *fsroot.Root, coming func(context.Context) (bool, error)) (Status, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		s, err := Look(ctx, root, coming)
		if err != nil || s.State != Running {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// WriteJSON writes a status as status.json has it.
func WriteJSON(w io.Writer, s Status) error {
	text, err := marshal(s)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// WriteText writes a status in words.
func WriteText(w io.Writer, s Status) error {
	t := &textWriter{w: w}
	t.line("state:      %s%s", s.State, meaning(s))
	if s.Datasource != "" {
		t.line("datasource: %s", s.Datasource)
	}
	switch s.Proof {
	case "":
	case "none":
		t.line("proof:      none: the user-data is unauthenticated")
	default:
		t.line("proof:      %s", s.Proof)
	}
	if s.Stage != "" {
		t.line("stage:      %s", s.Stage)
	}
	if !s.Finished.IsZero() {
		t.line("finished:   %s, after %s", s.Finished.Format(time.RFC3339), s.Finished.Sub(s.Started).Round(time.Millisecond))
	}
	for _, stage := range s.Stages {
		if w := stage.longest(); w != nil {
			t.line("waited:     %s for %s, in %s", inMS(w.DurationMS), w.What, stage.Name)
		}
	}
	if n := s.Network; n != nil {
		t.line("network:    %s%s", n.State, restoredTo(n.Restored))
		for _, w := range n.Failed {
			t.line("network:    %s", w)
		}
	}
	for _, d := range s.Diagnostics {
		t.line("%s", d)
	}
	for _, e := range s.Errors {
		t.line("error: %s", e)
	}
	for _, w := range s.Warnings {
		t.line("warning: %s", w)
	}
	for _, j := range s.Jobs {
		if j.OK() {
			t.line("job: %s", j)
		}
	}
	for _, c := range s.Changes {
		t.line("%s: %s (%s)", c.Action, c.Path, c.Kind)
	}
	for _, line := range s.Remains() {
		t.line("%s", line)
	}
	if s.Omitted > 0 {
		t.line("and %d more entries, which are not kept", s.Omitted)
	}
	return t.err
}

func meaning(s Status) string {
	switch s.State {
	case Running:
		if s.Stage == "" {
			return ": not begun yet"
		}
	case None:
		if s.Reason != "" {
			return ": " + s.Reason
		}
		return ": nothing ran since this machine started"
	case Refused:
		return ": the configuration is wrong; nothing of it was applied"
	case Failed:
		return ": nothing of the configuration was applied"
	case Degraded:
		return ": everything was applied, and something that was to start failed"
	}
	return ""
}

func restoredTo(what string) string {
	switch what {
	case "last-confirmed":
		return ": the one before is back"
	case "image":
		return ": the image's own is back"
	case "dhcp":
		return ": DHCP on every card is in its place"
	}
	return ""
}

// textWriter writes lines until one cannot be written.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, "%s\n", printable(fmt.Sprintf(format, args...)))
	}
}
