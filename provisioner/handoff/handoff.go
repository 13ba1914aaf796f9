// Package handoff does what cannot be undone, after the commit: it sets the hostname in the kernel, has
// systemd read its units again, runs the distribution's programs, asks for jobs, and runs scripts.
//
// [Enqueue] and then [Watch.Wait] are the things to call. Between the two a boot says [Ready]: every job is enqueued
// without blocking, so a unit that is ordered after ours cannot deadlock.
// Nothing here knows of another root than /: below a root of an image there is nothing to hand off.
package handoff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// Manager is PID 1 and its kernel, as far as a hand-off needs them. [Connect] gives the real one.
type Manager interface {
	// SetHostname sets the kernel's hostname.
	SetHostname(name string) error
	// Reload makes systemd read all unit files again. It wraps ErrNoSpace if /run is too full for that.
	Reload(ctx context.Context) error
	// Enqueue asks for a job in mode "replace" and does not wait for it. The channel gives the job's result
	// once: "done", "failed", "timeout", "dependency", "canceled" or "skipped".
	Enqueue(ctx context.Context, unit, action string) (<-chan string, error)
	// Run starts a unit that is nowhere on disk, in the same way.
	Run(ctx context.Context, t Transient) (<-chan string, error)
	// State is what a unit is at now. A unit that nobody defines has a State too.
	State(ctx context.Context, unit string) (State, error)
	// Reset makes systemd forget that a unit failed.
	Reset(ctx context.Context, unit string) error
}

// Transient is a service without a file, a oneshot one unless it notifies: its output goes to the journal.
type Transient struct {
	Unit, Description string
	Command           []string      // the program's absolute path, then its arguments, each taken literally
	After, Before     []string      // units that must have ended first, and units that wait for this one
	Environment       []string      // "NAME=value"; anybody on the machine can read it
	Timeout           time.Duration // after which systemd ends it; 0 for never
	Notify            bool          // it goes on once it has said that it is ready, as Type=notify has it
}

// State is a unit as systemd sees it.
type State struct {
	Load   string // "loaded", "not-found", "masked", "bad-setting", ...
	Active string // "active", "inactive", "failed", "activating", ...
	File   string // "enabled", "disabled", "static", ...; "" if there is no unit file
	// Result says why a service failed: "exit-code", "signal", "timeout", ...
	Result string
	// ExitStatus is the main process's: the status it exited with, or the number of the signal that ended it.
	ExitStatus int
	// Timeout is how long the unit may take to start; 0 if it sets no limit or cannot.
	Timeout time.Duration
	// Unlimited says that the unit may take for ever, as a oneshot service may unless it says otherwise.
	Unlimited bool
	// Queued says that a job of the unit waits or runs, Tried that one has run since the machine is up.
	Queued, Tried bool
	// Needs are the units without which it does not start, After and Before those that it starts after and before, and By
	// those that want it or need it.
	Needs, After, Before, By []string
}

// ErrNoSpace is wrapped by an error of Reload if systemd refused because /run has too little space.
var ErrNoSpace = errors.New("less than 16 MiB free in /run, which systemd wants for reading units again; enlarge /run or give the machine more memory")

// ErrCycle is wrapped by an error of Enqueue if the unit would wait for itself.
var ErrCycle = errors.New("units wait for each other")

// Request is what of a plan is to be handed off. It is data, to be kept from the run that commits to the
// process that watches; scripts are in it whole, so a file of it belongs to root alone.
type Request struct {
	Hostname string     `json:"hostname,omitempty"`
	Reload   bool       `json:"reload,omitempty"`
	Networkd bool       `json:"networkd,omitempty"`
	Commands []Command  `json:"commands,omitempty"`
	Jobs     []plan.Job `json:"jobs,omitempty"`
	Scripts  []Script   `json:"scripts,omitempty"`
	// Agents are units that the commands come before, asked for or not: the boot may start them.
	Agents []string `json:"agents,omitempty"`
	// Enabled are units that were to start with this boot without being asked for.
	Enabled []string `json:"enabled,omitempty"`
	// Steps run when jobs and scripts have ended. Shell is what those of an earlier boot have left for them.
	Steps []plan.Step `json:"steps,omitempty"`
	Shell []byte      `json:"shell,omitempty"`
	// Power and FinalMessage are for whoever hands off, after all of it: see [TurnOff].
	Power        *plan.Power `json:"power,omitempty"`
	FinalMessage string      `json:"final_message,omitempty"`
	// Hosts are names that the agents of Jobs have to look up: who hands off waits until they can be.
	Hosts []string `json:"hosts,omitempty"`
	// Keys is what of SSH keys is printed to the console in the end, on the first boot of an instance alone.
	Keys Keys `json:"keys,omitzero"`
}

