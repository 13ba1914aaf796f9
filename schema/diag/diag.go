// Package diag holds findings about the user's text, and is the only code that draws one.
//
// A [Diagnostic] says that the text is wrong, where, and what to write instead. Trouble with the machine or
// the network is an error and never comes through here.
package diag

import (
	"fmt"
	"sort"
	"strings"

	"cloudconfig/schema/source"
)

// Severity says what a finding means for what happens next. The zero value is invalid.
type Severity int

const (
	// Error: nothing of the text is applied.
	Error Severity = iota + 1
	// Warning: reported, and we go on.
	Warning
	// Info: worth knowing.
	Info
)

// String is the word that is printed.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Info:
		return "info"
	}
	return "invalid"
}

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word; any other text is an error.
func (s *Severity) UnmarshalText(b []byte) error {
	for _, v := range []Severity{Error, Warning, Info} {
		if string(b) == v.String() {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("severity %q is none of error, warning, info", b)
}

// Rule is one thing that can be wrong. Rules are made in package rules, and nowhere else.
type Rule struct {
	// ID is stable and never used again for another rule: "unknown-key".
	ID string
	// Severity is what a finding has unless it says otherwise.
	Severity Severity
	// Machine says that the finding depends on the machine (plan and apply give it, validate does not).
	Machine bool
	// Title says in a few words what is wrong, without any text of the user's: it is what a machine prints.
	Title string
	// Help is one or more sentences on why, and what to write instead.
	Help string
	// Example is a snippet that breaks the rule, and Instead the same done right; both may be empty.
	Example, Instead string
}

// Diagnostic is one finding.
type Diagnostic struct {
	Rule     *Rule
	Severity Severity
	// Summary is one line, lower case, without a full stop. It may quote the user's text (quote with %q),
	// but never a secret.
	Summary string
	// Detail says what to do; empty if the summary says it all. It may suggest a near name.
	Detail string
	// Path is the place in the language's own words, made of known keys and indices only:
	// "write_files[2].permissions". It is safe to print anywhere.
	Path string
	// Subject is the tight range to underline.
	Subject source.Range
	// Related are other places that belong to it, such as the first of two duplicates.
	Related []Related
	// Secret says that the line of the subject must not be drawn.
	Secret bool
	// Fix is what mends it, where there is one cure and no other; all of the edits or none.
	Fix []Edit
}

// Related is a second place of a finding.
type Related struct {
	Message string       `json:"message"`
	At      source.Range `json:"at"`
}

// New is a finding of a rule, with the rule's severity. It has too many callers to be copied into each.
//
//go:noinline
func New(rule *Rule, at source.Range, format string, args ...any) Diagnostic {
	return Diagnostic{Rule: rule, Severity: rule.Severity, Subject: at, Summary: fmt.Sprintf(format, args...)}
}

// List is the findings of one run. The zero value is ready.
type List []Diagnostic

// Add appends findings.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func (l *List) Add(d ...Diagnostic) { *l = append(*l, d...) }

// HasErrors says whether any finding is an error, so that nothing may be applied.
func (l List) HasErrors() bool { return l.Count(Error) > 0 }

// Count counts the findings of one severity.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func (l List) Count(s Severity) int {
	n := 0
	for _, d := range l {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Reaches says whether any finding is as grave as a severity, or graver.
func (l List) Reaches(s Severity) bool {
	for _, d := range l {
		if d.Severity <= s {
			return true
		}
	}
	return false
}

// Tally is "2 errors, 1 warning"; empty for no findings.
func (l List) Tally() string {
	var words []string
	for _, s := range []Severity{Error, Warning, Info} {
		switch n := l.Count(s); {
		case n == 1:
			words = append(words, "1 "+s.String())
		case n > 1:
			words = append(words, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(words, ", ")
}

// Sorted is the list in source order, one finding per place and rule. Files keep the order in which they
// first appear; findings without a place come last.
func (l List) Sorted() List {
	order := map[string]int{}
	for _, d := range l {
		if _, seen := order[d.Subject.File]; !seen && !d.Subject.IsZero() {
			order[d.Subject.File] = len(order)
		}
	}
	type key struct {
		id   string
		at   source.Range
		what string // of findings without a place
	}
	seen := map[key]bool{}
	var out List
	for _, d := range l {
		k := key{id: d.Rule.ID, at: d.Subject}
		k.at.Made = 0
		if d.Subject.IsZero() {
			k.what = d.Summary
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, d)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Subject, out[j].Subject
		if a.IsZero() || b.IsZero() {
			return !a.IsZero() && b.IsZero()
		}
		if a.File != b.File {
			return order[a.File] < order[b.File]
		}
		return a.Before(b)
	})
	return out
}

// Redacted is the list as a machine may print, log and keep it: place, rule, severity and names of ours,
// and no word of the user's.
func (l List) Redacted() List {
	out := make(List, len(l))
	for i, d := range l {
		out[i] = Diagnostic{Rule: d.Rule, Severity: d.Severity, Path: d.Path, Subject: d.Subject, Secret: true, Summary: d.Rule.Title}
		if d.Path != "" {
			out[i].Summary += " in " + d.Path
		}
		for _, r := range d.Related {
			out[i].Related = append(out[i].Related, Related{At: r.At, Message: "see also"})
		}
	}
	return out
}

// Strict is the list with every warning made an error.
func (l List) Strict() List {
	out := append(List(nil), l...)
	for i := range out {
		if out[i].Severity == Warning {
			out[i].Severity = Error
		}
	}
	return out
}
