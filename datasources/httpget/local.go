package httpget

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// ErrLocal is why a connection was not made that a document asked for.
var ErrLocal = errors.New("the address is one of this machine or its link, which nothing fetched may name")

// isLocal says that a host is this machine, or can only be on its link, as far as its text says.
func isLocal(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && IsLocal(addr)
}

// IsLocal says that an address is this machine's, on its link, or a metadata service's own, in whatever form: IPv4
// inside IPv6 as well, mapped (::ffff:0:0/96), compatible (::/96), translated (64:ff9b::/96) or 6to4 (2002::/16).
func IsLocal(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast() || addr.IsUnspecified() ||
		addr == netip.MustParseAddr("fd00:ec2::254") {
		return true
	}
	if addr.Is4() {
		return addr.As4()[0] == 0 // "this network": Linux takes 0.0.0.0/8 for itself
	}
	b := addr.As16()
	for _, inside := range []struct {
		prefix string
		at     int
	}{{"::/96", 12}, {"64:ff9b::/96", 12}, {"2002::/16", 2}} {
		if netip.MustParsePrefix(inside.prefix).Contains(addr) && IsLocal(netip.AddrFrom4([4]byte(b[inside.at:]))) {
			return true
		}
	}
	return false
}

// refuseLocal keeps a dialer from local addresses, after names are resolved.
func refuseLocal(_, address string, _ syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err != nil || IsLocal(to.Addr()) {
		return ErrLocal
	}
	return nil
}

func proxy(req *http.Request) (*url.URL, error) {
	if isLocal(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}
