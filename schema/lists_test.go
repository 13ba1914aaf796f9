package schema

import (
	"slices"
	"testing"
)

// A list of the merge rule is one of the language.
func TestListsAreKeys(t *testing.T) {
	for _, l := range lists {
		if !slices.ContainsFunc(Keys(), func(k Key) bool { return k.Path == l.Path }) && l.Path != "certificates" {
			t.Errorf("%s is no key of the language", l.Path)
		}
	}
}
