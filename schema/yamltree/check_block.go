package yamltree

import (
	"bytes"
	"fmt"

	"cloudconfig/schema/rules"
)

// An opener is what a node comes after, which decides what may begin on the same line.
type opener byte

const (
	afterNothing  opener = iota
	afterMarker          // the --- of a document
	afterDash            // of a list item
	afterColon           // of a key
	afterQuestion        // the ? of a key that is written out
)

// node reads a value. It begins here or on a line below; if what comes next does not belong to it, it is
// empty. parent is the column of the block it belongs to, -1 for the document.
func (c *checker) node(after opener, parent int) bool {
	if !c.count() {
		return false
	}
	line, from := c.bol, c.i
	var above, here properties // those on lines of their own, and those on the line of the content
	var first int              // where a mapping begins, should its first key follow
	for {
		if !c.gap() {
			return false
		}
		if c.ended() || c.bol != line && !c.belongs(after, parent) {
			return true
		}
		first, here = c.i, properties{}
		if !c.properties(&here, false) {
			return false
		}
		if here == (properties{}) || !c.lineEnds() {
			break
		}
		if !above.add(here) {
			return c.failTwice(first)
		}
	}
	// On the line of its indicator, a block begins after a dash or ? alone, and spaces lead to it.
	inline := c.bol == line && after != afterNothing
	tab := -1
	if k := bytes.IndexByte(c.b[from:c.i], '\t'); inline && k >= 0 {
		tab = from + k
	}
	start, bol, col := c.i, c.bol, first-c.bol
	lead := c.at(0)
	switch {
	case c.indicator(':'):
		return c.failNoKey()
	case tab >= 0 && (after == afterDash || after == afterQuestion):
		return c.failTab(tab)
	case c.indicator('-'), c.indicator('?'):
		switch {
		case inline && (after == afterColon || after == afterMarker), here != (properties{}):
			return c.fail(rules.YAMLSyntax, start, start+1, "begin it on a line of its own, or quote the value",
				"a list or a mapping cannot begin here")
		case lead == '-':
			return c.sequence(col, parent)
		}
		return c.mapping(col)
	case lead == '|', lead == '>':
		return c.blockScalar(parent)
	}
	if !c.word(parent) {
		return false
	}
	if c.bol == bol && c.colonAhead() {
		switch {
		case lead == '*' && here != (properties{}):
			return c.failTwice(first)
		case inline && after == afterMarker:
			return c.fail(rules.YAMLSyntax, start, c.i, "begin it on a line of its own", "a mapping cannot begin on the line of ---")
		case inline && after == afterColon:
			return c.fail(rules.YAMLColon, c.i, c.i+1, "quote the value if the colon is part of it",
				"a second colon and space on the line of a key")
		}
		return c.count() && c.mapping(col)
	}
	if lead == '*' && (above != properties{} || here != properties{}) || !above.add(here) {
		return c.failTwice(first)
	}
	if isPlainLead(lead, c.b[start+1:]) {
		return c.morePlain(start, parent, inline && after == afterColon)
	}
	return c.valueEnd(start)
}

// belongs says that the line here is indented enough to be the value of what stands in column parent. A
// list may stand in the column of its key.
func (c *checker) belongs(after opener, parent int) bool {
	return c.col() > parent || (after == afterColon || after == afterQuestion) && c.col() == parent && c.indicator('-')
}

func (c *checker) failTwice(from int) bool {
	return c.fail(rules.YAMLSyntax, from, c.i, "", "a value has one anchor and one tag at most, and an alias none")
}

// mapping reads a block mapping in a column, from the colon of its first key or from the ? before it.
func (c *checker) mapping(col int) bool {
	begin := c.bol + col
	if !c.enter(begin) {
		return false
	}
	for {
		value, after := true, afterColon
		if c.indicator('?') {
			c.i++
			if !c.node(afterQuestion, col) || !c.gap() {
				return false
			}
			value, after = c.indicator(':') && c.col() == col, afterQuestion
		}
		if value {
			c.i++
			if !c.node(after, col) || !c.gap() {
				return false
			}
		}
		switch {
		case c.ended() || c.col() < col:
			c.depth--
			return true
		case c.col() > col:
			return c.failIndent(begin, col)
		case c.indicator('-'):
			c.fail(rules.YAMLIndent, c.i, c.i+1, "end the mapping first, or give the list a key", "a list item where a key of the mapping above is expected")
			return c.see(begin, begin+1, "the mapping begins here")
		case c.indicator('?'):
		case !c.key():
			return false
		}
	}
}

