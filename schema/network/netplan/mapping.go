package netplan

import (
	"strconv"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// mapping gives the values of a mapping that has been checked, by the names of the table. Values that were found bad
// read as not written.
type mapping struct {
	r     *reader
	at    string // its path
	found map[string]*yamltree.Node
}

// mapping makes one of a node; of nil, or of what is no mapping, one without values.
func (r *reader) mapping(n *yamltree.Node, at string) *mapping {
	m := &mapping{r: r, at: at, found: map[string]*yamltree.Node{}}
	if n == nil {
		return m
	}
	for _, p := range n.Pairs {
		name := language.Fold(p.Key.Value)
		if _, there := m.found[name]; !there {
			m.found[name] = p.Value
		}
	}
	return m
}

//go:noinline
func (m *mapping) path(key string) string { return language.Join(m.at, key) }

// node is the value of a key, or nil if it is not written or bad. It has so many callers that a copy in each, as the
// compiler would make it, is 10 kB; so have path and text.
//
//go:noinline
func (m *mapping) node(key string) *yamltree.Node {
	n := m.found[key]
	if n == nil || m.r.Bad[n] || n.Kind == yamltree.Null {
		return nil
	}
	return n
}

// ref names another link.
func (m *mapping) ref(key string) network.Ref {
	n := m.node(key)
	if n == nil || n.Kind != yamltree.Scalar {
		return network.Ref{}
	}
	return network.Ref{ID: n.Value, At: n.Range}
}

// items are the items of a list that are not bad; a lone scalar is a list of one.
func (m *mapping) items(key string) []*yamltree.Node {
	n := m.node(key)
	switch {
	case n == nil:
		return nil
	case n.Kind == yamltree.Scalar:
		return []*yamltree.Node{n}
	}
	var out []*yamltree.Node
	for _, item := range n.Items {
		if !m.r.Bad[item] && item.Kind != yamltree.Null {
			out = append(out, item)
		}
	}
	return out
}

//go:noinline
func (m *mapping) text(key string) string {
	if n := m.node(key); n != nil {
		return n.Value
	}
	return ""
}

func (m *mapping) texts(key string) []string {
	var out []string
	for _, n := range m.items(key) {
		out = append(out, n.Value)
	}
	return out
}

func (m *mapping) toggle(key string) network.Toggle {
	n := m.node(key)
	if n == nil {
		return network.Unset
	}
	on, _ := language.AsBoolean(n)
	return network.ToggleOf(on)
}

// domains are what becomes of the domains of others: "yes", "no" or "route".
func (m *mapping) domains() string {
	switch m.text("use_domains") {
	case "":
		return ""
	case "route":
		return "route"
	}
	if m.toggle("use_domains") == network.On {
		return "yes"
	}
	return "no"
}

// unsigned is a number; nil if it is not written.
func (m *mapping) unsigned(key string) *uint32 {
	n := m.node(key)
	if n == nil {
		return nil
	}
	v, err := strconv.ParseUint(n.Value, 10, 32)
	if err != nil {
		return nil
	}
	number := uint32(v)
	return &number
}

// number is a number; 0 if it is not written.
//
//go:noinline
func (m *mapping) number(key string) uint32 {
	if v := m.unsigned(key); v != nil {
		return *v
	}
	return 0
}

// count is a time in units; nil if it is not written.
func (m *mapping) count(key, unit string) *uint32 {
	n := m.node(key)
	if n == nil {
		return nil
	}
	v, ok := language.AsCount(n.Value, unit)
	if !ok {
		return nil
	}
	return &v
}

// members are the links that interfaces names.
func (m *mapping) members() []network.Member {
	var out []network.Member
	for _, n := range m.items("interfaces") {
		if n.Kind == yamltree.Scalar {
			out = append(out, network.Member{Ref: network.Ref{ID: n.Value, At: n.Range}})
		}
	}
	return out
}

// ignored says that a value has no effect.
func (m *mapping) ignored(key, format string, args ...any) {
	n := m.node(key)
	m.r.ReportAt(rules.NetworkIgnored, m.path(key), findings.FirstLine(n.Range), format, args...)
}
