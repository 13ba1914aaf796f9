package schema

import (
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
}

// slips reports what is wrong inside a passage, each at its own place in the user's file. What was written in
// base64 or compressed has no such place: the finding is at the value, and says the line inside it.
func (c *checker) slips(p passage, found []diag.Slip) {
	slices.SortStableFunc(found, func(a, b diag.Slip) int { return a.From - b.From })
	places := p.node.Places(c.files[p.node.Range.File])
	for _, s := range found {
		at := p.node.Range
		summary := s.Summary
		switch {
		case s.From == 0 && s.To == 0:
			at = firstLine(at)
		case p.text != p.node.Value:
			at = firstLine(at)
			summary += fmt.Sprintf(" (line %d of what is decoded)", 1+strings.Count(p.text[:min(s.From, len(p.text))], "\n"))
		default:
			at = places.Span(s.From, s.To)
		}
		d := c.reportAt(s.Rule, p.path, at, "%s", summary)
		if s.Severity != 0 {
			d.Severity = s.Severity
		}
		d.Detail, d.Secret = s.Detail, s.Secret
	}
}

// keep remembers a passage by the place of its value, for checks that look at several entries together.
func (d *decoder) keep(p passage) {
	if d.passages == nil {
		d.passages = map[source.Range]passage{}
	}
	d.passages[p.node.Range] = p
}
