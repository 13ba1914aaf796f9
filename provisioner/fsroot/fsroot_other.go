//go:build !linux

package fsroot

import (
	"errors"
	"fmt"
)

// Root is a file system below one directory. There is none on this system.
type Root struct{ FS }

// Open answers an error that wraps [errors.ErrUnsupported]: a root can be worked on under Linux only.
func Open(dir string) (*Root, error) {
	return nil, fmt.Errorf("open root %s: only Linux has what this takes: %w", dir, errors.ErrUnsupported)
}

// Close does nothing.
func (*Root) Close() error { return nil }

// Name is empty.
func (*Root) Name() string { return "" }

// Lock answers an error.
func (*Root) Lock(path, holder string) (unlock func(), err error) {
	return nil, fmt.Errorf("lock %s: %w", path, errors.ErrUnsupported)
}

// IsLocked is false.
func (*Root) IsLocked(string) bool { return false }
