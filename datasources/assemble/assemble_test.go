package assemble_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"testing"

	"cloudconfig/datasources/assemble"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
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
		{name: "once too often", in: pack(t, pack(t, packed)), rule: rules.DecompressionFailed, summary: "the data is compressed more than 2 times", at: "user-data (gunzipped):1:1"},
		{name: "cut short", in: packed[:len(packed)-9], rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "cut short in its header", in: packed[:5], rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "damaged", in: damaged, rule: rules.DecompressionFailed, summary: "the gzip data is damaged", at: "user-data:7:1"},
		{name: "something after it", in: append(bytes.Clone(packed), "tail"...), rule: rules.DecompressionFailed, summary: "the gzip data is cut short", at: "user-data:7:1"},
		{name: "as large as allowed", in: zeros[1:], want: string(zeros[1:]), partName: "user-data"},
		{name: "too large", in: zeros, rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data:7:1"},
		{name: "too large once unpacked", in: pack(t, zeros), rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data (gunzipped):1:1"},
		{name: "too large once unpacked twice", in: pack(t, pack(t, zeros)), rule: rules.TooLarge, summary: "the document is larger than 32 MiB", at: "user-data (gunzipped):1:1"},
		{name: "MIME", in: []byte("Content-Type: multipart/mixed; boundary=x\n\n"), rule: rules.UnsupportedKind, summary: "a MIME message cannot be read here", at: "user-data:7:1"},
		{name: "MIME in other letters", in: []byte("mime-version: 1.0\r\n"), rule: rules.UnsupportedKind, summary: "a MIME message cannot be read here", at: "user-data:7:1"},
		{name: "MIME in gzip", in: pack(t, []byte("MIME-Version: 1.0\n")), rule: rules.UnsupportedKind, summary: "a MIME message cannot be read here", at: "user-data (gunzipped):1:1"},
		{name: "an archive", in: []byte("#cloud-config-archive\n- a\n"), rule: rules.UnsupportedKind, summary: "a cloud-config archive cannot be read here", at: "user-data:7:1"},
		{name: "includes after a byte order mark", in: []byte("\xef\xbb\xbf#include\nhttp://x\n"), rule: rules.UnsupportedKind, summary: "a list of includes cannot be read here", at: "user-data:7:1"},
		{name: "a boothook", in: []byte("#cloud-boothook\n#!/bin/sh\n"), rule: rules.UnsupportedKind, summary: "a boothook cannot be read here", at: "user-data:7:1"},
		{name: "a template", in: []byte("## template: jinja\n#cloud-config\n"), rule: rules.UnsupportedKind, summary: "a template cannot be read here", at: "user-data:7:1"},
		{name: "zstd", in: []byte("\x28\xb5\x2f\xfd\x00\x00\n\x00"), rule: rules.UnsupportedKind, summary: "data compressed with zstd cannot be read here", at: "user-data:7:1"},
		{name: "xz", in: []byte("\xfd7zXZ\x00\x00"), rule: rules.UnsupportedKind, summary: "data compressed with xz cannot be read here", at: "user-data:7:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &source.File{Name: "user-data", Bytes: tt.in, Line: 7}
			parts, ds, err := assemble.Parts(t.Context(), f)
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
			if packed := parts[0] != f; packed != (parts[0].FirstLine() == 1) {
				t.Errorf("the first line is %d", parts[0].FirstLine())
			}
		})
	}
}

func TestPartsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parts, ds, err := assemble.Parts(ctx, &source.File{Name: "user-data", Bytes: pack(t, []byte("#cloud-config\n"))})
	if !errors.Is(err, context.Canceled) || len(parts)+len(ds) != 0 {
		t.Errorf("%d parts, findings %v, error %v", len(parts), ds, err)
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte("#cloud-config\n"))
	f.Add(pack(f, []byte("#cloud-config\n")))
	f.Add(pack(f, pack(f, []byte("#include\n"))))
	f.Add([]byte("mime-version: 1.0"))
	f.Fuzz(func(t *testing.T, in []byte) {
		parts, ds, err := assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: in})
		if err != nil {
			t.Fatal(err)
		}
		if len(parts) > 0 == ds.HasErrors() && len(parts)+len(ds) > 0 {
			t.Errorf("%d parts with findings %v", len(parts), ds)
		}
		for _, p := range parts {
			if len(p.Bytes) == 0 || len(p.Bytes) > assemble.MaxBytes {
				t.Errorf("a part of %d bytes", len(p.Bytes))
			}
		}
	})
}
