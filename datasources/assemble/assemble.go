// Package assemble turns user-data as a platform has it into the documents that package schema decodes: it unpacks
// what is packed, takes messages and archives apart, renders templates and fetches what is included.
//
// [Parts] is the thing to call. What is in a document is not its business: the decoder reads the first line.
package assemble

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
	"cloudconfig/schema/yamltree"
)

const (
	// MaxBytes is the largest document, unpacked: 32 MiB.
	MaxBytes = 32 << 20
	// MaxTotal is how much is unpacked and fetched in all: 64 MiB.
	MaxTotal = 64 << 20
	// MaxDepth is how often a document may be packed, base64 counted too.
	MaxDepth = 4
	// MaxParts is how many parts there may be, messages and archives inside each other counted too.
	MaxParts = 1000
	// MaxNesting is how deep messages and archives may be inside each other.
	MaxNesting = 8
	// MaxIncludes is how many includes there may be, and MaxIncludeDepth how deep they may be inside each other.
	MaxIncludes     = 100
	MaxIncludeDepth = 8
)

// Options are what Parts may do besides taking f apart. With the zero value it reads f and nothing else.
type Options struct {
	// Vendor says that f is the vendor data of the platform, which may be no configuration of Ignition's.
	Vendor bool
	// Base is the URL that f is from, which what it includes may be relative to; "" if there is none.
	Base string
	// Get fetches an include with a URL of http or https; it says what it does not fetch. nil means that such
	// includes are not looked at. An error stops none of the others.
	Get func(ctx context.Context, url string) ([]byte, error)
	// ReadFile reads an include of the machine's own, by an absolute path without "..". It wraps fs.ErrNotExist if
	// there is no such file. nil means that such includes are not looked at.
	ReadFile func(path string) ([]byte, error)
	// Once is what #include-once lists have fetched before, by URL: it is not fetched again.
	Once map[string][]byte
	// Facts are the variables of templates. nil means that templates are checked and not rendered.
	Facts map[string]any
}

// Result is what user-data is made of.
type Result struct {
	// Parts are the documents in their order: cloud-configs, scripts, boothooks.
	Parts []*source.File
	// Found is what is wrong with how they are packed, and what was left out, in no order.
	Found diag.List
	// Files are the texts that findings may be in, also those of who decodes Parts; the first is the user-data.
	Files []*source.File
	// Pending counts the includes that were not looked at.
	Pending int
	// Once is what #include-once lists have fetched, now or before, by URL. It is for the next time.
	Once map[string][]byte
	// Ignition says that there is a configuration of Ignition's, which was left to it.
	Ignition bool
}

// Parts takes user-data apart: to no document if it is empty, to one, or to many in their order.
//
// A document that stands in f as it is, is f itself or a piece of it, with the name and the line numbers of f. One
// that was packed or encoded has a name that says so, such as "user-data part 2 (base64)", and its lines count
// from 1, as do those of one that was included, which is named by its URL; names of such documents are unique. What is
// cut short, damaged or of a kind not known here is a finding, and the other parts are given all the same.
//
// The error is the context's, should it end, or names every include that could not be fetched; then nothing of the
// result may be applied.
func Parts(ctx context.Context, f *source.File, o Options) (Result, error) {
	a := assembler{ctx: ctx, o: o, left: MaxTotal, names: map[string]bool{}}
	a.keep(f)
	a.document(f, place{include: base(o.Base)})
	if a.err != nil {
		return Result{Files: a.Files}, a.err
	}
	return a.Result, errors.Join(a.failed...)
}

type assembler struct {
	Result
	ctx    context.Context
	o      Options
	err    error   // what ended it all
	failed []error // includes

	left     int             // bytes that may still be unpacked or fetched
	entities int             // so far: parts, messages and archives
	leaves   int             // so far, as names count them
	includes int             // so far
	names    map[string]bool // of what was included
	yaml     yamltree.Reader
}

// place is where a document is.
type place struct {
	nesting  int  // messages and archives that it is in
	rendered bool // it came out of a template
	include  *include
}

func (p place) inside() place {
	p.nesting++
	return p
}

func (a *assembler) report(rule *diag.Rule, at source.Range, format string, args ...any) *diag.Diagnostic {
	a.Found.Add(diag.New(rule, at, format, args...))
	return &a.Found[len(a.Found)-1]
}

// keep keeps a text that findings may be in.
func (a *assembler) keep(f *source.File) {
	if w := f.Whole(); !slices.Contains(a.Files, w) {
		a.Files = append(a.Files, w)
	}
}

