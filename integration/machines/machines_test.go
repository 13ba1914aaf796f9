//go:build integration && linux

// Package machines_test boots whole virtual machines, from power-on to a login over SSH with a key that was configured:
// Debian with Debian's kernel from a disk, and from nothing but iPXE and the network with its root in memory. Everything that a
// machine asks (DHCP, TFTP, DNS, metadata services, web servers, matchbox) is in a network namespace that the test made.
//
// QEMU emulates the processor; with two of them here a boot takes about a minute. So these tests run only if VM is set
// ("make integration-vm"). They need root and install the rest. What is started is ended by its process id, also when a
// test fails, and what a killed test left is removed by the next.
package machines_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// tools are the programs that the tests run, and the Debian packages that have them.
var tools = []struct{ program, pkg string }{
	{"qemu-system-x86_64", "qemu-system-x86"}, {"qemu-img", "qemu-utils"}, {"debootstrap", "debootstrap"}, {"dnsmasq", "dnsmasq-base"},
	{"genisoimage", "genisoimage"}, {"mkfs.vfat", "dosfstools"}, {"mcopy", "mtools"}, {"mksquashfs", "squashfs-tools"}, {"mke2fs", "e2fsprogs"}, {"depmod", "kmod"},
	{"busybox", "busybox-static"}, {"cpio", "cpio"}, {"tc", "iproute2"},
	{"ip", "iproute2"}, {"make", "make"}, {"nsenter", "util-linux"}, {"ssh", "openssh-client"}, {"ssh-keygen", "openssh-client"},
	{"systemctl", "systemd"}, {"openssl", "openssl"},
}

// Firmware, which is in packages of its own: iPXE for QEMU's network card and for UEFI, and UEFI itself.
const (
	rom          = "/usr/lib/ipxe/qemu/pxe-virtio.rom"
	efiLoader    = "/usr/lib/ipxe/ipxe.efi"
	efiFirmware  = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	efiVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// need skips the test, or fails it in CI, unless all that it needs is here. What Debian has is installed.
func need(t *testing.T) {
	t.Helper()
	if os.Getenv("VM") == "" {
		t.Skip(`a boot takes minutes; set VM=1, or run "make integration-vm"`)
	}
	if os.Getuid() != 0 {
		missing(t, "root")
	}
	if absent := absentTools(); len(absent) > 0 {
		if err := install(); err != nil {
			t.Logf("install what is missing: %v", err)
		}
		if absent = absentTools(); len(absent) > 0 {
			missing(t, strings.Join(absent, ", "))
		}
	}
	if _, err := os.Stat(program()); err != nil {
		missing(t, "the program: "+err.Error()+` (try "make build", or name it in $PROVISIONER)`)
	}
	sweep(t)
}

// missing skips the test, but not in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

// isLong says whether everything is repeated as often as it is meant to be.
func isLong() bool { return os.Getenv("LONG") != "" }

func absentTools() (absent []string) {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.program); err != nil {
			absent = append(absent, tool.program)
		}
	}
	for _, path := range []string{rom, efiLoader, efiFirmware} {
		if _, err := os.Stat(path); err != nil {
			absent = append(absent, path)
		}
	}
	return absent
}

// install installs the packages of the tools, once.
var install = sync.OnceValue(func() error {
	packages := []string{"ipxe-qemu", "ipxe", "ovmf", "seabios"}
	for _, tool := range tools {
		if !slices.Contains(packages, tool.pkg) {
			packages = append(packages, tool.pkg)
		}
	}
	if _, err := run("apt-get", "update", "-q"); err != nil {
		return err
	}
	_, err := run("env", append([]string{"RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)...)
	return err
})

// run runs a program and returns what it printed; an error has its complaints.
func run(name string, args ...string) (string, error) {
	return output(exec.Command(name, args...))
}

func output(cmd *exec.Cmd) (string, error) {
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(string(out)), err
}

// mustRun is run for what cannot go wrong but by a mistake of the test's.
func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := run(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// program is the program under test.
func program() string {
	if p := os.Getenv("PROVISIONER"); p != "" {
		return p
	}
	return filepath.Join("..", "..", "bin", "provisioner")
}

// cache is where the pristine root, the kernel and the disks of running machines are: they are large, and a temporary
// directory may be memory.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "provisioner-integration")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// scratch is a folder in the cache that goes with the test.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(cache(t), fmt.Sprintf("vm-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sweep removes what earlier runs left that were killed together with their cleanup.
func sweep(t *testing.T) {
	t.Helper()
	isLeft := func(name, format string) bool {
		var pid, n int
		_, err := fmt.Sscanf(name, format, &pid, &n)
		return err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	namespaces, err := filepath.Glob("/run/netns/provisioner-vm-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range namespaces {
		if name := filepath.Base(path); isLeft(name, "provisioner-vm-%d-%d") {
			t.Logf("removing what another process left: %s", name)
			_, _ = run("ip", "netns", "del", name) // it may be gone
		}
	}
	dirs, err := filepath.Glob(filepath.Join(cache(t), "vm-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if isLeft(filepath.Base(dir), "vm-%d-%d") {
			t.Logf("removing what another process left: %s", dir)
			_ = syscall.Unmount(filepath.Join(dir, "root"), syscall.MNT_DETACH) // it may not be mounted
			_ = os.RemoveAll(dir)
		}
	}
}
