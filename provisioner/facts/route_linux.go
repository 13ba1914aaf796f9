package facts

import (
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// defaultRoute finds an address of the interface of the default route, for each family; empty without one.
// A kernel that does not answer has no route, as far as we are concerned.
func defaultRoute() (ipv4, ipv6 string) {
	return address(netlink.FAMILY_V4), address(netlink.FAMILY_V6)
}

// unusable are IPv6 addresses that others do not know us by, or not yet, or not for long.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY

func address(family int) string {
	routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return ""
	}
	var best *netlink.Route
	for i, r := range routes {
		isDefault := r.Dst == nil
		if r.Dst != nil {
			ones, _ := r.Dst.Mask.Size()
			isDefault = ones == 0 && r.Dst.IP.IsUnspecified()
		}
		if isDefault && r.LinkIndex != 0 && (best == nil || r.Priority < best.Priority) {
			best = &routes[i]
		}
	}
	if best == nil {
		return ""
	}
	if usable(best.Src) {
		return best.Src.String()
	}
	link, err := netlink.LinkByIndex(best.LinkIndex)
	if err != nil {
		return ""
	}
	addresses, err := netlink.AddrList(link, family)
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if a.IPNet != nil && usable(a.IP) && a.Flags&unusable == 0 {
			return a.IP.String()
		}
	}
	return ""
}

func usable(ip net.IP) bool { return ip.IsGlobalUnicast() }
