//go:build integration && linux

package nspawn_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudconfig/integration/debian"
)

// tools are the programs that the tests run, and the Debian packages that have them.
var tools = []struct{ program, pkg string }{
	{"debootstrap", "debootstrap"}, {"dnsmasq", "dnsmasq-base"}, {"ip", "iproute2"}, {"journalctl", "systemd"}, {"make", "make"}, {"mke2fs", "e2fsprogs"},
	{"nsenter", "util-linux"}, {"rpm", "rpm"}, {"ssh", "openssh-client"}, {"ssh-keygen", "openssh-client"},
	{"systemctl", "systemd"}, {"systemd-nspawn", "systemd-container"},
}

// need skips the test, or fails it in CI, unless all that it needs is here. What Debian has is installed.
func need(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "root")
	}
	if os.Getenv(inVM) != "" {
		return
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
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}

func absentTools() (absent []string) {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.program); err != nil {
			absent = append(absent, tool.program)
		}
	}
	return absent
}

// install installs the packages of the tools, once.
var install = sync.OnceValue(func() error {
	var packages []string
	for _, tool := range tools {
		if !slices.Contains(packages, tool.pkg) {
			packages = append(packages, tool.pkg)
		}
	}
	if _, err := run("apt-get", "update", "-q"); err != nil {
		return err
	}
	_, err := run("env", append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)...)
	return err
})

// run runs a program and returns what it printed; an error has its complaints.
func run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return string(out), withStderr(name, args, err)
}

func withStderr(name string, args []string, err error) error {
	if err == nil {
		return nil
	}
	if exit := (&exec.ExitError{}); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
}

// program is the program under test.
func program() string {
	if p := os.Getenv("PROVISIONER"); p != "" {
		return p
	}
	return filepath.Join("..", "..", "bin", "provisioner")
}

// cache is where the pristine root is kept, and where machines live while they run: their disks need a file
// system that can be the upper layer of an overlay, which a temporary directory may not be.
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

// pristine is a Debian that never booted; it is made when it is missing, which takes two minutes.
func pristine(t *testing.T) string {
	t.Helper()
	if os.Getenv(inVM) != "" {
		return "/"
	}
	root, err := debian.Pristine(cache(t), func(path string) { t.Logf("making %s", path) })
	if err != nil {
		t.Fatal(err)
	}
	return root
}
