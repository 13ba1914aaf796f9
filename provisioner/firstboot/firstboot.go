// Package firstboot is the order of a boot: fetch, check, plan, commit, hand off.
//
// [Apply] does it all in a row. [Plan] goes as far as the plan, [Render] as far as the check, and [Detect] says whom
// they would ask; they change nothing. A booting machine does the same in stages, each a unit of ours: [BootLocal],
// [BootFloor], [BootMain] and [BootHandoff].
package firstboot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/clock"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/imports"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/record"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/confirm"
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
	// Datasources are asked in this order, as --datasource takes them; none means the one that was taken at the first
	// boot, and then those that are named elsewhere or detected.
	Datasources []string
	// Disks lists the labelled disks, for detection; nil means that there are none.
	Disks func(context.Context) ([]detect.Disk, error)
	// Metadata, if not nil, is taken instead of the datasource's.
	Metadata *schema.Metadata
	// Sources is what a datasource may touch.
	Sources datasources.Env
	// SetClock sets the machine's clock; nil if that is not to be done. Plan and Render never do.
	SetClock func(time.Time) error
	// Interfaces are those of the running system; nil where nobody looks at them.
	Interfaces func(context.Context) ([]plan.Interface, error)
	// Online says that the machine has an address, so that no network need be brought up; nil if none is to be.
	Online func() bool
	// LookUp finds the addresses of a name; nil if no name is to be waited for.
	LookUp func(ctx context.Context, name string) error
	// Network is that of the running system, on which what is written is tried; nil if it is not to be: systemd-networkd is told
	// then, and nothing is checked.
	Network *confirm.System
	// Legacy says that coreos-cloudinit's units run us; nil if they do not.
	Legacy *Legacy
	// Manager connects to systemd.
	Manager func(context.Context) (handoff.Manager, error)
	// Scripts is the directory for scripts while they run; empty for the usual one.
	Scripts string
	// Restorecon is the program that sets SELinux labels; empty for the machine's own.
	Restorecon string
	Console    report.Console
	// Watcher is the unit that watches the hand-off, "" for our own.
	Watcher string
	// Terminal is the console itself ("/dev/console"), for what must stand there as it is; "" if nothing is to be printed.
	Terminal string
	Log      *slog.Logger
	Now      func() time.Time
	Version  string
	// PID is our own process, for whoever reads the status while we run.
	PID int
	// Overwrite takes back what somebody has changed by hand since it was applied, and Prune removes what the configuration
	// no longer has. No boot does either.
	Overwrite, Prune bool
}

// run is one run, from the lock to the report.
type run struct {
	Env
	*report.Report
	settings settings.Settings
	host     *machine.Machine
	choice
	platformNetwork
	trial
	decisions []datasources.Decision
	taken     string // the spec of the datasource that was asked last: what there is of data is from there
	recorder  *record.Recorder
	data      datasources.Data
	instance  string // the directory of its state; "" if it is not known who this is
	files     []*source.File
	input     schema.Input // what config was decoded from
	config    *schema.Config
	packing   diag.List // what is found of how the user-data is packed, without what is in it
	pending   int       // includes that are not looked at yet
	ignition  bool      // the user-data is Ignition's
	// once is what lists of #include-once fetched before this check, included what they have fetched with it.
	once, included map[string][]byte
	hooked         map[string]bool // boothooks that have run, by the digest of their text
	imported       map[string][]string
	holders        map[plan.Claim]string // who has the addresses that were asked for
	found          diag.List
	request        handoff.Request // what is to be handed off, whatever else becomes of the run
	locked         bool
	looks          int  // how often a card was looked for that is not there
	later          bool // this is a later boot, on which nothing was to be applied
	first          bool // this is the first boot of an instance
	offline        bool // there is no network yet, and nothing is waited for that needs one
	wholly         bool // the first stage has applied everything
	handed         bool // what was to be handed off was, and has ended
	// shutOut says that the lock was not to be had before anything of ours was published: the report on disk is
	// another run's.
	shutOut, published bool
}

func begin(env Env) *run {
	return &run{Env: env, Report: report.New(report.Versions{Provisioner: env.Version, Kernel: kernel()}, env.Now())}
}

