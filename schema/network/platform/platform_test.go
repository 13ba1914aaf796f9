package platform_test

import (
	"flag"
	"fmt"
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

// Each file is what the platform says that its name begins with: ec2-two-cards.in. What is made of it, and what is found, is in the .want
// beside it.
func TestGoldens(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.in")
	if len(files) < 12 {
		t.Fatalf("only %d files", len(files))
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			kind, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".in"), "-")
			got := networktest.Golden(schema.DecodeNetwork(&source.File{Name: "network", Bytes: text}, kind))
			golden := strings.TrimSuffix(name, ".in") + ".want"
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

// FuzzPlatform: whatever a platform says, every place is in it, and no value could be more than one.
func FuzzPlatform(f *testing.F) {
	kinds := []string{"ec2", "digitalocean", "azure", "gce", "hetzner", "vmware"}
	files, _ := filepath.Glob("testdata/*.in")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i, kind := range kinds {
			if strings.HasPrefix(filepath.Base(name), kind) {
				f.Add(uint8(i), string(text))
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		n, found := schema.DecodeNetwork(&source.File{Name: "network", Bytes: []byte(text)}, kinds[int(kind)%len(kinds)])
		if err := networktest.Check(n); err != nil && !found.HasErrors() {
			t.Error(err)
		}
		for _, d := range found {
			if d.Subject.Start.Offset > d.Subject.End.Offset || d.Subject.End.Offset > len(text) {
				t.Errorf("a finding at %v of %d bytes: %s", d.Subject, len(text), d.Summary)
			}
			if strings.ContainsFunc(d.Summary+d.Detail, unicode.IsControl) {
				t.Errorf("%q", d.Summary)
			}
		}
	})
}

// More cards than a machine can have are told once, and not read.
func TestManyCards(t *testing.T) {
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf(`{"ip": "10.0.0.1", "mac": "42:01:0a:80:%02x:%02x"}`, i>>8, i&0xFF))
	}
	n, found := schema.DecodeNetwork(&source.File{Name: "network", Bytes: []byte("[" + strings.Join(list, ",\n") + "]")}, "gce")
	if len(n.Links) != 256 || len(found) != 1 || !strings.Contains(found[0].Summary, "more than 256 cards") {
		t.Errorf("%d links, found %v", len(n.Links), found)
	}
}
