package fsroot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Root is a file system below one directory, and implements [FS]. It may be used by several goroutines, one
// operation at a time.
//
// A directory is trusted if root or we own it and nobody else can write to it, and so are all directories
// above it up to the root. Links are followed in trusted directories only.
//
// In a root that an ordinary user owns and works on, that user and group stand for root: they are shown and
// taken as 0, and an owner that they cannot give is left out, as tar does. So an image or a scratch root can
// be made without being root.
type Root struct {
	mu           sync.Mutex
	top          *dir
	uid, gid     int
	unprivileged bool

	// recent are directories that were used last, so that 10,000 files in one of them cost one walk. An
	// entry is trusted, was reached without a link, and serves only as long as one look at its path still
	// finds the same directory with the same trust: nothing stale is ever used.
	recent []*dir
	// volumes holds a descriptor on each file system that was written to, opened before the first write:
	// syncfs(2) tells only the errors that came after its descriptor was opened.
	volumes map[uint64]int
}

// How many directories are remembered (a stage, a target, the state, one more), and how many links one path
// may lead through, which is the kernel's own number.
const (
	maxRecent = 4
	maxLinks  = 40
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

// Open opens the directory dir of the caller's file system as a root. It is to be closed.
//
// It needs Linux 5.8, for mount ids in statx(2) and for a syncfs(2) that tells of errors.
func Open(name string) (*Root, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: name, Err: err}
	}
	r := &Root{uid: os.Geteuid(), gid: os.Getegid(), volumes: map[uint64]int{}}
	st, err := statx(fd, "")
	if err == nil && st.Mask&unix.STATX_MNT_ID == 0 {
		err = unix.ENOSYS
	}
	if err == nil {
		var probe int
		if probe, err = openat2(fd, ".", unix.O_PATH|unix.O_DIRECTORY, 0); err == nil {
			unix.Close(probe)
		}
	}
	if err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.ENOSYS) {
			err = fmt.Errorf("this needs Linux 5.8 or later: %w", err)
		}
		return nil, &fs.PathError{Op: "open root", Path: name, Err: err}
	}
	r.top = &dir{fd: fd, refs: 1, real: ".", volume: volumeID(st), inode: st.Ino, uid: int(st.Uid)}
	r.top.trusted = r.trusts(fd, st)
	r.top.top = &Volume{Top: ".", Shared: !r.top.trusted}
	r.unprivileged = r.uid != 0 && r.uid == r.top.uid
	return r, nil
}

// Close gives back the descriptors of r, which must not be used any more.
func (r *Root) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.recent {
		release(d)
	}
	for _, fd := range r.volumes {
		unix.Close(fd)
	}
	r.recent, r.volumes = nil, nil
	fd := r.top.fd
	r.top.fd = -1
	return unix.Close(fd)
}

// Stat looks at a path; see [FS].
func (r *Root) Stat(p string) (Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := valid("stat", p); err != nil {
		return Info{}, err
	}
	d, rest, err := r.walk(path.Dir(p))
	if d == nil {
		return Info{}, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	defer release(d)
	if err != nil { // a parent is missing, or is no directory
		return Info{Kind: Absent, Real: below(d.real, rest, path.Base(p))}, nil
	}
	st, err := statx(d.fd, path.Base(p))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{Kind: Absent, Real: below(d.real, path.Base(p))}, nil
	}
	if err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: p, Err: err}
	}
	return r.info(d, path.Base(p), st)
}

// ReadFile reads a regular file of at most limit bytes; see [FS].
func (r *Root) ReadFile(p string, limit int64) ([]byte, Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fail := func(err error) ([]byte, Info, error) {
		return nil, Info{}, &fs.PathError{Op: "read", Path: p, Err: err}
	}
	d, name, err := r.parent("read", p)
	if err != nil {
		return nil, Info{}, err
	}
	defer release(d)
	fd, st, err := r.openRegular(d, name, unix.O_RDONLY)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fd)
	if int64(st.Size) > limit {
		return fail(ErrTooLarge)
	}
	data := make([]byte, 0, st.Size+1)
	for {
		n, err := again(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return fail(err)
		}
		if n == 0 {
			break
		}
		if data = data[:len(data)+n]; int64(len(data)) > limit {
			return fail(ErrTooLarge)
		}
		data = slices.Grow(data, 1)
	}
	info, err := r.info(d, name, st)
	info.Size = int64(len(data))
	return data, info, err
}

// maxNames bounds what ReadDir takes into memory.
const maxNames = 1 << 20

// ReadDir lists the names in a directory; see [FS].
func (r *Root) ReadDir(p string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd, err := r.openDir("list", p)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), p)
	defer f.Close()
	names, err := f.Readdirnames(maxNames)
	if err == nil && len(names) == maxNames {
		err = ErrTooLarge
	}
	if err != nil && len(names) > 0 {
		return nil, &fs.PathError{Op: "list", Path: p, Err: err}
	}
	slices.Sort(names)
	return names, nil
}

