package firstboot

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fingerprints"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// commit plans the configuration and makes it so.
func (r *run) commit(ctx context.Context) report.State {
	r.enter("plan")
	applied, err := r.applied()
	if err != nil {
		return r.failed(err)
	}
	p, found, st := r.transact(ctx, r.config, applied, func(p plan.Plan) ([]plan.Change, error) {
		return r.stateOf(p, applied != nil && applied.Same)
	})
	if st == report.Refused && r.offline {
		return st // a later stage waits for what is missing, or tells it
	}
	r.find(found)
	if st == report.Refused {
		return r.refused()
	}
	if st == report.Failed {
		return st
	}
	if err := r.takeDown(ctx, p); err != nil {
		st = worse(st, r.degraded(err))
	}
	r.tellLeft(p)
	before := r.request
	r.request = handoff.Of(p)
	if err := r.dropEndedRequest(); err != nil {
		r.request = before
		return worse(st, r.degraded(err))
	}
	r.request.Keys = fingerprints.Shown(r.config, r.settings.DefaultUser)
	r.request.Networkd = r.request.Networkd && (!r.tries() || othersNetwork(p))
	if r.request.Hostname == "" {
		r.request.Hostname = before.Hostname
	}
	r.request.Reload = r.request.Reload || before.Reload
	r.request.Jobs = append(before.Jobs, r.request.Jobs...)
	return st
}

// attempts is how often a plan is made because somebody else changed the machine meanwhile.
const attempts = 3

// transact computes a plan, adds our own state to it, and commits it all; if somebody else changes what it is
// about, it plans again. The findings of the machine come back; if one is an error, nothing was done and the
// state is Refused.
func (r *run) transact(ctx context.Context, cfg *schema.Config, applied *plan.Applied, own func(plan.Plan) ([]plan.Change, error)) (plan.Plan, diag.List, report.State) {
	for attempt := 1; ; attempt++ {
		p, f, found, err := r.compute(ctx, cfg, applied)
		if err != nil {
			return p, found, r.failed(err)
		}
		if found.HasErrors() {
			return p, found, report.Refused
		}
		extra, err := own(p)
		if err != nil {
			return p, found, r.failed(err)
		}
		n, _ := r.networkOf(cfg)
		mark, err := r.mark(p, f, cfg)
		if r.isSpent(err, cfg) {
			continue
		}
		if err != nil {
			return p, found, r.failed(err)
		}
		missing, err := facts.Missing(r.Root, &f, append(extra, mark...))
		if err != nil {
			return p, found, r.failed(err)
		}
		p.Changes = append(p.Changes, missing...)
		r.enter("commit")
		_, err = commit.Apply(ctx, r.Root, p)
		if errors.Is(err, commit.ErrChanged) && attempt < attempts {
			r.say("commit", "%v; planning again", err)
			continue
		}
		if err != nil {
			return p, found, r.failed(err)
		}
		made := slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool { return c.Origin == plan.OriginState })
		r.Commit(made)
		r.say("commit", "%d changes", len(made)+len(p.Runtime))
		st := report.Done
		if err := commit.Write(ctx, r.Root, p.Runtime); err != nil {
			st = r.degraded(err)
		} else {
			r.Commit(p.Runtime)
		}
		if err := r.label(ctx, append(slices.Clone(p.Changes), p.Runtime...)); err != nil {
			st = r.degraded(err)
		}
		if len(mark) > 0 { // whatever went wrong, no network stays that nobody has checked
			r.confirm(ctx, n)
		}
		return p, found, st
	}
}

// compute decides every change for a configuration, given what was applied, looking at the machine as often as the plan
// has to know more.
func (r *run) compute(ctx context.Context, cfg *schema.Config, applied *plan.Applied) (plan.Plan, plan.Facts, diag.List, error) {
	f, err := facts.Gather(ctx, r.Root, r.Live, r.interfaces(ctx))
	if err != nil {
		return plan.Plan{}, f, nil, err
	}
	in := plan.Input{Config: cfg, Meta: r.data.Meta, Facts: f, DefaultUser: r.settings.DefaultUser, Imported: r.imported,
		Applied: applied, Overwrite: r.Overwrite, Prune: r.Prune}
	in.Network, in.NetworkUnits = r.networkOf(cfg)
	const rounds = 256 // each finds what the one before made it look for: directories in directories, Also= of units
	for range rounds {
		p, found := plan.Compute(in)
		switch {
		case len(p.Unseen) > 0:
			if err := facts.Look(r.Root, &in.Facts, p.Unseen); err != nil {
				return p, in.Facts, nil, err
			}
		case len(p.Unasked) > 0 && !found.HasErrors():
			r.askForHolders(ctx, p.Unasked, &in.Facts)
		case r.awaitsCard(found) && r.waitForCard(ctx, &in.Facts):
		case r.awaitsAddress(found, in.Facts) && r.waitForAddress(ctx, &in.Facts):
		default:
			return p, in.Facts, found, nil
		}
	}
	return plan.Plan{}, in.Facts, nil, errors.New("internal error: the plan never knows enough")
}

// addressTime is how long the network is waited for if nothing but an address of its own is missing.
const addressTime = 30 * time.Second

// awaitsAddress says that a variable has no value, that the platform says nothing of addresses, and that the
// network has none yet: it may be on its way.
func (r *run) awaitsAddress(found diag.List, f plan.Facts) bool {
	missing := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Rule == rules.VariableMissing })
	return missing && r.Live && r.locked && !r.offline && r.data.Meta.PrivateIPv4 == "" && r.data.Meta.PrivateIPv6 == "" &&
		f.DefaultRouteIPv4 == "" && f.DefaultRouteIPv6 == ""
}

// waitForAddress waits until the interface of the default route has an address; false if that takes too long.
func (r *run) waitForAddress(ctx context.Context, f *plan.Facts) bool {
	r.say("plan", "waiting up to %s for an address on the interface of the default route", addressTime)
	defer r.waiting("an address on the interface of the default route")()
	ctx, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	for tick := time.NewTicker(250 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return false
		case <-tick.C:
		}
		now, err := facts.Gather(ctx, r.Root, r.Live, r.interfaces(ctx))
		if err == nil && (now.DefaultRouteIPv4 != "" || now.DefaultRouteIPv6 != "") {
			tick.Stop()
			f.DefaultRouteIPv4, f.DefaultRouteIPv6 = now.DefaultRouteIPv4, now.DefaultRouteIPv6
			return true
		}
	}
}
