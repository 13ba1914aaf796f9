package minisign_test

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"cloudconfig/datasources/minisign"
)

// What is in testdata was made by minisign 0.11:
//
//	minisign -G -W -p key.pub
//	minisign -S -m document -x hashed.minisig -t 'web1, 2026-11-28'    (and -l for legacy.minisig)
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func key(t testing.TB, name string) minisign.Key {
	t.Helper()
	k, err := minisign.ParseKey(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// spliced is the signature of one line under the key id of another.
func spliced(t *testing.T, id, signature string) string {
	t.Helper()
	a, err1 := base64.StdEncoding.DecodeString(id)
	b, err2 := base64.StdEncoding.DecodeString(signature)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return base64.StdEncoding.EncodeToString(append(a[:10:10], b[10:]...))
}

func TestVerify(t *testing.T) {
	document := string(read(t, "document"))
	hashed, legacy, other := string(read(t, "hashed.minisig")), string(read(t, "legacy.minisig")), string(read(t, "other.minisig"))
	line := func(text string, n int) string { return strings.Split(text, "\n")[n] }
	for _, tt := range []struct {
		name, document, signature string
		class                     error
		want                      string // of the error; "" for a good signature
	}{
		{name: "hashed, as minisign makes them today", document: document, signature: hashed},
		{name: "of the document itself, as it made them", document: document, signature: legacy},
		{name: "with Windows line ends", document: document, signature: strings.ReplaceAll(hashed, "\n", "\r\n")},
		{name: "another document", document: document + " ", signature: hashed, class: minisign.ErrMismatch, want: "the signature by key 33DA153ED8CB5782: it does not fit the document"},
		{name: "a document cut short", document: document[:10], signature: legacy, class: minisign.ErrMismatch, want: "does not fit"},
		{name: "another trusted comment", document: document, signature: strings.Replace(hashed, "web1,", "web2,", 1), class: minisign.ErrMismatch, want: "the trusted comment of the signature"},
		{name: "another untrusted comment is nothing", document: document, signature: strings.Replace(hashed, "from the tests", "", 1)},
		{name: "a hashed signature that says it is not", document: document, signature: strings.Replace(hashed, "RUS", "RWS", 1), class: minisign.ErrMismatch, want: "does not fit"},
		{name: "another key", document: document, signature: other, class: minisign.ErrUnknownKey, want: "the signature is by key 5997EEF59BF092F3: none of our keys made it (ours: 33DA153ED8CB5782)"},
		{name: "the key's id on another's signature", document: document, class: minisign.ErrMismatch, want: "does not fit",
			signature: strings.Replace(other, line(other, 1), spliced(t, line(hashed, 1), line(other, 1)), 1)},
		{name: "an unknown kind", document: document, signature: strings.Replace(hashed, "RUS", "RVS", 1), want: "unknown kind"},
		{name: "nothing", document: document, want: "no minisign signature"},
		{name: "a page", document: document, signature: "<html>\n\n\n</html>\n", want: "no minisign signature"},
		{name: "a line too many", document: document, signature: hashed + "x\n", want: "no minisign signature"},
		{name: "a short signature", document: document, signature: strings.Replace(hashed, "RUSC", "", 1), want: "not the base64"},
		{name: "enormous", document: document, signature: hashed + strings.Repeat("\n", 9<<10), want: "no minisign signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			by, comment, err := minisign.Verify([]minisign.Key{key(t, "key.pub")}, []byte(tt.document), []byte(tt.signature))
			if tt.want == "" {
				if err != nil || comment != "web1, 2026-11-28" || by.String() != "33DA153ED8CB5782" {
					t.Errorf("key %s, comment %q, error %v", by, comment, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || comment != "" {
				t.Errorf("comment %q, error %v, want %q", comment, err, tt.want)
			}
			if tt.class != nil && !errors.Is(err, tt.class) {
				t.Errorf("error %v is not %v", err, tt.class)
			}
		})
	}
}

func TestVerifyWithSeveralKeys(t *testing.T) {
	keys := []minisign.Key{key(t, "other.pub"), key(t, "key.pub")}
	if by, _, err := minisign.Verify(keys, read(t, "document"), read(t, "hashed.minisig")); err != nil || by.ID != keys[1].ID {
		t.Errorf("key %s, error %v", by, err)
	}
	if _, _, err := minisign.Verify(nil, read(t, "document"), read(t, "hashed.minisig")); !errors.Is(err, minisign.ErrUnknownKey) {
		t.Errorf("error %v without a key", err)
	}
}

func TestParseKey(t *testing.T) {
	whole := string(read(t, "key.pub"))
	_, alone, _ := strings.Cut(whole, "\n")
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"a file", whole, true},
		{"the key alone", alone, true},
		{"without the line's end", strings.TrimSpace(alone), true},
		{"nothing", "", false},
		{"a comment alone", "untrusted comment: x\n", false},
		{"two keys", alone + alone, false},
		{"a signature", string(read(t, "hashed.minisig")), false},
		{"a key cut short", strings.TrimSpace(alone)[:40], false},
		{"another kind", "RU" + alone[2:], false},
		{"enormous", strings.Repeat("A", 9<<10), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := minisign.ParseKey([]byte(tt.text))
			if (err == nil) != tt.ok || tt.ok && k.String() != "33DA153ED8CB5782" {
				t.Errorf("key %s, error %v", k, err)
			}
		})
	}
}

// Nothing that somebody makes up is a signature by our key, and nothing panics.
func FuzzVerify(f *testing.F) {
	keys := []minisign.Key{key(f, "key.pub")}
	document := read(f, "document")
	for _, name := range []string{"hashed.minisig", "legacy.minisig", "other.minisig", "key.pub"} {
		f.Add(document, read(f, name))
	}
	f.Fuzz(func(t *testing.T, text, signature []byte) {
		if _, _, err := minisign.Verify(keys, text, signature); err == nil && string(text) != string(document) {
			t.Errorf("%q is signed by %q", text, signature)
		}
		_, _ = minisign.ParseKey(signature)
	})
}
