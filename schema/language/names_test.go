package language

import (
	"regexp"
	"strings"
	"testing"
)

// TestNames holds the names against what they are in a regular expression, which would take 100 KB when compiled.
func TestNames(t *testing.T) {
	label := regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	account := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,30}[A-Za-z0-9_.$-]?$`)
	for _, text := range []string{
		"", "a", "0", "-", "_", "$", ".", "a-", "-a", "a-b", "a_b", "a.b", "a$", "a$b", "$a", "_a", "A9", "9a", "é", "aé", "a\n", "a ", "a:",
		strings.Repeat("a", 31) + "$", strings.Repeat("a", 32), strings.Repeat("a", 32) + "$", strings.Repeat("a", 33),
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 62) + "-",
	} {
		if got, want := isHostLabel(text), label.MatchString(text); got != want {
			t.Errorf("label %q: %v", text, got)
		}
		if got, want := isAccount(text), account.MatchString(text); got != want {
			t.Errorf("account %q: %v", text, got)
		}
	}
}
