// Package changes says what a change of a configuration changes on a machine, for those who review it.
//
// [Between] is the thing to call; [Write] draws what it finds. It computes the plan of both configurations for a
// machine that has nothing but what a facts profile says, and compares what comes of them. Nothing is looked at but
// the two configurations, the profile and the metadata, so it is the same on every laptop.
package changes

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"cloudconfig/provisioner/draw"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

// Input is what is compared.
type Input struct {
	Old, New *schema.Config
	// Image is what the machine has; nil where it is not known, and then it has what the configurations take for
	// granted.
	Image *image.Image
	// Meta is what the platform says of the machine; variables without a value there stay as they are.
	Meta schema.Metadata
}

// Item is one thing that will be other than it was.
type Item struct {
	// Danger says why a reviewer has to look: one of the Danger constants, or "".
	Danger Danger `json:"danger,omitempty"`
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Action string `json:"action"` // "added", "changed" or "removed"
	// Was and Now are the two states in words; empty where there is none, or where Diff says it all.
	Was string `json:"was,omitempty"`
	Now string `json:"now,omitempty"`
	// Diff are the lines of a unified diff of a content that may be shown.
	Diff []string `json:"diff,omitempty"`
	// Secret says that the content is not shown.
	Secret bool `json:"secret,omitempty"`
	// Old and New are the places in the configurations that ask for it.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Danger is why a change is dangerous. Its text is in JSON and must not change.
type Danger string

// The dangers, the worst first.
const (
	DangerLogin   Danger = "login"   // somebody may not get in any more
	DangerRoot    Danger = "root"    // who may become root is other than before
	DangerNetwork Danger = "network" // the machine may not be reached any more
	DangerSecret  Danger = "secret"  // a secret may be read by more than before
	DangerMode    Danger = "mode"    // a file may be read, written or run by more than before, or has another owner
	DangerService Danger = "service" // a unit is not there, or not started, any more
	DangerScript  Danger = "script"  // a script runs, and what it does is not known here
)

var dangers = []Danger{DangerLogin, DangerRoot, DangerNetwork, DangerSecret, DangerMode, DangerService, DangerScript}

// Meaning is a danger in words.
func (d Danger) Meaning() string {
	switch d {
	case DangerLogin:
		return "somebody may not be able to log in any more"
	case DangerRoot:
		return "changes who can become root"
	case DangerNetwork:
		return "the machine may not be reached any more"
	case DangerSecret:
		return "a secret can be read by more than before"
	case DangerMode:
		return "more may read, write or run it, or its owner is another"
	case DangerService:
		return "a unit is not there, or not started, any more"
	case DangerScript:
		return "what a script does is not known here"
	}
	return ""
}

// Kind is what kind of thing changes. Its text is in JSON and must not change.
type Kind string

// The kinds, in the order in which they are shown.
const (
	KindHostname  Kind = "hostname"
	KindUser      Kind = "user"
	KindPassword  Kind = "password"
	KindKey       Kind = "key"
	KindGroup     Kind = "group"
	KindMember    Kind = "member"
	KindSudo      Kind = "sudo"
	KindNetwork   Kind = "network"
	KindFile      Kind = "file"
	KindDirectory Kind = "directory"
	KindLink      Kind = "link"
	KindLine      Kind = "line" // of a file that others have lines in too
	KindSetting   Kind = "setting"
	KindUnit      Kind = "unit"
	KindEnabled   Kind = "enablement"
	KindMask      Kind = "mask"
	KindJob       Kind = "job"
	KindScript    Kind = "script"
)

var kinds = []Kind{KindHostname, KindUser, KindPassword, KindKey, KindGroup, KindMember, KindSudo, KindNetwork, KindFile, KindDirectory,
	KindLink, KindLine, KindSetting, KindUnit, KindEnabled, KindMask, KindJob, KindScript}

// Between is what NEW makes other than OLD does, dangerous things first. Both configurations have passed
// schema.Decode without errors. The findings are errors that plan would find on this image; there are none without one.
// An error says that a plan could not be made at all.
func Between(in Input) ([]Item, diag.List, error) {
	m := machineOf(in)
	before, found, err := m.things(in.Old)
	if err != nil {
		return nil, nil, err
	}
	after, more, err := m.things(in.New)
	if err != nil {
		return nil, nil, err
	}
	var items []Item
	for id, was := range before {
		if now, still := after[id]; still {
			if item, differs := changed(was, now); differs {
				items = append(items, item)
			}
			continue
		}
		items = append(items, ended(was))
	}
	for id, now := range after {
		if _, there := before[id]; !there {
			items = append(items, begun(now))
		}
	}
	for i := range items {
		items[i].Was, items[i].Now = diag.Line(items[i].Was), diag.Line(items[i].Now)
	}
	sort.Slice(items, func(i, j int) bool { return compare(items[i], items[j]) < 0 })
	return items, append(found, more...).Sorted(), nil
}

func compare(a, b Item) int {
	rank := func(i Item) int {
		if i.Danger == "" {
			return len(dangers)
		}
		return slices.Index(dangers, i.Danger)
	}
	return cmp.Or(rank(a)-rank(b), slices.Index(kinds, a.Kind)-slices.Index(kinds, b.Kind), strings.Compare(a.Name, b.Name))
}

// thing is something that a configuration makes of a machine.
type thing struct {
	kind Kind
	name string
	// state is what is compared and shown in words; of a file that is mode and owner.
	state string
	// data is a content, compared whole and shown by lines where it may be shown.
	data   []byte
	secret bool
	mode   uint32 // of a file
	owner  string
	at     source.Range
}

func (t *thing) place() string {
	if t.at.IsZero() {
		return ""
	}
	return t.at.String()
}

func (t *thing) isFile() bool {
	return t.kind == KindFile || t.kind == KindUnit || t.kind == KindNetwork
}

// size is how much a file has in it, to be said where the whole comes or goes: what it is can be read in the
// configuration.
func (t *thing) size() string {
	if !t.isFile() || t.secret {
		return ""
	}
	return ", " + counted(t.data)
}

func ended(was thing) Item {
	i := Item{Kind: was.kind, Name: was.name, Action: "removed", Was: was.state, Secret: was.secret, Old: was.place()}
	switch was.kind {
	case KindUser, KindPassword, KindKey:
		i.Danger = DangerLogin
	case KindSudo:
		i.Danger = DangerRoot
	case KindMember:
		i.Danger = ofMember(was.name)
	case KindNetwork:
		i.Danger = DangerNetwork
	case KindUnit, KindEnabled:
		i.Danger = DangerService
	default:
		i.Danger = ofPath(was.name)
	}
	if i.Danger == DangerService && isSSH(was.name) {
		i.Danger = DangerLogin
	}
	i.Was += was.size()
	return i
}

func begun(now thing) Item {
	i := Item{Kind: now.kind, Name: now.name, Action: "added", Now: now.state, Secret: now.secret, New: now.place()}
	switch now.kind {
	case KindSudo:
		i.Danger = DangerRoot
	case KindMember:
		i.Danger = ofMember(now.name)
	case KindNetwork:
		i.Danger = DangerNetwork
	case KindMask:
		i.Danger = DangerService
	case KindJob:
		if now.state == "stop" {
			i.Danger = DangerService
		}
	case KindScript:
		i.Danger = DangerScript
	case KindFile:
		if i.Danger = ofPath(now.name); i.Danger == "" && now.mode&0o6000 != 0 {
			i.Danger = DangerMode
		}
	}
	if (i.Danger == DangerService || now.kind == KindUnit || now.kind == KindJob) && isSSH(now.name) {
		i.Danger = DangerLogin
	}
	i.Now += now.size()
	return i
}

func changed(was, now thing) (Item, bool) {
	sameData := bytes.Equal(was.data, now.data)
	if was.state == now.state && sameData && was.secret == now.secret {
		return Item{}, false
	}
	i := Item{Kind: now.kind, Name: now.name, Action: "changed", Secret: was.secret || now.secret, Old: was.place(), New: now.place()}
	if was.state != now.state {
		i.Was, i.Now = was.state, now.state
	}
	if now.isFile() && !sameData {
		i.Diff = contentDiff(was, now)
	}
	switch now.kind {
	case KindNetwork:
		i.Danger = DangerNetwork
	case KindPassword:
		i.Danger = DangerLogin
	case KindUser:
		if isNoShell(now.state) && !isNoShell(was.state) {
			i.Danger = DangerLogin
		}
	case KindScript:
		i.Danger = DangerScript
	case KindJob:
		if now.state == "stop" {
			i.Danger = DangerService
		}
	default:
		i.Danger = ofPath(now.name)
	}
	switch {
	case i.Danger != "" || !now.isFile():
	case was.secret && (!now.secret || now.mode&^was.mode&0o077 != 0):
		i.Danger = DangerSecret
	case now.mode&^was.mode&0o6077 != 0 || was.owner != now.owner:
		i.Danger = DangerMode
	}
	if (i.Danger == DangerService || now.kind == KindUnit) && isSSH(now.name) {
		i.Danger = DangerLogin
	}
	return i, true
}

func isNoShell(state string) bool {
	return strings.Contains(state, "/nologin") || strings.HasSuffix(state, "/false")
}

// isSSH says that a unit, or a file of one, is the SSH server's.
func isSSH(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch name {
	case "ssh.service", "sshd.service", "ssh.socket", "sshd.socket":
		return true
	}
	return false
}

// ofMember is the danger of who is in a group: "docker: anna".
func ofMember(name string) Danger {
	group, _, _ := strings.Cut(name, ": ")
	switch group {
	case "sudo", "wheel", "admin", "root", "docker", "lxd", "incus", "disk", "shadow":
		return DangerRoot
	}
	return ""
}

// ofPath is the danger of a file by where it is.
func ofPath(path string) Danger {
	below := func(dirs ...string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool {
			return path == d || strings.HasPrefix(path, d+"/") || strings.HasPrefix(path, d+": ")
		})
	}
	switch {
	case below("/etc/ssh", "/etc/pam.d", "/etc/security", "/etc/nsswitch.conf", "/etc/shells", "/etc/login.defs", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"),
		strings.HasSuffix(path, "/.ssh/authorized_keys"), strings.HasPrefix(path, "/etc/systemd/system/ssh.service.d/"), strings.HasPrefix(path, "/etc/systemd/system/sshd.service.d/"):
		return DangerLogin
	case below("/etc/sudoers", "/etc/sudoers.d", "/etc/polkit-1", "/etc/doas.conf"):
		return DangerRoot
	case below("/etc/systemd/network", "/etc/netplan", "/etc/network", "/etc/NetworkManager", "/etc/sysconfig/network-scripts", "/etc/nftables.conf", "/etc/iptables",
		"/etc/firewalld", "/etc/resolv.conf", "/etc/systemd/resolved.conf", "/etc/systemd/resolved.conf.d"):
		return DangerNetwork
	}
	return ""
}

// Bounds of a content that is compared by lines.
const (
	maxContent   = 256 << 10 // bytes
	maxDiffLines = 200       // of the difference
	maxLine      = 1000      // bytes of a line
)

// contentDiff is the difference of two contents as it may be shown: nothing of what is secret, not text, or for its
// owner only, and no line that looks like a secret.
func contentDiff(was, now thing) []string {
	for _, t := range []thing{was, now} {
		if t.secret || len(t.data) > maxContent || !utf8.Valid(t.data) || bytes.IndexByte(t.data, 0) >= 0 || bytes.Contains(t.data, []byte("PRIVATE KEY-----")) {
			return nil
		}
	}
	lines, ok := draw.Unified(string(was.data), string(now.data))
	if !ok {
		return nil
	}
	more := len(lines) - maxDiffLines
	if more > 0 {
		lines = lines[:maxDiffLines]
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		if len(l) > maxLine {
			l = strings.ToValidUTF8(l[:maxLine], "") + "..."
		}
		out[i] = l[:1] + diag.Line(l[1:])
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("\\ %d more lines", more))
	}
	return out
}
