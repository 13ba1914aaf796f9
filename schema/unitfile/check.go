package unitfile

import (
	"fmt"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/spelling"
)

// Check says what is wrong in the texts that make one unit, networkd file or settings file of a daemon: of its
// own text, which is the first where whole says so, and of its drop-ins in the order in which they are read.
// There is a list of slips for each text; nil if the name is that of nothing known.
//
// What systemd ignores with a line in its journal is a warning, what makes it refuse the unit an error.
func Check(name string, whole bool, texts ...string) [][]diag.Slip {
	kind, ok := typeOf(name)
	if !ok {
		return nil
	}
	c := &checker{name: name, kind: kind, texts: texts, slips: make([][]diag.Slip, len(texts))}
	for c.part = range texts {
		c.text()
	}
	if whole {
		c.part = 0
		c.together()
	}
	return c.slips
}

// checker holds the texts of one file against the table.
type checker struct {
	name     string
	kind     fileType
	texts    []string
	part     int // the text that is looked at
	slips    [][]diag.Slip
	settings []setting // of all texts, those that systemd reads
	headers  []setting // the first section of each name, without a directive
	places   places
	guesses  int // how many names have been compared with all others
	suspects []suspect
}

// setting is a directive in its section, in one of the texts.
type setting struct {
	part    int
	section string
	Directive
}

// suspect is a slip about a name that is not known, and the name that was probably meant.
type suspect struct {
	part, slip int
	meant      string
}

func (c *checker) report(rule *diag.Rule, from, to int, format string, args ...any) *diag.Slip {
	c.slips[c.part] = append(c.slips[c.part], diag.Slip{Rule: rule, From: from, To: to, Summary: fmt.Sprintf(format, args...)})
	return &c.slips[c.part][len(c.slips[c.part])-1]
}

// text checks one of the texts by itself.
func (c *checker) text() {
	text := c.texts[c.part]
	sections, faults := Parse(text)
	broken := -1 // the offset of a backslash that does not do its work, until a line is sound again
	for _, s := range sections {
		faults = c.faults(faults, s.Offset, &broken)
		b := c.section(s)
		lost := false // a backslash has made the next section a part of this one
		given := map[string]string{}
		for _, d := range s.Directives {
			faults = c.faults(faults, d.Offset, &broken)
			if b == nil || strings.HasPrefix(d.Name, "X-") {
				continue
			}
			e, known := b.find(d.Name)
			if !known {
				if broken < 0 && !lost {
					c.unknown(b, d)
				}
				continue
			}
			broken = -1
			lost = c.swallowed(b, d, e) || lost
			if at, ok := c.continuation(d, e); ok {
				broken = at
			}
			c.age(b, d, e)
			c.value(s.Name, d, e)
			if first := given[d.Name]; first != "" && d.Value != "" && first != d.Value && isSingle(d.Name) {
				c.report(rules.UnitOverridden, d.Offset, d.Offset+len(d.Name), "%s= is given again, and the %s before has no effect", d.Name, quoted(first))
			}
			given[d.Name] = d.Value
			c.settings = append(c.settings, setting{part: c.part, section: s.Name, Directive: d})
		}
	}
	c.faults(faults, len(text)+1, &broken)
}

// faults reports what the parser found before an offset, and gives the rest. What follows a broken backslash
// was reported with it.
func (c *checker) faults(faults []Fault, before int, broken *int) []Fault {
	for len(faults) > 0 && faults[0].Offset < before {
		f := faults[0]
		faults = faults[1:]
		if *broken >= 0 && !f.Refused {
			continue
		}
		s := c.report(rules.UnitSyntax, f.Offset, lineEnd(c.texts[c.part], f.Offset), "%s", f.Message)
		if f.Refused {
			s.Severity = diag.Error
			*broken = f.Offset
		}
	}
	return faults
}

// lineEnd is where the line at an offset ends, blanks at its end left out.
func lineEnd(text string, offset int) int {
	end := len(text)
	if i := strings.IndexAny(text[offset:], "\n\r\x00"); i >= 0 {
		end = offset + i
	}
	return offset + len(strings.TrimRight(text[offset:end], blanks))
}

