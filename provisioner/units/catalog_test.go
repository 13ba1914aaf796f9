package units_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/report"
)

// TestCatalog: every message of ours has an entry, no entry is of none, and journalctl takes and finds them.
func TestCatalog(t *testing.T) {
	text, err := os.ReadFile("provisioner.catalog")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "-- "); ok {
			got = append(got, strings.TrimSpace(id))
		}
	}
	want := []string{report.MessageBegan, report.MessageStage}
	for _, s := range []report.State{report.Done, report.Refused, report.Failed, report.Degraded} {
		want = append(want, s.MessageID())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("entries %q, messages %q", got, want)
	}
	page, err := os.ReadFile("../../docs/observe.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range want {
		if !strings.Contains(string(page), "`"+id+"`") {
			t.Errorf("%s is not in docs/observe.md", id)
		}
	}
	journalctl, err := exec.LookPath("journalctl")
	if err != nil {
		t.Skip("no journalctl: ", err)
	}
	root := t.TempDir()
	for _, dir := range []string{"usr/lib/systemd/catalog", "var/lib/systemd/catalog"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "usr/lib/systemd/catalog/provisioner.catalog"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(journalctl, "--root="+root, "--update-catalog").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("journalctl --update-catalog: %v\n%s", err, out)
	}
	out, err := exec.Command(journalctl, "--root="+root, "--list-catalog").CombinedOutput()
	for _, id := range want {
		if err != nil || !strings.Contains(string(out), id+" provisioner: ") {
			t.Errorf("journalctl does not find %s: %v\n%s", id, err, out)
		}
	}
}
