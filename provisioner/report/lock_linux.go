package report

import (
	"os"

	"golang.org/x/sys/unix"
)

// locked says whether some process holds the lock of a run. One that we may not look at counts as free: the
// status file says that a run goes on, too.
func locked(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false
	}
	return l.Type != unix.F_UNLCK
}
