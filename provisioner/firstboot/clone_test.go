//go:build linux

package firstboot_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

const (
	firstID   = "0123456789abcdef0123456789abcdef\n"
	otherUUID = "22222222-2222-3333-4444-555555555555\n"
	hostKey   = "etc/ssh/ssh_host_ed25519_key"
	ownID     = "etc/machine-id"
	leaseFile = "var/lib/dhcp/dhclient.eth0.leases"
	dropIn    = "run/systemd/network/50-dhcp.network.d/90-provisioner-copy.conf"
	duid      = "run/systemd/networkd.conf.d/90-provisioner-copy.conf"
)

// provisioned is a machine that was provisioned and is started again: its disk, from here on, may be in another one.
func provisioned(t *testing.T) *machine {
	t.Helper()
	m := hardware(t, "HPE")
	m.write("usr/share/a.yaml", "#cloud-config\nhostname: web1\n")
	m.write(settingsFile, "datasources: [file="+filepath.Join(m.dir, "usr/share/a.yaml")+"]\n")
	m.write("usr/lib/systemd/network/50-dhcp.network", "[Match]\nName=e*\n[Network]\nDHCP=yes\n")
	m.write(hostKey, "the first machine's PRIVATE KEY\n")
	for _, stage := range stages() {
		if r, _ := m.run(stage); r.State == report.Failed || len(r.Warnings) > 0 {
			t.Fatalf("%s: %v %v", r.State, r.Errors, r.Warnings)
		}
	}
	m.write(leaseFile, "lease {}\n")
	m.restart()
	m.console.Reset()
	return m
}

func stages() []func(context.Context, firstboot.Env) *report.Report {
	return []func(context.Context, firstboot.Env) *report.Report{firstboot.BootLocal, firstboot.BootFloor, firstboot.BootMain, firstboot.BootHandoff}
}

func TestACopyBecomesAnotherMachine(t *testing.T) {
	m := provisioned(t)
	key := m.read(hostKey)
	m.write(uuidFile, otherUUID)
	r, _ := m.run(firstboot.BootLocal)
	if !r.Clone || len(r.Warnings) != 1 || !strings.Contains(m.console.String(), "copy of another one") {
		t.Errorf("clone %v, warnings %q\n%s", r.Clone, r.Warnings, &m.console)
	}
	newKey, newID := m.read(hostKey), m.read(ownID)
	if newKey == key || !strings.Contains(newKey, "PRIVATE KEY") {
		t.Error("it has the host key of the first")
	}
	if newID == firstID || len(newID) != len(firstID) || strings.Trim(newID, "0123456789abcdef") != "\n" {
		t.Errorf("its machine-id is %q", newID)
	}
	if info, err := os.Stat(filepath.Join(m.dir, ownID)); err != nil || info.Mode() != 0o444 {
		t.Errorf("%v, error %v", info.Mode(), err)
	}
	if got := m.read(leaseFile); got != "(none)" {
		t.Errorf("it has the lease of the first")
	}
	if got := m.read(dropIn); got != "[DHCPv4]\nClientIdentifier=mac\n" {
		t.Errorf("%s: %q", dropIn, got)
	}
	if got := m.read(duid); !strings.Contains(got, "DUIDType=link-layer\n") {
		t.Errorf("%s: %q", duid, got)
	}
	if strings.Contains(m.console.String()+strings.Join(r.Warnings, ""), strings.TrimSpace(newID)) {
		t.Error("the machine-id is told to everybody")
	}
	// Later stages keep the word, and the next boot has nothing to do.
	if r, _ := m.run(firstboot.BootMain); !r.Clone || len(r.Warnings) != 1 {
		t.Errorf("clone %v, warnings %q", r.Clone, r.Warnings)
	}
	m.restart()
	before := m.persistent()
	if r, _ := m.run(firstboot.BootLocal); r.Clone || len(r.Warnings) > 0 || m.read(dropIn) != "(none)" {
		t.Errorf("once more: clone %v, warnings %q", r.Clone, r.Warnings)
	}
	for name, was := range m.persistent() {
		if was != before[name] {
			t.Errorf("the next boot has written %s", name)
		}
	}
	// A copy of the copy is one too.
	m.write(uuidFile, "33333333-2222-3333-4444-555555555555\n")
	if r, _ := m.run(firstboot.BootLocal); !r.Clone || m.read(ownID) == newID || m.read(hostKey) == newKey {
		t.Errorf("the copy of the copy: clone %v", r.Clone)
	}
	m.restart() // the power has failed before anything else
	before = m.persistent()
	m.run(firstboot.BootLocal)
	for name, was := range m.persistent() {
		if was != before[name] {
			t.Errorf("the boot after a power cut has written %s", name)
		}
	}
}

