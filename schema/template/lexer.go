package template

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a token is. The zero value is the end of the template.
type kind uint8

const (
	atEnd kind = iota
	plainText
	printStart
	printEnd
	blockStart
	blockEnd
	nameToken
	textToken
	numberToken
	operator
)

// token is a piece of a template, from one offset to another.
type token struct {
	kind     kind
	from, to int32
	text     string // of a name, an operator or a text in quotes
	number   any    // int64 or float64
}

// maxTokens is how many pieces a template may have.
const maxTokens = 300_000

// A lexer cuts a template up as Jinja does where blocks are trimmed.
//
// Source: jinja2 3.1.6, lexer.py (2025).
type lexer struct {
	text   []byte // up to the end of the template
	i      int
	tokens []token
	slip   *slip
}

// slip is what is wrong with a template, between two offsets.
type slip struct {
	from, to        int
	summary, detail string
}

func (l *lexer) fail(from, to int, summary, detail string) {
	if l.slip == nil {
		l.slip = &slip{from, to, summary, detail}
	}
	l.i = len(l.text)
}

func (l *lexer) add(t token) {
	if len(l.tokens) < maxTokens {
		l.tokens = append(l.tokens, t)
	}
}

// run reads the template from where the lexer stands.
func (l *lexer) run() {
	for l.i < len(l.text) && len(l.tokens) < maxTokens {
		from := l.i
		open := l.opening(from)
		if open < 0 {
			l.data(from, len(l.text), 0)
			l.i = len(l.text)
			break
		}
		l.i = open + 2
		sign := l.sign()
		l.data(from, open, sign)
		switch l.text[open+1] {
		case '#':
			l.comment(open)
		case '{':
			l.tag(open, printStart, "}}")
		default:
			if !l.raw(open) {
				l.tag(open, blockStart, "%}")
			}
		}
	}
}

// opening is the offset of the next tag, or -1.
func (l *lexer) opening(from int) int {
	for i := from; ; i++ {
		k := bytes.IndexByte(l.text[i:], '{')
		if k < 0 || i+k+1 >= len(l.text) {
			return -1
		}
		if i += k; strings.IndexByte("{%#", l.text[i+1]) >= 0 {
			return i
		}
	}
}

// sign passes a - or + behind the beginning of a tag.
func (l *lexer) sign() byte {
	if l.i < len(l.text) && (l.text[l.i] == '-' || l.text[l.i] == '+') {
		l.i++
		return l.text[l.i-1]
	}
	return 0
}

func (l *lexer) data(from, to int, sign byte) {
	if sign == '-' {
		to = from + len(bytes.TrimRightFunc(l.text[from:to], isSpace))
	}
	if to > from {
		l.add(token{kind: plainText, from: int32(from), to: int32(to)})
	}
}

// isSpace says what Python takes for white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F }

func (l *lexer) skipSpace() {
	for l.i < len(l.text) {
		r, size := utf8.DecodeRune(l.text[l.i:])
		if !isSpace(r) {
			return
		}
		l.i += size
	}
}

// closed passes what ends a tag, if it is here, and the white space that goes with it. A block takes the line end
// behind it along.
func (l *lexer) closed(end string) bool {
	rest := l.text[l.i:]
	switch {
	case bytes.HasPrefix(rest, []byte("-"+end)):
		l.i += 1 + len(end)
		l.skipSpace()
	case end != "}}" && bytes.HasPrefix(rest, []byte("+"+end)):
		l.i += 1 + len(end)
	case bytes.HasPrefix(rest, []byte(end)):
		l.i += len(end)
		if end != "}}" && l.i < len(l.text) && l.text[l.i] == '\n' {
			l.i++
		}
	default:
		return false
	}
	return true
}

func (l *lexer) comment(open int) {
	k := bytes.Index(l.text[l.i:], []byte("#}"))
	if k < 0 {
		l.fail(open, open+2, "the comment does not end", "close it with #}")
		return
	}
	if k > 0 && (l.text[l.i+k-1] == '-' || l.text[l.i+k-1] == '+') {
		k--
	}
	l.i += k
	l.closed("#}")
}

