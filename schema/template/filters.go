package template

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// signature is a filter or a test with the names of its arguments; same is the name under which it is known here.
type signature struct{ name, parameters, same string }

// filters are those of Jinja that are here. With an * the arguments are any.
var filters = []signature{
	{"abs", "", ""}, {"capitalize", "", ""}, {"count", "", "length"}, {"d", "", "default"}, {"default", "default_value boolean", ""},
	{"dictsort", "case_sensitive by reverse", ""}, {"first", "", ""}, {"float", "default", ""}, {"format", "*", ""},
	{"indent", "width first blank", ""}, {"int", "default base", ""}, {"items", "", ""}, {"join", "d attribute", ""}, {"last", "", ""},
	{"length", "", ""}, {"list", "", ""}, {"lower", "", ""}, {"map", "*", ""}, {"max", "case_sensitive attribute", ""},
	{"min", "case_sensitive attribute", ""}, {"reject", "*", ""}, {"rejectattr", "*", ""}, {"replace", "old new count", ""},
	{"reverse", "", ""}, {"round", "precision method", ""}, {"select", "*", ""}, {"selectattr", "*", ""},
	{"sort", "reverse case_sensitive attribute", ""}, {"string", "", ""}, {"sum", "attribute start", ""}, {"title", "", ""},
	{"tojson", "indent", ""}, {"trim", "chars", ""}, {"unique", "case_sensitive attribute", ""}, {"upper", "", ""},
}

// tests are those of Jinja that are here.
var tests = []signature{
	{"==", "other", ""}, {"boolean", "", ""}, {"defined", "", ""}, {"divisibleby", "num", ""}, {"eq", "other", "=="}, {"equalto", "other", "=="},
	{"even", "", ""}, {"false", "", ""}, {"float", "", ""}, {"ge", "other", ">="}, {"greaterthan", "other", ">"}, {"gt", "other", ">"},
	{"in", "seq", ""}, {"integer", "", ""}, {"iterable", "", ""}, {"le", "other", "<="}, {"lessthan", "other", "<"}, {"lower", "", ""},
	{"lt", "other", "<"}, {"mapping", "", ""}, {"ne", "other", "!="}, {"none", "", ""}, {"number", "", ""}, {"odd", "", ""},
	{"sequence", "", ""}, {"string", "", ""}, {"true", "", ""}, {"undefined", "", ""}, {"upper", "", ""},
}

func find(table []signature, name string) *signature {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// bind puts the arguments of a call where their names are; what is not given is nil, as in Jinja.
func (r *renderer) bind(e *expr, name, parameters string, a arguments) []any {
	names := strings.Fields(parameters)
	out := make([]any, len(names))
	if len(a.positional) > len(names) {
		r.wrong(e, name+" has at most "+strconv.Itoa(len(names))+" arguments", "")
		return out
	}
	copy(out, a.positional)
	for _, k := range a.named.keys {
		i := len(names) - 1
		for i >= 0 && names[i] != k.(string) {
			i--
		}
		if i < len(a.positional) {
			r.wrong(e, name+" has no argument "+strconv.Quote(k.(string)), "its arguments are "+strings.Join(names, ", "))
			return out
		}
		out[i], _ = a.named.get(k)
	}
	return out
}

// filter gives what a filter makes of a value.
func (r *renderer) filter(e *expr, name string, v any, given arguments) any {
	s := find(filters, name)
	if s == nil || r.bad {
		r.wrong(e, "there is no filter "+strconv.Quote(name)+" here", "")
		return nil
	}
	if s.same != "" {
		s = find(filters, s.same)
	}
	name = s.name
	var a []any
	if s.parameters != "*" {
		if a = r.bind(e, name, s.parameters, given); r.bad {
			return nil
		}
	}
	switch name {
	case "default":
		u, missing := v.(undefined)
		if (missing || truth(a[1]) && !truth(v)) && !r.bad {
			if a[0] == nil && len(given.positional)+len(given.named.keys) == 0 {
				return ""
			}
			return a[0]
		} else if missing {
			r.missing(u)
		}
		return v
	case "upper", "lower", "capitalize":
		return r.method(e, r.text(e, v), name, arguments{named: &dict{}})
	case "title":
		return r.title(e, r.text(e, v))
	case "trim":
		return r.method(e, r.text(e, v), "strip", arguments{positional: a, named: &dict{}})
	case "string":
		return r.text(e, v)
	case "replace":
		a[0], a[1] = r.text(e, a[0]), r.text(e, a[1])
		return r.method(e, r.text(e, v), "replace", arguments{positional: a, named: &dict{}})
	case "format":
		if len(given.named.keys) > 0 {
			return r.percent(e, r.text(e, v), given.named)
		}
		return r.percent(e, r.text(e, v), tuple(given.positional))
	case "indent":
		if s, ok := v.(string); ok {
			return r.indent(e, s, a)
		}
		r.wrong(e, kindOf(v)+" is not a text", "make it one with | string")
		return nil
	case "tojson":
		return r.json(e, v, a[0])
	case "int":
		return r.int(e, r.looked(e, v), a[0], a[1])
	case "float":
		return r.float(r.looked(e, v), a[0])
	case "abs":
		i, f, isInt, ok := number(v)
		switch {
		case !ok:
			r.wrong(e, kindOf(v)+" is not a number", "make it one with | int")
			return nil
		case isInt:
			return max(i, -i)
		}
		return math.Abs(f)
	case "round":
		return r.round(e, v, a)
	case "length":
		switch v := v.(type) {
		case string:
			return int64(r.runeLen(e, v))
		case stream:
			if v.lazy {
				r.wrong(e, "what is not a list yet has no length", "put | list before it")
			}
			return int64(len(v.items))
		}
		return int64(len(r.items(e, v)))
	case "items":
		if d, ok := v.(*dict); ok {
			r.step(e, len(d.keys))
			return stream{items: d.pairs(), lazy: true}
		}
		r.wrong(e, kindOf(v)+" is not a mapping", "")
		return nil
	case "dictsort":
		d, ok := v.(*dict)
		if !ok {
			r.wrong(e, kindOf(v)+" is not a mapping", "")
			return nil
		}
		at := 0
		if a[1] == "value" {
			at = 1
		}
		r.step(e, len(d.keys))
		return list(r.sorted(e, d.pairs(), func(pair any) any { return r.folded(e, pair.(tuple)[at], truth(a[0])) }, truth(a[2])))
	case "reverse":
		if s, ok := v.(string); ok {
			r.read(e, len(s))
			runes := []rune(s)
			for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
				runes[i], runes[j] = runes[j], runes[i]
			}
			return string(runes)
		}
		items := r.items(e, v)
		out := make([]any, 0, len(items))
		for i := len(items) - 1; i >= 0; i-- {
			out = append(out, items[i])
		}
		return stream{items: out, lazy: true}
	}
	items := r.items(e, v)
	if r.bad {
		return nil
	}
	return r.listFilter(e, name, v, items, a, given)
}

