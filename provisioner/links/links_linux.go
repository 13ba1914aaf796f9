package links

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sort"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/plan"
)

// read asks for links, addresses and routes, and puts them together.
//
// The few attributes that matter are read here: package netlink, above nl, decodes every kind of link and of route
// there is, which makes a quarter of a megabyte.
// Format: rtnetlink(7), and include/uapi/linux of Linux 6.12: rtnetlink.h, if_link.h, if_addr.h.
func read(ctx context.Context) ([]plan.Interface, error) {
	messages, err := dump(ctx, unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC), 0)
	if err != nil {
		return nil, err
	}
	s := interfaces(messages)
	if messages, err = dump(ctx, unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC), 0); err != nil {
		return nil, err
	}
	for _, m := range messages {
		s.address(m)
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		of := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}
		if messages, err = dump(ctx, unix.RTM_GETROUTE, unix.RTM_NEWROUTE, of, maxRoutes); err != nil {
			return nil, err
		}
		for _, m := range messages {
			s.route(m)
		}
	}
	drivers(s.all)
	return s.all, nil
}

// attempts is how often a list is asked for that changes while it is given.
const attempts = 5

// dump asks the kernel for a list, and keeps up to most of it; 0 is all. A list that somebody changes while it is given may lack an
// entry, so it is asked for again; where that never ends, the last one is as good as another.
func dump(ctx context.Context, ask int, answer uint16, of nl.NetlinkRequestData, most int) ([][]byte, error) {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var list [][]byte
		req := nl.NewNetlinkRequest(ask, unix.NLM_F_DUMP)
		req.AddData(of)
		err := req.ExecuteIter(unix.NETLINK_ROUTE, answer, func(message []byte) bool {
			if most == 0 || wanted(answer, message) {
				list = append(list, message)
			}
			return most == 0 || len(list) < most
		})
		switch {
		case err == nil:
			return list, nil
		case !errors.Is(err, unix.EINTR): // which an interrupted dump is as well
			return nil, err
		case attempt == attempts:
			return list, nil
		}
	}
}

// wanted says that a message is not a route that nobody is told of: those of local addresses, multicast, and the cached ones.
func wanted(answer uint16, m []byte) bool {
	if answer != unix.RTM_NEWROUTE || len(m) < unix.SizeofRtMsg {
		return false
	}
	msg := nl.DeserializeRtMsg(m)
	return msg.Type == unix.RTN_UNICAST && msg.Table != unix.RT_TABLE_LOCAL && msg.Flags&unix.RTM_F_CLONED == 0
}

// set is all interfaces, and which has which number.
type set struct {
	all   []plan.Interface
	index map[int]int
}

// interfaces reads the list of links.
func interfaces(messages [][]byte) *set {
	s := &set{index: map[int]int{}}
	above, below := map[int]int{}, map[int]int{} // masters and parents, by number
	for _, m := range messages {
		if len(m) < unix.SizeofIfInfomsg {
			continue
		}
		msg := nl.DeserializeIfInfomsg(m)
		attrs, err := nl.ParseRouteAttr(m[unix.SizeofIfInfomsg:])
		if err != nil {
			continue
		}
		i := plan.Interface{
			Index: int(msg.Index), Loopback: msg.Flags&unix.IFF_LOOPBACK != 0,
			Up: msg.Flags&unix.IFF_UP != 0, Carrier: msg.Flags&unix.IFF_LOWER_UP != 0,
		}
		elsewhere, own := false, ""
		for _, a := range attrs {
			switch a.Attr.Type &^ unix.NLA_F_NESTED {
			case unix.IFLA_IFNAME:
				i.Name = cstring(a.Value)
			case unix.IFLA_ADDRESS:
				i.MAC = mac(a.Value)
			case unix.IFLA_PERM_ADDRESS:
				i.PermanentMAC = mac(a.Value)
			case unix.IFLA_MTU:
				i.MTU = int(number(a.Value))
			case unix.IFLA_MASTER:
				above[i.Index] = int(number(a.Value))
			case unix.IFLA_LINK:
				below[i.Index] = int(number(a.Value))
			case unix.IFLA_LINK_NETNSID:
				elsewhere = true
			case unix.IFLA_LINKINFO:
				i.Kind = cstring(nested(a.Value, unix.IFLA_INFO_KIND))
				own = ownOfMember(a.Value)
			case unix.IFLA_PROP_LIST:
				i.AltNames = altNames(a.Value)
			}
		}
		if i.PermanentMAC == "" {
			i.PermanentMAC = own
		}
		if elsewhere || below[i.Index] == i.Index { // the other end is in another namespace, or there is none
			delete(below, i.Index)
		}
		s.all = append(s.all, i)
	}
	sort.Slice(s.all, func(a, b int) bool { return s.all[a].Index < s.all[b].Index })
	for at := range s.all {
		s.index[s.all[at].Index] = at
	}
	for at := range s.all {
		i := &s.all[at]
		i.Master, i.Parent = s.name(above[i.Index]), s.name(below[i.Index])
	}
	return s
}

