package passhash_test

import (
	"strings"
	"testing"

	"cloudconfig/schema/passhash"
)

// Hashes of the word canary, made by crypt(3) of libxcrypt 4.4.33.
const (
	md5      = "$1$abcdefgh$eTRPX2T.r6qbCkatnCgLz/"
	sha256   = "$5$abc$SC.LsM8tyjMxLQDyHZxbFZPj3oxj/T8wlRjwvJSsKxB"
	sha512   = "$6$rounds=5000$saltsalt$zxdHWSoVJ0cSFUmAAJWBfyzOBQJIW8rw7PyL8mZgr91GNOihXyTfPclGxp1hqXIRM77FWQMFwsT1ZDCAfk/250"
	bcrypt   = "$2b$05$abcdefghijklmnopqrstuuRprvAQdy7TukEWRpyjPPFyNaLWFtNea"
	yescrypt = "$y$j9T$abcdefgh$0.DkERgOH2cVGl2pLvCO/emCZcXwredn8oMDEKoi4F6"
	gost     = "$gy$j9T$abcdefgh$/Hab8Pc2d.gs9uc9XSG0jdNgID3WH7J2An9LW.tGCU/"
	scrypt   = "$7$CU..../....abcdefgh$4m0kZlVQtUG/8IcSD.3Wsa5/oE6giYClT.zw09EmP84"
	sha1     = "$sha1$40000$jtNX3nZ2$gVSqQ7e74Jz7iYIIXvoufLzFNbvI"
	extDES   = "_J9..rasm67DpbpED7ls"
	des      = "abC.9wFBv3KhU"
)

func TestCheckAccepts(t *testing.T) {
	tests := []struct{ name, hash string }{
		{"md5", md5}, {"sha256", sha256}, {"sha512 with rounds", sha512}, {"bcrypt", bcrypt},
		{"bcrypt, other letter", "$2y" + bcrypt[3:]}, {"yescrypt", yescrypt}, {"yescrypt without a salt", "$y$j75$$5iLwPYJ2yld3BMM7aeJeyLgq8r.3nVOtZYut/BSYwZ7"},
		{"gost-yescrypt", gost}, {"scrypt", scrypt}, {"sha1", sha1}, {"extended DES", extDES}, {"DES", des},
		{"locked", "!" + sha512}, {"locked twice", "!!" + sha512},
		{"no password", "*"}, {"locked without one", "!"}, {"never set", "!!"}, {"no password and locked", "!*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := passhash.Check(tt.hash); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct{ name, hash, want string }{
		{"empty", "", "empty"},
		{"plain text", "canary", "no password hash"},
		{"plain text after a lock", "!canary", "no password hash"},
		{"plain text with a blank", "the canary", "blank"},
		{"not ASCII", "canaryé", "ASCII"},
		{"a second field", sha512 + ":0:0", "colon"},
		{"a second line", sha512 + "\nroot::0", "line end"},
		{"dots for the rest", sha512[:60] + "...", "cut short"},
		{"cut", sha512[:len(sha512)-1], "85 characters, not 86"},
		{"too long", md5 + "a", "23 characters, not 22"},
		{"a character of another base64", sha256[:len(sha256)-1] + "+", "does not belong"},
		{"no salt", "$6$" + sha512[24:], "lacks a part"},
		{"an empty salt", "$6$$" + sha512[24:], "salt"},
		{"a long salt", "$1$" + strings.Repeat("a", 9) + md5[11:], "salt"},
		{"a mark of shadow in the salt", "$1$ab*def" + md5[11:], "salt"},
		{"few rounds", "$6$rounds=999" + sha512[14:], "rounds"},
		{"rounds that are no number", "$6$rounds=canary" + sha512[14:], "rounds"},
		{"a cost of one digit", "$2b$5" + bcrypt[6:], "cost"},
		{"a cost too high", "$2b$32" + bcrypt[6:], "cost"},
		{"bcrypt in two parts", "$2b$" + bcrypt[7:], "lacks a part"},
		{"no parameters", "$y$$abcdefgh" + yescrypt[15:], "parameters"},
		{"an unknown method", "$canary$abc$def", "method"},
		{"a dollar", "$", "method"},
		{"two dollars", "$6$", "lacks a part"},
		{"a mark alone between", "!!x", "no password hash"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := passhash.Check(tt.hash)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error has text of the hash: %v", err)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{md5, sha512, bcrypt, yescrypt, scrypt, sha1, des, "!*", "$", "$6$rounds=$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if passhash.Check(s) == nil && strings.ContainsAny(s, ":\n\r \x00") {
			t.Errorf("%q would break /etc/shadow", s)
		}
	})
}

func TestWeakness(t *testing.T) {
	for _, weak := range []string{md5, "!" + md5, "abJnggxhB/yWI", "_J9..abcdabcdefghijk"} {
		if passhash.Check(weak) != nil || passhash.Weakness(weak) == "" {
			t.Errorf("%s: %v", weak, passhash.Check(weak))
		}
	}
	for _, strong := range []string{sha256, sha512, bcrypt, "*", "!", "!!", "!*"} {
		if w := passhash.Weakness(strong); w != "" {
			t.Errorf("%s: %s", strong, w)
		}
	}
}
