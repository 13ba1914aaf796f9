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

	"cloudconfig/datasources"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

// knownOrLost says that this boot is a later one: known says so of what was fetched, and without a datasource it
// is one if there is anything that was applied. A lost datasource is not a new machine.
func (r *run) knownOrLost(known func() (bool, error), lost error) (bool, error) {
	switch {
	case lost == nil && !r.isNone():
		return known()
	case lost != nil && !errors.Is(lost, datasources.ErrAbsent) && !errors.Is(lost, datasources.ErrNotReady):
		return false, nil
	}
	was := r.instance
	dir, err := state.CurrentDir(r.Root)
	if err != nil || dir == "" || was != "" && was != dir {
		return false, err
	}
	r.instance = dir
	if later, err := known(); !later || err != nil {
		r.instance = was
		return false, err
	}
	var meta schema.Metadata
	if ok, err := state.Read(r.Root, dir, state.InstanceFile, &meta); err != nil {
		return false, err
	} else if ok {
		r.Identify(meta)
	}
	r.say("fetch", "the datasource is lost; going on with what was applied when it was last there")
	return true, nil
}

// isNone says that no datasource was named, and no metadata given.
func (r *run) isNone() bool { return r.data.Meta.Datasource == "none" && r.Env.Metadata == nil }

// appliedBefore says that this instance has a configuration, and that this boot leaves it as it is: another one
// is told of, and applied only where the settings say so.
func (r *run) appliedBefore() (bool, error) {
	if r.instance == "" {
		return false, nil
	}
	var m state.Manifest
	known, err := state.Read(r.Root, r.instance, state.ManifestFile, &m)
	if err != nil || !known {
		return false, err
	}
	if r.data.UserData != nil && m.Digest != r.digest() {
		if r.settings.LaterBoots == "apply" {
			return false, nil
		}
		if ended, err := r.isHandedOff(m); err != nil {
			return false, err
		} else if !ended && !m.ByHand {
			return false, fmt.Errorf("configuration %s was committed and not handed off to the end, and the user-data is %s now: %w",
				short(m.Digest), short(r.digest()), ErrHalfway)
		}
		r.say("check", "the user-data is not what was applied; provisioner plan shows what would change, provisioner apply changes it")
	}
	return true, nil
}

// again is a later boot: what belongs below /run is there, nothing persistent is written, and what a unit's
// command asks for is asked for at every boot, as coreos-cloudinit did, but what runs is not restarted.
func (r *run) again(ctx context.Context) report.State {
	r.enter("restore")
	made, err := restore(ctx, r.Root, r.instance, func(string) bool { return true })
	if err == nil {
		err = r.label(ctx, made)
	}
	if err != nil {
		return r.failed(err)
	}
	r.Commit(made)
	r.say("restore", "this configuration was applied before; %d changes below /run", len(made))
	var kept state.Runtime
	if _, err := state.Read(r.Root, r.instance, state.RuntimeFile, &kept); err != nil {
		return r.failed(err)
	}
	ended, err := r.scriptsEnded()
	if err != nil {
		return r.failed(err)
	}
	r.request.Reload = r.request.Reload || anyUnit(made)
	r.request.Agents, r.request.Enabled, r.request.Hosts = kept.Agents, kept.Enabled, kept.Hosts
	for _, c := range kept.Commands {
		if !ended.has(c.Inputs, schema.PerInstance) {
			r.request.Commands = append(r.request.Commands, handoff.Command{Argv: c.Argv, Inputs: c.Inputs})
		}
	}
	for _, j := range kept.Jobs {
		if action := plan.LaterAction(j.Action); action != "" {
			r.request.Jobs = append(r.request.Jobs, plan.Job{Unit: j.Unit, Action: action})
		}
	}
	for _, s := range kept.Scripts {
		if !ended.has(plan.Digest(s.Content), s.When) {
			r.request.Scripts = append(r.request.Scripts, handoff.Script{Name: s.Name, Content: s.Content, When: s.When})
		}
	}
	r.dropEndedSteps(&kept.Steps, &kept.Power, ended)
	r.request.Steps, r.request.Power, r.request.FinalMessage = kept.Steps, kept.Power, kept.FinalMessage
	return report.Done
}

