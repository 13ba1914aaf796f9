package firstboot

import (
	"context"
	"fmt"
	"slices"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// mayBegin is how often a script or step is begun that never ends, since the machine goes down each time.
const mayBegin = 3

// duty is a script or step of a request that is to end once.
type duty struct {
	digest, name, unit string
	when               schema.When
}

// duties are in the order in which they run.
func (r *run) duties() (all []duty) {
	for _, s := range r.request.Scripts {
		if s.When != schema.PerBoot {
			all = append(all, duty{plan.Digest(s.Content), s.Name, handoff.ScriptUnit(s), s.When})
		}
	}
	for _, s := range r.request.Steps {
		all = append(all, duty{stepDigest(s.Name, s.Text), s.Name, handoff.StepUnit(s.Name), schema.PerInstance})
	}
	return all
}

// follow notes in what has ended that what comes after it begins; nothing does after the last.
func (r *run) follow(s *state.Scripts, digest string) {
	s.Begun, s.Times = "", 0
	all := r.duties()
	if i := slices.IndexFunc(all, func(d duty) bool { return d.digest == digest }); i >= 0 && i+1 < len(all) {
		s.Begun, s.Times = all[i+1].digest, 1
	}
}

// beginDuties notes that the first duty begins. One that was begun so often and never ended is given up, so that no machine
// starts again and again: it may crash the machine, or start it again without an orderly shutdown.
func (r *run) beginDuties(ctx context.Context) report.State {
	st := report.Done
	for all := r.duties(); r.instance != "" && len(all) > 0; all = r.duties() {
		e, err := r.scriptsEnded()
		if err != nil {
			return r.degraded(err)
		}
		d, s := all[0], e.instance
		if s.Begun != d.digest {
			s.Begun, s.Times = d.digest, 0
		}
		if s.Times++; s.Times <= mayBegin {
			return worse(st, r.keepBegun(ctx, s))
		}
		if kept := r.giveUp(ctx, d); kept != report.Done {
			return kept
		}
		st = report.Degraded
	}
	return st
}

// giveUp marks a duty as ended, and drops it from the request; of a step, those after it too.
func (r *run) giveUp(ctx context.Context, d duty) report.State {
	const result = "given-up"
	if st := r.markEnded(ctx, d.digest, d.when, result); st != report.Done {
		return st
	}
	r.told("hand off", handoff.Result{Outcomes: []handoff.Outcome{{
		Unit: d.unit, Action: "run", Script: d.name, Result: result,
		Detail: fmt.Sprintf("the machine went down %d times before it had ended; with another text it runs again", mayBegin),
	}}})
	r.request.Scripts = slices.DeleteFunc(r.request.Scripts, func(s handoff.Script) bool { return s.When == d.when && plan.Digest(s.Content) == d.digest })
	ended, err := r.scriptsEnded()
	if err != nil {
		return r.degraded(err)
	}
	r.dropEndedSteps(&r.request.Steps, &r.request.Power, ended)
	return report.Done
}

// stayedUp notes that the machine has not gone down: what has not ended yet was refused, or still runs.
func (r *run) stayedUp(ctx context.Context) report.State {
	e, err := r.scriptsEnded()
	if err != nil || e.instance.Begun == "" || r.instance == "" {
		return r.settled(err)
	}
	e.instance.Begun, e.instance.Times = "", 0
	return r.keepBegun(ctx, e.instance)
}

func (r *run) keepBegun(ctx context.Context, s state.Scripts) report.State {
	s.Version = 1
	if s.Ended == nil {
		s.Ended = map[string]string{}
	}
	return r.keep(context.WithoutCancel(ctx), func() (plan.Change, error) { return state.File(r.instance, state.ScriptsFile, s) })
}
