// Package merge makes one document of several: mappings are merged by key, of single values the last one wins, and
// lists are appended, but for items that are about the same thing, which are merged as mappings.
//
// [Trees] is the thing to call. It knows nothing of the language: [Rules] say which lists there are. Trees are
// taken as they are and never changed; what is taken over from one is its very node, with its own place.
package merge

import (
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/yamltree"
)

// Rules say what in a tree is more than it looks like.
type Rules struct {
	Lists []List
	// Key is the one spelling of a key in the mapping at a path, by which keys are compared.
	Key func(path, key string) string
	// Skip says that a node reads as not written.
	Skip func(*yamltree.Node) bool
	// Overridden is told of every value that a later one takes the place of. The path has indices of the result.
	Overridden func(path string, earlier, later *yamltree.Node)
}

// List is a value that is a list, whatever it is written as.
type List struct {
	// Path is its keys with dots between, without indices: "coreos.units.drop_ins".
	Path string
	// Commas says that a scalar is a list of names with commas between; else it is a list of one.
	Commas bool
	// Key is the key by which two items are about the same thing; a scalar is its own. Without it none are. Written
	// as a mapping, such a list has the values of Key for keys.
	Key string
	// Clean is the one spelling of the values of Key; nil for as written.
	Clean func(string) string
	// Join says when items of one document are merged as well.
	Join Join
	// Adds is a key that, where it is true, makes of an item an addition to what is there: it is merged with none.
	Adds string
	// Replaces are keys that a key of a later item takes away from an earlier one, besides itself: what is said by
	// them would be said twice, or belongs to what is said no longer.
	Replaces map[string][]string
}

// Join says when two items of one document that are about the same thing become one.
type Join int

// Never leaves both. Consistent merges them unless they have a key in common whose value is no list. Always
// merges them.
const (
	Never Join = iota
	Consistent
	Always
)

// Trees merges documents in their order, which may be nil. It is nil if there is nothing in them.
func Trees(docs []*yamltree.Node, r Rules) *yamltree.Node {
	m := merger{r}
	return m.merge(docs, place{})
}

type merger struct{ Rules }

// place is where a value is: with indices, and without.
type place struct{ path, plain string }

func (p place) key(name string) place {
	if p.plain == "" {
		return place{name, name}
	}
	return place{p.path + "." + name, p.plain + "." + name}
}

func (p place) item(i int) place { return place{fmt.Sprintf("%s[%d]", p.path, i), p.plain} }

// merge makes one node of those that documents have in one place.
func (m *merger) merge(nodes []*yamltree.Node, at place) *yamltree.Node {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n *yamltree.Node) bool { return n == nil || m.Skip(n) })
	if len(nodes) == 0 {
		return nil
	}
	l := m.list(at.plain)
	if one := nodes[0]; len(nodes) == 1 {
		switch {
		case one.Kind == yamltree.Sequence && l != nil && l.Join != Never:
		case one.Kind == yamltree.Mapping && m.joinsBelow(at.plain):
		default:
			return one
		}
	}
	switch {
	case l != nil:
		return m.items(nodes, l, at)
	case all(nodes, yamltree.Mapping):
		return m.mapping(nodes, at)
	case all(nodes, yamltree.Sequence):
		return m.items(nodes, &List{}, at)
	}
	last := nodes[0]
	for _, n := range nodes[1:] {
		if last.Kind != yamltree.Scalar || n.Kind != yamltree.Scalar || last.Value != n.Value {
			m.Overridden(at.path, last, n)
			last = n
		}
	}
	return last
}

func (m *merger) list(path string) *List {
	i := slices.IndexFunc(m.Lists, func(l List) bool { return l.Path == path })
	if i < 0 {
		return nil
	}
	return &m.Lists[i]
}

// joinsBelow says that in a single document there may be something to join below a path.
func (m *merger) joinsBelow(path string) bool {
	return slices.ContainsFunc(m.Lists, func(l List) bool {
		return l.Join != Never && (path == "" || strings.HasPrefix(l.Path, path+"."))
	})
}

func all(nodes []*yamltree.Node, kind yamltree.Kind) bool {
	return !slices.ContainsFunc(nodes, func(n *yamltree.Node) bool { return n.Kind != kind })
}

