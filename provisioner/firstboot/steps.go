package firstboot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// bootcmd may take so long, each of its commands and all together: the boot goes on without it then.
const (
	bootStepTime  = 5 * time.Minute
	bootStepsTime = 10 * time.Minute
)

// runBootSteps runs the commands of bootcmd. One that fails stops those after it and nothing else.
func (r *run) runBootSteps(ctx context.Context, steps []plan.Step) report.State {
	if len(steps) == 0 {
		return report.Done
	}
	return r.runEarly(ctx, "bootcmd", len(steps), bootStepsTime, func(ctx context.Context, m handoff.Manager, o handoff.Options) handoff.Result {
		return handoff.BootSteps(ctx, m, steps, r.instanceID(), bootStepTime, o)
	})
}

// stepDigest is what a step is known by once it has ended. The name is in it, so that the same command twice runs twice.
func stepDigest(name, text string) string { return plan.Digest([]byte(name + "\x00" + text)) }

// powerDigest is what power_state is known by: it is acted on once for each instance, whatever it says.
var powerDigest = stepDigest("power_state", "")

// dropEndedSteps leaves the steps that are still to run, and what is still to become of the machine. After a step that
// has failed none is, on this boot or a later one. One that was ended because the machine went down has not failed: it
// may have asked for that, and would again.
func (r *run) dropEndedSteps(steps *[]plan.Step, power **plan.Power, ended ended) {
	if ended.instance.Ended[powerDigest] != "" {
		*power = nil
	}
	var rest []plan.Step
	var left handoff.Result
	failed := ""
	for _, s := range *steps {
		result := ended.instance.Ended[stepDigest(s.Name, s.Text)]
		switch {
		case failed != "":
			left.Outcomes = append(left.Outcomes, handoff.Outcome{
				Unit: handoff.StepUnit(s.Name), Action: "run", Script: s.Name, Result: "skipped", Detail: failed + " failed on an earlier run",
			})
		case result == "":
			rest = append(rest, s)
		case stops(result, s):
			failed = s.Name
		}
	}
	if len(left.Outcomes) > 0 {
		r.say("hand off", "the commands after %[2]s, %[1]d in all, are not run: it failed earlier", len(left.Outcomes), failed)
		r.HandOff(left)
	}
	*steps = rest
}

// stops says that after a step that has ended so none is run any more.
func stops(result string, s plan.Step) bool {
	return result != "done" && result != "canceled" && !s.Continue
}

// loadShell takes up what the steps of an earlier boot have left for those that are to run.
func (r *run) loadShell() error {
	if len(r.request.Steps) == 0 || r.instance == "" {
		return nil
	}
	var err error
	r.request.Shell, _, err = state.ReadBytes(r.Root, r.instance, state.ShellFile)
	return err
}

// markStep remembers that a step has ended, well or not, with what its shell leaves for the next; after the last one
// that is thrown away.
func (r *run) markStep(ctx context.Context, o handoff.Outcome, shell []byte) report.State {
	digest, last := "", true
	for i, s := range r.request.Steps {
		if s.Name == o.Script {
			digest = stepDigest(s.Name, s.Text)
			last = i == len(r.request.Steps)-1 || stops(o.Result, s)
		}
	}
	kept := state.Bytes(r.instance, state.ShellFile, shell)
	if last {
		kept = plan.Change{Kind: plan.Remove, Path: kept.Path, Origin: plan.OriginState}
	}
	return r.keepAll(context.WithoutCancel(ctx), func() ([]plan.Change, error) {
		mark, err := r.markOf(digest, o.Result)
		return []plan.Change{mark, kept}, err
	})
}

// markOf is the change that remembers that something has ended on this instance.
func (r *run) markOf(digest, result string) (plan.Change, error) {
	e, err := r.scriptsEnded()
	if err != nil {
		return plan.Change{}, err
	}
	s := e.instance
	s.Version = 1
	if s.Ended == nil {
		s.Ended = map[string]string{}
	}
	s.Ended[digest] = result
	r.follow(&s, digest)
	return state.File(r.instance, state.ScriptsFile, s)
}

// turnOff does what power_state asks for, once for each instance: it is marked as done before it is, so that no machine
// starts again and again.
func (r *run) turnOff(ctx context.Context) {
	p := r.request.Power
	if p == nil || !r.Live || !r.handed || ctx.Err() != nil {
		return
	}
	done := false
	st := r.keep(ctx, func() (plan.Change, error) {
		e, err := r.scriptsEnded()
		if done = e.instance.Ended[powerDigest] != ""; err != nil {
			return plan.Change{}, err
		}
		return r.markOf(powerDigest, "done")
	})
	if st == report.Done && !done {
		st = r.actOnPower(ctx, *p)
	}
	if st != report.Done {
		r.end(ctx, worse(r.State, report.Degraded))
	}
}

func (r *run) actOnPower(ctx context.Context, p plan.Power) report.State {
	m, done, err := r.connect(ctx)
	if err != nil {
		return r.failed(err)
	}
	defer done()
	r.say("power state", "%s", p.Mode)
	acted, err := handoff.TurnOff(ctx, m, p, handoff.Options{ScriptDir: r.Scripts})
	switch {
	case err != nil:
		return r.failed(fmt.Errorf("power state: %w", err))
	case !acted:
		r.say("power state", "its condition does not hold")
	}
	return report.Done
}

// printFinalMessage prints what the user wants to read at the end of a boot.
func (r *run) printFinalMessage() {
	if r.request.FinalMessage == "" {
		return
	}
	r.Console.Print(report.FinalMessage(r.request.FinalMessage, map[string]string{
		"version": r.Version, "datasource": r.Datasource, "uptime": r.uptime(),
		"timestamp": r.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"),
	}))
}

// uptime is for how many seconds the machine has been up, "12.34"; "" if that cannot be known.
func (r *run) uptime() string {
	text, _ := os.ReadFile(filepath.Join("/", r.Env.Sources.Root, "proc/uptime"))
	seconds, _, _ := strings.Cut(string(text), " ")
	return seconds
}