// Keys is what of SSH keys is printed to the console.
type Keys struct {
	// Host says that the host keys are, and their fingerprints, but for keys of these types.
	Host               bool     `json:"host,omitempty"`
	WithoutFingerprint []string `json:"without_fingerprint,omitempty"`
	WithoutKey         []string `json:"without_key,omitempty"`
	// Users are those whose authorized keys are shown by their fingerprints, of the digest Hash.
	Users []string `json:"users,omitempty"`
	Hash  string   `json:"hash,omitempty"`
}

// Early is what of a request a stage may hand off on which much of the boot waits: nothing is started.
func (r Request) Early() Request { return Request{Hostname: r.Hostname, Reload: r.Reload} }

// Command is a program of the distribution to run.
type Command struct {
	Argv   []string `json:"argv"`   // the program's absolute path, then its arguments
	Inputs string   `json:"inputs"` // a digest of what it acts on
}

// Name is the name of the program, by which its outcome is known.
func (c Command) Name() string { return filepath.Base(c.Argv[0]) }

// Script is a script to run. Its first line names the interpreter.
type Script struct {
	Name string `json:"name"` // "user-data"
	// Number is its place among the scripts of the configuration, from 1, whether or not those before it are still to run: a
	// later hand-off finds its unit by that. 0 is its place in the request.
	Number  int         `json:"number,omitempty"`
	Content []byte      `json:"content"`
	When    schema.When `json:"when,omitempty"`
}

// Of is the request of a plan.
func Of(p plan.Plan) Request {
	r := Request{Hostname: p.Hostname, Reload: p.Reload, Networkd: p.Networkd, Jobs: p.Jobs, Agents: p.Agents, Hosts: p.Hosts}
	for _, c := range p.Commands {
		r.Commands = append(r.Commands, Command{Argv: c.Argv, Inputs: c.Inputs})
	}
	for i, s := range p.Scripts {
		r.Scripts = append(r.Scripts, Script{Name: s.Name, Number: i + 1, Content: s.Content, When: s.When})
	}
	r.Steps, r.Power, r.FinalMessage = p.Steps, p.Power, p.FinalMessage
	return r
}

// IsEmpty says that there is nothing to do.
func (r Request) IsEmpty() bool {
	return r.Hostname == "" && !r.Reload && !r.Networkd && len(r.Commands) == 0 && len(r.Jobs) == 0 && len(r.Scripts) == 0 && len(r.Enabled) == 0 &&
		len(r.Steps) == 0 && r.Power == nil && r.FinalMessage == ""
}

// Options are the bounds of a hand-off, and who hears of it. The zero value is ready.
type Options struct {
	// Timeout is how long a job is waited for, from when those before it in the list have ended; 90 s if 0. A
	// unit that allows itself longer (TimeoutStartSec=) is waited for as long as that.
	Timeout time.Duration
	// Unlimited is how long a unit without a limit of its own is waited for, scripts included; an hour if 0.
	Unlimited time.Duration
	// ScriptDir is the directory for scripts while they run; /run/provisioner/scripts if empty. It is made if
	// it is missing, with its parent; what is in it is for root alone.
	ScriptDir string
	// Progress, if not nil, is told what is waited for, every 15 s.
	Progress func(line string)
	// Watcher is the unit that watches, which is ended after every script and step; "" for provisioner-handoff.service.
	Watcher string
	// ScriptEnded, if not nil, is told of each command and script as soon as it has ended, well or not, whatever else is
	// waited for; not of one that was given up and outlives the watch, that could not be started, or that was canceled before
	// it had begun.
	ScriptEnded func(Outcome)
	// StepEnded, if not nil, is told of each step in the same way, with what its shell has left for the next one.
	StepEnded func(o Outcome, shell []byte)
	// Success, if not empty, is a unit to start when everything has ended well, for hooks; nobody waits for it.
	Success string
}

