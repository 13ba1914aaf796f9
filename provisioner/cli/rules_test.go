package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema/rules"
)

// TestEveryRuleIsShown: every rule about a text is broken by a golden or a script of the command, where anybody can
// look it up. What needs bytes that no such file can hold is broken by a test of its package.
func TestEveryRuleIsShown(t *testing.T) {
	var shown strings.Builder
	read := func(name string) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, pattern := range []string{"../../schema/testdata/bad/*.want", "../../datasources/assemble/testdata/*.want", "testdata/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			read(name)
		}
	}
	for _, name := range []string{
		"../../datasources/assemble/assemble_test.go", // decompression-failed, too-large: packed, or 32 MiB
		"../../schema/limits_test.go",                 // platform-size: 16 KiB
		"../../schema/image_test.go",                  // sudo-missing: an image without it
	} {
		read(name)
	}
	text := shown.String()
	for _, r := range rules.All() {
		in := func(before, after string) bool { return strings.Contains(text, before+r.ID+after) }
		if !r.Machine && !in(" ", "\n") && !in("[", "]") && !in(`\[`, `\]`) && !in(`"`, `"`) && !in(" ", ` "`) {
			t.Errorf("%s: no golden breaks it", r.ID)
		}
	}
}
