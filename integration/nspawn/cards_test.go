//go:build integration && linux

package nspawn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A lab is a network of several cables. Outside, cable i ends in a bridge lan<i>, the address of which is gateway(i) and
// fd77:<i>::1; it has a DHCP and a DNS server, the first has a VLAN 5 with 10.77.5.1, and behind it is a host that is reached by a route alone, at far.
// What is plugged into the machine's end is made anew for each boot, since what an earlier boot made of its cards
// would else be there still.
type lab struct {
	network
	cards []card
}

// card is a network card of the machine: the name the kernel gives it, and the address it is made with. Its other
// end is out<i>, i being its place in the lab.
type card struct {
	name, mac string
	lan       int
}

// reachBound is the longest that a machine may take to answer once it is configured.
const reachBound = 20 * time.Second

// far and far6 are addresses that are on no cable.
const far, far6 = "203.0.113.1", "2001:db8:ffff::1"

func mac(i int) string        { return fmt.Sprintf("02:00:00:00:00:%02x", i+1) }
func gateway(lan int) string  { return fmt.Sprintf("10.77.%d.1", lan) }
func gateway6(lan int) string { return fmt.Sprintf("fd77:%d::1", lan) }

// leased is what the DHCP server of a cable gives to a card.
func leased(lan, card int) string { return fmt.Sprintf("10.77.%d.%d", lan, 100+card) }

// newLab makes cables, and the machine's cards eth0, eth1 and so on, one at each.
func newLab(t *testing.T, cables int) *lab {
	t.Helper()
	l := &lab{network: newNamespaces(t)}
	for i := range cables {
		l.cards = append(l.cards, card{fmt.Sprintf("eth%d", i), mac(i), i})
	}
	l.ip(t, l.outside, "link set lo up")
	l.ip(t, l.outside, "addr add "+far+"/32 dev lo")
	l.ip(t, l.outside, "addr add "+far6+"/128 dev lo nodad")
	l.ip(t, l.outside, "addr add "+metadata+"/32 dev lo")
	for i := range cables {
		lan := fmt.Sprintf("lan%d", i)
		l.ip(t, l.outside, "link add "+lan+" address "+fmt.Sprintf("02:00:00:00:01:%02x", i+1)+" type bridge")
		l.ip(t, l.outside, "link set "+lan+" up")
		l.ip(t, l.outside, "addr add "+gateway(i)+"/24 dev "+lan)
		l.ip(t, l.outside, "addr add "+gateway6(i)+"/64 dev "+lan+" nodad")
	}
	if supports(t, "vlan") {
		l.ip(t, l.outside, "link add link lan0 name lan0.5 type vlan id 5")
		l.ip(t, l.outside, "link set lan0.5 up")
		l.ip(t, l.outside, "addr add 10.77.5.1/24 dev lan0.5")
	}
	if err := l.plug(); err != nil {
		t.Fatal(err)
	}
	return l
}

// ip changes one of the two namespaces.
func (l *lab) ip(t *testing.T, namespace, args string) {
	t.Helper()
	if _, err := run("ip", append([]string{"-n", namespace}, strings.Fields(args)...)...); err != nil {
		t.Fatal(err)
	}
}

// plug gives the machine new cards in a new namespace.
func (l *lab) plug() error {
	for i := range l.cards {
		_, _ = run("ip", "-n", l.outside, "link", "del", fmt.Sprintf("out%d", i)) // or those of one boot and the next were there for a while
	}
	_, _ = run("ip", "netns", "del", l.inside)
	commands := []string{"netns add " + l.inside, "-n " + l.inside + " link set lo up"}
	for i, c := range l.cards {
		commands = append(commands,
			fmt.Sprintf("-n %s link add out%d type veth peer name %s address %s netns %s", l.outside, i, c.name, c.mac, l.inside),
			fmt.Sprintf("-n %s link set out%d master lan%d up", l.outside, i, c.lan))
	}
	for _, c := range commands {
		if _, err := run("ip", strings.Fields(c)...); err != nil {
			return err
		}
	}
	return nil
}

