package firstboot

import (
	"context"
	"slices"
	"time"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// platformNetwork is what the platform says of the machine's network.
type platformNetwork struct {
	// network is nil if it says nothing, or nothing that can be read.
	network *network.Network
	// file is the description; nil if there is none.
	file  *source.File
	found diag.List
}

// describe reads the best of the platform's descriptions of the network: the first that says anything.
func (r *run) describe() {
	r.platformNetwork = platformNetwork{}
	if r.Legacy != nil && !r.Legacy.Network {
		return
	}
	for _, d := range r.data.Network {
		f := &source.File{Name: d.Name, Bytes: d.Bytes}
		n, found := schema.DecodeNetwork(f, d.Kind)
		if n != nil || len(found) > 0 {
			r.platformNetwork = platformNetwork{network: n, file: f, found: found}
			return
		}
	}
}

// ownNetwork says that the user's configuration has a network, which takes the place of the platform's.
func (r *run) ownNetwork() bool { return r.config != nil && r.config.Network != nil }

// findNetwork adds what is found of the network to what the check has found. Where the user describes the network, what the
// platform says of it is as if it had not been said.
func (r *run) findNetwork() {
	p := r.platformNetwork
	switch {
	case p.file == nil:
	case r.ownNetwork():
		if p.network != nil {
			d := diag.New(rules.NetworkReplaced, r.config.Network.At, "the network that %s describes is not taken", p.file.Name)
			d.Detail = "this description takes its place whole"
			r.find(diag.List{d})
		}
	default:
		r.files = append(r.files, p.file)
		r.find(p.found)
	}
}

// floorNetwork is the network of the access floor: the platform's, unless the user has another and nothing is wrong with that:
// what comes first must not be undone by what comes next.
func (r *run) floorNetwork() *network.Network {
	if r.ownNetwork() && !r.found.HasErrors() || r.platformNetwork.found.HasErrors() {
		return nil
	}
	return r.platformNetwork.network
}

// networkOf is the network that goes with a configuration: its own; else, of the user's, the platform's. With the platform's
// come the units of the user's that may have a link of it. One that was tried and does not work is none.
func (r *run) networkOf(cfg *schema.Config) (n *network.Network, units []schema.Unit) {
	if n = cfg.Network; n == nil && cfg == r.config {
		n = r.platformNetwork.network
	}
	if n == nil || n == r.spent {
		return nil, nil
	}
	if n == r.platformNetwork.network && r.config != nil && !r.found.HasErrors() {
		units = r.config.Units
	}
	return n, units
}

// interfaces are those of the running system. A kernel that does not answer has none, as far as we are concerned.
func (r *run) interfaces(ctx context.Context) []plan.Interface {
	if !r.Live || r.Env.Interfaces == nil {
		return nil
	}
	all, _ := r.Env.Interfaces(ctx)
	return all
}

// A card is looked for so often, and so long in between: the kernel may still be finding it, and udev may still have to give it
// its name.
const (
	cardLooks = 40
	cardPause = 250 * time.Millisecond
)

// awaitsCard says that nothing but a card is missing.
func (r *run) awaitsCard(found diag.List) bool {
	missing := false
	for _, d := range found {
		missing = missing || d.Rule == rules.NetworkAbsent && d.Severity == diag.Error
		if d.Rule != rules.NetworkAbsent && d.Severity == diag.Error {
			return false
		}
	}
	return missing && r.locked && r.looks < cardLooks
}

// waitForCard waits until there are other interfaces than there were; false if that takes too long. All cards of a run
// together are waited for as long as one.
func (r *run) waitForCard(ctx context.Context, f *plan.Facts) bool {
	if r.looks == 0 {
		r.say("plan", "waiting up to %s for a card that is to be configured and is not there", cardLooks*cardPause)
	}
	defer r.waiting("a card that is to be configured")()
	for ; r.looks < cardLooks; r.looks++ {
		if r.sleep(ctx, cardPause) != nil {
			return false
		}
		now := r.interfaces(ctx)
		same := slices.EqualFunc(now, f.Interfaces, func(a, b plan.Interface) bool { return a.Index == b.Index && a.Name == b.Name && a.MAC == b.MAC })
		if !same {
			f.Interfaces = now
			return true
		}
	}
	return false
}

// sleep waits, as long as the context lets it.
func (r *run) sleep(ctx context.Context, d time.Duration) error {
	if r.Env.Sources.Sleep != nil {
		return r.Env.Sources.Sleep(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
