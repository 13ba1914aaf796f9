package facts

import (
	"encoding/binary"
	"net"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// defaultRoute finds an address of the interface of the default route, for each family; empty without one.
// A kernel that does not answer has no route, as far as we are concerned.
//
// The few attributes that matter are read here: package netlink, above nl, decodes every kind of link and of route
// there is, which makes a quarter of a megabyte.
func defaultRoute() (ipv4, ipv6 string) {
	return address(unix.AF_INET), address(unix.AF_INET6)
}

func address(family int) string {
	routes, err := dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	if err != nil {
		return ""
	}
	link, source := bestRoute(routes, family)
	if link == 0 || usable(source) {
		return text(source)
	}
	addresses, err := dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(family))
	if err != nil {
		return ""
	}
	return text(firstAddress(addresses, family, link))
}

// dump asks the kernel for a list.
func dump(ask int, answer uint16, of nl.NetlinkRequestData) ([][]byte, error) {
	req := nl.NewNetlinkRequest(ask, unix.NLM_F_DUMP)
	req.AddData(of)
	return req.Execute(unix.NETLINK_ROUTE, answer)
}

// bestRoute gives the interface of the default route of the main table with the lowest metric, 0 if there is none, and
// the address from which it sends, if it names one.
// Format: rtnetlink(7), and include/uapi/linux/rtnetlink.h of Linux 6.12.
func bestRoute(messages [][]byte, family int) (link uint32, source net.IP) {
	var lowest uint32
	for _, m := range messages {
		msg := nl.DeserializeRtMsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil || msg.Family != uint8(family) || msg.Dst_len != 0 || msg.Flags&unix.RTM_F_CLONED != 0 {
			continue
		}
		table, metric, out := uint32(msg.Table), uint32(0), uint32(0)
		var src net.IP
		for _, a := range attrs {
			switch a.Attr.Type {
			case unix.RTA_TABLE:
				table = binary.NativeEndian.Uint32(a.Value)
			case unix.RTA_PRIORITY:
				metric = binary.NativeEndian.Uint32(a.Value)
			case unix.RTA_OIF:
				out = binary.NativeEndian.Uint32(a.Value)
			case unix.RTA_PREFSRC:
				src = a.Value
			}
		}
		if table == unix.RT_TABLE_MAIN && out != 0 && (link == 0 || metric < lowest) {
			link, source, lowest = out, src, metric
		}
	}
	return link, source
}

// unusable are IPv6 addresses that others do not know us by, or not yet, or not for long.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY

// firstAddress is an interface's first address that is good for others; nil if there is none.
func firstAddress(messages [][]byte, family int, link uint32) net.IP {
	for _, m := range messages {
		msg := nl.DeserializeIfAddrmsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil || msg.Family != uint8(family) || msg.Index != link {
			continue
		}
		var local, other net.IP
		var flags uint32
		for _, a := range attrs {
			switch a.Attr.Type {
			case unix.IFA_LOCAL:
				local = a.Value
			case unix.IFA_ADDRESS: // ours, but on a link of two ends that of the other end
				other = a.Value
			case unix.IFA_FLAGS:
				flags = binary.NativeEndian.Uint32(a.Value)
			}
		}
		if local == nil {
			local = other
		}
		if usable(local) && flags&unusable == 0 {
			return local
		}
	}
	return nil
}

func usable(ip net.IP) bool { return ip.IsGlobalUnicast() }

func text(ip net.IP) string {
	if ip == nil {
		return ""
	}
	return ip.String()
}
