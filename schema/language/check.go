package language

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/yamltree"
)

// Checker holds a document against the table. What it finds wrong it reports once and marks, so that the
// reader passes it over.
type Checker struct {
	*findings.Collector
	// keys has the place of the key of every value that begins on a line below it.
	keys map[*yamltree.Node]source.Range
}

// CheckDocument holds a document against the language.
func (c *Checker) CheckDocument(root *yamltree.Node) { c.check(root, &language, "") }

// CheckFilePath checks a value that turns out to be the path of a file.
func (c *Checker) CheckFilePath(at string, n *yamltree.Node) { isFilePath(c, at, n) }

// CheckText checks a value that turns out to be text in YAML, and no other language.
func (c *Checker) CheckText(at string, n *yamltree.Node, secret bool) {
	c.readOtherwise(n, at, &shape{kind: text, secret: secret})
}

// check holds a value against its shape.
func (c *Checker) check(n *yamltree.Node, s *shape, path string) {
	if s.secret {
		c.Secret[n] = true
	}
	if n.Broken {
		c.Bad[n] = true
		return
	}
	if n.Kind == yamltree.Null {
		if s.null {
			return
		}
		if path != "" {
			c.ReportAt(rules.EmptyValue, path, c.dash(n), "%s has no value", path)
		}
		c.Bad[n] = true
		return
	}
	if s.kind == either {
		if of := s.choose(n); of != nil {
			c.check(n, of, path)
			return
		}
	}
	if !s.fits(n) {
		c.wrongType(n, path, s)
		return
	}
	if s.blank && n.Kind == yamltree.Scalar && n.Value == "" {
		c.Bad[n] = true // it counts as not written
		return
	}
	switch s.kind {
	case mapping:
		c.checkMapping(n, s, path)
	case list:
		c.checkList(n, s, path)
	case commas:
		c.checkCommas(n, s, path)
	case permissions:
		c.checkPermissions(n, path)
	case anything:
	default:
		c.checkScalar(n, s, path)
	}
}

// dash is the place of an item that is nothing: its dash.
func (c *Checker) dash(n *yamltree.Node) source.Range {
	f, at := c.Sources[n.Range.File], n.Range.Start.Offset
	if f == nil || n.Range.End.Offset > at || at < 1 || at > len(f.Bytes) || f.Bytes[at-1] != '-' {
		return n.Range
	}
	return f.Range(at-1, at)
}

// choose finds the shape that is meant among those of an alternative: one that takes the value, else the first of
// its kind; nil if there is none.
func (s *shape) choose(n *yamltree.Node) *shape {
	var first *shape
	for _, of := range s.either {
		switch {
		case !of.fits(n):
			continue
		case of.takes(n):
			return of
		case first == nil:
			first = of
		}
	}
	return first
}

// fits says that a value is of the kind that a shape takes.
func (s *shape) fits(n *yamltree.Node) bool {
	switch s.kind {
	case anything:
		return true
	case either:
		return s.choose(n) != nil
	case mapping:
		return n.Kind == yamltree.Mapping
	case list:
		return n.Kind == yamltree.Sequence || s.lone && n.Kind == yamltree.Scalar
	}
	if n.Kind != yamltree.Scalar {
		return false
	}
	ok := true
	switch s.kind {
	case text, commas:
		return !s.strict || n.Tag != "!!bool" && n.Tag != "!!int" && n.Tag != "!!float"
	case boolean:
		_, ok = AsBoolean(n)
	case integer:
		_, ok = AsInteger(n)
	case number:
		ok = isNumber(n)
	}
	return ok && n.Tag != "!!binary" && (!s.strict || n.Style == yamltree.Plain && n.Tag != "!!str" || s.kind == boolean && n.Style == yamltree.Plain)
}

// takes says that a value which fits is one that its shape takes: of a mapping, that its keys with few values are
// as they must be.
func (s *shape) takes(n *yamltree.Node) bool {
	if s.kind != mapping {
		return s.kind == list || s.wrongValue(n) == ""
	}
	for f := range s.all {
		if f.shape.oneOf == nil {
			continue
		}
		value := PairOf(n, f.name).Value
		if value == nil && f.required || value != nil && value.Kind == yamltree.Scalar && f.shape.wrongValue(value) != "" {
			return false
		}
	}
	return true
}

