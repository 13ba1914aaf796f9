// Package findings collects what is found wrong with a configuration, and where.
//
// A [Collector] goes from the one who reads the text to those who check what it means. It draws no line that holds a
// secret, and turns an offset in a text inside the document, a [Passage], into a place in the user's file. What is
// wrong it does not know: that is for its callers.
package findings

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
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
	// hidden are lines of secret values: no finding draws one.
	hidden source.Lines
	// left is the last finding that was left out, once there are too many; refused says that one was an error.
	left    diag.Diagnostic
	refused bool
}

// Most is how much wrong is reported in all: nobody reads more, and a megabyte can have a hundred thousand things
// wrong with it.
const Most = 5_000

// New makes a collector with nothing in it.
func New() *Collector {
	return &Collector{
		Sources: map[string]*source.File{}, Bad: map[*yamltree.Node]bool{}, Secret: map[*yamltree.Node]bool{},
		Passages: map[source.Range]Passage{}, hidden: source.Lines{},
	}
}

// Sorted is all that is found, in source order. No finding draws a line that is hidden.
func (c *Collector) Sorted() diag.List {
	hidden := c.Hidden()
	for i := range c.Diags {
		f := &c.Diags[i]
		f.Secret = f.Secret || hidden.Has(f.Subject)
		if f.Subject.Made != 0 {
			f.Fix = nil // it would mend what a template made
		}
	}
	return c.Diags.Sorted()
}

// Hidden are the lines of secret values.
func (c *Collector) Hidden() source.Lines {
	c.hidden.Sort()
	return c.hidden
}

// Hide keeps the lines of a secret value out of what every finding draws.
func (c *Collector) Hide(n *yamltree.Node) {
	first := n.Range.Start.Line
	if n.Style == yamltree.Literal || n.Style == yamltree.Folded {
		first = min(first+1, n.Range.End.Line) // the value begins below its key, unless a template made both of one line
	}
	c.hidden.Add(n.Range.File, first, n.Range.End.Line)
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
	if c.Full() {
		c.leaveOut()
		c.left = diag.Diagnostic{Rule: rule, Severity: rule.Severity, Subject: at}
		return &c.left
	}
	d := diag.New(rule, at, format, args...)
	d.Path = path
	c.Diags.Add(d)
	return &c.Diags[len(c.Diags)-1]
}

// Full says that what is found from now on is left out, but for a first error.
func (c *Collector) Full() bool { return len(c.Diags) >= Most }

// leaveOut is done with the last finding that was left out. The first error among them is told all the same: what is
// refused must be refused. Its severity is known only now, since whoever reports may change it.
func (c *Collector) leaveOut() {
	if c.left.Rule == nil || c.left.Severity != diag.Error || c.refused {
		return
	}
	if c.refused = true; !c.Diags.HasErrors() {
		c.Diags.Add(diag.Diagnostic{Rule: c.left.Rule, Severity: diag.Error, Subject: c.left.Subject, Secret: true, Summary: c.left.Rule.Title})
	}
}

// More says, of the first file, that findings were left out. It comes last.
func (c *Collector) More(f *source.File) {
	if c.leaveOut(); c.left.Rule != nil {
		c.Diags.Add(diag.New(rules.MoreFindings, f.Range(0, 0), "more than %d findings; the rest is not told", Most))
	}
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