// listFilter is a filter of what can be gone through.
func (r *renderer) listFilter(e *expr, name string, v any, items, a []any, given arguments) any {
	switch name {
	case "list":
		return list(items)
	case "first", "last":
		if len(items) == 0 {
			return undefined{what: "the " + name + " item of nothing", from: e.from, to: e.to}
		}
		if name == "first" {
			return items[0]
		}
		if s, ok := v.(stream); ok && s.lazy {
			r.wrong(e, "what is not a list yet has no last item", "put | list before it")
		}
		return items[len(items)-1]
	case "join":
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = r.text(e, r.defined(r.path(e, item, a[1])))
		}
		between := ""
		if a[0] != nil {
			between = r.text(e, a[0])
		}
		return r.joined(e, texts, between)
	case "sort":
		return list(r.sorted(e, items, func(item any) any {
			return r.folded(e, r.defined(r.path(e, item, a[2])), truth(a[1]))
		}, truth(a[0])))
	case "unique":
		var out []any
		seen := &dict{}
		for _, item := range items {
			key := r.folded(e, r.defined(r.path(e, item, a[1])), truth(a[0]))
			if _, twice := seen.get(key); !twice {
				out = append(out, item)
			}
			if !seen.put(key, true) {
				r.wrong(e, kindOf(key)+" cannot be told apart by unique", "name an attribute to go by")
				return nil
			}
		}
		return stream{items: out, lazy: true}
	case "min", "max":
		if len(items) == 0 {
			return undefined{what: "the " + name + " of nothing", from: e.from, to: e.to}
		}
		best := items[0]
		key := func(item any) any { return r.folded(e, r.defined(r.path(e, item, a[1])), truth(a[0])) }
		for _, item := range items[1:] {
			c := r.order(e, key(item), key(best), maxNesting)
			if c < 0 && name == "min" || c > 0 && name == "max" {
				best = item
			}
		}
		return best
	case "sum":
		total := any(int64(0))
		if a[1] != nil {
			total = a[1]
		}
		plus := &expr{op: "+", from: e.from, to: e.to}
		for _, item := range items {
			total = r.arithmetic(plus, total, r.defined(r.path(e, item, a[0])))
		}
		return total
	case "map":
		return r.mapped(e, items, given)
	}
	return r.selected(e, items, given, strings.HasSuffix(name, "attr"), strings.HasPrefix(name, "select"))
}

