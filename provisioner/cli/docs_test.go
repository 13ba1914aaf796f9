package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/cli"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// docsTime is when the documentation's commands are run.
func docsTime() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// TestDocs runs every command that a console block of the documentation shows, from the top of the project, and
// compares what it prints, standard error included, with what the block says.
func TestDocs(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("NO_COLOR", "1")
	t.Setenv("JOURNAL_STREAM", "")
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		made := consoleBlock.ReplaceAllFunc(text, func(block []byte) []byte {
			var out strings.Builder
			last := 0
			for line := range strings.Lines(string(block)) {
				command, shown := strings.CutPrefix(line, "$ ")
				switch {
				case strings.HasPrefix(line, "```"):
					out.WriteString(line)
				case !shown:
				case command == "echo $?\n":
					fmt.Fprintf(&out, "%s%d\n", line, last)
				default:
					commands++
					var printed bytes.Buffer
					c := cli.Command{Stdin: strings.NewReader(""), Stdout: &printed, Stderr: &printed, Version: "v0.0.0", Now: docsTime}
					last = c.Main(strings.Fields(command))
					out.WriteString(line)
					out.Write(printed.Bytes())
				}
			}
			return []byte(out.String())
		})
		same(t, page, made)
	}
	if commands == 0 {
		t.Error("no command in the documentation")
	}
}

var yamlBlock = regexp.MustCompile("(?s)(?:<!-- (\\S+) -->\n)?```(?:yaml|json)\n(.*?)```")

// TestShownYAML: what pages show of YAML is YAML, and is what the file has that it is said to be.
func TestShownYAML(t *testing.T) {
	t.Chdir("../..")
	for _, name := range []string{"docs/validate.md", "docs/network.md", "docs/migrate.md"} {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := yamlBlock.FindAllSubmatch(page, -1)
		if len(blocks) == 0 {
			t.Errorf("no YAML in %s", name)
		}
		for _, b := range blocks {
			if _, found := yamltree.Parse(&source.File{Bytes: b[2]}); len(found) > 0 {
				t.Errorf("%s: %s:\n%s", name, found[0].Summary, b[2])
			}
			if len(b[1]) > 0 {
				text, err := os.ReadFile(string(b[1]))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(text, b[2]) {
					t.Errorf("%s: %s is not what the page says it is", name, b[1])
				}
			}
		}
	}
}

// TestReference: the pages that list keys and rules say what the tables say.
func TestReference(t *testing.T) {
	t.Chdir("../..")
	same(t, "docs/rules.md", rulesPage())
	same(t, "docs/schema.md", schemaPage())
	var printed bytes.Buffer
	if c := (cli.Command{Stdout: &printed, Stderr: &printed}); c.Main([]string{"provisioner", "schema"}) != 0 {
		t.Errorf("provisioner schema: %s", printed.Bytes())
	}
	same(t, "docs/cloud-config.schema.json", printed.Bytes())
}

// same compares a page with what it must be; with -update it is written.
func same(t *testing.T, page string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program says; run make golden and read the difference", page)
	}
}

func rulesPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Rules\n\nEverything that is found in a configuration, by its stable id. `provisioner explain ID` prints the same.\n" +
		"A rule *of the machine* depends on the machine: `plan` and `apply` give it, `validate` cannot.\n")
	for _, r := range rules.All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", r.ID, r.Severity)
		if r.Machine {
			b.WriteString(", of the machine")
		}
		fmt.Fprintf(&b, ": %s.\n\n%s\n", r.Title, r.Help)
		if r.Example != "" {
			fmt.Fprintf(&b, "\nWrong:\n\n```yaml\n%s\n```\n\nRight:\n\n```yaml\n%s\n```\n", strings.TrimRight(r.Example, "\n"), strings.TrimRight(r.Instead, "\n"))
		}
	}
	return b.Bytes()
}

func schemaPage() []byte {
	var b bytes.Buffer
	b.WriteString("# The language\n\nEvery key of a cloud-config. The first line of a document is `#cloud-config`. Hyphen and underscore are the same\n" +
		"letter in keys; keys that begin with `x-` are yours. `provisioner explain KEY` prints one. The same as a JSON\n" +
		"Schema for editors is in `cloud-config.schema.json`, which `provisioner schema` prints.\n\n" +
		"| key | takes | what it is |\n|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`).Replace
	for _, k := range language.Keys() {
		doc := k.Doc
		if k.Variable != "" {
			doc = strings.TrimPrefix(doc+"; `"+k.Variable+"` of the agent", "; ")
		}
		if len(k.Values) > 0 {
			doc += ": one of `" + strings.Join(k.Values, "`, `") + "`"
		}
		if k.Deprecated != "" {
			doc += "; deprecated: " + k.Deprecated
		}
		if k.Later != "" {
			doc += "; not acted on yet: " + k.Later
		}
		if k.Required {
			doc += "; must be there"
		}
		if k.Example != "" {
			doc += "; such as `" + k.Example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Path, k.Type, cell(doc))
	}
	return b.Bytes()
}
