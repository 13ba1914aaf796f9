package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// requestPath is where BootMain leaves for BootHandoff what is to be handed off, and reloadPath says that systemd has not read
// its units since they have changed.
const (
	requestPath = report.Dir + "/handoff.json"
	reloadPath  = report.Dir + "/reload"
)

// maxResult bounds the files below /run that are read back, in bytes.
const maxResult = 64 << 20

// left is what lies at requestPath.
type left struct {
	// Of is the digest of the configuration that asks for it, as the manifest has it; "" where there is none.
	Of string `json:"of,omitempty"`
	handoff.Request
}

// leave keeps the request for BootHandoff.
func (r *run) leave(ctx context.Context) error {
	of, err := r.appliedDigest()
	if err != nil {
		return err
	}
	text, err := json.Marshal(left{of, r.request})
	if err != nil {
		return err
	}
	return r.write(ctx, []plan.Change{{
		Kind: plan.WriteFile, Path: requestPath, Attr: fsroot.Attr{Mode: 0o600}, Data: text, Secret: true, Origin: plan.OriginState,
	}})
}

// readLeft is what was left, if anything was.
func (r *run) readLeft() (l left, there bool, err error) {
	data, _, err := r.Root.ReadFile(requestPath, maxResult)
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil
	}
	if err == nil {
		if err = json.Unmarshal(data, &l); err != nil {
			err = fmt.Errorf("read /%s: %w", requestPath, err)
		}
	}
	return l, true, err
}

// throwAway removes what was left.
func (r *run) throwAway() error {
	if err := r.Root.Remove(requestPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// appliedDigest is that of the configuration that this instance has; "" if it has none.
func (r *run) appliedDigest() (string, error) {
	if r.instance == "" {
		return "", nil
	}
	var m state.Manifest
	_, err := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	return m.Digest, err
}

// alone makes sure that nobody else hands off at the same time, or says that somebody does and is not waited for any more. The
// watchers of coreos-cloudinit's units are several, each with a configuration of its own.
func (r *run) alone(ctx context.Context, patience time.Duration) (release func(), other bool) {
	if r.Watcher != "" || r.Within || !r.Live {
		return func() {}, false
	}
	release, err := commit.LockHandOff(ctx, r.Root, patience, func(holder string) { r.say("hand off", "%s hands off just now", holder) })
	if err != nil { // a lock that cannot be made keeps nobody from his agents
		return func() {}, errors.Is(err, commit.ErrBusy)
	}
	return release, false
}

// takeOver is for an apply by hand that has committed something: it comes in the place of what the boot has left for its last
// stage, which gets nothing more to do. Whoever hands off just now is waited for.
func (r *run) takeOver(ctx context.Context) (release func(), err error) {
	release, _ = r.alone(ctx, committedPatience) // after that it goes on beside the other, whose units it takes up
	if ctx.Err() != nil {
		return release, nil
	}
	was, _, err := r.readLeft()
	r.request.Reload = r.request.Reload || was.Reload || r.owesReload()
	return release, errors.Join(err, r.throwAway(), r.dropEndedRequest(), r.endFirst())
}

// standBack ends BootHandoff where something was applied by hand since: that is handed off by whoever has applied it.
func (r *run) standBack(ctx context.Context, was left) *report.Report {
	r.say("hand off", "another configuration was applied by hand meanwhile, and nothing is left to do")
	var err error
	if was.Reload {
		err = r.oweReload(ctx, true)
	}
	if err := errors.Join(err, r.throwAway(), r.endFirst(), handoff.Ready()); err != nil {
		r.failed(err)
	}
	r.Finish(report.Done, r.Now()) // unpublished: what is published is the other's
	return r.Report
}

// dropEndedRequest drops from the request what has ended since it was made.
func (r *run) dropEndedRequest() error {
	if r.instance == "" {
		return nil
	}
	ended, err := r.scriptsEnded()
	r.request.Scripts = slices.DeleteFunc(r.request.Scripts, func(s handoff.Script) bool { return ended.has(plan.Digest(s.Content), s.When) })
	r.dropEndedSteps(&r.request.Steps, &r.request.Power, ended)
	return err
}

// owesReload says that systemd has not read its units since they have changed.
func (r *run) owesReload() bool {
	info, err := r.Root.Stat(reloadPath)
	return err == nil && info.Kind != fsroot.Absent
}

// oweReload remembers that, or that it has.
func (r *run) oweReload(ctx context.Context, owes bool) error {
	if owes == r.owesReload() {
		return nil
	}
	mark := plan.Change{Kind: plan.WriteFile, Path: reloadPath, Attr: fsroot.Attr{Mode: 0o600}, Origin: plan.OriginState}
	if !owes {
		mark = plan.Change{Kind: plan.Remove, Path: reloadPath, Origin: plan.OriginState}
	}
	return r.write(ctx, []plan.Change{mark})
}
