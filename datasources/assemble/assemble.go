// Package assemble turns user-data as a platform has it into the documents that package schema decodes: it
// unpacks what is compressed and takes MIME messages apart.
//
// [Parts] is the thing to call. What is in a document is not its business: the decoder reads the first line.
package assemble

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

const (
	// MaxBytes is the largest document, unpacked: 32 MiB.
	MaxBytes = 32 << 20
	// MaxTotal is how much is unpacked in all: 64 MiB.
	MaxTotal = 64 << 20
	// MaxDepth is how often a document may be compressed.
	MaxDepth = 2
	// MaxParts is how many parts there may be, messages inside messages counted too.
	MaxParts = 1000
	// MaxNesting is how deep messages may be inside messages.
	MaxNesting = 8
)

// Parts unpacks user-data, to no document if it is empty, to one, or to the parts of a MIME message in their
// order.
//
// A document that stands in f as it is, is f itself or a piece of it, with the name and the line numbers of f.
// One that was compressed or encoded has a name that says so, such as "user-data part 2 (base64)", and its
// lines count from 1; names of such documents are unique. What is cut short, damaged or of a kind not known
// here is a finding, and the other parts are given all the same. The error is the context's, should it end.
func Parts(ctx context.Context, f *source.File) ([]*source.File, diag.List, error) {
	a := assembler{ctx: ctx, left: MaxTotal}
	a.document(f, 0)
	if a.err != nil {
		return nil, nil, a.err
	}
	return a.parts, a.found, nil
}

type assembler struct {
	ctx   context.Context
	parts []*source.File
	found diag.List
	err   error

	left     int // bytes that may still be unpacked
	entities int // so far, messages inside messages too
	leaves   int // so far, as names count them
}

func (a *assembler) report(rule *diag.Rule, at source.Range, format string, args ...any) *diag.Diagnostic {
	a.found.Add(diag.New(rule, at, format, args...))
	return &a.found[len(a.found)-1]
}

// document takes what stands in f: it may be compressed, and it may be a message. nesting is how many messages
// it is in.
func (a *assembler) document(f *source.File, nesting int) {
	f = a.decompress(f)
	if f == nil || len(f.Bytes) == 0 {
		return
	}
	if len(f.Bytes) > MaxBytes {
		a.report(rules.TooLarge, start(f), "the document is larger than %d MiB", MaxBytes>>20)
		return
	}
	if f.Type == "" && isMessage(f.Bytes) {
		a.entity(f, nesting)
		return
	}
	if kind := unsupported(f); kind != "" {
		a.unsupported(f.LineRange(f.FirstLine()), kind)
		return
	}
	a.parts = append(a.parts, f)
}

func (a *assembler) unsupported(at source.Range, kind string) {
	d := a.report(rules.UnsupportedKind, at, "%s cannot be read here", kind)
	d.Detail = "give a #cloud-config document or a script"
}

// start is where a file begins, told without a look at its lines: it may be no text.
func start(f *source.File) source.Range {
	pos := source.Pos{Line: f.FirstLine(), Column: 1, Offset: f.Base()}
	return source.Range{File: f.Name, Start: pos, End: pos}
}

// partName is what a part is called that no longer stands in the file f.
func (a *assembler) partName(f *source.File) string {
	return fmt.Sprintf("%s part %d", f.Name, a.leaves)
}

const unpacked = " (gunzipped)"

// isGzip knows the magic number and the one method there is. Source: RFC 1952 section 2.3.1.
func isGzip(b []byte) bool { return bytes.HasPrefix(b, []byte("\x1f\x8b\x08")) }

// decompress gives a file as it is once it is unpacked, or nil if it cannot be.
func (a *assembler) decompress(f *source.File) *source.File {
	for depth := 0; isGzip(f.Bytes); depth++ {
		if depth == MaxDepth {
			a.report(rules.DecompressionFailed, start(f), "the data is compressed more than %d times", MaxDepth)
			return nil
		}
		text, err := a.gunzip(f.Bytes)
		switch {
		case a.ctx.Err() != nil:
			a.err = a.ctx.Err()
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			d := a.report(rules.DecompressionFailed, start(f), "the gzip data is cut short")
			d.Detail = "send all of it; a platform may cut user-data at its limit"
			return nil
		case err != nil:
			a.report(rules.DecompressionFailed, start(f), "the gzip data is damaged")
			return nil
		}
		if len(text) > a.left {
			a.report(rules.TooLarge, start(f), "all parts together are larger than %d MiB once they are unpacked", MaxTotal>>20)
			return nil
		}
		a.left -= len(text)
		name := strings.TrimSuffix(f.Name, unpacked)
		if f.Whole() != f {
			name = a.partName(f)
		}
		f = &source.File{Name: name + unpacked, Bytes: text, Type: f.Type}
		if len(text) > MaxBytes {
			break
		}
	}
	return f
}

// gunzip gives at most a byte more than a document may have, or than is left. The window of the format is
// 32 KiB at most, so memory is bounded too.
func (a *assembler) gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(interruptible{a.ctx, z}, int64(min(MaxBytes, a.left)+1)))
}

type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// unsupported names a kind of user-data that holds or makes documents in a way not known here, "" for all else.
//
// Kinds: cloud-init, doc/rtd/explanation/format/index.rst and cloudinit/user_data.py (2026); the magic numbers
// are RFC 8878 section 3.1.1, the .xz file format 1.2.1 section 2.1.1.1, and bzip2 1.0.8's decompress.c.
func unsupported(f *source.File) string {
	for _, k := range []struct{ magic, name string }{
		{"\xfd7zXZ\x00", "data compressed with xz"},
		{"\x28\xb5\x2f\xfd", "data compressed with zstd"},
		{"BZh", "data compressed with bzip2"},
	} {
		if bytes.HasPrefix(f.Bytes, []byte(k.magic)) {
			return k.name
		}
	}
	text := withoutMark(f.Bytes)
	line, _, _ := bytes.Cut(text[:min(len(text), 256)], []byte("\n"))
	first := strings.ToLower(string(bytes.TrimRight(line, " \t\r")))
	for _, k := range []struct{ prefix, name string }{
		{"#cloud-config-archive", "a cloud-config archive"},
		{"#cloud-config-jsonp", "a JSON patch"},
		{"#include", "a list of includes"},
		{"#cloud-boothook", "a boothook"},
		{"#part-handler", "a part handler"},
		{"#upstart-job", "an upstart job"},
		{"## template:", "a template"},
	} {
		if strings.HasPrefix(first, k.prefix) {
			return k.name
		}
	}
	return ""
}

const byteOrderMark = "\xef\xbb\xbf"

func withoutMark(b []byte) []byte { return bytes.TrimPrefix(b, []byte(byteOrderMark)) }
