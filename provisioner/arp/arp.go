// Package arp asks the neighbours on a link who has an address: whether it is free, by [Probe], and whether a gateway is
// there, by [Answers]. It sends a few small packets and changes nothing of the machine.
package arp

import "net/netip"

// Claim is an address of IPv4 that an interface, by its index, is to have.
type Claim struct {
	Interface int
	Addr      netip.Addr
}

// Conflict is a claim that is somebody else's, and who that is: the hardware address in lower case with colons.
type Conflict struct {
	Claim
	MAC string
}

// MaxClaims is how many addresses are asked for; nobody is to flood a network by a long description.
const MaxClaims = 256
