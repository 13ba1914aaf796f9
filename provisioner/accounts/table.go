package accounts

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// table is one account file: lines, of which some are entries.
type table struct {
	path     string
	missing  bool
	lines    []*line
	byName   map[string]*line // of several entries of one name the first counts, as for glibc
	broken   map[string]bool  // names of lines that are no entries
	at       int              // where a new entry goes: before NIS lines, since nothing behind those is found
	changed  bool
	appended bool
	unended  bool // the last line has no line end
	records  []Record
}

// line is one line without its end; fields is nil if it is no entry.
type line struct {
	raw     string
	fields  []string
	members map[string]bool // of a group somebody joins
	joined  []string        // who joins it
	gone    bool            // it is removed
}

// number is a field of an entry that was checked to be one when it was read.
func (l *line) number(field int) int {
	n, _ := parseID(l.fields[field])
	return n
}

// parseTable reads a file whose entries have so many fields, of which some must be ids.
func parseTable(path string, text []byte, fields int, numbers ...int) *table {
	t := &table{path: path, missing: text == nil, byName: map[string]*line{}, broken: map[string]bool{}}
	nis := -1
	for raw := range bytes.Lines(text) {
		s, ended := strings.CutSuffix(string(raw), "\n")
		t.unended = !ended
		l := &line{raw: s}
		t.lines = append(t.lines, l)
		if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
			if nis < 0 {
				nis = len(t.lines) - 1
			}
			continue
		}
		if s == "" || strings.HasPrefix(s, "#") {
			continue
		}
		f := strings.Split(s, ":")
		if len(f) != fields || f[0] == "" || !allIDs(f, numbers) {
			t.broken[f[0]] = true
			continue
		}
		l.fields = f
		if t.byName[f[0]] == nil {
			t.byName[f[0]] = l
		}
	}
	t.at = len(t.lines)
	if nis >= 0 {
		t.at = nis
	}
	return t
}

func allIDs(fields []string, numbers []int) bool {
	for _, n := range numbers {
		if _, ok := parseID(fields[n]); !ok {
			return false
		}
	}
	return true
}

// parseID reads a uid or gid.
func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil
}

// add appends an entry.
func (t *table) add(r Record, fields ...string) *line {
	l := &line{raw: strings.Join(fields, ":"), fields: fields}
	t.lines = slices.Insert(t.lines, t.at, l)
	t.at++
	t.byName[fields[0]] = l
	t.changed, t.appended = true, true
	t.records = append(t.records, r)
	return l
}

// put adds an entry, in place of one of the same name: such a line has outlived its account, and what it says
// was meant for somebody else.
func (t *table) put(r Record, fields ...string) {
	l := t.byName[fields[0]]
	if l == nil {
		t.add(r, fields...)
		return
	}
	l.fields, l.raw = fields, strings.Join(fields, ":")
	t.changed = true
	t.records = append(t.records, r)
}

// set changes one field of an entry.
func (t *table) set(l *line, field int, value string) {
	l.fields[field] = value
	l.raw = strings.Join(l.fields, ":")
	t.changed = true
}

// setAll changes an entry, but for its name.
func (t *table) setAll(l *line, fields []string) {
	l.fields, l.raw = fields, strings.Join(fields, ":")
	t.changed = true
}

// text is the whole file.
func (t *table) text() []byte {
	var b bytes.Buffer
	for i, l := range t.lines {
		if l.gone {
			continue
		}
		l.write(&b)
		if i < len(t.lines)-1 || !t.unended || t.appended {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// has says that a user is a member of an entry of group or gshadow, whose last field lists them.
func (l *line) has(user string) bool {
	if l.members == nil {
		l.members = map[string]bool{}
		for _, m := range strings.FieldsFunc(l.fields[len(l.fields)-1], isComma) {
			l.members[m] = true
		}
	}
	return l.members[user]
}

// join adds a member to an entry of group or gshadow, and says whether that is new.
func (t *table) join(l *line, user string, r Record) bool {
	if l.has(user) {
		return false
	}
	l.members[user] = true
	l.joined = append(l.joined, user)
	t.changed = true
	t.records = append(t.records, r)
	return true
}

// leave takes members out of an entry of group or gshadow.
func (t *table) leave(l *line, goes func(user string) bool) {
	last := len(l.fields) - 1
	members := strings.FieldsFunc(l.fields[last], isComma)
	some := false
	for _, m := range append(members, l.joined...) {
		if goes(m) {
			delete(l.members, m)
			t.records = append(t.records, Record{Name: memberRecord(l.fields[0], m), Action: "removed"})
			some = true
		}
	}
	if some {
		t.set(l, last, strings.Join(slices.DeleteFunc(members, goes), ","))
		l.joined = slices.DeleteFunc(l.joined, goes)
	}
}

// remove takes an entry out.
func (t *table) remove(name string, r Record) {
	l := t.byName[name]
	if l == nil {
		return
	}
	l.gone = true
	delete(t.byName, name)
	t.changed = true
	t.records = append(t.records, r)
}

// write appends the line, without its end.
func (l *line) write(b *bytes.Buffer) {
	b.WriteString(l.raw)
	for i, m := range l.joined {
		if i > 0 || !strings.HasSuffix(l.raw, ":") {
			b.WriteByte(',')
		}
		b.WriteString(m)
	}
}
