package assemble

import (
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

// template renders a template, and takes what comes out. Without facts it is checked, and gives no document.
func (a *assembler) template(f *source.File, p place) {
	if p.rendered {
		a.unsupported(f.LineRange(f.FirstLine()), "a template that comes out of a template")
		return
	}
	if a.o.Facts == nil {
		a.Found.Add(template.Check(f)...)
		a.report(rules.TemplateUnrendered, f.LineRange(f.FirstLine()), "what the template makes is not looked at").Detail = "with --metadata it is"
		return
	}
	text, found := template.Render(f, a.o.Facts)
	a.Found.Add(found...)
	if text == nil || !a.take(len(text.Bytes), start(f)) {
		return
	}
	if p.rendered = true; text.Type == typeTemplate {
		text.Type = ""
	}
	a.document(text, p)
}
