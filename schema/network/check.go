package network

import "cloudconfig/schema/findings"

// Check reports what of a network does not fit together.
func Check(c *findings.Collector, n *Network) {
}
