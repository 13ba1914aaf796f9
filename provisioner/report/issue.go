package report

import (
	"fmt"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/diag"
)

// issueFile is shown above the prompt of a login on the console. Source: agetty(8), util-linux 2.38.
const issueFile = "run/issue.d/provisioner.issue"

// maxIssueBytes bounds what is told of one finding or error there.
const maxIssueBytes = 400

// Trouble is two lines for whoever stands before the machine: what is wrong and where, and what holds instead. They are ""
// if nothing is wrong, or if the run goes on. Like the status they have no word of the user's text.
func Trouble(s *Status) string {
	what, instead := "", "nothing of the configuration is applied, other than the platform's keys, hostname and network"
	switch s.State {
	case Refused:
		what = "the configuration is refused: " + firstFinding(s)
	case Failed:
		what = "it failed: " + firstError(s)
	case Degraded:
		what, instead = "something went wrong after the configuration was applied: "+firstError(s), "all else is as configured"
	default:
		return ""
	}
	return "provisioner: " + what + "\nprovisioner: " + instead + "; provisioner status says more\n"
}

func firstFinding(s *Status) string {
	n, first := 0, ""
	for _, d := range s.Diagnostics {
		if d.Severity != diag.Error {
			continue
		}
		if n++; n == 1 {
			first = fmt.Sprintf("%s: %s [%s]", d.At, d.Summary, d.Rule)
		}
	}
	return first + andMore(n-1)
}

func firstError(s *Status) string {
	if len(s.Errors) == 0 {
		return ""
	}
	text := s.Errors[0]
	if len(text) > maxIssueBytes {
		text = strings.ToValidUTF8(text[:maxIssueBytes], "") + "..."
	}
	return text + andMore(len(s.Errors)-1)
}

func andMore(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// Issue is the changes below /run that show [Trouble] above the prompt of a login, or show it no more; none while the run
// goes on.
func Issue(s *Status) []plan.Change {
	text := Trouble(s)
	switch {
	case s.State == Running:
		return nil
	case text == "":
		return []plan.Change{{Kind: plan.Remove, Path: issueFile, Origin: plan.OriginState}}
	}
	text = strings.ReplaceAll(text, `\`, `\\`) // agetty puts other things in the place of what follows a backslash
	return []plan.Change{
		{Kind: plan.MakeDirectory, Path: "run/issue.d", Attr: fsroot.Attr{Mode: 0o755}, Origin: plan.OriginState},
		{Kind: plan.WriteFile, Path: issueFile, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(text), Origin: plan.OriginState},
	}
}
