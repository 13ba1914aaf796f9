package plan_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// realRoot is a root of real files.
func realRoot(t *testing.T, files map[string]string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for p, text := range files {
		p = filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
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

// planned is the plan for a root of real files.
func planned(t *testing.T, root *fsroot.Root, in plan.Input) plan.Plan {
	t.Helper()
	f, err := facts.Gather(t.Context(), root, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	in.Facts = f
	for range 50 {
		p, diags := plan.Compute(in)
		if len(p.Unseen) == 0 {
			for _, d := range diags {
				t.Errorf("unexpected finding %s: %s", d.Rule.ID, d.Summary)
			}
			return p
		}
		if err := facts.Look(root, &in.Facts, p.Unseen); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the plan is never finished")
	return plan.Plan{}
}

// TestSystemdFirstbootDoesTheSame compares with systemd-firstboot, which sets the same things up below a root.
func TestSystemdFirstbootDoesTheSame(t *testing.T) {
	firstboot, err := exec.LookPath("systemd-firstboot")
	if err != nil {
		missing(t, "systemd-firstboot is not installed")
	}
	files := map[string]string{
		"usr/share/zoneinfo/Europe/Berlin":   "TZif",
		"usr/lib/locale/de_DE.utf8/LC_CTYPE": "x",
		"etc/debian_version":                 "12.7\n",
	}
	_, theirs := realRoot(t, files)
	cmd := exec.Command(firstboot, "--root="+theirs, "--timezone=Europe/Berlin", "--locale=de_DE.UTF-8", "--hostname=web1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, _ := realRoot(t, files)
	p := planned(t, root, plan.Input{Config: &schema.Config{
		Hostname: val("web1"),
		System:   schema.System{Timezone: val("Europe/Berlin"), Locale: val("de_DE.UTF-8")},
	}})
	compared := 0
	for _, c := range p.Changes {
		at := filepath.Join(theirs, c.Path)
		switch c.Kind {
		case plan.MakeLink:
			compared++
			if target, err := os.Readlink(at); err != nil || target != c.Target {
				t.Errorf("/%s leads to %s, with systemd-firstboot to %s, %v", c.Path, c.Target, target, err)
			}
		case plan.WriteFile:
			text, err := os.ReadFile(at)
			if errors.Is(err, fs.ErrNotExist) && strings.Contains(c.Path, "locale") {
				continue // Debian's systemd knows the one name, all others the other
			}
			if err != nil {
				t.Error(err)
				continue
			}
			compared++
			info, err := os.Stat(at)
			if err != nil || string(text) != string(c.Data) || uint32(info.Mode().Perm()) != c.Attr.Mode {
				t.Errorf("/%s is %q, with systemd-firstboot %q, %v, %v", c.Path, c.Data, text, info.Mode(), err)
			}
		}
	}
	if compared != 3 {
		t.Errorf("%d things are in both roots, want the link and two files", compared)
	}
}
