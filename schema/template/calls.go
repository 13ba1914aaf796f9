package template

import (
	"strconv"
	"unicode/utf8"
)

// arguments of a call, those with a name by themselves.
type arguments struct {
	positional []any
	named      *dict
}

func (r *renderer) arguments(e *expr, from int) arguments {
	a := arguments{named: &dict{}}
	for _, x := range e.args[from:] {
		a.positional = append(a.positional, r.value(x))
	}
	for _, x := range e.named {
		if _, twice := a.named.get(x.name); twice {
			r.wrong(x, "the argument "+strconv.Quote(x.name)+" is given twice", "")
		}
		a.named.put(x.name, r.value(x.args[0]))
	}
	return a
}

// call calls a method, a macro or a function.
func (r *renderer) call(e *expr) any {
	callee := e.args[0]
	if callee.op == "attr" {
		v := r.value(callee.args[0])
		if l, ok := v.(*loop); ok {
			return r.cycle(e, l)
		}
		if _, ok := v.(namespace); !ok {
			return r.method(e, v, callee.name, r.arguments(e, 1))
		}
	}
	switch f := r.value(callee).(type) {
	case macro:
		return r.expand(e, f, r.arguments(e, 1))
	case function:
		return r.function(e, string(f), r.arguments(e, 1))
	}
	r.wrong(callee, "only a macro, a method and a function can be called", "remove the (), or write it as a filter, behind a |")
	return nil
}

func (r *renderer) cycle(e *expr, l *loop) any {
	a := r.arguments(e, 1).positional
	if e.args[0].name != "cycle" || len(a) == 0 {
		r.wrong(e, "of a loop only cycle can be called", "")
		return nil
	}
	return a[l.at%len(a)]
}

// expand runs a macro.
func (r *renderer) expand(e *expr, m macro, a arguments) any {
	if r.macros++; r.macros > maxNesting {
		r.limit(e, "macros call each other too deep")
	}
	defer func() { r.macros-- }()
	parameters := m.targets[1:]
	if len(a.positional) > len(parameters) {
		r.wrong(e, "there are more arguments than the macro has names", "")
	}
	outer := r.vars
	r.vars = &scope{names: map[string]any{}, up: m.vars}
	defer func() { r.vars = outer }()
	for i, p := range parameters {
		given, named := a.named.get(p.name)
		switch {
		case i < len(a.positional):
			given = a.positional[i]
		case named:
		case len(p.args) > 0:
			given = r.value(p.args[0])
		default:
			given = undefined{what: "the argument " + strconv.Quote(p.name), from: e.from, to: e.to}
		}
		r.vars.names[p.name] = given
	}
	for _, k := range a.named.keys {
		if _, ok := r.vars.names[k.(string)]; !ok {
			r.wrong(e, "the macro has no argument "+strconv.Quote(k.(string)), "")
		}
	}
	if r.bad {
		return nil
	}
	return r.captured(e, m.body)
}

func isGlobal(name string) bool { return name == "range" || name == "dict" || name == "namespace" }

func (r *renderer) function(e *expr, name string, a arguments) any {
	if name != "range" {
		d := &dict{}
		for _, v := range a.positional {
			if from, ok := v.(*dict); ok {
				for _, k := range from.keys {
					item, _ := from.get(k)
					d.put(k, item)
				}
			}
		}
		for _, k := range a.named.keys {
			item, _ := a.named.get(k)
			d.put(k, item)
		}
		if r.step(e, len(d.keys)); name == "namespace" {
			return namespace{d}
		}
		return d
	}
	n := [3]int64{0, 0, 1}
	for i, v := range a.positional {
		v, _, isInt, _ := number(v)
		if !isInt || i > 2 {
			r.wrong(e, "range goes from a number to a number", "make them numbers with | int")
			return nil
		}
		n[i] = v
	}
	if len(a.positional) == 1 {
		n[0], n[1] = 0, n[0]
	}
	if len(a.positional) == 0 || n[2] == 0 || len(a.named.keys) > 0 {
		r.wrong(e, "range has one to three numbers, the last not 0", "")
		return nil
	}
	out := []any{}
	for i := n[0]; !r.bad && (n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]); i += n[2] {
		r.step(e, 1)
		out = append(out, i)
		if next := i + n[2]; (next > i) != (n[2] > 0) {
			break
		}
	}
	shown := "range(" + strconv.FormatInt(n[0], 10) + ", " + strconv.FormatInt(n[1], 10)
	if n[2] != 1 {
		shown += ", " + strconv.FormatInt(n[2], 10)
	}
	return stream{items: out, shown: shown + ")"}
}

// runeLen is the length of a text in characters.
func (r *renderer) runeLen(e *expr, s string) int {
	r.read(e, len(s))
	return utf8.RuneCountInString(s)
}
