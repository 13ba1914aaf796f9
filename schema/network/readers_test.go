package network_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema"
	"cloudconfig/schema/network/networktest"
	"cloudconfig/schema/source"
)

var update = flag.Bool("update", false, "write the goldens")

// forms are the descriptions that have a folder of goldens, with their kinds for DecodeNetwork.
var forms = []struct{ folder, kind string }{{"v1", "cloud-init"}, {"openstack", "openstack"}, {"rackspace", "rackspace"}}

// Each file is read, checked, and what was found and made of it compared with the .want beside it.
func TestGoldens(t *testing.T) {
	for _, form := range forms {
		files := described(t, form.folder)
		for _, name := range files {
			t.Run(form.folder+"/"+filepath.Base(name), func(t *testing.T) {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				got := networktest.Golden(schema.DecodeNetwork(&source.File{Name: "network-config", Bytes: text, Line: 1}, form.kind))
				golden := strings.TrimSuffix(name, filepath.Ext(name)) + ".want"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func described(t testing.TB, folder string) []string {
	var files []string
	for _, ext := range []string{"yaml", "json"} {
		some, _ := filepath.Glob("testdata/" + folder + "/*." + ext)
		files = append(files, some...)
	}
	if len(files) < 3 {
		t.Fatalf("only %d files of %s", len(files), folder)
	}
	return files
}

func FuzzV1(f *testing.F)          { fuzz(f, "v1", "cloud-init") }
func FuzzNetworkData(f *testing.F) { fuzz(f, "openstack", "openstack") }
func FuzzNetworkInfo(f *testing.F) { fuzz(f, "rackspace", "rackspace") }

// fuzz reads whatever becomes of the files of a folder: nothing panics, every place is in the text, every finding is one line, and
// where there is no error, no value of the network could be more than one.
func fuzz(f *testing.F, folder, kind string) {
	for _, name := range described(f, folder) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, found := schema.DecodeNetwork(&source.File{Name: "network-config", Bytes: text, Line: 1}, kind)
		for _, d := range found {
			if r := d.Subject; r.Start.Offset > r.End.Offset || r.End.Offset > len(text) || r.Start.Line == 0 {
				t.Errorf("%s at %+v of %d bytes", d.Rule.ID, r, len(text))
			}
			if strings.ContainsFunc(d.Summary+d.Detail, unicode.IsControl) {
				t.Errorf("a finding of more than one line: %q; %q", d.Summary, d.Detail)
			}
		}
		if found.HasErrors() {
			return
		}
		if err := networktest.Check(n); err != nil {
			t.Error(err)
		}
	})
}
