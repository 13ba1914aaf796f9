//go:build integration && linux

package hostile_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"cloudconfig/datasources/metadatatest"
)

// stranger is a link of its own, on which somebody answers at the address of the clouds' metadata services.
type stranger struct {
	handler  atomic.Pointer[metadatatest.Handler]
	accepted atomic.Int64 // connections
}

// newStranger takes the test, and every program that it starts, into a network namespace of its own. The thread is not
// used again after the test.
func newStranger(t *testing.T) *stranger {
	t.Helper()
	need(t, "ip")
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		missing(t, "network namespaces: "+err.Error())
	}
	for _, args := range []string{"link set lo up", "addr add 169.254.169.254/32 dev lo"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	l, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.Load().ServeHTTP(w, r) })}
	go func() { _ = server.Serve(counting{l, &s.accepted}) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *stranger) says(id, userData string) {
	i := metadatatest.Example()
	i.ID, i.UserData = id, []byte(userData)
	s.handler.Store(metadatatest.EC2(i))
}

type counting struct {
	net.Listener
	accepted *atomic.Int64
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// packets is how many packets were sent on the link so far, whatever was in them: a SYN is one.
func packets(t *testing.T) (n int) {
	t.Helper()
	for file, names := range map[string][]string{"snmp": {"Ip:", "OutRequests"}, "snmp6": {"Ip6OutRequests"}} {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			t.Fatal(err)
		}
		n += counter(t, string(text), names)
	}
	return n
}

// counter reads "NAME VALUE", or a line of names and a line of values.
func counter(t *testing.T, text string, names []string) int {
	t.Helper()
	var head []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != names[0] {
			continue
		}
		at := 1
		if len(names) == 2 {
			if head == nil {
				head = words
				continue
			}
			for at = 1; at < len(head)-1 && head[at] != names[1]; at++ {
			}
		}
		n, err := strconv.Atoi(words[at])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Fatalf("no counter %q", names)
	return 0
}

func (r *root) dmi(t *testing.T, vendor, uuid string) {
	t.Helper()
	r.file(t, "sys/class/dmi/id/sys_vendor", 0o444, 0, vendor+"\n")
	r.file(t, "sys/class/dmi/id/product_uuid", 0o400, 0, uuid+"\n")
	r.file(t, "proc/cmdline", 0o444, 0, "quiet\n")
}

// A stranger on the link answers as EC2 does. On a machine that nothing says is EC2's, not one packet is sent; on one of
// EC2's it is asked.
func TestAStrangerOnTheLink(t *testing.T) {
	s := newStranger(t)
	s.says("i-1", "#cloud-config\nhostname: stranger\n")
	for _, tt := range []struct {
		name, vendor, uuid, cmdline string
		asked                       bool
	}{
		{name: "bare metal", vendor: "HPE", uuid: "30373237-3132-4d32-3230-323930354b47"},
		{name: "a UUID that begins with ec2", vendor: "QEMU", uuid: "ec2d1111-2222-3333-4444-555566667777"},
		{name: "a cloud that is like EC2", vendor: "e24cloud", uuid: "ec2d1111-2222-3333-4444-555566667777"},
		{name: "no DMI"},
		{name: "EC2", vendor: "Amazon EC2", uuid: "11111111-2222-3333-4444-555566667777", asked: true},
		{name: "named on the command line", vendor: "HPE", cmdline: "provisioner.datasource=ec2", asked: true},
	} {
		r := newRoot(t)
		if tt.vendor != "" {
			r.dmi(t, tt.vendor, tt.uuid)
		}
		if tt.cmdline != "" {
			r.file(t, "proc/cmdline", 0o444, 0, tt.cmdline+"\n")
		}
		for _, command := range []string{"detect", "plan", "apply"} {
			sent, accepted := packets(t), s.accepted.Load()
			got := run(t, program(), command, "--root", r.dir)
			if got.status != 0 {
				t.Errorf("%s: %s: %s", tt.name, command, got)
			}
			asked := tt.asked && command != "detect"
			if now := s.accepted.Load(); (now > accepted) != asked {
				t.Errorf("%s: %s: %d connections\n%s", tt.name, command, now-accepted, got)
			}
			if now := packets(t); (now > sent) != asked {
				t.Errorf("%s: %s: %d packets", tt.name, command, now-sent)
			}
		}
		hostname, err := os.ReadFile(r.path("etc/hostname"))
		if (err == nil && string(hostname) == "stranger\n") != tt.asked {
			t.Errorf("%s: hostname %q, %v", tt.name, hostname, err)
		}
	}
}

// The same machine does not become another instance because somebody on the network says so.
func TestIdentityConflict(t *testing.T) {
	s := newStranger(t)
	r := newRoot(t)
	const machine, another = "11111111-2222-3333-4444-555566667777", "21111111-2222-3333-4444-555566667777"
	apply := []string{program(), "apply", "--root", r.dir}
	r.dmi(t, "Amazon EC2", machine)
	s.says("i-1", "#cloud-config\nhostname: web1\n")
	if got := run(t, apply...); got.status != 0 {
		t.Fatal(got)
	}
	was := r.tree(t)
	s.says("i-2", "#cloud-config\nhostname: evil\n")
	got := run(t, apply...)
	if got.status != 3 || !strings.Contains(got.stderr, `identity-conflict: ec2 says that this is instance "i-2"`) {
		t.Error(got)
	}
	if got := run(t, program(), "plan", "--root", r.dir); got.status != 3 || !strings.Contains(got.stderr, "identity-conflict") {
		t.Error(got)
	}
	if diff := r.tree(t).difference(was); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
	r.dmi(t, "Amazon EC2", another)
	s.says("i-2", "#cloud-config\nhostname: web2\n")
	if got := run(t, apply...); got.status != 0 {
		t.Error(got)
	}
	if hostname, err := os.ReadFile(r.path("etc/hostname")); err != nil || string(hostname) != "web2\n" {
		t.Errorf("hostname %q, %v", hostname, err)
	}
}