// Apply does everything, and says how it went.
func Apply(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	r.byHand = true
	st := worse(r.whole(ctx, func() (bool, error) { return false, nil }), r.networkState())
	r.tellPlatform(ctx, st)
	if r.Live && !r.request.IsEmpty() {
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted))
	}
	if r.Live && (st == report.Done || st == report.Degraded) {
		st = worse(st, r.markHandedOff(ctx))
	}
	r.showKeys(ctx)
	r.end(ctx, st)
	r.tell(ctx)
	r.turnOff(ctx)
	return r.Report
}

// all is the stages from the datasource to the commit. known says, after the fetch, that this configuration was
// applied before, so that there is less to do.
func (r *run) whole(ctx context.Context, known func() (bool, error)) report.State {
	if st := r.underLock(ctx, func() report.State { r.publish(ctx); return r.resume(ctx) }); st != report.Done {
		return st
	}
	if err := r.configure(); err != nil {
		return r.failed(err)
	}
	lost := r.fetch(ctx)
	before, err := r.knownOrLost(known, lost)
	switch {
	case err != nil:
		return r.failed(err)
	case before:
		if r.later = true; lost != nil {
			r.data.Reporter = nil // who did not answer is not waited for once more
		}
		hooks := r.runKeptBoothooks(ctx)
		return worse(hooks, r.underLock(ctx, func() report.State { return r.again(ctx) }))
	case lost != nil:
		// What there is of the platform's metadata still lets somebody in.
		return worse(r.underLock(ctx, func() report.State { return r.floor(ctx) }), r.failed(lost))
	case r.isNone():
		r.say("fetch", "no datasource: nothing to do")
		return report.Done
	}
	if err := r.loadIncluded(); err != nil {
		return r.failed(err)
	}
	if err := r.decode(ctx); err != nil {
		return r.failed(err)
	}
	st := r.underLock(ctx, func() report.State { return r.floor(ctx) })
	if st == report.Failed {
		return st
	}
	if r.ignition && !r.found.HasErrors() {
		r.say("check", "the user-data is Ignition's, and is left to it")
		return st
	}
	if st = worse(st, r.complete(ctx)); st == report.Failed || st == report.Refused {
		return st
	}
	st = worse(st, r.runBootSteps(ctx, plan.Steps(r.config.BootCommands)))
	if err := r.importKeys(ctx); err != nil {
		return r.failed(err)
	}
	return worse(st, r.underLock(ctx, func() report.State { return r.commit(ctx) }))
}

// underLock takes the lock, finishes what an earlier run left half-done, and then does the work.
func (r *run) underLock(ctx context.Context, work func() report.State) report.State {
	waited := r.waiting("the lock")
	unlock, err := commit.Lock(ctx, r.Root, func(holder string) { r.say("lock", "waiting for %s", holder) })
	waited()
	if err != nil {
		r.enter("lock")
		r.shutOut = !r.published
		return r.failed(err)
	}
	r.locked = true
	defer func() { r.locked = false; unlock() }()
	recovery, err := commit.Recover(ctx, r.Root)
	if err != nil {
		return r.failed(err)
	}
	if recovery.RolledBack {
		r.say("recover", "an earlier run was cut short; the machine is again as it was before it")
	}
	for _, path := range recovery.Kept {
		r.say("recover", "/%s was changed by others since, and is left as it is", path)
	}
	r.request.Reload = r.request.Reload || recovery.Units
	return work()
}

// configure reads the settings of the image.
func (r *run) configure() error {
	r.enter("settings")
	return r.load()
}

func (r *run) load() (err error) {
	r.settings, err = settings.Load(r.Root)
	if r.Legacy != nil {
		r.settings.LaterBoots, r.settings.Trust.Insecure = "apply", true
	}
	sources := &r.Env.Sources
	sources.Trust = r.settings.Trust
	sources.Policy = datasources.Policy{IMDSv1: r.settings.IMDSv1} // removable disks depend on what names the datasource
	sources.Clock = &clock.Clock{
		Built: facts.Built(), Servers: r.settings.NTP, Root: sources.Root, System: r.Now, Set: r.SetClock,
		Say: func(line string) { r.say("clock", "%s", line) },
	}
	return err
}

