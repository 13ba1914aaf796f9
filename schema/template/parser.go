package template

import (
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/spelling"
)

// expr is an expression: what op says, of the operands.
type expr struct {
	op       string // "const", "name", "attr", "call", ..., or an operator: "+"
	from, to int
	name     string // of a name, attribute, filter or test
	value    any    // of a constant
	args     []*expr
	named    []*expr // arguments with a name: op "named"
}

// stmt is a piece of text, a value to print, or a block.
type stmt struct {
	op       string // "text", "print", "if", "for", "set", "macro"
	from, to int
	targets  []*expr  // what is set: "name", or "attr" of a namespace
	value    *expr    // what is printed, gone through or set; nil if the body is
	test     *expr    // which items a loop takes
	branches []branch // of an if; a branch without a condition is the else
	body     []*stmt
	other    []*stmt // of a loop over nothing
}

type branch struct {
	when *expr
	body []*stmt
}

// maxNesting is how deep blocks and brackets may be inside each other.
const maxNesting = 64

// maxChain is how many operations one expression has at most.
const maxChain = 1000

// A parser makes statements of tokens. After a slip everything is the end of the template.
//
// Source: jinja2 3.1.6, parser.py (2025).
type parser struct {
	*lexer
	at      int // the token in hand
	depth   int
	reports []report
	// Names that are read, those that the template gives a value, and those that it knows may have none.
	read       []*expr
	set, asked map[string]bool
}

// report is a finding that parsing goes on after.
type report struct {
	slip
	rule *diag.Rule
}

func (p *parser) peek() token {
	if p.slip != nil || p.at >= len(p.tokens) {
		return token{from: int32(len(p.text)), to: int32(len(p.text))}
	}
	return p.tokens[p.at]
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

// last is where the token before the one in hand ends.
func (p *parser) last() int { return int(p.tokens[min(p.at, len(p.tokens))-1].to) }

func (t token) is(text string) bool {
	return (t.kind == operator || t.kind == nameToken) && t.text == text
}

// take passes a word or an operator, if it is next.
func (p *parser) take(text string) bool {
	if p.peek().is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.take(text) {
		p.unexpected("here should be " + text)
	}
}

// unexpected says that the token in hand is not what should be there.
func (p *parser) unexpected(detail string) {
	t := p.peek()
	what := strconv.Quote(string(p.text[t.from:t.to]))
	switch t.kind {
	case atEnd:
		what = "the end of the template"
	case printEnd, blockEnd:
		what = "the end of the tag"
	}
	p.fail(int(t.from), int(t.to), what+" is not expected here", detail)
}

// deeper counts what is inside each other; call what it returns when that is done.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxNesting {
		t := p.peek()
		p.fail(int(t.from), int(t.to), "the template is nested too deep", "at most "+strconv.Itoa(maxNesting)+" levels")
	}
	return func() { p.depth-- }
}

// block reads statements up to the first tag that begins with one of the words, which it passes and returns, and the
// rest of whose tag is for the caller.
func (p *parser) block(ends ...string) (body []*stmt, end string) {
	defer p.deeper()()
	for {
		switch t := p.next(); t.kind {
		case plainText:
			body = append(body, &stmt{op: "text", from: int(t.from), to: int(t.to)})
		case printStart:
			value := p.tuple(true)
			if p.peek().kind != printEnd {
				p.unexpected("close the tag with }} before it, or put an operator or a filter between")
			}
			p.next()
			body = append(body, &stmt{op: "print", from: int(t.from), to: p.last(), value: value})
		case blockStart:
			word := p.next()
			for _, w := range ends {
				if word.kind == nameToken && word.text == w {
					return body, w
				}
			}
			if s := p.statement(t, word, ends); s != nil {
				s.from = int(t.from)
				body = append(body, s)
			}
		default:
			if len(ends) > 0 {
				p.at--
				p.unexpected("")
			}
			return body, ""
		}
	}
}

