package template

import (
	"encoding/json"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A value is nil, a bool, an int64, a float64, a string, or one of these: lists, and mappings that keep the order in
// which they were written. No value ever changes, but for what a namespace holds.
type (
	list  []any
	tuple []any
	dict  struct {
		keys []any
		at   map[any]any // by the hashable form of a key
	}
	// stream is what can be gone through and is no list. One that is lazy, such as what map gives, has no length and
	// cannot be printed.
	stream struct {
		items []any
		lazy  bool
		shown string // "range(0, 3)", or "dict_keys" to stand before its items
	}
	namespace struct{ *dict }
	function  string // range, dict, namespace
	undefined struct {
		what     string // "v1.region"
		from, to int
		detail   string
	}
)

// hashable is a key as it is looked up: 1, 1.0 and true are the same one.
func hashable(key any) (any, bool) {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			return int64(k), true
		}
		return k, !math.IsNaN(k)
	case nil, int64, string:
		return k, true
	}
	return nil, false
}

func (d *dict) get(key any) (any, bool) {
	k, ok := hashable(key)
	if !ok {
		return nil, false
	}
	v, ok := d.at[k]
	return v, ok
}

// put reports false for a key that cannot be one.
func (d *dict) put(key, v any) bool {
	k, ok := hashable(key)
	if !ok {
		return false
	}
	if d.at == nil {
		d.at = map[any]any{}
	}
	if _, there := d.at[k]; !there {
		d.keys = append(d.keys, key)
	}
	d.at[k] = v
	return true
}

// pairs are the keys with their values.
func (d *dict) pairs() []any {
	out := make([]any, len(d.keys))
	for i, k := range d.keys {
		v, _ := d.get(k)
		out[i] = tuple{k, v}
	}
	return out
}

// valueOf is what JSON decodes to as a value; mappings are in the order of their keys. What is deeper than depth
// levels is nothing.
func valueOf(v any, depth int) any {
	if depth == 0 {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		d := &dict{}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			d.put(k, valueOf(v[k], depth-1))
		}
		return d
	case []any:
		out := make(list, len(v))
		for i := range v {
			out[i] = valueOf(v[i], depth-1)
		}
		return out
	case []string:
		out := make(list, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case int:
		return int64(v)
	case float64: // JSON's 3 is an integer
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case nil, bool, int64, string:
		return v
	}
	return nil
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case list:
		return len(v) > 0
	case tuple:
		return len(v) > 0
	case *dict:
		return len(v.keys) > 0
	case stream:
		return v.lazy || len(v.items) > 0
	}
	return true
}

// kindOf names the kind of a value, for messages.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "none"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case string:
		return "a text"
	case list, tuple, stream:
		return "a list"
	case *dict:
		return "a mapping"
	}
	return "a function or a namespace"
}

// number is a number, or what counts as one, as an integer or as a float.
func number(v any) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// float is a float as Python prints it.
func float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quoted is a text as Python writes one in a list.
func quoted(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case r == '\\', string(r) == quote:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	return b.String() + quote
}

func hex(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}

// text is a value as it is printed. It reports a value that has no such form.
func (r *renderer) text(e *expr, v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return r.shown(e, v)
}

// shown is a value as it stands in a list.
func (r *renderer) shown(e *expr, v any) string {
	var b strings.Builder
	r.write(e, &b, v, maxNesting, false)
	return b.String()
}