// section finds a section in the table, and says so if it is not there.
func (c *checker) section(s Section) *block {
	b := sectionOf(c.kind, s.Name)
	c.headers = append(c.headers, setting{part: c.part, section: s.Name, Directive: Directive{Offset: s.Offset}})
	if b != nil || strings.HasPrefix(s.Name, "X-") {
		return b
	}
	slip := c.report(rules.UnitSection, s.Offset, s.Offset+len(s.Name)+2, "[%s] is no section that systemd knows; it ignores it", shown(s.Name))
	if meant := c.meant(s.Name, func() []string { return sectionsOf(c.kind) }); meant != "" {
		slip.Detail = "did you mean [" + meant + "]?"
		return nil
	}
	for _, other := range blocks() {
		if other.name == s.Name {
			slip.Summary = fmt.Sprintf("a %s has no [%s] section; systemd ignores it", c.kind.article(), s.Name)
		}
	}
	return nil
}

// article is how a message names a file type: ".service", "journald.conf".
func (k fileType) article() string {
	if strings.Contains(k.name, ".") {
		return k.name
	}
	return "." + k.name
}

// shown is a name as a message may show it.
func shown(name string) string {
	q := quoted(name)
	return q[1 : len(q)-1]
}

// maxGuesses is for how many names of one file all others are compared, since that takes its time.
const maxGuesses = 3

// meant is the name that was probably meant; the last slip is remembered as suspect.
func (c *checker) meant(name string, names func() []string) string {
	if c.guesses++; c.guesses > maxGuesses {
		return ""
	}
	meant := spelling.Nearest(name, names())
	if meant != "" {
		c.suspects = append(c.suspects, suspect{part: c.part, slip: len(c.slips[c.part]) - 1, meant: meant})
	}
	return meant
}

func (c *checker) unknown(b *block, d Directive) {
	slip := c.report(rules.UnitDirective, d.Offset, d.Offset+len(d.Name), "unknown directive %s in [%s]", quoted(d.Name), b.name)
	all := blocks()
	for i := range all {
		if other := &all[i]; other.of(c.kind) {
			if _, there := other.find(d.Name); there {
				slip.Detail = d.Name + "= belongs in [" + other.name + "]"
				return
			}
		}
	}
	if d.Name[0] == '-' || d.Name[0] == '"' {
		slip.Detail = "the line above does not end in a backslash, so this one is not a part of it"
		return
	}
	if meant := c.meant(d.Name, b.names); meant != "" {
		slip.Detail = fmt.Sprintf("did you mean %q?", meant)
	}
}

// age says that a directive is old, or newer than what every machine has.
func (c *checker) age(b *block, d Directive, e entry) {
	from, to := d.Offset, d.Offset+len(d.Name)
	switch {
	case e.old:
		slip := c.report(rules.UnitDeprecated, from, to, "%s= is old", d.Name)
		switch section, name, moved := strings.Cut(e.instead, "]"); {
		case e.instead == "+":
			slip.Detail = "write a + before the commands that are to run with all rights"
		case e.instead == "":
			slip.Detail = "it has no effect any more"
		case moved && name == d.Name:
			slip.Detail = "it belongs in " + section + "] now"
		case moved:
			slip.Detail = "use " + name + "= in " + section + "]"
		default:
			slip.Detail = "use " + e.instead + "="
		}
	case e.since == "+":
		c.report(rules.UnitNewer, from, to, "%s= is newer than systemd 252", d.Name)
	case e.since != "":
		c.report(rules.UnitNewer, from, to, "%s= is known from systemd %s on", d.Name, e.since)
	}
}

// isSingle says of a directive that it surely was not meant to be there twice.
func isSingle(name string) bool {
	switch name {
	case "Type", "Restart", "RestartSec", "KillMode", "User", "Group", "WorkingDirectory", "RemainAfterExit", "TimeoutStartSec", "TimeoutStopSec", "What", "Where", "Kind":
		return true
	}
	return false
}

