//go:build integration && linux

package hostile_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// small mounts a file system of a size, and of so many inodes, at a place in the root.
func (r *root) small(t *testing.T, name string, sizeKiB, inodes int) {
	t.Helper()
	r.mkdir(t, name, 0o755, 0)
	if err := syscall.Mount("none", r.path(name), "tmpfs", 0, fmt.Sprintf("size=%dk,nr_inodes=%d,mode=755", sizeKiB, inodes)); err != nil {
		missing(t, "a mount: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(r.path(name), 0); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(r.path(name), syscall.MNT_DETACH)
		}
	})
}

// A disk that fills up at any point of a run, be it with bytes or with inodes, be it the only one or another.
func TestFullDisk(t *testing.T) {
	big := strings.Repeat("x", 100<<10)
	text := "hostname: web1\nusers: [{name: bob}]\nwrite_files:\n" +
		"  - {path: /etc/small, content: x}\n  - {path: /srv/a, content: " + big + "}\n  - {path: /etc/big, content: " + big + "}\n"
	tests := []struct {
		name, at          string
		from, to, step    int
		kibibytes, inodes func(n int) int
	}{
		{"the root has little room", ".", 100, 1000, 30, func(n int) int { return n }, func(int) int { return 1000 }},
		{"the root has few inodes", ".", 30, 70, 2, func(int) int { return 4000 }, func(n int) int { return n }},
		{"another disk has little room", "srv", 4, 204, 40, func(n int) int { return n }, func(int) int { return 1000 }},
		{"another disk has few inodes", "srv", 1, 6, 1, func(int) int { return 4000 }, func(n int) int { return n }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			statuses := map[int]int{}
			for n := tt.from; n <= tt.to && !t.Failed(); n += tt.step {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					r := newRoot(t)
					r.small(t, tt.at, tt.kibibytes(n), tt.inodes(n))
					if tt.at == "." {
						r.fill(t)
					}
					r.write(t, text)
					was := r.tree(t)
					got := r.apply(t)
					statuses[got.status]++
					switch got.status {
					case 0:
						if is := r.read(t, "srv/a"); is != big {
							t.Errorf("/srv/a has %d bytes", len(is))
						}
					case 3:
						if !strings.Contains(got.stderr, "no space left on device") {
							t.Errorf("it does not say why: %v", got)
						}
						r.same(t, was)
					default:
						t.Errorf("want exit status 0 or 3, got %v", got)
					}
				})
			}
			if statuses[0] == 0 || statuses[3] == 0 {
				t.Errorf("exit statuses %v: the sizes do not show anything", statuses)
			}
		})
	}
}

// A disk for reports that is full is no reason to leave the machine as it is.
func TestNoRoomForReports(t *testing.T) {
	r := newRoot(t)
	r.small(t, "run", 4, 1000)
	r.write(t, "hostname: web1\n")
	if got := r.apply(t); got.status != 0 || !strings.Contains(got.stderr, "no space left on device") {
		t.Errorf("want exit status 0 and a line that says what is missing, got %v", got)
	}
	if is := r.read(t, "etc/hostname"); is != "web1\n" {
		t.Errorf("/etc/hostname: %q", is)
	}
}

// readOnly runs the program in a mount namespace of its own in which a place is read-only.
const readOnly = `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"`

