// Package commit makes the changes of a plan to a root: all of them or none, whatever happens meanwhile.
//
// [Lock] first, then [Recover], then look and plan, then [Apply], then [Write] for /run. Power may fail and
// the process may die at any step, also during Recover: from the end of the next Recover on, the root is
// wholly as it was before or wholly as the plan wants it.
//
// How: everything new is written to a stage, a directory that only root can enter on the file system of the
// target, with a second name for everything old. When that is durable, a journal of all steps is made
// durable. Then the steps are done, which are renames mostly, and the directories they are in made durable.
// To remove the journal, durably, is the moment of the commit. As long as there is a journal, Recover undoes
// its steps; when there is none, what is left of stages is garbage. Rolling back is the same as recovering.
//
// What has no undo (a reload, a started unit) is not for this package.
package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"unicode/utf8"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// ErrChanged is wrapped if something is not as the plan saw it any more: look and plan again.
var ErrChanged = errors.New("changed by somebody else since it was looked at")

// Receipt says what was done.
type Receipt struct {
	Changed []string // the paths, in the order of the plan; what was as wanted already is not here
	Syncs   int      // how many times a disk was waited for
}

// Apply makes p.Changes, all or none. If there are none that change anything, nothing at all is written.
// Afterwards they are durable, or, if there is an error, everything is as it was; only if the error says that
// rolling back did not work either is a journal left, for the next [Recover]. Only our own state directory and
// those above it, once made, stay.
//
// The error wraps [ErrChanged], and names the path, if a change's Was does not hold any more. A context that
// is cancelled ends Apply as long as nothing can be seen of it outside the stages; after that it finishes.
//
// While passwd, shadow, group or gshadow change, the lock of lckpwdf(3) is held.
func Apply(ctx context.Context, root fsroot.FS, p plan.Plan) (r Receipt, err error) {
	disk := &counted{FS: root}
	defer func() { r.Syncs = disk.syncs }()
	if cut, err := Interrupted(disk); err != nil || cut {
		return r, errors.Join(err, errors.New("apply: there is a journal of an earlier run to recover from first"))
	}
	t, err := prepare(disk, p)
	if err != nil || len(t.changed) == 0 {
		return r, err
	}
	unlock, err := lockAccounts(ctx, root, t.journal.Steps)
	if err != nil {
		return r, err
	}
	defer unlock()
	if err = t.stage(ctx); err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		if _, undo := Recover(context.WithoutCancel(ctx), disk); undo != nil {
			err = errors.Join(err, fmt.Errorf("and roll back, which the next run will try again: %w", undo))
		}
		return r, err
	}
	r.Changed = t.changed
	// The changes are in. What is left over now, the next Recover throws away.
	_ = forget(disk, t.journal.Stages)
	return r, nil
}

// transaction is one Apply under way.
type transaction struct {
	disk    fsroot.FS
	journal journal
	changes []plan.Change          // one for each step
	changed []string               // what the plan calls all that changes
	parents map[string]fsroot.Attr // of the state directory, which are made before it and not as steps
	volumes map[string]fsroot.Volume
}

// prepare turns changes into steps, and refuses what can be known to go wrong. It only looks.
func prepare(disk fsroot.FS, p plan.Plan) (*transaction, error) {
	t := &transaction{
		disk:    disk,
		journal: journal{Version: 1, Units: p.Reload},
		parents: map[string]fsroot.Attr{},
		volumes: map[string]fsroot.Volume{},
	}
	stages := newStages(disk, stateDir)
	taken := map[string]plan.Kind{}
	for _, c := range p.Changes {
		s, err := newStep(disk, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Path, err)
		}
		if s.Do == "" {
			continue
		}
		if _, twice := taken[s.Path]; twice {
			return nil, fmt.Errorf("%s: changed twice in one plan", c.Path)
		}
		taken[s.Path] = c.Kind
		v, err := t.volume(s, taken)
		if err == nil {
			err = writable(s, v)
		}
		if err == nil && s.staged() {
			s.Stage, err = stages.add(v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Path, err)
		}
		t.changed = append(t.changed, c.Path)
		if s.Do == doMakeDirectory && strings.HasPrefix(stateDir, s.Path+"/") {
			t.parents[s.Path] = c.Attr
			continue
		}
		t.journal.Steps = append(t.journal.Steps, s)
		t.changes = append(t.changes, c)
	}
	for i, s := range t.journal.Steps {
		for dir := path.Dir(s.Path); dir != "."; dir = path.Dir(dir) {
			if kind, ok := taken[dir]; ok && kind != plan.MakeDirectory && s.New != nil {
				return nil, fmt.Errorf("%s: below %s, which the same plan makes no directory", t.changes[i].Path, dir)
			}
		}
	}
	t.journal.Stages = stages.list
	return t, nil
}

