package confirm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/plan"
)

// Machine is the kernel and the network of the machine that we run on.
type Machine struct{}

// Interfaces implements Kernel.
func (Machine) Interfaces(ctx context.Context) ([]plan.Interface, error) { return links.Read(ctx) }

// knowing is how long networkd may take to see that an interface is gone.
const knowing = 2 * time.Second

// Delete implements Kernel. networkd keeps a file for each link (/run/systemd/netif/links, systemd 252), and would not make an
// interface that it has not seen go.
func (Machine) Delete(ctx context.Context, index int) error {
	err := link(unix.RTM_DELLINK, index, func(*nl.IfInfomsg) {})
	if errors.Is(err, unix.ENODEV) {
		err = nil
	}
	ends := time.Now().Add(knowing)
	for err == nil && ctx.Err() == nil && time.Now().Before(ends) {
		if _, err := os.Stat(fmt.Sprintf("/run/systemd/netif/links/%d", index)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		time.Sleep(knowing / 100)
	}
	return err
}

// Rename implements Kernel.
func (m Machine) Rename(index int, name string) error {
	was, err := net.InterfaceByIndex(index)
	if err != nil {
		return err
	}
	if err := m.up(index, false); err != nil {
		return err
	}
	err = link(unix.RTM_SETLINK, index, func(*nl.IfInfomsg) {}, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if was.Flags&net.FlagUp != 0 {
		err = errors.Join(err, m.up(index, true))
	}
	return err
}

// Release implements Kernel.
func (Machine) Release(index int) error {
	return link(unix.RTM_SETLINK, index, func(*nl.IfInfomsg) {}, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(0)))
}

// SetMTU implements Kernel.
func (Machine) SetMTU(index, mtu int) error {
	return link(unix.RTM_SETLINK, index, func(*nl.IfInfomsg) {}, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu))))
}

// RemoveAddress implements Kernel.
func (Machine) RemoveAddress(index int, p netip.Prefix) error {
	family := unix.AF_INET
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	req := nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK)
	msg := nl.NewIfAddrmsg(family)
	msg.Index, msg.Prefixlen = uint32(index), uint8(p.Bits())
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, p.Addr().AsSlice()))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func (Machine) up(index int, up bool) error {
	return link(unix.RTM_SETLINK, index, func(msg *nl.IfInfomsg) {
		if msg.Change |= unix.IFF_UP; up {
			msg.Flags |= unix.IFF_UP
		}
	})
}

// link asks the kernel for something with one interface. Format: rtnetlink(7).
func link(what, index int, set func(*nl.IfInfomsg), attrs ...nl.NetlinkRequestData) error {
	req := nl.NewNetlinkRequest(what, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	set(msg)
	req.AddData(msg)
	for _, a := range attrs {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// udevTime bounds what udevd may take to answer.
const udevTime = 10 * time.Second

// ReloadUdev implements Kernel.
func (Machine) ReloadUdev(ctx context.Context) error {
	if _, err := os.Stat("/run/udev/control"); err != nil {
		return nil // none runs, as in a container
	}
	ctx, cancel := context.WithTimeout(ctx, udevTime)
	defer cancel()
	if err := exec.CommandContext(ctx, "/usr/bin/udevadm", "control", "--reload").Run(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("have udevd read its files: %w", err)
	}
	return nil
}
