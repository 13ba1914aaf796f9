//go:build integration && linux

package nspawn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// identity is every file of a machine that another one must not have too, by its path, and what says which instance it is.
func (m *machine) identity(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{
		"etc/machine-id", "etc/ssh/ssh_host_*", "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret",
		"var/lib/dhcp/*", "var/log/journal/*/system.journal",
	} {
		found, err := filepath.Glob(filepath.Join(m.root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(m.root, file)
			all[name] = string(text)
		}
	}
	to, err := os.Readlink(filepath.Join(m.root, "var/lib/provisioner/instance"))
	if err != nil {
		t.Fatal(err)
	}
	all["instance"] = to
	return all
}

// A machine is provisioned, sealed while it runs, and shut down. Two others start from its disk: each is provisioned like a
// new one, lets its users in, and has nothing that the other one or the first has, but what is the image's.
func TestSeal(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	key := newSSHKey(t, "user-data")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o644, user(key))
	m.write(t, "var/lib/dhcp/dhclient.host0.leases", 0o644, "lease { fixed-address 192.0.2.7; }\n")
	m.write(t, "var/lib/systemd/credential.secret", 0o400, "not shared")
	m.write(t, "var/lib/systemd/random-seed", 0o600, "nor is this, which no container has of its own")
	m.boot(t)
	m.wantStatus(t, "done", "file")
	m.wantConsole(t, "\n-----BEGIN SSH HOST KEY FINGERPRINTS-----", "\nci-info: | ssh-ed25519 |", "\n-----BEGIN SSH HOST KEY KEYS-----")
	m.wantExit(t, 1, "provisioner seal --check")
	first := m.identity(t)
	said := m.wantExit(t, 0, "provisioner seal 2>&1")
	if !strings.Contains(said, "\nsealed\n") || !strings.Contains(said, "shut this machine down now") {
		t.Errorf("seal says\n%s", said)
	}
	m.halt(t)

	if out, err := run(program(), "seal", "--check", "--root", m.root); err != nil {
		t.Errorf("after it was shut down: %v\n%s", err, out)
	}
	if id, err := os.ReadFile(filepath.Join(m.root, "etc/machine-id")); string(id) != "uninitialized\n" {
		t.Errorf("the machine-id is %q, error %v", id, err)
	}
	all := []map[string]string{first}
	for range 2 {
		clone := newMachineOver(t, newNetwork(t), m.disk+":"+pristine(t))
		clone.boot(t)
		clone.wantStatus(t, "done", "file")
		clone.wantConfigured(t, key)
		clone.wantConsole(t, "\n-----BEGIN SSH HOST KEY FINGERPRINTS-----")
		clone.wantSame(t, func() { clone.wantConfigured(t, key) })
		clone.halt(t)
		all = append(all, clone.identity(t))
	}
	for i, one := range all {
		for name, text := range one {
			for _, other := range all[:i] {
				if other[name] == text {
					t.Errorf("machine %d has the %s of an earlier one", i, name)
				}
			}
		}
	}
	for _, name := range []string{"etc/machine-id", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_rsa_key.pub"} {
		if all[1][name] == "" || all[2][name] == "" {
			t.Errorf("a clone has no %s", name)
		}
	}
}

// wantConsole demands what the machine has written to its console, line ends apart.
func (m *machine) wantConsole(t *testing.T, texts ...string) {
	t.Helper()
	console, err := os.ReadFile(filepath.Join(m.dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(console), "\r", "")
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("the console has no %q:\n%s", text, tail(got, 60))
		}
	}
}
