package state_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// An id is as hostile as user-data: it never is a name in the file system.
func TestDir(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"i-1", "i-2", "", "../../etc", "a/b", "\x00"} {
		for _, source := range []string{"ec2", "file"} {
			dir := state.Dir(source, id)
			name, under := strings.CutPrefix(dir, state.Top+"/instances/")
			if !under || len(name) != 32 || strings.Trim(name, "0123456789abcdef") != "" || seen[dir] {
				t.Errorf("%s %q: %s", source, id, dir)
			}
			seen[dir] = true
		}
	}
}

func TestRuntimeIsTheSameChangesAgain(t *testing.T) {
	made := []plan.Change{
		{Kind: plan.MakeDirectory, Path: "run/a", Attr: fsroot.Attr{Mode: 0o755}},
		{Kind: plan.WriteFile, Path: "run/a/b", Attr: fsroot.Attr{Mode: 0o600}, Data: []byte("x")},
		{Kind: plan.MakeLink, Path: "run/a/c", Target: "b"},
	}
	for i, c := range state.Keep(plan.Plan{Kept: made}).Changes(false) {
		if c.Origin != plan.OriginState || !c.Secret {
			t.Errorf("%s is not marked as ours and secret", c.Path)
		}
		c.Origin, c.Secret = "", false
		if diff := cmp.Diff(made[i], c); diff != "" {
			t.Error(diff)
		}
	}
}

// What a plan asked for because something changed is not asked for again by a later boot.
func TestJobsOfLaterBoots(t *testing.T) {
	kept := state.Keep(plan.Plan{Jobs: []plan.Job{{Unit: "a.service", Action: "reload-or-try-restart", Once: true}, {Unit: "b.service", Action: "start"}}})
	if diff := cmp.Diff([]state.Job{{Unit: "b.service", Action: "start"}}, kept.Jobs); diff != "" {
		t.Error(diff)
	}
}
