//go:build integration && linux

package machines_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cloudconfig/integration/debian"
	"cloudconfig/integration/vm"
)

// modules are those that the machines need besides what is built in: udev loads them.
var modules = []string{"virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
	"failover", "net_failover", "virtio_net", "virtio-rng", "rng-core", "cdrom", "isofs", "fat", "vfat", "nls_ascii", "nls_cp437", "nls_iso8859-1", "nls_utf8",
	"autofs4", "loop", "overlay", "squashfs", "dmi-sysfs", "qemu_fw_cfg", "binfmt_misc"}

// pristine is a Debian that never booted; it is made when it is missing, which takes two minutes.
func pristine(t *testing.T) string {
	t.Helper()
	root, err := debian.Pristine(cache(t), func(path string) { t.Logf("making %s", path) })
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// root is a tree that becomes a machine's: the pristine one below, and what is written on top.
type root string

// withRoot calls use with a root that has the kernel's modules and lacks what no machine needs. It is gone when withRoot returns.
func withRoot(t *testing.T, lower string, use func(root)) {
	t.Helper()
	dir := scratch(t)
	r := filepath.Join(dir, "root")
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, filepath.Join(dir, "upper"), filepath.Join(dir, "work"))
	if err := syscall.Mount("overlay", r, "overlay", 0, options); err != nil {
		t.Fatalf("mount an overlay: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(r, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", r, err)
		}
	}()
	root(r).installModules(t)
	for _, unit := range []string{"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_reap.service"} {
		root(r).link(t, "etc/systemd/system/"+unit, "/dev/null")
	}
	for _, name := range []string{"var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"} {
		if err := os.RemoveAll(filepath.Join(r, name)); err != nil {
			t.Fatal(err)
		}
	}
	use(root(r))
}

// installModules puts the kernel's modules where udev looks for them.
func (r root) installModules(t *testing.T) {
	t.Helper()
	kernel, files, err := vm.Kernel(modules...)
	if err != nil {
		missing(t, "a kernel: "+err.Error())
	}
	version := strings.TrimPrefix(filepath.Base(kernel), "vmlinuz-")
	from := filepath.Join(filepath.Dir(filepath.Dir(kernel)), "lib", "modules", version)
	for _, name := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		files = append(files, vm.File{Path: filepath.Join(from, name)})
	}
	for _, f := range files {
		name, err := filepath.Rel(from, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		r.copy(t, filepath.Join("usr/lib/modules", version, name), 0o644, f.Path)
	}
	mustRun(t, "depmod", "-b", filepath.Join(string(r), "usr"), "-e", "-F", filepath.Join(filepath.Dir(kernel), "System.map-"+version), version)
}

// installProgram installs the program as its Makefile does, and enables it as an image would.
func (r root) installProgram(t *testing.T, settings string) {
	t.Helper()
	// -o build: install what is there.
	mustRun(t, "make", "-C", filepath.Join("..", ".."), "-o", "build", "install", "DESTDIR="+string(r))
	r.copy(t, "usr/bin/provisioner", 0o755, program())
	mustRun(t, "systemctl", "--root="+string(r), "enable", "provisioner.target")
	if settings != "" {
		r.write(t, "etc/provisioner/provisioner.yaml", 0o644, settings)
	}
}

func (r root) write(t *testing.T, name string, mode os.FileMode, content string) {
	t.Helper()
	path := filepath.Join(string(r), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func (r root) copy(t *testing.T, name string, mode os.FileMode, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, name, mode, string(content))
}

func (r root) link(t *testing.T, name, target string) {
	t.Helper()
	path := filepath.Join(string(r), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// disk makes a raw disk of a root, with nothing but the file system on it.
func (r root) disk(t *testing.T, path string) {
	t.Helper()
	mustRun(t, "truncate", "-s", "1G", path)
	mustRun(t, "mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", string(r), path)
}

// images are what is made once for all tests of a run, and removed by TestMain.
var images struct {
	sync.Mutex
	folder, disk string
}

// imageFolder is where they are.
func imageFolder(t *testing.T) string {
	t.Helper()
	if images.folder == "" {
		dir, err := os.MkdirTemp(cache(t), fmt.Sprintf("vm-%d-", os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		images.folder = dir
	}
	return images.folder
}

// installed is a raw disk with Debian and the program, made once for all tests of a run.
func installed(t *testing.T) string {
	t.Helper()
	images.Lock()
	defer images.Unlock()
	if images.disk != "" {
		return images.disk
	}
	path := filepath.Join(imageFolder(t), "installed")
	withRoot(t, pristine(t), func(r root) {
		r.installProgram(t, "")
		r.disk(t, path)
	})
	images.disk = path
	return path
}

// overlay is a disk that has what another has until it is written to.
func overlay(t *testing.T, base string) string {
	t.Helper()
	path := filepath.Join(scratch(t), "disk")
	mustRun(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, path)
	return path
}

// iso makes a disk of ISO 9660 with a label.
func iso(t *testing.T, label string, files map[string]string) string {
	t.Helper()
	dir := scratch(t)
	tree := root(filepath.Join(dir, "tree"))
	for name, content := range files {
		tree.write(t, name, 0o644, content)
	}
	path := filepath.Join(dir, "iso")
	mustRun(t, "genisoimage", "-quiet", "-J", "-r", "-V", label, "-o", path, string(tree))
	return path
}
