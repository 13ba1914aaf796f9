package firstboot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
)

// Legacy is how a run differs that coreos-cloudinit's units ask for. They run at every boot, once for each datasource,
// and what they name themselves is trusted as that program did.
type Legacy struct {
	// Network says that the platform's description of the network is acted on.
	Network bool
	// Program is the program that goes on watching, when the unit that runs us has ended.
	Program string
}

// WatcherVariable is the variable of the environment in which that program finds Env.Watcher.
const WatcherVariable = "PROVISIONER_WATCHER"

// readyTime is how long a watcher may take until everything is asked for.
const readyTime = 2 * time.Minute

// BootLegacy does everything up to the hand-off, and leaves that to a unit of its own, so that a unit which is ordered
// after the one that runs us is not waited for by us. The report it returns is still open then.
func BootLegacy(ctx context.Context, env Env) *report.Report {
	r := begin(env)
	st := worse(r.whole(ctx, r.appliedBefore), r.networkState())
	r.tellPlatform(ctx, st)
	if st != report.Done && st != report.Degraded || r.request.IsEmpty() {
		r.end(ctx, st)
		return r.Report
	}
	err := r.leave(ctx)
	if err == nil {
		r.enter("hand off")
		r.pass(ctx, report.Done)
		err = r.watchElsewhere(ctx)
	}
	if err != nil {
		r.end(ctx, r.degraded(err))
	}
	return r.Report
}

// watchElsewhere starts the last stage of a boot in a unit of its own, and waits until it has asked for everything.
func (r *run) watchElsewhere(ctx context.Context) error {
	m, err := r.Manager(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	if c, ok := m.(interface{ Close() }); ok {
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	unit := fmt.Sprintf("coreos-cloudinit-handoff-%d.service", r.Env.PID)
	ready, err := m.Run(ctx, handoff.Transient{
		Unit: unit, Description: "Start what this machine was provisioned for",
		Command: []string{r.Legacy.Program, "boot", "handoff"}, Notify: true, Timeout: 15 * time.Minute,
		Environment: []string{WatcherVariable + "=" + unit},
	})
	if err != nil {
		return fmt.Errorf("start the hand-off: %w", err)
	}
	select {
	case result := <-ready:
		if result != "done" {
			return fmt.Errorf("the hand-off did not start: %s", result)
		}
		return nil
	case <-ctx.Done():
		return errors.New("the hand-off takes too long to start; it goes on")
	}
}
