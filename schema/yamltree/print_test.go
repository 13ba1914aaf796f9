package yamltree_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

func TestPrint(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"blocks", "a: {b: [1, 'x'], c: {}}\nd: []\n", "a:\n  b:\n    - 1  # 1:9\n    - 'x'  # 1:12\n  c: {}  # 1:21\nd: []  # 2:4\n"},
		{"items that are mappings and lists", "- a: 1\n  b: [x]\n- [[y]]\n", "- a: 1  # 1:6\n  b:\n    - x  # 2:7\n- - - y  # 3:5\n"},
		{"texts of several lines", "a: |\n  b\n\n  c\nd: >-\n  e\n\n  f\ng: |+\n  h\n\ni: \"j\\n\"\n", "a: |  # 1:4\n  b\n\n  c\nd: |-  # 5:4\n  e\n  f\ng: |+  # 9:4\n  h\n\ni: |  # 12:4\n  j\n"},
		{"a text that begins with blanks", "a: |2\n    b\n   c\n", "a: |2  # 1:4\n    b\n   c\n"},
		{"plain stays plain", "mode: 0644\nyes: on\nz:\nn: ~\nd: 2020-01-01\n", "mode: 0644  # 1:7\nyes: on  # 2:6\nz:  # 3:3\nn: ~  # 4:4\nd: 2020-01-01  # 5:4\n"},
		{"plain where it cannot be", "a: b\n  c\n\n  d\n", "a: |-  # 1:4\n  b c\n  d\n"},
		{"quotes", "\"a\": 'it''s'\n'b': \"\\u00e9\\e\"\n", "\"a\": 'it''s'  # 1:6\n'b': \"é\\u001b\"  # 2:6\n"},
		{"tags", "a: !!str 5\nb: !!binary |\n  eA==\nc: !x {d: 1}\ne: ! 1\n", "a: !!str 5  # 1:10\nb: !!binary |  # 2:13\n  eA==\nc: !x\n  d: 1  # 4:11\ne: 1  # 5:6\n"},
		{"aliases are written out", "a: &a {b: 1}\nc: *a\n", "a:\n  b: 1  # 1:11\nc:\n  b: 1  # 1:11\n"},
		{"a scalar alone", "x\n", "--- x  # 1:1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got bytes.Buffer
			err := yamltree.Print(&got, parse(t, file(tt.text)), func(n *yamltree.Node) string {
				return fmt.Sprintf("# %d:%d", n.Range.Start.Line, n.Range.Start.Column)
			})
			if err != nil || got.String() != tt.want {
				t.Errorf("error %v\n%s", err, cmp.Diff(tt.want, got.String()))
			}
		})
	}
}

// A value that is in many places of a tree does not become gigabytes.
func TestPrintEnds(t *testing.T) {
	tree := parse(t, file("- "+strings.Repeat("x", 1<<20)+"\n"))
	for range 900 {
		tree.Items = append(tree.Items, tree.Items[0])
	}
	if err := yamltree.Print(&bytes.Buffer{}, tree, nil); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("error %v", err)
	}
}

// meaning is a tree without its places and, but for plain, its styles.
func meaning(n *yamltree.Node) string {
	var b strings.Builder
	var write func(n *yamltree.Node)
	write = func(n *yamltree.Node) {
		fmt.Fprintf(&b, "%d %s %q ", n.Kind, n.Tag, n.Value)
		for _, i := range n.Items {
			b.WriteString("- ")
			write(i)
		}
		for _, p := range n.Pairs {
			write(p.Key)
			b.WriteString(": ")
			write(p.Value)
		}
		b.WriteString("\n")
	}
	write(n)
	return b.String()
}

// FuzzPrint: what is printed reads as what was read, with comments and without.
func FuzzPrint(f *testing.F) {
	for _, pattern := range []string{"../../examples/*.yaml", "../testdata/ok/*.yaml", "../testdata/bad/*.yaml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Add([]byte("a: |2\n   b\n  \n\n  c\nd: >\n x\n\n  y\ne: \"\\n\"\nf: \" \\n \"\ng: '\n\n '\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tree, found := yamltree.Parse(&source.File{Name: "f", Bytes: text})
		if tree == nil || len(found) > 0 {
			return
		}
		for _, note := range []func(*yamltree.Node) string{nil, func(*yamltree.Node) string { return "# here" }} {
			var out bytes.Buffer
			if err := yamltree.Print(&out, tree, note); err != nil {
				t.Fatal(err)
			}
			again, found := yamltree.Parse(&source.File{Name: "f", Bytes: out.Bytes()})
			if len(found) > 0 {
				t.Fatalf("%s %s of\n%s\nfrom\n%q", found[0].Subject, found[0].Summary, out.String(), text)
			}
			if meaning(again) != meaning(tree) {
				t.Fatalf("%s\nfrom\n%q: %s", out.String(), text, cmp.Diff(meaning(tree), meaning(again)))
			}
		}
	})
}