// A copy does not go on with what the first machine was, at whichever boot: not without a datasource, and not after a power
// cut. Once it has a datasource it becomes a machine of its own, with the host keys that it has.
func TestACopyWithoutADatasource(t *testing.T) {
	m := hardware(t, "HPE")
	const unit, source = "run/systemd/system/a.service", "usr/share/a.yaml"
	text := "#cloud-config\nhostname: web1\ncoreos: {units: [{name: a.service, runtime: true, command: start, content: \"[Service]\\nExecStart=/bin/true\\n\"}]}\n"
	m.write(source, text)
	m.write(settingsFile, "datasources: [file="+filepath.Join(m.dir, source)+"]\n")
	m.write(hostKey, "the first machine's PRIVATE KEY\n")
	for _, stage := range stages() {
		m.run(stage)
	}
	if m.read(unit) == "(none)" {
		t.Fatal("the first machine has no unit")
	}
	m.write(uuidFile, otherUUID)
	if err := os.Remove(filepath.Join(m.dir, source)); err != nil {
		t.Fatal(err)
	}
	var key string
	for n := range 2 {
		m.restart()
		m.run(firstboot.BootLocal)
		if m.read(firstboot.FirstPath) == "(none)" {
			t.Errorf("boot %d is no first boot", n+1)
		}
		if now := m.read(hostKey); key != "" && now != key {
			t.Errorf("boot %d makes other host keys", n+1)
		} else {
			key = now
		}
		m.run(firstboot.BootFloor)
		r, calls := m.run(firstboot.BootMain)
		if r.State != report.Failed || len(calls) > 0 || m.read(unit) != "(none)" {
			t.Errorf("boot %d: %s, calls %q, the unit is %q", n+1, r.State, calls, m.read(unit))
		}
	}
	if !strings.Contains(m.console.String(), "is not gone on with") {
		t.Errorf("it does not say why:\n%s", &m.console)
	}
	m.restart()
	m.write(source, text)
	for _, stage := range stages() {
		if r, _ := m.run(stage); r.State == report.Failed {
			t.Errorf("%s: %v", r.State, r.Errors)
		}
	}
	if m.read(unit) == "(none)" || m.read(hostKey) != key {
		t.Errorf("with a datasource: the unit is %q, other host keys: %t", m.read(unit), m.read(hostKey) != key)
	}
	m.restart()
	if m.run(firstboot.BootLocal); m.read(firstboot.FirstPath) != "(none)" || m.read(unit) == "(none)" {
		t.Error("its own second boot is a first one")
	}
}

// An instance that moves to other hardware goes on as it was: once that has new keys, it is the same.
func TestAnInstanceThatMoves(t *testing.T) {
	m := provisioned(t)
	boot := func() {
		t.Helper()
		for _, stage := range stages() {
			r, _ := m.run(stage, func(e *firstboot.Env) {
				e.Metadata = &schema.Metadata{Version: 1, Datasource: "file", InstanceID: "i-1"}
			})
			if r.State == report.Failed {
				t.Errorf("%s: %v", r.State, r.Errors)
			}
		}
		m.restart()
	}
	boot()
	boot()
	m.write(uuidFile, otherUUID)
	boot()
	before := m.persistent()
	boot()
	for name, was := range m.persistent() {
		if was != before[name] {
			t.Errorf("the second boot there has written %s", name)
		}
	}
	if text := m.read("var/lib/provisioner/machine.json"); strings.Contains(text, "copied") {
		t.Errorf("it is a copy for ever: %s", text)
	}
}

