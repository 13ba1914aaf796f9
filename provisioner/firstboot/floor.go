package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
)

// floor commits what the platform itself says, keys, hostname and network, before anything else of user-data is looked
// at: whatever is wrong there, somebody can log in and look. Of a configuration without errors it takes what it
// says of the default user, so that the account is made once and right.
//
// Before it, and before all else, what another instance has left goes. It is made once for each instance and each answer of
// the platform, and never where a configuration was applied: that has the platform's part in it. What stands in its way is
// told and stops nothing else.
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

// errNoFloor says that no datasource that is to be asked could be an access floor.
var errNoFloor = errors.New("no datasource of this machine tells who may log in")

// floorTime is how long sshd is kept waiting: a little less than the unit is given.
const floorTime = 28 * time.Second

// BootFloor is the stage that sshd waits for, on the first boot of an instance: the platform's keys and
// hostname.
func BootFloor(ctx context.Context, env Env) *report.Report {
	ctx, cancel := context.WithTimeout(ctx, floorTime)
	defer cancel()
	r := continued(env)
	if r.isStill() {
		return r.Report
	}
	r.hurried = true
	if own, err := isProvisioned(r.Root, r.machine); err != nil || own {
		if err != nil {
			return r.pass(ctx, r.failed(err))
		}
		return r.pass(ctx, report.Done)
	}
	if err := r.configure(); err != nil {
		return r.pass(ctx, r.failed(err))
	}
	lost := r.fetchForFloor(ctx)
	if errors.Is(lost, errNoFloor) {
		return r.pass(ctx, report.Done)
	}
	if lost == nil {
		if err := r.decode(ctx); err != nil {
			return r.pass(ctx, r.failed(err))
		}
	}
	st := r.underLock(ctx, func() report.State { return r.floor(ctx) })
	r.found = nil // they are BootMain's to tell
	if !r.request.IsEmpty() {
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted))
	}
	switch {
	case lost == nil || st != report.Done || len(r.Changes) > 0:
	case errors.Is(lost, datasources.ErrNotReady) || ctx.Err() != nil:
		r.say("access floor", "there is none in time: it comes with everything else, once the platform answers")
	default:
		st = r.failed(lost)
	}
	return r.pass(ctx, st)
}

// fetchForFloor asks until there is metadata: user-data that is late is waited for by BootMain. Since an answer may
// be slow, it is asked for longer each time.
func (r *run) fetchForFloor(ctx context.Context) (err error) {
	limit := &r.Env.Sources.Limits.Overall
	longest := *limit
	for _, patience := range []time.Duration{5 * time.Second, 10 * time.Second, floorTime} {
		if longest == 0 || patience < longest {
			*limit = patience
		}
		if err = r.fetch(ctx); err == nil || r.data.Meta.InstanceID != "" || !errors.Is(err, datasources.ErrNotReady) || ctx.Err() != nil {
			break
		}
	}
	*limit = longest
	return err
}
