package value_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/value"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

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
