// Package links reads the network interfaces that the machine has: what they are, and their addresses and routes.
//
// [Read] is the thing to call. Nothing is changed, and only the network namespace of the process is seen.
package links

import (
	"context"
	"fmt"

	"cloudconfig/provisioner/plan"
)

// maxRoutes is how many routes are kept: a router of the internet has a million, and no plan is about those.
const maxRoutes = 4096

// Read gives every interface, the loopback one too, in the order of their numbers. The addresses and routes of each are in
// the kernel's order: unicast routes of all tables but the kernel's own, and [maxRoutes] of them at most. Nil on other kernels than
// Linux.
func Read(ctx context.Context) ([]plan.Interface, error) {
	all, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the network interfaces: %w", err)
	}
	return all, nil
}