// endTag passes the end of a block's tag.
func (p *parser) endTag() {
	p.take(":")
	if p.peek().kind != blockEnd {
		p.unexpected("close the tag with %} before it")
	}
	p.next()
}

// inside reads what a block holds, up to its own end.
func (p *parser) inside(open token, ends ...string) ([]*stmt, string) {
	body, end := p.block(ends...)
	if end == "" && p.slip != nil && p.slip.from == len(p.text) {
		p.slip.from, p.slip.to = int(open.from), int(open.to)
		p.slip.summary, p.slip.detail = "the block "+open.text+" does not end", "close it with {% "+ends[len(ends)-1]+" %}"
	}
	return body, end
}

func (p *parser) statement(open, word token, ends []string) *stmt {
	s := &stmt{op: word.text, to: int(word.to)}
	switch {
	case word.kind != nameToken:
		p.at--
		p.unexpected("a block begins with a word such as if, for or set")
	case word.is("if"):
		for end := "elif"; end == "elif"; {
			b := branch{when: p.tuple(false)}
			p.endTag()
			b.body, end = p.inside(word, "elif", "else", "endif")
			s.branches = append(s.branches, b)
			if end == "else" {
				p.endTag()
				b := branch{}
				b.body, _ = p.inside(word, "endif")
				s.branches = append(s.branches, b)
			}
		}
		p.endTag()
	case word.is("for"):
		s.targets = p.target()
		p.expect("in")
		s.value = p.tuple(false)
		if p.take("if") {
			s.test = p.expression(0)
		}
		if t := p.peek(); t.is("recursive") {
			p.refuse(t, "a loop that calls itself", "write a loop for each level")
		}
		p.endTag()
		p.set["loop"] = true
		end := ""
		if s.body, end = p.inside(word, "else", "endfor"); end == "else" {
			p.endTag()
			s.other, _ = p.inside(word, "endfor")
		}
		p.endTag()
	case word.is("set"):
		s.targets = p.target()
		if p.take("=") {
			s.value = p.tuple(true)
			p.endTag()
			break
		}
		if t := p.peek(); t.is("|") {
			p.refuse(t, "a filter of a block", "set the block first, and filter the name")
		}
		p.endTag()
		s.body, _ = p.inside(word, "endset")
		p.endTag()
	case word.is("macro"):
		s.targets = append(s.targets, p.assigned())
		p.expect("(")
		for !p.peek().is(")") && p.slip == nil {
			if len(s.targets) > 1 {
				p.expect(",")
			}
			parameter := p.assigned()
			if p.take("=") {
				parameter.args = []*expr{p.expression(0)}
			}
			s.targets = append(s.targets, parameter)
		}
		p.expect(")")
		p.endTag()
		s.body, _ = p.inside(word, "endmacro")
		p.endTag()
	default:
		p.unknown(word, ends)
	}
	if p.slip != nil {
		return nil
	}
	return s
}

// unknown refuses a block that is not there.
func (p *parser) unknown(word token, ends []string) {
	switch word.text {
	case "include", "import", "from", "extends", "block":
		p.refuse(word, "the block "+word.text, "there is no other template: write its text here")
	case "call", "filter", "with", "do", "autoescape", "trans":
		p.refuse(word, "the block "+word.text, "use set, and a filter in {{ }}")
	case "break", "continue", "debug":
		p.refuse(word, "the block "+word.text, "use if, or a condition in for")
	default:
		detail := ""
		if near := spelling.Nearest(word.text, append([]string{"if", "for", "set", "macro", "raw"}, ends...)); near != "" {
			detail = "did you mean " + near + "?"
		} else if len(ends) > 0 {
			detail = "here may be " + strings.Join(ends, ", ")
		}
		p.fail(int(word.from), int(word.to), "there is no block "+strconv.Quote(word.text)+" here", detail)
	}
}

