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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
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

	entries int // how many are looked through below one path; 0 for maxEntries
}

func (o Options) most() int { return cmp.Or(o.entries, maxEntries) }

// Bounds of a look: an image with more than this below one path is not walked to its end, and that is an error.
const (
	maxEntries = 1 << 18
	maxDepth   = 64
)

// Look says what would go. The machine-id file is in it if it holds an id.
func Look(root *fsroot.Root, o Options) (Found, error) {
	l := look{root: root, most: o.most(), seen: map[string]bool{}}
	var found Found
	for _, r := range rules(o) {
		items, err := l.match(r)
		if err != nil {
			return found, fmt.Errorf("look for what is to be sealed: %w", err)
		}
		for _, i := range items {
			if i.Reason == "" {
				found.Left = append(found.Left, i)
			} else {
				found.Kept = append(found.Kept, i)
			}
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
	l := look{root: root, most: maxEntries, seen: map[string]bool{}}
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
	unlock, err := commit.Lock(ctx, root, commit.Patience, nil)
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
	s := sealing{root: root, most: o.most(), kept: map[string]string{}}
	err = s.all(ctx, found.Left)
	after, again := Look(root, o)
	after.Removed = s.done
	if err == nil {
		after.leave(root, s.kept)
	}
	err = errors.Join(err, again)
	if err == nil && len(after.Left) > 0 {
		err = fmt.Errorf("%d things are left: somebody made them meanwhile", len(after.Left))
	}
	return after, err
}

// leave keeps what is left in users' places, for these reasons.
func (f *Found) leave(root *fsroot.Root, reasons map[string]string) {
	f.Left = slices.DeleteFunc(f.Left, func(i Item) bool {
		if !ofUsers(root, i.Path[1:]) {
			return false
		}
		i.Reason = cmp.Or(reasons[i.Path], "somebody made it meanwhile; seal again when nobody is logged in")
		f.Kept = append(f.Kept, i)
		return true
	})
}

type sealing struct {
	root *fsroot.Root
	most int // entries of one item
	done []Item
	kept map[string]string // why what users own could not be removed
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
		if err == nil {
			volumes[v.ID] = path.Dir(p)
			err = (&removal{root: s.root, volume: v.ID, left: s.most, take: true}).remove(p, maxDepth)
		}
		switch {
		case err == nil:
			s.done = append(s.done, item)
		case ofUsers(s.root, p):
			s.kept[item.Path] = unseen(err)
		default:
			return err
		}
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

// removal removes a file or link, or a directory with all that is in it: never through a link, and nothing that is on
// another file system than volume. Without take it only says whether it could.
type removal struct {
	root   *fsroot.Root
	volume uint64
	left   int // entries
	take   bool
}

func (r *removal) remove(p string, depth int) error {
	info, err := r.root.Stat(p)
	if err != nil || info.Kind == fsroot.Absent {
		return err
	}
	if r.left--; r.left < 0 || depth == 0 {
		return &fs.PathError{Op: "remove", Path: p, Err: fsroot.ErrTooLarge}
	}
	if info.Kind == fsroot.Directory {
		v, err := r.root.Volume(p)
		if err == nil && v.ID != r.volume {
			err = &fs.PathError{Op: "remove", Path: p, Err: fmt.Errorf("a file system is mounted there: %w", syscall.EBUSY)}
		}
		var names []string
		if err == nil {
			names, err = r.root.ReadDir(p)
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := r.remove(path.Join(p, name), depth-1); err != nil {
				return err
			}
		}
	}
	if !r.take {
		return nil
	}
	if err := r.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
