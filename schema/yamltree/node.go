package yamltree

import "cloudconfig/schema/source"

// Kind is what a node is. The zero value is invalid.
type Kind int

// The kinds of node. An empty value ("key:") is Null.
const (
	Null Kind = iota + 1
	Scalar
	Sequence
	Mapping
)

// Style is how a scalar was written.
type Style int

// The styles of scalar.
const (
	Plain Style = iota
	SingleQuoted
	DoubleQuoted
	Literal // |
	Folded  // >
)

// Node is a value with its place. Aliases are expanded and merge keys applied, so a node may be reached
// twice; the tree is never cyclic.
type Node struct {
	Kind Kind
	// Tag is the short resolved tag by YAML 1.2's core schema: !!str, !!int, !!float, !!bool, !!null,
	// !!binary, !!timestamp, !!seq, !!map, or the user's own.
	Tag string
	// Value is a scalar's text: unescaped and unfolded, but not converted ("0644" stays "0644").
	Value string
	Style Style
	// Range is the value as written, without its anchor and tag; of a block scalar, from its indicator to the
	// end of its last line that is not blank. An empty value has the empty range where it would begin, and
	// one that an alias stands for has the range where it is written.
	Range source.Range
	// Broken says that a finding of Parse is about this very value, which counts as not written.
	Broken bool
	Items  []*Node // of a Sequence
	Pairs  []Pair  // of a Mapping, in source order, without duplicates

	pieces []piece // of a Scalar, once Span has been asked
	traced bool
	made   *source.File // the text that the node is in and
	start  int          // where it begins there, if that is not what the user wrote
}

// Pair is one entry of a mapping. The key is always a scalar.
type Pair struct {
	Key, Value *Node
}

// Get returns the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key.Value == key {
			return p.Value
		}
	}
	return nil
}
