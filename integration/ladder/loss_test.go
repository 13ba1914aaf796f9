//go:build integration && linux

package ladder_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"cloudconfig/datasources/metadatatest"
)

// Packets to EC2's address are lost and nobody says so: from the beginning, or from the first question on, so that the
// answer is lost on a connection that there is. The next attempt after they come through again has everything.
func TestPacketsAreLost(t *testing.T) {
	program := programPath(t)
	if os.Geteuid() != 0 {
		missing(t, "root, for a network namespace")
	}
	const (
		lost    = 5 * time.Second
		attempt = 4 * time.Second // the limit of an answer
		pause   = time.Second     // the longest between two
	)
	for _, tt := range []struct {
		name    string
		atFirst bool // else from the first question on
		within  time.Duration
	}{
		{"from the beginning", true, 2*time.Second + pause},
		{"under way", false, attempt + pause},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The thread keeps its namespace and ends with this goroutine.
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				missing(t, "a network namespace: "+err.Error())
			}
			n := newNowhere(t)
			h := metadatatest.ServeEC2([]byte("#cloud-config\nhostname: web1\n"))
			defer h.Close()
			when := make(chan time.Time, 1) // packets come through again
			var once sync.Once
			lose := func() {
				once.Do(func() {
					n.move(t, false)
					when <- time.Now().Add(lost)
					time.AfterFunc(lost, func() { n.move(t, true) })
				})
			}
			n.move(t, true)
			h.Log = func(string) { lose() }
			l, err := net.Listen("tcp4", ":80")
			if err != nil {
				t.Fatal(err)
			}
			server := http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
			defer server.Close()
			go func() { _ = server.Serve(l) }()
			if tt.atFirst {
				lose()
			}
			start := time.Now()
			out, err := exec.CommandContext(t.Context(), program, "render", "--datasource", "ec2").CombinedOutput()
			ended, well := time.Now(), <-when
			if err != nil || !strings.Contains(string(out), "web1") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%v after packets came through, %d requests", ended.Sub(well), len(h.Requests()))
			if ended.Sub(well) > tt.within+noise || ended.Sub(start) < lost {
				t.Errorf("took %v\n%s", ended.Sub(start), out)
			}
		})
	}
}

// nowhere is a network namespace in which EC2's address is the loopback's, or else at the other end of a cable where
// nobody is, and nobody is asked for a hardware address first.
type nowhere struct {
	handle  *netlink.Handle // of the namespace, whatever the thread
	lo      netlink.Link
	address *netlink.Addr
}

func newNowhere(t *testing.T) *nowhere {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	handle, err := netlink.NewHandle()
	must(err)
	t.Cleanup(handle.Close)
	must(handle.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth1"}))
	n := &nowhere{handle: handle}
	for _, name := range []string{"lo", "eth0", "eth1"} {
		link, err := handle.LinkByName(name)
		must(err)
		switch name {
		case "lo":
			n.lo = link
		case "eth0":
			must(handle.LinkSetARPOff(link))
			address, err := netlink.ParseAddr("169.254.7.7/16")
			must(err)
			must(handle.AddrAdd(link, address))
		}
		must(handle.LinkSetUp(link))
	}
	n.address, err = netlink.ParseAddr("169.254.169.254/32")
	must(err)
	return n
}

// move gives EC2's address to the loopback, or takes it from there.
func (n *nowhere) move(t *testing.T, isThere bool) {
	change := n.handle.AddrDel
	if isThere {
		change = n.handle.AddrAdd
	}
	if err := change(n.lo, n.address); err != nil {
		t.Error(err)
	}
}
