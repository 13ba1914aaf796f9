package commit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// scratch is a real root with some files, and directories that end in "/".
func scratch(t testing.TB, files map[string]string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(p, 0o755)
		} else if target, ok := strings.CutPrefix(content, "->"); ok {
			err = errors.Join(err, os.Symlink(target, p))
		} else {
			err = errors.Join(err, os.WriteFile(p, []byte(content), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir), dir
}

func open(t testing.TB, dir string) *fsroot.Root {
	t.Helper()
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// list is a real tree in words.
func list(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		fi, err := e.Info()
		if err != nil {
			return err
		}
		switch text, _ := os.Readlink(p); {
		case text != "":
			tree[name] = "->" + text
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			tree[name] = fmt.Sprintf("%v %s", fi.Mode(), data)
		default:
			tree[name] = fi.Mode().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestApply(t *testing.T) {
	root, dir := scratch(t, map[string]string{
		"etc/hostname": "old", "etc/same": "same", "etc/localtime": "->UTC", "etc/gone": "bye", "etc/old.d/": "",
		"run/": "", "var/lib/": "", "var/run": "->/run",
	})
	p := planFor(root, []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/hostname", Data: []byte("web1\n")},
		{Kind: plan.WriteFile, Path: "etc/same", Data: []byte("same")},
		{Kind: plan.MakeLink, Path: "etc/localtime", Target: "../usr/share/zoneinfo/UTC"},
		{Kind: plan.Remove, Path: "etc/gone"},
		{Kind: plan.Remove, Path: "etc/never"},
		{Kind: plan.Remove, Path: "etc/old.d"},
		{Kind: plan.MakeDirectory, Path: "etc/new.d", Attr: fsroot.Attr{Mode: 0o1777}},
		{Kind: plan.WriteFile, Path: "etc/new.d/x", Data: []byte("x"), Attr: fsroot.Attr{Mode: 0o4711}},
		{Kind: plan.WriteFile, Path: "var/run/flag", Data: []byte("1")},
		{Kind: plan.MakeDirectory, Path: "etc", Attr: fsroot.Attr{Mode: 0o755}},
	})
	r, err := commit.Apply(context.Background(), root, p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"etc/hostname", "etc/localtime", "etc/gone", "etc/old.d", "etc/new.d", "etc/new.d/x", "var/run/flag"}
	if d := cmp.Diff(want, r.Changed); d != "" {
		t.Error(d)
	}
	wantTree := map[string]string{
		".": "drwxr-xr-x", "etc": "drwxr-xr-x", "etc/hostname": "-rw-r--r-- web1\n", "etc/same": "-rw-r--r-- same",
		"etc/localtime": "->../usr/share/zoneinfo/UTC", "etc/new.d": "dtrwxrwxrwx", "etc/new.d/x": "urwx--x--x x",
		"run": "drwxr-xr-x", "run/flag": "-rw-r--r-- 1", "var": "drwxr-xr-x", "var/run": "->/run",
		"var/lib": "drwxr-xr-x", "var/lib/provisioner": "drwx------",
	}
	got := list(t, dir)
	got["."] = "drwxr-xr-x"
	if d := cmp.Diff(wantTree, got); d != "" {
		t.Error(d)
	}
}

// Our state makes directories too, which a plan may have to make for another file.
func TestStateInABareRoot(t *testing.T) {
	root, dir := scratch(t, nil)
	r, err := commit.Apply(context.Background(), root, planFor(root, []plan.Change{
		{Kind: plan.MakeDirectory, Path: "var", Attr: fsroot.Attr{Mode: 0o711}},
		{Kind: plan.MakeDirectory, Path: "var/lib", Attr: fsroot.Attr{Mode: 0o755}},
		{Kind: plan.WriteFile, Path: "var/lib/x", Data: []byte("1")},
	}))
	if d := cmp.Diff([]string{"var", "var/lib", "var/lib/x"}, r.Changed); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	got := list(t, dir)
	delete(got, ".")
	want := map[string]string{"var": "drwx--x--x", "var/lib": "drwxr-xr-x", "var/lib/provisioner": "drwx------", "var/lib/x": "-rw-r--r-- 1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNothingToDo(t *testing.T) {
	root, dir := scratch(t, map[string]string{"etc/hostname": "web1"})
	before := list(t, dir)
	r, err := commit.Apply(context.Background(), root, planFor(root, []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/hostname", Data: []byte("web1")},
		{Kind: plan.MakeDirectory, Path: "etc", Attr: fsroot.Attr{Mode: 0o755}},
		{Kind: plan.Remove, Path: "etc/none"},
	}))
	if err != nil || len(r.Changed) > 0 || r.Syncs > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if d := cmp.Diff(before, list(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestChangedMeanwhile(t *testing.T) {
	files := map[string]string{"etc/file": "old", "etc/link": "->a", "etc/dir/": "", "etc/gone": "bye"}
	changes := []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/file", Data: []byte("new")},
		{Kind: plan.MakeLink, Path: "etc/link", Target: "b"},
		{Kind: plan.MakeDirectory, Path: "etc/dir", Attr: fsroot.Attr{Mode: 0o700}},
		{Kind: plan.Remove, Path: "etc/gone"},
		{Kind: plan.WriteFile, Path: "etc/new", Data: []byte("new")},
	}
	tests := []struct {
		name, path string
		do         func(p string) error
	}{
		{"another content of the same size", "etc/file", func(p string) error { return os.WriteFile(p, []byte("OLD"), 0) }},
		{"another mode", "etc/file", func(p string) error { return os.Chmod(p, 0o600) }},
		{"a file went", "etc/file", os.Remove},
		{"a file went that should go", "etc/gone", os.Remove},
		{"a link leads elsewhere", "etc/link", func(p string) error { return errors.Join(os.Remove(p), os.Symlink("c", p)) }},
		{"a link became a file", "etc/link", func(p string) error { return errors.Join(os.Remove(p), os.WriteFile(p, nil, 0o644)) }},
		{"a directory with another mode", "etc/dir", func(p string) error { return os.Chmod(p, 0o711) }},
		{"a file where none was", "etc/new", func(p string) error { return os.WriteFile(p, nil, 0o644) }},
		{"a directory where nothing was", "etc/new", func(p string) error { return os.Mkdir(p, 0o755) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := scratch(t, files)
			p := planFor(root, changes)
			if err := tt.do(filepath.Join(dir, tt.path)); err != nil {
				t.Fatal(err)
			}
			unchangedBy(t, dir, func() {
				_, err := commit.Apply(context.Background(), root, p)
				if !errors.Is(err, commit.ErrChanged) || !strings.Contains(fmt.Sprint(err), tt.path) {
					t.Errorf("%v; want ErrChanged and the path %s", err, tt.path)
				}
			})
		})
	}
}

// unchangedBy runs f, which must leave everything but an empty state directory as it is.
func unchangedBy(t *testing.T, dir string, f func()) {
	t.Helper()
	before := list(t, dir)
	f()
	after := list(t, dir)
	for _, p := range []string{"var", "var/lib", "var/lib/provisioner", "etc/.pwd.lock"} {
		delete(before, p)
		delete(after, p)
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("(-before +after)\n%s", d)
	}
}

func TestRefused(t *testing.T) {
	root, dir := scratch(t, map[string]string{
		"etc/file": "1", "etc/full/x": "1", "etc/link": "->full", "var/lib/provisioner/": "",
	})
	if err := unix.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(p string) plan.Change { return plan.Change{Kind: plan.WriteFile, Path: p, Data: []byte("2")} }
	tests := []struct {
		name    string
		changes []plan.Change
		want    string
	}{
		{"a file where a directory is", []plan.Change{write("etc/full")}, "it is a directory"},
		{"a link where a directory is", []plan.Change{{Kind: plan.MakeLink, Path: "etc/full", Target: "x"}}, "it is a directory"},
		{"a directory where a file is", []plan.Change{{Kind: plan.MakeDirectory, Path: "etc/file"}}, "it is no directory"},
		{"a FIFO", []plan.Change{write("etc/fifo")}, "it is a device, a socket or a FIFO"},
		{"removal of a FIFO", []plan.Change{{Kind: plan.Remove, Path: "etc/fifo"}}, "it is a device, a socket or a FIFO"},
		{"removal of a directory with something in it", []plan.Change{write("etc/a"), {Kind: plan.Remove, Path: "etc/full"}}, "not empty"},
		{"twice", []plan.Change{write("etc/a"), write("etc/a")}, "changed twice"},
		{"twice, by a link", []plan.Change{write("etc/full/a"), write("etc/link/a")}, "changed twice"},
		{"no parent", []plan.Change{write("srv/none/a")}, "there is no directory srv/none"},
		{"below a link that is being made", []plan.Change{write("etc/full/x"), {Kind: plan.MakeLink, Path: "etc/full/x", Target: "/"}}, "changed twice"},
		{"below a file that is being made", []plan.Change{write("etc/a"), write("etc/a/b")}, "there is no directory etc/a"},
		{"the root", []plan.Change{{Kind: plan.Remove, Path: "."}}, "not to be changed"},
		{"our journal", []plan.Change{write("var/lib/provisioner/journal")}, "not to be changed"},
		{"our stage", []plan.Change{write("var/lib/provisioner/stage/1.old")}, "not to be changed"},
		{"a kind that is not", []plan.Change{{Kind: "fifo", Path: "etc/a"}}, `kind "fifo"`},
		{"not looked at", []plan.Change{{Kind: plan.WriteFile, Path: "etc/a", Was: plan.Seen{Info: fsroot.Info{Real: "etc/a"}}}}, "does not say what was there"},
		{"a fault", []plan.Change{{Kind: plan.WriteFile, Path: "etc/a", Was: plan.Seen{Fault: "not to be trusted"}}}, "not to be trusted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan.Plan{Changes: tt.changes}
			if was := tt.changes[0].Was; was.Real == "" && was.Fault == "" {
				p = planFor(root, tt.changes)
			}
			unchangedBy(t, dir, func() {
				if _, err := commit.Apply(context.Background(), root, p); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v; want %q", err, tt.want)
				}
			})
		})
	}
}

func TestRefusedVolumes(t *testing.T) {
	write := func(p string) []plan.Change {
		return []plan.Change{{Kind: plan.WriteFile, Path: p, Data: []byte("2")}}
	}
	tests := []struct {
		name    string
		machine disk
		changes []plan.Change
		want    string
	}{
		{"read-only", disk{srv: fsroot.Volume{ID: 2, Top: "srv", ReadOnly: true}}, write("srv/data"), "srv/data: the file system srv is read-only"},
		{"others can write to its top", disk{srv: fsroot.Volume{ID: 2, Top: "srv", Shared: true}}, write("srv/new"), "nothing can be staged there"},
		{"a file that something is mounted on", disk{mounted: "etc/hosts"}, write("etc/hosts"), "it is a mount point"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(before)
			p := planFor(d, tt.changes)
			d.mounted = tt.machine.mounted
			if tt.machine.srv.ID != 0 {
				d.srv = tt.machine.srv
			}
			if _, err := commit.Apply(context.Background(), d, p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if d.steps > 0 {
				t.Errorf("%d changes to the disk before that", d.steps)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	root, dir := scratch(t, map[string]string{"etc/file": "1"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := planFor(root, []plan.Change{{Kind: plan.WriteFile, Path: "etc/file", Data: []byte("2")}})
	unchangedBy(t, dir, func() {
		if _, err := commit.Apply(ctx, root, p); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestErrorReadsWell(t *testing.T) {
	root, _ := scratch(t, map[string]string{"etc/full/x": "1"})
	p := planFor(root, []plan.Change{{Kind: plan.Remove, Path: "etc/full"}})
	_, err := commit.Apply(context.Background(), root, p)
	if want := "remove etc/full: directory not empty"; fmt.Sprint(err) != want {
		t.Errorf("%v; want %s", err, want)
	}
}

func TestAccountsLock(t *testing.T) {
	root, dir := scratch(t, map[string]string{"etc/passwd": "root", "etc/hosts": "1"})
	unlock, err := open(t, dir).Lock("etc/.pwd.lock", "") // useradd
	if err != nil {
		t.Fatal(err)
	}
	hosts := planFor(root, []plan.Change{{Kind: plan.WriteFile, Path: "etc/hosts", Data: []byte("2")}})
	if _, err := commit.Apply(context.Background(), root, hosts); err != nil {
		t.Errorf("a change that is not about accounts: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	passwd := planFor(root, []plan.Change{{Kind: plan.WriteFile, Path: "etc/passwd", Data: []byte("root core")}})
	unchangedBy(t, dir, func() {
		if _, err := commit.Apply(ctx, root, passwd); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while somebody else has the lock: %v", err)
		}
	})
	unlock()
	if _, err := commit.Apply(context.Background(), root, passwd); err != nil {
		t.Error(err)
	}
	again, err := open(t, dir).Lock("etc/.pwd.lock", "")
	if err != nil {
		t.Fatalf("the lock was not given back: %v", err)
	}
	again()
}

func TestLock(t *testing.T) {
	root, dir := scratch(t, nil)
	unlock, err := commit.Lock(context.Background(), root, commit.Patience, nil)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan string, 1)
	done := make(chan error)
	go func() {
		unlock, err := commit.Lock(context.Background(), open(t, dir), commit.Patience, func(holder string) { waited <- holder })
		if err == nil {
			unlock()
		}
		done <- err
	}()
	if holder, want := <-waited, fmt.Sprint("process ", os.Getpid()); holder != want {
		t.Errorf("waits for %q, want %q", holder, want)
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// locked is a root whose lock is never to be had.
type locked struct{}

func (locked) Lock(path, holder string) (func(), error) {
	return nil, fmt.Errorf("lock %s: %w", path, fsroot.ErrLocked)
}

func (locked) ReadFile(path string, limit int64) ([]byte, fsroot.Info, error) {
	return []byte("process 7\n\x1b[31mpwned"), fsroot.Info{}, nil
}

func TestLockIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		_, err := commit.Lock(t.Context(), locked{}, commit.Patience, func(holder string) { calls++ })
		if !errors.Is(err, commit.ErrBusy) || time.Since(start) != 30*time.Second || calls != 1 {
			t.Errorf("%v after %v, and %d calls", err, time.Since(start), calls)
		}
		if want := "lock: process 7 has held run/provisioner/lock for 30s: busy"; fmt.Sprint(err) != want {
			t.Errorf("%v; want %s", err, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := commit.Lock(ctx, locked{}, commit.Patience, nil); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, commit.ErrBusy) {
			t.Error(err)
		}
	})
}

// What somebody else has put in the place of our change after the power failed is theirs.
func TestRecoverKeepsWhatOthersDid(t *testing.T) {
	d := newDisk(map[string]string{"etc": "dir", "etc/a": "1", "etc/b": "1", "home": "dir", "home/x": "dir"})
	p := planFor(d, []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/a", Data: []byte("2")},
		{Kind: plan.WriteFile, Path: "etc/b", Data: []byte("2")},
		{Kind: plan.WriteFile, Path: "etc/c", Data: []byte("2")},
		{Kind: plan.WriteFile, Path: "etc/d", Data: []byte("2")},
		{Kind: plan.MakeDirectory, Path: "home/core"},
		{Kind: plan.Remove, Path: "home/x"},
	})
	for d.cut = 1; ; d.cut++ { // until just before the journal goes
		e := d.clone()
		e.cut = d.cut
		died(func() { commit.Apply(context.Background(), e, p) })
		e.cut = 0
		if e.at("home/core") == nil || e.at("home/x") != nil {
			continue
		}
		e.at("etc/b").data = "theirs"
		e.at("etc/c").data = "theirs"
		e.untrusted = "etc/d"
		e.must(e.Create("home/core/theirs", nil, fsroot.Attr{}))
		if cut, err := commit.Interrupted(e); !cut || err != nil {
			t.Fatal(cut, err)
		}
		r, err := commit.Recover(context.Background(), e)
		want := commit.Recovery{RolledBack: true, Units: true, Kept: []string{"home/core", "etc/d", "etc/c", "etc/b"}}
		if d := cmp.Diff(want, r); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
		if got := e.at("etc/a").data + e.at("etc/b").data + e.at("etc/c").data; got != "1theirstheirs" || e.at("home/x") == nil {
			t.Errorf("recovered to %q", got)
		}
		return
	}
}

func TestRecoverRefuses(t *testing.T) {
	for name, journal := range map[string]string{
		"what is no journal":         "\x00\x00\x00",
		"a journal of another time":  `{"version": 2}`,
		"a step that it cannot undo": `{"version": 1, "steps": [{"do": "explode", "path": "etc"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			root, dir := scratch(t, map[string]string{"etc/": "", "var/lib/provisioner/journal": journal})
			unchangedBy(t, dir, func() {
				if r, err := commit.Recover(context.Background(), root); err == nil {
					t.Errorf("%+v", r)
				}
			})
			if _, err := commit.Apply(context.Background(), root, plan.Plan{}); err == nil {
				t.Error("Apply goes on")
			}
		})
	}
}

// The home of a user is theirs: nothing is followed there, and nothing of it is linked.
func TestHome(t *testing.T) {
	const uid = 1000
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of several users")
	}
	a := fsroot.Attr{Mode: 0o600, UID: uid, GID: uid}
	set := func(t *testing.T) (*fsroot.Root, string, string) {
		root, dir := scratch(t, map[string]string{"etc/shadow": "secret", "home/core/.ssh/authorized_keys": "old", "home/core/.ssh/z/": ""})
		for _, p := range []string{"home/core", "home/core/.ssh", "home/core/.ssh/authorized_keys", "home/core/.ssh/z"} {
			if err := os.Chown(filepath.Join(dir, p), uid, uid); err != nil {
				t.Fatal(err)
			}
		}
		return root, dir, filepath.Join(dir, "home/core/.ssh/authorized_keys")
	}
	changes := []plan.Change{
		{Kind: plan.WriteFile, Path: "home/core/.ssh/authorized_keys", Data: []byte("new"), Attr: a},
		{Kind: plan.Remove, Path: "home/core/.ssh/z"},
	}
	t.Run("replaced", func(t *testing.T) {
		root, _, _ := set(t)
		if _, err := commit.Apply(context.Background(), root, planFor(root, changes)); err != nil {
			t.Fatal(err)
		}
		data, _, err := root.ReadFile("home/core/.ssh/authorized_keys", 99)
		if string(data) != "new" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
		if info, _ := root.Stat("home/core/.ssh/authorized_keys"); info.Attr != a {
			t.Errorf("%+v", info)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		root, dir, keys := set(t)
		p := planFor(root, changes)
		if err := os.WriteFile(filepath.Join(dir, "home/core/.ssh/z/x"), nil, 0o600); err != nil { // so that the removal fails
			t.Fatal(err)
		}
		unchangedBy(t, dir, func() {
			if _, err := commit.Apply(context.Background(), root, p); !errors.Is(err, unix.ENOTEMPTY) {
				t.Error(err)
			}
		})
		if info, err := root.Stat("home/core/.ssh/authorized_keys"); err != nil || info.Attr.UID != uid {
			t.Errorf("%+v, %v", info, err)
		}
		if fi, err := os.Stat(keys); err != nil || fi.Size() != 3 {
			t.Error(fi, err)
		}
	})
	for name, trick := range map[string]func(dir, keys string) error{
		"a link to shadow": func(dir, keys string) error {
			return errors.Join(os.Remove(keys), os.Symlink("/etc/shadow", keys), os.Lchown(keys, uid, uid))
		},
		"a second name of shadow": func(dir, keys string) error {
			return errors.Join(os.Remove(keys), os.Link(filepath.Join(dir, "etc/shadow"), keys))
		},
		"the directory is a link": func(dir, keys string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(keys)), os.Symlink("/etc", filepath.Dir(keys)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, dir, keys := set(t)
			p := planFor(root, changes[:1])
			if err := trick(dir, keys); err != nil {
				t.Fatal(err)
			}
			unchangedBy(t, dir, func() {
				_, err := commit.Apply(context.Background(), root, p)
				if !errors.Is(err, fsroot.ErrUntrusted) && !errors.Is(err, commit.ErrChanged) || strings.Contains(fmt.Sprint(err), "secret") {
					t.Error(err)
				}
			})
			if left, _ := root.ReadDir("var/lib/provisioner"); len(left) > 0 {
				t.Errorf("leftovers %v", left)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	root, dir := scratch(t, map[string]string{"run/old": "1", "run/gone": "1", "run/link": "->/etc/shadow", "etc/shadow": "secret"})
	err := commit.Write(context.Background(), root, []plan.Change{
		{Kind: plan.WriteFile, Path: "run/old", Data: []byte("2"), Attr: fsroot.Attr{Mode: 0o640}},
		{Kind: plan.WriteFile, Path: "run/systemd/system/a.service", Data: []byte("[Unit]\n"), Attr: fsroot.Attr{Mode: 0o644}},
		{Kind: plan.WriteFile, Path: "run/link", Data: []byte("3"), Attr: fsroot.Attr{Mode: 0o644}},
		{Kind: plan.MakeLink, Path: "run/systemd/system/b.service", Target: "/dev/null"},
		{Kind: plan.MakeDirectory, Path: "run/dir", Attr: fsroot.Attr{Mode: 0o700}},
		{Kind: plan.Remove, Path: "run/gone"},
		{Kind: plan.Remove, Path: "run/never"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etc": "drwxr-xr-x", "etc/shadow": "-rw-r--r-- secret", "run": "drwxr-xr-x", "run/old": "-rw-r----- 2",
		"run/systemd": "drwxr-xr-x", "run/systemd/system": "drwxr-xr-x", "run/systemd/system/a.service": "-rw-r--r-- [Unit]\n",
		"run/systemd/system/b.service": "->/dev/null", "run/link": "-rw-r--r-- 3", "run/dir": "drwx------",
		"run/provisioner": "drwxr-xr-x",
	}
	got := list(t, dir)
	delete(got, ".")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	err = commit.Write(context.Background(), root, []plan.Change{
		{Kind: plan.WriteFile, Path: "etc/x"}, {Kind: plan.WriteFile, Path: "run/dir"}, {Kind: plan.WriteFile, Path: "run/x"},
	})
	if err == nil || !errors.Is(err, fs.ErrInvalid) || !errors.Is(err, unix.EISDIR) {
		t.Error(err)
	}
	if names, _ := root.ReadDir("run"); !cmp.Equal(names, []string{"dir", "link", "old", "provisioner", "systemd", "x"}) {
		t.Errorf("%v", names)
	}
}

// 10,000 small files into one directory of a scratch root, and their replacement.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		for _, what := range []string{"new", "replaced"} {
			b.Run(fmt.Sprintf("%d %s", n, what), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					root, _ := scratch(b, map[string]string{"srv/": ""})
					changes := make([]plan.Change, n)
					for i := range changes {
						changes[i] = plan.Change{Kind: plan.WriteFile, Path: fmt.Sprintf("srv/file%05d", i), Data: []byte("some text\n")}
					}
					if what == "replaced" {
						if _, err := commit.Apply(context.Background(), root, planFor(root, changes)); err != nil {
							b.Fatal(err)
						}
						for i := range changes {
							changes[i].Data = []byte("another text\n")
						}
					}
					p := planFor(root, changes)
					var before, after unix.Rusage
					unix.Getrusage(unix.RUSAGE_SELF, &before)
					b.StartTimer()
					if _, err := commit.Apply(context.Background(), root, p); err != nil {
						b.Fatal(err)
					}
					unix.Getrusage(unix.RUSAGE_SELF, &after)
					spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
					b.ReportMetric(float64(spent)/1e9, "cpu-s/op")
				}
			})
		}
	}
}