// ownOfMember is the address that a card of a bond had before, as the bond remembers it; "" of others. The kernel has no other
// memory of it where the card is not a real one.
func ownOfMember(info []byte) string {
	if cstring(nested(info, unix.IFLA_INFO_SLAVE_KIND)) != "bond" {
		return ""
	}
	return mac(nested(nested(info, unix.IFLA_INFO_SLAVE_DATA), nl.IFLA_BOND_SLAVE_PERM_HWADDR))
}

// find is the interface with a number; nil if there is none.
func (s *set) find(number int) *plan.Interface {
	if at, ok := s.index[number]; ok {
		return &s.all[at]
	}
	return nil
}

func (s *set) name(number int) string {
	if i := s.find(number); i != nil {
		return i.Name
	}
	return ""
}

// address adds an address to its interface.
func (s *set) address(m []byte) {
	if len(m) < unix.SizeofIfAddrmsg {
		return
	}
	msg := nl.DeserializeIfAddrmsg(m)
	i := s.find(int(msg.Index))
	attrs, err := nl.ParseRouteAttr(m[unix.SizeofIfAddrmsg:])
	if i == nil || err != nil {
		return
	}
	flags := uint32(msg.Flags)
	var own, other netip.Addr
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_ADDRESS: // ours, but on a link of two ends that of the other end
			other, _ = netip.AddrFromSlice(a.Value)
		case unix.IFA_FLAGS:
			flags = number(a.Value)
		}
	}
	if !own.IsValid() {
		own = other
	}
	address := plan.InterfaceAddress{
		Prefix:     netip.PrefixFrom(own, int(msg.Prefixlen)),
		Dynamic:    flags&unix.IFA_F_PERMANENT == 0,
		Tentative:  flags&unix.IFA_F_TENTATIVE != 0,
		Duplicate:  flags&unix.IFA_F_DADFAILED != 0,
		Deprecated: flags&unix.IFA_F_DEPRECATED != 0,
		// Of IPv4 the same bit says that there is another address in the network.
		Temporary: flags&unix.IFA_F_TEMPORARY != 0 && msg.Family == unix.AF_INET6,
	}
	if other != own {
		address.Peer = other
	}
	if address.Prefix.IsValid() {
		i.Addresses = append(i.Addresses, address)
	}
}

