package diag

import (
	"bufio"
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
	// Format is one of [Formats]; empty is "text".
	Format string
	// Color marks up the text form for a terminal.
	Color bool
	// Files are those whose lines are drawn. Without its file a finding has no excerpt.
	Files []*source.File
	// Checked names every file that was looked at, in order, for the forms that say of each how it fared. A part
	// of a file is called after it, "NAME part 2" or "NAME (gunzipped)", and counts as that file.
	Checked []string
	// Unread is what could not be looked at.
	Unread []Unread
	// FailOn is the severity from which on a finding makes a file fail in JUnit's form; 0 is Error.
	FailOn Severity
	// Root is the absolute directory that the command runs in. Where a form wants names below it, they are
	// written relative to it.
	Root string
	// Docs is the address of a page that has a section a rule; the rule's id is put at its end. Empty for none.
	Docs string
	// Version is the program's.
	Version string
}

// Unread is a file that could not be looked at, and why: "permission denied".
type Unread struct{ Name, Reason string }

// Formats are the forms that [Write] knows, the one for people first.
func Formats() []string { return []string{"text", "json", "sarif", "github", "gitlab", "junit"} }

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
// machine, else "text". The other forms are for what reads logs and reports of CI, each in a file of its own.
//
// In every form a line that touches a secret is (secret), and so is what a message quotes of it; control,
// direction and separator characters of the user's are written as \u{..}; and nothing of the user's is left
// that a CI system would take for a command.
//
// The error is that of w, or says that there is no such format.
func Write(w io.Writer, l List, o Options) error {
	p := newPrinter(w, o)
	switch o.Format {
	case "", "text":
		for _, d := range l {
			p.text(d)
		}
	case "json":
		p.json(l)
	case "sarif":
		p.sarif(l)
	case "github":
		p.github(l)
	case "gitlab":
		p.gitlab(l)
	case "junit":
		p.junit(l)
	default:
		return fmt.Errorf("no format %q; there are %s", o.Format, strings.Join(Formats(), ", "))
	}
	return p.w.Flush()
}

// printer writes. An error of what it writes to is kept by the buffer until that is flushed.
type printer struct {
	Options
	w       *bufio.Writer
	files   map[string]*concealer
	checked map[string]bool
}

func newPrinter(w io.Writer, o Options) *printer {
	p := &printer{Options: o, w: bufio.NewWriter(w), files: map[string]*concealer{}, checked: map[string]bool{}}
	for _, name := range o.Checked {
		p.checked[name] = true
	}
	for _, f := range o.Files {
		if p.files[f.Name] == nil {
			p.files[f.Name] = newConcealer(f)
		}
	}
	return p
}

// A view is what of the user's text a finding may show.
type view struct {
	line     []byte // the first line of the subject, or a long one's piece around it; nil to draw none
	from, to int    // the subject in line, as offsets of bytes
	cut      bool   // something of the line is missing in front
	hidden   bool   // line must not be drawn, nor quoted
}

// near is how much of a long line is looked at on either side of a subject at least, in bytes.
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
	// Of a long line the same piece is looked at for all that is near, so that it is looked at once.
	block := v.from / near
	first := max(0, (block-1)*near)
	for first < v.from && !utf8.RuneStart(line[first]) {
		first++
	}
	last := (block + 3) * near
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
	p := newPrinter(io.Discard, Options{Files: files})
	out := slices.Clone(l)
	for i := range out {
		d := &out[i]
		v := p.view(d)
		d.Summary, d.Detail, d.Related = p.message(&v, d.Summary), p.message(&v, d.Detail), slices.Clone(d.Related)
		for j := range d.Related {
			d.Related[j].Message = p.message(&v, d.Related[j].Message)
		}
	}
	return out
}

// message makes a message fit to print.
func (p *printer) message(v *view, text string) string {
	if text == "" {
		return ""
	}
	line := ""
	if v.hidden { // else nobody asks for it
		line = string(v.line)
	}
	return p.words(conceal(text, line, v.hidden))
}

