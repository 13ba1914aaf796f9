package fsroot_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/fsroot"
)

// scratch is a root with what the list says: "dir/", "dir/ 0777", "file=content", "link->target".
func scratch(t *testing.T, list ...string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for _, entry := range list {
		var err error
		if name, target, ok := strings.Cut(entry, "->"); ok {
			err = os.Symlink(target, filepath.Join(dir, name))
		} else if name, content, ok := strings.Cut(entry, "="); ok {
			err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
		} else if name, ok := strings.CutSuffix(entry, "/ 0777"); ok {
			err = errors.Join(os.Mkdir(filepath.Join(dir, name), 0o755), os.Chmod(filepath.Join(dir, name), 0o777))
		} else {
			err = os.Mkdir(filepath.Join(dir, entry), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir), dir
}

func open(t *testing.T, dir string) *fsroot.Root {
	t.Helper()
	r, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestStat(t *testing.T) {
	r, dir := scratch(t,
		"etc/", "etc/hostname=old", "run/", "run/x=1", "var/", "var/run->/run", "var/up->../../../../../../run",
		"etc/up->../run/../run/", "etc/loop->/etc/loop", "etc/gone->/nowhere/at/all", "etc/top->/", "etc/mtab->/proc/self/mounts",
		"open/ 0777", "open/link->../etc", "open/a=a",
	)
	if err := unix.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		want       fsroot.Kind
		real       string
		err        error
	}{
		{"a file", "etc/hostname", fsroot.Regular, "etc/hostname", nil},
		{"a directory", "etc", fsroot.Directory, "etc", nil},
		{"the root", ".", fsroot.Directory, ".", nil},
		{"a FIFO is not opened", "etc/fifo", fsroot.Other, "etc/fifo", nil},
		{"a last link is not followed", "etc/mtab", fsroot.Link, "etc/mtab", nil},
		{"an absolute link leads to the root", "var/run/x", fsroot.Regular, "run/x", nil},
		{"two dots stop at the root", "var/up/x", fsroot.Regular, "run/x", nil},
		{"two dots in a link", "etc/up/x", fsroot.Regular, "run/x", nil},
		{"through the root itself", "etc/top/etc/top/etc/hostname", fsroot.Regular, "etc/hostname", nil},
		{"nothing", "etc/none", fsroot.Absent, "etc/none", nil},
		{"nothing behind a link", "var/run/none/deep", fsroot.Absent, "run/none/deep", nil},
		{"a link to nothing", "etc/gone/x", fsroot.Absent, "nowhere/at/all/x", nil},
		{"a file is no parent", "etc/hostname/x", fsroot.Absent, "etc/hostname/x", nil},
		{"links in a circle", "etc/loop/x", 0, "", unix.ELOOP},
		{"a link where others can write", "open/link/hostname", 0, "", fsroot.ErrUntrusted},
		{"that link itself", "open/link", fsroot.Link, "open/link", nil},
		{"a path with two dots", "etc/../etc", 0, "", fs.ErrInvalid},
		{"an absolute path", "/etc", 0, "", fs.ErrInvalid},
		{"a NUL", "etc/a\x00b", 0, "", fs.ErrInvalid},
		{"a name too long", "etc/" + strings.Repeat("x", 300), 0, "", unix.ENAMETOOLONG},
		{"bytes that are not UTF-8", "etc/\xff", fsroot.Absent, "etc/\xff", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // once more, now that directories are remembered
				got, err := r.Stat(tt.path)
				if !errors.Is(err, tt.err) || got.Kind != tt.want || got.Real != tt.real {
					t.Fatalf("Stat(%q) = kind %d, real %q, %v; want %d, %q, %v",
						tt.path, got.Kind, got.Real, err, tt.want, tt.real, tt.err)
				}
			}
		})
	}
}

