// Package fsroot is the file system below one root, as the system that boots from it would see it.
//
// It is the only place that resolves symbolic links: an absolute link leads below the root, ".." stops at it.
// From the first directory on that somebody other than root can write to, no link is followed at all, and a
// file that is already there must be regular and have one name. [Open] is the thing to call; [FS] is what
// the rest of the program needs of it, so that a test can put a disk in its place that loses power.
//
// Paths are relative to the root, with slashes, clean, and without a leading one: "etc/hostname"; the root
// itself is ".".
package fsroot

import "errors"

// Kind is what is at a path. The zero value is invalid.
type Kind int

// The kinds of thing that can be at a path.
const (
	Absent    Kind = iota + 1 // nothing, or a parent is missing
	Regular                   // a regular file
	Directory                 // a directory
	Link                      // a symbolic link
	Other                     // a device, socket or FIFO
)

// Attr is owner and mode: the twelve bits of chmod(2).
type Attr struct {
	Mode     uint32
	UID, GID int
}

// Info is what is at a path.
type Info struct {
	Kind   Kind
	Attr   Attr
	Size   int64  // of a regular file, in bytes
	Target string // of a link, as it stands
	// Real is the path after every link among its parents has been resolved, still below the root. Two
	// spellings of one place have the same Real.
	Real string
}

// Volume is the mounted file system that a path is on.
type Volume struct {
	ID       uint64 // the same for two paths if a rename between them can work
	Top      string // the highest directory of it below the root, "." for the root's own
	ReadOnly bool
	Type     string // "ext4", "proc", ...; "" if unknown
	// Shared says that others than root can write to Top or above it: nothing of ours may be kept there.
	Shared bool
}

var (
	// ErrUntrusted is wrapped when a path leads through a link, or to a file with several names or a strange
	// owner, in a place that others than root can write to. Nothing was read or written through it.
	ErrUntrusted = errors.New("not to be trusted")
	// ErrTooLarge is wrapped by ReadFile if a file is larger than the limit.
	ErrTooLarge = errors.New("larger than the limit")
	// ErrLocked is wrapped by Root.Lock if another process holds the lock.
	ErrLocked = errors.New("locked by another process")
)

// FS is exactly the operations between which the power can fail, and what is needed to look. What an
// operation does is durable only after the Sync that belongs to it. Every error is an *fs.PathError or
// wraps one, so errors.Is with fs.ErrNotExist and the syscall's errno work.
type FS interface {
	// Stat looks at a path, following links among its parents but not a last one. A path that is not there
	// is no error: Kind is Absent, and Real is filled as far as the parents exist.
	Stat(path string) (Info, error)
	// ReadFile reads a regular file of at most limit bytes; its last name must not be a link.
	ReadFile(path string, limit int64) ([]byte, Info, error)
	// ReadDir lists the names in a directory, sorted; a last link is followed where that is safe.
	ReadDir(path string) ([]string, error)
	// Volume tells the file system of a path, or of its nearest parent that exists.
	Volume(path string) (Volume, error)

	// Mkdir makes one directory, with exactly these attributes.
	Mkdir(path string, a Attr) error
	// Create makes a regular file, which must not exist yet, with content and attributes.
	Create(path string, data []byte, a Attr) error
	// Symlink makes a symbolic link at path, which must not exist yet.
	Symlink(path, target string) error
	// SetAttr gives a directory other attributes. They are durable after SyncDir of that directory.
	SetAttr(path string, a Attr) error
	// Link gives what is at from, a link too, a second name. Where hard links are refused, and where others
	// can write to from, it copies content, attributes, extended attributes and ACLs instead; such a copy
	// is durable but for its name.
	Link(from, to string) error
	// Inherit copies extended attributes and ACLs from one file or directory to another, which keeps its
	// owner and mode. Those that do not fit the target's file system, and those that describe the old
	// content (capabilities, IMA, EVM), are left out.
	Inherit(from, to string) error
	// Rename moves, replacing what is at to unless that is a directory.
	Rename(from, to string) error
	// Remove removes a file, a link or an empty directory.
	Remove(path string) error

	// SyncFile makes content and attributes of a file durable, not its name.
	SyncFile(path string) error
	// SyncDir makes the names in a directory durable, and the directory's own attributes.
	SyncDir(path string) error
	// SyncVolume makes everything on the file system of a path durable (syncfs).
	SyncVolume(path string) error
}

// List gives the names in a directory, as ReadDir does; none if there is no directory there.
func List(root FS, dir string) ([]string, error) {
	info, err := root.Stat(dir)
	if err != nil || info.Kind != Directory {
		return nil, err
	}
	return root.ReadDir(dir)
}
