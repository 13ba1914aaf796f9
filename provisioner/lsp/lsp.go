// Package lsp is a language server for cloud-configs: findings as one types, what a key means, which keys and values
// can follow, and cures to choose.
//
// [Serve] is the thing to call. A text is what the editor sends; what is no user-data, by its first line, is left
// alone, since editors send every YAML file there is.
package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/language"
	"cloudconfig/schema/source"
)

// Checker finds what is wrong with a text. Findings are of files named as the text is.
type Checker interface {
	Check(ctx context.Context, f *source.File) diag.List
}

// Serve speaks the protocol over a pair of streams until the client says exit, closes its end, or ctx ends. The
// error is the client's: that it went without saying so, or sent what is no message.
func Serve(ctx context.Context, in io.Reader, out io.Writer, version string, c Checker) error {
	s := &server{check: c, version: version, encoding: utf16Units, documents: map[string]*document{}, done: make(chan struct{})}
	stream := jsonrpc2.NewBufferedStream(streams{in, out}, jsonrpc2.VSCodeObjectCodec{})
	conn := jsonrpc2.NewConn(ctx, stream, jsonrpc2.HandlerWithError(s.handle))
	defer conn.Close()
	select {
	case <-s.done:
		if !s.shutdown {
			return errors.New("the editor left without a shutdown")
		}
		return nil
	case <-conn.DisconnectNotify():
		if s.shutdown {
			return nil
		}
		return errors.New("the editor has closed the connection")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// streams are standard input and output, neither of which is ours to close.
type streams struct {
	io.Reader
	io.Writer
}

func (streams) Close() error { return nil }

type server struct {
	check     Checker
	version   string
	encoding  encoding
	documents map[string]*document
	shutdown  bool
	done      chan struct{}
}

// document is a text that is open in the editor.
type document struct {
	uri   string
	file  *source.File
	found diag.List
}

// handle answers one message; they come one after the other.
func (s *server) handle(ctx context.Context, conn *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
	switch r.Method {
	case "initialize":
		return with(r, s.initialize)
	case "shutdown":
		s.shutdown = true
		return nil, nil
	case "exit":
		close(s.done)
		return nil, nil
	case "textDocument/didOpen":
		return with(r, func(p didOpenParams) (any, error) {
			return nil, s.set(ctx, conn, p.TextDocument, p.TextDocument.Text)
		})
	case "textDocument/didChange":
		return with(r, func(p didChangeParams) (any, error) {
			if len(p.ContentChanges) == 0 {
				return nil, nil
			}
			last := p.ContentChanges[len(p.ContentChanges)-1]
			if last.Range != nil {
				return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: "changes are taken as whole texts only"}
			}
			return nil, s.set(ctx, conn, p.TextDocument, last.Text)
		})
	case "textDocument/didClose":
		return with(r, func(p didOpenParams) (any, error) {
			delete(s.documents, p.TextDocument.URI)
			return nil, conn.Notify(ctx, "textDocument/publishDiagnostics", publishDiagnosticsParams{URI: p.TextDocument.URI, Diagnostics: []diagnostic{}})
		})
	case "textDocument/hover":
		return with(r, s.hover)
	case "textDocument/completion":
		return with(r, s.complete)
	case "textDocument/codeAction":
		return with(r, s.actions)
	}
	if r.Notif {
		return nil, nil
	}
	return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: "this server has no method " + r.Method}
}

// with calls a method with its parameters.
func with[P any](r *jsonrpc2.Request, method func(P) (any, error)) (any, error) {
	var p P
	if r.Params == nil || json.Unmarshal(*r.Params, &p) != nil {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: "these are no parameters for " + r.Method}
	}
	return method(p)
}

func (s *server) initialize(p initializeParams) (any, error) {
	s.encoding = choose(p.Capabilities.General.PositionEncodings)
	return initializeResult{
		ServerInfo: serverInfo{Name: "provisioner", Version: s.version},
		Capabilities: capabilities{
			PositionEncoding:   string(s.encoding),
			TextDocumentSync:   1,
			HoverProvider:      true,
			CompletionProvider: completionOptions{TriggerCharacters: []string{" ", "\n"}},
			CodeActionProvider: codeActionOptions{CodeActionKinds: []string{"quickfix"}},
		},
	}, nil
}