// mapping merges mappings by key. The result is the first of them if that says it all.
func (m *merger) mapping(nodes []*yamltree.Node, at place) *yamltree.Node {
	type entry struct {
		key    *yamltree.Node
		name   string
		values []*yamltree.Node
	}
	var entries []*entry
	index := map[string]*entry{}
	for _, n := range nodes {
		seen := map[string]bool{}
		for _, p := range n.Pairs {
			name := m.Key(at.plain, p.Key.Value)
			if seen[name] {
				continue // the second one of a document counts for nothing
			}
			seen[name] = true
			e := index[name]
			if e == nil {
				e = &entry{key: p.Key, name: name}
				index[name] = e
				entries = append(entries, e)
			}
			e.values = append(e.values, p.Value)
		}
	}
	first := nodes[0]
	out := &yamltree.Node{Kind: yamltree.Mapping, Tag: first.Tag, Range: first.Range, Pairs: make([]yamltree.Pair, 0, len(entries))}
	for _, e := range entries {
		if value := m.merge(e.values, at.key(e.name)); value != nil {
			out.Pairs = append(out.Pairs, yamltree.Pair{Key: e.key, Value: value})
		}
	}
	if len(nodes) == 1 && slices.Equal(out.Pairs, first.Pairs) {
		return first
	}
	return out
}

// A slot is what becomes one item.
type slot struct {
	items []*yamltree.Node // one of each document, unless all are merged anyway
	doc   int              // the document of the last of them
	// Of a list whose items are joined where they are consistent: where the last of them has each of its keys, and
	// the lists in it that are ours to append to.
	said map[string]int
	ours map[*yamltree.Node]bool
}

// items merges lists.
func (m *merger) items(nodes []*yamltree.Node, l *List, at place) *yamltree.Node {
	var slots []*slot
	index := map[string]*slot{}
	for doc, n := range nodes {
		for _, item := range m.itemsOf(n, l) {
			id := m.identity(item, l, at)
			s := index[id]
			if s == nil || s.doc == doc && !m.joins(s, item, l, at) {
				s = &slot{}
				slots = append(slots, s)
				if id != "" && index[id] == nil {
					index[id] = s
				}
			}
			m.take(s, item, doc, l, at)
		}
	}
	out := &yamltree.Node{Kind: yamltree.Sequence, Tag: "!!seq", Range: nodes[0].Range, Items: make([]*yamltree.Node, len(slots))}
	for i, s := range slots {
		out.Items[i] = m.item(s.items, l, at.item(i))
	}
	if len(nodes) == 1 && slices.Equal(out.Items, nodes[0].Items) {
		return nodes[0]
	}
	return out
}

// joins says that an item can be merged with those of its own document in a slot.
func (m *merger) joins(s *slot, item *yamltree.Node, l *List, at place) bool {
	if l.Join == Consistent {
		last := s.items[len(s.items)-1]
		return item.Kind == last.Kind && !slices.ContainsFunc(item.Pairs, func(p yamltree.Pair) bool {
			name := m.Key(at.plain, p.Key.Value)
			i, said := s.said[name]
			return said && name != l.Key && (p.Value.Kind != yamltree.Sequence || last.Pairs[i].Value.Kind != yamltree.Sequence)
		})
	}
	return l.Join == Always
}

// take adds an item to a slot.
func (m *merger) take(s *slot, item *yamltree.Node, doc int, l *List, at place) {
	switch {
	case l.Join != Consistent:
		s.items = append(s.items, item)
	case len(s.items) == 0 || s.doc != doc:
		s.items = append(s.items, item)
		s.said, s.ours = map[string]int{}, nil
		for i, p := range item.Pairs {
			s.said[m.Key(at.plain, p.Key.Value)] = i
		}
	default:
		m.join(s, item, l, at)
	}
	s.doc = doc
}

