package value_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/value"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

func TestChecker(t *testing.T) {
	type c = *value.Checker
	hostname := func(text string) func(c) string { return func(k c) string { return k.Hostname("it", text) } }
	word := func(text string) func(c) string { return func(k c) string { return k.Word("it", text) } }
	v4 := func(text string) func(c) string { return func(k c) string { return k.IPv4("it", text) } }
	v6 := func(text string) func(c) string { return func(k c) string { return k.IPv6("it", text).String() } }
	for _, tt := range []struct {
		name      string
		ask       func(c) string
		want, err string
	}{
		{"a name", hostname(" web1.example.com.\n"), "web1.example.com", ""},
		{"no name", hostname(" "), "", ""},
		{"a name with an underscore, as platforms make them", hostname("web_1"), "web_1", ""},
		{"a name of dots", hostname("a..b"), "a..b", `it: "a..b" is not a hostname`},
		{"a name that is a path", hostname("../etc"), "../etc", "not a hostname"},
		{"a name that is an option", hostname("-rf"), "-rf", "not a hostname"},
		{"a long label", hostname(strings.Repeat("a", 64)), strings.Repeat("a", 64), "not a hostname"},
		{"a long name", hostname(strings.Repeat("a.", 127)), strings.Repeat("a.", 126) + "a", ""},
		{"a longer name", hostname(strings.Repeat("a.", 128)), strings.Repeat("a.", 127) + "a", "not a hostname"},
		{"two lines", hostname("a\nb"), "a\nb", "not a hostname"},
		{"a word", word(" i-1 "), "i-1", ""},
		{"two words", word("i 1"), "i 1", "not one word"},
		{"a direction mark", word("i\u202e1"), "i\u202e1", `"i\u202e1" is not one word`},
		{"an address", v4("10.0.0.1"), "10.0.0.1", ""},
		{"an address with its network", v4("10.0.0.1/24"), "10.0.0.1", ""},
		{"an address with a network that is none", v4("10.0.0.1/33"), "", "not the address of a machine"},
		{"the loopback", v4("127.0.0.1"), "", "not the address of a machine"},
		{"the other family", v4("fd00::1"), "", "not the IPv4 address"},
		{"IPv6", v6("FD00:0::1/64"), "fd00::1", ""},
		{"IPv4 for IPv6", v6("10.0.0.1"), "invalid IP", "not the IPv6 address"},
		{"IPv4 inside IPv6", v6("::ffff:10.0.0.1"), "invalid IP", "not the address"},
		{"a zone", v6("fe80::1%eth0"), "invalid IP", "not the address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var check value.Checker
			got := tt.ask(&check)
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if tt.err == "" && check.Err != nil || tt.err != "" && (check.Err == nil || !strings.Contains(check.Err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", check.Err, tt.err)
			}
		})
	}
}

func TestTree(t *testing.T) {
	doc, found := yamltree.Parse(&source.File{Name: "x", Bytes: []byte("a: [1, 2.5, true, no, 0o7, ~, 'x']\nb: {c: 2026-01-01}\n")})
	if found.HasErrors() {
		t.Fatal(found)
	}
	want := map[string]any{"a": []any{1.0, 2.5, true, "no", "0o7", nil, "x"}, "b": map[string]any{"c": "2026-01-01"}}
	if diff := cmp.Diff(want, value.Tree(doc)); diff != "" {
		t.Error(diff)
	}
}
