//go:build integration && linux

// Package disks_test reads real disks: ISO 9660 and FAT as genisoimage, xorriso and mkfs.vfat make them, attached as loop
// devices, as virtio disks and in a drive. A kernel without these file systems cannot mount them, so all of it is done in
// a virtual machine, whose init is the test itself.
package disks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// images is where the images are in the virtual machine.
const images = "/images"

func TestMain(m *testing.M) {
	if os.Getpid() == 1 {
		guest(m)
	}
	os.Exit(m.Run())
}

// packages are the Debian packages of the programs that the test runs.
var packages = []string{"genisoimage", "xorriso", "dosfstools", "mtools", "fdisk", "qemu-system-x86"}

var programs = []string{"genisoimage", "xorriso", "mkfs.vfat", "mcopy", "mmd", "sfdisk", "qemu-system-x86_64", "dpkg"}

// TestDisks makes every image, boots a virtual machine that has them, and has TestGuest run there.
func TestDisks(t *testing.T) {
	need(t)
	dir := t.TempDir()
	var files []file
	for _, i := range allImages() {
		path := filepath.Join(dir, i.name)
		i.make(t, path)
		files = append(files, file{name: images[1:] + "/" + i.name, path: path, mode: 0o100644})
	}
	kernel, modules := kernel(t)
	for _, path := range modules {
		files = append(files, file{name: "modules/" + filepath.Base(path), path: path, mode: 0o100644})
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, file{name: "init", path: self, mode: 0o100755}, file{name: "provisioner", path: program(), mode: 0o100755})
	initrd := filepath.Join(dir, "initrd")
	if err := writeInitrd(initrd, files); err != nil {
		t.Fatal(err)
	}
	serial := boot(t, kernel, initrd, filepath.Join(dir, "config-2-rock-joliet.iso"), filepath.Join(dir, "cidata.iso"))
	for line := range strings.Lines(serial) {
		if strings.Contains(line, "--- FAIL") || strings.Contains(line, "--- SKIP") || strings.Contains(line, "_test.go:") || strings.Contains(line, "guest:") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if !strings.Contains(serial, "\nguest: exit status 0\r") {
		t.Errorf("the tests in the virtual machine failed:\n%s", serial)
	}
	for _, want := range []string{"--- PASS: TestGuest/detect", "--- PASS: TestGuest/virtio", "--- PASS: TestGuest/cdrom"} { // it did something
		if !strings.Contains(serial, want) {
			t.Errorf("no %q on the console", want)
		}
	}
}

func boot(t *testing.T, kernel, initrd, drive, cdrom string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests=1",
		"-smbios", "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,uuid=30373237-3132-435a-3334-303148424b32",
		"-drive", "file="+drive+",if=virtio,format=raw,readonly=on",
		"-device", "virtio-scsi-pci", "-drive", "file="+cdrom+",if=none,id=cd,media=cdrom,format=raw,readonly=on", "-device", "scsi-cd,drive=cd")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("the virtual machine ran for %s", time.Since(start).Round(time.Second))
	if err != nil {
		t.Errorf("qemu: %v", err)
	}
	return out.String()
}

// file is one of an initial RAM disk.
type file struct {
	name, path string
	mode       uint32
}

// writeInitrd writes a compressed archive of the format "newc". Source: Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst (6.1).
func writeInitrd(path string, files []file) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	written := 0
	put := func(b []byte) {
		if err == nil {
			_, err = z.Write(b)
		}
		written += len(b)
		if pad := -written & 3; pad > 0 && err == nil {
			_, err = z.Write(make([]byte, pad))
			written += pad
		}
	}
	inode := 0
	entry := func(name string, mode uint32, rdev [2]int, content []byte) {
		inode++
		put([]byte(fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			inode, mode, 0, 0, 1, 0, len(content), 0, 0, rdev[0], rdev[1], len(name)+1, 0, name)))
		put(content)
	}
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "etc", "modules", images[1:]} {
		entry(dir, 0o040755, [2]int{}, nil)
	}
	entry("dev/console", 0o020600, [2]int{5, 1}, nil)
	for _, one := range files {
		content, err := os.ReadFile(one.path)
		if err != nil {
			return err
		}
		entry(one.name, one.mode, [2]int{}, content)
	}
	entry("TRAILER!!!", 0, [2]int{}, nil)
	if err != nil {
		return err
	}
	return z.Close()
}