// pull takes a card's cable out, or puts it back.
func (l *lab) pull(t *testing.T, card int, out bool) {
	t.Helper()
	l.ip(t, l.outside, fmt.Sprintf("link set out%d %s", card, map[bool]string{true: "down", false: "up"}[out]))
}

// advertised is the one cable that has router advertisements and DHCPv6. On the others nothing of IPv6 comes by itself.
const advertised = 2

// serveDHCP serves addresses at some cables, and every name below example.net, until the test ends.
func (l *lab) serveDHCP(t *testing.T, lans ...int) {
	t.Helper()
	args := []string{"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
		"--bind-interfaces", "--dhcp-authoritative", "--no-ping",
		"--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases"), "--address=/example.net/" + far, "--listen-address=127.0.0.1"}
	for _, i := range lans {
		args = append(args, fmt.Sprintf("--interface=lan%d", i),
			fmt.Sprintf("--dhcp-range=set:lan%[1]d,10.77.%[1]d.100,10.77.%[1]d.199,1h", i),
			fmt.Sprintf("--dhcp-option=tag:lan%d,option:router,%s", i, gateway(i)),
			fmt.Sprintf("--dhcp-option=tag:lan%d,option:dns-server,%s", i, gateway(i)))
		if i == advertised {
			args = append(args, "--enable-ra", fmt.Sprintf("--dhcp-range=fd77:%[1]d::100,fd77:%[1]d::1ff,slaac,64,1h", i))
		}
		for n, c := range l.cards {
			args = append(args, fmt.Sprintf("--dhcp-host=%s,%s", c.mac, leased(i, n)))
			if i == advertised {
				args = append(args, fmt.Sprintf("--dhcp-host=%s,[fd77:%d::66]", c.mac, i))
			}
		}
	}
	l.serve(t, "started, version", args...)
}

// beyond calls a function on the far side. A socket that it opens stays there.
func (n network) beyond(do func() error) error {
	runtime.LockOSThread() // the namespace is the thread's
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := os.Open("/run/netns/" + n.outside)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = do()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // this thread cannot be used, and its end would be that of the processes it started
	}
	runtime.UnlockOSThread()
	return err
}

// dial sees whether SSH answers to one who has an address of the far side.
func (l *lab) dial(from, to string) error {
	return l.beyond(func() error {
		d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", net.JoinHostPort(to, "22"))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second)) // a read that waits for ever is seen
		greeting := make([]byte, 4)
		if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "SSH-" {
			return fmt.Errorf("%s is not SSH: %q, %v", to, greeting, err)
		}
		return nil
	})
}

// serveCheck answers on the far side as check.example.net, which the DNS servers of the cables know, until the test ends.
func (l *lab) serveCheck(t *testing.T) {
	t.Helper()
	var listener net.Listener
	err := l.beyond(func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(far, "80"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "here") })}
	go func() { _ = server.Serve(listener) }() // it says that it was closed
	t.Cleanup(func() { server.Close() })
}

// wantReachable waits until SSH answers at an address to one who is on no cable, and returns how long that took.
func (l *lab) wantReachable(t *testing.T, address string, bound time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	from := far
	if strings.Contains(address, ":") {
		from = far6
	}
	for {
		err := l.dial(from, address)
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > bound {
			t.Fatalf("%s cannot be reached from %s for %s: %v", address, from, bound, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// supports says whether the kernel can make links of a kind.
func supports(t *testing.T, kind string) bool {
	t.Helper()
	n := newNamespaces(t)
	args := []string{"-n", n.inside, "link", "add", "probe", "type", kind}
	switch kind {
	case "vlan":
		if _, err := run("ip", "-n", n.inside, "link", "add", "below", "type", "bridge"); err != nil {
			return false
		}
		args = []string{"-n", n.inside, "link", "add", "link", "below", "name", "probe", "type", "vlan", "id", "5"}
	case "vrf":
		args = append(args, "table", "5")
	}
	_, err := run("ip", args...)
	return err == nil
}

// poll asks again and again until there is no error, or the bound is over.
func poll(ctx context.Context, bound time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not for %s", bound), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
