package template_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

var update = flag.Bool("update", false, "rewrite the goldens")

const header = "## template: jinja\n"

func file(text string) *source.File {
	return &source.File{Name: "user-data", Bytes: []byte(header + text)}
}

func variables(t testing.TB) map[string]any {
	text, err := os.ReadFile("testdata/vars.json")
	if err != nil {
		t.Fatal(err)
	}
	var vars map[string]any
	if err := json.Unmarshal(text, &vars); err != nil {
		t.Fatal(err)
	}
	return vars
}

// What jinja2 3.1.6 makes of the templates in testdata/jinja.txt is below each of them, behind a tab, with ⏎ for a line
// end. The integration tests hold both against the real thing.
func TestRenderAsJinja(t *testing.T) {
	text, err := os.ReadFile("testdata/jinja.txt")
	if err != nil {
		t.Fatal(err)
	}
	vars := variables(t)
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(text), "⏎", "\r"), "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		in, want := strings.ReplaceAll(lines[i], "\r", "\n"), strings.ReplaceAll(lines[i+1][1:], "\r", "\n")
		got, ds := template.Render(file(in), vars)
		if len(ds) > 0 {
			t.Errorf("%s\nfindings %v", in, ds)
		} else if string(got.Bytes) != want {
			t.Errorf("%s\ngot  %q\nwant %q", in, got.Bytes, want)
		}
		if ds := template.Check(file(in)); strings.Contains(in, "v1.") && !strings.Contains(in, "{{ s }}") && len(ds) > 0 {
			t.Errorf("%s\nfindings without a machine %v", in, ds)
		}
		// The same with the line ends of Windows.
		got, ds = template.Render(file(strings.ReplaceAll(in, "\n", "\r\n")), vars)
		if len(ds) > 0 || string(got.Bytes) != want {
			t.Errorf("%s\nwith other line ends: findings %v", in, ds)
		}
	}
	if len(lines) < 2*150 {
		t.Errorf("only %d cases", len(lines)/2)
	}
}

// Every file in testdata/bad is refused as the golden beside it draws it.
func TestFindings(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.jinja")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	vars := variables(t)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := &source.File{Name: filepath.Base(path), Bytes: text}
		out, ds := template.Render(f, vars)
		if out != nil {
			t.Errorf("%s: rendered", path)
		}
		var got bytes.Buffer
		if err := diag.Write(&got, ds, diag.Options{Files: []*source.File{f}}); err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(path, ".jinja") + ".want"
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, _ := os.ReadFile(golden)
		if got.String() != string(want) {
			t.Errorf("%s: got\n%s", path, &got)
		}
	}
}

func TestIs(t *testing.T) {
	for in, want := range map[string]bool{
		"## template: jinja\n#cloud-config\n": true, "## template: jinja": true, "## template:jinja\r\n": true,
		"##  Template: JINJA  \nx": true, "\ufeff## template: jinja\n": true, "##template: jinja\n": true,
		"## template: basic\n": false, "#cloud-config\n## template: jinja\n": false, "# template: jinja\n": false,
		"": false, "## template: jinja2\n": false, "## template: jin\xff\n": false,
	} {
		if template.Is([]byte(in)) != want {
			t.Errorf("%q: %t", in, !want)
		}
	}
}

