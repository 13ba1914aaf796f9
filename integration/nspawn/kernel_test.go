//go:build integration && linux

package nspawn_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cloudconfig/integration/vm"
)

// inVM is set in the virtual machine: machines are booted there as here, but the host is Debian with Debian's kernel, and
// the root of the host is the pristine one.
const inVM = "PROVISIONER_TEST_VM"

// modules are what the virtual machine needs to start, and what the topologies need. A module that is not there is built in.
var modules = []string{"virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
	"overlay", "autofs4", "veth", "llc", "stp", "bridge", "garp", "mrp", "8021q", "tls", "bonding", "vrf", "dummy"}

func TestMain(m *testing.M) {
	if os.Getpid() == 1 {
		status := 99
		if err := guest(); err != nil {
			fmt.Printf("guest: %v\n", err)
		} else {
			status = m.Run()
		}
		fmt.Printf("\nguest: exit status %d\n", status)
		unix.Sync()
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		select {}
	}
	os.Exit(m.Run())
}

// TestKernel runs the tests of topologies that the kernel here may lack in a virtual machine with Debian's.
func TestKernel(t *testing.T) {
	needVM(t)
	sweep(t)
	dir, err := os.MkdirTemp(cache(t), fmt.Sprintf("run-vm-%d-", os.Getpid())) // the disk is large, and a temporary directory may be memory
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	disk := filepath.Join(dir, "disk")
	makeDisk(t, dir, disk)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kernel, files, err := vm.Kernel(modules...)
	if err != nil {
		missing(t, "a kernel: "+err.Error())
	}
	initrd := filepath.Join(dir, "initrd")
	if err := vm.WriteInitrd(initrd, append(files, vm.File{Name: "init", Path: self, Mode: 0o100755}), "root"); err != nil {
		t.Fatal(err)
	}
	pattern := "^TestMade$"
	if long() {
		pattern += "|^TestByHand$/(bond|VLAN|VRF)|^TestFirstBoot$/(bond|VLAN|VRF)"
	}
	serial := bootVM(t, kernel, initrd, disk, "guest.run="+pattern+" guest.long="+os.Getenv("LONG"))
	passed := 0
	for line := range strings.Lines(serial) {
		if strings.Contains(line, "--- PASS: ") {
			passed++
		}
	}
	if !strings.Contains(serial, "\nguest: exit status 0\r") || passed == 0 {
		t.Errorf("the tests in the virtual machine failed:\n%s", serial)
	}
	for line := range strings.Lines(serial) {
		if strings.Contains(line, "--- ") || strings.Contains(line, ": run ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// makeDisk makes the virtual machine's disk: the pristine root and the program.
func makeDisk(t *testing.T, dir, disk string) {
	t.Helper()
	lower, root := pristine(t), filepath.Join(dir, "root")
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, filepath.Join(dir, "upper"), filepath.Join(dir, "work"))
	if err := syscall.Mount("overlay", root, "overlay", 0, options); err != nil {
		t.Fatalf("mount an overlay: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(root, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", root, err)
		}
	}()
	installProgram(t, root)
	if err := os.RemoveAll(filepath.Join(root, "var", "cache", "apt")); err != nil {
		t.Fatal(err)
	}
	if _, err := run("truncate", "-s", "900M", disk); err != nil {
		t.Fatal(err)
	}
	if _, err := run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, disk); err != nil {
		t.Fatal(err)
	}
}

func needVM(t *testing.T) {
	t.Helper()
	need(t)
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		missing(t, "qemu-system-x86_64, of Debian's qemu-system-x86")
	}
	if os.Getenv(inVM) != "" {
		t.Skip("this is the virtual machine")
	}
}

// bootVM runs a virtual machine until it goes off, and returns what it printed.
func bootVM(t *testing.T, kernel, initrd, disk, arguments string, more ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{"-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests=1 " + arguments,
		"-drive", "file=" + disk + ",if=virtio,format=raw,cache=unsafe"}, more...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("the virtual machine ran for %s", time.Since(start).Round(time.Second))
	if err != nil {
		t.Errorf("qemu: %v", err)
	}
	return out.String()
}

// guest makes a host of the virtual machine, from its initial RAM disk to the test's arguments.
func guest() error {
	mount := func(kind, path string, flags uintptr) error {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(kind, path, kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
		return nil
	}
	if err := mount("devtmpfs", "/dev", 0); err != nil {
		return err
	}
	if err := vm.LoadModules(); err != nil {
		return err
	}
	var err error
	for range 100 { // the disk is found by a thread of the kernel's
		if err = unix.Mount("/dev/vda", "/root", "ext4", 0, ""); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for _, m := range []struct{ kind, path string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"cgroup2", "/sys/fs/cgroup"}, {"devtmpfs", "/dev"},
		{"devpts", "/dev/pts"}, {"tmpfs", "/dev/shm"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}} {
		if err := mount(m.kind, m.path, 0); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return err
	}
	// nspawn asks for its host's, and in the pristine root there is none.
	if err := os.WriteFile("/run/machine-id", []byte("5f0c1d2e3a4b4c5d8e6f708192a3b4c5\n"), 0o444); err != nil {
		return err
	}
	if err := unix.Mount("/run/machine-id", "/etc/machine-id", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount a machine-id: %w", err)
	}
	arguments, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	os.Args = []string{"init", "-test.v"}
	for _, a := range strings.Fields(string(arguments)) {
		if pattern, ok := strings.CutPrefix(a, "guest.run="); ok {
			os.Args = append(os.Args, "-test.run="+pattern)
		}
		if long, ok := strings.CutPrefix(a, "guest.long="); ok && long != "" {
			os.Setenv("LONG", long)
		}
	}
	for name, value := range map[string]string{inVM: "yes", "HOME": "/tmp", "XDG_CACHE_HOME": "/tmp", "TMPDIR": "/tmp",
		"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PROVISIONER": "/usr/bin/provisioner", "CI": "true"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
