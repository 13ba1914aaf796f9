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

// The machines of the tests below, as their firmware has them.
const (
	originalUUID = "11111111-2222-4333-8444-555555555504"
	copyUUID     = "11111111-2222-4333-8444-555555555505"
	otherUUID    = "11111111-2222-4333-8444-555555555506"
)

// TestClone boots the disk of a provisioned machine, which nobody sealed, in another one: the firmware has another UUID. It
// becomes a machine of its own, says so, and has nothing left to do at its next boot.
func TestClone(t *testing.T) {
	need(t)
	r := newRack(t)
	first, second := r.plug(t), r.plug(t)
	disk := overlay(t, installed(t))
	original := r.boot(t, "the original", hardware{disk: disk, uuid: originalUUID}, first, false, "")
	clone := fileCopy(t, disk)
	got := r.boot(t, "the copy", hardware{disk: clone, uuid: copyUUID}, second, true, "")
	if got.machineID == original.machineID || got.hostKeys == original.hostKeys {
		t.Error("the copy shares its machine-id or host keys with the original")
	}
	if !strings.HasSuffix(got.client, ":"+second.mac) { // the address alone, or a DUID of it
		t.Errorf("the copy asks for an address as %s, which is not of its card %s", got.client, second.mac)
	}
	if again := r.boot(t, "the copy, again", hardware{disk: clone, uuid: copyUUID}, second, false, ""); again.machineID != got.machineID || again.hostKeys != got.hostKeys {
		t.Error("the copy is another one at its next boot")
	}
}

// TestGoldenImage seals a provisioned machine and boots two others from its disk. Each is like a new one: it says nothing of a
// copy, and none shares anything with another.
func TestGoldenImage(t *testing.T) {
	need(t)
	r := newRack(t)
	disk := overlay(t, installed(t))
	all := []identity{r.boot(t, "the original", hardware{disk: disk, uuid: originalUUID}, r.plug(t), false, "provisioner seal >/dev/null && provisioner seal --check && ")}
	for n, uuid := range []string{copyUUID, otherUUID} {
		name := fmt.Sprint("machine ", n+1)
		got := r.boot(t, name, hardware{disk: fileCopy(t, disk), uuid: uuid}, r.plug(t), false, "")
		for _, other := range all {
			if got.machineID == other.machineID || got.hostKeys == other.hostKeys || got.client == other.client {
				t.Errorf("%s shares its machine-id, host keys or DHCP client with an earlier one", name)
			}
		}
		all = append(all, got)
	}
}

// rack is a world in which every machine gets the same configuration by its kernel's arguments.
type rack struct {
	world
	key               sshKey
	arguments, leases string
}

func newRack(t *testing.T) rack {
	t.Helper()
	r := rack{world: newWorld(t), key: newSSHKey(t, "user-data")}
	r.leases = r.dhcp(t)
	document := userData(r.key)
	r.serve(t, serverAddress+":80", newSite(document))
	r.arguments = fmt.Sprintf("cloud-config-url=http://%s/cloud-config cloud-config-digest=sha256-%x", serverAddress, sha256.Sum256([]byte(document)))
	return r
}

// boot boots a machine, looks at it, has it run a command as root ("" for none, else one that ends with "&&") and switches it off.
func (r rack) boot(t *testing.T, name string, h hardware, card nic, isCopy bool, command string) identity {
	t.Helper()
	h.arguments = r.arguments
	m := r.powerOn(t, card, h)
	m.wantConfigured(t, r.key, "cmdline")
	id := m.identity(t, r.key, r.leases)
	if got := strings.Contains(m.console(), "this machine is a copy of another one"); got != isCopy {
		t.Errorf("%s says that it is a copy: %t", name, got)
	}
	t.Logf("%s: %+v", name, id)
	m.run(t, r.key, command+"systemctl poweroff")
	m.waitOff(t)
	return id
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
