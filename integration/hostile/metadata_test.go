//go:build integration && linux

package hostile_test

import (
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudconfig/datasources/metadatatest"
)

const (
	tokenPath    = "/latest/api/token"
	userDataPath = "/latest/user-data"
	documentPath = "/latest/dynamic/instance-identity/document"
)

// service is a metadata service with faults, and the arguments to ask it.
func service(t *testing.T, i metadatatest.Instance, faults ...metadatatest.Fault) string {
	t.Helper()
	h := metadatatest.EC2(i, faults...)
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func (r *root) fromEC2(command, url string) []string {
	return []string{program(), command, "--root", r.dir, "--datasource", "ec2=" + url}
}

// sameOrFloor fails the test unless the root is as it was, or has what [metadatatest.Example] without user-data
// makes of it, and no more.
func (r *root) sameOrFloor(t *testing.T, was tree) {
	t.Helper()
	now := r.tree(t)
	diff := now.difference(was)
	if diff == "" {
		return
	}
	if now.stateless().difference(floor(t).tree(t).stateless()) != "" {
		t.Errorf("the root is neither as it was nor has it the floor alone:\n%s", diff)
	}
}

// floor is a root with nothing but what the platform says.
func floor(t *testing.T) *root {
	t.Helper()
	i := metadatatest.Example()
	i.UserData = nil
	r := newRoot(t)
	if got := run(t, r.fromEC2("apply", service(t, i))...); got.status != 0 {
		t.Fatal(got)
	}
	return r
}

// A service that answers what cannot be: the run ends at once, with 3, and nothing but the floor is touched.
func TestServiceThatLies(t *testing.T) {
	with := func(change func(*metadatatest.Instance)) metadatatest.Instance {
		i := metadatatest.Example()
		change(&i)
		return i
	}
	tests := []struct {
		name     string
		instance metadatatest.Instance
		faults   []metadatatest.Fault
		word     string
	}{
		{"a document of garbage", metadatatest.Example(), []metadatatest.Fault{{Trouble: metadatatest.Garbage, Path: documentPath}}, "identity"},
		{"no tokens", metadatatest.Example(), []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 404, Path: tokenPath}}, "no session tokens"},
		{"no service of this kind", metadatatest.Example(), []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 404}}, "no session tokens"},
		{"user-data without end", metadatatest.Example(), []metadatatest.Fault{{Trouble: metadatatest.Oversize, Path: userDataPath, Bytes: 64 << 20}}, "larger than 16 MiB"},
		{"a hostname of two lines", with(func(i *metadatatest.Instance) { i.Hostname = "web1;reboot" }), nil, "hostname"},
		{"a hostname with an escape", with(func(i *metadatatest.Instance) { i.Hostname = "web\x1b[2J" }), nil, "hostname"},
		{"an address that is a directive", with(func(i *metadatatest.Instance) { i.PublicIPv4 = "192.0.2.1\nExecStart=/bin/evil" }), nil, "public-ipv4"},
		{"an address of ours", with(func(i *metadatatest.Instance) { i.PublicIPv4 = "127.0.0.1" }), nil, "public-ipv4"},
		{"an instance id of two lines", with(func(i *metadatatest.Instance) { i.NoDocument, i.ID = true, "i-1\ni-2" }), nil, "instance-id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			was := r.tree(t)
			got := runFor(t, 20*time.Second, r.fromEC2("apply", service(t, tt.instance, tt.faults...))...)
			if got.status != 3 || !strings.Contains(got.stderr, tt.word) || strings.ContainsAny(got.stderr, "\x1b\x00") {
				t.Errorf("want exit status 3 and a word of %q, got %v", tt.word, got)
			}
			r.sameOrFloor(t, was)
		})
	}
}

// An instance's id is somebody else's text and no path.
func TestInstanceIDIsNoPath(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	was := r.tree(t)
	i := metadatatest.Example()
	i.NoDocument, i.ID, i.UserData = true, "../../../../../outside", nil
	if got := run(t, r.fromEC2("apply", service(t, i))...); got.status != 0 {
		t.Fatal(got)
	}
	for name := range r.tree(t) {
		if _, there := was[name]; !there && strings.Contains(name, "outside") {
			t.Errorf("%s was made", name)
		}
	}
}

