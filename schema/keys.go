package schema

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
	// Required says that its mapping is useless without it.
	Required bool
}

// Keys lists every key of the language, each before those below it.
func Keys() []Key {
	var out []Key
	var walk func(fields []field, above string)
	walk = func(fields []field, above string) {
		for i := range fields {
			f := &fields[i]
			path := join(above, f.name)
			out = append(out, Key{
				Path: path, Name: f.name, Type: describe(&f.shape), Doc: f.doc, Example: f.example, Values: f.shape.oneOf,
				Variable: f.variable, Deprecated: f.deprecated, Required: f.required,
			})
			below := f.shape.fields
			if f.shape.item != nil {
				below = f.shape.item.fields
			}
			walk(below, path)
		}
	}
	walk(language.fields, "")
	return out
}