// A template that would take too long, or make too much, stops.
func TestLimits(t *testing.T) {
	deep := func(open, close string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(close, n)
	}
	for name, in := range map[string]string{
		"a long range":                       "{{ range(1000000000) | length }}",
		"loops in loops":                     "{% for a in range(500) %}{% for b in range(500) %}{% endfor %}{% endfor %}",
		"a long text":                        "{{ 'a' * 100000000000 }}",
		"a text that grows":                  "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"a large output":                     "{% set x = 'a' * 1000000 %}{% for i in range(40) %}{{ x }}{% endfor %}",
		"a list that grows":                  "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"a list in itself, twice":            "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
		"the same compared":                  "{% set ns = namespace(s=[1], q=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.q = [ns.q, ns.q] %}{% endfor %}{{ ns.s == ns.q }}",
		"the same as JSON":                   "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | tojson }}",
		"a macro without end":                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"macros that multiply":               "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
		"replacing grows":                    "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
		"joining grows":                      "{{ range(50000) | join('b' * 1000000) }}",
		"indenting grows":                    "{{ ('\\n' * 1000000) | indent('b' * 1000) }}",
		"a width":                            "{{ 'a' | indent(100000000000, true) }}",
		"searching again and again":          "{% set x = 'a' * 30000000 %}{% for i in range(90000) %}{{ 'b' in x }}{% endfor %}",
		"comparing again and again":          "{% set x = 'a' * 10000000 %}{% set y = x ~ '' %}{% for i in range(90000) %}{{ x == y }}{% endfor %}",
		"numbers of a text, again and again": "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{{ x | int }}{% endfor %}",
		"floats of a text, again and again":  "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{{ x | float }}{% endfor %}",
		"keys of a mapping, again and again": "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{{ d[x] }}{% endfor %}",
		"keys sought, again and again":       "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{{ x in d }}{% endfor %}",
		"keys asked for, again and again":    "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{{ d.get(x, 1) }}{% endfor %}",
		"mappings made, again and again":     "{% set x = 'a' * 50000 %}{% set d = {x: 1} %}{% for i in range(5000) %}{% set b = {x: 1} %}{% endfor %}",
		"small letters, again and again":     "{{ (['A' * 50000] * 5000) | unique | list }}",
		"attributes, again and again":        "{{ ([{}] * 5000) | map(attribute='A' * 50000, default=1) | list }}",
		"brackets":                           "{{ " + deep("[", "]", 100) + " }}",
		"many brackets":                      "{{ " + deep("(", ")", 100000) + " }}",
		"blocks":                             strings.Repeat("{% if true %}", 100) + strings.Repeat("{% endif %}", 100),
		"signs":                              "{{ " + strings.Repeat("-", 100000) + "1 }}",
		"nots":                               "{{ " + strings.Repeat("not ", 100000) + "1 }}",
		"ifs":                                "{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}",
		"a long sum":                         "{{ 1" + strings.Repeat(" + 1", 100000) + " }}",
		"a long chain":                       "{{ ds" + strings.Repeat(".a", 100000) + " }}",
		"a long chain of filters":            "{{ 1" + strings.Repeat("|string", 99000) + " }}",
		"many tags":                          strings.Repeat("{{ 1 }}", 200000),
		"a power":                            "{{ 10 ** 10 ** 10 }}",
		"a large power":                      "{{ 2 ** 1000000000000 }}",
		"a slice of nothing, slowly":         "{{ range(3)[::9223372036854775807] }}",
	} {
		if out, ds := template.Render(file(in), map[string]any{"v1": map[string]any{}}); out != nil || len(ds) == 0 {
			t.Errorf("%s: %v", name, ds)
		} else if ds[0].Rule != rules.TemplateTooLarge && ds[0].Rule != rules.TemplateSyntax && ds[0].Rule != rules.TemplateValue {
			t.Errorf("%s: %v", name, ds)
		}
	}
}

// Places in what was rendered are those in the template that made them.
func TestPlaces(t *testing.T) {
	const in = "#cloud-config\n" + // line 2
		"{% set user = 'bob' %}\n" + // 3
		"# é\n" + // 4
		"{% for name in ['a', 'b'] %}\n" + // 5
		"{{ name }}: {{ user }} x\n" + // 6
		"{% endfor %}\n" + // 7
		"last: 日本 {{ v1.region }} é\n" // 8
	for _, ends := range []string{"\n", "\r\n"} {
		f := file(in)
		f.Bytes = bytes.ReplaceAll(f.Bytes, []byte("\n"), []byte(ends))
		got, ds := template.Render(f, variables(t))
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if want := "#cloud-config\n# é\na: bob x\nb: bob x\nlast: 日本 eu-west-1 é\n"; string(got.Bytes) != want {
			t.Fatalf("%q", got.Bytes)
		}
		if got.Name != "user-data" || got.Whole() != f || got.FirstLine() != 1 || !got.IsMade() {
			t.Error("it is not known as what it is")
		}
		at := func(text string, from int) source.Range {
			k := strings.Index(string(got.Bytes)[from:], text) + from
			return got.Range(k, k+len(text))
		}
		for _, tt := range []struct {
			text string
			from int
			want string
			end  int
		}{
			{"#cloud-config", 0, "user-data:2:1", 14},
			{"é", 0, "user-data:4:3", 4},
			{"a: ", 16, "user-data:6:1", 13},
			{"bob", 0, "user-data:6:13", 23},
			{" x", 0, "user-data:6:23", 25},
			{"b: bob", 0, "user-data:6:1", 23},
			{"日本", 0, "user-data:8:7", 9},
			{"west", 0, "user-data:8:10", 25},
			{" é", 30, "user-data:8:25", 27},
			{"本 eu-west-1 é", 0, "user-data:8:8", 27},
		} {
			r := at(tt.text, tt.from)
			if r.String() != tt.want || r.End.Column != tt.end || r.Made == 0 {
				t.Errorf("%q is at %s to column %d, want %s and %d", tt.text, r, r.End.Column, tt.want, tt.end)
			}
			if whole := got.Whole(); whole.Pos(r.Start.Offset) != r.Start || whole.Pos(r.End.Offset) != r.End {
				t.Errorf("%q: the offsets are not those of the lines", tt.text)
			}
		}
		piece := got.Piece(strings.Index(string(got.Bytes), "b: bob"), len(got.Bytes))
		if r := piece.Range(3, 6); r.String() != "user-data:6:13" {
			t.Errorf("in a piece it is at %s", r)
		}
		if r := got.LineRange(5); r.String() != "user-data:8:1" || r.End.Line != 8 || r.End.Column != 27 {
			t.Errorf("the last line is at %+v", r)
		}
	}
}

