package networkd

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloudconfig/schema/network"
)

// A text is a file in the form of systemd.syntax(7) that is being made. Every value goes through [text.set], and
// what could be read as anything but one value of one setting is not written.
type text struct {
	sections []section
	problems []problem
	secret   bool
}

type section struct {
	name     string
	settings []setting
}

type setting struct{ key, value string }

// isFor says that the first section, which tells what the file is for, says so. A file without it would be for every interface.
func (t *text) isFor() bool { return len(t.sections[0].settings) > 0 }

// A problem is a value that was not written. It does not hold the value, which may be a key.
type problem struct{ key, why string }

// begin starts a section. One that gets no setting is not written.
func (t *text) begin(name string) { t.sections = append(t.sections, section{name: name}) }

// set writes a setting into the last section. An empty value is one that is not said, and not written.
func (t *text) set(key, value string) {
	if value == "" {
		return
	}
	if why := valueProblem(value); why != "" {
		t.problems = append(t.problems, problem{key, why})
		return
	}
	s := &t.sections[len(t.sections)-1]
	s.settings = append(s.settings, setting{key, value})
}

// items writes a setting whose value is a list with blanks between; an item with a blank in it would be two.
func (t *text) items(key string, items []string) {
	for _, item := range items {
		if why := itemProblem(item); why != "" {
			t.problems = append(t.problems, problem{key, why})
			return
		}
	}
	t.set(key, strings.Join(items, " "))
}

// word writes one of the words that systemd has for a setting.
func (t *text) word(key, value, known string) {
	if value != "" && !slices.Contains(strings.Fields(known), value) {
		t.problems = append(t.problems, problem{key, "it is not one of " + strings.ReplaceAll(known, " ", ", ")})
		return
	}
	t.set(key, value)
}

func (t *text) toggle(key string, v network.Toggle) {
	switch v {
	case network.On:
		t.set(key, "yes")
	case network.Off:
		t.set(key, "no")
	}
}

func (t *text) number(key string, v *uint32) { t.within(key, v, 0, math.MaxUint32) }

// within writes a number of a range that systemd has; both ends belong to it.
func (t *text) within(key string, v *uint32, low, high uint32) {
	switch {
	case v == nil:
	case *v < low || *v > high:
		t.problems = append(t.problems, problem{key, fmt.Sprintf("%d is not from %d to %d", *v, low, high)})
	default:
		t.set(key, strconv.FormatUint(uint64(*v), 10))
	}
}

// positive writes a number for which 0 means that nothing is said.
func (t *text) positive(key string, v int) {
	if v > 0 {
		t.set(key, strconv.Itoa(v))
	}
}

// milliseconds writes a time in the largest unit that it is a whole number of: 100ms, 30s, 15m.
func (t *text) milliseconds(key string, v *uint32) {
	switch {
	case v == nil:
	case *v == 0 || *v%1000 != 0:
		t.set(key, strconv.FormatUint(uint64(*v), 10)+"ms")
	case *v%60000 != 0:
		t.set(key, strconv.FormatUint(uint64(*v/1000), 10)+"s")
	default:
		t.set(key, strconv.FormatUint(uint64(*v/60000), 10)+"m")
	}
}

// String is the file, with an empty line between sections.
func (t *text) String() string {
	var b strings.Builder
	for _, s := range t.sections {
		if len(s.settings) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("[" + s.name + "]\n")
		for _, v := range s.settings {
			b.WriteString(v.key + "=" + v.value + "\n")
		}
	}
	return b.String()
}

// valueProblem says why a value must not be written. A newline would begin a setting of its own, and a backslash at the end take the next
// line away; quotes and backslashes mean something in some values, and % does in newer versions.
func valueProblem(value string) string {
	for _, c := range value {
		switch {
		case unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c == utf8.RuneError:
			return "a control character is in it"
		case strings.ContainsRune("\"'\\%", c):
			return "a quote, a backslash or a percent sign is in it"
		}
	}
	if strings.TrimSpace(value) != value {
		return "a blank is at one of its ends"
	}
	return ""
}

// itemProblem says why a word must not be written into a list.
func itemProblem(item string) string {
	switch {
	case item == "":
		return "a word in it is empty"
	case strings.ContainsFunc(item, unicode.IsSpace):
		return "a blank is in it"
	case item[0] == '!':
		return "a ! in front is a negation"
	}
	return valueProblem(item)
}
