package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"cloudconfig/schema/diag"
)

// Baseline is findings that are known, so that only new ones count. Its form is in docs/json.md.
type Baseline struct {
	Version  int     `json:"version"`
	Findings []known `json:"findings"`
}

// known is one of them: its fingerprint, and for whoever reads the file what it was.
type known struct {
	Fingerprint string `json:"fingerprint"`
	Rule        string `json:"rule"`
	File        string `json:"file"`
	Path        string `json:"path"`
}

// NewBaseline is one that knows everything that a run found.
func NewBaseline(r *Result) *Baseline {
	b := &Baseline{Version: 1, Findings: []known{}}
	for i, print := range r.fingerprints() {
		d := r.Found[i]
		b.Findings = append(b.Findings, known{print, d.Rule.ID, r.relative(d.Subject.File), d.Path})
	}
	sort.Slice(b.Findings, func(i, j int) bool {
		x, y := b.Findings[i], b.Findings[j]
		if x.File != y.File {
			return x.File < y.File
		}
		if x.Rule != y.Rule {
			return x.Rule < y.Rule
		}
		return x.Fingerprint < y.Fingerprint
	})
	return b
}

// JSON is the baseline as ReadBaseline reads it.
func (b *Baseline) JSON() []byte {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return append(text, '\n')
}

// ReadBaseline reads one from a regular file.
func ReadBaseline(path string) (*Baseline, error) {
	text, err := readRegular(path, path, maxDocument)
	if err != nil {
		return nil, err
	}
	var b Baseline
	if err := json.Unmarshal(text, &b); err != nil {
		// The JSON decoder's words may quote the text.
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%s: not JSON at byte %d", path, syntax.Offset)
		}
		return nil, fmt.Errorf("%s: not a baseline, as --write-baseline makes one", path)
	}
	if b.Version != 1 {
		return nil, fmt.Errorf("%s: version %d is not known, only 1 is", path, b.Version)
	}
	return &b, nil
}

// filter gives the findings of a run that are new, and counts those that are known, and those that are gone from
// files that were checked.
func (b *Baseline) filter(r *Result) (fresh diag.List, there, gone int) {
	left := map[string]bool{}
	for _, k := range b.Findings {
		left[k.Fingerprint] = true
	}
	for i, print := range r.fingerprints() {
		if left[print] {
			delete(left, print)
			there++
			continue
		}
		fresh.Add(r.Found[i])
	}
	checked := map[string]bool{}
	for _, name := range r.Checked {
		checked[r.relative(name)] = true
	}
	for _, k := range b.Findings {
		if left[k.Fingerprint] && isOf(k.File, checked) {
			gone++
		}
	}
	return fresh, there, gone
}

// isOf says that a name is that of a file, or of a part of one: "NAME part 2".
func isOf(name string, files map[string]bool) bool {
	for i := len(name); i > 0; i-- {
		if (i == len(name) || name[i] == ' ') && files[name[:i]] {
			return true
		}
	}
	return false
}

func (r *Result) fingerprints() []string {
	return diag.Fingerprints(r.Found, diag.Options{Files: r.Files, Root: r.Root})
}

// relative is a name as fingerprints have it.
func (r *Result) relative(name string) string { return diag.Printable(diag.Relative(name, r.Root)) }