func TestManyLinksEnd(t *testing.T) {
	r, dir := scratch(t, "d0/")
	for i := range 45 {
		name := func(i int) string { return filepath.Join(dir, "d"+strings.Repeat("x", i)) }
		if err := os.Symlink("d"+strings.Repeat("x", i), name(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d0", filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	// "d" and n times "x" is a link, n+1 links deep.
	if _, err := r.ReadDir("d" + strings.Repeat("x", 39)); err != nil {
		t.Errorf("40 links: %v", err)
	}
	if _, err := r.ReadDir("d" + strings.Repeat("x", 40)); !errors.Is(err, unix.ELOOP) {
		t.Errorf("41 links: %v, want ELOOP", err)
	}
}

func TestReadFile(t *testing.T) {
	r, dir := scratch(t, "etc/", "etc/hostname=web1", "etc/link->hostname", "open/ 0777", "open/a=a", "open/link->a")
	if err := os.Link(filepath.Join(dir, "etc/hostname"), filepath.Join(dir, "open/two")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		limit      int64
		want       string
		err        error
	}{
		{"a file of just the limit", "etc/hostname", 4, "web1", nil},
		{"a file over the limit", "etc/hostname", 3, "", fsroot.ErrTooLarge},
		{"nothing", "etc/none", 9, "", fs.ErrNotExist},
		{"no parent", "none/none", 9, "", fs.ErrNotExist},
		{"a link", "etc/link", 9, "", unix.ELOOP},
		{"a directory", "etc", 9, "", unix.EISDIR},
		{"a file where others can write", "open/a", 9, "a", nil},
		{"a file with a second name there", "open/two", 9, "", fsroot.ErrUntrusted},
		{"a link there", "open/link", 9, "", fsroot.ErrUntrusted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, info, err := r.ReadFile(tt.path, tt.limit)
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Fatalf("ReadFile(%q) = %q, %v; want %q, %v", tt.path, got, err, tt.want, tt.err)
			}
			if err == nil && (info.Kind != fsroot.Regular || info.Size != int64(len(tt.want)) || info.Attr.Mode != 0o644) {
				t.Errorf("info = %+v", info)
			}
		})
	}
	if _, _, err := r.ReadFile("etc/fifo", 9); err == nil {
		t.Error("a FIFO was read")
	}
}

func TestStrangeOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of several users")
	}
	r, dir := scratch(t, "home/", "home/core/", "home/core/own=1", "home/core/roots=1", "home/core/strange=1",
		"home/core/ssh/", "home/core/link->/etc", "etc/")
	for name, uid := range map[string]int{"home/core": 1000, "home/core/own": 1000, "home/core/strange": 1001} {
		if err := os.Chown(filepath.Join(dir, name), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"home/core/own": nil, "home/core/roots": nil, "home/core/strange": fsroot.ErrUntrusted,
		"home/core/link/passwd": fsroot.ErrUntrusted,
	} {
		if _, _, err := r.ReadFile(name, 9); !errors.Is(err, want) {
			t.Errorf("ReadFile(%s): %v, want %v", name, err, want)
		}
		if err := r.Create("new", nil, fsroot.Attr{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Rename("new", name); !errors.Is(err, want) {
			t.Errorf("Rename to %s: %v, want %v", name, err, want)
		}
		r.Remove("new")
	}
	// What is below is not trusted either, though root owns it.
	if err := r.Create("home/core/ssh/f", nil, fsroot.Attr{UID: 1000, GID: 1000, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "home/core/ssh/l")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadDir("home/core/ssh/l"); !errors.Is(err, fsroot.ErrUntrusted) {
		t.Errorf("a link of root below a user's directory: %v", err)
	}
	if v, err := r.Volume("home/core/ssh/f"); err != nil || v.Shared {
		t.Errorf("Volume = %+v, %v", v, err)
	}
}

func TestWrite(t *testing.T) {
	r, dir := scratch(t, "etc/", "run/", "var/", "var/run->/run", "open/ 0777", "open/link->a", "open/a=a")
	a := fsroot.Attr{Mode: 0o4750}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Create("var/run/x", []byte("data"), a))
	must(r.SyncFile("run/x"))
	must(r.SyncDir("var/run"))
	must(r.SyncVolume("var/run"))
	if err := r.Create("run/x", nil, a); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file: %v", err)
	}
	info, err := r.Stat("run/x")
	must(err)
	want := fsroot.Info{Kind: fsroot.Regular, Attr: a, Size: 4, Real: "run/x"}
	if os.Geteuid() == 0 || info.Attr.UID == 0 { // an ordinary user stands for root in a root of their own
		if d := cmp.Diff(want, info); d != "" {
			t.Error(d)
		}
	} else {
		t.Errorf("owner %d shown, want 0", info.Attr.UID)
	}
	must(r.Mkdir("etc/d", fsroot.Attr{Mode: 0o1777}))
	if fi, err := os.Stat(filepath.Join(dir, "etc/d")); err != nil || fi.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	must(r.SetAttr("etc/d", fsroot.Attr{Mode: 0o2700}))
	if info, _ := r.Stat("etc/d"); info.Attr.Mode != 0o2700 {
		t.Errorf("mode %o", info.Attr.Mode)
	}
	must(r.Symlink("etc/l", "/etc/none"))
	must(r.Link("etc/l", "etc/l2"))
	if info, _ := r.Stat("etc/l2"); info.Kind != fsroot.Link || info.Target != "/etc/none" {
		t.Errorf("a second name of a link: %+v", info)
	}
	must(r.Link("run/x", "etc/x"))
	must(r.Rename("etc/x", "etc/l")) // replaces the link, does not follow it
	if info, _ := r.Stat("etc/l"); info.Kind != fsroot.Regular {
		t.Errorf("the link is still there: %+v", info)
	}
	if err := r.Rename("etc/l", "etc/d"); !errors.Is(err, unix.EISDIR) {
		t.Errorf("Rename over a directory: %v", err)
	}
	if err := r.Rename("etc/l", "open/link"); !errors.Is(err, fsroot.ErrUntrusted) {
		t.Errorf("Rename over a link of others: %v", err)
	}
	must(r.Link("open/a", "etc/copy"))
	must(r.Rename("etc/l", "open/a")) // still has one name: it was copied
	if got, err := os.ReadFile(filepath.Join(dir, "etc/copy")); string(got) != "a" || err != nil {
		t.Errorf("copy has %q, %v", got, err)
	}
	must(r.Remove("etc/d"))
	must(r.Remove("etc/copy"))
	if err := r.Remove("etc"); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("Remove of a full directory: %v", err)
	}
	names, err := r.ReadDir("etc")
	must(err)
	if d := cmp.Diff([]string{"l2"}, names); d != "" {
		t.Error(d)
	}
}

