package merge_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"cloudconfig/schema/merge"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// outline writes a tree in one line; behind each scalar is the document it is from.
func outline(n *yamltree.Node) string {
	var parts []string
	switch {
	case n == nil:
		return "nothing"
	case n.Kind == yamltree.Sequence:
		for _, i := range n.Items {
			parts = append(parts, outline(i))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case n.Kind == yamltree.Mapping:
		for _, p := range n.Pairs {
			parts = append(parts, p.Key.Value+":"+outline(p.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return n.Value + "'" + n.Range.File
}

func TestTrees(t *testing.T) {
	rules := merge.Rules{
		Lists: []merge.List{
			{Path: "keys"},
			{Path: "names", Commas: true},
			{Path: "users", Commas: true, Key: "name", Join: merge.Always, Replaces: map[string][]string{"hash": {"word"}, "word": {"hash"}}},
			{Path: "users.groups", Commas: true},
			{Path: "files", Key: "path", Clean: path.Clean, Adds: "append", Replaces: map[string][]string{"content": {"encoding"}}},
			{Path: "a.units", Key: "name", Join: merge.Consistent},
			{Path: "a.units.drops", Key: "name"},
		},
		Key: func(_, key string) string { return strings.ReplaceAll(key, "-", "_") },
	}
	for _, tt := range []struct {
		name       string
		docs       []string
		want       string
		overridden string
	}{
		{"nothing", nil, "nothing", ""},
		{"one is as it is", []string{"b: 1\na: {c: [x, x]}"}, "{b:1'0 a:{c:[x'0 x'0]}}", ""},
		{"mappings by key", []string{"a: {b: 1}", "a: {c: 2}\nd: 3"}, "{a:{b:1'0 c:2'1} d:3'1}", ""},
		{"a scalar", []string{"a: 1", "a: 2", "a: 3"}, "{a:3'2}", "a 0>1, a 1>2"},
		{"the same again", []string{"a: 1", "a: 1", "a: 2", "a: 2"}, "{a:2'2}", "a 0>2"},
		{"a key in two spellings", []string{"a-b: 1", "a_b: 2"}, "{a-b:2'1}", "a_b 0>1"},
		{"what is skipped takes the place of nothing", []string{"a: 1", "a: BAD"}, "{a:1'0}", ""},
		{"and nothing takes its place for another value", []string{"a: BAD", "a: 1"}, "{a:1'1}", ""},
		{"another kind", []string{"a: [1]", "a: {b: 1}"}, "{a:{b:1'1}}", "a 0>1"},
		{"lists that nobody knows", []string{"a: [1, 2]", "a: [2, 3]"}, "{a:[1'0 2'0 2'1 3'1]}", ""},
		{"lists of one", []string{"keys: x", "keys: y", "keys: [z]"}, "{keys:[x'0 y'1 z'2]}", ""},
		{"a list alone stays as written", []string{"keys: x\nnames: 'a, b'"}, "{keys:x'0 names:a, b'0}", ""},
		{"names with commas", []string{"names: 'a, b'", "names: [c]"}, "{names:[a'0 b'0 c'1]}", ""},
		{"a mapping among names", []string{"names: {a: x}", "names: b"}, "{names:[{a:x'0} b'1]}", ""},

		{"items about the same", []string{"files: [{path: /a, mode: 1}, {path: /b}]", "files: [{path: /c}, {path: //a, mode: 2, x: 3}]"},
			"{files:[{path://a'1 mode:2'1 x:3'1} {path:/b'0} {path:/c'1}]}", "files[0].path 0>1, files[0].mode 0>1"},
		{"twice in one document", []string{"files: [{path: /a, mode: 1}, {path: /a, mode: 2}]"}, "{files:[{path:/a'0 mode:1'0} {path:/a'0 mode:2'0}]}", ""},
		{"twice in the later document", []string{"files: [{path: /a}]", "files: [{path: /a, mode: 1}, {path: /a, mode: 2}]"},
			"{files:[{path:/a'0 mode:1'1} {path:/a'1 mode:2'1}]}", ""},
		{"what adds", []string{"files: [{path: /a, content: x}]", "files: [{path: /a, content: y, append: yes}]"},
			"{files:[{path:/a'0 content:x'0} {path:/a'1 content:y'1 append:yes'1}]}", ""},
		{"a content takes its encoding along", []string{"files: [{path: /a, encoding: b64, content: eA==, mode: 1}]", "files: [{path: /a, content: y}]"},
			"{files:[{path:/a'0 content:y'1 mode:1'0}]}", "files[0].content 0>1"},
		{"an encoding of its own", []string{"files: [{path: /a, encoding: b64, content: eA==}]", "files: [{path: /a, encoding: gz, content: y}]"},
			"{files:[{path:/a'0 encoding:gz'1 content:y'1}]}", "files[0].encoding 0>1, files[0].content 0>1"},
		{"no path", []string{"files: [{mode: 1}]", "files: [{mode: 1}, x]"}, "{files:[{mode:1'0} {mode:1'1} x'1]}", ""},

		{"users however written", []string{"users: [{name: a, shell: s, groups: x}, b]", "users: 'a, c'", "users: {b: {shell: t, groups: [z]}, d: true, e: false}", "users: [{name: a, groups: [y]}]"},
			"{users:[{name:a'0 shell:s'0 groups:[x'0 y'3]} {name:b'2 shell:t'2 groups:[z'2]} c'1 d'2]}", ""},
		{"a user twice in one document", []string{"users: [{name: a, shell: s}, b, {name: a, shell: t}]"}, "{users:[{name:a'0 shell:t'0} b'0]}", "users[0].shell 0>0"},
		{"two ways to say the same", []string{"users: [{name: a, hash: h}]", "users: [{name: a, word: w}]"}, "{users:[{name:a'0 word:w'1}]}", ""},
		{"back again", []string{"users: [{name: a, hash: h}]", "users: [{name: a, word: w}]", "users: [{name: a, hash: i}]"}, "{users:[{name:a'0 hash:i'2}]}", ""},

		{"a unit in pieces", []string{"a: {units: [{name: u, content: c}, {name: v}, {name: u, command: start, drops: [{name: d}]}, {name: u, drops: [{name: d}, {name: e}]}]}"},
			"{a:{units:[{name:u'0 content:c'0 command:start'0 drops:[{name:d'0} {name:d'0} {name:e'0}]} {name:v'0}]}}", ""},
		{"pieces that contradict", []string{"a: {units: [{name: u, command: stop}, {name: u, command: start}]}"},
			"{a:{units:[{name:u'0 command:stop'0} {name:u'0 command:start'0}]}}", ""},
		{"a unit of two documents", []string{"a: {units: [{name: u, command: stop}]}", "a: {units: [{name: u, command: start}, {name: u, x: 1}, {name: u, x: 2}]}"},
			"{a:{units:[{name:u'0 command:start'1 x:1'1} {name:u'1 x:2'1}]}}", "a.units[0].command 0>1"},
		{"a drop-in of two documents", []string{"a: {units: [{name: u, drops: [{name: d, content: x}]}]}", "a: {units: [{name: u, drops: [{name: d, content: y}, {name: e}]}]}"},
			"{a:{units:[{name:u'0 drops:[{name:d'0 content:y'1} {name:e'1}]}]}}", "a.units[0].drops[0].content 0>1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var docs []*yamltree.Node
			var before []string
			for i, text := range tt.docs {
				tree, found := yamltree.Parse(&source.File{Name: fmt.Sprint(i), Bytes: []byte(text)})
				if len(found) > 0 {
					t.Fatal(found)
				}
				docs, before = append(docs, tree), append(before, outline(tree))
			}
			var overridden []string
			rules.Skip = func(n *yamltree.Node) bool { return n.Value == "BAD" }
			rules.Overridden = func(path string, earlier, later *yamltree.Node) {
				overridden = append(overridden, fmt.Sprintf("%s %s>%s", path, earlier.Range.File, later.Range.File))
			}
			got := merge.Trees(docs, rules)
			if outline(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", outline(got), tt.want)
			}
			if got := strings.Join(overridden, ", "); got != tt.overridden {
				t.Errorf("overridden: %s, want %s", got, tt.overridden)
			}
			for i, doc := range docs {
				if outline(doc) != before[i] {
					t.Errorf("document %d is %s, was %s", i, outline(doc), before[i])
				}
			}
		})
	}
}
