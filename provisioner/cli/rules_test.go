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
	for _, pattern := range []string{"../../schema/testdata/bad/*.want", "../../datasources/assemble/testdata/*.want", "../../schema/template/testdata/bad/*.want", "testdata/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			read(name)
		}
	}
	text := shown.String()
	elsewhere := map[string]string{
		"decompression-failed": "../../datasources/assemble/assemble_test.go rules.DecompressionFailed",
		"too-large":            "../../datasources/assemble/assemble_test.go rules.TooLarge",
		"include-cycle":        "../../datasources/assemble/include_test.go include-cycle",
		"more-findings":        "../../schema/large_test.go more-findings",
		"platform-size":        "../../schema/limits_test.go TestPlatformSize",
		"sudo-missing":         "../../schema/image_test.go warning sudo-missing",
		"network-syntax":       "../../schema/network/testdata/openstack/list.want [network-syntax]",
	}
	for _, r := range rules.All() {
		if place, ok := elsewhere[r.ID]; ok {
			name, what, _ := strings.Cut(place, " ")
			source, err := os.ReadFile(name)
			if err != nil || !strings.Contains(string(source), what) {
				t.Errorf("%s: %s has no %q: %v", r.ID, name, what, err)
			}
			continue
		}
		in := func(before, after string) bool { return strings.Contains(text, before+r.ID+after) }
		if !r.Machine && !in(" ", "\n") && !in("[", "]") && !in(`\[`, `\]`) && !in(`"`, `"`) && !in(" ", " \"") {
			t.Errorf("%s: no golden breaks it", r.ID)
		}
	}
}
