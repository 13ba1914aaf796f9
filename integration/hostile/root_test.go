//go:build integration && linux

// Package hostile_test gives the built program what a hostile author, a hostile local user, a lying metadata
// service and an unlucky administrator would give it, through the front door: commands, real directories and real
// file systems. Whatever happens, the exit status says so, a message says why, and the root is as it was.
//
// It needs root, strace and unshare. Nothing outside the tests' own temporary directories is changed.
package hostile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long one run of the program may take, the slowest of the tests' own waits included.
const patience = 60 * time.Second

// key is a public SSH key.
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"

// TestMain lets more tests run at once than there are processors: most of them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// program is the program under test.
func program() string {
	if p := os.Getenv("PROVISIONER"); p != "" {
		return p
	}
	return filepath.Join("..", "..", "bin", "provisioner")
}

// need skips the test, or fails it in CI, unless it runs as root and finds these tools.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	if _, err := os.Stat(program()); err != nil {
		missing(t, "the program: "+err.Error()+` (try "make build", or name it in $PROVISIONER)`)
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

// root is a small system below a directory, with a user eve who could be anybody. Beside it is outside/canary,
// which nothing may touch.
type root struct {
	dir      string
	userData string // the file that write fills
}

func newRoot(t *testing.T) *root {
	t.Helper()
	need(t)
	dir := t.TempDir()
	r := &root{dir: filepath.Join(dir, "root"), userData: filepath.Join(dir, "user-data")}
	r.file(t, "../outside/canary", 0o600, 0, "untouched\n")
	if err := os.Chmod(filepath.Join(dir, "outside"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.fill(t)
	return r
}

// fill makes the system in a directory that is empty or not there yet.
func (r *root) fill(t *testing.T) {
	t.Helper()
	for _, d := range []string{"etc/skel", "etc/systemd/system", "run", "var/lib", "usr/lib/systemd/system"} {
		r.mkdir(t, d, 0o755, 0)
	}
	r.mkdir(t, "root/.ssh", 0o700, 0)
	r.mkdir(t, "home/eve", 0o755, 1000)
	r.mkdir(t, "home/eve/.ssh", 0o700, 1000)
	r.mkdir(t, "tmp", 0o777|fs.ModeSticky, 0)
	r.file(t, "etc/passwd", 0o644, 0, "root:x:0:0:root:/root:/bin/bash\neve:x:1000:1000::/home/eve:/bin/bash\n")
	r.file(t, "etc/group", 0o644, 0, "root:x:0:\nsudo:x:27:\neve:x:1000:\n")
	r.file(t, "etc/shadow", 0o640, 0, "root:*:19000:0:99999:7:::\neve:*:19000:0:99999:7:::\n")
	r.file(t, "etc/hosts", 0o644, 0, "127.0.0.1 localhost\n")
	r.file(t, "root/.ssh/authorized_keys", 0o600, 0, "# of root\n")
}

func (r *root) path(name string) string { return filepath.Join(r.dir, name) }

func (r *root) mkdir(t *testing.T, name string, mode fs.FileMode, uid int) {
	t.Helper()
	if err := os.MkdirAll(r.path(name), 0o755); err != nil {
		t.Fatal(err)
	}
	r.own(t, name, mode, uid)
}

func (r *root) file(t *testing.T, name string, mode fs.FileMode, uid int, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r.own(t, name, mode, uid)
}

func (r *root) own(t *testing.T, name string, mode fs.FileMode, uid int) {
	t.Helper()
	if err := errors.Join(os.Chown(r.path(name), uid, uid), os.Chmod(r.path(name), mode)); err != nil {
		t.Fatal(err)
	}
}

// link makes a symbolic link of eve's, in the place of what is there.
func (r *root) link(t *testing.T, target, name string) {
	t.Helper()
	err := errors.Join(os.RemoveAll(r.path(name)), os.Symlink(target, r.path(name)), os.Lchown(r.path(name), 1000, 1000))
	if err != nil {
		t.Fatal(err)
	}
}

func (r *root) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write makes text the user-data of the next run. A text without a first line of its own is a cloud-config.
func (r *root) write(t *testing.T, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "#") && !strings.HasPrefix(text, "\x1f\x8b") {
		text = "#cloud-config\n" + text
	}
	if err := os.WriteFile(r.userData, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is what became of a run.
type result struct {
	status         int
	stdout, stderr string
	maxMemory      int64 // bytes
	cpu            time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("exit status %d\nstdout: %s\nstderr: %s", r.status, shorten(r.stdout), shorten(r.stderr))
}

func shorten(s string) string {
	const most = 4000
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// command is the arguments of a run on r with the user-data that write wrote.
func (r *root) command(name string, more ...string) []string {
	return append([]string{program(), name, "--root", r.dir, "--datasource", "file=" + r.userData}, more...)
}

// apply runs the program, by way of other programs such as strace if they are given.
func (r *root) apply(t *testing.T, by ...string) result {
	t.Helper()
	return run(t, append(by, r.command("apply")...)...)
}

func (r *root) plan(t *testing.T) result {
	t.Helper()
	return run(t, r.command("plan")...)
}

// prepare is a command in an environment that says nothing of the machine.
func prepare(ctx context.Context, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = 10 * time.Second // on a busy machine the pipes close late
	return cmd, stdout, stderr
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	return runFor(t, patience, args...)
}

// runFor fails the test if the program does not end in time, or dies of a signal or a panic.
func runFor(t *testing.T, limit time.Duration, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd, stdout, stderr := prepare(ctx, args...)
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s has not ended after %v\n%s", strings.Join(args, " "), limit, shorten(stderr.String()))
	}
	return ended(t, cmd, err, stdout, stderr)
}

func ended(t *testing.T, cmd *exec.Cmd, err error, stdout, stderr *bytes.Buffer) result {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.maxMemory = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if r.status < 0 || strings.Contains(r.stderr, "panic: ") || strings.Contains(r.stderr, "goroutine ") {
		t.Errorf("it died: %v\n%v", cmd.ProcessState, r)
	}
	return r
}

// tree is everything below a directory, by path: kind, mode, owner and content or target.
type tree map[string]string

func (r *root) tree(t *testing.T) tree {
	t.Helper()
	out := tree{}
	for _, top := range []string{r.dir, filepath.Join(filepath.Dir(r.dir), "outside")} {
		err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(r.dir, path)
			if err == nil {
				out[name], err = describe(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	content := ""
	switch {
	case info.Mode().IsRegular() && info.Size() > 64<<20:
		content = fmt.Sprintf("%d bytes", info.Size())
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		content = fmt.Sprintf("%x", sha256.Sum256(data))
	case info.Mode()&fs.ModeSymlink != 0:
		if content, err = os.Readlink(path); err != nil {
			return "", err
		}
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%v %d:%d %s", info.Mode(), st.Uid, st.Gid, content), nil
}

// Names that a run may leave even if it changed nothing: its report and its lock, the lock of the account files,
// and the empty directories and journals that it works with.
func isMachinery(name, is string) bool {
	switch name {
	case "etc/.pwd.lock":
		return strings.HasPrefix(is, "-rw------- 0:0 e3b0c442") // empty
	case "run/provisioner":
		return strings.HasPrefix(is, "drwxr-xr-x 0:0")
	case "var/lib/provisioner":
		return strings.HasPrefix(is, "drwx------ 0:0")
	case "var/lib/provisioner/stage", "run/provisioner/stage":
		return strings.HasPrefix(is, "drwx------ 0:0")
	case "run/provisioner/lock", "run/provisioner/result.json":
		return strings.HasPrefix(is, "-rw------- 0:0")
	case "run/provisioner/status.json", "run/provisioner/instance.json":
		return strings.HasPrefix(is, "-rw-r--r-- 0:0")
	case "var/lib/provisioner/journal.new", "var/lib/provisioner/journal.done":
		return strings.HasPrefix(is, "-rw------- 0:0")
	}
	return false
}

// without is the tree less the machinery.
func (tr tree) without() tree {
	out := maps.Clone(tr)
	maps.DeleteFunc(out, isMachinery)
	return out
}

// difference is what is in one tree and not in the other, for people; "" if they are the same but for machinery.
func (tr tree) difference(was tree) string {
	now, was := tr.without(), was.without()
	var out []string
	for name, is := range now {
		switch before, there := was[name]; {
		case !there:
			out = append(out, name+" is new: "+is)
		case before != is:
			out = append(out, name+" was "+before+"\n  and is "+is)
		}
	}
	for name := range was {
		if _, there := now[name]; !there {
			out = append(out, name+" is gone")
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// same fails the test if the root, or what is beside it, is not as it was.
func (r *root) same(t *testing.T, was tree) {
	t.Helper()
	if diff := r.tree(t).difference(was); diff != "" {
		t.Errorf("the root is not as it was:\n%s", diff)
	}
}

// refuses runs plan and then apply. Both must end with the status, say all of the words, and change nothing.
func (r *root) refuses(t *testing.T, status int, words ...string) {
	t.Helper()
	was := r.tree(t)
	for _, got := range []struct {
		command string
		result
	}{{"plan", r.plan(t)}, {"apply", r.apply(t)}} {
		if got.status != status {
			t.Errorf("%s: want exit status %d, got %v", got.command, status, got)
		}
		for _, w := range words {
			if !strings.Contains(got.stderr, w) {
				t.Errorf("%s does not say %q: %v", got.command, w, got)
			}
		}
	}
	r.same(t, was)
}
