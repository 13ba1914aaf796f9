package identity

import (
	"errors"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// Succession is what makes room for an instance where the machine has another one's state.
type Succession struct {
	// Another says that the state is of another instance or machine, and not of this one by another name.
	Another bool
	// Changes and Keys are one transaction: all that is known of the other goes, and sshd gets new host keys.
	Changes, Keys []plan.Change
	// Jobs have an sshd that runs already read them.
	Jobs []plan.Job
	// Gone is what the other has below /run.
	Gone []plan.Change
}

// Succeed says what goes where dir, of an instance with this metadata, is not the only directory of one, as when a disk was
// copied: all that is known of others, their user-data and secrets included; and the host keys of sshd become others, but
// those of a copy, which are Settle's. What the configuration of the last has made stays, and so does the list of it, which has no secrets: it
// is what the new configuration leaves over. Afterwards no instance has been applied, but for the list.
//
// After an error, of the Succession Another alone may be set.
func (d Disk) Succeed(dir string, meta schema.Metadata) (s Succession, err error) {
	const instances = state.Top + "/instances"
	others, err := fsroot.List(d.Root, instances)
	others = slices.DeleteFunc(others, func(name string) bool { return name == path.Base(dir) })
	if err != nil || len(others) == 0 {
		return s, err
	}
	current, err := state.CurrentDir(d.Root)
	if err != nil {
		return s, err
	}
	another := false
	if current != "" && current != dir {
		if another, err = d.isAnother(current, meta); err != nil {
			return s, err
		}
		if s.Changes, err = d.inherit(current, another); err != nil {
			return s, err
		}
	}
	for _, name := range others {
		if err := d.remove(path.Join(instances, name), &s.Changes); err != nil {
			return s, err
		}
	}
	if s.Another = another; !another {
		return s, nil
	}
	// What the other had still to tell is not this one's to tell.
	s.Changes = append(s.Changes, plan.Change{Kind: plan.Remove, Path: state.Top + "/" + state.OutboxFile, Secret: true, Origin: plan.OriginState})
	if err := d.remove(networkState, &s.Changes); err != nil || !d.Live {
		return s, err
	}
	copied, err := d.IsCopy() // the keys of a copy are what Settle renews
	if err != nil {
		return s, err
	}
	if !copied {
		if s.Keys, err = hostkeys.Renew(d.Root); err != nil {
			return s, err
		}
		s.Jobs = d.reloadSSH(s.Keys)
	}
	s.Gone, err = d.oldRuntime(current)
	return s, err
}

// networkState is what is known of networks that were tried.
const networkState = state.Top + "/network"

// isAnother says that the instance whose state this is was another one, or of another machine, and not the same by another
// name: a datasource may tell an instance id of a machine that was known without one.
func (d Disk) isAnother(dir string, meta schema.Metadata) (bool, error) {
	var was schema.Metadata
	var origin state.Origin
	_, err1 := state.Read(d.Root, dir, state.InstanceFile, &was)
	known, err2 := state.Read(d.Root, dir, state.OriginFile, &origin)
	if was.InstanceID != "" && meta.InstanceID != "" {
		return was.InstanceID != meta.InstanceID, errors.Join(err1, err2)
	}
	return known && origin.Machine != d.Hardware(), errors.Join(err1, err2)
}

// inherit are the changes that keep the list of what an instance has made, and nothing else of it. The list keeps the digest
// of the configuration if it is of this instance.
func (d Disk) inherit(dir string, another bool) ([]plan.Change, error) {
	var m state.Manifest
	if _, err := state.Read(d.Root, dir, state.ManifestFile, &m); err != nil {
		return nil, err
	}
	if m.Version = 1; another {
		m.Digest = ""
		m.Items = slices.DeleteFunc(m.Items, func(it plan.Item) bool { return strings.HasPrefix(it.Path, "etc/ssh/ssh_host_") })
	}
	file, err := state.File(state.Top, state.LeftFile, m)
	return []plan.Change{file, {Kind: plan.Remove, Path: state.Current, Origin: plan.OriginState}}, err
}

// remove adds the removals of a directory of our state and of all that is in it.
func (d Disk) remove(dir string, changes *[]plan.Change) error {
	names, err := fsroot.List(d.Root, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := d.remove(path.Join(dir, name), changes); err != nil {
			return err
		}
	}
	*changes = append(*changes, plan.Change{Kind: plan.Remove, Path: dir, Secret: true, Origin: plan.OriginState})
	return nil
}

// oldRuntime are the removals of what another instance has below /run, as far as it is still as that had it.
func (d Disk) oldRuntime(dir string) ([]plan.Change, error) {
	var kept state.Runtime
	if _, err := state.Read(d.Root, dir, state.RuntimeFile, &kept); err != nil {
		return nil, err
	}
	var out []plan.Change
	f := plan.Facts{}
	for _, c := range kept.Changes(true) {
		if c.Kind == plan.MakeDirectory || c.Kind == plan.Remove {
			continue
		}
		if err := facts.Look(d.Root, &f, []string{c.Path}); err != nil {
			return nil, err
		}
		if c.IsAlready(f.Paths[c.Path]) {
			out = append(out, plan.Change{Kind: plan.Remove, Path: c.Path, Secret: true, Origin: "new instance"})
		}
	}
	return out, nil
}

// reloadSSH are the jobs that have an sshd read its new host keys.
func (d Disk) reloadSSH(keys []plan.Change) []plan.Job {
	if len(keys) == 0 {
		return nil
	}
	for _, unit := range []string{"ssh.service", "sshd.service"} {
		for _, dir := range []string{"etc/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/"} {
			if info, err := d.Root.Stat(dir + unit); err == nil && info.Kind == fsroot.Regular {
				return []plan.Job{{Unit: unit, Action: "reload-or-try-restart", Once: true}}
			}
		}
	}
	return nil
}
