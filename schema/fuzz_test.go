package schema_test

import (
	"os"
	"path/filepath"
	"testing"

	"cloudconfig/schema/diag"
)

// FuzzDecode: nothing panics, every finding has a rule and a place inside its file, and the same text gives the
// same findings.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"../examples/*.[ys]*", "testdata/bad/*.yaml", "testdata/ok/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, found := decode("fuzz", text)
		if cfg == nil {
			t.Fatal("no configuration at all")
		}
		for _, d := range found {
			if d.Rule == nil || d.Summary == "" || d.Severity < diag.Error || d.Severity > diag.Info {
				t.Errorf("an unfinished finding: %+v", d)
			}
			r := d.Subject
			if r.IsZero() || r.Start.Offset < 0 || r.End.Offset > len(text) || r.Start.Offset > r.End.Offset || r.File != "fuzz" {
				t.Errorf("%s: range %+v of a text of %d bytes", d.Rule.ID, r, len(text))
			}
		}
		if _, again := decode("fuzz", text); len(again) != len(found) {
			t.Errorf("%d findings, then %d", len(found), len(again))
		}
	})
}
