//go:build integration && linux

// Package arp_test asks neighbours on real wires: a cable between two network namespaces, with a second machine's
// addresses at its other end.
package arp_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/arp"
)

// wires makes a namespace with the ends a0 and b0 of two cables, whose others, a1 and b1, are in a namespace of a
// neighbour's, and gives the neighbour's; far is what ip(8) is told there, near here, line by line. The test's own thread
// is in the first namespace from then on, so nothing that opens a socket may leave it.
func wires(t *testing.T, near, far string) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread, and its namespace with it, ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal("a network namespace needs root:", err)
	}
	neighbour := exec.Command("sleep", "60")
	neighbour.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := neighbour.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		neighbour.Process.Kill()
		neighbour.Wait()
	})
	pid := strconv.Itoa(neighbour.Process.Pid)
	ip(t, "", "link add a0 type veth peer name a1 netns "+pid+"\nlink add b0 type veth peer name b1 netns "+pid)
	// A neighbour answers on the link that has the address only, as two machines would.
	if out, err := exec.Command("nsenter", "-n", "-t", pid, "sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ip(t, pid, "link set lo up\nlink set a1 up\nlink set b1 up")
	ip(t, "", "link set lo up\nlink set a0 up\nlink set b0 up")
	for _, name := range []string{"a0", "b0"} { // the kernel tells of a carrier up to a second late
		for i := 0; i < 500 && !running(t, name); i++ {
			time.Sleep(10 * time.Millisecond)
		}
	}
	ip(t, pid, far)
	ip(t, "", near)
}

// ip does what ip(8) is told, in the namespace of a process or in our own.
func ip(t *testing.T, pid, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		args := append([]string{"ip"}, strings.Fields(line)...)
		if pid != "" {
			args = append([]string{"nsenter", "-n", "-t", pid}, args...)
		}
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
}

func running(t *testing.T, name string) bool {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return i.Flags&net.FlagRunning != 0
}

func index(t *testing.T, name string) int {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return i.Index
}

