package firstboot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// knownOrLost says that this boot is a later one: known says so of what was fetched, and without a datasource it
// is one if there is anything that was applied. A lost datasource is not a new machine.
func (r *run) knownOrLost(known func() (bool, error), lost error) (bool, error) {
	switch {
	case lost == nil && !r.isNone():
		return known()
	case lost != nil && !errors.Is(lost, datasources.ErrAbsent) && !errors.Is(lost, datasources.ErrNotReady):
		return false, nil
	}
	was := r.instance
	dir, err := state.CurrentDir(r.Root)
	if err != nil || dir == "" || was != "" && was != dir {
		return false, err
	}
	if copied, err := r.isCopy(); copied || err != nil {
		if copied {
			r.say("fetch", "what was applied here was applied to the machine that this one is a copy of, and is not gone on with")
		}
		return false, err
	}
	r.instance = dir
	if later, err := known(); !later || err != nil {
		r.instance = was
		return false, err
	}
	var meta schema.Metadata
	if ok, err := state.Read(r.Root, dir, state.InstanceFile, &meta); err != nil {
		return false, err
	} else if ok {
		r.Identify(meta)
	}
	r.say("fetch", "the datasource is lost; going on with what was applied when it was last there")
	return true, nil
}

// isNone says that no datasource was named, and no metadata given.
func (r *run) isNone() bool { return r.data.Meta.Datasource == "none" && r.Env.Metadata == nil }

// appliedBefore says that this instance has a configuration, and that this boot leaves it as it is: another one
// is told of, and applied only where the settings say so.
func (r *run) appliedBefore() (bool, error) {
	if r.instance == "" {
		return false, nil
	}
	var m state.Manifest
	known, err := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	if err != nil || !known {
		return false, err
	}
	if r.data.UserData != nil && m.Digest != r.digest() {
		if r.settings.LaterBoots == "apply" {
			return false, nil
		}
		if ended, err := r.isHandedOff(m.Digest); err != nil {
			return false, err
		} else if !ended && !m.ByHand {
			return false, fmt.Errorf("configuration %s was committed and not handed off to the end, and the user-data is %s now: %w",
				short(m.Digest), short(r.digest()), ErrHalfway)
		}
		r.say("check", "the user-data is not what was applied; provisioner plan shows what would change, provisioner apply changes it")
	}
	return true, nil
}

// again is a later boot: what belongs below /run is there, nothing persistent is written, and what a unit's
// command asks for is asked for at every boot, as coreos-cloudinit did, but what runs is not restarted.
func (r *run) again(ctx context.Context) report.State {
	r.enter("restore")
	if err := r.own(ctx); err != nil {
		return r.failed(err)
	}
	made, err := restore(ctx, r.Root, r.instance, func(string) bool { return true })
	if err == nil {
		err = r.label(ctx, made)
	}
	if err != nil {
		return r.failed(err)
	}
	r.Commit(made)
	r.say("restore", "this configuration was applied before; %d changes below /run", len(made))
	var kept state.Runtime
	if _, err := state.Read(r.Root, r.instance, state.RuntimeFile, &kept); err != nil {
		return r.failed(err)
	}
	ended, err := r.scriptsEnded()
	if err != nil {
		return r.failed(err)
	}
	r.request.Reload = r.request.Reload || anyUnit(made)
	r.request.Agents, r.request.Enabled, r.request.Hosts = kept.Agents, kept.Enabled, kept.Hosts
	for _, c := range kept.Commands {
		if !ended.has(c.Inputs, schema.PerInstance) {
			r.request.Commands = append(r.request.Commands, handoff.Command{Argv: c.Argv, Inputs: c.Inputs})
		}
	}
	for _, j := range kept.Jobs {
		if action := plan.LaterAction(j.Action); action != "" {
			r.request.Jobs = append(r.request.Jobs, plan.Job{Unit: j.Unit, Action: action})
		}
	}
	for i, s := range kept.Scripts {
		if !ended.has(plan.Digest(s.Content), s.When) {
			r.request.Scripts = append(r.request.Scripts, handoff.Script{Name: s.Name, Number: i + 1, Content: s.Content, When: s.When})
		}
	}
	r.dropEndedSteps(&kept.Steps, &kept.Power, ended)
	r.request.Steps, r.request.Power, r.request.FinalMessage = kept.Steps, kept.Power, kept.FinalMessage
	return report.Done
}

// restoreCurrent puts back what the instance that this machine was last had below /run.
func restoreCurrent(ctx context.Context, root *fsroot.Root, wanted func(path string) bool) ([]plan.Change, error) {
	dir, err := state.CurrentDir(root)
	if dir == "" || err != nil {
		return nil, err
	}
	return restore(ctx, root, dir, wanted)
}

// restore puts back what an instance had below /run: those of the paths that wanted says.
func restore(ctx context.Context, root *fsroot.Root, dir string, wanted func(path string) bool) ([]plan.Change, error) {
	var kept state.Runtime
	if _, err := state.Read(root, dir, state.RuntimeFile, &kept); err != nil {
		return nil, err
	}
	f := plan.Facts{Paths: map[string]*plan.Seen{}}
	var missing []plan.Change
	for _, c := range kept.Changes(false) {
		if !wanted(c.Path) {
			continue
		}
		if err := facts.Look(root, &f, []string{c.Path}); err != nil {
			return nil, err
		}
		if c.Was = *f.Paths[c.Path]; !c.IsAlready(&c.Was) {
			missing = append(missing, c)
		}
	}
	return missing, commit.Write(ctx, root, missing)
}

// isUnit says that a path below /run is systemd's: the generator puts these back, before anything loads.
func isUnit(path string) bool { return strings.HasPrefix(path, "run/systemd/") }

func anyUnit(changes []plan.Change) bool {
	for _, c := range changes {
		if isUnit(c.Path) {
			return true
		}
	}
	return false
}

// restoredPath marks that what belongs below /run was put back in this boot, so that the generator, which runs at
// every daemon-reload, does not undo what an administrator has removed since.
const restoredPath = report.Dir + "/restored"

// marker is the change that says that everything was put back.
var marker = plan.Change{Kind: plan.WriteFile, Path: restoredPath, Attr: fsroot.Attr{Mode: 0o600}, Origin: plan.OriginState}