// volume is the file system that a step is on. Where nothing is yet, the directory that it will be in must be
// there, or made by a step before.
func (t *transaction) volume(s step, taken map[string]plan.Kind) (fsroot.Volume, error) {
	if s.Old != nil {
		return t.disk.Volume(s.Path)
	}
	dir := path.Dir(s.Path)
	v, known := t.volumes[dir]
	if known {
		return v, nil
	}
	if taken[dir] != plan.MakeDirectory && dir != stateDir { // which is made before anything is staged
		info, err := t.disk.Stat(dir)
		if err != nil {
			return v, err
		}
		if info.Kind != fsroot.Directory {
			return v, fmt.Errorf("there is no directory %s for it: %w", dir, fs.ErrNotExist)
		}
	}
	v, err := t.disk.Volume(dir)
	if err == nil {
		t.volumes[dir] = v
	}
	return v, err
}

// writable refuses a target that could not be written to.
func writable(s step, v fsroot.Volume) error {
	switch {
	case v.ReadOnly:
		return fmt.Errorf("the file system %s is read-only: %w", v.Top, syscall.EROFS)
	case v.Top == s.Path && s.Do != doAttributes:
		return fmt.Errorf("it is a mount point, which cannot be replaced: %w", syscall.EBUSY)
	}
	return nil
}

// newStep says how to make a change; its Do is empty if there is nothing to make.
func newStep(disk fsroot.FS, c plan.Change) (step, error) {
	s := step{Path: c.Was.Real, asked: c.Path, Old: seen(c.Was)}
	if s.Path == "" {
		info, err := disk.Stat(c.Path)
		if err != nil {
			return s, err
		}
		s.Path = info.Real
	}
	switch {
	case c.Was.Fault != "":
		return s, errors.New(c.Was.Fault)
	case c.Was.Kind == 0:
		return s, errors.New("internal error: the plan does not say what was there")
	case !utf8.ValidString(s.Path):
		return s, fmt.Errorf("the name is not UTF-8: %w", fs.ErrInvalid)
	case s.Path == "." && c.Kind != plan.MakeDirectory,
		s.Path == stateDir || strings.HasPrefix(s.Path, stateDir+"/"+"stage"), s.Path == journalPath:
		return s, fmt.Errorf("it is not to be changed: %w", fs.ErrInvalid)
	}
	was := c.Was.Kind
	switch {
	case c.Kind == plan.Remove && was == fsroot.Absent:
		return s, nil
	case c.Kind == plan.Remove && was == fsroot.Directory:
		s.Do = doRemoveDirectory
		return s, nil
	case c.Kind == plan.MakeDirectory && was == fsroot.Directory:
		if c.Was.Attr != c.Attr {
			s.Do, s.New = doAttributes, &state{Kind: directory, Attr: c.Attr}
		}
		return s, nil
	case c.Kind == plan.MakeDirectory && was == fsroot.Absent:
		s.Do, s.New = doMakeDirectory, &state{Kind: directory, Attr: c.Attr}
		return s, nil
	case c.Kind == plan.MakeDirectory:
		return s, errors.New("it is no directory, where one is wanted")
	case was == fsroot.Directory:
		return s, fmt.Errorf("it is a directory, where a %s is wanted", c.Kind)
	case was == fsroot.Other:
		return s, errors.New("it is a device, a socket or a FIFO")
	case c.Kind == plan.Remove:
		s.Do = doRemove
		return s, nil
	case c.Kind == plan.MakeLink:
		s.Do, s.New = doReplace, &state{Kind: link, Target: c.Target}
	case c.Kind == plan.WriteFile:
		s.Do, s.New = doReplace, &state{Kind: regular, Attr: c.Attr, Size: int64(len(c.Data)), SHA256: digest(c.Data)}
	default:
		return s, fmt.Errorf("internal error: a change of kind %q", c.Kind)
	}
	if s.Old.same(s.New) {
		s.Do = ""
	}
	return s, nil
}

