package report

import (
	"encoding/json"
	"fmt"
	"path"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// Dir is the directory of the reports, relative to the root.
const Dir = "run/provisioner"

// Names of the files in Dir.
const (
	StatusFile   = "status.json"
	InstanceFile = "instance.json"
	ResultFile   = "result.json"
	lockFile     = "lock"
)

// Files is what a report is kept in: the directory, then its files, for package commit to write. They are ours
// ([plan.OriginState]) and no part of any transaction. Was says nothing: they replace whatever is there.
func Files(r *Report) ([]plan.Change, error) {
	changes := []plan.Change{{Kind: plan.MakeDirectory, Path: Dir, Attr: fsroot.Attr{Mode: 0o755}, Origin: plan.OriginState}}
	add := func(name string, mode uint32, v any) error {
		text, err := marshal(v)
		if err != nil {
			return fmt.Errorf("report %s: %w", name, err)
		}
		changes = append(changes, plan.Change{
			Kind: plan.WriteFile, Path: path.Join(Dir, name), Attr: fsroot.Attr{Mode: mode},
			Data: text, Secret: mode&0o077 == 0, Origin: plan.OriginState,
		})
		return nil
	}
	if err := add(ResultFile, 0o600, r); err != nil {
		return nil, err
	}
	if r.Metadata != nil {
		if err := add(InstanceFile, 0o644, r.Metadata); err != nil {
			return nil, err
		}
	}
	// The status comes last: who sees that a run has ended finds the other files complete.
	if err := add(StatusFile, 0o644, r.Public()); err != nil {
		return nil, err
	}
	return changes, nil
}

// Public is the status that everybody may read: a change is its path, kind, action and why.
func (r *Report) Public() Status {
	s := r.Status
	s.Changes = make([]Change, len(r.Changes))
	for i, c := range r.Changes {
		s.Changes[i] = Change{Kind: c.Kind, Path: c.Path, Action: c.Action, Why: c.Why}
	}
	return s
}

func marshal(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