func TestReadOnly(t *testing.T) {
	need(t, "unshare", "mount")
	tests := []struct {
		name, at, text string
		status         int
		words          []string
	}{
		{"a file in /etc", "etc", file("/etc/motd", ""), 1, []string{"user-data:3:5: error: ", "[target-read-only]"}},
		{"an account", "etc", "users: [{name: bob}]\n", 1, []string{"user-data:2:9: error: ", "[target-read-only]"}},
		{"a hostname", "etc", "hostname: web1\n", 1, []string{"user-data:2:11: error: ", "[target-read-only]"}},
		{"a unit, which goes to /run", "etc", unit("a.service", ""), 0, []string{"[unit-volatile]"}},
		{"a file beside /etc", "etc", file("/srv/x", ""), 0, nil},
		{"keys, where homes are read-only", "home", "users:\n  - name: eve\n    ssh_authorized_keys: ['" + key + "']\n", 1, []string{"[target-read-only]"}},
		{"our state", "var", "hostname: web1\n", 3, []string{"read-only"}},
		{"our lock", "run", "hostname: web1\n", 3, []string{"read-only"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, tt.text)
			was := r.tree(t)
			got := r.apply(t, "unshare", "--mount", "sh", "-c", readOnly, "sh", r.path(tt.at))
			if got.status != tt.status {
				t.Errorf("want exit status %d, got %v", tt.status, got)
			}
			for _, w := range tt.words {
				if !strings.Contains(got.stderr, w) {
					t.Errorf("it does not say %q: %v", w, got)
				}
			}
			if tt.status != 0 {
				r.same(t, was)
			}
		})
	}
}

// full is a configuration that makes every kind of change, on a root where some of it is there already.
const full = `hostname: web1
users:
  - name: bob
    ssh_authorized_keys: ['` + key + `']
  - name: eve
    ssh_authorized_keys: ['` + key + `']
manage_etc_hosts: localhost
write_files:
  - {path: /etc/motd, content: new}
  - {path: /srv/deep/er/x, content: x, owner: bob, permissions: "0600"}
  - {path: /etc/hosts.allow, content: "more", append: true}
coreos:
  units:
    - {name: a.service, enable: true, content: "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"}
    - {name: b.service, mask: true}
  etcd2: {name: x}
`

// newWorked is a root on which an earlier configuration was applied.
func newWorked(t *testing.T) *root {
	t.Helper()
	r := newRoot(t)
	r.file(t, "etc/skel/.profile", 0o644, 0, "# skel\n")
	r.file(t, "etc/motd", 0o640, 0, "old")
	r.file(t, "etc/hosts.allow", 0o644, 0, "old\n")
	r.file(t, "etc/systemd/system/b.service", 0o644, 0, "[Service]\n")
	r.write(t, "hostname: web0\n")
	if got := r.apply(t); got.status != 0 {
		t.Fatal(got)
	}
	r.write(t, full)
	return r
}

// copyOf is another root with the same in it.
func (r *root) copyOf(t *testing.T) *root {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"root", "outside", "user-data"} {
		if got := run(t, "cp", "-a", r.path("../"+name), dir); got.status != 0 {
			t.Fatal(got)
		}
	}
	return &root{dir: dir + "/root", userData: dir + "/user-data"}
}

// restore makes the root as another one is.
func (r *root) restore(t *testing.T, from *root) {
	t.Helper()
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	if got := run(t, "cp", "-a", from.dir, r.dir); got.status != 0 {
		t.Fatal(got)
	}
}

// An input or output error anywhere, once: either nothing has changed and it says so, or everything has. What
// the system calls are of, strace cannot choose, so those of the language's own run time are hit as well; it
// gives up then, which is not what is looked at here.
func TestInputOutputError(t *testing.T) {
	need(t, "strace")
	pristine := newWorked(t)
	want := pristine.copyOf(t)
	if got := want.apply(t); got.status != 0 {
		t.Fatal(got)
	}
	before, after := pristine.tree(t).stateless(), want.tree(t).stateless()
	calls := []struct {
		name string
		step int // 1: every call is hit in a run of its own; n: every n-th
	}{
		{"fsync", 1}, {"renameat", 1}, {"write", 1}, {"pwrite64", 1}, {"linkat", 1}, {"mkdirat", 1}, {"unlinkat", 1}, {"symlinkat", 1},
		{"fchown", 2}, {"fchmod", 2}, {"ftruncate", 1}, {"getdents64", 1}, {"readlinkat", 1}, {"read", 3}, {"fstatfs", 23}, {"statx", 89}, {"openat2", 61},
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			r := pristine.copyOf(t)
			failed := 0
			// strace counts in each thread, and which thread makes which call differs from run to run: the one
			// call that matters may be missed by a whole sweep, never by many.
			for sweep := 0; failed == 0; sweep++ {
				if sweep == 50 {
					t.Fatal("no run failed: nothing was shown")
				}
				failed = r.sweep(t, call.name, call.step, pristine, after)
			}
		})
	}
	if before.difference(after) == "" {
		t.Error("the configuration changes nothing")
	}
}

