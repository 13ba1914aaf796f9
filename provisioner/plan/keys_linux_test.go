package plan_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// TestNothingIsReadThroughALinkOfTheUsers has a user who waits for us with links, on a real file system.
func TestNothingIsReadThroughALinkOfTheUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a home must be another user's")
	}
	why := map[string]string{
		"~/.ssh is a link to root's":                 "link",
		"authorized_keys is a link to shadow":        "link",
		"authorized_keys is a second name of shadow": "names",
		"authorized_keys is a second user's":         "12345",
	}
	for name, prepare := range map[string]func(t *testing.T, home, victim string) error{
		"~/.ssh is a link to root's": func(t *testing.T, home, victim string) error {
			return os.Symlink("/root/.ssh", filepath.Join(home, ".ssh"))
		},
		"authorized_keys is a link to shadow": func(t *testing.T, home, victim string) error {
			return os.Symlink("/etc/shadow", filepath.Join(home, ".ssh/authorized_keys"))
		},
		"authorized_keys is a second name of shadow": func(t *testing.T, home, victim string) error {
			return os.Link(victim, filepath.Join(home, ".ssh/authorized_keys"))
		},
		"authorized_keys is a second user's": func(t *testing.T, home, victim string) error {
			p := filepath.Join(home, ".ssh/authorized_keys")
			if err := os.WriteFile(p, nil, 0o644); err != nil {
				return err
			}
			return os.Chown(p, 12345, 12345)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			victim := filepath.Join(dir, "etc/shadow")
			write := func(p, text string) {
				t.Helper()
				p = filepath.Join(dir, p)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\n")
			write("etc/shadow", "root:$6$secret:1::::::\n")
			write("root/.ssh/authorized_keys", "")
			home := filepath.Join(dir, "home/anna")
			inner := home
			if !strings.Contains(name, "~/.ssh") {
				inner = filepath.Join(home, ".ssh")
			}
			if err := os.MkdirAll(inner, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{home, inner} {
				if err := os.Chown(p, 1000, 1000); err != nil {
					t.Fatal(err)
				}
			}
			if err := prepare(t, home, victim); err != nil {
				t.Fatal(err)
			}

			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			seen, err := facts.Gather(t.Context(), root, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			in := plan.Input{Facts: seen, Config: &schema.Config{Users: []schema.User{named("anna", withKeys(publicKey("A", "")))}}}
			p, diags := plan.Compute(in)
			for len(p.Unseen) > 0 {
				if err := facts.Look(root, &in.Facts, p.Unseen); err != nil {
					t.Fatal(err)
				}
				p, diags = plan.Compute(in)
			}
			if got := findings(diags); !slices.Equal(got, []string{"error keys-untrusted"}) {
				t.Fatalf("findings: %v", got)
			}
			if !strings.Contains(diags[0].Summary, why[name]) {
				t.Errorf("%q does not say why", diags[0].Summary)
			}
			for _, c := range p.Changes {
				t.Errorf("the plan has /%s", c.Path)
			}
			for path, s := range in.Facts.Paths {
				if strings.HasPrefix(path, "home/") && strings.Contains(string(s.Data), "secret") {
					t.Errorf("/%s was read through", path)
				}
			}
		})
	}
}
