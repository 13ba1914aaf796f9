//go:build !linux

package handoff

import (
	"context"
	"errors"
)

// Connect fails: systemd is a thing of Linux.
func Connect(context.Context) (*Systemd, error) {
	return nil, errors.New("connect to systemd: this is not Linux")
}

// Coming fails likewise.
func Coming(context.Context) (bool, error) {
	return false, errors.New("ask systemd for its jobs: this is not Linux")
}

// Systemd is never made here.
type Systemd struct{ Manager }

// Close does nothing.
func (s *Systemd) Close() {}
