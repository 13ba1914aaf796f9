//go:build integration && linux

// Package kill_test kills the built program at 200 different system calls while it applies a configuration to a
// real directory, and looks at what a recovery and another apply make of it.
//
// It needs strace, for its fault injection, and the program in $PROVISIONER; with CI=true it fails without them.
package kill_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// kills is how many runs are killed.
const kills = 200

// A run is killed before one of these is done: first all that change something, then those that look.
var (
	changing = []string{"renameat", "linkat", "unlinkat", "mkdirat", "symlinkat", "fchmod", "fchown", "fchownat", "write",
		"pwrite64", "ftruncate", "fsync", "syncfs", "fsetxattr", "utimensat", "copy_file_range", "sendfile", "openat2"}
	looking = []string{"statx", "read", "close", "fcntl", "getdents64", "readlinkat", "fstatfs", "openat"}
)

// subject is a program under test and the machine it works on.
type subject struct {
	image   func(t *testing.T, dir string) // makes the machine as it is before
	apply   func(dir string) *exec.Cmd     // is killed, and then done whole
	recover func(dir string) *exec.Cmd     // recovers and applies nothing
	// refuses is the exit status of recover.
	refuses int
}

func TestKillProvisioner(t *testing.T) {
	program := os.Getenv("PROVISIONER")
	if program == "" {
		missing(t, "no program: set PROVISIONER to the binary")
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(dir, source string) *exec.Cmd {
		return exec.Command(program, "apply", "--root", dir, "--datasource", "file="+source)
	}
	killEverywhere(t, subject{
		image:   image,
		apply:   func(dir string) *exec.Cmd { return run(dir, config) },
		recover: func(dir string) *exec.Cmd { return run(dir, config+".none") },
		refuses: 3, // no datasource; what was cut short is undone before it is asked
	})
}

// The same for the transaction alone, with the changes that no configuration asks for.
func TestKillCommit(t *testing.T) {
	run := func(dir, mode string) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "KILL_TEST_MODE="+mode, "KILL_TEST_ROOT="+dir)
		return c
	}
	killEverywhere(t, subject{
		image:   image,
		apply:   func(dir string) *exec.Cmd { return run(dir, "apply") },
		recover: func(dir string) *exec.Cmd { return run(dir, "recover") },
	})
}

