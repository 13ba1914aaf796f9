//go:build !linux

package confirm

import (
	"context"
	"errors"
	"net/netip"

	"cloudconfig/provisioner/plan"
)

// Machine is of no use here: nothing is applied on this system.
type Machine struct{}

// Interfaces implements Kernel.
func (Machine) Interfaces(context.Context) ([]plan.Interface, error) { return nil, nil }

// Delete implements Kernel.
func (Machine) Delete(context.Context, int) error { return errors.ErrUnsupported }

// Rename implements Kernel.
func (Machine) Rename(int, string) error { return errors.ErrUnsupported }

// Release implements Kernel.
func (Machine) Release(int) error { return errors.ErrUnsupported }

// SetMTU implements Kernel.
func (Machine) SetMTU(int, int) error { return errors.ErrUnsupported }

// RemoveAddress implements Kernel.
func (Machine) RemoveAddress(int, netip.Prefix) error { return errors.ErrUnsupported }

// ReloadUdev implements Kernel.
func (Machine) ReloadUdev(context.Context) error { return errors.ErrUnsupported }