// route adds a route to its interface, or to each that it may take.
func (s *set) route(m []byte) {
	msg := nl.DeserializeRtMsg(m)
	attrs, err := nl.ParseRouteAttr(m[unix.SizeofRtMsg:])
	if err != nil {
		return
	}
	r := plan.InterfaceRoute{Table: uint32(msg.Table), Protocol: protocol(msg.Protocol)}
	to := netip.IPv4Unspecified()
	if msg.Family == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	out := 0
	var hops []byte
	for _, a := range attrs {
		switch a.Attr.Type &^ unix.NLA_F_NESTED {
		case unix.RTA_DST:
			to, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_TABLE:
			r.Table = number(a.Value)
		case unix.RTA_PRIORITY:
			r.Metric = number(a.Value)
		case unix.RTA_OIF:
			out = int(number(a.Value))
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_GATEWAY:
			r.Via, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_VIA: // a gateway of the other family
			r.Via = via(a.Value)
		case unix.RTA_MULTIPATH:
			hops = a.Value
		}
	}
	if r.To = netip.PrefixFrom(to, int(msg.Dst_len)); !r.To.IsValid() {
		return
	}
	if i := s.find(out); i != nil {
		i.Routes = append(i.Routes, r)
		return
	}
	for len(hops) >= unix.SizeofRtNexthop { // of a route with several ways
		length := int(binary.NativeEndian.Uint16(hops))
		if length < unix.SizeofRtNexthop || length > len(hops) {
			return
		}
		hop := r
		if gateway, ok := netip.AddrFromSlice(nested(hops[unix.SizeofRtNexthop:length], unix.RTA_GATEWAY)); ok {
			hop.Via = gateway
		} else if other := via(nested(hops[unix.SizeofRtNexthop:length], unix.RTA_VIA)); other.IsValid() {
			hop.Via = other
		}
		if i := s.find(int(int32(number(hops[4:])))); i != nil {
			i.Routes = append(i.Routes, hop)
		}
		hops = hops[min(len(hops), (length+3)&^3):]
	}
}

// via reads struct rtvia: a family, then an address.
func via(value []byte) netip.Addr {
	if len(value) < 2 {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(value[2:])
	return a
}

// protocol is the name of who made a route. Source: rtnetlink.h; the names are those of iproute2.
func protocol(p uint8) string {
	switch p {
	case unix.RTPROT_KERNEL:
		return "kernel"
	case unix.RTPROT_BOOT:
		return "boot"
	case unix.RTPROT_STATIC:
		return "static"
	case unix.RTPROT_RA:
		return "ra"
	case unix.RTPROT_DHCP:
		return "dhcp"
	}
	return strconv.Itoa(int(p))
}

// drivers asks each interface for the name of its driver, which is what networkd matches: a veth has one too.
func drivers(all []plan.Interface) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return // nobody is worse off than without a driver
	}
	defer unix.Close(s)
	for at := range all {
		if info, err := unix.IoctlGetEthtoolDrvinfo(s, all[at].Name); err == nil {
			all[at].Driver = cstring(info.Driver[:])
		}
	}
}

// mac is a hardware address as text; empty of none, and of what is no hardware address, as the end of a tunnel.
func mac(value []byte) string {
	if len(value) != 6 && len(value) != 20 || len(bytes.Trim(value, "\x00")) == 0 {
		return ""
	}
	return net.HardwareAddr(value).String()
}

// altNames are the other names that an interface is known by.
func altNames(list []byte) []string {
	var names []string
	attrs, _ := nl.ParseRouteAttr(list)
	for _, a := range attrs {
		if a.Attr.Type == unix.IFLA_ALT_IFNAME {
			names = append(names, cstring(a.Value))
		}
	}
	return names
}

// nested is an attribute in an attribute; nil if it is not there.
func nested(list []byte, of uint16) []byte {
	attrs, _ := nl.ParseRouteAttr(list)
	for _, a := range attrs {
		if a.Attr.Type&^unix.NLA_F_NESTED == of {
			return a.Value
		}
	}
	return nil
}

// number is of 32 bits; 0 of what has fewer.
func number(value []byte) uint32 {
	if len(value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(value)
}

// cstring is a text up to its zero byte.
func cstring(value []byte) string {
	text, _, _ := bytes.Cut(value, []byte{0})
	return string(text)
}
