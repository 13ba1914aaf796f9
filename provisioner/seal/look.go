package seal

import (
	"errors"
	"io/fs"
	"path"
	"sort"
	"strings"
	"syscall"

	"cloudconfig/provisioner/fsroot"
)

// look finds what rules name. What stands in a users' place and cannot be looked at is kept, and said: a user must not be
// able to keep the rest from being sealed. Anywhere else it is an error.
type look struct {
	root *fsroot.Root
	most int
	seen map[string]bool
	// left and theirs are how many entries a rule may still list, of the system's directories and of users'.
	left, theirs int
	unseen       []Item
}

// match finds what a rule names. What has a Reason stays.
func (l *look) match(r rule) ([]Item, error) {
	l.left, l.theirs, l.unseen = l.most, l.most, nil
	paths, err := l.expand(r, ".", strings.Split(r.pattern, "/"))
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, p := range paths {
		if err := l.pass(r, p, l.take(r, p, &items)); err != nil {
			return nil, err
		}
	}
	return append(items, l.unseen...), nil
}

// take adds what there is at a path to the items of a rule.
func (l *look) take(r rule, p string, items *[]Item) error {
	info, err := l.root.Stat(p)
	if err != nil {
		return err
	}
	if away, err := l.isElsewhere(r, p); err != nil || away {
		return err
	}
	if r.within {
		if info.Kind != fsroot.Directory {
			return nil
		}
		on, err := l.root.Volume(p)
		if err != nil {
			return err
		}
		return l.files(r, p, on, maxDepth, func(p string) { *items = l.add(*items, r, p) })
	}
	if info.Kind == fsroot.Absent || info.Kind == fsroot.Directory && !r.tree || r.kind == "machine-id" && info.Kind == fsroot.Link {
		return nil
	}
	if info.Kind == fsroot.Directory && ofUsers(l.root, p) {
		v, err := l.root.Volume(path.Dir(p))
		if err == nil {
			err = (&removal{root: l.root, volume: v.ID, left: l.most}).remove(p, maxDepth)
		}
		if err != nil {
			return err
		}
	}
	*items = l.add(*items, r, p)
	return nil
}

// pass takes note of an error in a users' place, and gives back any other.
func (l *look) pass(r rule, p string, err error) error {
	shown := r.reason != "" || r.kind == "history"
	if err == nil || !ofUsers(l.root, p) && !(shown && errors.Is(err, fsroot.ErrUntrusted)) {
		return err
	}
	l.note(r, p, err)
	return nil
}

func (l *look) note(r rule, p string, err error) {
	if !l.seen[p] {
		l.seen[p] = true
		l.unseen = append(l.unseen, Item{Path: "/" + p, Kind: r.kind, Reason: unseen(err)})
	}
}

// unseen is the reason why what users own is kept: what was in the way, and the cure.
func unseen(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	cure := "look at it yourself, or remove it, and seal again"
	switch {
	case errors.Is(err, fsroot.ErrTooLarge):
		err, cure = errors.New("it has more, or deeper, directories and files than are looked through"), "remove them and seal again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.ENOTCONN):
		cure = "unmount what is mounted there and seal again"
	}
	return "it could not be looked at: " + err.Error() + "; " + cure
}

// ofUsers says that what is at a path is in a place of users: a home, or below a directory that others than root own or
// anybody can write to.
func ofUsers(root *fsroot.Root, p string) bool {
	if strings.HasPrefix(p, "home/") {
		return true
	}
	if info, err := root.Stat(p); err == nil {
		p = info.Real
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		info, err := root.Stat(dir)
		if err == nil && info.Kind == fsroot.Directory && (info.Attr.UID != 0 || info.Attr.Mode&0o002 != 0) {
			return true
		}
	}
	return false
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
func (l *look) expand(r rule, dir string, names []string) ([]string, error) {
	name, rest := names[0], names[1:]
	matching := []string{name}
	if strings.Contains(name, "*") {
		all, err := l.list(r, dir)
		if err != nil {
			return nil, err
		}
		matching = nil
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
		info, err := l.root.Stat(p)
		if err == nil && strings.Contains(name, "*") && info.Kind != fsroot.Directory {
			continue
		}
		var below []string
		if err == nil {
			below, err = l.expand(r, p, rest)
		}
		if err := l.pass(r, p, err); err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// files visits the regular files below a directory that are on one file system: what is mounted there is somebody else's.
func (l *look) files(r rule, dir string, on fsroot.Volume, depth int, visit func(p string)) error {
	names, err := l.list(r, dir)
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
		case info.Kind == fsroot.Regular:
			visit(p)
		case info.Kind == fsroot.Directory && !l.seen[p]:
			var v fsroot.Volume
			if v, err = l.root.Volume(p); err == nil && v.ID == on.ID {
				err = l.files(r, p, on, depth-1, visit)
			}
		}
		if err := l.pass(r, p, err); err != nil {
			return err
		}
	}
	return nil
}

// list is the names in a directory, none if there is no such directory, or if it is a users' one and cannot be looked at.
func (l *look) list(r rule, dir string) ([]string, error) {
	names, err := l.root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	theirs, budget := ofUsers(l.root, path.Join(dir, "x")), &l.left // what is in it is theirs, if not it itself
	if theirs {
		budget = &l.theirs
	}
	if len(names) > *budget {
		err := &fs.PathError{Op: "list", Path: dir, Err: fsroot.ErrTooLarge}
		if !theirs {
			return nil, err
		}
		l.note(r, dir, err)
		return nil, nil
	}
	*budget -= len(names)
	sort.Strings(names)
	return names, nil
}
