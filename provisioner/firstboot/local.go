package firstboot

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/identity"
	"cloudconfig/provisioner/owner"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
	"cloudconfig/provisioner/state"
)

// FirstPath marks the first boot of an instance, from the first stage until everything is handed off. The unit of the
// floor looks at it, and the generator, which holds agents back as long as it is there.
const FirstPath = report.Dir + "/first"

// localTime bounds what the first stage waits for: the network, and with it most of the boot, waits for the stage.
const localTime = 5 * time.Second

// BootLocal is the first stage of a boot: undo what was cut short, and put back what belongs below /run. On the first
// boot of an instance it applies what a datasource of this machine says, as far as nothing but the machine is needed.
func BootLocal(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	st := r.underLock(ctx, func() report.State { return r.early(ctx) })
	if r.isStill() {
		r.publish(ctx)
		return r.Report
	}
	if st == report.Done && r.first {
		st = r.applyLocal(ctx)
	}
	if st == report.Done || !r.request.IsEmpty() {
		st = worse(st, r.handOffEarly(ctx))
	}
	if err := r.willStart(ctx, mainUnit); err != nil {
		st = r.failed(err)
	}
	return r.pass(ctx, st)
}

// early is what every boot begins with.
func (r *run) early(ctx context.Context) report.State {
	r.enter("restore")
	why, err := r.notOurs()
	if why != "" {
		r.stand(why)
		return report.Done
	}
	if err != nil {
		return r.failed(err)
	}
	r.publish(ctx)
	own, err := isProvisioned(r.Root, r.machine)
	r.first = !own
	var made []plan.Change
	if own && err == nil {
		if made, err = restoreCurrent(ctx, r.Root, func(string) bool { return true }); err == nil {
			err = r.label(ctx, made)
		}
	}
	marks := []plan.Change{marker}
	if r.first {
		marks = append(marks, plan.Change{Kind: plan.WriteFile, Path: FirstPath, Attr: fsroot.Attr{Mode: 0o644}, Origin: plan.OriginState})
	}
	if err == nil {
		err = errors.Join(r.bootNetwork(ctx), r.write(ctx, marks))
	}
	if err != nil {
		return r.failed(err)
	}
	r.Commit(made)
	r.request.Reload = r.request.Reload || anyUnit(made)
	r.settleIdentity(ctx)
	return report.Done
}

// isFirst says that this machine has no configuration yet.
func isFirst(root fsroot.FS) (bool, error) {
	dir, err := state.CurrentDir(root)
	return dir == "", err
}

// notOurs is why this machine is not ours to provision; "" if it is. One that we have provisioned stays ours, unless the
// settings say another thing.
func (r *run) notOurs() (string, error) {
	s, err := settings.Load(r.Root)
	if err != nil {
		return "", err
	}
	first, err := isFirst(r.Root)
	if s.Owner == owner.Unset && !first || err != nil {
		return "", err
	}
	return owner.Decide(r.Root, s.Owner, machine.Words(r.Env.Sources.Root))
}

// stand ends the run before it has done anything.
func (r *run) stand(why string) {
	r.say("owner", "%s", why)
	r.Finish(report.None, r.Now())
	r.Reason = why
}

// isStill says that this boot is another's: the first stage has found so.
func (r *run) isStill() bool { return r.State == report.None }

// applyLocal applies the configuration of a datasource of this machine. What needs more than the machine is left to the
// later stages, as is whatever is wrong with it: they have the time to wait, and tell it.
func (r *run) applyLocal(ctx context.Context) report.State {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r.hurried, r.offline = true, true
	defer func() { r.found = nil }()
	if r.configure() != nil || r.fetch(ctx) != nil || r.isNone() || r.loadIncluded() != nil || r.decode(ctx) != nil {
		return report.Done
	}
	st := r.underLock(ctx, func() report.State { return r.floor(ctx) })
	if st != report.Done || r.found.HasErrors() || r.ignition || r.needsMore() {
		return st
	}
	switch st = r.underLock(ctx, func() report.State { return r.commit(ctx) }); st {
	case report.Refused:
		return report.Done
	case report.Failed:
		return st
	}
	r.conclude()
	r.wholly = true
	return report.Done // what went wrong after the commit is in the report, and BootHandoff ends with it
}

// needsMore says that the configuration needs more than this machine, or that it has a program run before it is applied.
func (r *run) needsMore() bool {
	return r.pending > 0 || len(r.config.Boothooks)+len(r.config.BootCommands) > 0 || len(plan.Imports(r.config)) > 0 || r.data.Reporter != nil
}

// handOffEarly hands off what an early stage may: the hostname, and that units are to be read again. Nothing is started.
func (r *run) handOffEarly(ctx context.Context) report.State {
	rest := r.request
	r.request = rest.Early()
	st := report.Done
	if !r.request.IsEmpty() {
		st = r.handOff(ctx, handoff.Options{}, noted)
	}
	if st == report.Done {
		rest.Hostname, rest.Reload = "", false
	}
	if r.request = rest; !r.wholly {
		return st
	}
	if err := r.leave(ctx); err != nil {
		return worse(st, r.degraded(err))
	}
	return report.Done // units that could not be read again are tried once more before anything is started
}

// isLeft says that the first stage of this boot has applied everything, and that what is to be handed off lies there.
func isLeft(root fsroot.FS) bool {
	for _, path := range []string{FirstPath, requestPath} {
		if info, err := root.Stat(path); err != nil || info.Kind != fsroot.Regular {
			return false
		}
	}
	return true
}

// endFirst says that everything is handed off: what was held back may start.
func (r *run) endFirst() error {
	if err := r.Root.Remove(FirstPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isProvisioned says that this machine has a configuration, and is not the copy of one that has. It is not so either while
// the first boot goes on of an instance that it became by being copied. host looks at the machine, if that is needed.
func isProvisioned(root *fsroot.Root, host func() (*machine.Machine, error)) (bool, error) {
	if first, err := isFirst(root); first || err != nil {
		return false, err
	}
	if info, err := root.Stat(FirstPath); err != nil || info.Kind != fsroot.Absent {
		return isLeft(root), err
	}
	now, err := host()
	if err != nil {
		return false, err
	}
	copied, err := identity.Disk{Root: root, Host: now, Live: true}.IsCopy()
	return !copied, err
}