// wrongValue says what a shape takes in place of a scalar that it does not take; empty if it does.
func (s *shape) wrongValue(n *yamltree.Node) string {
	switch {
	case s.oneOf != nil && !slices.Contains(s.oneOf, asWord(n, s.oneOf)):
		if near := nearest(n.Value, s.oneOf); near != "" && !s.secret {
			return fmt.Sprintf("did you mean %q?", near)
		}
		return "one of " + strings.Join(s.oneOf, ", ")
	case s.pattern != nil && !s.pattern.match(n.Value):
		return "write " + s.pattern.words
	case s.low != s.high:
		switch v, _ := AsInteger(n); {
		case v >= s.low && v <= s.high:
		case s.high == many:
			return fmt.Sprintf("write %d or more", s.low)
		default:
			return fmt.Sprintf("write a number from %d to %d", s.low, s.high)
		}
	}
	return ""
}

func (c *Checker) checkScalar(n *yamltree.Node, s *shape, path string) {
	if s.secret {
		c.Hide(n)
	}
	if want := s.wrongValue(n); want != "" {
		rule := rules.BadValue
		if path == "network.version" {
			rule = rules.NetworkVersion
		}
		d := c.Report(rule, path, n, "%s cannot be %s", path, quote(n, s))
		d.Detail = want
		d.Secret = s.secret
	}
	if s.kind == text && withoutIndices(path) != "write_files.content" { // which may be a secret: see inside
		c.readOtherwise(n, path, s)
	}
	if s.rule != nil {
		s.rule(c, path, n)
	}
}

func (c *Checker) wrongType(n *yamltree.Node, path string, s *shape) {
	what := path
	if what == "" {
		what = "the document"
	}
	d := c.Report(rules.WrongType, path, n, "%s must be %s, not %s", what, describe(s), describeNode(n))
	if n.Kind != yamltree.Scalar {
		d.Subject = findings.FirstLine(n.Range)
	} else if loose := *s; s.strict {
		if loose.strict = false; loose.fits(n) {
			cure := n.Value
			d.Detail = "write it without quotes"
			if n.Style == yamltree.Plain {
				cure = `"` + n.Value + `"`
				d.Detail = "write it in quotes"
			}
			if !strings.ContainsAny(n.Value, "\"\\\n") {
				d.Fix = []diag.Edit{{At: n.Range, Text: cure}}
			}
		}
	}
	if key, below := c.keys[n]; below {
		d.Subject = key // where its author wonders what it takes
	}
	if s.secret {
		c.Hide(n)
	}
	d.Secret = s.secret
}

// checkCount holds the number of items of a list, or of keys of a mapping, against its bounds.
func (c *Checker) checkCount(n *yamltree.Node, s *shape, path string, count int) {
	if count >= s.min && (s.max == 0 || count <= s.max) {
		return
	}
	d := c.Report(rules.BadValue, path, n, "%s has %s, not %s", path, plural(count, s), bounds(s))
	if count == 0 {
		d.Summary, d.Detail = path+" is empty", "leave it out"
	}
	d.Subject = findings.FirstLine(n.Range)
	d.Secret = s.secret
}

func (c *Checker) checkList(n *yamltree.Node, s *shape, path string) {
	if n.Kind == yamltree.Scalar {
		c.check(n, s.item, path)
		return
	}
	c.checkCount(n, s, path, len(n.Items))
	seen := map[string]*yamltree.Node{}
	for i, item := range n.Items {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.check(item, s.item, at)
		if !s.unique || item.Kind != yamltree.Scalar {
			continue
		}
		if first := seen[item.Value]; first != nil {
			d := c.Report(rules.BadValue, at, item, "%s is there already", at)
			d.Related = []diag.Related{{Message: "the first one", At: first.Range}}
			continue
		}
		seen[item.Value] = item
	}
}

func (c *Checker) checkCommas(n *yamltree.Node, s *shape, path string) {
	if strings.Count(n.Value, ",") >= maxNames {
		c.Report(rules.BadValue, path, n, "%s has more than %d names", path, maxNames).Detail = "write them as a list"
		return
	}
	for _, name := range c.CommaNames(n) {
		s.rule(c, path, name)
		if c.Bad[name] {
			c.Bad[n] = true
		}
	}
}