// mapped are items with a filter, or an attribute of each.
func (r *renderer) mapped(e *expr, items []any, given arguments) any {
	out := make([]any, len(items))
	attribute, byAttribute := given.named.get("attribute")
	if !byAttribute && len(given.positional) == 0 {
		r.wrong(e, "map has no filter to apply", `write map("FILTER") or map(attribute="NAME")`)
		return nil
	}
	for i, item := range items {
		if r.step(e, 1); r.bad {
			return nil
		}
		if !byAttribute {
			out[i] = r.defined(r.filter(e, r.text(e, given.positional[0]), item, arguments{given.positional[1:], given.named}))
			continue
		}
		out[i] = r.path(e, item, attribute)
		if _, missing := out[i].(undefined); missing {
			if otherwise, ok := given.named.get("default"); ok {
				out[i] = otherwise
			}
		}
		out[i] = r.defined(out[i])
	}
	return stream{items: out, lazy: true}
}

// selected are the items for which a test, of the item or of an attribute, comes out as wanted.
func (r *renderer) selected(e *expr, items []any, given arguments, byAttribute, want bool) any {
	out := []any{}
	a := given.positional
	attribute := any(nil)
	if byAttribute {
		if len(a) == 0 {
			r.wrong(e, "the filter has no attribute to go by", `write selectattr("NAME")`)
			return nil
		}
		attribute, a = a[0], a[1:]
	}
	for _, item := range items {
		if r.step(e, 1); r.bad {
			return nil
		}
		v := r.path(e, item, attribute)
		chosen := false
		if len(a) > 0 {
			chosen = r.named(e, r.text(e, a[0]), v, a[1:])
		} else {
			chosen = truth(r.defined(v))
		}
		if chosen == want {
			out = append(out, item)
		}
	}
	return stream{items: out, lazy: true}
}

// named is a test by its name, or by a name under which it is known too.
func (r *renderer) named(e *expr, name string, v any, a []any) bool {
	s := find(tests, name)
	if s == nil {
		switch name {
		case "!=", "<", "<=", ">", ">=":
		default:
			r.wrong(e, "there is no test "+strconv.Quote(name)+" here", "")
			return false
		}
	} else if s.same != "" {
		name = s.same
	}
	return truth(r.test(e, name, v, a))
}

// defined is a value that must be there.
func (r *renderer) defined(v any) any {
	if u, ok := v.(undefined); ok {
		r.missing(u)
		return nil
	}
	return v
}

// path is an attribute of an item, by its name or by several with dots between; the item itself if there is no name.
func (r *renderer) path(e *expr, item, attribute any) any {
	if attribute == nil {
		return item
	}
	for _, name := range strings.Split(r.text(e, r.looked(e, attribute)), ".") {
		item = r.defined(item)
		r.step(e, 1)
		key := any(name)
		if i, err := strconv.ParseInt(name, 10, 64); err == nil {
			key = i
		}
		at := &expr{op: "item", from: e.from, to: e.to, args: []*expr{e, {op: "const", value: key, from: e.from, to: e.to}}}
		item = r.item(at, item, key)
	}
	return item
}

// folded is a text in small letters, unless its case counts.
func (r *renderer) folded(e *expr, v any, caseCounts bool) any {
	if s, ok := r.looked(e, v).(string); ok && !caseCounts {
		return strings.ToLower(s)
	}
	return v
}

// test says what a test says of a value.
func (r *renderer) test(e *expr, name string, v any, a []any) any {
	_, missing := v.(undefined)
	switch {
	case name == "defined":
		return !missing
	case name == "undefined":
		return missing
	}
	v = r.defined(v)
	if s := find(tests, name); s != nil && (s.parameters != "") != (len(a) == 1) || s == nil && len(a) != 1 {
		r.wrong(e, "the test "+name+" has another number of values", "")
	}
	if r.bad {
		return false
	}
	_, _, isInt, isNumber := number(v)
	_, isBool := v.(bool)
	switch name {
	case "none":
		return v == nil
	case "true":
		return v == true
	case "false":
		return v == false
	case "boolean":
		return isBool
	case "integer":
		return isInt && !isBool
	case "float":
		return isNumber && !isInt
	case "number":
		return isNumber
	case "string":
		_, ok := v.(string)
		return ok
	case "mapping":
		_, ok := v.(*dict)
		return ok
	case "iterable", "sequence":
		switch v := v.(type) {
		case string, list, tuple, *dict:
			return true
		case stream:
			return name == "iterable" || strings.HasSuffix(v.shown, ")")
		}
		return false
	case "lower", "upper":
		s := r.text(e, v)
		return s != "" && s == r.method(e, s, name, arguments{named: &dict{}}) && strings.ToLower(s) != strings.ToUpper(s)
	case "even", "odd", "divisibleby":
		by := any(int64(2))
		if name == "divisibleby" {
			by = a[0]
		}
		rest := r.arithmetic(&expr{op: "%", from: e.from, to: e.to}, v, by)
		if !isNumber {
			r.wrong(e, kindOf(v)+" is not a number", "make it one with | int")
		}
		if name == "odd" {
			return r.equal(e, rest, int64(1), 1)
		}
		return r.equal(e, rest, int64(0), 1)
	case "in":
		return r.contains(e, a[0], v)
	}
	return r.compare(&expr{op: name, from: e.from, to: e.to}, v, a[0])
}

