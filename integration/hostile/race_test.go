//go:build integration && linux

package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is a run that goes on.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *bytes.Buffer
	err            chan error
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	p := &process{err: make(chan error, 1)}
	p.cmd, p.stdout, p.stderr = prepare(ctx, args...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err <- p.cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
	})
	return p
}

func (p *process) wait(t *testing.T) result {
	t.Helper()
	return ended(t, p.cmd, <-p.err, p.stdout, p.stderr)
}

// lock takes an open-file-description lock, which excludes those of lckpwdf(3) too, until unlock or the end of
// the test.
func (r *root) lock(t *testing.T, name, holder string) (unlock func()) {
	t.Helper()
	if !strings.HasPrefix(name, "etc/") {
		r.mkdir(t, "run/provisioner", 0o755, 0)
	}
	f, err := os.OpenFile(r.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteString(holder); err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// Two runs at once: the second waits for the first and says so, and both are right.
func TestTwoRuns(t *testing.T) {
	need(t, "strace")
	t.Parallel()
	r := newRoot(t)
	r.write(t, full)
	slow := append([]string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=100000"}, r.command("apply")...)
	first := start(t, slow...)
	for i := 0; ; i++ {
		if _, err := os.Stat(r.path("var/lib/provisioner/stage")); err == nil {
			break
		}
		if i == 500 {
			t.Fatal("the first run does not come to its commit")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := run(t, program(), "status", "--root", r.dir); got.status != 5 || !strings.Contains(got.stdout, "running") {
		t.Errorf("status while it runs: want exit status 5, got %v", got)
	}
	second := r.apply(t)
	one := first.wait(t)
	if one.status != 0 || second.status != 0 {
		t.Fatalf("first: %v\nsecond: %v", one, second)
	}
	if !strings.Contains(second.stderr, "waiting for process ") {
		t.Errorf("the second does not say what it waits for: %v", second)
	}
	if !strings.Contains(second.stderr, "commit: 0 changes") {
		t.Errorf("the second has something left to do: %v", second)
	}
	if n := strings.Count(r.read(t, "etc/passwd"), "\nbob:"); n != 1 {
		t.Errorf("bob is there %d times", n)
	}
}

// Who waits too long ends with 3 and says what for, in words that the holder cannot choose.
func TestLockThatIsNeverGivenBack(t *testing.T) {
	tests := []struct {
		name, lock, holder string
		words              []string
		most               time.Duration
	}{
		{"of another run", "run/provisioner/lock", "process 4242\n", []string{"process 4242", "run/provisioner/lock"}, 35 * time.Second},
		{"of nobody we know", "run/provisioner/lock", "\x1b[2Jprocess\n", []string{"another process", "run/provisioner/lock"}, 35 * time.Second},
		{"of the account files", "etc/.pwd.lock", "", []string{"etc/.pwd.lock"}, 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, full)
			was := r.tree(t)
			r.lock(t, tt.lock, tt.holder)
			began := time.Now()
			got := runFor(t, 2*patience, r.command("apply")...)
			if took := time.Since(began); took > tt.most {
				t.Errorf("it took %v", took)
			}
			if got.status != 3 {
				t.Errorf("want exit status 3, got %v", got)
			}
			for _, w := range tt.words {
				if !strings.Contains(got.stderr, w) {
					t.Errorf("it does not say %q: %v", w, got)
				}
			}
			if strings.Contains(got.stderr, "\x1b") {
				t.Errorf("what the holder wrote acts on the terminal: %q", got.stderr)
			}
			r.same(t, was)
		})
	}
}

// Somebody else adds a user while ours is planned and not yet committed: both are there, with ids of their own.
func TestUserAddedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.write(t, "users: [{name: bob}]\n")
	unlock := r.lock(t, "etc/.pwd.lock", "")
	p := start(t, r.command("apply")...)
	time.Sleep(time.Second) // by now it has planned, and waits for the lock
	for _, line := range []struct{ file, text string }{
		{"etc/passwd", "mallory:x:1001:1001::/home/mallory:/bin/sh\n"}, {"etc/group", "mallory:x:1001:\n"}, {"etc/shadow", "mallory:!:19000:0:99999:7:::\n"},
	} {
		if err := r.add(line.file, line.text); err != nil {
			t.Fatal(err)
		}
	}
	unlock()
	got := p.wait(t)
	if got.status != 0 {
		t.Fatal(got)
	}
	if !strings.Contains(got.stderr, "planning again") {
		t.Errorf("it did not notice: %v", got)
	}
	passwd := r.read(t, "etc/passwd")
	if !strings.Contains(passwd, "\nmallory:x:1001:1001:") || !strings.Contains(passwd, "\nbob:x:1002:1002:") {
		t.Errorf("not both are there, or not with ids of their own:\n%s", passwd)
	}
}

// Programs that lock and add accounts all the time lose none of theirs, nor do we.
func TestManyAddUsersAtOnce(t *testing.T) {
	need(t, "strace")
	t.Parallel()
	r := newRoot(t)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { done <- n }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			f, err := os.OpenFile(r.path("etc/.pwd.lock"), os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return
			}
			// As lckpwdf(3) does, though it locks for the process; this one has other threads.
			if unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK}) == nil &&
				r.add("etc/passwd", fmt.Sprintf("u%d:x:%d:100::/:/bin/sh\n", n, 20000+n)) == nil {
				n++
			}
			_ = f.Close()
		}
	}()
	const ours = 8
	slowly := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=10000"}
	applied := map[string]bool{}
	for i := range ours {
		name := fmt.Sprintf("bob%d", i)
		r.write(t, "users: [{name: "+name+", uid: "+fmt.Sprint(5000+i)+"}]\n")
		got := r.apply(t, slowly...)
		if got.status != 0 && got.status != 3 {
			t.Errorf("want exit status 0 or 3, got %v", got)
		}
		applied[name] = got.status == 0
	}
	close(stop)
	theirs := <-done
	passwd := r.read(t, "etc/passwd")
	for n := range theirs {
		if !strings.Contains(passwd, fmt.Sprintf("\nu%d:x:", n)) {
			t.Errorf("u%d of %d is lost", n, theirs)
		}
	}
	for name, ok := range applied {
		if strings.Contains(passwd, "\n"+name+":x:") != ok {
			t.Errorf("%s: applied: %v, and that is not what is there", name, ok)
		}
	}
	if theirs < 5 {
		t.Errorf("only %d accounts of others: nothing was shown", theirs)
	}
}

