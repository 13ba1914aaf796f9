package firstboot

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is the release of the running kernel, "6.1.0-56-cloud-amd64".
func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// SetClock sets the clock of the running system.
func SetClock(t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}
