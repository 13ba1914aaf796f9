// Package findings collects what is found wrong with a configuration, and where.
//
// A [Collector] goes from the one who reads the text to those who check what it means. It draws no line that holds a
// secret, and turns an offset in a text inside the document, a [Passage], into a place in the user's file. What is
// wrong it does not know: that is for its callers.
package findings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// Collector holds what is found wrong with a configuration, and the marks on its nodes that all who read it need.
type Collector struct {
	// Sources are the files that the parts are of, by name.
	Sources map[string]*source.File
	// Diags is what is found, in the order in which it was.
	Diags diag.List
	// Bad are the nodes that read as not written, since what is wrong with them is reported.
	Bad map[*yamltree.Node]bool
	// Secret are the values that are never shown, nor what is in them.
	Secret map[*yamltree.Node]bool
	// Passages are those that are kept, by the place of their value.
	Passages map[source.Range]Passage
	// hidden are lines of secret values, by file and number: no finding draws one.
	hidden map[line]bool
}

// New makes a collector with nothing in it.
func New() *Collector {
	return &Collector{
		Sources: map[string]*source.File{}, Bad: map[*yamltree.Node]bool{}, Secret: map[*yamltree.Node]bool{},
		Passages: map[source.Range]Passage{}, hidden: map[line]bool{},
	}
}

// Sorted is all that is found, in source order. No finding draws a line that is hidden.
func (c *Collector) Sorted() diag.List {
	for i := range c.Diags {
		f := &c.Diags[i]
		f.Secret = f.Secret || c.hidden[line{f.Subject.File, f.Subject.Start.Line}]
	}
	return c.Diags.Sorted()
}

type line struct {
	file   string
	number int
}

// Hide keeps the lines of a secret value out of what every finding draws.
func (c *Collector) Hide(n *yamltree.Node) {
	first := n.Range.Start.Line
	if n.Style == yamltree.Literal || n.Style == yamltree.Folded {
		first++ // the value begins below its key
	}
	for i := first; i <= n.Range.End.Line; i++ {
		c.hidden[line{n.Range.File, i}] = true
	}
}

// Report adds a finding about a node, and marks the node as bad if it is an error. What is returned may be filled in
// until the next finding is added.
func (c *Collector) Report(rule *diag.Rule, path string, n *yamltree.Node, format string, args ...any) *diag.Diagnostic {
	d := c.ReportAt(rule, path, n.Range, format, args...)
	if d.Severity == diag.Error {
		c.Bad[n] = true
	}
	return d
}

// ReportAt adds a finding about a place. path is that of the key, or empty.
func (c *Collector) ReportAt(rule *diag.Rule, path string, at source.Range, format string, args ...any) *diag.Diagnostic {
	d := diag.New(rule, at, format, args...)
	d.Path = path
	c.Diags.Add(d)
	return &c.Diags[len(c.Diags)-1]
}

// FirstLine is the part of a range that is on its first line, since a finding about a whole list or mapping
// is shown where that begins.
func FirstLine(r source.Range) source.Range {
	if r.End.Line > r.Start.Line {
		r.End = r.Start
		r.End.Column++
		r.End.Offset++
	}
	return r
}

// Passage is a text in another language inside a document: the content of a unit, a script, a key.
type Passage struct {
	Path string // "coreos.units[2].content"
	Node *yamltree.Node
	// Text is what the node stands for: its value, or what that decodes to.
	Text string
	// Secret says that no line of it may be drawn.
	Secret bool
}

// MaxSlips is how much wrong is reported inside one passage: nobody reads more. One error is told in any case.
const MaxSlips = 200

// Slips reports what is wrong inside a passage, each at its own place in the user's file. What was written in
// base64 or compressed has no such place: the finding is at the value, and says the line inside it.
func (c *Collector) Slips(p Passage, found []diag.Slip) {
	slices.SortStableFunc(found, func(a, b diag.Slip) int { return a.From - b.From })
	counted, line := 0, 1 // how far the lines of the text are counted
	told, refused := 0, false
	for _, s := range found {
		isError := cmp.Or(s.Severity, s.Rule.Severity) == diag.Error
		if told >= MaxSlips && (refused || !isError) {
			continue
		}
		told++
		refused = refused || isError
		at := p.Node.Range
		switch {
		case s.From == 0 && s.To == 0:
			at = FirstLine(at)
		case p.Text != p.Node.Value:
			at = FirstLine(at)
			if s.From < counted {
				counted, line = 0, 1
			}
			from := min(s.From, len(p.Text))
			line += strings.Count(p.Text[counted:from], "\n")
			counted = from
			s.Summary += fmt.Sprintf(" (line %d of what is decoded)", line)
		default:
			at = p.Node.Span(c.Sources[at.File], s.From, s.To)
		}
		s.Secret = s.Secret || p.Secret
		c.Slip(p.Path, at, s)
	}
}

// Slip reports what is wrong inside a string at its place.
func (c *Collector) Slip(path string, at source.Range, s diag.Slip) {
	d := c.ReportAt(s.Rule, path, at, "%s", s.Summary)
	if s.Severity != 0 {
		d.Severity = s.Severity
	}
	d.Detail, d.Secret = s.Detail, s.Secret
}

// Keep remembers a passage by the place of its value, for checks that look at several entries together.
func (c *Collector) Keep(p Passage) { c.Passages[p.Node.Range] = p }
