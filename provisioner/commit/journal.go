package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"cloudconfig/provisioner/fsroot"
)

// Where the state is, below the root.
const (
	stateDir    = "var/lib/provisioner"
	journalPath = stateDir + "/journal"
	journalNew  = stateDir + "/journal.new"  // not whole yet
	journalDone = stateDir + "/journal.done" // committed or rolled back; names what is to be cleaned up
)

// journal is what Recover needs to know. Version 1; a later version must not be read by this program.
type journal struct {
	Version int      `json:"version"`
	Stages  []string `json:"stages"` // every directory that was made for staging
	Units   bool     `json:"units"`  // units are among the changes
	Steps   []step   `json:"steps"`
}

// maxJournal is more than a plan of the largest configuration can fill.
const maxJournal = 256 << 20

// stagesOnly is the journal's first form: nothing to undo yet, but something to clean up.
func (j journal) stagesOnly() journal {
	j.Steps = nil
	return j
}

// write makes j the journal, durably.
func (j journal) write(disk fsroot.FS) error {
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = disk.Remove(journalNew)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = disk.Create(journalNew, append(data, '\n'), fsroot.Attr{Mode: 0o600})
	}
	if err == nil {
		err = disk.SyncFile(journalNew)
	}
	if err == nil {
		err = disk.Rename(journalNew, journalPath)
	}
	if err == nil {
		err = disk.SyncDir(stateDir)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// close is the moment of the commit, or the end of a recovery: from then on there is nothing to undo. If it
// cannot be made durable there is a journal again, to be on the safe side of both.
func (j journal) close(disk fsroot.FS) error {
	err := disk.Rename(journalPath, journalDone)
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	if err = disk.SyncDir(stateDir); err != nil {
		return errors.Join(fmt.Errorf("close journal: %w", err), disk.Rename(journalDone, journalPath))
	}
	return nil
}

// readJournal reads one of the journal files; ok is false if it is not there.
func readJournal(disk fsroot.FS, p string) (j journal, ok bool, err error) {
	data, _, err := disk.ReadFile(p, maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &j)
	}
	if err == nil && j.Version != 1 {
		err = fmt.Errorf("it has version %d, and this program knows version 1", j.Version)
	}
	if err != nil {
		return j, false, fmt.Errorf("journal %s: %w", p, err)
	}
	return j, true, nil
}

// Interrupted says that an earlier Apply was cut short and its changes are not undone yet. It only looks.
func Interrupted(root fsroot.FS) (bool, error) {
	info, err := root.Stat(journalPath)
	if err != nil {
		return false, fmt.Errorf("look for a journal: %w", err)
	}
	return info.Kind != fsroot.Absent, nil
}

// Recovery says what Recover did.
type Recovery struct {
	RolledBack bool // an Apply had been cut short, and was undone
	Units      bool // units were among what was undone: systemd must read them again
	// Kept are paths that somebody else has changed since, so that they were left as they are.
	Kept []string
}

// Recover undoes an Apply that was cut short, and throws away what is left of stages. Without a journal it
// changes nothing but that. It may itself be cut short anywhere, and is then to be called again; an error
// leaves the journal in place.
func Recover(ctx context.Context, root fsroot.FS) (Recovery, error) {
	var r Recovery
	j, cut, err := readJournal(root, journalPath)
	if err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	if cut {
		if r, err = j.rollBack(ctx, root); err != nil {
			return r, fmt.Errorf("recover: %w", err)
		}
	} else if j, _, err = readJournal(root, journalDone); err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	left, err := leftovers(root)
	if err == nil && (cut || left) {
		if !cut {
			// That there is no journal may not be durable yet.
			err = root.SyncDir(stateDir)
		}
		if err == nil {
			err = forget(root, j.Stages)
		}
	}
	if err != nil {
		return r, fmt.Errorf("recover: %w", err)
	}
	return r, nil
}

// rollBack undoes every step, last first.
func (j journal) rollBack(ctx context.Context, disk fsroot.FS) (r Recovery, err error) {
	// The run that was cut short may have died before its journal was durable, or after it had tried to
	// remove it. Nothing may be undone on the strength of a journal that the next cut takes away.
	if err := disk.SyncDir(stateDir); err != nil {
		return r, err
	}
	for i := range slices.Backward(j.Steps) {
		if err := ctx.Err(); err != nil {
			return r, context.Cause(ctx)
		}
		s := &j.Steps[i]
		kept, err := s.undo(disk)
		if err != nil {
			return r, fmt.Errorf("undo %s: %w", s.Path, err)
		}
		if kept {
			r.Kept = append(r.Kept, s.Path)
		}
	}
	// All of them, also of steps that an earlier Recover has undone: it may have died before it came here.
	if err := syncDirs(disk, j.Steps); err != nil {
		return r, err
	}
	if err := j.close(disk); err != nil {
		return r, err
	}
	r.RolledBack, r.Units = len(j.Steps) > 0, j.Units && len(j.Steps) > 0
	return r, nil
}

