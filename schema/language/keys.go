package language

import (
	"slices"
	"strings"
)

// Key is a key of the language, as explain and the documentation show it.
type Key struct {
	// Path is the key with those above it: "coreos.units.drop_ins.name".
	Path string
	// Name is its last word.
	Name string
	// Type says in words what it takes: "a list", "true or false".
	Type string
	// Doc is one sentence without a full stop; empty where the variable says all.
	Doc string
	// Example is a value as one would write it.
	Example string
	// Values are all that it takes, if they are few.
	Values []string
	// Variable is the environment variable that an agent's setting becomes.
	Variable string
	// Deprecated says what to use instead; empty of a key that is not deprecated.
	Deprecated string
	// Later says what to do until the key is acted on; empty of a key that is.
	Later string
	// Required says that its mapping is useless without it.
	Required bool
}

// Keys lists every key of the language, each before those below it.
func Keys() []Key {
	var out []Key
	index := map[string]int{}
	walkFields(func(f *field, path, _ string) {
		if i, there := index[path]; there { // in another alternative
			out[i].Values = slices.Concat(out[i].Values, f.shape.oneOf)
			return
		}
		index[path] = len(out)
		out = append(out, f.key(path))
	})
	return out
}

// KeysAt lists the keys that may stand in the mapping at a path of a document. Unlike those of Keys, the path has the
// names in it that are the user's own: "network.bonds.bond0.parameters". It is nil where there are none.
func KeysAt(path string) []Key {
	s := &language
	for rest := path; rest != "" && s != nil; {
		var name string
		name, rest, _ = strings.Cut(rest, ".")
		switch f := s.field(name); {
		case f != nil:
			s = mappingIn(f.shape)
		case s.free != nil:
			s = mappingIn(s.free)
		default:
			return nil
		}
	}
	if s == nil {
		return nil
	}
	var out []Key
	for f := range s.all {
		out = append(out, f.key(Join(path, f.name)))
	}
	return out
}

func (f *field) key(path string) Key {
	k := Key{
		Path: path, Name: f.name, Type: describe(f.shape), Doc: f.doc, Example: f.example, Values: f.shape.oneOf,
		Variable: f.variable, Required: f.required,
	}
	if f.deprecated != nil {
		k.Deprecated = f.deprecated.instead
	}
	if f.later != nil {
		k.Later = f.later.instead
	}
	return k
}

// walkFields visits every field of the language with its path and the path above it. A mapping that stands in two places
// is visited in the first.
func walkFields(visit func(f *field, path, above string)) {
	seen := map[*field]bool{}
	var walk func(s *shape, above string)
	walk = func(s *shape, above string) {
		for f := range s.all {
			if seen[f] {
				continue
			}
			seen[f] = true
			path := Join(above, f.name)
			visit(f, path, above)
			walk(f.shape, path)
		}
		for _, of := range s.either {
			walk(of, above)
		}
		for _, below := range []*shape{s.item, s.free} {
			if below != nil {
				walk(below, above)
			}
		}
	}
	walk(&language, "")
}
