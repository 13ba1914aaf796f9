package yamltree

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"cloudconfig/schema/rules"
)

// word reads what a key can be, or the beginning of a value: an alias, a quoted scalar, a flow collection or
// the first line of a plain scalar. parent is the column that further lines must be indented beyond.
func (c *checker) word(parent int) bool {
	switch b := c.at(0); b {
	case '*':
		return c.alias()
	case '"':
		return c.doubleQuoted(parent)
	case '\'':
		return c.singleQuoted(parent)
	case '[', '{':
		return c.flow(parent)
	default:
		if !isPlainLead(b, c.b[min(c.i+1, len(c.b)):]) {
			return c.failLead()
		}
		c.plainLine(false)
		return true
	}
}

// isPlainLead says that a plain scalar can begin with b, followed by rest.
func isPlainLead(b byte, rest []byte) bool {
	switch b {
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', 0:
		return false
	case '-', '?', ':':
		return len(rest) > 0 && !isSpace(rest[0])
	}
	return !isSpace(b)
}

func (c *checker) failLead() bool {
	if c.at(0) == '#' {
		return c.lineEnd("")
	}
	c.fail(rules.YAMLQuote, c.i, 0, "quote the value", "%s cannot begin a plain value", spell(c.at(0)))
	if c.i > 0 && isTemplate(c.b[c.i-1:]) {
		c.slip.Detail = renderFirst
	}
	return false
}

// plainLine reads a plain scalar to its end on this line, and not the blanks after it.
func (c *checker) plainLine(flow bool) {
	end := c.i
	for ; c.i < len(c.b); c.i++ {
		b := c.b[c.i]
		switch {
		case isBreak(b),
			b == '#' && isBlank(c.b[c.i-1]),
			flow && isFlow(b),
			b == ':' && (isSpace(c.at(1)) || flow && isFlow(c.at(1))):
			c.i = end
			return
		case !isBlank(b):
			end = c.i + 1
		}
	}
	c.i = end
}

// flow reads a flow collection from its opening bracket to the closing one.
func (c *checker) flow(parent int) bool {
	open := c.i
	if !c.enter(open) {
		return false
	}
	closer := byte(']')
	if c.b[open] == '{' {
		closer = '}'
	}
	c.i++
	for {
		if !c.flowGap(open, parent) {
			return false
		}
		switch c.at(0) {
		case closer:
			c.i++
			c.depth--
			return true
		case ',':
			return c.fail(rules.YAMLSyntax, c.i, c.i+1, "remove the comma, or write '' for empty text", "nothing before this comma")
		}
		if !c.flowEntry(open, parent, closer) || !c.flowGap(open, parent) {
			return false
		}
		switch c.at(0) {
		case closer:
		case ',':
			c.i++
		case ']', '}':
			c.fail(rules.YAMLUnclosed, open, open+1, "", "this %s is closed by %s", spell(c.b[open]), spell(c.at(0)))
			return c.see(c.i, c.i+1, "the other bracket is here")
		case '#':
			return c.lineEnd("")
		default:
			c.fail(rules.YAMLSyntax, c.i, c.wordEnd(), "", "a comma or %s is expected here", spell(closer))
			return c.see(open, open+1, "the bracket opens here")
		}
	}
}

// flowEntry reads a value, or a key with its value.
func (c *checker) flowEntry(open, parent int, closer byte) bool {
	explicit := c.indicator('?')
	if explicit {
		c.i++
		if !c.flowGap(open, parent) {
			return false
		}
	}
	if c.at(0) == ':' && (isSpace(c.at(1)) || isFlow(c.at(1))) {
		return c.failNoKey()
	}
	start, bol := c.i, c.bol
	if !c.flowNode(open, parent) || !c.flowGap(open, parent) {
		return false
	}
	json := c.i > start && (c.b[c.i-1] == '"' || c.b[c.i-1] == '\'' || c.b[c.i-1] == ']' || c.b[c.i-1] == '}')
	if c.at(0) != ':' || !json && !isSpace(c.at(1)) && !isFlow(c.at(1)) {
		return true
	}
	if c.bol != bol && closer == ']' && !explicit {
		return c.fail(rules.YAMLSyntax, c.i, c.i+1, "write the key and its colon on one line", "a key cannot reach over more than one line")
	}
	c.i++
	return c.count() && c.flowGap(open, parent) && c.flowNode(open, parent)
}

// flowNode reads a value inside a flow collection, which may be empty.
func (c *checker) flowNode(open, parent int) bool {
	if !c.count() {
		return false
	}
	start := c.i
	var p properties
	if !c.properties(&p, true) || !c.flowGap(open, parent) || !c.properties(&p, true) || !c.flowGap(open, parent) {
		return false
	}
	b := c.at(0)
	switch {
	case b == ',' || b == ']' || b == '}':
		return true
	case b == ':' && (isSpace(c.at(1)) || isFlow(c.at(1))):
		return true
	case b == '*' && p != (properties{}):
		return c.failTwice(start)
	case b == '*' || b == '"' || b == '\'' || b == '[' || b == '{':
		return c.word(parent)
	case !isPlainLead(b, c.b[min(c.i+1, len(c.b)):]) || (b == '-' || b == '?' || b == ':') && isFlow(c.at(1)):
		return c.failLead()
	}
	for {
		c.plainLine(true)
		end, bol := c.i, c.bol
		if !c.flowGap(open, parent) {
			return false
		}
		if b := c.at(0); c.bol == bol || isFlow(b) || b == '#' || b == ':' && (isSpace(c.at(1)) || isFlow(c.at(1))) || c.commentBetween(end) {
			c.i, c.bol = end, bol
			return true
		}
	}
}