// A service that does not answer is asked again for five minutes. Meanwhile it is said what is waited for and
// why, nothing is touched, and a request to end is heeded at once. With LONG set, the five minutes are waited for.
func TestServiceThatDoesNotAnswer(t *testing.T) {
	tests := []struct {
		name   string
		faults []metadatatest.Fault
		word   string
	}{
		{"unreachable", nil, "no connection"},
		{"hangs", []metadatatest.Fault{{Trouble: metadatatest.Hang}}, "time"},
		{"resets", []metadatatest.Fault{{Trouble: metadatatest.Reset}}, ""},
		{"503", []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 503}}, "503"},
		{"429, and asks for patience", []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 429, RetryAfter: "30"}}, "429"},
		{"401 for ever", []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 401, Path: "/latest/meta-data"}, {Trouble: metadatatest.Status, Code: 401, Path: userDataPath}}, "401"},
		{"403 for ever", []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 403}}, "403"},
		{"nothing but garbage", []metadatatest.Fault{{Trouble: metadatatest.Garbage}}, "no token"},
		{"a portal's page", []metadatatest.Fault{{Trouble: metadatatest.HTML}}, "HTML"},
		{"a portal's page instead of user-data", []metadatatest.Fault{{Trouble: metadatatest.HTML, Path: userDataPath}}, "HTML"},
		{"an answer cut short", []metadatatest.Fault{{Trouble: metadatatest.Truncate, Path: userDataPath}}, ""},
		{"an answer that stalls", []metadatatest.Fault{{Trouble: metadatatest.Stall, Path: userDataPath}}, "time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			was := r.tree(t)
			url := service(t, metadatatest.Example(), tt.faults...)
			if tt.faults == nil {
				url = "http://127.0.0.1:1"
			}
			if os.Getenv("LONG") != "" {
				got := runFor(t, 6*time.Minute, r.fromEC2("apply", url)...)
				if got.status != 3 || !strings.Contains(got.stderr, "gave up") || !strings.Contains(got.stderr, tt.word) {
					t.Errorf("want exit status 3, got %v", got)
				}
				r.sameOrFloor(t, was)
				return
			}
			p := startLogged(t, r.path("../log"), r.fromEC2("apply", url)...)
			p.says(t, "waiting for datasource ec2", 15*time.Second)
			p.says(t, tt.word, 0)
			r.sameOrFloor(t, was)
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			asked := time.Now()
			err := <-p.err
			if status := p.cmd.ProcessState.ExitCode(); status != 3 {
				t.Errorf("want exit status 3 after SIGTERM, got %d (%v)\n%s", status, err, p.log())
			}
			if took := time.Since(asked); took > 3*time.Second {
				t.Errorf("it took %v to end", took)
			}
			r.sameOrFloor(t, was)
		})
	}
}

// logged is a run whose standard error is a file, to be read while it goes on.
type logged struct {
	*process
	name string
}

func startLogged(t *testing.T, name string, args ...string) *logged {
	t.Helper()
	p := start(t, append([]string{"sh", "-c", `log=$1; shift; exec "$@" 2>"$log"`, "sh", name}, args...)...)
	return &logged{p, name}
}

func (l *logged) log() string {
	text, _ := os.ReadFile(l.name)
	return string(text)
}

func (l *logged) says(t *testing.T, word string, within time.Duration) {
	t.Helper()
	for began := time.Now(); !strings.Contains(l.log(), word); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("it does not say %q:\n%s", word, l.log())
		}
	}
}

// A service that comes to its senses, and one that is slow or forgets its tokens, is served as any other.
func TestServiceThatRecovers(t *testing.T) {
	tests := []struct {
		name   string
		faults []metadatatest.Fault
	}{
		{"a portal at first", []metadatatest.Fault{{Trouble: metadatatest.HTML, Until: time.Second}}},
		{"503 at first", []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 503, Until: time.Second}}},
		{"401 once", []metadatatest.Fault{{Trouble: metadatatest.Expire, Path: "/latest/meta-data", Times: 1}}},
		{"slow", []metadatatest.Fault{{Trouble: metadatatest.Late, Delay: time.Second}}},
		{"hangs once", []metadatatest.Fault{{Trouble: metadatatest.Hang, Path: tokenPath, Times: 1}}},
		{"cut short once", []metadatatest.Fault{{Trouble: metadatatest.Truncate, Path: userDataPath, Times: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			if got := run(t, r.fromEC2("apply", service(t, metadatatest.Example(), tt.faults...))...); got.status != 0 {
				t.Fatal(got)
			}
			if is := r.read(t, "etc/hostname"); is != "web1\n" {
				t.Errorf("/etc/hostname: %q", is)
			}
		})
	}
}

// Refused user-data never locks anybody out: the floor stands, and nothing else of it does.
func TestRefusedUserDataLeavesTheFloor(t *testing.T) {
	for _, tt := range []struct{ name, text, rule string }{
		{"by its text", "#cloud-config\nhostname: evil\nno_such_key: 1\n" + file("/etc/motd", ""), "unknown-key"},
		{"by the machine", "#cloud-config\nhostname: evil\n" + file("/etc/motd", "    owner: nobody-at-all\n"), "owner-unknown"},
		{"by how it is packed", "\x1f\x8b\x08 garbage", "decompression-failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			i := metadatatest.Example()
			i.UserData = []byte(tt.text)
			got := run(t, r.fromEC2("apply", service(t, i))...)
			if got.status != 1 || !strings.Contains(got.stderr, "["+tt.rule+"]") {
				t.Errorf("want exit status 1 and %s, got %v", tt.rule, got)
			}
			if diff := r.tree(t).stateless().difference(floor(t).tree(t).stateless()); diff != "" {
				t.Errorf("other than with no user-data at all:\n%s", diff)
			}
			if keys := r.read(t, "home/core/.ssh/authorized_keys"); !strings.Contains(keys, "ssh-ed25519 AAAA") {
				t.Errorf("the platform's key is not there: %q", keys)
			}
			if is := r.read(t, "etc/hostname"); !strings.HasPrefix(is, "ip-10-0-0-5") {
				t.Errorf("/etc/hostname: %q", is)
			}
			if got := run(t, program(), "status", "--root", r.dir); got.status != 1 || !strings.Contains(got.stdout, "user-data:") || !strings.Contains(got.stdout, tt.rule) {
				t.Errorf("status: want exit status 1 and the place, got %v", got)
			}
		})
	}
}
