package fsroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is an open directory.
type dir struct {
	fd      int // O_PATH
	refs    int
	real    string // its path below the root, without links
	volume  uint64
	inode   uint64
	uid     int // as the kernel has it
	trusted bool
	top     *Volume // of its file system; only Top and Shared are filled
	opened  bool    // for writing: see Root.writable
}

// walk goes from the root to the directory p, through links where that is safe. If p is not there or is no
// directory, it says so and also returns the last directory on the way and what was left to go; after any
// other error the directory is nil.
func (r *Root) walk(p string) (_ *dir, rest string, err error) {
	if d := r.remembered(p); d != nil {
		return d, "", nil
	}
	stack := []*dir{hold(r.top)}
	defer func() {
		for _, d := range stack {
			release(d)
		}
	}()
	links, todo := 0, strings.Split(p, "/")
	for len(todo) > 0 {
		here, name := stack[len(stack)-1], todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(stack) > 1 {
				release(here)
				stack = stack[:len(stack)-1]
			}
			continue
		}
		fd, err := openat2(here.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
		if err == unix.ENOENT {
			return hold(here), strings.Join(append([]string{name}, todo...), "/"), err
		}
		if err != nil {
			return nil, "", err
		}
		st, err := statx(fd, "")
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			stack = append(stack, r.child(here, name, fd, st))
			continue
		}
		var target string
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			target, err = readlink(fd, "")
		}
		unix.Close(fd)
		switch {
		case err != nil:
			return nil, "", err
		case st.Mode&unix.S_IFMT != unix.S_IFLNK:
			return hold(here), strings.Join(append([]string{name}, todo...), "/"), unix.ENOTDIR
		case !here.trusted:
			return nil, "", fmt.Errorf("%s is a link in a place that others can write to: %w",
				below(here.real, name), ErrUntrusted)
		}
		if links++; links > maxLinks {
			return nil, "", unix.ELOOP
		}
		if strings.HasPrefix(target, "/") {
			for _, d := range stack[1:] {
				release(d)
			}
			stack = stack[:1]
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	d := hold(stack[len(stack)-1])
	if d.trusted && d.real == p && d != r.top {
		r.recent = append(r.recent, hold(d))
		if len(r.recent) > maxRecent {
			release(r.recent[0])
			r.recent = slices.Delete(r.recent, 0, 1)
		}
	}
	return d, "", nil
}

// remembered is the directory p if it was used lately and is still what is there.
func (r *Root) remembered(p string) *dir {
	for i, d := range r.recent {
		if d.real != p {
			continue
		}
		st, err := statx(r.top.fd, p)
		if err == nil && st.Ino == d.inode && volumeID(st) == d.volume && st.Mode&0o020 == 0 && r.trusts(-1, st) {
			return hold(d)
		}
		release(d)
		r.recent = slices.Delete(r.recent, i, i+1)
		return nil
	}
	return nil
}

// child is the directory name in d, just opened.
func (r *Root) child(d *dir, name string, fd int, st *unix.Statx_t) *dir {
	c := &dir{
		fd: fd, refs: 1, real: below(d.real, name),
		volume: volumeID(st), inode: st.Ino, uid: int(st.Uid),
		trusted: d.trusted && r.trusts(fd, st), top: d.top,
	}
	if c.volume != d.volume {
		c.top = &Volume{Top: c.real, Shared: !c.trusted}
	}
	return c
}

// trusts says that nobody but root and we can write to a directory. One that its group can write to is
// looked at for an ACL, whose mask is what the mode then shows.
func (r *Root) trusts(fd int, st *unix.Statx_t) bool {
	uid, gid := int(st.Uid), int(st.Gid)
	if uid != 0 && uid != r.uid || st.Mode&0o002 != 0 {
		return false
	}
	if st.Mode&0o020 == 0 {
		return true
	}
	if gid != 0 && gid != r.gid {
		return false
	}
	f, err := openat2(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(f)
	_, err = unix.Fgetxattr(f, "system.posix_acl_access", nil)
	return err == unix.ENODATA || err == unix.EOPNOTSUPP
}

// check refuses what must not be read or replaced in d.
func (r *Root) check(d *dir, st *unix.Statx_t) error {
	if d.trusted {
		return nil
	}
	uid := int(st.Uid)
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("it is no regular file, in a place that others can write to: %w", ErrUntrusted)
	case st.Nlink != 1:
		return fmt.Errorf("the file has several names, in a place that others can write to: %w", ErrUntrusted)
	case uid != 0 && uid != r.uid && uid != d.uid:
		return fmt.Errorf("the file belongs to user %d, its directory to user %d: %w", uid, d.uid, ErrUntrusted)
	}
	return nil
}

