package firstboot

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/sshkey"
)

// keysShown is what of SSH keys a configuration lets be printed to the console: as cloud-init does it, all but DSA keys
// unless it says otherwise.
func keysShown(cfg *schema.Config, defaultUser string) handoff.Keys {
	c := cfg.System.SSH.Console
	k := handoff.Keys{Host: !c.HostKeys.Set || c.HostKeys.V, WithoutKey: []string{"ssh-dss"}, Hash: "sha256"}
	if len(c.WithoutKey) > 0 {
		k.WithoutKey = textsOf(c.WithoutKey)
	}
	k.WithoutFingerprint = textsOf(c.WithoutFingerprint)
	if c.KeyHash.Set {
		k.Hash = c.KeyHash.V
	}
	if c.NoFingerprints.V {
		return k
	}
	k.Users = append(k.Users, defaultUser)
	for _, u := range cfg.Users {
		if !u.Default && u.Name.V != defaultUser && !u.System.V && !u.NoCreateHome.V && len(k.Users) < maxUsersShown {
			k.Users = append(k.Users, u.Name.V)
		}
	}
	return k
}

func textsOf(values []schema.Value[string]) (out []string) {
	for _, v := range values {
		out = append(out, v.V)
	}
	return out
}

const (
	// maxUsersShown and maxKeysShown bound what a slow serial line is kept busy with.
	maxUsersShown = 20
	maxKeysShown  = 50
	// hostKeyTime is how long host keys are waited for that somebody else makes, and consoleTime how long the console
	// may take to print them.
	hostKeyTime = 5 * time.Second
	consoleTime = 10 * time.Second
)

// showKeys keeps the host keys for the report, and prints what is to be printed of keys to the console itself: with what
// the journal puts in front of a line, the tools that look for these lines would not know them.
func (r *run) showKeys(ctx context.Context) {
	k := r.request.Keys
	keys, err := r.awaitHostKeys(ctx, k.Host)
	if err != nil {
		r.say("report", "%v", err)
	}
	r.HostKeys = nil
	for _, key := range keys {
		r.HostKeys = append(r.HostKeys, report.HostKey{Type: key.Type, Bits: key.Bits, Fingerprint: key.Fingerprint})
	}
	var text strings.Builder
	for _, user := range k.Users {
		text.WriteString(r.authorized(user, k.Hash))
	}
	if k.Host && len(keys) > 0 {
		text.WriteString(hostkeys.Block(keys, hostkeys.Shown{WithoutFingerprint: k.WithoutFingerprint, WithoutKey: k.WithoutKey}))
	}
	if r.Terminal == "" || text.Len() == 0 {
		return
	}
	if err := printTo(r.Terminal, text.String()); err != nil {
		r.say("report", "the fingerprints of keys cannot be printed: %v", err)
	}
}

// awaitHostKeys are those that there are; with patience, if there is none yet where there is an sshd.
func (r *run) awaitHostKeys(ctx context.Context, patient bool) ([]hostkeys.Key, error) {
	for deadline := r.Now().Add(hostKeyTime); ; {
		keys, err := hostkeys.Read(r.Root)
		if err != nil || len(keys) > 0 || !patient || !r.Live || r.Now().After(deadline) {
			return keys, err
		}
		if info, err := r.Root.Stat("usr/sbin/sshd"); err != nil || info.Kind == fsroot.Absent {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// authorized is the table of a user's keys; "" if there is no such user.
func (r *run) authorized(user, hash string) string {
	passwd, _, err := r.Root.ReadFile("etc/passwd", 1<<20)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 || f[0] != user {
			continue
		}
		file := path.Join("/", f[5], ".ssh/authorized_keys")
		text, _, _ := r.Root.ReadFile(file[1:], 1<<20) // what cannot be read shows no keys
		var keys []sshkey.Key
		for line := range strings.Lines(string(text)) {
			if k, err := sshkey.Parse(line); err == nil && len(keys) < maxKeysShown {
				keys = append(keys, k)
			}
		}
		return hostkeys.Authorized(user, file, keys, hash)
	}
	return ""
}

// printTo writes to a terminal that may not take anything: a serial line with nobody at its other end.
func printTo(file, text string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Mode()&(os.ModeCharDevice) == 0 && !info.Mode().IsRegular() {
		return errors.New(file + " is no terminal")
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|noTerminal, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_ = f.SetWriteDeadline(time.Now().Add(consoleTime)) // a file takes all at once
	_, err = f.WriteString(text)
	return err
}
