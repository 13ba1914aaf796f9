package image_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema/image"
)

var update = flag.Bool("update", false, "pack the profiles")

// TestPacked: what is shipped is the profile that people read, packed.
func TestPacked(t *testing.T) {
	profiles, err := filepath.Glob("*.json")
	if err != nil || len(profiles) != len(image.Names()) {
		t.Fatalf("%v are not as many as %v: %v", profiles, image.Names(), err)
	}
	for _, name := range profiles {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			pack(t, name+".gz", want)
		}
		f, err := os.Open(name + ".gz")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s.gz is not %s (%v): go test ./schema/image -update", name, name, err)
		}
	}
}

func pack(t *testing.T, name string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestShippedImages: every profile that is shipped can be read, is called what its file is, and has what a machine
// cannot do without.
func TestShippedImages(t *testing.T) {
	if len(image.Names()) == 0 {
		t.Fatal("no profile")
	}
	for _, name := range image.Names() {
		im := image.Shipped(name)
		if im == nil || im.Name != name || im.Systemd < 200 || im.User("root") == nil || im.Group("root") == nil || im.Unit("multi-user.target") == nil || !im.Program("sh") {
			t.Errorf("%s is not whole", name)
		}
	}
	if image.Shipped("debian") != nil {
		t.Error("a profile of a name that is none")
	}
}

func TestImageHas(t *testing.T) {
	im := &image.Image{
		Links: map[string]string{"/bin": "/usr/bin"},
		Directories: map[string][]string{
			"/usr/bin": {"sh"}, "/etc": {"default/", "hosts", "ssl/"}, "/etc/default": {"ssh"},
		},
	}
	for _, c := range []struct {
		why, file    string
		there, known bool
	}{
		{"listed", "/usr/bin/sh", true, true},
		{"through a link", "/bin/sh", true, true},
		{"not listed", "/bin/zsh", false, true},
		{"in a directory below", "/etc/default/ssh", true, true},
		{"in a directory that is not there", "/etc/web/web.env", false, true},
		{"far below one that is not there", "/etc/web/a/b", false, true},
		{"in a directory that is there and not listed", "/etc/ssl/certs/a.pem", false, false},
		{"in a place that nobody looked at", "/srv/web/run", false, false},
		{"at the top", "/vmlinuz", false, false},
	} {
		if there, known := im.Has(c.file); there != c.there || known != c.known {
			t.Errorf("%s (%s): %v, %v", c.file, c.why, there, known)
		}
	}
}

func TestImageUnit(t *testing.T) {
	im := &image.Image{Units: []image.Unit{{Name: "getty@.service"}, {Name: "ssh.service"}}}
	for name, want := range map[string]string{"ssh.service": "ssh.service", "getty@tty1.service": "getty@.service", "getty@.service": "getty@.service", "ssh@a.service": "", "@.service": "", "x": ""} {
		got := ""
		if u := im.Unit(name); u != nil {
			got = u.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestParseImage(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 1, "name": "x"`: "not JSON at byte 26",
		`{"version": 2}`:             "version 2",
		`{}`:                         "version 0",
		`{"version": 1, "users": "root:$6$secret"}`: "not a facts profile",
		`[]`: "not a facts profile",
		`{"version": 1, "directories": {"etc": ["hosts"]}}`: "not an absolute path",
	} {
		_, err := image.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	// Lists that somebody wrote by hand, in any order, are found all the same.
	im, err := image.Parse([]byte(`{"version": 1, "units": [{"name": "b.service"}, {"name": "a.service"}], "directories": {"/bin": ["z", "a"]}}`))
	if err != nil || im.Unit("a.service") == nil || !im.Program("a") {
		t.Errorf("%v %v", im, err)
	}
}
