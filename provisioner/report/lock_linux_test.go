package report_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/report"
)

func TestALockHeldIsARunGoingOn(t *testing.T) {
	dir, root := place(t)
	write(t, filepath.Join(dir, "status.json"), `{"version":1,"state":"done"}`)
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if s, err := report.ReadStatus(root); err != nil || s.State != report.Done {
		t.Fatalf("a lock file that nobody holds: %q, %v", s.State, err)
	}
	if err := unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	if s, err := report.ReadStatus(root); err != nil || s.State != report.Running || s.ExitStatus != report.ExitRunning {
		t.Errorf("a held lock: %q, exit status %d, %v", s.State, s.ExitStatus, err)
	}
}

func TestWait(t *testing.T) {
	dir, root := place(t)
	name := filepath.Join(dir, "status.json")
	write(t, name, `{"version":1,"state":"running"}`)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		time.AfterFunc(time.Minute, func() {
			write(t, name+".new", `{"version":1,"state":"failed"}`)
			if err := os.Rename(name+".new", name); err != nil {
				t.Error(err)
			}
		})
		s, err := report.Wait(t.Context(), root, nil)
		if took := time.Since(began); err != nil || s.State != report.Failed || took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("%q after %s, %v", s.State, took, err)
		}
	})
}

// A script that logs in early asks before anything has begun; one that asks late may find a boot that nobody goes on with.
func TestWhatTheFileCannotKnow(t *testing.T) {
	const between, dead = `{"version":1,"state":"running","stage":"commit"}`, `{"version":1,"state":"running","stage":"commit","pid":4194305}`
	for _, c := range []struct {
		name, file string
		more       bool
		err        error
		want       report.State
	}{
		{"nothing ran, and nothing will", "", false, nil, report.None},
		{"nothing ran yet", "", true, nil, report.Running},
		{"nothing ran, and nobody knows", "", false, errors.New("no bus"), report.None},
		{"between two stages", between, true, nil, report.Running},
		{"a stage that never came", between, false, nil, report.Failed},
		{"between two stages, and nobody knows", between, false, errors.New("no bus"), report.Running},
		{"a stage was killed, and the next one is to come", dead, true, nil, report.Running},
		{"the last stage was killed", dead, false, nil, report.Failed},
		{"a stage was killed, and nobody knows", dead, false, errors.New("no bus"), report.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, root := place(t)
			if c.file != "" {
				write(t, filepath.Join(dir, "status.json"), c.file)
			}
			s, err := report.Look(t.Context(), root, func(context.Context) (bool, error) { return c.more, c.err })
			if err != nil || s.State != c.want || s.ExitStatus != c.want.ExitStatus() {
				t.Errorf("%q, exit status %d, %v; want %q", s.State, s.ExitStatus, err, c.want)
			}
		})
	}
}

// A boot that has ended is not asked about, and what ends while systemd is asked is seen.
func TestAskedOnlyIfItMatters(t *testing.T) {
	dir, root := place(t)
	write(t, filepath.Join(dir, "status.json"), `{"version":1,"state":"done"}`)
	s, err := report.Look(t.Context(), root, func(context.Context) (bool, error) { t.Error("asked"); return true, nil })
	if err != nil || s.State != report.Done {
		t.Errorf("%q, %v", s.State, err)
	}
	write(t, filepath.Join(dir, "status.json"), `{"version":1,"state":"running"}`)
	s, err = report.Look(t.Context(), root, func(context.Context) (bool, error) {
		write(t, filepath.Join(dir, "status.json"), `{"version":1,"state":"done"}`)
		return false, nil
	})
	if err != nil || s.State != report.Done {
		t.Errorf("%q, %v", s.State, err)
	}
}