// checkMapping checks the keys of a mapping and what they hold.
func (c *Checker) checkMapping(n *yamltree.Node, s *shape, path string) {
	if s.rule != nil {
		if s.rule(c, path, n); c.Bad[n] {
			return
		}
	}
	c.checkCount(n, s, path, len(n.Pairs))
	seen := map[string]*yamltree.Node{}
	for i, p := range n.Pairs {
		name := Fold(p.Key.Value)
		f := s.field(name)
		switch {
		case f == nil && s.free != nil:
			c.checkFree(p, s, fmt.Sprintf("%s[%d]", path, i))
			continue
		case f == nil:
			c.unknownKey(p, s, path)
			continue
		}
		below := Join(path, name)
		if first := seen[name]; first != nil {
			d := c.Report(rules.DuplicateKey, below, p.Key, "key %q is there already as %q", p.Key.Value, first.Value)
			d.Related = []diag.Related{{Message: "the first one", At: first.Range}}
			continue
		}
		seen[name] = p.Key
		if f.deprecated != nil {
			d := c.ReportAt(rules.DeprecatedKey, below, p.Key.Range, "key %q is deprecated", p.Key.Value)
			d.Detail = f.deprecated.instead
			if renamed := f.deprecated.renamed; renamed != "" && !hasKey(n, renamed) {
				d.Fix = []diag.Edit{{At: p.Key.Range, Text: renamed}}
			}
		}
		if p.Value.Kind == yamltree.Null && !p.Value.Broken && !f.shape.null {
			// The place of nothing is its key.
			rule := rules.EmptyValue
			if f.required || slices.Contains(s.anyOf, f.name) {
				rule = rules.MissingKey
				c.Bad[n] = true
			}
			c.ReportAt(rule, below, p.Key.Range, "%s has no value", below)
			c.Bad[p.Value] = true
			continue
		}
		if p.Value.Range.Start.Line > p.Key.Range.Start.Line {
			if c.keys == nil {
				c.keys = map[*yamltree.Node]source.Range{}
			}
			c.keys[p.Value] = p.Key.Range
		}
		c.check(p.Value, f.shape, below)
		if f.later != nil && !c.Bad[p.Value] && !f.later.asksNothing(p.Value) {
			c.notApplied(below, p.Key.Range, f.later.instead)
		}
	}
	c.checkNeeds(n, s, path, func(name string) bool { return seen[name] != nil })
}

// asksNothing says that a value of a key that is not acted on asks for nothing to be done.
func (l *later) asksNothing(n *yamltree.Node) bool {
	if l.in != "" {
		n = PairOf(n, l.in).Value
	}
	return n != nil && slices.Contains(l.unless, asWord(n, l.unless))
}

// notApplied says that something is right and that nothing is done about it, with what to do instead.
func (c *Checker) notApplied(path string, at source.Range, instead string) {
	c.ReportAt(rules.NotApplied, path, at, "%s is not acted on yet", path).Detail = instead
}

func (c *Checker) checkNeeds(n *yamltree.Node, s *shape, path string, has func(string) bool) {
	missing := func(what string) {
		c.ReportAt(rules.MissingKey, path, findings.FirstLine(n.Range), "%s needs %s", path, what)
		c.Bad[n] = true
	}
	for f := range s.all {
		if f.required && !has(f.name) {
			missing(fmt.Sprintf("%q", f.name))
		}
	}
	if s.anyOf != nil && !slices.ContainsFunc(s.anyOf, has) {
		missing(fmt.Sprintf("%q", s.anyOf[0]))
	}
}

// checkFree checks a pair whose key is the user's own. It is not part of a path, which is ours.
func (c *Checker) checkFree(p yamltree.Pair, s *shape, at string) {
	if s.keys != nil {
		c.readOtherwise(p.Key, at, s)
		s.keys(c, at, p.Key)
	}
	if p.Value.Kind == yamltree.Null && !p.Value.Broken && !s.free.null {
		c.ReportAt(rules.EmptyValue, at, p.Key.Range, "%s has no value", at) // the place of nothing is its key
		c.Bad[p.Value] = true
		return
	}
	c.check(p.Value, s.free, at)
}

func hasKey(n *yamltree.Node, name string) bool {
	return slices.ContainsFunc(n.Pairs, func(p yamltree.Pair) bool { return Fold(p.Key.Value) == name })
}

// unknownKey says what a key that is not in the table may have been meant as.
func (c *Checker) unknownKey(p yamltree.Pair, s *shape, path string) {
	name := Fold(p.Key.Value)
	if strings.HasPrefix(p.Key.Value, "x-") {
		return
	}
	for _, f := range s.foreign {
		if f.name == name {
			if f.unless != "" && p.Value.Kind == yamltree.Scalar && asWord(p.Value, []string{f.unless}) == f.unless {
				return // it asks for nothing
			}
			if s.refuses {
				c.Report(rules.NetworkUnsupported, path, p.Key, "%s is not supported", p.Key.Value).Detail = f.instead
				return
			}
			c.ReportAt(rules.UnsupportedKey, path, p.Key.Range, "key %q of cloud-init has no effect here", p.Key.Value).Detail = f.instead
			return
		}
	}
	where := "at the top level"
	if path != "" {
		where = "in " + withoutIndices(path)
	}
	if strings.HasPrefix(path, "network.") && strings.Contains(name, "key") {
		c.Hide(p.Value) // it may well be one, as networkd's PresharedKey=
	}
	d := c.Report(rules.UnknownKey, path, p.Key, "unknown key %q %s", p.Key.Value, where)
	if c.Full() {
		return // nobody will read what was meant
	}
	var known []string
	for f := range s.all {
		known = append(known, f.name)
	}
	from, to, mixed := glyphs.Mixed(p.Key.Value)
	switch near := nearest(name, known); {
	case mixed:
		d.Detail = fmt.Sprintf("there is a %s letter in it: type it again", glyphs.Alphabet(p.Key.Value[from:to]))
	case near != "":
		d.Detail = fmt.Sprintf("did you mean %q?", near)
	case levels()[name] != nil:
		d.Detail = fmt.Sprintf("%q belongs %s", name, strings.Join(levels()[name], " or "))
	}
}

