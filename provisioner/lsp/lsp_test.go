package lsp_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sourcegraph/jsonrpc2"

	"cloudconfig/provisioner/lsp"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

type decoder struct{}

func (decoder) Check(_ context.Context, f *source.File) diag.List {
	_, found := schema.Decode(schema.Input{Files: []*source.File{f}, Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	return found
}

// editor is a client at the other end of the streams.
type editor struct {
	t         *testing.T
	conn      *jsonrpc2.Conn
	published chan map[string]any
	served    chan error
}

type streams struct {
	io.Reader
	io.WriteCloser
}

func start(t *testing.T, encodings ...string) *editor {
	t.Helper()
	fromEditor, toServer := io.Pipe()
	fromServer, toEditor := io.Pipe()
	e := &editor{t: t, published: make(chan map[string]any, 10), served: make(chan error, 1)}
	go func() { e.served <- lsp.Serve(context.Background(), fromEditor, toEditor, "v1", decoder{}) }()
	handler := jsonrpc2.HandlerWithError(func(_ context.Context, _ *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
		var p map[string]any
		if err := json.Unmarshal(*r.Params, &p); err != nil || r.Method != "textDocument/publishDiagnostics" {
			t.Errorf("%s: %v", r.Method, err)
		}
		e.published <- p
		return nil, nil
	})
	e.conn = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(streams{fromServer, toServer}, jsonrpc2.VSCodeObjectCodec{}), handler)
	t.Cleanup(func() { e.conn.Close() })
	e.call("initialize", map[string]any{"capabilities": map[string]any{"general": map[string]any{"positionEncodings": encodings}}})
	e.notify("initialized", map[string]any{})
	return e
}

func (e *editor) call(method string, params any) any {
	e.t.Helper()
	var got any
	if err := e.conn.Call(context.Background(), method, params, &got); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
	return got
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	if err := e.conn.Notify(context.Background(), method, params); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

const uri = "file:///web.yaml"

// open opens a document and returns the findings as "line:character-line:character severity code".
func (e *editor) open(text string) []string {
	e.t.Helper()
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
	return e.findings()
}

func (e *editor) findings() []string {
	e.t.Helper()
	var out []string
	for _, d := range (<-e.published)["diagnostics"].([]any) {
		d := d.(map[string]any)
		r, _ := json.Marshal(d["range"])
		out = append(out, string(r)+" "+d["code"].(string)+": "+d["message"].(string))
	}
	return out
}

func at(line, character int) map[string]any {
	return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": line, "character": character}}
}

func TestFindings(t *testing.T) {
	text := "#cloud-config\nhostname: web_1\nx-é𝄞: [{a: 1}]\nwrite_files:\n- {path: /é𝄞, permisions: 1}\n"
	for _, tt := range []struct {
		encoding   string
		start, end int // of the unknown key
	}{{"utf-32", 14, 24}, {"utf-16", 15, 25}, {"utf-8", 18, 28}, {"", 15, 25}} {
		var offered []string
		if tt.encoding != "" {
			offered = []string{tt.encoding}
		}
		e := start(t, offered...)
		e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "version": 1, "text": text}})
		var p struct {
			Diagnostics []struct {
				Range struct{ Start, End struct{ Line, Character int } }
				Code  string
			}
		}
		raw, _ := json.Marshal(<-e.published)
		if err := json.Unmarshal(raw, &p); err != nil || len(p.Diagnostics) != 2 {
			t.Fatalf("%v %s", err, raw)
		}
		if d := p.Diagnostics[1]; d.Code != "unknown-key" || d.Range.Start.Line != 4 || d.Range.Start.Character != tt.start || d.Range.End.Character != tt.end {
			t.Errorf("%q: %+v, want 4:%d-%d", tt.encoding, d, tt.start, tt.end)
		}
	}
}

// What is typed is checked anew, what is closed has no findings, and what is no user-data has none.
func TestLife(t *testing.T) {
	e := start(t)
	if got := e.open("#cloud-config\nhostnam: a\n"); len(got) != 1 || !strings.Contains(got[0], `did you mean "hostname"?`) {
		t.Errorf("%q", got)
	}
	e.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uri, "version": 2}, "contentChanges": []any{map[string]any{"text": "#cloud-config\nhostname: a\n"}}})
	if got := e.findings(); len(got) != 0 {
		t.Errorf("after the change: %q", got)
	}
	if got := e.open("apiVersion: v1\nkind: Pod\n"); len(got) != 0 {
		t.Errorf("of another kind of document: %q", got)
	}
	if got := e.open("#cloud-conf\nhostname: a\n"); len(got) != 1 {
		t.Errorf("of a misspelt header: %q", got)
	}
	e.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri}})
	if got := e.findings(); len(got) != 0 {
		t.Errorf("of a closed document: %q", got)
	}
	if err := e.conn.Call(context.Background(), "workspace/symbol", map[string]any{}, nil); err == nil || !strings.Contains(err.Error(), "no method") {
		t.Errorf("an unknown method: %v", err)
	}
	if err := e.conn.Call(context.Background(), "textDocument/hover", []int{1}, nil); err == nil {
		t.Error("parameters of the wrong kind are taken")
	}
	e.call("shutdown", nil)
	e.notify("exit", nil)
	if err := <-e.served; err != nil {
		t.Error(err)
	}
}

