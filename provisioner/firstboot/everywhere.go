package firstboot

import (
	"context"
	"fmt"
	"path"
	"strings"

	"cloudconfig/datasources/catalog"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/owner"
	"cloudconfig/provisioner/plan"
)

// everywherePath is the file with which the network is brought up for a source that needs it, where nothing else does.
var everywherePath = "run/systemd/network/" + networkd.Everywhere().Name

// bringUp gives the machine a network by DHCP on every card, if a source is to be asked that needs one, there is none, and
// nothing on the machine configures one. That it cannot be done is told, and the source is asked all the same.
func (r *run) bringUp(ctx context.Context) {
	if !r.Live || r.offline || r.Online == nil || r.Online() || !r.needsNetwork() {
		return
	}
	who, err := owner.OfNetwork(r.Root, path.Base(everywherePath))
	if who != "" {
		return
	}
	if err == nil {
		r.say("network", "nothing configures the network; asking for an address by DHCP on every card")
		err = r.write(ctx, []plan.Change{{
			Kind: plan.WriteFile, Path: everywherePath, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(networkd.Everywhere().Text), Origin: "default network",
		}})
	}
	if err == nil {
		err = r.networkdJob(ctx, "reload-or-restart")
	}
	if err != nil {
		r.say("network", "the network cannot be brought up: %v", err)
	}
}

func (r *run) needsNetwork() bool {
	for _, spec := range r.specs {
		if !catalog.IsLocal(spec) {
			return true
		}
	}
	return false
}

// networkdJob asks systemd for a job of networkd, and waits for it.
func (r *run) networkdJob(ctx context.Context, action string) error {
	m, err := r.Manager(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	if c, ok := m.(interface{ Close() }); ok {
		defer c.Close()
	}
	const unit = "systemd-networkd.service"
	defer r.waiting(action + " of " + unit)()
	done, err := m.Enqueue(ctx, unit, action)
	if err != nil {
		return fmt.Errorf("%s %s: %w", action, unit, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s %s: %s", action, unit, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", action, unit, ctx.Err())
	}
}

// takeDown takes the network by DHCP away again, once a plan configures a link: that it does so itself.
func (r *run) takeDown(ctx context.Context, p plan.Plan) error {
	info, err := r.Root.Stat(everywherePath)
	if err != nil || !r.Live || info.Kind == fsroot.Absent || !configuresLink(p) || r.isRestored() {
		return err
	}
	return r.write(ctx, []plan.Change{{Kind: plan.Remove, Path: everywherePath, Origin: "default network"}})
}

func configuresLink(p plan.Plan) bool {
	for _, item := range p.Owned {
		if item.Kind == plan.WriteFile && strings.HasSuffix(item.Path, ".network") {
			return true
		}
	}
	for _, c := range p.Kept {
		if c.Kind == plan.WriteFile && strings.HasSuffix(c.Path, ".network") {
			return true
		}
	}
	return false
}