// What the decoder finds is shown where it is in the template, and no secret of a rendered line is drawn or quoted.
func TestDecodeOfTemplate(t *testing.T) {
	decode := func(in string) (string, *config.Config, diag.List) {
		f := file(in)
		got, ds := template.Render(f, variables(t))
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		c, ds := schema.Decode(schema.Input{Files: []*source.File{got}})
		var out bytes.Buffer
		if err := diag.Write(&out, ds, diag.Options{Files: []*source.File{got.Whole()}}); err != nil {
			t.Fatal(err)
		}
		return out.String(), c, ds
	}
	out, _, _ := decode("#cloud-config\n{% set x = 1 %}\n{% for i in [1, 2] %}\n{% endfor %}\nhostnam: {{ v1.region }}\n")
	if want := "user-data:6:1: error: unknown key \"hostnam\""; !strings.HasPrefix(out, want) || !strings.Contains(out, "6 | hostnam: {{ v1.region }}\n") {
		t.Error(out)
	}
	const mendable = "#cloud-config\nwrite_files:\n  - path: /a\n    permissions: 420\n"
	_, plain := schema.Decode(schema.Input{Files: []*source.File{{Name: "f", Bytes: []byte(mendable)}}})
	if _, _, ds := decode(mendable); len(ds) == 0 || ds[0].Fix != nil || len(plain) == 0 || plain[0].Fix == nil {
		t.Errorf("what a template made would be mended: %v, %v", ds, plain)
	}
	out, _, _ = decode("#cloud-config\n{% for i in [1, 2] %}\nwrite_files{{ i }}: []\n{% endfor %}\na: [\n")
	if !strings.HasPrefix(out, "user-data:") || !strings.Contains(out, "a: [") {
		t.Error(out)
	}
	// Units made by a loop are told apart.
	out, c, _ := decode("#cloud-config\ncoreos:\n  units:\n{% for n in ['a', 'b'] %}\n    - name: {{ n }}.service\n      content: |\n        [Service]\n        ExecStart=/bin/{{ n }}\n        Restrat=no\n{% endfor %}\n")
	if len(c.Units) != 2 || strings.Count(out, "user-data:10:9: ") != 1 || !strings.Contains(out, "Restrat=no") {
		t.Error(len(c.Units), out)
	}
	out, _, _ = decode("#cloud-config\ncoreos:\n  units:\n{% for n, m in [['a', 'b'], ['b', 'a']] %}\n    - name: {{ n }}.service\n      content: |\n        [Unit]\n        After={{ m }}.service\n        [Service]\n        ExecStart=/bin/true\n{% endfor %}\n")
	if !strings.Contains(out, "after b.service, which starts after a.service [unit-cycle]") {
		t.Error(out)
	}
	_, c, _ = decode("#cloud-config\nwrite_files:\n  - path: /a\n    permissions: '0600'\n    content: |{{ '\\n      topsecret' }}\n")
	if !c.Hidden.Has(source.Range{File: "user-data", Start: source.Pos{Line: 6}}) {
		t.Error("the line of a secret is not hidden")
	}
	f := file("passwd: {{ secret }}\n")
	quoting := diag.New(rules.UnknownKey, f.LineRange(2), "no such %q", "hunter")
	quoting.Secret = true
	if shown := (diag.List{quoting}).Shown(f); shown[0].Summary != "no such (secret)" {
		t.Error(shown[0].Summary)
	}
	// A secret that comes from a variable is in no message, and one in the template's line is not drawn.
	for _, in := range []string{
		"#cloud-config\nusers:\n  - name: a\n    passwd: {{ s }}\n",
		"#cloud-config\nusers:\n  - name: a\n    passwd: {{ 'topsecret' }}\n",
		"#cloud-config\n{% for i in [1] %}\nusers:\n  - name: a\n    passwd: topsecret{{ i }}\n{% endfor %}\n",
		"#cloud-config\nwrite_files:\n  - path: /a\n    permissions: '0600'\n    content: |{{ '\\n      topsecret' }}\n    ownr: x\n",
	} {
		out, _, ds := decode(in)
		if len(ds) == 0 || strings.Contains(out, "topsecret") || strings.Contains(out, "héllo") {
			t.Errorf("%s\n%s", in, out)
		}
	}
}

