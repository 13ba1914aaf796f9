package near_test

import (
	"strings"
	"testing"

	"cloudconfig/schema/near"
)

func TestWord(t *testing.T) {
	words := []string{"ExecStart", "ExecStop", "ExecStartPre", "Restart", "lock_passwd"}
	tests := []struct{ name, word, want string }{
		{"two letters swapped", "ExecStrat", "ExecStart"},
		{"a letter too many", "Resstart", "Restart"},
		{"other case", "EXECSTOP", "ExecStop"},
		{"hyphen and underscore are one", "lock-passwd", "lock_passwd"},
		{"nothing like it", "Colour", ""},
		{"a short word may differ in one letter", "ab", ""},
		{"too long to be compared", strings.Repeat("ExecStart", 10), ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := near.Word(tt.word, words); got != tt.want {
				t.Errorf("Word(%q) = %q, want %q", tt.word, got, tt.want)
			}
		})
	}
}
