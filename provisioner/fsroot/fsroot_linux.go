package fsroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
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
	name         string
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

// Open opens the directory dir of the caller's file system as a root. It is to be closed.
//
// It needs Linux 5.8, for mount ids in statx(2) and for a syncfs(2) that tells of errors.
func Open(name string) (*Root, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: name, Err: err}
	}
	r := &Root{name: name, uid: os.Geteuid(), gid: os.Getegid(), volumes: map[uint64]int{}}
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

// Name is the directory as it was opened.
func (r *Root) Name() string { return r.name }

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
	d, name, err := r.parent("read", p)
	if err != nil {
		return nil, Info{}, err
	}
	defer release(d)
	fd, st, err := r.openRegular(d, name, unix.O_RDONLY)
	if err != nil {
		return nil, Info{}, pathError("read", p, err)
	}
	defer unix.Close(fd)
	if int64(st.Size) > limit {
		return nil, Info{}, pathError("read", p, ErrTooLarge)
	}
	data := make([]byte, 0, st.Size+1)
	for {
		n, err := again(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return nil, Info{}, pathError("read", p, err)
		}
		if n == 0 {
			break
		}
		if data = data[:len(data)+n]; int64(len(data)) > limit {
			return nil, Info{}, pathError("read", p, ErrTooLarge)
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
	if err != nil && err != io.EOF {
		return nil, &fs.PathError{Op: "list", Path: p, Err: err}
	}
	slices.Sort(names)
	return names, nil
}

// Volume tells the file system of a path; see [FS].
func (r *Root) Volume(p string) (Volume, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := valid("find file system of", p); err != nil {
		return Volume{}, err
	}
	d, _, err := r.walk(path.Dir(p))
	if d == nil {
		return Volume{}, pathError("find file system of", p, err)
	}
	defer release(d)
	v, fd := Volume{ID: d.volume, Top: d.top.Top, Shared: d.top.Shared}, d.fd
	if err == nil {
		name := path.Base(p)
		if child, err := openat2(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0); err == nil {
			st, err := statx(child, "")
			if err != nil {
				unix.Close(child)
				return Volume{}, pathError("find file system of", p, err)
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
		return Volume{}, pathError("find file system of", p, err)
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
	var readOnly error // of a directory that may be there already
	for i := range p {
		if p[i] != '/' {
			continue
		}
		err := r.mkdir(p[:i], Attr{Mode: 0o755})
		if errors.Is(err, unix.EROFS) {
			readOnly = err
		} else if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	d, name, err := r.target("lock", p)
	if errors.Is(err, fs.ErrNotExist) && readOnly != nil {
		return nil, readOnly
	}
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

// IsLocked says that some process holds the lock p. One that cannot be looked at counts as free.
func (r *Root) IsLocked(p string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, name, err := r.parent("lock", p)
	if err != nil {
		return false
	}
	defer release(d)
	fd, _, err := r.openRegular(d, name, unix.O_RDONLY)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	l := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l)
	return err == nil && l.Type != unix.F_UNLCK
}
