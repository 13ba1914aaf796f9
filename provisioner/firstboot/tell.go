package firstboot

import (
	"context"
	"os"
	"time"

	"cloudconfig/datasources/httpget"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/messages"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/state"
)

// How long all that is to be told together may take: where there is something new, and where something is left of an
// earlier boot.
const (
	tellTime      = 30 * time.Second
	tellLaterTime = 5 * time.Second
)

// tell tells others how a run has ended: the server of report-url in the settings, and that of phone_home. What is to be
// told is on disk before it is sent, and stays there until it was heard; what was told before is not told again. Whatever
// goes wrong is a warning and changes nothing else.
func (r *run) tell(ctx context.Context) {
	if !r.Live || r.shutOut {
		return
	}
	if r.settings.DefaultUser == "" && r.load() != nil {
		return // it was told, or the next run will
	}
	fresh, err := r.queue(ctx)
	if err != nil {
		r.warn("what is to be told cannot be kept: %v", err)
	}
	bound := tellLaterTime
	if fresh {
		bound = tellTime
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	warned := len(r.Warnings)
	for _, dir := range r.boxes() {
		r.send(ctx, dir)
	}
	if len(r.Warnings) > warned {
		r.publish(ctx)
	}
}

// boxes are the directories that may have something to be told: of all that is not of an instance, and of this one.
func (r *run) boxes() []string {
	if r.instance == "" {
		return []string{state.Top}
	}
	return []string{state.Top, r.instance}
}

// queue puts what this run has to tell into the box; fresh says that there is something.
func (r *run) queue(ctx context.Context) (fresh bool, err error) {
	all := r.boxes()
	dir := all[len(all)-1]
	var box state.Outbox
	if _, err := state.Read(r.Root, dir, state.OutboxFile, &box); err != nil {
		return false, err
	}
	var says string
	var news []state.Message
	if r.settings.ReportURL != "" {
		var applied state.Manifest
		if _, err := state.Read(r.Root, dir, state.ManifestFile, &applied); err != nil {
			return false, err
		}
		if says = string(r.State) + " " + applied.Digest; box.Told[messages.ReportKind] != says || r.byHand {
			body, err := r.Report.Tell(r.hostname(), r.hostKeys())
			if err != nil {
				return false, err
			}
			news = append(news, state.Message{Kind: messages.ReportKind, URL: r.settings.ReportURL, ContentType: "application/json", Body: body})
		}
	}
	if committed := r.State == report.Done || r.State == report.Degraded; committed && r.instance != "" && box.Told[messages.PhoneHomeKind] == "" {
		var kept state.Runtime
		if _, err := state.Read(r.Root, dir, state.RuntimeFile, &kept); err != nil {
			return false, err
		}
		if kept.PhoneHome != nil {
			news = append(news, messages.PhoneHome(r.Root, *kept.PhoneHome, r.instanceID()))
		}
	}
	if len(news) == 0 {
		return false, nil
	}
	return true, r.keepBox(ctx, dir, func(o *state.Outbox) {
		for _, m := range news {
			said := says
			if m.Kind == messages.PhoneHomeKind {
				said = "once"
			}
			o.Add(m, said)
		}
	})
}

// keepBox changes a box on disk.
func (r *run) keepBox(ctx context.Context, dir string, change func(*state.Outbox)) error {
	var failed error
	r.underLock(context.WithoutCancel(ctx), func() report.State {
		var box state.Outbox
		_, err := state.Read(r.Root, dir, state.OutboxFile, &box)
		var file plan.Change
		if err == nil {
			change(&box)
			file, err = state.File(dir, state.OutboxFile, box)
		}
		if err == nil {
			changes := []plan.Change{file}
			if dir != state.Top {
				changes = append(state.Directories(dir), file)
			}
			_, err = r.apply(ctx, changes)
		}
		failed = err
		return report.Done
	})
	return failed
}

// send sends what is in a box, and takes out what was heard.
func (r *run) send(ctx context.Context, dir string) {
	var box state.Outbox
	if _, err := state.Read(r.Root, dir, state.OutboxFile, &box); err != nil {
		r.warn("what is to be told cannot be read: %v", err)
		return
	}
	env := r.Env.Sources
	if r.data.Transport != nil {
		env.Transport = nil // that of a record answers for nobody else
	}
	var heard []state.Message
	for i, m := range box.Queued {
		if err := messages.Post(ctx, env, r.settings.Trust.Elsewhere(), m, len(box.Queued)-i); err != nil {
			r.warn("%s: %v; the next boot tries again", m.Kind, err)
			continue
		}
		r.say("report", "%s: told %s", m.Kind, httpget.Origin(m.URL))
		heard = append(heard, m)
	}
	if len(heard) == 0 {
		return
	}
	err := r.keepBox(ctx, dir, func(o *state.Outbox) {
		var left []state.Message
		for _, m := range o.Queued {
			if !m.IsAmong(heard) {
				left = append(left, m)
			}
		}
		o.Queued = left
	})
	if err != nil {
		r.warn("what was told will be told again: %v", err)
	}
}

// hostKeys are those that the machine has.
func (r *run) hostKeys() []report.HostKey {
	keys, _ := hostkeys.Read(r.Root) // what cannot be read is not told
	return fingerprintsOf(keys)
}

// hostname is the name that the machine has.
func (r *run) hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// warn tells what went wrong and changes nothing else.
func (r *run) warn(format string, args ...any) {
	r.Warn(format, args...)
	r.say("report", format, args...)
}

// dropTold drops from a plan whom this instance has told already, or is about to.
func (r *run) dropTold(p *plan.Plan) error {
	if r.instance == "" || p.PhoneHome == nil {
		return nil
	}
	var box state.Outbox
	_, err := state.Read(r.Root, r.instance, state.OutboxFile, &box)
	if box.Told[messages.PhoneHomeKind] != "" {
		p.PhoneHome = nil
	}
	return err
}
