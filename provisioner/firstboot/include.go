package firstboot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudconfig/datasources/assemble"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

// decode turns what was fetched into a configuration, as far as nothing else has to be fetched or run for that.
func (r *run) decode(ctx context.Context) error {
	r.enter("check")
	return r.check(ctx, assemble.Options{})
}

// check takes the user-data apart and decodes it, and the vendor data below it unless the user-data wants none; what it
// finds takes the place of what an earlier check found.
func (r *run) check(ctx context.Context, o assemble.Options) error {
	o.Once, o.Facts, o.Base = r.once, template.Facts(r.data.Meta, r.data.Tree), r.data.From
	made, err := assemble.Parts(ctx, &source.File{Name: r.data.Name, Bytes: r.data.UserData}, o)
	if err != nil {
		return err
	}
	r.ignition = made.Ignition && len(made.Parts) == 0 && made.Pending == 0
	in := schema.Input{Files: made.Parts, Now: facts.Clock(r.Now()), Meta: &r.data.Meta}
	var ds diag.List
	r.config, ds = schema.Decode(in)
	if len(r.data.Vendor) > 0 && !r.config.RefusesVendor {
		o.Vendor, o.Base = true, ""
		for _, d := range r.data.Vendor {
			vendor, err := assemble.Parts(ctx, &source.File{Name: d.Name, Bytes: d.Bytes}, o)
			if err != nil {
				return err
			}
			made.Files, made.Found = append(made.Files, vendor.Files...), append(made.Found, vendor.Found...)
			made.Pending, made.Once = made.Pending+vendor.Pending, joined(made.Once, vendor.Once)
			in.Vendor = append(in.Vendor, vendor.Parts...)
		}
		r.config, ds = schema.Decode(in)
	}
	r.input, r.files = in, made.Files
	if r.Fetched != nil {
		r.Fetched.Parts = len(in.Files) + len(in.Vendor)
	}
	r.packing, r.pending, r.included = made.Found, made.Pending, made.Once
	r.found = append(slices.Clone(r.packing), ds...).Sorted()
	r.findNetwork()
	return nil
}

func joined(a, b map[string][]byte) map[string][]byte {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}

// complete makes the configuration whole: it fetches what it includes, runs its boothooks, and then reads the files
// that it includes, which a boothook may have written. Whether the configuration is right is judged when it is whole.
func (r *run) complete(ctx context.Context) report.State {
	st := report.Done
	for o := (assemble.Options{}); ; {
		if r.packing.HasErrors() || r.pending == 0 && r.found.HasErrors() {
			return worse(st, r.refused())
		}
		st = worse(st, r.runBoothooks(ctx, r.config.Boothooks))
		switch {
		case r.pending == 0:
			return st
		case o.Get == nil:
			o.Get = r.includes()
		default:
			o.ReadFile = r.readIncluded
		}
		if err := r.include(ctx, o); err != nil {
			return worse(st, r.failed(err))
		}
		if st = worse(st, r.keepIncluded(ctx)); st == report.Failed {
			return st
		}
	}
}

// include checks the user-data with what it includes, as far as o lets it.
func (r *run) include(ctx context.Context, o assemble.Options) error {
	r.enter("include")
	if o.ReadFile == nil {
		r.say("include", "%d includes to fetch or read", r.pending)
	}
	defer r.waiting("what is included")()
	ctx, cancel := context.WithTimeout(ctx, r.Env.Sources.Limits.WithDefaults().Overall)
	defer cancel()
	return r.check(ctx, o)
}

// maxInclude is the largest include, before it is unpacked.
const maxInclude = httpget.DefaultMaxBytes

// includes fetches includes, each address once in a run. They must be as trustworthy as user-data; and nobody has
// this machine ask itself, or the services on its link, in his place.
func (r *run) includes() func(context.Context, string) ([]byte, error) {
	policy := r.Env.Sources.Trust
	if r.data.Trust != nil {
		policy = *r.data.Trust
	}
	from := remote.New(r.Env.Sources, policy)
	from.From(r.data.From)
	fetched := map[string][]byte{}
	return func(ctx context.Context, address string) ([]byte, error) {
		if text, known := fetched[address]; known {
			return text, nil
		}
		doc, err := from.Include(ctx, address)
		if err == nil {
			fetched[address] = doc.Body
			r.Report.Proof = string(trust.Weakest(trust.Proof(r.Report.Proof), doc.Proof))
		}
		return doc.Body, err
	}
}

// readIncluded reads an included file below the root.
func (r *run) readIncluded(path string) ([]byte, error) {
	text, _, err := r.Root.ReadFile(strings.TrimPrefix(path, "/"), maxInclude)
	return text, err
}