// value judges the value of a directive.
func (c *checker) value(section string, d Directive, e entry) {
	switch {
	case d.Value == "":
		return
	case e.kind == "exec":
		c.command(d)
		return
	}
	rule := rules.UnitValue
	switch {
	case e.kind == "calendar":
		rule = rules.CalendarExpression
	case !c.kind.unit && !strings.Contains(c.kind.name, "."):
		rule = rules.NetworkValue
	}
	for _, w := range judge(e.kind, d.Value) {
		from, to := c.span(d, w)
		slip := c.report(rule, from, to, "%s", c.about(d, w.what))
		slip.Detail = w.detail
		if w.from+w.to == 0 && strings.Contains(d.Value, " #") {
			slip.Detail = "a comment has a line of its own"
		}
		if i := strings.LastIndexByte(w.what, '"'); slip.Detail == "" && (e.kind == "unit" || e.kind == "units") && i > 0 {
			slip.Detail = unitDetail(d.Name, c.texts[c.part][from:to])
		}
		if e.kind == "directory" && d.Value[0] != '-' || e.kind == "path" && strings.HasPrefix(d.Name, "Root") {
			slip.Severity = diag.Error // systemd refuses the unit
		}
	}
}

// about is a message with the name of the directive before it where it goes on from that.
func (c *checker) about(d Directive, what string) string {
	if strings.HasPrefix(what, "cannot ") {
		return d.Name + "= " + what
	}
	return d.Name + ": " + what
}

// unitDetail guesses why a word is not a unit.
func unitDetail(directive, word string) string {
	suffix := ".service"
	switch {
	case directive == "Slice":
		suffix = ".slice"
	case directive == "Sockets":
		suffix = ".socket"
	case directive == "WantedBy", directive == "RequiredBy", strings.HasPrefix(word, "network"), strings.HasSuffix(word, "-fs"), word == "multi-user":
		suffix = ".target"
	}
	switch trimmed := strings.TrimRight(word, ",;"); {
	case trimmed != word && ValidName(trimmed):
		return "units are parted by blanks alone"
	case !strings.Contains(word, ".") && ValidName(word+suffix):
		return fmt.Sprintf("did you mean %q?", word+suffix)
	}
	return ""
}

func (c *checker) command(d Directive) {
	c.specifiers(d)
	for _, f := range command(d.Value) {
		from, to := c.span(d, f.wrong)
		switch f.class {
		case refused:
			c.report(rules.UnitExec, from, to, "%s", c.about(d, f.what)).Detail = f.detail
		case shell:
			c.report(rules.UnitShell, from, to, "%s", c.about(d, f.what)).Detail = f.detail
		case dropped, strange:
			slip := c.report(rules.UnitExec, from, to, "%s", c.about(d, f.what))
			slip.Severity, slip.Detail = diag.Warning, f.detail
		}
	}
}

// specifiers finds the formats of date in a command: +%Y-%m, where systemd has its own meaning for a letter.
func (c *checker) specifiers(d Directive) {
	if !strings.Contains(d.Value, "+%") {
		return
	}
	words, _ := split(d.Value)
	for _, w := range words {
		text := d.Value[w.from:w.to]
		format := strings.Index(text, "+%")
		if format < 0 || strings.Count(text[format:], "%") < 2 && !strings.Contains(d.Value, "date ") {
			continue
		}
		for i := format + 1; i+1 < len(text); i++ {
			if text[i] != '%' {
				continue
			}
			// Source: systemd.unit(5), "Specifiers", systemd 252; %D came with 255.
			if strings.IndexByte("aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY", text[i+1]) >= 0 {
				from, to := c.span(d, wrong{from: w.from + i, to: w.from + i + 2})
				c.report(rules.UnitSpecifier, from, to, "systemd replaces %s before the program sees it", text[i:i+2]).Detail = "write %% for every % that the program is to see"
				break
			}
			i++
		}
	}
}

