package commit_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"cloudconfig/provisioner/fsroot"
)

// disk is a file system that loses power. It has two volumes, the second of which is mounted on srv, and it
// is as forgetful as it may be: what was not synced is gone or torn after a cut, contents and names each for
// themselves. Only a rename within one directory is one thing, as on every file system that deserves the
// name; of one between two directories, each end may be lost alone.
type disk struct {
	root  *node
	steps int    // operations so far, without those that only look
	op    string // the last of them
	cut   int    // the power fails before this operation; 0 for never

	fail      func(op string) error // what an operation answers instead of being done; nil for nothing
	srv       fsroot.Volume         // what is mounted on srv; never changes
	vfat      bool                  // srv has no hard links, owners and modes
	mounted   string                // a file that something is mounted on
	untrusted string                // a path that is not to be trusted
	pathsSeen map[string]int        // how often each path was synced
}

type node struct {
	kind    fsroot.Kind
	volume  uint64
	attr    fsroot.Attr
	data    string
	target  string
	xattr   string
	entries map[string]*node

	// What a cut leaves: of a file and of a directory itself, the state at the last sync if there was one; of a directory's
	// names, those at the last sync and whatever of the changes since.
	synced  *node
	changes []map[string]*node // nil for a name that went
}

type powerCut struct{}

func newDisk(tree map[string]string) *disk {
	d := &disk{root: newDirectory(1), pathsSeen: map[string]int{}, srv: fsroot.Volume{ID: 2, Top: "srv"}}
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		what := tree[p]
		switch {
		case p == "srv":
			d.put(p, newDirectory(2))
		case what == "dir":
			d.must(d.Mkdir(p, fsroot.Attr{Mode: 0o755}))
			d.at(p).xattr = "x of " + p
		case strings.HasPrefix(what, "->"):
			d.must(d.Symlink(p, what[2:]))
		default:
			d.must(d.Create(p, []byte(what), fsroot.Attr{Mode: 0o644}))
			d.at(p).xattr = "x of " + p
		}
	}
	d.settle(func(n *node) {})
	d.steps = 0
	return d
}

func newDirectory(volume uint64) *node {
	return &node{kind: fsroot.Directory, volume: volume, attr: fsroot.Attr{Mode: 0o755}, entries: map[string]*node{}}
}

func (d *disk) must(err error) {
	if err != nil {
		panic(err)
	}
}

// clone copies everything, the synced state too.
func (d *disk) clone() *disk {
	seen := map[*node]*node{}
	var dup func(*node) *node
	dup = func(n *node) *node {
		if n == nil {
			return nil
		}
		if c, ok := seen[n]; ok {
			return c
		}
		c := *n
		seen[n] = &c
		c.entries = dupNames(n.entries, dup)
		c.synced = dup(n.synced)
		c.changes = nil
		for _, change := range n.changes {
			c.changes = append(c.changes, dupNames(change, dup))
		}
		return &c
	}
	return &disk{root: dup(d.root), srv: d.srv, vfat: d.vfat, mounted: d.mounted, pathsSeen: map[string]int{}}
}

func dupNames(names map[string]*node, dup func(*node) *node) map[string]*node {
	if names == nil {
		return nil
	}
	c := make(map[string]*node, len(names))
	for name, n := range names {
		c[name] = dup(n)
	}
	return c
}

// settle decides for every node what the cut left of it, and makes that durable.
func (d *disk) settle(decide func(*node)) {
	seen := map[*node]bool{}
	var visit func(*node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		decide(n)
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			visit(n.entries[name])
		}
		n.sync()
	}
	visit(d.root)
	d.steps, d.cut, d.fail = 0, 0, nil
}

func (n *node) sync() {
	s := *n
	s.synced, s.changes, s.entries = nil, nil, maps.Clone(n.entries)
	n.synced, n.changes = &s, nil
}

const (
	lost = "everything unsynced is lost"
	some = "some of what is unsynced is lost, some torn"
	// killed is the end of the process alone: nothing is lost, and nothing is durable that was not.
	killed = "the process is killed"
)

// The ways in which a cut can be unkind.
var cuts = map[string]func(r *rand.Rand) func(*node){
	lost: func(*rand.Rand) func(*node) {
		return lose(func(int) bool { return false }, func(s string) string { return "" })
	},
	"names are kept, contents lost": func(*rand.Rand) func(*node) {
		return lose(func(int) bool { return true }, func(s string) string { return "" })
	},
	"names are kept, contents torn": func(*rand.Rand) func(*node) {
		return lose(func(int) bool { return true }, func(s string) string { return s[:len(s)/2] })
	},
	some: func(r *rand.Rand) func(*node) {
		return lose(func(int) bool { return r.IntN(2) == 0 }, func(s string) string { return s[:r.IntN(len(s)+1)] })
	},
	"most of it is kept": func(r *rand.Rand) func(*node) {
		return lose(func(int) bool { return r.IntN(4) != 0 }, func(s string) string { return s })
	},
}