// write writes a value as it stands in a list, as Python does or as JSON.
func (r *renderer) write(e *expr, b *strings.Builder, v any, depth int, asJSON bool) {
	r.step(e, 1)
	if depth == 0 {
		r.limit(e, "a value is nested too deep")
	}
	if r.bad {
		return
	}
	before := b.Len()
	defer func() { r.room(e, b.Len()-before) }()
	words := [...]string{"None", "True", "False"}
	if asJSON {
		words = [...]string{"null", "true", "false"}
	}
	all := func(open, end string, items []any) {
		b.WriteString(open)
		for i, item := range items {
			if i > 0 {
				b.WriteString(", ")
			}
			r.write(e, b, item, depth-1, asJSON)
			if r.bad {
				return
			}
		}
		b.WriteString(end)
	}
	switch v := v.(type) {
	case nil:
		b.WriteString(words[0])
	case bool:
		if v {
			b.WriteString(words[1])
		} else {
			b.WriteString(words[2])
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(float(v))
	case string:
		if asJSON {
			b.WriteString(jsonText(v))
		} else {
			b.WriteString(quoted(v))
		}
	case list:
		all("[", "]", v)
	case tuple:
		switch {
		case asJSON:
			all("[", "]", v)
		case len(v) == 1:
			all("(", ",)", v)
		default:
			all("(", ")", v)
		}
	case *dict:
		b.WriteByte('{')
		for i, k := range r.keys(e, v, asJSON) {
			if i > 0 {
				b.WriteString(", ")
			}
			if _, isText := k.(string); asJSON && !isText {
				b.WriteByte('"')
				r.write(e, b, k, depth-1, asJSON)
				b.WriteByte('"')
			} else {
				r.write(e, b, k, depth-1, asJSON)
			}
			b.WriteString(": ")
			item, _ := v.get(k)
			r.write(e, b, item, depth-1, asJSON)
			if r.bad {
				return
			}
		}
		b.WriteByte('}')
	case stream:
		switch {
		case v.lazy || asJSON:
			r.wrong(e, "what is not a list yet cannot be written", "put | list behind it")
		case strings.HasSuffix(v.shown, ")"):
			b.WriteString(v.shown)
		default:
			all(v.shown+"([", "])", v.items)
		}
	default:
		r.wrong(e, kindOf(v)+" has no text", "print what it gives or holds")
	}
}

// keys are the keys of a mapping, in order for JSON.
func (r *renderer) keys(e *expr, d *dict, sorted bool) []any {
	if !sorted {
		return d.keys
	}
	return r.sorted(e, d.keys, func(v any) any { return v }, false)
}

// jsonText is a text in JSON, with no character that HTML knows.
func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r >= 0x7F && r < 0x10000 || strings.ContainsRune("<>&'", r):
			b.WriteString(`\u` + hex(r, 4))
		case r >= 0x10000:
			b.WriteString(`\u` + hex(0xD800+(r-0x10000)>>10, 4) + `\u` + hex(0xDC00+(r-0x10000)&0x3FF, 4))
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// equal says that two values are the same, as Python has it.
func (r *renderer) equal(e *expr, a, b any, depth int) bool {
	if r.bad || depth == 0 {
		return false
	}
	if ai, af, aInt, ok := number(a); ok {
		bi, bf, bInt, ok := number(b)
		if aInt && bInt {
			return ok && ai == bi
		}
		return ok && af == bf
	}
	same := func(a, b []any) bool {
		r.step(e, len(a))
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if !r.equal(e, a[i], b[i], depth-1) {
				return false
			}
		}
		return true
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		r.read(e, min(len(a), len(s)))
		return ok && a == s
	case list:
		l, ok := b.(list)
		return ok && same(a, l)
	case tuple:
		t, ok := b.(tuple)
		return ok && same(a, t)
	case *dict:
		d, ok := b.(*dict)
		r.step(e, len(a.keys))
		if !ok || len(a.keys) != len(d.keys) {
			return false
		}
		for _, k := range a.keys {
			v, _ := a.get(k)
			w, there := d.get(k)
			if !there || !r.equal(e, v, w, depth-1) {
				return false
			}
		}
		return true
	}
	return false
}

// order is below, above or equal to 0 as a is to b.
func (r *renderer) order(e *expr, a, b any, depth int) int {
	ai, af, aInt, aNumber := number(a)
	bi, bf, bInt, bNumber := number(b)
	switch {
	case r.bad || depth == 0:
		return 0
	case aNumber && bNumber && aInt && bInt:
		return compare(ai < bi, ai > bi)
	case aNumber && bNumber:
		return compare(af < bf, af > bf)
	}
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			r.read(e, min(len(s), len(t)))
			return strings.Compare(s, t)
		}
	}
	l, first := itemsOf(a)
	m, second := itemsOf(b)
	if !first || !second || kindOfTuple(a) != kindOfTuple(b) {
		r.wrong(e, kindOf(a)+" and "+kindOf(b)+" have no order", "make both texts with | string, or numbers with | int")
		return 0
	}
	r.step(e, min(len(l), len(m)))
	for i := range min(len(l), len(m)) {
		if !r.equal(e, l[i], m[i], depth-1) {
			return r.order(e, l[i], m[i], depth-1)
		}
	}
	return len(l) - len(m)
}

func compare(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// itemsOf are the items of a list or a tuple.
func itemsOf(v any) (items []any, ok bool) {
	switch v := v.(type) {
	case list:
		return v, true
	case tuple:
		return v, true
	}
	return nil, false
}

// sorted sorts what a function gives of each item.
func (r *renderer) sorted(e *expr, items []any, by func(any) any, reverse bool) []any {
	out := append([]any{}, items...)
	keys := make([]any, len(items))
	index := make([]int, len(items))
	for i := range items {
		keys[i], index[i] = by(items[i]), i
	}
	sort.SliceStable(index, func(i, j int) bool {
		if r.bad {
			return false
		}
		c := r.order(e, keys[index[i]], keys[index[j]], maxNesting)
		return c < 0 && !reverse || c > 0 && reverse
	})
	for i, k := range index {
		out[i] = items[k]
	}
	return out
}

// items are what a value is gone through by: the items of a list, the keys of a mapping, the characters of a text.
func (r *renderer) items(e *expr, v any) []any {
	var out []any
	switch v := v.(type) {
	case list:
		out = v
	case tuple:
		out = v
	case stream:
		out = v.items
	case *dict:
		out = v.keys
	case string:
		r.step(e, utf8.RuneCountInString(v))
		if r.bad {
			return nil
		}
		for _, c := range v {
			out = append(out, string(c))
		}
		return out
	default:
		r.wrong(e, kindOf(v)+" has no items", "give a list, a mapping or a text")
	}
	r.step(e, len(out))
	if r.bad {
		return nil
	}
	return out
}
