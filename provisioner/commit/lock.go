package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
)

// ErrBusy is wrapped if somebody else holds a lock for longer than is waited for.
var ErrBusy = errors.New("busy")

// Locker is what [Lock] needs of a root; *fsroot.Root is one.
type Locker interface {
	// Lock takes the lock on a file, or wraps fsroot.ErrLocked. It writes holder to the file.
	Lock(path, holder string) (unlock func(), err error)
	ReadFile(path string, limit int64) ([]byte, fsroot.Info, error)
}

// Patience is how long a run waits for another one that changes something.
const Patience = 30 * time.Second

const (
	lockPath    = "run/provisioner/lock"
	handOffPath = "run/provisioner/handing-off"

	// accountsLock is the file of lckpwdf(3), which waits as long.
	accountsLock     = "etc/.pwd.lock"
	accountsPatience = 15 * time.Second
)

// Lock makes sure that one run at a time works on a root. It comes before everything else, Recover too. It
// waits for another run, usually for [Patience], and tells waiting, once, which one it is ("process 123"); waiting may be
// nil. The error wraps [ErrBusy] if the other run takes longer. The lock ends with unlock or the process.
func Lock(ctx context.Context, root Locker, patience time.Duration, waiting func(holder string)) (unlock func(), err error) {
	return lockOurs(ctx, root, lockPath, patience, waiting)
}

// LockHandOff makes sure that one run at a time hands off what was committed, which may take hours; others may commit
// meanwhile. For the rest it is like [Lock], which comes inside of it.
func LockHandOff(ctx context.Context, root Locker, patience time.Duration, waiting func(holder string)) (unlock func(), err error) {
	return lockOurs(ctx, root, handOffPath, patience, waiting)
}

func lockOurs(ctx context.Context, root Locker, p string, patience time.Duration, waiting func(string)) (func(), error) {
	unlock, err := lock(ctx, root, p, fmt.Sprintf("process %d\n", os.Getpid()), patience, waiting)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return unlock, nil
}

func lock(ctx context.Context, root Locker, p, holder string, patience time.Duration, waiting func(string)) (func(), error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrBusy)
	defer cancel()
	for first := true; ; first = false {
		unlock, err := root.Lock(p, holder)
		if err == nil || !errors.Is(err, fsroot.ErrLocked) {
			return unlock, err
		}
		if first && waiting != nil {
			waiting(whoHolds(root, p))
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, ErrBusy) {
				return nil, cause
			}
			return nil, fmt.Errorf("%s has held %s for %v: %w", whoHolds(root, p), p, patience, ErrBusy)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// whoHolds is what the holder of a lock says of itself, if it looks like what we write.
func whoHolds(root Locker, p string) string {
	data, _, err := root.ReadFile(p, 64)
	if err != nil {
		return "another process"
	}
	line, _, _ := strings.Cut(string(data), "\n")
	number, ours := strings.CutPrefix(line, "process ")
	pid, err := strconv.Atoi(number)
	if !ours || err != nil || pid <= 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// lockAccounts takes the lock of lckpwdf(3) if a step changes accounts and the root can lock.
func lockAccounts(ctx context.Context, root fsroot.FS, steps []step) (unlock func(), err error) {
	locker, ok := root.(Locker)
	if !ok || !accounts(steps) {
		return func() {}, nil
	}
	if info, err := root.Stat(path.Dir(accountsLock)); err != nil || info.Kind != fsroot.Directory {
		return func() {}, err // an image without /etc has no accounts to protect
	}
	unlock, err = lock(ctx, locker, accountsLock, "", accountsPatience, nil)
	if err != nil {
		return nil, fmt.Errorf("lock accounts: %w", err)
	}
	return unlock, nil
}

func accounts(steps []step) bool {
	for _, s := range steps {
		switch s.asked {
		case "etc/passwd", "etc/shadow", "etc/group", "etc/gshadow":
			return true
		}
	}
	return false
}