// Somebody who takes no lock and never stops: after three attempts it gives up, says why, and has changed
// nothing.
func TestAccountFileThatNeverRests(t *testing.T) {
	need(t, "strace")
	t.Parallel()
	r := newRoot(t)
	r.write(t, full)
	was := r.tree(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_ = r.add("etc/passwd", fmt.Sprintf("u%d:x:%d:100::/:/bin/sh\n", n, 20000+n))
			}
		}
	}()
	got := r.apply(t, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=20000")
	close(stop)
	<-done
	if got.status != 3 || strings.Count(got.stderr, "planning again") != 2 || !strings.Contains(got.stderr, "etc/passwd: changed by somebody else") {
		t.Errorf("want exit status 3 after three attempts, got %v", got)
	}
	now := r.tree(t)
	now["etc/passwd"] = was["etc/passwd"]
	if diff := now.difference(was); diff != "" {
		t.Errorf("something of ours was left:\n%s", diff)
	}
	if strings.Contains(r.read(t, "etc/passwd"), "bob") {
		t.Error("bob is there")
	}
}

// add adds a line to an account file as useradd(8) does: a new file is renamed over the old one.
func (r *root) add(name, line string) error {
	text, err := os.ReadFile(r.path(name))
	if err != nil {
		return err
	}
	info, err := os.Stat(r.path(name))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(r.path(name+"+"), append(text, line...), info.Mode()), os.Rename(r.path(name+"+"), r.path(name)))
}

