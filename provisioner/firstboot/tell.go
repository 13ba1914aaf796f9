package firstboot

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/hostkeys"
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

// The kinds of messages.
const (
	toldReport    = "report"
	toldPhoneHome = "phone_home"
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
		if says = string(r.State) + " " + applied.Digest; box.Told[toldReport] != says || r.byHand {
			body, err := r.Report.Tell(r.hostname(), r.hostKeys())
			if err != nil {
				return false, err
			}
			news = append(news, state.Message{Kind: toldReport, URL: r.settings.ReportURL, ContentType: "application/json", Body: body})
		}
	}
	if committed := r.State == report.Done || r.State == report.Degraded; committed && r.instance != "" && box.Told[toldPhoneHome] == "" {
		var kept state.Runtime
		if _, err := state.Read(r.Root, dir, state.RuntimeFile, &kept); err != nil {
			return false, err
		}
		if kept.PhoneHome != nil {
			news = append(news, r.phoneHome(*kept.PhoneHome))
		}
	}
	if len(news) == 0 {
		return false, nil
	}
	return true, r.keepBox(ctx, dir, func(o *state.Outbox) {
		for _, m := range news {
			said := says
			if m.Kind == toldPhoneHome {
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
		var p plan.Plan
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
			err = r.addMissing(&p, plan.Facts{Paths: map[string]*plan.Seen{}}, changes)
		}
		if err == nil {
			_, err = commit.Apply(ctx, r.Root, p)
		}
		failed = err
		return report.Done
	})
	return failed
}

// hostOf is a URL as it may be told to everybody: its path may be a secret, as of a web hook.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Scheme + "://" + u.Host
}

// send sends what is in a box, and takes out what was heard.
func (r *run) send(ctx context.Context, dir string) {
	var box state.Outbox
	if _, err := state.Read(r.Root, dir, state.OutboxFile, &box); err != nil {
		r.warn("what is to be told cannot be read: %v", err)
		return
	}
	var heard []state.Message
	for i, m := range box.Queued {
		if err := r.post(ctx, m, len(box.Queued)-i); err != nil {
			r.warn("%s: %v; the next boot tries again", m.Kind, err)
			continue
		}
		r.say("report", "%s: told %s", m.Kind, hostOf(m.URL))
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

// post posts one message, asking again for its share of the time that is left.
func (r *run) post(ctx context.Context, m state.Message, share int) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	env := r.Env.Sources
	env.Answered = nil // it is no answer of a datasource
	if r.data.Transport != nil {
		env.Transport = nil // nor is it one of a record
	}
	policy := r.settings.Trust.Elsewhere()
	client := httpget.New(env, httpget.Options{Trust: &policy, MaxBytes: 1 << 20})
	tries := 0
	return env.Retry(ctx, hostOf(m.URL), func(ctx context.Context) error {
		tries++
		err := client.Post(ctx, m.URL, m.ContentType, m.Body)
		if errors.Is(err, datasources.ErrNotReady) && tries == m.Tries {
			return fmt.Errorf("tried %d times: %v", tries, err) // it is not asked again
		}
		return err
	})
}

// phoneTries is how often phone_home is tried if nothing is said.
const phoneTries = 10

// phoneHome is what phone_home posts: a form, in which what the machine does not have is "N/A".
//
// Source: cloud-init, cloudinit/config/cc_phone_home.py at 26.2 (2026-08).
func (r *run) phoneHome(p plan.PhoneHome) state.Message {
	values := map[string]string{"instance_id": r.instanceID()}
	if len(p.Names) > 0 {
		values["fqdn"] = p.Names[0]
		values["hostname"], _, _ = strings.Cut(p.Names[0], ".")
	}
	keys, _ := hostkeys.Read(r.Root) // a key that cannot be read is one that the machine does not have
	for _, k := range keys {
		values["pub_key_"+k.Kind] = k.Line
	}
	form := url.Values{}
	for _, name := range p.Fields() {
		value := values[name]
		if value == "" {
			value = "N/A"
		}
		form.Set(name, value)
	}
	id := strings.ReplaceAll(url.QueryEscape(values["instance_id"]), "+", "%20")
	address := strings.NewReplacer("$INSTANCE_ID", id, "${INSTANCE_ID}", id).Replace(p.URL)
	tries := p.Tries
	if tries == 0 {
		tries = phoneTries
	}
	return state.Message{Kind: toldPhoneHome, URL: address, ContentType: "application/x-www-form-urlencoded", Body: []byte(form.Encode()), Tries: tries}
}

func (r *run) hostKeys() (out []report.HostKey) {
	keys, _ := hostkeys.Read(r.Root) // what cannot be read is not told
	for _, k := range keys {
		out = append(out, report.HostKey{Type: k.Type, Bits: k.Bits, Fingerprint: k.Fingerprint})
	}
	return out
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
	if box.Told[toldPhoneHome] != "" {
		p.PhoneHome = nil
	}
	return err
}
