package firstboot

import (
	"context"
	"fmt"

	"cloudconfig/provisioner/handoff"
)

// The units of the stages that come later in a boot.
const (
	mainUnit    = "provisioner.service"
	handoffUnit = "provisioner-handoff.service"
)

// willStart is an error if the next stage does not come. Where a unit of the user's waits for one of ours and ours for it, systemd
// drops the start of one of them, and if that is ours nobody else would tell.
func (r *run) willStart(ctx context.Context, unit string) error {
	m, err := r.Manager(ctx)
	if err != nil {
		return nil // the next stage tells it, if it comes
	}
	if c, ok := m.(interface{ Close() }); ok {
		defer c.Close()
	}
	if ring := handoff.Dropped(ctx, m, unit); ring != "" {
		return fmt.Errorf("systemd does not start %s: %s", unit, ring)
	}
	return nil
}
