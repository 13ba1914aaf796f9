package network

import "strings"

// BondWords are what a parameter of a bond may be, by the kernel's name of it, each in the place of its number there; none
// of a parameter that is no word.
//
// Source: Linux, Documentation/networking/bonding.rst at 6.1; systemd.netdev(5) of v252.
func BondWords(parameter string) []string {
	words := ""
	switch parameter {
	case "mode":
		words = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb"
	case "lacp_rate":
		words = "slow fast"
	case "ad_select":
		words = "stable bandwidth count"
	case "xmit_hash_policy":
		words = "layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac"
	case "arp_validate":
		words = "none active backup all"
	case "arp_all_targets":
		words = "any all"
	case "fail_over_mac":
		words = "none active follow"
	case "primary_reselect":
		words = "always better failure"
	}
	return strings.Fields(words)
}
