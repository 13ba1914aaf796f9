package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/rules"
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

// maxSlips is how much wrong is reported inside one passage: nobody reads more. One error is told in any case.
const maxSlips = 200

// slips reports what is wrong inside a passage, each at its own place in the user's file. What was written in
// base64 or compressed has no such place: the finding is at the value, and says the line inside it.
func (c *checker) slips(p passage, found []diag.Slip) {
	slices.SortStableFunc(found, func(a, b diag.Slip) int { return a.From - b.From })
	counted, line := 0, 1 // how far the lines of the text are counted
	told, refused := 0, false
	for _, s := range found {
		isError := cmp.Or(s.Severity, s.Rule.Severity) == diag.Error
		if told >= maxSlips && (refused || !isError) {
			continue
		}
		told++
		refused = refused || isError
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

// mixed reports a letter of another alphabet in one of the names that a value is made of, and says that there is
// one. The value is bad where severity is that of an error.
func (c *checker) mixed(path string, n *yamltree.Node, severity diag.Severity) bool {
	if strings.IndexFunc(n.Value, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return false
	}
	at := 0
	for _, name := range strings.FieldsFunc(n.Value, func(r rune) bool { return strings.ContainsRune("/@ \t,:", r) }) {
		at += strings.Index(n.Value[at:], name)
		if from, to, ok := glyphs.Mixed(name); ok {
			c.slips(passage{path: path, node: n, text: n.Value}, []diag.Slip{{
				Rule: rules.Confusable, Severity: severity, From: at + from, To: at + to,
				Summary: fmt.Sprintf("a %s letter among others", glyphs.Alphabet(name[from:to])), Detail: "type the name again",
			}})
			c.bad[n] = c.bad[n] || severity == diag.Error
			return true
		}
		at += len(name)
	}
	return false
}

// places are stretches of files that are values.
type places []source.Range

// holder answers for a file which offsets lie in one of its places.
func (l places) holder(file string) func(offset int) bool {
	var own []source.Range
	for _, r := range l {
		if r.File == file {
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b source.Range) int { return a.Start.Offset - b.Start.Offset })
	return func(offset int) bool {
		i, exact := slices.BinarySearchFunc(own, offset, func(r source.Range, offset int) int { return r.Start.Offset - offset })
		if !exact {
			i--
		}
		return i >= 0 && i < len(own) && offset < own[i].End.Offset
	}
}

// invisible reports invisible characters of a part, but in contents of files that nobody runs.
func (d *decoder) invisible(f *source.File) {
	quiet, concealed := d.quiet.holder(f.Name), d.concealed.holder(f.Name)
	reported := 0
	for _, s := range glyphs.Hidden(string(f.Bytes)) {
		at := f.Range(s.From, s.To)
		if quiet(at.Start.Offset) {
			continue
		}
		if reported++; reported > maxSlips {
			return
		}
		s.Secret = concealed(at.Start.Offset)
		d.slip("", at, s)
	}
}

// keep remembers a passage by the place of its value, for checks that look at several entries together.
func (d *decoder) keep(p passage) {
	if d.passages == nil {
		d.passages = map[source.Range]passage{}
	}
	d.passages[p.node.Range] = p
}
