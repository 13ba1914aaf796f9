package schema

import (
	"slices"
	"testing"

	"cloudconfig/schema/language"
)

// A list of the merge rule is one of the language.
func TestListsAreKeys(t *testing.T) {
	for _, l := range lists {
		if !slices.ContainsFunc(language.Keys(), func(k language.Key) bool { return k.Path == l.Path }) && l.Path != "certificates" {
			t.Errorf("%s is no key of the language", l.Path)
		}
	}
}
