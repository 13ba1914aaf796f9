package yamltree

import (
	"bytes"
	"unicode/utf8"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// A checker reads a text by the grammar of YAML 1.2 and says, in our words, where it first goes wrong.
//
// The parser that builds the tree names a line at best, often a neighbouring one, and lets a good part of
// what the grammar forbids pass. The checker builds nothing. It goes over the text once, before the parser
// does, and so also keeps nesting and size of what the parser is given within bounds.
//
// Its methods return false once the slip is found.
type checker struct {
	file *source.File
	b    []byte
	i    int // the offset of the next byte
	bol  int // the offset of the line it is on

	depth, nodes, aliases int
	anchors               map[string]bool
	handles               map[string]bool // those of %TAG
	version               int             // where the version of YAML is named, or -1
	// strayTab is the first tab in front of a comment or on a line of nothing else, or -1. Whether it hurts
	// depends on what is above it, so it matters only if the parser refuses the text.
	strayTab int
	// text is where the last block scalar begins. It ends at textEnd, or with comments alone in between.
	text, textEnd int

	slip *diag.Diagnostic
}

// check returns the checker after it has gone over a text. nodes are those of the texts before it.
func check(f *source.File, nodes int) *checker {
	c := &checker{file: f, b: f.Bytes, nodes: nodes, anchors: map[string]bool{}, handles: map[string]bool{}, version: -1, strayTab: -1}
	if bytes.HasPrefix(c.b, []byte(byteOrderMark)) {
		c.i, c.bol = len(byteOrderMark), len(byteOrderMark)
	}
	c.document()
	return c
}

// fail notes the slip between two offsets; an empty stretch becomes the character at its start.
func (c *checker) fail(rule *diag.Rule, from, to int, detail, format string, args ...any) bool {
	if to <= from {
		_, size := utf8.DecodeRune(c.b[from:])
		to = from + size
	}
	d := diag.New(rule, c.file.Range(from, to), format, args...)
	d.Detail = detail
	c.slip = &d
	return false
}

// see adds a second place to the slip.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func (c *checker) see(from, to int, message string) bool {
	c.slip.Related = append(c.slip.Related, diag.Related{Message: message, At: c.file.Range(from, to)})
	return false
}

// at is the byte k after the next one; 0, which no text holds, where the text has ended.
func (c *checker) at(k int) byte {
	if c.i+k < len(c.b) {
		return c.b[c.i+k]
	}
	return 0
}

func (c *checker) col() int { return c.i - c.bol }

func (c *checker) line(offset int) int { return c.file.Pos(offset).Line }

// newline passes a line end.
func (c *checker) newline() {
	if c.at(0) == '\r' && c.at(1) == '\n' {
		c.i++
	}
	c.i++
	c.bol = c.i
}

// spell writes a character of YAML's as a finding shows it.
func spell(b byte) string {
	switch b {
	case '"':
		return "double quote"
	case '\'':
		return "single quote"
	}
	return `"` + string(rune(b)) + `"`
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }
func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// isSpace says that a byte ends a word: blank, line end or end of text.
func isSpace(b byte) bool { return b == 0 || isBlank(b) || isBreak(b) }

func isFlow(b byte) bool {
	return b == ',' || b == '[' || b == ']' || b == '{' || b == '}'
}

// indicator says that the next byte is b, standing alone.
func (c *checker) indicator(b byte) bool { return c.at(0) == b && isSpace(c.at(1)) }

// ended says that the document goes no further: the text ends here, or a line of --- or ... begins.
func (c *checker) ended() bool { return c.i >= len(c.b) || c.marker("---") || c.marker("...") }

func (c *checker) marker(m string) bool {
	return c.i == c.bol && bytes.HasPrefix(c.b[c.i:], []byte(m)) && isSpace(c.at(len(m)))
}

// comment passes a comment, if one is here: its # begins the line or follows a blank.
func (c *checker) comment() bool {
	if c.at(0) != '#' || c.i > c.bol && !isBlank(c.b[c.i-1]) {
		return false
	}
	c.restOfLine()
	return true
}

