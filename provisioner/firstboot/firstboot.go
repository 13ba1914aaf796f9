// Package firstboot is the order of a boot: fetch, check, plan, commit, hand off.
//
// [Apply] does it all in a row. [Plan] goes as far as the plan and changes nothing. A booting machine does the
// same in stages, each a unit of ours: [BootLocal], [BootFloor], [BootMain] and [BootHandoff].
package firstboot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/assemble"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/imports"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// Env is what a run works with.
type Env struct {
	Root *fsroot.Root
	// Live says that the root is the running system's, so that there is a systemd to hand off to.
	Live bool
	// Datasources are asked in this order, as --datasource takes them; none means those of the settings.
	Datasources []string
	// Metadata, if not nil, is taken instead of the datasource's.
	Metadata *schema.Metadata
	// Sources is what a datasource may touch.
	Sources datasources.Env
	// Manager connects to systemd.
	Manager func(context.Context) (handoff.Manager, error)
	// Scripts is the directory for scripts while they run; empty for the usual one.
	Scripts string
	Console report.Console
	Log     *slog.Logger
	Now     func() time.Time
	Version string
}

// run is one run, from the lock to the report.
type run struct {
	Env
	*report.Report
	settings settings.Settings
	data     datasources.Data
	instance string // the directory of its state
	files    []*source.File
	config   *schema.Config
	imported map[string][]string
	found    diag.List
}

func begin(env Env) *run {
	return &run{Env: env, Report: report.New(report.Versions{Provisioner: env.Version, Kernel: kernel()}, env.Now())}
}

// Apply does everything, and says how it went.
func Apply(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	state, request := r.locked(ctx, func() (report.State, handoff.Request) { return r.apply(ctx, always) })
	if state == report.Done && env.Live && !request.IsEmpty() {
		state = r.handOff(ctx, request, handoff.Options{}, noted)
	}
	r.end(ctx, state)
	return r.Report
}

// locked takes the lock, finishes what an earlier run left half-done, and then does the work.
func (r *run) locked(ctx context.Context, work func() (report.State, handoff.Request)) (report.State, handoff.Request) {
	r.enter("lock")
	unlock, err := commit.Lock(ctx, r.Root, func(holder string) { r.Console.Say("lock", "waiting for %s", holder) })
	if err != nil {
		return r.failed(err), handoff.Request{}
	}
	defer unlock()
	recovery, err := commit.Recover(ctx, r.Root)
	if err != nil {
		return r.failed(err), handoff.Request{}
	}
	if recovery.RolledBack {
		r.Console.Say("recover", "an earlier run was cut short; the machine is again as it was before it")
	}
	state, request := work()
	request.Reload = request.Reload || recovery.Units
	return state, request
}

// apply is the stages from the datasource to the commit. What is to be handed off comes back with it.
func (r *run) apply(ctx context.Context, when policy) (report.State, handoff.Request) {
	var none handoff.Request
	if err := r.fetch(ctx); err != nil {
		return r.failed(err), none
	}
	if r.data.Meta.Datasource == "none" && r.Env.Metadata == nil {
		r.Console.Say("fetch", "no datasource: nothing to do")
		return report.Done, none
	}
	later, err := when(r)
	if err != nil {
		return r.failed(err), none
	}
	floor, state := r.floor(ctx)
	if state != report.Done {
		return state, none
	}
	if err := r.decode(ctx); err != nil {
		return r.failed(err), floor
	}
	if r.found.HasErrors() {
		return r.refused(), floor
	}
	request, state := r.commit(ctx, later)
	if request.Hostname == "" {
		request.Hostname = floor.Hostname
	}
	return state, request
}

// fetch asks the datasources.
func (r *run) fetch(ctx context.Context) error {
	r.enter("fetch")
	var err error
	if r.settings, err = settings.Load(r.Root); err != nil {
		return err
	}
	specs := r.Datasources
	if len(specs) == 0 {
		specs = r.settings.Datasources
	}
	data, decisions, err := catalog.Fetch(ctx, r.Env.Sources, specs)
	for _, d := range decisions {
		r.Consider(d.Source, d.Reason)
	}
	if err != nil {
		return err
	}
	r.data = data
	if r.Env.Metadata != nil {
		r.data.Meta = *r.Env.Metadata
		if r.data.Meta.Datasource == "" {
			r.data.Meta.Datasource = data.Meta.Datasource
		}
	}
	if r.data.Name == "" {
		r.data.Name = "user-data"
	}
	r.Identify(r.data.Meta)
	r.instance = r.instanceDir()
	r.Console.Say("fetch", "%s: %d bytes of user-data", r.data.Meta.Datasource, len(r.data.UserData))
	return nil
}

