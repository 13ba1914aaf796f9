//go:build integration && linux

// Package disks_test reads real disks: ISO 9660 and FAT as genisoimage, xorriso and mkfs.vfat make them, attached as loop
// devices, as virtio disks and in a drive. A kernel without these file systems cannot mount them, so all of it is done in
// a virtual machine, whose init is the test itself.
package disks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudconfig/integration/vm"
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
	var files []vm.File
	for _, i := range allImages() {
		path := filepath.Join(dir, i.name)
		i.make(t, path)
		files = append(files, vm.File{Name: images[1:] + "/" + i.name, Path: path, Mode: 0o100644})
	}
	kernel, modules, err := vm.Kernel(wanted...)
	if err != nil {
		missing(t, "a kernel: "+err.Error())
	}
	files = append(files, modules...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, vm.File{Name: "init", Path: self, Mode: 0o100755}, vm.File{Name: "provisioner", Path: program(), Mode: 0o100755})
	initrd := filepath.Join(dir, "initrd")
	if err := vm.WriteInitrd(initrd, files, images[1:]); err != nil {
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

// wanted are the modules that the virtual machine needs.
var wanted = []string{"virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
	"scsi_common", "scsi_mod", "virtio_scsi", "cdrom", "sr_mod", "loop", "isofs", "nls_cp437", "nls_ascii", "nls_utf8", "fat", "vfat"}

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
