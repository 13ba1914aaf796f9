package findings

import (
	"cmp"
	"fmt"
	"sort"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

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
	sort.SliceStable(found, func(i, j int) bool { return found[i].From < found[j].From })
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

// Slip reports what is wrong inside a string at its place. What is returned is as that of [Collector.Report].
func (c *Collector) Slip(path string, at source.Range, s diag.Slip) *diag.Diagnostic {
	d := c.ReportAt(s.Rule, path, at, "%s", s.Summary)
	if s.Severity != 0 {
		d.Severity = s.Severity
	}
	d.Detail, d.Secret, d.Related = s.Detail, s.Secret, s.Related
	return d
}

// Keep remembers a passage by the place of its value, for checks that look at several entries together.
func (c *Collector) Keep(p Passage) { c.Passages[p.Node.Range] = p }
