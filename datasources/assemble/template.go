package assemble

import (
	"bytes"

	"cloudconfig/schema/source"
)

// isTemplate says that the first line of a text says that it is a template of Jinja's.
func isTemplate(b []byte) bool {
	first, _, _ := bytes.Cut(withoutMark(b)[:min(len(withoutMark(b)), 64)], []byte("\n"))
	rest, ok := bytes.CutPrefix(bytes.ToLower(first), []byte("## template:"))
	return ok && string(bytes.TrimSpace(rest)) == "jinja"
}

// template renders a template, and takes what comes out. Without facts it is checked, and gives no document.
func (a *assembler) template(f *source.File, p place) {
	if p.rendered {
		a.unsupported(f.LineRange(f.FirstLine()), "a template that comes out of a template")
		return
	}
	a.unsupported(f.LineRange(f.FirstLine()), "a template")
}
