package handoff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// command starts command number n (from 1) in a unit of its own, after the unit named last, and returns the name
// of the unit that the next one is to wait for. The units of the jobs and the agents wait for it too: they are asked for at once,
// and systemd puts them in order.
func (w *Watch) command(ctx context.Context, n int, c Command, last string, r Request) string {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	t := Transient{Unit: fmt.Sprintf("provisioner-command-%s-%d.service", unitPart(c.Name()), n), Description: "Run " + c.Name(), Command: c.Argv, Timeout: commandTime}
	if last != "" {
		t.After = []string{last}
	}
	for _, j := range r.Jobs {
		t.Before = append(t.Before, j.Unit)
	}
	t.Before = append(t.Before, r.Agents...)
	slices.Sort(t.Before)
	t.Before = slices.Compact(t.Before)
	p := pending{outcome: Outcome{Unit: t.Unit, Action: "run", Script: c.Name()}}
	switch s, err := w.state(ctx, t.Unit); {
	case err != nil:
		p.refused = err
	case s.isGoingOn(): // an earlier hand-off's
		// What it acts on may have changed since it began, so that a later boot runs it again.
		p.untold = s.Active != "inactive"
		p.result, p.refused = w.manager.Enqueue(ctx, t.Unit, "start")
	default:
		p.result, p.refused = w.start(ctx, t)
	}
	w.pending = append(w.pending, p)
	if p.refused != nil {
		return last
	}
	return t.Unit
}

// commandTime is how long a program of the distribution may take: agents wait for it.
const commandTime = 10 * time.Minute

// start starts a unit that is not there.
func (w *Watch) start(ctx context.Context, t Transient) (<-chan string, error) {
	// A unit of this name may be left from a run that was cut short; if there is none, that is no matter.
	_ = w.manager.Reset(ctx, t.Unit)
	return w.manager.Run(ctx, t)
}

// run starts a script in a unit of its own, after the unit named last, and returns the name of the unit that the next
// one is to wait for.
func (w *Watch) run(ctx context.Context, t Transient, s Script, last string) string {
	if last != "" {
		t.After = append(t.After, last)
	}
	p := pending{outcome: Outcome{Unit: t.Unit, Action: "run", Script: s.Name}}
	if t.Command, p.refused = interpreter(s.Content); p.refused == nil {
		w.launch(ctx, &p, t, filepath.Join(w.options.ScriptDir, strings.TrimSuffix(t.Unit, ".service")), s.Content)
	}
	w.pending = append(w.pending, p)
	if p.refused != nil {
		return last
	}
	return t.Unit
}

// launch has the program of t run a file with a text. If an earlier hand-off has asked for the same, and it has not
// ended, that is watched: its file is neither written nor removed.
func (w *Watch) launch(ctx context.Context, p *pending, t Transient, file string, text []byte) {
	if p.refused = ctx.Err(); p.refused != nil {
		return
	}
	// What is asked for is not taken back when the watch ends: the unit would start, and its file be gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	if w.joined(ctx, p, file, text) {
		return
	}
	if p.refused = writeScript(file, text); p.refused != nil {
		return
	}
	p.script, t.Command = file, append(t.Command, file)
	if p.result, p.refused = w.start(ctx, t); p.refused != nil && w.joined(ctx, p, file, text) {
		p.script = "" // somebody else was faster
	}
}

// joined watches the unit of an earlier hand-off instead, if it is there and has not ended; false if it is not there. A
// unit that runs something else is not ours, and counts as refused, as does one of which nothing can be known.
func (w *Watch) joined(ctx context.Context, p *pending, file string, text []byte) bool {
	s, err := w.state(ctx, p.outcome.Unit)
	if err != nil {
		p.refused = err
		return true
	}
	if !s.isGoingOn() {
		return false
	}
	runs, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(runs, text) || s.Active == "deactivating" { // which a start would start again
		p.refused = errors.New("what an earlier hand-off has started under this name has not ended")
		return true
	}
	p.result, p.refused = w.manager.Enqueue(ctx, p.outcome.Unit, "start") // which is the job that is there
	return true
}

// isGoingOn says that a oneshot unit is still to run, or runs.
func (s State) isGoingOn() bool {
	return s.Active == "activating" || s.Active == "deactivating" || s.Active == "inactive" && s.Queued
}

// writeScript keeps a script where only root can read it.
func writeScript(file string, content []byte) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("keep the script: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the script: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("keep the script: %w", err)
	}
	f, err := os.CreateTemp(dir, ".") // 0600
	if err != nil {
		return fmt.Errorf("keep the script: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file) // whole at any time: a shell may be about to read it
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep the script: %w", err)
	}
	return nil
}

// firstLineMax is how much of a script the kernel looks at for its interpreter.
const firstLineMax = 256

// interpreter is the program that a script's first line names, with its one argument if there is one.
//
// It reads the line as Linux does: blanks around are dropped, the program ends at the first blank, and all the
// rest is a single argument. Other than Linux it refuses a relative path, which would mean the current
// directory of systemd. The errors quote nothing of the script.
//
// Source: Linux 6.12, fs/binfmt_script.c, load_script.
func interpreter(script []byte) ([]string, error) {
	line, ok := bytes.CutPrefix(script, []byte("#!"))
	if !ok {
		return nil, errors.New(`the first line of the script does not begin with "#!"`)
	}
	line, _, whole := bytes.Cut(line[:min(len(line), firstLineMax-2)], []byte("\n"))
	if !whole && len(script) > firstLineMax {
		return nil, fmt.Errorf("the first line of the script is longer than %d bytes", firstLineMax)
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return nil, errors.New("the first line of the script has a NUL byte")
	}
	line = bytes.Trim(line, " \t")
	program, argument := string(line), ""
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		program, argument = string(line[:i]), strings.TrimLeft(string(line[i:]), " \t")
	}
	switch info, err := os.Stat(program); {
	case program == "":
		return nil, errors.New("the first line of the script names no interpreter")
	case strings.HasSuffix(program+argument, "\r"):
		return nil, errors.New("the first line of the script ends with a carriage return; save it with Unix line ends")
	case !filepath.IsAbs(program):
		return nil, errors.New("the interpreter of the script is not an absolute path")
	case err != nil:
		// The error itself would name the path, and that is the user's text.
		return nil, fmt.Errorf("the interpreter of the script cannot be used: %w", errors.Unwrap(err))
	case info.IsDir() || info.Mode()&0o111 == 0:
		return nil, errors.New("the interpreter of the script is not an executable file")
	}
	if argument == "" {
		return []string{program}, nil
	}
	return []string{program, argument}, nil
}

// unitPart is a script's name as part of a unit's: small letters, digits and single hyphens.
func unitPart(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() == 64:
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "user-data"
}