// leftovers says that something is to be thrown away.
func leftovers(disk fsroot.FS) (bool, error) {
	for _, p := range []string{journalDone, journalNew, stageOf(stateDir)} {
		info, err := disk.Stat(p)
		if err != nil || info.Kind != fsroot.Absent {
			return err == nil, err
		}
	}
	return false, nil
}

// forget throws stages away. The journal must be gone, durably.
func forget(disk fsroot.FS, stages []string) error {
	own := stageOf(stateDir)
	for _, dir := range stages {
		if dir == own {
			continue
		}
		if err := removeStage(disk, dir); err != nil {
			return err
		}
		// The note of where this stage was goes next.
		if err := disk.SyncDir(path.Dir(dir)); err != nil {
			return err
		}
	}
	if err := removeStage(disk, own); err != nil {
		return err
	}
	for _, p := range []string{journalNew, journalDone} {
		if err := disk.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// stageOf is where the stage in a directory of ours is; it is called differently at the top of a volume.
func stageOf(home string) string { return home + "/stage" }

// stages hands out places to stage in.
type stages struct {
	home   string // a directory of ours, whose stage serves the volume it is on
	disk   fsroot.FS
	list   []string
	counts map[uint64]int
	dirs   map[uint64]string
}

func newStages(disk fsroot.FS, home string) *stages {
	return &stages{home: home, disk: disk, counts: map[uint64]int{}, dirs: map[uint64]string{}}
}

// add is the path, without ending, for the copies of one more step on a volume.
func (s *stages) add(v fsroot.Volume) (string, error) {
	dir, ok := s.dirs[v.ID]
	if !ok {
		own, err := s.disk.Volume(s.home)
		if err != nil {
			return "", err
		}
		switch {
		case own.ID == v.ID:
			dir = stageOf(s.home)
		case v.Shared:
			return "", fmt.Errorf("others than root can write to the top of its file system (%s), so nothing can be staged there: %w",
				v.Top, fsroot.ErrUntrusted)
		default:
			dir = path.Join(v.Top, ".provisioner-stage")
		}
		s.dirs[v.ID] = dir
		s.list = append(s.list, dir)
	}
	s.counts[v.ID]++
	return fmt.Sprintf("%s/%d", dir, s.counts[v.ID]), nil
}

// makeStages makes empty stages, durably: no journal may outlive the stages that it needs. What an earlier run
// left in one has no journal any more.
func makeStages(disk fsroot.FS, list []string) error {
	for _, dir := range list {
		err := removeStage(disk, dir)
		if err == nil {
			err = disk.Mkdir(dir, fsroot.Attr{Mode: 0o700})
		}
		if err == nil {
			err = disk.SyncDir(path.Dir(dir))
		}
		if err != nil {
			return fmt.Errorf("make stage: %w", err)
		}
	}
	return nil
}

// removeStage removes a stage with all that is in it, if it is there.
func removeStage(disk fsroot.FS, dir string) error {
	info, err := disk.Stat(dir)
	if err != nil || info.Kind == fsroot.Absent {
		return err
	}
	if info.Kind != fsroot.Directory {
		return &fs.PathError{Op: "remove", Path: dir, Err: syscall.ENOTDIR}
	}
	names, err := disk.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := disk.Remove(path.Join(dir, name)); err != nil {
			return err
		}
	}
	return disk.Remove(dir)
}

// makeState makes the state directory, durably, and what is missing above it, with attributes that a plan may
// have for it.
func makeState(disk fsroot.FS, parents map[string]fsroot.Attr) error {
	for i := range strings.Count(stateDir, "/") + 1 {
		dir := strings.Join(strings.Split(stateDir, "/")[:i+1], "/")
		info, err := disk.Stat(dir)
		if err == nil && info.Kind == fsroot.Absent {
			a, planned := parents[dir]
			switch {
			case dir == stateDir:
				a = fsroot.Attr{Mode: 0o700}
			case !planned:
				a = fsroot.Attr{Mode: 0o755}
			}
			err = disk.Mkdir(dir, a)
		}
		if err == nil {
			err = disk.SyncDir(path.Dir(dir))
		}
		if err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
	}
	return nil
}
