package confirm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// dir is where the mark and the confirmed files are.
const (
	dir           = state.Top + "/network"
	markFile      = "pending.json"
	confirmedFile = "confirmed.json"
)

// folders are where files of ours may be, and rescuePath is the one of DHCP on every card.
var folders = []string{"etc/systemd/network", "run/systemd/network"}

const rescuePath = "run/systemd/network/" + networkd.Rescue

// File is a file of networkd that is ours.
type File struct {
	Path string      `json:"path"`
	Attr fsroot.Attr `json:"attr"`
	Data []byte      `json:"data"`
}

func (f File) is(other File) bool {
	return f.Path == other.Path && f.Attr == other.Attr && bytes.Equal(f.Data, other.Data)
}

func same(a, b []File) bool { return slices.EqualFunc(a, b, File.is) }

// stage is how a mark stands.
type stage string

const (
	pending stage = "pending" // the files are there, and not checked
	cut     stage = "cut"     // it was not checked to the end, and what was there before was put back
	failed  stage = "failed"  // the check failed, and something else is there
)

// mark is pending.json: a network that is not confirmed.
type mark struct {
	Version int    `json:"version"`
	State   stage  `json:"state"`
	BootID  string `json:"boot_id"`
	// Digest is that of the wanted files, and Attempts how often they were tried.
	Digest   string    `json:"digest"`
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since"`
	// TimeoutMS is how long the check may take.
	TimeoutMS int64 `json:"timeout_ms"`
	// Host is what must be reached, "HOST:PORT"; "" for nothing.
	Host  string `json:"host,omitempty"`
	Links []Link `json:"links,omitempty"`
	// Before are the files that the machine ran with, and those that were put back once something was; Wanted those that are tried.
	Before []File `json:"before,omitempty"`
	Wanted []File `json:"wanted,omitempty"`
	// Failed and Restored are as in Outcome.
	Failed   []string `json:"failed,omitempty"`
	Restored string   `json:"restored,omitempty"`
}

// confirmed is confirmed.json.
type confirmed struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"`
	Files   []File `json:"files,omitempty"`
}

// Change is a change of the network that is about to be committed.
type Change struct {
	BootID string
	// Links are what is done and checked; see Of.
	Links []Link
	// Files are all changes of the plan, those below /run too; only files of ours count.
	Files []plan.Change
	// Timeout is how long the check may take.
	Timeout time.Duration
	// Host is what must be reached then, "HOST:PORT"; empty for nothing.
	Host string
	Now  time.Time
	// ByHand says that somebody is there who wants it tried, whatever became of it before.
	ByHand bool
}

// ErrSpent is returned if a network has been tried, and is not to be tried again.
var ErrSpent = errors.New("this network was tried before, and did not work")

// Mark is what is to be committed together with the files, so that whoever finds them knows that nobody has confirmed them. It is
// empty if no file of ours changes; if what was put back once is what is wanted now, the mark of that is taken away. The error is ErrSpent if these files failed before, unless it is done by hand.
func Mark(root fsroot.FS, c Change) ([]plan.Change, error) {
	have, err := ours(root)
	if err != nil {
		return nil, err
	}
	m := mark{
		Version: 1, State: pending, BootID: c.BootID, Attempts: 1, Since: c.Now.UTC(), TimeoutMS: c.Timeout.Milliseconds(), Host: c.Host,
		Links: c.Links, Before: have, Wanted: after(have, c.Files),
	}
	old, err := readMark(root)
	if err != nil {
		return nil, err
	}
	if same(m.Before, m.Wanted) {
		if old != nil && old.State != pending {
			return []plan.Change{unmarked}, nil // what was put back is what is wanted now
		}
		return nil, nil
	}
	m.Digest = digest(m.Wanted)
	resetMTU(m.Links, m.Before, m.Wanted)
	if old != nil && old.State == pending {
		m.Before = old.Before // what is there now was never checked
	}
	if old != nil && old.Digest == m.Digest {
		if old.State == failed && !c.ByHand {
			return nil, ErrSpent
		}
		m.Attempts += old.Attempts
	}
	return m.changes()
}

// changes are those that write the mark.
func (m *mark) changes() ([]plan.Change, error) {
	file, err := state.File(dir, markFile, m)
	return []plan.Change{directory, file}, err
}

var directory = plan.Change{Kind: plan.MakeDirectory, Path: dir, Attr: fsroot.Attr{Mode: 0o700}, Origin: plan.OriginState}

var unmarked = plan.Change{Kind: plan.Remove, Path: dir + "/" + markFile, Origin: plan.OriginState}

