package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxPrinted is how much Print writes, in bytes. An alias is a few bytes of text, and all that it stands for once
// more.
const maxPrinted = 64 << 20

var errTooLong = errors.New("the document is longer than 64 MiB once every alias is written out")

// Print writes a tree as YAML that [Parse] reads as the same tree: kinds, tags and values are equal, and a scalar
// that was plain is plain again wherever it can be. Mappings and lists are blocks. note, if not nil, gives the
// comment behind a scalar, an empty list or an empty mapping: one line that begins with #, or nothing.
//
// The error is that of w, or says that the text would be longer than 64 MiB.
func Print(w io.Writer, n *Node, note func(*Node) string) error {
	p := &printing{w: w, note: note}
	switch {
	case n == nil:
	case n.Kind == Mapping && len(n.Pairs) > 0, n.Kind == Sequence && len(n.Items) > 0:
		if !isPlainTag(n) {
			p.put("--- " + tag(n.Tag) + "\n")
		}
		p.block(n, 0, false)
	default:
		p.put("---")
		p.value(n, 0, false)
	}
	p.flush()
	return p.err
}

type printing struct {
	w    io.Writer
	note func(*Node) string
	buf  bytes.Buffer
	size int
	err  error
}

func (p *printing) put(s string) {
	if p.size += len(s); p.size > maxPrinted && p.err == nil {
		p.err = errTooLong
	}
	if p.err == nil {
		p.buf.WriteString(s)
		if p.buf.Len() > 64<<10 {
			p.flush()
		}
	}
}

func (p *printing) flush() {
	if p.err == nil {
		_, p.err = p.w.Write(p.buf.Bytes())
	}
	p.buf.Reset()
}

func indent(n int) string { return strings.Repeat(" ", n) }

// block writes the entries of a list or mapping that has some, at a column. here says that the first one begins
// where the text is.
func (p *printing) block(n *Node, column int, here bool) {
	begin := func() {
		if !here {
			p.put(indent(column))
		}
		here = false
	}
	for _, item := range n.Items {
		if p.err != nil {
			return
		}
		begin()
		p.put("-")
		p.value(item, column, true)
	}
	for _, pair := range n.Pairs {
		if p.err != nil {
			return
		}
		begin()
		key := inline(pair.Key)
		if len(key) > 1000 { // the longest that a key may be without a mark of its own is 1,024
			key = "? " + key + "\n" + indent(column)
		}
		p.put(key + ":")
		p.value(pair.Value, column, false)
	}
}

// value writes what stands behind the dash or the key of a block at a column, and ends the line.
func (p *printing) value(n *Node, column int, dash bool) {
	if n.Kind == Mapping && len(n.Pairs) > 0 || n.Kind == Sequence && len(n.Items) > 0 {
		switch {
		case !isPlainTag(n):
			p.put(" " + tag(n.Tag) + "\n")
			dash = false
		case dash:
			p.put(" ")
		default:
			p.put("\n")
		}
		p.block(n, column+2, dash)
		return
	}
	comment := ""
	if p.note != nil {
		if text := p.note(n); text != "" {
			comment = "  " + text
		}
	}
	if header, lines, ok := literal(n, column+2); ok {
		p.put(" " + header + comment + "\n")
		p.put(lines)
		return
	}
	if text := inline(n); text != "" {
		p.put(" " + text)
	}
	p.put(comment + "\n")
}

// isPlainTag says that a list or mapping has the tag it has anyway.
func isPlainTag(n *Node) bool { return n.Tag == "!!seq" || n.Tag == "!!map" || n.Tag == "" }

func tag(t string) string {
	if strings.HasPrefix(t, "!") {
		return t
	}
	return "!<" + t + ">"
}

// inline is a value without entries, or a key, on one line.
func inline(n *Node) string {
	switch n.Kind {
	case Sequence, Mapping:
		text := map[Kind]string{Sequence: "[]", Mapping: "{}"}[n.Kind]
		if !isPlainTag(n) {
			text = tag(n.Tag) + " " + text
		}
		return text
	}
	plain := n.Style == Plain && isPlainText(n.Value)
	text, resolved := n.Value, "!!str"
	switch {
	case plain:
		resolved = (&yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}).ShortTag()
	case n.Style == SingleQuoted && !strings.ContainsAny(n.Value, "\n"):
		text = "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	default:
		text = quoted(n.Value)
	}
	if n.Tag != resolved && n.Tag != "" {
		text = strings.TrimRight(tag(n.Tag)+" "+text, " ")
	}
	return text
}

// isPlainText says that a text can stand without quotes, as a value on one line of a block. It is the empty text,
// which is null, or what no indicator begins and none is in.
func isPlainText(s string) bool {
	if s == "" {
		return true
	}
	if strings.ContainsAny(s, "\n\r") || strings.Contains(s, ": ") || strings.Contains(s, ":\t") || strings.Contains(s, " #") || strings.Contains(s, "\t#") {
		return false
	}
	if strings.HasSuffix(s, ":") || strings.Trim(s, " \t") != s {
		return false
	}
	switch s[0] {
	case '-', '?', ':':
		return len(s) > 1 && s[1] != ' ' && s[1] != '\t' && !strings.HasPrefix(s, "---")
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return false
	}
	return !strings.HasPrefix(s, "...")
}

// quoted is a text in double quotes.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case isPrintable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// isPrintable says that a character can stand in a document, as checkText has it.
func isPrintable(r rune) bool {
	return r == '\t' || r >= ' ' && r < 0x7f || r >= 0xa0 && r != 0x2028 && r != 0x2029 && r != 0xfeff && r != 0xfffe && r != 0xffff && r != utf8.RuneError
}

// literal is a text of several lines as a literal block: its header, and its lines at a column.
func literal(n *Node, column int) (header, lines string, ok bool) {
	text := n.Value
	if n.Kind != Scalar || !strings.Contains(text, "\n") || strings.Trim(text, "\n") == "" ||
		strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !isPrintable(r) }) {
		return "", "", false
	}
	header = "|"
	if text[0] == ' ' || text[0] == '\n' || text[0] == '\t' {
		header += "2" // else the first line would say how far the block is indented
	}
	switch body := strings.TrimRight(text, "\n"); {
	case body == text:
		header += "-"
	case len(text)-len(body) > 1:
		header += "+"
	}
	if n.Tag != "!!str" && n.Tag != "" {
		header = tag(n.Tag) + " " + header
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString(indent(column))
		}
		b.WriteString(line)
	}
	if !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	return header, b.String(), true
}
