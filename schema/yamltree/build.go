package yamltree

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// A builder turns the parser's nodes into ours, which is where their ends are found: it goes through them
// in the order of the text, and through the text along with them.
type builder struct {
	*Reader
	file *source.File
	b    []byte
	here place

	text     int // bytes of scalars so far, every alias counted as a copy
	anchored map[*yaml.Node]*anchored
	found    diag.List
	stop     bool // a limit is reached
}

// anchored is a node that aliases may stand for. Its tree is nil as long as it is being built.
type anchored struct {
	tree       *Node
	size, text int // in nodes, and in bytes of scalars
}

// place is a position that moves forward only, so that positions in a long line cost nothing extra.
type place struct {
	offset       int
	line, column int // column counts code points from 0
}

// to moves to an offset in the text and returns the position there.
func (b *builder) to(offset int) source.Pos {
	if offset < b.here.offset {
		return b.file.Pos(offset)
	}
	for b.here.offset < offset && b.here.offset < len(b.b) {
		b.step()
	}
	return source.Pos{Line: b.here.line, Column: b.here.column + 1, Offset: b.file.Base() + b.here.offset}
}

// seek moves to a line and a column, both counted from 1 in the text of the parser, and returns the offset.
func (b *builder) seek(line, column int) int {
	if line == 1 && bytes.HasPrefix(b.b, []byte(byteOrderMark)) {
		column++ // the parser does not count the mark
	}
	line += b.file.FirstLine() - 1
	for b.here.offset < len(b.b) && (b.here.line < line || b.here.line == line && b.here.column < column-1) {
		b.step()
	}
	return b.here.offset
}

func (b *builder) step() {
	p := &b.here
	switch c := b.b[p.offset]; {
	case c == '\n', c == '\r' && (p.offset+1 == len(b.b) || b.b[p.offset+1] != '\n'):
		p.offset++
		p.line++
		p.column = 0
	case c < utf8.RuneSelf:
		p.offset++
		p.column++
	default:
		_, size := utf8.DecodeRune(b.b[p.offset:])
		p.offset += size
		p.column++
	}
}

// node builds the tree of n. It returns the offset at which n ends in the text, which for an alias is not
// where its tree ends.
func (b *builder) node(n *yaml.Node) (*Node, int) {
	start := b.seek(n.Line, n.Column)
	if n.Kind == yaml.AliasNode {
		return b.alias(n, start)
	}
	b.nodes++
	var a *anchored
	if n.Anchor != "" {
		a = &anchored{size: b.nodes - 1, text: b.text}
		b.anchored[n] = a
	}
	var tree *Node
	var end int
	switch n.Kind {
	case yaml.MappingNode:
		tree, end = b.mapping(n, start)
	case yaml.SequenceNode:
		tree, end = b.sequence(n, start)
	default:
		tree, end = b.scalar(n, start)
	}
	if a != nil {
		a.tree, a.size, a.text = tree, b.nodes-a.size, b.text-a.text
	}
	return tree, end
}

// alias finds the tree that an alias stands for.
func (b *builder) alias(n *yaml.Node, start int) (*Node, int) {
	end := start + 1
	for end < len(b.b) && isNameByte(b.b[end]) {
		end++
	}
	at := source.Range{File: b.file.Name, Start: b.to(start), End: b.to(end)}
	target := b.anchored[n.Alias]
	if target == nil || target.tree == nil {
		b.add(rules.YAMLAlias, at, "the value of &%s contains this alias of itself", n.Value)
		return &Node{Kind: Null, Tag: "!!null", Range: at, Broken: true}, end
	}
	b.nodes += target.size
	b.text += target.text
	b.copied += target.text
	switch {
	case b.stop:
	case b.nodes > maxNodes:
		b.add(rules.YAMLTooLarge, at, "more than %d values, every alias counted as a copy", maxNodes)
		b.stop = true
	case b.copied > maxCopied+b.read:
		// The values are looked into one by one, and a copy takes as long as what it is of.
		b.add(rules.YAMLTooLarge, at, "the aliases stand for more than %d KiB of text", (maxCopied+b.read)>>10)
		b.stop = true
	}
	return target.tree, end
}

