package diag_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

var noted = &diag.Rule{ID: "deprecated-key", Severity: diag.Info, Title: "deprecated key", Help: "There is a better one.",
	Example: "a: 1", Instead: "b: 1"}

// run is a list with one of everything: severities, related places, no place, a secret, names that need escapes, a
// file that is clean, one that cannot be read, and parts whose lines are those of the file, and are not.
func everything() (diag.List, diag.Options) {
	web := &source.File{Name: "conf/web.yaml", Bytes: []byte("#cloud-config\nusers:\n  - nmae: é core\n    passwd: hunter2\na: 日本 b\n")}
	odd := &source.File{Name: "./a b,c:d%é#.yaml", Bytes: []byte("x: 100% <&> \"q\"\nx: 2\n")}
	below := &source.File{Name: "/src/deep/absolute.yaml", Bytes: []byte("x: 1\n")}
	outside := &source.File{Name: "/etc/other.yaml", Bytes: []byte("x: 1\n")}
	part := &source.File{Name: "mail.txt part 2", Bytes: []byte("x: 1\n"), Line: 7}
	packed := &source.File{Name: "packed.gz (gunzipped)", Bytes: []byte("\nx: 1\n")}
	key := diag.New(unknownKey, at(web, "nmae"), "unknown key %q in users", "nmae")
	key.Detail, key.Path = `did you mean "name"?`, "users[0]"
	hash := diag.New(unknownKey, at(web, "hunter2"), "%q is no hash", "hunter2")
	hash.Path = "users[0].passwd"
	twice := diag.New(unknownKey, odd.Range(16, 17), "the key %q is there twice", "x")
	twice.Related = []diag.Related{{Message: "the first one", At: odd.Range(0, 1)}, {Message: "no place for this"}}
	l := diag.List{
		key, hash, diag.New(noted, at(web, "日本"), "key %q is deprecated", "a"),
		diag.New(unknownKey, web.Range(14, 30), "over two lines"),
		twice, diag.New(noted, below.Range(0, 1), "below"), diag.New(placeName, outside.Range(0, 1), "outside"),
		diag.New(unknownKey, part.Range(0, 1), "in a part"), diag.New(unknownKey, packed.Range(1, 2), "in what was compressed"),
		diag.New(unknownKey, source.Range{File: "blob.gz", Start: source.Pos{Line: 1, Column: 1}, End: source.Pos{Line: 1, Column: 1}}, "no text at all"),
		diag.New(placeName, source.Range{}, "no address"),
	}
	return l, diag.Options{
		Files: []*source.File{web, odd, below, outside, part, packed}, Root: "/src", Version: "v1.2.3",
		Docs:    "https://provisioner.example/docs/rules#",
		Checked: []string{web.Name, odd.Name, "clean.yaml", below.Name, outside.Name, "mail.txt", "packed.gz", "blob.gz"},
		Unread:  []diag.Unread{{Name: "gone.yaml", Reason: "permission denied"}},
	}
}

func TestWriteFormats(t *testing.T) {
	for _, format := range diag.Formats() {
		l, o := everything()
		o.Format = format
		got := write(t, l, o)
		golden(t, "everything."+format, got)
		golden(t, "nothing."+format, write(t, nil, diag.Options{Format: format, Checked: []string{"clean.yaml"}}))
		if strings.Contains(string(got), "hunter2") {
			t.Errorf("%s tells a secret", format)
		}
	}
}

// What GitHub does not show is counted in front of all that it might not show either.
func TestWriteGitHubCaps(t *testing.T) {
	list := func(errors, warnings, infos int) (l diag.List) {
		for i, rule := range []*diag.Rule{unknownKey, placeName, noted} {
			for range []int{errors, warnings, infos}[i] {
				l.Add(diag.New(rule, source.Range{}, "x"))
			}
		}
		return l
	}
	for _, tt := range []struct {
		l    diag.List
		want string
	}{
		{list(10, 10, 10), ""},
		{list(11, 10, 10), " 1 more errors\n"},
		{list(13, 0, 25), " 3 more errors, 15 more notices\n"},
		{list(0, 12, 0), " 2 more warnings\n"},
	} {
		got := string(write(t, tt.l, diag.Options{Format: "github"}))
		line, _, _ := strings.Cut(got, "\n")
		if said := strings.HasPrefix(line, "::notice title=provisioner::GitHub shows 10 "); said != (tt.want != "") || !strings.HasSuffix(line+"\n", tt.want) {
			t.Errorf("the first line is %q, want one that ends with %q", line, tt.want)
		}
		if n := strings.Count(got, "::x\n"); n != len(tt.l) {
			t.Errorf("%d of %d findings are in the log", n, len(tt.l))
		}
	}
}

