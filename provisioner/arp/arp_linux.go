package arp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How often is asked, and how long is waited for an answer each time. RFC 5227, 1.1 has 3 probes in 5 to 7 seconds, for
// a machine that joins a network nobody knows; on a wire that is up an answer takes milliseconds.
const (
	rounds = 3
	pause  = 300 * time.Millisecond
)

// Probe asks on each link whether somebody has the addresses, three times in about a second in all, and gives those that
// somebody has, in the order of the claims. Nobody learns an address by being asked (RFC 5227, 2.1.1: the sender is
// 0.0.0.0), and an answer of this machine's own other interfaces is none.
//
// Claims of interfaces that are down, that have no carrier, or whose hardware does not speak ARP are passed over, and
// those after the first [MaxClaims]. The error is of the sockets; conflicts that were found all the same come with it.
func Probe(ctx context.Context, claims []Claim) ([]Conflict, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("probe addresses: %w", err)
	}
	own := map[string]bool{}
	byIndex := map[int]net.Interface{}
	for _, i := range all {
		own[i.HardwareAddr.String()] = true
		byIndex[i.Index] = i
	}
	wanted := map[int][]netip.Addr{}
	for _, c := range claims[:min(len(claims), MaxClaims)] {
		if i := byIndex[c.Interface]; c.Addr.Is4() && speaks(i) {
			wanted[c.Interface] = append(wanted[c.Interface], c.Addr)
		}
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		taken  = map[Claim]string{}
		errAll error
	)
	for index, addrs := range wanted {
		n, err := listen(byIndex[index]) // here, since a goroutine may be in another network namespace
		if err != nil {
			errAll = errors.Join(errAll, fmt.Errorf("probe addresses on %s: %w", byIndex[index].Name, err))
			continue
		}
		defer n.file.Close()
		wg.Go(func() {
			err := n.probe(ctx, addrs, func(a netip.Addr, mac string) {
				mu.Lock()
				defer mu.Unlock()
				if c := (Claim{index, a}); !own[mac] && taken[c] == "" {
					taken[c] = mac
				}
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errAll = errors.Join(errAll, fmt.Errorf("probe addresses on %s: %w", byIndex[index].Name, err))
			}
		})
	}
	wg.Wait()
	var conflicts []Conflict
	for _, c := range claims {
		if mac := taken[c]; mac != "" {
			conflicts = append(conflicts, Conflict{c, mac})
			delete(taken, c)
		}
	}
	return conflicts, errAll
}

// speaks says that an interface is up, has a carrier, and speaks ARP.
func speaks(i net.Interface) bool {
	const ready = net.FlagUp | net.FlagRunning | net.FlagBroadcast
	return i.Flags&ready == ready && len(i.HardwareAddr) == 6
}

// probe asks on one link, and tells who says that it has one of the addresses.
func (n *neighbours) probe(ctx context.Context, addrs []netip.Addr, tell func(netip.Addr, string)) error {
	for range rounds {
		for _, a := range addrs {
			if err := n.ask(netip.IPv4Unspecified(), a); err != nil {
				return err
			}
		}
		err := n.hear(ctx, func(from netip.Addr, mac string) bool {
			if slices.Contains(addrs, from) {
				tell(from, mac)
			}
			return false
		})
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// Answers says whether a gateway on the link of an interface is there: whether it answers to ARP, or to a neighbour
// solicitation if it is of IPv6. from is an address of IPv4 of ours, or is not valid if there is none; of IPv6 the
// kernel takes its own. It asks until there is an answer, or until ctx is done: then nobody answered, which is no error.
func Answers(ctx context.Context, index int, from, gateway netip.Addr) (bool, error) {
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return false, fmt.Errorf("ask for the gateway %s: %w", gateway, err)
	}
	open := listen
	if gateway = gateway.WithZone(""); gateway.Is6() {
		open = listenIPv6
	}
	n, err := open(*i)
	if err != nil {
		return false, fmt.Errorf("ask for the gateway %s on %s: %w", gateway, i.Name, err)
	}
	defer n.file.Close()
	if !from.Is4() {
		from = netip.IPv4Unspecified()
	}
	answered := false
	for ctx.Err() == nil && !answered {
		if err := n.ask(from, gateway); err != nil {
			return false, fmt.Errorf("ask for the gateway %s on %s: %w", gateway, i.Name, err)
		}
		err := n.hear(ctx, func(a netip.Addr, _ string) bool {
			answered = answered || a == gateway
			return answered
		})
		if err != nil {
			return false, fmt.Errorf("ask for the gateway %s on %s: %w", gateway, i.Name, err)
		}
	}
	return answered, nil
}

// neighbours is a socket on which those of one interface are asked.
type neighbours struct {
	file  *os.File
	fd    int // of file, for what it has no method for
	index int
	mac   net.HardwareAddr
	ipv6  bool
}

// listen opens a socket for ARP: its packets are without the header of the link, which the kernel makes.
func listen(i net.Interface) (*neighbours, error) {
	if len(i.HardwareAddr) != 6 {
		return nil, errors.New("it does not speak ARP")
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	n := &neighbours{file: os.NewFile(uintptr(fd), "arp"), fd: fd, index: i.Index, mac: i.HardwareAddr}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ARP), Ifindex: i.Index}); err != nil {
		n.file.Close()
		return nil, err
	}
	return n, nil
}

