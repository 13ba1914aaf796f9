package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/file"
	"cloudconfig/schema"
)

func TestFetch(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, empty, large := write("text", "#cloud-config\r\n\x00"), write("empty", ""), write("large", "")
	if err := os.Truncate(large, file.MaxBytes+1); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("text", link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		data       []byte
		want       error
		wantText   string
	}{
		{name: "as it is", path: text, data: []byte("#cloud-config\r\n\x00")},
		{name: "through a link", path: link, data: []byte("#cloud-config\r\n\x00")},
		{name: "an empty file is no user-data", path: empty},
		{name: "no such file", path: filepath.Join(dir, "missing"), want: datasources.ErrAbsent, wantText: "missing: no such file"},
		{name: "no such file, for whoever asks in Go's own way", path: filepath.Join(dir, "missing"), want: fs.ErrNotExist, wantText: "missing"},
		{name: "a directory", path: dir, wantText: "is not a regular file"},
		{name: "a device that never ends", path: "/dev/zero", wantText: "is not a regular file"},
		{name: "too large", path: large, wantText: "is larger than 32 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The path is the caller's whatever the root is.
			data, err := file.New(datasources.Env{Root: t.TempDir()}, tt.path).Fetch(t.Context())
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if tt.want == nil && (errors.Is(err, datasources.ErrAbsent) || errors.Is(err, datasources.ErrNotReady)) {
					t.Errorf("error %v does not end the search", err)
				}
				return
			}
			want := datasources.Data{UserData: tt.data, Name: tt.path, Meta: schema.Metadata{Version: 1, Datasource: "file"}}
			if diff := cmp.Diff(want, data); diff != "" || err != nil {
				t.Errorf("error %v, %s", err, diff)
			}
		})
	}
}
