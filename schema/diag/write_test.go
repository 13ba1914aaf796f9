package diag_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

var update = flag.Bool("update", false, "write the goldens anew")

var (
	unknownKey = &diag.Rule{ID: "unknown-key", Severity: diag.Error, Title: "unknown key", Help: "Nobody reads it."}
	placeName  = &diag.Rule{ID: "placeholder", Severity: diag.Warning, Machine: true, Title: "a placeholder", Help: "Fill it in."}
)

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// at is the range of a word in a file.
func at(f *source.File, word string) source.Range {
	i := bytes.Index(f.Bytes, []byte(word))
	return f.Range(i, i+len(word))
}

func write(t *testing.T, l diag.List, o diag.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := diag.Write(&b, l, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Each golden has a file of one finding or more; what is underlined has to be right under what is meant.
func TestWriteText(t *testing.T) {
	plain := func(f *source.File, r source.Range) diag.List {
		d := diag.New(unknownKey, r, "unknown key %q in users", "nmae")
		d.Detail = `did you mean "name"?`
		return diag.List{d}
	}
	tests := []struct {
		name, text string
		findings   func(f *source.File) diag.List
	}{
		{"plain", "#cloud-config\nusers:\n  - nmae: core\n", func(f *source.File) diag.List { return plain(f, at(f, "nmae")) }},
		{"accents", "#cloud-config\nusers: [{gecos: é, nmae: core}]\n", func(f *source.File) diag.List { return plain(f, at(f, "nmae")) }},
		{"wide", "users: [{gecos: 日本, nmae: 日}]\n", func(f *source.File) diag.List {
			return append(plain(f, at(f, "nmae")), diag.New(unknownKey, at(f, "日本"), "wide"))
		}},
		{"combining", "users: [{gecos: e\u0301, nmae: core}]\n", func(f *source.File) diag.List { return plain(f, at(f, "nmae")) }},
		{"tab", "users: [\t{\tnmae:\tcore}]\n", func(f *source.File) diag.List {
			return append(plain(f, at(f, "nmae")), diag.New(unknownKey, at(f, "\tcore"), "a tab and text"))
		}},
		{"control", "a: \"\x1b[31m\u202Eb\u00a0c\xff\", nmae: \u2028\n", func(f *source.File) diag.List {
			d := plain(f, at(f, "nmae"))
			d[0].Summary = "escape \x1b[31m and \u202E"
			return d
		}},
		{"long", strings.Repeat("a: b, ", 100) + "nmae: core, " + strings.Repeat("a: b, ", 10000) + "\n", func(f *source.File) diag.List {
			return append(plain(f, at(f, "nmae")), diag.New(unknownKey, f.Range(0, 4), "at its beginning"),
				diag.New(unknownKey, f.Range(30000, 30004), "far in"),
				diag.New(unknownKey, f.Range(len(f.Bytes)-3, len(f.Bytes)-1), "at its end"),
				diag.New(unknownKey, f.Range(1, len(f.Bytes)), "all of it"))
		}},
		{"lines", "users:\n  - nmae: core\n    shell: x\nb: c\n", func(f *source.File) diag.List { return plain(f, at(f, "nmae: core\n    shell: x")) }},
		{"empty", "users:\n", func(f *source.File) diag.List { return plain(f, f.Range(6, 6)) }},
		{"windows", "users: x\r\na: b\r\n", func(f *source.File) diag.List { return plain(f, f.Range(7, 9)) }},
		{"related", "a: 1\nb: 2\na: 3\n", func(f *source.File) diag.List {
			d := diag.New(unknownKey, f.Range(10, 11), "the key %q is there twice", "a")
			d.Related = []diag.Related{{Message: "it is here already", At: f.Range(0, 1)}}
			return diag.List{d}
		}},
		{"noplace", "a: b\n", func(f *source.File) diag.List {
			d := diag.New(placeName, source.Range{}, "no address")
			d.Detail = "give --metadata"
			other := diag.New(placeName, source.Range{File: "other", Start: source.Pos{Line: 7, Column: 3}}, "of a file that is not given")
			return diag.List{d, other}
		}},
		{"secret", "users:\n  - name: core\n    passwd: hunter2\n    pasword: hunter3\n", func(f *source.File) diag.List {
			hash := diag.New(unknownKey, at(f, "hunter2"), "%q is no hash", "hunter2")
			hash.Detail = "make one with mkpasswd"
			key := diag.New(unknownKey, at(f, "pasword"), "unknown key %q in users[0]", "pasword")
			flagged := diag.New(unknownKey, at(f, "core"), "flagged")
			flagged.Secret = true
			return diag.List{hash, key, flagged}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &source.File{Name: "web.yaml", Bytes: []byte(tt.text)}
			golden(t, tt.name+".txt", write(t, tt.findings(f), diag.Options{Format: "text", Files: []*source.File{f}}))
		})
	}
}

func TestWriteKeepsTheNumbersOfThePart(t *testing.T) {
	f := &source.File{Name: "user-data", Bytes: []byte("a: b\nnmae: c\n"), Line: 99}
	got := string(write(t, diag.List{diag.New(unknownKey, at(f, "nmae"), "x")}, diag.Options{Files: []*source.File{f}}))
	if want := "user-data:100:1: error: x [unknown-key]\n    |\n100 | nmae: c\n    | ^^^^\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWriteColor(t *testing.T) {
	f := &source.File{Name: "f", Bytes: []byte("nmae: c\n")}
	l := diag.List{diag.New(unknownKey, at(f, "nmae"), "x"), diag.New(placeName, at(f, "c"), "y")}
	golden(t, "color.txt", write(t, l, diag.Options{Color: true, Files: []*source.File{f}}))
	if got := write(t, l, diag.Options{Files: []*source.File{f}}); bytes.ContainsRune(got, 0x1b) {
		t.Errorf("colours although none are wanted: %q", got)
	}
}

func TestWriteJSON(t *testing.T) {
	f := &source.File{Name: "f\x1b", Bytes: []byte("a: é\nb: <c>\npasswd: hunter2\n")}
	d := diag.New(unknownKey, at(f, "<c>"), "bad value %q", "<c>")
	d.Detail, d.Path = "write another", "b"
	d.Related = []diag.Related{{Message: "see here", At: at(f, "é")}}
	l := diag.List{d, diag.New(placeName, source.Range{}, "no \u202E place"), diag.New(unknownKey, at(f, "hunter2"), "%q is no hash", "hunter2")}
	golden(t, "list.json", write(t, l, diag.Options{Format: "json", Files: []*source.File{f}}))
	golden(t, "none.json", write(t, nil, diag.Options{Format: "json"}))
}

func TestWriteErrors(t *testing.T) {
	if err := diag.Write(&bytes.Buffer{}, nil, diag.Options{Format: "xml"}); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("of an unknown format: %v", err)
	}
	l := diag.List{diag.New(unknownKey, source.Range{}, "x")}
	for _, format := range diag.Formats() {
		if err := diag.Write(fullDisk{}, l, diag.Options{Format: format}); !errors.Is(err, errFull) {
			t.Errorf("%s to a full disk: %v", format, err)
		}
	}
}

var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

const (
	hash = "$6$rounds=5000$saltsalt$zxdHWSoVJ0cSFUmAAJWBfyzOBQJIW8rw7PyL8mZgr91GNOihXyTfPclGxp1hqXIRM77FWQMFwsT1ZDCAfk"
	hex  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// No line of a secret is drawn, and none of it is quoted, whether or not the document says what it is.
func TestWriteHidesSecrets(t *testing.T) {
	tests := []struct {
		name, text string
		mark       string // what is pointed at, and must not be seen
	}{
		{"a hash under a key nobody knows", "x: " + hash, hash},
		{"a hash of bcrypt in a list", "- $2y$05$abcdefghijklmnopqrstuu", "$2y$05$abcdefghijklmnopqrstuu"},
		{"yescrypt", "x: $y$j9T$abcdefgh$0.DkERgOH2cVGl2pLvCO", "$y$j9T$abcdefgh$0.DkERgOH2cVGl2pLvCO"},
		{"DES after a key of a password", "passwd: abC.9wFBv3KhU", "abC.9wFBv3KhU"},
		{"plain text after a misspelt key", "pasword: hunter2", "hunter2"},
		{"capitals", "PASSWORD = hunter2", "hunter2"},
		{"in quotes, in brackets", `{"root-password": "hunter2"}`, "hunter2"},
		{"in the environment", "Environment=DB_PASS=hunter2", "hunter2"},
		{"an argument", "ExecStart=/bin/x --token hunter2", "hunter2"},
		{"a query", "https://a/?access_token=hunter2", "hunter2"},
		{"a URL with a password", "proxy: http://me:hunter2@proxy:3128/", "hunter2"},
		{"a header", "Authorization: Basic aHVudGVyMg==", "aHVudGVyMg=="},
		{"a bearer", "curl -H 'X: Bearer hunter2'", "hunter2"},
		{"below its key", "password: >\n  hunter2\n", "hunter2"},
		{"in a list below its key", "tokens:\n  # two\n  - hunter2\n", "hunter2"},
		{"a key of AWS", "x: AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"},
		{"a token of GitHub", "x: ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
		{"a long hexadecimal number", "x: " + hex, hex},
		{"a long number in base64", "x: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY00", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY00"},
		{"a private key", "x: |\n  -----BEGIN RSA PRIVATE KEY-----\n  hunter2\n  -----END RSA PRIVATE KEY-----\n", "hunter2"},
		{"a private key cut short", "x: |\n  -----BEGIN PRIVATE KEY-----\n  MII\n\n  hunter2", "hunter2"},
		{"far into a long line", strings.Repeat("a: b, ", 20000) + "password: hunter2", "hunter2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &source.File{Name: "f", Bytes: []byte(tt.text)}
			d := diag.New(unknownKey, at(f, tt.mark), "bad value %q", tt.mark)
			d.Detail = "say it otherwise"
			for _, format := range diag.Formats() {
				got := string(write(t, diag.List{d}, diag.Options{Format: format, Files: []*source.File{f}}))
				if strings.Contains(got, tt.mark) || !strings.Contains(got, "(secret)") || !strings.Contains(got, "say it otherwise") {
					t.Errorf("%s:\n%s", format, got)
				}
			}
		})
	}
}

// What goes on in the next line is as secret as that line.
func TestWriteHidesTheLineAboveASecret(t *testing.T) {
	f := &source.File{Name: "f", Bytes: []byte("x: first half\n  " + hex + "\ny: z\n")}
	o := diag.Options{Files: []*source.File{f}}
	if got := string(write(t, diag.List{diag.New(unknownKey, f.Range(3, 40), "x")}, o)); strings.Contains(got, "first half") {
		t.Error(got)
	}
	if got := string(write(t, diag.List{diag.New(unknownKey, f.Range(3, 8), "x")}, o)); !strings.Contains(got, "first half") {
		t.Error(got)
	}
}

// What merely resembles a secret is drawn, or nothing could be pointed at.
func TestWriteShowsTheRest(t *testing.T) {
	for _, text := range []string{
		"lock_passwd: maybe", `sudo: "ALL=(ALL) NOPASSWD:ALL"`, "sudo: ALL=(ALL) NOPASSWD: /bin/a",
		"hostname: web1",
		"# the password comes from the vault",
		"passwd:",
		"path: /usr/lib/systemd/system/multi-user.target.wants/etcd2.service",
		"discovery: https://discovery.etcd.io/<token>",
		"- ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDGdByTgSVHq0123456789abcdef core@web1",
		"addr: $public_ipv4:4001,$private_ipv4:7001",
		"after: -----END RSA PRIVATE",
	} {
		f := &source.File{Name: "f", Bytes: []byte(text)}
		got := string(write(t, diag.List{diag.New(unknownKey, f.Range(0, 1), "x")}, diag.Options{Files: []*source.File{f}}))
		if !strings.Contains(got, "| "+text+"\n") {
			t.Errorf("%s is drawn as\n%s", text, got)
		}
	}
}

// A key may be named, though a part of the secret beside it is called the same.
func TestWriteNamesTheKey(t *testing.T) {
	for text, want := range map[string]bool{
		"pro: {token: <pro_token>}":    true,
		"x: {token: <pro_token>, pro:": false,
		"pro: {token: pro}":            false,
		"apro: {token: x}":             false,
	} {
		f := &source.File{Name: "f", Bytes: []byte(text)}
		got := string(write(t, diag.List{diag.New(unknownKey, f.Range(0, 3), "unknown key %q", "pro")}, diag.Options{Files: []*source.File{f}}))
		if strings.Contains(got, `key "pro"`) != want {
			t.Errorf("%s is told as\n%s", text, got)
		}
	}
}

// A message is looked through even where the file is not at hand.
func TestWriteHidesSecretsInMessages(t *testing.T) {
	for _, d := range []diag.Diagnostic{
		diag.New(unknownKey, source.Range{}, "bad hash %q", hash),
		diag.New(unknownKey, source.Range{}, "bad hash %s", hash),
		{Rule: unknownKey, Severity: diag.Error, Summary: "x", Detail: `did you mean "` + hash + `"?`},
		{Rule: unknownKey, Severity: diag.Error, Summary: "x", Related: []diag.Related{{Message: "also " + hash}}},
	} {
		got := string(write(t, diag.List{d}, diag.Options{}))
		if strings.Contains(got, hash) || !strings.Contains(got, "(secret)") {
			t.Error(got)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add([]byte("a: \"é日\t\x1b\nb: $6$a$b\n"), 3, 9, "x \"y\" z")
	f.Fuzz(func(t *testing.T, b []byte, from, to int, message string) {
		file := &source.File{Name: "f", Bytes: b, Line: 2}
		d := diag.New(unknownKey, file.Range(from, max(from, to)), "%s", message)
		d.Related = []diag.Related{{Message: message, At: d.Subject}}
		for _, format := range diag.Formats() {
			harmless(t, format, write(t, diag.List{d}, diag.Options{Format: format, Files: []*source.File{file}}))
		}
	})
}
