package gce

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxKeys is far beyond what the 256 KiB of an attribute are used for.
const maxKeys = 1024

// keys are those of an instance and of its project.
type keys struct {
	list            []string
	expired, broken int // lines that were left out
	err             error
}

// sshKeys reads the keys that may log in: those of the instance, and those of its project unless the instance says
// block-project-ssh-keys, or has keys under the old name sshKeys, which took the place of the project's. They all go to
// one account, whosever name they have, as Container Linux and afterburn have it: accounts are the configuration's to
// make, not those of everybody who may edit a project.
//
// Format: "Add SSH keys to VMs that use metadata-based SSH keys", and guest-agent's google_guest_agent/agent.go, for
// what the documentation does not say (2026).
func sshKeys(instance, project map[string]string, now time.Time) keys {
	var k keys
	k.read(instance["ssh-keys"], now)
	k.read(instance["sshKeys"], now)
	if !isTrue(instance["block-project-ssh-keys"]) && instance["sshKeys"] == "" {
		k.read(project["ssh-keys"], now)
		k.read(project["sshKeys"], now)
	}
	return k
}

func isTrue(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "t", "yes", "y", "1":
		return true
	}
	return false
}

// read takes lines "USER:KEY".
func (k *keys) read(text string, now time.Time) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		user, key, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); !ok || user == "" || key == "" || strings.ContainsAny(user, " \t") {
			k.broken++
			continue
		}
		key, until, ok := expiry(key)
		switch {
		case !ok:
			k.broken++
		case !until.IsZero() && !now.Before(until):
			k.expired++
		case slices.Contains(k.list, key):
		case len(k.list) == maxKeys:
			k.err = fmt.Errorf("ssh-keys: more than %d", maxKeys)
			return
		default:
			k.list = append(k.list, key)
		}
	}
}

// expiry takes apart a key that was made for some minutes: TYPE BASE64 google-ssh {"userName":"...","expireOn":"..."}.
// Any other key is as it is, and without an end. A key whose end cannot be read is none: it was not to last.
func expiry(text string) (key string, until time.Time, ok bool) {
	key, terms, found := strings.Cut(text, " google-ssh ")
	if !found {
		return text, time.Time{}, true
	}
	var t struct {
		UserName string `json:"userName"`
		ExpireOn string `json:"expireOn"`
	}
	if json.Unmarshal([]byte(terms), &t) != nil {
		return "", time.Time{}, false
	}
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if until, err := time.Parse(layout, t.ExpireOn); err == nil {
			return strings.TrimSpace(key + " google-ssh"), until, true
		}
	}
	return "", time.Time{}, false
}

// notes says what was left out, without a word of it.
func (k *keys) notes() []string {
	var notes []string
	if k.expired > 0 {
		notes = append(notes, fmt.Sprintf("SSH keys that have expired and were left out: %d", k.expired))
	}
	if k.broken > 0 {
		notes = append(notes, fmt.Sprintf("lines of ssh-keys that are not USER:KEY, or whose expiry cannot be read, and were left out: %d", k.broken))
	}
	return notes
}
