// Package networkd writes a network as files of systemd-networkd and systemd-udevd: .link, .netdev and .network.
//
// [Render] is pure, and what it makes depends on nothing but the network.
package networkd

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

// Prefix begins the names of all our files. Digits come before letters, and few images have files before 10.
const Prefix = "05-provisioner-"

// File is a file of /etc/systemd/network.
type File struct {
	// Name is without a folder: "05-provisioner-eth0.network".
	Name string
	Text string
	// Secret says that a key is in it, so that only root and systemd-network may read it.
	Secret bool
	Why    source.Range
}

// Render makes the files of a network, sorted by name. What networkd cannot do is a finding, and never left out in silence.
func Render(n *network.Network) ([]File, diag.List) {
	return nil, nil
}
