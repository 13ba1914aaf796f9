//go:build !linux

package disk

import (
	"context"
	"errors"
	"os"
)

var errNoDisks = errors.New("disks are read on Linux only")

func (d Disk) open() (*os.File, error) { return nil, errNoDisks }

// Open gives an error: disks are read on Linux only.
func (d Disk) Open(context.Context) (*Tree, error) { return nil, errNoDisks }
