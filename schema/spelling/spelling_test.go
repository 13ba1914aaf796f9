package spelling_test

import (
	"strings"
	"testing"

	"cloudconfig/schema/spelling"
)

func TestNearest(t *testing.T) {
	words := []string{"permissions", "path", "owner", "ssh_authorized_keys", "unknown-key"}
	for word, want := range map[string]string{
		"permisions":               "permissions", // a letter missing
		"perimssions":              "permissions", // two letters swapped
		"ssh-authorised-keys":      "ssh_authorized_keys",
		"Unknown_Key":              "unknown-key",
		"group":                    "",
		"":                         "",
		"pth":                      "path",
		"owner_url":                "owner",
		"path-owned":               "path",
		"paths_to":                 "",
		strings.Repeat("path", 99): "",
	} {
		if got := spelling.Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", word, got, want)
		}
	}
}
