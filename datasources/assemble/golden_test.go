package assemble_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestMessages holds every message and archive in testdata against the file beside it: a line for each part, and one for
// each finding, those inside the parts included, with the text that it points at.
func TestMessages(t *testing.T) {
	messages, err := filepath.Glob("testdata/*.[my]*")
	if err != nil || len(messages) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	for _, path := range messages {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f := &source.File{Name: filepath.Base(path), Bytes: text}
			parts, found, err := apart(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]*source.File{f.Name: f}
			var got bytes.Buffer
			for _, p := range parts {
				files[p.Name] = p.Whole()
				fmt.Fprintf(&got, "part %s:%d %d lines %s\n", p.Name, p.Range(0, 0).Start.Line, p.Lines(), p.Type)
			}
			_, more := schema.Decode(schema.Input{Files: parts})
			for _, d := range append(found, more...).Sorted() {
				r := d.Subject
				fmt.Fprintf(&got, "%s-%d:%d %s %s %q\n", r, r.End.Line, r.End.Column, d.Severity, d.Rule.ID, files[r.File].Bytes[r.Start.Offset:r.End.Offset])
			}
			golden := strings.TrimSuffix(path, filepath.Ext(path)) + ".want"
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
				t.Errorf("got\n%swant\n%s", &got, want)
			}
		})
	}
}
