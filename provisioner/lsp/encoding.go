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

func (e encoding) span(f *source.File, r source.Range) span {
	c := counter{encoding: e, file: f}
	return c.span(r)
}

// A counter gives the places of a file as the client counts. It goes on from where it was last, since findings come in
// the order of the text: in one line of a megabyte each would else be counted out from its beginning.
type counter struct {
	encoding
	file       *source.File
	start, end reached
}

// reached is how far a line is counted.
type reached struct {
	line, column, character int
	rest                    []byte
}

func (c *counter) position(r *reached, p source.Pos) position {
	if r.line != p.Line || r.column > p.Column {
		*r = reached{line: p.Line, column: 1, rest: c.file.Text(p.Line)}
	}
	for ; r.column < p.Column && len(r.rest) > 0; r.column++ {
		rune, size := utf8.DecodeRune(r.rest)
		r.character += c.width(rune, size)
		r.rest = r.rest[size:]
	}
	return position{Line: p.Line - c.file.FirstLine(), Character: r.character}
}

func (c *counter) span(r source.Range) span {
	return span{Start: c.position(&c.start, r.Start), End: c.position(&c.end, r.End)}
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
