package yamltree_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

func file(text string) *source.File { return &source.File{Name: "f", Bytes: []byte(text)} }

// slice is the text of a range.
func slice(f *source.File, r source.Range) string {
	return string(f.Bytes[r.Start.Offset:r.End.Offset])
}

// parse wants a tree without findings.
func parse(t *testing.T, f *source.File) *yamltree.Node {
	t.Helper()
	n, found := yamltree.Parse(f)
	for _, d := range found {
		t.Fatalf("%s: %s [%s]", d.Subject, d.Summary, d.Rule.ID)
	}
	return n
}

// TestRange looks at the value of the key v, or at the whole document if it has no such key.
func TestRange(t *testing.T) {
	tests := []struct{ name, text, written, tag, value string }{
		{"plain", "v: web1\n", "web1", "!!str", "web1"},
		{"plain with a comment", "v: web1 # no\n", "web1", "!!str", "web1"},
		{"plain at the end of the text", "v: web1", "web1", "!!str", "web1"},
		{"plain after what is not ASCII", "é日: x\nv: é日 b  \nw: c\n", "é日 b", "!!str", "é日 b"},
		{"plain on many lines", "v: a\n  b\n\n  c\nw: d\n", "a\n  b\n\n  c", "!!str", "a b\nc"},
		{"octal stays as written", "v: 0644\n", "0644", "!!int", "0644"},
		{"YAML 1.1 booleans are text", "v: yes\n", "yes", "!!str", "yes"},
		{"boolean", "v: True\n", "True", "!!bool", "True"},
		{"float", "v: 1.0\n", "1.0", "!!float", "1.0"},
		{"date", "v: 2020-01-01\n", "2020-01-01", "!!timestamp", "2020-01-01"},
		{"double quotes with escapes", `v: "a\"\u00e9\\" # no` + "\n", `"a\"\u00e9\\"`, "!!str", `a"é\`},
		{"double quotes on many lines", "v: \"a\n  b \\\n  c\"\n", "\"a\n  b \\\n  c\"", "!!str", "a b c"},
		{"single quotes", "v: 'it''s' # no\n", "'it''s'", "!!str", "it's"},
		{"empty quotes", "v: ''\n", "''", "!!str", ""},
		{"literal", "v: |\n  a\n   b\n\nw: c\n", "|\n  a\n   b", "!!str", "a\n b\n"},
		{"literal with trailing blanks", "v: |\n  a  \n\n", "|\n  a  ", "!!str", "a  \n"},
		{"literal with a comment at its indicator", "v: |- # a\n  a\n", "|- # a\n  a", "!!str", "a"},
		{"literal that keeps empty lines", "v: |+\n  a\n\nw: c\n", "|+\n  a", "!!str", "a\n\n"},
		{"literal that is empty", "v: |\nw: c\n", "|", "!!str", ""},
		{"literal with its indentation given", "v: |2\n   a\nw: c\n", "|2\n   a", "!!str", " a\n"},
		{"literal with Windows line ends", "v: |\r\n  a\r\n  b\r\nw: c\r\n", "|\r\n  a\r\n  b", "!!str", "a\nb\n"},
		{"folded", "v: >\n  a\n  b\nw: c\n", ">\n  a\n  b", "!!str", "a b\n"},
		{"tagged", "v: !!str 0644\n", "0644", "!!str", "0644"},
		{"tagged by the user", "v: !x 0644\n", "0644", "!x", "0644"},
		{"tagged with !", "v: ! 0644\n", "0644", "!!int", "0644"},
		{"tagged on the line above", "v: !!str # no\n  0644\n", "0644", "!!str", "0644"},
		{"anchored", "v: &a web1\n", "web1", "!!str", "web1"},
		{"anchored and tagged literal", "v: &a !!str |\n  a\nw: c\n", "|\n  a", "!!str", "a\n"},
		{"alias", "a: &a web1\nv: *a\n", "web1", "!!str", "web1"},
		{"empty", "v:\nw: c\n", "", "!!null", ""},
		{"empty at the end", "v:", "", "!!null", ""},
		{"null", "v: ~\n", "~", "!!null", "~"},
		{"block list", "v:\n- a\n- b # no\nw: c\n", "- a\n- b", "!!seq", ""},
		{"block list that ends empty", "v:\n- a\n-\nw: c\n", "- a\n-", "!!seq", ""},
		{"anchored block list", "v: &a\n  - b\n", "- b", "!!seq", ""},
		{"block mapping", "v:\n  a: b\n  c: 'd'\nw: c\n", "a: b\n  c: 'd'", "!!map", ""},
		{"anchored block mapping", "v: &a !!map\n  b: c\n", "b: c", "!!map", ""},
		{"block mapping whose first key is anchored", "v:\n  &a b: c\n", "&a b: c", "!!map", ""},
		{"flow list", "v: [a, 'b', # no ]\n  [c]]\nw: c\n", "[a, 'b', # no ]\n  [c]]", "!!seq", ""},
		{"flow list with a comma at its end", "v: [a, ]\n", "[a, ]", "!!seq", ""},
		{"empty flow list", "v: [ ]\n", "[ ]", "!!seq", ""},
		{"flow mapping", "v: {a: b, c: }\n", "{a: b, c: }", "!!map", ""},
		{"flow mapping of a key alone", "v: {a, \"b\":c}\n", "{a, \"b\":c}", "!!map", ""},
		{"tagged flow list", "v: !!seq [a]\n", "[a]", "!!seq", ""},
		{"a pair in a flow list", "- [a: b]\n", "- [a: b]", "!!seq", ""},
		{"the document is a list", "# no\n- a\n", "- a", "!!seq", ""},
		{"the document is text", "--- web1\n...\n", "web1", "!!str", "web1"},
		{"JSON", `{"a": {"b": [1, "c"]}}`, `{"a": {"b": [1, "c"]}}`, "!!map", ""},
		{"a byte order mark", "\uFEFFv: web1\n", "web1", "!!str", "web1"},
		{"a comment alone", "#cloud-config\n", "", "!!null", ""},
		{"nothing", "", "", "!!null", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := file(tt.text)
			n := parse(t, f)
			if v := n.Get("v"); v != nil {
				n = v
			}
			if got := slice(f, n.Range); got != tt.written {
				t.Errorf("the range has %q, want %q", got, tt.written)
			}
			if n.Value != tt.value || n.Tag != tt.tag {
				t.Errorf("got %s %q, want %s %q", n.Tag, n.Value, tt.tag, tt.value)
			}
			checkRanges(t, f, n)
		})
	}
}

// checkRanges holds every node to the limits of its file, and to one way of counting.
func checkRanges(t *testing.T, f *source.File, n *yamltree.Node) {
	t.Helper()
	r := n.Range
	if r.File != f.Name || r.Start.Offset > r.End.Offset || r.End.Offset > len(f.Bytes) ||
		r.Start != f.Pos(r.Start.Offset) || r.End != f.Pos(r.End.Offset) {
		t.Fatalf("%+v of %d bytes", r, len(f.Bytes))
	}
	for _, item := range n.Items {
		checkRanges(t, f, item)
	}
	for _, p := range n.Pairs {
		if p.Key.Kind != yamltree.Scalar {
			t.Fatalf("a key is of kind %d", p.Key.Kind)
		}
		checkRanges(t, f, p.Key)
		checkRanges(t, f, p.Value)
	}
}

// A part of a larger text keeps the numbers of that text's lines.
func TestRangeCountsFromTheFirstLine(t *testing.T) {
	f := &source.File{Name: "f", Bytes: []byte("a: b\nc:\n  - é: d\n"), Line: 14}
	r := parse(t, f).Get("c").Items[0].Get("é").Range
	if got := fmt.Sprintf("%d:%d-%d:%d", r.Start.Line, r.Start.Column, r.End.Line, r.End.Column); got != "16:8-16:9" {
		t.Error(got)
	}
}

// Every place in a piece of a file is one in the file, and what is found is what the same text alone has.
func TestPiece(t *testing.T) {
	const before = "é: not YAML: at all\n"
	for _, text := range []string{"a: [é, {b: 'c'}]\nd: |\n  e\n", "a: |\n  b\n c: d\n", "a: {{ b }}\n", "a: *b\n", "\ta: b\n", "a: 1\na: 2\n"} {
		whole := file(before + text + "# after")
		tree, found := yamltree.Parse(whole.Piece(len(before), len(before)+len(text)))
		alone := &source.File{Name: "f", Bytes: []byte(text), Line: 2}
		want, wanted := yamltree.Parse(alone)
		if tree != nil {
			checkRanges(t, whole, tree)
			if d := tree.Get("d"); d != nil && slice(whole, d.Span(whole, 0, 1)) != "e" {
				t.Errorf("%q: the text of d is at %+v", text, d.Span(whole, 0, 1))
			}
			if outline(tree) != outline(want) {
				t.Errorf("%q: %s, want %s", text, outline(tree), outline(want))
			}
		}
		list := func(f *source.File, ds diag.List) (out []string) {
			for _, d := range ds {
				out = append(out, fmt.Sprintf("%s %q %s %s", d.Subject, slice(f, d.Subject), d.Summary, d.Detail))
			}
			return out
		}
		if diff := cmp.Diff(list(alone, wanted), list(whole, found)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// outline writes a tree in one line.
func outline(n *yamltree.Node) string {
	switch n.Kind {
	case yamltree.Sequence:
		var items []string
		for _, i := range n.Items {
			items = append(items, outline(i))
		}
		return "[" + strings.Join(items, " ") + "]"
	case yamltree.Mapping:
		var pairs []string
		for _, p := range n.Pairs {
			pairs = append(pairs, p.Key.Value+"="+outline(p.Value))
		}
		return "{" + strings.Join(pairs, " ") + "}"
	case yamltree.Null:
		return "null"
	}
	return n.Value
}

func TestAliasesAndMerges(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an alias stands for its value", "a: &x [b]\nc: [*x, *x]\n", "{a=[b] c=[[b] [b]]}"},
		{"an alias as a key", "a: &x b\n*x : c\n", "{a=b b=c}"},
		{"the last anchor of a name counts", "- &x a\n- *x\n- &x b\n- *x\n", "[a a b b]"},
		{"a merge", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  e: 3\n", "{a={b=1 c=2} d={e=3 b=1 c=2}}"},
		{"an explicit key wins, before or after", "a: &x {b: 1, c: 2}\nd:\n  b: 3\n  <<: *x\n  c: 4\n", "{a={b=1 c=2} d={b=3 c=4}}"},
		{"of many the first wins", "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne:\n  <<: [*x, *y]\n", "{a={b=1} c={b=2 d=3} e={b=1 d=3}}"},
		{"a merge of a merge", "a: &x {b: 1}\nc: &y\n  <<: *x\n  d: 2\ne:\n  <<: *y\n", "{a={b=1} c={d=2 b=1} e={d=2 b=1}}"},
		{"a quoted << is a key", "a:\n  '<<': b\n", "{a={<<=b}}"},
		{"the word null is a key like others", "null: a\n~: b\n", "{null=a ~=b}"},
		{"and is no value where it stands as one", "a: &x null\n*x : b\n", "{a=null null=b}"},
		{"keys of hexadecimal and decimal differ", "0x1: a\n1: b\n", "{0x1=a 1=b}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, outline(parse(t, file(tt.text)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What others accept is accepted; each of these has been in the way of some reader.
func TestAccepts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"lists in the column of their key", "a:\n- b\n-\n  - c\n- - d\n  - e\nf: g\n", "{a=[b [c] [d e]] f=g}"},
		{"a mapping in a list in a list", "- - a: b\n    c: d\n  - e\n", "[[{a=b c=d} e]]"},
		{"tabs after a value, in text and between words", "a: b\t# c\nd: |2\n  \te\n  f\n  \tg\nh: i\tj\n", "{a=b d=\te\nf\n\tg\n h=i\tj}"},
		{"empty lines with blanks", "a:\n    \n  b: c\n  \n", "{a={b=c}}"},
		{"a comment further left than its block", "a:\n    b: c\n# d\n    e: f\n", "{a={b=c e=f}}"},
		{"plain text with colons, quotes and number signs", "a: http://b:1/#c d'e \"f\"\n", `{a=http://b:1/#c d'e "f"}`},
		{"plain text that begins like a list or a key", "a: -b\nc: :d\ne: ?f\n", "{a=-b c=:d e=?f}"},
		{"a line of text that begins with a dash", "a: b\n  - c\nd: e\n", "{a=b - c d=e}"},
		{"a closing bracket in the column of its key", "a: [\n  b\n]\n", "{a=[b]}"},
		{"quoted text further left than its key", "a:\n  b: \"c\nd\"\n", "{a={b=c d}}"},
		{"keys in quotes", "'a b': c\n\"d\": e\n", "{a b=c d=e}"},
		{"a key that is written out", "? a\n: b\n? c\n", "{a=b c=null}"},
		{"a list under a key that is written out", "? a\n: - b\n", "{a=[b]}"},
		{"a colon touches its quoted key", "{\"c\":d}\n", "{c=d}"},
		{"a document between marks", "---\na: b\n...\n# c\n", "{a=b}"},
		{"a directive", "%YAML 1.1\n---\na: b\n", "{a=b}"},
		{"YAML 1.2", "%YAML 1.2 # of 2009\n---\na: 'é'\n", "{a=é}"},
		{"a tag with a handle", "%TAG !b! tag:b,2000:\n---\na: !b!c d\n", "{a=d}"},
		{"tabs in brackets", "[\n\ta,\n\t[\n\tb]]\n", "[a [b]]"},
		{"Windows line ends", "a: b\r\nc:\r\n  - d\r\n", "{a=b c=[d]}"},
		{"64 levels", strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := file(tt.text)
			n := parse(t, f)
			checkRanges(t, f, n)
			if diff := cmp.Diff(tt.want, outline(n)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // every finding: place, rule, and what is underlined
	}{
		{"a tab indents a key", "a:\n\tb: c\n", `2:1 yaml-tab "\t"`},
		{"a tab after spaces", "a:\n  b: c\n \t d: e\n", `3:2 yaml-tab "\t"`},
		{"a tab between a dash and a word", "-\ta\n", `1:2 yaml-tab "\t"`},
		{"a tab between a dash and a key", "-\ta: b\n", `1:2 yaml-tab "\t"`},
		{"a tab in front of text", "a: |\n\tb\n", `2:1 yaml-tab "\t"`},
		{"a tab begins a text that spaces indent", "a: |\n  \tb\n", `2:3 yaml-tab "\t"`},
		{"a tab inside text that spaces indent", "a: |\n  b\n\tc\n", `3:1 yaml-tab "\t"`},
		{"a tab in front of a comment below plain text", "a:\n    b: c\n\t# d\n    e: f\n", `3:1 yaml-tab "\t"`},
		{"a tab indents quoted text", "a: \"b\n\tc\"\n", `2:1 yaml-tab "\t"`},
		{"a tab indents what is in brackets", "a: [\n\tb]\n", `2:1 yaml-tab "\t"`},
		{"a tab on the last line", "a: b\n\t", `2:1 yaml-tab "\t"`},
		{"a tab in front of the last comment", "a: b\n\t# c", `2:1 yaml-tab "\t"`},
		{"an open double quote", "a: \"b\nc: d\n", `1:4 yaml-unclosed "\""`},
		{"an open double quote, and another below", "a: \"b\nc: \"d\"\n", `1:4 yaml-unclosed "\""`},
		{"an open single quote", "a: 'b\n", `1:4 yaml-unclosed "'"`},
		{"an open bracket", "a: b\nc: [d,\ne: f\n", `2:4 yaml-unclosed "["`},
		{"an open bracket at the end", "a: [b, {c: d}", `1:4 yaml-unclosed "["`},
		{"a bracket closed by another", "a: [b}\n", `1:4 yaml-unclosed "["`},
		{"an open quote in a bracket", "a: [\"b]\n", `1:5 yaml-unclosed "\""`},
		{"a document ends in a bracket", "[a\n---\n]\n", `1:1 yaml-unclosed "["`},
		{"a key further right", "a: 'b'\n  c: d\n", `2:3 yaml-indent "c"`},
		{"a key further right, after plain text", "a: b\n  c: d\n", `2:3 yaml-indent "c:"`},
		{"a key further left than its block", "a:\n    b: c\n  d: e\n", `3:3 yaml-indent "d"`},
		{"a key in the column of a list", "a:\n  - b: c\n  d: e\n", `3:3 yaml-indent "d"`},
		{"a list item in the column of keys", "a:\n  b: c\n  - d\n", `3:3 yaml-indent "-"`},
		{"text further left than it began", "a: |\n    b\n  c\n", `3:3 yaml-indent "c"`},
		{"an empty line with more blanks than the text", "a: |\n     \n  b\n", `2:1 yaml-indent "     "`},
		{"no space after a colon", "a: b\nhostname:web1\nc: d\n", `2:9 yaml-colon ":"`},
		{"no space after the first colon", "hostname:web1\nc: d\n", `1:9 yaml-colon ":"`},
		{"no space after a quoted key", "\"a\":b\n", `1:4 yaml-colon ":"`},
		{"no colon", "a: b\nc d\ne: f\n", `2:1 yaml-colon "c d"`},
		{"no colon after a key with a list", "a:\n  b\n    - c: d\n", `3:8 yaml-colon ":"`},
		{"a colon and a space in a value", "a: b: c\n", `1:5 yaml-colon ":"`},
		{"a colon and a space in a quoted value", "a: 'b': c\n", `1:7 yaml-colon ":"`},
		{"a percent sign", "a: %b%\n", `1:4 yaml-quote "%"`},
		{"an at sign", "- @b\n", `1:3 yaml-quote "@"`},
		{"a backtick", "a: `b`\n", "1:4 yaml-quote \"`\""},
		{"a bracket in front of text", "a: [b] c\n", `1:8 yaml-quote "c"`},
		{"text after a quote", "a: \"b\" c\n", `1:8 yaml-quote "c"`},
		{"a path of Windows in double quotes", `a: "C:\dir"`, `1:7 yaml-quote "\\d"`},
		{"an escape of no character", `a: "\UFFFFFFFF"`, `1:5 yaml-quote "\\UFFFFFFFF"`},
		{"an escape of half a character", `a: "\uD800"`, `1:5 yaml-quote "\\uD800"`},
		{"an escape of JSON", `a: "\/b"`, `1:5 yaml-quote "\\/"`},
		{"an escape cut short", `a: "\x4"`, `1:5 yaml-quote "\\x4"`},
		{"text behind a bar", "a: | b\n", `1:6 yaml-quote "b"`},
		{"a letter at a bar", "a: |b\n", `1:5 yaml-syntax "b"`},
		{"a comment without a space", "a: 'b'#c\n", `1:7 yaml-syntax "#"`},
		{"a list on the line of its key", "a: - b\n", `1:4 yaml-syntax "-"`},
		{"two commas", "[a,,b]\n", `1:4 yaml-syntax ","`},
		{"no comma", "[\"a\" \"b\"]\n", `1:6 yaml-syntax "\"b\"]"`},
		{"a key on two lines", "[a\n: b]\n", `2:1 yaml-syntax ":"`},
		{"a mapping on the line of ---", "--- a: b\n", `1:5 yaml-syntax "a"`},
		{"text after the document", "'a'\nb\n", `2:1 yaml-syntax "b"`},
		{"two anchors", "a: &b &c d\n", `1:7 yaml-quote "&"`},
		{"a directive of another version", "%YAML 3.0\n---\na: b\n", `1:1 yaml-syntax "%YAML 3.0"`},
		{"two versions", "%YAML 1.2\n%YAML 1.1\n---\na: b\n", `2:1 yaml-syntax "%YAML 1.1"`},
		{"a handle twice", "%TAG ! tag:a,2000:\n%TAG ! tag:b,2000:\n---\na: b\n", `2:1 yaml-syntax "%TAG ! tag:b,2000:"`},
		{"what is no handle", "%TAG !a!b tag:a,2000:\n---\na: b\n", `1:1 yaml-syntax "%TAG !a!b tag:a,2000:"`},
		{"a tag whose handle nobody names", "a: !b!c d\n", `1:4 yaml-syntax "!b!c"`},
		{"a tag of nothing", "a: !<!> b\n", `1:4 yaml-syntax "!<!>"`},
		{"a star", "a: *\n", `1:4 yaml-alias "*"`},
		{"an alias without an anchor", "a: *b\n", `1:4 yaml-alias "*b"`},
		{"an alias above its anchor", "a: *b\nc: &b d\n", `1:4 yaml-alias "*b"`},
		{"an anchor around its alias", "a: &b [*b]\n", `1:8 yaml-alias "*b"`},
		{"an anchor on an alias", "a: &b c\nd: &e *b\n", `2:4 yaml-syntax "&e *b"`},
		{"1,001 aliases", "- &a b\n" + strings.Repeat("- *a\n", 1001), `1002:3 yaml-alias "*a"`},
		{"a comma that is read as a part of a tag", "[a, !, b]\n", `1:5 yaml-quote "!,"`},
		{"a merge of text", "a:\n  <<: b\n", `2:3 yaml-merge "<<"`},
		{"a merge of a list of text", "a:\n  <<: [b]\n", `2:3 yaml-merge "<<"`},
		{"a word that is no number", "a: !!int b\n", `1:10 yaml-tag "b"`},
		{"what is no base64", "a: !!binary ====\n", `1:13 yaml-tag "===="`},
		{"a second document", "a: b\n---\nc: d\n", `2:1 yaml-multiple-documents "---"`},
		{"a second document after the end of the first", "a: b\n...\nc: d\n", `3:1 yaml-multiple-documents "c"`},
		{"the same key", "a: b\nc: d\n'a': e\n", `3:1 duplicate-key "'a'"`},
		{"the same key, thrice, with another inside", "a: b\na: {c: 1, c: 2}\na: d\n", `2:1 duplicate-key "a"; 2:11 duplicate-key "c"; 3:1 duplicate-key "a"`},
		{"a list as a key", "[a]: b\n", `1:1 yaml-key-type "[a]"`},
		{"a template", "{{ name }}: b\n", `1:1 yaml-key-type "{{ name }}"`},
		{"no key", "a: b\n: c\n", `2:1 yaml-key-type ":"`},
		{"no key in brackets", "{: a}\n", `1:2 yaml-key-type ":"`},
		{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), `1:65 yaml-too-large "["`},
		{"65 levels of blocks", strings.Repeat("- ", 65) + "a", `1:129 yaml-too-large "-"`},
		{"more nodes than there may be", "[" + strings.Repeat("a,", 200_000) + "]", `1:400000 yaml-too-large "a"`},
		{"aliases of more text than there may be", "- &a " + strings.Repeat("x", 100_000) + "\n" + strings.Repeat("- *a\n", 20), `13:3 yaml-too-large "*a"`},
		{"aliases of aliases of text", "- &a " + strings.Repeat("x", 100_000) + "\n- &b [*a, *a, *a, *a]\n- [*b, *b, *b]\n", `3:8 yaml-too-large "*b"`},
		{"a byte that is not UTF-8", "a: caf\xe9\n", `1:7 text-encoding "\xe9"`},
		{"a control character", "a: \x1b[1m\n", `1:4 text-encoding "\x1b"`},
		{"a control character of the upper range", "a: b\u0085\n", `1:5 text-encoding "\u0085"`},
		{"a zero", "a: b\x00\n", `1:5 text-encoding "\x00"`},
		{"UTF-16", "\xff\xfea\x00:\x00", `1:1 text-encoding "\xff\xfe"`},
		{"UTF-16 without a mark", "a\x00:\x00", `1:1 text-encoding "a\x00"`},
		{"a line end of other alphabets", "a: b\u2028c: d\n", `1:5 text-encoding "\u2028"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := file(tt.text)
			_, found := yamltree.Parse(f)
			var got []string
			for _, d := range found {
				got = append(got, fmt.Sprintf("%d:%d %s %q", d.Subject.Start.Line, d.Subject.Start.Column, d.Rule.ID, slice(f, d.Subject)))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Documents that become one have no more values together than one may have, nor do their aliases stand for more.
func TestReaderCountsAll(t *testing.T) {
	for name, text := range map[string]string{
		"values":                       "[" + strings.Repeat("a,", 50_000) + "]",
		"values of aliases":            "- &a [" + strings.Repeat("a,", 1000) + "]\n" + strings.Repeat("- *a\n", 50),
		"the text that aliases are of": "- &a " + strings.Repeat("x", 10_000) + "\n" + strings.Repeat("- *a\n", 30),
	} {
		var r yamltree.Reader
		refused := 0
		for i := range 5 {
			f := file(text)
			if _, found := r.Parse(f); len(found) > 0 {
				if refused = i + 1; found[0].Rule.ID != "yaml-too-large" {
					t.Errorf("%s: %v", name, found)
				}
				break
			}
		}
		if refused != 4 {
			t.Errorf("%s: document %d is refused, want the fourth", name, refused)
		}
	}
}

// Text that was not indented is the likelier slip where it begins below an empty block scalar.
func TestRefusesTextThatIsNotIndented(t *testing.T) {
	for name, text := range map[string]string{
		"not at all":                   "content: |\n#!/bin/sh\necho 'a'\n",
		"less than its first line":     "content: |\n    a\n  b\n",
		"and comments are no obstacle": "content: |\n    a\n# b\n\n  c\n",
	} {
		_, found := yamltree.Parse(file(text))
		if len(found) != 1 || !strings.Contains(found[0].Detail, "part of the text above") {
			t.Errorf("%s: %+v", name, found)
		}
	}
	_, found := yamltree.Parse(file("a: |\n  b\nc: 'd'\n  e: f\n"))
	if len(found) != 1 || strings.Contains(found[0].Detail, "part of the text above") {
		t.Errorf("below another key: %+v", found)
	}
}

// The first of two keys is kept, and the finding at the second names it.
func TestDuplicateKeyKeepsTheFirst(t *testing.T) {
	f := file("a: 1\nb: 2\na: 3\n")
	n, found := yamltree.Parse(f)
	if got := outline(n); got != "{a=1 b=2}" {
		t.Error(got)
	}
	if len(found) != 1 || len(found[0].Related) != 1 || found[0].Related[0].At.String() != "f:1:1" {
		t.Errorf("%+v", found)
	}
}

// Nine lists of nine, nine times over, are a few hundred bytes and 400 million values.
func TestManyAliasesOfAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("a: &a [0,0,0,0,0,0,0,0,0]\n")
	for c := 'b'; c <= 'i'; c++ {
		fmt.Fprintf(&b, "%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 9))
	}
	_, found := yamltree.Parse(file(b.String()))
	if len(found) != 1 || found[0].Rule.ID != "yaml-too-large" {
		t.Errorf("%+v", found)
	}
}

// Merges count as copies too.
func TestManyMerges(t *testing.T) {
	var b strings.Builder
	b.WriteString("- &a\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  k%d: v\n", i)
	}
	b.WriteString(strings.Repeat("- <<: *a\n", 1000))
	_, found := yamltree.Parse(file(b.String()))
	if len(found) != 1 || found[0].Rule.ID != "yaml-too-large" {
		t.Errorf("%+v", found)
	}
}

// TestSpan has a value in every style, and where a part of it stands.
func TestSpan(t *testing.T) {
	tests := []struct{ name, text, part, want string }{
		{"literal", "v: |\n    [Unit]\n\n    é = b\n", "Unit", "2:6 Unit"},
		{"literal after what is not ASCII", "v: |\n    [Unit]\n\n    é = b\n", "= b", "4:7 = b"},
		{"an empty line", "v: |\n    [Unit]\n\n    é = b\n", "\né", "3:1 "},
		{"a line end", "v: |\n  a\n  b\n", "\n", "2:4 "},
		{"to the end of the line alone", "v: |\n  ab\n  c\n", "b\nc", "2:4 b"},
		{"literal with Windows line ends", "v: |\r\n  a\r\n  b\r\n", "b", "3:3 b"},
		{"literal with its indentation given", "v: |2\n    a\n   b\n", " b", "3:3  b"},
		{"literal with a tab", "v: |\n  a:\n  \tb\n", "b", "3:4 b"},
		{"literal that keeps its last lines", "v: |+\n  a\n\n\n", "\n\n\n", "2:4 "},
		{"literal that ends with the text", "v: |\n  a\n  b", "b", "3:3 b"},
		{"plain", "v: é 日本 b\n", "b", "1:9 b"},
		{"plain on many lines", "v: ab  \n  cd\n\n  e\n", "d", "2:4 d"},
		{"the fold of a plain one", "v: ab  \n  cd\n\n  e\n", "b c", "1:5 b"},
		{"below an empty line of a plain one", "v: ab\n  cd\n\n  e\n", "e", "4:3 e"},
		{"single quotes", "v: 'it''s, é: b'\n", "b", "1:15 b"},
		{"a quote in single quotes", "v: 'it''s'\n", "'", "1:7 ''"},
		{"single quotes on many lines", "v: 'a\n\n\n  it''s b'\n", "b", "4:9 b"},
		{"double quotes", `v: "a\tb"`, "b", "1:8 b"},
		{"an escape", `v: "a\tb"`, "\t", `1:6 \t`},
		{"an escape of many digits", `v: "a\u65e5\U0001F600b"`, "日", `1:6 \u65e5`},
		{"part of a character", `v: "a\u65e5b"`, "\x97", `1:6 \u65e5`},
		{"after escapes", `v: "a\u65e5\U0001F600b"`, "b", "1:22 b"},
		{"an escaped line end", "v: \"ab \\\n   cd\\\r\n\n   e\"\n", "e", "4:4 e"},
		{"double quotes on many lines", "v: \"ab \t\n   cd\n   e\"\n", "d", "2:5 d"},
		{"folded", "v: >\n  ab\n  cd\n", "d", "3:4 d"},
		{"folded with lines that are not", "v: >\n  ab\n   cd\n\n  e\n  f\n", "d", "3:5 d"},
		{"folded below those", "v: >\n  ab\n   cd\n\n  e\n  f\n", "f", "6:3 f"},
		{"folded after empty lines", "v: >-\n\n  ab\n\n\n  cd\n", "cd", "6:3 cd"},
		{"in a flow list", "v: [a, b\n c]\n", "c", "2:2 c"},
		{"all of it", "v: 'a b' # no\n", "a b", "1:5 a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := file(tt.text)
			n := parse(t, f).Get("v")
			if n.Kind == yamltree.Sequence {
				n = n.Items[1]
			}
			at := strings.Index(n.Value, tt.part)
			if at < 0 {
				t.Fatalf("%q is not in %q", tt.part, n.Value)
			}
			r := n.Span(f, at, at+len(tt.part))
			if got := fmt.Sprintf("%d:%d %s", r.Start.Line, r.Start.Column, slice(f, r)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			checkSpans(t, f, n)
		})
	}
}

// A node that was made, or is another file's, has its range alone.
func TestSpanOfAnother(t *testing.T) {
	f := file("v: a, b\n")
	n := parse(t, f).Get("v")
	made := &yamltree.Node{Kind: yamltree.Scalar, Value: "b", Range: n.Range}
	if r := made.Span(f, 0, 1); r != n.Range {
		t.Errorf("a part of a value: %v", r)
	}
	if r := n.Span(&source.File{Name: "g", Bytes: f.Bytes}, 0, 1); r != n.Range {
		t.Errorf("another file: %v", r)
	}
	if r := n.Span(f, 99, 99); slice(f, r) != "" || r.Start.Column != 8 {
		t.Errorf("beyond the end: %v", r)
	}
}

// checkSpans holds the place of every byte of every scalar to what is written there.
func checkSpans(t *testing.T, f *source.File, n *yamltree.Node) {
	t.Helper()
	for _, item := range n.Items {
		checkSpans(t, f, item)
	}
	for _, p := range n.Pairs {
		checkSpans(t, f, p.Key)
		checkSpans(t, f, p.Value)
	}
	if n.Kind != yamltree.Scalar {
		return
	}
	last := 0
	for i, r := range n.Value {
		size := utf8.RuneLen(r)
		at := n.Span(f, i, i+size)
		if at.Start.Offset < last {
			t.Fatalf("byte %d of %q stands before the one in front of it", i, n.Value)
		}
		last = at.End.Offset
		written := slice(f, at)
		switch rest := f.Bytes[at.End.Offset:]; {
		case written == string(r):
		case written == "" && (r == '\n' || r == ' ' && n.Style != yamltree.Literal) && (rest[0] == '\n' || rest[0] == '\r'):
		case written == "''" && r == '\'' && n.Style == yamltree.SingleQuoted:
		case strings.HasPrefix(written, `\`) && n.Style == yamltree.DoubleQuoted && unescape(written) == string(r):
		default:
			t.Fatalf("%q of %q in %q is said to be written as %q", r, n.Value, f.Bytes, written)
		}
	}
}

// unescape asks the parser.
func unescape(text string) string {
	n, _ := yamltree.Parse(file(`"` + text + `"`))
	if n == nil {
		return ""
	}
	return n.Value
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"#cloud-config\nhostname: web1\nusers:\n- &u {name: \"a\\n\", x: !!str 1}\n- *u\n",
		"a: |\n  b\nc: >-\n  d\n\n  e\n? f\n: g\n<<: {h: i}\n",
		"--- !x\n- 'a''b'\n- [a: b, {c, \"d\":e}, ]\n...\n",
		"é: 日本\r\n\tb\n", "\uFEFFa: [", "%YAML 1.1\n---\n",
		"a: \"b\\x41 \\\n  c\\_\\N \\u65e5\n\n d\"\nb: |2+\n   c\n\n\nc: >1-\n d\n  e\n\n f\n g\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := &source.File{Name: "f", Bytes: b, Line: 3}
		n, found := yamltree.Parse(file)
		if n == nil && len(found) == 0 {
			t.Fatal("neither a tree nor a finding")
		}
		for _, d := range found {
			r := d.Subject
			if d.Summary == "" || r.Start.Offset > r.End.Offset || r.End.Offset > len(b) || r.Start != file.Pos(r.Start.Offset) || r.End != file.Pos(r.End.Offset) {
				t.Fatalf("%+v", d)
			}
		}
		if n != nil {
			checkRanges(t, file, n)
			checkSpans(t, file, n)
		}
	})
}

// A text of 1,500 files with their contents, about 1 MiB.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("#cloud-config\nwrite_files:\n")
	for i := range 1500 {
		fmt.Fprintf(&text, "  - path: /etc/file%d\n    permissions: '0644'\n    content: |\n%s", i, strings.Repeat("      some text: of a file, 'which' is no YAML\n", 14))
	}
	f := file(text.String())
	b.SetBytes(int64(len(f.Bytes)))
	for b.Loop() {
		if _, found := yamltree.Parse(f); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
