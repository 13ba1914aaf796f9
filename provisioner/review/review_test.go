package review_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/review"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

const wrong = "#cloud-config\nhostname: a_b\n"

// tree makes files in a new working directory, each wrong in one way.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(wrong), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, o review.Options) review.Result {
	t.Helper()
	o.Now = time.Unix(1800000000, 0)
	r, err := review.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunPatterns(t *testing.T) {
	tree(t, "a.yaml", "b.yml", ".hidden.yaml", "x/a.yaml", "x/y/a.yaml", "x/y/z/b.yaml", "x/.git/a.yaml", "[x].yaml")
	for pattern, want := range map[string]string{
		"*.yaml":          "[x].yaml a.yaml",
		"*.y*ml":          "[x].yaml a.yaml b.yml",
		"**/*.yaml":       "[x].yaml a.yaml x/a.yaml x/y/a.yaml x/y/z/b.yaml",
		"**/a.yaml":       "a.yaml x/a.yaml x/y/a.yaml",
		"x/**":            "x/a.yaml x/y/a.yaml x/y/z/b.yaml",
		"x/**/z/*":        "x/y/z/b.yaml",
		"**/**/y/**/**":   "x/y/a.yaml x/y/z/b.yaml",
		"x/*":             "x/a.yaml",
		"?/[xy]/a.yaml":   "x/y/a.yaml",
		"./x/../x/a.y*":   "x/a.yaml",
		".h*.yaml":        ".hidden.yaml",
		"x/.g*/*":         "x/.git/a.yaml",
		`\[x\].ya*`:       "[x].yaml",
		"x/y/../../*.yml": "b.yml",
	} {
		r := run(t, review.Options{Args: []string{pattern}})
		if got := strings.Join(r.Checked, " "); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

// In whatever way a file is named, it is checked once, under the first of its names.
func TestRunOnce(t *testing.T) {
	dir := tree(t, "a.yaml", "x/b.yaml")
	r := run(t, review.Options{Args: []string{"./a.yaml", "a.yaml", filepath.Join(dir, "a.yaml"), "*.yaml", ".", "x"}})
	if diff := cmp.Diff([]string{"./a.yaml", "x/b.yaml"}, r.Checked); diff != "" {
		t.Error(diff)
	}
}

// A link in the place of a file or a folder leads nowhere, whenever it is put there.
func TestRunFollowsNoLink(t *testing.T) {
	dir := tree(t, "in/a.yaml", "out/secret.yaml")
	for name, to := range map[string]string{"in/file.yaml": "../out/secret.yaml", "in/folder": "../out", "in/loop": "."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, arg := range []string{"in", "in/**/*.yaml", "in/*/*.yaml", "**/file.yaml"} {
		for _, name := range run(t, review.Options{Args: []string{arg}}).Checked {
			if name != filepath.Join("in", "a.yaml") {
				t.Errorf("%s leads to %s", arg, name)
			}
		}
	}
	// It was a file when the folder was looked through.
	r := run(t, review.Options{Args: []string{"-", "in"}, Stdin: swap(func() {
		os.Remove("in/a.yaml")
		if err := os.Symlink("../out/secret.yaml", "in/a.yaml"); err != nil {
			t.Error(err)
		}
	})})
	if len(r.Checked) != 0 || len(r.Unread) != 2 {
		t.Errorf("checked are %v, unread %v", r.Checked, r.Unread)
	}
}

// swap does something while standard input is read, which is before what is named after it.
type swap func()

func (s swap) Read([]byte) (int, error) { s(); return 0, fmt.Errorf("gone") }

func TestRunTooLarge(t *testing.T) {
	tree(t, "b.yaml")
	f, err := os.Create("a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(32<<20 + 1); err != nil {
		t.Skip(err)
	}
	r := run(t, review.Options{Args: []string{"a.yaml", "b.yaml"}})
	if len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "32768 KiB") || len(r.Checked) != 1 {
		t.Errorf("unread are %v, checked %v", r.Unread, r.Checked)
	}
}

// A configuration is about what is below it, by patterns as .gitignore has them.
func TestParseConfig(t *testing.T) {
	config := func(text string) *review.Config {
		c, found := review.ParseConfig(&source.File{Name: ".provisioner.yaml", Bytes: []byte(text)}, "/src")
		if len(found) > 0 {
			t.Fatalf("%q: %v", text, found)
		}
		return c
	}
	if c := config("image: profiles/web.json\n"); c.Image != "profiles/web.json" || c.Dir != "/src" {
		t.Errorf("image %q below %q", c.Image, c.Dir)
	}
	for _, tt := range []struct{ pattern, path, want string }{
		{"a.yaml", "/src/a.yaml", "off"},
		{"a.yaml", "/src/x/a.yaml", ""},
		{"a.yaml", "/a.yaml", ""},
		{"a.yaml", "", ""},
		{"./a.yaml", "/src/a.yaml", "off"},
		{"x", "/src/x/y/a.yaml", "off"},
		{"x/", "/src/x/y/a.yaml", "off"},
		{"x", "/src/xy/a.yaml", ""},
		{"x/*", "/src/x/y/a.yaml", "off"},
		{"*/a.yaml", "/src/x/a.yaml", "off"},
		{"*/a.yaml", "/src/x/y/a.yaml", ""},
		{"**/a.yaml", "/src/a.yaml", "off"},
		{"**/a.yaml", "/src/x/y/a.yaml", "off"},
		{"**/y/**/a.*", "/src/x/y/z/y/b/a.yaml", "off"},
		{"x/**/z", "/src/x/z/a.yaml", "off"},
		{"x/**", "/src/x/a.yaml", "off"},
		{"**", "/src/a.yaml", "off"},
		{"../a.yaml", "/a.yaml", "off"},
		{"**/" + strings.Repeat("*/**/", 40) + "b", "/src/" + strings.Repeat("a/", 200) + "a.yaml", ""},
	} {
		c := config("overrides: [{paths: ['" + tt.pattern + "'], rules: {hostname: off}}]")
		got := "off"
		checked, err := review.Check(context.Background(), &source.File{Name: "f", Bytes: []byte(wrong)}, review.CheckOptions{Config: c, Path: tt.path})
		if err != nil {
			t.Fatal(err)
		}
		if len(checked.Found) > 0 {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.pattern, tt.path, got, tt.want)
		}
	}
}

func TestFindConfig(t *testing.T) {
	dir := tree(t, "a/b/web.yaml")
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "a", review.ConfigName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "a/b/web.yaml")
	write("ignore: b\nimage: x\n")
	c, found, err := review.FindConfig(path)
	if err != nil || len(found) > 0 || c == nil || c.Image != "x" || c.Dir != filepath.Join(dir, "a") || !c.Skips(path) {
		t.Errorf("found is %+v, with %v and %v", c, found, err)
	}
	write("imag: x\n")
	if _, found, err := review.FindConfig(path); err != nil || !found.HasErrors() {
		t.Errorf("of a wrong one: %v and %v", found, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a/b/.git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c, found, err := review.FindConfig(path); c != nil || len(found) > 0 || err != nil {
		t.Errorf("above a working tree: %+v, %v and %v", c, found, err)
	}
}

// FuzzParseConfig: nothing panics, and every finding has a place inside its file.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("image: x\nrules: {hostname: off, x: 1}\nignore: [a, '[']\noverrides:\n  - paths: a\n    unknown_keys: warn\n  - rules\n"))
	f.Add([]byte("rules: &a {hostname: *a}\n"))
	f.Add([]byte("overrides: [{}, [], null, {paths: {}}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, found := review.ParseConfig(&source.File{Name: "f", Bytes: text}, "/src")
		for _, d := range found {
			if r := d.Subject; r.Start.Offset < 0 || r.End.Offset > len(text) || r.Start.Offset > r.End.Offset {
				t.Errorf("%s: range %+v of a text of %d bytes", d.Rule.ID, r, len(text))
			}
			if d.Severity != diag.Error {
				t.Errorf("%s is no error", d.Rule.ID)
			}
		}
		if _, err := review.Check(context.Background(), &source.File{Name: "f", Bytes: []byte(wrong)}, review.CheckOptions{Config: c, Path: "/src/a/b.yaml"}); err != nil {
			t.Error(err)
		}
	})
}