// restoreCurrent puts back what the instance that this machine was last had below /run, unless the machine is a copy.
func restoreCurrent(ctx context.Context, root *fsroot.Root, wanted func(path string) bool) ([]plan.Change, error) {
	dir, err := state.CurrentDir(root)
	if dir == "" || err != nil {
		return nil, err
	}
	if copied, err := isCopy(root); copied || err != nil {
		return nil, err
	}
	return restore(ctx, root, dir, wanted)
}

// restore puts back what an instance had below /run: those of the paths that wanted says.
func restore(ctx context.Context, root *fsroot.Root, dir string, wanted func(path string) bool) ([]plan.Change, error) {
	var kept state.Runtime
	if _, err := state.Read(root, dir, state.RuntimeFile, &kept); err != nil {
		return nil, err
	}
	f := plan.Facts{Paths: map[string]*plan.Seen{}}
	var missing []plan.Change
	for _, c := range kept.Changes(false) {
		if !wanted(c.Path) {
			continue
		}
		if err := facts.Look(root, &f, []string{c.Path}); err != nil {
			return nil, err
		}
		if c.Was = *f.Paths[c.Path]; !c.IsAlready(&c.Was) {
			missing = append(missing, c)
		}
	}
	return missing, commit.Write(ctx, root, missing)
}

// isUnit says that a path below /run is systemd's: the generator puts these back, before anything loads.
func isUnit(path string) bool { return strings.HasPrefix(path, "run/systemd/") }

func anyUnit(changes []plan.Change) bool {
	for _, c := range changes {
		if isUnit(c.Path) {
			return true
		}
	}
	return false
}

// restoredPath marks that what belongs below /run was put back in this boot, so that the generator, which runs at
// every daemon-reload, does not undo what an administrator has removed since.
const restoredPath = report.Dir + "/restored"

// marker is the change that says that everything was put back.
var marker = plan.Change{Kind: plan.WriteFile, Path: restoredPath, Attr: fsroot.Attr{Mode: 0o600}, Origin: plan.OriginState}

// continued is the run of a boot that an earlier stage has begun; if none has, it begins here.
func continued(env Env) *run {
	r := begin(env)
	// A report that cannot be read is begun anew.
	if kept := r.onDisk(); kept != nil && (kept.State == report.Running || kept.State == report.None) {
		r.Report, r.published = kept, true
	}
	return r
}

// onDisk is the report that was published last; nil if none can be read.
func (r *run) onDisk() *report.Report {
	data, _, err := r.Root.ReadFile(path.Join(report.Dir, report.ResultFile), maxResult)
	if err != nil {
		return nil
	}
	kept := report.New(r.Versions, r.Now())
	if json.Unmarshal(data, kept) != nil {
		return nil
	}
	return kept
}

// pass leaves the report to the next stage of the boot, or ends it if this one went wrong.
func (r *run) pass(ctx context.Context, st report.State) *report.Report {
	if st != report.Done {
		r.end(ctx, st)
		return r.Report
	}
	r.conclude()
	r.Env.PID = 0
	r.publish(ctx)
	return r.Report
}

// errNoFloor says that no datasource that is to be asked could be an access floor.
var errNoFloor = errors.New("no datasource of this machine tells who may log in")

// floorTime is how long sshd is kept waiting: a little less than the unit is given.
const floorTime = 28 * time.Second