// raw takes a text in which nothing is a tag, if one begins here.
func (l *lexer) raw(open int) bool {
	begin := l.i
	if !l.word("raw") {
		return false
	}
	if bytes.HasPrefix(l.text[l.i:], []byte("%}")) {
		l.i += 2 // without the line end, unlike any other block
	} else if !bytes.HasPrefix(l.text[l.i:], []byte("-%}")) || !l.closed("%}") {
		l.i = begin
		return false
	}
	for from, at := l.i, l.i; ; {
		k := bytes.Index(l.text[at:], []byte("{%"))
		if k < 0 {
			l.fail(open, l.end(open), "the raw block does not end", "close it with {% endraw %}")
			return true
		}
		at += k + 2
		l.i = at
		sign := l.sign()
		if l.word("endraw") && l.closed("%}") {
			l.data(from, at-2, sign)
			return true
		}
	}
}

// word passes a word and the white space around it.
func (l *lexer) word(w string) bool {
	l.skipSpace()
	if !bytes.HasPrefix(l.text[l.i:], []byte(w)) {
		return false
	}
	l.i += len(w)
	l.skipSpace()
	return true
}

// end is the end of the line that an offset is in.
func (l *lexer) end(offset int) int {
	if k := bytes.IndexByte(l.text[offset:], '\n'); k >= 0 {
		return offset + k
	}
	return len(l.text)
}

// tag cuts up what is inside a tag. A tag does not end inside brackets.
func (l *lexer) tag(open int, start kind, end string) {
	l.add(token{kind: start, from: int32(open), to: int32(l.i)})
	var brackets []byte
	for l.skipSpace(); l.i < len(l.text); l.skipSpace() {
		from := l.i
		if len(brackets) == 0 && l.closed(end) {
			to := from + bytes.Index(l.text[from:], []byte(end)) + len(end)
			l.add(token{kind: start + 1, from: int32(from), to: int32(to)})
			return
		}
		if len(l.tokens) == maxTokens {
			return
		}
		if l.number() || l.name() || l.quoted() {
			continue
		}
		op := l.operator()
		switch op {
		case "":
			_, size := utf8.DecodeRune(l.text[from:])
			l.fail(from, from+size, "no part of a template begins with "+strconv.Quote(string(l.text[from:from+size])), "quote a text, and close the tag with "+end)
			return
		case "(", "[", "{":
			brackets = append(brackets, "()[]{}"[strings.Index("()[]{}", op)+1])
		case ")", "]", "}":
			if len(brackets) == 0 || brackets[len(brackets)-1] != op[0] {
				l.fail(from, l.i, strconv.Quote(op)+" closes nothing", "remove it, or open it before")
				return
			}
			brackets = brackets[:len(brackets)-1]
		}
		if len(brackets) > maxNesting {
			l.fail(from, l.i, "the brackets are nested too deep", "")
			return
		}
		l.add(token{kind: operator, from: int32(from), to: int32(l.i), text: op})
	}
	if l.slip == nil {
		l.fail(open, open+2, "the tag does not end", "close it with "+end)
	}
}

