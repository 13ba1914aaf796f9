//go:build !linux || !amd64

package vmware

import (
	"fmt"

	"cloudconfig/datasources"
)

func isVMwareCPU() bool { return false }

// openBackdoor fails: the port is one of x86 processors.
func openBackdoor() (channel, error) {
	return nil, fmt.Errorf("neither vmware-rpctool nor vmtoolsd is there: %w", datasources.ErrAbsent)
}
