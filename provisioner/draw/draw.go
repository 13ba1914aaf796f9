// Package draw shows a plan to the one who asked for it, as text or as JSON.
//
// [Write] is where to start; [Drawing] is the JSON form. [Unified] and [Mark] are for those who draw something that is
// like a plan. Package draw decides nothing, and looks at nothing but the plan and the facts that it was computed from.
// What has happened in a run is told by package report.
package draw

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// Options say how a plan is drawn.
type Options struct {
	// JSON asks for the JSON form, else it is text.
	JSON bool
	// Color marks additions, changes and removals of the text form with the colours of a terminal.
	Color bool
	// Facts are those that the plan was computed from. They give owners their names; without them owners are
	// numbers.
	Facts plan.Facts
}

// Write draws a plan for the one who asked for it: as text, a diff against the machine and what comes after
// the commit; as JSON, the form that [Drawing] documents. Nothing secret is in either, nor the size or digest
// of a secret. The text shows what changes in text files that everybody may read; what has control or
// direction characters in it is shown with them as \u{..}. The errors are the writer's.
func Write(w io.Writer, p plan.Plan, o Options) error {
	owners := ownersOf(p, o.Facts)
	if o.JSON {
		return diag.WriteJSON(w, drawing(p, owners))
	}
	d := drawer{Writer: bufio.NewWriter(w), color: o.Color, owners: owners}
	d.plan(p, o.Facts)
	return d.Flush()
}

// Drawing is the JSON form of a plan.
type Drawing struct {
	// Version is that of the form: 1.
	Version int `json:"version"`
	// Hostname is what the kernel is told, missing if that is so already.
	Hostname string `json:"hostname,omitempty"`
	// Changes are in the order they are made.
	Changes []DrawnChange `json:"changes"`
	// Reload says that systemd reads its units again, Networkd that networkd reads its files again.
	Reload   bool `json:"reload"`
	Networkd bool `json:"networkd"`
	// Network is what that means for each link; missing if it means nothing.
	Network []DrawnLink `json:"network,omitempty"`
	// Kept is what somebody has changed since it was applied, and Orphans are what the configuration no longer has; both
	// are left as they are.
	Kept    []DrawnLeft `json:"kept,omitempty"`
	Orphans []DrawnLeft `json:"orphans,omitempty"`
	// Commands, Jobs and Scripts are what comes after the commit, in order. Among the scripts are the commands of
	// bootcmd, which come before it, and of runcmd.
	Commands []DrawnCommand `json:"commands"`
	Jobs     []DrawnJob     `json:"jobs"`
	Scripts  []DrawnScript  `json:"scripts"`
	// PowerState is what becomes of the machine in the end: "poweroff", "reboot" or "halt"; missing if it stays on.
	PowerState string `json:"power_state,omitempty"`
	// PhoneHome is whom to tell that the machine is up, once for each instance; missing if nobody is to be told, or was told.
	PhoneHome *DrawnPhoneHome `json:"phone_home,omitempty"`
	Summary   Summary         `json:"summary"`
}

// DrawnPhoneHome is whom to tell, and what.
type DrawnPhoneHome struct {
	// URL is without user info and the values of its query.
	URL string `json:"url"`
	// Post are the names of what is told.
	Post []string `json:"post"`
	Why  []string `json:"why,omitempty"`
}

// DrawnChange is a change in the JSON form of a plan.
type DrawnChange struct {
	// Action is "added", "changed" or "removed".
	Action string    `json:"action"`
	Kind   plan.Kind `json:"kind"`
	// Path is absolute: "/etc/hostname".
	Path string `json:"path"`
	// Runtime says that the change is made below the /run of a running system, and again at each boot.
	Runtime bool `json:"runtime,omitempty"`
	// State is what will be there, and Was what is; missing where that is nothing.
	State *DrawnState `json:"state,omitempty"`
	Was   *DrawnState `json:"was,omitempty"`
	// Secret says that the content is not shown.
	Secret bool `json:"secret,omitempty"`
	// Records say what is ours in a file that we share.
	Records []DrawnRecord `json:"records,omitempty"`
	// Why are the places that asked for it, "user-data:5:3", or who did where nobody wrote anything.
	Why []string `json:"why,omitempty"`
}

