package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxStatusBytes bounds a status file that is read back: 10,000 changes are about 3 MiB.
const maxStatusBytes = 32 << 20

// ReadStatus reads the status in a directory: run/provisioner below the root in question. There is no error if
// nothing ran yet: the state is [None]. While another process holds the lock the state is [Running], whatever
// the file says; if the process that was at it is gone, the run was cut short and the state is [Failed].
func ReadStatus(dir string) (Status, error) {
	s, err := readFile(filepath.Join(dir, StatusFile))
	if err != nil {
		return Status{}, fmt.Errorf("read status: %w", err)
	}
	if s.State != Running && locked(filepath.Join(dir, lockFile)) {
		s = Status{Version: 1, State: Running}
	}
	if s.State == Running && s.PID != 0 && !alive(s.PID) {
		s.State, s.PID = Failed, 0
		s.Errors = append(s.Errors, "the run was cut short; the next one undoes what it left half-done")
	}
	s.ExitStatus = s.State.ExitStatus()
	return s, nil
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

func readFile(name string) (Status, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{Version: 1, State: None}, nil
	}
	if err != nil {
		return Status{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxStatusBytes+1))
	if err != nil {
		return Status{}, err
	}
	if len(text) > maxStatusBytes {
		return Status{}, fmt.Errorf("%s is larger than %d bytes", name, maxStatusBytes)
	}
	var s Status
	if err := json.Unmarshal(text, &s); err != nil {
		return Status{}, fmt.Errorf("%s: %w", name, err)
	}
	switch s.State {
	case None, Running, Done, Refused, Failed, Degraded:
	default:
		return Status{}, fmt.Errorf("%s has an unknown state", name)
	}
	if s.Version != 1 {
		return Status{}, fmt.Errorf("%s has version %d; this program knows version 1", name, s.Version)
	}
	return s, nil
}

// pollInterval is how often Wait looks; nothing needs to be told sooner.
const pollInterval = 250 * time.Millisecond

// Wait reads the status until it is other than running, or ctx ends; then it gives the context's error with the
// last status.
func Wait(ctx context.Context, dir string) (Status, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		s, err := ReadStatus(dir)
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
	if s.Reason != "" {
		t.line("state:      %s: %s", s.State, s.Reason)
	} else {
		t.line("state:      %s%s", s.State, meaning(s.State))
	}
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
	if n := s.Network; n != nil {
		t.line("network:    %s%s", n.State, restoredTo(n.Restored))
		for _, w := range n.Failed {
			t.line("network:    %s", w)
		}
	}
	for _, d := range s.Diagnostics {
		where := ""
		if d.Path != "" {
			where = " in " + d.Path
		}
		t.line("%s: %s: %s%s [%s]", d.At, d.Severity, d.Summary, where, d.Rule)
	}
	for _, e := range s.Errors {
		t.line("error: %s", e)
	}
	for _, j := range s.Jobs {
		if j.OK() {
			t.line("job: %s", j)
		}
	}
	for _, c := range s.Changes {
		t.line("%s: %s (%s)", c.Action, c.Path, c.Kind)
	}
	if s.Omitted > 0 {
		t.line("and %d more entries, which are not kept", s.Omitted)
	}
	return t.err
}

func meaning(s State) string {
	switch s {
	case None:
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
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}
