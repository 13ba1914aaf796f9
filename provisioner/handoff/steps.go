package handoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloudconfig/provisioner/plan"
)

// NotRun is the result of a step that was left out, since one before it failed.
const NotRun = "not-run"

// maxShell is how much the shells of steps may leave for the next ones, in bytes.
const maxShell = 1 << 20

// WithinVariable is set for scripts and steps: whoever finds it in his environment must not wait for the hand-off, which waits
// for him.
const WithinVariable = "PROVISIONER_HANDOFF"

// stepEnvironment is that of a step. A service of the system has no HOME of its own, which many programs want.
var stepEnvironment = [...]string{WithinVariable + "=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}

// BootSteps runs steps, and waits for all of them. After limit systemd ends the one that runs; when ctx ends, no more of
// them are run. They have the id of the instance in INSTANCE_ID.
func BootSteps(ctx context.Context, m Manager, steps []plan.Step, instance string, limit time.Duration, o Options) Result {
	w := watch(m, o)
	w.steps(ctx, steps, nil, Transient{
		Description: "Command of bootcmd", Environment: append(stepEnvironment[:], "INSTANCE_ID="+instance), Timeout: limit,
	})
	return w.Wait(ctx)
}

// runSteps runs those of a request. Ordered after the unit that watches, they are ended before it when the machine goes
// down, so that it sees what becomes of them.
func (w *Watch) runSteps(ctx context.Context, r Request) {
	w.steps(ctx, r.Steps, r.Shell, Transient{
		Description: "Command of runcmd", Environment: stepEnvironment[:], After: []string{w.watcher()},
	})
}

const watchUnit = "provisioner-handoff.service"

func (w *Watch) watcher() string { return cmp.Or(w.options.Watcher, watchUnit) }

// steps runs steps in units like t, one at a time. Each begins in the directory and with the variables that the one
// before has left, the first with what shell says.
func (w *Watch) steps(ctx context.Context, steps []plan.Step, shell []byte, t Transient) {
	if len(steps) == 0 {
		return
	}
	left := filepath.Join(w.options.ScriptDir, "shell")
	// One of an earlier hand-off that still runs is about to leave something there.
	s, err := w.state(ctx, StepUnit(steps[0].Name))
	theirs := err == nil && s.isGoingOn()
	if !theirs {
		if err := writeScript(left, shell); err != nil {
			w.result.Errs = append(w.result.Errs, err)
			return // in another directory than it was meant for, a command may do anything
		}
	}
	stopped := ""
	for _, s := range steps {
		if stopped == "" && ctx.Err() != nil {
			stopped = "the watch was ended before"
		}
		t.Unit = StepUnit(s.Name)
		out := Outcome{Unit: t.Unit, Action: "run", Script: s.Name, Result: NotRun, Detail: stopped}
		if stopped == "" {
			var ended bool
			out, ended = w.step(ctx, t, s, left)
			theirs = theirs && !ended
		}
		w.result.Outcomes = append(w.result.Outcomes, out)
		if stopped == "" && (out.Result == "canceled" || !out.OK() && !s.Continue) {
			stopped = s.Name + " did not end well"
		}
	}
	if !theirs {
		w.remove(left)
	}
}

// StepUnit is the name of the unit of a step: "provisioner-runcmd-0.service".
func StepUnit(name string) string { return "provisioner-" + unitPart(name) + ".service" }

// step runs one and waits for its end. ended is false if it still goes on, and if it was never started.
func (w *Watch) step(ctx context.Context, t Transient, s plan.Step, left string) (out Outcome, ended bool) {
	p := pending{outcome: Outcome{Unit: t.Unit, Action: "run", Script: s.Name}}
	began := time.Now()
	t.Command = []string{"/bin/sh"}
	w.launch(ctx, &p, t, filepath.Join(w.options.ScriptDir, unitPart(s.Name)), stepScript(s.Text, left))
	out, ended = w.await(ctx, p)
	out.DurationMS = time.Since(began).Milliseconds()
	if !ended {
		return out, false // it still runs, and may still read its file
	}
	w.remove(p.script)
	if p.refused != nil {
		return out, false
	}
	if w.options.StepEnded != nil {
		shell, err := readShell(left)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // or another hand-off has ended with this step
			w.result.Errs = append(w.result.Errs, fmt.Errorf("keep what %s has left: %w", s.Name, err))
		}
		w.options.StepEnded(out, shell)
	}
	return out, true
}

// readShell reads what a step has left; what is too large is not kept.
func readShell(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	shell, err := io.ReadAll(io.LimitReader(f, maxShell+1))
	if err == nil && len(shell) > maxShell {
		return nil, fmt.Errorf("it is larger than %d bytes", maxShell)
	}
	return shell, err
}

// stepScript is the text of a step for the shell. In front of its first line, so that the lines of what the shell
// complains of are right, stands what brings back directory and variables, and keeps them in the end. Variables that
// are not exported are among them, as in cloud-init, which makes one script of all commands.
//
// What declare -p of bash and set of other shells print can be read again; that bash refuses to set some of its own
// variables is no matter.
func stepScript(text, left string) []byte {
	const frame = `[ ! -s FILE ] || { . FILE 2>/dev/null; cd -- "$PWD" || exit; }; ` +
		`trap '{ unset INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID; if [ "${BASH_VERSION-}" ]; then declare -p; else set; export -p; fi; } >|FILE' EXIT; `
	return []byte(strings.ReplaceAll(frame, "FILE", left) + text + "\n")
}

// maxMinutes is about as far ahead as shutdown(8) looks: a year.
const maxMinutes = 366 * 24 * 60

// TurnOff does what is wanted, if its condition holds; done says that it does. Everything that is to outlive it must be
// on disk.
func TurnOff(ctx context.Context, m Manager, p plan.Power, o Options) (done bool, err error) {
	w := watch(m, o)
	if p.Condition != "" {
		w.steps(ctx, []plan.Step{{Name: "power-state-condition", Text: p.Condition}}, nil, Transient{
			Description: "Condition of power_state", Environment: stepEnvironment[:], Timeout: conditionTime,
		})
		if len(w.result.Errs) > 0 {
			return false, w.result.Err()
		}
		switch out := w.result.Outcomes[0]; {
		case out.OK():
		case strings.HasPrefix(out.Detail, "exit-code"):
			return false, nil // it ran, and says no
		default:
			return false, errors.New(out.String())
		}
	}
	program := ""
	for _, name := range [...]string{"/usr/sbin/shutdown", "/sbin/shutdown"} {
		if _, err := os.Stat(name); err == nil {
			program = name
			break
		}
	}
	if program == "" {
		return false, errors.New("there is no shutdown(8), which would do it")
	}
	command := []string{program, "-P", "--", "now"}
	switch p.Mode {
	case "reboot":
		command[1] = "-r"
	case "halt":
		command[1] = "-H"
	}
	if p.DelayMinutes > 0 {
		command[3] = "+" + strconv.Itoa(min(p.DelayMinutes, maxMinutes))
	}
	if p.Message != "" {
		command = append(command, p.Message)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	q := pending{outcome: Outcome{Unit: "provisioner-power-state.service", Action: "run", Script: "power_state"}}
	_ = m.Reset(ctx, q.outcome.Unit)
	q.result, q.refused = m.Run(ctx, Transient{Unit: q.outcome.Unit, Description: "Act on power_state", Command: command})
	if out, ended := w.await(ctx, q); ended && !out.OK() && out.Result != "canceled" {
		return false, errors.New(out.String())
	}
	return true, nil
}

// conditionTime is how long a condition may take.
const conditionTime = 5 * time.Minute
