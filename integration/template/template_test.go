//go:build integration

// Package template_test holds the goldens of package template against Jinja itself.
//
// It needs python3 with jinja2 3.1; with CI=true it fails without them.
package template_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// script renders the templates of its input as cloud-init does (cloudinit/templater.py, 2026), but with an error for a
// variable without a value.
const script = `
import json, sys, jinja2
given = json.load(sys.stdin)
out = []
for text in given["templates"]:
    end = "\n" if text.endswith("\n") else ""
    try:
        t = jinja2.Template(text, undefined=jinja2.StrictUndefined, trim_blocks=True, extensions=["jinja2.ext.do"])
        out.append(t.render(**given["vars"]) + end)
    except Exception as e:
        out.append("%s: %s" % (type(e).__name__, e))
print(json.dumps(out))
`

func TestJinjaAgrees(t *testing.T) {
	if err := exec.Command("python3", "-c", "import jinja2; assert jinja2.__version__.startswith('3.1.')").Run(); err != nil {
		missing(t, "python3 with jinja2 3.1")
	}
	const data = "../../schema/template/testdata/"
	text, err := os.ReadFile(data + "jinja.txt")
	if err != nil {
		t.Fatal(err)
	}
	vars, err := os.ReadFile(data + "vars.json")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var templates []string
	for i := 0; i < len(lines); i += 2 {
		templates = append(templates, strings.ReplaceAll(lines[i], "⏎", "\n"))
	}
	in, err := json.Marshal(map[string]any{"templates": templates, "vars": json.RawMessage(vars)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	printed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	if err := json.Unmarshal(printed, &out); err != nil || len(out) != len(templates) {
		t.Fatalf("%d of %d templates: %v", len(out), len(templates), err)
	}
	for i, want := range out {
		if got := strings.ReplaceAll(strings.TrimPrefix(lines[2*i+1], "\t"), "⏎", "\n"); got != want {
			t.Errorf("%s\nthe golden is %q\nJinja makes   %q", templates[i], got, want)
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
