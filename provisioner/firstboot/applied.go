package firstboot

import (
	"errors"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/confirm"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// applied is what is known of earlier runs: the manifest; before there is one, what the access floor made, or what is left of
// another instance that the machine was. It is nil if nothing is known.
func (r *run) applied() (*plan.Applied, error) {
	if r.instance == "" {
		return nil, nil
	}
	var m, left state.Manifest
	var floor state.Floor
	known, err1 := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	made, err2 := state.Read(r.Root, r.instance, state.FloorFile, &floor)
	inherited, err3 := state.Read(r.Root, state.Top, state.LeftFile, &left)
	if err := errors.Join(err1, err2, err3); err != nil || !known && !made && !inherited {
		return nil, err
	}
	a := &plan.Applied{Items: left.Items, Inherited: inherited && !known && left.Digest == ""}
	switch {
	case known:
		a.Items, a.Same = m.Items, m.Digest == r.digest()
	case made:
		a.Items = floor.Items
	}
	if confirm.IsPending(r.Root) {
		anyNetwork(a.Items)
	}
	var kept state.Runtime
	_, err := state.Read(r.Root, r.instance, state.RuntimeFile, &kept)
	a.Runtime = kept.Changes(true)
	return a, err
}

// isApplied says that this instance has a configuration.
func (r *run) isApplied() (bool, error) {
	var m state.Manifest
	return state.Read(r.Root, r.instance, state.ManifestFile, &m)
}

// anyNetwork makes whatever is in our files of networkd what was applied: a network that was tried and did not work was put
// back by us, and by nobody's hand.
func anyNetwork(items []plan.Item) {
	for i := range items {
		if it := &items[i]; strings.HasSuffix(path.Dir(it.Path), "/systemd/network") && strings.HasPrefix(path.Base(it.Path), networkd.Prefix) {
			it.Any = true
		}
	}
}

// dropEnded drops the scripts of a plan that need not run again.
func (r *run) dropEnded(p *plan.Plan) error {
	ended, err := r.scriptsEnded()
	p.Scripts = slices.DeleteFunc(p.Scripts, func(s plan.Script) bool { return ended.has(plan.Digest(s.Content), s.When) })
	r.dropEndedSteps(&p.Steps, &p.Power, ended)
	return err
}

// tellLeft says what a plan leaves: whoever applied it is told each thing, a boot how many.
func (r *run) tellLeft(p plan.Plan) {
	r.Leave(reported(p.ByHand), reported(p.Orphans))
	for _, l := range []struct {
		n    int
		what string
	}{
		{len(p.ByHand), "changed by hand since: kept; --overwrite takes it back"},
		{len(p.Orphans), "that the configuration no longer has: left; --prune removes it"},
	} {
		if l.n > 0 {
			r.say("commit", "%d %s", l.n, l.what)
		}
	}
}

func reported(all []plan.Left) (out []report.Left) {
	for _, l := range all {
		out = append(out, report.Left{Path: "/" + l.Path, Record: l.Record, ByHand: l.ByHand, Before: l.Before})
	}
	return out
}
