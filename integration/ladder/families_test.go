//go:build integration && linux

package ladder_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"cloudconfig/datasources/metadatatest"
)

// EC2's own addresses, in a network namespace that has nothing else: the program is told no URL.
func TestFamilies(t *testing.T) {
	program := programPath(t)
	if os.Geteuid() != 0 {
		missing(t, "root, for a network namespace")
	}
	const v4, v6 = "169.254.169.254", "fd00:ec2::254"
	for _, tt := range []struct {
		name  string
		hosts map[string]time.Duration // when each is there; a host that is not in it never is
		well  time.Duration
	}{
		{"IPv4 only", map[string]time.Duration{v4: 0}, 0},
		{"IPv6 only", map[string]time.Duration{v6: 0}, 0},
		{"both", map[string]time.Duration{v4: 0, v6: 0}, 0},
		{"IPv6 before IPv4", map[string]time.Duration{v6: 2 * time.Second, v4: 4 * time.Second}, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The thread keeps its namespace and ends with this goroutine.
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				missing(t, "a network namespace: "+err.Error())
			}
			up(t, v4+"/32", v6+"/128")
			h := metadatatest.ServeEC2([]byte("#cloud-config\nhostname: web1\n"))
			defer h.Close()
			h.Start()
			start := time.Now()
			for host, after := range tt.hosts {
				l, err := net.Listen("tcp", net.JoinHostPort(host, "80"))
				if err != nil {
					t.Fatal(err)
				}
				server := http.Server{Handler: notBefore(start.Add(after), h), ReadHeaderTimeout: time.Minute}
				defer server.Close()
				go func() { _ = server.Serve(l) }()
			}
			out, err := exec.CommandContext(t.Context(), program, "render", "--datasource", "ec2").CombinedOutput()
			took := time.Since(start)
			if err != nil || !strings.Contains(string(out), "web1") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%v after the service, %d requests", took-tt.well, len(h.Requests()))
			if took < tt.well || took-tt.well > 1500*time.Millisecond+noise {
				t.Errorf("took %v", took)
			}
		})
	}
}

// notBefore drops connections until a time.
func notBefore(at time.Time, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Now().Before(at) {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	})
}

// up gives the loopback of the thread's network namespace addresses.
func up(t *testing.T, addresses ...string) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, text := range addresses {
		addr, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // until the kernel has its routes
		c, err := net.Dial("udp", "[fd00:ec2::254]:80")
		if err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no route of IPv6")
}
