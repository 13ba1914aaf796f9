//go:build integration && linux

package nspawn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloudconfig/schema/certificate/certificatetest"
)

const (
	systemConfig = "usr/share/oem/cloud-config.yml"
	// What the hashes of the example are of.
	annasPassword, bertsPassword = "correct horse battery staple", "Welcome on board"
)

// TestSystem boots examples/system.yaml, changes it while the machine runs, and boots again.
func TestSystem(t *testing.T) {
	m := newImage(t, "datasources: [file=/"+systemConfig+"]\n")
	ops, anna, carl := newSSHKey(t, "ops"), newSSHKey(t, "anna"), newSSHKey(t, "carl")
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "system.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	config = swap(t, config, `(?m)ssh-ed25519 .* ops@example.com$`, ops.public)
	config = swap(t, config, `(?m)ssh-ed25519 .* anna@laptop$`, anna.public)
	config = swap(t, config, `(?m)ssh-ed25519 .* carl@laptop$`, carl.public)
	m.write(t, systemConfig, 0o600, config)
	m.boot(t)
	m.wantStatus(t, "done", "file")
	m.wantSystem(t, config, ops, anna)
	m.want(t, "passwordauthentication no", "sshd -T | grep '^passwordauthentication'")
	if _, err := m.sshPassword(t, "anna", annasPassword, "true"); err == nil || !strings.Contains(err.Error(), "Permission denied (publickey)") {
		t.Errorf("login with a password: %v", err)
	}
	if got, err := m.ssh(t, ops, "root", "id", "-un"); err == nil || got != "Log in as core, not as root." {
		t.Errorf("login of root: %q, %v", got, err)
	}
	m.wantLogin(t, carl, "carl")
	m.want(t, "30:22889", "getent shadow carl | cut -d: -f7,8")

	// A new certificate of a new authority, passwords over SSH, and an account that has ended.
	ca := certificatetest.Make(certificatetest.Request{Name: "Next CA", From: "2021-01-01", To: "2098-12-31", Key: certificatetest.ECDSA(50), CA: true})
	web := certificatetest.Make(certificatetest.Request{
		Name: "host1.example.com", Hosts: []string{"host1.example.com"}, From: "2021-01-01", To: "2098-12-31", Key: certificatetest.ECDSA(51), Issuer: ca,
	})
	config = swap(t, config, `(?s)(trusted:\s+- \|\n).*?(certificates:)`, "${1}"+indent(ca.PEM())+"${2}")
	config = swap(t, config, `(?s)(    key: \|\n).*?(    certificate: \|\n).*?(coreos:)`, "${1}"+indent(web.KeyPEM())+"${2}"+indent(web.PEM())+"${3}")
	config = swap(t, config, `ssh_pwauth: false`, "ssh_pwauth: true")
	config = swap(t, config, `(?m)^  - name: bert\n`, "${0}    ssh_authorized_keys: ["+anna.public+"]\n")
	config = swap(t, config, `"2032-09-01"`, `"2020-01-01"`)
	m.write(t, systemConfig, 0o600, config)
	// check-web.service requires web.service, and so it looks again when that is restarted.
	kept, restarted := m.invocations(t, "ssh.service", "systemd-resolved.service"), m.invocations(t, "web.service", "check-web.service")
	if said, err := m.sh(t.Context(), "provisioner apply 2>&1"); err != nil {
		t.Fatalf("apply: %v\n%s", err, said)
	}
	m.want(t, "ssh.service reload-or-try-restart done\nweb.service reload-or-try-restart done", `
		tr -d ' \n' < /run/provisioner/result.json |
		grep -o '"unit":"[^"]*","action":"reload[^"]*","result":"[^"]*"' | cut -d'"' --output-delimiter=' ' -f4,8,12 | sort`)
	for unit, id := range m.invocations(t, "ssh.service", "systemd-resolved.service") {
		if kept[unit] != id {
			t.Errorf("%s was restarted", unit)
		}
	}
	for unit, id := range m.invocations(t, "web.service", "check-web.service") {
		if restarted[unit] == id {
			t.Errorf("%s was not restarted", unit)
		}
	}
	changed := func() {
		m.wantSystem(t, config, ops, anna)
		m.want(t, "passwordauthentication yes", "sshd -T | grep '^passwordauthentication'")
		if got, err := m.sshPassword(t, "anna", annasPassword, "id", "-un"); err != nil || got != "anna" {
			t.Errorf("login with a password: %q, %v", got, err)
		}
		if _, err := m.sshPassword(t, "anna", "another", "true"); err == nil {
			t.Error("login with another password")
		}
		_, byPassword := m.sshPassword(t, "bert", bertsPassword, "true")
		_, byKey := m.ssh(t, anna, "bert", "true")
		for _, err := range []error{byPassword, byKey} {
			if err == nil || !strings.Contains(err.Error(), "Password change required") {
				t.Errorf("login before a password was changed that must be: %v", err)
			}
		}
		if _, err := m.ssh(t, carl, "carl", "true"); err == nil {
			t.Error("login of an account that has ended")
		}
	}
	changed()

	before := m.snapshot(t)
	m.reboot(t)
	m.wantStatus(t, "done", "file")
	if diff := m.changed(t, before); diff != "" {
		t.Errorf("the second boot wrote:\n%s", diff)
	}
	changed()
}