// Outcome is what became of one job or script.
type Outcome struct {
	Unit   string `json:"unit"`
	Action string `json:"action"` // of plan.Job; "run" of a command or script
	// Result is "done" or "skipped" if all is well, else "failed", "timeout", "dependency" or "canceled"; "not-run" of
	// a step after one that failed.
	Result string `json:"result"`
	// Detail says more, in words of ours and systemd's: "exit-code, status 3".
	Detail string `json:"detail,omitempty"`
	// ExitStatus is that of the main process if it failed, else 0.
	ExitStatus int `json:"exit_status,omitempty"`
	// DurationMS is how long a step took, in milliseconds.
	DurationMS int64 `json:"duration_ms,omitempty"`
	// Script is the name of the script, of the command's program or of the step, if it is one.
	Script string `json:"script,omitempty"`
}

// OK says that nothing is wrong.
func (o Outcome) OK() bool { return o.Result == "done" || o.Result == "skipped" }

// String is "etcd2.service: start: failed (exit-code, status 3)".
func (o Outcome) String() string {
	s := o.Unit + ": " + o.Action + ": " + o.Result
	if o.Detail != "" {
		s += " (" + o.Detail + ")"
	}
	return s
}

// Result is what became of a hand-off.
type Result struct {
	Outcomes []Outcome // commands in order, then jobs, then scripts, then steps
	// Waited is how long each of them was waited for, once those before it had ended; steps are not in it.
	Waited []time.Duration
	// Errs is what failed without being a job: the hostname, the reload.
	Errs []error
	// Refused says that nothing but the hostname was asked for, since systemd could not read its units again: what would
	// start is not what was asked for. Whoever hands off keeps the request, with its Reload, for another hand-off; until
	// then nothing counts as handed off, and the machine is not turned off.
	Refused bool
}

// Err is nil if the whole hand-off worked; else it names everything that did not.
func (r Result) Err() error {
	errs := append([]error(nil), r.Errs...)
	for _, o := range r.Outcomes {
		if !o.OK() {
			errs = append(errs, errors.New(o.String()))
		}
	}
	return errors.Join(errs...)
}

const (
	defaultTimeout   = 90 * time.Second
	defaultUnlimited = time.Hour
	answerTimeout    = 30 * time.Second // for an answer of PID 1 that needs no work
	heartbeat        = 15 * time.Second

	networkdUnit = "systemd-networkd.service"
)

// Watch is a hand-off under way.
type Watch struct {
	manager Manager
	options Options
	result  Result
	pending []pending
	before  map[string]State // of the units of jobs, before they were asked for
	request Request          // its steps are run by Wait; empty if nothing was asked for
	ended   chan end         // of scripts and commands, in case something else is waited for
	last    time.Time        // until when an end is waited for although the watch was ended; zero as long as it was not
}

// pending is an outcome to come. Exactly one of result and refused is set.
type pending struct {
	outcome Outcome
	result  <-chan string
	refused error
	script  string // the file to remove when a script has ended, if it is of our making
	untold  bool   // that it has ended is of no use to ScriptEnded
	over    bool   // it has ended, and the outcome says how
}

// end is a result that is there, with the place in Watch.pending of what it is of.
type end struct {
	of     int
	result string
}

