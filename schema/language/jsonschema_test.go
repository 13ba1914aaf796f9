package language_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cloudconfig/schema/language"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// structural are the rules that the JSON Schema can hold a document to; all others take more than a schema knows.
var structural = []string{"unknown-key", "wrong-type", "missing-key", "bad-value", "empty-value", "network-version", "network-unsupported"}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(language.JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("cloud-config.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("cloud-config.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document is a cloud-config as JSON has it; false if the file is none or is not YAML.
func document(t *testing.T, path string) (any, bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, found := yamltree.Parse(&source.File{Name: path, Bytes: text})
	if n == nil || n.Kind == yamltree.Null || found.HasErrors() || !bytes.HasPrefix(text, []byte("#cloud-config")) {
		return nil, false
	}
	return language.PlainValue(n), true
}

// TestJSONSchema: the JSON Schema and the decoder agree on what has the right structure.
func TestJSONSchema(t *testing.T) {
	s := compiled(t)
	ok, _ := filepath.Glob("../testdata/ok/*.yaml")
	examples, _ := filepath.Glob("../../examples/*.yaml")
	for _, path := range append(ok, examples...) {
		if doc, is := document(t, path); is {
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	bad, _ := filepath.Glob("../testdata/bad/*.yaml")
	refused, accepted := 0, 0
	for _, path := range bad {
		doc, is := document(t, path)
		if !is {
			continue
		}
		want, err := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		wrong := slices.ContainsFunc(strings.Fields(string(want)), func(word string) bool { return slices.Contains(structural, word) })
		err = s.Validate(doc)
		switch {
		case wrong && err == nil:
			t.Errorf("%s: the schema accepts it", path)
		case !wrong && err != nil:
			t.Errorf("%s: %v", path, err)
		case wrong:
			refused++
		default:
			accepted++
		}
	}
	if refused < 20 || accepted < 20 {
		t.Errorf("%d refused and %d accepted: too few to say anything", refused, accepted)
	}
}

// TestExamplesOfKeys: every example in the table is what its key takes.
func TestExamplesOfKeys(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(language.JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("cloud-config.json", doc); err != nil {
		t.Fatal(err)
	}
	held := 0
	var walk func(at any, pointer string)
	walk = func(at any, pointer string) {
		object, _ := at.(map[string]any)
		for key, below := range object {
			walk(below, pointer+"/"+key)
		}
		examples, _ := object["examples"].([]any)
		for _, example := range examples {
			held++
			s, err := c.Compile("cloud-config.json#" + pointer)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(example); err != nil {
				t.Errorf("%s: %v", pointer, err)
			}
		}
	}
	walk(doc, "")
	want := 0
	for _, k := range language.Keys() {
		if k.Example != "" {
			want++
		}
	}
	if held < want {
		t.Errorf("%d examples of keys, and %d in the schema", want, held)
	}
}
