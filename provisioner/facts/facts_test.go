package facts_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// scratch is a root of files, links ("->target") and directories (names that end in "/").
func scratch(t *testing.T, files map[string]string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(p, 0o755)
		} else if target, ok := strings.CutPrefix(files[name], "->"); ok {
			err = errors.Join(err, os.Symlink(target, p))
		} else {
			err = errors.Join(err, os.WriteFile(p, []byte(files[name]), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func look(t *testing.T, root fsroot.FS, f *plan.Facts, paths ...string) {
	t.Helper()
	if err := facts.Look(root, f, paths); err != nil {
		t.Fatal(err)
	}
}

func TestLook(t *testing.T) {
	root, _ := scratch(t, map[string]string{
		"etc/hostname": "old\n", "etc/localtime": "->UTC", "run/": "", "var/run": "->/run", "var/gone": "->/nowhere",
		"etc/loop": "->loop", "etc/empty/": "", "etc/units": "->../run",
	})
	tests := []struct {
		name  string
		paths []string
		check func(t *testing.T, p map[string]*plan.Seen)
	}{
		{"a file, its content and its parents", []string{"etc/hostname"}, func(t *testing.T, p map[string]*plan.Seen) {
			want := "01d09d19c2139a46aebfb577780d123d7396e97201bc7ead210a2ebff8239dee"
			if got := p["etc/hostname"]; got.Kind != fsroot.Regular || string(got.Data) != "old\n" || got.Size != 4 || got.SHA256 != want || got.Volume.Top != "." {
				t.Errorf("%+v", got)
			}
			if p["etc"].Kind != fsroot.Directory || p["."].Kind != fsroot.Directory || len(p) != 3 {
				t.Errorf("%+v", p)
			}
		}},
		{"a link is not followed", []string{"etc/localtime"}, func(t *testing.T, p map[string]*plan.Seen) {
			if got := p["etc/localtime"]; got.Kind != fsroot.Link || got.Target != "UTC" || got.Fault != "" {
				t.Errorf("%+v", got)
			}
		}},
		{"nothing, and no parent", []string{"opt/a/b"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["opt/a/b"].Kind != fsroot.Absent || p["opt/a"].Kind != fsroot.Absent || p["opt"].Kind != fsroot.Absent {
				t.Errorf("%+v", p)
			}
		}},
		{"a parent that is a link is a directory", []string{"var/run", "var/run/x"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["var/run"].Kind != fsroot.Directory || p["var/run"].Real != "run" || p["var/run/x"].Real != "run/x" {
				t.Errorf("%+v", p)
			}
		}},
		{"a parent that leads nowhere is a link", []string{"var/gone/x"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["var/gone"].Kind != fsroot.Link || p["var/gone/x"].Kind != fsroot.Absent {
				t.Errorf("%+v", p)
			}
		}},
		{"links in a circle are a fault", []string{"etc/loop/x"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["etc/loop/x"].Fault != "too many levels of symbolic links" || p["etc/loop"].Kind != fsroot.Link {
				t.Errorf("%+v", p)
			}
		}},
		{"a name too long is a fault", []string{"etc/" + strings.Repeat("x", 300)}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["etc/"+strings.Repeat("x", 300)].Fault != "file name too long" {
				t.Errorf("%+v", p)
			}
		}},
		{"a directory that is listed later", []string{"etc/hostname", "etc/"}, func(t *testing.T, p map[string]*plan.Seen) {
			if d := cmp.Diff([]string{"empty", "hostname", "localtime", "loop", "units"}, p["etc"].Entries); d != "" {
				t.Error(d)
			}
		}},
		{"a listed link, later a parent", []string{"var/run/", "var/run/x"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["var/run"].Entries == nil || p["var/run"].Kind != fsroot.Directory {
				t.Errorf("%+v", p["var/run"])
			}
		}},
		{"what is listed has entries, though there are none", []string{"etc/empty/", "etc/none/", "etc/hostname/"}, func(t *testing.T, p map[string]*plan.Seen) {
			for _, name := range []string{"etc/empty", "etc/none", "etc/hostname"} {
				if got := p[name].Entries; got == nil || len(got) > 0 {
					t.Errorf("%s: %#v", name, got)
				}
			}
		}},
		{"what is below a file", []string{"etc/hostname/x"}, func(t *testing.T, p map[string]*plan.Seen) {
			if p["etc/hostname/x"].Kind != fsroot.Absent || p["etc/hostname"].Kind != fsroot.Regular {
				t.Errorf("%+v", p)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f plan.Facts
			for _, p := range tt.paths { // one by one, as a plan that asks again
				look(t, root, &f, p)
			}
			tt.check(t, f.Paths)
		})
	}
}

func TestLookKeepsWhatItSaw(t *testing.T) {
	root, dir := scratch(t, map[string]string{"etc/hostname": "old"})
	var f plan.Facts
	look(t, root, &f, "etc/hostname")
	if err := os.WriteFile(filepath.Join(dir, "etc/hostname"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	look(t, root, &f, "etc/hostname", "etc/hostname/")
	if got := string(f.Paths["etc/hostname"].Data); got != "old" {
		t.Errorf("%q: a plan must not see two machines", got)
	}
}

func TestMissing(t *testing.T) {
	root, _ := scratch(t, map[string]string{"etc/same": "text\n", "etc/other": "text\n", "etc/loop": "->loop"})
	file := func(name string) plan.Change {
		return plan.Change{Kind: plan.WriteFile, Path: name, Attr: fsroot.Attr{UID: os.Getuid(), GID: os.Getgid(), Mode: 0o644}, Data: []byte("text\n")}
	}
	other := file("etc/other")
	other.Data = []byte("another\n")
	got, err := facts.Missing(root, &plan.Facts{}, []plan.Change{file("etc/same"), other, file("etc/new"), {Kind: plan.Remove, Path: "etc/none"}})
	if err != nil || len(got) != 2 || got[0].Path != "etc/other" || got[0].Was.Size != 5 || got[1].Path != "etc/new" || got[1].Was.Kind != fsroot.Absent {
		t.Errorf("%v %+v", err, got)
	}
	if got, err := facts.Missing(root, &plan.Facts{}, []plan.Change{file("etc/loop/below")}); err == nil {
		t.Errorf("below a link to itself: %+v", got)
	}
}

func TestUntrustedIsAFault(t *testing.T) {
	root, dir := scratch(t, map[string]string{"home/x/keys": "1", "home/x/link": "->../../etc/shadow", "etc/shadow": "secret", "home/x/.ssh": "->/etc"})
	if err := errors.Join(os.Chmod(filepath.Join(dir, "home/x"), 0o777),
		os.Link(filepath.Join(dir, "etc/shadow"), filepath.Join(dir, "home/x/two"))); err != nil {
		t.Fatal(err)
	}
	var f plan.Facts
	look(t, root, &f, "home/x/keys", "home/x/link", "home/x/two", "home/x/.ssh/shadow", "home/x/.ssh/")
	if got := f.Paths["home/x/keys"]; got.Fault != "" || string(got.Data) != "1" {
		t.Errorf("%+v", got)
	}
	for p, want := range map[string]string{
		"home/x/link":        "it is no regular file, in a place that others can write to: not to be trusted",
		"home/x/two":         "the file has several names, in a place that others can write to: not to be trusted",
		"home/x/.ssh/shadow": "home/x/.ssh is a link in a place that others can write to: not to be trusted",
		"home/x/.ssh":        "home/x/.ssh is a link in a place that others can write to: not to be trusted",
	} {
		if got := f.Paths[p]; got.Fault != want || got.Data != nil {
			t.Errorf("%s: fault %q, data %q; want %q", p, got.Fault, got.Data, want)
		}
	}
}

func TestErrors(t *testing.T) {
	root, _ := scratch(t, nil)
	if err := facts.Look(root, &plan.Facts{}, []string{"../etc"}); err == nil {
		t.Error("a path out of the root was looked at")
	}
}

func TestGather(t *testing.T) {
	t.Setenv("COREOS_PUBLIC_IPV4", "192.0.2.1")
	t.Setenv("COREOSX", "no")
	root, _ := scratch(t, nil)
	f, err := facts.Gather(context.Background(), root, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"COREOS_PUBLIC_IPV4": "192.0.2.1"}, f.Environment); d != "" {
		t.Error(d)
	}
	if f.Live || f.SystemHostname != "" || f.DefaultRouteIPv4 != "" || time.Since(f.Now) > time.Minute || f.Built.IsZero() || f.Paths["."].Kind != fsroot.Directory {
		t.Errorf("%+v", f)
	}
	f, err = facts.Gather(context.Background(), root, true, nil)
	if name, _ := os.Hostname(); err != nil || !f.Live || f.SystemHostname != name {
		t.Errorf("%+v, %v", f, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := facts.Gather(ctx, root, false, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
