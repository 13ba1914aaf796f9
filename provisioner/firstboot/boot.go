package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// continued is the run of a boot that an earlier stage has begun; if none has, it begins here. A report is left to the next
// stage by one without a process ([run.pass]): any other is of a run that goes on or was killed.
func continued(env Env) *run {
	r := begin(env)
	// A report that cannot be read is begun anew.
	if kept := r.onDisk(); kept != nil && kept.PID == 0 && (kept.State == report.Running || kept.State == report.None) {
		r.Report, r.published = kept, true
	}
	return r
}

// onDisk is the report that was published last; nil if none can be read.
func (r *run) onDisk() *report.Report {
	data, _, err := r.Root.ReadFile(path.Join(report.Dir, report.ResultFile), maxResult)
	if err != nil {
		return nil
	}
	kept := report.New(r.Versions, r.Now())
	if json.Unmarshal(data, kept) != nil {
		return nil
	}
	return kept
}

// pass leaves the report to the next stage of the boot, or ends it if this one went wrong.
func (r *run) pass(ctx context.Context, st report.State) *report.Report {
	if st != report.Done {
		r.end(ctx, st)
		return r.Report
	}
	r.conclude()
	r.Env.PID = 0
	r.publish(ctx)
	return r.Report
}

// BootMain is the stage that applies the configuration. What is to be handed off is left for BootHandoff, and
// the report stays open until that ends.
func BootMain(ctx context.Context, env Env) *report.Report {
	r := continued(env)
	if r.isStill() {
		return r.Report
	}
	if isLeft(r.Root) {
		return r.passOn(ctx)
	}
	st := worse(r.whole(ctx, r.appliedBefore), r.networkState())
	r.tellPlatform(ctx, st)
	if st == report.Done || st == report.Degraded {
		r.patience = committedPatience
		err := r.leave(ctx)
		if err == nil {
			// What is committed is handed off, whatever went wrong after the commit: that is in the report, and
			// BootHandoff ends with it.
			return r.passToHandoff(ctx)
		}
		// To hand off here would be to wait for units that wait for this stage.
		st = r.degraded(fmt.Errorf("nothing was started (systemctl restart provisioner tries again): %w", err))
	} else if early := r.request.Early(); !early.IsEmpty() {
		r.request = early
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted)) // nobody comes after us
	}
	r.end(ctx, st)
	r.tell(ctx)
	return r.Report
}

// passOn is BootMain where the first stage has applied everything: only a network that it wrote is left to be checked.
func (r *run) passOn(ctx context.Context) *report.Report {
	r.underLock(ctx, func() report.State { return r.resume(ctx) })
	r.networkState() // what is wrong with it is in the report, and BootHandoff ends with it
	return r.passToHandoff(ctx)
}

// passToHandoff leaves the report to BootHandoff, if that comes.
func (r *run) passToHandoff(ctx context.Context) *report.Report {
	r.enter("hand off")
	if err := r.willStart(ctx, handoffUnit); err != nil {
		return r.pass(ctx, r.degraded(err))
	}
	return r.pass(ctx, report.Done)
}

// BootHandoff is the last stage: it asks systemd for everything, says that it has, and goes on watching. A request
// is handed off once: it is thrown away as soon as everything in it is enqueued.
func BootHandoff(ctx context.Context, env Env) *report.Report {
	r := continued(env)
	release, other := r.alone(ctx, 0)
	defer release()
	was, there, err := r.readLeft()
	if still := r.isStill(); still || !there && !other {
		// Nothing was committed, or it is handed off already.
		if err := handoff.Ready(); err != nil {
			r.failed(err)
		}
		if !still {
			r.Finish(report.Done, r.Now())
		}
		return r.Report
	}
	applied := ""
	if err == nil {
		r.request = was.Request
		if r.instance, err = state.CurrentDir(r.Root); err == nil {
			applied, err = r.appliedDigest()
		}
	}
	switch {
	case err != nil:
		r.end(ctx, r.degraded(err))
		r.tell(ctx)
		return r.Report
	case other || applied != was.Of:
		return r.standBack(ctx, was)
	}
	r.publish(ctx)
	r.request.Enabled = append(r.request.Enabled, "provisioner.target") // nothing else would miss it
	st, o := report.Done, handoff.Options{Success: "provisioner-success.target"}
	if len(r.Errors) > 0 { // of BootMain, after the commit
		st, o.Success = report.Degraded, ""
	}
	st = worse(st, r.handOff(ctx, o, func() error {
		return errors.Join(r.throwAway(), r.endFirst(), handoff.Ready())
	}))
	st = worse(st, r.markHandedOff(ctx, was.Of))
	if later := r.onDisk(); later != nil && !later.Started.Equal(r.Started) {
		r.shutOut = true // another run has begun since, and what is published is of that
	}
	r.showKeys(ctx)
	r.end(ctx, st)
	r.printFinalMessage()
	r.tell(ctx)
	r.turnOff(ctx)
	return r.Report
}