// fetch asks the datasources. After an error there may be metadata all the same, unless it is another instance's.
func (r *run) fetch(ctx context.Context) error {
	r.enter("fetch")
	r.Report.Sources, r.data, r.instance, r.taken = nil, datasources.Data{}, "", ""
	if err := r.lookAtMachine(); err != nil {
		return err
	}
	var err error
	if r.choice, err = r.choose(ctx); err != nil {
		return err
	}
	if r.hurried && !r.offline && r.Env.Metadata == nil && !slices.ContainsFunc(r.specs, catalog.HasMetadata) {
		return errNoFloor
	}
	data, err := r.ask(ctx)
	if conflict := r.checkIdentity(r.taken, data.Meta); conflict != nil {
		return conflict
	}
	r.data = data
	r.describe()
	r.Report.Proof = string(data.Proof)
	if r.Env.Metadata != nil {
		r.data.Meta = *r.Env.Metadata
		if r.data.Meta.Datasource == "" {
			r.data.Meta.Datasource = data.Meta.Datasource
		}
	}
	if r.data.Name == "" {
		r.data.Name = "user-data"
	}
	if r.data.Transport != nil {
		r.Env.Sources.Transport = r.data.Transport
	}
	if r.data.Meta.Datasource != "" {
		var unread error
		r.instance, unread = r.instanceDir()
		r.Identify(r.data.Meta)
		err = errors.Join(err, unread)
	}
	if err == nil {
		r.tellFetched()
		r.say("fetch", "%s: %d bytes of user-data", r.data.Meta.Datasource, len(r.data.UserData))
		for _, note := range r.data.Notes {
			r.say("fetch", "%s: %s", r.data.Meta.Datasource, note)
		}
		if data.Proof == trust.None {
			r.say("fetch", "the user-data is unauthenticated: nothing shows that it is from whom it should be")
		}
	}
	return err
}

// tellFetched keeps what was fetched, without a word of it.
func (r *run) tellFetched() {
	r.Fetched = &report.Fetched{UserDataBytes: int64(len(r.data.UserData)), VendorDocuments: len(r.data.Vendor)}
	if r.data.UserData != nil {
		r.Fetched.UserDataSHA256 = r.digest()
	}
}

// ask asks those that were chosen, and keeps every answer.
func (r *run) ask(ctx context.Context) (datasources.Data, error) {
	r.recorder = record.NewRecorder(r.Now)
	r.Env.Sources.Answered = r.recorder.Answered
	r.bringUp(ctx)
	moved := r.Env.Sources.Clock.Moved()
	fetch, sources := catalog.Fetch, r.Env.Sources
	if r.offline {
		fetch, sources.Limits.Overall = catalog.FetchLocal, cmp.Or(min(sources.Limits.Overall, localTime), localTime)
	}
	data, decisions, err := fetch(ctx, sources, r.specs)
	r.Started = r.Started.Add(r.Env.Sources.Clock.Moved() - moved) // or the run would have taken half a century
	for i, d := range decisions {
		if !strings.HasPrefix(d.Reason, "not asked") {
			r.taken = r.specs[i] // the search ends with it, well or not
		}
	}
	r.decisions = append(decisions, r.passed...)
	for _, d := range r.decisions {
		r.Consider(d.Source, d.Reason)
		r.Waited("datasource "+d.Source, d.Took)
	}
	return data, err
}

// importKeys fetches the public keys that users take from elsewhere.
func (r *run) importKeys(ctx context.Context) (err error) {
	urls := plan.Imports(r.config)
	if len(urls) == 0 {
		return nil
	}
	r.enter("import keys")
	r.say("fetch", "public keys from %d addresses", len(urls))
	defer r.waiting("public keys of others")()
	others := r.settings.Trust.Elsewhere()
	client := httpget.New(r.Env.Sources, httpget.Options{Trust: &others, Outside: true})
	r.imported, err = imports.Keys(ctx, client, urls, imports.Options{})
	return err
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
	cut, err := commit.Interrupted(env.Root)
	if err != nil {
		return Prepared{}, err
	}
	if cut {
		return Prepared{}, fmt.Errorf("plan: %w", ErrInterrupted)
	}
	r, err := look(ctx, env)
	if err != nil {
		return Prepared{}, err
	}
	out := Prepared{Found: r.found, Files: r.files}
	if r.found.HasErrors() || r.ignition {
		return out, nil
	}
	if err := r.importKeys(ctx); err != nil {
		return out, err
	}
	applied, err := r.applied()
	if err != nil {
		return out, err
	}
	p, f, found, err := r.compute(ctx, r.config, applied)
	if err != nil {
		return out, err
	}
	if err := errors.Join(r.dropEnded(&p), r.dropTold(&p)); err != nil {
		return out, err
	}
	r.find(found)
	out.Plan, out.Facts, out.Found = p, f, r.found
	return out, nil
}

