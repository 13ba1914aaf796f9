package language

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// JSONSchema is the language as a JSON Schema, for editors and for other people's tools. It is made of the table, and
// says what the table says: which keys there are and what they hold. What is wrong with a hostname or a key only
// [Decode] knows.
//
// Every key may be written with hyphens in place of underscores, but completion offers the one spelling alone. A
// value that is null is refused where Decode warns of it.
//
// Format: JSON Schema draft 2020-12, https://json-schema.org/draft/2020-12 (2022-06-16).
func JSONSchema() []byte {
	w := &schemaWriter{defs: object{}, names: map[*field]string{}}
	root := w.mapping(&language, "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "urn:provisioner:cloud-config"
	root["title"] = "cloud-config"
	root["description"] = "A configuration for the first boot of a machine. Its first line is #cloud-config."
	root["$defs"] = w.defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(root); err != nil {
		panic("internal error: " + err.Error()) // it is made of texts, numbers, lists and maps
	}
	return b.Bytes()
}

// object is a JSON object. Its keys are written in the order of the alphabet.
type object = map[string]any

// schemaWriter turns shapes into schemas. A mapping becomes a definition, named after the place where it is first met.
type schemaWriter struct {
	defs  object
	names map[*field]string // by the first field of a mapping
}

func (w *schemaWriter) shape(s *shape, path string) object {
	out := w.notNull(s, path)
	if !s.null {
		return out
	}
	switch t := out["type"].(type) {
	case string:
		out["type"] = []string{t, "null"}
	case []string:
		out["type"] = append(slices.Clone(t), "null")
	case nil:
		null := object{"type": "null"}
		if of, alternatives := out["anyOf"].([]any); alternatives && len(out) == 1 {
			out["anyOf"] = append(of, null)
		} else if len(out) > 0 {
			out = object{"anyOf": []any{out, null}}
		}
	}
	return out
}

func (w *schemaWriter) notNull(s *shape, path string) object {
	switch s.kind {
	case either:
		var of []any
		for _, alternative := range s.either {
			of = append(of, w.shape(alternative, path))
		}
		return object{"anyOf": of}
	case mapping:
		return w.reference(s, path)
	case list:
		out := object{"type": "array", "items": w.shape(s.item, path)}
		count(out, s, "Items")
		if s.unique {
			out["uniqueItems"] = true
		}
		if s.lone {
			return object{"anyOf": []any{out, w.shape(s.item, path)}}
		}
		return out
	case boolean:
		if s.strict {
			return object{"type": "boolean"}
		}
		return object{"type": []string{"boolean", "string"}, "pattern": "^([Tt][Rr][Uu][Ee]|[Yy]([Ee][Ss])?|[Oo][Nn]|[Ff][Aa][Ll][Ss][Ee]|[Nn][Oo]?|[Oo][Ff][Ff])$"}
	case integer:
		out := object{"type": "integer"}
		if !s.strict {
			out = object{"type": []string{"integer", "string"}, "pattern": decimal().String()}
		}
		if s.low != s.high {
			out["minimum"] = s.low
			if s.high != many {
				out["maximum"] = s.high
			}
		}
		return out
	case number:
		return object{"type": []string{"number", "string"}, "pattern": `^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`}
	case anything:
		return object{}
	}
	return scalar(s)
}

// scalar is the schema of a text. What is not strict may look like a number or a truth to YAML.
func scalar(s *shape) object {
	switch {
	case s.oneOf != nil:
		var words []any
		for _, w := range s.oneOf {
			words = append(words, w)
			if v, err := strconv.Atoi(w); err == nil {
				words = append(words, v)
			}
		}
		if s.blank {
			words = append(words, "")
		}
		for _, truth := range []bool{true, false} {
			if meant := strconv.FormatBool(truth); slices.ContainsFunc(s.oneOf, func(w string) bool { return w == meant || w == onOff(truth) }) {
				words = append(words, truth)
			}
		}
		return object{"enum": words}
	case s.pattern != nil:
		return object{"type": "string", "pattern": s.pattern.expr}
	case s.strict:
		return object{"type": "string"}
	}
	return object{"type": []string{"string", "number", "boolean"}}
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func count(out object, s *shape, of string) {
	if s.min > 0 {
		out["min"+of] = s.min
	}
	if s.max > 0 {
		out["max"+of] = s.max
	}
}

// reference is the schema of a mapping below the top level.
func (w *schemaWriter) reference(s *shape, path string) object {
	if s.free != nil {
		out := object{"type": "object", "additionalProperties": w.shape(s.free, path)}
		if s.fields != nil {
			properties := object{}
			for f := range s.all {
				properties[f.name] = w.property(f, w.shape(f.shape, Join(path, f.name)))
			}
			out["properties"] = properties
		}
		count(out, s, "Properties")
		return out
	}
	var first *field // nil of a mapping that has the keys of others alone
	if len(s.fields) > 0 {
		first = &s.fields[0]
	}
	name, known := w.names[first]
	if !known || first == nil {
		name = path
		for i := 2; w.defs[name] != nil; i++ {
			name = fmt.Sprintf("%s-%d", path, i)
		}
		w.names[first] = name
		w.defs[name] = object{} // taken, while what is below is made
		w.defs[name] = w.mapping(s, path)
	}
	out := object{"$ref": "#/$defs/" + name}
	count(out, s, "Properties")
	if s.anyOf != nil {
		out["anyOf"] = oneRequired(s.anyOf...)
	}
	return out
}

// oneRequired asks for one of some keys.
func oneRequired(names ...string) []any {
	var out []any
	for _, name := range names {
		out = append(out, object{"required": []string{name}})
		if hyphened := strings.ReplaceAll(name, "_", "-"); hyphened != name {
			out = append(out, object{"required": []string{hyphened}})
		}
	}
	return out
}

// mapping is the schema of the keys of a mapping.
func (w *schemaWriter) mapping(s *shape, path string) object {
	properties, patterns := object{}, object{"^x-": true}
	out := object{"type": "object", "properties": properties, "patternProperties": patterns, "additionalProperties": false}
	var required []string
	var either []any // of keys that have two spellings
	if s.also != nil {
		delete(out, "additionalProperties")
		out["unevaluatedProperties"] = false
		out["$ref"] = "#/$defs/" + w.common(s.also, path)
	}
	for i := range s.fields {
		f := &s.fields[i]
		bare := w.shape(f.shape, Join(path, f.name))
		properties[f.name] = w.property(f, bare)
		if pattern := spellings(f.name); pattern != "" {
			patterns[pattern] = bare
		}
		switch {
		case f.required && strings.Contains(f.name, "_"):
			either = append(either, object{"anyOf": oneRequired(f.name)})
		case f.required:
			required = append(required, f.name)
		}
	}
	if required != nil {
		out["required"] = required
	}
	if either != nil {
		out["allOf"] = either
	}
	for _, f := range s.foreign {
		if s.refuses {
			break
		}
		properties[f.name] = object{"description": "A key of cloud-init's that has no effect here: " + f.instead + "."}
		if pattern := spellings(f.name); pattern != "" {
			patterns[pattern] = true
		}
	}
	return out
}

// common is the name of the definition of keys that several mappings have. It refuses no others.
func (w *schemaWriter) common(fields []field, path string) string {
	name, known := w.names[&fields[0]]
	if !known {
		name = path + "-common"
		w.names[&fields[0]] = name
		out := w.mapping(&shape{kind: mapping, fields: fields}, path)
		delete(out, "additionalProperties")
		w.defs[name] = out
	}
	return name
}

// property is the schema of a value with what the table says of its key.
func (w *schemaWriter) property(f *field, bare object) object {
	property := maps.Clone(bare)
	describeField(property, f)
	return property
}

// spellings matches a key with hyphens as well; empty if it has only one spelling.
func spellings(name string) string {
	if !strings.Contains(name, "_") {
		return ""
	}
	return "^" + strings.ReplaceAll(name, "_", "[-_]") + "$"
}

// describeField says what the table says of a key in words.
func describeField(property object, f *field) {
	var sentences []string
	say := func(format string, args ...any) { sentences = append(sentences, fmt.Sprintf(format, args...)+".") }
	if f.doc != "" {
		say("%s", f.doc)
	}
	if f.variable != "" {
		say("It becomes %s in the environment of the agent", f.variable)
	}
	if f.deprecated != nil {
		property["deprecated"] = true
		say("Deprecated: %s", f.deprecated.instead)
	}
	if f.later != nil {
		say("Not acted on yet: %s", f.later.instead)
	}
	if len(sentences) > 0 {
		property["description"] = strings.Join(sentences, " ")
	}
	if f.example != "" {
		if n, _ := yamltree.Parse(&source.File{Name: f.name, Bytes: []byte(f.example)}); n != nil {
			property["examples"] = []any{plainValue(n)}
		}
	}
}

// plainValue is a tree as encoding/json has values: nil, bool, float64, string, lists and maps. A scalar is what YAML
// 1.1 makes of it, as the decoder has it: yes and off are truths, 0644 is a text.
func plainValue(n *yamltree.Node) any {
	switch n.Kind {
	case yamltree.Sequence:
		out := []any{}
		for _, item := range n.Items {
			out = append(out, plainValue(item))
		}
		return out
	case yamltree.Mapping:
		out := object{}
		for _, p := range n.Pairs {
			out[p.Key.Value] = plainValue(p.Value)
		}
		return out
	case yamltree.Null:
		return nil
	}
	if truth, ok := AsBoolean(n); ok && n.Style == yamltree.Plain && len(n.Value) > 1 {
		return truth
	}
	if n.Tag == "!!int" || n.Tag == "!!float" {
		if _, ok := AsInteger(n); ok || n.Tag == "!!float" && isNumber(n) {
			if v, err := strconv.ParseFloat(n.Value, 64); err == nil {
				return v
			}
		}
	}
	return n.Value
}
