// Package template renders user-data that is a template of Jinja, as cloud-init does: a document whose first line is
// "## template: jinja".
//
// [Render] makes the document, [Check] looks for mistakes where no machine is at hand, and [Facts] are the variables of
// an instance. What the package has of Jinja is what configurations use: values, operators, filters and tests; if, for,
// set, macro, raw and comments. It differs from cloud-init in one thing: a variable without a value is a finding and not
// the text CI_MISSING_JINJA_VAR. What comes out is a document of any kind, which is not looked at here.
//
// Sources: Jinja 3.1, templates.rst (2025); cloud-init, cloudinit/templater.py and handlers/jinja_template.py (2026).
package template

import (
	"bytes"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
)

const (
	// MaxSteps is how many operations, turns of loops and items of lists a template may take.
	MaxSteps = 100_000
	// MaxBytes is the largest text that a template makes, and the largest one it may hold: 32 MiB.
	MaxBytes = 32 << 20

	maxWork    = 2 * MaxBytes // bytes of texts that are made or looked at on the way, in all
	maxReports = 200          // findings of a kind
	maxReturns = 500_000      // Windows line ends
)

// Is says that the first line of a text says that it is a template of Jinja. A byte order mark may stand before it.
func Is(text []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("##"))
	rest = bytes.TrimLeftFunc(rest, isSpace)
	const word = "template:"
	return ok && len(rest) >= len(word) && len(rest) < 256 && strings.EqualFold(string(rest[:len(word)]), word) &&
		strings.EqualFold(string(bytes.TrimFunc(rest[len(word):], isSpace)), "jinja")
}

// Render gives the document that a template makes with variables, which [Facts] gives. Places in it are those of the
// template's text that made them. If anything is wrong with the template, there is no document; everything that
// [Check] finds is found here too.
func Render(f *source.File, vars map[string]any) (*source.File, diag.List) {
	t := parse(f, vars)
	if len(t.found) > 0 {
		return nil, t.found.Sorted()
	}
	r := &renderer{template: t, vars: &scope{names: map[string]any{}}}
	for name, v := range vars {
		r.vars.names[name] = valueOf(v, maxNesting)
	}
	r.run(t.body)
	if r.out.add(t.text[t.end:], t.end, len(t.text)); len(r.out.text) > MaxBytes { // the last line end
		r.limit(&expr{from: t.end, to: len(t.text)}, "the template makes more than "+strconv.Itoa(MaxBytes>>20)+" MiB")
	}
	if len(t.found) > 0 {
		return nil, t.found.Sorted()
	}
	return source.Made(t.file, r.out.text, r.out.stretches), nil
}

// Check finds what is wrong with a template whatever the machine: its syntax, and names that no machine knows.
func Check(f *source.File) diag.List { return parse(f, nil).found.Sorted() }

// template is one that has been parsed, with what is wrong with it.
type template struct {
	file  *source.File // with the line ends of Unix
	text  []byte
	end   int // of what is parsed: the last line end stays as it is
	body  []*stmt
	found diag.List
}

func (t *template) report(rule *diag.Rule, from, to int, summary, detail string) {
	if len(t.found) >= maxReports {
		return
	}
	if k := bytes.IndexByte(t.text[from:to], '\n'); k >= 0 {
		to = from + k
	}
	d := diag.New(rule, t.file.Range(from, to), "%s", summary)
	d.Subject.Made = 0 // it is about what the user wrote
	d.Detail = detail
	t.found.Add(d)
}

func parse(f *source.File, vars map[string]any) *template {
	t := &template{file: f, text: f.Bytes}
	if len(f.Bytes) > MaxBytes || bytes.Count(f.Bytes, []byte("\r\n")) > maxReturns {
		t.report(rules.TemplateTooLarge, 0, 0, "the template is too large", "at most 32 MiB, or 500,000 lines that end as on Windows")
		return t
	}
	t.file = withUnixLines(f)
	t.text = t.file.Bytes
	begin := len(t.text)
	if k := bytes.IndexByte(t.text, '\n'); k >= 0 {
		begin = k + 1
	}
	t.end = len(t.text)
	if t.end > begin && t.text[t.end-1] == '\n' {
		t.end--
	}
	p := &parser{lexer: &lexer{text: t.text[:t.end], i: begin}, set: map[string]bool{}, asked: map[string]bool{}}
	p.run()
	switch {
	case len(p.tokens) == maxTokens:
		t.report(rules.TemplateTooLarge, begin, begin, "the template has too many parts", "at most "+strconv.Itoa(maxTokens)+" names, values, operators and tags")
		return t
	case p.slip == nil:
		t.body, _ = p.block()
	}
	for _, r := range p.reports {
		t.report(r.rule, r.from, r.to, r.summary, r.detail)
	}
	if p.slip != nil && p.slip.summary != "" {
		t.report(rules.TemplateSyntax, p.slip.from, p.slip.to, p.slip.summary, p.slip.detail)
	}
	t.names(p, vars)
	return t
}

// names reports variables that no machine has, where the template itself does not ask for them.
func (t *template) names(p *parser, vars map[string]any) {
	for _, e := range p.read {
		path := pathOf(e)
		known, prefix := topLevel(), ""
		name := path
		switch v1, isV1 := strings.CutPrefix(path, "v1."); {
		case path == "" || p.asked[path]:
			continue
		case e.op == "name":
			if _, given := vars[path]; given || p.set[path] || isGlobal(path) {
				continue
			}
		case isV1 && !p.set["v1"]:
			if given, _ := vars["v1"].(map[string]any); given != nil {
				if _, given := given[v1]; given {
					continue
				}
			}
			known, prefix, name = v1Keys(), "v1.", v1
		default:
			continue
		}
		if contains(known, name) {
			continue
		}
		detail := "variables of an instance are below v1 and ds"
		if t.subtracted(e.to) {
			detail = useUnderscore
		} else if near := spelling.Nearest(name, known); near != "" {
			detail = "did you mean " + prefix + near + "?"
		} else if contains(topLevel(), name) {
			detail = "write " + name
		}
		t.report(rules.TemplateName, e.from, e.to, "no machine has a variable "+path, detail)
	}
}

const useUnderscore = "a hyphen subtracts: write an underscore for it"

// subtracted says that a hyphen and a name follow right behind an offset, as in v1.availability-zone.
func (t *template) subtracted(offset int) bool {
	rest := t.text[offset:]
	return len(rest) > 1 && rest[0] == '-' && isNameRune(rune(rest[1]))
}

// withUnixLines is a file with the line ends of Unix, as Jinja reads it, and its places in the file as it is.
func withUnixLines(f *source.File) *source.File {
	if bytes.IndexByte(f.Bytes, '\r') < 0 {
		return f
	}
	text := make([]byte, 0, len(f.Bytes))
	stretches := []source.Stretch{{}}
	for i, c := range f.Bytes {
		if c == '\r' {
			if i+1 < len(f.Bytes) && f.Bytes[i+1] == '\n' {
				stretches[len(stretches)-1].To = int32(i)
				stretches = append(stretches, source.Stretch{At: int32(len(text)), From: int32(i + 1)})
				continue
			}
			c = '\n'
		}
		text = append(text, c)
	}
	stretches[len(stretches)-1].To = int32(len(f.Bytes))
	return source.Made(f, text, stretches)
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}