// title begins each word with a capital letter, as the filter does.
func (r *renderer) title(e *expr, s string) string {
	if !r.room(e, len(s)) {
		return ""
	}
	begins := true
	return strings.Map(func(c rune) rune {
		at := begins
		begins = strings.ContainsRune("-({[<", c) || isSpace(c)
		if at {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func (r *renderer) indent(e *expr, s string, a []any) string {
	width := "    "
	switch w := a[0].(type) {
	case string:
		width = w
	case int64:
		if !r.room(e, int(min(max(w, 0), MaxBytes+1))) {
			return ""
		}
		width = strings.Repeat(" ", int(max(w, 0)))
	case nil:
	default:
		r.wrong(e, "the width is a number or a text", "")
	}
	lines := splitLines(s + "\n")
	if !r.room(e, len(s)+1+len(lines)*len(width)) {
		return ""
	}
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && truth(a[1]) || i > 0 && (line != "" || truth(a[2])) {
			b.WriteString(width)
		}
		b.WriteString(line)
	}
	return b.String()
}

// splitLines cuts a text where Python sees a line end.
func splitLines(s string) []string {
	var out []string
	from := 0
	for i, c := range s {
		switch {
		case c == '\r' && strings.HasPrefix(s[i:], "\r\n"):
			continue
		case c >= '\n' && c <= '\r', c >= 0x1C && c <= 0x1E, c == 0x85, c == 0x2028, c == 0x2029:
		default:
			continue
		}
		end, next := i, i+utf8.RuneLen(c)
		if c == '\n' && i > from && s[i-1] == '\r' {
			end--
		}
		out = append(out, s[from:end])
		from = next
	}
	if from < len(s) {
		out = append(out, s[from:])
	}
	return out
}

func (r *renderer) json(e *expr, v, indent any) any {
	var b strings.Builder
	r.write(e, &b, v, maxNesting, true)
	width, ok := indent.(int64)
	if !ok || r.bad {
		return b.String()
	}
	var out bytes.Buffer
	width = min(max(width, 0), 16)
	if !r.room(e, b.Len()*(2+int(width))) {
		return nil
	}
	if err := json.Indent(&out, []byte(b.String()), "", strings.Repeat(" ", int(width))); err != nil {
		r.wrong(e, "the value cannot be written as JSON", "")
	}
	return out.String()
}

func (r *renderer) int(e *expr, v, otherwise, base any) any {
	if otherwise == nil {
		otherwise = int64(0)
	}
	switch v := v.(type) {
	case bool, int64:
		n, _, _, _ := number(v)
		return n
	case float64:
		if math.Abs(v) < 1<<63 {
			return int64(v)
		}
		return otherwise
	case string:
		s := strings.ToLower(strings.TrimFunc(v, isSpace))
		b := int64(10)
		if base != nil {
			if b, _ = base.(int64); b != 0 && (b < 2 || b > 36) {
				r.wrong(e, "a base is a number from 2 to 36", "")
				return nil
			}
		}
		for _, prefix := range []struct {
			text string
			base int64
		}{{"0x", 16}, {"0o", 8}, {"0b", 2}} {
			if b == prefix.base {
				s = strings.TrimPrefix(s, prefix.text)
			}
		}
		if n, err := strconv.ParseInt(s, int(b), 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<63 && !strings.ContainsAny(s, "x_") {
			return int64(f)
		}
	}
	return otherwise
}

func (r *renderer) float(v, otherwise any) any {
	if s, ok := v.(string); ok {
		s = strings.TrimFunc(s, isSpace)
		if f, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "xX_") {
			return f
		}
	} else if _, f, _, ok := number(v); ok {
		return f
	}
	if otherwise == nil {
		return 0.0
	}
	return otherwise
}

func (r *renderer) round(e *expr, v any, a []any) any {
	i, f, isInt, ok := number(v)
	precision, _, _, isNumber := number(a[0])
	if !ok || a[0] != nil && !isNumber || precision < 0 || precision > 300 {
		r.wrong(e, "round takes a number, and to how many digits", "make it one with | float")
		return nil
	}
	scale := math.Pow(10, float64(precision))
	switch a[1] {
	case nil, "common":
		if isInt {
			return i
		}
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
		return f
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	}
	r.wrong(e, "the method is common, ceil or floor", "")
	return nil
}
