package schema_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestPermissions writes every mode in every spelling and reads each back.
func TestPermissions(t *testing.T) {
	symbols := func(mode int) string {
		var parts []string
		for i, class := range []string{"u", "g", "o"} {
			bits, letters := mode>>(6-3*i)&7, ""
			for j, l := range []string{"r", "w", "x"} {
				if bits>>(2-j)&1 == 1 {
					letters += l
				}
			}
			if mode>>(11-i)&1 == 1 {
				letters += []string{"s", "s", "t"}[i]
			}
			parts = append(parts, class+"="+letters)
		}
		return strings.Join(parts, ",")
	}
	for name, spell := range map[string]func(int) string{
		"quoted":                    func(m int) string { return fmt.Sprintf("%q", fmt.Sprintf("%04o", m)) },
		"a number with a zero":      func(m int) string { return fmt.Sprintf("0%03o", m) },
		"as YAML 1.2 has octal":     func(m int) string { return fmt.Sprintf("0o%03o", m) },
		"quoted without a zero":     func(m int) string { return fmt.Sprintf("'%03o'", m) },
		"in the symbols of chmod":   symbols,
		"a string of YAML's own":    func(m int) string { return fmt.Sprintf("!!str %04o", m) },
		"quoted as YAML 1.2 has it": func(m int) string { return fmt.Sprintf("\"0o%03o\"", m) },
	} {
		t.Run(name, func(t *testing.T) {
			var doc strings.Builder
			doc.WriteString("#cloud-config\nwrite_files:\n")
			for mode := range 0o10000 {
				fmt.Fprintf(&doc, "- path: /f/%d\n  permissions: %s\n", mode, spell(mode))
			}
			cfg, found := decode("modes", []byte(doc.String()))
			for _, d := range found[:min(len(found), 5)] {
				t.Errorf("%s: %s", d.Subject, d.Summary)
			}
			if len(cfg.Files) != 0o10000 {
				t.Fatalf("%d files", len(cfg.Files))
			}
			for mode, f := range cfg.Files {
				if f.Mode.V != uint32(mode) {
					t.Fatalf("%s is read as %04o", spell(mode), f.Mode.V)
				}
			}
		})
	}
}
