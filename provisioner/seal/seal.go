// Package seal makes a golden image of a system: everything goes that belongs to one machine and that its clones must
// not share.
//
// [Look] says what that is and changes nothing, [Run] takes it away. Nothing is followed out of the root, and what goes
// is data (see rules.go): accounts, their keys and the configuration are the image's, and stay.
//
// The order is such that the power may fail at any step. First goes what says that the machine is provisioned, so that
// what is left is at worst an image that was not sealed, and boots as such: with a new instance, which makes up what is
// missing. The other way round a machine could take itself for provisioned without its host keys. The machine-id comes
// last: where it says "uninitialized", everything else is gone. Whoever finds it half-done seals again.
package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"syscall"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
)

// Item is a file or directory.
type Item struct {
	// Path is absolute in the system: "/etc/machine-id".
	Path string `json:"path"`
	// Kind is what it is to a clone; its texts are those of rules.go and must not change.
	Kind string `json:"kind"`
	// Reason says why it stays, or why it is left; "" of what goes.
	Reason string `json:"reason,omitempty"`
}

// Found is what was looked at.
type Found struct {
	// Left is what a clone would share, and Removed what was taken away, in the order of the work.
	Left, Removed []Item
	// Kept is what is left to whoever makes the image to decide.
	Kept []Item
}

// Options say what is sealed.
type Options struct {
	// Live says that the root is the running system's.
	Live bool
	// History says that what users have typed goes too.
	History bool
	// Quiet, if not nil, stops what would write on the running system until it is off, after Run has the lock.
	Quiet func(context.Context) error
}

// Bounds of a look: an image with more than this below one path is not walked to its end, and that is an error.
const (
	maxEntries = 1 << 18
	maxDepth   = 64
)

// Look says what would go. The machine-id file is in it if it holds an id.
func Look(root *fsroot.Root, o Options) (Found, error) {
	l := look{root: root, seen: map[string]bool{}}
	var found Found
	for _, r := range rules(o) {
		items, err := l.match(r)
		if err != nil {
			return found, fmt.Errorf("look for what is to be sealed: %w", err)
		}
		if r.reason == "" {
			found.Left = append(found.Left, items...)
		} else {
			found.Kept = append(found.Kept, items...)
		}
	}
	id, err := hasID(root)
	if id {
		found.Left = append(found.Left, Item{Path: "/" + machineID, Kind: "machine-id"})
	}
	return found, err
}

// Leases are the files of DHCP clients, relative to the root: what a machine must forget that turns out to be a copy.
func Leases(root *fsroot.Root) ([]string, error) {
	l := look{root: root, seen: map[string]bool{}}
	var files []string
	for _, r := range rules(Options{Live: true}) {
		if r.kind != "lease" || r.tree {
			continue
		}
		items, err := l.match(r)
		if err != nil {
			return nil, fmt.Errorf("look for leases: %w", err)
		}
		for _, i := range items {
			files = append(files, i.Path[1:])
		}
	}
	return files, nil
}

// Run takes everything away, and looks once more: what is left then is an error, and in Left. It waits for the lock
// 30 s at most, and finishes an apply that was cut short before anything else.
func Run(ctx context.Context, root *fsroot.Root, o Options) (Found, error) {
	unlock, err := commit.Lock(ctx, root, nil)
	if err != nil {
		return Found{}, err
	}
	defer unlock()
	if _, err := commit.Recover(ctx, root); err != nil {
		return Found{}, err
	}
	if o.Quiet != nil {
		if err := o.Quiet(ctx); err != nil {
			return Found{}, err
		}
	}
	found, err := Look(root, o)
	if err != nil {
		return found, err
	}
	s := sealing{root: root}
	err = s.all(ctx, found.Left)
	after, again := Look(root, o)
	after.Removed = s.done
	err = errors.Join(err, again)
	if err == nil && len(after.Left) > 0 {
		err = fmt.Errorf("%d things are left: somebody made them meanwhile", len(after.Left))
	}
	return after, err
}

type sealing struct {
	root *fsroot.Root
	done []Item
}

// all removes items in their order. What belongs to one step is durable before the next begins.
func (s *sealing) all(ctx context.Context, items []Item) error {
	volumes := map[uint64]string{}
	for i, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 && items[i-1].Kind == provisioned && item.Kind != provisioned {
			if err := s.sync(volumes); err != nil {
				return err
			}
		}
		p := item.Path[1:]
		if p == machineID {
			if err := s.sync(volumes); err != nil {
				return err
			}
			if err := uninitialize(s.root); err != nil {
				return err
			}
			s.done = append(s.done, item)
			continue
		}
		v, err := s.root.Volume(path.Dir(p))
		if err != nil {
			return err
		}
		volumes[v.ID] = path.Dir(p)
		left := maxEntries
		if err := remove(s.root, p, v.ID, maxDepth, &left); err != nil {
			return err
		}
		s.done = append(s.done, item)
	}
	return s.sync(volumes)
}

func (s *sealing) sync(volumes map[uint64]string) error {
	for id, p := range volumes {
		if err := s.root.SyncVolume(p); err != nil {
			return err
		}
		delete(volumes, id)
	}
	return nil
}

