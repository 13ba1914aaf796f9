package report_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/report"
)

func TestALockHeldIsARunGoingOn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "status.json"), `{"version":1,"state":"done"}`)
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if s, err := report.ReadStatus(dir); err != nil || s.State != report.Done {
		t.Fatalf("a lock file that nobody holds: %q, %v", s.State, err)
	}
	if err := unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	if s, err := report.ReadStatus(dir); err != nil || s.State != report.Running || s.ExitStatus != report.ExitRunning {
		t.Errorf("a held lock: %q, exit status %d, %v", s.State, s.ExitStatus, err)
	}
}

func TestWait(t *testing.T) {
	dir := t.TempDir()
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
		s, err := report.Wait(t.Context(), dir)
		if took := time.Since(began); err != nil || s.State != report.Failed || took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("%q after %s, %v", s.State, took, err)
		}
	})
}
