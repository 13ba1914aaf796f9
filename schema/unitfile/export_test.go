package unitfile

import "strings"

// Known says that the table has a directive in a section of a file, and what has taken its place if it is old.
func Known(file, section, directive string) (known bool, instead string) {
	kind, _ := typeOf(file)
	b := sectionOf(kind, section)
	if b == nil {
		return false, ""
	}
	e, ok := b.find(directive)
	return ok, e.instead
}

// Sections are the sections that a file may have.
func Sections(file string) []string {
	kind, _ := typeOf(file)
	return sectionsOf(kind)
}

// Names are the directives of a section of a file.
func Names(file, section string) []string {
	kind, _ := typeOf(file)
	return sectionOf(kind, section).names()
}

// KindOf is the kind of a directive's value.
func KindOf(file, section, directive string) string {
	kind, _ := typeOf(file)
	e, _ := sectionOf(kind, section).find(directive)
	return e.kind
}

// Judged says that values of a kind are judged, or are free text.
func Judged(kind string) bool {
	kind, _, _ = strings.Cut(kind, " ")
	return kind == "text" || kind == "exec" || judgeOf(kind) != nil
}