// bigEndian is a number in the order of the network, on a machine whose own is the other: all that we build for.
func bigEndian(n uint16) uint16 { return n<<8 | n>>8 }

// listenIPv6 opens a socket for neighbour discovery, whose packets may come from this link only.
func listenIPv6(i net.Interface) (*neighbours, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return nil, err
	}
	n := &neighbours{file: os.NewFile(uintptr(fd), "nd"), fd: fd, index: i.Index, mac: i.HardwareAddr, ipv6: true}
	filter := unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	filter.Data[neighborAdvertisement/32] &^= 1 << (neighborAdvertisement % 32)
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, i.Index),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255), // RFC 4861, 7.1.1: another is not answered
		unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &filter),
	)
	if err != nil {
		n.file.Close()
		return nil, err
	}
	return n, nil
}

// The types of messages of RFC 4861.
const (
	neighborSolicitation  = 135
	neighborAdvertisement = 136
)

// ask sends one question to all of the link. Where it is not ready, as long as it is down or our own address is tentative,
// that is as if nobody heard it.
func (n *neighbours) ask(from, target netip.Addr) error {
	switch err := n.send(from, target); err {
	case unix.ENETDOWN, unix.ENOBUFS, unix.ENETUNREACH, unix.EADDRNOTAVAIL:
		return nil
	default:
		return err
	}
}

func (n *neighbours) send(from, target netip.Addr) error {
	if n.ipv6 {
		a := target.As16()
		// RFC 4861, 4.3: type, code, checksum (the kernel's), reserved, target, option 1 of 8 bytes: who asks.
		packet := append([]byte{neighborSolicitation, 0, 0, 0, 0, 0, 0, 0}, a[:]...)
		if len(n.mac) == 6 {
			packet = append(append(packet, 1, 1), n.mac...)
		}
		all := [16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]} // the solicited-node address
		return unix.Sendto(n.fd, packet, 0, &unix.SockaddrInet6{Addr: all, ZoneId: uint32(n.index)})
	}
	// RFC 826: Ethernet, IPv4, the lengths of their addresses, request; then who asks, and for whom.
	packet := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	packet = append(packet, n.mac...)
	packet = append(packet, from.AsSlice()...)
	packet = append(packet, make([]byte, 6)...)
	packet = append(packet, target.AsSlice()...)
	return unix.Sendto(n.fd, packet, 0, &unix.SockaddrLinklayer{
		Protocol: bigEndian(unix.ETH_P_ARP), Ifindex: n.index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	})
}

// hear tells who says that it has an address, for as long as is waited for an answer, or until enough is heard.
func (n *neighbours) hear(ctx context.Context, tell func(addr netip.Addr, mac string) (enough bool)) error {
	end := time.Now().Add(pause)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	n.file.SetReadDeadline(end)
	defer context.AfterFunc(ctx, func() { n.file.SetReadDeadline(time.Now()) })()
	for buf := make([]byte, 128); ; {
		got, err := n.file.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil && !errors.Is(err, unix.ENETDOWN) { // which is told once, and the link may come back
			return err
		}
		if addr, mac := n.answer(buf[:max(got, 0)]); addr.IsValid() && tell(addr, mac) {
			return nil
		}
	}
}

// answer is the address that the sender of a packet says it has, and its hardware address; not valid if it says nothing
// of the kind.
//
// Of ARP that is any packet with a sender, question or answer. A question without one, a probe, is none, although it
// may be of somebody who wants the same address (RFC 5227, 2.1.1): switches that watch their ports send such.
func (n *neighbours) answer(b []byte) (netip.Addr, string) {
	if n.ipv6 {
		if len(b) < 24 || b[0] != neighborAdvertisement {
			return netip.Addr{}, ""
		}
		return netip.AddrFrom16([16]byte(b[8:24])), ""
	}
	if len(b) < 28 || [6]byte(b[:6]) != [6]byte{0, 1, 8, 0, 6, 4} {
		return netip.Addr{}, ""
	}
	return netip.AddrFrom4([4]byte(b[14:18])), net.HardwareAddr(b[8:14]).String()
}