// sweep lets every step-th call of a kind fail, each in a run of its own, and says how many runs failed.
func (r *root) sweep(t *testing.T, call string, step int, pristine *root, after tree) (failed int) {
	t.Helper()
	for n := 1; ; n += step {
		r.restore(t, pristine)
		got := r.applyHit(t, call, fmt.Sprint(n))
		if got.hits == 0 {
			return failed
		}
		switch {
		case got.gaveUp():
		case got.status == 0:
			if diff := r.tree(t).stateless().difference(after); diff != "" {
				t.Fatalf("call %d: exit status 0, and not everything was done:\n%s\n%v", n, diff, got)
			}
		case got.status == 3:
			failed++
			// Of several hits, in as many threads, one may have been the message itself.
			if got.hits == 1 && !strings.Contains(got.stderr, "input/output error") {
				t.Fatalf("call %d: it does not say why: %v", n, got)
			}
			if got.hits > 1 && strings.Contains(got.stderr, "which the next run will try again") {
				r.recovers(t) // the call that was to undo it was hit as well, in another thread
			}
			if diff := r.tree(t).difference(pristine.tree(t)); diff != "" {
				t.Fatalf("call %d: exit status 3, and something was done:\n%s\n%v", n, diff, got)
			}
		default:
			t.Fatalf("call %d: want exit status 0 or 3, got %v", n, got)
		}
	}
}

// A disk that fails for good: what is half done stays so, and is told; the next run on a sound disk undoes it,
// whatever else it then thinks of its configuration.
func TestDiskThatFailsForGood(t *testing.T) {
	need(t, "strace")
	pristine := newWorked(t)
	for _, call := range []string{"fsync", "renameat", "linkat", "unlinkat", "mkdirat", "write"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			r := pristine.copyOf(t)
			for n := 2; n < 200; n += 3 {
				r.restore(t, pristine)
				got := r.applyHit(t, call, fmt.Sprintf("%d+", n))
				if got.hits == 0 {
					break
				}
				if got.gaveUp() || got.status == 0 {
					continue // in the latter case all that failed came after the commit
				}
				if got.status != 3 {
					t.Fatalf("call %d: want exit status 3, got %v", n, got)
				}
				r.recovers(t)
				if diff := r.tree(t).difference(pristine.tree(t)); diff != "" {
					t.Fatalf("call %d: it was not undone:\n%s\n%v", n, diff, got)
				}
			}
		})
	}
}

// recovers runs the program with a configuration that it refuses, so that all it does is to recover.
func (r *root) recovers(t *testing.T) {
	t.Helper()
	r.write(t, "no-such-key: true\n")
	if got := r.apply(t); got.status != 1 {
		t.Errorf("the next run: want exit status 1, got %v", got)
	}
	r.write(t, full)
}

// stateless is a tree without what is remembered of the run, which holds times and paths of it.
func (tr tree) stateless() tree {
	out := tree{}
	for name, is := range tr.without() {
		if !strings.HasPrefix(name, "var/lib/provisioner/") {
			out[name] = is
		}
	}
	return out
}

type hitResult struct {
	result
	hits int
}

// gaveUp says that the run time of the language died, as it does when it cannot write to itself.
func (h hitResult) gaveUp() bool {
	return h.status == 2 && (strings.Contains(h.stderr, "runtime: ") || !strings.Contains(h.stderr, "error"))
}

// applyHit lets a system call fail, counted in each thread: "3" is the third, "3+" the third and all after it.
func (r *root) applyHit(t *testing.T, call, when string) hitResult {
	t.Helper()
	trace := r.path("../trace")
	got := runAny(t, append([]string{"strace", "-f", "-qq", "-o", trace, "-e", "trace=" + call, "-e", "inject=" + call + ":error=EIO:when=" + when},
		r.command("apply")...)...)
	return hitResult{got, strings.Count(r.read(t, "../trace"), "(INJECTED)")}
}