// Enqueue does everything but wait: hostname, one reload if units changed, the commands, which the units of the
// jobs wait for, the jobs in order, then the scripts, each ordered after the one before. If units cannot be read again it asks for none of
// that, and the result is Refused. Wait has the errors of all of it.
func Enqueue(ctx context.Context, m Manager, r Request, o Options) *Watch {
	w := watch(m, o)
	o = w.options
	if r.Hostname != "" {
		if err := m.SetHostname(r.Hostname); err != nil {
			w.result.Errs = append(w.result.Errs, fmt.Errorf("set hostname: %w", err))
		}
	}
	if r.Reload {
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		if err := m.Reload(ctx); err != nil {
			w.result.Errs = append(w.result.Errs, fmt.Errorf("reload units: %w", err))
			w.result.Refused = true
			return w
		}
	}
	after := ""
	for i, c := range r.Commands {
		after = w.command(ctx, i+1, c, after, r)
	}
	jobs := r.Jobs
	if r.Networkd {
		jobs = append([]plan.Job{{Unit: networkdUnit, Action: "reload-or-try-restart"}}, jobs...)
	}
	for _, j := range w.inOrder(ctx, jobs) {
		w.enqueue(ctx, j)
	}
	for _, unit := range r.Agents {
		w.join(ctx, unit)
	}
	for i, s := range r.Scripts {
		// After the unit that watches, so that it sees what becomes of them when the machine goes down.
		if s.Number == 0 {
			s.Number = i + 1
		}
		after = w.run(ctx, Transient{Unit: ScriptUnit(s), Description: "Script from user-data", After: []string{w.watcher()}, Environment: []string{WithinVariable + "=1"}}, s, after)
	}
	w.request = r
	return w
}

// Refused says that nothing was asked for, as in [Result].
func (w *Watch) Refused() bool { return w.result.Refused }

// ScriptUnit is the name of the unit of a script.
func ScriptUnit(s Script) string {
	return fmt.Sprintf("provisioner-script-%s-%d.service", unitPart(s.Name), s.Number)
}

// Boothooks runs scripts one after the other, and waits for all of them. After limit systemd ends the one that runs;
// when ctx ends, no more of them are waited for. They have the id of the instance in INSTANCE_ID.
func Boothooks(ctx context.Context, m Manager, hooks []Script, instance string, limit time.Duration, o Options) Result {
	w, after := watch(m, o), ""
	for i, s := range hooks {
		after = w.run(ctx, Transient{
			Unit: fmt.Sprintf("provisioner-boothook-%s-%d.service", unitPart(s.Name), i+1), Description: "Boothook from user-data",
			Environment: []string{"INSTANCE_ID=" + instance}, Timeout: limit,
		}, s, after)
	}
	return w.Wait(ctx)
}

func watch(m Manager, o Options) *Watch {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Unlimited == 0 {
		o.Unlimited = defaultUnlimited
	}
	if o.ScriptDir == "" {
		o.ScriptDir = "/run/provisioner/scripts"
	}
	return &Watch{manager: m, options: o, before: map[string]State{}}
}

func (w *Watch) enqueue(ctx context.Context, j plan.Job) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	result, err := w.manager.Enqueue(ctx, j.Unit, j.Action)
	w.pending = append(w.pending, pending{
		outcome: Outcome{Unit: j.Unit, Action: j.Action},
		result:  result,
		refused: err,
	})
}

// inOrder is the jobs in the order in which their units start, and else as they were. A unit that waits for another
// one waits for its job only if that is there already.
func (w *Watch) inOrder(ctx context.Context, jobs []plan.Job) (out []plan.Job) {
	at := map[string][]int{}
	for i, j := range jobs {
		at[j.Unit] = append(at[j.Unit], i)
	}
	placed := make([]bool, len(jobs))
	var place func(i int)
	place = func(i int) {
		if placed[i] {
			return
		}
		placed[i] = true
		s, err := w.state(ctx, jobs[i].Unit)
		if err == nil {
			w.before[jobs[i].Unit] = s
		}
		for _, earlier := range s.After {
			for _, k := range at[earlier] {
				place(k)
			}
		}
		out = append(out, jobs[i])
	}
	for i := range jobs {
		place(i)
	}
	return out
}

// join has the start of an agent watched that the boot itself asks for, if it is still to come.
func (w *Watch) join(ctx context.Context, unit string) {
	for _, p := range w.pending {
		if p.outcome.Unit == unit {
			return
		}
	}
	if s, err := w.state(ctx, unit); err == nil && s.Queued && s.Active == "inactive" {
		w.enqueue(ctx, plan.Job{Unit: unit, Action: "start"}) // which is the job that is there
	}
}

