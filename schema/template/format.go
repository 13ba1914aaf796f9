package template

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth is how wide a value is written at most, and to how many digits.
const maxWidth = 1000

// percent formats values as Python's % does: %s %r %d %x %f, with - and 0, a width and a precision, and %(name)s.
func (r *renderer) percent(e *expr, format string, v any) any {
	values, isTuple := v.(tuple)
	if !isTuple {
		values = tuple{v}
	}
	d, isDict := v.(*dict)
	var b strings.Builder
	used := 0
	for !r.bad {
		text, rest, found := strings.Cut(format, "%")
		r.room(e, len(text))
		b.WriteString(text)
		if !found {
			break
		}
		format = rest
		var value any
		key, rest, byKey := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		byKey = byKey && strings.HasPrefix(format, "(")
		if byKey {
			format = rest
		}
		flags := len(format) - len(strings.TrimLeft(format, "-0"))
		left, zero := strings.Contains(format[:flags], "-"), strings.Contains(format[:flags], "0")
		format = format[flags:]
		width, precision := cutNumber(&format), -1
		if strings.HasPrefix(format, ".") {
			format = format[1:]
			precision = cutNumber(&format)
		}
		if width > maxWidth || precision > maxWidth {
			r.wrong(e, "the format is wider than "+strconv.Itoa(maxWidth), "make it narrower")
			break
		}
		if format == "" {
			r.wrong(e, "the format ends in the middle of a %", "write %% for a percent sign")
			break
		}
		verb := format[0]
		if format = format[1:]; verb == '%' {
			b.WriteByte('%')
			continue
		}
		ok := !byKey && used < len(values)
		if ok {
			value = values[used]
			used++
		} else if byKey && isDict {
			value, ok = d.get(key)
		}
		if !ok {
			r.wrong(e, "the format wants more values than there are", "give one for each %")
		}
		text = r.formatted(e, value, verb, precision)
		if pad := width - utf8.RuneCountInString(text); pad > 0 && r.room(e, width) {
			switch {
			case left:
				text += strings.Repeat(" ", pad)
			case zero && verb != 's' && verb != 'r':
				sign := len(text) - len(strings.TrimPrefix(text, "-"))
				text = text[:sign] + strings.Repeat("0", pad) + text[sign:]
			default:
				text = strings.Repeat(" ", pad) + text
			}
		}
		b.WriteString(text)
	}
	if used < len(values) && !isDict {
		r.wrong(e, "there are more values than the format has", "write a % for each")
	}
	return b.String()
}

// cutNumber takes a number off the beginning of a format; what is above maxWidth is all the same.
func cutNumber(format *string) int {
	n := 0
	for ; *format != "" && (*format)[0] >= '0' && (*format)[0] <= '9'; *format = (*format)[1:] {
		n = min(10*n+int((*format)[0]-'0'), maxWidth+1)
	}
	return n
}

// formatted writes a value as a letter behind a % says.
func (r *renderer) formatted(e *expr, v any, verb byte, precision int) string {
	i, f, isInt, isNumber := number(v)
	switch {
	case verb == 's' || verb == 'r':
		text := ""
		if verb == 's' {
			text = r.text(e, v)
		} else {
			text = r.shown(e, v)
		}
		if runes := []rune(text); precision >= 0 && precision < len(runes) {
			return string(runes[:precision])
		}
		return text
	case strings.IndexByte("dixXf", verb) < 0:
		r.wrong(e, "there is no format %"+strconv.Quote(string(rune(verb)))+" here", "there are %s, %r, %d, %x and %f")
	case !isNumber || !isInt && (verb|0x20 == 'x' || verb != 'f' && math.Abs(f) >= 1<<63):
		r.wrong(e, kindOf(v)+" cannot be written as %"+string(rune(verb)), "make it a number with | int")
	case verb == 'f':
		if precision < 0 {
			precision = 6
		}
		return strconv.FormatFloat(f, 'f', precision, 64)
	case verb == 'x':
		return strconv.FormatInt(i, 16)
	case verb == 'X':
		return strings.ToUpper(strconv.FormatInt(i, 16))
	case isInt:
		return strconv.FormatInt(i, 10)
	default:
		return strconv.FormatInt(int64(f), 10)
	}
	return ""
}

// braces formats values as a text's format does: {}, {0} and {name}, {{ and }}.
func (r *renderer) braces(e *expr, format string, given arguments) any {
	var parts []string
	next := 0
	for !r.bad {
		k := strings.IndexAny(format, "{}")
		if k < 0 {
			break
		}
		parts = append(parts, format[:k])
		brace := format[k : k+1]
		if format = format[k+1:]; strings.HasPrefix(format, brace) {
			parts = append(parts, brace)
			format = format[1:]
			continue
		}
		name, rest, closed := strings.Cut(format, "}")
		if brace == "}" || !closed {
			r.wrong(e, "a brace in the format stands alone", "write {{ or }} for a brace")
		}
		format = rest
		value, ok := given.named.get(name)
		if n, err := strconv.Atoi(name); name == "" || err == nil {
			if name == "" {
				n = next
				next++
			}
			if ok = n >= 0 && n < len(given.positional); ok {
				value = given.positional[n]
			}
		}
		if !ok {
			r.wrong(e, "the format wants a value that is not given", "there are {}, {0} and {name}")
		}
		r.step(e, 1)
		parts = append(parts, r.text(e, value))
	}
	return r.joined(e, append(parts, format), "")
}
