package assemble_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// TestBytesOfOtherSystems: what editors and consoles make of a document's bytes does not change what it says, or
// is refused by name.
func TestBytesOfOtherSystems(t *testing.T) {
	const config, program = "#cloud-config\nhostname: web1\nwrite_files:\n  - path: /a\n    content: |\n      b\n      c\n", "#!/bin/sh\necho a\necho b\n"
	lineEnds := []struct{ name, end string }{{"LF", "\n"}, {"CRLF", "\r\n"}, {"CR", "\r"}}
	encodings := []struct {
		name, want string
		encode     func(string) []byte
	}{
		{"plain", "", func(s string) []byte { return []byte(s) }},
		{"with a mark", "byte-order-mark", func(s string) []byte { return []byte("\uFEFF" + s) }},
		{"UTF-16", "text-encoding", func(s string) []byte { return utf16le("\uFEFF" + s) }},
		{"UTF-16 without a mark", "text-encoding", utf16le},
	}
	for _, kind := range []string{"config", "script", "gzip"} {
		for _, end := range lineEnds {
			for _, enc := range encodings {
				t.Run(kind+" "+end.name+" "+enc.name, func(t *testing.T) {
					text := config
					if kind == "script" {
						text = program
					}
					data := enc.encode(strings.ReplaceAll(text, "\n", end.end))
					if kind == "gzip" {
						data = pack(t, data)
					}
					parts, found, err := apart(context.Background(), &source.File{Name: "f", Bytes: data})
					if err != nil {
						t.Fatal(err)
					}
					cfg, ds := schema.Decode(schema.Input{Files: parts})
					want := enc.want
					if kind == "script" && end.name != "LF" && want != "text-encoding" {
						want = strings.TrimPrefix(want+" script-line-ends", " ")
					}
					if kind != "script" && end.name != "LF" && want != "text-encoding" {
						want = strings.TrimPrefix(want+" windows-line-ends", " ")
					}
					if got := ids(append(found, ds...)); got != want {
						t.Errorf("found %q, want %q", got, want)
					}
					switch {
					case enc.want == "text-encoding":
					case kind == "script":
						if len(cfg.Scripts) != 1 || string(cfg.Scripts[0].Content) != program {
							t.Errorf("%+v", cfg.Scripts)
						}
					case cfg.Hostname.V != "web1" || len(cfg.Files) != 1 || string(cfg.Files[0].Content.V) != "b\nc\n":
						t.Errorf("%+v", cfg)
					}
				})
			}
		}
	}
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func ids(l diag.List) string {
	var out []string
	for _, d := range l {
		out = append(out, d.Rule.ID)
	}
	return strings.Join(out, " ")
}
