package schema_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

var update = flag.Bool("update", false, "rewrite the goldens")

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func decode(name string, text []byte) (*schema.Config, diag.List) {
	return schema.Decode(inputOf(name, text))
}

// inputOf is a text; with the comment "# image: NAME" on its second line against that facts profile.
func inputOf(name string, text []byte) schema.Input {
	in := schema.Input{
		Files: []*source.File{{Name: name, Bytes: text}},
		Now:   now,
	}
	if _, after, found := strings.Cut(string(text), "#cloud-config\n# image: "); found {
		name, _, _ := strings.Cut(after, "\n")
		in.Image = image.Shipped(name)
	}
	return in
}

// TestBad holds every file in testdata/bad against the findings beside it, a line each: place, severity, rule.
// The words may change freely.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, found := decode(name, text)
			var got bytes.Buffer
			for _, d := range found {
				fmt.Fprintf(&got, "%d:%d-%d:%d %s %s\n", d.Subject.Start.Line, d.Subject.Start.Column, d.Subject.End.Line, d.Subject.End.Column, d.Severity, d.Rule.ID)
			}
			if got.Len() == 0 {
				t.Error("nothing is found wrong")
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// TestOK: nothing is found in these files, nor in the examples.
func TestOK(t *testing.T) {
	ok, _ := filepath.Glob("testdata/ok/*")
	examples, _ := filepath.Glob("../examples/*.[ys]*")
	if len(ok) == 0 || len(examples) < 8 {
		t.Fatalf("%d files and %d examples", len(ok), len(examples))
	}
	for _, path := range append(ok, examples...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, found := decode(path, text)
		for _, d := range found {
			if strings.HasPrefix(path, "../examples") && d.Severity == diag.Info {
				continue
			}
			t.Errorf("%s: %s: %s [%s]", d.Subject, d.Severity, d.Summary, d.Rule.ID)
		}
	}
}
