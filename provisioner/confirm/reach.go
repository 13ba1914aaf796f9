package confirm

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"cloudconfig/provisioner/arp"
)

// Answers implements Prober. The packets are our own, and no look at the kernel's table of neighbours: an entry there may be of
// the network before, and one that is made by sending a datagram goes by the routes, which are what is to be proved.
func (Machine) Answers(ctx context.Context, index int, from, gateway netip.Addr) (bool, error) {
	return arp.Answers(ctx, index, from, gateway)
}

// Reach implements Prober: it connects, and asks nothing. What comes back over a connection says no more of the network than
// the connection.
func (Machine) Reach(ctx context.Context, host string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &name): // which says something else each time
		return errors.New("its name is not found")
	case errors.As(err, &op):
		return op.Err
	case err != nil:
		return err
	}
	return conn.Close()
}
