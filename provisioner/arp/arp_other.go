//go:build !linux

package arp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// Probe works on Linux only.
func Probe(context.Context, []Claim) ([]Conflict, error) {
	return nil, fmt.Errorf("probe addresses: %w", errors.ErrUnsupported)
}

// Answers works on Linux only.
func Answers(context.Context, int, netip.Addr, netip.Addr) (bool, error) {
	return false, fmt.Errorf("ask for a gateway: %w", errors.ErrUnsupported)
}
