package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// Compute decides every change that makes the machine what the configuration asks for. What is already so is
// not in the plan, so a second plan of the same configuration is empty.
//
// If Plan.Unseen is not empty, nothing else of the answer counts yet: look at those paths and compute again.
// The diagnostics are findings of the machine; if one is an error, the plan must not be committed.
func Compute(in Input) (Plan, diag.List) {
	if in.Config == nil {
		in.Config = &schema.Config{}
	}
	// To hash a password takes milliseconds, and the first few answers only say what to look at.
	p, found := compute(in, true)
	if len(p.Unseen) == 0 && len(p.Unasked) == 0 && slices.ContainsFunc(in.Config.System.Passwords, func(p schema.Password) bool { return !p.Hashed }) {
		return compute(in, false)
	}
	return p, found
}

func compute(in Input, hashLater bool) (Plan, diag.List) {
	c := &computation{Input: in, claims: map[string]*claim{}, hashLater: hashLater, ledger: newLedger(in.Applied)}
	c.values = c.instanceValues()
	c.hostname()
	c.accounts()
	c.files(false)
	c.certificates()
	c.keys()
	c.etcFiles()
	c.system()
	c.agents()
	c.network()
	c.units()
	c.reloads()
	c.orderAgents()
	c.lookUps()
	c.files(true)
	c.scripts()
	c.orphans()
	return c.finish()
}

// computation is the state of one Compute. Each subject has a file and a method of its own; all of them look
// through see and current, and write through put.
type computation struct {
	Input
	plan   Plan
	diags  diag.List
	users  userTable
	values schema.Values
	names  names
	cards  cards
	ledger ledger
	stops  []Job // of units that go

	order  []*claim
	claims map[string]*claim // by real path
	unseen []string
	filing bool // write_files are being planned
	// hashLater says that passwords in plain text are left alone: this is not the answer that counts.
	hashLater bool
}

// claim is what the plan wants at one path.
type claim struct {
	want Change
	seen *Seen
	// asked is where user-data itself named the path, to report a second entry for the same place.
	asked source.Range
	// dropped says that the path is left as somebody has made it by hand.
	dropped bool
}

// report adds a finding.
func (c *computation) report(rule *diag.Rule, at source.Range, format string, args ...any) *diag.Diagnostic {
	d := diag.New(rule, at, format, args...)
	d.Secret = c.Config.Hidden.Has(at)
	c.diags.Add(d)
	return &c.diags[len(c.diags)-1]
}

// see is what facts saw at a path. Of a path that was not looked at, Kind is 0 and the path is asked for.
// It has too many callers to be copied into each.
//
//go:noinline
func (c *computation) see(p string) *Seen {
	if s, ok := c.Facts.Paths[p]; ok {
		return s
	}
	c.unseen = append(c.unseen, p)
	return &Seen{}
}

// list is the names in a directory, of what facts saw; nil if it is not there.
func (c *computation) list(dir string) []string {
	s, ok := c.Facts.Paths[dir]
	if ok && (s.Kind != fsroot.Directory || s.Entries != nil) {
		return s.Entries
	}
	c.unseen = append(c.unseen, dir+"/")
	return nil
}

// current is the content of a file as it will be if the plan ends here: planned, else seen. ok is false if
// there is no regular file.
func (c *computation) current(p string) (data []byte, ok bool) {
	s := c.see(p)
	if cl := c.claims[realPath(p, s)]; cl != nil {
		return cl.want.Data, cl.want.Kind == WriteFile
	}
	return s.Data, s.Kind == fsroot.Regular
}

// attr is owner and mode of a path as it will be; ok is false if nothing will be there.
func (c *computation) attr(p string) (a fsroot.Attr, ok bool) {
	s := c.see(p)
	if cl := c.claims[realPath(p, s)]; cl != nil {
		return cl.want.Attr, cl.want.Kind != Remove
	}
	return s.Attr, s.Kind != fsroot.Absent && s.Kind != 0
}

// identity is the real path of a path. A directory that the plan makes may be a parent, so a path that is not
// there yet is joined to what of it is.
func (c *computation) identity(p string) string { return realPath(p, c.see(p)) }

