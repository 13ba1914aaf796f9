package template

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec says how a value is written by % or by format.
type spec struct {
	fill         rune // 0 is a blank
	align        byte // '<', '>', '^' or '=', which is between sign and digits; 0 is what the kind of value has
	sign         byte // '+' or ' '
	zero, prefix bool
	width        int
	precision    int // -1 if there is none
	verb         byte
}

// maxWidth is how wide a value is written at most.
const maxWidth = 1000

// percent formats values as Python's % does.
func (r *renderer) percent(e *expr, format string, v any) any {
	values, isTuple := v.(tuple)
	if !isTuple {
		values = tuple{v}
	}
	d, isDict := v.(*dict)
	var b strings.Builder
	used := 0
	for i := 0; i < len(format) && !r.bad; {
		k := strings.IndexByte(format[i:], '%')
		if k < 0 {
			k = len(format) - i
		}
		if !r.room(e, k) {
			return nil
		}
		b.WriteString(format[i : i+k])
		if i += k; i == len(format) {
			break
		}
		i++
		s := spec{precision: -1}
		key, byKey := "", false
		if strings.HasPrefix(format[i:], "(") {
			if end := strings.IndexByte(format[i:], ')'); end > 0 {
				key, byKey = format[i+1:i+end], true
				i += end + 1
			}
		}
		for ; i < len(format) && strings.IndexByte("#0- +", format[i]) >= 0; i++ {
			switch format[i] {
			case '#':
				s.prefix = true
			case '0':
				s.zero = true
			case '-':
				s.align = '<'
			default:
				s.sign = max(s.sign, format[i])
			}
		}
		i = s.size(format, i)
		if i < len(format) && strings.IndexByte("hlL", format[i]) >= 0 {
			i++
		}
		if i == len(format) {
			r.wrong(e, "the format ends in the middle of a %", "write %% for a percent sign")
			return nil
		}
		s.verb = format[i]
		i++
		if s.verb == '%' {
			b.WriteByte('%')
			continue
		}
		value := any(nil)
		switch {
		case byKey && isDict:
			var ok bool
			if value, ok = d.get(key); !ok {
				r.wrong(e, "the mapping has no "+strconv.Quote(key), "")
			}
		case byKey || used >= len(values):
			r.wrong(e, "the format wants more values than there are", "give one for each %")
		default:
			value = values[used]
			used++
		}
		if s.align == 0 {
			s.align = '>'
			if s.zero {
				s.align = '='
			}
		} else {
			s.zero = false
		}
		b.WriteString(r.formatted(e, value, s))
	}
	if used < len(values) && !isDict {
		r.wrong(e, "there are more values than the format has", "write a % for each")
	}
	return b.String()
}

// size reads a width and a precision.
func (s *spec) size(format string, i int) int {
	digits := func() int {
		n := 0
		for ; i < len(format) && format[i] >= '0' && format[i] <= '9'; i++ {
			n = min(10*n+int(format[i]-'0'), maxWidth)
		}
		return n
	}
	s.width = digits()
	if i < len(format) && format[i] == '.' {
		i++
		s.precision = digits()
	}
	return i
}

// braces formats values as a text's format does.
func (r *renderer) braces(e *expr, format string, given arguments) any {
	var b strings.Builder
	next := 0
	for i := 0; i < len(format) && !r.bad; {
		c := format[i]
		if (c == '{' || c == '}') && i+1 < len(format) && format[i+1] == c {
			b.WriteByte(c)
			i += 2
			continue
		}
		if c != '{' && c != '}' {
			b.WriteByte(c)
			i++
			continue
		}
		end := strings.IndexByte(format[i:], '}')
		if c == '}' || end < 0 {
			r.wrong(e, "a brace in the format stands alone", "write {{ or }} for a brace")
			return nil
		}
		field, how, _ := strings.Cut(format[i+1:i+end], ":")
		i += end + 1
		field, conversion, converted := strings.Cut(field, "!")
		name := field
		if k := strings.IndexAny(field, ".["); k >= 0 {
			name = field[:k]
			r.wrong(e, "the format takes a part of a value", "give the part as a value of its own")
		}
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
			r.wrong(e, "the format wants a value that is not given", "give one for each {}")
		}
		if converted && conversion == "r" {
			value = r.shown(e, value)
		}
		b.WriteString(r.formatted(e, value, r.specOf(e, how, value)))
		r.step(e, 1)
	}
	return b.String()
}

