//go:build integration && linux

package nspawn_test

import (
	"path/filepath"
	"testing"
)

// TestHandoff runs the tests of package handoff that need a systemd, where there is one.
func TestHandoff(t *testing.T) {
	m := newMachine(t)
	tests := filepath.Join(m.root, "usr", "bin", "handoff.test")
	if _, err := run("go", "test", "-c", "-tags", "integration", "-o", tests, "cloudconfig/provisioner/handoff"); err != nil {
		t.Fatal(err)
	}
	m.boot(t)
	out, err := m.sh(t.Context(), "PROVISIONER_TEST_MACHINE=yes handoff.test -test.v -test.run 'Systemd|RunIsFull'")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