func TestInherit(t *testing.T) {
	r, dir := scratch(t, "old=1")
	for name, value := range map[string]string{"user.note": "kept", "security.capability": "\x01\x00\x00\x02" + strings.Repeat("\x00", 16)} {
		err := unix.Setxattr(filepath.Join(dir, "old"), name, []byte(value), 0)
		if err != nil && (name == "user.note" || os.Geteuid() == 0) {
			t.Skipf("set %s: %v", name, err)
		}
	}
	// user::rw-, user:1234:r--, group::r--, mask::rw-, other::---
	acl := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xd2\x04\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	acls := unix.Setxattr(filepath.Join(dir, "old"), "system.posix_acl_access", []byte(acl), 0) == nil
	if err := r.Create("new", []byte("2"), fsroot.Attr{Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	if err := r.Inherit("old", "new"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := unix.Getxattr(filepath.Join(dir, "new"), "user.note", buf); err != nil || string(buf[:n]) != "kept" {
		t.Errorf("user.note: %q, %v", buf[:max(n, 0)], err)
	}
	if _, err := unix.Getxattr(filepath.Join(dir, "new"), "security.capability", buf); err == nil {
		t.Error("capabilities of the old content were given to the new")
	}
	if acls {
		if _, err := unix.Getxattr(filepath.Join(dir, "new"), "system.posix_acl_access", buf); err != nil {
			t.Errorf("ACL: %v", err)
		}
	}
	if info, _ := r.Stat("new"); info.Attr.Mode != 0o640 {
		t.Errorf("mode %o, want 640: the ACL's mask has won", info.Attr.Mode)
	}
}

func TestKernelFileSystems(t *testing.T) {
	if _, err := os.Stat("/proc/self/mounts"); err != nil {
		t.Skip(err)
	}
	r := open(t, "/proc")
	v, err := r.Volume("self/mounts")
	if err != nil || v.Type != "proc" || v.Top != "." {
		t.Errorf("Volume = %+v, %v", v, err)
	}
	if err := r.Create("x", nil, fsroot.Attr{}); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "belongs to the kernel") {
		t.Errorf("Create on proc: %v", err)
	}
}

func TestVolumes(t *testing.T) {
	r := open(t, "/")
	root, err := r.Volume("none/at/all")
	if err != nil || root.Top != "." {
		t.Fatalf("Volume = %+v, %v", root, err)
	}
	proc, err := r.Volume("proc/none")
	if err != nil || proc.Type != "proc" || proc.Top != "proc" || proc.ID == root.ID {
		t.Errorf("Volume = %+v, %v", proc, err)
	}
	if v, err := r.Volume("proc"); err != nil || v != proc {
		t.Errorf("Volume of a mount point = %+v, %v; want %+v", v, err, proc)
	}
	dir, own := scratch(t, "d/", "d/f=1", "open/ 0777", "open/d/", "l->d")
	want, err := dir.Volume(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"d", "d/f", "open/d/none", "l", "l/none"} {
		if v, err := dir.Volume(p); err != nil || v != want {
			t.Errorf("Volume(%s) = %+v, %v; want %+v", p, v, err, want)
		}
	}
	if v, err := open(t, filepath.Join(own, "open")).Volume("d"); err != nil || !v.Shared {
		t.Errorf("a root that others can write to: %+v, %v", v, err)
	}
}

// A directory that is remembered must not be used for another that has taken its place since.
func TestRememberedDirectories(t *testing.T) {
	r, dir := scratch(t, "a/", "a/b/")
	put := func(name string) {
		t.Helper()
		if err := r.Create(name, nil, fsroot.Attr{Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
	put("a/b/1")
	if err := errors.Join(os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "old")),
		os.MkdirAll(filepath.Join(dir, "a/b"), 0o755)); err != nil {
		t.Fatal(err)
	}
	put("a/b/2")
	if names, _ := r.ReadDir("old/b"); !cmp.Equal(names, []string{"1"}) {
		t.Errorf("old/b has %v", names)
	}
	if err := os.Chmod(filepath.Join(dir, "a/b"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "a/b/2"), filepath.Join(dir, "a/b/3")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.ReadFile("a/b/2", 9); !errors.Is(err, fsroot.ErrUntrusted) {
		t.Errorf("a directory that is open to others by now: %v", err)
	}
}

func TestLock(t *testing.T) {
	r, dir := scratch(t)
	unlock, err := r.Lock("run/provisioner/lock", "process 7")
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, dir)
	if _, err := other.Lock("run/provisioner/lock", "process 8"); !errors.Is(err, fsroot.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	if got, _, err := other.ReadFile("run/provisioner/lock", 99); string(got) != "process 7" || err != nil {
		t.Errorf("holder %q, %v", got, err)
	}
	unlock()
	unlock()
	again, err := other.Lock("run/provisioner/lock", "")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if info, err := r.Stat("run/provisioner/lock"); err != nil || info.Attr.Mode != 0o600 {
		t.Errorf("lock: %+v, %v", info, err)
	}
	if info, err := r.Stat("run/provisioner"); err != nil || info.Attr.Mode != 0o755 {
		t.Errorf("parent: %+v, %v", info, err)
	}
}

// Nothing may stay open, and nothing be closed twice.
func TestDescriptors(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(names)
	}
	before := count()
	r, _ := scratch(t, "a/", "a/b/", "a/b/c/", "a/b/c/d/", "a/l->b/../b/c", "a/f=1", "a/x->/a/f")
	for range 50 {
		for _, p := range []string{"a", "a/b", "a/b/c/d", "a/l/d", "a/f", "a/f/g", "a/x", "a/x/y", "none/none", "a/l/../b"} {
			r.Stat(p)
			r.ReadFile(p, 9)
			r.ReadDir(p)
			r.Volume(p)
			r.Create(p+"/new", nil, fsroot.Attr{})
			r.Link("a/f", p+"/two")
			r.Inherit("a/f", p)
			r.SyncDir(p)
			r.Rename(p+"/two", p+"/three")
			r.Remove(p + "/three")
			r.Remove(p + "/new")
			if unlock, err := r.Lock(p, ""); err == nil {
				unlock()
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if after := count(); after > before+1 { // the runtime's epoll
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
