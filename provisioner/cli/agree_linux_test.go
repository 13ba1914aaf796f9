package cli_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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

// machines are what a text may be checked for: metadata, if there are any, and what a clock shows.
var machines = []struct {
	name, metadata string
	now            time.Time
}{
	{"without metadata", "", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
	{"with metadata", `{"version": 1, "instance_id": "i-1", "hostname": "web1.example.com", "public_ipv4": "192.0.2.1", "private_ipv4": "10.0.0.1",
		"ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+XkU9pYjnWs0oq5SkFg9cKBWoGtGRVnfCFFkzTrAbS a"]}`, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
	{"with metadata that say little", `{"version": 1, "hostname": "a_b", "public_ipv4": "x"}`, time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)},
	{"without a clock", "", time.Unix(0, 0)},
}

// agree demands that validate, plan and apply think the same of a text, for any machine: the same findings of the
// text, and apply refuses exactly what plan refuses.
func agree(t *testing.T, text []byte) {
	t.Helper()
	if fetches(text) {
		t.Skip("it fetches keys, and a test asks no network")
	}
	file := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	asks := bytes.Contains(text, []byte("$")) || bytes.Contains(bytes.ToLower(text), []byte("certificate"))
	for i, m := range machines {
		if i > 0 && !asks {
			break // nothing in it depends on what is known of the machine
		}
		run := func(args ...string) (int, string) {
			var out bytes.Buffer
			c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Version: "v0.0.0", Now: func() time.Time { return m.now }}
			args = append([]string{"provisioner"}, args...)
			if m.metadata != "" {
				metadata := filepath.Join(t.TempDir(), "metadata.json")
				if err := os.WriteFile(metadata, []byte(m.metadata), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--metadata", metadata)
			}
			return c.Main(args), out.String()
		}
		checked, findings := run("validate", file)
		planned, plan := run("plan", "--root", smallRoot(t), "--datasource", "file="+file)
		applied, told := run("apply", "--root", smallRoot(t), "--datasource", "file="+file)
		if diff := cmp.Diff(textFindings(findings), textFindings(plan)); diff != "" {
			t.Errorf("%s: validate and plan find other things in %q: %s", m.name, text, diff)
		}
		if checked == report.ExitRefused && planned != report.ExitRefused {
			t.Errorf("%s: validate refuses %q and plan ends with %d:\n%s", m.name, text, planned, plan)
		}
		if (applied == report.ExitRefused) != (planned == report.ExitRefused) {
			t.Errorf("%s: plan of %q ends with %d, apply with %d: %s", m.name, text, planned, applied, told)
		}
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

// FuzzAgree begins with the texts of TestAgree, which runs them in parallel: they are not run a second time where nothing
// is fuzzed.
func FuzzAgree(f *testing.F) {
	if flag.Lookup("test.fuzz").Value.String() != "" {
		for _, text := range texts(f) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, text) })
}
