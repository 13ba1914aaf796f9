package address

import (
	"context"
	"net/netip"

	"cloudconfig/datasources/machine"
)

// Expand fills in a URL for a machine that is not the one we run on, or that is one if it is live.
func Expand(ctx context.Context, m *machine.Machine, live bool, leaves func(host string) (netip.Addr, error), rawURL string) (string, error) {
	x := &expander{machine: m, live: live, network: func(_ context.Context, host string) (netip.Addr, error) { return leaves(host) }}
	return x.expand(ctx, rawURL)
}
