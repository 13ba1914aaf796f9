package fsroot

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

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