// claimAt is what the plan wants at a path; nil for nothing.
func (c *computation) claimAt(p string) *claim { return c.claims[c.identity(p)] }

func realPath(p string, s *Seen) string {
	if s.Real != "" {
		return s.Real
	}
	return p
}

// put says what is wanted at a path. What is there already is left out of the plan; parents that are missing
// are made, each with the owner of the directory it is in. A second put for the same path replaces the first
// and keeps what facts saw.
func (c *computation) put(want *Change) {
	s := c.see(want.Path)
	if s.Kind == 0 && s.Fault == "" {
		return // asked for; Compute will be called again
	}
	why := source.Range{}
	if len(want.Why) > 0 {
		why = want.Why[0]
	}
	id := realPath(want.Path, s)
	if c.ledger.kept[id] != nil || c.isByHand(want, s) {
		c.keep(want, s)
		return
	}
	if !want.IsAlready(s) && !c.writable(want, s, why) {
		return
	}
	if want.Kind != Remove {
		c.parents(want)
	}
	if cl := c.claims[id]; cl != nil {
		if !cl.asked.IsZero() && !c.filing && want.Records == nil {
			d := c.report(rules.PathTwice, why, "/%s is written by another entry too", want.Path)
			d.Related = []diag.Related{{Message: "the entry", At: cl.asked}}
		}
		why := append(slices.Clone(cl.want.Why), want.Why...)
		cl.want = *want
		cl.want.Was, cl.want.Why = *s, why
		return
	}
	cl := &claim{want: *want, seen: s}
	cl.want.Was = *s
	c.claims[id] = cl
	c.order = append(c.order, cl)
}

// writable reports what stands in the way of a change at a path.
func (c *computation) writable(want *Change, s *Seen, why source.Range) bool {
	shown := "/" + want.Path
	switch {
	case s.Fault != "":
		c.report(rules.TargetUntrusted, why, "%s: %s", shown, s.Fault)
	case s.Volume.ReadOnly:
		c.report(rules.TargetReadOnly, why, "%s is on a read-only file system, mounted at /%s", shown, strings.TrimPrefix(s.Volume.Top, "."))
	case slices.Contains(kernelFileSystems, s.Volume.Type):
		c.report(rules.TargetKernel, why, "%s is on %s, which is the kernel's", shown, s.Volume.Type)
	case s.Kind == fsroot.Other:
		c.report(rules.TargetKind, why, "%s is a device, socket or FIFO", shown)
	case s.Kind == fsroot.Directory && want.Kind != MakeDirectory && want.Origin != OriginPrune:
		c.report(rules.TargetKind, why, "%s is a directory", shown)
	case s.Kind != fsroot.Absent && s.Kind != fsroot.Directory && want.Kind == MakeDirectory:
		c.report(rules.TargetKind, why, "%s is there and is not a directory", shown)
	case isOurs(realPath(want.Path, s)) && want.Origin != OriginState:
		c.report(rules.PathReserved, why, "%s leads to the provisioner's own state", shown)
	default:
		return true
	}
	return false
}

// OriginState marks the changes that keep our own state, which no configuration may touch.
const OriginState = "state"

var kernelFileSystems = []string{"proc", "sysfs", "cgroup", "cgroup2", "efivarfs"}

