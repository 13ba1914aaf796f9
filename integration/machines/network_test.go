//go:build integration && linux

package machines_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverAddress = "10.77.0.1"
	linkLocal     = "169.254.169.254"
)

// world is a network namespace with a bridge, in which machines and all that they ask are. Nothing in it reaches the host, and
// nothing else reaches it.
type world struct {
	name string
	taps *atomic.Int32
}

var worlds atomic.Int32

// newWorld makes a world that ends with the test. On its bridge are the addresses of the servers.
func newWorld(t *testing.T) world {
	t.Helper()
	w := world{fmt.Sprintf("provisioner-vm-%d-%d", os.Getpid(), worlds.Add(1)), new(atomic.Int32)}
	mustRun(t, "ip", "netns", "add", w.name)
	t.Cleanup(func() {
		if _, err := run("ip", "netns", "del", w.name); err != nil {
			t.Error(err)
		}
	})
	for _, args := range []string{"link set lo up", "link add br0 type bridge", "link set br0 up",
		"addr add " + serverAddress + "/24 dev br0", "addr add " + linkLocal + "/32 dev br0"} {
		mustRun(t, "ip", append([]string{"-n", w.name}, strings.Fields(args)...)...)
	}
	return w
}

// nic is a machine's card, and what DHCP gives it.
type nic struct{ tap, mac, address string }

// plug makes a card for a machine.
func (w world) plug(t *testing.T) nic {
	t.Helper()
	n := w.taps.Add(1)
	c := nic{fmt.Sprintf("tap%d", n), fmt.Sprintf("52:54:00:12:34:%02x", n), fmt.Sprintf("10.77.0.%d", 10+n)}
	mustRun(t, "ip", "-n", w.name, "tuntap", "add", c.tap, "mode", "tap")
	mustRun(t, "ip", "-n", w.name, "link", "set", c.tap, "master", "br0", "up")
	return c
}

// command is a command in the world. ip-netns-exec would mount /sys anew, nsenter does not.
func (w world) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + w.name, "--"}, args...)...)
}

// daemon runs a program in the world until the test ends.
func (w world) daemon(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := w.command(ctx, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(args[0])))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", args[0], text)
		}
	})
}

// dhcp serves addresses and names, and with more arguments whatever else dnsmasq can. It returns the file of its leases.
func (w world) dhcp(t *testing.T, more ...string) (leases string) {
	t.Helper()
	leases = filepath.Join(t.TempDir(), "leases")
	args := []string{"dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--interface=br0", "--bind-interfaces", "--listen-address=" + serverAddress,
		"--dhcp-range=10.77.0.0,static,255.255.255.0,1h", "--dhcp-option=option:router," + serverAddress, "--dhcp-option=option:dns-server," + serverAddress,
		"--dhcp-leasefile=" + leases, "--pid-file=", "--user=root"}
	for n := 1; n < 10; n++ {
		args = append(args, fmt.Sprintf("--dhcp-host=52:54:00:12:34:%02x,10.77.0.%d", n, 10+n))
	}
	if !slices.ContainsFunc(more, func(arg string) bool { return strings.HasPrefix(arg, "--conf-file=") }) {
		more = append(more, "--conf-file=/dev/null")
	}
	w.daemon(t, append(args, more...)...)
	return leases
}

// enter calls f in the world's network. Sockets that f makes stay there. The thread goes back to where it was: if it ended,
// what was started by it would be killed with it.
func (w world) enter(f func() error) (err error) {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := os.Open("/run/netns/" + w.name)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer func() {
		if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
			err = errors.Join(err, back)
			return // the thread is of no use to others
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// listen opens a port in the world.
func (w world) listen(t *testing.T, address string) (l net.Listener) {
	t.Helper()
	if err := w.enter(func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return l
}

// serve serves HTTP in the world until the test ends.
func (w world) serve(t *testing.T, address string, handler http.Handler) {
	t.Helper()
	l := w.listen(t, address)
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // until it is closed
	t.Cleanup(func() { s.Close() })
}

// dial connects to a machine.
func (w world) dial(address string) (conn net.Conn, err error) {
	err = w.enter(func() (err error) {
		conn, err = net.DialTimeout("tcp4", address, 2*time.Second)
		return err
	})
	return conn, err
}
