package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// floor commits what the platform itself says, keys, hostname and network, before anything else of user-data is looked
// at: whatever is wrong there, somebody can log in and look. Of a configuration without errors it takes what it
// says of the default user, so that the account is made once and right.
//
// Before it, and before all else, what another instance has left goes. It is made once for each instance and each answer of the platform, and never where a configuration was applied:
// that has the platform's part in it. What stands in its way is told and stops nothing else.
func (r *run) floor(ctx context.Context) report.State {
	if err := r.succeed(ctx); err != nil {
		return r.failed(err)
	}
	meta := r.data.Meta
	n := r.floorNetwork()
	if !r.settings.Floor || r.data.Routed || r.instance == "" || meta.Hostname == "" && len(meta.SSHKeys) == 0 && n == nil {
		return report.Done
	}
	r.enter("access floor")
	if known, err := r.isApplied(); known || err != nil {
		if err != nil {
			return r.failed(err)
		}
		return report.Done
	}
	said := []any{meta.Hostname, meta.SSHKeys}
	if n != nil {
		said = append(said, string(r.platformNetwork.file.Bytes))
	}
	text, err := json.Marshal(said)
	if err != nil {
		return r.failed(err)
	}
	want := state.Floor{Version: 1, Digest: plan.Digest(text)}
	var have state.Floor
	if _, err := state.Read(r.Root, r.instance, state.FloorFile, &have); err != nil {
		return r.failed(err)
	}
	if have.Digest == want.Digest {
		return report.Done
	}
	before, err := r.applied()
	if err != nil {
		return r.failed(err)
	}
	if before != nil {
		before.Partial = true
	}
	own := func(p plan.Plan) ([]plan.Change, error) {
		want.Items = p.Owned
		file, err1 := state.File(r.instance, state.FloorFile, want)
		record, err2 := r.record()
		return append(state.Directories(r.instance), file, record), errors.Join(err1, err2)
	}
	var found diag.List
	for _, cfg := range r.floorConfigs() {
		var p plan.Plan
		var st report.State
		if p, found, st = r.transact(ctx, cfg, before, own); st == report.Refused {
			continue
		}
		r.request.Hostname = p.Hostname
		return st
	}
	for _, d := range found {
		r.say("access floor", "it cannot be made: %s", d.Rule.Title)
	}
	return report.Done
}

// floorConfigs are the configurations to try for the access floor: with the platform's network, if there is one, and
// without it, if a card is missing.
func (r *run) floorConfigs() []*schema.Config {
	configs := r.floorAccounts()
	if n := r.floorNetwork(); n != nil {
		first := *configs[0]
		first.Network = n
		configs = append([]*schema.Config{&first}, configs...)
	}
	return configs
}

// floorAccounts are those that differ in the account that the keys are for.
func (r *run) floorAccounts() []*schema.Config {
	if r.config == nil || r.found.HasErrors() {
		return []*schema.Config{{}}
	}
	// Who keeps the machine's name keeps it from the platform too.
	kept := schema.System{PreserveHostname: r.config.System.PreserveHostname, CreateHostnameFile: r.config.System.CreateHostnameFile}
	configs := []*schema.Config{{System: kept}}
	for _, u := range r.config.Users {
		if u.Default || u.Name.V == r.settings.DefaultUser {
			u.SSHAuthorizedKeys, u.ImportGitHub, u.ImportURL = nil, nil, schema.Value[string]{}
			with := &schema.Config{Users: []schema.User{u}, System: kept}
			for _, g := range r.config.Groups {
				named := func(v schema.Value[string]) bool { return v.V == g.Name.V }
				if named(u.PrimaryGroup) || slices.ContainsFunc(u.Groups, named) {
					with.Groups = append(with.Groups, schema.Group{Name: g.Name})
				}
			}
			return append([]*schema.Config{with}, configs...)
		}
	}
	return configs
}

