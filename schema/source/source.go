// Package source names places in what the user wrote.
//
// It knows nothing of YAML or of findings: a [File] is text under a name, a [Pos] is a place in it, and a
// [Range] is a stretch of it that names its file without holding it, so that a report never carries
// user-data along. A document inside a file, such as a part of a MIME message, is a [File.Piece] of it: places
// in the piece are places in the file that the user holds.
package source

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// File is a text as the user knows it.
type File struct {
	// Name is what diagnostics print: the path as given, "<stdin>", "user-data", "user-data part 2 (base64)".
	Name string
	// Bytes is the whole text.
	Bytes []byte
	// Line is the number that the first line of Bytes has in the file the user holds; 0 means 1.
	Line int
	// Type is what the text is said to be by what it came in: a media type in small letters, such as
	// "text/cloud-config". Empty means that nothing is said.
	Type string

	whole  *File   // of which this is a piece; nil if it is one itself
	base   int     // the offset of Bytes in whole
	made   *making // how it was made, if it is not what the user wrote
	starts []int32 // byte offset of each line, filled on first use; no text has 2 GiB
	runes  []int32 // code points before every stride, filled when first a column is far out
}

// Pos is a place in a file. The zero Pos is no place.
type Pos struct {
	// Line and Column count from 1. Column counts Unicode code points.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Offset counts bytes from 0 in the Bytes of the whole file.
	Offset int `json:"offset"`
}

// Range is a stretch of a file: Start is in it, End is the first place after it.
type Range struct {
	File  string `json:"file"`
	Start Pos    `json:"start"`
	End   Pos    `json:"end"`
	// Made tells apart what a template made several times of one place; 0 for what the user wrote.
	Made int `json:"-"`
}

// IsZero says that the range is no place at all, as for a value nobody wrote.
func (r Range) IsZero() bool { return r.Start.Line == 0 }

// String is "file:line:column", or "-" for no place.
func (r Range) String() string {
	if r.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", r.File, r.Start.Line, r.Start.Column)
}

// Before orders ranges of one file by where they start.
func (r Range) Before(o Range) bool {
	if r.Start.Line != o.Start.Line {
		return r.Start.Line < o.Start.Line
	}
	return r.Start.Column < o.Start.Column
}

// Piece is the text between two offsets, the first being where a line begins. It has the name of the file, and its
// places are those of the file.
func (f *File) Piece(from, to int) *File {
	if f.made != nil {
		p := Made(f, f.Bytes[from:to:to], []Stretch{{0, int32(from), int32(to)}})
		p.base = f.base + from
		return p
	}
	return &File{Name: f.Name, Bytes: f.Bytes[from:to:to], Line: f.Pos(from).Line, whole: f.Whole(), base: f.base + from}
}

// Whole is the file that this one is a piece of, and else the file itself. The offsets of places are offsets in it.
func (f *File) Whole() *File {
	if f.whole != nil {
		return f.whole
	}
	return f
}

// Base is the offset in the whole file at which this one begins.
func (f *File) Base() int { return f.base }

// Lines counts the lines of the file; a text without a line end has one.
func (f *File) Lines() int { return len(f.lineStarts()) }

// FirstLine is the number of the first line, never 0.
func (f *File) FirstLine() int {
	if f.Line == 0 {
		return 1
	}
	return f.Line
}

// Text returns line number n (as printed, so counted from FirstLine) without its line end, or nil.
func (f *File) Text(n int) []byte {
	starts, i := f.lineStarts(), n-f.FirstLine()
	if i < 0 || i >= len(starts) {
		return nil
	}
	end := len(f.Bytes)
	if i+1 < len(starts) {
		end = int(starts[i+1])
	}
	line := f.Bytes[starts[i]:end]
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}

// Pos is the place of an offset in Bytes; an offset outside the text is brought back into it.
func (f *File) Pos(offset int) Pos {
	offset = min(max(offset, 0), len(f.Bytes))
	if f.made != nil {
		offset, _ = f.made.places(offset, offset)
		return f.made.of.Pos(offset)
	}
	starts := f.lineStarts()
	i, _ := slices.BinarySearch(starts, int32(offset+1))
	i--
	return Pos{
		Line:   f.FirstLine() + i,
		Column: 1 + f.runeCount(int(starts[i]), offset),
		Offset: f.base + offset,
	}
}

// stride is how many bytes lie between two places of a long line whose columns are kept. Without them, a thousand
// findings in a line of a megabyte would each be counted out from its beginning.
const stride = 1 << 10

// runeCount counts the code points between two offsets.
func (f *File) runeCount(from, to int) int {
	if to-from < 4*stride {
		return utf8.RuneCount(f.Bytes[from:to])
	}
	if f.runes == nil {
		f.runes = make([]int32, 1, 1+len(f.Bytes)/stride)
		for at := 0; at+stride < len(f.Bytes); at += stride {
			a, b := f.boundary(at), f.boundary(at+stride)
			f.runes = append(f.runes, f.runes[len(f.runes)-1]+int32(utf8.RuneCount(f.Bytes[a:b])))
		}
	}
	i, j := from/stride+1, to/stride-1
	a, b := f.boundary(i*stride), f.boundary(j*stride)
	return utf8.RuneCount(f.Bytes[from:a]) + int(f.runes[j]-f.runes[i]) + utf8.RuneCount(f.Bytes[b:to])
}

// boundary is the first offset from another on at which no code point is cut in two.
func (f *File) boundary(at int) int {
	// Behind three bytes that go on, a fourth one begins nothing and goes on with nothing.
	for end := min(at+utf8.UTFMax-1, len(f.Bytes)); at < end && !utf8.RuneStart(f.Bytes[at]); at++ {
	}
	return at
}

// Offset is the offset in Bytes of a line and a column in code points; what lies outside is brought back in.
func (f *File) Offset(line, column int) int {
	starts := f.lineStarts()
	i := min(max(line-f.FirstLine(), 0), len(starts)-1)
	at, end := int(starts[i]), len(f.Bytes)
	if i+1 < len(starts) {
		end = int(starts[i+1])
	}
	for ; column > 1 && at < end; column-- {
		_, size := utf8.DecodeRune(f.Bytes[at:end])
		at += size
	}
	return at
}

// Range is the stretch between two offsets in Bytes.
func (f *File) Range(from, to int) Range {
	if f.made != nil {
		start, end := f.made.places(min(max(from, 0), len(f.Bytes)), min(max(to, 0), len(f.Bytes)))
		r := f.made.of.Range(start, end)
		r.Made = 1 + f.base + from
		return r
	}
	return Range{File: f.Name, Start: f.Pos(from), End: f.Pos(to)}
}

// LineRange is a whole line, from its first character that is no blank to its end.
func (f *File) LineRange(n int) Range {
	from := f.Offset(n, 1)
	text := f.Text(n)
	lead := 0
	for lead < len(text) && (text[lead] == ' ' || text[lead] == '\t') {
		lead++
	}
	return f.Range(from+lead, from+len(text))
}

func (f *File) lineStarts() []int32 {
	if f.starts == nil {
		f.starts = make([]int32, 1, 1+bytes.Count(f.Bytes, []byte("\n")))
		for i, b := range f.Bytes {
			if b == '\n' || b == '\r' && (i+1 == len(f.Bytes) || f.Bytes[i+1] != '\n') {
				f.starts = append(f.starts, int32(i+1))
			}
		}
	}
	return f.starts
}