// parent is the directory that p is in, and its name there.
func (r *Root) parent(op, p string) (*dir, string, error) {
	if err := valid(op, p); err != nil {
		return nil, "", err
	}
	d, _, err := r.walk(path.Dir(p))
	if err != nil {
		if d != nil {
			release(d)
		}
		return nil, "", &fs.PathError{Op: op, Path: p, Err: err}
	}
	return d, path.Base(p), nil
}

// target is parent for an operation that writes.
func (r *Root) target(op, p string) (*dir, string, error) {
	d, name, err := r.parent(op, p)
	if err != nil || d.opened {
		return d, name, err
	}
	var sf unix.Statfs_t
	if err = unix.Fstatfs(d.fd, &sf); err == nil {
		switch t := volumeTypes[uint32(sf.Type)]; t {
		case "proc", "sysfs", "cgroup", "cgroup2", "efivarfs":
			err = fmt.Errorf("%s belongs to the kernel: %w", t, fs.ErrPermission)
		default:
			err = r.watch(d)
		}
	}
	if err != nil {
		release(d)
		return nil, "", &fs.PathError{Op: op, Path: p, Err: err}
	}
	d.opened = true
	return d, name, nil
}

// watch makes sure that there is a descriptor for syncing the file system of d.
func (r *Root) watch(d *dir) error {
	if _, ok := r.volumes[d.volume]; ok {
		return nil
	}
	fd, err := openat2(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == nil {
		r.volumes[d.volume] = fd
	}
	return err
}

// openRegular opens a regular file. It looks before, since opening a device can do something.
func (r *Root) openRegular(d *dir, name string, flags int) (int, *unix.Statx_t, error) {
	st, err := statx(d.fd, name)
	if err != nil {
		return -1, nil, err
	}
	if err := r.check(d, st); err != nil {
		return -1, nil, err
	}
	if err := regular(st); err != nil {
		return -1, nil, err
	}
	fd, err := openat2(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, nil, err
	}
	if st, err = statx(fd, ""); err == nil {
		err = r.check(d, st)
	}
	if err == nil {
		err = regular(st)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, st, nil
}

func regular(st *unix.Statx_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return unix.EISDIR
	case unix.S_IFLNK:
		return unix.ELOOP
	}
	return errors.New("not a regular file")
}

// openDir opens the directory p for listing and syncing.
func (r *Root) openDir(op, p string) (int, error) {
	if err := valid(op, p); err != nil {
		return -1, err
	}
	d, _, err := r.walk(p)
	if d != nil {
		defer release(d)
	}
	var fd int
	if err == nil {
		fd, err = openat2(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	return fd, pathError(op, p, err)
}

// openAny opens a regular file or a directory.
func (r *Root) openAny(op, p string) (int, error) {
	d, name, err := r.parent(op, p)
	if err != nil {
		return -1, err
	}
	defer release(d)
	fd, err := openat2(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err == unix.ENOTDIR {
		fd, _, err = r.openRegular(d, name, unix.O_RDONLY)
	}
	return fd, pathError(op, p, err)
}

// info turns what the kernel says of name in d into an Info.
func (r *Root) info(d *dir, name string, st *unix.Statx_t) (Info, error) {
	info := Info{Kind: Other, Attr: r.attr(st), Real: below(d.real, name)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		info.Kind, info.Size = Regular, int64(st.Size)
	case unix.S_IFDIR:
		info.Kind = Directory
	case unix.S_IFLNK:
		info.Kind = Link
		target, err := readlink(d.fd, name)
		if err != nil {
			return Info{}, &fs.PathError{Op: "read link", Path: info.Real, Err: err}
		}
		info.Target = target
	}
	return info, nil
}

func hold(d *dir) *dir {
	d.refs++
	return d
}

func release(d *dir) {
	if d.refs--; d.refs == 0 {
		unix.Close(d.fd)
	}
}

// below joins names to a real path without ever leaving the root.
func below(real string, names ...string) string {
	p := path.Join("/", real, path.Join(names...))
	if p == "/" {
		return "."
	}
	return p[1:]
}
