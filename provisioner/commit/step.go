package commit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// What a step does. The text is in the journal and must not change.
const (
	doReplace         = "replace"    // a file or link comes to Path, in place of Old
	doRemove          = "remove"     // a file or link goes
	doMakeDirectory   = "mkdir"      // a directory comes where nothing was
	doRemoveDirectory = "rmdir"      // an empty directory goes
	doAttributes      = "attributes" // a directory stays, with another owner or mode
)

// step is one change to a name, with what it takes to undo it.
type step struct {
	Do   string `json:"do"`
	Path string `json:"path"` // without links among its parents
	// Stage is the path of this step's copies without their endings: ".new" is what will come, ".old" a
	// second name of what was, ".undo" another one on its way back.
	Stage string `json:"stage,omitempty"`
	Old   *state `json:"old,omitempty"` // nil for nothing
	New   *state `json:"new,omitempty"`

	asked string // as the plan calls it
}

// state is what is at a path, as far as it matters here. A nil state is nothing at all.
type state struct {
	Kind string `json:"kind"`
	fsroot.Attr
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // hex; "" of a file larger than plan.MaxData
	Target string `json:"target,omitempty"` // of a link
}

const (
	regular   = "file"
	directory = "directory"
	link      = "link"
	other     = "other"
)

// same compares two states, but not what a link's owner and mode are.
func (s *state) same(o *state) bool {
	switch {
	case s == nil || o == nil:
		return s == o
	case s.Kind != o.Kind:
		return false
	case s.Kind == link:
		return s.Target == o.Target
	case s.Kind == directory:
		return s.Attr == o.Attr
	}
	return s.Attr == o.Attr && s.Size == o.Size && s.SHA256 == o.SHA256
}

// seen is the state that facts saw.
func seen(was plan.Seen) *state { return newState(was.Info, was.SHA256) }

func newState(info fsroot.Info, sum string) *state {
	switch info.Kind {
	case fsroot.Regular:
		return &state{Kind: regular, Attr: info.Attr, Size: info.Size, SHA256: sum}
	case fsroot.Directory:
		return &state{Kind: directory, Attr: info.Attr}
	case fsroot.Link:
		return &state{Kind: link, Target: info.Target}
	case fsroot.Other:
		return &state{Kind: other, Attr: info.Attr}
	}
	return nil
}

// look is what is at a path now.
func look(disk fsroot.FS, p string) (*state, error) {
	info, err := disk.Stat(p)
	if err != nil {
		return nil, err
	}
	if info.Kind != fsroot.Regular {
		return newState(info, ""), nil
	}
	data, info, err := disk.ReadFile(p, plan.MaxData)
	if errors.Is(err, fsroot.ErrTooLarge) {
		info, err = disk.Stat(p)
		return newState(info, ""), err
	}
	if err != nil {
		return nil, err
	}
	return newState(info, digest(data)), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// staged says that the step needs a stage.
func (s *step) staged() bool { return s.Do != doMakeDirectory && s.Do != doAttributes }

// dirs are the directories in which the step, or its undo, changes names or attributes.
func (s *step) dirs() []string {
	switch s.Do {
	case doMakeDirectory, doRemoveDirectory:
		return []string{path.Dir(s.Path), s.Path}
	case doAttributes:
		return []string{s.Path}
	}
	return []string{path.Dir(s.Path)}
}

// stage prepares the step beside the target.
func (s *step) stage(disk fsroot.FS, c plan.Change) error {
	switch s.Do {
	case doMakeDirectory, doAttributes:
		return nil
	case doRemoveDirectory:
		// What is kept of a directory is what Mkdir cannot give back: its extended attributes.
		err := disk.Mkdir(s.Stage+".old", fsroot.Attr{Mode: 0o700})
		if err == nil {
			err = disk.Inherit(s.Path, s.Stage+".old")
		}
		if err == nil {
			err = disk.SyncDir(s.Stage + ".old")
		}
		return err
	}
	if s.Old != nil {
		if err := disk.Link(s.Path, s.Stage+".old"); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%s: %w", s.asked, ErrChanged)
			}
			return err
		}
	}
	switch {
	case s.New == nil:
		return nil
	case s.New.Kind == link:
		return disk.Symlink(s.Stage+".new", s.New.Target)
	}
	if err := disk.Create(s.Stage+".new", c.Data, s.New.Attr); err != nil {
		return err
	}
	if s.Old != nil && s.Old.Kind == regular {
		if err := disk.Inherit(s.Path, s.Stage+".new"); err != nil {
			return err
		}
	}
	// Some file systems have owners and modes of their own.
	info, err := disk.Stat(s.Stage + ".new")
	s.New.Attr = info.Attr
	return err
}

// do makes the change. Its mirror image is undo.
func (s *step) do(disk fsroot.FS) error {
	switch s.Do {
	case doReplace:
		return disk.Rename(s.Stage+".new", s.Path)
	case doRemove, doRemoveDirectory:
		return disk.Remove(s.Path)
	case doMakeDirectory:
		return disk.Mkdir(s.Path, s.New.Attr)
	case doAttributes:
		return disk.SetAttr(s.Path, s.New.Attr)
	}
	return fmt.Errorf("internal error: a step that does %q", s.Do)
}

// undo brings back what was, if it is our change that is there; it may have been done, undone or half undone
// before. kept says that somebody else has put something there since, which stays.
func (s *step) undo(disk fsroot.FS) (kept bool, err error) {
	now, err := look(disk, s.Path)
	if errors.Is(err, fsroot.ErrUntrusted) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	switch s.Do {
	case doReplace:
		switch {
		case now.same(s.Old):
			return false, nil
		case !now.same(s.New):
			return true, nil
		case s.Old == nil:
			return false, disk.Remove(s.Path)
		}
		return false, s.restore(disk)
	case doRemove:
		if now != nil {
			return !now.same(s.Old), nil
		}
		if info, err := disk.Stat(path.Dir(s.Path)); err != nil || info.Kind != fsroot.Directory {
			return true, err
		}
		return false, s.restore(disk)
	case doMakeDirectory:
		if now == nil {
			return false, nil
		}
		if now.Kind != directory {
			return true, nil
		}
		err := disk.Remove(s.Path)
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
			return true, nil
		}
		return false, err
	case doRemoveDirectory:
		if now == nil {
			if info, err := disk.Stat(path.Dir(s.Path)); err != nil || info.Kind != fsroot.Directory {
				return true, err
			}
			if err := disk.Mkdir(s.Path, s.Old.Attr); err != nil {
				return false, err
			}
		} else if now.Kind != directory {
			return true, nil
		} else if err := disk.SetAttr(s.Path, s.Old.Attr); err != nil {
			return false, err
		}
		return false, disk.Inherit(s.Stage+".old", s.Path)
	case doAttributes:
		if now == nil || now.Kind != directory {
			return true, nil
		}
		if now.same(s.Old) {
			return false, nil
		}
		return false, disk.SetAttr(s.Path, s.Old.Attr)
	}
	return false, fmt.Errorf("the journal has a step that does %q", s.Do)
}

// restore puts what was back in its place, and keeps a second name of it, since this may be cut short.
func (s *step) restore(disk fsroot.FS) error {
	undo := s.Stage + ".undo"
	if err := disk.Remove(undo); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := disk.Link(s.Stage+".old", undo); err != nil {
		return err
	}
	return disk.Rename(undo, s.Path)
}
