package sshkey_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/sshkey"
)

// blob makes the inside of a key from its fields.
func blob(fields ...string) string {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return base64.StdEncoding.EncodeToString(b)
}

var (
	point   = "\x04" + strings.Repeat("p", 64)
	raw32   = strings.Repeat("k", 32)
	rsa     = blob("ssh-rsa", "\x01\x00\x01", "\x00"+strings.Repeat("n", 256))
	ed25519 = blob("ssh-ed25519", raw32)
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, line string
		want       sshkey.Key
	}{
		{"made by ssh-keygen", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6omfQunboUD/R6ltgh2mQVo93dFc3NlgrXKU39hiwO me@host",
			sshkey.Key{Type: "ssh-ed25519", Blob: "AAAAC3NzaC1lZDI1NTE5AAAAIN6omfQunboUD/R6ltgh2mQVo93dFc3NlgrXKU39hiwO", Comment: "me@host"}},
		{"rsa", "ssh-rsa " + rsa, sshkey.Key{Type: "ssh-rsa", Blob: rsa}},
		{"dss", "ssh-dss " + blob("ssh-dss", "p", "q", "g", "y"), sshkey.Key{Type: "ssh-dss", Blob: blob("ssh-dss", "p", "q", "g", "y")}},
		{"ecdsa", "ecdsa-sha2-nistp256 " + blob("ecdsa-sha2-nistp256", "nistp256", point),
			sshkey.Key{Type: "ecdsa-sha2-nistp256", Blob: blob("ecdsa-sha2-nistp256", "nistp256", point)}},
		{"a security key", "sk-ssh-ed25519@openssh.com " + blob("sk-ssh-ed25519@openssh.com", raw32, "ssh:"),
			sshkey.Key{Type: "sk-ssh-ed25519@openssh.com", Blob: blob("sk-ssh-ed25519@openssh.com", raw32, "ssh:")}},
		{"a security key of ecdsa", "sk-ecdsa-sha2-nistp256@openssh.com " + blob("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point, "ssh:"),
			sshkey.Key{Type: "sk-ecdsa-sha2-nistp256@openssh.com", Blob: blob("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point, "ssh:")}},
		{"a certificate", "sk-ssh-ed25519-cert-v01@openssh.com " + blob("sk-ssh-ed25519-cert-v01@openssh.com", "nonce"),
			sshkey.Key{Type: "sk-ssh-ed25519-cert-v01@openssh.com", Blob: blob("sk-ssh-ed25519-cert-v01@openssh.com", "nonce")}},
		{"options with blanks and quotes in quotes", `no-pty,command="echo \"a b\" c",from="10.0.0.0/8" ssh-ed25519 ` + ed25519 + " x",
			sshkey.Key{Options: `no-pty,command="echo \"a b\" c",from="10.0.0.0/8"`, Type: "ssh-ed25519", Blob: ed25519, Comment: "x"}},
		{"a comment of many words", "ssh-ed25519 " + ed25519 + " my own key, é 日本", sshkey.Key{Type: "ssh-ed25519", Blob: ed25519, Comment: "my own key, é 日本"}},
		{"a comment that names a type", "ssh-ed25519 " + ed25519 + " ssh-rsa of old", sshkey.Key{Type: "ssh-ed25519", Blob: ed25519, Comment: "ssh-rsa of old"}},
		{"blanks around and between", " \tssh-ed25519 \t " + ed25519 + "  x \n", sshkey.Key{Type: "ssh-ed25519", Blob: ed25519, Comment: "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sshkey.Parse(tt.line)
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
			again, err := sshkey.Parse(got.String())
			if err != nil || again != got {
				t.Errorf("read from its String: %+v, %v", again, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"nothing", " ", "is empty"},
		{"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----", "private key"},
		{"a private key on one line", "-----BEGIN RSA PRIVATE KEY----- MIIE canary", "private key"},
		{"a public key in PEM", "-----BEGIN PUBLIC KEY-----\ncanary\n", "PEM"},
		{"a key of another program", "---- BEGIN SSH2 PUBLIC KEY ----\ncanary\n", "RFC 4716"},
		{"two lines", "ssh-ed25519 " + ed25519 + "\nssh-ed25519 " + ed25519, "line end"},
		{"wrapped by an editor", "ssh-rsa " + rsa[:64] + "\n" + rsa[64:], "line end"},
		{"two keys on a line", "ssh-ed25519 " + ed25519 + " a ssh-rsa " + rsa + " b", "two keys"},
		{"dots for the rest", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB...canary", "cut short"},
		{"a placeholder", "ssh-rsa <canary>", "placeholder"},
		{"cut in the middle", "ssh-rsa " + rsa[:101], "base64"},
		{"cut where base64 allows it", "ssh-rsa " + rsa[:100], "cut short"},
		{"cut after a field", "ssh-rsa " + blob("ssh-rsa", "\x01\x00\x01"), "cut short"},
		{"a field too many", "ssh-ed25519 " + blob("ssh-ed25519", raw32, "more"), "cut short, or more"},
		{"a short point", "ssh-ed25519 " + blob("ssh-ed25519", "short"), "damaged"},
		{"another curve", "ecdsa-sha2-nistp256 " + blob("ecdsa-sha2-nistp256", "nistp384", point), "damaged"},
		{"another type inside", "ssh-rsa " + ed25519, "not the type inside"},
		{"a type nobody knows", "ssh-canary " + ed25519, "no known type"},
		{"no type", ed25519 + " me@host", "type is missing"},
		{"no key", "ssh-rsa", "missing after its type"},
		{"an open quote", `command="canary ssh-rsa ` + rsa, "not closed"},
		{"a word", "canary", "no known type"},
		{"a control character", "ssh-ed25519 " + ed25519 + " a\x1bb", "control"},
		{"far too long", "ssh-rsa " + strings.Repeat("A", 1<<20), "longer than"},
		{"a length beyond the end", "ssh-rsa /////w==", "cut short"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := sshkey.Parse(tt.line)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %+v, %v; want %q", k, err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "AAAA") {
				t.Errorf("the error has text of the key: %v", err)
			}
		})
	}
}

// What ssh-keygen makes is what we read, certificates included.
func TestParseReadsSSHKeygen(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		missing(t, "no ssh-keygen here")
	}
	dir := t.TempDir()
	for kind, bits := range map[string]string{"rsa": "2048", "ecdsa": "384", "ed25519": "256"} {
		file := filepath.Join(dir, kind)
		if out, err := exec.Command(keygen, "-q", "-t", kind, "-b", bits, "-N", "", "-C", "a b", "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if out, err := exec.Command(keygen, "-q", "-s", file, "-I", "id", file+".pub").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, suffix := range []string{".pub", "-cert.pub"} {
			line, err := os.ReadFile(file + suffix)
			if err != nil {
				t.Fatal(err)
			}
			k, err := sshkey.Parse(string(line))
			if err != nil || k.String() != strings.TrimSpace(string(line)) {
				t.Errorf("%s%s: %v", kind, suffix, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`from="a b" ssh-ed25519 ` + ed25519 + " x")
	f.Add("ssh-rsa " + rsa)
	f.Fuzz(func(t *testing.T, line string) {
		k, err := sshkey.Parse(line)
		if err != nil {
			return
		}
		if strings.ContainsAny(k.String(), "\r\n") {
			t.Errorf("%q holds a line end", k.String())
		}
		if again, err := sshkey.Parse(k.String()); err != nil || again != k {
			t.Errorf("%+v is read from its String as %+v, %v", k, again, err)
		}
	})
}

// missing skips a test that needs something this machine lacks; on CI a missing thing is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// TestCheck makes RSA keys of every length, since none of a weak one should be in a repository.
func TestCheck(t *testing.T) {
	rsa := func(bits int) string {
		n := make([]byte, bits/8)
		n[0] = 0x80
		var b []byte
		for _, f := range [][]byte{[]byte("ssh-rsa"), {1, 0, 1}, append([]byte{0}, n...)} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
		}
		return "ssh-rsa " + base64.StdEncoding.EncodeToString(b)
	}
	tests := []struct{ name, line, want string }{
		{"enough bits", rsa(2048) + " anna", ""},
		{"too few", rsa(1024) + " anna", "ssh-key-weak 0-7"},
		{"far too few", rsa(768), "ssh-key-weak 0-7"},
		{"behind options", `  from="ssh-rsa x" ` + rsa(1024), "ssh-key-weak 19-26"},
		{"no key", "ssh-rsa AAAA", "ssh-key 0-0"},
		{"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-private-key 0-0"},
	}
	for _, tt := range tests {
		got := outline(sshkey.Check(tt.line))
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCheckFile(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	text := "# keys\r\n" + key + " anna\r\n\n  ssh-rsa AAAA\nno-pty " + key + "\n"
	first := len("# keys\r\n" + key + " anna\r\n\n  ")
	second := first + len("ssh-rsa AAAA\n")
	want := fmt.Sprintf("ssh-key %d-%d ssh-key-twice %d-%d", first, second-1, second, len(text)-1)
	if got := outline(sshkey.CheckFile(text)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := outline(sshkey.CheckFile("-----BEGIN OPENSSH PRIVATE KEY-----\nabcd\n")); got != "ssh-private-key 0-35" {
		t.Error(got)
	}
}

func outline(found []diag.Slip) string {
	var out []string
	for _, s := range found {
		out = append(out, fmt.Sprintf("%s %d-%d", s.Rule.ID, s.From, s.To))
	}
	return strings.Join(out, " ")
}

func FuzzCheckFile(f *testing.F) {
	f.Add("no-pty,command=\"a \\\" b\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a\n# b\r\nssh-rsa AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range append(sshkey.CheckFile(text), sshkey.Check(text)...) {
			if s.From < 0 || s.From > s.To || s.To > len(text) || s.Summary == "" {
				t.Errorf("%+v of %d bytes", s, len(text))
			}
		}
	})
}