// refuse says that something of Jinja is not there, which ends the parsing.
func (p *parser) refuse(at token, what, detail string) {
	p.report(rules.TemplateUnsupported, at, what+" is not supported", detail)
	p.fail(int(at.from), int(at.to), "", "")
}

func (p *parser) report(rule *diag.Rule, at token, summary, detail string) {
	if p.slip == nil && len(p.reports) < maxReports {
		p.reports = append(p.reports, report{slip{int(at.from), int(at.to), summary, detail}, rule})
	}
}

// assigned is a name that is given a value.
func (p *parser) assigned() *expr {
	t := p.next()
	e := &expr{op: "name", from: int(t.from), to: int(t.to), name: t.text}
	if t.kind != nameToken || isConstant(t.text) {
		p.at--
		p.unexpected("a name should be here")
	}
	p.set[t.text] = true
	return e
}

// target reads the names that are set, or an attribute of a namespace.
func (p *parser) target() []*expr {
	open := p.take("(")
	var out []*expr
	for len(out) == 0 || p.take(",") {
		e := p.assigned()
		if p.take(".") {
			t := p.next()
			e = &expr{op: "attr", from: e.from, to: int(t.to), name: t.text, args: []*expr{e}}
		}
		out = append(out, e)
	}
	if open {
		p.expect(")")
	}
	return out
}

func isConstant(name string) bool {
	switch name {
	case "true", "True", "false", "False", "none", "None":
		return true
	}
	return false
}

// tuple reads an expression, or several with commas between; conditional says that it may have an if of its own.
func (p *parser) tuple(conditional bool) *expr {
	first := p.binding(0, conditional)
	if !p.peek().is(",") {
		return first
	}
	e := &expr{op: "tuple", from: first.from, args: []*expr{first}}
	for p.take(",") {
		if t := p.peek(); t.kind == printEnd || t.kind == blockEnd || t.is(")") {
			break
		}
		e.args = append(e.args, p.binding(0, conditional))
	}
	e.to = p.last()
	return e
}

// How tight operators bind, the loosest first.
const (
	orPower = 1 + iota
	andPower
	notPower
	comparePower
	sumPower
	joinPower
	productPower
	powerPower
)

func power(op token) int {
	if op.kind != operator && op.kind != nameToken {
		return 0
	}
	switch op.text {
	case "or":
		return orPower
	case "and":
		return andPower
	case "==", "!=", "<", "<=", ">", ">=", "in", "not":
		return comparePower
	case "+", "-":
		return sumPower
	case "~":
		return joinPower
	case "*", "/", "//", "%":
		return productPower
	case "**":
		return powerPower
	}
	return 0
}

// expression reads what binds tighter than a power.
func (p *parser) expression(loosest int) *expr { return p.binding(loosest, true) }

func (p *parser) binding(loosest int, conditional bool) *expr {
	defer p.deeper()()
	left := p.operand(loosest)
	for p.slip == nil {
		op := p.peek()
		strength := power(op)
		if strength == 0 || strength <= loosest {
			break
		}
		p.next()
		name := op.text
		if name == "not" {
			p.expect("in")
			name = "not in"
		}
		right := p.binding(strength, false)
		switch {
		case strength == comparePower: // a < b < c compares each with the next
			if left.op != "compare" || left.name == "()" {
				left = &expr{op: "compare", from: left.from, args: []*expr{left}}
			}
			left.args = append(left.args, &expr{op: name, from: int(op.from), to: int(op.to)}, right)
		case name == "~" && left.op == "~":
			left.args = append(left.args, right)
		default:
			left = &expr{op: name, from: left.from, args: []*expr{left, right}}
		}
		left.to = right.to
	}
	for loosest == 0 && conditional && p.take("if") {
		e := &expr{op: "if", from: left.from, args: []*expr{p.binding(0, false), left}}
		if p.take("else") {
			e.args = append(e.args, p.expression(0))
		}
		e.to = p.last()
		left = e
	}
	return left
}

