package interfaces_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/network/interfaces"
	"cloudconfig/schema/network/networktest"
	"cloudconfig/schema/source"
)

var update = flag.Bool("update", false, "write the goldens")

func read(text string) (*network.Network, diag.List) {
	c := findings.New()
	f := &source.File{Name: "interfaces", Bytes: []byte(text)}
	c.Sources[f.Name] = f
	n := interfaces.Read(c, f)
	return n, c.Sorted()
}

// Each file is read, and what is made of it compared with the .want beside it.
func TestGoldens(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.interfaces")
	if len(files) < 4 {
		t.Fatalf("only %d files", len(files))
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := networktest.Golden(read(string(text)))
			golden := strings.TrimSuffix(name, ".interfaces") + ".want"
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

// What would cost more than it is long is refused instead.
func TestBounds(t *testing.T) {
	repeat := strings.Repeat
	for _, tt := range []struct{ name, text, want string }{
		{"a long file", repeat("#\n", 1<<20), "is not larger than 1024 KiB"},
		{"interfaces", numbered("iface e%d inet dhcp\n", 1001), "more than 1000 interfaces"},
		{"members", "iface b inet manual\nbond-slaves " + numbered("e%d ", 1001), "more than 1000 interfaces"},
		{"addresses", "iface e inet static\n" + repeat("address 10.0.0.1/8\n", 1001), "more than 1000 addresses"},
		{"options", "iface e inet dhcp\n" + repeat("x y\n", 50_001), "more than 50000 options"},
		{"inherited options", "iface e0 inet dhcp\n" + repeat("up true\n", 300) + numbered("iface e%d inet dhcp inherits e0\n", 200), "more than 50000 options are inherited"},
		{"patterns", "auto " + repeat("/e* ", 65), "more than 64 patterns"},
		{"a long pattern", "auto /" + repeat("*", 65), "more than 64 patterns, or one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, found := read(tt.text)
			said := ""
			for _, d := range found {
				if d.Severity == diag.Error {
					said += d.Summary + "\n"
				}
			}
			if !strings.Contains(said, tt.want) {
				t.Errorf("found %.200s, want %q", said, tt.want)
			}
		})
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// FuzzInterfaces: whatever the text is, every place is in it, and no value could be more than one.
func FuzzInterfaces(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.interfaces")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, found := read(text)
		if err := networktest.Check(n); err != nil {
			t.Error(err)
		}
		for _, d := range found {
			if d.Subject.Start.Offset > d.Subject.End.Offset || d.Subject.End.Offset > len(text) || d.Subject.IsZero() {
				t.Errorf("a finding at %v of %d bytes: %s", d.Subject, len(text), d.Summary)
			}
			if strings.ContainsFunc(d.Summary+d.Detail, unicode.IsControl) {
				t.Errorf("%q", d.Summary)
			}
		}
		if n != nil {
			c := findings.New()
			network.Check(c, n)
		}
	})
}
