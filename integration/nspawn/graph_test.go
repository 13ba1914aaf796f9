//go:build integration && linux

package nspawn_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// ours are our units, each of which a unit of the user's may be ordered after or before.
var ours = []string{"provisioner-local.service", "provisioner-floor.service", "provisioner.service", "provisioner-handoff.service", "provisioner.target"}

// oneshot is a unit of coreos.units. What is in install is where it is enabled.
func oneshot(name, order, command, install string) string {
	text := "[Unit]\n" + order + "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '" + command + "'\n"
	entry := "    - name: " + name + "\n"
	if install != "" {
		text += "[Install]\nWantedBy=" + install + "\n"
		entry += "      enable: true\n"
	} else {
		entry += "      command: start\n"
	}
	return entry + "      content: |\n        " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n        ") + "\n"
}

// wantOutcomes checks what the status says of jobs that did not end well, and that all others did.
func (m *machine) wantOutcomes(t *testing.T, want ...string) {
	t.Helper()
	text, _ := m.sh(t.Context(), "timeout 60 provisioner status --wait --format json")
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("status: %v\n%s", err, text)
	}
	got := strings.Split(strings.Join(s.Errors, "\n"), "\n")
	if len(s.Errors) == 0 {
		got = nil
	}
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("the status says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestUsersUnits has units of the user's wherever they may stand in a boot: after its end, after and before each of our
// units, after one that fails, and in rings. The boot goes on, and who did not start is named, with the reason.
func TestUsersUnits(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	config := "#cloud-config\nhostname: graph\ncoreos:\n  units:\n" + oneshot("last.service", "After=multi-user.target graphical.target", "true", "")
	started := []string{"last.service"}
	for i, unit := range ours {
		for _, order := range []string{"After", "Before"} {
			name := fmt.Sprintf("%s-%d.service", strings.ToLower(order), i)
			config += oneshot(name, order+"="+unit, "true", "")
			started = append(started, name)
		}
	}
	config += oneshot("needs.service", "Requires=fails.service\nAfter=fails.service", "true", "") +
		oneshot("fails.service", "", "exit 3", "") +
		oneshot("follows.service", "After=fails.service", "exit 4", "") +
		// It starts without the one that it waits for, and fails for want of it.
		oneshot("ring.service", "Requires=image.service\nAfter=image.service", "true", "") +
		oneshot("loop.service", "After=provisioner.target\nBefore=provisioner-handoff.service", "true", "") +
		oneshot("early.service", "Before=basic.target", "true", "")
	// Half of a ring is in the image, where no review sees it.
	m.write(t, "usr/lib/systemd/system/image.service", 0o644, "[Unit]\nAfter=ring.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o644, config)
	m.boot(t)
	m.wantOutcomes(t,
		"needs.service: start: dependency (needs fails.service, which failed (exit-code, status 3))",
		"fails.service: start: failed (exit-code, status 3)",
		"follows.service: start: failed (exit-code, status 4; after fails.service, which failed)",
		"ring.service: start: failed (units wait for each other: ring.service after image.service after ring.service)",
		"loop.service: start: failed (units wait for each other: loop.service after provisioner.target after provisioner-handoff.service after loop.service)",
	)
	m.want(t, "", "for u in "+strings.Join(started, " ")+"; do systemctl is-active -q $u || echo $u; done")
	m.want(t, "active", "systemctl is-active early.service")
	m.want(t, "active\nactive\nactive", "systemctl is-active multi-user.target provisioner.target provisioner-failure.target")
}

// TestRings has units that are enabled wait for each other, for ours, and for a target that they come before: systemd
// drops the start of one of each ring, which one is not said, and the boot goes on without it. If it is one of ours, that
// is told too.
func TestRings(t *testing.T) {
	// Half of the ring with ours is in the image: a review would refuse it.
	const half = "[Unit]\nAfter=provisioner.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	for name, config := range map[string]string{
		"among the user's": oneshot("a.service", "After=b.service", "true", "multi-user.target") + oneshot("b.service", "After=a.service", "true", "multi-user.target"),
		"with ours":        oneshot("a.service", "After=image.service\nBefore=provisioner.service", "true", "multi-user.target"),
		"with the boot":    oneshot("a.service", "Before=basic.target", "true", "multi-user.target"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
			if name == "with ours" {
				m.write(t, "etc/systemd/system/image.service", 0o644, half)
				m.link(t, "etc/systemd/system/multi-user.target.wants/image.service", "/etc/systemd/system/image.service")
			}
			m.write(t, "usr/share/oem/cloud-config.yml", 0o644, "#cloud-config\nhostname: graph\ncoreos:\n  units:\n"+config)
			m.boot(t)
			s := m.wantStatus(t, "done", "file")
			if reviewed := len(s.Diagnostics) == 1 && s.Diagnostics[0].Rule == "unit-cycle"; reviewed != (name != "with ours") {
				t.Errorf("the review finds %+v, want unit-cycle", s.Diagnostics)
			}
			for range runs() {
				m.reboot(t)
				m.want(t, "active", "systemctl is-active multi-user.target")
				text, _ := m.sh(t.Context(), "timeout 30 provisioner status --wait --format json")
				var s status
				if err := json.Unmarshal([]byte(text), &s); err != nil {
					t.Fatalf("status: %v\n%s", err, text)
				}
				if active, _ := m.sh(t.Context(), "systemctl is-active a.service image.service"); name == "with ours" && active == "active\ninactive" {
					continue // it is the image's that was dropped
				}
				said := strings.Join(s.Errors, "\n")
				if t.Log(said); !strings.Contains(said, "units wait for each other: ") || !strings.Contains(said, "a.service") {
					out, _ := m.sh(t.Context(), "systemctl list-units --all --no-pager 'provisioner*' a.service image.service; journalctl -b -o short-monotonic --no-pager | grep -E 'ycle|ordering|dependency on|provisioner|a.service'")
					t.Fatalf("the status is %s and says %q\n%s", s.State, said, out)
				}
			}
		})
	}
}
