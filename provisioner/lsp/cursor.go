package lsp

import (
	"slices"
	"strings"

	"cloudconfig/schema/source"
)

// cursor is where in the language a place in a text is. It is found by indentation alone, since a text that is
// being written is rarely one that parses; inside [ ] and { } nothing is found.
type cursor struct {
	path string // the keys above: "coreos.units"
	// word is what stands at the place, from byte from of its line to byte to.
	word     string
	from, to int
	// key is the key of the line if word is its value; empty where word is a key itself.
	key string
	// siblings are the keys that the mapping has already, but for word.
	siblings []string
}

// entry is a line as indentation sees it. Columns are bytes from 0.
type entry struct {
	column int    // of the key, or of what would be one
	dash   int    // column of the first dash of a list, or -1
	key    string // folded; empty if there is none
	value  string
	colon  int // column of the colon after the key
	empty  bool
}

// start is the column where the line begins what it belongs to.
func (e entry) start() int {
	if e.dash >= 0 {
		return e.dash
	}
	return e.column
}

// opens says that what belongs to the key is on the lines below.
func (e entry) opens() bool {
	return e.key != "" && (e.value == "" || strings.HasPrefix(e.value, "#") || strings.HasPrefix(e.value, "&"))
}

func read(line string) entry {
	e := entry{dash: -1}
	at := len(line) - len(strings.TrimLeft(line, " "))
	for strings.HasPrefix(line[at:], "- ") || line[at:] == "-" {
		if e.dash < 0 {
			e.dash = at
		}
		rest := strings.TrimLeft(line[at+1:], " ")
		at = len(line) - len(rest)
	}
	e.column = at
	rest := strings.TrimRight(line[at:], " \t")
	e.empty = rest == "" && e.dash < 0 || strings.HasPrefix(rest, "#")
	word := 0
	for word < len(rest) && isWord(rest[word]) {
		word++
	}
	if after := rest[word:]; word > 0 && (after == ":" || strings.HasPrefix(after, ": ")) {
		e.key, e.value, e.colon = fold(rest[:word]), strings.TrimSpace(after[1:]), at+word
	}
	return e
}

// cursorAt is the cursor at a byte of a line, both counted from 0; ok is false where no key and no value of the
// language can stand.
func cursorAt(f *source.File, number, column int) (c cursor, ok bool) {
	text := func(i int) string { return string(f.Text(f.FirstLine() + i)) }
	line := text(number)
	column = min(column, len(line))
	here := read(line)
	if here.empty && strings.TrimSpace(line) != "" {
		return c, false // a comment
	}
	if strings.TrimSpace(line) == "" {
		here = entry{column: column, dash: -1}
	}
	switch {
	case column < here.column:
		return c, false
	case here.key != "" && column > here.colon:
		c.key = here.key
		c.from = here.colon + 1
		for c.from < column && line[c.from] == ' ' {
			c.from++
		}
		c.to = max(c.from, len(strings.TrimRight(line, " \t")))
	default:
		c.from, c.to = here.column, here.column
		for c.to < len(line) && isWord(line[c.to]) {
			c.to++
		}
	}
	c.word = line[c.from:c.to]

	// Upwards. The node at hand begins at a column, with the dash of a list or with a key.
	at, item := here.start(), here.dash >= 0
	own := !item // still inside the mapping that the place is in
	var above []string
	for i := number - 1; i >= 0; i-- {
		e := read(text(i))
		switch {
		case e.empty:
			continue
		case item && (e.start() > at || e.dash == at), !item && e.column > at:
			continue // what is inside an earlier neighbour
		case !item && e.column == at:
			if own && e.key != "" {
				c.siblings = append(c.siblings, e.key)
			}
			if e.dash >= 0 {
				at, item, own = e.dash, true, false
			}
			continue
		case !e.opens():
			return c, false // the text of a block, or what is no mapping at all
		}
		own = false
		above = append(above, e.key)
		at, item = e.start(), e.dash >= 0
	}
	for i := number + 1; i < f.Lines(); i++ {
		e := read(text(i))
		if e.empty || e.column > here.column {
			continue
		}
		if e.column < here.column || e.dash >= 0 {
			break
		}
		if e.key != "" {
			c.siblings = append(c.siblings, e.key)
		}
	}
	slices.Reverse(above)
	c.path = strings.Join(above, ".")
	return c, true
}

func isWord(b byte) bool {
	return b == '_' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// fold makes hyphen and underscore the same letter, as the language has it.
func fold(key string) string { return strings.ReplaceAll(key, "-", "_") }
