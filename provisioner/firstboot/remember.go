package firstboot

import (
	"context"
	"errors"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// apply commits changes of our own, as far as they are not so already, and says which were made.
func (r *run) apply(ctx context.Context, changes []plan.Change) ([]plan.Change, error) {
	missing, err := facts.Missing(r.Root, &plan.Facts{}, changes)
	if err == nil && len(missing) > 0 {
		_, err = commit.Apply(ctx, r.Root, plan.Plan{Changes: missing})
	}
	return missing, err
}

// stateOf is what is remembered of this configuration. Where it was applied before and nothing is other than it says,
// what was kept of how that came about stays as it is. Where another one was (!again), what the shell of its commands has left
// goes: it is none of this one's business.
func (r *run) stateOf(p plan.Plan, again bool) ([]plan.Change, error) {
	same := again && len(p.Changes)+len(p.Runtime) == 0
	out := state.Directories(r.instance)
	manifest, err1 := state.File(r.instance, state.ManifestFile, state.Manifest{Version: 1, Digest: r.digest(), ByHand: r.byHand, Items: p.Owned})
	instance, err2 := state.Instance(r.instance, r.data.Meta)
	runtime, err3 := state.File(r.instance, state.RuntimeFile, state.Keep(p))
	origin, err4 := r.origin()
	record, err5 := r.record()
	machine, err6 := r.disk().Record()
	out = append(append(append(out, manifest, instance), origin...), machine...)
	if !same {
		out = append(out, record)
	}
	if r.Live && !same {
		out = append(out, runtime)
	}
	if !again {
		out = append(out, plan.Change{Kind: plan.Remove, Path: state.Bytes(r.instance, state.ShellFile, nil).Path, Origin: plan.OriginState})
	}
	if r.settings.KeepUserData {
		out = append(out, state.Bytes(r.instance, state.UserDataFile, r.data.UserData))
	}
	out = append(out, plan.Change{Kind: plan.Remove, Path: state.Top + "/" + state.LeftFile, Origin: plan.OriginState})
	return append(out, state.Link(r.instance)), errors.Join(err1, err2, err3, err4, err5, err6)
}

// digest is that of the configuration as fetched.
func (r *run) digest() string { return plan.Digest(r.data.UserData) }

// ended is what has ended: on this instance, and of what runs a single time ever on any.
type ended struct{ instance, ever state.Scripts }

// has says that a script or a command, by the digest of what it is, need not run again.
func (e ended) has(digest string, when schema.When) bool {
	switch when {
	case schema.PerBoot:
		return false
	case schema.Once:
		return e.ever.Ended[digest] != ""
	}
	return e.instance.Ended[digest] != ""
}

func (r *run) scriptsEnded() (e ended, err error) {
	_, err1 := state.Read(r.Root, r.instance, state.ScriptsFile, &e.instance)
	_, err2 := state.Read(r.Root, state.Top, state.ScriptsFile, &e.ever)
	return e, errors.Join(err1, err2)
}

// markEnded remembers that a script has ended, so that no later boot runs it again, if it is not to. It does so
// whatever has become of the context: a script may end by starting the machine again.
func (r *run) markEnded(ctx context.Context, digest string, when schema.When, result string) report.State {
	if when == schema.PerBoot {
		return report.Done
	}
	return r.keep(context.WithoutCancel(ctx), func() (plan.Change, error) {
		e, err := r.scriptsEnded()
		if err != nil {
			return plan.Change{}, err
		}
		dir, s := r.instance, e.instance
		if when == schema.Once {
			dir, s = state.Top, e.ever
		}
		s.Version = 1
		if s.Ended == nil {
			s.Ended = map[string]string{}
		}
		s.Ended[digest] = result
		if when != schema.Once {
			r.follow(&s, digest)
		}
		return state.File(dir, state.ScriptsFile, s)
	})
}

// keep commits one file of our state.
func (r *run) keep(ctx context.Context, file func() (plan.Change, error)) report.State {
	return r.keepAll(ctx, func() ([]plan.Change, error) {
		c, err := file()
		return []plan.Change{c}, err
	})
}

// keepAll commits files of our state.
func (r *run) keepAll(ctx context.Context, files func() ([]plan.Change, error)) report.State {
	return r.underLock(ctx, func() report.State {
		changes, err := files()
		if err == nil {
			_, err = r.apply(ctx, append(state.Directories(r.instance), changes...))
		}
		if err != nil {
			return r.failed(err)
		}
		return report.Done
	})
}

// instanceDir is where the state of this instance is. A source without an id of its own goes by the machine's; where
// a source with an id has said who this machine is, it says nothing else: a file that an administrator applies is
// another configuration, not another instance.
func (r *run) instanceDir() (string, error) {
	id := r.data.Meta.InstanceID
	if id != "" {
		return state.Dir(r.data.Meta.Datasource, id), nil
	}
	if r.Legacy != nil { // one of several that make up the machine, each with its own state
		return state.Dir(r.data.Meta.Datasource, r.disk().ID()+"\x00"+digestOf(r.Datasources)), nil
	}
	dir, err := state.CurrentDir(r.Root)
	if dir != "" && err == nil && r.Live {
		var meta schema.Metadata
		if _, err = state.Read(r.Root, dir, state.InstanceFile, &meta); err == nil && meta.InstanceID != "" {
			r.data.Meta.InstanceID = meta.InstanceID
			return dir, nil
		}
	}
	return state.Dir(r.data.Meta.Datasource, r.disk().ID()), err
}
