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

// retired are ids that rules have had. What is kept of them in baselines, comments and .provisioner.yaml must not come
// to mean something else.
var retired = []string{"header"}

func TestRetiredIDsStayFree(t *testing.T) {
	for _, id := range retired {
		if r := rules.Lookup(id); r != nil {
			t.Errorf("%s was the id of another rule: %q takes one of its own", id, r.Title)
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
