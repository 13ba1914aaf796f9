package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// policy says whether a configuration that was fetched is applied whole, or is one that an earlier boot
// applied.
type policy func(*run) (later bool, err error)

// always applies what was fetched.
func always(*run) (later bool, err error) { return false, nil }

// byDigest is the policy of a boot: the configuration that an earlier boot applied is left as it is; another one
// is told of, and applied only where the settings say so.
func byDigest(r *run) (later bool, err error) {
	var m state.Manifest
	known, err := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	if err != nil || !known {
		return false, err
	}
	if m.Digest != r.digest() {
		if r.settings.LaterBoots == "apply" {
			return false, nil
		}
		r.Console.Say("check", "the user-data is not what was applied; provisioner plan shows what would change, provisioner apply changes it")
		kept, ok, err := state.ReadBytes(r.Root, r.instance, state.UserDataFile)
		if err != nil {
			return false, err
		}
		if ok {
			r.data.UserData = kept
		}
	}
	return true, nil
}

// BootLocal is the first stage of a boot: undo what was cut short, and put back what belongs below /run.
func BootLocal(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	st, request := r.locked(ctx, func() (report.State, handoff.Request) {
		changed, err := Restore(ctx, r.Root, func(string) bool { return true })
		if err != nil {
			return r.failed(err), handoff.Request{}
		}
		return report.Done, handoff.Request{Reload: changed}
	})
	if st == report.Done && request.Reload {
		st = r.handOff(ctx, handoff.Request{Reload: true}, handoff.Options{}, noted)
	}
	r.Finish(st, r.Now())
	return r.Report
}

// IsUnit says that a path below /run is systemd's: the generator puts these back, before anything loads.
func IsUnit(path string) bool { return strings.HasPrefix(path, "run/systemd/") }

// Restore puts back what was below /run before the machine was started again: those of the paths that wanted
// says. units says that something of systemd's changed.
func Restore(ctx context.Context, root *fsroot.Root, wanted func(path string) bool) (units bool, err error) {
	dir, err := state.CurrentDir(root)
	if dir == "" || err != nil {
		return false, err
	}
	var kept state.Runtime
	if _, err := state.Read(root, dir, state.RuntimeFile, &kept); err != nil {
		return false, err
	}
	f := plan.Facts{Paths: map[string]plan.Seen{}}
	var missing []plan.Change
	for _, c := range kept.Changes() {
		if !wanted(c.Path) {
			continue
		}
		if err := facts.Look(root, &f, []string{c.Path}); err != nil {
			return false, err
		}
		if c.Was = f.Paths[c.Path]; !c.IsAlready(c.Was) {
			missing = append(missing, c)
			units = units || IsUnit(c.Path)
		}
	}
	return units, commit.Write(ctx, root, missing)
}

// floorTime is how long sshd is kept waiting: a little less than the unit is given.
const floorTime = 28 * time.Second

// BootFloor is the stage that sshd waits for, on the first boot of an instance: the platform's keys and
// hostname.
func BootFloor(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	ctx, cancel := context.WithTimeout(ctx, floorTime)
	defer cancel()
	st, request := r.locked(ctx, func() (report.State, handoff.Request) {
		if dir, err := state.CurrentDir(r.Root); err != nil || dir != "" {
			if err != nil {
				return r.failed(err), handoff.Request{}
			}
			return report.Done, handoff.Request{}
		}
		if err := r.fetch(ctx); err != nil {
			return r.failed(err), handoff.Request{}
		}
		request, st := r.floor(ctx)
		return st, request
	})
	if st == report.Done && request.Hostname != "" {
		st = r.handOff(ctx, request, handoff.Options{}, noted)
	}
	r.Finish(st, r.Now())
	return r.Report
}

// requestPath is where BootMain leaves for BootHandoff what is to be handed off.
const requestPath = report.Dir + "/handoff.json"

// BootMain is the stage that applies the configuration. What is to be handed off is left for BootHandoff, and
// the report stays open until that ends.
func BootMain(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	r.publish(ctx)
	st, request := r.locked(ctx, func() (report.State, handoff.Request) { return r.bootMain(ctx) })
	if st == report.Done {
		if err := r.leave(ctx, request); err != nil {
			st = r.failed(err)
		}
	}
	if st != report.Done {
		r.end(ctx, st)
		return r.Report
	}
	r.enter("hand off")
	r.publish(ctx)
	return r.Report
}

