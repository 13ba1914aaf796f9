package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/cli"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

var findingLine = regexp.MustCompile(`(?m)^(?:\S*:(\d+):(\d+): )?(error|warning|info): .* \[([a-z0-9-]+)\]$`)

// textFindings are the findings of a printed list that are of the text, each as place, severity and rule.
func textFindings(printed string) []string {
	var out []string
	for _, m := range findingLine.FindAllStringSubmatch(printed, -1) {
		if r := rules.Lookup(m[4]); r == nil || !r.Machine {
			out = append(out, strings.Join(m[1:], " "))
		}
	}
	slices.Sort(out)
	return out
}

// smallRoot is a system with no more than plan needs.
func smallRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"etc/skel", "home", "run", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/group": "root:x:0:\nsudo:x:27:\n", "etc/shadow": "root:*:19000:0:99999:7:::\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// fetches says that a configuration names keys that are somewhere else.
func fetches(text []byte) bool {
	cfg, _ := schema.Decode(schema.Input{Files: []*source.File{{Name: "user-data", Bytes: text}}})
	return slices.ContainsFunc(cfg.Users, func(u schema.User) bool { return len(u.ImportGitHub) > 0 || u.ImportURL.Set })
}

// agree demands that validate, plan and apply think the same of a text: the same findings of the text, and apply
// refuses exactly what plan refuses.
func agree(t *testing.T, text []byte) {
	t.Helper()
	if fetches(text) {
		t.Skip("it fetches keys, and a test asks no network")
	}
	file := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Version: "v0.0.0"}
		return c.Main(append([]string{"provisioner"}, args...)), out.String()
	}
	checked, findings := run("validate", file)
	planned, plan := run("plan", "--root", smallRoot(t), "--datasource", "file="+file)
	applied, _ := run("apply", "--root", smallRoot(t), "--datasource", "file="+file)
	if diff := cmp.Diff(textFindings(findings), textFindings(plan)); diff != "" {
		t.Errorf("validate and plan find other things in %q: %s", text, diff)
	}
	if checked == report.ExitRefused && planned != report.ExitRefused {
		t.Errorf("validate refuses %q and plan ends with %d:\n%s", text, planned, plan)
	}
	if (applied == report.ExitRefused) != (planned == report.ExitRefused) {
		t.Errorf("plan of %q ends with %d, apply with %d", text, planned, applied)
	}
}

// texts are every golden and example.
func texts(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, pattern := range []string{"../../examples/*.[ys]*", "../../schema/testdata/bad/*.yaml", "../../schema/testdata/ok/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = text
		}
	}
	return out
}

func TestAgree(t *testing.T) {
	for name, text := range texts(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			agree(t, text)
		})
	}
}

func FuzzAgree(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, text) })
}
