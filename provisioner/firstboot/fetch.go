package firstboot

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/clock"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/imports"
	"cloudconfig/datasources/record"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
)

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
