package clock

import "context"

// Parse is what reads a packet.
var Parse = parse

// CorrectFromDHCP is Correct with servers that DHCP named, which no lease can say of the addresses that a test has.
func CorrectFromDHCP(ctx context.Context, c *Clock, servers []string) error {
	return c.correct(ctx, servers, true)
}