// whole is a finding's message with what to do, and the related places, on one line.
func (p *printer) whole(d *Diagnostic, v *view) string {
	text := p.message(v, d.Summary)
	if d.Detail != "" {
		text += ": " + p.message(v, d.Detail)
	}
	for _, r := range d.Related {
		text += "; " + p.message(v, r.Message)
		if !r.At.IsZero() {
			text += " at " + p.words(r.At.String())
		}
	}
	return text
}

// words makes a text of others fit to print in the form that is written: it may not begin as a command does, and
// in the forms that CI reads it may not go on as one either.
func (p *printer) words(s string) string {
	s = printable(s, p.forCI())
	if blanks := len(s) - len(strings.TrimLeft(s, " ")); strings.HasPrefix(s[blanks:], "::") {
		s = s[:blanks] + `:\u{3a}` + s[blanks+2:]
	}
	return s
}

func (p *printer) forCI() bool { return p.Format != "" && p.Format != "text" }

// Printable is a text of others as it may be shown anywhere: what does not print, acts on a terminal or changes the
// order of what is around it is \u{..}, and bytes that are no text are \x{..}. It has no line end and no tab, and
// the second # of ##[ and ##vso[, which CI systems look for anywhere in a line, is \u{23}.
func Printable(s string) string { return printable(s, false) }

func printable(s string, forCI bool) string {
	unfit := func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }
	if strings.IndexFunc(s, unfit) < 0 && !strings.Contains(s, "##") && !(forCI && strings.Contains(s, "::")) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(glyph(r, s, i, size, forCI))
		i += size
	}
	return b.String()
}

// glyph is how the character at an offset of a text is shown.
func glyph[T string | []byte](r rune, text T, at, size int, forCI bool) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return fmt.Sprintf(`\x{%02x}`, text[at])
	case !strconv.IsPrint(r), r == '#' && opensCommand(text, at), r == ':' && forCI && namesCommand(text, at):
		return fmt.Sprintf(`\u{%x}`, r)
	}
	return string(text[at : at+size])
}

// opensCommand says that the # at an offset is the second one of ##[, ##vso[ or ##teamcity[.
//
// Source: actions/runner, src/Runner.Common/ActionCommand.cs, TryParse; Azure Pipelines' logging commands (2026).
func opensCommand[T string | []byte](text T, at int) bool {
	if at == 0 || text[at-1] != '#' {
		return false
	}
	at++
	for at < len(text) && text[at]|0x20 >= 'a' && text[at]|0x20 <= 'z' {
		at++
	}
	return at < len(text) && text[at] == '['
}

// namesCommand says that the : at an offset is the second one of ::, and what follows can be the name of a command,
// as in ::error file=x::y. The groups of an address, as in fd00::1, are none.
//
// Source: GitHub, "Workflow commands for GitHub Actions" (2026).
func namesCommand[T string | []byte](text T, at int) bool {
	if at == 0 || text[at-1] != ':' {
		return false
	}
	n, address := 0, true
	for at++; at < len(text) && isWordByte(text[at]); at++ {
		c := text[at] | 0x20
		address = address && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
		n++
	}
	return n > 4 || !address
}

// place is where a finding is for a reader who has files and not their parts.
type place struct {
	name string // relative to Root if below it, with / between its parts, and exactly as the file is called
	at   source.Range
	part string // "name:line:column" of the part, if lines of that are none of the file; then at is no place
}

func (p *printer) place(at source.Range) place {
	name, of := p.fileOf(at.File)
	c := p.files[at.File]
	where := place{name: Relative(name, p.Root), at: at}
	if of && (c == nil || c.file.Line == 0) {
		where.part, where.at = at.String(), source.Range{}
	}
	return where
}

// fileOf is the name of the file that a part is of, and whether it is of one.
func (p *printer) fileOf(name string) (string, bool) {
	if p.checked[name] {
		return name, false
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == ' ' && p.checked[name[:i]] {
			return name[:i], true
		}
	}
	return name, false
}

// Relative is a file's name as seen from the directory root, with / between its parts. What is not below root
// stays absolute.
func Relative(name, root string) string {
	if strings.Contains(root, `\`) { // as on Windows alone
		name, root = strings.ReplaceAll(name, `\`, "/"), strings.ReplaceAll(root, `\`, "/")
	}
	if root != "" {
		if rest, below := strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/"); below {
			name = rest
		}
	}
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	return name
}
