//go:build integration && linux

package nspawn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trouble is the file with what went wrong, above the prompt of a login.
const trouble = "/run/issue.d/provisioner.issue"

// Whatever is wrong with the user-data, the platform's keys, hostname and network are there, the unit has failed, and two
// lines say what is wrong and where. Once it is mended, they are gone.
func TestAccessFloor(t *testing.T) {
	key := newSSHKey(t, "metadata")
	good := user(key)
	for _, c := range []struct {
		name, userData string
		state, says    string
	}{
		{name: "corrupt", userData: "\x1f\x8b\x08\x00corrupt", state: "refused", says: "user-data"},
		{name: "unreadable", userData: "#cloud-config\nusers: [\n", state: "refused", says: "user-data:2:"},
		{name: "refused", userData: strings.Replace(good, "permissions:", "permisions:", 1), state: "refused", says: "user-data:13:5: unknown key [unknown-key]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newImage(t, "datasources: [ec2]\n")
			m.serveMetadata(t, c.userData, key)
			m.boot(t)
			m.wantLogin(t, key, "core")
			m.want(t, "fromplatform", "hostname")
			s := m.wantStatus(t, c.state, "ec2")
			m.want(t, "failed", "systemctl is-failed provisioner.service")
			m.want(t, "inactive", "systemctl is-active etcd2.service || :")
			m.want(t, "active", "systemctl is-active multi-user.target")
			text, err := m.sh(t.Context(), "cat "+trouble)
			console, _ := os.ReadFile(filepath.Join(m.dir, "console"))
			if err != nil || strings.Count(text, "\n") != 1 || !strings.Contains(text, c.says) || !strings.Contains(text, "the platform's keys") {
				t.Errorf("above the prompt: %q, %v; errors %q", text, err, s.Errors)
			}
			if !strings.Contains(string(console), strings.Split(text, "\n")[0]) {
				t.Errorf("the console lacks %q", text)
			}
			m.wantExit(t, 0, "printf '#cloud-config\\nhostname: mended\\n' > /mended && provisioner apply --datasource file=/mended")
			m.want(t, "gone", "test -e "+trouble+" || echo gone")
		})
	}
}

// User-data that hangs keeps nobody from logging in, nor the machine from multi-user.target. After five minutes it is told as
// any other trouble.
func TestHangingUserData(t *testing.T) {
	m := newImage(t, "datasources: [ec2]\n")
	key := newSSHKey(t, "metadata")
	m.serveMetadata(t, user(key), key, "-hang", "/latest/user-data")
	m.start(t)
	m.wantSoon(t, time.Minute, "active", "systemctl is-active multi-user.target")
	m.wantLogin(t, key, "core")
	m.want(t, "fromplatform", "hostname")
	m.want(t, "activating", "systemctl is-active provisioner.service || :")
	m.want(t, "inactive", "systemctl is-active etcd2.service || :")
	if !long() {
		return
	}
	m.wantSoon(t, 6*time.Minute, "failed", "systemctl is-failed provisioner.service")
	m.want(t, "2", "grep -c ^provisioner: "+trouble)
}

