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

// script takes a part that is run after everything else.
func (d *decoder) script(f *source.File) {
	if s := d.program(f, f); s != nil {
		s.When = header.When(f.Type)
		d.config.Scripts = append(d.config.Scripts, *s)
	}
}

// boothook takes a part that is run before everything else. Its first line may name its kind; the script stands below.
func (d *decoder) boothook(f *source.File) {
	body := f
	if at := header.BelowBoothook(f.Bytes); at > 0 {
		body = f.Piece(at, len(f.Bytes))
	}
	if !script.Is(string(body.Bytes)) {
		at := f.LineRange(f.FirstLine())
		d.ReportAt(rules.ScriptInterpreter, "", at, "the boothook names no interpreter").Detail = "write one below #cloud-boothook, such as #!/bin/sh"
		return
	}
	if s := d.program(body, f); s != nil {
		d.config.Boothooks = append(d.config.Boothooks, *s)
	}
}

// program is a script, with its line ends made Unix ones; nil if it cannot be run. It stands in the part of.
func (d *decoder) program(f, of *source.File) *Script {
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
			return nil
		}
	}
	name := of.Name
	if of.Whole() != of {
		name = fmt.Sprintf("%s:%d", name, at.Start.Line) // the file may hold others
	}
	return &Script{Name: name, Content: text, At: at}
}