func (b *builder) add(rule *diag.Rule, at source.Range, format string, args ...any) *diag.Diagnostic {
	b.found.Add(diag.New(rule, at, format, args...))
	b.stop = b.stop || len(b.found) >= maxFindings
	return &b.found[len(b.found)-1]
}

// scalar builds a scalar, whose end is found by following its value through the text.
func (b *builder) scalar(n *yaml.Node, start int) (*Node, int) {
	start = b.passProperties(start)
	tree := &Node{Kind: Scalar, Tag: n.ShortTag(), Value: n.Value}
	b.text += len(n.Value)
	end := start
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		tree.Style = DoubleQuoted
		for end++; end < len(b.b) && b.b[end] != '"'; end++ {
			if b.b[end] == '\\' {
				end++
			}
		}
		end++
	case n.Style&yaml.SingleQuotedStyle != 0:
		tree.Style = SingleQuoted
		for end++; end < len(b.b) && (b.b[end] != '\'' || end+1 < len(b.b) && b.b[end+1] == '\''); end++ {
			if b.b[end] == '\'' {
				end++
			}
		}
		end++
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		tree.Style = Literal
		if n.Style&yaml.FoldedStyle != 0 {
			tree.Style = Folded
		}
		for end < len(b.b) && !isSpace(b.b[end]) { // the indicator; a comment may follow it
			end++
		}
		if text := strings.TrimRight(n.Value, " \t\n"); text != "" {
			end = b.endOfLine(b.follow(text, b.endOfLine(end)))
		}
	default:
		if tree.Tag == "!!null" {
			tree.Kind = Null
		}
		end = b.follow(n.Value, start)
	}
	tree.Range = source.Range{File: b.file.Name, Start: b.to(start), End: b.to(min(end, len(b.b)))}
	if n.Style&yaml.TaggedStyle != 0 && !fitsTag(n) {
		b.add(rules.YAMLTag, tree.Range, "the value is not what its tag %s says", tree.Tag)
		tree.Broken = true
	}
	return tree, end
}

// follow returns the offset after the last character of a value that begins at an offset or after it,
// written as it is but for blanks and line ends.
func (b *builder) follow(value string, offset int) int {
	end := offset
	for i := 0; i < len(value); i++ {
		if isSpace(value[i]) {
			continue
		}
		for offset < len(b.b) && isSpace(b.b[offset]) {
			offset++
		}
		offset++
		end = offset
	}
	return end
}

func (b *builder) endOfLine(offset int) int {
	for offset < len(b.b) && !isBreak(b.b[offset]) {
		offset++
	}
	return offset
}

// fitsTag says that a scalar can be read as its tag demands.
func fitsTag(n *yaml.Node) (ok bool) {
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp":
	default:
		return true
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var v any
	return n.Decode(&v) == nil
}

// passProperties returns where a value begins after its anchor and tag.
func (b *builder) passProperties(offset int) int {
	for offset < len(b.b) && (b.b[offset] == '&' || b.b[offset] == '!') {
		for offset < len(b.b) && !isSpace(b.b[offset]) && !isFlow(b.b[offset]) {
			offset++
		}
		offset = b.passFiller(offset, "")
	}
	return offset
}

// passFiller passes blanks, line ends, comments and any of the characters in more.
func (b *builder) passFiller(offset int, more string) int {
	for offset < len(b.b) {
		switch c := b.b[offset]; {
		case isSpace(c), strings.IndexByte(more, c) >= 0:
			offset++
		case c == '#':
			offset = b.endOfLine(offset)
		default:
			return offset
		}
	}
	return offset
}

func (b *builder) sequence(n *yaml.Node, start int) (*Node, int) {
	start = b.passProperties(start)
	tree := &Node{Kind: Sequence, Tag: n.ShortTag(), Items: make([]*Node, 0, len(n.Content))}
	tree.Range.File = b.file.Name
	tree.Range.Start = b.to(start)
	end := start + 1
	for _, item := range n.Content {
		if b.stop {
			break
		}
		var t *Node
		t, end = b.node(item)
		tree.Items = append(tree.Items, t)
	}
	if n.Style&yaml.FlowStyle != 0 {
		end = b.passFiller(end, ",:?") + 1
	}
	tree.Range.End = b.to(min(end, len(b.b)))
	return tree, end
}