// operand reads what stands between operators, with what is done to it behind it.
func (p *parser) operand(loosest int) *expr {
	t := p.peek()
	if t.is("not") && loosest <= notPower {
		p.next()
		e := p.binding(notPower, false)
		return &expr{op: "not", from: int(t.from), to: e.to, args: []*expr{e}}
	}
	return p.filtered(p.unary())
}

func (p *parser) unary() *expr {
	defer p.deeper()()
	t := p.peek()
	if t.kind == operator && (t.text == "-" || t.text == "+") {
		p.next()
		e := p.unary()
		return p.postfix(&expr{op: "unary " + t.text, from: int(t.from), to: e.to, args: []*expr{e}})
	}
	return p.postfix(p.primary())
}

func (p *parser) primary() *expr {
	t := p.next()
	e := &expr{op: "const", from: int(t.from), to: int(t.to)}
	switch {
	case t.kind == nameToken && isConstant(t.text):
		if t.text[0]|0x20 != 'n' {
			e.value = t.text[0]|0x20 == 't'
		}
	case t.kind == nameToken:
		e.op, e.name = "name", t.text
		p.read = append(p.read, e)
	case t.kind == textToken:
		var text strings.Builder
		for text.WriteString(t.text); p.peek().kind == textToken; {
			text.WriteString(p.next().text)
		}
		e.value, e.to = text.String(), p.last()
	case t.kind == numberToken:
		e.value = t.number
	case t.is("("):
		if p.take(")") {
			e.op = "tuple"
			break
		}
		inner := p.tuple(true)
		p.expect(")")
		if inner.op == "compare" || inner.op == "not" {
			inner.name = "()" // a comparison or a test behind it is another one
		}
		return inner
	case t.is("["):
		e.op = "list"
		p.items("]", func() { e.args = append(e.args, p.expression(0)) })
		e.to = p.last()
	case t.is("{"):
		e.op = "dict"
		p.items("}", func() {
			key := p.expression(0)
			p.expect(":")
			e.args = append(e.args, key, p.expression(0))
		})
		e.to = p.last()
	default:
		p.at--
		p.unexpected("a value should be here: a name, a number, or a text in quotes")
	}
	return e
}