// DrawnState is what is or will be at a path.
type DrawnState struct {
	Kind string `json:"kind"` // "file", "directory", "link" or "other"
	// Mode is octal, four digits; UID and GID go with it. They are missing of a link.
	Mode  string `json:"mode,omitempty"`
	UID   *int   `json:"uid,omitempty"`
	GID   *int   `json:"gid,omitempty"`
	Owner string `json:"owner,omitempty"` // "core:core", numbers where there is no name
	// SizeBytes and SHA256 are those of a file's content; missing if it is secret or has records.
	SizeBytes *int64 `json:"size_bytes,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	// Target is where a link leads.
	Target string `json:"target,omitempty"`
}

// DrawnRecord is what changes of ours in a file that we share.
type DrawnRecord struct {
	Name   string `json:"name"`
	Action string `json:"action"` // "added", "changed" or "removed"
	Detail string `json:"detail,omitempty"`
}

// DrawnLeft is something that is left as it is.
type DrawnLeft struct {
	Kind plan.Kind `json:"kind"`
	Path string    `json:"path"` // absolute
	// Record is what of a shared file it is.
	Record string `json:"record,omitempty"`
	// ByHand is "changed" or "removed" if somebody did so since it was applied.
	ByHand string `json:"by_hand,omitempty"`
	// Before says that something was there before it was first written, so that it is never removed.
	Before bool `json:"before,omitempty"`
}

// DrawnCommand is a program of the distribution that is run.
type DrawnCommand struct {
	// Argv is the program's absolute path, then its arguments.
	Argv []string `json:"argv"`
	Why  []string `json:"why,omitempty"`
}

// DrawnJob is what systemd is asked to do.
type DrawnJob struct {
	Unit   string   `json:"unit"`
	Action string   `json:"action"`
	Why    []string `json:"why,omitempty"`
}

// DrawnScript is a script or a command that is run. Its text may hold secrets and is not shown.
type DrawnScript struct {
	Name  string `json:"name"`
	Lines int    `json:"lines"`
	// When is "boot" of one that runs on every boot, "once" of one that runs a single time ever; else it runs once for
	// each instance.
	When schema.When `json:"when,omitempty"`
	Why  []string    `json:"why,omitempty"`
}

// Summary counts what a plan does.
type Summary struct {
	Added    int `json:"added"`
	Changed  int `json:"changed"`
	Removed  int `json:"removed"`
	Commands int `json:"commands"`
	Jobs     int `json:"jobs"`
	Scripts  int `json:"scripts"`
	// Kept and Orphans are left as they are.
	Kept    int `json:"kept,omitempty"`
	Orphans int `json:"orphans,omitempty"`
}

func drawing(p plan.Plan, owners owners) Drawing {
	d := Drawing{
		Version: 1, Hostname: p.Hostname, Reload: p.Reload, Networkd: p.Networkd, Summary: summarize(p),
		Changes: []DrawnChange{}, Commands: []DrawnCommand{}, Jobs: []DrawnJob{}, Scripts: []DrawnScript{},
	}
	for i, changes := range [][]plan.Change{p.Changes, p.Runtime} {
		runtime := i == 1
		for i := range changes {
			c := &changes[i]
			out := DrawnChange{
				Action: action(c), Kind: c.Kind, Path: "/" + c.Path, Runtime: runtime, Secret: c.Secret,
				State: drawnState(c, owners), Was: drawnWas(c, owners), Why: reasons(c.Why, c.Origin),
			}
			for _, r := range c.Records {
				out.Records = append(out.Records, DrawnRecord{Name: r.Name, Action: r.Action, Detail: r.Detail})
			}
			d.Changes = append(d.Changes, out)
		}
	}
	for i := range p.Network.Links {
		d.Network = append(d.Network, *drawnLink(&p.Network.Links[i]))
	}
	d.Kept, d.Orphans = drawnLeft(p.ByHand), drawnLeft(p.Orphans)
	for _, c := range p.Commands {
		d.Commands = append(d.Commands, DrawnCommand{Argv: c.Argv, Why: reasons(c.Why, "")})
	}
	for _, j := range p.Jobs {
		d.Jobs = append(d.Jobs, DrawnJob{Unit: j.Unit, Action: j.Action, Why: reasons(j.Why, "")})
	}
	for _, scripts := range [][]plan.Script{scripts(p.BootSteps, schema.PerBoot), p.Scripts, scripts(p.Steps, schema.PerInstance)} {
		for _, s := range scripts {
			d.Scripts = append(d.Scripts, DrawnScript{Name: s.Name, Lines: s.Lines(), When: s.When, Why: reasons(s.Why, "")})
		}
	}
	if p.Power != nil {
		d.PowerState = p.Power.Mode
	}
	if h := p.PhoneHome; h != nil {
		d.PhoneHome = &DrawnPhoneHome{URL: h.Address(), Post: h.Fields(), Why: reasons(h.Why, "")}
	}
	return d
}

// scripts are steps as they are drawn.
func scripts(steps []plan.Step, when schema.When) []plan.Script {
	var out []plan.Script
	for _, s := range steps {
		out = append(out, plan.Script{Name: s.Name, Content: []byte(s.Text), When: when, Why: s.Why})
	}
	return out
}

func drawnLeft(all []plan.Left) (out []DrawnLeft) {
	for _, l := range all {
		out = append(out, DrawnLeft{Kind: l.Kind, Path: "/" + l.Path, Record: l.Record, ByHand: l.ByHand, Before: l.Before})
	}
	return out
}

func drawnState(c *plan.Change, owners owners) *DrawnState {
	switch c.Kind {
	case plan.Remove:
		return nil
	case plan.MakeLink:
		return &DrawnState{Kind: string(c.Kind), Target: c.Target}
	}
	s := drawnAttr(string(c.Kind), c.Attr, owners)
	if c.Kind == plan.WriteFile && showsSize(c) {
		size := int64(len(c.Data))
		s.SizeBytes, s.SHA256 = &size, plan.Digest(c.Data)
	}
	return s
}

func drawnWas(c *plan.Change, owners owners) *DrawnState {
	switch c.Was.Kind {
	case fsroot.Regular:
		s := drawnAttr(string(plan.WriteFile), c.Was.Attr, owners)
		if showsSize(c) && everybody(c.Was.Attr) {
			s.SizeBytes, s.SHA256 = &c.Was.Size, c.Was.Digest()
		}
		return s
	case fsroot.Directory:
		return drawnAttr(string(plan.MakeDirectory), c.Was.Attr, owners)
	case fsroot.Link:
		return &DrawnState{Kind: string(plan.MakeLink), Target: c.Was.Target}
	case fsroot.Other:
		return drawnAttr("other", c.Was.Attr, owners)
	}
	return nil
}

func drawnAttr(kind string, a fsroot.Attr, owners owners) *DrawnState {
	return &DrawnState{Kind: kind, Mode: mode(a), UID: &a.UID, GID: &a.GID, Owner: owners.of(a)}
}

// drawer draws the text form.
type drawer struct {
	*bufio.Writer
	color  bool
	owners owners
}

// Mark is the sign of an action in a drawing, and its colour on a terminal.
func Mark(action string) (sign, color string) {
	switch action {
	case "added":
		return "+", "\x1b[32m"
	case "removed":
		return "-", "\x1b[31m"
	}
	return "~", "\x1b[33m"
}

// line writes a line, in a colour if there is one and colours are wanted.
func (d *drawer) line(color, format string, args ...any) {
	text := visible(fmt.Sprintf(format, args...))
	if d.color && color != "" {
		text = color + text + "\x1b[0m"
	}
	d.WriteString(text + "\n")
}

func (d *drawer) plan(p plan.Plan, facts plan.Facts) {
	if len(p.BootSteps) > 0 {
		d.line("", "before all else, on a running system only:")
		d.scripts("", scripts(p.BootSteps, schema.PerBoot))
	}
	for _, c := range p.Changes {
		d.change(c)
	}
	if len(p.Runtime) > 0 {
		d.line("", "below /run, and again at each boot:")
		for _, c := range p.Runtime {
			d.change(c)
		}
	}
	d.network(p.Network.Links)
	d.after(p, facts)
	for _, l := range append(p.ByHand[:len(p.ByHand):len(p.ByHand)], p.Orphans...) {
		d.line("", "%s", l)
	}
	s := summarize(p)
	left := ""
	if s.Kept+s.Orphans > 0 {
		left = fmt.Sprintf("; %d kept, %d left over", s.Kept, s.Orphans)
		s.Kept, s.Orphans = 0, 0
	}
	if s == (Summary{}) && p.Hostname == "" && p.Power == nil && p.PhoneHome == nil {
		d.line("", "nothing to do%s", left)
		return
	}
	end := fmt.Sprintf("%d to add, %d to change, %d to remove, %s", s.Added, s.Changed, s.Removed, count(s.Jobs, "job"))
	if s.Commands > 0 {
		end += ", " + count(s.Commands, "command")
	}
	if s.Scripts > 0 {
		end += ", " + count(s.Scripts, "script")
	}
	d.line("", "%s%s", end, left)
}

// after draws what comes after the commit.
func (d *drawer) after(p plan.Plan, facts plan.Facts) {
	if p.Hostname == "" && !p.Reload && !p.Networkd && len(p.Commands)+len(p.Jobs)+len(p.Scripts)+len(p.Steps) == 0 && p.Power == nil && p.PhoneHome == nil {
		return
	}
	headline := "after the commit:"
	if !facts.Live {
		headline = "after the commit, on a running system only:"
	}
	d.line("", "%s", headline)
	if p.Hostname != "" {
		was := ""
		if facts.SystemHostname != "" {
			was = " (was " + facts.SystemHostname + ")"
		}
		d.line("", "  set hostname %s%s", p.Hostname, was)
	}
	if p.Reload {
		d.line("", "  reload systemd")
	}
	if p.Networkd {
		d.line("", "  reload networkd")
	}
	for _, c := range p.Commands {
		d.line("", "  run %s%s", strings.Join(c.Argv, " "), because(c.Why, ""))
	}
	for _, j := range p.Jobs {
		d.line("", "  %s %s%s", j.Action, j.Unit, because(j.Why, ""))
	}
	d.scripts("script ", p.Scripts)
	d.scripts("", scripts(p.Steps, schema.PerInstance))
	if p.PhoneHome != nil {
		d.line("", "  %s%s", p.PhoneHome, because(p.PhoneHome.Why, ""))
	}
	if p.Power != nil {
		d.line("", "  %s%s", p.Power, because(p.Power.Why, ""))
	}
}

func (d *drawer) scripts(what string, scripts []plan.Script) {
	for _, s := range scripts {
		often := map[schema.When]string{schema.PerBoot: ", on every boot", schema.Once: ", a single time ever"}[s.When]
		d.line("", "  run %s%s, %s%s%s", what, s.Name, count(s.Lines(), "line"), often, because(s.Why, ""))
	}
}

func (d *drawer) change(c plan.Change) {
	sign, color := Mark(action(&c))
	words := []string{sign, string(c.Kind), "/" + c.Path}
	switch c.Kind {
	case plan.Remove:
		words[1] = "file"
		switch c.Was.Kind {
		case fsroot.Link:
			words[1] = "link"
			words = append(words, "-> "+c.Was.Target)
		case fsroot.Directory:
			words[1] = "directory"
		}
	case plan.MakeLink:
		words = append(words, "-> "+c.Target)
	default:
		words = append(words, d.attr(c))
	}
	if c.Kind == plan.WriteFile {
		words = append(words, sizes(c)...)
	}
	if c.Was.Kind == fsroot.Link && c.Kind != plan.Remove {
		words = append(words, "(was a link -> "+c.Was.Target+")")
	} else if c.Was.Kind == fsroot.Regular && c.Kind == plan.MakeLink {
		words = append(words, "(was a file)")
	}
	d.line(color, "%s%s", strings.Join(words, " "), because(c.Why, c.Origin))
	switch {
	case len(c.Records) > 0:
		d.records(c.Records)
	case c.Kind == plan.WriteFile && c.Was.Kind == fsroot.Regular:
		d.content(c)
	}
}

// attr is mode and owner, with what they were if that is other.
func (d *drawer) attr(c plan.Change) string {
	now, owner := mode(c.Attr), d.owners.of(c.Attr)
	if c.Was.Kind == fsroot.Regular && c.Kind == plan.WriteFile {
		if was := mode(c.Was.Attr); was != now {
			now = was + " -> " + now
		}
		if was := d.owners.of(c.Was.Attr); was != owner {
			owner = was + " -> " + owner
		}
	}
	return now + " " + owner
}

// sizes are the words on the size of a file's content.
func sizes(c plan.Change) []string {
	switch {
	case c.Secret:
		return []string{"(secret)"}
	case !showsSize(&c):
		return nil
	}
	size := count(len(c.Data), "byte")
	if c.Was.Kind == fsroot.Regular && c.Was.Size != int64(len(c.Data)) && everybody(c.Was.Attr) {
		size = fmt.Sprintf("%d -> %s", c.Was.Size, size)
	}
	return []string{size}
}

func (d *drawer) records(records []plan.Record) {
	for _, r := range records {
		sign, color := Mark(r.Action)
		detail := ""
		if r.Detail != "" {
			detail = ": " + r.Detail
		}
		d.line(color, "    %s %s%s", sign, r.Name, detail)
	}
}

// content draws the difference between what is in a file and what will be.
func (d *drawer) content(c plan.Change) {
	if c.Secret || bytes.Equal(c.Was.Data, c.Data) && int64(len(c.Data)) == c.Was.Size {
		return
	}
	if !everybody(c.Was.Attr) {
		d.line("", "    content was for its owner only, and is not shown")
		return
	}
	if int64(len(c.Was.Data)) == c.Was.Size && isText(c.Was.Data) && isText(c.Data) {
		if lines, ok := Unified(string(c.Was.Data), string(c.Data)); ok {
			for _, l := range lines {
				color := ""
				switch l[0] {
				case '+':
					_, color = Mark("added")
				case '-':
					_, color = Mark("removed")
				}
				d.line(color, "    %s", shorten(l))
			}
			return
		}
	}
	d.line("", "    sha256 %.16s -> %.16s", c.Was.Digest(), plan.Digest(c.Data))
}

// action says what a change is to the one who looks at the machine: "added", "changed" or "removed".
func action(c *plan.Change) string {
	switch {
	case c.Kind == plan.Remove:
		return "removed"
	case c.Was.Kind == fsroot.Absent || c.Was.Kind == 0:
		return "added"
	}
	return "changed"
}

// showsSize says that size and digest of a file's content may be shown.
func showsSize(c *plan.Change) bool { return !c.Secret && len(c.Records) == 0 }

// everybody says that everybody may read.
func everybody(a fsroot.Attr) bool { return a.Mode&0o004 != 0 }

func isText(data []byte) bool {
	return len(data) <= maxDiffBytes && utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 && !bytes.Contains(data, []byte("PRIVATE KEY-----"))
}

func summarize(p plan.Plan) Summary {
	s := Summary{
		Commands: len(p.Commands), Jobs: len(p.Jobs), Scripts: len(p.BootSteps) + len(p.Scripts) + len(p.Steps),
		Kept: len(p.ByHand), Orphans: len(p.Orphans),
	}
	for _, changes := range [][]plan.Change{p.Changes, p.Runtime} {
		for _, c := range changes {
			switch action(&c) {
			case "added":
				s.Added++
			case "removed":
				s.Removed++
			default:
				s.Changed++
			}
		}
	}
	return s
}

// maxReasons is how many places are named in a line of the text form.
const maxReasons = 3

// because is the end of a line that says who asked.
func because(why []source.Range, origin string) string {
	all := reasons(why, origin)
	switch {
	case len(all) == 0:
		return ""
	case len(all) > maxReasons:
		all = append(all[:maxReasons:maxReasons], fmt.Sprintf("%d more", len(all)-maxReasons))
	}
	return "  (" + strings.Join(all, ", ") + ")"
}

func reasons(why []source.Range, origin string) []string {
	var out []string
	for _, at := range why {
		if !at.IsZero() {
			out = append(out, at.String())
		}
	}
	if len(out) == 0 && origin != "" {
		out = []string{origin}
	}
	return out
}

func mode(a fsroot.Attr) string { return fmt.Sprintf("%04o", a.Mode) }

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// maxLine is how many bytes of a line of a file are drawn.
const maxLine = 1000

func shorten(line string) string {
	if len(line) <= maxLine {
		return line
	}
	return strings.ToValidUTF8(line[:maxLine], "") + "..."
}

// visible is a text as it may be shown, tabs kept.
func visible(text string) string {
	parts := strings.Split(text, "\t")
	for i, part := range parts {
		parts[i] = diag.Printable(part)
	}
	return strings.Join(parts, "\t")
}

// owners are names of ids.
type owners struct{ users, groups map[int]string }

// ownersOf reads names from /etc/passwd and /etc/group, as they are and as they will be.
func ownersOf(p plan.Plan, f plan.Facts) owners {
	o := owners{users: map[int]string{}, groups: map[int]string{}}
	for file, names := range map[string]map[int]string{"etc/passwd": o.users, "etc/group": o.groups} {
		if s := f.Paths[file]; s != nil {
			nameIDs(names, s.Data)
		}
		for _, c := range p.Changes {
			if c.Path == file {
				nameIDs(names, c.Data)
			}
		}
	}
	return o
}

func nameIDs(names map[int]string, file []byte) {
	for line := range strings.Lines(string(file)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 {
			if id, err := strconv.Atoi(fields[2]); err == nil && names[id] == "" {
				names[id] = fields[0]
			}
		}
	}
}

// of is "user:group".
func (o owners) of(a fsroot.Attr) string {
	name := func(names map[int]string, id int) string {
		switch n := names[id]; {
		case n != "":
			return n
		case id == 0:
			return "root"
		}
		return strconv.Itoa(id)
	}
	return name(o.users, a.UID) + ":" + name(o.groups, a.GID)
}