// write commits the mark together with the files that go with it.
func (m *mark) write(ctx context.Context, root *fsroot.Root, files []File) error {
	changes, err := m.changes()
	if err != nil {
		return err
	}
	return replace(ctx, root, files, changes)
}

// confirm remembers the files that are there, and forgets the mark.
func (m *mark) confirm(ctx context.Context, root *fsroot.Root) error {
	file, err := state.File(dir, confirmedFile, confirmed{Version: 1, Digest: m.Digest, Files: m.Wanted})
	if err != nil {
		return err
	}
	return transact(ctx, root, []plan.Change{directory, file, unmarked})
}

// forget forgets the mark.
func forget(ctx context.Context, root *fsroot.Root) error {
	return transact(ctx, root, []plan.Change{unmarked})
}

// IsPending says that there is a mark, which [Run] settles.
func IsPending(root fsroot.FS) bool {
	info, err := root.Stat(path.Join(dir, markFile))
	return err != nil || info.Kind != fsroot.Absent // what cannot be seen is told by Run
}

// readMark is nil if there is none.
func readMark(root fsroot.FS) (*mark, error) {
	var m mark
	ok, err := state.Read(root, dir, markFile, &m)
	if !ok || err != nil {
		return nil, err
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("read state %s: version %d is not known, only 1 is", markFile, m.Version)
	}
	return &m, nil
}

// mostAttempts is how often a network is tried that the power was cut with: that proves nothing against it, once.
const mostAttempts = 2

// mayTryAgain says that a network which was not checked to the end is worth another attempt.
func (m *mark) mayTryAgain() bool { return m.Attempts < mostAttempts && len(m.Before) == 0 }

// Boot is for a boot, before networkd starts: it puts back what was there before a network that nobody has confirmed, and what a
// network was restored to. The outcome is the zero one if there is nothing to do.
//
// If there was none of ours before, [Run] tries the network again. A machine that had one is left with it: it may well be that
// somebody had to start it anew because he could not reach it any more.
func Boot(ctx context.Context, root *fsroot.Root, bootID string) (Outcome, error) {
	m, err := readMark(root)
	if m == nil || err != nil || m.State == pending && m.BootID == bootID {
		return Outcome{}, err
	}
	if m.State == pending {
		m.State, m.Restored = cut, ToImage
		if len(m.Before) > 0 {
			m.Restored = ToLast
		}
		m.Failed = []string{"the machine was started anew before the network was confirmed"}
		if !m.mayTryAgain() {
			m.State = failed
		}
		err = m.write(ctx, root, m.instead())
	} else {
		// What is below /etc came there with the mark, and somebody may have mended it since.
		err = transact(ctx, root, writes(slices.DeleteFunc(slices.Clone(m.instead()), func(f File) bool { return !strings.HasPrefix(f.Path, "run/") })))
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("put the network back: %w", err)
	}
	return Outcome{State: Restored, Failed: m.Failed, Restored: m.Restored}, nil
}

// ours are the files of ours that there are, without the one of DHCP on every card, by their paths.
func ours(root fsroot.FS) ([]File, error) {
	var out []File
	for _, folder := range folders {
		info, err := root.Stat(folder)
		if err != nil {
			return nil, err
		}
		if info.Kind != fsroot.Directory {
			continue
		}
		names, err := root.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			p := path.Join(folder, name)
			info, err := root.Stat(p)
			if err != nil {
				return nil, err
			}
			if !isOurs(p) || p == rescuePath || info.Kind != fsroot.Regular {
				continue
			}
			data, info, err := root.ReadFile(p, maxFile)
			if err != nil {
				return nil, err
			}
			out = append(out, File{Path: p, Attr: info.Attr, Data: data})
		}
	}
	return out, nil
}

// maxFile is the largest file of networkd that is read, in bytes.
const maxFile = 4 << 20

func isOurs(p string) bool {
	return slices.Contains(folders, path.Dir(p)) && strings.HasPrefix(path.Base(p), networkd.Prefix)
}

