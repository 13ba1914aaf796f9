package rules_test

import (
	"regexp"
	"strings"
	"testing"

	"cloudconfig/schema/rules"
)

func TestEveryRuleIsWhole(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range rules.All() {
		if !kebab.MatchString(r.ID) {
			t.Errorf("%q: an id is kebab-case", r.ID)
		}
		if seen[r.ID] {
			t.Errorf("%s: the id is there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Severity.String() == "invalid" {
			t.Errorf("%s: no severity", r.ID)
		}
		if r.Title == "" || strings.HasSuffix(r.Title, ".") || strings.Contains(r.Title, "\n") {
			t.Errorf("%s: title %q is not one line without a full stop", r.ID, r.Title)
		}
		if !strings.HasSuffix(r.Help, ".") && !strings.HasSuffix(r.Help, ".)") {
			t.Errorf("%s: help %q is not made of sentences", r.ID, r.Help)
		}
		if (r.Example == "") != (r.Instead == "") {
			t.Errorf("%s: an example comes with what to write instead", r.ID)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, r := range rules.All() {
		if rules.Lookup(r.ID) != r {
			t.Errorf("Lookup(%q) finds another rule", r.ID)
		}
	}
	if r := rules.Lookup("no-such-rule"); r != nil {
		t.Errorf("Lookup of an unknown id finds %s", r.ID)
	}
}
