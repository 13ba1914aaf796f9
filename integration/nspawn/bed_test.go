//go:build integration && linux

package nspawn_test

import (
	"testing"
)

// TestBed boots a machine without our program, so that a bed that does not carry is not taken for a program that
// does not work.
func TestBed(t *testing.T) {
	m := newMachine(t)
	key := newSSHKey(t, "bed")
	m.write(t, "root/.ssh/authorized_keys", 0o600, key.public+"\n")
	m.boot(t)
	before := m.snapshot(t)
	for boot := range 2 {
		if boot == 1 {
			m.reboot(t)
		}
		if got, err := m.ssh(t, key, "root", "systemctl", "is-active", "multi-user.target"); err != nil || got != "active" {
			t.Fatalf("boot %d: %q, %v", boot+1, got, err)
		}
		if got, err := m.ssh(t, key, "root", "ip", "route", "get", metadata); err != nil {
			t.Fatalf("boot %d: no way to the metadata address: %q, %v", boot+1, got, err)
		}
	}
	if diff := m.changed(t, before); diff != "" {
		t.Errorf("a reboot alone writes to what we compare:\n%s", diff)
	}
}