// join puts what an item says into the last one of its document. Its lists go behind those that are there: what is
// in them twice is twice in the document.
func (m *merger) join(s *slot, item *yamltree.Node, l *List, at place) {
	last := &s.items[len(s.items)-1]
	if s.ours == nil {
		whole := **last
		whole.Pairs = slices.Clone(whole.Pairs)
		*last, s.ours = &whole, map[*yamltree.Node]bool{}
	}
	for _, p := range item.Pairs {
		name := m.Key(at.plain, p.Key.Value)
		i, said := s.said[name]
		switch {
		case !said:
			s.said[name] = len((*last).Pairs)
			(*last).Pairs = append((*last).Pairs, p)
		case name != l.Key:
			value := &(*last).Pairs[i].Value
			if !s.ours[*value] {
				list := **value
				list.Items = slices.Clone(list.Items)
				*value = &list
				s.ours[*value] = true
			}
			(*value).Items = append((*value).Items, p.Value.Items...)
		}
	}
}

// itemsOf is a list as its items, however it is written.
func (m *merger) itemsOf(n *yamltree.Node, l *List) []*yamltree.Node {
	switch {
	case n.Kind == yamltree.Sequence:
		return n.Items
	case n.Kind == yamltree.Scalar && l.Commas:
		var items []*yamltree.Node
		for name := range strings.SplitSeq(n.Value, ",") {
			items = append(items, &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: strings.TrimSpace(name), Range: n.Range})
		}
		return items
	case n.Kind == yamltree.Mapping && l.Key != "":
		var items []*yamltree.Node
		for _, p := range n.Pairs {
			switch {
			case m.Skip(p.Key) || m.Skip(p.Value):
			case p.Value.Kind == yamltree.Mapping:
				key := &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: l.Key, Range: p.Key.Range}
				items = append(items, &yamltree.Node{
					Kind: yamltree.Mapping, Tag: "!!map", Range: p.Key.Range,
					Pairs: append([]yamltree.Pair{{Key: key, Value: p.Key}}, p.Value.Pairs...),
				})
			case p.Value.Value != "false":
				items = append(items, p.Key)
			}
		}
		return items
	}
	return []*yamltree.Node{n}
}

// identity is what an item is about; empty if it is about nothing that another could be about.
func (m *merger) identity(item *yamltree.Node, l *List, at place) string {
	if l.Key == "" || m.Skip(item) || l.Adds != "" && isTrue(m.get(item, l.Adds, at)) {
		return ""
	}
	if item.Kind == yamltree.Mapping {
		if item = m.get(item, l.Key, at); item == nil || m.Skip(item) {
			return ""
		}
	}
	if item.Kind != yamltree.Scalar {
		return ""
	}
	if l.Clean != nil {
		return l.Clean(item.Value)
	}
	return item.Value
}

// get is the value of a key in its one spelling, or nil.
func (m *merger) get(n *yamltree.Node, key string, at place) *yamltree.Node {
	for _, p := range n.Pairs {
		if m.Key(at.plain, p.Key.Value) == key {
			return p.Value
		}
	}
	return nil
}

func isTrue(n *yamltree.Node) bool {
	return n != nil && slices.Contains([]string{"true", "yes", "on", "y"}, strings.ToLower(n.Value))
}

// item merges items that are about the same thing. A scalar says no more than what it is about.
func (m *merger) item(items []*yamltree.Node, l *List, at place) *yamltree.Node {
	var mappings []*yamltree.Node
	for _, n := range items {
		if n.Kind == yamltree.Mapping {
			mappings = append(mappings, n)
		}
	}
	switch len(mappings) {
	case 0:
		return items[0]
	case 1:
		return mappings[0]
	}
	later := map[string]bool{} // keys that are taken away
	for i, n := range slices.Backward(mappings) {
		mappings[i] = m.without(n, later, at)
		for _, p := range n.Pairs {
			for _, key := range l.Replaces[m.Key(at.plain, p.Key.Value)] {
				if !m.Skip(p.Value) && m.get(n, key, at) == nil {
					later[key] = true
				}
			}
		}
	}
	return m.mapping(mappings, at)
}

// without is a mapping without the keys that a later one takes away.
func (m *merger) without(n *yamltree.Node, later map[string]bool, at place) *yamltree.Node {
	taken := func(p yamltree.Pair) bool { return later[m.Key(at.plain, p.Key.Value)] }
	if !slices.ContainsFunc(n.Pairs, taken) {
		return n
	}
	out := *n
	out.Pairs = slices.DeleteFunc(slices.Clone(n.Pairs), taken)
	return &out
}
