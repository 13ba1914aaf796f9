package fsroot

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

func valid(op, p string) error {
	if !fs.ValidPath(strings.ToValidUTF8(p, "?")) || strings.ContainsRune(p, 0) {
		return &fs.PathError{Op: op, Path: p, Err: fs.ErrInvalid}
	}
	return nil
}

// pathError wraps an error, if there is one. It has too many callers to be copied into each.
//
//go:noinline
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

// again repeats a system call that a signal interrupted. It is not copied into its callers, each with a function of its own.
//
//go:noinline
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