func (c *checker) restOfLine() {
	for c.i < len(c.b) && !isBreak(c.b[c.i]) {
		c.i++
	}
}

func (c *checker) blanks() {
	for isBlank(c.at(0)) {
		c.i++
	}
}

// gap passes blanks, comments and line ends up to what comes next. A tab that indents it is a slip.
func (c *checker) gap() bool {
	if c.i == c.textEnd {
		defer func() { c.textEnd = c.i }()
	}
	for {
		from := c.i
		c.blanks()
		tab := -1
		if from == c.bol {
			if k := bytes.IndexByte(c.b[from:c.i], '\t'); k >= 0 {
				tab = from + k
			}
		}
		comment := c.comment()
		ended := c.i >= len(c.b)
		if tab >= 0 && c.strayTab < 0 && (ended || isBreak(c.at(0))) {
			c.strayTab = tab
		}
		switch {
		case isBreak(c.at(0)):
			c.newline()
		case comment || ended:
			return true
		default:
			return tab < 0 || c.failTab(tab)
		}
	}
}

func (c *checker) failTab(at int) bool {
	to := at
	for to < len(c.b) && c.b[to] == '\t' {
		to++
	}
	return c.fail(rules.YAMLTab, at, to, "use spaces", "tabs cannot indent YAML")
}

// enter counts a collection that begins at an offset. The caller subtracts it from depth at its end.
func (c *checker) enter(at int) bool {
	if c.depth++; c.depth > maxDepth {
		return c.fail(rules.YAMLTooLarge, at, 0, "", "more than %d levels of nesting", maxDepth)
	}
	return true
}

func (c *checker) count() bool {
	if c.nodes++; c.nodes > maxNodes {
		return c.fail(rules.YAMLTooLarge, c.i, 0, "", "more than %d values", maxNodes)
	}
	return true
}

// document reads the whole text: at most one document.
func (c *checker) document() bool {
	if !c.gap() {
		return false
	}
	after, directives := afterNothing, c.at(0) == '%' && c.i == c.bol
	for c.at(0) == '%' && c.i == c.bol {
		if !c.directive() || !c.gap() {
			return false
		}
	}
	switch {
	case c.marker("---"):
		c.i += len("---")
		after = afterMarker
	case directives:
		return c.fail(rules.YAMLSyntax, c.i, 0, "write a line of --- above it", "a document after a directive (%%) begins with ---")
	}
	if !c.node(after, -1) || !c.gap() {
		return false
	}
	closed := false
	for c.marker("...") {
		c.i += len("...")
		if !c.lineEnd("remove it") || !c.gap() {
			return false
		}
		closed = true
	}
	switch {
	case c.marker("---") || closed && c.i < len(c.b):
		return c.fail(rules.YAMLMultipleDocuments, c.i, c.wordEnd(), "", "a second document begins here")
	case c.i < len(c.b):
		return c.fail(rules.YAMLSyntax, c.i, c.wordEnd(), "", "the document has ended before this line")
	}
	return true
}

func (c *checker) directive() bool {
	from := c.i
	c.restOfLine()
	words := bytes.Fields(c.b[from:c.i])
	for i, w := range words {
		if w[0] == '#' {
			words = words[:i]
			break
		}
	}
	name := ""
	if len(words) > 0 {
		name = string(words[0])
	}
	switch {
	case name == "%YAML" && len(words) == 2 && (string(words[1]) == "1.1" || string(words[1]) == "1.2"):
		if c.version >= 0 {
			return c.fail(rules.YAMLSyntax, from, c.i, "remove the line", "a second version of YAML")
		}
		c.version = from + bytes.Index(c.b[from:c.i], words[1])
	case name == "%TAG" && len(words) == 3 && isHandle(words[1]):
		if c.handles[string(words[1])] {
			return c.fail(rules.YAMLSyntax, from, c.i, "remove the line", "the handle %s is there already", words[1])
		}
		c.handles[string(words[1])] = true
	default:
		return c.fail(rules.YAMLSyntax, from, c.i, "remove the line", "a directive (%%) that is not known here")
	}
	return true
}

