// Package value turns documents of a platform's into values for templates.
package value

import (
	"strconv"
	"strings"

	"cloudconfig/schema/yamltree"
)

// Tree is a document as maps, lists, texts, numbers, truth values and nil. A number that is written in another way
// than JSON has it stays a text.
func Tree(n *yamltree.Node) any {
	switch {
	case n == nil || n.Kind == yamltree.Null:
		return nil
	case n.Kind == yamltree.Mapping:
		m := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			m[p.Key.Value] = Tree(p.Value)
		}
		return m
	case n.Kind == yamltree.Sequence:
		list := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			list = append(list, Tree(item))
		}
		return list
	case n.Tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case n.Tag == "!!int" || n.Tag == "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}
