// Package firstboot is the order of a boot: fetch, check, plan, commit, hand off.
//
// [Apply] does it all in a row. [Plan] goes as far as the plan, [Render] as far as the check, and [Detect] says whom
// they would ask; they change nothing. A booting machine does the same in stages, each a unit of ours: [BootLocal],
// [BootFloor], [BootMain] and [BootHandoff]; before them, [Generate] is systemd's generator.
//
// This file has the order, in whole, and a file of its own each step: fetch.go, include.go, floor.go, commit.go, later.go,
// handoff.go. What a step does is another package's wherever it needs no more of a run than its root; here it is said when it
// is done, what becomes of the run if it fails, and what is told.
package firstboot

import (
	"context"
	"log/slog"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/record"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/confirm"
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
	// Within says that a script or command of a hand-off has asked for the run, which so cannot wait for that.
	Within bool
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
	looks          int           // how often a card was looked for that is not there
	later          bool          // this is a later boot, on which nothing was to be applied
	first          bool          // this is the first boot of an instance
	offline        bool          // there is no network yet, and nothing is waited for that needs one
	wholly         bool          // the first stage has applied everything
	handed         bool          // what was to be handed off was, and has ended
	patience       time.Duration // how long the lock is waited for
	// shutOut says that the lock was not to be had before anything of ours was published: the report on disk is
	// another run's.
	shutOut, published bool
}

func begin(env Env) *run {
	return &run{Env: env, patience: commit.Patience, Report: report.New(report.Versions{Provisioner: env.Version, Kernel: kernel()}, env.Now())}
}

// Apply does everything, and says how it went.
func Apply(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	r.byHand = true
	st := worse(r.whole(ctx, func() (bool, error) { return false, nil }), r.networkState())
	r.tellPlatform(ctx, st)
	committed := r.Live && (st == report.Done || st == report.Degraded)
	if committed {
		release, err := r.takeOver(ctx)
		defer release()
		st = worse(st, r.settled(err))
	}
	if r.Live && !r.request.IsEmpty() {
		st = worse(st, r.handOff(ctx, handoff.Options{}, noted))
	}
	if committed {
		st = worse(st, r.markHandedOff(ctx, r.digest()))
	}
	r.showKeys(ctx)
	r.end(ctx, st)
	r.tell(ctx)
	r.turnOff(ctx)
	return r.Report
}

// whole is the stages from the datasource to the commit. known says, after the fetch, that this configuration was
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
	unlock, err := commit.Lock(ctx, r.Root, r.patience, func(holder string) { r.say("lock", "waiting for %s", holder) })
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
