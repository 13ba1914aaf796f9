package confirm

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"

	"cloudconfig/provisioner/arp"
)

// Answers implements Prober. The packets are our own, and no look at the kernel's table of neighbours: an entry there may be of
// the network before, and one that is made by sending a datagram goes by the routes, which are what is to be proved.
func (Machine) Answers(ctx context.Context, index int, from, gateway netip.Addr) (bool, error) {
	return arp.Answers(ctx, index, from, gateway)
}

// Reach implements Prober: it connects to the host of a URL, and asks nothing. What comes back over a connection says no more of
// the network than the connection.
func (Machine) Reach(ctx context.Context, address string) error {
	host, err := HostOf(address)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", host, err)
	}
	return conn.Close()
}

// HostOf is what a URL of http, https or tcp connects to: "192.0.2.1:80". Errors have nothing of the URL, which may have a secret.
func HostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("not a URL with a host")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	case u.Scheme == "https":
		port = "443"
	default:
		return "", fmt.Errorf("not a URL of http or https, and no tcp://HOST:PORT")
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}
