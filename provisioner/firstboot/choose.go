package firstboot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/nocloud"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// choice is which datasources are asked.
type choice struct {
	specs []string
	// passed are those that are not asked, with the reason.
	passed []datasources.Decision
	// platform is what the machine runs on, in words; "" if that is not known.
	platform string
	// named is the digest of what names them; "" if they were detected.
	named string
}

// Detect says which datasources a first boot would ask, and why. It contacts nobody and changes nothing.
func Detect(ctx context.Context, env Env) (detect.Result, error) {
	r := begin(env)
	if err := r.configure(); err != nil {
		return detect.Result{}, err
	}
	if err := r.lookAtMachine(); err != nil {
		return detect.Result{}, err
	}
	return detect.Detect(r.evidence(ctx, true))
}

// machine is what firmware and kernel say of the machine.
func (r *run) machine() (*machine.Machine, error) {
	err := r.lookAtMachine()
	return r.host, err
}

func (r *run) lookAtMachine() (err error) {
	if r.host == nil {
		r.host, err = machine.Read(r.Env.Sources.Root)
	}
	return err
}

func (r *run) evidence(ctx context.Context, first bool) detect.Evidence {
	e := detect.Evidence{
		Machine: r.host, Sources: catalog.Names(), Settings: r.settings.Datasources, Removable: r.settings.Removable && first,
	}
	for _, dir := range nocloud.SeedDirs() {
		info, err := r.Root.Stat(path.Join(dir, "meta-data"))
		if err == nil && info.Kind == fsroot.Regular && e.Seed == "" {
			e.Seed = path.Join(r.Env.Sources.Root, dir)
		}
	}
	if r.Disks != nil {
		e.Disks = func() ([]detect.Disk, error) {
			defer r.waiting("disks")()
			return r.Disks(ctx)
		}
	}
	return e
}

// choose says which datasources are asked: those of the command line; else the one that the first boot took; else what
// is detected.
//
// What was taken once stays: whoever can answer in another's place on a later boot is not asked. It is chosen anew if the
// machine is another one, or if somebody who may names others than then.
func (r *run) choose(ctx context.Context) (choice, error) {
	if len(r.Datasources) > 0 {
		r.Env.Sources.Policy.Removable = true
		return choice{specs: r.Datasources, named: digestOf(r.Datasources)}, nil
	}
	last, known, err := r.lastOrigin()
	if err != nil {
		return choice{}, err
	}
	e := r.evidence(ctx, !known)
	naming := detect.Naming(e)
	named := ""
	if naming.Named {
		named = digestOf(specsOf(naming.Candidates))
	}
	r.Env.Sources.Policy.Removable = e.Removable || naming.Named
	if known && last.Machine == r.disk().Hardware() && last.Named == named {
		c := choice{specs: []string{last.Spec}, named: named}
		taken, _, _ := strings.Cut(last.Spec, "=")
		for _, name := range e.Sources {
			if name != taken {
				c.passed = append(c.passed, datasources.Decision{Source: name, Reason: "not asked: the first boot took " + catalog.Label(last.Spec)})
			}
		}
		return c, nil
	}
	found, err := detect.Detect(e)
	if err != nil {
		return choice{}, err
	}
	c := choice{specs: specsOf(found.Candidates), platform: found.Platform, named: named}
	for _, rejected := range found.Rejected {
		c.passed = append(c.passed, datasources.Decision{Source: catalog.Label(rejected.Spec), Reason: rejected.Reason})
	}
	for _, c := range found.Candidates {
		if r.recorder != nil || r.offline && !catalog.IsLocal(c.Spec) {
			break // told by an earlier attempt, or by the stage that asks it
		}
		r.say("fetch", "asking %s: %s", catalog.Label(c.Spec), c.Reason)
	}
	return c, nil
}

func specsOf(all []detect.Candidate) []string {
	var specs []string
	for _, c := range all {
		specs = append(specs, c.Spec)
	}
	return specs
}

func digestOf(specs []string) string { return plan.Digest([]byte(strings.Join(specs, "\x00"))) }

// lastOrigin is where the configuration is from that this machine has; known is false if it has none.
func (r *run) lastOrigin() (o state.Origin, known bool, err error) {
	dir, err := state.CurrentDir(r.Root)
	if dir == "" || err != nil {
		return o, false, err
	}
	known, err = state.Read(r.Root, dir, state.OriginFile, &o)
	return o, known, err
}

// ErrIdentity is wrapped if a datasource says that this machine is another instance than the one it was provisioned as,
// while it is the same machine.
var ErrIdentity = errors.New("identity-conflict")

// checkIdentity refuses a new instance id that the network tells a machine which is the one it was: the answer is not
// from whom it was before, or it is for somebody else. A disk of the machine may tell a new id, and so may whoever
// names a file of metadata.
func (r *run) checkIdentity(spec string, meta schema.Metadata) error {
	if r.Env.Metadata != nil || meta.InstanceID == "" || spec == "" || catalog.IsLocal(spec) {
		return nil
	}
	last, known, err := r.lastOrigin()
	if !known || err != nil || last.Machine != r.disk().Hardware() {
		return err
	}
	dir, err := state.CurrentDir(r.Root)
	if err != nil {
		return err
	}
	var was schema.Metadata
	if _, err := state.Read(r.Root, dir, state.InstanceFile, &was); err != nil {
		return err
	}
	if was.InstanceID == "" || was.InstanceID == meta.InstanceID {
		return nil
	}
	return fmt.Errorf("%w: %s says that this is instance %q, but the machine is still the one that was provisioned as %q; "+
		"nothing is applied; if it is to be another, remove /%s", ErrIdentity, catalog.Label(spec), meta.InstanceID, was.InstanceID, state.Top)
}

// origin is the change that remembers where the configuration is from. What an administrator applies by hand to an
// instance does not change where its later boots ask.
func (r *run) origin() ([]plan.Change, error) {
	current, err := state.CurrentDir(r.Root)
	if err != nil {
		return nil, err
	}
	if _, known, err := r.lastOrigin(); err != nil || r.taken == "" || known && current == r.instance && len(r.Datasources) > 0 {
		return nil, err
	}
	file, err := state.File(r.instance, state.OriginFile, state.Origin{Version: 1, Spec: r.taken, Named: r.named, Machine: r.disk().Hardware()})
	return []plan.Change{file}, err
}

// record is the change that keeps the decision and every answer.
func (r *run) record() (plan.Change, error) {
	text, err := r.recorder.JSON(r.platform, r.decisions, r.data, r.settings.KeepUserData)
	return state.Bytes(r.instance, state.RecordFile, text), err
}