// wantSoon waits until a command prints what it is to.
func (m *machine) wantSoon(t *testing.T, bound time.Duration, want, command string) {
	t.Helper()
	if err := poll(t.Context(), bound, func() error {
		if got, err := m.sh(t.Context(), command); got != want {
			return fmt.Errorf("%s: %q, %v", command, got, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Where another program would provision the machine too, nobody of us does anything, until the settings say who is to.
func TestOwner(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	key := newSSHKey(t, "user-data")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o644, user(key))
	// As Debian's cloud-init is, but that it does nothing.
	m.write(t, "usr/lib/systemd/system/cloud-init.target", 0o644, "[Unit]\nDescription=Stand-in for cloud-init\n")
	m.write(t, "usr/lib/systemd/system-generators/cloud-init-generator", 0o755,
		"#!/bin/sh\nmkdir -p $2/multi-user.target.wants\nln -s /usr/lib/systemd/system/cloud-init.target $2/multi-user.target.wants/\n")
	m.write(t, "etc/provisioner/disabled", 0o644, "")
	same := func(when, state string) {
		t.Helper()
		m.want(t, state, "systemctl show -P ActiveState provisioner-local.service provisioner.service provisioner-handoff.service provisioner.target | grep . | sort -u")
		m.want(t, "", "ls -d /var/lib/provisioner /etc/hostname /home/elroy 2>/dev/null || :")
		m.want(t, "", "systemctl --failed --no-legend --plain")
	}
	m.boot(t)
	same("switched off", "inactive")
	m.want(t, "", "ls -d /run/provisioner 2>/dev/null || :")
	m.sh(t.Context(), "rm /etc/provisioner/disabled")
	m.reboot(t)
	same("undecided", "active")
	m.want(t, "state:      none: undecided: cloud-init provisions this machine too (/run/systemd/generator.early/multi-user.target.wants/cloud-init.target); "+
		"nothing is done until the settings say owner: provisioner or owner: cloud-init", "provisioner status --wait | head -n 1")
	console, err := os.ReadFile(filepath.Join(m.dir, "console"))
	if err != nil || strings.Count(string(console), "undecided: cloud-init") != 1 {
		t.Errorf("the console: %s, %v", console, err)
	}
	m.sh(t.Context(), "echo 'owner: provisioner' >> /etc/provisioner/provisioner.yaml")
	m.reboot(t)
	m.wantStatus(t, "done", "file")
	m.wantConfigured(t, key)
}

// An agent that the image starts by itself has its settings from the first boot on, also when they come over the network.
func TestAgentsOfTheImageWait(t *testing.T) {
	m := newImage(t, "datasources: [ec2]\n")
	key := newSSHKey(t, "metadata")
	m.write(t, "etc/systemd/system/etcd2.service", 0o644, etcd+"[Install]\nWantedBy=multi-user.target\n")
	m.write(t, "etc/systemd/system/docker.socket", 0o644, "[Socket]\nListenStream=/run/docker.sock\n[Install]\nWantedBy=sockets.target\n")
	m.write(t, "etc/systemd/system/docker.service", 0o644, "[Unit]\nRequires=docker.socket\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
	if _, err := run("systemctl", "--root="+m.root, "enable", "etcd2.service", "docker.socket", "docker.service"); err != nil {
		t.Fatal(err)
	}
	m.serveMetadata(t, strings.Replace(user(key), "    - name: etcd2.service\n      command: start\n", "", 1), key, "-unavailable", "4s")
	m.boot(t)
	m.wantStatus(t, "done", "ec2")
	m.wantConfigured(t, key)
	after := `
		at() { systemctl show -P "$2" "$1"; }
		test $(at provisioner-handoff.service ActiveEnterTimestampMonotonic) -le $(at etcd2.service InactiveExitTimestampMonotonic) &&
		test $(at provisioner-handoff.service ActiveEnterTimestampMonotonic) -le $(at docker.service InactiveExitTimestampMonotonic) && echo yes`
	m.want(t, "yes", after)
	m.want(t, "", "systemctl daemon-reload; ls -d /run/systemd/generator/*.service.d/05-provisioner-hold.conf 2>/dev/null || :")
	m.reboot(t)
	m.wantConfigured(t, key)
}

// What this machine has itself is there before any ordinary service is started, on the first boot too, with the network and
// without asking for it twice.
func TestLocalIsAppliedWhole(t *testing.T) {
	m := newImage(t, "datasources: [nocloud=/"+seed+"]\n")
	key := newSSHKey(t, "user-data")
	m.write(t, seed+"/meta-data", 0o644, "instance-id: i-local\n")
	m.write(t, seed+"/user-data", 0o644, user(key))
	m.write(t, "etc/systemd/system/early.service", 0o644, strings.Replace(strings.Replace(witness, "/run/witness", "/run/early", 1),
		"[Service]", "After=sysinit.target\nDefaultDependencies=no\n[Service]", 1))
	m.write(t, "etc/systemd/system/etcd2.service", 0o644, etcd+"[Install]\nWantedBy=multi-user.target\n")
	if _, err := run("systemctl", "--root="+m.root, "enable", "early.service", "etcd2.service"); err != nil {
		t.Fatal(err)
	}
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	m.wantConfigured(t, key)
	m.want(t, "/run/systemd/system/etcd2.service.d/20-cloudinit.conf\n/run/volatile", "cat /run/early")
	m.want(t, "inactive", "systemctl show -P ActiveState provisioner-floor.service")
	m.want(t, "1", "journalctl -b -o cat _PID=1 | grep -c '^Reloading\\.'")
	m.wantSame(t, func() { m.wantConfigured(t, key) })
}