func lose(keep func(int) bool, tear func(string) string) func(*node) {
	return func(n *node) {
		names := map[string]*node{}
		if n.synced != nil {
			n.attr, n.xattr, n.data = n.synced.attr, n.synced.xattr, n.synced.data
			names = maps.Clone(n.synced.entries)
		} else if n.kind != fsroot.Link {
			n.attr, n.xattr, n.data = fsroot.Attr{Mode: 0o700}, "", tear(n.data)
		}
		if n.kind != fsroot.Directory {
			return
		}
		for i, change := range n.changes {
			if !keep(i) {
				continue
			}
			for name, to := range change {
				if to == nil {
					delete(names, name)
				} else {
					names[name] = to
				}
			}
		}
		n.entries = names
	}
}

// tree is everything but what a transaction makes for itself, in words.
func (d *disk) tree() map[string]string {
	tree := map[string]string{}
	d.walk(".", d.root, func(p string, n *node) bool {
		if below, ours := strings.CutPrefix(p, "var/lib/provisioner/"); p != "var" && !strings.HasPrefix(p, "var/") || ours && !isOwn(below) {
			tree[p] = n.String()
		}
		return true
	})
	return tree
}

// isOwn says that a name in our state directory is a transaction's own.
func isOwn(name string) bool {
	return strings.HasPrefix(name, "journal") || strings.HasPrefix(name, "stage")
}

// fingerprint is all of a disk that has been settled.
func (d *disk) fingerprint() string {
	var b strings.Builder
	d.walk(".", d.root, func(p string, n *node) bool {
		b.WriteString(p + " " + n.String() + "\n")
		return true
	})
	return b.String()
}

func (d *disk) walk(p string, n *node, visit func(string, *node) bool) {
	if visit(p, n) {
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			d.walk(path.Join(p, name), n.entries[name], visit)
		}
	}
}

func (n *node) String() string {
	b := make([]byte, 0, 100)
	for _, number := range []int{int(n.kind), int(n.attr.Mode), n.attr.UID, n.attr.GID} {
		b = append(strconv.AppendInt(b, int64(number), 8), ' ')
	}
	return string(b) + n.data + "|" + n.target + "|" + n.xattr
}

// looks are the operations that change nothing: a cut before one is a cut before the next other one.
var looks = map[string]bool{"stat": true, "read": true, "list": true, "volume": true}

// step is one operation: the power may fail before it.
func (d *disk) step(op, p string) error {
	if !looks[op] {
		d.op = op
		if d.steps++; d.steps == d.cut {
			panic(powerCut{})
		}
	}
	if d.fail != nil {
		if err := d.fail(op); err != nil {
			return &fs.PathError{Op: op, Path: p, Err: err}
		}
	}
	return nil
}

// at is what is at a path, or nil. There are no links among parents on this disk.
func (d *disk) at(p string) *node {
	n := d.root
	for name := range strings.SplitSeq(p, "/") {
		if name != "." {
			if n = n.entries[name]; n == nil {
				return nil
			}
		}
	}
	return n
}

func (d *disk) put(p string, n *node) {
	dir := d.at(path.Dir(p))
	if n == nil {
		delete(dir.entries, path.Base(p))
	} else {
		dir.entries[path.Base(p)] = n
	}
	dir.changes = append(dir.changes, map[string]*node{path.Base(p): n})
}

func (d *disk) add(op, p string, n *node) error {
	if err := d.step(op, p); err != nil {
		return err
	}
	dir := d.at(path.Dir(p))
	switch {
	case dir == nil:
		return &fs.PathError{Op: op, Path: p, Err: fs.ErrNotExist}
	case d.at(p) != nil:
		return &fs.PathError{Op: op, Path: p, Err: fs.ErrExist}
	}
	if n.volume == 0 {
		n.volume = dir.volume
	}
	if d.vfat && n.volume == 2 {
		n.attr = fsroot.Attr{Mode: 0o755}
	}
	d.put(p, n)
	return nil
}

func (d *disk) get(op, p string) (*node, error) {
	if err := d.step(op, p); err != nil {
		return nil, err
	}
	n := d.at(p)
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: p, Err: fs.ErrNotExist}
	}
	return n, nil
}

