package sshkey_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema/sshkey"
)

// made is a pair that ssh-keygen makes.
func made(t testing.TB, args ...string) (private, public string) {
	t.Helper()
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	file := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(keygen, append([]string{"-q", "-f", file, "-C", ""}, args...)...).CombinedOutput(); err != nil {
		t.Skipf("ssh-keygen %q: %v: %s", args, err, out)
	}
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(key), strings.TrimSpace(string(pub))
}

func TestPublicIsThatOfSSHKeygen(t *testing.T) {
	for _, args := range []string{
		"-t rsa -b 2048", "-t rsa -b 2048 -m PEM", "-t rsa -b 2048 -m PKCS8", "-t ed25519",
		"-t ecdsa -b 256", "-t ecdsa -b 384 -m PEM", "-t ecdsa -b 521 -m PKCS8",
	} {
		t.Run(args, func(t *testing.T) {
			private, public := made(t, append(strings.Fields(args), "-N", "")...)
			got, err := sshkey.Public([]byte("a comment\n" + private))
			if err != nil || got.String() != public {
				t.Errorf("got %s, %v\nwant %s", got, err, public)
			}
		})
	}
}

func TestPublicRefuses(t *testing.T) {
	private, _ := made(t, "-t", "ed25519", "-N", "")
	locked, _ := made(t, "-t", "ed25519", "-N", "passphrase")
	old, _ := made(t, "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "passphrase")
	for _, tt := range []struct{ name, private, want string }{
		{"nothing", "", "not PEM"},
		{"cut short", private[:len(private)/2], "not PEM"},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not known"},
		{"damaged", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "damaged"},
		{"damaged PEM", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "damaged"},
		{"a passphrase", locked, "passphrase"},
		{"a passphrase of old", old, "passphrase"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := sshkey.Public([]byte(tt.private)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzPublic(f *testing.F) {
	private, _ := made(f, "-t", "ed25519", "-N", "")
	f.Add(private)
	private, _ = made(f, "-t", "ecdsa", "-N", "", "-m", "PEM")
	f.Add(private)
	f.Fuzz(func(t *testing.T, private string) {
		k, err := sshkey.Public([]byte(private))
		if err != nil {
			return
		}
		if again, err := sshkey.Parse(k.String()); err != nil || again != k {
			t.Errorf("%s is not a public key: %v", k, err)
		}
	})
}