// items reads what commas divide, up to the bracket that closes it.
func (p *parser) items(end string, read func()) {
	for first := true; !p.peek().is(end) && p.slip == nil; first = false {
		if !first {
			p.expect(",")
			if p.peek().is(end) {
				break
			}
		}
		read()
	}
	p.expect(end)
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(e *expr) *expr {
	for n := 0; p.slip == nil; n++ {
		if n > maxChain {
			p.unexpected("there is too much behind one name")
		}
		switch {
		case p.take("."):
			t := p.next()
			switch {
			case t.kind == nameToken:
				e = &expr{op: "attr", from: e.from, to: int(t.to), name: t.text, args: []*expr{e}}
				if e.args[0].op == "name" {
					p.read = append(p.read, e)
				}
			case t.kind == numberToken && isInt(t.number):
				e = &expr{op: "item", from: e.from, to: int(t.to), args: []*expr{e, {op: "const", value: t.number, from: int(t.from), to: int(t.to)}}}
			default:
				p.at--
				p.unexpected("a name or a number stands behind a dot")
			}
		case p.take("["):
			e = p.subscript(e)
		case p.peek().is("("):
			e = p.call(&expr{op: "call", from: e.from, args: []*expr{e}})
		default:
			return e
		}
	}
	return e
}

func isInt(v any) bool { _, ok := v.(int64); return ok }

// subscript reads [item] or [from:to:step].
func (p *parser) subscript(e *expr) *expr {
	var parts [3]*expr
	n := 0
	for ; n < 3; n++ {
		if t := p.peek(); !t.is(":") && !t.is("]") {
			parts[n] = p.expression(0)
		}
		if !p.take(":") {
			break
		}
	}
	out := &expr{op: "item", from: e.from, args: []*expr{e, parts[0]}}
	if n > 0 {
		out.op, out.args = "slice", []*expr{e, parts[0], parts[1], parts[2]}
	} else if parts[0] == nil {
		p.unexpected("a key or a number should be here")
	}
	p.expect("]")
	out.to = p.last()
	return out
}

// call reads arguments, those with a name last.
func (p *parser) call(e *expr) *expr {
	p.next()
	p.items(")", func() {
		t := p.peek()
		switch {
		case t.is("*"), t.is("**"):
			p.refuse(t, "an argument with "+t.text, "write the arguments one by one")
		case t.kind == nameToken && p.at+1 < len(p.tokens) && p.tokens[p.at+1].is("="):
			p.at += 2
			e.named = append(e.named, &expr{op: "named", name: t.text, from: int(t.from), to: int(t.to), args: []*expr{p.expression(0)}})
		case len(e.named) > 0:
			p.unexpected("arguments without a name come before those with one")
		default:
			e.args = append(e.args, p.expression(0))
		}
	})
	e.to = p.last()
	return e
}

// filtered reads filters, tests and calls of what comes out of them.
func (p *parser) filtered(e *expr) *expr {
	for p.slip == nil {
		switch {
		case p.take("|"):
			e = p.named("filter", e, filters)
			if e.name == "default" {
				p.ask(e.args[0])
			}
		case p.take("is"):
			not := p.take("not")
			if e.op == "test" || e.op == "not" && e.args[0].op == "test" && e.name != "()" {
				p.unexpected("put the test before it in brackets")
			}
			e = p.named("test", e, tests)
			if e.name == "defined" || e.name == "undefined" {
				p.ask(e.args[0])
			}
			if not {
				e = &expr{op: "not", from: e.from, to: e.to, args: []*expr{e}}
			}
		case p.peek().is("("):
			e = p.call(&expr{op: "call", from: e.from, args: []*expr{e}})
		default:
			return e
		}
	}
	return e
}

// named reads the name of a filter or a test and its arguments.
func (p *parser) named(op string, subject *expr, table []signature) *expr {
	t := p.next()
	e := &expr{op: op, name: t.text, from: subject.from, to: int(t.to), args: []*expr{subject}}
	if t.kind != nameToken {
		p.at--
		p.unexpected("the name of a " + op + " should be here")
		return e
	}
	s := find(table, t.text)
	if s == nil {
		var names []string
		for _, known := range table {
			names = append(names, known.name)
		}
		detail := "there are " + strings.Join(names, ", ")
		if near := spelling.Nearest(t.text, names); near != "" {
			detail = "did you mean " + near + "?"
		}
		p.report(rules.TemplateUnsupported, t, "there is no "+op+" "+strconv.Quote(t.text)+" here", detail)
		s = &signature{}
	} else if s.same != "" {
		e.name = s.same
	}
	switch next := p.peek(); {
	case next.is("("):
		e = p.call(e)
	case op == "test" && s.parameters != "" && (next.kind == textToken || next.kind == numberToken || next.kind == nameToken || next.is("[") || next.is("{")):
		e.args = append(e.args, p.postfix(p.primary()))
		e.to = p.last()
	}
	return e
}

// ask marks a name that the template knows may have no value.
func (p *parser) ask(e *expr) {
	if path := pathOf(e); path != "" {
		p.asked[path] = true
	}
}

// pathOf is how an expression names a variable: ds.meta_data.name; "" of all else.
func pathOf(e *expr) string {
	switch e.op {
	case "name":
		return e.name
	case "attr", "item":
		path, key := pathOf(e.args[0]), e.name
		if e.op == "item" {
			switch v := e.args[1].value.(type) {
			case string:
				key = v
			case int64:
				key = strconv.FormatInt(v, 10)
			}
		}
		if path != "" && key != "" {
			return path + "." + key
		}
	}
	return ""
}
