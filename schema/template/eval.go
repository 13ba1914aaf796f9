package template

import (
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
)

// A renderer runs the statements of a template.
//
// What goes wrong is reported once for each statement: from then on the statement is bad, its values mean nothing, and
// nothing is reported of it any more. At a limit everything stops.
type renderer struct {
	*template
	out     output
	vars    *scope
	bad     bool
	stopped bool
	steps   int
	work    int          // bytes of texts that were made or looked at
	depth   int          // of expressions that are being computed
	macros  int          // that are being called
	told    map[int]bool // places of the template about which something is
}

// scope are names with values, inside of others.
type scope struct {
	names map[string]any
	up    *scope
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.names[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (r *renderer) nested() (leave func()) {
	outer := r.vars
	r.vars = &scope{names: map[string]any{}, up: outer}
	return func() { r.vars = outer }
}

// macro is a block that is called.
type macro struct {
	*stmt
	vars *scope
}

// loop is what a template knows of the loop it is in.
type loop struct {
	items []any
	at    int
}

// output is a text with the places of the template that made it.
type output struct {
	text      []byte
	stretches []source.Stretch
}

func (o *output) add(text []byte, from, to int) {
	if len(text) == 0 {
		return
	}
	at := len(o.text)
	o.text = append(o.text, text...)
	if k := len(o.stretches) - 1; k >= 0 && len(text) == to-from { // what follows in the template too is one stretch
		if last := &o.stretches[k]; int(last.To) == from && int(last.To-last.From) == at-int(last.At) {
			last.To = int32(to)
			return
		}
	}
	o.stretches = append(o.stretches, source.Stretch{At: int32(at), From: int32(from), To: int32(to)})
}

func (r *renderer) report(rule *diag.Rule, e *expr, summary, detail string) {
	if r.bad || r.stopped {
		return
	}
	r.bad = true
	if r.told[e.from] { // a loop goes wrong at one place many times
		return
	}
	if r.told == nil {
		r.told = map[int]bool{}
	}
	r.told[e.from] = true
	r.template.report(rule, e.from, e.to, summary, detail)
}

// wrong says that a value is not of the kind that is needed.
func (r *renderer) wrong(e *expr, summary, detail string) {
	r.report(rules.TemplateValue, e, summary, detail)
}

// limit stops everything.
func (r *renderer) limit(e *expr, summary string) {
	r.report(rules.TemplateTooLarge, e, summary, "make less of it")
	r.bad, r.stopped = true, true
}

func (r *renderer) step(e *expr, n int) {
	if r.steps += n; r.steps > MaxSteps {
		r.limit(e, "the template takes more than "+strconv.Itoa(MaxSteps)+" steps")
	}
}

// read counts bytes that are looked at.
func (r *renderer) read(e *expr, n int) {
	if r.work += n; r.work > maxWork {
		r.limit(e, "the template makes more than "+strconv.Itoa(maxWork>>20)+" MiB on the way")
	}
}

// looked counts the bytes of a value that is a text, of which all are looked at: to turn it into another, or to find what
// it is the key of.
func (r *renderer) looked(e *expr, v any) any {
	if s, ok := v.(string); ok {
		r.read(e, len(s))
	}
	return v
}

// room counts bytes of a text before it is made, and says whether it may be.
func (r *renderer) room(e *expr, n int) bool {
	if n < 0 || n > MaxBytes {
		r.limit(e, "a text has more than "+strconv.Itoa(MaxBytes>>20)+" MiB")
	} else {
		r.read(e, n)
	}
	return !r.bad
}

func (r *renderer) run(body []*stmt) {
	for _, s := range body {
		if r.stopped {
			return
		}
		r.statement(s)
	}
}

// put prints a text, which a stretch of the template stands for.
func (r *renderer) put(at *expr, text []byte) {
	if len(r.out.text)+len(text) > MaxBytes {
		r.limit(at, "the template makes more than "+strconv.Itoa(MaxBytes>>20)+" MiB")
		return
	}
	r.out.add(text, at.from, at.to)
}

func (r *renderer) statement(s *stmt) {
	outer := r.bad // of the statement whose expression called a macro
	at := &expr{from: s.from, to: s.to}
	r.step(at, 1)
	switch s.op {
	case "text":
		r.put(at, r.template.text[s.from:s.to])
	case "print":
		if text := r.text(s.value, r.value(s.value)); !r.bad {
			r.put(at, []byte(text))
		}
	case "if":
		for _, b := range s.branches {
			if b.when == nil || truth(r.value(b.when)) && !r.bad {
				r.run(b.body)
				break
			}
			if r.bad {
				break // nobody knows which branch is right
			}
		}
	case "for":
		r.loop(s)
	case "set":
		v := any(nil)
		if s.value != nil {
			v = r.value(s.value)
		} else {
			v = r.captured(at, s.body)
		}
		if !r.bad {
			r.assign(at, s.targets, v)
		}
	case "macro":
		r.vars.names[s.targets[0].name] = macro{s, r.vars}
	}
	r.bad = outer || r.stopped
}

// captured is what statements print.
func (r *renderer) captured(at *expr, body []*stmt) string {
	outer := r.out
	r.out = output{}
	r.run(body)
	text := string(r.out.text)
	r.out = outer
	r.read(at, len(text))
	return text
}

// assign gives a value to names, or its items to as many.
func (r *renderer) assign(e *expr, targets []*expr, v any) {
	values := []any{v}
	if len(targets) > 1 {
		if values = r.items(e, v); len(values) != len(targets) && !r.bad {
			r.wrong(e, strconv.Itoa(len(values))+" values for "+strconv.Itoa(len(targets))+" names", "name as many as there are")
		}
	}
	if r.bad {
		return
	}
	for i, t := range targets {
		if t.op == "name" {
			r.vars.names[t.name] = values[i]
			continue
		}
		ns, ok := r.value(t.args[0]).(namespace)
		if !ok {
			r.wrong(t, "only a namespace has attributes that can be set", "begin with {% set "+t.args[0].name+" = namespace() %}")
			return
		}
		ns.put(t.name, values[i])
	}
}

func (r *renderer) loop(s *stmt) {
	items := r.items(s.value, r.value(s.value))
	at := &expr{from: s.targets[0].from, to: s.targets[len(s.targets)-1].to}
	if s.test != nil {
		var left []any
		for _, item := range items {
			leave := r.nested()
			r.assign(at, s.targets, item)
			if truth(r.value(s.test)) && !r.bad {
				left = append(left, item)
			}
			leave()
		}
		items = left
	}
	if r.bad {
		return
	}
	l := &loop{items: items}
	for i, item := range items {
		r.step(at, 1)
		if r.stopped {
			return
		}
		l.at = i
		leave := r.nested()
		r.vars.names["loop"] = l
		if r.assign(at, s.targets, item); !r.bad {
			r.run(s.body)
		}
		leave()
	}
	if len(items) == 0 {
		r.run(s.other)
	}
}

// attribute of a loop, as Jinja counts.
func (l *loop) attribute(name string) (any, bool) {
	n := int64(len(l.items))
	at := int64(l.at)
	switch name {
	case "index":
		return at + 1, true
	case "index0":
		return at, true
	case "revindex":
		return n - at, true
	case "revindex0":
		return n - at - 1, true
	case "first":
		return at == 0, true
	case "last":
		return at == n-1, true
	case "length":
		return n, true
	case "depth": // which only a loop that calls itself changes
		return int64(1), true
	case "depth0":
		return int64(0), true
	case "previtem":
		if at > 0 {
			return l.items[at-1], true
		}
	case "nextitem":
		if at < n-1 {
			return l.items[at+1], true
		}
	}
	return nil, false
}

// value computes an expression that must have a value.
func (r *renderer) value(e *expr) any {
	v := r.eval(e)
	if u, ok := v.(undefined); ok {
		if u.what == "" { // an if without an else is the empty text
			return ""
		}
		r.missing(u)
		return nil
	}
	return v
}

func (r *renderer) missing(u undefined) {
	if r.subtracted(u.to) {
		u.detail = useUnderscore
	} else if u.detail == "" {
		u.detail = "put | default('...') behind it"
	}
	r.report(rules.TemplateUndefined, &expr{from: u.from, to: u.to}, u.what+" has no value on this machine", u.detail)
}

// eval computes an expression. A variable or an item that is not there is undefined.
func (r *renderer) eval(e *expr) any {
	r.step(e, 1)
	if r.depth++; r.depth > maxChain {
		r.limit(e, "the expressions are nested too deep")
	}
	defer func() { r.depth-- }()
	if r.bad {
		return nil
	}
	switch e.op {
	case "const":
		return e.value
	case "name":
		if v, ok := r.vars.get(e.name); ok {
			return v
		}
		if isGlobal(e.name) {
			return function(e.name)
		}
		return r.undefined(e, e.name, nil)
	case "list", "tuple":
		items := make([]any, len(e.args))
		for i, a := range e.args {
			items[i] = r.value(a)
		}
		if e.op == "tuple" {
			return tuple(items)
		}
		return list(items)
	case "dict":
		d := &dict{}
		for i := 0; i < len(e.args); i += 2 {
			key, v := r.value(e.args[i]), r.value(e.args[i+1])
			if !d.put(r.looked(e, key), v) {
				r.wrong(e.args[i], kindOf(key)+" cannot be a key", "a key is a text or a number")
			}
		}
		return d
	case "attr":
		return r.attribute(e, r.value(e.args[0]))
	case "item":
		return r.item(e, r.value(e.args[0]), r.value(e.args[1]))
	case "slice":
		return r.slice(e)
	case "call":
		return r.call(e)
	case "filter":
		if e.name == "default" {
			return r.filter(e, e.name, r.eval(e.args[0]), r.arguments(e, 1))
		}
		return r.filter(e, e.name, r.value(e.args[0]), r.arguments(e, 1))
	case "test":
		if e.name == "defined" || e.name == "undefined" {
			return r.test(e, e.name, r.eval(e.args[0]), nil)
		}
		return r.test(e, e.name, r.value(e.args[0]), r.arguments(e, 1).positional)
	case "not":
		return !truth(r.value(e.args[0]))
	case "and", "or":
		left := r.value(e.args[0])
		if truth(left) == (e.op == "or") || r.bad {
			return left
		}
		return r.value(e.args[1])
	case "if":
		if truth(r.value(e.args[0])) {
			return r.eval(e.args[1])
		}
		if len(e.args) == 2 {
			return undefined{}
		}
		return r.eval(e.args[2])
	case "compare":
		left := r.value(e.args[0])
		for i := 1; i < len(e.args); i += 2 {
			right := r.value(e.args[i+1])
			if !r.compare(e.args[i], left, right) || r.bad {
				return false
			}
			left = right
		}
		return true
	case "~":
		parts := make([]string, len(e.args))
		for i, a := range e.args {
			parts[i] = r.text(a, r.value(a))
		}
		return r.joined(e, parts, "")
	case "unary -", "unary +":
		return r.signed(e, r.value(e.args[0]))
	}
	return r.arithmetic(e, r.value(e.args[0]), r.value(e.args[1]))
}

// joined puts texts together.
func (r *renderer) joined(e *expr, parts []string, between string) string {
	size := max(0, len(parts)-1) * len(between)
	for _, p := range parts {
		size += len(p)
	}
	if !r.room(e, size) {
		return ""
	}
	return strings.Join(parts, between)
}

// undefined is what is not there, with the key that was likely meant.
func (r *renderer) undefined(e *expr, name string, of *dict) any {
	path := pathOf(e)
	switch {
	case path != "":
	case name == "":
		path = "the item"
	default:
		path = strconv.Quote(name)
	}
	u := undefined{what: path, from: e.from, to: e.to}
	if of != nil {
		var keys []string
		for _, k := range of.keys[:min(len(of.keys), maxChain)] {
			if s, ok := k.(string); ok {
				keys = append(keys, s)
			}
		}
		if near := spelling.Nearest(name, keys); near != "" {
			u.detail = "did you mean " + strconv.Quote(near) + "?"
		}
	}
	return u
}

func (r *renderer) attribute(e *expr, v any) any {
	switch v := v.(type) {
	case *dict:
		if isMethod(dictMethods, e.name) { // which hides a key of its name
			r.wrong(e, strconv.Quote(e.name)+" is a method of every mapping", "call it with (), or write [\""+e.name+"\"]")
			return nil
		}
		if item, ok := v.get(e.name); ok {
			return item
		}
		return r.undefined(e, e.name, v)
	case namespace:
		if item, ok := v.get(e.name); ok {
			return item
		}
		return r.undefined(e, e.name, v.dict)
	case *loop:
		if item, ok := v.attribute(e.name); ok {
			return item
		}
	}
	return r.undefined(e, e.name, nil)
}

func (r *renderer) item(e *expr, v, key any) any {
	var of *dict
	i, _, isIndex, _ := number(key)
	switch v := v.(type) {
	case *dict:
		if item, ok := v.get(r.looked(e, key)); ok {
			return item
		}
		of = v
	case string:
		if isIndex {
			r.read(e, len(v))
			if runes := []rune(v); inside(&i, len(runes)) {
				return string(runes[i])
			}
		}
	case list, tuple, stream:
		items, _ := itemsOf(v)
		if s, ok := v.(stream); ok && !s.lazy {
			items = s.items
		}
		if isIndex && inside(&i, len(items)) {
			return items[i]
		}
	}
	name := "" // what comes out of a variable is in no message
	if e.args[1].op == "const" {
		name = r.text(e.args[1], key)
	}
	return r.undefined(e, name, of)
}

// inside counts an index below 0 from the end, and says whether there is such an item.
func inside(i *int64, n int) bool {
	if *i < 0 {
		*i += int64(n)
	}
	return *i >= 0 && *i < int64(n)
}

func (r *renderer) slice(e *expr) any {
	v := r.value(e.args[0])
	var parts [3]*int64
	for i, a := range e.args[1:] {
		if a == nil {
			continue
		}
		switch n := r.value(a).(type) {
		case nil:
		case int64:
			parts[i] = &n
		default:
			r.wrong(a, "a slice goes from number to number", "make it one with | int")
		}
	}
	step := int64(1)
	if parts[2] != nil {
		step = *parts[2]
	}
	if step == 0 {
		r.wrong(e, "a slice cannot go by steps of 0", "")
	}
	var items []any
	text, isText := v.(string)
	var runes []rune
	n := int64(0)
	if isText {
		r.read(e, len(text))
		runes = []rune(text)
		n = int64(len(runes))
	} else {
		var ok bool
		if items, ok = itemsOf(v); !ok {
			r.wrong(e, kindOf(v)+" cannot be sliced", "make it a list with | list")
		}
		n = int64(len(items))
		r.step(e, len(items))
	}
	if r.bad {
		return nil
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(p *int64, otherwise int64) int64 {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	from, to := bound(parts[0], low), bound(parts[1], high)
	if step < 0 {
		from, to = bound(parts[0], high), bound(parts[1], low)
	}
	var out []any
	var b strings.Builder
	for i := from; step > 0 && i < to || step < 0 && i > to; {
		if isText {
			b.WriteRune(runes[i])
		} else {
			out = append(out, items[i])
		}
		if i += step; step > n || step < -n {
			break
		}
	}
	switch {
	case isText:
		return b.String()
	case kindOfTuple(v):
		return tuple(out)
	}
	return list(out)
}