// Wait collects the results in order, and then runs the steps. When ctx ends it stops waiting; jobs and scripts go on.
// Those scripts and steps that end within five seconds from then are told of all the same. Call it once.
func (w *Watch) Wait(ctx context.Context) Result {
	stop := make(chan struct{})
	defer close(stop)
	w.listen(stop)
	for i := range w.pending {
		p, began := &w.pending[i], time.Now()
		if !p.over {
			if p.outcome, p.over = w.await(ctx, *p); p.over {
				p.untold = p.untold || p.outcome.Result == "canceled" && !w.hasBegun(i)
				w.tell(p)
			}
		}
		w.result.Waited = append(w.result.Waited, time.Since(began))
		w.result.Outcomes = append(w.result.Outcomes, p.outcome)
	}
	w.runSteps(ctx, w.request)
	w.lookAgain(ctx)
	w.edges(ctx)
	for _, unit := range w.request.Enabled {
		if ring := w.dropped(ctx, unit); ring != "" {
			w.result.Waited = append(w.result.Waited, 0)
			w.result.Outcomes = append(w.result.Outcomes, Outcome{Unit: unit, Action: "start", Result: "canceled", Detail: ring})
		}
	}
	if w.options.Success != "" && w.result.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		if s, err := w.state(ctx, w.options.Success); err == nil && s.Load == "not-found" {
			return w.result // an image that has our program alone
		}
		if _, err := w.manager.Enqueue(ctx, w.options.Success, "start"); err != nil {
			w.result.Errs = append(w.result.Errs, fmt.Errorf("start %s: %w", w.options.Success, err))
		}
	}
	return w.result
}

// listen has the ends of scripts and commands heard at once, until stop is closed: a job before them may take very long.
func (w *Watch) listen(stop <-chan struct{}) {
	w.ended = make(chan end, len(w.pending))
	for i := range w.pending {
		p := &w.pending[i]
		if p.outcome.Script == "" || p.refused != nil {
			continue
		}
		from, to := p.result, make(chan string, 1)
		p.result = to
		go func() {
			select {
			case result := <-from:
				to <- result
				w.ended <- end{i, result}
			case <-stop:
			}
		}()
	}
}

// hasBegun says that a script or command has, given that those before it were waited for: that the one that it is ordered
// after has ended. One that has not runs on the next boot.
func (w *Watch) hasBegun(i int) bool {
	for i--; i >= 0; i-- {
		if p := w.pending[i]; p.outcome.Script != "" && p.refused == nil {
			return p.over && p.outcome.Result != "canceled"
		}
	}
	return true
}

// tell tells of one that is over, and removes its file. One that was given up still runs, and may still read it.
func (w *Watch) tell(p *pending) {
	w.remove(p.script)
	if p.outcome.Script != "" && p.refused == nil && !p.untold && w.options.ScriptEnded != nil {
		w.options.ScriptEnded(p.outcome)
	}
}

// remove removes a file of ours, if there is one.
func (w *Watch) remove(file string) {
	if file == "" {
		return
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.result.Errs = append(w.result.Errs, fmt.Errorf("remove a script that has ended: %w", err))
	}
}

// await waits for one result. ended is false if the job may still be going on.
func (w *Watch) await(ctx context.Context, p pending) (out Outcome, ended bool) {
	out = p.outcome
	if p.refused != nil {
		out.Result, out.Detail = "failed", p.refused.Error()
		if errors.Is(p.refused, ErrCycle) {
			out.Detail = w.explainCycle(ctx, out.Unit)
		}
		return out, true
	}
	began, limit := time.Now(), w.limit(ctx, out.Unit)
	late := time.NewTimer(limit)
	defer late.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case out.Result = <-p.result:
			w.explain(ctx, &out)
			return out, true
		case <-late.C:
			out.Result, out.Detail = "timeout", fmt.Sprintf("not ended after %s; it goes on unwatched", limit)
			return out, false
		case <-ctx.Done():
			return w.awaitLast(ctx, p)
		case e := <-w.ended:
			// Whether one that was canceled has begun is known once those before it are over.
			if q := &w.pending[e.of]; !q.over && q.outcome.Unit != out.Unit && e.result != "canceled" {
				q.outcome.Result, q.over = e.result, true
				w.explain(ctx, &q.outcome)
				w.tell(q)
			}
		case <-beat.C:
			if s, err := w.state(ctx, out.Unit); err == nil && !s.Queued {
				// The connection broke, as when systemd executes itself anew, and the signal with it; the
				// unit's state says as much.
				lost := "done"
				if s.Active == "failed" {
					lost = "failed"
				}
				if out.Result, ended = p.isThere(); !ended {
					out.Result = lost
				}
				w.explain(ctx, &out)
				return out, true
			}
			w.progress("waiting for %s of %s for %s, at most %s", out.Action, out.Unit, time.Since(began).Round(time.Second), limit)
		}
	}
}

