package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// attempts is how often a plan is made anew because somebody else changed the machine meanwhile.
const attempts = 3

// floor commits what the platform itself says, keys and hostname, before user-data is decoded: whatever is wrong
// there, somebody can log in and look. It is made once for each instance, and again only if the platform
// says something else.
func (r *run) floor(ctx context.Context) (handoff.Request, report.State) {
	var none handoff.Request
	meta := r.data.Meta
	if !r.settings.Floor || meta.Hostname == "" && len(meta.SSHKeys) == 0 {
		return none, report.Done
	}
	r.enter("access floor")
	text, err := json.Marshal([]any{meta.Hostname, meta.SSHKeys})
	if err != nil {
		return none, r.failed(err)
	}
	want := state.Floor{Version: 1, Digest: plan.Digest(text)}
	var have state.Floor
	if _, err := state.Read(r.Root, r.instance, state.FloorFile, &have); err != nil {
		return none, r.failed(err)
	}
	if have == want {
		return none, report.Done
	}
	file, err := state.File(r.instance, state.FloorFile, want)
	if err != nil {
		return none, r.failed(err)
	}
	p, st := r.transact(ctx, &schema.Config{}, func(plan.Plan) ([]plan.Change, error) {
		return append(state.Directories(r.instance), file), nil
	})
	return handoff.Request{Hostname: p.Hostname}, st
}

// commit plans the configuration and makes it so. On a later boot of the same configuration, what is persistent
// was made so before and stays as it is now.
func (r *run) commit(ctx context.Context, later bool) (handoff.Request, report.State) {
	r.enter("plan")
	var p plan.Plan
	var st report.State
	if later {
		p, st = r.again(ctx)
	} else {
		p, st = r.transact(ctx, r.config, r.stateOf)
	}
	if st != report.Done {
		return handoff.Request{}, st
	}
	ended, err := r.scriptsEnded()
	if err != nil {
		return handoff.Request{}, r.failed(err)
	}
	p.Scripts = slices.DeleteFunc(p.Scripts, func(s plan.Script) bool { return ended.Ended[plan.Digest(s.Content)] != "" })
	return handoff.Of(p), report.Done
}

// again is a later boot: what belongs below /run is written, and nothing else. What a unit's command asks for is
// asked for at every boot, as coreos-cloudinit did, but a unit that runs stays as it is.
func (r *run) again(ctx context.Context) (plan.Plan, report.State) {
	p, _, found, err := r.compute(ctx, r.config)
	if err != nil {
		return p, r.failed(err)
	}
	r.found = append(slices.Clone(r.found), found...).Sorted()
	if found.HasErrors() {
		return p, r.refused()
	}
	r.enter("commit")
	if len(p.Changes) > 0 {
		r.Console.Say("commit", "%d things are not as they were configured, and are left alone; provisioner plan shows them", len(p.Changes))
	}
	if err := commit.Write(ctx, r.Root, p.Runtime); err != nil {
		return p, r.failed(err)
	}
	r.Commit(p.Runtime)
	p.Hostname, p.Networkd, p.Reload = "", false, slices.ContainsFunc(p.Runtime, func(c plan.Change) bool { return IsUnit(c.Path) })
	var jobs []plan.Job
	for _, j := range p.Jobs {
		switch j.Action {
		case "restart", "reload-or-restart":
			j.Action = "start"
		case "reload", "try-restart", "reload-or-try-restart":
			continue
		}
		jobs = append(jobs, j)
	}
	p.Jobs = jobs
	return p, report.Done
}

