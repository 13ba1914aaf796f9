//go:build linux

package firstboot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// What of SSH keys is printed to the console, at the end of the first boot and never again.
func TestKeysOnTheConsole(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	rsaKey := rsaPublic(t)
	const all = "ci-info: |ssh-ed25519 |BEGIN SSH HOST KEY FINGERPRINTS|(ED25519)|BEGIN SSH HOST KEY KEYS|ssh-ed25519 AAAA"
	for _, tt := range []struct{ name, said, has, lacks string }{
		{"as it is", "", all, ""},
		{"no host keys", "ssh: {emit_keys_to_console: false}\n", "ci-info: ", "BEGIN"},
		{"no authorized keys", "no_ssh_fingerprints: true\n", "(ED25519)", "ci-info: "},
		{"another digest", "authkey_hash: md5\n", "Fingerprint (md5)", ""},
		{"not of this type", "ssh_fp_console_blacklist: [ssh-ed25519]\nssh_key_console_blacklist: [ssh-rsa]\n", "(RSA)|\nssh-ed25519 ", "(ED25519)|\nssh-rsa "},
		{"nothing", "ssh: {emit_keys_to_console: false}\nno_ssh_fingerprints: true\n", "", "ci-info|SSH"},
	} {
		m := fromFile(t, "#cloud-config\nssh_authorized_keys: ["+key+"]\n"+tt.said)
		m.write("etc/ssh/ssh_host_ed25519_key.pub", key+" root@web1\n")
		m.write("etc/ssh/ssh_host_rsa_key.pub", rsaKey+"\n")
		m.write("dev/console", "")
		console := func(env *firstboot.Env) { env.Terminal = filepath.Join(m.dir, "dev/console") }
		var last *report.Report
		for _, stage := range stages() {
			last, _ = m.run(stage, console)
		}
		if last.State != report.Done || len(last.HostKeys) != 2 {
			t.Fatalf("%s: %s, %v, keys %+v", tt.name, last.State, last.Errors, last.HostKeys)
		}
		got := m.read("dev/console")
		for _, want := range strings.Split(tt.has, "|") {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, got)
			}
		}
		for _, not := range strings.Split(tt.lacks, "|") {
			if not != "" && strings.Contains(got, not) {
				t.Errorf("%s: %q in\n%s", tt.name, not, got)
			}
		}
		m.reboot()
		for _, stage := range stages() {
			m.run(stage, console)
		}
		if again := m.read("dev/console"); again != got {
			t.Errorf("%s: the second boot prints once more", tt.name)
		}
	}
}

// A console that cannot be written to stops nothing.
func TestAConsoleThatIsNone(t *testing.T) {
	m := fromFile(t, "#cloud-config\n{}\n")
	m.write("etc/ssh/ssh_host_rsa_key.pub", "no key\n")
	for _, stage := range stages() {
		r, _ := m.run(stage, func(env *firstboot.Env) { env.Terminal = filepath.Join(m.dir, "etc") })
		if r.State == report.Failed {
			t.Errorf("%v", r.Errors)
		}
	}
	if _, err := os.Stat(filepath.Join(m.dir, "run/provisioner/result.json")); err != nil {
		t.Error(err)
	}
}

// rsaPublic is a public key of RSA.
func rsaPublic(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../schema/testdata/ok/system.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "rsa_public: ")
	line, _, _ = strings.Cut(line, "\n")
	return line
}
