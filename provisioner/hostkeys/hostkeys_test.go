//go:build linux

package hostkeys_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/sshkey"
)

// system is a root with files by their paths.
func system(t *testing.T, files map[string]string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// do makes changes as a transaction would.
func do(t *testing.T, dir string, changes []plan.Change) {
	t.Helper()
	for _, c := range changes {
		name := filepath.Join(dir, c.Path)
		_ = os.Remove(name)
		if c.Kind == plan.WriteFile {
			if err := os.WriteFile(name, c.Data, os.FileMode(c.Attr.Mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func paths(changes []plan.Change) (out []string) {
	for _, c := range changes {
		out = append(out, string(c.Kind)+" "+c.Path)
	}
	return out
}

// What OpenSSH thinks of a key that was made is what this package says of it.
func TestKeysAreThoseOfOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("no ssh-keygen")
	}
	root, dir := system(t, map[string]string{"etc/hostname": "web1\n", "etc/ssh/sshd_config": "", "usr/sbin/sshd": ""})
	changes, err := hostkeys.Missing(root)
	if err != nil || len(changes) != 6 {
		t.Fatalf("%v, error %v", paths(changes), err)
	}
	do(t, dir, changes)
	keys, err := hostkeys.Read(root)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%+v, error %v", keys, err)
	}
	block := hostkeys.Block(keys, hostkeys.Shown{})
	for _, k := range keys {
		file := filepath.Join(dir, "etc/ssh/ssh_host_"+k.Kind+"_key")
		line, err := exec.Command("ssh-keygen", "-l", "-f", file+".pub").Output()
		if err != nil || !strings.Contains(block, "\n"+string(line)) {
			t.Errorf("ssh-keygen says %q (error %v), and the block is\n%s", line, err, block)
		}
		public, err := exec.Command("ssh-keygen", "-y", "-f", file).CombinedOutput()
		if blob := strings.Fields(k.Line)[1]; err != nil || !strings.Contains(string(public), blob) {
			t.Errorf("%s: the private key is not that of %q: %s", file, k.Line, public)
		}
		if !strings.HasSuffix(k.Line, " root@web1") {
			t.Error(k.Line)
		}
	}
	if again, err := hostkeys.Missing(root); err != nil || len(again) > 0 {
		t.Errorf("made once more: %v, error %v", paths(again), err)
	}
}

func TestWhereNoKeysAreMade(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no sshd":         {"etc/ssh/ssh_config": ""},
		"no directory":    {"usr/sbin/sshd": ""},
		"a unit does it":  {"usr/sbin/sshd": "", "etc/ssh/sshd_config": "", "usr/lib/systemd/system/sshd-keygen@.service": ""},
		"there is one":    {"usr/sbin/sshd": "", "etc/ssh/ssh_host_ed25519_key": "x"},
		"an empty system": {},
	} {
		root, _ := system(t, files)
		if changes, err := hostkeys.Missing(root); err != nil || len(changes) > 0 {
			t.Errorf("%s: %v, error %v", name, paths(changes), err)
		}
	}
}

func TestRenew(t *testing.T) {
	root, dir := system(t, map[string]string{
		"etc/ssh/ssh_host_ed25519_key": "old", "etc/ssh/ssh_host_ed25519_key.pub": "old", "etc/ssh/ssh_host_ed25519_key-cert.pub": "old",
		"etc/ssh/ssh_host_dsa_key": "old", "etc/ssh/ssh_host_dsa_key.pub": "old", "etc/ssh/ssh_host_rsa_key.pub": "an orphan",
		"etc/ssh/sshd_config": "", "etc/ssh/ssh_host_ecdsa_key.bak": "somebody's own",
	})
	if err := os.Chmod(filepath.Join(dir, "etc/ssh/ssh_host_ed25519_key"), 0o640); err != nil { // Fedora's group ssh_keys
		t.Fatal(err)
	}
	changes, err := hostkeys.Renew(root)
	want := []string{
		"remove etc/ssh/ssh_host_dsa_key", "remove etc/ssh/ssh_host_dsa_key.pub",
		"file etc/ssh/ssh_host_ed25519_key", "file etc/ssh/ssh_host_ed25519_key.pub", "remove etc/ssh/ssh_host_ed25519_key-cert.pub",
		"remove etc/ssh/ssh_host_rsa_key.pub",
	}
	if got := paths(changes); err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q, error %v", got, err)
	}
	for _, c := range changes {
		if c.Path == "etc/ssh/ssh_host_ed25519_key" && (c.Attr.Mode != 0o640 || !c.Secret) {
			t.Errorf("%+v", c.Attr)
		}
	}
}

func TestBlock(t *testing.T) {
	keys := []hostkeys.Key{
		{Kind: "ed25519", Type: "ssh-ed25519", Bits: 256, Fingerprint: "SHA256:aa", Line: "ssh-ed25519 AA"},
		{Kind: "rsa", Type: "ssh-rsa", Bits: 3072, Fingerprint: "SHA256:bb", Line: "ssh-rsa BB root@a", Comment: "root@a"},
		{Kind: "ecdsa", Type: "ecdsa-sha2-nistp256", Bits: 256, Fingerprint: "SHA256:cc", Line: "ecdsa-sha2-nistp256 CC \u202e", Comment: "\u202e"},
	}
	got := hostkeys.Block(keys, hostkeys.Shown{WithoutFingerprint: []string{"ssh-ed25519"}, WithoutKey: []string{"ssh-rsa"}})
	const want = `#############################################################
-----BEGIN SSH HOST KEY FINGERPRINTS-----
3072 SHA256:bb root@a (RSA)
256 SHA256:cc \u{202e} (ECDSA)
-----END SSH HOST KEY FINGERPRINTS-----
#############################################################
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AA
ecdsa-sha2-nistp256 CC \u{202e}
-----END SSH HOST KEY KEYS-----
`
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestAuthorized(t *testing.T) {
	key := func(line string) sshkey.Key {
		k, err := sshkey.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	const ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	got := hostkeys.Authorized("core", "/home/core/.ssh/authorized_keys", []sshkey.Key{
		key(ed25519), key(`command="echo \"secret\"",no-pty ` + ed25519 + " me@laptop"),
	}, "md5")
	const want = `ci-info: ++++++++++++++Authorized keys from /home/core/.ssh/authorized_keys for user core++++++++++++++
ci-info: +-------------+-------------------------------------------------+----------------+-----------+
ci-info: |   Keytype   |                Fingerprint (md5)                |    Options     |  Comment  |
ci-info: +-------------+-------------------------------------------------+----------------+-----------+
ci-info: | ssh-ed25519 | 0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba |       -        |     -     |
ci-info: | ssh-ed25519 | 0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba | command,no-pty | me@laptop |
ci-info: +-------------+-------------------------------------------------+----------------+-----------+
`
	if got != want {
		t.Errorf("\n%s", got)
	}
	if got := hostkeys.Authorized("core", "", nil, "sha256"); got != "ci-info: no authorized SSH keys fingerprints found for user core.\n" {
		t.Errorf("%q", got)
	}
}
