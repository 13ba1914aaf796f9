//go:build integration && linux

// Package debian makes the Debian 12 that machines of tests have as their root.
package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// name is that of the root in the cache. Count it up when what is in it changes.
const name = "root-bookworm-3"

// packages are those of the root beside Debian's smallest system.
var packages = []string{"systemd", "systemd-sysv", "systemd-resolved", "openssh-server", "iproute2", "dbus", "udev",
	"libnss-resolve", "systemd-timesyncd", "ca-certificates", "openssl", "curl", "iputils-ping", "kmod", "procps", "passwd", "strace", "sudo", "tzdata",
	// And for the virtual machine that boots machines itself.
	"systemd-container", "dnsmasq-base"}

// Pristine is a root that never booted, in the folder cache. It is made when it is missing, which takes two minutes; told
// is called before that. Nobody may change what is in it.
func Pristine(cache string, told func(path string)) (string, error) {
	root := filepath.Join(cache, name)
	lock, err := os.OpenFile(root+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	told(root)
	unfinished := root + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	bootstrap := exec.Command("debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","), "bookworm", unfinished)
	if out, err := bootstrap.CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap: %w: %s", err, out)
	}
	if err := neverBooted(unfinished); err != nil {
		return "", err
	}
	return root, os.Rename(unfinished, root)
}

// neverBooted removes what is different on each machine. The host keys of sshd stay: Debian makes them when the
// package is installed, and nothing here depends on them.
func neverBooted(root string) error {
	for _, name := range []string{"var/lib/dbus/machine-id", "etc/hostname"} {
		if err := os.Remove(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte("uninitialized\n"), 0o444)
}