// after are the files that there are after changes.
func after(have []File, changes []plan.Change) []File {
	out := slices.Clone(have)
	for _, c := range changes {
		if !isOurs(c.Path) || c.Path == rescuePath {
			continue
		}
		out = slices.DeleteFunc(out, func(f File) bool { return f.Path == c.Path })
		if c.Kind == plan.WriteFile {
			out = append(out, File{Path: c.Path, Attr: c.Attr, Data: c.Data})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

func digest(files []File) string {
	text, err := json.Marshal(files)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return plan.Digest(text)
}

// rescue is the file of DHCP on every card.
func rescue() File {
	return File{Path: rescuePath, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(networkd.Everywhere().Text)}
}

// replace makes files all that there are of ours, in one transaction with more changes; those below /run come after it.
func replace(ctx context.Context, root *fsroot.Root, files []File, more []plan.Change) error {
	have, err := ours(root)
	if err != nil {
		return err
	}
	changes := append(more, writes(files)...)
	keep := map[string]bool{}
	for _, f := range files {
		keep[f.Path] = true
	}
	for _, f := range append(have, rescue()) {
		if !keep[f.Path] {
			changes = append(changes, plan.Change{Kind: plan.Remove, Path: f.Path, Origin: plan.OriginState})
		}
	}
	return transact(ctx, root, changes)
}

// writes are the changes that write files, and make the folders that they are in.
func writes(files []File) []plan.Change {
	var changes []plan.Change
	for _, f := range files {
		if d := path.Dir(f.Path); !slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Path == d }) {
			changes = append(changes, plan.Change{Kind: plan.MakeDirectory, Path: d, Attr: fsroot.Attr{Mode: 0o755}, Origin: plan.OriginState})
		}
		changes = append(changes, plan.Change{Kind: plan.WriteFile, Path: f.Path, Attr: f.Attr, Data: f.Data, Secret: true, Origin: plan.OriginState})
	}
	return changes
}

// force puts DHCP on every card in place where no transaction can be made, as on a disk that is full: a file below /run takes
// no room there, and to remove one takes none either. The mark stays as it was, so that a boot puts back what was there before.
func force(ctx context.Context, root *fsroot.Root) error {
	have, err := ours(root)
	for _, f := range have {
		err = errors.Join(err, root.Remove(f.Path))
	}
	return errors.Join(commit.Write(ctx, root, writes([]File{rescue()})), err)
}

// transact commits those of the changes that are not so already, and writes those below /run afterwards.
func transact(ctx context.Context, root *fsroot.Root, changes []plan.Change) error {
	f := plan.Facts{Paths: map[string]*plan.Seen{}}
	var p plan.Plan
	for _, c := range changes {
		if err := facts.Look(root, &f, []string{c.Path}); err != nil {
			return err
		}
		c.Was = *f.Paths[c.Path]
		switch {
		case c.Was.Fault != "":
			return fmt.Errorf("/%s: %s", c.Path, c.Was.Fault)
		case c.Kind == plan.MakeDirectory && c.Was.Kind == fsroot.Directory && c.Path != dir, c.IsAlready(&c.Was):
		case strings.HasPrefix(c.Path, "run/"):
			p.Runtime = append(p.Runtime, c)
		default:
			p.Changes = append(p.Changes, c)
		}
	}
	if _, err := commit.Apply(ctx, root, p); err != nil {
		return err
	}
	return commit.Write(ctx, root, p.Runtime)
}

// instead are the files that are there in place of the wanted ones.
func (m *mark) instead() []File {
	if m.Restored == ToDHCP {
		return []File{rescue()}
	}
	return m.Before
}

// staleNetdevs are the names of the interfaces that networkd has made by files which change, and by those which go.
func staleNetdevs(from, to []File) (changed, gone map[string]bool) {
	changed, gone = map[string]bool{}, map[string]bool{}
	for _, f := range from {
		name := setting(f.Data, "[NetDev]", "Name")
		if path.Ext(f.Path) != ".netdev" || name == "" {
			continue
		}
		at := slices.IndexFunc(to, func(t File) bool { return path.Ext(t.Path) == ".netdev" && setting(t.Data, "[NetDev]", "Name") == name })
		switch {
		case at < 0:
			gone[name] = true
		case !bytes.Equal(to[at].Data, f.Data):
			changed[name] = true
		}
	}
	return changed, gone
}

// masterName is the bond, bridge or VRF that the files of a link put it in; "" for none.
func masterName(files []File, of string) string {
	for _, f := range files {
		if path.Ext(f.Path) != ".network" || stem(f.Path) != of {
			continue
		}
		for _, key := range []string{"Bond", "Bridge", "VRF"} {
			if name := setting(f.Data, "[Network]", key); name != "" {
				return name
			}
		}
	}
	return ""
}

// setting is the first value of a key in a section of a file of ours: "[NetDev]", "Name" is the interface that a .netdev is for.
func setting(text []byte, in, key string) string {
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if k, value, ok := strings.Cut(line, "="); ok && k == key && section == in {
			return strings.ReplaceAll(value, "%%", "%")
		}
	}
	return ""
}
