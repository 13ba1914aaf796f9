package firstboot

import (
	"context"
	"fmt"
	"io"
	"strings"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
)

// enter says that a stage begins.
func (r *run) enter(stage string) {
	if r.Stage == "" {
		r.Log.Info("began", report.MessageIDKey, report.MessageBegan)
	}
	r.Enter(stage, r.Now())
	r.Log.Info("stage: "+stage, report.MessageIDKey, report.MessageStage, "stage", stage)
}

// waiting says that the stage at hand waits for something from now on; the report has how long, once the wait has ended.
func (r *run) waiting(what string) (ended func()) {
	began := r.Now()
	return func() { r.Waited(what, r.Now().Sub(began)) }
}

// say writes a line to the console.
func (r *run) say(stage, format string, args ...any) { r.Console.Say(stage, format, args...) }

// find adds findings.
func (r *run) find(found diag.List) { r.found = append(r.found, found...).Sorted() }

// failed keeps an error and is the state that goes with it.
func (r *run) failed(err error) report.State {
	r.Fail(err)
	for line := range strings.Lines(err.Error()) {
		r.say(r.Stage, "%s", strings.TrimSuffix(line, "\n"))
	}
	return report.Failed
}

// refused is the state of a configuration that is wrong.
func (r *run) refused() report.State {
	r.say(r.Stage, "the configuration is refused; nothing of it is applied")
	return report.Refused
}

// degraded keeps an error of what comes after the commit.
func (r *run) degraded(err error) report.State {
	r.failed(fmt.Errorf("after the commit: %w", err))
	return report.Degraded
}

// worse is the state of two that says more of what went wrong.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func worse(a, b report.State) report.State {
	for _, s := range []report.State{report.Failed, report.Refused, report.Degraded} {
		if a == s || b == s {
			return s
		}
	}
	return a
}

// end closes the report, tells the findings as a machine may, without a word of the user's, and writes it all.
func (r *run) end(ctx context.Context, state report.State) {
	r.conclude()
	r.Finish(state, r.Now())
	if !r.byHand {
		_, _ = io.WriteString(r.Console.W, report.Trouble(&r.Status)) // last, where it is seen
	}
	r.publish(ctx)
	r.tellWaiting(ctx)
	r.Log.Log(ctx, state.Level(), "finished: "+string(state), report.MessageIDKey, state.MessageID(),
		"state", string(state), "exit_status", r.ExitStatus, "datasource", r.Datasource, "stage", r.FailedStage)
}

// conclude tells the findings.
func (r *run) conclude() {
	r.Diagnose(r.found)
	// A console that cannot be written to is no reason to stop.
	_ = diag.Write(r.Console.W, r.found.Redacted(), diag.Options{Format: "text"})
	r.found = nil
}

// publish writes the report as it is, whatever has become of the context. That it cannot be written is told and
// changes nothing else.
func (r *run) publish(ctx context.Context) {
	if r.shutOut {
		return
	}
	if r.Report.PID = 0; r.State == report.Running {
		r.Report.PID = r.Env.PID
	}
	changes, err := report.Files(r.Report)
	if r.Live {
		changes = append(changes, report.Issue(&r.Status)...)
	}
	if err == nil {
		err = r.write(context.WithoutCancel(ctx), changes)
	}
	if err != nil {
		r.say("report", "%v", err)
		return
	}
	r.published = true
}

// write writes below /run, under the lock.
func (r *run) write(ctx context.Context, changes []plan.Change) error {
	if r.locked {
		return commit.Write(ctx, r.Root, changes)
	}
	unlock, err := commit.Lock(ctx, r.Root, r.patience, func(string) {})
	if err != nil {
		return err
	}
	defer unlock()
	return commit.Write(ctx, r.Root, changes)
}