// span is where a part of a value stands in the text.
func (c *checker) span(d Directive, w wrong) (from, to int) {
	text := c.texts[c.part]
	if w.from == 0 && w.to == 0 {
		end := lineEnd(text[:d.End], d.ValueOffset)
		return d.ValueOffset, max(d.ValueOffset+1, end)
	}
	if c.places.text != text || c.places.d.Offset != d.Offset {
		c.places = places{text: text, d: d}
	}
	from = c.places.of(w.from)
	return from, max(from+1, c.places.of(w.to-1)+1)
}

// places finds where the bytes of a value stand in the text. It goes on from the line where it was last.
type places struct {
	text string
	d    Directive
	line int // where the line begins, in the value
	at   int // and in the text, from the beginning of the value
	// here is the line, and next what follows it; both are empty until they are known.
	here, next string
}

// of is the offset in the text of the byte at an offset of the value.
func (p *places) of(i int) int {
	if i < p.line {
		*p = places{text: p.text, d: p.d}
	}
	for {
		at := p.d.ValueOffset + p.at
		if p.here == "" && p.next == "" {
			p.here, p.next = cutLine(p.text[at:p.d.End])
		}
		line, next := p.here, p.next
		if i -= p.line; i < len(line) || next == "" {
			return min(at+i, p.d.End)
		}
		i += p.line
		p.line += len(line) // the backslash is a blank in the value
		for next != "" {
			next = strings.TrimLeft(next, blanks)
			if next == "" || next[0] != '#' && next[0] != ';' {
				break
			}
			_, next = cutLine(next)
		}
		p.at = p.d.End - len(next) - p.d.ValueOffset
		p.here, p.next = "", ""
		if next == "" {
			return p.d.End
		}
	}
}

// cutLine cuts a text after its first line, whose end is LF, CR or both.
func cutLine(text string) (line, next string) {
	i := strings.IndexAny(text, "\n\r\x00")
	if i < 0 {
		return text, ""
	}
	line, next = text[:i], text[i+1:]
	if strings.HasPrefix(text[i:], "\r\n") {
		next = text[i+2:]
	}
	return line, next
}

// continuation finds a backslash with blanks behind it, and says where.
func (c *checker) continuation(d Directive, e entry) (at int, broken bool) {
	text := c.texts[c.part]
	backslashes := len(d.Value) - len(strings.TrimRight(d.Value, `\`))
	end := strings.TrimRight(text[d.ValueOffset:d.End], blanks)
	if backslashes%2 == 0 || !strings.HasSuffix(end, `\`) || d.ValueOffset+len(end) == d.End {
		return 0, false
	}
	at = d.ValueOffset + len(end) - 1
	next := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(text[d.End:], "\r"), "\n"), blanks)
	next, _ = cutLine(next)
	name, _, assigned := strings.Cut(next, "=")
	if next == "" || next[0] == '[' || next[0] == '#' || assigned && isVariableName(strings.TrimSpace(name)) && e.kind != "environment" {
		return 0, false // nothing was to follow
	}
	c.report(rules.UnitContinuation, at, d.End, "a blank behind the backslash: the line ends here, and what follows is not a part of %s=", d.Name).Detail = "remove the blank"
	return at, true
}

// swallowed finds a section or a directive of this section that a backslash before it has made a part of a
// value, and says whether it was a section.
func (c *checker) swallowed(b *block, d Directive, e entry) (section bool) {
	text := c.texts[c.part]
	_, rest := cutLine(text[d.Offset:d.End])
	for rest != "" {
		at := d.End - len(strings.TrimLeft(rest, blanks))
		var line string
		line, rest = cutLine(text[at:d.End])
		name, _, assigned := strings.Cut(line, "=")
		what := ""
		switch {
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") && sectionOf(c.kind, line[1:len(line)-1]) != nil:
			what = line
		case assigned && e.kind != "environment":
			if _, known := b.find(name); known {
				what = name + "="
			}
		}
		if what != "" {
			c.report(rules.UnitContinuation, at, at+len(strings.TrimSuffix(what, "=")), "the line above ends in a backslash, so %s is a part of %s=", what, d.Name).Detail = "remove that backslash"
			return line[0] == '['
		}
	}
	return false
}
