package schema

import (
	"cmp"
	"fmt"
	"slices"
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

// maxSlips is how much wrong is reported inside one passage: nobody reads more. One error is told in any case.
const maxSlips = 200

// slips reports what is wrong inside a passage, each at its own place in the user's file. What was written in
// base64 or compressed has no such place: the finding is at the value, and says the line inside it.
func (c *collector) slips(p passage, found []diag.Slip) {
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
			at = p.node.Span(c.sources[at.File], s.From, s.To)
		}
		s.Secret = s.Secret || p.secret
		c.slip(p.path, at, s)
	}
}

// slip reports what is wrong inside a string at its place.
func (c *collector) slip(path string, at source.Range, s diag.Slip) {
	d := c.reportAt(s.Rule, path, at, "%s", s.Summary)
	if s.Severity != 0 {
		d.Severity = s.Severity
	}
	d.Detail, d.Secret = s.Detail, s.Secret
}

// collector holds what is found wrong with a configuration, and the marks on its nodes that all who read it need.
type collector struct {
	sources map[string]*source.File // of the parts, by name
	diags   diag.List
	// bad are the nodes that read as not written, since what is wrong with them is reported.
	bad map[*yamltree.Node]bool
	// secret are the values that are never shown, nor what is in them.
	secret map[*yamltree.Node]bool
	// passages are those that are kept, by the place of their value.
	passages map[source.Range]passage
	// hidden are lines of secret values, by file and number: no finding draws one.
	hidden map[line]bool
}

// newCollector gives one with nothing in it.
func newCollector() *collector {
	return &collector{
		sources: map[string]*source.File{}, bad: map[*yamltree.Node]bool{}, secret: map[*yamltree.Node]bool{},
		passages: map[source.Range]passage{}, hidden: map[line]bool{},
	}
}

// sorted is all that is found, in source order. No finding draws a line that is hidden.
func (c *collector) sorted() diag.List {
	for i := range c.diags {
		f := &c.diags[i]
		f.Secret = f.Secret || c.hidden[line{f.Subject.File, f.Subject.Start.Line}]
	}
	return c.diags.Sorted()
}

type line struct {
	file   string
	number int
}

// hide keeps the lines of a secret value out of what every finding draws.
func (c *collector) hide(n *yamltree.Node) {
	first := n.Range.Start.Line
	if n.Style == yamltree.Literal || n.Style == yamltree.Folded {
		first++ // the value begins below its key
	}
	for i := first; i <= n.Range.End.Line; i++ {
		c.hidden[line{n.Range.File, i}] = true
	}
}

// report adds a finding about a node and marks the node.
func (c *collector) report(rule *diag.Rule, path string, n *yamltree.Node, format string, args ...any) *diag.Diagnostic {
	d := c.reportAt(rule, path, n.Range, format, args...)
	if d.Severity == diag.Error {
		c.bad[n] = true
	}
	return d
}

func (c *collector) reportAt(rule *diag.Rule, path string, at source.Range, format string, args ...any) *diag.Diagnostic {
	d := diag.New(rule, at, format, args...)
	d.Path = path
	c.diags.Add(d)
	return &c.diags[len(c.diags)-1]
}

// firstLine is the part of a range that is on its first line, since a finding about a whole list or mapping
// is shown where that begins.
func firstLine(r source.Range) source.Range {
	if r.End.Line > r.Start.Line {
		r.End = r.Start
		r.End.Column++
		r.End.Offset++
	}
	return r
}

// keep remembers a passage by the place of its value, for checks that look at several entries together.
func (c *collector) keep(p passage) { c.passages[p.node.Range] = p }
