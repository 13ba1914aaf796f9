// Package xmltree reads XML as the platforms write it into trees of elements. It is small: encoding/xml would add 50 to
// 90 KB to the binary for four documents of a page each.
//
// [Parse] is the thing to call. Names are without their prefixes, namespaces are not looked at, and comments and
// processing instructions are passed over. A document type is refused, and so are entities other than XML's own five.
package xmltree

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth    = 64
	maxElements = 20_000
)

// Node is an element.
type Node struct {
	Name string
	// Text is what stands directly in it, CDATA too, with entities resolved.
	Text     string
	Attrs    []Attr
	Children []*Node
}

// Attr is an attribute.
type Attr struct{ Name, Value string }

// Attr is the value of an attribute, "" if there is none.
func (n *Node) Attr(name string) string {
	if n != nil {
		for _, a := range n.Attrs {
			if a.Name == name {
				return a.Value
			}
		}
	}
	return ""
}

// Find is the first element that a path of names leads to, nil if there is none.
func (n *Node) Find(path ...string) *Node {
	for _, name := range path {
		if all := n.All(name); len(all) > 0 {
			n = all[0]
		} else {
			return nil
		}
	}
	return n
}

// All is every child of a name.
func (n *Node) All(name string) []*Node {
	var all []*Node
	if n != nil {
		for _, c := range n.Children {
			if c.Name == name {
				all = append(all, c)
			}
		}
	}
	return all
}

// String is the text that a path leads to, without the blanks around it; "" if there is none.
func (n *Node) String(path ...string) string {
	if n = n.Find(path...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// Parse reads a document in UTF-8 and gives its one element. The error quotes nothing of the text.
func Parse(text string) (*Node, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("the XML is not in UTF-8")
	}
	p := &parser{rest: strings.TrimPrefix(text, "\uFEFF")}
	root := &Node{}
	p.open = []*Node{root}
	p.text = []*strings.Builder{{}}
	for p.rest != "" && p.err == nil {
		p.step()
	}
	switch {
	case p.err != nil:
		return nil, fmt.Errorf("line %d of the XML: %w", 1+strings.Count(text[:len(text)-len(p.rest)], "\n"), p.err)
	case len(p.open) > 1:
		return nil, errors.New("the XML ends within an element")
	case len(root.Children) != 1 || strings.TrimSpace(p.text[0].String()) != "":
		return nil, errors.New("the XML is not one element")
	}
	return root.Children[0], nil
}

type parser struct {
	rest     string
	open     []*Node // the elements that stand open, after one that holds the document
	text     []*strings.Builder
	elements int
	err      error
}

func (p *parser) fail(problem string) { p.err = errors.New(problem) }

// until takes what stands before a mark, and the mark with it.
func (p *parser) until(mark string) string {
	text, rest, ok := strings.Cut(p.rest, mark)
	if !ok {
		p.fail("there is no " + mark)
		return ""
	}
	p.rest = rest
	return text
}

// step reads the next piece: text, or what begins with "<".
func (p *parser) step() {
	top := len(p.open) - 1
	switch {
	case p.rest[0] != '<':
		end := strings.IndexByte(p.rest, '<')
		if end < 0 {
			end = len(p.rest)
		}
		p.text[top].WriteString(p.unescape(p.rest[:end]))
		p.rest = p.rest[end:]
	case p.take("<!--"):
		p.until("-->")
	case p.take("<?"):
		p.until("?>")
	case p.take("<![CDATA["):
		p.text[top].WriteString(p.until("]]>"))
	case strings.HasPrefix(p.rest, "<!"):
		p.fail("a document type is not read")
	case p.take("</"):
		name := local(strings.TrimSpace(p.until(">")))
		if p.err == nil && (top == 0 || p.open[top].Name != name) {
			p.fail("an element is closed that is not open")
			return
		}
		p.close()
	default:
		p.rest = p.rest[1:]
		p.begin()
	}
}

func (p *parser) take(mark string) bool {
	rest, ok := strings.CutPrefix(p.rest, mark)
	p.rest = rest
	return ok
}

func (p *parser) close() {
	if top := len(p.open) - 1; top > 0 {
		p.open[top].Text = p.text[top].String()
		p.open, p.text = p.open[:top], p.text[:top]
	}
}

// begin reads the tag that opens an element.
func (p *parser) begin() {
	n := &Node{Name: local(p.name())}
	p.elements++
	switch {
	case p.err != nil:
		return
	case p.elements > maxElements:
		p.fail("there are too many elements")
		return
	case len(p.open) > maxDepth:
		p.fail("elements are nested too deep")
		return
	}
	parent := p.open[len(p.open)-1]
	parent.Children = append(parent.Children, n)
	p.open, p.text = append(p.open, n), append(p.text, &strings.Builder{})
	for p.err == nil {
		p.blanks()
		switch {
		case p.take("/>"):
			p.close()
			return
		case p.take(">"):
			return
		}
		if len(n.Attrs) == maxDepth {
			p.fail("an element has too many attributes")
			return
		}
		name := local(p.name())
		p.blanks()
		if p.err == nil && !p.take("=") {
			p.fail("an attribute has no value")
		}
		p.blanks()
		quote := `"`
		if strings.HasPrefix(p.rest, "'") {
			quote = "'"
		}
		if p.err == nil && !p.take(quote) {
			p.fail("the value of an attribute is not quoted")
		}
		if p.err == nil {
			n.Attrs = append(n.Attrs, Attr{Name: name, Value: p.unescape(p.until(quote))})
		}
	}
}

func (p *parser) blanks() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// name takes a name with its prefix.
func (p *parser) name() string {
	end := strings.IndexAny(p.rest, " \t\r\n=/<>\"'&")
	if end <= 0 {
		p.fail("a name is missing")
		return ""
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name
}

func local(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// unescape resolves the entities of a text.
func (p *parser) unescape(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "&")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		entity, _, _ := strings.Cut(rest[:min(len(rest), 12)], ";")
		var r rune
		switch entity {
		case "lt":
			r = '<'
		case "gt":
			r = '>'
		case "amp":
			r = '&'
		case "quot":
			r = '"'
		case "apos":
			r = '\''
		default:
			r = character(entity)
		}
		if r < 0 || len(entity) == len(rest) || rest[len(entity)] != ';' {
			p.fail("an entity is unknown")
			return ""
		}
		out.WriteRune(r)
		text = rest[len(entity)+1:]
	}
}

// character is that of "#10" or "#xA", -1 if it is none that XML can have.
func character(entity string) rune {
	digits, ok := strings.CutPrefix(entity, "#")
	base := 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if !ok || err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
		return -1
	}
	return r
}

// Escape is a text as it can stand in an element or in a quoted attribute. What XML cannot have is left out.
func Escape(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '<':
			out.WriteString("&lt;")
		case r == '>':
			out.WriteString("&gt;")
		case r == '&':
			out.WriteString("&amp;")
		case r == '"':
			out.WriteString("&quot;")
		case r == '\'':
			out.WriteString("&apos;")
		case r >= ' ' && r != utf8.RuneError && r != 0xFFFE && r != 0xFFFF, r == '\n', r == '\t':
			out.WriteRune(r)
		}
	}
	return out.String()
}
