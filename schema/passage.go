package schema

import (
	"fmt"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// passage is a text in another language inside a document: the content of a unit, a script, a key.
type passage struct {
	path string // "coreos.units[2].content"
	node *yamltree.Node
	// text is what the node stands for: its value, or what that decodes to.
	text string
	// secret says that no line of it may be drawn.
	secret bool
}

// maxSlips is how much wrong is reported inside one passage: nobody reads more.
const maxSlips = 200

// slips reports what is wrong inside a passage, each at its own place in the user's file. What was written in
// base64 or compressed has no such place: the finding is at the value, and says the line inside it.
func (c *checker) slips(p passage, found []diag.Slip) {
	counted, line := 0, 1 // how far the lines of the text are counted
	for _, s := range found[:min(len(found), maxSlips)] {
		at := p.node.Range
		switch {
		case s.From == 0 && s.To == 0:
			at = firstLine(at)
		case p.text != p.node.Value:
			at = firstLine(at)
			if s.From < counted {
				counted, line = 0, 1
			}
			from := min(s.From, len(p.text))
			line += strings.Count(p.text[counted:from], "\n")
			counted = from
			s.Summary += fmt.Sprintf(" (line %d of what is decoded)", line)
		default:
			at = p.node.Span(c.files[at.File], s.From, s.To)
		}
		s.Secret = s.Secret || p.secret
		c.slip(p.path, at, s)
	}
}

// slip reports what is wrong inside a string at its place.
func (c *checker) slip(path string, at source.Range, s diag.Slip) {
	d := c.reportAt(s.Rule, path, at, "%s", s.Summary)
	if s.Severity != 0 {
		d.Severity = s.Severity
	}
	d.Detail, d.Secret = s.Detail, s.Secret
}

// keep remembers a passage by the place of its value, for checks that look at several entries together.
func (d *decoder) keep(p passage) {
	if d.passages == nil {
		d.passages = map[source.Range]passage{}
	}
	d.passages[p.node.Range] = p
}
