// Package fingerprints prints SSH keys to the console of a machine, by their fingerprints, for the tools and the people who look
// for them there. The lines are printed as they are: with what the journal puts in front of one, those tools would not know it.
//
// [Shown] is what a configuration lets be printed, and [Print] prints it, after [Await] has found the host keys. Their form is
// package hostkeys', which also makes keys; when they are printed is package firstboot's to say.
package fingerprints

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
	"cloudconfig/schema"
	"cloudconfig/schema/sshkey"
)

const (
	// maxUsersShown and maxKeysShown bound what a slow serial line is kept busy with.
	maxUsersShown = 20
	maxKeysShown  = 50
	// hostKeyTime is how long host keys are waited for that somebody else makes, and consoleTime how long the console
	// may take to print them.
	hostKeyTime = 5 * time.Second
	consoleTime = 10 * time.Second
)

// Shown is what of SSH keys a configuration lets be printed to the console: as cloud-init does it, all but DSA keys
// unless it says otherwise.
func Shown(cfg *schema.Config, defaultUser string) handoff.Keys {
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

// Await gives the host keys that there are; with patience, if there is none yet where there is an sshd: somebody else makes
// them. now is the clock that it goes by. It ends without any when the context does.
func Await(ctx context.Context, root *fsroot.Root, patient bool, now func() time.Time) ([]hostkeys.Key, error) {
	for deadline := now().Add(hostKeyTime); ; {
		keys, err := hostkeys.Read(root)
		if err != nil || len(keys) > 0 || !patient || now().After(deadline) {
			return keys, err
		}
		if info, err := root.Stat("usr/sbin/sshd"); err != nil || info.Kind == fsroot.Absent {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Print writes to a terminal what k lets be printed of the host keys and of the keys that let users in. If it lets nothing be
// printed, or the terminal is "", nothing is written. A terminal that takes nothing is an error after ten seconds.
func Print(root *fsroot.Root, terminal string, k handoff.Keys, keys []hostkeys.Key) error {
	var text strings.Builder
	for _, user := range k.Users {
		text.WriteString(authorized(root, user, k.Hash))
	}
	if k.Host && len(keys) > 0 {
		text.WriteString(hostkeys.Block(keys, hostkeys.Shown{WithoutFingerprint: k.WithoutFingerprint, WithoutKey: k.WithoutKey}))
	}
	if terminal == "" || text.Len() == 0 {
		return nil
	}
	return printTo(terminal, text.String())
}

// authorized is the table of a user's keys; "" if there is no such user.
func authorized(root *fsroot.Root, user, hash string) string {
	passwd, _, err := root.ReadFile("etc/passwd", 1<<20)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 || f[0] != user {
			continue
		}
		file := path.Join("/", f[5], ".ssh/authorized_keys")
		text, _, _ := root.ReadFile(file[1:], 1<<20) // what cannot be read shows no keys
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
