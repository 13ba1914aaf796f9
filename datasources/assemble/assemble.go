// Package assemble turns user-data as a platform has it into the documents that package schema decodes.
//
// [Parts] is the thing to call. What is in a document is not its business: the decoder reads the first line.
package assemble

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

const (
	// MaxBytes is the largest document, unpacked: 32 MiB.
	MaxBytes = 32 << 20
	// MaxDepth is how often a document may be packed.
	MaxDepth = 2
)

// Parts unpacks user-data, to no document if it is empty and else to one. A document that was not packed is f
// itself; one that was has a name that says so, and its lines count from 1. What cannot be unpacked, and a kind
// that holds documents in a way not known here, is a finding; no document is given then. The error is the
// context's, should it end.
func Parts(ctx context.Context, f *source.File) ([]*source.File, diag.List, error) {
	var ds diag.List
	for depth := 0; isGzip(f.Bytes); depth++ {
		start := start(f)
		if depth == MaxDepth {
			ds.Add(diag.New(rules.DecompressionFailed, start, "the data is compressed more than %d times", MaxDepth))
			return nil, ds, nil
		}
		text, err := gunzip(ctx, f.Bytes)
		switch {
		case ctx.Err() != nil:
			return nil, ds, ctx.Err()
		case errors.Is(err, io.ErrUnexpectedEOF):
			d := diag.New(rules.DecompressionFailed, start, "the gzip data is cut short")
			d.Detail = "send all of it; a platform may cut user-data at its limit"
			ds.Add(d)
			return nil, ds, nil
		case err != nil:
			ds.Add(diag.New(rules.DecompressionFailed, start, "the gzip data is damaged"))
			return nil, ds, nil
		}
		f = &source.File{Name: strings.TrimSuffix(f.Name, unpacked) + unpacked, Bytes: text}
		if len(text) > MaxBytes {
			break
		}
	}
	switch kind := unsupported(f); {
	case len(f.Bytes) == 0:
		return nil, ds, nil
	case len(f.Bytes) > MaxBytes:
		ds.Add(diag.New(rules.TooLarge, start(f), "the document is larger than %d MiB", MaxBytes>>20))
		return nil, ds, nil
	case kind != "":
		d := diag.New(rules.UnsupportedKind, f.LineRange(f.FirstLine()), "%s cannot be read here", kind)
		d.Detail = "give a #cloud-config document or a script"
		ds.Add(d)
		return nil, ds, nil
	}
	return []*source.File{f}, ds, nil
}

// start is where a file begins, told without a look at its lines: it may be no text.
func start(f *source.File) source.Range {
	pos := source.Pos{Line: f.FirstLine(), Column: 1}
	return source.Range{File: f.Name, Start: pos, End: pos}
}

const unpacked = " (gunzipped)"

// isGzip knows the magic number and the one method there is. Source: RFC 1952 section 2.3.1.
func isGzip(b []byte) bool { return bytes.HasPrefix(b, []byte("\x1f\x8b\x08")) }

// gunzip gives at most MaxBytes+1 bytes. The window of the format is 32 KiB at most, so memory is bounded too.
func gunzip(ctx context.Context, b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(interruptible{ctx, z}, MaxBytes+1))
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
	// The header of a message may come in any order, and after the line that mailboxes part messages by.
	text := bytes.TrimPrefix(f.Bytes, []byte("\xef\xbb\xbf"))
	line, _, _ := bytes.Cut(text[:min(len(text), 256)], []byte("\n"))
	first := strings.ToLower(string(bytes.TrimRight(line, " \t\r")))
	for _, k := range []struct{ prefix, name string }{
		{"content-type:", "a MIME message"},
		{"mime-version:", "a MIME message"},
		{"from nobody ", "a MIME message"},
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