// Volume tells the file system of a path; see [FS].
func (r *Root) Volume(p string) (Volume, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fail := func(err error) (Volume, error) {
		return Volume{}, &fs.PathError{Op: "find file system of", Path: p, Err: err}
	}
	if err := valid("find file system of", p); err != nil {
		return Volume{}, err
	}
	d, _, err := r.walk(path.Dir(p))
	if d == nil {
		return fail(err)
	}
	defer release(d)
	v, fd := Volume{ID: d.volume, Top: d.top.Top, Shared: d.top.Shared}, d.fd
	if err == nil {
		name := path.Base(p)
		if child, err := openat2(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0); err == nil {
			st, err := statx(child, "")
			if err != nil {
				unix.Close(child)
				return fail(err)
			}
			c := r.child(d, name, child, st)
			defer release(c)
			// What is no directory is where its directory is, whatever device overlayfs shows for it, unless
			// something is mounted right on it.
			if st.Mode&unix.S_IFMT == unix.S_IFDIR || c.volume>>32 != d.volume>>32 {
				v, fd = Volume{ID: c.volume, Top: c.top.Top, Shared: c.top.Shared}, c.fd
			}
		}
	}
	var sf unix.Statfs_t
	if err := unix.Fstatfs(fd, &sf); err != nil {
		return fail(err)
	}
	v.ReadOnly = sf.Flags&unix.ST_RDONLY != 0
	v.Type = volumeTypes[uint32(sf.Type)]
	return v, nil
}

// Mkdir makes one directory; see [FS].
func (r *Root) Mkdir(p string, a Attr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mkdir(p, a)
}

func (r *Root) mkdir(p string, a Attr) error {
	d, name, err := r.target("make directory", p)
	if err != nil {
		return err
	}
	defer release(d)
	err = unix.Mkdirat(d.fd, name, 0o700)
	if err == nil {
		err = r.setDirAttr(d, name, a, true)
	}
	return pathError("make directory", p, err)
}

// SetAttr gives a directory other attributes; see [FS].
func (r *Root) SetAttr(p string, a Attr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.target("set attributes of", p)
	if err != nil {
		return err
	}
	defer release(d)
	return pathError("set attributes of", p, r.setDirAttr(d, name, a, false))
}

func (r *Root) setDirAttr(d *dir, name string, a Attr, ours bool) error {
	fd, err := openat2(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !d.trusted {
		st, err := statx(fd, "")
		if err != nil {
			return err
		}
		// Whoever can write to d may have put another directory in the place of the one that we made.
		if uid := int(st.Uid); uid != r.uid && (ours || uid != 0 && uid != d.uid) {
			return fmt.Errorf("it belongs to user %d: %w", uid, ErrUntrusted)
		}
	}
	return r.setAttr(fd, a)
}

// Create makes a regular file; see [FS].
func (r *Root) Create(p string, data []byte, a Attr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.target("create", p)
	if err != nil {
		return err
	}
	defer release(d)
	fd, err := openat2(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return pathError("create", p, err)
	}
	defer unix.Close(fd)
	for len(data) > 0 && err == nil {
		var n int
		n, err = again(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if err == nil {
		err = r.setAttr(fd, a)
	}
	if err != nil {
		unix.Unlinkat(d.fd, name, 0)
	}
	return pathError("create", p, err)
}

// Symlink makes a symbolic link; see [FS].
func (r *Root) Symlink(p, target string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.target("make link", p)
	if err != nil {
		return err
	}
	defer release(d)
	return pathError("make link", p, unix.Symlinkat(target, d.fd, name))
}

// Link gives what is at from a second name, or copies it; see [FS].
func (r *Root) Link(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	src, srcName, err := r.parent("link", from)
	if err != nil {
		return err
	}
	defer release(src)
	dst, dstName, err := r.target("link", to)
	if err != nil {
		return err
	}
	defer release(dst)
	if src.trusted { // else a second name would make a file that we then refuse to touch
		err := unix.Linkat(src.fd, srcName, dst.fd, dstName, 0)
		if err != unix.EPERM && err != unix.EOPNOTSUPP && err != unix.EMLINK {
			return pathError("link", from, err)
		}
	}
	return pathError("copy", from, r.copy(src, srcName, dst, dstName))
}

// copy makes a durable copy, its name apart, of a file or a link.
func (r *Root) copy(src *dir, srcName string, dst *dir, dstName string) (err error) {
	st, err := statx(src.fd, srcName)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target, err := readlink(src.fd, srcName)
		if err != nil {
			return err
		}
		return unix.Symlinkat(target, dst.fd, dstName)
	}
	in, st, err := r.openRegular(src, srcName, unix.O_RDONLY)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(in), srcName)
	defer f.Close()
	out, err := openat2(dst.fd, dstName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	t := os.NewFile(uintptr(out), dstName)
	defer func() {
		if err = errors.Join(err, t.Close()); err != nil {
			unix.Unlinkat(dst.fd, dstName, 0)
		}
	}()
	if _, err := f.WriteTo(t); err != nil {
		return err
	}
	if err := r.setAttr(out, r.attr(st)); err != nil {
		return err
	}
	if err := inherit(in, out, nil); err != nil {
		return err
	}
	times := []unix.Timespec{
		unix.NsecToTimespec(st.Atime.Sec*1e9 + int64(st.Atime.Nsec)),
		unix.NsecToTimespec(st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec)),
	}
	if err := unix.UtimesNanoAt(dst.fd, dstName, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return t.Sync()
}

// Inherit copies extended attributes and ACLs; see [FS].
func (r *Root) Inherit(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in, err := r.openAny("read attributes of", from)
	if err != nil {
		return err
	}
	defer unix.Close(in)
	out, err := r.openAny("set attributes of", to)
	if err != nil {
		return err
	}
	defer unix.Close(out)
	return pathError("set attributes of", to, inherit(in, out, ofContent))
}

// Rename moves a file or a link; see [FS].
func (r *Root) Rename(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	src, srcName, err := r.target("rename", from)
	if err != nil {
		return err
	}
	defer release(src)
	dst, dstName, err := r.target("rename to", to)
	if err != nil {
		return err
	}
	defer release(dst)
	if st, err := statx(dst.fd, dstName); err == nil {
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return pathError("rename to", to, unix.EISDIR)
		}
		if err := r.check(dst, st); err != nil {
			return pathError("rename to", to, err)
		}
	}
	return pathError("rename to", to, unix.Renameat(src.fd, srcName, dst.fd, dstName))
}

// Remove removes a file, a link or an empty directory; see [FS].
func (r *Root) Remove(p string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.target("remove", p)
	if err != nil {
		return err
	}
	defer release(d)
	err = unix.Unlinkat(d.fd, name, 0)
	if err == unix.EISDIR || err == unix.EPERM {
		if e := unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR); e != unix.ENOTDIR {
			err = e
		}
	}
	return pathError("remove", p, err)
}