// remove removes a file or link, or a directory with all that is in it: never through a link, and nothing that is on
// another file system.
func remove(root *fsroot.Root, p string, volume uint64, depth int, left *int) error {
	info, err := root.Stat(p)
	if err != nil || info.Kind == fsroot.Absent {
		return err
	}
	if *left--; *left < 0 || depth == 0 {
		return &fs.PathError{Op: "remove", Path: p, Err: fsroot.ErrTooLarge}
	}
	if info.Kind == fsroot.Directory {
		v, err := root.Volume(p)
		if err == nil && v.ID != volume {
			err = &fs.PathError{Op: "remove", Path: p, Err: fmt.Errorf("a file system is mounted there: %w", syscall.EBUSY)}
		}
		var names []string
		if err == nil {
			names, err = root.ReadDir(p)
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := remove(root, path.Join(p, name), volume, depth-1, left); err != nil {
				return err
			}
		}
	}
	if err := root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

const (
	machineID     = "etc/machine-id"
	uninitialized = "uninitialized\n"
)

// hasID says that the machine-id file holds an id. Without the file, and where it is empty, the next boot makes an id too.
//
// Source: machine-id(5) of systemd 252, "First Boot Semantics".
func hasID(root *fsroot.Root) (bool, error) {
	info, err := root.Stat(machineID)
	if err != nil || info.Kind == fsroot.Absent {
		return false, err
	}
	if info.Kind != fsroot.Regular {
		return true, nil
	}
	text, _, err := root.ReadFile(machineID, 4096)
	if errors.Is(err, fsroot.ErrTooLarge) {
		return true, nil
	}
	said := strings.TrimSpace(string(text))
	return err == nil && said != "" && said != strings.TrimSpace(uninitialized), err
}

// uninitialize makes the next boot a first one, for systemd too.
func uninitialize(root *fsroot.Root) error {
	const next = machineID + ".provisioner"
	if err := root.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := root.Create(next, []byte(uninitialized), fsroot.Attr{Mode: 0o444})
	if err == nil {
		if info, _ := root.Stat(machineID); info.Kind == fsroot.Regular {
			err = root.Inherit(machineID, next) // its SELinux label
		}
	}
	if err == nil {
		err = root.SyncFile(next)
	}
	if err == nil {
		err = root.Rename(next, machineID)
	}
	if err != nil {
		_ = root.Remove(next)
		return err
	}
	return root.SyncDir(path.Dir(machineID))
}

// look finds what rules name.
type look struct {
	root *fsroot.Root
	seen map[string]bool
	left int
}

func (l *look) match(r rule) ([]Item, error) {
	l.left = maxEntries
	paths, err := l.expand(".", strings.Split(r.pattern, "/"))
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, p := range paths {
		info, err := l.root.Stat(p)
		if errors.Is(err, fsroot.ErrUntrusted) && r.ofUsers() {
			continue // a user's link, which nobody follows
		}
		if err != nil {
			return nil, err
		}
		if away, err := l.isElsewhere(r, p); err != nil || away {
			if err != nil {
				return nil, err
			}
			continue
		}
		if r.within {
			if info.Kind != fsroot.Directory {
				continue
			}
			on, err := l.root.Volume(p)
			if err != nil {
				return nil, err
			}
			if err := l.files(p, on, maxDepth, func(p string) { items = l.add(items, r, p) }); err != nil {
				return nil, err
			}
			continue
		}
		if info.Kind == fsroot.Absent || info.Kind == fsroot.Directory && !r.tree || r.kind == "machine-id" && info.Kind == fsroot.Link {
			continue
		}
		items = l.add(items, r, p)
	}
	return items, nil
}

// isElsewhere says that a path that counts only on the root's own file system is on another.
func (l *look) isElsewhere(r rule, p string) (bool, error) {
	if !r.same {
		return false, nil
	}
	top, err1 := l.root.Volume(".")
	v, err2 := l.root.Volume(p)
	return top.ID != v.ID, errors.Join(err1, err2)
}

func (l *look) add(items []Item, r rule, p string) []Item {
	if l.seen[p] {
		return items
	}
	l.seen[p] = true
	return append(items, Item{Path: "/" + p, Kind: r.kind, Reason: r.reason})
}

// expand gives the paths that a pattern names below a directory, sorted. What stands before the last name of a pattern may
// be a link below the root, as it is to the system itself; what "*" has found may not.
func (l *look) expand(dir string, names []string) ([]string, error) {
	name, rest := names[0], names[1:]
	var matching []string
	if !strings.Contains(name, "*") {
		matching = []string{name}
	} else {
		all, err := l.list(dir)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			if ok, _ := path.Match(name, n); ok {
				matching = append(matching, n)
			}
		}
	}
	var out []string
	for _, n := range matching {
		p := path.Join(dir, n)
		if len(rest) == 0 {
			out = append(out, p)
			continue
		}
		if info, err := l.root.Stat(p); err != nil || strings.Contains(name, "*") && info.Kind != fsroot.Directory {
			if err != nil {
				return nil, err
			}
			continue
		}
		below, err := l.expand(p, rest)
		if errors.Is(err, fsroot.ErrUntrusted) && strings.Contains(name, "*") {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// files visits the regular files below a directory that are on one file system: what is mounted there is somebody else's.
func (l *look) files(dir string, on fsroot.Volume, depth int, visit func(p string)) error {
	names, err := l.list(dir)
	if err != nil {
		return err
	}
	if depth == 0 {
		return &fs.PathError{Op: "list", Path: dir, Err: fsroot.ErrTooLarge}
	}
	for _, name := range names {
		p := path.Join(dir, name)
		info, err := l.root.Stat(p)
		switch {
		case err != nil:
			return err
		case info.Kind == fsroot.Regular:
			visit(p)
		case info.Kind == fsroot.Directory && !l.seen[p]:
			v, err := l.root.Volume(p)
			if err == nil && v.ID == on.ID {
				err = l.files(p, on, depth-1, visit)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// list is the names in a directory, none if there is no such directory.
func (l *look) list(dir string) ([]string, error) {
	names, err := l.root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if l.left -= len(names); l.left < 0 && err == nil {
		err = &fs.PathError{Op: "list", Path: dir, Err: fsroot.ErrTooLarge}
	}
	sort.Strings(names)
	return names, err
}
