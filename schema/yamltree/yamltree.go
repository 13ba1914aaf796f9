// Package yamltree turns YAML text into a tree whose every node knows its exact place, so that a finding can
// point at a value down to the column.
//
// [Parse] is the one thing to call. It says what is wrong with a text that is not YAML in words of its own,
// and refuses what would not be understood alike everywhere: duplicate keys, a second document, keys that
// are no text, aliases without end. It knows nothing of what the values mean; in particular it converts none
// of them.
//
// This is the only package that imports gopkg.in/yaml.v3, which resolves tags, escapes and folding. What
// that library does not tell (where a value ends, and what exactly is wrong) is found in the text.
package yamltree

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// What a document may have at most. maxNodes counts every alias as a copy; maxCopied is how many bytes of values
// aliases may stand for beyond as many as are read; after maxFindings the rest of the document is not looked at.
const (
	maxBytes    = 32 << 20
	maxDepth    = 64
	maxNodes    = 200_000
	maxAliases  = 1_000
	maxCopied   = 1 << 20
	maxFindings = 1_000
)

const byteOrderMark = "\xEF\xBB\xBF"

// A Reader reads documents that become one: the values that one may have, they have in all, or a thousand small
// parts would be worth a thousand large ones. The zero value is ready.
type Reader struct {
	nodes  int // so far, every alias counted as a copy
	read   int // bytes of text
	copied int // bytes of values that aliases stand for
}

// Parse reads the one YAML document of a file that stands alone.
func Parse(f *source.File) (*Node, diag.List) { return new(Reader).Parse(f) }

// Parse reads the one YAML document of a file.
//
// A file that is not YAML gives no node and one finding, the first slip. Duplicate keys and keys that are no
// text are found all together, and the tree is without them; so are values that do not fit their tag, and
// aliases and merges that lead nowhere. A text of comments alone is a Null node.
//
// Of a file that was made of another, the places are in that other one.
func (r *Reader) Parse(f *source.File) (*Node, diag.List) {
	if f.IsMade() {
		root, found := r.Parse(f.Bare())
		root.placeIn(f)
		return root, placedIn(f, found)
	}
	if d := checkText(f); d != nil {
		return nil, diag.List{*d}
	}
	c := check(f, r.nodes)
	if c.slip != nil {
		return nil, diag.List{*c.slip}
	}
	text := f.Bytes
	if c.version >= 0 { // which the parser takes for one thing only, though it reads both alike
		text = bytes.Clone(text)
		copy(text[c.version:], "1.1")
	}
	var doc yaml.Node
	if err := unmarshal(text, &doc); err != nil {
		if c.strayTab >= 0 {
			d := diag.New(rules.YAMLTab, f.Range(c.strayTab, c.strayTab+1), "tabs cannot indent YAML")
			d.Detail = "use spaces"
			return nil, diag.List{d}
		}
		d := diag.New(rules.YAMLSyntax, errorLine(f, err), "this is not valid YAML")
		d.Detail = "look at this line and the ones around it"
		return nil, diag.List{d}
	}
	if len(doc.Content) == 0 {
		return &Node{Kind: Null, Tag: "!!null", Range: f.Range(len(f.Bytes), len(f.Bytes))}, nil
	}
	r.read += len(f.Bytes)
	b := &builder{Reader: r, file: f, b: f.Bytes, here: place{line: f.FirstLine()}, anchored: map[*yaml.Node]*anchored{}}
	root, _ := b.node(doc.Content[0])
	return root, b.found
}

// unmarshal guards against a parser that panics.
func unmarshal(b []byte, doc *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: panic: %v", r)
		}
	}()
	return yaml.Unmarshal(b, doc)
}

// errorLine is the line that a parser's error names, which may be a neighbour of the right one; the first
// line if it names none.
func errorLine(f *source.File, err error) source.Range {
	line := 1
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		digits, _, _ := strings.Cut(rest, ":")
		if n, err := strconv.Atoi(digits); err == nil {
			line = min(max(n, 1), f.Lines())
		}
	}
	return f.LineRange(f.FirstLine() + line - 1)
}

func refusal(f *source.File, rule *diag.Rule, from, to int, detail, format string, args ...any) *diag.Diagnostic {
	d := diag.New(rule, f.Range(from, to), format, args...)
	d.Detail = detail
	return &d
}

// checkText finds what is too long, not UTF-8, or holds characters that YAML or a reader would trip over.
func checkText(f *source.File) *diag.Diagnostic {
	b := f.Bytes
	if len(b) > maxBytes {
		return refusal(f, rules.YAMLTooLarge, 0, 0, "", "the text is longer than %d MiB", maxBytes>>20)
	}
	if bytes.HasPrefix(b, []byte("\xFF\xFE")) || bytes.HasPrefix(b, []byte("\xFE\xFF")) || len(b) > 1 && (b[0] == 0) != (b[1] == 0) {
		return refusal(f, rules.TextEncoding, 0, min(len(b), 2), "save the file as UTF-8", "the text is in UTF-16")
	}
	for i := 0; i < len(b); {
		if b[i] >= ' ' && b[i] < 0x7F || b[i] == '\n' || b[i] == '\t' || b[i] == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return refusal(f, rules.TextEncoding, i, i+1, "save the file as UTF-8", "the byte 0x%02X is not UTF-8", b[i])
		case r < ' ' || r >= 0x7F && r < 0xA0:
			return refusal(f, rules.TextEncoding, i, i+size, "remove it, or write it as an escape in double quotes", "a control character (U+%04X)", r)
		case r == '\u2028' || r == '\u2029':
			return refusal(f, rules.TextEncoding, i, i+size, "end the line as usual, or write it as an escape in double quotes", "an invisible line separator (U+%04X)", r)
		case r == '\uFEFF' && i > 0:
			return refusal(f, rules.TextEncoding, i, i+size, "remove it", "an invisible byte order mark (U+FEFF) inside the text")
		case r >= 0xFFFE && r <= 0xFFFF:
			return refusal(f, rules.TextEncoding, i, i+size, "remove it", "U+%04X is not a character", r)
		}
		i += size
	}
	return nil
}
