package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// TestExamplesOfUnitRules: the example of a rule about units breaks it, and what to write instead breaks none.
func TestExamplesOfUnitRules(t *testing.T) {
	seen := 0
	for _, r := range rules.All() {
		subject, _, _ := strings.Cut(r.ID, "-")
		if r.Machine || r.Example == "" || !slices.Contains([]string{"unit", "network", "calendar"}, subject) {
			continue
		}
		seen++
		header := "#cloud-config\n"
		if strings.Contains(r.Help, "--image") {
			header += "# image: debian-12\n"
		}
		_, found := decode("example", []byte(header+r.Example+"\n"))
		if !slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Rule == r }) {
			t.Errorf("%s: its example gives %v", r.ID, found)
		}
		if _, found := decode("instead", []byte(header+r.Instead+"\n")); found.Count(diag.Error)+found.Count(diag.Warning) > 0 {
			t.Errorf("%s: what to write instead gives %v", r.ID, found)
		}
	}
	if seen < 12 {
		t.Errorf("only %d examples", seen)
	}
}

// TestFindingsInUnitsAreBounded: a text full of slips costs what its length costs. Not all are told, but that one
// of them is an error is.
func TestFindingsInUnitsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("#cloud-config\ncoreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n        ExecStart=/a\n")
	const lines = 2000
	for i := range lines {
		fmt.Fprintf(&b, "        Wombat%d=x\n", i)
	}
	b.WriteString("        ExecStart=relative/path\n")
	_, found := decode("many", []byte(b.String()))
	if len(found) < 100 || len(found) >= lines || !found.HasErrors() {
		t.Errorf("%d findings of %d slips, errors: %v", len(found), lines, found.HasErrors())
	}
}

// TestUnitValuesAreNotQuoted: what may be a secret is in no message.
func TestUnitValuesAreNotQuoted(t *testing.T) {
	_, found := decode("secret", []byte("#cloud-config\ncoreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n"+
		"        Environment=TOKEN=canary canary\n        Environment=can-ary=canary\n        ExecStart=canary/canary canary\n"+
		"write_files:\n  - path: /etc/systemd/system/b.service\n    permissions: \"0600\"\n    content: |\n      [Service]\n      ExecStart=/b\n      Type=canary\n"))
	if len(found) < 4 {
		t.Errorf("only %d findings", len(found))
	}
	for _, d := range found {
		if strings.Contains(d.Summary+d.Detail, "canary") {
			t.Errorf("%s says %q, %q", d.Rule.ID, d.Summary, d.Detail)
		}
	}
}