// What is no copy stays as it is.
func TestNoCopy(t *testing.T) {
	for _, tt := range []struct {
		name        string
		change      func(m *machine)
		clone, keys bool
		anotherID   bool
	}{
		{"the same machine", func(*machine) {}, false, false, false},
		{"another model of the cloud's, as after a resize", func(m *machine) { m.write("sys/class/dmi/id/product_name", "m5.large\n") }, false, false, false},
		{"firmware that has forgotten the UUID", func(m *machine) { m.write(uuidFile, "00000000-0000-0000-0000-000000000000\n") }, false, false, false},
		{"a container, which sees the host's DMI", func(m *machine) {
			m.write(uuidFile, otherUUID)
			m.write("run/systemd/container", "test\n")
		}, false, false, false},
		{"an image whose builder has thought of the machine-id, but not of the keys", func(m *machine) {
			m.write(uuidFile, otherUUID)
			m.write(ownID, "fedcba9876543210fedcba9876543210\n")
		}, true, true, false},
		{"another machine-id on the same machine", func(m *machine) { m.write(ownID, "fedcba9876543210fedcba9876543210\n") }, false, false, false},
	} {
		m := provisioned(t)
		tt.change(m)
		key, id := m.read(hostKey), m.read(ownID)
		r, _ := m.run(firstboot.BootLocal)
		if r.Clone != tt.clone || (m.read(hostKey) != key) != tt.keys || (m.read(ownID) != id) != tt.anotherID {
			t.Errorf("%s: clone %v, other keys %v, other id %v (%q)", tt.name, r.Clone, m.read(hostKey) != key, m.read(ownID) != id, r.Warnings)
		}
		m.restart()
		m.write(uuidFile, "44444444-2222-3333-4444-555555555555\n")
		if r, _ := m.run(firstboot.BootLocal); !r.Clone {
			t.Errorf("%s, and then a copy of it: not found out", tt.name)
		}
	}
}

// A machine-id that was changed is what a copy is told by from then on.
func TestAChangedMachineIDIsRemembered(t *testing.T) {
	m := provisioned(t)
	const id = "fedcba9876543210fedcba9876543210\n"
	m.write(ownID, id)
	m.run(firstboot.BootLocal)
	m.restart()
	m.write(uuidFile, otherUUID)
	if r, _ := m.run(firstboot.BootLocal); !r.Clone || m.read(ownID) == id {
		t.Errorf("clone %v, the id is %q", r.Clone, m.read(ownID))
	}
}

// Where nothing can be written the boot goes on, and says so.
func TestACopyThatCannotBeChanged(t *testing.T) {
	m := provisioned(t)
	m.write(uuidFile, otherUUID)
	if err := os.Remove(filepath.Join(m.dir, ownID)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.dir, hostKey+".pub/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	key := m.read(hostKey)
	if r, _ := m.run(firstboot.BootLocal); !r.Clone || r.State != report.Running || len(r.Warnings) != 1 || m.read(hostKey) != key {
		t.Errorf("clone %v, %s, %q", r.Clone, r.State, r.Warnings)
	}
	m.run(firstboot.BootMain)
	m.restart()
	if err := os.RemoveAll(filepath.Join(m.dir, hostKey+".pub")); err != nil {
		t.Fatal(err)
	}
	if r, _ := m.run(firstboot.BootLocal); !r.Clone || len(r.Warnings) != 1 || m.read(hostKey) == key {
		t.Errorf("the next boot: clone %v, %s, %q", r.Clone, r.State, r.Warnings)
	}
}

// Where sshd has no host keys and nobody else makes any, as on Debian after a seal, the first boot does.
func TestHostKeysOfASealedMachine(t *testing.T) {
	m := newMachine(t, map[string]string{"usr/sbin/sshd": "", "etc/ssh/sshd_config": ""})
	r, _ := m.run(firstboot.BootLocal)
	if key := m.read(hostKey); !strings.Contains(key, "PRIVATE KEY") || len(r.Warnings) > 0 || len(r.Changes) != 6 {
		t.Errorf("%q, warnings %q, %+v", key, r.Warnings, r.Changes)
	}
}
