package metadatatest

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// socket is bound and does not listen: the kernel refuses connections to it, and gives its port to nobody, not even for
// the near end of a connection.
type socket int

func hold(host string) (port, string, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil, "", err
	}
	family, local := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: addr.As16()})
	if addr.Is4() {
		family, local = unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, local); err != nil {
		_ = unix.Close(fd)
		return nil, "", os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, "", os.NewSyscallError("getsockname", err)
	}
	number := 0
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		number = b.Port
	case *unix.SockaddrInet6:
		number = b.Port
	}
	return socket(fd), netip.AddrPortFrom(addr, uint16(number)).String(), nil
}

func (s socket) listen() (net.Listener, error) {
	if err := unix.Listen(int(s), unix.SOMAXCONN); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	f := os.NewFile(uintptr(s), "listener")
	defer f.Close() // the listener has a descriptor of its own
	return net.FileListener(f)
}

func (s socket) release() { _ = unix.Close(int(s)) }
