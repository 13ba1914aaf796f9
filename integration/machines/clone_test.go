//go:build integration && linux

package machines_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestClone boots the disk of a provisioned machine, which nobody sealed, in another one: the firmware has another UUID. It
// becomes a machine of its own, says so, and has nothing left to do at its next boot.
func TestClone(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	leases := w.dhcp(t)
	document := userData(key)
	w.serve(t, serverAddress+":80", newSite(document))
	arguments := fmt.Sprintf("cloud-config-url=http://%s/cloud-config cloud-config-digest=sha256-%x", serverAddress, sha256.Sum256([]byte(document)))
	const copied = "this machine is a copy of another one"
	disk := overlay(t, installed(t))
	boot := func(name, uuid, disk string, card nic, isCopy bool) identity {
		t.Helper()
		m := w.powerOn(t, card, hardware{disk: disk, uuid: uuid, arguments: arguments})
		m.wantConfigured(t, key, "cmdline")
		id := m.identity(t, key, leases)
		if got := strings.Contains(m.console(), copied); got != isCopy {
			t.Errorf("%s says that it is a copy: %t", name, got)
		}
		t.Logf("%s: %+v", name, id)
		m.shutDown(t, key)
		return id
	}
	first, second := w.plug(t), w.plug(t)
	original := boot("the original", "11111111-2222-4333-8444-555555555504", disk, first, false)
	clone := fileCopy(t, disk)
	got := boot("the copy", "11111111-2222-4333-8444-555555555505", clone, second, true)
	if got.machineID == original.machineID || got.hostKeys == original.hostKeys {
		t.Error("the copy shares its machine-id or host keys with the original")
	}
	if !strings.HasSuffix(got.client, ":"+second.mac) { // the address alone, or a DUID of it
		t.Errorf("the copy asks for an address as %s, which is not of its card %s", got.client, second.mac)
	}
	if again := boot("the copy, again", "11111111-2222-4333-8444-555555555505", clone, second, false); again.machineID != got.machineID || again.hostKeys != got.hostKeys {
		t.Error("the copy is another one at its next boot")
	}
}

// identity is what no two machines may share.
type identity struct {
	machineID, hostKeys string
	client              string // as which it asked for its address
}

func (m *machine) identity(t *testing.T, key sshKey, leases string) identity {
	t.Helper()
	out, err := m.ssh(t.Context(), key, "elroy", "cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub | sha256sum | cut -c 1-16")
	lines := strings.Fields(out)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%q %v", out, err)
	}
	text, err := os.ReadFile(leases)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{machineID: lines[0], hostKeys: lines[1]}
	for line := range strings.Lines(string(text)) { // "EXPIRES MAC ADDRESS NAME CLIENT"
		if f := strings.Fields(line); len(f) == 5 && f[1] == m.mac {
			id.client = f[4]
		}
	}
	return id
}

// shutDown has the machine switch itself off, as an administrator would.
func (m *machine) shutDown(t *testing.T, key sshKey) {
	t.Helper()
	m.run(t, key, "systemctl poweroff")
	m.waitOff(t)
}

// run runs a command as root. It may be the machine's last.
func (m *machine) run(t *testing.T, key sshKey, command string) {
	t.Helper()
	if out, err := m.ssh(t.Context(), key, "elroy", "sudo -n sh -c '"+command+" && echo well'"); !strings.HasSuffix(out, "well") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

func (m *machine) waitOff(t *testing.T) {
	t.Helper()
	select {
	case <-m.off:
	case <-time.After(3 * time.Minute):
		t.Error("the machine does not go off")
		m.cut()
	}
}
