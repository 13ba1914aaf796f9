package firstboot

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// succeed makes room for an instance where the machine has another one's state, as when a disk was copied: before anything
// of the new one is applied, all that is known of the old one goes, its user-data and secrets included, and the host keys
// of sshd become others. What the old one's configuration has made stays, and so does the list of it, which has no
// secrets: it is what the new configuration leaves over.
//
// It is one transaction. Afterwards no instance has been applied, but for the list.
func (r *run) succeed(ctx context.Context) error {
	const instances = state.Top + "/instances"
	if r.instance == "" || r.Legacy != nil { // of whose instances a machine may be several
		return nil
	}
	others, err := fsroot.List(r.Root, instances)
	others = slices.DeleteFunc(others, func(name string) bool { return name == path.Base(r.instance) })
	if err != nil || len(others) == 0 {
		return err
	}
	current, err := state.CurrentDir(r.Root)
	if err != nil {
		return err
	}
	another := false
	var changes []plan.Change
	if current != "" && current != r.instance {
		if another, err = r.isAnother(current); err != nil {
			return err
		}
		if changes, err = r.inherit(current, another); err != nil {
			return err
		}
	}
	for _, name := range others {
		old, err := r.removals(path.Join(instances, name))
		if err != nil {
			return err
		}
		changes = append(changes, old...)
	}
	var keys []plan.Change
	if another {
		r.enter("new instance")
		old, err := r.removals(networkState)
		if err != nil {
			return err
		}
		if changes = append(changes, old...); r.Live && !r.Clone { // of a copy they are others already
			if keys, err = hostkeys.Renew(r.Root); err != nil {
				return err
			}
		}
	}
	gone, err := r.oldRuntime(current, another)
	if err != nil {
		return err
	}
	if _, err := r.apply(ctx, append(changes, keys...)); err != nil || !another {
		return err
	}
	r.say("new instance", "this machine was another instance: what was kept of that is deleted, and sshd gets new host keys")
	r.Commit(keys)
	r.request.Reload = r.request.Reload || anyUnit(gone)
	r.reloadSSH(keys)
	return errors.Join(r.label(ctx, keys), commit.Write(ctx, r.Root, gone))
}

// networkState is what is known of networks that were tried.
const networkState = state.Top + "/network"

// isAnother says that the instance whose state this is was another one, or of another machine, and not the same by another
// name: a datasource may tell an instance id of a machine that was known without one.
func (r *run) isAnother(dir string) (bool, error) {
	var was schema.Metadata
	var origin state.Origin
	_, err1 := state.Read(r.Root, dir, state.InstanceFile, &was)
	known, err2 := state.Read(r.Root, dir, state.OriginFile, &origin)
	if was.InstanceID != "" && r.data.Meta.InstanceID != "" {
		return was.InstanceID != r.data.Meta.InstanceID, errors.Join(err1, err2)
	}
	return known && origin.Machine != r.identity(), errors.Join(err1, err2)
}

// inherit are the changes that keep the list of what an instance has made, and nothing else of it. The list keeps the digest
// of the configuration if it is of this instance.
func (r *run) inherit(dir string, another bool) ([]plan.Change, error) {
	var m state.Manifest
	if _, err := state.Read(r.Root, dir, state.ManifestFile, &m); err != nil {
		return nil, err
	}
	if m.Version = 1; another {
		m.Digest = ""
		m.Items = slices.DeleteFunc(m.Items, func(it plan.Item) bool { return strings.HasPrefix(it.Path, "etc/ssh/ssh_host_") })
	}
	file, err := state.File(state.Top, state.LeftFile, m)
	return []plan.Change{file, {Kind: plan.Remove, Path: state.Current, Origin: plan.OriginState}}, err
}

// removals are those of a directory of our state and all that is in it.
func (r *run) removals(dir string) ([]plan.Change, error) {
	info, err := r.Root.Stat(dir)
	if err != nil {
		return nil, err
	}
	var out []plan.Change
	if info.Kind == fsroot.Directory {
		names, err := r.Root.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			inside, err := r.removals(path.Join(dir, name))
			if err != nil {
				return nil, err
			}
			out = append(out, inside...)
		}
	}
	return append(out, plan.Change{Kind: plan.Remove, Path: dir, Secret: true, Origin: plan.OriginState}), nil
}

// oldRuntime are the removals of what another instance has below /run, as far as it is still as that had it.
func (r *run) oldRuntime(dir string, another bool) ([]plan.Change, error) {
	var kept state.Runtime
	if !another || !r.Live {
		return nil, nil
	}
	if _, err := state.Read(r.Root, dir, state.RuntimeFile, &kept); err != nil {
		return nil, err
	}
	var out []plan.Change
	f := plan.Facts{}
	for _, c := range kept.Changes(true) {
		if c.Kind == plan.MakeDirectory || c.Kind == plan.Remove {
			continue
		}
		if err := facts.Look(r.Root, &f, []string{c.Path}); err != nil {
			return nil, err
		}
		if c.IsAlready(f.Paths[c.Path]) {
			out = append(out, plan.Change{Kind: plan.Remove, Path: c.Path, Secret: true, Origin: "new instance"})
		}
	}
	return out, nil
}

// reloadSSH has an sshd that runs already read its new host keys.
func (r *run) reloadSSH(keys []plan.Change) {
	if len(keys) == 0 || r.hurried { // before sshd starts
		return
	}
	for _, unit := range []string{"ssh.service", "sshd.service"} {
		for _, dir := range []string{"etc/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/"} {
			if info, err := r.Root.Stat(dir + unit); err == nil && info.Kind == fsroot.Regular {
				r.request.Jobs = append(r.request.Jobs, plan.Job{Unit: unit, Action: "reload-or-try-restart", Once: true})
				return
			}
		}
	}
}

// isProvisioned says that this machine has a configuration, and is not the copy of one that has. It is not so either while
// the first boot goes on of an instance that it became by being copied.
func (r *run) isProvisioned() (bool, error) {
	dir, err := state.CurrentDir(r.Root)
	if dir == "" || err != nil {
		return false, err
	}
	if info, err := r.Root.Stat(FirstPath); err != nil || info.Kind != fsroot.Absent {
		return r.isLeft(), err
	}
	if err := r.lookAtMachine(); err != nil {
		return false, err
	}
	was, known, err := r.machineOnce()
	return !known || !was.IsOther(r.machineNow()), err
}

// isCopy says that the state below a running system's root is of another machine: what that had below /run is not put back.
func isCopy(root *fsroot.Root) (bool, error) {
	r := run{Env: Env{Root: root, Live: true, Sources: datasources.Env{Root: root.Name()}}}
	own, err := r.isProvisioned()
	return !own, err
}