// decode turns what was fetched into a configuration.
func (r *run) decode(ctx context.Context) error {
	r.enter("check")
	f := &source.File{Name: r.data.Name, Bytes: r.data.UserData}
	parts, found, err := assemble.Parts(ctx, f)
	if err != nil {
		return err
	}
	r.files = append([]*source.File{f}, parts...)
	var ds diag.List
	r.config, ds = schema.Decode(schema.Input{Files: parts, Now: r.Now()})
	r.found = append(found, ds...).Sorted()
	if r.found.HasErrors() {
		return nil
	}
	urls := plan.Imports(r.config)
	if len(urls) == 0 {
		return nil
	}
	r.Console.Say("fetch", "public keys from %d addresses", len(urls))
	r.imported, err = imports.Keys(ctx, httpget.New(r.Env.Sources, httpget.Options{}), urls, imports.Options{})
	return err
}

// compute decides every change for a configuration, looking at the machine as often as the plan has to know
// more.
func (r *run) compute(ctx context.Context, cfg *schema.Config) (plan.Plan, plan.Facts, diag.List, error) {
	f, err := facts.Gather(ctx, r.Root, r.Live)
	if err != nil {
		return plan.Plan{}, f, nil, err
	}
	in := plan.Input{Config: cfg, Meta: r.data.Meta, Facts: f, DefaultUser: r.settings.DefaultUser, Imported: r.imported}
	const rounds = 16 // each looks at what the one before found to be needed: links, homes, units' Also=
	for range rounds {
		p, found := plan.Compute(in)
		if len(p.Unseen) == 0 {
			return p, in.Facts, found, nil
		}
		if err := facts.Look(r.Root, &in.Facts, p.Unseen); err != nil {
			return plan.Plan{}, in.Facts, nil, err
		}
	}
	return plan.Plan{}, in.Facts, nil, errors.New("internal error: the plan never knows enough")
}

// Prepared is a plan with all that led to it.
type Prepared struct {
	Plan plan.Plan
	// Found are all findings, of the text and of the machine.
	Found diag.List
	// Files are the texts of the findings, for excerpts.
	Files []*source.File
	Facts plan.Facts
}

// ErrInterrupted is wrapped by Plan if an apply was cut short and its journal is still there.
var ErrInterrupted = errors.New("an apply was cut short; the next apply or boot will undo it")

// Plan does the same up to the plan. It takes no lock, recovers nothing and changes nothing. If Found has
// errors there is no plan.
func Plan(ctx context.Context, env Env) (Prepared, error) {
	r := begin(env)
	cut, err := commit.Interrupted(r.Root)
	if err != nil {
		return Prepared{}, err
	}
	if cut {
		return Prepared{}, fmt.Errorf("plan: %w", ErrInterrupted)
	}
	if err := r.fetch(ctx); err != nil {
		return Prepared{}, err
	}
	if err := r.decode(ctx); err != nil {
		return Prepared{}, err
	}
	out := Prepared{Found: r.found, Files: r.files}
	if r.found.HasErrors() {
		return out, nil
	}
	p, f, found, err := r.compute(ctx, r.config)
	if err != nil {
		return out, err
	}
	out.Plan, out.Facts = p, f
	out.Found = append(out.Found, found...).Sorted()
	return out, nil
}

// enter says that a stage begins.
func (r *run) enter(stage string) { r.Enter(stage, r.Now()) }

// failed keeps an error and is the state that goes with it.
func (r *run) failed(err error) report.State {
	r.Fail(err)
	r.Console.Say(r.Stage, "%v", err)
	return report.Failed
}

// refused keeps the findings and is the state that goes with them.
func (r *run) refused() report.State {
	r.Diagnose(r.found)
	r.tell()
	r.Console.Say(r.Stage, "the configuration is refused; nothing of it is applied")
	return report.Refused
}

// tell prints the findings as a machine may: without a word of the user's.
func (r *run) tell() {
	// A console that cannot be written to is no reason to stop.
	_ = diag.Write(r.Console.W, r.found.Redacted(), diag.Options{Format: "text"})
}

// end closes the report and writes it.
func (r *run) end(ctx context.Context, state report.State) {
	r.Finish(state, r.Now())
	r.publish(ctx)
	r.Log.Info("finished", "state", string(state), "exit_status", r.ExitStatus, "datasource", r.Datasource)
}

// publish writes the report as it is. That it cannot be written is told and changes nothing else.
func (r *run) publish(ctx context.Context) {
	changes, err := report.Files(r.Report)
	if err == nil {
		err = commit.Write(context.WithoutCancel(ctx), r.Root, changes)
	}
	if err != nil {
		r.Console.Say("report", "%v", err)
	}
}
