package diag

import (
	"fmt"
	"strings"

	"cloudconfig/schema/source"
)

// The parts of a SARIF log that are written.
//
// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01" (2023-08-28), and
// GitHub, "SARIF support for code scanning" (2026).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool            `json:"tool"`
		Invocations []sarifInvocation    `json:"invocations"`
		Bases       map[string]sarifBase `json:"originalUriBaseIds"`
		ColumnKind  string               `json:"columnKind"`
		Results     []sarifResult        `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string      `json:"id"`
		Short   sarifText   `json:"shortDescription"`
		Help    sarifText   `json:"help"`
		HelpURI string      `json:"helpUri,omitempty"`
		Default sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifBase struct {
		Description sarifText `json:"description"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Related      []sarifLocation   `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		ID       *int           `json:"id,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
)

// sarifRoot is what relative names are relative to. Its address is left out: it is another on every machine, and
// readers know where they have the files.
const sarifRoot = "%SRCROOT%"

func (p *printer) sarif(l List) {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "provisioner", Version: p.Version, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: len(p.Unread) == 0}},
		Bases:       map[string]sarifBase{sarifRoot: {sarifText{Text: "the directory that provisioner ran in"}}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for _, u := range p.Unread {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{
			Level: "error", Message: p.sarifText("it cannot be read: " + u.Reason),
			Locations: []sarifLocation{{Physical: &sarifPhysical{Artifact: sarifFile(Relative(u.Name, p.Root))}}},
		})
	}
	index := map[*Rule]int{}
	fingerprints := p.fingerprints(l)
	for i, d := range l {
		v := p.view(&d)
		n, known := index[d.Rule]
		if !known {
			n = len(index)
			index[d.Rule] = n
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, p.sarifRule(d.Rule))
		}
		where := p.place(d.Subject)
		text := p.message(&v, d.Summary)
		if d.Detail != "" {
			text += ": " + p.message(&v, d.Detail)
		}
		if where.part != "" {
			text += "; at " + where.part
		}
		r := sarifResult{
			Rule: d.Rule.ID, RuleIndex: n, Level: sarifLevel(d.Severity), Message: p.sarifText(text),
			Locations: []sarifLocation{}, Fingerprints: map[string]string{"provisioner/v1": fingerprints[i]},
		}
		if where.name != "" {
			at := sarifLocation{Physical: sarifPlace(where)}
			if d.Path != "" {
				at.Logical = []sarifLogical{{d.Path}}
			}
			r.Locations = append(r.Locations, at)
		}
		for id, related := range d.Related {
			message := p.sarifText(p.message(&v, related.Message))
			at := sarifLocation{ID: &id, Message: &message}
			if !related.At.IsZero() {
				at.Physical = sarifPlace(p.place(related.At))
			}
			r.Related = append(r.Related, at)
		}
		run.Results = append(run.Results, r)
	}
	p.encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func (p *printer) sarifRule(r *Rule) sarifRule {
	out := sarifRule{ID: r.ID, Short: sarifText{Text: r.Title}, Help: sarifText{Text: r.Help}, Default: sarifConfig{sarifLevel(r.Severity)}}
	if r.Example != "" {
		out.Help.Markdown = fmt.Sprintf("%s\n\nWrong:\n\n```yaml\n%s\n```\n\nRight:\n\n```yaml\n%s\n```\n", r.Help, strings.TrimRight(r.Example, "\n"), strings.TrimRight(r.Instead, "\n"))
	}
	if p.Docs != "" {
		out.HelpURI = p.Docs + r.ID
	}
	return out
}

// sarifText is a message. In one, [words](target) is a link (section 3.11.6), which nobody but us may set.
func (p *printer) sarifText(s string) sarifText {
	return sarifText{Text: strings.ReplaceAll(p.words(s), "](", `]\u{28}`)}
}

func sarifLevel(s Severity) string {
	if s == Info {
		return "note"
	}
	return s.String()
}

func sarifPlace(where place) *sarifPhysical {
	out := &sarifPhysical{Artifact: sarifFile(where.name)}
	if at := where.at; !at.IsZero() {
		out.Region = sarifRange(at)
	}
	return out
}

func sarifRange(at source.Range) *sarifRegion {
	r := sarifRegion{at.Start.Line, max(at.Start.Column, 1), max(at.End.Line, at.Start.Line), max(at.End.Column, 1)}
	if r.EndLine == r.StartLine {
		r.EndColumn = max(r.EndColumn, r.StartColumn)
	}
	return &r
}

// sarifFile is a file as a URI: relative to the root, or of the scheme file if it is outside.
func sarifFile(name string) sarifArtifact {
	const unreserved = "-._~/"
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte(unreserved, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	uri := b.String()
	switch {
	case strings.HasPrefix(uri, "/"):
		return sarifArtifact{URI: "file://" + uri}
	case len(name) > 2 && name[1] == ':' && name[2] == '/': // a drive of Windows
		return sarifArtifact{URI: "file:///" + name[:2] + uri[len("c%3A"):]}
	}
	return sarifArtifact{URI: uri, Base: sarifRoot}
}
