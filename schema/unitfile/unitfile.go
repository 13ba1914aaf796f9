// Package unitfile reads the text of a systemd unit: its sections and assignments with their places, and
// what systemd would pass over in silence ([Parse]). [Check] says what is wrong in units, drop-ins and networkd
// files, by the table of sections and directives in directives.txt; [Cycles] finds units that wait for each other.
//
// Format: systemd.syntax(7) and systemd.unit(5) of systemd 252.
package unitfile

import (
	"fmt"
	"strings"
)

// Section is a section of a unit. A name may come more than once.
type Section struct {
	Name       string
	Offset     int // of the [ in the text, in bytes
	Directives []Directive
}

// Directive is an assignment: Name=Value.
type Directive struct {
	Name string
	// Value is without the blanks around it. Lines that go on with a backslash are joined, each backslash
	// being a space; quotes and specifiers are as written.
	Value string
	// Offset and ValueOffset are where name and value begin in the text, in bytes; End is where the last line
	// of the assignment ends.
	Offset, ValueOffset, End int
}

// Fault is a line that systemd ignores or refuses.
type Fault struct {
	Offset int // of the first character of the line that is no blank, in bytes
	// Message says what is wrong, without any of the text.
	Message string
	// Refused says that systemd reads no further, and loads nothing of the file.
	Refused bool
}

// maxLine is how long a line may be, with those that go on from it.
const maxLine = 1 << 20

const blanks = " \t"

// include begins a line that named a file to be read in that place. systemd has dropped it.
const include = ".include "

// Parse reads the text of a unit or a drop-in. It reads on after a fault, unless a line is too long.
func Parse(text string) ([]Section, []Fault) {
	p := parser{text: text}
	if strings.HasPrefix(text, "\uFEFF") {
		p.next = len("\uFEFF")
	}
	for p.next < len(text) {
		offset, line, ok := p.logicalLine()
		switch {
		case !ok:
			p.refuse(offset, "the line is longer than %d bytes", maxLine)
			return p.sections, p.faults
		case line == "":
		case line[0] == '[':
			p.section(offset, line)
		default:
			p.directive(offset, line)
		}
	}
	return p.sections, p.faults
}

type parser struct {
	text     string
	next     int  // the offset of the next line
	end      int  // where the last line ended
	lost     bool // the last section line was none, so its directives have no section
	sections []Section
	faults   []Fault
}

func (p *parser) fault(offset int, format string, args ...any) {
	p.faults = append(p.faults, Fault{Offset: offset, Message: fmt.Sprintf(format, args...)})
}

// refuse reports a fault that makes systemd refuse the whole file.
func (p *parser) refuse(offset int, format string, args ...any) {
	p.fault(offset, format+"; systemd refuses the whole unit", args...)
	p.faults[len(p.faults)-1].Refused = true
}

// physicalLine cuts off a line without its end, which is LF, CR or both.
func (p *parser) physicalLine() (offset int, line string) {
	offset = p.next
	end := strings.IndexAny(p.text[offset:], "\n\r\x00")
	if end < 0 {
		p.next, p.end = len(p.text), len(p.text)
		return offset, p.text[offset:]
	}
	p.next, p.end = offset+end+1, offset+end
	if strings.HasPrefix(p.text[offset+end:], "\r\n") {
		p.next++
	}
	return offset, p.text[offset : offset+end]
}

// logicalLine cuts off a line together with those it goes on in. Comments among them are left out, and do
// not end it. The result is without the blanks around it; ok is false if it is too long.
func (p *parser) logicalLine() (offset int, line string, ok bool) {
	var joined strings.Builder
	offset = -1
	for p.next < len(p.text) {
		at, raw := p.physicalLine()
		l := strings.TrimLeft(raw, blanks)
		at += len(raw) - len(l)
		if l != "" && (l[0] == '#' || l[0] == ';') {
			if offset < 0 {
				return at, "", true
			}
			continue
		}
		if offset < 0 {
			offset = at
		}
		if joined.Len()+len(l) > maxLine {
			return offset, "", false
		}
		if backslashes := len(l) - len(strings.TrimRight(l, `\`)); backslashes%2 == 0 {
			joined.WriteString(l)
			break
		}
		joined.WriteString(l[:len(l)-1])
		joined.WriteByte(' ')
	}
	return offset, strings.TrimRight(joined.String(), blanks), true
}

func (p *parser) section(offset int, line string) {
	p.lost = true
	name, closed := strings.CutSuffix(line[1:], "]")
	switch {
	case !closed && strings.Contains(name, "]"):
		p.refuse(offset, "text after the ] of a section")
	case !closed:
		p.refuse(offset, "a section without its ]")
	case name == "":
		p.fault(offset, "a section without a name; systemd ignores it")
	default:
		p.lost = false
		p.sections = append(p.sections, Section{Name: name, Offset: offset})
	}
}

func (p *parser) directive(offset int, line string) {
	name, value, found := strings.Cut(line, "=")
	name = strings.TrimRight(name, blanks)
	ignored := len(p.sections) > 0 && strings.HasPrefix(p.sections[len(p.sections)-1].Name, "X-")
	switch {
	case ignored && (!found || name == ""):
		// Somebody else's section, whose lines systemd does not read.
	case !found && strings.HasPrefix(line, include):
		p.fault(offset, ".include is not read any more; drop_ins change a unit of the image")
	case !found:
		p.fault(offset, "neither a section, an assignment nor a comment; systemd ignores it")
	case name == "":
		p.fault(offset, "an assignment without a name in front of the =; systemd ignores it")
	case p.lost:
		// One slip, one fault: that of the section.
	case len(p.sections) == 0:
		p.fault(offset, "an assignment before the first section; systemd ignores it")
		p.lost = true
	default:
		s := &p.sections[len(p.sections)-1]
		at := p.valueOffset(offset)
		s.Directives = append(s.Directives, Directive{
			Name:        name,
			Value:       strings.TrimLeft(value, blanks),
			Offset:      offset,
			ValueOffset: at,
			End:         max(at, p.end),
		})
	}
}

// valueOffset finds where the value of the assignment at an offset begins, which may be on a later line.
func (p *parser) valueOffset(offset int) int {
	at := offset + strings.IndexByte(p.text[offset:p.next], '=') + 1
	for first := true; ; first = false {
		rest := strings.TrimLeft(p.text[at:p.next], blanks)
		at = p.next - len(rest)
		comment := !first && (strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, ";"))
		end := strings.IndexByte(rest, '\n')
		if end < 0 || !comment && !strings.HasPrefix(rest, "\\\n") && !strings.HasPrefix(rest, "\\\r\n") {
			return at
		}
		at += end + 1
	}
}