func (n *node) info(p string) fsroot.Info {
	return fsroot.Info{Kind: n.kind, Attr: n.attr, Size: int64(len(n.data)), Target: n.target, Real: p}
}

func (d *disk) Stat(p string) (fsroot.Info, error) {
	if p == d.untrusted {
		return fsroot.Info{}, &fs.PathError{Op: "stat", Path: p, Err: fsroot.ErrUntrusted}
	}
	n, err := d.get("stat", p)
	if errors.Is(err, fs.ErrNotExist) {
		return fsroot.Info{Kind: fsroot.Absent, Real: p}, nil
	}
	if err != nil {
		return fsroot.Info{}, err
	}
	return n.info(p), nil
}

func (d *disk) ReadFile(p string, limit int64) ([]byte, fsroot.Info, error) {
	n, err := d.get("read", p)
	if err != nil {
		return nil, fsroot.Info{}, err
	}
	return []byte(n.data), n.info(p), nil
}

func (d *disk) ReadDir(p string) ([]string, error) {
	n, err := d.get("list", p)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(n.entries)), nil
}

func (d *disk) Volume(p string) (fsroot.Volume, error) {
	if err := d.step("volume", p); err != nil {
		return fsroot.Volume{}, err
	}
	if p == "srv" || strings.HasPrefix(p, "srv/") {
		return d.srv, nil
	}
	if p == d.mounted {
		return fsroot.Volume{ID: 3, Top: p}, nil
	}
	return fsroot.Volume{ID: 1, Top: "."}, nil
}

func (d *disk) Mkdir(p string, a fsroot.Attr) error {
	n := newDirectory(0)
	n.attr = a
	return d.add("mkdir", p, n)
}

func (d *disk) Create(p string, data []byte, a fsroot.Attr) error {
	return d.add("create", p, &node{kind: fsroot.Regular, attr: a, data: string(data)})
}

func (d *disk) Symlink(p, target string) error {
	return d.add("symlink", p, &node{kind: fsroot.Link, attr: fsroot.Attr{Mode: 0o777}, target: target})
}

func (d *disk) SetAttr(p string, a fsroot.Attr) error {
	n, err := d.get("setattr", p)
	if err == nil {
		n.attr = a
	}
	return err
}

func (d *disk) Link(from, to string) error {
	n, err := d.get("link", from)
	if err != nil {
		return err
	}
	dir := d.at(path.Dir(to))
	switch {
	case dir == nil:
		return &fs.PathError{Op: "link", Path: to, Err: fs.ErrNotExist}
	case d.at(to) != nil:
		return &fs.PathError{Op: "link", Path: to, Err: fs.ErrExist}
	case dir.volume != n.volume:
		return &fs.PathError{Op: "link", Path: to, Err: syscall.EXDEV}
	}
	if d.vfat && n.volume == 2 {
		c := *n
		n = &c
		n.sync()
	}
	d.put(to, n)
	return nil
}

func (d *disk) Inherit(from, to string) error {
	f, err := d.get("inherit", from)
	if err != nil {
		return err
	}
	t, err := d.get("inherit", to)
	if err == nil {
		t.xattr = f.xattr
	}
	return err
}

func (d *disk) Rename(from, to string) error {
	n, err := d.get("rename", from)
	if err != nil {
		return err
	}
	dir, old := d.at(path.Dir(to)), d.at(to)
	switch {
	case dir == nil:
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrNotExist}
	case dir.volume != n.volume:
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
	case old != nil && old.kind == fsroot.Directory:
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EISDIR}
	case old == n:
		return nil // as rename(2) has it for two names of one file
	}
	d.put(to, n)
	d.put(from, nil)
	if dir == d.at(path.Dir(from)) {
		k := len(dir.changes) - 2
		maps.Copy(dir.changes[k], dir.changes[k+1])
		dir.changes = dir.changes[:k+1]
	}
	return nil
}

func (d *disk) Remove(p string) error {
	n, err := d.get("remove", p)
	if err != nil {
		return err
	}
	if len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOTEMPTY}
	}
	d.put(p, nil)
	return nil
}

func (d *disk) SyncFile(p string) error {
	n, err := d.get("sync", p)
	if err == nil {
		n.sync()
	}
	return err
}

func (d *disk) SyncDir(p string) error {
	n, err := d.get("sync", p)
	if err == nil {
		d.pathsSeen[p]++
		n.sync()
	}
	return err
}

func (d *disk) SyncVolume(p string) error {
	at, err := d.get("sync", p)
	if err != nil {
		return err
	}
	var visit func(*node)
	visit = func(n *node) {
		if n.volume == at.volume {
			n.sync()
		}
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(d.root)
	return nil
}
