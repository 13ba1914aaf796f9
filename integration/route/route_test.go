//go:build integration && linux

// Package route shows which addresses the program takes for its own: real routes and addresses, in a network namespace of
// their own.
package route

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/links"
)

// ethernet is two interfaces that are up, each at one end of a cable.
const ethernet = `
link add eth0 type veth peer name eth1
link set eth0 up
link set eth1 up
`

func TestDefaultRoute(t *testing.T) {
	for _, tc := range []struct {
		name       string
		setup      string // what ip(8) is told, line by line
		ipv4, ipv6 string
	}{
		{"no interface", "", "", ""},
		{"addresses and no route", ethernet + "addr add 192.0.2.1/24 dev eth0", "", ""},
		{"one route", ethernet + "addr add 192.0.2.1/24 dev eth0\nroute add default via 192.0.2.254", "192.0.2.1", ""},
		{"the lower metric wins", ethernet + `
addr add 192.0.2.1/24 dev eth0
addr add 198.51.100.1/24 dev eth1
route add default via 192.0.2.254 metric 200
route add default via 198.51.100.254 metric 100`, "198.51.100.1", ""},
		{"a route without a metric wins", ethernet + `
addr add 192.0.2.1/24 dev eth0
addr add 198.51.100.1/24 dev eth1
route add default via 192.0.2.254 metric 200
route add default via 198.51.100.254`, "198.51.100.1", ""},
		{"the address that the route names", ethernet + `
addr add 192.0.2.1/24 dev eth0
addr add 192.0.2.2/24 dev eth0
route add default via 192.0.2.254 src 192.0.2.2`, "192.0.2.2", ""},
		{"a route of another table is none", ethernet + `
addr add 192.0.2.1/24 dev eth0
route add default via 192.0.2.254 table 1000`, "", ""},
		{"half of the world is no default", ethernet + `
addr add 192.0.2.1/24 dev eth0
route add 0.0.0.0/1 via 192.0.2.254`, "", ""},
		{"the near end of two", ethernet + `
addr add 192.0.2.1 peer 203.0.113.1 dev eth0
route add default via 203.0.113.1`, "192.0.2.1", ""},
		{"a link-local address is nobody's", ethernet + `
addr add 169.254.7.7/16 dev eth0
route add default dev eth0`, "", ""},
		{"the next address after a link-local one", ethernet + `
addr add 169.254.7.7/16 dev eth0
addr add 192.0.2.1/24 dev eth0
route add default dev eth0`, "192.0.2.1", ""},
		{"another address of the interface of the route", ethernet + `
addr add 198.51.100.1/24 dev eth1
addr add 192.0.2.1/24 dev eth0
route add default dev eth0`, "192.0.2.1", ""},
		{"both families", ethernet + `
addr add 192.0.2.1/24 dev eth0
addr add 2001:db8::1/64 dev eth1 nodad
route add default via 192.0.2.254
-6 route add default via 2001:db8::ff dev eth1`, "192.0.2.1", "2001:db8::1"},
		{"a deprecated address is passed over", ethernet + `
addr add 2001:db8::1/64 dev eth1 nodad
addr add 2001:db8::2/64 dev eth1 nodad preferred_lft 0
-6 route add default via fe80::1 dev eth1`, "", "2001:db8::1"},
		{"nothing but deprecated", ethernet + `
addr add 2001:db8::2/64 dev eth1 nodad preferred_lft 0
-6 route add default via fe80::1 dev eth1`, "", ""},
		{"a refusing route is none", ethernet + `
addr add 192.0.2.1/24 dev eth0
addr add 2001:db8::1/64 dev eth0 nodad
route add unreachable default
-6 route add unreachable default`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runtime.LockOSThread() // and never unlocked: the thread, and its namespace with it, ends with the test
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Fatal("a network namespace needs root:", err)
			}
			for line := range strings.Lines(tc.setup) {
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
					t.Fatalf("ip %s: %v: %s", line, err, out)
				}
			}
			root, err := fsroot.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			all, err := links.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f, err := facts.Gather(t.Context(), root, true, all)
			if err != nil {
				t.Fatal(err)
			}
			if f.DefaultRouteIPv4 != tc.ipv4 || f.DefaultRouteIPv6 != tc.ipv6 {
				t.Errorf("got %q and %q, want %q and %q", f.DefaultRouteIPv4, f.DefaultRouteIPv6, tc.ipv4, tc.ipv6)
			}
		})
	}
}
