//go:build integration && linux

package nspawn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// coreosUnits are what an image has that was made for coreos-cloudinit: its own configuration first, then the user's,
// each applied by a oneshot unit that a target waits for.
var coreosUnits = map[string]string{
	"system-cloudinit@.service": `[Unit]
Description=Load the image's configuration from %f
Requires=dbus.service
After=dbus.service
Before=system-config.target
ConditionFileNotEmpty=%f
[Service]
Type=oneshot
TimeoutSec=10min
RemainAfterExit=yes
ExecStart=/usr/bin/coreos-cloudinit --from-file=%f
`,
	"system-config.target": `[Unit]
Description=Load the image's configuration
Requires=system-cloudinit@usr-share-coreos-cloud\x2dconfig.yml.service
After=system-cloudinit@usr-share-coreos-cloud\x2dconfig.yml.service
`,
	"user-cloudinit@.path": `[Unit]
Description=Watch for a configuration at %f
[Path]
PathExists=%f
`,
	"user-cloudinit@.service": `[Unit]
Description=Load the user's configuration from %f
Requires=dbus.service
After=dbus.service system-config.target
Before=user-config.target
ConditionFileNotEmpty=%f
[Service]
Type=oneshot
TimeoutSec=10min
RemainAfterExit=yes
EnvironmentFile=-/etc/environment
ExecStart=/usr/bin/coreos-cloudinit --from-file=%f
`,
	"user-config.target": `[Unit]
Description=Load the user's configuration
Requires=system-config.target
After=system-config.target
Requires=user-cloudinit@var-lib-flatcar\x2dinstall-user_data.path
After=user-cloudinit@var-lib-flatcar\x2dinstall-user_data.path
[Install]
WantedBy=multi-user.target
`,
}

// An image that was made for coreos-cloudinit keeps its units, and has our program under that name.
func TestInPlaceOfCoreOS(t *testing.T) {
	m := newMachine(t)
	binary, err := os.ReadFile(program())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.root, "usr/bin/coreos-cloudinit"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	m.link(t, "usr/bin/provisioner", "coreos-cloudinit")
	for name, text := range coreosUnits {
		m.write(t, "usr/lib/systemd/system/"+name, 0o644, text)
	}
	m.write(t, "etc/systemd/system/etcd2.service", 0o644, etcd)
	if _, err := run("systemctl", "--root="+m.root, "enable", "user-config.target"); err != nil {
		t.Fatal(err)
	}
	const userData = "var/lib/flatcar-install/user_data"
	m.write(t, "usr/share/coreos/cloud-config.yml", 0o644, "#cloud-config\nwrite_files:\n  - path: /etc/from-image\n    content: image\n  - path: /run/from-image\n    content: image\n")
	key := newSSHKey(t, "user")
	m.write(t, userData, 0o600, coreosUser(key, "one"))
	m.boot(t)

	for n, want := range []string{"one", "one", "two"} {
		m.wantStatus(t, "done", "file")
		m.want(t, "image\nimage", "cat /etc/from-image; echo; cat /run/from-image")
		m.want(t, want, "cat /etc/from-user")
		m.want(t, "here", "cat /run/from-user")
		m.want(t, "yes", `provisioner logs --output - 2>/dev/null | grep -aq '"MESSAGE":"provisioner: fetch: ' && echo yes`)
		m.want(t, "fromuser", "hostname")
		m.wantLogin(t, key, "core")
		m.want(t, "ETCD_NAME=node1", "cat /run/etcd-started-with")
		m.want(t, "active", "systemctl is-active late.service") // which waits for the target that waits for us
		m.want(t, "", "systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend")
		if n == 1 {
			m.write(t, userData, 0o600, coreosUser(key, "two")) // every boot applies what is there
		}
		if n < 2 {
			m.reboot(t)
		}
	}
	m.want(t, "1", "coreos-cloudinit --from-file=/etc/passwd --validate >/dev/null 2>&1; echo $?")
	m.want(t, "0", "coreos-cloudinit --from-file=/"+userData+" --validate >/dev/null 2>&1; echo $?")
}

func coreosUser(key sshKey, content string) string {
	return strings.NewReplacer("KEY", key.public, "CONTENT", content).Replace(`#cloud-config
hostname: fromuser
ssh_authorized_keys:
  - KEY
write_files:
  - path: /etc/from-user
    content: CONTENT
  - path: /run/from-user
    content: here
coreos:
  etcd2:
    name: node1
  units:
    - name: etcd2.service
      command: start
    - name: late.service
      command: start
      content: |
        [Unit]
        After=user-config.target etcd2.service
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/true
`)
}