// bootMain falls back to the configuration that was kept if the datasource is lost: that is not a new instance.
func (r *run) bootMain(ctx context.Context) (report.State, handoff.Request) {
	st, request := r.apply(ctx, byDigest)
	if st != report.Failed || r.instance != "" {
		return st, request
	}
	dir, err := state.CurrentDir(r.Root)
	if err != nil || dir == "" {
		return st, request
	}
	var meta schema.Metadata
	known, err := state.Read(r.Root, dir, state.InstanceFile, &meta)
	if err != nil || !known {
		return st, request
	}
	data, known, err := state.ReadBytes(r.Root, dir, state.UserDataFile)
	if err != nil || !known {
		return st, request
	}
	r.Console.Say("fetch", "the datasource is lost; going on with what it said when it was last there")
	r.data.UserData, r.data.Meta, r.data.Name, r.instance = data, meta, "user-data", dir
	r.Identify(meta)
	if err := r.decode(ctx); err != nil || r.found.HasErrors() {
		return st, request
	}
	request, st = r.commit(ctx, true)
	return st, request
}

// leave keeps a request for BootHandoff.
func (r *run) leave(ctx context.Context, request handoff.Request) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return commit.Write(ctx, r.Root, []plan.Change{{
		Kind: plan.WriteFile, Path: requestPath, Attr: fsroot.Attr{Mode: 0o600}, Data: text, Secret: true, Origin: plan.OriginState,
	}})
}

// BootHandoff is the last stage: it asks systemd for everything, says that it has, and goes on watching.
func BootHandoff(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	if data, _, err := r.Root.ReadFile(path.Join(report.Dir, report.ResultFile), maxResult); err == nil {
		// The report of BootMain goes on; one that cannot be read is started anew.
		if kept := report.New(r.Versions, r.Now()); json.Unmarshal(data, kept) == nil {
			r.Report = kept
		}
	}
	if r.State != report.Running {
		return r.Report // nothing was committed, so there is nothing to hand off
	}
	if r.Report.Metadata != nil {
		r.data.Meta = *r.Report.Metadata
	}
	dir, err := state.CurrentDir(r.Root)
	if err != nil {
		r.end(ctx, r.failed(err))
		return r.Report
	}
	r.instance = dir
	var request handoff.Request
	data, _, err := r.Root.ReadFile(requestPath, maxResult)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		r.end(ctx, r.failed(err))
		return r.Report
	default:
		if err := json.Unmarshal(data, &request); err != nil {
			r.end(ctx, r.failed(fmt.Errorf("read /%s: %w", requestPath, err)))
			return r.Report
		}
	}
	st := r.handOff(ctx, request, handoff.Options{Success: "provisioner-success.target"}, handoff.Ready)
	if err := r.Root.Remove(requestPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.failed(err) // scripts are in it; it is root's alone, and gone with the next boot
	}
	r.end(ctx, st)
	return r.Report
}

// noted is for a hand-off that nobody waits to see enqueued.
func noted() error { return nil }

// maxResult bounds the files below /run that are read back, in bytes.
const maxResult = 64 << 20

// handOff gives a request to systemd; enqueued is called once every job is in its queue.
func (r *run) handOff(ctx context.Context, request handoff.Request, o handoff.Options, enqueued func() error) report.State {
	r.enter("hand off")
	m, err := r.Manager(ctx)
	if err != nil {
		r.failed(fmt.Errorf("connect to systemd: %w", err))
		return report.Degraded
	}
	digests := map[string]string{}
	for _, s := range request.Scripts {
		digests[s.Name] = plan.Digest(s.Content)
	}
	o.ScriptDir = r.Scripts
	o.Progress = func(line string) { r.Console.Say("hand off", "%s", line) }
	o.ScriptEnded = func(script handoff.Outcome) {
		if err := r.markEnded(ctx, digests[script.Script], script.Result); err != nil {
			r.failed(err)
		}
	}
	watch := handoff.Enqueue(ctx, m, request, o)
	if err := enqueued(); err != nil {
		r.failed(err)
	}
	result := watch.Wait(ctx)
	r.HandOff(result)
	if result.Err() != nil {
		r.Console.Say("hand off", "%v", result.Err())
		return report.Degraded
	}
	return report.Done
}