// maxNames is how many names one text may have with commas between. A list of more is counted by its values.
const maxNames = 10_000

// CommaNames splits "a, b" into a node for each name, at its own place.
func (c *Checker) CommaNames(n *yamltree.Node) []*yamltree.Node {
	if strings.Count(n.Value, ",") >= maxNames {
		return nil // reported
	}
	var out []*yamltree.Node
	for _, name := range commaItems(n.Value, 0) {
		at := n.Range
		if name.text != "" {
			at = n.Span(c.Sources[at.File], name.from, name.from+len(name.text))
		}
		out = append(out, &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: name.text, Range: at})
	}
	return out
}

// Fold makes hyphen and underscore the same letter.
func Fold(key string) string { return strings.ReplaceAll(key, "-", "_") }

// PairOf is the entry of a key of the language in a mapping; empty if there is none.
func PairOf(n *yamltree.Node, name string) yamltree.Pair {
	for _, p := range n.Pairs {
		if Fold(p.Key.Value) == name {
			return p
		}
	}
	return yamltree.Pair{}
}

// field is a key of a mapping in the spelling of the table; nil if there is none.
func (s *shape) field(name string) *field {
	for f := range s.all {
		if f.name == name {
			return f
		}
	}
	return nil
}

// all visits the keys of a mapping.
func (s *shape) all(visit func(*field) bool) {
	for _, fields := range [...][]field{s.fields, s.also} {
		for i := range fields {
			if !visit(&fields[i]) {
				return
			}
		}
	}
}

func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// withoutIndices is "write_files" of "write_files[2]".
func withoutIndices(path string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(path, '[')
		if open < 0 {
			b.WriteString(path)
			return b.String()
		}
		b.WriteString(path[:open])
		path = path[open+strings.IndexByte(path[open:], ']')+1:]
	}
}

// levels says where in the language a key is legal, in two places at most: "under coreos", "at the top level".
var levels = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	walkFields(func(f *field, _, above string) {
		where := "at the top level"
		if above != "" {
			where = "under " + above
		}
		if known := out[f.name]; len(known) < 2 && !slices.Contains(known, where) {
			out[f.name] = append(known, where)
		}
	})
	return out
})

// nearest is the word that was most likely meant, or "". Hyphen and underscore are the same letter.
func nearest(word string, words []string) string { return spelling.Nearest(word, words) }

func describe(s *shape) string {
	switch s.kind {
	case boolean:
		return "true or false"
	case integer:
		return "a whole number"
	case number:
		return "a number"
	case permissions:
		return "a file mode"
	case list:
		return "a list"
	case mapping:
		if s.free != nil {
			return "a mapping of names to values"
		}
		return "a mapping of keys to values"
	case commas:
		return "names with commas between"
	case anything:
		return "any value"
	case either:
		var words []string
		for _, of := range s.either {
			if w := describe(of); !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
		return strings.Join(words, ", or ")
	}
	return "text"
}

// bounds says how much of it a list or mapping has: "1 to 6 items".
func bounds(s *shape) string {
	switch {
	case s.max == 0:
		return plural(s.min, s) + " or more"
	case s.min == s.max:
		return plural(s.min, s)
	}
	return fmt.Sprintf("%d to %s", s.min, plural(s.max, s))
}

func plural(n int, s *shape) string {
	word := "item"
	if s.kind == mapping {
		word = "key"
	}
	if n != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}

func describeNode(n *yamltree.Node) string {
	switch n.Kind {
	case yamltree.Null:
		return "empty"
	case yamltree.Sequence:
		return "a list"
	case yamltree.Mapping:
		return "a mapping"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

// quote is a value as a message may show it.
func quote(n *yamltree.Node, s *shape) string {
	if s.secret {
		return "(secret)"
	}
	if len(n.Value) > 80 {
		return fmt.Sprintf("%.80q...", n.Value)
	}
	return fmt.Sprintf("%q", n.Value)
}
