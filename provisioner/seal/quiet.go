package seal

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"cloudconfig/provisioner/handoff"
)

// quietTime bounds what is asked of the running system before it is sealed.
const quietTime = 30 * time.Second

// Quiet is Options.Quiet of a running system. Two services would write again what was removed when the system is shut
// down: systemd-random-seed saves its seed when it is stopped, so it is stopped now, and journald is told to write below
// /run from now on.
//
// Sources: systemd-random-seed.service(8), and --relinquish-var of journalctl(1) (v252).
func Quiet(connect func(context.Context) (handoff.Manager, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, quietTime)
		defer cancel()
		m, err := connect(ctx)
		if err != nil {
			return fmt.Errorf("connect to systemd: %w", err)
		}
		if c, ok := m.(interface{ Close() }); ok {
			defer c.Close()
		}
		const seed = "systemd-random-seed.service"
		done, err := m.Enqueue(ctx, seed, "stop")
		if err != nil {
			return fmt.Errorf("stop %s: %w", seed, err)
		}
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("stop %s: %w", seed, ctx.Err())
		}
		if err := exec.CommandContext(ctx, "journalctl", "--relinquish-var").Run(); err != nil {
			return fmt.Errorf("have the journal write below /run: journalctl --relinquish-var: %w", err)
		}
		return nil
	}
}
