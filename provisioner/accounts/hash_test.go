package accounts_test

import (
	"os/exec"
	"strings"
	"testing"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/schema/passhash"
)

func TestHashIsThatOfOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		missing(t, "openssl")
	}
	for _, password := range []string{"secret", "é 日本", strings.Repeat("long ", 40)} {
		got := accounts.Hash(password, "core", []byte("random"))
		if err := passhash.Check(got); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		salt := strings.Split(got, "$")[2]
		cmd := exec.Command(openssl, "passwd", "-6", "-salt", salt, "-stdin")
		cmd.Stdin = strings.NewReader(password + "\n")
		want, err := cmd.Output()
		if err != nil || got != strings.TrimSpace(string(want)) {
			t.Errorf("%q: got %s, with openssl %s, %v", password, got, want, err)
		}
		if !accounts.Matches(got, password) || accounts.Matches(got, password+"x") {
			t.Errorf("%q: its hash is that of another password", password)
		}
	}
}

func TestHashIsSalted(t *testing.T) {
	if accounts.Hash("secret", "anna", []byte("r")) == accounts.Hash("secret", "bert", []byte("r")) {
		t.Error("two users have one salt")
	}
	if accounts.Hash("secret", "anna", []byte("r")) == accounts.Hash("secret", "anna", []byte("s")) {
		t.Error("two machines have one salt")
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name, hash string
		want       bool
	}{
		// Made with "openssl passwd -5" of OpenSSL 3.0.
		{"SHA-256", "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA", true},
		{"cut short", accounts.Hash("secret", "anna", nil)[:60], false},
		{"locked", "!" + accounts.Hash("secret", "anna", nil), false},
		{"a day's work", "$6$rounds=999999999$saltsalt$" + strings.Repeat("a", 86), false},
		{"of another kind", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", false},
		{"none", "*", false},
	} {
		if got := accounts.Matches(tt.hash, "secret"); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		accounts.Hash("secret", "anna", nil)
	}
}