// isHandle says that a word is what %TAG can name: !, !! or !name!.
func isHandle(word []byte) bool {
	if string(word) == "!" {
		return true
	}
	for i, b := range word {
		if mark := i == 0 || i == len(word)-1; mark != (b == '!') || !mark && !isNameByte(b) {
			return false
		}
	}
	return len(word) > 1
}

// properties are the anchor and the tag in front of a node.
type properties struct{ anchor, tag bool }

// add joins two sets of them; false if both have the same.
func (p *properties) add(o properties) bool {
	twice := p.anchor && o.anchor || p.tag && o.tag
	p.anchor, p.tag = p.anchor || o.anchor, p.tag || o.tag
	return !twice
}

// properties reads them as far as they stand on this line.

func (c *checker) properties(p *properties, flow bool) bool {
	for {
		from := c.i
		switch {
		case c.at(0) == '&' && !p.anchor:
			p.anchor = true
			name, ok := c.name()
			if !ok {
				return false
			}
			c.anchors[name] = true
		case c.at(0) == '!' && !p.tag:
			p.tag = true
			if !c.tag(flow) {
				return false
			}
		default:
			return true
		}
		if b := c.at(0); !isSpace(b) && !(flow && isFlow(b)) {
			return c.fail(rules.YAMLQuote, from, c.i+1, "quote the value if the character is part of it",
				"%s begins an anchor or a tag, and this is none", spell(c.b[from]))
		}
		c.blanks()
	}
}

// name reads the name after & or *.
func (c *checker) name() (string, bool) {
	from := c.i
	for c.i++; isNameByte(c.at(0)); c.i++ {
	}
	if c.i == from+1 {
		what := "an anchor"
		if c.b[from] == '*' {
			what = "an alias"
		}
		return "", c.fail(rules.YAMLAlias, from, 0, "quote the value", "an unquoted %s begins %s, and there is no name after it", spell(c.b[from]), what)
	}
	return string(c.b[from+1 : c.i]), true
}

func isNameByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-'
}

// tag reads !, !name, !!name, !handle!name or !<uri>.
func (c *checker) tag(flow bool) bool {
	from := c.i
	if c.at(1) == '<' {
		for c.i += 2; !isSpace(c.at(0)); c.i++ {
			if c.at(0) == '>' {
				c.i++
				if uri := c.b[from+2 : c.i-1]; len(uri) == 0 || string(uri) == "!" {
					return c.fail(rules.YAMLSyntax, from, c.i, "remove the tag", "this tag has no name")
				}
				return true
			}
		}
		return c.fail(rules.YAMLUnclosed, from, c.i, "", "this tag has no closing >")
	}
	for c.i++; !isSpace(c.at(0)) && !isFlow(c.at(0)); c.i++ {
	}
	if flow && c.at(0) == ',' {
		return c.fail(rules.YAMLQuote, from, c.i+1, "write a blank between the two, or quote the value if the ! is part of it",
			"the comma is read as a part of the tag before it")
	}
	if k := bytes.IndexByte(c.b[from+1:c.i], '!'); k > 0 && !c.handles[string(c.b[from:from+k+2])] {
		return c.fail(rules.YAMLSyntax, from, c.i, "remove the tag, or quote the value if it is part of it", "no %%TAG above says what %s stands for", c.b[from:from+k+2])
	}
	return true
}

// alias reads *name.
func (c *checker) alias() bool {
	from := c.i
	name, ok := c.name()
	if !ok {
		return false
	}
	if !c.anchors[name] {
		return c.fail(rules.YAMLAlias, from, c.i, "quote the value if it merely begins with *", "no anchor &%s above this alias", name)
	}
	if c.aliases++; c.aliases > maxAliases {
		return c.fail(rules.YAMLAlias, from, c.i, "", "more than %d aliases", maxAliases)
	}
	return true
}
