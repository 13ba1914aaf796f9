// Package messages is how others are told what became of a machine: [Post] posts one message, and [PhoneHome] is the one that
// phone_home asks for. What is to be told, when, and what was heard is package firstboot's; what is kept of it is package state's.
package messages

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// The kinds of messages.
const (
	ReportKind    = "report"
	PhoneHomeKind = "phone_home"
)

// Post posts a message, asking again for its share of the time that is left: that of one among so many.
func Post(ctx context.Context, env datasources.Env, policy trust.Policy, m state.Message, share int) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	env.Answered = nil // it is no answer of a datasource
	client := httpget.New(env, httpget.Options{Trust: &policy, MaxBytes: 1 << 20})
	tries := 0
	return env.Retry(ctx, httpget.Origin(m.URL), func(ctx context.Context) error {
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

// PhoneHome is what phone_home posts: a form, in which what the machine does not have is "N/A".
//
// Source: cloud-init, cloudinit/config/cc_phone_home.py at 26.2 (2026-08).
func PhoneHome(root fsroot.FS, p plan.PhoneHome, instanceID string) state.Message {
	values := map[string]string{"instance_id": instanceID}
	if len(p.Names) > 0 {
		values["fqdn"] = p.Names[0]
		values["hostname"], _, _ = strings.Cut(p.Names[0], ".")
	}
	keys, _ := hostkeys.Read(root) // a key that cannot be read is one that the machine does not have
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
	return state.Message{Kind: PhoneHomeKind, URL: address, ContentType: "application/x-www-form-urlencoded", Body: []byte(form.Encode()), Tries: tries}
}
