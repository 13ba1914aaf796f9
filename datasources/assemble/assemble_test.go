package assemble_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"cloudconfig/datasources/assemble"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

func pack(t testing.TB, b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func packXZ(t testing.TB, b []byte) []byte {
	var buf bytes.Buffer
	z, err := xz.NewWriter(&buf)
	if err == nil {
		_, err = z.Write(b)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func packZstd(t testing.TB, b []byte) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

func inBase64(b []byte) []byte { return base64.StdEncoding.AppendEncode(nil, b) }

// flipped has a bit of the byte at an offset turned round; a negative offset counts from the end.
func flipped(b []byte, offset int) []byte {
	b = bytes.Clone(b)
	b[(len(b)+offset)%len(b)] ^= 1
	return b
}

// apart takes a text apart and looks at nothing else.
func apart(ctx context.Context, f *source.File) ([]*source.File, diag.List, error) {
	r, err := assemble.Parts(ctx, f, assemble.Options{})
	return r.Parts, r.Found, err
}

func TestParts(t *testing.T) {
	const doc = "#cloud-config\nhostname: web1\n"
	packed := pack(t, []byte(doc))
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	zeros := make([]byte, assemble.MaxBytes+1)
	for _, tt := range []struct {
		name     string
		in       []byte
		want     string // the text of the one part; "" for none
		partName string
		rule     *diag.Rule
		summary  string
		at       string
	}{
		{name: "plain", in: []byte(doc), want: doc, partName: "user-data"},
		{name: "nothing", in: nil},
		{name: "text that is no kind is the decoder's to judge", in: []byte("hello"), want: "hello", partName: "user-data"},
		{name: "gzip", in: packed, want: doc, partName: "user-data (gunzipped)"},
		{name: "gzip in gzip", in: pack(t, packed), want: doc, partName: "user-data (gunzipped)"},
		{name: "gzip of nothing", in: pack(t, nil)},
		{name: "two members, as cat makes", in: append(pack(t, []byte("#cloud-config\n")), pack(t, []byte("hostname: web1\n"))...), want: doc, partName: "user-data (gunzipped)"},
		{name: "once too often", in: pack(t, pack(t, pack(t, pack(t, packed)))), rule: rules.DecompressionFailed, summary: "the data is packed more than 4 times", at: "user-data (gunzipped):1:1"},
		{name: "cut short", in: packed[:len(packed)-9], rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "cut short in its header", in: packed[:5], rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "damaged", in: damaged, rule: rules.DecompressionFailed, summary: "the gzip data is damaged", at: "user-data:7:1"},
		{name: "something after it", in: append(bytes.Clone(packed), "tail"...), rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "as large as allowed", in: zeros[1:], want: string(zeros[1:]), partName: "user-data"},
		{name: "too large", in: zeros, rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data:7:1"},
		{name: "too large once unpacked", in: pack(t, zeros), rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data (gunzipped):1:1"},
		{name: "too large once unpacked twice", in: pack(t, pack(t, zeros)), rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data (gunzipped):1:1"},
		{name: "a message of nothing", in: []byte("mime-version: 1.0\r\n")},
		{name: "a message in gzip", in: pack(t, []byte("MIME-Version: 1.0\n\n"+doc)), want: doc, partName: "user-data (gunzipped)"},
		{name: "keys that look like a header", in: []byte("hostname: a\n\ncontent-type: b\n"), want: "hostname: a\n\ncontent-type: b\n", partName: "user-data"},
		{name: "a message without end in gzip", in: pack(t, []byte("Content-Type: multipart/mixed\n\n")), rule: rules.MIMEBoundary, summary: "the message names no boundary of its parts", at: "user-data (gunzipped):1:1"},
		{name: "xz", in: packXZ(t, []byte(doc)), want: doc, partName: "user-data (from xz)"},
		{name: "xz twice, as cat makes, with padding between", in: slices.Concat(packXZ(t, []byte("#cloud-config\n")), make([]byte, 8), packXZ(t, []byte("hostname: web1\n"))), want: doc, partName: "user-data (from xz)"},
		{name: "xz cut short", in: packXZ(t, []byte(doc))[:60], rule: rules.DecompressionFailed, summary: "the xz data is cut short", at: "user-data:7:1"},
		{name: "xz damaged", in: flipped(packXZ(t, []byte(doc)), -40), rule: rules.DecompressionFailed, summary: "the xz data is damaged", at: "user-data:7:1"},
		{name: "xz damaged in its footer", in: flipped(packXZ(t, []byte(doc)), -3), rule: rules.DecompressionFailed, summary: "the xz data is damaged", at: "user-data:7:1"},
		{name: "zstd", in: packZstd(t, []byte(doc)), want: doc, partName: "user-data (from zstd)"},
		{name: "zstd cut short", in: packZstd(t, []byte(doc))[:20], rule: rules.DecompressionFailed, summary: "the zstd data is cut short", at: "user-data:7:1"},
		{name: "zstd damaged", in: flipped(packZstd(t, []byte(doc)), -1), rule: rules.DecompressionFailed, summary: "the zstd data is damaged", at: "user-data:7:1"},
		{name: "bzip2", in: []byte("BZh91AY&SY"), rule: rules.UnsupportedKind, summary: "data compressed with bzip2 cannot be read here", at: "user-data:7:1"},
		{name: "base64", in: inBase64([]byte(doc)), want: doc, partName: "user-data (base64)"},
		{name: "base64 in lines", in: []byte("I2Nsb3VkLWNvbmZpZwpo\r\nb3N0bmFtZTogd2ViMQo=\r\n"), want: doc, partName: "user-data (base64)"},
		{name: "base64 twice", in: inBase64(inBase64([]byte(doc))), want: doc, partName: "user-data (base64)"},
		{name: "base64 of gzip, twice, as a platform made it once more", in: inBase64(inBase64(packed)), want: doc, partName: "user-data (base64) (gunzipped)"},
		{name: "base64 of zstd of base64", in: inBase64(packZstd(t, inBase64([]byte(doc)))), want: doc, partName: "user-data (base64) (from zstd) (base64)"},
		{name: "base64 of nothing known is left as it is", in: inBase64([]byte("some words that say nothing")), want: string(inBase64([]byte("some words that say nothing"))), partName: "user-data"},
		{name: "base64 that goes on in plain text is left as it is", in: append(inBase64([]byte(doc)), "\n!\n"...), want: string(inBase64([]byte(doc))) + "\n!\n", partName: "user-data"},
		{name: "base64 cut short", in: inBase64([]byte(doc))[:39], rule: rules.DecompressionFailed, summary: "the base64 is damaged", at: "user-data:7:1"},
		{name: "a part handler", in: []byte("#part-handler\n"), rule: rules.UnsupportedKind, summary: "a part handler cannot be read here", at: "user-data:7:1"},
		{name: "an upstart job", in: []byte("#upstart-job\n"), rule: rules.UnsupportedKind, summary: "an upstart job cannot be read here", at: "user-data:7:1"},
		{name: "a JSON patch", in: []byte("#cloud-config-jsonp\n[]"), rule: rules.UnsupportedKind, summary: "a JSON patch cannot be read here", at: "user-data:7:1"},
		{name: "a template of another language", in: []byte("## template: basic\n#cloud-config\n"), rule: rules.UnsupportedKind, summary: "a template of another language than Jinja cannot be read here", at: "user-data:7:1"},
		{name: "a boothook is a document", in: []byte("#cloud-boothook\n#!/bin/sh\n"), want: "#cloud-boothook\n#!/bin/sh\n", partName: "user-data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &source.File{Name: "user-data", Bytes: tt.in, Line: 7}
			parts, ds, err := apart(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if tt.rule != nil {
				if len(ds) != 1 || ds[0].Rule != tt.rule || ds[0].Summary != tt.summary || ds[0].Subject.String() != tt.at {
					t.Errorf("findings %+v, want %s %q at %s", ds, tt.rule.ID, tt.summary, tt.at)
				}
				if parts != nil {
					t.Errorf("there is a part all the same: %q", parts[0].Name)
				}
				return
			}
			if len(ds) != 0 {
				t.Errorf("findings %+v", ds)
			}
			if tt.want == "" {
				if len(parts) != 0 {
					t.Errorf("%d parts", len(parts))
				}
				return
			}
			if len(parts) != 1 || string(parts[0].Bytes) != tt.want || parts[0].Name != tt.partName {
				t.Fatalf("%d parts", len(parts))
			}
			if own := parts[0].Whole() != f; own != (parts[0].Whole().FirstLine() == 1) {
				t.Errorf("the first line is %d", parts[0].FirstLine())
			}
		})
	}
}

func TestPartsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parts, ds, err := apart(ctx, &source.File{Name: "user-data", Bytes: pack(t, []byte("#cloud-config\n"))})
	if !errors.Is(err, context.Canceled) || len(parts)+len(ds) != 0 {
		t.Errorf("%d parts, findings %v, error %v", len(parts), ds, err)
	}
}

// message is a MIME message of parts, each with its own header.
func message(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=B\n\n--B\n" + strings.Join(parts, "\n--B\n") + "\n--B--\n"
}

// What two parts become when they are unpacked are two files, and findings tell them apart.
func TestNamesAreUnique(t *testing.T) {
	const plain, binary = "\n#!/bin/sh\n", "Content-Transfer-Encoding: binary\n\n"
	packed := func(s string) string { return binary + string(pack(t, []byte(s))) }
	inner := strings.ReplaceAll(message("Content-Transfer-Encoding: base64\n\nIyE=", plain), "B\n", "C\n")
	inner = strings.ReplaceAll(inner, "--B--", "--C--")
	in := message(packed("#!/bin/a"), packed("#!/bin/b"), plain, packed(inner), inner, "Content-Transfer-Encoding: base64\n\nIyE=")
	parts, ds, err := apart(t.Context(), &source.File{Name: "user-data", Bytes: []byte(in)})
	if err != nil || len(ds) > 0 {
		t.Fatal(ds, err)
	}
	var got []string
	for _, p := range parts {
		got = append(got, p.Name)
	}
	want := []string{
		"user-data part 1 (gunzipped)", "user-data part 2 (gunzipped)", "user-data",
		"user-data part 4 (gunzipped) part 5 (base64)", "user-data part 4 (gunzipped)",
		"user-data part 7 (base64)", "user-data", "user-data part 9 (base64)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCaps(t *testing.T) {
	const script = "\n#!/bin/sh"
	many := slices.Repeat([]string{script}, assemble.MaxParts)
	nested := func(depth int) string {
		text := script
		for i := range depth {
			b := fmt.Sprintf("B%d", i)
			text = "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n" + text + "\n--" + b + "--\n"
		}
		return text
	}
	zeros := string(pack(t, make([]byte, assemble.MaxBytes)))
	for _, tt := range []struct {
		name, in string
		parts    int
		rule     *diag.Rule
	}{
		{"as many parts as may be, the message being one", message(many[1:]...), assemble.MaxParts - 1, nil},
		{"a part more", message(many...), assemble.MaxParts - 1, rules.TooLarge},
		{"many more are one finding", message(slices.Repeat([]string{script}, 5*assemble.MaxParts)...), assemble.MaxParts - 1, rules.TooLarge},
		{"as deep as may be", nested(assemble.MaxNesting), 1, nil},
		{"a message deeper", nested(assemble.MaxNesting + 1), 0, rules.TooLarge},
		{"a header without end", "Content-Type: multipart/mixed; boundary=B\n" + strings.Repeat(" x\n", 64<<10), 0, rules.TooLarge},
		{"as much as may be unpacked", message("\n"+zeros, "\n"+zeros), 2, nil},
		{"a byte more", message("\n"+zeros, "\n"+zeros, "\n"+string(pack(t, []byte("#")))), 2, rules.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parts, ds, err := apart(t.Context(), &source.File{Name: "user-data", Bytes: []byte(tt.in)})
			if err != nil {
				t.Fatal(err)
			}
			if len(parts) != tt.parts || (tt.rule == nil) != (len(ds) == 0) || len(ds) > 1 || len(ds) == 1 && ds[0].Rule != tt.rule {
				t.Errorf("%d parts, findings %+v", len(parts), ds)
			}
		})
	}
}

// FuzzParts: nothing panics, every part and finding has its place in a file of its own name, those of what is in
// the parts included, and the same text gives the same.
func FuzzParts(f *testing.F) {
	doc := []byte("#cloud-config\n")
	for _, seed := range [][]byte{
		doc, pack(f, doc), packXZ(f, doc), packZstd(f, doc), inBase64(doc), inBase64(packXZ(f, inBase64(doc))), pack(f, pack(f, []byte("#include\n"))),
		[]byte("mime-version: 1.0"), []byte("#include\nhttps://a.example/x\n#include-once\nfile:///etc/y\nz\n"), []byte("## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n"),
		[]byte("#cloud-boothook\n#!/bin/sh\n"), []byte(`{"ignition": {"version": "3.4.0"}}`),
	} {
		f.Add(seed)
	}
	addTestdata(f)
	f.Fuzz(check)
}

// FuzzArchive is FuzzParts of archives alone, so that what is tried is one more often.
func FuzzArchive(f *testing.F) {
	for _, seed := range []string{
		"- |\n  #!/bin/sh\n", "- content: >\n    a\n\n     b\n  type: text/cloud-config\n", "- \"#!/bin/sh\\n\\u00e9\"\n", "- &a 'it''s'\n- *a\n",
		"- |\n  #cloud-config-archive\n  - |2\n     #!/bin/sh\n", "- |\r\n  a\r\n  b\r\n", "- {content: !!binary I2Nsb3Vk, filename: x}\n", "- |\n  Content-Type: multipart/mixed; boundary=B\n\n  --B\n\n  #!/bin/sh\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) { check(t, append([]byte("#cloud-config-archive\n"), in...)) })
}

func addTestdata(f *testing.F) {
	messages, _ := filepath.Glob("testdata/*.[my]*")
	for _, path := range messages {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(pack(f, text))
	}
}

func check(t *testing.T, in []byte) {
	whole := &source.File{Name: "user-data", Bytes: in}
	o := assemble.Options{
		Get:      func(context.Context, string) ([]byte, error) { return in[len(in)/2:], nil },
		ReadFile: func(string) ([]byte, error) { return in, nil },
		Facts:    template.Facts(schema.Metadata{Hostname: "web1"}, nil),
	}
	r, err := assemble.Parts(t.Context(), whole, o)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*source.File{}
	for _, f := range r.Files {
		if known := files[f.Name]; known != nil {
			t.Errorf("two files are called %q", f.Name)
		}
		files[f.Name] = f
	}
	for _, p := range r.Parts {
		if len(p.Bytes) == 0 || len(p.Bytes) > assemble.MaxBytes {
			t.Errorf("a part of %d bytes", len(p.Bytes))
		}
		w := p.Whole()
		if files[p.Name] != w {
			t.Errorf("the file of %q is not there", p.Name)
		}
		if at := p.Base(); !p.IsMade() && (!bytes.Equal(w.Bytes[at:at+len(p.Bytes)], p.Bytes) || w.Pos(at).Line != p.FirstLine()) {
			t.Errorf("the part of line %d is not where it says", p.FirstLine())
		}
	}
	_, inside := schema.Decode(schema.Input{Files: r.Parts})
	for _, d := range append(r.Found, inside...) {
		at := d.Subject
		file := files[at.File]
		if file == nil { // what was unpacked and gave no part
			continue
		}
		if at.Start.Offset < 0 || at.End.Offset > len(file.Bytes) || at.Start.Offset > at.End.Offset {
			t.Fatalf("%s: range %+v of %d bytes", d.Rule.ID, at, len(file.Bytes))
		}
		if got := file.Pos(at.Start.Offset); got != at.Start {
			t.Errorf("%s: %+v is %+v", d.Rule.ID, at.Start, got)
		}
	}
	again, _ := assemble.Parts(t.Context(), whole, o)
	if len(again.Parts) != len(r.Parts) || len(again.Found) != len(r.Found) {
		t.Errorf("%d parts and %d findings, then %d and %d", len(r.Parts), len(r.Found), len(again.Parts), len(again.Found))
	}
}
