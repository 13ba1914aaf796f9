package firstboot

import (
	"context"
	"errors"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/identity"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/seal"
)

// disk is the system that the run is about, in the machine that it is in.
func (r *run) disk() identity.Disk { return identity.Disk{Root: r.Root, Host: r.host, Live: r.Live} }

// settleIdentity comes first in a boot, before the network and sshd: a machine that is a copy of another one becomes one of its
// own. That it cannot be done is a warning and stops no boot.
func (r *run) settleIdentity(ctx context.Context) {
	if err := r.settleMachine(ctx); err != nil {
		r.say("identity", "%v", err)
		r.Warn("whether this machine is a copy, and whether it has host keys, could not be settled: %v", err)
	}
}

func (r *run) settleMachine(ctx context.Context) error {
	if err := r.lookAtMachine(); err != nil {
		return err
	}
	s, err := r.disk().Settle()
	r.Clone = r.Clone || s.Copy
	if s.FirstKeys {
		r.say("identity", "sshd has no host keys; making them")
	}
	if err != nil {
		return err
	}
	if s.SameID {
		defer r.askByMAC(ctx)
	}
	if err := r.makeSo(ctx, s.Changes); err != nil || !s.Copy {
		return err
	}
	r.forgetLeases(ctx)
	r.Warn("this machine is a copy of another one, which was not sealed: it gets %s", s.Gets)
	r.say("identity", "this machine is a copy of another one, which was not sealed: it gets %s", s.Gets)
	return nil
}

// makeSo commits changes, and says nothing if there are none.
func (r *run) makeSo(ctx context.Context, changes []plan.Change) error {
	made, err := r.apply(ctx, changes)
	if err != nil || len(made) == 0 {
		return err
	}
	for _, c := range made {
		if c.Origin != plan.OriginState {
			r.Commit([]plan.Change{c})
		}
	}
	return r.label(ctx, made)
}

// forgetLeases removes what DHCP clients remember. Others make these files, so that one which cannot be removed must not
// keep the rest from being done.
func (r *run) forgetLeases(ctx context.Context) {
	leases, err := seal.Leases(r.Root)
	if err != nil {
		r.say("identity", "%v", err)
	}
	for _, file := range leases {
		if err := r.makeSo(ctx, []plan.Change{{Kind: plan.Remove, Path: file, Origin: "identity"}}); err != nil {
			r.say("identity", "%v", err)
		}
	}
}

// askByMAC has networkd ask for addresses as the card and not as the machine-id, in this boot.
func (r *run) askByMAC(ctx context.Context) {
	changes, errs := r.disk().ByMAC()
	for _, err := range errs {
		r.say("identity", "%v", err)
	}
	if err := r.write(ctx, changes); err != nil {
		r.say("identity", "DHCP by the addresses of the cards: %v", err)
	}
}

// isCopy says that what is known of instances is of the machine that this one was copied from.
func (r *run) isCopy() (bool, error) {
	if !r.Live || r.host == nil {
		return false, nil
	}
	return r.disk().IsCopy()
}

// own makes the state of an instance that has moved to other hardware that machine's own. Else it writes nothing.
func (r *run) own(ctx context.Context) error {
	if copied, err := r.isCopy(); !copied || err != nil {
		return err
	}
	record, err := r.disk().Record()
	if err != nil {
		return err
	}
	return r.makeSo(ctx, record)
}

// succeed makes room for an instance where the machine has another one's state, before anything of the new one is applied.
func (r *run) succeed(ctx context.Context) error {
	if r.instance == "" || r.Legacy != nil { // of whose instances a machine may be several
		return nil
	}
	s, err := r.disk().Succeed(r.instance, r.data.Meta)
	if s.Another {
		r.enter("new instance")
	}
	if err != nil {
		return err
	}
	if _, err := r.apply(ctx, append(s.Changes, s.Keys...)); err != nil || !s.Another {
		return err
	}
	r.say("new instance", "this machine was another instance: what was kept of that is deleted, and sshd gets new host keys")
	r.Commit(s.Keys)
	r.request.Reload = r.request.Reload || anyUnit(s.Gone)
	if !r.hurried { // else it is before sshd starts
		r.request.Jobs = append(r.request.Jobs, s.Jobs...)
	}
	return errors.Join(r.label(ctx, s.Keys), commit.Write(ctx, r.Root, s.Gone))
}
