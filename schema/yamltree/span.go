package yamltree

import (
	"sort"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/source"
)

// Span is where the bytes of Value from one offset to another stand in the file that the node is from, as far
// as they are on the line on which they begin. It is exact in every style: an escape is pointed at as a whole,
// a character as a whole even if the offsets are inside it, and a line end is the empty range at the end of its
// line. It is the range of the node where f is not the file of the node, or where the value is not what is
// written there, as of a node that was made and not parsed.
func (n *Node) Span(f *source.File, from, to int) source.Range {
	begin := n.Range.Start.Offset
	if n.made != nil {
		f, begin = n.made, n.start
	}
	if f == nil || n.Kind != Scalar || n.Range.File != f.Name || n.Value == "" {
		return n.Range
	}
	n.trace(f, begin)
	if len(n.pieces) == 0 {
		return n.Range
	}
	from = min(max(from, 0), len(n.Value))
	to = min(max(to, from), len(n.Value))
	for from > 0 && from < len(n.Value) && !utf8.RuneStart(n.Value[from]) {
		from--
	}
	for to < len(n.Value) && !utf8.RuneStart(n.Value[to]) {
		to++
	}
	start := n.end(from)
	if from < len(n.Value) {
		start, _ = n.written(from)
	}
	end := start
	if to > from {
		_, end = n.written(to - 1)
	}
	for i := start; i < end; i++ {
		if isBreak(f.Bytes[i]) {
			for end = i; end > start && isBlank(f.Bytes[end-1]); end-- {
			}
		}
	}
	return f.Range(start, end)
}

// Text is the value of a scalar as a text of its own, whose places are where it is written in f, the file that the node
// is from. It is nil where the value is not what is written there.
func (n *Node) Text(f *source.File) *source.File {
	f, begin := f.Whole(), n.Range.Start.Offset
	if n.made != nil {
		f, begin = n.made, n.start
	}
	if n.Kind != Scalar || n.Range.File != f.Name || n.Value == "" {
		return nil
	}
	n.trace(f, begin)
	if len(n.pieces) == 0 {
		return nil
	}
	stretches := make([]source.Stretch, len(n.pieces))
	for i, p := range n.pieces {
		stretches[i] = source.Stretch{At: int32(p.at), From: int32(p.from), To: int32(p.to)}
	}
	return source.Made(f, []byte(n.Value), stretches)
}

// trace finds out where the value stands in the text that has it at an offset.
func (n *Node) trace(f *source.File, begin int) {
	if !n.traced {
		n.pieces, n.traced = trace(n, f.Bytes, begin), true
	}
}

// A piece is a stretch of a value that stands in the text as it is, or that something else of the text stands
// for: a line end, an escape, two quotes.
type piece struct {
	at       int // its offset in the value; it ends where the next one begins
	from, to int // where it is written
}

// written is where the byte at an offset is written, or what stands for it.
func (n *Node) written(offset int) (from, to int) {
	i := sort.Search(len(n.pieces), func(i int) bool { return n.pieces[i].at > offset }) - 1
	p, end := n.pieces[i], len(n.Value)
	if i+1 < len(n.pieces) {
		end = n.pieces[i+1].at
	}
	if p.to-p.from != end-p.at {
		return p.from, p.to
	}
	return p.from + offset - p.at, p.from + offset - p.at + 1
}

// end is where what is written of the bytes before an offset ends.
func (n *Node) end(offset int) int {
	if offset == 0 {
		return n.pieces[0].from
	}
	_, end := n.written(offset - 1)
	return end
}

// A tracer goes through what is written and through the value along with it, as the scanner of yaml.v3 v3.0.1
// did when it made the one of the other. It stops where the two part, and has no pieces then.
type tracer struct {
	b      []byte
	i      int
	value  string
	at     int // how much of the value is accounted for
	pieces []piece
	parted bool
}

// trace is the pieces of a scalar that begins at an offset, or none if its value is not what is written.
func trace(n *Node, b []byte, begin int) []piece {
	t := &tracer{b: b, i: begin, value: n.Value}
	switch n.Style {
	case Literal, Folded:
		t.block(n.Style == Folded)
	case SingleQuoted, DoubleQuoted:
		t.i++
		t.flow(n.Style)
	default:
		t.flow(Plain)
	}
	if t.parted || t.at != len(t.value) {
		return nil
	}
	return t.pieces
}

// put accounts for text by what is written between two offsets.
func (t *tracer) put(text string, from, to int) {
	if text == "" || t.parted || t.at == len(t.value) {
		return
	}
	if !strings.HasPrefix(t.value[t.at:], text) {
		t.parted = true
		return
	}
	if k := len(t.pieces) - 1; k >= 0 && to-from == len(text) {
		if last := &t.pieces[k]; last.to == from && last.to-last.from == t.at-last.at {
			last.to = to
			t.at += len(text)
			return
		}
	}
	t.pieces = append(t.pieces, piece{t.at, from, to})
	t.at += len(text)
}

// copy accounts for text that is written as it is.
func (t *tracer) copy(from, to int) { t.put(string(t.b[from:to]), from, to) }

func (t *tracer) done() bool { return t.parted || t.at == len(t.value) || t.i >= len(t.b) }