// Eve swaps her .ssh for a link to root's and back, as fast as she can, while her keys are written: whatever she
// gets, root's keys are as they were and nothing of hers is root's.
func TestEveSwapsHerDirectory(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	if err := os.Symlink("/root/.ssh", r.path("home/eve/link")); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, r.path("home/eve/link"), unix.AT_FDCWD, r.path("home/eve/.ssh"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	statuses := map[int]int{}
	for i := range 60 {
		r.write(t, fmt.Sprintf("users:\n  - name: eve\n    ssh_authorized_keys: ['%s%d']\n", key, i))
		statuses[r.apply(t).status]++
		if is := r.read(t, "root/.ssh/authorized_keys"); is != "# of root\n" {
			t.Fatalf("root's keys: %q", is)
		}
		if is, err := describe(r.path("root/.ssh")); err != nil || !strings.HasPrefix(is, "drwx------ 0:0") {
			t.Fatalf("root's .ssh: %s, %v", is, err)
		}
	}
	close(stop)
	<-done
	t.Logf("exit statuses: %v", statuses)
	for status := range statuses {
		if status != 0 && status != 1 && status != 3 {
			t.Errorf("exit status %d", status)
		}
	}
	names, err := os.ReadDir(r.path("root/.ssh"))
	if err != nil || len(names) != 1 {
		t.Errorf("in root's .ssh: %v, %v", names, err)
	}
}

// A request to end is heeded before the commit and not in the middle of it: at every step, all or nothing.
func TestSignals(t *testing.T) {
	need(t, "strace")
	pristine := newWorked(t)
	want := pristine.copyOf(t)
	if got := want.apply(t); got.status != 0 {
		t.Fatal(got)
	}
	after := want.tree(t).stateless()
	for _, signal := range []string{"SIGTERM", "SIGINT", "SIGHUP"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			r := pristine.copyOf(t)
			for n := 1; n < 40; n += 2 {
				r.restore(t, pristine)
				got := runAny(t, "strace", "-f", "-qq", "-o", r.path("../trace"), "-e", "trace=renameat", "-e", fmt.Sprintf("inject=renameat:signal=%s:when=%d", signal, n),
					program(), "apply", "--root", r.dir, "--datasource", "file="+r.userData)
				now := r.tree(t)
				switch {
				case got.status == 0:
					if diff := now.stateless().difference(after); diff != "" {
						t.Fatalf("rename %d: exit status 0, and not everything was done:\n%s", n, diff)
					}
				default:
					if diff := now.difference(pristine.tree(t)); diff != "" {
						t.Fatalf("rename %d: %v, and something was done:\n%s", n, got, diff)
					}
				}
				if !strings.Contains(r.read(t, "../trace"), signal) {
					break
				}
			}
		})
	}
}

// runAny is run for a program that may die of a signal.
func runAny(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, stdout, stderr := prepare(ctx, args...)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// Whoever watched goes away, or cannot be written to: that is no reason to stop.
func TestNobodyListens(t *testing.T) {
	tests := []struct {
		name   string
		stderr func(t *testing.T) *os.File
	}{
		{"a pipe that nobody reads", func(t *testing.T) *os.File {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = read.Close()
			return write
		}},
		{"a full disk", func(t *testing.T) *os.File {
			f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, full)
			cmd := exec.CommandContext(t.Context(), program(), r.command("apply")[1:]...)
			w := tt.stderr(t)
			defer w.Close()
			cmd.Stdout, cmd.Stderr = w, w
			err := cmd.Run()
			if status := cmd.ProcessState; status.ExitCode() != 0 {
				t.Errorf("%v, %v (signal %v)", err, status, status.Sys().(syscall.WaitStatus).Signal())
			}
			if got := run(t, program(), "status", "--root", r.dir); got.status != 0 || !strings.Contains(got.stdout, "done") {
				t.Errorf("status: %v", got)
			}
		})
	}
}
