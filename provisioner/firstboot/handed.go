package firstboot

import (
	"context"
	"errors"

	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// ErrHalfway is wrapped if a boot finds another configuration than the one of which an earlier one has committed the files and
// has not got as far as to start everything. Half of one and half of another is nothing that anybody has asked for.
var ErrHalfway = errors.New("nothing more is done; provisioner apply applies what the user-data is now")

// short is a digest as people compare it.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// isHandedOff says that everything a configuration asks for was asked of systemd, and has ended, well or not.
func (r *run) isHandedOff(m state.Manifest) (bool, error) {
	var handed state.HandedOff
	_, err := state.Read(r.Root, r.instance, state.HandedFile, &handed)
	return handed.Digest == m.Digest, err
}

// markHandedOff remembers that the hand-off of what was applied has ended. It writes nothing if that is known.
func (r *run) markHandedOff(ctx context.Context) report.State {
	if r.instance == "" || !r.handed && !r.request.IsEmpty() {
		return report.Done
	}
	var m state.Manifest
	known, err := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	if err != nil || !known {
		return r.settled(err)
	}
	if ended, err := r.isHandedOff(m); err != nil || ended {
		return r.settled(err)
	}
	return r.keep(context.WithoutCancel(ctx), func() (plan.Change, error) {
		return state.File(r.instance, state.HandedFile, state.HandedOff{Version: 1, Digest: m.Digest})
	})
}

// settled is the state that goes with an error after the commit, or with none.
func (r *run) settled(err error) report.State {
	if err != nil {
		return r.degraded(err)
	}
	return report.Done
}