// lineBreak passes a line end, and returns where it is.
func (t *tracer) lineBreak() piece {
	from := t.i
	if t.b[t.i] == '\r' && t.i+1 < len(t.b) && t.b[t.i+1] == '\n' {
		t.i++
	}
	t.i++
	return piece{from: from, to: t.i}
}

func (t *tracer) putBreaks(breaks []piece) {
	for _, p := range breaks {
		t.put("\n", p.from, p.to)
	}
}

// fold accounts for line ends between two words: one is a space, of more the first is nothing. An escaped one
// is not among them.
func (t *tracer) fold(breaks []piece, escaped bool) {
	switch {
	case escaped:
		t.putBreaks(breaks)
	case len(breaks) == 1:
		t.put(" ", breaks[0].from, breaks[0].to)
	case len(breaks) > 1:
		t.putBreaks(breaks[1:])
	}
}

// flow traces a plain or a quoted scalar.
func (t *tracer) flow(style Style) {
	for !t.done() {
		escaped := false
		for !t.done() && !isSpace(t.b[t.i]) && !escaped {
			switch c := t.b[t.i]; {
			case style == SingleQuoted && c == '\'':
				t.put("'", t.i, t.i+2)
				t.i += 2
			case style == DoubleQuoted && c == '\\':
				escaped = t.escape()
			default:
				_, size := utf8.DecodeRune(t.b[t.i:])
				t.copy(t.i, t.i+size)
				t.i += size
			}
		}
		blank := t.i
		var breaks []piece
		for t.i < len(t.b) && isSpace(t.b[t.i]) && t.b[t.i] != 0 {
			if isBreak(t.b[t.i]) {
				breaks = append(breaks, t.lineBreak())
			} else {
				t.i++
			}
		}
		switch {
		case escaped || len(breaks) > 0:
			t.fold(breaks, escaped)
		default:
			t.copy(blank, t.i)
			if t.i < len(t.b) && t.b[t.i] == 0 {
				t.parted = true // no text holds it
			}
		}
	}
}

// escape passes an escape, and says whether it is one of a line end.
func (t *tracer) escape() bool {
	from := t.i
	if t.i++; t.i >= len(t.b) {
		t.parted = true
		return false
	}
	c := t.b[t.i]
	if isBreak(c) {
		t.lineBreak()
		return true
	}
	t.i++
	var r rune
	digits := escapeDigits(c)
	switch {
	case digits < 0 || t.i+digits > len(t.b):
		t.parted = true
		return false
	case digits > 0:
		for _, d := range t.b[t.i : t.i+digits] {
			r = r<<4 | rune(strings.IndexByte("0123456789abcdef", d|0x20))
		}
		t.i += digits
	default:
		r = escaped(c)
	}
	t.put(string(r), from, t.i)
	return false
}

// escaped is the character that a letter after a backslash stands for.
func escaped(letter byte) rune {
	switch letter {
	case '0':
		return 0
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'v':
		return '\v'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	case 'e':
		return 0x1B
	case 'N':
		return 0x85
	case '_':
		return 0xA0
	case 'L':
		return 0x2028
	case 'P':
		return 0x2029
	}
	return rune(letter)
}

// block traces a literal or a folded scalar.
func (t *tracer) block(folded bool) {
	for t.i < len(t.b) && !isBreak(t.b[t.i]) {
		t.i++
	}
	if t.i < len(t.b) {
		t.lineBreak()
	}
	indent := t.indentation()
	var breaks []piece // those since the last line that is not empty
	blankAbove := true
	for !t.done() {
		line := t.i
		for t.i < len(t.b) && t.b[t.i] == ' ' && t.i-line < indent {
			t.i++
		}
		if t.i < len(t.b) && isBreak(t.b[t.i]) {
			breaks = append(breaks, t.lineBreak())
			continue
		}
		if t.i >= len(t.b) || t.i-line < indent {
			break
		}
		blank := isBlank(t.b[t.i])
		if folded && !blank && !blankAbove {
			t.fold(breaks, false)
		} else {
			t.putBreaks(breaks)
		}
		breaks, blankAbove = breaks[:0], blank
		from := t.i
		for t.i < len(t.b) && !isBreak(t.b[t.i]) {
			t.i++
		}
		t.copy(from, t.i)
		if t.i < len(t.b) {
			breaks = append(breaks, t.lineBreak())
		}
	}
	t.putBreaks(breaks)
}

// indentation is how many spaces stand in front of the lines of a block: those that the first line which is not
// empty has in the text and not in the value.
func (t *tracer) indentation() int {
	text := strings.TrimLeft(t.value, "\n")
	if text == "" {
		return len(t.b)
	}
	i := t.i
	for above := len(t.value) - len(text); above > 0 && i < len(t.b); above-- {
		for i < len(t.b) && !isBreak(t.b[i]) {
			i++
		}
		if i+1 < len(t.b) && t.b[i] == '\r' && t.b[i+1] == '\n' {
			i++
		}
		i++
	}
	spaces := 0
	for i+spaces < len(t.b) && t.b[i+spaces] == ' ' {
		spaces++
	}
	return spaces - (len(text) - len(strings.TrimLeft(text, " ")))
}