// key reads a key of a block mapping, up to its colon.
func (c *checker) key() bool {
	start, bol := c.i, c.bol
	var p properties
	if c.indicator(':') {
		return c.failNoKey()
	}
	if !c.count() || !c.properties(&p, false) {
		return false
	}
	if c.at(0) == '*' && p != (properties{}) {
		return c.failTwice(start)
	}
	if !c.lineEnds() {
		if !c.word(-1) {
			return false
		}
		if c.bol == bol && c.colonAhead() {
			return true
		}
	}
	if c.bol != bol {
		return c.failOpen(start)
	}
	return c.failNoColon(start)
}

// sequence reads a block sequence in a column, from its first dash.
func (c *checker) sequence(col, parent int) bool {
	begin := c.i
	if !c.enter(begin) {
		return false
	}
	for {
		c.i++
		if !c.node(afterDash, col) || !c.gap() {
			return false
		}
		switch {
		case c.ended() || c.col() < col || c.col() == col && col == parent && !c.indicator('-'):
			c.depth--
			return true
		case c.col() > col:
			return c.failIndent(begin, col)
		case !c.indicator('-'):
			c.fail(rules.YAMLIndent, c.i, c.wordEnd(), "indent it to make it part of the item above", "a list item is expected in this column")
			return c.see(begin, begin+1, "the list begins here")
		}
	}
}

// failIndent says that a line begins to the right of the block it would belong to.
func (c *checker) failIndent(begin, col int) bool {
	c.fail(rules.YAMLIndent, c.i, c.wordEnd(), "line it up with its neighbours",
		"this line is indented by %d, the block it belongs to by %d", c.col(), col)
	c.see(begin, begin+1, "the block begins here")
	return c.seeText()
}

// seeText adds, where a block scalar ends above the slip, that the line may have been meant for it.
func (c *checker) seeText() bool {
	if c.textEnd == c.slip.Subject.Start.Offset-c.file.Base() {
		c.slip.Detail = "indent it further if it is part of the text above"
		c.see(c.text, c.text+1, "the text begins here")
	}
	return false
}

// wordEnd is where the word that begins here ends; it points, and is not grammar.
func (c *checker) wordEnd() int {
	i := c.i
	for i < len(c.b) && !isSpace(c.b[i]) && c.b[i] != ':' {
		i++
	}
	return i
}

func (c *checker) failNoKey() bool {
	return c.fail(rules.YAMLKeyType, c.i, c.i+1, "write the key, or quote the value", "no key in front of this colon")
}

// failNoColon says that the word from start to here is no key.
func (c *checker) failNoColon(start int) bool {
	if k := colonWithoutSpace(c.b[start:c.i]); k >= 0 {
		return c.fail(rules.YAMLColon, start+k, start+k+1, "write a space between them", "no space between the colon and the value")
	}
	c.fail(rules.YAMLColon, start, c.i, "write its colon, or indent it further if it is part of the value above", "a key and its colon are expected here")
	if isTemplate(c.b[start:c.i]) {
		c.slip.Detail = renderFirst
		return false
	}
	return c.seeText()
}

const renderFirst = "a template has to be rendered first; quote it if it is text"

// isTemplate says that a text begins with the braces of a template.
func isTemplate(text []byte) bool {
	return bytes.HasPrefix(text, []byte("{{")) || bytes.HasPrefix(text, []byte("{%")) || bytes.HasPrefix(text, []byte("<%"))
}

// colonWithoutSpace finds the colon in hostname:web1, not the one of a URL; -1 if there is none.
func colonWithoutSpace(word []byte) int {
	for k := 1; k+1 < len(word); k++ {
		switch b := word[k]; {
		case b == ':' && word[k+1] != '/' && word[k+1] != ':':
			return k
		case b == '"' && word[0] == '"', b == '\'' && word[0] == '\'', isNameByte(b):
		default:
			return -1
		}
	}
	return -1
}

// morePlain reads on after the first line of a plain scalar. A line that holds a colon and a space ends in
// a slip: it looks like a key, and is part of the text.
func (c *checker) morePlain(start, parent int, inline bool) bool {
	first := c.i
	for {
		end, bol := c.i, c.bol
		c.blanks()
		for isBreak(c.at(0)) {
			c.newline()
			for c.at(0) == ' ' {
				c.i++
			}
			if c.col() > parent {
				c.blanks()
			}
		}
		if c.bol == bol || c.ended() || c.col() <= parent || c.at(0) == '#' {
			c.i, c.bol = end, bol
			return c.valueEnd(start)
		}
		next := c.i
		c.plainLine(false)
		if !c.colonAhead() {
			continue
		}
		switch k := colonWithoutSpace(c.b[start:first]); {
		case inline:
			c.fail(rules.YAMLIndent, next, c.i+1, "line it up with the key it follows",
				"this key is indented as if it were part of the text above")
			return c.see(start, first, "the text begins here")
		case k >= 0:
			return c.fail(rules.YAMLColon, start+k, start+k+1, "write a space between them", "no space between the colon and the value")
		}
		c.fail(rules.YAMLColon, c.i, c.i+1, "write a colon after the key there, or quote the text",
			"a key cannot begin here, since line %d has no colon", c.line(start))
		return c.see(start, first, "a colon is missing here")
	}
}

