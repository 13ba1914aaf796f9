package diag

import (
	"fmt"
	"strconv"
	"strings"
)

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
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// text writes one finding. An error is kept by the buffer until it is flushed.
func (p *printer) text(d Diagnostic) {
	v := p.view(&d)
	if !d.Subject.IsZero() {
		fmt.Fprintf(p.w, "%s ", p.paint(bold, p.words(d.Subject.String())+":"))
	}
	fmt.Fprintf(p.w, "%s %s [%s]\n", p.paint(hue(d.Severity), d.Severity.String()+":"), p.message(&v, d.Summary), d.Rule.ID)
	detail := p.message(&v, d.Detail)
	switch {
	case v.line != nil:
		p.frame(&d, &v, detail)
	case detail != "":
		fmt.Fprintf(p.w, "   %s %s\n", p.paint(faint, "|"), detail)
	}
	for _, r := range d.Related {
		if !r.At.IsZero() {
			fmt.Fprintf(p.w, "%s ", p.paint(bold, p.words(r.At.String())+":"))
		}
		fmt.Fprintf(p.w, "%s %s\n", p.paint(blue, "note:"), p.message(&v, r.Message))
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
	e := draw(v, p.forCI())
	carets := p.paint(hue(d.Severity), strings.Repeat("^", e.width))
	if detail != "" {
		carets += " " + detail
	}
	fmt.Fprintf(p.w, "%s\n%s %s%s\n", strings.TrimRight(e.text, " "), margin, strings.Repeat(" ", e.indent), carets)
}
