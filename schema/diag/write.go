package diag

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/source"
)

// Options say how a list is written.
type Options struct {
	// Format is "text", for people, or "json", for programs; empty is "text".
	Format string
	// Color marks up the text form for a terminal.
	Color bool
	// Files are those whose lines are drawn. Without its file a finding has no excerpt.
	Files []*source.File
}

// Write writes the findings of a list in its order.
//
// The text form is, with the Related places in lines of their own below it:
//
//	web.yaml:12:5: error: unknown key "permisions" in write_files [unknown-key]
//	   |
//	12 |     permisions: "0644"
//	   |     ^^^^^^^^^^ did you mean "permissions"?
//
// The JSON form is one document, {"version": 1, "diagnostics": [...]}. Lines and columns count from 1, columns
// in code points; a finding without a place has line 0. Class is "machine" if the finding depends on the
// machine, else "text".
//
// A line that touches a secret is drawn as (secret), and so is what a message quotes of it. Control,
// direction and separator characters of the user's are written as \u{..}.
//
// The error is that of w, or says that there is no such format.
func Write(w io.Writer, l List, o Options) error {
	p := &printer{color: o.Color, files: map[string]*concealer{}}
	for _, f := range o.Files {
		if p.files[f.Name] == nil {
			p.files[f.Name] = newConcealer(f)
		}
	}
	switch o.Format {
	case "", "text":
		p.w = bufio.NewWriter(w)
		for _, d := range l {
			p.text(d)
		}
		return p.w.Flush()
	case "json":
		return p.json(w, l)
	}
	return fmt.Errorf("no format %q; there are text and json", o.Format)
}

type printer struct {
	w     *bufio.Writer
	color bool
	files map[string]*concealer
}

// A view is what of the user's text a finding may show.
type view struct {
	line     []byte // the first line of the subject, or a long one's piece around it; nil to draw none
	from, to int    // the subject in line, as offsets of bytes
	cut      bool   // something of the line is missing in front
	hidden   bool   // line must not be drawn, nor quoted
}

// near is how much of a long line is looked at around a subject, in bytes.
const near = 4 << 10

func (p *printer) view(d *Diagnostic) view {
	c := p.files[d.Subject.File]
	if c == nil || d.Subject.IsZero() {
		return view{hidden: d.Secret}
	}
	n := d.Subject.Start.Line
	line := c.file.Text(n)
	begin := c.file.Offset(n, 1)
	v := view{from: min(max(d.Subject.Start.Offset-begin, 0), len(line)), to: len(line)}
	if d.Subject.End.Line == n {
		v.to = min(max(d.Subject.End.Offset-begin, v.from), len(line))
	}
	first := max(0, v.from-near)
	for first < v.from && !utf8.RuneStart(line[first]) {
		first++
	}
	last := min(v.to, v.from+near) + near
	v.line, v.cut = line[first:min(last, len(line))], first > 0
	v.from, v.to = v.from-first, min(v.to-first, len(v.line))
	v.hidden = d.Secret || c.hides(n, v.line)
	if !v.hidden && d.Subject.End.Line > n {
		next := c.file.Text(n + 1)
		v.hidden = c.hides(n+1, next[:min(len(next), near)])
	}
	return v
}

// Shown is the list with every message as it may be shown of the files: what it quotes of a secret is concealed, and
// what does not print is written out.
func (l List) Shown(files ...*source.File) List {
	p := &printer{files: map[string]*concealer{}}
	for _, f := range files {
		p.files[f.Name] = newConcealer(f)
	}
	out := slices.Clone(l)
	for i := range out {
		d := &out[i]
		v := p.view(d)
		d.Summary, d.Detail, d.Related = v.message(d.Summary), v.message(d.Detail), slices.Clone(d.Related)
		for j := range d.Related {
			d.Related[j].Message = v.message(d.Related[j].Message)
		}
	}
	return out
}

// message makes a message fit to print.
func (v *view) message(text string) string {
	if text == "" {
		return ""
	}
	return Printable(conceal(text, string(v.line), v.hidden))
}

// Printable is a text of others as it may be shown anywhere: what does not print, acts on a terminal or changes the
// order of what is around it is \u{..}, and bytes that are no text are \x{..}. It has no line end and no tab.
func Printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(glyph(r, s[i:i+size]))
		i += size
	}
	return b.String()
}

