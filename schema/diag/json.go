package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

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

func (p *printer) json(l List) {
	out := jsonList{Version: 1, Diagnostics: []jsonDiagnostic{}}
	for _, d := range l {
		v := p.view(&d)
		j := jsonDiagnostic{
			Rule: d.Rule.ID, Severity: d.Severity, Class: "text",
			Summary: p.message(&v, d.Summary), Detail: p.message(&v, d.Detail), Path: d.Path,
			File: p.words(d.Subject.File), Line: d.Subject.Start.Line, Column: d.Subject.Start.Column,
			EndLine: d.Subject.End.Line, EndColumn: d.Subject.End.Column,
			Related: []jsonRelated{},
		}
		if d.Rule.Machine {
			j.Class = "machine"
		}
		for _, r := range d.Related {
			j.Related = append(j.Related, jsonRelated{
				Message: p.message(&v, r.Message), File: p.words(r.At.File), Line: r.At.Start.Line, Column: r.At.Start.Column,
			})
		}
		out.Diagnostics = append(out.Diagnostics, j)
	}
	p.encode(out)
}

// encode writes one JSON document. What cannot be encoded would be a mistake of ours; there is nothing of the kind
// in these structures.
func (p *printer) encode(document any) {
	if err := WriteJSON(p.w, document); err != nil && p.w.Flush() == nil {
		panic("internal error: " + err.Error())
	}
}

// WriteJSON writes one JSON document, indented. It reads back as it was, and nothing in it acts on a terminal, changes
// the order of what is around it, or is what CI systems take for a command anywhere in a line: that is \u....
func WriteJSON(w io.Writer, document any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return err
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

// escaped writes characters of JSON strings as \u.... None of them stands outside of a string.
func escaped(text []byte) []byte {
	var out []byte
	written := 0
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if r >= utf8.RuneSelf && !strconv.IsPrint(r) || r == 0x7F || r == '#' && opensCommand(text, i) {
			out = append(out, text[written:i]...)
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			written = i + size
		}
		i += size
	}
	if written == 0 {
		return text
	}
	return append(out, text[written:]...)
}