// stage writes everything new, gives everything old a second name, and makes both durable.
func (t *transaction) stage(ctx context.Context) error {
	if err := makeState(t.disk, t.parents); err != nil {
		return err
	}
	if len(t.journal.Stages) > 0 {
		// Whoever finds this after a cut knows where to clean up.
		if len(t.journal.Stages) > 1 || t.journal.Stages[0] != stageOf(stateDir) {
			if err := t.journal.stagesOnly().write(t.disk); err != nil {
				return err
			}
		}
		if err := makeStages(t.disk, t.journal.Stages); err != nil {
			return err
		}
	}
	files := map[string][]string{} // by stage
	for i := range t.journal.Steps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stage: %w", context.Cause(ctx))
		}
		s := &t.journal.Steps[i]
		if err := s.stage(t.disk, t.changes[i]); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
		if s.New != nil && s.New.Kind == regular {
			dir := path.Dir(s.Stage)
			files[dir] = append(files[dir], s.Stage+".new")
		}
	}
	for _, dir := range t.journal.Stages {
		if err := syncFiles(t.disk, dir, files[dir]); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
		if err := t.disk.SyncDir(dir); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	return nil
}

// maxSyncs is up to how many files or directories of one file system are synced one by one.
const maxSyncs = 64

func syncFiles(disk fsroot.FS, stage string, files []string) error {
	if len(files) > maxSyncs {
		return disk.SyncVolume(stage)
	}
	for _, f := range files {
		if err := disk.SyncFile(f); err != nil {
			return err
		}
	}
	return nil
}

// commit does the steps, with a journal while they are under way.
func (t *transaction) commit(ctx context.Context) error {
	for i := range t.journal.Steps {
		s := &t.journal.Steps[i]
		now, err := look(t.disk, s.Path)
		if err != nil {
			return err
		}
		if !now.same(s.Old) {
			return fmt.Errorf("%s: %w", s.asked, ErrChanged)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.journal.write(t.disk); err != nil {
		return err
	}
	for i := range t.journal.Steps {
		if err := t.journal.Steps[i].do(t.disk); err != nil {
			return err
		}
	}
	if err := syncDirs(t.disk, t.journal.Steps); err != nil {
		return err
	}
	return t.journal.close(t.disk)
}

// syncDirs makes durable what steps did or undid to names, each directory once.
func syncDirs(disk fsroot.FS, steps []step) error {
	type volume struct {
		any  string
		dirs []string
	}
	var order []uint64
	volumes := map[uint64]*volume{}
	known := map[string]bool{}
	for _, s := range steps {
		for _, dir := range s.dirs() {
			if known[dir] {
				continue
			}
			known[dir] = true
			info, err := disk.Stat(dir)
			if err != nil && !errors.Is(err, fsroot.ErrUntrusted) {
				return err
			}
			if info.Kind != fsroot.Directory { // gone, with all names in it, by another step or another user
				continue
			}
			v, err := disk.Volume(dir)
			if err != nil {
				return err
			}
			if volumes[v.ID] == nil {
				volumes[v.ID] = &volume{any: dir}
				order = append(order, v.ID)
			}
			volumes[v.ID].dirs = append(volumes[v.ID].dirs, dir)
		}
	}
	for _, id := range order {
		v := volumes[id]
		if len(v.dirs) > maxSyncs {
			if err := disk.SyncVolume(v.any); err != nil {
				return err
			}
			continue
		}
		for _, dir := range v.dirs {
			if err := disk.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// counted counts the syncs of a file system.
type counted struct {
	fsroot.FS
	syncs int
}

func (c *counted) SyncFile(path string) error   { c.syncs++; return c.FS.SyncFile(path) }
func (c *counted) SyncDir(path string) error    { c.syncs++; return c.FS.SyncDir(path) }
func (c *counted) SyncVolume(path string) error { c.syncs++; return c.FS.SyncVolume(path) }
