package template

import (
	"math"
	"strings"
)

func kindOfTuple(v any) bool { _, ok := v.(tuple); return ok }

func (r *renderer) compare(op *expr, a, b any) bool {
	switch op.op {
	case "==":
		return r.equal(op, a, b, maxNesting)
	case "!=":
		return !r.equal(op, a, b, maxNesting)
	case "in":
		return r.contains(op, b, a)
	case "not in":
		return !r.contains(op, b, a)
	}
	order := r.order(op, a, b, maxNesting)
	switch op.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (r *renderer) contains(e *expr, in, v any) bool {
	switch in := in.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			r.wrong(e, kindOf(v)+" cannot be in a text", "make it a text with | string")
		}
		r.read(e, len(in))
		return !r.bad && strings.Contains(in, s)
	case *dict:
		if _, ok := hashable(v); !ok {
			r.wrong(e, kindOf(v)+" cannot be a key", "a key is a text or a number")
		}
		_, ok := in.get(r.looked(e, v))
		return ok
	}
	for _, item := range r.items(e, in) {
		if r.equal(e, item, v, maxNesting) {
			return true
		}
	}
	return false
}

// signed is a number with the sign of an expression.
func (r *renderer) signed(e *expr, v any) any {
	i, f, isInt, ok := number(v)
	switch {
	case !ok:
		r.wrong(e, kindOf(v)+" has no sign", "make it a number with | int")
		return nil
	case e.op == "unary +" && isInt:
		return i
	case e.op == "unary +":
		return f
	case isInt:
		return -i
	}
	return -f
}

func (r *renderer) arithmetic(e *expr, a, b any) any {
	ai, af, aInt, aNumber := number(a)
	bi, bf, bInt, bNumber := number(b)
	if r.bad {
		return nil
	}
	if s, ok := a.(string); ok && e.op == "%" {
		return r.percent(e, s, b)
	}
	if aNumber && bNumber {
		if bf == 0 && (e.op == "/" || e.op == "//" || e.op == "%") {
			r.wrong(e, "a division by zero", "")
			return nil
		}
		if aInt && bInt && e.op != "/" && !(e.op == "**" && bi < 0) {
			return r.integers(e, ai, bi)
		}
		return r.floats(e, af, bf)
	}
	if s, ok := a.(string); ok && e.op == "+" {
		if t, ok := b.(string); ok {
			return r.joined(e, []string{s, t}, "")
		}
	}
	if l, ok := itemsOf(a); ok && e.op == "+" {
		if m, ok := itemsOf(b); ok && kindOfTuple(a) == kindOfTuple(b) {
			r.step(e, len(l)+len(m))
			return likeList(a, append(append([]any{}, l...), m...))
		}
	}
	if e.op == "*" {
		if aInt {
			a, b, ai, bi, bInt = b, a, bi, ai, true
		}
		if s, ok := a.(string); ok && bInt {
			bi = max(bi, 0)
			if s == "" || bi > MaxBytes || !r.room(e, len(s)*int(bi)) {
				if s != "" {
					r.room(e, MaxBytes+1)
				}
				return ""
			}
			return strings.Repeat(s, int(bi))
		}
		if l, ok := itemsOf(a); ok && bInt {
			bi = min(max(bi, 0), MaxSteps+1)
			r.step(e, len(l)*int(bi))
			var out []any
			for ; bi > 0 && !r.bad && len(l) > 0; bi-- {
				out = append(out, l...)
			}
			return likeList(a, out)
		}
	}
	detail := "make both numbers with | int"
	if e.op == "+" {
		detail = "put texts together with ~, or make both numbers with | int"
	}
	r.wrong(e, kindOf(a)+" "+e.op+" "+kindOf(b)+" has no value", detail)
	return nil
}

func likeList(like any, items []any) any {
	if kindOfTuple(like) {
		return tuple(items)
	}
	return list(items)
}

// integers computes with integers of 64 bits; more than those hold is refused.
func (r *renderer) integers(e *expr, a, b int64) any {
	out, ok := int64(0), true
	switch e.op {
	case "+":
		out = a + b
		ok = (out > a) == (b > 0) || b == 0
	case "-":
		out = a - b
		ok = (out < a) == (b > 0) || b == 0
	case "*":
		out, ok = product(a, b)
	case "//", "%":
		quotient, rest := a/b, a%b
		if rest != 0 && (rest < 0) != (b < 0) {
			quotient, rest = quotient-1, rest+b
		}
		if out = quotient; e.op == "%" {
			out = rest
		}
		ok = a != math.MinInt64
	case "**":
		for out = 1; b > 0 && ok && (a > 1 || a < -1); b-- {
			out, ok = product(out, a)
		}
		if a == 0 && b > 0 || a == -1 && b%2 != 0 {
			out = a
		}
	}
	if !ok {
		r.wrong(e, "the number is too large", "a number has 18 digits at most")
		return nil
	}
	return out
}

func product(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && a != math.MinInt64 && b != math.MinInt64
}

func (r *renderer) floats(e *expr, a, b float64) any {
	switch e.op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "//":
		return math.Floor(a / b)
	case "%":
		rest := math.Mod(a, b)
		if rest != 0 && (rest < 0) != (b < 0) {
			rest += b
		}
		return rest
	}
	if out := math.Pow(a, b); !math.IsNaN(out) && !math.IsInf(out, 0) {
		return out
	}
	r.wrong(e, "the power has no value", "")
	return nil
}
