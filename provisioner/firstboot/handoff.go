package firstboot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// noted is for a hand-off that nobody waits to see enqueued.
func noted() error { return nil }

// connect connects to systemd; done ends the connection.
func (r *run) connect(ctx context.Context) (m handoff.Manager, done func(), err error) {
	m, err = r.Manager(context.WithoutCancel(ctx)) // what ends together with us is still to be heard of
	if err != nil {
		return nil, nil, fmt.Errorf("connect to systemd: %w", err)
	}
	if c, ok := m.(interface{ Close() }); ok {
		return m, c.Close, nil
	}
	return m, func() {}, nil
}

// committedPatience is how long the lock is waited for once something is committed: a run that has it may check a network for
// minutes, and a script that has ended must not run again because that could not be written down.
const committedPatience = 10 * time.Minute

// handOff gives the request to systemd; enqueued is called once every job is in its queue. Where systemd could not read its units
// again nothing is, and the request is kept for another hand-off.
func (r *run) handOff(ctx context.Context, o handoff.Options, enqueued func() error) report.State {
	r.enter("hand off")
	r.patience = committedPatience
	r.request.Reload = r.request.Reload || r.owesReload()
	m, done, err := r.connect(ctx)
	if err != nil {
		return r.degraded(err)
	}
	defer done()
	digests, often := map[string]string{}, map[string]schema.When{}
	for _, c := range r.request.Commands {
		digests[c.Name()] = c.Inputs
	}
	for _, s := range r.request.Scripts {
		digests[s.Name], often[s.Name] = plan.Digest(s.Content), s.When
	}
	o.ScriptDir, o.Watcher = r.Scripts, r.Watcher
	o.Progress = func(line string) { r.say("hand off", "%s", line) }
	st := report.Done
	o.ScriptEnded = func(script handoff.Outcome) {
		if r.markEnded(ctx, digests[script.Script], often[script.Script], script.Result) != report.Done {
			st = report.Degraded // a later boot runs it again
		}
	}
	o.StepEnded = func(step handoff.Outcome, shell []byte) {
		if r.markStep(ctx, step, shell) != report.Done {
			st = report.Degraded // a later boot runs it again
		}
	}
	r.awaitNames(ctx)
	if err := r.loadShell(); err != nil {
		st, r.request.Steps = r.degraded(err), nil // without it they might do anything
	}
	st = worse(st, r.beginDuties(ctx))
	watch := handoff.Enqueue(ctx, m, r.request, o)
	if watch.Refused() {
		enqueued = handoff.Ready // what waits for us is not to wait for that
	}
	err = errors.Join(enqueued(), r.oweReload(ctx, watch.Refused()))
	if err != nil {
		st = worse(st, r.degraded(err))
	}
	result := watch.Wait(ctx)
	r.handed = ctx.Err() == nil && !result.Refused
	if ctx.Err() == nil {
		st = worse(st, r.stayedUp(ctx))
	}
	if r.told("hand off", result) != report.Done {
		return report.Degraded
	}
	if n := len(result.Outcomes); n > 0 {
		r.say("hand off", "%d jobs, scripts and commands ended well", n)
	}
	return st
}

// ErrHalfway is wrapped if a boot finds another configuration than the one of which an earlier one has committed the files and
// has not got as far as to start everything. Half of one and half of another is nothing that anybody has asked for.
var ErrHalfway = errors.New("nothing more is done; provisioner apply applies what the user-data is now")

// short is a digest as people compare it.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// isHandedOff says that everything a configuration asks for was asked of systemd, and has ended, well or not.
func (r *run) isHandedOff(digest string) (bool, error) {
	var handed state.HandedOff
	_, err := state.Read(r.Root, r.instance, state.HandedFile, &handed)
	return handed.Digest == digest, err
}

// markHandedOff remembers that the hand-off of a configuration has ended. It writes nothing if that is known.
func (r *run) markHandedOff(ctx context.Context, digest string) report.State {
	if r.instance == "" || digest == "" || !r.handed && !r.request.IsEmpty() {
		return report.Done
	}
	if ended, err := r.isHandedOff(digest); err != nil || ended {
		return r.settled(err)
	}
	return r.keep(context.WithoutCancel(ctx), func() (plan.Change, error) {
		return state.File(r.instance, state.HandedFile, state.HandedOff{Version: 1, Digest: digest})
	})
}

// settled is the state that goes with an error after the commit, or with none.
func (r *run) settled(err error) report.State {
	if err != nil {
		return r.degraded(err)
	}
	return report.Done
}
