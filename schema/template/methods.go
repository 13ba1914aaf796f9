package template

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Methods of Python's that are here. An attribute of one of the names is the method, even where a key is called so.
const (
	dictMethods = "clear copy fromkeys get items keys pop popitem setdefault update values"
	textMethods = "capitalize endswith format join lower lstrip replace rstrip split startswith strip upper"
)

func isMethod(methods, name string) bool { return contains(strings.Fields(methods), name) }

// method calls a method of a value.
func (r *renderer) method(e *expr, v any, name string, given arguments) any {
	if r.bad {
		return nil
	}
	switch v := v.(type) {
	case *dict:
		return r.dictMethod(e, v, name, given)
	case string:
		if isMethod(textMethods, name) {
			return r.textMethod(e, v, name, given)
		}
	case list, tuple:
		if name == "append" || name == "extend" || name == "insert" {
			r.wrong(e, "a list does not change", "keep it in a namespace: {% set ns.all = ns.all + [item] %}")
			return nil
		}
	}
	detail := "a text has " + strings.Join(strings.Fields(textMethods), ", ")
	r.wrong(e, kindOf(v)+" has no method "+strconv.Quote(name)+" here", detail)
	return nil
}

func (r *renderer) dictMethod(e *expr, d *dict, name string, given arguments) any {
	r.step(e, len(d.keys))
	switch name {
	case "get":
		a := r.bind(e, name, "key default", given)
		if v, ok := d.get(r.looked(e, a[0])); ok {
			return v
		}
		return a[1]
	case "keys", "values", "items", "copy":
		r.bind(e, name, "", given)
		out := d.pairs()
		for i, pair := range out {
			switch name {
			case "keys":
				out[i] = pair.(tuple)[0]
			case "values":
				out[i] = pair.(tuple)[1]
			case "copy":
				return d
			}
		}
		return stream{items: out, shown: "dict_" + name}
	}
	r.wrong(e, "a mapping has no method "+strconv.Quote(name)+" here", "it has get, keys, values and items, and does not change")
	return nil
}

func (r *renderer) textMethod(e *expr, s, name string, given arguments) any {
	if !r.room(e, len(s)) {
		return nil
	}
	switch name {
	case "format":
		return r.braces(e, s, given)
	case "upper", "lower", "capitalize":
		r.bind(e, name, "", given)
		return changed(s, name)
	case "strip", "lstrip", "rstrip":
		return r.stripped(e, s, name, r.bind(e, name, "chars", given)[0])
	case "split":
		return r.split(e, s, r.bind(e, name, "sep maxsplit", given))
	case "join":
		a := r.bind(e, name, "iterable", given)
		var texts []string
		for _, item := range r.items(e, a[0]) {
			t, ok := item.(string)
			if !ok {
				r.wrong(e, kindOf(item)+" cannot be joined to a text", "use the filter join")
			}
			texts = append(texts, t)
		}
		return r.joined(e, texts, s)
	case "startswith", "endswith":
		a := r.bind(e, name, "text", given)
		all := []any{a[0]}
		if t, ok := a[0].(tuple); ok {
			all = t
		}
		for _, part := range all {
			t, ok := part.(string)
			if !ok {
				r.wrong(e, kindOf(part)+" is not a text", "")
			}
			r.step(e, 1)
			if name == "startswith" && strings.HasPrefix(s, t) || name == "endswith" && strings.HasSuffix(s, t) {
				return true
			}
		}
		return false
	}
	a := r.bind(e, name, "old new count", given)
	t, ok := a[0].(string)
	with, isText := a[1].(string)
	count, _, isInt, isNumber := number(a[2])
	if !ok || !isText || a[2] != nil && !(isNumber && isInt) {
		r.wrong(e, "replace takes the old text, the new one and how often", "")
		return nil
	}
	n := strings.Count(s, t)
	if a[2] != nil && count >= 0 {
		n = int(min(count, int64(n)))
	}
	if len(with) > 0 && n > (2*MaxBytes)/len(with) {
		r.room(e, MaxBytes+1)
		return nil
	}
	if !r.room(e, len(s)+n*(len(with)-len(t))) {
		return nil
	}
	return strings.Replace(s, t, with, n)
}

// changed is a text in another case.
func changed(s, how string) string {
	switch how {
	case "upper":
		return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS"))
	case "lower":
		return strings.ToLower(s)
	}
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:size]) + strings.ToLower(s[size:])
}

func (r *renderer) stripped(e *expr, s, how string, chars any) any {
	strip := isSpace
	if chars != nil {
		set, ok := chars.(string)
		if !ok || len(set) > maxChain {
			r.wrong(e, "what is stripped is a short text", "")
			return nil
		}
		strip = func(c rune) bool { return strings.ContainsRune(set, c) }
	}
	if how != "rstrip" {
		s = strings.TrimLeftFunc(s, strip)
	}
	if how != "lstrip" {
		s = strings.TrimRightFunc(s, strip)
	}
	return s
}

// split cuts a text at a separator, or at white space, at most so many times.
func (r *renderer) split(e *expr, s string, a []any) any {
	most, _, isInt, ok := number(a[1])
	between, isText := a[0].(string)
	if a[1] != nil && (!ok || !isInt) || a[0] != nil && (!isText || between == "") {
		r.wrong(e, "a text is split at a text that is not empty, so many times", "quote the text")
		return nil
	}
	if a[1] == nil || most < 0 {
		most = MaxSteps
	}
	var out list
	for ; most > 0 && !r.bad; most-- {
		r.step(e, 1)
		at, size := strings.Index(s, between), len(between)
		if a[0] == nil {
			s = strings.TrimLeftFunc(s, isSpace)
			at = strings.IndexFunc(s, isSpace)
			_, size = utf8.DecodeRuneInString(s[max(at, 0):])
		}
		if at < 0 {
			break
		}
		out = append(out, s[:at])
		s = s[at+size:]
	}
	if a[0] == nil {
		if s = strings.TrimLeftFunc(s, isSpace); s == "" {
			return out
		}
	}
	return append(out, s)
}