func TestFacts(t *testing.T) {
	meta := config.Metadata{Datasource: "ec2", InstanceID: "i-1", Hostname: "web1", Region: "eu", Zone: "eu-a", PublicIPv4: "192.0.2.1", SSHKeys: []string{"ssh-rsa A"}}
	ds := map[string]any{"meta_data": map[string]any{"local-hostname": "h", "v1.0/x": map[string]any{"a-b": 3.0}, "a_c": 1.0, "a-c": 2.0}}
	const in = "{{ v1.cloud_name }} {{ cloud_name }} {{ v1.platform }} {{ v1['instance-id'] }} {{ instance_id }} {{ v1.local_hostname }} {{ availability_zone }} {{ zone }} " +
		"{{ hostname }} {{ public_ipv4 }} {{ v1.public_ssh_keys[0] }} {{ ds.meta_data.local_hostname }} {{ ds.meta_data.v1_0_x.a_b }} {{ ds.meta_data.a_c }}" +
		"{% if private_ipv4 is defined or v1.subplatform is defined %}no{% endif %}"
	got, found := template.Render(file(in), template.Facts(meta, ds))
	if len(found) > 0 {
		t.Fatal(found)
	}
	if want := "aws aws ec2 i-1 i-1 web1 eu-a eu-a web1 192.0.2.1 ssh-rsa A h 3 1"; string(got.Bytes) != want {
		t.Errorf("got %s", got.Bytes)
	}
	if found := template.Check(file(in)); len(found) > 0 {
		t.Error(found)
	}
	// Every fact has a name that Check knows.
	for name := range template.Facts(config.Metadata{Datasource: "ec2", InstanceID: "i", Hostname: "h", PublicIPv4: "a", PrivateIPv4: "a", PublicIPv6: "a", PrivateIPv6: "a", Region: "r", Zone: "z", InstanceType: "t"}, ds) {
		if found := template.Check(file("{{ " + name + " }}")); len(found) > 0 {
			t.Error(found)
		}
	}
}

// Nothing panics, hangs or grows, and every place is in the file.
func FuzzTemplate(f *testing.F) {
	text, err := os.ReadFile("testdata/jinja.txt")
	if err != nil {
		f.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if i%2 == 0 {
			f.Add([]byte(strings.ReplaceAll(line, "⏎", "\n")))
		}
	}
	bad, _ := filepath.Glob("testdata/bad/*.jinja")
	for _, path := range bad {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimPrefix(text, []byte(header)))
	}
	vars := variables(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		file := &source.File{Name: "f", Bytes: append([]byte(header), in...)}
		inside := func(r source.Range) {
			if r.Start.Offset < 0 || r.End.Offset > len(file.Bytes) || r.Start.Offset > r.End.Offset || file.Pos(r.Start.Offset) != r.Start || file.Pos(r.End.Offset) != r.End {
				t.Fatalf("%+v is no place", r)
			}
		}
		out, ds := template.Render(file, vars)
		if (out == nil) != (len(ds) > 0) {
			t.Fatal("a document and findings, or neither")
		}
		for _, d := range ds {
			inside(d.Subject)
		}
		for _, d := range template.Check(file) {
			inside(d.Subject)
		}
		if out != nil {
			for i := 0; i <= len(out.Bytes) && i < 100; i++ {
				inside(out.Range(i, min(i+1, len(out.Bytes))))
				inside(out.Range(0, i))
			}
		}
	})
}
