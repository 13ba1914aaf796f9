package report_test

import (
	"strings"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

func TestTrouble(t *testing.T) {
	at := func(line int) source.Range {
		p := source.Pos{Line: line, Column: 3}
		return source.Range{File: "user-data", Start: p, End: p}
	}
	const instead = "\nprovisioner: nothing of the configuration is applied, other than the platform's keys, hostname and network; provisioner status says more\n"
	for name, c := range map[string]struct {
		s    report.Status
		want string
	}{
		"well":        {report.Status{State: report.Done}, ""},
		"under way":   {report.Status{State: report.Running, Errors: []string{"x"}}, ""},
		"nothing ran": {report.Status{State: report.None, Reason: "another does"}, ""},
		"refused": {report.Status{State: report.Refused, Diagnostics: []report.Finding{
			{Severity: diag.Warning, Rule: "w", At: at(1)}, {Severity: diag.Error, Rule: "unknown-key", Summary: "unknown key", At: at(2)}, {Severity: diag.Error, At: at(3)},
		}}, "provisioner: the configuration is refused: user-data:2:3: unknown key [unknown-key] (and 1 more)" + instead},
		"failed":       {report.Status{State: report.Failed, Errors: []string{`ec2: no answer\n`}}, `provisioner: it failed: ec2: no answer\n` + instead},
		"a long error": {report.Status{State: report.Failed, Errors: []string{strings.Repeat("é", 4000)}}, "provisioner: it failed: " + strings.Repeat("é", 200) + "..." + instead},
		"degraded": {report.Status{State: report.Degraded, Errors: []string{"a.service: start: failed"}},
			"provisioner: something went wrong after the configuration was applied: a.service: start: failed\nprovisioner: all else is as configured; provisioner status says more\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := report.Trouble(&c.s); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			changes := report.Issue(&c.s)
			switch {
			case c.s.State == report.Running:
				if len(changes) > 0 {
					t.Errorf("what was there before is gone too early: %+v", changes)
				}
			case c.want == "":
				if len(changes) != 1 || changes[0].Kind != plan.Remove {
					t.Errorf("what was there before stays: %+v", changes)
				}
			case len(changes) != 2 || string(changes[1].Data) != strings.ReplaceAll(c.want, `\`, `\\`):
				t.Errorf("the file: %+v", changes)
			}
		})
	}
}