// invocations tell one run of a unit from the next.
func (m *machine) invocations(t *testing.T, units ...string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, u := range units {
		id, err := m.sh(t.Context(), "systemctl show -P InvocationID "+u)
		if err != nil || id == "" {
			t.Fatalf("%s does not run: %q, %v", u, id, err)
		}
		ids[u] = id
	}
	return ids
}

// wantSystem checks what the example and its change have in common.
func (m *machine) wantSystem(t *testing.T, config string, ops, anna sshKey) {
	t.Helper()
	m.want(t, "host1\nhost1\nhost1.example.com", "hostname; cat /etc/hostname; hostname -f")
	m.want(t, "/usr/share/zoneinfo/Europe/Berlin", "readlink -f /etc/localtime")
	m.want(t, "Europe/Berlin\nEurope/Berlin", "timedatectl show -p Timezone --value; cat /etc/timezone")
	m.want(t, "LANG=C.UTF-8\nLANG=C.UTF-8", "cat /etc/locale.conf /etc/default/locale")
	m.want(t, "System Locale: LANG=C.UTF-8\nVC Keymap: de-latin1-nodeadkeys\nX11 Layout: de\nX11 Model: pc105\nX11 Variant: nodeadkeys",
		"localectl status | sed 's/^ *//'")
	m.want(t, "NTP=\nNTP=time.example.com pool.ntp.org", "systemd-analyze cat-config systemd/timesyncd.conf | grep ^NTP")
	m.want(t, "Global: 10.0.0.2 10.0.0.3\nGlobal: example.com", "resolvectl dns | grep Global; resolvectl domain | grep Global")

	// Whoever knows the machine's key beforehand finds it there.
	private := filepath.Join(t.TempDir(), "host-key")
	block := regexp.MustCompile(`(?s)-----BEGIN OPENSSH.*?-----END OPENSSH PRIVATE KEY-----\n`).FindString(config)
	if err := os.WriteFile(private, []byte(strings.ReplaceAll(block, "    ", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	public, err := run("ssh-keygen", "-y", "-f", private)
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(machineAddress+" "+public), 0o600); err != nil {
		t.Fatal(err)
	}
	options := []string{"-i", anna.private, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + known}
	if got, err := m.sshWith(t, options, "anna", "id", "-un"); err != nil || got != "anna" {
		t.Errorf("login to the host key that was given: %q, %v", got, err)
	}
	if got, err := m.ssh(t, anna, "anna", fmt.Sprintf("echo '%s' | sudo -S -p '' id -un", annasPassword)); err != nil || got != "root" {
		t.Errorf("sudo with a password: %q, %v", got, err)
	}
	m.wantLogin(t, ops, "core")
	m.want(t, "0", "getent shadow bert | cut -d: -f3")
	m.want(t, "You are required to change your password immediately (administrator enforced).",
		fmt.Sprintf("echo '%s' | setpriv --reuid nobody --clear-groups su bert -c true 2>&1 | grep -o 'You are.*'", bertsPassword))

	m.want(t, "600 web:web\n644 web:web", "stat -c '%a %U:%G' /etc/ssl/web/web.key /etc/ssl/web/web.pem")
	m.want(t, "/etc/ssl/web/web.pem: OK", "openssl verify /etc/ssl/web/web.pem")
	// It would have failed, had the store not been made anew before it.
	m.want(t, "active", "systemctl is-active check-web.service")
	m.want(t, "", "pwck -rq; grpck -r")
	m.want(t, "", "systemctl --failed --no-legend --plain")
}

// sshPassword logs in with a password and nothing else.
func (n network) sshPassword(t *testing.T, user, password string, command ...string) (string, error) {
	t.Helper()
	ask := filepath.Join(t.TempDir(), "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho '"+password+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_ASKPASS", ask)
	t.Setenv("SSH_ASKPASS_REQUIRE", "force")
	return n.sshWith(t, []string{"-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"}, user, command...)
}

// swap replaces what a pattern matches in a configuration.
func swap(t *testing.T, text, pattern, replacement string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	if !re.MatchString(text) {
		t.Fatalf("%s matches nothing", pattern)
	}
	return re.ReplaceAllString(text, replacement)
}

// indent is a PEM block as it stands in a list or mapping of the example.
func indent(pem string) string {
	return "      " + strings.ReplaceAll(strings.TrimSuffix(pem, "\n"), "\n", "\n      ") + "\n"
}