// glyph is how one character is shown.
func glyph(r rune, written string) string {
	switch {
	case r == utf8.RuneError && len(written) == 1:
		return fmt.Sprintf(`\x{%02x}`, written[0])
	case !strconv.IsPrint(r):
		return fmt.Sprintf(`\u{%x}`, r)
	}
	return written
}

// The colours of a terminal.
const (
	bold  = "1"
	faint = "2"
	red   = "1;31"
	amber = "1;33"
	blue  = "1;34"
)

func hue(s Severity) string {
	switch s {
	case Error:
		return red
	case Warning:
		return amber
	}
	return blue
}

func (p *printer) paint(color, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// text writes one finding. An error is kept by the buffer until it is flushed.
func (p *printer) text(d Diagnostic) {
	v := p.view(&d)
	if !d.Subject.IsZero() {
		fmt.Fprintf(p.w, "%s ", p.paint(bold, Printable(d.Subject.String())+":"))
	}
	fmt.Fprintf(p.w, "%s %s [%s]\n", p.paint(hue(d.Severity), d.Severity.String()+":"), v.message(d.Summary), d.Rule.ID)
	detail := v.message(d.Detail)
	switch {
	case v.line != nil:
		p.frame(&d, &v, detail)
	case detail != "":
		fmt.Fprintf(p.w, "   %s %s\n", p.paint(faint, "|"), detail)
	}
	for _, r := range d.Related {
		if !r.At.IsZero() {
			fmt.Fprintf(p.w, "%s ", p.paint(bold, Printable(r.At.String())+":"))
		}
		fmt.Fprintf(p.w, "%s %s\n", p.paint(blue, "note:"), v.message(r.Message))
	}
}

// frame draws the line of a finding, and under it the carets with the detail.
func (p *printer) frame(d *Diagnostic, v *view, detail string) {
	number := strconv.Itoa(d.Subject.Start.Line)
	margin := strings.Repeat(" ", len(number)) + " " + p.paint(faint, "|")
	fmt.Fprintf(p.w, "%s\n%s ", margin, p.paint(faint, number+" |"))
	if v.hidden {
		fmt.Fprintf(p.w, "%s\n", concealed)
		if detail != "" {
			fmt.Fprintf(p.w, "%s %s\n", margin, detail)
		}
		return
	}
	e := draw(v)
	carets := p.paint(hue(d.Severity), strings.Repeat("^", e.width))
	if detail != "" {
		carets += " " + detail
	}
	fmt.Fprintf(p.w, "%s\n%s %s%s\n", strings.TrimRight(e.text, " "), margin, strings.Repeat(" ", e.indent), carets)
}

type jsonList struct {
	Version     int              `json:"version"`
	Diagnostics []jsonDiagnostic `json:"diagnostics"`
}

type jsonDiagnostic struct {
	Rule      string        `json:"rule"`
	Severity  Severity      `json:"severity"`
	Class     string        `json:"class"`
	Summary   string        `json:"summary"`
	Detail    string        `json:"detail"`
	Path      string        `json:"path"`
	File      string        `json:"file"`
	Line      int           `json:"line"`
	Column    int           `json:"column"`
	EndLine   int           `json:"end_line"`
	EndColumn int           `json:"end_column"`
	Related   []jsonRelated `json:"related"`
}

type jsonRelated struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

func (p *printer) json(w io.Writer, l List) error {
	out := jsonList{Version: 1, Diagnostics: []jsonDiagnostic{}}
	for _, d := range l {
		v := p.view(&d)
		j := jsonDiagnostic{
			Rule: d.Rule.ID, Severity: d.Severity, Class: "text",
			Summary: v.message(d.Summary), Detail: v.message(d.Detail), Path: d.Path,
			File: Printable(d.Subject.File), Line: d.Subject.Start.Line, Column: d.Subject.Start.Column,
			EndLine: d.Subject.End.Line, EndColumn: d.Subject.End.Column,
			Related: []jsonRelated{},
		}
		if d.Rule.Machine {
			j.Class = "machine"
		}
		for _, r := range d.Related {
			j.Related = append(j.Related, jsonRelated{
				Message: v.message(r.Message), File: Printable(r.At.File), Line: r.At.Start.Line, Column: r.At.Start.Column,
			})
		}
		out.Diagnostics = append(out.Diagnostics, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
