package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// Write makes the changes below /run of a running system, each at once or not at all, but not all or none:
// what is there does not outlive the boot. Parents that are missing are made (root's, 0755), and nothing is
// synced. It goes on after an error, and returns all of them joined.
func Write(ctx context.Context, root fsroot.FS, changes []plan.Change) error {
	if len(changes) == 0 {
		return nil
	}
	const home = "run/provisioner"
	if err := makeParents(root, stageOf(home)); err != nil {
		return err
	}
	places := newStages(root, home)
	var errs []error
	for _, c := range changes {
		err := ctx.Err()
		if err == nil {
			err = write(root, places, c)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", c.Path, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	for _, dir := range places.list {
		errs = append(errs, removeStage(root, dir))
	}
	return errors.Join(errs...)
}

func write(root fsroot.FS, places *stages, c plan.Change) error {
	if !strings.HasPrefix(c.Path, "run/") {
		return fmt.Errorf("not below /run: %w", fs.ErrInvalid)
	}
	info, err := root.Stat(c.Path)
	if err != nil {
		return err
	}
	if c.Kind == plan.Remove {
		if info.Kind == fsroot.Absent {
			return nil
		}
		return root.Remove(c.Path)
	}
	if err := makeParents(root, c.Path); err != nil {
		return err
	}
	if c.Kind == plan.MakeDirectory {
		if info.Kind == fsroot.Directory {
			return root.SetAttr(c.Path, c.Attr)
		}
		return root.Mkdir(c.Path, c.Attr)
	}
	if info.Kind == fsroot.Other {
		return errors.New("it is a device, a socket or a FIFO")
	}
	v, err := root.Volume(path.Dir(c.Path))
	if err != nil {
		return err
	}
	known := len(places.list)
	stage, err := places.add(v)
	if err != nil {
		return err
	}
	for _, dir := range places.list[known:] {
		if err := removeStage(root, dir); err != nil {
			return err
		}
		if err := root.Mkdir(dir, fsroot.Attr{Mode: 0o700}); err != nil {
			return err
		}
	}
	switch c.Kind {
	case plan.WriteFile:
		err = root.Create(stage, c.Data, c.Attr)
	case plan.MakeLink:
		err = root.Symlink(stage, c.Target)
	default:
		err = fmt.Errorf("internal error: a change of kind %q", c.Kind)
	}
	if err != nil {
		return err
	}
	return root.Rename(stage, c.Path)
}

// makeParents makes the directories above p that are missing.
func makeParents(root fsroot.FS, p string) error {
	dir := path.Dir(p)
	info, err := root.Stat(dir)
	if err != nil || info.Kind != fsroot.Absent {
		return err
	}
	if err := makeParents(root, dir); err != nil {
		return err
	}
	return root.Mkdir(dir, fsroot.Attr{Mode: 0o755})
}