// document takes what stands in f: it may be packed, and it may be what makes more documents.
func (a *assembler) document(f *source.File, p place) {
	if a.err != nil {
		return
	}
	f = a.unpack(f)
	if f == nil || len(f.Bytes) == 0 {
		return
	}
	if len(f.Bytes) > MaxBytes {
		a.report(rules.TooLarge, start(f), "the document is larger than %d MiB", MaxBytes>>20)
		return
	}
	a.keep(f)
	switch word := firstWord(f.Bytes); {
	case f.Type == "" && isMessage(f.Bytes):
		a.entity(f, p)
	case template.Is(f.Bytes):
		a.template(f, p)
	case word == "#cloud-config-archive" || f.Type == typeArchive:
		a.archive(f, p)
	case word == "#include" || word == "#include-once" || f.Type == typeInclude || f.Type == typeIncludeOnce:
		a.list(f, p)
	case isIgnition(f.Bytes):
		a.ignition(f)
	case f.Type == typeTemplate:
		a.unsupported(f.LineRange(f.FirstLine()), `a template without "## template: jinja" on its first line`)
	default:
		if kind := unsupported(f.Bytes, word); kind != "" {
			a.unsupported(f.LineRange(f.FirstLine()), kind)
			return
		}
		a.Parts = append(a.Parts, f)
	}
}

func (a *assembler) unsupported(at source.Range, kind string) {
	d := a.report(rules.UnsupportedKind, at, "%s cannot be read here", kind)
	d.Detail = "give a #cloud-config document or a script"
}

// ignition leaves a configuration to Ignition, which reads the same user-data in the initial RAM disk.
func (a *assembler) ignition(f *source.File) {
	at := f.LineRange(f.FirstLine())
	if a.o.Vendor {
		a.unsupported(at, "a configuration of Ignition's in vendor data")
		return
	}
	a.Result.Ignition = true
	a.report(rules.IgnitionAside, at, "this is a configuration of Ignition's and is left to it").Detail = "nothing of it is read here"
}

// isIgnition knows such a configuration as coreos-cloudinit does.
//
// Sources: Ignition specification 2.0.0 to 3.5.0, "ignition.version"; version 1 had "ignitionVersion".
func isIgnition(b []byte) bool {
	b = bytes.TrimSpace(withoutMark(b))
	if len(b) == 0 || b[0] != '{' || !bytes.Contains(b, []byte(`"ignition`)) {
		return false
	}
	var doc struct {
		Ignition struct {
			Version string `json:"version"`
		} `json:"ignition"`
		Old json.RawMessage `json:"ignitionVersion"`
	}
	return json.Unmarshal(b, &doc) == nil && (doc.Ignition.Version != "" || doc.Old != nil)
}

// start is where a file begins, told without a look at its lines: it may be no text.
func start(f *source.File) source.Range {
	if f.Whole() != f {
		return f.Range(0, 0)
	}
	pos := source.Pos{Line: f.FirstLine(), Column: 1}
	return source.Range{File: f.Name, Start: pos, End: pos}
}

// partName is what a part is called that no longer stands in the file f.
func (a *assembler) partName(f *source.File) string {
	return fmt.Sprintf("%s part %d", f.Name, a.leaves)
}

// firstWord is the first word of a text in small letters, if nothing stands before it.
func firstWord(b []byte) string {
	b = withoutMark(b)
	b = b[:min(len(b), 64)]
	if i := bytes.IndexAny(b, " \t\r\n"); i >= 0 {
		b = b[:i]
	}
	return strings.ToLower(string(b))
}

// unsupported names a kind of user-data that holds or makes documents in a way not known here, "" for all else.
//
// Kinds: cloud-init, doc/rtd/explanation/format/index.rst and cloudinit/user_data.py (2026).
func unsupported(b []byte, word string) string {
	switch {
	case bytes.HasPrefix(b, []byte(bzip2Magic)):
		return "data compressed with bzip2"
	case word == "#cloud-config-jsonp":
		return "a JSON patch"
	case word == "#part-handler":
		return "a part handler"
	case word == "#upstart-job":
		return "an upstart job"
	case word == "##" && strings.HasPrefix(strings.ToLower(string(withoutMark(b)[:min(len(withoutMark(b)), 12)])), "## template:"):
		return "a template of another language than Jinja"
	}
	return ""
}

const byteOrderMark = "\xef\xbb\xbf"

func withoutMark(b []byte) []byte { return bytes.TrimPrefix(b, []byte(byteOrderMark)) }
