package confirm

import (
	"context"
	"fmt"
	"net"
	"net/url"
)

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
