//go:build integration && linux

package nspawn_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	gatewayAddress = "10.77.0.1"
	machineAddress = "10.77.0.2"
	metadata       = "169.254.169.254"
)

// network is a cable between two network namespaces: one has the metadata address, the other the machine.
type network struct {
	outside, inside string // names of the namespaces
}

var networks atomic.Int32

// newNamespaces makes two empty namespaces that end with the test. Nothing of them can be reached from the host.
func newNamespaces(t *testing.T) network {
	t.Helper()
	prefix := fmt.Sprintf("provisioner-%d-%d", os.Getpid(), networks.Add(1))
	n := network{outside: prefix + "-out", inside: prefix + "-in"}
	for _, name := range []string{n.outside, n.inside} {
		if _, err := run("ip", "netns", "add", name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := run("ip", "netns", "del", name); err != nil {
				t.Error(err)
			}
		})
	}
	return n
}

// newNetwork makes a network of one cable.
func newNetwork(t *testing.T) network {
	t.Helper()
	n := newNamespaces(t)
	for _, args := range [][]string{
		{"-n", n.outside, "link", "set", "lo", "up"},
		{"-n", n.outside, "link", "add", "out0", "type", "veth", "peer", "name", "host0", "netns", n.inside},
		{"-n", n.outside, "addr", "add", gatewayAddress + "/24", "dev", "out0"},
		{"-n", n.outside, "addr", "add", metadata + "/32", "dev", "out0"},
		{"-n", n.outside, "link", "set", "out0", "up"},
		{"-n", n.inside, "link", "set", "lo", "up"},
		{"-n", n.inside, "link", "set", "host0", "up"},
	} {
		if _, err := run("ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// command is a command on the far side of the cable. ip-netns-exec would mount /sys anew, nsenter does not.
func (n network) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + n.outside, "--"}, args...)...)
}

// serve runs a server on the far side until the test ends. ready is a text it prints when it can be asked.
func (n network) serve(t *testing.T, ready string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := n.command(ctx, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := &watched{text: ready, seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s:\n%s", args[0], output.String())
		}
	})
	select {
	case <-output.seen:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not say %q", args[0], ready)
	}
}

// ssh runs a command on the machine, logged in with a key.
func (n network) ssh(t *testing.T, key sshKey, user string, command ...string) (string, error) {
	t.Helper()
	return n.sshWith(t, []string{"-i", key.private, "-o", "BatchMode=yes"}, user, command...)
}

// sshWith is ssh with options of the caller's, which win. An error has what was said on standard error.
func (n network) sshWith(t *testing.T, options []string, user string, command ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	args := append([]string{"ssh", "-F", "none"}, options...)
	args = append(args, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", user+"@"+machineAddress)
	out, err := n.command(ctx, append(args, command...)...).Output()
	return strings.TrimSpace(string(out)), withStderr("ssh", command, err)
}

// sshKey is a key pair: a file, and the line for authorized_keys.
type sshKey struct{ private, public string }

func newSSHKey(t *testing.T, comment string) sshKey {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if _, err := run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return sshKey{file, strings.TrimSpace(string(public))}
}
