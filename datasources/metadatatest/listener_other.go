//go:build !linux

package metadatatest

import "net"

// address is only known to have been free.
type address string

func hold(host string) (port, string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, "", err
	}
	addr := l.Addr().String()
	return address(addr), addr, l.Close()
}

func (a address) listen() (net.Listener, error) { return net.Listen("tcp", string(a)) }

func (address) release() {}