func (b *builder) mapping(n *yaml.Node, start int) (*Node, int) {
	tree := &Node{Kind: Mapping, Tag: n.ShortTag(), Pairs: make([]Pair, 0, len(n.Content)/2)}
	tree.Range.File = b.file.Name
	if n.Style&yaml.FlowStyle != 0 || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		start = b.passProperties(start)
	}
	tree.Range.Start = b.to(start)
	end := start + 1
	seen := make(map[string]*Node, len(n.Content)/2)
	var merges []merge
	refused := false
	for i := 0; i+1 < len(n.Content) && !b.stop; i += 2 {
		var key, value *Node
		before := len(b.found)
		key, _ = b.node(n.Content[i])
		first := len(b.found)
		value, end = b.node(n.Content[i+1])
		if key.Kind == Null && key.Value != "" {
			word := *key // the word null is a word; an alias may have it as a value too
			word.Kind = Scalar
			key = &word
		}
		if key.Kind != Scalar {
			b.found = b.found[:before] // it is one slip, whatever is inside
			b.refuseKey(key)
			refused = true
			continue
		}
		if other := seen[key.Value]; other != nil {
			d := diag.New(rules.DuplicateKey, key.Range, "the key %q is there twice", key.Value)
			d.Related = []diag.Related{{Message: "it is here already", At: other.Range}}
			// In the order of the text: before what is wrong inside the value.
			b.found = slices.Insert(b.found, first, d)
			b.stop = b.stop || len(b.found) >= maxFindings
			continue
		}
		seen[key.Value] = key
		if n.Content[i].ShortTag() == "!!merge" {
			merges = append(merges, merge{key, value})
			continue
		}
		tree.Pairs = append(tree.Pairs, Pair{Key: key, Value: value})
	}
	for _, m := range merges {
		b.merge(tree, seen, m)
	}
	tree.Broken = refused && len(tree.Pairs) == 0
	if start < len(b.b) && b.b[start] == '{' { // a pair in a flow list is a flow mapping without brackets
		end = b.passFiller(end, ",:?") + 1
	}
	tree.Range.End = b.to(min(end, len(b.b)))
	return tree, end
}

// refuseKey says that a key is no text. Two braces are a template's, more often than a mapping in a mapping.
func (b *builder) refuseKey(key *Node) {
	what := "empty"
	switch key.Kind {
	case Sequence:
		what = "a list"
	case Mapping:
		what = "a mapping"
	}
	d := b.add(rules.YAMLKeyType, key.Range, "a key is %s", what)
	d.Detail = "quote it if it is text"
	at := key.Range.Start.Offset - b.file.Base()
	if bytes.HasPrefix(b.b[at:], []byte("{{")) || bytes.HasSuffix(b.b[:at], []byte("{")) && bytes.HasPrefix(b.b[at:], []byte("{")) {
		d.Detail = renderFirst
	}
}

// merge is an entry << with its value.
type merge struct{ key, value *Node }

// merge takes over the entries that a mapping does not have itself. Of several sources the first wins.
//
// What is merged has been counted with the alias that stands for it.
//
// Source: https://yaml.org/type/merge.html (2005-01-18).
func (b *builder) merge(tree *Node, seen map[string]*Node, m merge) {
	sources := []*Node{m.value}
	if m.value.Kind == Sequence {
		sources = m.value.Items
	}
	for _, s := range sources {
		if s.Kind != Mapping {
			d := b.add(rules.YAMLMerge, m.key.Range, "the value of << is neither a mapping nor a list of mappings")
			d.Related = []diag.Related{{Message: "the value is here", At: s.Range}}
			return
		}
		for _, p := range s.Pairs {
			if seen[p.Key.Value] == nil {
				seen[p.Key.Value] = p.Key
				tree.Pairs = append(tree.Pairs, p)
			}
		}
	}
}
