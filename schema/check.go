package schema

import (
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/near"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// checker holds a document against the table. What it finds wrong it reports once and marks, so that the
// reader passes it over.
type checker struct {
	files map[string]*source.File // every part, by its name
	diags diag.List
	bad   map[*yamltree.Node]bool
}

// report adds a finding about a node and marks the node.
func (c *checker) report(rule *diag.Rule, path string, n *yamltree.Node, format string, args ...any) *diag.Diagnostic {
	d := c.reportAt(rule, path, n.Range, format, args...)
	if d.Severity == diag.Error {
		c.bad[n] = true
	}
	return d
}

func (c *checker) reportAt(rule *diag.Rule, path string, at source.Range, format string, args ...any) *diag.Diagnostic {
	d := diag.New(rule, at, format, args...)
	d.Path = path
	c.diags.Add(d)
	return &c.diags[len(c.diags)-1]
}

// check holds a value against its shape.
func (c *checker) check(n *yamltree.Node, s *shape, path string) {
	if n.Kind == yamltree.Null {
		if path != "" && n.Value == "" {
			c.reportAt(rules.EmptyValue, path, n.Range, "%s has no value", path)
		}
		c.bad[n] = true
		return
	}
	switch s.kind {
	case mapping:
		if n.Kind != yamltree.Mapping {
			c.wrongType(n, path, s)
			return
		}
		c.checkMapping(n, s, path)
	case list:
		if s.lone && n.Kind == yamltree.Scalar {
			c.check(n, s.item, path)
			return
		}
		if n.Kind != yamltree.Sequence {
			c.wrongType(n, path, s)
			return
		}
		for i, item := range n.Items {
			c.check(item, s.item, fmt.Sprintf("%s[%d]", path, i))
		}
	case names:
		c.checkNames(n, s, path)
	case memberships:
		c.checkMemberships(n, path)
	case userList:
		c.checkUsers(n, s, path)
	default:
		c.checkScalar(n, s, path)
	}
}

func (c *checker) checkScalar(n *yamltree.Node, s *shape, path string) {
	if n.Kind != yamltree.Scalar || n.Tag == "!!binary" && s.kind != text {
		c.wrongType(n, path, s)
		return
	}
	ok := true
	switch s.kind {
	case boolean:
		_, ok = asBoolean(n)
	case integer:
		_, ok = asInteger(n)
	case number:
		ok = isNumber(n)
	case permissions:
		c.checkPermissions(n, path)
		return
	}
	if !ok {
		c.wrongType(n, path, s)
		return
	}
	if s.oneOf != nil && !slices.Contains(s.oneOf, asWord(n, s.oneOf)) {
		d := c.report(rules.BadValue, path, n, "%s cannot be %s", path, quote(n, s))
		d.Detail = "one of " + strings.Join(s.oneOf, ", ")
		if near := nearest(n.Value, s.oneOf); near != "" {
			d.Detail = fmt.Sprintf("did you mean %q?", near)
		}
		d.Secret = s.secret
	}
	if s.rule != nil {
		s.rule(c, path, n)
	}
}

func (c *checker) wrongType(n *yamltree.Node, path string, s *shape) {
	what := path
	if what == "" {
		what = "the document"
	}
	d := c.report(rules.WrongType, path, n, "%s must be %s, not %s", what, describe(s), describeNode(n))
	if n.Kind != yamltree.Scalar {
		d.Subject = firstLine(n.Range)
	}
	d.Secret = s.secret
}

// checkMapping checks the keys of a mapping and what they hold.
func (c *checker) checkMapping(n *yamltree.Node, s *shape, path string) {
	seen := map[string]*yamltree.Node{}
	for _, p := range n.Pairs {
		name := fold(p.Key.Value)
		f := findField(s.fields, name)
		if f == nil {
			c.unknownKey(p, s, path)
			continue
		}
		if first := seen[name]; first != nil {
			d := c.report(rules.DuplicateKey, join(path, name), p.Key, "key %q is there already as %q", p.Key.Value, first.Value)
			d.Related = []diag.Related{{Message: "the first one", At: first.Range}}
			continue
		}
		seen[name] = p.Key
		if f.deprecated != "" {
			d := c.reportAt(rules.DeprecatedKey, join(path, name), p.Key.Range, "key %q is deprecated", p.Key.Value)
			d.Detail = f.deprecated
		}
		value := p.Value
		if value.Kind == yamltree.Null {
			// The place of nothing is its key.
			c.reportAt(rules.EmptyValue, join(path, name), p.Key.Range, "%s has no value", join(path, name))
			c.bad[value] = true
			continue
		}
		c.check(value, &f.shape, join(path, name))
	}
	for _, f := range s.fields {
		if f.required && seen[f.name] == nil {
			at := firstLine(n.Range)
			c.reportAt(rules.MissingKey, path, at, "%s needs %q", path, f.name)
			c.bad[n] = true
		}
	}
}

// unknownKey says what a key that is not in the table may have been meant as.
func (c *checker) unknownKey(p yamltree.Pair, s *shape, path string) {
	name := fold(p.Key.Value)
	if strings.HasPrefix(p.Key.Value, "x-") {
		return
	}
	if instead, known := unsupportedAt(s)[name]; known {
		d := c.reportAt(rules.UnsupportedKey, path, p.Key.Range, "key %q of cloud-init has no effect here", p.Key.Value)
		d.Detail = instead
		return
	}
	where := "at the top level"
	if path != "" {
		where = "in " + withoutIndices(path)
	}
	d := c.report(rules.UnknownKey, path, p.Key, "unknown key %q %s", p.Key.Value, where)
	var known []string
	for _, f := range s.fields {
		known = append(known, f.name)
	}
	levels := levelsOf(name)
	switch near := nearest(name, known); {
	case near != "":
		d.Detail = fmt.Sprintf("did you mean %q?", near)
	case len(levels) > 0:
		d.Detail = fmt.Sprintf("%q belongs %s", name, strings.Join(levels, " or "))
	}
}

func unsupportedAt(s *shape) map[string]string {
	switch {
	case len(s.fields) == 0:
		return nil
	case &s.fields[0] == &language.fields[0]:
		return unsupported
	case &s.fields[0] == &userFields[0]:
		return unsupportedUser
	case &s.fields[0] == &fileFields[0]:
		return unsupportedFile
	}
	return nil
}

func (c *checker) checkNames(n *yamltree.Node, s *shape, path string) {
	item := &shape{kind: text, rule: s.rule}
	switch n.Kind {
	case yamltree.Sequence:
		for i, it := range n.Items {
			c.check(it, item, fmt.Sprintf("%s[%d]", path, i))
		}
	case yamltree.Scalar:
		for _, name := range commaNames(n) {
			item.rule(c, path, name)
			if c.bad[name] {
				c.bad[n] = true
			}
		}
	default:
		c.wrongType(n, path, s)
	}
}

func (c *checker) checkMemberships(n *yamltree.Node, path string) {
	name := &shape{kind: text, rule: isAccountName}
	group := func(p yamltree.Pair, path string) {
		c.check(p.Key, name, path)
		if p.Value.Kind != yamltree.Null {
			c.check(p.Value, &shape{kind: names, rule: isAccountName}, join(path, "members"))
		}
	}
	switch n.Kind {
	case yamltree.Scalar:
		c.checkNames(n, &shape{kind: names, rule: isAccountName}, path)
	case yamltree.Mapping:
		for i, p := range n.Pairs {
			group(p, fmt.Sprintf("%s[%d]", path, i))
		}
	case yamltree.Sequence:
		for i, item := range n.Items {
			at := fmt.Sprintf("%s[%d]", path, i)
			if item.Kind != yamltree.Mapping {
				c.check(item, name, at)
				continue
			}
			for _, p := range item.Pairs {
				group(p, at)
			}
		}
	}
}

func (c *checker) checkUsers(n *yamltree.Node, s *shape, path string) {
	user := func(item *yamltree.Node, path string) {
		switch item.Kind {
		case yamltree.Scalar:
			if item.Tag == "!!bool" || item.Tag == "!!int" || item.Tag == "!!float" {
				c.wrongType(item, path, &shape{kind: mapping})
				return
			}
			isAccountName(c, path, item)
		case yamltree.Null:
			c.check(item, s, path)
		default:
			c.check(item, &shape{kind: mapping, fields: s.fields}, path)
		}
	}
	switch n.Kind {
	case yamltree.Sequence:
		for i, item := range n.Items {
			user(item, fmt.Sprintf("%s[%d]", path, i))
		}
	case yamltree.Scalar:
		c.checkNames(n, &shape{kind: names, rule: isAccountName}, path)
	default:
		c.wrongType(n, path, s)
	}
}

// commaNames splits "a, b" into a node for each name, all at the place of the whole.
func commaNames(n *yamltree.Node) []*yamltree.Node {
	var out []*yamltree.Node
	for _, part := range strings.Split(n.Value, ",") {
		out = append(out, &yamltree.Node{Kind: yamltree.Scalar, Tag: "!!str", Value: strings.TrimSpace(part), Range: n.Range})
	}
	return out
}

// fold makes hyphen and underscore the same letter.
func fold(key string) string { return strings.ReplaceAll(key, "-", "_") }

func findField(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

func join(path, name string) string {
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

// levelsOf says where in the language a key is legal: "under coreos", "at the top level".
func levelsOf(name string) []string {
	var out []string
	var walk func(fields []field, path string)
	walk = func(fields []field, path string) {
		for i := range fields {
			f := &fields[i]
			if f.name == name {
				switch path {
				case "":
					out = append(out, "at the top level")
				default:
					out = append(out, "under "+path)
				}
			}
			below := f.shape.fields
			if f.shape.item != nil {
				below = f.shape.item.fields
			}
			walk(below, join(path, f.name))
		}
	}
	walk(language.fields, "")
	if len(out) > 2 {
		out = out[:2]
	}
	return out
}

// nearest is the word that was most likely meant, or "".
func nearest(word string, words []string) string { return near.Word(word, words) }

// firstLine is the part of a range that is on its first line, since a finding about a whole list or mapping
// is shown where that begins.
func firstLine(r source.Range) source.Range {
	if r.End.Line > r.Start.Line {
		r.End = r.Start
		r.End.Column++
		r.End.Offset++
	}
	return r
}

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
		return "a mapping of keys to values"
	case names, memberships:
		return "a list of names"
	case userList:
		return "a list of users"
	}
	return "text"
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
