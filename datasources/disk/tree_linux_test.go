package disk_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloudconfig/datasources/disk"
)

// Reading from a FIFO would wait for who writes to it.
func TestDirFIFO(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := disk.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if _, err := tree.Read(t.Context(), "fifo"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// A FIFO in place of the directory is refused, and not waited for.
func TestDirThatIsAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.OpenDir(path); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("error %v", err)
	}
}
