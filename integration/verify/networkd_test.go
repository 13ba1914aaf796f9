//go:build integration && linux

package verify_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestNetworkdAgrees has the real systemd-networkd read every file that there is a golden for: it has nothing to say, neither of the
// files nor of the links that it makes of them. Goldens of what is refused are never written to a machine, and left out.
//
// It needs root, unshare and systemd-networkd 252 or later.
func TestNetworkdAgrees(t *testing.T) {
	const binary = "/usr/lib/systemd/systemd-networkd"
	if _, err := os.Stat(binary); err != nil {
		missing(t, binary)
	}
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
	goldens, err := filepath.Glob("../../provisioner/networkd/testdata/*.txtar")
	if err != nil || len(goldens) < 20 {
		t.Fatalf("%d goldens: %v", len(goldens), err)
	}
	for _, path := range goldens {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(a.Comment), "error:") {
			continue // it is refused, so nothing of it reaches networkd
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range a.Files {
				mode := os.FileMode(0o644)
				if strings.Contains(string(a.Comment), "secret: "+f.Name+"\n") {
					mode = 0o600
				}
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, mode); err != nil {
					t.Fatal(err)
				}
			}
			for line := range strings.Lines(networkd(t, binary, dir)) {
				if strings.HasPrefix(line, "/etc/systemd/network/") {
					t.Error(line)
				}
			}
		})
	}
}

// networkd is what systemd-networkd says in its first second with the files of a folder, in namespaces of its own. What it says of a
// file begins with the file's name.
func networkd(t *testing.T, binary, dir string) string {
	t.Helper()
	const script = `mount -t tmpfs t /etc/systemd/network && cp -p "$1"/* /etc/systemd/network/ && mount -t tmpfs t /run/systemd &&
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp && chmod -R 0777 /run/systemd/netif || exit 99
ip link add eth0 type dummy
SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console timeout 1 "$2"`
	out, err := exec.Command("unshare", "-nm", "sh", "-c", script, "sh", dir, binary).CombinedOutput()
	var code *exec.ExitError
	if !errors.As(err, &code) || code.ExitCode() != 124 { // timeout(1) has ended it
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
