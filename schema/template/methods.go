package template

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Methods of Python's that are here. An attribute of one of the names is the method, even where a key is called so.
const (
	dictMethods = "clear copy fromkeys get items keys pop popitem setdefault update values"
	textMethods = "capitalize count endswith find format isdigit join lower lstrip replace rsplit rstrip split splitlines startswith strip title upper zfill"
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
		items := r.items(e, v)
		if name == "count" || name == "index" {
			a := r.bind(e, name, "value", given)
			n := int64(0)
			for i, item := range items {
				if r.equal(e, item, a[0], maxNesting) {
					if n++; name == "index" {
						return int64(i)
					}
				}
			}
			if name == "count" {
				return n
			}
			r.wrong(e, "the list has no such item", "ask with in first")
			return nil
		}
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
		if v, ok := d.get(a[0]); ok {
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
	case "upper", "lower", "capitalize", "title", "isdigit":
		r.bind(e, name, "", given)
		return changed(s, name)
	case "strip", "lstrip", "rstrip":
		return r.stripped(e, s, name, r.bind(e, name, "chars", given)[0])
	case "splitlines":
		keep := truth(r.bind(e, name, "keepends", given)[0])
		var out list
		for _, line := range splitLines(s, keep) {
			out = append(out, line)
		}
		r.step(e, len(out))
		return out
	case "split", "rsplit":
		return r.split(e, s, r.bind(e, name, "sep maxsplit", given), name == "rsplit")
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
	case "zfill":
		width, ok := r.bind(e, name, "width", given)[0].(int64)
		if !ok || !r.room(e, int(min(max(width, 0), MaxBytes+1))) {
			r.wrong(e, "the width is a number", "")
			return nil
		}
		return padded(s, spec{zero: true, width: int(max(width, 0)), align: '='})
	}
	parameters := "text"
	if name == "replace" {
		parameters = "old new count"
	}
	a := r.bind(e, name, parameters, given)
	t, ok := a[0].(string)
	if !ok {
		r.wrong(e, kindOf(a[0])+" is not a text", "quote it")
		return nil
	}
	switch name {
	case "count":
		return int64(strings.Count(s, t))
	case "find":
		k := strings.Index(s, t)
		if k > 0 {
			k = utf8.RuneCountInString(s[:k])
		}
		return int64(k)
	}
	with, ok := a[1].(string)
	count, _, isInt, isNumber := number(a[2])
	if !ok || a[2] != nil && !(isNumber && isInt) {
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

// changed is a text in another case, or whether it is of digits.
func changed(s, how string) any {
	upper := func(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")) }
	switch how {
	case "upper":
		return upper(s)
	case "lower":
		return strings.ToLower(s)
	case "capitalize":
		_, size := utf8.DecodeRuneInString(s)
		return strings.ToUpper(s[:size]) + strings.ToLower(s[size:])
	case "isdigit":
		return s != "" && strings.TrimFunc(s, unicode.IsDigit) == ""
	}
	inWord := false
	return strings.Map(func(c rune) rune {
		within := inWord
		inWord = unicode.IsLetter(c)
		if within {
			return unicode.ToLower(c)
		}
		return unicode.ToTitle(c)
	}, s)
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
func (r *renderer) split(e *expr, s string, a []any, fromEnd bool) any {
	most, _, isInt, ok := number(a[1])
	if a[1] == nil {
		most = -1
	} else if !ok || !isInt {
		r.wrong(e, "how often is a number", "")
	}
	between, isText := a[0].(string)
	if a[0] != nil && (!isText || between == "") {
		r.wrong(e, "a text is split at a text", "quote it; it is not empty")
	}
	if r.bad {
		return nil
	}
	var parts []string
	if a[0] == nil {
		if most < 0 {
			parts = strings.FieldsFunc(s, isSpace)
		} else {
			parts = fields(s, int(min(most, MaxSteps)), fromEnd)
		}
	} else {
		n := strings.Count(s, between)
		if r.step(e, n); r.bad {
			return nil
		}
		parts = strings.Split(s, between)
		if most >= 0 && int64(n) > most {
			if k := len(parts) - int(most); fromEnd {
				parts = append([]string{strings.Join(parts[:k], between)}, parts[k:]...)
			} else {
				parts = strings.SplitN(s, between, int(most)+1)
			}
		}
	}
	r.step(e, len(parts))
	out := make(list, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

// fields cuts off at most so many words from one end of a text.
func fields(s string, most int, fromEnd bool) []string {
	var parts []string
	s = strings.TrimFunc(s, isSpace)
	for ; most > 0; most-- {
		if fromEnd {
			k := strings.LastIndexFunc(s, isSpace)
			if k < 0 {
				break
			}
			_, size := utf8.DecodeRuneInString(s[k:])
			parts = append([]string{s[k+size:]}, parts...)
			s = strings.TrimRightFunc(s[:k], isSpace)
			continue
		}
		k := strings.IndexFunc(s, isSpace)
		if k < 0 {
			break
		}
		parts = append(parts, s[:k])
		s = strings.TrimLeftFunc(s[k:], isSpace)
	}
	if s == "" {
		return parts
	}
	if fromEnd {
		return append([]string{s}, parts...)
	}
	return append(parts, s)
}