// A warning fails no test, unless it is to fail the run.
func TestWriteJUnitFailOn(t *testing.T) {
	f := &source.File{Name: "f", Bytes: []byte("a: 1\n")}
	l := diag.List{diag.New(placeName, f.Range(0, 1), "x")}
	for failOn, want := range map[diag.Severity]string{0: `failures="0"`, diag.Error: `failures="0"`, diag.Warning: `failures="1"`, diag.Info: `failures="1"`} {
		if got := write(t, l, diag.Options{Format: "junit", FailOn: failOn, Checked: []string{"f"}}); strings.Count(string(got), want) != 2 {
			t.Errorf("from %s on:\n%s", failOn, got)
		}
	}
}

// sarif is what the schema of SARIF 2.1.0 demands of the parts that are written: what is required, what type it
// has, and that there is nothing else. "?" marks what may be missing.
var sarif = map[string]any{
	"$schema": "uri", "version": "2.1.0",
	"runs": []any{map[string]any{
		"tool": map[string]any{"driver": map[string]any{"name": "text", "version?": "text", "rules": []any{map[string]any{
			"id": "text", "shortDescription": map[string]any{"text": "text"}, "help": map[string]any{"text": "text", "markdown?": "text"},
			"helpUri?": "uri", "defaultConfiguration": map[string]any{"level": "level"},
		}}}},
		"invocations": []any{map[string]any{"executionSuccessful": true, "toolExecutionNotifications?": []any{map[string]any{
			"level": "level", "message": map[string]any{"text": "text"}, "locations": []any{sarifLocation},
		}}}},
		"originalUriBaseIds": map[string]any{"%SRCROOT%": map[string]any{"description": map[string]any{"text": "text"}}},
		"columnKind":         "unicodeCodePoints",
		"results": []any{map[string]any{
			"ruleId": "text", "ruleIndex": 0.0, "level": "level", "message": map[string]any{"text": "text"},
			"locations": []any{sarifLocation}, "relatedLocations?": []any{sarifLocation},
			"partialFingerprints": map[string]any{"provisioner/v1": "fingerprint"},
		}},
	}},
}

var sarifLocation = map[string]any{
	"id?": 0.0, "message?": map[string]any{"text": "text"},
	"physicalLocation?": map[string]any{
		"artifactLocation": map[string]any{"uri": "reference", "uriBaseId?": "%SRCROOT%"},
		"region?":          map[string]any{"startLine": 1.0, "startColumn": 1.0, "endLine": 1.0, "endColumn": 1.0},
	},
	"logicalLocations?": []any{map[string]any{"fullyQualifiedName": "text"}},
}

// fits complains of what a value has that its model has not. A number must be at least the model's.
func fits(path string, got, model any) (complaints []string) {
	complain := func(format string, args ...any) {
		complaints = append(complaints, path+": "+fmt.Sprintf(format, args...))
	}
	switch model := model.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			complain("no object")
			return
		}
		for key, value := range object {
			m, known := model[key]
			if !known {
				if m, known = model[key+"?"]; !known {
					complain("unknown property %q", key)
					continue
				}
			}
			complaints = append(complaints, fits(path+"."+key, value, m)...)
		}
		for key := range model {
			if _, there := object[key]; !there && !strings.HasSuffix(key, "?") {
				complain("property %q is missing", key)
			}
		}
	case []any:
		items, ok := got.([]any)
		if !ok {
			complain("no array")
		}
		for i, item := range items {
			complaints = append(complaints, fits(fmt.Sprintf("%s[%d]", path, i), item, model[0])...)
		}
	case float64:
		if n, ok := got.(float64); !ok || n < model || n != float64(int(n)) {
			complain("%v is no whole number from %v on", got, model)
		}
	case bool:
		if _, ok := got.(bool); !ok {
			complain("%v is neither true nor false", got)
		}
	case string:
		text, ok := got.(string)
		fine := ok && text != ""
		switch model {
		case "text":
		case "level":
			fine = text == "error" || text == "warning" || text == "note"
		case "uri":
			u, err := url.Parse(text)
			fine = err == nil && u.IsAbs()
		case "reference":
			_, err := url.Parse(text)
			fine = err == nil && !regexp.MustCompile(`[^!-~]|[<>"{}|\\^`+"`]").MatchString(text)
		case "fingerprint":
			fine = regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(text)
		default:
			fine = text == model
		}
		if !fine {
			complain("%q is no %s", text, model)
		}
	}
	return complaints
}