func TestProbe(t *testing.T) {
	claim := func(name, addr string) arp.Claim {
		return arp.Claim{Interface: index(t, name), Addr: netip.MustParseAddr(addr)}
	}
	for _, tc := range []struct {
		name      string
		near, far string
		claims    func() []arp.Claim
		want      string // INTERFACE ADDRESS of each conflict
	}{
		{"nothing is claimed", "", "", func() []arp.Claim { return nil }, ""},
		{"nobody has it", "", "addr add 192.0.2.1/24 dev a1", func() []arp.Claim { return []arp.Claim{claim("a0", "192.0.2.2")} }, ""},
		{"a neighbour has it", "", "addr add 192.0.2.1/24 dev a1", func() []arp.Claim {
			return []arp.Claim{claim("a0", "192.0.2.2"), claim("a0", "192.0.2.1")}
		}, "a0 192.0.2.1"},
		{"two links at once", "", "addr add 192.0.2.1/24 dev a1\naddr add 198.51.100.1/24 dev b1", func() []arp.Claim {
			return []arp.Claim{claim("b0", "198.51.100.1"), claim("a0", "192.0.2.1"), claim("b0", "198.51.100.2")}
		}, "b0 198.51.100.1, a0 192.0.2.1"},
		{"a link that is down is passed over", "link set a0 down", "addr add 192.0.2.1/24 dev a1", func() []arp.Claim {
			return []arp.Claim{claim("a0", "192.0.2.1")}
		}, ""},
		{"a link without a carrier is passed over", "", "addr add 192.0.2.1/24 dev a1\nlink set a1 down", func() []arp.Claim {
			return []arp.Claim{claim("a0", "192.0.2.1")}
		}, ""},
		{"loopback does not speak ARP", "", "", func() []arp.Claim { return []arp.Claim{claim("lo", "127.0.0.2")} }, ""},
		{"our own other card has it", "link add c0 type veth peer name c1\nlink set c0 up\nlink set c1 up\naddr add 192.0.2.1/24 dev c1", "", func() []arp.Claim {
			return []arp.Claim{claim("c0", "192.0.2.1")}
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wires(t, tc.near, tc.far)
			began := time.Now()
			conflicts, err := arp.Probe(t.Context(), tc.claims())
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s; about a second is promised", took)
			}
			var got []string
			for _, c := range conflicts {
				i, err := net.InterfaceByIndex(c.Interface)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, i.Name+" "+c.Addr.String())
				if mac, err := net.ParseMAC(c.MAC); err != nil || mac.String() != c.MAC || slices.Equal(mac, i.HardwareAddr) {
					t.Errorf("%s is held by %q: %v", c.Addr, c.MAC, err)
				}
			}
			if strings.Join(got, ", ") != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestProbeIsNotHeard: neither side's table of neighbours knows of anybody after a probe.
func TestProbeIsNotHeard(t *testing.T) {
	wires(t, "", "addr add 192.0.2.1/24 dev a1")
	if _, err := arp.Probe(t.Context(), []arp.Claim{{Interface: index(t, "a0"), Addr: netip.MustParseAddr("192.0.2.1")}}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "-4", "neigh", "show").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestProbeEnds(t *testing.T) {
	wires(t, "", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := arp.Probe(ctx, []arp.Claim{{Interface: index(t, "a0"), Addr: netip.MustParseAddr("192.0.2.1")}}); err == nil {
		t.Error("nobody was asked, and that is no error")
	}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name      string
		near, far string
		link      string
		from      string
		gateway   string
		want      bool
	}{
		{"it does", "addr add 192.0.2.2/24 dev a0", "addr add 192.0.2.1/24 dev a1", "a0", "192.0.2.2", "192.0.2.1", true},
		{"it does before we have an address", "", "addr add 192.0.2.1/24 dev a1", "a0", "", "192.0.2.1", true},
		{"nobody is there", "addr add 192.0.2.2/24 dev a0", "addr add 192.0.2.1/24 dev a1", "a0", "192.0.2.2", "192.0.2.254", false},
		{"it is on another link", "addr add 192.0.2.2/24 dev a0", "addr add 192.0.2.1/24 dev a1", "b0", "192.0.2.2", "192.0.2.1", false},
		{"the link is down", "addr add 192.0.2.2/24 dev a0\nlink set a0 down", "addr add 192.0.2.1/24 dev a1", "a0", "192.0.2.2", "192.0.2.1", false},
		{"of IPv6", "addr add fe80::2/64 dev a0 nodad", "addr add fe80::1/64 dev a1 nodad", "a0", "", "fe80::1", true},
		{"of IPv6, by a global address", "", "addr add 2001:db8::1/64 dev a1 nodad", "a0", "", "2001:db8::1", true},
		{"nobody of IPv6 is there", "", "addr add fe80::1/64 dev a1 nodad", "a0", "", "fe80::ff", false},
		{"of IPv6 on another link", "", "addr add fe80::1/64 dev a1 nodad", "b0", "", "fe80::1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wires(t, tc.near, tc.far)
			bound := 5 * time.Second // more than duplicate address detection takes, which our own link-local address waits for
			if !tc.want {
				bound = 2 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			from, _ := netip.ParseAddr(tc.from)
			got, err := arp.Answers(ctx, index(t, tc.link), from, netip.MustParseAddr(tc.gateway))
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestAnswersWaits: the gateway may come up while we ask.
func TestAnswersWaits(t *testing.T) {
	wires(t, "link set a0 down", "addr add 192.0.2.1/24 dev a1")
	netns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer netns.Close()
	later := exec.Command("nsenter", "--net=/proc/self/fd/3", "sh", "-c", "sleep 1; ip link set a0 up")
	later.ExtraFiles = []*os.File{netns}
	if err := later.Start(); err != nil {
		t.Fatal(err)
	}
	defer later.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if ok, err := arp.Answers(ctx, index(t, "a0"), netip.Addr{}, netip.MustParseAddr("192.0.2.1")); !ok || err != nil {
		t.Error(ok, err)
	}
}

// TestApplyAsks: the program refuses an address that a neighbour has, and says where it is written; it has not asked of one
// that the machine has already.
func TestApplyAsks(t *testing.T) {
	program := os.Getenv("PROVISIONER")
	if program == "" {
		program = filepath.Join("..", "..", "bin", "provisioner")
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("missing: ", err)
	}
	userData := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(userData, []byte("#cloud-config\nnetwork:\n  version: 2\n  ethernets:\n    a0:\n      addresses: [192.0.2.1/24, 192.0.2.2/24]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wires(t, "", "addr add 192.0.2.2/24 dev a1")
	for _, tc := range []struct {
		name, setup string
		asked       string
		refused     bool
	}{
		{"a neighbour has one", "", "2 new addresses", true},
		{"it is ours after all", "addr add 192.0.2.2/24 dev a0", "1 new addresses", false},
		{"nothing is new", "addr add 192.0.2.1/24 dev a0", "", false},
	} {
		ip(t, "", tc.setup)
		out, err := exec.Command(program, "plan", "--datasource", "file="+userData).CombinedOutput()
		if refused := strings.Contains(string(out), userData+":6:33: error: 192.0.2.2 is taken: "); refused != tc.refused || refused != (err != nil) {
			t.Errorf("%s: %v\n%s", tc.name, err, out)
		}
		if tc.asked == "" && strings.Contains(string(out), "asking") || !strings.Contains(string(out), tc.asked) {
			t.Errorf("%s: %s", tc.name, out)
		}
	}
}
