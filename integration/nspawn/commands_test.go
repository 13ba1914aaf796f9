//go:build integration && linux

package nspawn_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newCommands is a machine whose user-data is in a file of the image.
func newCommands(t *testing.T, userData string) *machine {
	t.Helper()
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o600, "#cloud-config\n"+userData)
	return m
}

// outcomes are what the status says of commands: "runcmd[0]: failed 3".
func (m *machine) outcomes(t *testing.T) string {
	t.Helper()
	text, _ := m.sh(t.Context(), "provisioner status --format json")
	var s struct {
		Jobs []struct {
			Script, Result string
			Status         int `json:"exit_status"`
		}
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("status: %v\n%s", err, text)
	}
	var out strings.Builder
	for _, j := range s.Jobs {
		if strings.Contains(j.Script, "cmd[") {
			out.WriteString(j.Script + ": " + j.Result)
			if j.Status != 0 {
				out.WriteString(" " + string(rune('0'+j.Status)))
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func TestCommands(t *testing.T) {
	m := newCommands(t, `
write_files: [{path: /etc/applied, content: x}]
bootcmd:
  - test -e /etc/applied || echo early >> /var/early
  - [sh, -c, 'echo $0 >> /var/bootcmd', 'it''s $HOME']
runcmd:
  - cd /var/lib && export EXPORTED="it's" && PLAIN="a  b"
  - printf '%s|%s|%s|%s\n' "$PWD" "$EXPORTED" "$PLAIN" "$HOME" >> /var/carried; exit 0
  - [cd, dpkg]
  - command: |
      pwd >> /var/carried
      echo cAnArY
      exit 3
    on_error: continue
  - null
  - [sh, -c, exit 5]
  - echo never >> /var/carried
`)
	m.boot(t)
	m.wantStatus(t, "degraded", "file")
	m.want(t, "4", "provisioner status >/dev/null; echo $?")
	want := "bootcmd[0]: done\nbootcmd[1]: done\nruncmd[0]: done\nruncmd[1]: done\nruncmd[2]: done\nruncmd[3]: failed 3\nruncmd[5]: failed 5\nruncmd[6]: not-run\n"
	if got := m.outcomes(t); got != want {
		t.Errorf("outcomes\n%swant\n%s", got, want)
	}
	carried := "/var/lib|it's|a  b|/root\n/var/lib/dpkg"
	m.want(t, carried, "cat /var/carried")
	m.want(t, "cAnArY", "journalctl -b -o cat -u provisioner-runcmd-3.service _TRANSPORT=stdout")
	m.want(t, "", "ls /run/provisioner/scripts")
	m.want(t, "", "systemctl list-units --all --no-legend --plain 'provisioner-runcmd*'")

	before := m.snapshot(t)
	m.reboot(t)
	m.wantStatus(t, "done", "file")
	if diff := m.changed(t, before); diff != "" && !onlyBootcmd(diff) {
		t.Errorf("the second boot wrote:\n%s", diff)
	}
	m.want(t, carried, "cat /var/carried")
	m.want(t, "early", "cat /var/early")
	m.want(t, "it's $HOME\nit's $HOME", "cat /var/bootcmd")
	if got, want := m.outcomes(t), "bootcmd[0]: done\nbootcmd[1]: done\nruncmd[6]: skipped\n"; got != want {
		t.Errorf("outcomes of the second boot\n%swant\n%s", got, want)
	}
}

// onlyBootcmd says that nothing but what bootcmd writes to has changed.
func onlyBootcmd(diff string) bool {
	for line := range strings.Lines(diff) {
		if !strings.Contains(line, "var/bootcmd") {
			return false
		}
	}
	return true
}

// A power cut in the middle: what has ended is not run again, the rest goes on in the same directory with the same
// variables.
func TestCommandsAfterAPowerCut(t *testing.T) {
	m := newCommands(t, `
runcmd:
  - cd /srv && A=1
  - echo one >> /var/ran
  - |
    echo "$PWD $A" >> /var/resumed
    if [ ! -e /var/cut ]; then touch /var/cut; sync; sleep 1000; fi
  - echo last >> /var/ran
`)
	m.start(t)
	if err := poll(t.Context(), bootTimeout, func() error {
		_, err := os.Stat(filepath.Join(m.disk, "var/cut"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m.cut(t)
	m.boot(t)
	m.wantStatus(t, "done", "file")
	m.want(t, "one\nlast", "cat /var/ran")
	m.want(t, "/srv 1\n/srv 1", "cat /var/resumed")
	m.want(t, "", "ls /var/lib/provisioner/instance | grep shell")
}

// rebooted waits until the machine has started n times and has settled.
func (m *machine) rebooted(t *testing.T, n int) {
	t.Helper()
	m.start(t)
	m.settle(t, n)
}

// The machine starts again once, after everything else; and a command that asks for that is not run twice.
func TestPowerState(t *testing.T) {
	m := newCommands(t, `
runcmd:
  - echo one >> /var/ran
power_state: {mode: reboot, message: bye, condition: test -e /var/ran}
final_message: "provisioner: booted $datasource {{ version }}"
`)
	m.rebooted(t, 2)
	m.wantStatus(t, "done", "file")
	m.want(t, "one", "cat /var/ran")
	m.want(t, "1", "journalctl -b -o cat PRIORITY=5 | grep -c '^provisioner: booted file '")
	m.want(t, "0", "provisioner logs --output - 2>/dev/null | grep -ac 'booted file' || true")
	m.want(t, "yes", "provisioner logs --output - 2>/dev/null | grep -aq '\"provisioner: restore: ' && echo yes")
	m.reboot(t)
	m.mu.Lock()
	boots := m.boots
	m.mu.Unlock()
	if boots != 3 {
		t.Errorf("%d boots", boots)
	}
	m.wantStatus(t, "done", "file")
	err := poll(t.Context(), haltTimeout, func() error {
		console, err := os.ReadFile(filepath.Join(m.dir, "console"))
		if err == nil && strings.Count(string(console), "booted file ") != 3 {
			err = errors.New("not three final messages")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRebootInACommand(t *testing.T) {
	m := newCommands(t, `
runcmd:
  - echo one >> /var/ran
  - [systemctl, reboot]
  - echo two >> /var/ran
`)
	m.rebooted(t, 2)
	m.wantStatus(t, "done", "file")
	m.want(t, "one\ntwo", "cat /var/ran")
}

// A script that starts the machine again is not run twice, also where a job is waited for at that moment; one that was to
// come after it runs on the next boot.
func TestRebootInAScript(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o600, `#cloud-config-archive
- type: text/cloud-config
  content: |
    #cloud-config
    coreos:
      units:
      - name: slow.service
        command: start
        content: |
          [Service]
          Type=oneshot
          ExecStart=/bin/sh -c 'test -e /var/slow || { touch /var/slow; sleep 100; }'
- type: text/x-shellscript
  content: |
    #!/bin/sh
    echo one >> /var/ran
    sleep 1
    systemctl reboot
- type: text/x-shellscript
  content: |
    #!/bin/sh
    echo two >> /var/ran
`)
	m.rebooted(t, 2)
	m.wantStatus(t, "done", "file")
	m.want(t, "one\ntwo", "cat /var/ran")
}

// Whoever hands off while a script of the boot still runs goes on with that one and those after it.
func TestTwoHandOffs(t *testing.T) {
	for name, how := range map[string]string{"apply": "provisioner apply", "restart": "systemctl restart provisioner"} {
		t.Run(name, func(t *testing.T) {
			m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
			m.write(t, "usr/share/oem/cloud-config.yml", 0o600, `#cloud-config-archive
- type: text/x-shellscript
  content: |
    #!/bin/sh
    echo one >> /var/ran
    while [ ! -e /run/go-on ]; do sleep 0.2; done
- type: text/x-shellscript
  content: |
    #!/bin/sh
    echo two >> /var/ran
`)
			m.start(t)
			if err := poll(t.Context(), bootTimeout, func() error {
				_, err := os.Stat(filepath.Join(m.disk, "var/ran"))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			// The script ends when the second one has had the time to do harm.
			if out, err := m.sh(t.Context(), "("+how+" >/dev/null 2>&1 &); sleep 8; touch /run/go-on; provisioner status --wait"); err != nil {
				t.Error(err, out)
			}
			m.settle(t, 1)
			m.wantStatus(t, "done", "file")
			m.want(t, "one\ntwo", "cat /var/ran")
			m.reboot(t)
			m.wantStatus(t, "done", "file")
			m.want(t, "one\ntwo", "cat /var/ran")
		})
	}
}
