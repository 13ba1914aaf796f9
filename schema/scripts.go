package schema

import (
	"bytes"
	"fmt"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/header"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/script"
	"cloudconfig/schema/source"
)

// script takes a part that is run, with its line ends made Unix ones.
func (d *decoder) script(f *source.File) {
	at := f.LineRange(f.FirstLine())
	text := header.WithoutMark(f.Bytes)
	found := script.Check(string(text))
	for _, s := range found {
		skipped := len(f.Bytes) - len(text)
		from, to := skipped+s.From, skipped+s.To
		if k := bytes.IndexAny(f.Bytes[from:to], "\r\n"); k >= 0 {
			to = from + k
		}
		r := f.Range(from, to)
		told := d.Slip("", r, s)
		if s.Rule == rules.ScriptLineEnds {
			told.Fix = []diag.Edit{{At: f.Range(0, len(f.Bytes)), Text: string(header.UnixLines(f.Bytes))}}
		}
	}
	text = header.UnixLines(text)
	for _, s := range found {
		if s.Rule == rules.ScriptInterpreter {
			return
		}
	}
	name := f.Name
	if f.Whole() != f {
		name = fmt.Sprintf("%s:%d", name, at.Start.Line) // the file may hold others
	}
	d.config.Scripts = append(d.config.Scripts, Script{Name: name, Content: text, At: at})
}