func TestWriteSARIFIsSARIF(t *testing.T) {
	l, o := everything()
	o.Format = "sarif"
	lists := []diag.List{nil, l}
	for _, l := range lists {
		var doc any
		if err := json.Unmarshal(write(t, l, o), &doc); err != nil {
			t.Fatal(err)
		}
		for _, complaint := range fits("", doc, sarif) {
			t.Error(complaint)
		}
		run := doc.(map[string]any)["runs"].([]any)[0].(map[string]any)
		rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
		for _, r := range run["results"].([]any) {
			r := r.(map[string]any)
			if i := int(r["ruleIndex"].(float64)); i >= len(rules) || rules[i].(map[string]any)["id"] != r["ruleId"] {
				t.Errorf("ruleIndex %d is not %s", i, r["ruleId"])
			}
			for i, related := range list(r["relatedLocations"]) {
				if related.(map[string]any)["id"] != float64(i) {
					t.Errorf("related location %d has the id %v", i, related.(map[string]any)["id"])
				}
			}
		}
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

// A fingerprint stays while the text around moves, and never tells a secret.
func TestFingerprints(t *testing.T) {
	of := func(name, text, path string, words ...string) []string {
		f := &source.File{Name: name, Bytes: []byte(text)}
		var l diag.List
		from := 0
		for _, word := range words {
			i := from + strings.Index(text[from:], word)
			from = i + len(word)
			d := diag.New(unknownKey, f.Range(i, from), "x")
			d.Path = path
			l.Add(d)
		}
		return diag.Fingerprints(l, diag.Options{Files: []*source.File{f}, Root: "/src"})
	}
	base := of("f", "a: 1\n", "list[0].a", "a")[0]
	for name, got := range map[string]string{
		"a line above":        of("f", "#\n#\na: 1\n", "list[0].a", "a")[0],
		"an entry above":      of("f", "#\n#\na: 1\n", "list[3].a", "a")[0],
		"indented":            of("f", "    a: 1  \r\n", "list[0].a", "a")[0],
		"a name with a dot":   of("./f", "a: 1\n", "list[0].a", "a")[0],
		"an absolute name":    of("/src/f", "a: 1\n", "list[0].a", "a")[0],
		"the first of twins":  of("f", "a: 1\na: 1\n", "list[0].a", "a", "a")[0],
		"a place in the line": of("f", "a: 1\n", "list[0].a", "1")[0],
	} {
		if got != base {
			t.Errorf("%s: another fingerprint", name)
		}
	}
	for name, got := range map[string]string{
		"another file":        of("g", "a: 1\n", "list[0].a", "a")[0],
		"another line":        of("f", "a: 2\n", "list[0].a", "a")[0],
		"another path":        of("f", "a: 1\n", "list[0].b", "a")[0],
		"the second of twins": of("f", "a: 1\na: 1\n", "list[0].a", "a", "a")[1],
	} {
		if got == base {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
	if of("f", "passwd: hunter2\n", "users[0].passwd", "hunter2")[0] != of("f", "passwd: hunter3\n", "users[0].passwd", "hunter3")[0] {
		t.Error("a fingerprint is made of a secret")
	}
	// It is written into files, so it may never change.
	if base != "90dc57c546d9487b3de95e45299bcb9b" {
		t.Errorf("the fingerprint is now %s: every baseline there is would be out of date", base)
	}
}

// commands are texts that a CI system does something for, if it finds them where it looks.
var commands = []string{
	"::error::pwned", "::set-output name=x::y", "  ::add-mask::x", ":::warning::x", "a::stop-commands::b", "::x", "::group::",
	"##[error]pwned", "x ##vso[task.setvariable variable=x]y", "###[group]", "##teamcity[buildStop]", "##[", "####[[",
	"\r::error::x", "x\n::error::y", "x\n##[error]y", "\x1b[0Ksection_start:1:a\r\x1b[0K", "\u2028::error::x", "\u202e", "\xff\xfe", "%0A::error::x", "x%",
	"]]><failure/>", "\" onload=\"x", "<!-- -->", "&lt;", "a,line=3", "[x](https://evil.example)", "\\u{a}::error::",
}

// Nothing of the user's can be taken for a command, wherever it stands: in a name of a file, in a line, in a message.
func TestWriteInjection(t *testing.T) {
	for _, c := range commands {
		f := &source.File{Name: c, Bytes: []byte(c + "\nx: " + c + "\n")}
		whole := f.Range(0, len(f.Bytes)-1)
		d := diag.New(unknownKey, whole, "%s", c)
		d.Detail, d.Related = c, []diag.Related{{Message: c, At: whole}, {Message: c}}
		packed := f.Range(0, 1)
		packed.File = c + " part 1"
		l := diag.List{d, diag.New(unknownKey, f.Range(len(c)+1, len(f.Bytes)), "quoted %q", c), diag.New(unknownKey, packed, "x"),
			diag.New(unknownKey, source.Range{}, "%s", c)}
		for _, format := range diag.Formats() {
			o := diag.Options{Format: format, Files: []*source.File{f}, Checked: []string{c}, Unread: []diag.Unread{{Name: c, Reason: c}}}
			harmless(t, format, write(t, l, o))
		}
	}
}

var (
	githubCommand = regexp.MustCompile(`^::(error|warning|notice) ((file|line|endLine|col|endColumn|title)=[^:,\r\n]*,?)+::[^\r\n]*$`)
	anywhere      = regexp.MustCompile(`##[A-Za-z]*\[`)
	wordCommand   = regexp.MustCompile(`::[a-z][a-z]*-?[g-z]`)
)

// harmless holds an output to what every one must be: no control character, no command but ours, and well formed.
func harmless(t *testing.T, format string, out []byte) {
	t.Helper()
	if i := bytes.IndexFunc(out, func(r rune) bool {
		return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e
	}); i >= 0 {
		t.Errorf("%s: a control character in %q", format, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		ours := format == "github" && githubCommand.MatchString(line)
		if strings.HasPrefix(strings.TrimSpace(line), "::") && !ours {
			t.Errorf("%s: a line that begins as a command: %q", format, line)
		}
		if anywhere.MatchString(line) {
			t.Errorf("%s: a line that holds a command: %q", format, line)
		}
		if format == "github" {
			_, line, _ = strings.Cut(strings.TrimPrefix(line, "::"), "::") // what is ours
		}
		if format != "text" && wordCommand.MatchString(line) {
			t.Errorf("%s: a line goes on as a command: %q", format, line)
		}
	}
	switch format {
	case "json", "sarif", "gitlab":
		if !json.Valid(out) {
			t.Errorf("%s: no JSON: %s", format, out)
		}
	case "junit":
		for d := xml.NewDecoder(bytes.NewReader(out)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("junit: %v in %s", err, out)
			}
		}
	case "github":
		for line := range strings.Lines(string(out)) {
			if !githubCommand.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("github: no command of ours: %q", line)
			}
		}
	}
}

// A document of ours reads back as it was, whatever is in it, and can be printed anywhere.
func TestWriteJSONReadsBack(t *testing.T) {
	for _, text := range []string{"a", "##[error]x ##vso[x]y ##", "\u202eevil\u2028", "\x1b[31m\x7f\u0085", "\U000e0041\U0001f600日", "\\u0023 ##[ \\"} {
		var b bytes.Buffer
		if err := diag.WriteJSON(&b, map[string]string{text: text}); err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got[text] != text {
			t.Errorf("%q reads back as %q: %v", text, got, err)
		}
		if shown := strings.ReplaceAll(b.String(), "\n", ""); diag.Printable(shown) != shown {
			t.Errorf("%q is written as %s", text, shown)
		}
	}
}
