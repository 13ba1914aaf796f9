package diag_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/suppress"
)

// goldens is every text that there is a golden for, under the name of its file.
func goldens(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, pattern := range []string{"../testdata/bad/*.yaml", "../testdata/ok/*", "../../examples/*.[ys]*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("nothing in %s: %v", pattern, err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Base(path)] = text
		}
	}
	return out
}

// drawn is what is found in a text, in every form.
func drawn(t *testing.T, name string, text []byte) map[string][]byte {
	t.Helper()
	f := &source.File{Name: name, Bytes: text}
	files := []*source.File{f}
	_, found := schema.Decode(schema.Input{Files: files, Now: time.Unix(1800000000, 0)})
	found, _ = suppress.Apply(files, found)
	out := map[string][]byte{}
	for _, format := range diag.Formats() {
		out[format] = write(t, found, diag.Options{Format: format, Files: files, Checked: []string{name}})
	}
	return out
}

func TestGoldensAreHarmless(t *testing.T) {
	for name, text := range goldens(t) {
		for format, out := range drawn(t, name, text) {
			harmless(t, format, out)
		}
	}
}

// value matches what ends a line of YAML as the value of a key or an item.
var value = regexp.MustCompile(`(?m)([a-z]: |- )([^\s|>&*{\[].*)$`)

// replaced is a text with its values replaced, all at once and one after the other.
func replaced(text []byte, by string) [][]byte {
	out := [][]byte{value.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(by, "$", "$$")))}
	for _, at := range value.FindAllSubmatchIndex(text, 20) {
		out = append(out, bytes.Join([][]byte{text[:at[4]], []byte(by), text[at[5]:]}, nil))
	}
	return out
}

// Whatever value is a command of a CI system's, no form lets it be one.
func TestGoldensInjected(t *testing.T) {
	for name, text := range goldens(t) {
		for _, by := range []string{`"::error file=x::pwned"`, `'##[error]##vso[task.complete]'`, "\"\\n::add-mask::x\\r\\e[0K\\u202e\"", "::set-output name=x::y"} {
			for _, injected := range replaced(text, by) {
				for format, out := range drawn(t, name, injected) {
					harmless(t, format, out)
				}
			}
		}
	}
}

// Whatever value is a hash, a token or a key, no form tells it.
func TestGoldensWithCanaries(t *testing.T) {
	for name, text := range goldens(t) {
		for _, by := range []string{hash, "ghp_cAnArY7e42F292c6912E7710c838347Ae178B4a", `"-----BEGIN OPENSSH PRIVATE KEY----- cAnArY"`} {
			for _, injected := range replaced(text, by) {
				for format, out := range drawn(t, name, injected) {
					if bytes.Contains(out, []byte("cAnArY")) || bytes.Contains(out, []byte("zxdHWSoVJ0cSFUmAAJWBf")) {
						t.Fatalf("%s of %s tells %s:\n%s\nof\n%s", format, name, by, out, injected)
					}
				}
			}
		}
	}
}