// commit plans the configuration and makes it so.
func (r *run) commit(ctx context.Context) report.State {
	r.enter("plan")
	applied, err := r.applied()
	if err != nil {
		return r.failed(err)
	}
	p, found, st := r.transact(ctx, r.config, applied, func(p plan.Plan) ([]plan.Change, error) {
		same := applied != nil && applied.Same && len(p.Changes)+len(p.Runtime) == 0
		return r.stateOf(p, same)
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
	if err := r.dropEnded(&p); err != nil {
		return worse(st, r.degraded(err))
	}
	r.tellLeft(p)
	before := r.request
	r.request = handoff.Of(p)
	r.request.Keys = keysShown(r.config, r.settings.DefaultUser)
	r.request.Networkd = r.request.Networkd && (!r.tries() || othersNetwork(p))
	if r.request.Hostname == "" {
		r.request.Hostname = before.Hostname
	}
	r.request.Reload = r.request.Reload || before.Reload
	r.request.Jobs = append(before.Jobs, r.request.Jobs...)
	return st
}

// degraded keeps an error of what comes after the commit.
func (r *run) degraded(err error) report.State {
	r.failed(fmt.Errorf("after the commit: %w", err))
	return report.Degraded
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
		extra = append(extra, mark...)
		if err := r.addMissing(&p, f, extra); err != nil {
			return p, found, r.failed(err)
		}
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

// addMissing adds changes of our own to a plan, without those that are so already.
func (r *run) addMissing(p *plan.Plan, f plan.Facts, extra []plan.Change) error {
	var paths []string
	for _, c := range extra {
		paths = append(paths, c.Path)
	}
	if err := facts.Look(r.Root, &f, paths); err != nil {
		return err
	}
	for _, c := range extra {
		c.Was = *f.Paths[c.Path]
		if c.Was.Fault != "" {
			return fmt.Errorf("/%s: %s", c.Path, c.Was.Fault)
		}
		if !c.IsAlready(&c.Was) {
			p.Changes = append(p.Changes, c)
		}
	}
	return nil
}

// stateOf is what is remembered of this configuration. Where it was applied before and nothing is other than it says, same,
// what was kept of how that came about stays as it is.
func (r *run) stateOf(p plan.Plan, same bool) ([]plan.Change, error) {
	out := state.Directories(r.instance)
	manifest, err1 := state.File(r.instance, state.ManifestFile, state.Manifest{Version: 1, Digest: r.digest(), ByHand: r.byHand, Items: p.Owned})
	instance, err2 := state.Instance(r.instance, r.data.Meta)
	runtime, err3 := state.File(r.instance, state.RuntimeFile, state.Keep(p))
	origin, err4 := r.origin()
	record, err5 := r.record()
	machine, err6 := r.machineRecord()
	out = append(append(append(out, manifest, instance), origin...), machine...)
	if !same {
		out = append(out, record)
	}
	if r.Live && !same {
		out = append(out, runtime)
	}
	if r.settings.KeepUserData {
		out = append(out, state.Bytes(r.instance, state.UserDataFile, r.data.UserData))
	}
	out = append(out, plan.Change{Kind: plan.Remove, Path: state.Top + "/" + state.LeftFile, Origin: plan.OriginState})
	return append(out, state.Link(r.instance)), errors.Join(err1, err2, err3, err4, err5, err6)
}

// digest is that of the configuration as fetched.
func (r *run) digest() string { return plan.Digest(r.data.UserData) }

// ended is what has ended: on this instance, and of what runs a single time ever on any.
type ended struct{ instance, ever state.Scripts }

// has says that a script or a command, by the digest of what it is, need not run again.
func (e ended) has(digest string, when schema.When) bool {
	switch when {
	case schema.PerBoot:
		return false
	case schema.Once:
		return e.ever.Ended[digest] != ""
	}
	return e.instance.Ended[digest] != ""
}

func (r *run) scriptsEnded() (e ended, err error) {
	_, err1 := state.Read(r.Root, r.instance, state.ScriptsFile, &e.instance)
	_, err2 := state.Read(r.Root, state.Top, state.ScriptsFile, &e.ever)
	return e, errors.Join(err1, err2)
}

// markEnded remembers that a script has ended, so that no later boot runs it again, if it is not to. It does so
// whatever has become of the context: a script may end by starting the machine again.
func (r *run) markEnded(ctx context.Context, digest string, when schema.When, result string) report.State {
	if when == schema.PerBoot {
		return report.Done
	}
	return r.keep(context.WithoutCancel(ctx), func() (plan.Change, error) {
		e, err := r.scriptsEnded()
		if err != nil {
			return plan.Change{}, err
		}
		dir, s := r.instance, e.instance
		if when == schema.Once {
			dir, s = state.Top, e.ever
		}
		s.Version = 1
		if s.Ended == nil {
			s.Ended = map[string]string{}
		}
		s.Ended[digest] = result
		if when != schema.Once {
			r.follow(&s, digest)
		}
		return state.File(dir, state.ScriptsFile, s)
	})
}

// keep commits one file of our state.
func (r *run) keep(ctx context.Context, file func() (plan.Change, error)) report.State {
	return r.keepAll(ctx, func() ([]plan.Change, error) {
		c, err := file()
		return []plan.Change{c}, err
	})
}

// keepAll commits files of our state.
func (r *run) keepAll(ctx context.Context, files func() ([]plan.Change, error)) report.State {
	return r.underLock(ctx, func() report.State {
		changes, err := files()
		var p plan.Plan
		if err == nil {
			err = r.addMissing(&p, plan.Facts{Paths: map[string]*plan.Seen{}}, append(state.Directories(r.instance), changes...))
		}
		if err == nil {
			_, err = commit.Apply(ctx, r.Root, p)
		}
		if err != nil {
			return r.failed(err)
		}
		return report.Done
	})
}

// instanceDir is where the state of this instance is. A source without an id of its own goes by the machine's; where
// a source with an id has said who this machine is, it says nothing else: a file that an administrator applies is
// another configuration, not another instance.
func (r *run) instanceDir() (string, error) {
	id := r.data.Meta.InstanceID
	if id != "" {
		return state.Dir(r.data.Meta.Datasource, id), nil
	}
	if r.Legacy != nil { // one of several that make up the machine, each with its own state
		return state.Dir(r.data.Meta.Datasource, r.instanceOfMachine()+"\x00"+digestOf(r.Datasources)), nil
	}
	dir, err := state.CurrentDir(r.Root)
	if dir != "" && err == nil && r.Live {
		var meta schema.Metadata
		if _, err = state.Read(r.Root, dir, state.InstanceFile, &meta); err == nil && meta.InstanceID != "" {
			r.data.Meta.InstanceID = meta.InstanceID
			return dir, nil
		}
	}
	return state.Dir(r.data.Meta.Datasource, r.instanceOfMachine()), err
}
