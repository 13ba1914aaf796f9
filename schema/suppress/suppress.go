// Package suppress takes findings away that a comment in the text asks to ignore:
//
//	packages: [nginx] # provisioner: ignore unsupported-key the image has it
//
// [Apply] is the thing to call. A comment is known by its looks alone, so one in a unit or script inside the text
// counts as well. It is about its own line, or, where it has a line to itself, about the next line that is neither
// blank nor a comment. An error is never taken away: a machine does not look at these comments.
package suppress

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
)

// maxComments is how many comments of a file are read.
const maxComments = 1000

// comment is one that ignores rules.
type comment struct {
	at     source.Range
	target int // the line it is about; 0 if nothing comes after it
	ids    []id
	reason bool
}

// id is the id of a rule as a comment has it.
type id struct {
	name string
	at   source.Range
	rule *diag.Rule // nil if there is none
	used bool       // something of the rule was found
}

// Apply gives the findings that are left, with those about the comments themselves, in source order; and how many
// findings were taken away. Files are all those that the findings can be in.
//
// That a comment has nothing to ignore is found only in a file without errors, since an error can keep other
// findings from being made; and of no rule that depends on the machine.
func Apply(files []*source.File, l diag.List) (diag.List, int) {
	type place struct {
		file string
		line int
	}
	about := map[place][]*comment{}
	var comments []*comment
	for _, f := range files {
		for _, c := range find(f) {
			comments = append(comments, c)
			at := place{f.Name, c.target}
			about[at] = append(about[at], c)
		}
	}
	if len(comments) == 0 {
		return l, 0
	}
	var left, own diag.List
	wrong := map[string]bool{} // files with errors
	for _, d := range l {
		keep := true
		for _, c := range about[place{d.Subject.File, d.Subject.Start.Line}] {
			i := slices.IndexFunc(c.ids, func(i id) bool { return i.rule == d.Rule })
			if i < 0 {
				continue
			}
			if keep = d.Severity == diag.Error; keep && !c.ids[i].used {
				refused := diag.New(rules.IgnoreError, c.ids[i].at, "%s is an error here, which cannot be ignored", d.Rule.ID)
				refused.Detail = "mend it: a machine refuses the configuration"
				refused.Related = []diag.Related{{Message: "the error", At: d.Subject}}
				own.Add(refused)
			}
			c.ids[i].used = true
		}
		if keep {
			left.Add(d)
		}
		wrong[d.Subject.File] = wrong[d.Subject.File] || d.Severity == diag.Error
	}
	ignored := len(l) - len(left)
	for _, c := range comments {
		own.Add(c.check(wrong[c.at.File])...)
	}
	return append(left, own...).Sorted(), ignored
}

// check says what is wrong with a comment, at most one thing of each kind.
func (c *comment) check(inWrongFile bool) (found diag.List) {
	if len(c.ids) == 0 {
		d := diag.New(rules.UnknownIgnore, c.at, "the comment names no rule")
		d.Detail = "write: ignore RULE reason"
		return diag.List{d}
	}
	if i := slices.IndexFunc(c.ids, func(i id) bool { return i.rule == nil }); i >= 0 {
		d := diag.New(rules.UnknownIgnore, c.ids[i].at, "no rule is called %q", c.ids[i].name)
		if near := spelling.Nearest(c.ids[i].name, names()); near != "" {
			d.Detail = fmt.Sprintf("did you mean %q?", near)
		}
		return diag.List{d}
	}
	if !c.reason {
		d := diag.New(rules.IgnoreWithoutReason, c.at, "the comment does not say why %s is ignored", c.ids[0].rule.ID)
		d.Detail = "write the reason after the rule"
		found.Add(d)
	}
	for _, i := range c.ids {
		if !i.used && !i.rule.Machine && !inWrongFile {
			d := diag.New(rules.UnusedIgnore, i.at, "%s finds nothing on line %d", i.rule.ID, c.target)
			if c.target == 0 {
				d.Summary = "no line comes after this comment"
			}
			d.Detail = "remove " + i.rule.ID + " from the comment"
			found.Add(d)
		}
	}
	return found
}

func names() []string {
	var out []string
	for _, r := range rules.All() {
		out = append(out, r.ID)
	}
	return out
}

const mark = "provisioner:"

// find reads the comments of a file. A place in the text is looked up for comments alone: in a hostile text the mark
// is there a million times, on one line.
func find(f *source.File) []*comment {
	var out []*comment
	next := 0 // what comments of a line to themselves are about, up to this line
	for offset := 0; len(out) < maxComments; {
		i := bytes.Index(f.Bytes[offset:], []byte(mark))
		if i < 0 {
			break
		}
		offset += i + len(mark)
		from, ids := opening(f.Bytes, offset)
		if from < 0 {
			continue
		}
		n := f.Pos(from).Line
		begin := f.Offset(n, 1)
		end := begin + len(f.Text(n))
		c := parse(f, from, ids, end)
		c.target = n
		if len(bytes.TrimSpace(f.Bytes[begin:from])) == 0 {
			for next = max(next, n+1); next < f.FirstLine()+f.Lines() && !counts(f.Text(next)); next++ {
			}
			c.target = next
			if next == f.FirstLine()+f.Lines() {
				c.target = 0
			}
		}
		out = append(out, c)
		offset = max(offset, end)
	}
	return out
}

// opening says where the comment whose mark ends at an offset begins, and where its rules do; below 0 if it is none.
func opening(text []byte, after int) (from, ids int) {
	before := bytes.TrimRight(text[:after-len(mark)], " \t")
	from = len(bytes.TrimRight(before, "#"))
	if from == len(before) || from > 0 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(text[from-1])) {
		return -1, 0
	}
	ids = after + blanks(text[after:])
	rest, ok := bytes.CutPrefix(text[ids:], []byte("ignore"))
	if !ok || len(rest) > 0 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])) {
		return -1, 0
	}
	return from, len(text) - len(rest)
}

// counts says that a line is neither blank nor a comment, as YAML, units and scripts have them.
func counts(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) > 0 && line[0] != '#' && line[0] != ';'
}

// parse reads the comment between two offsets of a file, whose rules begin at another.
func parse(f *source.File, from, at, end int) *comment {
	line := f.Bytes[:end]
	c := &comment{at: f.Range(from, len(bytes.TrimRight(line, " \t")))}
	for more := true; more; {
		at += blanks(line[at:])
		last := at
		for last < end && line[last] != ',' && line[last] != ' ' && line[last] != '\t' {
			last++
		}
		if name := string(line[at:last]); name != "" && len(c.ids) < maxIDs && !slices.ContainsFunc(c.ids, func(i id) bool { return i.name == name }) {
			c.ids = append(c.ids, id{name: name, at: f.Range(at, last), rule: rules.Lookup(name)})
		}
		at = last + blanks(line[last:])
		if more = at < end && line[at] == ','; more {
			at++
		}
	}
	c.reason = strings.Trim(string(line[at:]), " \t-:") != ""
	return c
}

// maxIDs is how many rules of one comment are read.
const maxIDs = 20

func blanks(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }
