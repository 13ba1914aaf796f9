package firstboot

import (
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

// networkOf is the network that goes with a configuration: its own; else, of the user's, the platform's.
//
// One that was tried and does not work is none.
func (r *run) networkOf(cfg *schema.Config) (n *network.Network, fromPlatform bool) {
	if n = cfg.Network; n == nil && cfg == r.config {
		n, fromPlatform = r.platformNetwork.network, true
	}
	if n == r.spent {
		n = nil
	}
	return n, fromPlatform
}