// specOf reads what stands behind the colon of a field.
func (r *renderer) specOf(e *expr, how string, value any) spec {
	s := spec{precision: -1, verb: 's'}
	fill, size := utf8.DecodeRuneInString(how)
	i := 0
	if size > 0 && len(how) > size && strings.IndexByte("<>^=", how[size]) >= 0 {
		s.fill, s.align = fill, how[size]
		i = size + 1
	} else if size > 0 && strings.IndexByte("<>^=", how[0]) >= 0 {
		s.align, i = how[0], 1
	}
	for ; i < len(how) && strings.IndexByte("+ -#", how[i]) >= 0; i++ {
		switch how[i] {
		case '#':
			s.prefix = true
		case '+', ' ':
			s.sign = how[i]
		}
	}
	s.zero = i < len(how) && how[i] == '0'
	i = s.size(how, i)
	_, f, isInt, isNumber := number(value)
	switch {
	case isNumber && isInt:
		s.verb = 'd'
	case isNumber && s.precision < 0:
		s.verb = 'r'
	case isNumber:
		s.verb = 'g'
	}
	if _, isBool := value.(bool); isBool && i == len(how) && how == "" {
		s.verb = 's'
	}
	if i < len(how) {
		s.verb = how[i]
		if i++; s.verb == '%' {
			s.verb = 'f'
		}
	}
	if i < len(how) || isNumber && s.verb == 's' && how != "" || !isNumber && s.verb != 's' || s.verb == 'd' && !isInt || s.verb == 'f' && math.IsNaN(f) {
		r.wrong(e, "the format does not fit the value", "")
	}
	if s.align == 0 {
		switch {
		case s.zero:
			s.align = '='
		case isNumber:
			s.align = '>'
		default:
			s.align = '<'
		}
	} else if s.zero && s.fill == 0 {
		s.fill = '0'
		s.zero = false
	}
	return s
}

// shown is a value as it stands in a list.
func (r *renderer) shown(e *expr, v any) string {
	var b strings.Builder
	r.write(e, &b, v, maxNesting, false)
	return b.String()
}

// formatted writes a value.
func (r *renderer) formatted(e *expr, v any, s spec) string {
	i, f, isInt, isNumber := number(v)
	if s.precision > maxWidth || s.width > maxWidth {
		r.wrong(e, "the format is too wide", "")
	}
	if r.bad {
		return ""
	}
	text := ""
	switch s.verb {
	case 's', 'r':
		if text = r.text(e, v); s.verb == 'r' {
			text = r.shown(e, v)
		}
		if s.align == '=' && !isNumber {
			s.align, s.zero = '>', false
		}
		if s.precision >= 0 {
			if runes := []rune(text); len(runes) > s.precision {
				text = string(runes[:s.precision])
			}
		}
		if !r.room(e, max(len(text), s.width)) {
			return ""
		}
		return padded(text, s)
	case 'd', 'i', 'u', 'x', 'X', 'o', 'b':
		if !isNumber || !isInt && (s.verb != 'd' && s.verb != 'i' && s.verb != 'u' || math.Abs(f) >= 1<<63) {
			r.wrong(e, kindOf(v)+" cannot be written as %"+string(s.verb), "make it a number with | int")
			return ""
		}
		if !isInt {
			i = int64(f)
		}
		base, prefix := 10, ""
		switch s.verb {
		case 'x', 'X':
			base, prefix = 16, "0"+string(s.verb)
		case 'o':
			base, prefix = 8, "0o"
		case 'b':
			base, prefix = 2, "0b"
		}
		text = strconv.FormatInt(i, base)
		if s.verb == 'X' {
			text = strings.ToUpper(text)
		}
		negative := strings.HasPrefix(text, "-")
		text = strings.TrimPrefix(text, "-")
		if s.precision > len(text) {
			text = strings.Repeat("0", s.precision-len(text)) + text
		}
		if s.prefix {
			text = prefix + text
		}
		if negative {
			text = "-" + text
		}
	case 'f', 'F', 'e', 'E':
		if !isNumber {
			r.wrong(e, kindOf(v)+" is not a number", "make it one with | float")
			return ""
		}
		if s.precision < 0 {
			s.precision = 6
		}
		text = strconv.FormatFloat(f, s.verb|0x20, s.precision, 64)
		if s.verb == 'E' {
			text = strings.ToUpper(text)
		}
	default:
		r.wrong(e, "there is no format "+strconv.Quote(string(s.verb))+" here", "there are s, r, d, x, o, f and e")
		return ""
	}
	if s.sign != 0 && !strings.HasPrefix(text, "-") {
		text = string(s.sign) + text
	}
	return padded(text, s)
}

// padded makes a text as wide as it should be.
func padded(text string, s spec) string {
	n := s.width - utf8.RuneCountInString(text)
	if n <= 0 {
		return text
	}
	fill := " "
	switch {
	case s.fill != 0:
		fill = string(s.fill)
	case s.zero:
		fill = "0"
	}
	pad := strings.Repeat(fill, n)
	switch s.align {
	case '<':
		return text + pad
	case '^':
		return pad[:len(fill)*(n/2)] + text + pad[len(fill)*(n/2):]
	case '=':
		if text != "" && strings.IndexByte("+- ", text[0]) >= 0 {
			return text[:1] + pad + text[1:]
		}
	}
	return pad + text
}
