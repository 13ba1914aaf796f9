package language

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// mixed reports a letter of another alphabet in one of the names that a value is made of, and says that there is
// one. The value is bad where severity is that of an error.
func (c *Checker) mixed(path string, n *yamltree.Node, severity diag.Severity) bool {
	if strings.IndexFunc(n.Value, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return false
	}
	at := 0
	for _, name := range strings.FieldsFunc(n.Value, func(r rune) bool { return strings.ContainsRune("/@ \t,:", r) }) {
		at += strings.Index(n.Value[at:], name)
		if from, to, ok := glyphs.Mixed(name); ok {
			c.Slips(findings.Passage{Path: path, Node: n, Text: n.Value}, []diag.Slip{{
				Rule: rules.Confusable, Severity: severity, From: at + from, To: at + to,
				Summary: fmt.Sprintf("a %s letter among others", glyphs.Alphabet(name[from:to])), Detail: "type the name again",
			}})
			c.Bad[n] = c.Bad[n] || severity == diag.Error
			return true
		}
		at += len(name)
	}
	return false
}