// blockScalar reads a text after | or >, which belongs to a block in column parent.
func (c *checker) blockScalar(parent int) bool {
	c.text = c.i
	if !c.blockText(parent) {
		return false
	}
	c.textEnd = c.i
	return true
}

func (c *checker) blockText(parent int) bool {
	start := c.i
	c.i++
	indent, chomp := 0, false
	for ; !isSpace(c.at(0)); c.i++ {
		switch b := c.at(0); {
		case b >= '1' && b <= '9' && indent == 0:
			indent = int(b - '0')
		case (b == '+' || b == '-') && !chomp:
			chomp = true
		default:
			return c.fail(rules.YAMLSyntax, c.i, 0, "begin the text on the next line, or quote the value if the character is part of it",
				"only a digit, + and - can follow %s", spell(c.b[start]))
		}
	}
	if !c.lineEnd("the text begins on the next line; if the character is part of the value, quote it") {
		return false
	}
	if indent > 0 {
		indent += max(parent, 0)
	}
	blank, blankAt := 0, 0 // the longest of the blank lines at its beginning
	for {
		c.restOfLine()
		if c.i >= len(c.b) {
			return true
		}
		c.newline()
		for c.at(0) == ' ' && (indent == 0 || c.col() < indent) {
			c.i++
		}
		switch {
		case isBreak(c.at(0)):
			if indent == 0 && c.col() > blank {
				blank, blankAt = c.col(), c.bol
			}
		case c.i >= len(c.b) || c.ended():
			c.i = c.bol
			return true
		case indent > 0 && c.col() == indent:
		case c.at(0) == '\t':
			c.failTab(c.i)
			if k := c.col() - max(parent, 0); indent == 0 && k > 0 && k < 10 {
				c.slip.Detail = fmt.Sprintf("use spaces; a text that begins with a tab needs the width of its indentation: %c%d", c.b[start], k)
			}
			return false
		case indent > 0 || c.col() <= parent:
			c.i = c.bol
			return true
		case blank > c.col():
			c.fail(rules.YAMLIndent, blankAt, blankAt+blank, "remove the spaces of the empty line",
				"an empty line has more spaces than the text below it")
			return c.see(c.i, c.i+1, "the text begins here")
		default:
			indent = c.col()
		}
	}
}

// colonAhead passes blanks, if a colon follows that ends a key.
func (c *checker) colonAhead() bool {
	i := c.i
	c.blanks()
	if c.indicator(':') {
		return true
	}
	c.i = i
	return false
}

// lineEnds says that nothing but blanks and a comment is left on the line, of which the blanks are passed.
func (c *checker) lineEnds() bool {
	c.blanks()
	b := c.at(0)
	return b == 0 || isBreak(b) || b == '#' && (c.i == c.bol || isBlank(c.b[c.i-1]))
}

// lineEnd wants nothing but a comment on the rest of the line.
func (c *checker) lineEnd(detail string) bool {
	if c.lineEnds() {
		return true
	}
	if c.at(0) == '#' {
		return c.fail(rules.YAMLSyntax, c.i, c.i+1, "write a space in front of the #, or quote the value", "a comment needs a space before it")
	}
	return c.fail(rules.YAMLQuote, c.i, c.wordEnd(), detail, "text where nothing more can follow")
}

// valueEnd wants the line to end after the value that began at start.
func (c *checker) valueEnd(start int) bool {
	multi := start < c.bol
	if c.lineEnds() || c.at(0) == '#' || !multi {
		if c.at(0) == ':' && c.b[start] != '*' {
			return c.fail(rules.YAMLColon, c.i, c.i+1, "write a space between them", "no space between the colon and the value")
		}
		return c.lineEnd("quote the whole value")
	}
	return c.failOpen(start)
}

// failOpen says that a quote or bracket was closed too late to be what its author meant.
func (c *checker) failOpen(start int) bool {
	c.fail(rules.YAMLUnclosed, start, start+1, "close it on its line", "this %s is closed only in line %d, where more text follows", spell(c.b[start]), c.line(c.i))
	return c.see(c.i-1, c.i, "it is closed here")
}
