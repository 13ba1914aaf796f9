package assemble

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

// maxWindow is how far back a packed document may refer to itself, and so how much memory unpacking takes besides what
// comes out: 16 MiB.
const maxWindow = 16 << 20

var (
	errWindow = errors.New("the window is too large")
	errForm   = errors.New("not known in this form")
)

// The first bytes of packed data.
//
// Sources: RFC 1952 section 2.3.1, with the one method there is; the .xz file format 1.2.1 section 2.1.1.1; RFC 8878
// section 3.1.1; bzip2 1.0.8, decompress.c.
const (
	gzipMagic  = "\x1f\x8b\x08"
	xzMagic    = "\xfd7zXZ\x00"
	zstdMagic  = "\x28\xb5\x2f\xfd"
	bzip2Magic = "BZh"
)

// A packing is one way in which a document is packed.
type packing struct {
	name   string // "gzip data"
	suffix string // what the name of a file ends in that was unpacked
	open   func(io.Reader) (io.Reader, error)
}

// packingOf is how a text is packed, nil if it is not.
func packingOf(b []byte) *packing {
	switch {
	case bytes.HasPrefix(b, []byte(gzipMagic)):
		return &packing{"gzip data", " (gunzipped)", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }}
	case bytes.HasPrefix(b, []byte(xzMagic)):
		return &packing{"xz data", " (from xz)", newXZReader}
	case bytes.HasPrefix(b, []byte(zstdMagic)):
		return &packing{"zstd data", " (from zstd)", newZstdReader}
	case isBase64(b, 0):
		return &packing{"base64", " (base64)", newBase64Reader}
	}
	return nil
}

func newZstdReader(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(MaxTotal))
}

func newBase64Reader(r io.Reader) (io.Reader, error) {
	packed, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	text, slip := fromBase64(packed)
	if slip != nil {
		return nil, errDamaged
	}
	return bytes.NewReader(text), nil
}

// sample is how much of a text tells what it is, in bytes. A multiple of 4.
const sample = 4 << 10

// isBase64 says that a text is base64 from its first to its last character, and of something that is known here.
// Anything else that looks like base64 is left to who reads it as it is.
func isBase64(b []byte, depth int) bool {
	if depth >= MaxDepth || len(b) < 16 {
		return false
	}
	compact := make([]byte, 0, sample)
	padding := 0
	for i, c := range b {
		switch {
		case c == '\r' || c == '\n' || (c == ' ' || c == '\t') && len(bytes.TrimSpace(b[i:])) == 0:
			continue
		case c == '=' && padding < 2:
			padding++
		case padding > 0 || !isBase64Letter(c):
			return false
		}
		if len(compact) < sample {
			compact = append(compact, c)
		}
	}
	text := make([]byte, base64.StdEncoding.DecodedLen(len(compact)))
	n, _ := base64.StdEncoding.Decode(text, compact[:len(compact)&^3])
	return isKnown(text[:n], depth+1)
}

func isBase64Letter(c byte) bool {
	return c == '+' || c == '/' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isPacked says that a text begins as packed data does, base64 aside.
func isPacked(b []byte) bool {
	return bytes.HasPrefix(b, []byte(gzipMagic)) || bytes.HasPrefix(b, []byte(xzMagic)) || bytes.HasPrefix(b, []byte(zstdMagic))
}

// isKnown says that what a text begins with tells what it is.
func isKnown(b []byte, depth int) bool {
	word := firstWord(b)
	for _, prefix := range []string{"#!", "#cloud-", "#include", "#part-handler", "#upstart-job"} {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return isPacked(b) || template.Is(b) || isMessage(b) || bytes.HasPrefix(b, []byte("{")) && bytes.Contains(b, []byte(`"ignition"`)) || isBase64(b, depth)
}

// unpack gives a file as it is once it is unpacked, or nil if it cannot be.
func (a *assembler) unpack(f *source.File) *source.File {
	for layer := 0; ; layer++ {
		p := packingOf(f.Bytes)
		if p == nil {
			return f
		}
		if layer == MaxDepth {
			a.report(rules.DecompressionFailed, start(f), "the data is packed more than %d times", MaxDepth)
			return nil
		}
		text, err := a.read(p, f.Bytes)
		cure := "pack it again"
		switch {
		case a.ctx.Err() != nil:
			a.err = a.ctx.Err()
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			d := a.report(rules.DecompressionFailed, start(f), "the %s is cut short", p.name)
			d.Detail = "send all of it; a platform may cut user-data at its limit"
			return nil
		case errors.Is(err, errWindow), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
			a.report(rules.DecompressionFailed, start(f), "the %s wants a window of more than %d MiB", p.name, maxWindow>>20).Detail = "pack it at a lower level"
			return nil
		case errors.Is(err, errForm):
			a.report(rules.DecompressionFailed, start(f), "the %s is in a form that is not known here", p.name).Detail = cure + " without filters, in at most 64 blocks"
			return nil
		case err != nil:
			a.report(rules.DecompressionFailed, start(f), "the %s is damaged", p.name)
			return nil
		}
		if !a.take(len(text), start(f)) {
			return nil
		}
		name := strings.TrimSuffix(f.Name, p.suffix)
		if f.Whole() != f {
			name = a.partName(f)
		}
		f = &source.File{Name: name + p.suffix, Bytes: text, Type: f.Type}
		if len(text) > MaxBytes {
			return f
		}
	}
}

// take takes bytes that were unpacked or fetched from what there may be in all; false, and reported, if it is too much.
func (a *assembler) take(n int, at source.Range) bool {
	if n > a.left {
		a.report(rules.TooLarge, at, "all parts together are larger than %d MiB once they are unpacked", MaxTotal>>20)
		return false
	}
	a.left -= n
	return true
}

// read gives at most a byte more than a document may have, or than is left.
func (a *assembler) read(p *packing, b []byte) ([]byte, error) {
	r, err := p.open(interruptible{a.ctx, bytes.NewReader(b)})
	if err != nil {
		return nil, err
	}
	if z, ok := r.(*zstd.Decoder); ok {
		defer z.Close()
	}
	return io.ReadAll(io.LimitReader(interruptible{a.ctx, r}, int64(min(MaxBytes, a.left)+1)))
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