func TestLeft(t *testing.T) {
	e := start(t)
	e.notify("exit", nil)
	if err := <-e.served; err == nil {
		t.Error("an editor that leaves without a shutdown is no error")
	}
}

// A password hash that stands in a wrong place is in no message.
func TestSecret(t *testing.T) {
	e := start(t)
	got := e.open("#cloud-config\nusers:\n- name: a\n  pass: $6$abcdefgh$0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01234567890123\n  passwd: hunter2\n")
	if len(got) == 0 {
		t.Error("nothing is found")
	}
	for _, m := range got {
		if strings.Contains(m, "abcdefgh") || strings.Contains(m, "hunter2") {
			t.Errorf("it is in %q", m)
		}
	}
}

const config = `#cloud-config
hostname: web1
write_files:
- path: /etc/motd
  content: |
    per
    owner: x

coreos:
  update:
    reboot-strategy: 
  units:
    - name: a.service
      ena
      drop-ins:
        - name: a.conf
          

`

func TestHover(t *testing.T) {
	e := start(t)
	e.open(config)
	for _, tt := range []struct {
		line, character int
		want            string // in the text; empty for none
	}{
		{1, 3, "**hostname**"},
		{1, 12, "**hostname**"},
		{3, 4, "**write_files.path**"},
		{10, 6, "**coreos.update.reboot_strategy**"},
		{14, 8, "**coreos.units.drop_ins**"},
		{15, 11, "**coreos.units.drop_ins.name**"},
		{6, 6, ""}, // inside a block of text
		{0, 3, ""},
		{7, 0, ""},
		{99, 0, ""},
	} {
		got, _ := json.Marshal(e.call("textDocument/hover", at(tt.line, tt.character)))
		if tt.want == "" && string(got) != "null" || !strings.Contains(string(got), tt.want) {
			t.Errorf("%d:%d: %s, want %q", tt.line, tt.character, got, tt.want)
		}
	}
}

func TestComplete(t *testing.T) {
	e := start(t)
	e.open(config)
	labels := func(line, character int) []string {
		out := []string{}
		for _, item := range e.call("textDocument/completion", at(line, character)).([]any) {
			out = append(out, item.(map[string]any)["label"].(string))
		}
		return out
	}
	for _, tt := range []struct {
		line, character int
		want            []string
	}{
		{10, 21, []string{"best-effort", "etcd-lock", "reboot", "off"}},
		{13, 9, []string{"content", "runtime", "mask", "enable", "command"}},
		{16, 10, []string{"content"}},
		{5, 7, []string{}},
	} {
		if diff := cmp.Diff(tt.want, labels(tt.line, tt.character)); diff != "" {
			t.Errorf("%d:%d: %s", tt.line, tt.character, diff)
		}
	}
	top := labels(17, 0)
	for _, not := range []string{"hostname", "write_files", "coreos"} {
		if strings.Contains(" "+strings.Join(top, " ")+" ", " "+not+" ") {
			t.Errorf("%s is there already and offered again: %q", not, top)
		}
	}
	if !strings.Contains(strings.Join(top, " "), "users") {
		t.Errorf("users is not offered at the top: %q", top)
	}
}

// TestNamesOfTheirOwn: below a name that is the user's own, the keys are those of what it names.
func TestNamesOfTheirOwn(t *testing.T) {
	e := start(t)
	e.open("#cloud-config\nnetwork:\n  version: 2\n  bonds:\n    my-bond:\n      dhcp4: true\n      parameters:\n        mode: \n        \n")
	labels := func(line, character int) string {
		var out []string
		for _, item := range e.call("textDocument/completion", at(line, character)).([]any) {
			out = append(out, item.(map[string]any)["label"].(string))
		}
		return " " + strings.Join(out, " ") + " "
	}
	for _, tt := range []struct {
		line, character int
		has, hasNot     string
	}{
		{5, 7, " interfaces ", " match "},
		{8, 8, " lacp_rate ", " mode "},
		{7, 14, " active-backup ", " lacp_rate "},
		{4, 5, " renderer ", " interfaces "},
	} {
		if got := labels(tt.line, tt.character); !strings.Contains(got, tt.has) || strings.Contains(got, tt.hasNot) {
			t.Errorf("%d:%d: %s", tt.line, tt.character, got)
		}
	}
	if got, _ := json.Marshal(e.call("textDocument/hover", at(5, 7))); !strings.Contains(string(got), "Ask for an IPv4 address") {
		t.Errorf("%s", got)
	}
}

func TestActions(t *testing.T) {
	e := start(t)
	e.open("#cloud-config\nwrite_files:\n- path: /a\n  permissions: 420\n")
	r := func(line int) any {
		return map[string]any{"textDocument": map[string]any{"uri": uri}, "range": map[string]any{
			"start": map[string]any{"line": line, "character": 0}, "end": map[string]any{"line": line, "character": 99}},
			"context": map[string]any{"diagnostics": []any{}}}
	}
	if got := e.call("textDocument/codeAction", r(2)).([]any); len(got) != 0 {
		t.Errorf("a cure on another line: %v", got)
	}
	got, _ := json.Marshal(e.call("textDocument/codeAction", r(3)))
	if !strings.Contains(string(got), `"newText":"\"0644\""`) {
		t.Errorf("no cure: %s", got)
	}
}