// isOurs says that a text is user-data, or is meant to be.
func isOurs(text string) bool {
	text = strings.ToLower(strings.TrimPrefix(text, "\ufeff"))
	for _, start := range []string{"#cloud", "# cloud", "content-type: multipart/", "mime-version:"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// set takes a text for a document and tells the client what is wrong with it.
func (s *server) set(ctx context.Context, conn *jsonrpc2.Conn, t textDocument, text string) error {
	d := &document{uri: t.URI, file: &source.File{Name: t.URI, Bytes: []byte(text)}}
	s.documents[t.URI] = d
	if isOurs(text) {
		d.found = s.check.Check(ctx, d.file).Shown(d.file)
	}
	out := publishDiagnosticsParams{URI: t.URI, Version: t.Version, Diagnostics: []diagnostic{}}
	count := counter{encoding: s.encoding, file: d.file}
	for i := range d.found {
		out.Diagnostics = append(out.Diagnostics, s.diagnostic(d, &d.found[i], &count))
	}
	return conn.Notify(ctx, "textDocument/publishDiagnostics", out)
}

// diagnostic is a finding as the client shows it. A finding in what was packed into the text is shown at its start.
func (s *server) diagnostic(d *document, f *diag.Diagnostic, count *counter) diagnostic {
	out := diagnostic{Severity: int(f.Severity), Code: f.Rule.ID, Source: "provisioner", Message: f.Summary}
	if f.Detail != "" {
		out.Message += "\n" + f.Detail
	}
	if f.Subject.File == d.file.Name {
		out.Range = count.span(f.Subject)
	}
	for _, r := range f.Related {
		if r.At.File == d.file.Name {
			out.RelatedInformation = append(out.RelatedInformation, relatedInfo{
				Location: location{URI: d.uri, Range: s.encoding.span(d.file, r.At)}, Message: r.Message,
			})
		}
	}
	return out
}

// cursor is the cursor of a position in a text of ours.
func (s *server) cursor(p positionParams) (d *document, c cursor, ok bool) {
	d = s.documents[p.TextDocument.URI]
	if d == nil || !bytes.HasPrefix(bytes.TrimPrefix(d.file.Bytes, []byte("\ufeff")), []byte("#cloud-config")) || p.Position.Line < 0 || p.Position.Line >= d.file.Lines() {
		return d, c, false
	}
	line := d.file.Text(d.file.FirstLine() + p.Position.Line)
	c, ok = cursorAt(d.file, p.Position.Line, s.encoding.column(line, p.Position.Character))
	return d, c, ok
}

// word is the range of a cursor's word.
func (s *server) word(d *document, number int, c cursor) span {
	line := d.file.FirstLine() + number
	start := d.file.Offset(line, 1)
	return s.encoding.span(d.file, d.file.Range(start+c.from, start+c.to))
}

func (s *server) hover(p positionParams) (any, error) {
	d, c, ok := s.cursor(p)
	if !ok {
		return nil, nil
	}
	name := fold(c.word)
	if c.key != "" {
		name = c.key
	}
	for _, k := range language.KeysAt(c.path) {
		if k.Name == name {
			return hover{Contents: markup{Kind: "markdown", Value: explain(k)}, Range: s.word(d, p.Position.Line, c)}, nil
		}
	}
	return nil, nil
}

func (s *server) complete(p positionParams) (any, error) {
	items := []completionItem{}
	d, c, ok := s.cursor(p)
	if !ok {
		return items, nil
	}
	at := s.word(d, p.Position.Line, c)
	if c.key != "" {
		for _, v := range values(c.path, c.key) {
			items = append(items, completionItem{Label: v, Kind: 12, TextEdit: &textEdit{Range: at, NewText: v}})
		}
		return items, nil
	}
	siblings := map[string]bool{}
	for _, key := range c.siblings {
		siblings[key] = true
	}
	line := d.file.Text(d.file.FirstLine() + p.Position.Line)
	for _, k := range language.KeysAt(c.path) {
		if siblings[k.Name] {
			continue
		}
		text := k.Name
		if c.to >= len(line) || line[c.to] != ':' {
			text += ": "
		}
		items = append(items, completionItem{
			Label: k.Name, Kind: 10, Detail: k.Type, Deprecated: k.Deprecated != "",
			Documentation: &markup{Kind: "markdown", Value: explain(k)},
			TextEdit:      &textEdit{Range: at, NewText: text},
		})
	}
	return items, nil
}

// values are what a key of the mapping at a path takes, if they are few.
func values(path, name string) []string {
	for _, k := range language.KeysAt(path) {
		switch {
		case k.Name != name:
		case len(k.Values) > 0:
			return k.Values
		case k.Type == "true or false":
			return []string{"true", "false"}
		}
	}
	return nil
}

// explain is a key in Markdown.
func explain(k language.Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s\n", k.Path, k.Type)
	if k.Doc != "" {
		fmt.Fprintf(&b, "\n%s.\n", k.Doc)
	}
	if k.Variable != "" {
		fmt.Fprintf(&b, "\nIt becomes `%s` in the environment of the agent.\n", k.Variable)
	}
	if len(k.Values) > 0 {
		fmt.Fprintf(&b, "\nOne of `%s`.\n", strings.Join(k.Values, "`, `"))
	}
	if k.Deprecated != "" {
		fmt.Fprintf(&b, "\nDeprecated: %s.\n", k.Deprecated)
	}
	if k.Example != "" {
		fmt.Fprintf(&b, "\n```yaml\n%s: %s\n```\n", k.Name, k.Example)
	}
	return b.String()
}

// actions are the cures of the findings in a range.
func (s *server) actions(p codeActionParams) (any, error) {
	out := []codeAction{}
	d := s.documents[p.TextDocument.URI]
	if d == nil {
		return out, nil
	}
	count := counter{encoding: s.encoding, file: d.file}
	for i := range d.found {
		f := &d.found[i]
		if len(f.Fix) == 0 || f.Subject.File != d.file.Name {
			continue
		}
		if at := count.span(f.Subject); before(at.End, p.Range.Start) || before(p.Range.End, at.Start) {
			continue
		}
		shown := s.diagnostic(d, f, &count)
		a := codeAction{Title: "Fix: " + f.Rule.Title, Kind: "quickfix", IsPreferred: true, Diagnostics: []diagnostic{shown}}
		var edits []textEdit
		for _, e := range f.Fix {
			edits = append(edits, textEdit{Range: s.encoding.span(d.file, e.At), NewText: e.Text})
		}
		a.Edit.Changes = map[string][]textEdit{d.uri: edits}
		out = append(out, a)
	}
	return out, nil
}

func before(a, b position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Character < b.Character
}