// loadIncluded reads what lists of #include-once have fetched on earlier boots of this instance.
func (r *run) loadIncluded() error {
	if r.instance == "" {
		return nil
	}
	var kept state.Included
	_, err := state.Read(r.Root, r.instance, state.IncludedFile, &kept)
	r.once = kept.Texts
	return err
}

// keepIncluded keeps it as soon as it is fetched: an address may give its answer a single time.
func (r *run) keepIncluded(ctx context.Context) report.State {
	known := func(address string) bool { _, there := r.once[address]; return there }
	isNew := false
	for address := range r.included {
		isNew = isNew || !known(address)
	}
	if r.once = r.included; !isNew || !r.settings.KeepUserData || r.instance == "" {
		return report.Done
	}
	return r.keep(ctx, func() (plan.Change, error) {
		return state.File(r.instance, state.IncludedFile, state.Included{Version: 1, Texts: r.included})
	})
}

// A boothook may take so long, and all of them together: the boot goes on without them then.
const (
	boothookTime  = 2 * time.Minute
	boothooksTime = 4 * time.Minute
)

// runBoothooks runs those that have not run in this boot, and waits for them. One that fails stops nothing else: what
// it should have written is missed by who needs it.
func (r *run) runBoothooks(ctx context.Context, hooks []schema.Script) report.State {
	var scripts []handoff.Script
	for _, h := range hooks {
		if digest := plan.Digest(h.Content); !r.hooked[digest] {
			if r.hooked == nil {
				r.hooked = map[string]bool{}
			}
			r.hooked[digest] = true
			scripts = append(scripts, handoff.Script{Name: h.Name, Content: h.Content})
		}
	}
	if len(scripts) == 0 {
		return report.Done
	}
	return r.runEarly(ctx, "boothooks", len(scripts), boothooksTime, func(ctx context.Context, m handoff.Manager, o handoff.Options) handoff.Result {
		return handoff.Boothooks(ctx, m, scripts, r.instanceID(), boothookTime, o)
	})
}

// runEarly runs what is to be run before anything else of the configuration is made.
func (r *run) runEarly(ctx context.Context, what string, count int, limit time.Duration, all func(context.Context, handoff.Manager, handoff.Options) handoff.Result) report.State {
	r.enter(what)
	if !r.Live {
		r.say(what, "not run: this is not the running system")
		return report.Done
	}
	r.say(what, "running %d, for %s at most", count, limit)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m, done, err := r.connect(ctx)
	if err != nil {
		r.failed(err)
		return report.Degraded
	}
	defer done()
	return r.told(what, all(ctx, m, handoff.Options{ScriptDir: r.Scripts, Progress: func(line string) { r.say(what, "%s", line) }}))
}

// told keeps what became of a hand-off, tells what went wrong, and is the state that goes with it.
func (r *run) told(stage string, result handoff.Result) report.State {
	r.HandOff(result)
	err := result.Err()
	if err == nil {
		return report.Done
	}
	for line := range strings.Lines(err.Error()) {
		r.say(stage, "%s", strings.TrimSuffix(line, "\n"))
	}
	return report.Degraded
}

// instanceID is that of the platform, also on a boot without it.
func (r *run) instanceID() string {
	meta := r.data.Meta
	if meta.InstanceID == "" && r.instance != "" {
		// What cannot be read is told by who needs it more.
		_, _ = state.Read(r.Root, r.instance, state.InstanceFile, &meta)
	}
	return meta.InstanceID
}

// runKeptBoothooks runs those of the configuration that was applied, and then its bootcmd.
func (r *run) runKeptBoothooks(ctx context.Context) report.State {
	var kept state.Runtime
	if _, err := state.Read(r.Root, r.instance, state.RuntimeFile, &kept); err != nil {
		return r.failed(err)
	}
	var hooks []schema.Script
	for _, s := range kept.Boothooks {
		hooks = append(hooks, schema.Script{Name: s.Name, Content: s.Content})
	}
	return worse(r.runBoothooks(ctx, hooks), r.runBootSteps(ctx, kept.BootSteps))
}

// lookAhead makes the configuration as whole as it can be without running anything.
func (r *run) lookAhead(ctx context.Context) error {
	if r.pending > 0 && !r.packing.HasErrors() {
		if err := r.include(ctx, assemble.Options{Get: r.includes(), ReadFile: r.readIncluded}); err != nil {
			return err
		}
	}
	if len(r.config.Boothooks) == 0 {
		return nil
	}
	for i := range r.found {
		if r.found[i].Rule == rules.IncludeMissing {
			r.found[i].Severity = diag.Warning
		}
	}
	var told diag.List
	for _, h := range r.config.Boothooks {
		d := diag.New(rules.BoothookUnrun, h.At, "the boothook is not run")
		d.Detail = "apply runs it before it reads the files that are included"
		told.Add(d)
	}
	r.find(told)
	return nil
}