func TestMain(m *testing.M) {
	if mode := os.Getenv("KILL_TEST_MODE"); mode != "" {
		if err := commitOnly(os.Getenv("KILL_TEST_ROOT"), mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// commitOnly is what a run of the program does to a root, without what it is all for.
func commitOnly(dir, mode string) error {
	ctx := context.Background()
	root, err := fsroot.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	unlock, err := commit.Lock(ctx, root, commit.Patience, nil)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := commit.Recover(ctx, root); err != nil || mode == "recover" {
		return err
	}
	a := fsroot.Attr{Mode: 0o644}
	p := plan.Plan{Changes: []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/passwd", Data: []byte("root:x:0:0::/root:/bin/sh\ncore:x:500:500::/home/core:/bin/sh\n"), Attr: a},
		{Kind: plan.WriteFile, Path: "etc/hosts", Data: []byte("127.0.0.1 localhost\n"), Attr: fsroot.Attr{Mode: 0o600}},
		{Kind: plan.WriteFile, Path: "etc/hostname", Data: bytes.Repeat([]byte("web1\n"), 5000), Attr: a},
		{Kind: plan.MakeLink, Path: "etc/localtime", Target: "/usr/share/zoneinfo/Europe/Berlin"},
		{Kind: plan.Remove, Path: "etc/old.d/a.conf"},
		{Kind: plan.Remove, Path: "etc/old.d"},
		{Kind: plan.MakeDirectory, Path: "etc/ssh", Attr: fsroot.Attr{Mode: 0o700}},
		{Kind: plan.MakeDirectory, Path: "home/core", Attr: fsroot.Attr{Mode: 0o750, UID: 500, GID: 500}},
		{Kind: plan.MakeDirectory, Path: "home/core/.ssh", Attr: fsroot.Attr{Mode: 0o700, UID: 500, GID: 500}},
		{Kind: plan.WriteFile, Path: "home/core/.ssh/authorized_keys", Data: []byte("key\n"), Attr: fsroot.Attr{Mode: 0o600, UID: 500, GID: 500}},
		{Kind: plan.WriteFile, Path: "home/old/keep", Data: []byte("new\n"), Attr: fsroot.Attr{Mode: 0o640, UID: 501, GID: 501}},
	}}
	var f plan.Facts
	for i := range p.Changes {
		if err := facts.Look(root, &f, []string{p.Changes[i].Path}); err != nil {
			return err
		}
	}
	for i := range p.Changes {
		p.Changes[i].Was = *f.Paths[p.Changes[i].Path]
	}
	_, err = commit.Apply(ctx, root, p)
	return err
}

const configuration = `#cloud-config
hostname: web1
users:
  - name: core2
    passwd: $6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/
    groups: [wheel]
    ssh_authorized_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVWMbKNhDFSrTsOkE2wJkYmdCXAr6cT6lpVvm4hQBBN test@example.com
write_files:
  - path: /etc/hosts
    permissions: "0600"
    content: |
      127.0.0.1 localhost
  - path: /etc/motd
    content: a new file
  - path: /srv/deep/er/file
    permissions: "0640"
    content: in directories that are not there yet
coreos:
  units:
    - name: web.service
      enable: true
      content: |
        [Unit]
        Description=Web
        [Service]
        ExecStart=/bin/true
        [Install]
        WantedBy=multi-user.target
`

// image is a machine before its first boot.
func image(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{"etc/old.d", "etc/ssh", "etc/systemd/system", "home/old", "root", "run", "srv", "usr/lib/systemd/system", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"etc/passwd":       "root:x:0:0::/root:/bin/sh\n",
		"etc/shadow":       "root:*:19000::::::\n",
		"etc/group":        "root:x:0:\nwheel:x:10:\n",
		"etc/gshadow":      "root:*::\nwheel:*::\n",
		"etc/hosts":        "127.0.0.1 localhost\n",
		"etc/hostname":     "localhost\n",
		"etc/old.d/a.conf": "a\n",
		"home/old/keep":    "old\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("UTC", filepath.Join(dir, "etc/localtime")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"home/old", "home/old/keep"} {
		if err := os.Chown(filepath.Join(dir, name), 501, 501); err != nil && os.Geteuid() == 0 {
			t.Fatal(err)
		}
	}
}

// point is the when'th call of one system call in a thread.
type point struct {
	call string
	when int
}

func killEverywhere(t *testing.T, s subject) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		missing(t, "no strace")
	}
	fresh := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "root")
		s.image(t, dir)
		return dir
	}
	dir := fresh(t)
	before := tree(t, dir)
	trace := filepath.Join(t.TempDir(), "trace")
	must(t, wrap(s.apply(dir), strace, "-f", "-o", trace), 0)
	after := tree(t, dir)
	if maps.Equal(before, after) {
		t.Fatal("a whole apply changes nothing")
	}
	must(t, s.apply(dir), 0)
	if d := cmp.Diff(after, tree(t, dir)); d != "" {
		t.Fatalf("a second apply is not like the first (-first +second)\n%s", d)
	}

	killed, rolledBack, committed := 0, 0, 0
	for _, p := range points(t, trace) {
		if killed == kills {
			break
		}
		dir := fresh(t)
		err := wrap(s.apply(dir), strace, "-f", "-o", "/dev/null", "-e", "trace="+p.call,
			"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.when)).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			continue // its threads shared the calls in another way this time
		}
		killed++
		must(t, s.recover(dir), s.refuses)
		switch got := tree(t, dir); {
		case maps.Equal(got, before):
			rolledBack++
		case maps.Equal(got, after):
			committed++
		default:
			t.Fatalf("killed at %s number %d: a mixture (-before +got)\n%s\n(-after +got)\n%s",
				p.call, p.when, cmp.Diff(before, got), cmp.Diff(after, got))
		}
		must(t, s.apply(dir), 0)
		if d := cmp.Diff(after, tree(t, dir)); d != "" {
			t.Fatalf("killed at %s number %d, then applied again (-want +got)\n%s", p.call, p.when, d)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed %d times: %d rolled back, %d committed", killed, rolledBack, committed)
	if killed < kills || rolledBack == 0 || committed == 0 {
		t.Errorf("that is not %d kills with both outcomes", kills)
	}
}

// points are the places to kill at, by a trace of a run: those that change something first.
func points(t *testing.T, trace string) []point {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	call := regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)`)
	counts := map[string]map[string]int{} // by call and thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := call.FindStringSubmatch(lines.Text()); m != nil && m[3] == "(" {
			if counts[m[2]] == nil {
				counts[m[2]] = map[string]int{}
			}
			counts[m[2]][m[1]]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	var all []point
	for _, calls := range [][]string{changing, looking} {
		var some []point
		for _, name := range calls {
			most := 0
			for _, n := range counts[name] {
				most = max(most, n)
			}
			for when := range most {
				some = append(some, point{name, when + 1})
			}
		}
		dice.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		all = append(all, some...)
	}
	return all
}

// wrap runs a command under another one, with one processor so that its calls stay in one thread mostly.
func wrap(c *exec.Cmd, by string, args ...string) *exec.Cmd {
	w := exec.Command(by, append(args, c.Args...)...)
	w.Env = append(c.Environ(), "GOMAXPROCS=1")
	return w
}

func must(t *testing.T, c *exec.Cmd, status int) {
	t.Helper()
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != status {
		t.Fatalf("%v: %v, want exit status %d\n%s", c.Args, err, status, out)
	}
}

// tree is a directory in words: names, modes, owners, contents. What is the program's own is left out, and the
// lock file of lckpwdf(3).
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if slices.Contains([]string{"var/lib/provisioner", "run/provisioner"}, name) {
			return fs.SkipDir
		}
		fi, err := e.Info()
		if err != nil || name == "etc/.pwd.lock" {
			return err
		}
		owner := fi.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%v %d:%d", fi.Mode(), owner.Uid, owner.Gid)
		switch {
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d names, %q", owner.Nlink, data)
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			text += " -> " + target
		}
		tree[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
