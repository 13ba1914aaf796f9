package lsp

import (
	"slices"
	"unicode/utf8"

	"cloudconfig/schema/source"
)

// encoding is what a character of a position is. Until the client offers better, UTF-16 units, as the protocol
// has it.
type encoding string

const (
	utf8Bytes  encoding = "utf-8"
	utf16Units encoding = "utf-16"
	codePoints encoding = "utf-32"
)

// choose takes what costs nothing to count, if the client offers it.
func choose(offered []string) encoding {
	for _, e := range []encoding{codePoints, utf8Bytes} {
		if slices.Contains(offered, string(e)) {
			return e
		}
	}
	return utf16Units
}

// width is how many characters a rune of a text counts for.
func (e encoding) width(r rune, size int) int {
	switch {
	case e == utf8Bytes:
		return size
	case e == utf16Units && r > 0xFFFF:
		return 2
	}
	return 1
}

// position is a place of ours as the client counts.
func (e encoding) position(f *source.File, p source.Pos) position {
	line := f.Text(p.Line)
	out := position{Line: p.Line - f.FirstLine()}
	for column := 1; column < p.Column && len(line) > 0; column++ {
		r, size := utf8.DecodeRune(line)
		out.Character += e.width(r, size)
		line = line[size:]
	}
	return out
}

func (e encoding) span(f *source.File, r source.Range) span {
	return span{Start: e.position(f, r.Start), End: e.position(f, r.End)}
}

// column is how many bytes of a line, given without its end, are before a character.
func (e encoding) column(line []byte, character int) int {
	at := 0
	for at < len(line) && character > 0 {
		r, size := utf8.DecodeRune(line[at:])
		character -= e.width(r, size)
		at += size
	}
	return at
}