// BootFloor is the stage that sshd waits for, on the first boot of an instance: the platform's keys and
// hostname.
func BootFloor(ctx context.Context, env Env) *report.Report {
	ctx, cancel := context.WithTimeout(ctx, floorTime)
	defer cancel()
	r := continued(env)
	if r.isStill() {
		return r.Report
	}
	r.hurried = true
	if own, err := r.isProvisioned(); err != nil || own {
		if err != nil {
			return r.pass(ctx, r.failed(err))
		}
		return r.pass(ctx, report.Done)
	}
	if err := r.configure(); err != nil {
		return r.pass(ctx, r.failed(err))
	}
	lost := r.fetchForFloor(ctx)
	if errors.Is(lost, errNoFloor) {
		return r.pass(ctx, report.Done)
	}
	if lost == nil {
		if err := r.decode(ctx); err != nil {
			return r.pass(ctx, r.failed(err))
		}
	}
	st := r.underLock(ctx, func() report.State { return r.floor(ctx) })
	r.found = nil // they are BootMain's to tell
	if !r.request.IsEmpty() {
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted))
	}
	switch {
	case lost == nil || st != report.Done || len(r.Changes) > 0:
	case errors.Is(lost, datasources.ErrNotReady) || ctx.Err() != nil:
		r.say("access floor", "there is none in time: it comes with everything else, once the platform answers")
	default:
		st = r.failed(lost)
	}
	return r.pass(ctx, st)
}

// fetchForFloor asks until there is metadata: user-data that is late is waited for by BootMain. Since an answer may
// be slow, it is asked for longer each time.
func (r *run) fetchForFloor(ctx context.Context) (err error) {
	limit := &r.Env.Sources.Limits.Overall
	longest := *limit
	for _, patience := range []time.Duration{5 * time.Second, 10 * time.Second, floorTime} {
		if longest == 0 || patience < longest {
			*limit = patience
		}
		if err = r.fetch(ctx); err == nil || r.data.Meta.InstanceID != "" || !errors.Is(err, datasources.ErrNotReady) || ctx.Err() != nil {
			break
		}
	}
	*limit = longest
	return err
}

// requestPath is where BootMain leaves for BootHandoff what is to be handed off.
const requestPath = report.Dir + "/handoff.json"

// BootMain is the stage that applies the configuration. What is to be handed off is left for BootHandoff, and
// the report stays open until that ends.
func BootMain(ctx context.Context, env Env) *report.Report {
	r := continued(env)
	if r.isStill() {
		return r.Report
	}
	if r.isLeft() {
		return r.passOn(ctx)
	}
	st := worse(r.whole(ctx, r.appliedBefore), r.networkState())
	r.tellPlatform(ctx, st)
	if st == report.Done || st == report.Degraded {
		err := r.leave(ctx)
		if err == nil {
			// What is committed is handed off, whatever went wrong after the commit: that is in the report, and
			// BootHandoff ends with it.
			return r.passToHandoff(ctx)
		}
		st = r.degraded(err)
	}
	if !r.request.IsEmpty() {
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted)) // nobody comes after us
	}
	r.end(ctx, st)
	r.tell(ctx)
	return r.Report
}

// passOn is BootMain where the first stage has applied everything: only a network that it wrote is left to be checked.
func (r *run) passOn(ctx context.Context) *report.Report {
	r.underLock(ctx, func() report.State { return r.resume(ctx) })
	r.networkState() // what is wrong with it is in the report, and BootHandoff ends with it
	return r.passToHandoff(ctx)
}

// passToHandoff leaves the report to BootHandoff, if that comes.
func (r *run) passToHandoff(ctx context.Context) *report.Report {
	r.enter("hand off")
	if err := r.willStart(ctx, handoffUnit); err != nil {
		return r.pass(ctx, r.degraded(err))
	}
	return r.pass(ctx, report.Done)
}

// leave keeps the request for BootHandoff.
func (r *run) leave(ctx context.Context) error {
	text, err := json.Marshal(r.request)
	if err != nil {
		return err
	}
	return r.write(ctx, []plan.Change{{
		Kind: plan.WriteFile, Path: requestPath, Attr: fsroot.Attr{Mode: 0o600}, Data: text, Secret: true, Origin: plan.OriginState,
	}})
}

