// Package endpoint reads the address of a platform's metadata service, as it is named on a command line.
package endpoint

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// Parse takes a scheme, http or https, and a host, and gives them without what may stand behind: a slash. A zone is
// escaped. The error says what is wrong with the address and does not hold it. Routed says that the host may be anywhere:
// it is neither link-local nor this machine.
func Parse(address string) (base string, routed bool, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", false, errors.New("the address is no URL such as http://169.254.169.254")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return "", false, errors.New("the address has more than a scheme and a host")
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), isRouted(u.Hostname()), nil
}

// isRouted: fd00:ec2::254 is EC2's own address of its service on IPv6, and is not routed there; GCE's own name is
// taken for the link-local address, without a look-up.
func isRouted(host string) bool {
	if host == "metadata.google.internal" {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.IsLinkLocalUnicast() && !addr.IsLoopback() && addr != netip.MustParseAddr("fd00:ec2::254")
}