// SyncFile makes content and attributes of a file durable; see [FS].
func (r *Root) SyncFile(p string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.parent("sync", p)
	if err != nil {
		return err
	}
	defer release(d)
	fd, _, err := r.openRegular(d, name, unix.O_RDONLY)
	if err != nil {
		return pathError("sync", p, err)
	}
	defer unix.Close(fd)
	return pathError("sync", p, unix.Fsync(fd))
}

// SyncDir makes the names in a directory durable; see [FS].
func (r *Root) SyncDir(p string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd, err := r.openDir("sync directory", p)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return pathError("sync directory", p, unix.Fsync(fd))
}

// SyncVolume makes a whole file system durable; see [FS].
func (r *Root) SyncVolume(p string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := valid("sync file system of", p); err != nil {
		return err
	}
	d, _, err := r.walk(p)
	if d == nil {
		return pathError("sync file system of", p, err)
	}
	defer release(d)
	if err := r.watch(d); err != nil {
		return pathError("sync file system of", p, err)
	}
	return pathError("sync file system of", p, unix.Syncfs(r.volumes[d.volume]))
}

// Lock takes an open-file-description lock on a file, which it makes if it is missing (0600, parents 0755),
// and does not wait: the error wraps [ErrLocked] if somebody else has it, lckpwdf(3) included. The lock ends
// with unlock or with the process. holder, if not empty, becomes the content of the file, to tell others
// whom they wait for.
func (r *Root) Lock(p, holder string) (unlock func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := valid("lock", p); err != nil {
		return nil, err
	}
	for i := range p {
		if p[i] != '/' {
			continue
		}
		err := r.mkdir(p[:i], Attr{Mode: 0o755})
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.EROFS) {
			return nil, err
		}
	}
	d, name, err := r.target("lock", p)
	if err != nil {
		return nil, err
	}
	defer release(d)
	fd, err := openat2(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, pathError("lock", p, err)
	}
	st, err := statx(fd, "")
	if err == nil {
		err = r.check(d, st)
	}
	if err == nil {
		err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == unix.EAGAIN || err == unix.EACCES {
			err = ErrLocked
		}
	}
	if err == nil && holder != "" {
		if err = unix.Ftruncate(fd, 0); err == nil {
			_, err = unix.Pwrite(fd, []byte(holder), 0)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, pathError("lock", p, err)
	}
	return sync.OnceFunc(func() { unix.Close(fd) }), nil
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

func (r *Root) attr(st *unix.Statx_t) Attr {
	a := Attr{Mode: uint32(st.Mode) & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}
	if r.unprivileged && a.UID == r.uid {
		a.UID = 0
	}
	if r.unprivileged && a.GID == r.gid {
		a.GID = 0
	}
	return a
}

// setAttr sets owner, then mode, which a change of owner would cut down. A file system without owners and
// modes keeps its own.
func (r *Root) setAttr(fd int, a Attr) error {
	if r.unprivileged && a.UID == 0 {
		a.UID = r.uid
	}
	if r.unprivileged && a.GID == 0 {
		a.GID = r.gid
	}
	err := unix.Fchown(fd, a.UID, a.GID)
	if err == unix.EPERM && (r.unprivileged || ownerless(fd)) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	err = unix.Fchmod(fd, a.Mode)
	if err == unix.EPERM && ownerless(fd) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	return nil
}

// ownerless says that a file system stores no owners and modes.
func ownerless(fd int) bool {
	var sf unix.Statfs_t
	if unix.Fstatfs(fd, &sf) != nil {
		return false
	}
	t := volumeTypes[uint32(sf.Type)]
	return t == "vfat" || t == "exfat"
}

// ofContent are the extended attributes that say something of a file's content.
var ofContent = []string{"security.capability", "security.ima", "security.evm"}

// maxXattr is the kernel's XATTR_LIST_MAX and XATTR_SIZE_MAX.
const maxXattr = 1 << 16

// inherit copies the extended attributes of one descriptor to another, but for those left out.
func inherit(from, to int, out []string) error {
	size, err := unix.Flistxattr(from, nil)
	if err == unix.EOPNOTSUPP || err == nil && size == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	names := make([]byte, maxXattr)
	if size, err = unix.Flistxattr(from, names); err != nil {
		return err
	}
	st, err := statx(to, "")
	if err != nil {
		return err
	}
	value := make([]byte, maxXattr)
	for _, name := range bytes.Split(names[:size], []byte{0}) {
		if len(name) == 0 || slices.Contains(out, string(name)) {
			continue
		}
		n, err := unix.Fgetxattr(from, string(name), value)
		if err == unix.ENODATA || err == unix.EPERM || err == unix.EOPNOTSUPP {
			continue
		}
		if err != nil {
			return err
		}
		switch err := unix.Fsetxattr(to, string(name), value[:n], 0); err {
		case nil, unix.EOPNOTSUPP, unix.EPERM, unix.EACCES, unix.EINVAL, unix.E2BIG, unix.ERANGE:
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	// An ACL brings group bits of its own, and the mode asked for wins.
	if err := unix.Fchmod(to, uint32(st.Mode)&0o7777); err != nil && !ownerless(to) {
		return err
	}
	return nil
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

func valid(op, p string) error {
	if !fs.ValidPath(strings.ToValidUTF8(p, "?")) || strings.ContainsRune(p, 0) {
		return &fs.PathError{Op: op, Path: p, Err: fs.ErrInvalid}
	}
	return nil
}

func pathError(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

// volumeID is one number for mount and device, which both must be equal for a rename: one device can be
// mounted twice, and the subvolumes of one btrfs have several.
func volumeID(st *unix.Statx_t) uint64 {
	return st.Mnt_id<<32 | uint64(st.Dev_major&0xfff)<<20 | uint64(st.Dev_minor&0xfffff)
}

// openat2 opens one name in a directory, never through a link.
func openat2(fd int, name string, flags int, mode uint32) (int, error) {
	how := &unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
	}
	return again(func() (int, error) { return unix.Openat2(fd, name, how) })
}

// statx looks at a name in a directory, or at the descriptor itself if the name is empty.
func statx(fd int, name string) (*unix.Statx_t, error) {
	st, flags := new(unix.Statx_t), unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	_, err := again(func() (int, error) {
		return 0, unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, st)
	})
	return st, err
}

func readlink(fd int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, name, buf)
	return string(buf[:max(n, 0)]), err
}

// again repeats a system call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// volumeTypes names file systems by the magic numbers of linux/magic.h.
var volumeTypes = map[uint32]string{
	0xef53:     "ext4",
	0x58465342: "xfs",
	0x9123683e: "btrfs",
	0xf2f52010: "f2fs",
	0x01021994: "tmpfs",
	0x858458f6: "ramfs",
	0x794c7630: "overlay",
	0x73717368: "squashfs",
	0xe0f5e1e2: "erofs",
	0x4d44:     "vfat",
	0x2011bab0: "exfat",
	0x9660:     "iso9660",
	0x6969:     "nfs",
	0x65735546: "fuse",
	0x01021997: "9p",
	0x2fc12fc1: "zfs",
	0x9fa0:     "proc",
	0x62656572: "sysfs",
	0x27e0eb:   "cgroup",
	0x63677270: "cgroup2",
	0xde5e81e4: "efivarfs",
}