// commentBetween says that a comment stands between an offset and here, where all else is blank.
func (c *checker) commentBetween(from int) bool {
	return bytes.IndexByte(c.b[from:c.i], '#') >= 0
}

// flowGap passes blanks, comments and line ends inside a flow collection, which must go on.
func (c *checker) flowGap(open, parent int) bool {
	bol := c.bol
	var from int // where the line of what comes next begins, or where this one goes on
	for {
		from = c.i
		c.blanks()
		c.comment()
		if !isBreak(c.at(0)) {
			break
		}
		c.newline()
	}
	tab := -1
	if k := bytes.IndexByte(c.b[from:c.i], '\t'); k >= 0 && from == c.bol && k <= parent {
		tab = from + k
	}
	switch b := c.at(0); {
	case c.i >= len(c.b):
		return c.fail(rules.YAMLUnclosed, open, open+1, "", "this %s is not closed", spell(c.b[open]))
	case c.bol != bol && (c.ended() || c.col() <= parent && b != ']' && b != '}'):
		c.fail(rules.YAMLUnclosed, open, open+1, "", "this %s is not closed where its block ends", spell(c.b[open]))
		c.slip.Detail = "close it, or indent the lines inside it"
		return c.see(c.i, c.wordEnd(), "the block ends here")
	case tab >= 0 && c.bol != bol:
		return c.failTab(tab)
	}
	return true
}

// singleQuoted reads '...', in which two quotes stand for one.
func (c *checker) singleQuoted(parent int) bool {
	open := c.i
	for c.i++; c.i < len(c.b); {
		switch {
		case c.b[c.i] != '\'':
			if !c.quotedByte(open, parent) {
				return false
			}
		case c.at(1) == '\'':
			c.i += 2
		default:
			c.i++
			return true
		}
	}
	return c.failQuote(open)
}

// escapeDigits is how many hexadecimal digits follow a letter after a backslash; -1 if it is no escape. The
// parser does not know the escaped slash of YAML 1.2.
func escapeDigits(letter byte) int {
	switch letter {
	case 'x':
		return 2
	case 'u':
		return 4
	case 'U':
		return 8
	case '0', 'a', 'b', 't', '\t', 'n', 'v', 'f', 'r', 'e', ' ', '"', '\\', 'N', '_', 'L', 'P', '\n', '\r':
		return 0
	}
	return -1
}

// doubleQuoted reads "...", in which a backslash begins an escape.
func (c *checker) doubleQuoted(parent int) bool {
	open := c.i
	for c.i++; c.i < len(c.b); {
		switch c.b[c.i] {
		case '"':
			c.i++
			return true
		case '\\':
			if c.i+1 >= len(c.b) {
				return c.failQuote(open)
			}
			digits := escapeDigits(c.at(1))
			switch {
			case c.at(1) == '/':
				return c.fail(rules.YAMLQuote, c.i, c.i+2, "write the slash alone", "this is an escape of JSON, which YAML 1.1 does not have")
			case digits < 0:
				return c.fail(rules.YAMLQuote, c.i, c.i+2, "write two backslashes, or use single quotes", "this is no escape of double quotes")
			}
			for k := 2; k < 2+digits; k++ {
				if !isHex(c.at(k)) {
					return c.fail(rules.YAMLQuote, c.i, c.i+k, "", "this escape needs %d hexadecimal digits", digits)
				}
			}
			if v, err := strconv.ParseUint(string(c.b[c.i+2:c.i+2+digits]), 16, 32); digits > 0 && (err != nil || !utf8.ValidRune(rune(v))) {
				return c.fail(rules.YAMLQuote, c.i, c.i+2+digits, "", "this escape stands for no character")
			}
			c.i++ // the letter is passed below, since it may be a line end
			if !c.quotedByte(open, parent) {
				return false
			}
			c.i += digits
		default:
			if !c.quotedByte(open, parent) {
				return false
			}
		}
	}
	return c.failQuote(open)
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// quotedByte passes one byte of a quoted scalar. At a line end it looks at what begins the next line.
func (c *checker) quotedByte(open, parent int) bool {
	if !isBreak(c.b[c.i]) {
		c.i++
		return true
	}
	c.newline()
	if c.ended() {
		return c.failQuote(open)
	}
	for c.at(0) == ' ' {
		c.i++
	}
	if c.at(0) == '\t' && c.col() <= parent {
		tab := c.i
		c.blanks()
		if !isBreak(c.at(0)) {
			return c.failTab(tab)
		}
	}
	return true
}

func (c *checker) failQuote(open int) bool {
	return c.fail(rules.YAMLUnclosed, open, open+1, "", "this %s is not closed", spell(c.b[open]))
}
