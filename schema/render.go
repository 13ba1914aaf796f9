package schema

import (
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/language"
	"cloudconfig/schema/yamltree"
)

// Rendered is a configuration as one document.
type Rendered struct {
	// Root is what all parts say together; nil if none of them is a cloud-config. Every node has the place where it
	// was written. Secrets are not in it: "(secret)" stands in their place.
	Root *yamltree.Node
	// Variables are those in a value of Root, in their order, each once.
	Variables map[*yamltree.Node][]RenderedVariable
	Scripts   []Script
}

// RenderedVariable is a variable in a value.
type RenderedVariable struct {
	Name  string // without the dollar
	Value string // what has taken its place; empty if it has none and stays as it is
}

// Render merges the parts of a configuration, and finds what [Decode] finds. Variables are replaced by their
// values where package plan replaces them, but for those that a backslash keeps from it, so that the document
// means what the parts mean; with nil for values none is.
func Render(in Input, values Values) (Rendered, diag.List) {
	d := newDecoder()
	root := d.decode(in)
	r := renderer{decoder: d, values: values, variables: map[*yamltree.Node][]RenderedVariable{}}
	out := Rendered{Variables: r.variables, Scripts: d.config.Scripts}
	if root != nil {
		out.Root = r.node(root)
	}
	return out, d.Sorted()
}

type renderer struct {
	*decoder
	values    Values
	variables map[*yamltree.Node][]RenderedVariable
}

// node is a node as it is shown; the same one if nothing in it changes.
func (r *renderer) node(n *yamltree.Node) *yamltree.Node {
	switch {
	case r.Secret[n] || n.Kind == yamltree.Scalar && (holdsPrivateKey([]byte(n.Value)) || !strings.Contains(n.Value, "\n") && language.HasUserInfo(n.Value)):
		return &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: Secret("").String(), Range: n.Range}
	case n.Kind == yamltree.Scalar:
		return r.scalar(n)
	}
	out := *n
	out.Items, out.Pairs = slices.Clone(n.Items), slices.Clone(n.Pairs)
	for i, item := range out.Items {
		out.Items[i] = r.node(item)
	}
	for i, p := range out.Pairs {
		out.Pairs[i].Value = r.node(p.Value)
	}
	return &out
}

// scalar replaces variables.
func (r *renderer) scalar(n *yamltree.Node) *yamltree.Node {
	all, replaced := r.decoder.variables[n]
	if !replaced || r.values == nil || !strings.Contains(n.Value, "$") {
		return n
	}
	out := *n
	var seen []RenderedVariable
	out.Value = language.Variable.ReplaceAllStringFunc(n.Value, func(match string) string {
		name := strings.TrimPrefix(match, "$")
		if match[0] == '\\' || !all && !language.IsAddress(name) {
			return match
		}
		v := RenderedVariable{Name: name, Value: r.values[name]}
		if !slices.Contains(seen, v) {
			seen = append(seen, v)
		}
		if v.Value == "" {
			return match
		}
		return v.Value
	})
	if seen == nil {
		return n
	}
	r.variables[&out] = seen
	return &out
}