// wanted are the modules that the virtual machine needs. One that is not there is built in.
var wanted = []string{"virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
	"scsi_common", "scsi_mod", "virtio_scsi", "cdrom", "sr_mod", "loop", "isofs", "nls_cp437", "nls_ascii", "nls_utf8", "fat", "vfat"}

// kernel is Debian's kernel for virtual machines and the modules that are wanted. It is fetched when it is missing.
func kernel(t *testing.T) (image string, modules []string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "provisioner-integration", "kernel")
	if _, err := os.Stat(dir); err != nil {
		if err := fetchKernel(dir); err != nil {
			missing(t, "a kernel: "+err.Error())
		}
	}
	found := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "vmlinuz-") {
			image = path
		}
		found[strings.TrimSuffix(name, ".ko")] = path
		return err
	})
	if err != nil || image == "" {
		t.Fatalf("no kernel in %s: %v", dir, err)
	}
	for _, name := range wanted {
		if path := found[name]; strings.HasSuffix(path, ".ko") {
			modules = append(modules, path)
		}
	}
	return image, modules
}

func fetchKernel(dir string) error {
	if out, err := exec.Command("apt-get", "update", "-q").CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get update: %w: %s", err, out)
	}
	out, err := exec.Command("apt-cache", "depends", "linux-image-cloud-amd64").Output()
	if err != nil {
		return err
	}
	var pkg string
	for line := range strings.Lines(string(out)) {
		if kind, name, _ := strings.Cut(strings.TrimSpace(line), ": "); kind == "Depends" && strings.HasPrefix(name, "linux-image-") {
			pkg = name
		}
	}
	if pkg == "" {
		return errors.New("apt knows no linux-image-cloud-amd64")
	}
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	download := exec.Command("apt-get", "download", "-q", pkg)
	download.Dir = unfinished
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download %s: %w: %s", pkg, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(unfinished, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get downloaded %q", debs)
	}
	if out, err := exec.Command("dpkg", "-x", debs[0], unfinished).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg: %w: %s", err, out)
	}
	if err := os.Remove(debs[0]); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

// need skips the test, or fails it in CI, unless all that it needs is here. What Debian has is installed.
func need(t *testing.T) {
	t.Helper()
	if absent := absent(); len(absent) > 0 && os.Getuid() == 0 {
		if err := install(); err != nil {
			t.Logf("install what is missing: %v", err)
		}
	}
	if absent := absent(); len(absent) > 0 {
		missing(t, strings.Join(absent, ", "))
	}
	if _, err := os.Stat(program()); err != nil {
		missing(t, "the program: "+err.Error()+` (try "make build", or name it in $PROVISIONER)`)
	}
	if f, err := os.Open("/proc/self/exe"); err == nil {
		defer f.Close()
		head := make([]byte, 64<<10)
		if n, _ := io.ReadFull(f, head); bytes.Contains(head[:n], []byte("/ld-linux")) {
			missing(t, "a test without cgo (CGO_ENABLED=0), which can be an init")
		}
	}
}

func absent() (all []string) {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			all = append(all, p)
		}
	}
	return all
}

var install = sync.OnceValue(func() error {
	if out, err := exec.Command("apt-get", "update", "-q").CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get update: %w: %s", err, out)
	}
	cmd := exec.Command("apt-get", append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get install: %w: %s", err, out)
	}
	return nil
})

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

// program is the program under test.
func program() string {
	if p := os.Getenv("PROVISIONER"); p != "" {
		return p
	}
	return filepath.Join("..", "..", "bin", "provisioner")
}