// isOurs says that a path is the provisioner's own.
func isOurs(p string) bool {
	for _, dir := range []string{"etc/provisioner", "var/lib/provisioner", "run/provisioner"} {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return slices.Contains(strings.Split(p, "/"), ".provisioner-stage")
}

// parents plans the directories above a path that are not there.
func (c *computation) parents(want *Change) {
	dir := path.Dir(want.Path)
	if dir == "." {
		return
	}
	s := c.see(dir)
	if s.Kind == 0 || s.Kind == fsroot.Directory || s.Fault != "" {
		return // facts follow a link among the parents if it leads to a directory
	}
	id := realPath(dir, s)
	if cl := c.claims[id]; cl != nil {
		if cl.want.Kind != MakeDirectory && cl.want.Kind != MakeLink {
			c.report(rules.TargetKind, firstRange(want.Why), "/%s is needed as a directory, and another entry makes it a file", dir)
		}
		return
	}
	if s.Kind == fsroot.Link {
		c.report(rules.TargetKind, firstRange(want.Why), "/%s is needed as a directory, and is a link that leads to none", dir)
		return
	}
	if s.Kind != fsroot.Absent {
		c.report(rules.TargetKind, firstRange(want.Why), "/%s is needed as a directory, and is something else", dir)
		return
	}
	parent := Change{Kind: MakeDirectory, Path: dir, Attr: fsroot.Attr{Mode: 0o755}, Why: want.Why, Origin: want.Origin}
	c.parents(&parent)
	if above, ok := c.attr(path.Dir(dir)); ok && path.Dir(dir) != "." {
		parent.Attr.UID, parent.Attr.GID = above.UID, above.GID
	}
	parent.Was = *s
	cl := &claim{want: parent, seen: s}
	c.claims[id] = cl
	c.order = append(c.order, cl)
}

// finish turns claims into changes, leaving out what is so already.
func (c *computation) finish() (Plan, diag.List) {
	if len(c.unseen) > 0 {
		slices.Sort(c.unseen)
		return Plan{Unseen: slices.Compact(c.unseen)}, nil
	}
	for _, cl := range c.order {
		if cl.dropped {
			continue
		}
		runtime := c.isRuntime(cl)
		if runtime && cl.want.Origin != OriginPrune {
			c.plan.Kept = append(c.plan.Kept, cl.want)
		}
		if cl.want.IsAlready(cl.seen) {
			continue
		}
		if runtime {
			c.plan.Runtime = append(c.plan.Runtime, cl.want)
		} else {
			c.plan.Changes = append(c.plan.Changes, cl.want)
		}
		switch {
		case isNetworkd(cl.want.Path):
			c.plan.Networkd = true
		case isUnit(cl.want.Path) && cl.want.Kind != MakeDirectory:
			c.plan.Reload = true
		}
	}
	c.plan.Jobs = append(c.stops, c.plan.Jobs...)
	c.plan.Owned = c.owned()
	if c.Applied != nil && c.Applied.Same && len(c.plan.Changes)+len(c.plan.Runtime) == 0 {
		c.plan.Jobs = laterJobs(c.plan.Jobs)
	}
	return c.plan, c.diags
}

// laterJobs are those of a run that finds everything as it should be: nothing is restarted.
func laterJobs(jobs []Job) []Job {
	var out []Job
	for _, j := range jobs {
		if j.Action = LaterAction(j.Action); j.Action != "" && !j.Once {
			out = append(out, j)
		}
	}
	return out
}

// LaterAction is what an action is on a later boot, and where nothing changes: what does not run is started, and what
// runs is left alone. It is "" where nothing is to be done.
func LaterAction(action string) string {
	switch action {
	case "restart", "reload-or-restart":
		return "start"
	case "reload", "try-restart", "reload-or-try-restart":
		return ""
	}
	return action
}

// isRuntime says that a change is made below the /run of a running system.
func (c *computation) isRuntime(cl *claim) bool {
	return c.Facts.Live && isRuntime(realPath(cl.want.Path, cl.seen))
}

func isRuntime(p string) bool { return strings.HasPrefix(p, "run/") }

func isUnit(p string) bool {
	return strings.HasPrefix(p, "etc/systemd/system/") || strings.HasPrefix(p, "run/systemd/system/")
}

func isNetworkd(p string) bool {
	return strings.HasPrefix(p, "etc/systemd/network/") || strings.HasPrefix(p, "run/systemd/network/")
}

// IsAlready says that what is wanted is what is there.
func (w *Change) IsAlready(s *Seen) bool {
	switch w.Kind {
	case Remove:
		return s.Kind == fsroot.Absent
	case MakeLink:
		return s.Kind == fsroot.Link && s.Target == w.Target
	case MakeDirectory:
		return s.Kind == fsroot.Directory
	default:
		return s.Kind == fsroot.Regular && s.Attr == w.Attr && s.Size == int64(len(w.Data)) &&
			(bytes.Equal(s.Data, w.Data) || s.SHA256 == Digest(w.Data))
	}
}

// Digest is the SHA-256 of content, in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func firstRange(why []source.Range) source.Range {
	if len(why) == 0 {
		return source.Range{}
	}
	return why[0]
}
