package disk_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/disk"
)

func TestDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int64) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name, to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("openstack/2012-08-10/user_data", 0)
	write("sixteen", disk.MaxFile+1)
	link("openstack/latest", "2012-08-10")
	link("out", "/etc/hostname")
	link("up", "../../etc/hostname")
	tree, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for _, tt := range []struct {
		name, path string
		absent     bool
		want       string // of the error; "" for success
	}{
		{name: "a file", path: "openstack/2012-08-10/user_data"},
		{name: "through a link that stays inside", path: "openstack/latest/user_data"},
		{name: "nothing", path: "openstack/latest/meta_data.json", absent: true, want: "no such file"},
		{name: "a file is no folder", path: "openstack/latest/user_data/x", absent: true, want: "read openstack/latest/user_data/x of"},
		{name: "a folder", path: "openstack", want: "not a regular file"},
		{name: "too large", path: "sixteen", want: "larger than 16 MiB"},
		{name: "a link to another place", path: "out", want: "escapes"},
		{name: "a link upwards", path: "up", want: "escapes"},
		{name: "a path upwards", path: "../x", want: "escapes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tree.Read(t.Context(), tt.path)
			if tt.want == "" {
				if err != nil || string(b) != "text" {
					t.Errorf("%q, error %v", b, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, fs.ErrNotExist) != tt.absent || strings.Count(err.Error(), tt.path) != 1 {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	names, err := tree.Names(t.Context(), "openstack")
	if diff := cmp.Diff([]string{"2012-08-10", "latest"}, names); diff != "" || err != nil {
		t.Errorf("error %v, %s", err, diff)
	}
	if _, err := tree.Names(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestDirTotal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "large")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, disk.MaxFile); err != nil {
		t.Fatal(err)
	}
	tree, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for range disk.MaxTotal / disk.MaxFile {
		if b, err := tree.Read(t.Context(), "large"); err != nil || len(b) != disk.MaxFile {
			t.Fatalf("%d bytes, error %v", len(b), err)
		}
	}
	if _, err := tree.Read(t.Context(), "large"); err == nil || !strings.Contains(err.Error(), "together with the files before it larger than 64 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestNoDir(t *testing.T) {
	if _, err := disk.OpenDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestReadEnds(t *testing.T) {
	tree, err := disk.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := tree.Read(ctx, "x"); errors.Is(err, context.Canceled) {
			return // it may have been faster, but not a hundred times
		}
	}
	t.Error("a context that has ended does not end it")
}
