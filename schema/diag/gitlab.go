package diag

// gitlabFinding is one item of a Code Quality report.
//
// Source: GitLab, "Code Quality", section "Code Quality report format", and
// app/validators/json_schemas/codeclimate.json (2026). The columns are GitLab's to ignore.
type gitlabFinding struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path      string `json:"path"`
	Positions struct {
		Begin gitlabPosition `json:"begin"`
		End   gitlabPosition `json:"end"`
	} `json:"positions"`
}

type gitlabPosition struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

func (p *printer) gitlab(l List) {
	out := []gitlabFinding{}
	fingerprints := p.fingerprints(l)
	for i, d := range l {
		v := p.view(&d)
		where := p.place(d.Subject)
		g := gitlabFinding{Description: p.whole(&d, &v), CheckName: d.Rule.ID, Fingerprint: fingerprints[i], Severity: gitlabSeverity(d.Severity)}
		if where.part != "" {
			g.Description += "; at " + p.words(where.part)
		}
		g.Location.Path = p.words(where.name)
		begin, end := &g.Location.Positions.Begin, &g.Location.Positions.End
		*begin = gitlabPosition{max(where.at.Start.Line, 1), max(where.at.Start.Column, 1)}
		*end = gitlabPosition{max(where.at.End.Line, begin.Line), max(where.at.End.Column, 1)}
		out = append(out, g)
	}
	p.encode(out)
}

func gitlabSeverity(s Severity) string {
	switch s {
	case Error:
		return "critical"
	case Warning:
		return "major"
	}
	return "info"
}
