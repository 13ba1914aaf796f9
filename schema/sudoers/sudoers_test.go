package sudoers_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/sudoers"
)

func outline(text string, found []diag.Slip) string {
	var got []string
	for _, s := range found {
		got = append(got, fmt.Sprintf("%s %q", s.Rule.ID, text[s.From:s.To]))
	}
	return strings.Join(got, "; ")
}

var files = []struct{ name, text, want string }{
	{"nothing", "", ""},
	{"comments", "# root ALL\n#\n  \n", ""},
	{"a comment is not continued", "# a \\\nb\n", `sudoers-syntax ""`},
	{"a user", "anna ALL=(ALL) ALL\n", ""},
	{"without a line end", "anna ALL=(ALL:ALL) ALL", ""},
	{"blanks anywhere", "anna\tALL = ( ALL : ALL ) NOPASSWD : /bin/ls , ! /bin/sh\n", ""},
	{"no password", "anna ALL=(ALL) NOPASSWD: ALL\n", `sudo-nopasswd "NOPASSWD: ALL"`},
	{"no password for a command", "anna ALL=(ALL) NOPASSWD: /bin/systemctl restart web, PASSWD: ALL\n", ""},
	{"the tag holds on", "anna ALL=NOPASSWD: /bin/a, ALL\n", `sudo-nopasswd "NOPASSWD: /bin/a, ALL"`},
	{"no password as another user", "anna ALL=(www) NOPASSWD: ALL\n", ""},
	{"groups and numbers", "%sudo,%#27,#1000,+net ALL=(#0:wheel) ALL\n", ""},
	{"hosts", "anna web1,10.0.0.0/8,fe80::1,!web2 = /bin/ls : web3 = /bin/cat\n", ""},
	{"quotes", "\"anna b\" ALL=(ALL) ALL\n", ""},
	{"escapes", "an\\,na ALL=/bin/a b\\,c\\:d\\=e, /bin/c \"\"\n", ""},
	{"an = in an argument", "anna ALL=/bin/dd if=/dev/zero\n", ""},
	{"continued", "anna ALL=/bin/a, \\\n  /bin/b\nbert ALL=ALL\n", ""},
	{"Defaults", "Defaults env_reset, !lecture, secure_path=\"/bin:/usr/bin\", env_keep += \"A B\"\nDefaults:anna !requiretty\nDefaults>root umask=0022\nDefaults@web1 log_year\n", ""},
	{"aliases", "User_Alias A = anna, %b : B = bert\nCmnd_Alias C = /bin/a x, !/bin/b\nHost_Alias H=web1\nRunas_Alias R=root\nA H=(R) C\n", ""},
	{"includes", "@includedir /etc/sudoers.d\n#includedir /etc/sudoers.local\n", ""},
	{"a digest", "anna ALL=sha256:" + strings.Repeat("0bad", 16) + " /bin/ls\n", ""},
	{"options", "anna ALL=(ALL) CWD=/tmp TIMEOUT=10 NOPASSWD:NOEXEC: /bin/ls\n", ""},
	{"sudoedit", "anna ALL=sudoedit /etc/motd\n", ""},

	{"no command", "anna ALL=(ALL)\n", `sudoers-syntax ""`},
	{"no hosts", "anna\n", `sudoers-syntax ""`},
	{"no =", "anna ALL (ALL) ALL\n", `sudoers-syntax "("`},
	{"a relative command", "anna ALL=(ALL) systemctl restart web\n", `sudoers-syntax "systemctl"`},
	{"an unclosed bracket", "anna ALL=(ALL NOPASSWD: ALL\n", `sudoers-syntax "NOPASSWD"`},
	{"a misspelt tag", "anna ALL=(ALL) NOPASWD: ALL\n", `sudoers-syntax "NOPASWD"`},
	{"two rules", "anna ALL=ALL ALL\n", `sudoers-syntax "ALL"`},
	{"an unclosed quote", "\"anna ALL=ALL\n", `sudoers-syntax "\"anna"`},
	{"an alias in small letters", "User_Alias a = anna\n", `sudoers-syntax "a"`},
	{"an empty alias", "User_Alias A =\n", `sudoers-syntax ""`},
	{"a comma too many", "anna ALL=/bin/a,\n", `sudoers-syntax ""`},
	{"each line", "a\nb ALL=ALL\nc\n", `sudoers-syntax ""; sudoers-syntax ""`},
	{"a colon in an argument", "anna ALL=/bin/a b:c\n", `sudoers-syntax ""`},
	{"a placeholder", "<user> ALL=(ALL) ALL\n", `sudoers-syntax ">"`},
	{"a setting without a name", "Defaults =1\n", `sudoers-syntax "="`},
}

func TestCheck(t *testing.T) {
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(tt.text, sudoers.Check(tt.text)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCheckRule(t *testing.T) {
	tests := []struct{ text, want string }{
		{"ALL=(ALL) ALL", ""},
		{"ALL=(ALL:ALL) NOPASSWD:ALL", `sudo-nopasswd "NOPASSWD:ALL"`},
		{"everything", `sudo-rule "everything"`},
		{"ALL=(ALL) apt", `sudo-rule "apt"`},
		{"anna ALL=(ALL) ALL", `sudo-rule "ALL"`},
	}
	for _, tt := range tests {
		found := sudoers.CheckRule(tt.text)
		for i := range found {
			if found[i].From == found[i].To { // at the end
				found[i].From, found[i].To = 0, len(tt.text)
			}
		}
		if got := outline(tt.text, found); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

// visudo says what it thinks of a file.
func visudo(t *testing.T, program, text string) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sudoers")
	if err := os.WriteFile(path, []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-cf", path).CombinedOutput()
	return err == nil || strings.Contains(string(out), "unable to open") // what is included is not there
}

// TestVisudo holds what is said of every file of the table against visudo, where it is installed.
func TestVisudo(t *testing.T) {
	program, err := exec.LookPath("visudo")
	if err != nil {
		missing(t, "visudo, Debian's package sudo")
	}
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			if got := accepts(tt.text); got != visudo(t, program, tt.text) {
				t.Errorf("we accept %q: %v; visudo does not agree", tt.text, got)
			}
		})
	}
}

func accepts(text string) bool {
	for _, s := range sudoers.Check(text) {
		if s.Rule == rules.SudoersSyntax {
			return false
		}
	}
	return true
}

func FuzzCheck(f *testing.F) {
	for _, tt := range files {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range [][]diag.Slip{sudoers.Check(text), sudoers.CheckRule(text)} {
			for _, s := range found {
				if s.From < 0 || s.From > s.To || s.To > len(text) || s.Rule == nil || s.Summary == "" {
					t.Errorf("%+v of %d bytes", s, len(text))
				}
			}
		}
	})
}

// missing skips a test that needs what this machine does not have; on CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