// transact computes a plan, adds our own state to it, and commits it all; if somebody else changes what it is
// about, it plans again.
func (r *run) transact(ctx context.Context, cfg *schema.Config, own func(plan.Plan) ([]plan.Change, error)) (plan.Plan, report.State) {
	for attempt := 1; ; attempt++ {
		p, f, found, err := r.compute(ctx, cfg)
		if err != nil {
			return p, r.failed(err)
		}
		r.found = append(slices.Clone(r.found), found...).Sorted()
		if found.HasErrors() {
			return p, r.refused()
		}
		extra, err := own(p)
		if err != nil {
			return p, r.failed(err)
		}
		if err := r.addMissing(&p, f, extra); err != nil {
			return p, r.failed(err)
		}
		r.enter("commit")
		_, err = commit.Apply(ctx, r.Root, p)
		if errors.Is(err, commit.ErrChanged) && attempt < attempts {
			r.Console.Say("commit", "%v; planning again", err)
			continue
		}
		if err != nil {
			return p, r.failed(err)
		}
		if err := commit.Write(ctx, r.Root, p.Runtime); err != nil {
			return p, r.failed(fmt.Errorf("after the commit: %w", err))
		}
		ours := func(c plan.Change) bool { return c.Origin == plan.OriginState }
		made := slices.DeleteFunc(slices.Clone(p.Changes), ours)
		r.Commit(append(made, p.Runtime...))
		r.Console.Say("commit", "%d changes", len(made)+len(p.Runtime))
		return p, report.Done
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
		c.Was = f.Paths[c.Path]
		if c.Was.Fault != "" {
			return fmt.Errorf("/%s: %s", c.Path, c.Was.Fault)
		}
		if !c.IsAlready(c.Was) {
			p.Changes = append(p.Changes, c)
		}
	}
	return nil
}

// stateOf is what is remembered of this configuration.
func (r *run) stateOf(p plan.Plan) ([]plan.Change, error) {
	// What an earlier apply made and this plan finds as it should be is still ours.
	var m state.Manifest
	var kept state.Runtime
	if _, err := state.Read(r.Root, r.instance, state.ManifestFile, &m); err != nil {
		return nil, err
	}
	if _, err := state.Read(r.Root, r.instance, state.RuntimeFile, &kept); err != nil {
		return nil, err
	}
	out := state.Directories(r.instance)
	manifest, err1 := state.File(r.instance, state.ManifestFile, m.With(r.digest(), p.Owned))
	instance, err2 := state.Instance(r.instance, r.data.Meta)
	runtime, err3 := state.File(r.instance, state.RuntimeFile, kept.With(p.Kept))
	out = append(out, manifest, instance)
	if r.Live {
		out = append(out, runtime)
	}
	if r.settings.KeepUserData {
		out = append(out, state.Bytes(r.instance, state.UserDataFile, r.data.UserData))
	}
	return append(out, state.Link(r.instance)), errors.Join(err1, err2, err3)
}

// digest is that of the configuration as fetched.
func (r *run) digest() string { return plan.Digest(r.data.UserData) }

func (r *run) scriptsEnded() (state.Scripts, error) {
	s := state.Scripts{Version: 1}
	_, err := state.Read(r.Root, r.instance, state.ScriptsFile, &s)
	if s.Ended == nil {
		s.Ended = map[string]string{}
	}
	return s, err
}

// markEnded remembers that a script has ended, so that no later boot runs it again.
func (r *run) markEnded(ctx context.Context, digest, result string) error {
	s, err := r.scriptsEnded()
	if err != nil {
		return err
	}
	s.Ended[digest] = result
	file, err := state.File(r.instance, state.ScriptsFile, s)
	if err != nil {
		return err
	}
	f := plan.Facts{Paths: map[string]plan.Seen{}}
	var p plan.Plan
	if err := r.addMissing(&p, f, append(state.Directories(r.instance), file)); err != nil {
		return err
	}
	_, err = commit.Apply(ctx, r.Root, p)
	return err
}

// instanceDir is where the state of this instance is. A source without an id of its own goes by the machine's.
func (r *run) instanceDir() string {
	id := r.data.Meta.InstanceID
	if id == "" {
		id = r.machine()
	}
	return state.Dir(r.data.Meta.Datasource, id)
}

// machine identifies a machine of which no datasource says what it is: "image" below another root, else the
// SMBIOS UUID where it is ours, else the machine-id.
func (r *run) machine() string {
	if !r.Live {
		return "image"
	}
	for _, p := range []string{"sys/class/dmi/id/product_uuid", "etc/machine-id"} {
		if p != "etc/machine-id" && inContainer(r.Root) {
			continue
		}
		if data, _, err := r.Root.ReadFile(p, 4096); err == nil && len(data) > 1 {
			return p + ":" + string(data)
		}
	}
	return "unknown"
}

// inContainer says that DMI is another machine's: systemd leaves this file in every container (container
// interface, 2023).
func inContainer(root fsroot.FS) bool {
	info, err := root.Stat("run/systemd/container")
	return err == nil && info.Kind == fsroot.Regular
}
