// Package rules is the one table of what can be wrong with a text: a file for each subject, a variable for
// each rule.
//
// A rule says what is wrong and what to write instead; the code that finds it lives with the subject. To
// add a rule, declare it in its subject's file and name it in that file's slice. To add a subject, add its
// slice to [All].
package rules

import (
	"slices"

	"cloudconfig/schema/diag"
)

// All lists every rule, subject after subject. The slice is the caller's.
func All() []*diag.Rule {
	return slices.Concat(
		headerRules(),
		textRules(),
		syntaxRules(),
		languageRules(),
		systemRules(),
		accountRules(),
		fileRules(),
		unitRules(),
		networkRules(),
		agentRules(),
		scriptRules(),
		commandRules(),
		sudoersRules(),
		variableRules(),
		assembleRules(),
		templateRules(),
		targetRules(),
		certificateRules(),
		systemTargetRules(),
		reviewRules(),
		objectRules(),
	)
}

// Lookup finds a rule by its id; nil if there is none.
func Lookup(id string) *diag.Rule {
	for _, r := range All() {
		if r.ID == id {
			return r
		}
	}
	return nil
}
