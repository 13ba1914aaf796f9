//go:build !linux

package firstboot

import (
	"errors"
	"time"
)

// kernel is empty where nothing is applied.
func kernel() string { return "" }

// SetClock fails where nothing is applied.
func SetClock(time.Time) error { return errors.ErrUnsupported }