// Rendered is the merged configuration.
type Rendered struct {
	schema.Rendered
	// Found are the findings of the text, and Files the texts they are of, for excerpts.
	Found diag.List
	Files []*source.File
}

// Render does the same up to the check, and merges what it has. It changes nothing.
func Render(ctx context.Context, env Env) (Rendered, error) {
	r, err := look(ctx, env)
	if err != nil {
		return Rendered{}, err
	}
	out := Rendered{Found: r.found, Files: r.files}
	out.Rendered, _ = schema.Render(r.input, r.data.Meta.Values()) // it finds what the check has found
	return out, nil
}

// look fetches the configuration, and makes it as whole as it can be without running or changing anything.
func look(ctx context.Context, env Env) (*run, error) {
	env.SetClock, env.Online = nil, nil // nothing changes
	r := begin(env)
	for _, stage := range []func() error{
		r.configure,
		func() error { return r.fetch(ctx) },
		r.loadIncluded,
		func() error { return r.decode(ctx) },
		func() error { return r.lookAhead(ctx) },
	} {
		if err := stage(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// enter says that a stage begins.
func (r *run) enter(stage string) {
	if r.Stage == "" {
		r.Log.Info("began", report.MessageIDKey, report.MessageBegan)
	}
	r.Enter(stage, r.Now())
	r.Log.Info("stage: "+stage, report.MessageIDKey, report.MessageStage, "stage", stage)
}

// waiting says that the stage at hand waits for something from now on; the report has how long, once the wait has ended.
func (r *run) waiting(what string) (ended func()) {
	began := r.Now()
	return func() { r.Waited(what, r.Now().Sub(began)) }
}

// say writes a line to the console.
func (r *run) say(stage, format string, args ...any) { r.Console.Say(stage, format, args...) }

// find adds findings.
func (r *run) find(found diag.List) { r.found = append(r.found, found...).Sorted() }

// failed keeps an error and is the state that goes with it.
func (r *run) failed(err error) report.State {
	r.Fail(err)
	for line := range strings.Lines(err.Error()) {
		r.say(r.Stage, "%s", strings.TrimSuffix(line, "\n"))
	}
	return report.Failed
}

// refused is the state of a configuration that is wrong.
func (r *run) refused() report.State {
	r.say(r.Stage, "the configuration is refused; nothing of it is applied")
	return report.Refused
}

// worse is the state of two that says more of what went wrong.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func worse(a, b report.State) report.State {
	for _, s := range []report.State{report.Failed, report.Refused, report.Degraded} {
		if a == s || b == s {
			return s
		}
	}
	return a
}

// end closes the report, tells the findings as a machine may, without a word of the user's, and writes it all.
func (r *run) end(ctx context.Context, state report.State) {
	r.conclude()
	r.Finish(state, r.Now())
	if !r.byHand {
		_, _ = io.WriteString(r.Console.W, report.Trouble(&r.Status)) // last, where it is seen
	}
	r.publish(ctx)
	r.tellWaiting(ctx)
	r.Log.Log(ctx, state.Level(), "finished: "+string(state), report.MessageIDKey, state.MessageID(),
		"state", string(state), "exit_status", r.ExitStatus, "datasource", r.Datasource, "stage", r.FailedStage)
}

// conclude tells the findings.
func (r *run) conclude() {
	r.Diagnose(r.found)
	// A console that cannot be written to is no reason to stop.
	_ = diag.Write(r.Console.W, r.found.Redacted(), diag.Options{Format: "text"})
	r.found = nil
}

// publish writes the report as it is, whatever has become of the context. That it cannot be written is told and
// changes nothing else.
func (r *run) publish(ctx context.Context) {
	if r.shutOut {
		return
	}
	if r.Report.PID = 0; r.State == report.Running {
		r.Report.PID = r.Env.PID
	}
	changes, err := report.Files(r.Report)
	if r.Live {
		changes = append(changes, report.Issue(&r.Status)...)
	}
	if err == nil {
		err = r.write(context.WithoutCancel(ctx), changes)
	}
	if err != nil {
		r.say("report", "%v", err)
		return
	}
	r.published = true
}

// write writes below /run, under the lock.
func (r *run) write(ctx context.Context, changes []plan.Change) error {
	if r.locked {
		return commit.Write(ctx, r.Root, changes)
	}
	unlock, err := commit.Lock(ctx, r.Root, func(string) {})
	if err != nil {
		return err
	}
	defer unlock()
	return commit.Write(ctx, r.Root, changes)
}
