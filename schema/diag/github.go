package diag

import (
	"fmt"
	"strings"
)

// githubShows is how many annotations of a kind GitHub shows of one step; the rest is in the log alone.
const githubShows = 10

// github writes a workflow command a finding, which becomes an annotation beside the line in a pull request. Where
// there are more of a kind than are shown, a notice in front of them all says so.
//
// Source: GitHub, "Workflow commands for GitHub Actions" (2026); its escapes are those of actions/toolkit,
// packages/core/src/command.ts.
func (p *printer) github(l List) {
	var more []string
	for _, s := range []Severity{Error, Warning, Info} {
		n := l.Count(s)
		if s == Error {
			n += len(p.Unread)
		}
		if n > githubShows {
			more = append(more, fmt.Sprintf("%d more %ss", n-githubShows, githubLevel(s)))
		}
	}
	if len(more) > 0 {
		fmt.Fprintf(p.w, "::notice title=provisioner::GitHub shows %d annotations of a kind; the log of this step has %s\n", githubShows, strings.Join(more, ", "))
	}
	for _, u := range p.Unread {
		fmt.Fprintf(p.w, "::error file=%s::%s\n", githubProperty(Printable(Relative(u.Name, p.Root))), githubData("it cannot be read: "+p.words(u.Reason)))
	}
	for _, d := range l {
		v := p.view(&d)
		fmt.Fprintf(p.w, "::%s ", githubLevel(d.Severity))
		where := p.place(d.Subject)
		if where.name != "" {
			fmt.Fprintf(p.w, "file=%s,", githubProperty(Printable(where.name)))
		}
		if start, end := where.at.Start, where.at.End; !where.at.IsZero() {
			fmt.Fprintf(p.w, "line=%d,endLine=%d,", start.Line, max(end.Line, start.Line))
			if end.Line == start.Line { // columns over several lines are refused
				fmt.Fprintf(p.w, "col=%d,endColumn=%d,", start.Column, max(end.Column, start.Column))
			}
		}
		text := p.whole(&d, &v)
		if where.part != "" {
			text += "; at " + p.words(where.part)
		}
		fmt.Fprintf(p.w, "title=%s::%s\n", githubProperty(d.Rule.ID), githubData(text))
	}
}

func githubLevel(s Severity) string {
	if s == Info {
		return "notice"
	}
	return s.String()
}

func githubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
