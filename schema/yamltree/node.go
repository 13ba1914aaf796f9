package yamltree

import (
	"bytes"
	"strings"

	"cloudconfig/schema/source"
)

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
	Items []*Node // of a Sequence
	Pairs []Pair  // of a Mapping, in source order, without duplicates
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

// Place is where the byte at an offset of Value stands in the file that the node is from: from there to the
// end of its line, or of the value. It is exact in a literal block scalar, and in a scalar that is on one
// line and has no escapes; elsewhere it is the range of the node.
func (n *Node) Place(f *source.File, offset int) source.Range { return n.Places(f).place(offset) }

// Span is where the bytes of Value from one offset to another stand in the file that the node is from: as exact as
// [Node.Place], and on the line where they begin.
func (n *Node) Span(f *source.File, from, to int) source.Range { return n.Places(f).Span(from, to) }

// Places finds many places in one node. Asked in order, it counts each line of the value once.
func (n *Node) Places(f *source.File) *Places { return &Places{n: n, f: f} }

// Places is what [Node.Places] gives.
type Places struct {
	n             *Node
	f             *source.File
	offset, above int // where it was last, and the line ends before that
}

func (p *Places) place(offset int) source.Range {
	n, f := p.n, p.f
	if n.Kind != Scalar || n.Range.File != f.Name || offset < 0 || offset > len(n.Value) {
		return n.Range
	}
	if n.Style != Literal {
		from, to := n.Range.Start.Offset, n.Range.End.Offset
		if n.Style != Plain {
			from, to = from+1, to-1
		}
		if from < 0 || to > len(f.Bytes) || from > to || string(f.Bytes[from:to]) != n.Value {
			return n.Range
		}
		return f.Range(from+offset, to)
	}
	if offset < p.offset {
		p.offset, p.above = 0, 0
	}
	p.above += strings.Count(n.Value[p.offset:offset], "\n")
	p.offset = offset
	begin := strings.LastIndexByte(n.Value[:offset], '\n') + 1
	line, _, _ := strings.Cut(n.Value[begin:], "\n")
	number := n.Range.Start.Line + 1 + p.above
	written := f.Text(number)
	if !bytes.HasSuffix(written, []byte(line)) {
		return n.Range
	}
	end := f.Offset(number, 1) + len(written)
	return f.Range(end-len(line)+offset-begin, end)
}

// Span is as [Node.Span].
func (p *Places) Span(from, to int) source.Range {
	n := p.n
	r := p.place(from)
	if r == n.Range && from != 0 {
		return r
	}
	if to = min(to, len(n.Value)); to > from {
		line, _, _ := strings.Cut(n.Value[from:to], "\n")
		if end := r.Start.Offset + len(line); end < r.End.Offset {
			r.End = p.f.Pos(end)
		}
	}
	return r
}