// moment is how long the ends of scripts and steps are waited for when the watch was ended, all together: less than
// systemd gives a service to stop. What ends the watch, a machine that goes down, may be their own doing, and on the next
// boot they would do it again.
const moment = 5 * time.Second

// awaitLast is await once the watch was ended.
func (w *Watch) awaitLast(ctx context.Context, p pending) (out Outcome, ended bool) {
	if w.last.IsZero() {
		w.last = time.Now().Add(moment)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), w.last)
	defer cancel()
	out = p.outcome
	out.Result, ended = p.isThere()
	if !ended && out.Script != "" {
		select {
		case out.Result = <-p.result:
			ended = true
		case <-ctx.Done():
		}
	}
	if !ended {
		out.Result, out.Detail = "canceled", "the watch was ended before the job"
		return out, false
	}
	w.explain(ctx, &out)
	return out, true
}

// isThere is the result, if it is there already.
func (p pending) isThere() (result string, is bool) {
	select {
	case result = <-p.result:
		return result, true
	default:
		return "", false
	}
}

// limit is how long to wait for a job of a unit.
func (w *Watch) limit(ctx context.Context, unit string) time.Duration {
	s, known := w.before[unit]
	var err error
	if !known {
		s, err = w.state(ctx, unit)
	}
	switch {
	case err != nil:
		return w.options.Timeout
	case s.Unlimited:
		return w.options.Unlimited
	case s.Timeout > 0:
		// systemd ends the unit at its own limit; leave it the time to say so.
		return max(w.options.Timeout, s.Timeout+10*time.Second)
	}
	return w.options.Timeout
}

// explain adds what systemd knows of a failure.
func (w *Watch) explain(ctx context.Context, out *Outcome) {
	if out.OK() {
		return
	}
	s, err := w.state(ctx, out.Unit)
	switch {
	case err != nil:
	case s.Load != "loaded":
		out.Detail = "unit is " + s.Load
	case out.Result == "dependency":
		if culprit := w.culprit(ctx, s.Needs, map[string]bool{out.Unit: true}); culprit != "" {
			out.Detail = "needs " + culprit
		}
	case out.Result == "canceled":
		out.Detail = "something else was asked of it meanwhile"
	case s.hasFailed():
		out.Detail, out.ExitStatus = s.failure(), s.ExitStatus
	}
	if out.Script != "" && ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		// Or the unit of a failed script would stay until the next boot, and its name be taken.
		if err := w.manager.Reset(ctx, out.Unit); err != nil {
			w.result.Errs = append(w.result.Errs, fmt.Errorf("forget %s: %w", out.Unit, err))
		}
	}
}

// lookAgain finds units whose start was done and that have failed since: a service of type simple counts as
// started before it has read its settings.
func (w *Watch) lookAgain(ctx context.Context) {
	for i := range w.result.Outcomes {
		out := &w.result.Outcomes[i]
		if out.Result != "done" || out.Script != "" || out.Action == "stop" {
			continue
		}
		if s, err := w.state(ctx, out.Unit); err == nil && s.Active == "failed" {
			out.Result = "failed"
			w.explain(ctx, out)
		}
	}
}

func (w *Watch) state(ctx context.Context, unit string) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return w.manager.State(ctx, unit)
}

func (w *Watch) progress(format string, args ...any) {
	if w.options.Progress != nil {
		w.options.Progress(fmt.Sprintf(format, args...))
	}
}