// BootHandoff is the last stage: it asks systemd for everything, says that it has, and goes on watching. A request
// is handed off once: it is thrown away as soon as everything in it is enqueued.
func BootHandoff(ctx context.Context, env Env) *report.Report {
	r := continued(env)
	data, _, err := r.Root.ReadFile(requestPath, maxResult)
	if still := r.isStill(); still || errors.Is(err, fs.ErrNotExist) {
		// Nothing was committed, or it is handed off already.
		if err := handoff.Ready(); err != nil {
			r.failed(err)
		}
		if !still {
			r.Finish(report.Done, r.Now())
		}
		return r.Report
	}
	if err == nil {
		if err = json.Unmarshal(data, &r.request); err != nil {
			err = fmt.Errorf("read /%s: %w", requestPath, err)
		}
	}
	if err == nil {
		r.instance, err = state.CurrentDir(r.Root)
	}
	if err != nil {
		r.end(ctx, r.degraded(err))
		r.tell(ctx)
		return r.Report
	}
	r.publish(ctx)
	r.request.Enabled = append(r.request.Enabled, "provisioner.target") // nothing else would miss it
	st, o := report.Done, handoff.Options{Success: "provisioner-success.target"}
	if len(r.Errors) > 0 { // of BootMain, after the commit
		st, o.Success = report.Degraded, ""
	}
	st = worse(st, r.handOff(ctx, o, func() error {
		return errors.Join(r.Root.Remove(requestPath), r.endFirst(), handoff.Ready())
	}))
	st = worse(st, r.markHandedOff(ctx))
	if later := r.onDisk(); later != nil && !later.Started.Equal(r.Started) {
		r.shutOut = true // another run has begun since, and what is published is of that
	}
	r.showKeys(ctx)
	r.end(ctx, st)
	r.printFinalMessage()
	r.tell(ctx)
	r.turnOff(ctx)
	return r.Report
}

// maxResult bounds the files below /run that are read back, in bytes.
const maxResult = 64 << 20

// noted is for a hand-off that nobody waits to see enqueued.
func noted() error { return nil }

// connect connects to systemd; done ends the connection.
func (r *run) connect(ctx context.Context) (m handoff.Manager, done func(), err error) {
	m, err = r.Manager(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to systemd: %w", err)
	}
	if c, ok := m.(interface{ Close() }); ok {
		return m, c.Close, nil
	}
	return m, func() {}, nil
}

// handOff gives the request to systemd; enqueued is called once every job is in its queue.
func (r *run) handOff(ctx context.Context, o handoff.Options, enqueued func() error) report.State {
	r.enter("hand off")
	m, done, err := r.connect(ctx)
	if err != nil {
		return r.degraded(err)
	}
	defer done()
	digests, often := map[string]string{}, map[string]schema.When{}
	for _, c := range r.request.Commands {
		digests[c.Name()] = c.Inputs
	}
	for _, s := range r.request.Scripts {
		digests[s.Name], often[s.Name] = plan.Digest(s.Content), s.When
	}
	o.ScriptDir, o.Watcher = r.Scripts, r.Watcher
	o.Progress = func(line string) { r.say("hand off", "%s", line) }
	st := report.Done
	o.ScriptEnded = func(script handoff.Outcome) {
		if r.markEnded(ctx, digests[script.Script], often[script.Script], script.Result) != report.Done {
			st = report.Degraded // a later boot runs it again
		}
	}
	o.StepEnded = func(step handoff.Outcome, shell []byte) {
		if r.markStep(ctx, step, shell) != report.Done {
			st = report.Degraded // a later boot runs it again
		}
	}
	r.awaitNames(ctx)
	if err := r.loadShell(); err != nil {
		st, r.request.Steps = r.degraded(err), nil // without it they might do anything
	}
	st = worse(st, r.begin(ctx))
	watch := handoff.Enqueue(ctx, m, r.request, o)
	if err := enqueued(); err != nil {
		st = worse(st, r.degraded(err))
	}
	result := watch.Wait(ctx)
	if r.handed = ctx.Err() == nil; r.handed {
		st = worse(st, r.stayedUp(ctx))
	}
	if r.told("hand off", result) != report.Done {
		return report.Degraded
	}
	if n := len(result.Outcomes); n > 0 {
		r.say("hand off", "%d jobs, scripts and commands ended well", n)
	}
	return st
}
