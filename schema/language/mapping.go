package language

import (
	"strings"

	"cloudconfig/schema/yamltree"
)

// Mapping is what the table says of the keys of a mapping, for whoever reads one that has been checked.
type Mapping struct{ *shape }

// At finds the mapping at a key with those above it, or that of the items of its list: "coreos.units.drop_ins". The
// top level is at "".
func At(path string) Mapping {
	s := &language
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		s = mappingIn(s.field(name).shape)
	}
	return Mapping{s}
}

// mappingIn is the first mapping that a value of a shape is made of; nil if there is none.
func mappingIn(s *shape) *shape {
	switch s.kind {
	case mapping:
		return s
	case list:
		return mappingIn(s.item)
	case either:
		for _, of := range s.either {
			if found := mappingIn(of); found != nil {
				return found
			}
		}
	}
	return nil
}

// Has says that a key is one of the mapping's, in the spelling of the table.
func (m Mapping) Has(key string) bool { return m.field(key) != nil }

// Word reads the value of a key that takes one of some words.
func (m Mapping) Word(key string, n *yamltree.Node) string {
	return asWord(n, m.field(key).shape.oneOf)
}

// Setting is a key of an agent's with its value.
type Setting struct {
	Key      string // listen_client_urls
	Variable string // the environment variable that it becomes: ETCD_LISTEN_CLIENT_URLS
	Text     string // the value in the environment: what YAML took for a truth is true or false
	Secret   bool
}

// Setting reads a pair of an agent's mapping; ok is false of one that is not in the table.
func (m Mapping) Setting(p yamltree.Pair) (s Setting, ok bool) {
	f := m.field(Fold(p.Key.Value))
	if f == nil {
		return Setting{}, false
	}
	return Setting{Key: f.name, Variable: f.variable, Text: settingText(p.Value, f.shape), Secret: f.shape.secret || HasUserInfo(p.Value.Value)}, true
}

// settingText is a setting as it stands in the environment: what YAML took for a truth is true or false.
func settingText(n *yamltree.Node, s *shape) string {
	if s.kind == boolean {
		if v, _ := AsBoolean(n); v {
			return "true"
		}
		return "false"
	}
	if s.oneOf != nil {
		return asWord(n, s.oneOf)
	}
	return n.Value
}