func (l *lexer) operator() string {
	for _, op := range [...]string{"//", "**", "==", "!=", ">=", "<="} {
		if bytes.HasPrefix(l.text[l.i:], []byte(op)) {
			l.i += 2
			return op
		}
	}
	if k := strings.IndexByte("+-/*%~[](){}<>=.:|,;", l.text[l.i]); k >= 0 {
		l.i++
		return "+-/*%~[](){}<>=.:|,;"[k : k+1]
	}
	return ""
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func (l *lexer) name() bool {
	from := l.i
	l.i += len(l.text[from:]) - len(bytes.TrimLeftFunc(l.text[from:], isNameRune))
	if l.i == from {
		return false
	}
	l.add(token{kind: nameToken, from: int32(from), to: int32(l.i), text: string(l.text[from:l.i])})
	return true
}

// number reads an integer or a number with a point or an exponent. What begins with a digit is nothing else.
func (l *lexer) number() bool {
	if l.text[l.i] < '0' || l.text[l.i] > '9' {
		return false
	}
	from := l.i
	for l.i < len(l.text) && (isNameRune(rune(l.text[l.i])) && l.text[l.i] < utf8.RuneSelf) {
		exponent := l.text[l.i]|0x20 == 'e' && !bytes.HasPrefix(l.text[from:], []byte("0x"))
		l.i++
		if exponent && l.i < len(l.text) && (l.text[l.i] == '-' || l.text[l.i] == '+') {
			l.i++
		}
		afterDot := from > 0 && l.text[from-1] == '.' // ds.0.1 is no fraction
		if l.i+1 < len(l.text) && l.text[l.i] == '.' && l.text[l.i+1] >= '0' && l.text[l.i+1] <= '9' && !afterDot && bytes.IndexByte(l.text[from:l.i], '.') < 0 {
			l.i++
		}
	}
	t := token{kind: numberToken, from: int32(from), to: int32(l.i)}
	written := string(l.text[from:l.i])
	digits := strings.ReplaceAll(written, "_", "")
	leadingZero := len(strings.TrimLeft(digits, "0")) < len(digits) && strings.Trim(digits, "0") != "" && strings.Trim(digits, "0123456789") == ""
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil && !leadingZero && !strings.HasSuffix(written, "_") {
		t.number = n
	} else if f, err := strconv.ParseFloat(digits, 64); err == nil && strings.ContainsAny(digits, ".eE") && !strings.ContainsAny(digits, "xX") && !math.IsInf(f, 0) {
		t.number = f
	} else {
		l.fail(from, l.i, strconv.Quote(written)+" is not a number", "write a number without leading zeros, of at most 18 digits, or quote it")
		return true
	}
	l.add(t)
	return true
}

// quoted reads a text in quotes with the escapes of Python.
func (l *lexer) quoted() bool {
	quote := l.text[l.i]
	if quote != '"' && quote != '\'' {
		return false
	}
	from := l.i
	var b strings.Builder
	for l.i++; l.i < len(l.text) && l.text[l.i] != quote; {
		if l.text[l.i] != '\\' {
			b.WriteByte(l.text[l.i])
			l.i++
			continue
		}
		if !l.escape(&b) {
			return true
		}
	}
	if l.i >= len(l.text) {
		l.fail(from, l.end(from), "the text does not end", "close it with "+string(quote))
		return true
	}
	l.i++
	l.add(token{kind: textToken, from: int32(from), to: int32(l.i), text: b.String()})
	return true
}

// escape reads what stands behind a backslash.
func (l *lexer) escape(b *strings.Builder) bool {
	from := l.i
	l.i += 2
	if l.i > len(l.text) {
		return true
	}
	c := l.text[l.i-1]
	digits, base := 0, 16
	switch {
	case c == '\n':
		return true
	case c == 'x':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c >= '0' && c <= '7':
		l.i--
		for base = 8; digits < 3 && l.i+digits < len(l.text) && l.text[l.i+digits] >= '0' && l.text[l.i+digits] <= '7'; digits++ {
		}
	default:
		if k := strings.IndexByte(`\'"abfnrtv`, c); k >= 0 {
			b.WriteByte("\\'\"\a\b\f\n\r\t\v"[k])
		} else {
			b.Write(l.text[from:l.i])
		}
		return true
	}
	end := min(l.i+digits, len(l.text))
	n, err := strconv.ParseUint(string(l.text[l.i:end]), base, 32)
	if err != nil || end-l.i < digits || !utf8.ValidRune(rune(n)) {
		l.fail(from, end, "the escape in the text stands for no character", `write \\ for a backslash`)
		return false
	}
	l.i = end
	b.WriteRune(rune(n))
	return true
}
