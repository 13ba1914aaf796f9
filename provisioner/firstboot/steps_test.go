//go:build linux

package firstboot_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
)

// boot is the last two stages of a boot: what systemd was asked to run, and how it ended.
func (m *machine) boot(change ...func(*firstboot.Env)) ([]string, *report.Report) {
	m.t.Helper()
	m.reboot()
	_, before := m.run(firstboot.BootMain, change...)
	r, calls := m.run(firstboot.BootHandoff)
	return runs(append(before, calls...)), r
}

// ranSteps are the names of the units of steps without what all of them have.
func ranSteps(units []string) string {
	var out []string
	for _, u := range units {
		out = append(out, strings.TrimSuffix(strings.TrimPrefix(u, "provisioner-"), ".service"))
	}
	return strings.Join(out, " ")
}

// outcomes are what a report says of steps.
func outcomes(r *report.Report) (out []string) {
	for _, j := range r.Jobs {
		out = append(out, j.Script+" "+j.Result)
	}
	return out
}

func TestCommandsOfBoots(t *testing.T) {
	m := fromFile(t, "#cloud-config\nbootcmd: [echo b, {command: echo c}]\nruncmd: [echo a, echo a, [date]]\nwrite_files: [{path: /etc/motd, content: x}]\n")
	var motd []string
	m.onRun = func(u handoff.Transient) string {
		motd = append(motd, m.read("etc/motd"))
		return "done"
	}
	ran, r := m.boot()
	if got, want := ranSteps(ran), "bootcmd-0 bootcmd-1 runcmd-0 runcmd-1 runcmd-2"; got != want || r.State != report.Done {
		t.Fatalf("%s: ran %s, want %s; %q", r.State, got, want, r.Errors)
	}
	if want := []string{"(none)", "(none)", "x", "x", "x"}; !slices.Equal(motd, want) {
		t.Errorf("they found %q, want %q", motd, want)
	}
	// bootcmd runs again, also without the datasource, and nothing is written.
	before := m.persistent()
	for range 2 {
		if ran, r = m.boot(); ranSteps(ran) != "bootcmd-0 bootcmd-1" || r.State != report.Done {
			t.Errorf("%s: a later boot runs %q; %q", r.State, ran, r.Errors)
		}
		if err := os.Remove(filepath.Join(m.dir, "usr/share/oem/cloud-config.yml")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		delete(before, "usr/share/oem/cloud-config.yml")
	}
	after := m.persistent()
	delete(before, "usr/share/oem")
	delete(after, "usr/share/oem")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a later boot wrote:\n%s", diff)
	}
}

// After a command that fails none is run, on this boot or a later one, until a changed configuration is applied.
func TestACommandThatFails(t *testing.T) {
	m := fromFile(t, "#cloud-config\nruncmd: [a, {command: b, on_error: continue}, c, d]\n")
	m.onRun = func(u handoff.Transient) string {
		if strings.Contains(u.Unit, "cmd-1") || strings.Contains(u.Unit, "cmd-2") {
			return "failed"
		}
		return "done"
	}
	ran, r := m.boot()
	if got := ranSteps(ran); got != "runcmd-0 runcmd-1 runcmd-2" || r.State != report.Degraded || r.ExitStatus != report.ExitDegraded {
		t.Errorf("%s: ran %s", r.State, got)
	}
	if diff := cmp.Diff([]string{"runcmd[0] done", "runcmd[1] failed", "runcmd[2] failed", "runcmd[3] not-run"}, outcomes(r)); diff != "" {
		t.Error(diff)
	}
	ran, r = m.boot()
	if diff := cmp.Diff([]string{"runcmd[3] skipped"}, outcomes(r)); diff != "" || len(ran) > 0 || r.State != report.Done {
		t.Errorf("%s: a later boot runs %q\n%s", r.State, ran, diff)
	}
	m.onRun = nil
	if ran := ranSteps(func() []string { _, calls := m.run(firstboot.Apply); return runs(calls) }()); ran != "" {
		t.Errorf("applied again, it runs %s", ran)
	}
	m.write("usr/share/oem/cloud-config.yml", "#cloud-config\nruncmd: [a, {command: b, on_error: continue}, C, d]\n")
	_, calls := m.run(firstboot.Apply)
	if got := ranSteps(runs(calls)); got != "runcmd-2 runcmd-3" {
		t.Errorf("a changed configuration runs %s", got)
	}
}

// bootcmd that fails stops the rest of bootcmd and nothing else.
func TestABootCommandThatFails(t *testing.T) {
	m := fromFile(t, "#cloud-config\nbootcmd: [a, b]\nwrite_files: [{path: /etc/motd, content: x}]\n")
	m.onRun = func(handoff.Transient) string { return "failed" }
	for range 2 {
		ran, r := m.boot()
		if got := ranSteps(ran); got != "bootcmd-0" || r.State != report.Degraded || m.read("etc/motd") != "x" {
			t.Errorf("%s: ran %s, motd is %q", r.State, got, m.read("etc/motd"))
		}
	}
}

// A machine that goes down in the middle goes on with the next one, where the last one left off.
func TestCommandsGoOn(t *testing.T) {
	m := fromFile(t, "#cloud-config\nruncmd: [a, a, a, a]\n")
	shell := filepath.Join(m.dir, "run/provisioner/scripts/shell")
	var found []string
	on := func(u handoff.Transient) string {
		text, _ := os.ReadFile(shell)
		found = append(found, string(text))
		if err := os.WriteFile(shell, []byte("after "+ranSteps([]string{u.Unit})), 0o600); err != nil {
			t.Error(err)
		}
		return "done"
	}
	m.onRun = func(u handoff.Transient) string {
		m.refuses = strings.Contains(u.Unit, "cmd-1")
		return on(u)
	}
	if ran, r := m.boot(); ranSteps(ran) != "runcmd-0 runcmd-1" || r.State != report.Degraded {
		t.Errorf("%s: ran %q", r.State, ran)
	}
	m.refuses = false
	m.onRun = func(u handoff.Transient) string { on(u); return "canceled" }
	if ran, _ := m.boot(); ranSteps(ran) != "runcmd-2" {
		t.Errorf("ran %q", ran)
	}
	m.onRun = on
	if ran, r := m.boot(); ranSteps(ran) != "runcmd-3" || r.State != report.Done {
		t.Errorf("%s: ran %q", r.State, ran)
	}
	if want := []string{"", "after runcmd-0", "after runcmd-1", "after runcmd-2"}; !slices.Equal(found, want) {
		t.Errorf("they found %q, want %q", found, want)
	}
	if left, _ := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/shell")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestPowerState(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/shutdown"); err != nil {
		t.Skip("no shutdown(8): ", err)
	}
	for name, tt := range map[string]struct {
		text, ran string // the units of the first boot
		fails     bool
	}{
		"reboot":                  {"power_state: {mode: reboot}", "power-state", false},
		"last of all":             {"runcmd: [a]\npower_state: {mode: reboot, delay: 5}", "runcmd-0 power-state", false},
		"also after a failure":    {"runcmd: [a, b]\npower_state: {mode: reboot}", "runcmd-0 power-state", true},
		"if its condition holds":  {"power_state: {mode: reboot, condition: x}", "power-state-condition power-state", false},
		"if its condition fails":  {"power_state: {mode: reboot, condition: x}", "power-state-condition", true},
		"with a condition of no":  {"power_state: {mode: reboot, condition: false}", "", false},
		"but not if it is undone": {"power_state: {mode: reboot}\nusers: [{name: a, groups: [nobody-makes-it]}]", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, "#cloud-config\nfinal_message: bye\n"+tt.text+"\n")
			m.onRun = func(u handoff.Transient) string {
				if strings.Contains(u.Unit, "power-state.") {
					if marks, _ := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/scripts.json")); len(marks) != 1 {
						t.Error("it is not marked before it is done")
					}
					if !strings.Contains(m.read("run/provisioner/status.json"), `"finished"`) || !strings.Contains(m.console.String(), "bye\n") {
						t.Error("the report and the message are not written before it is done")
					}
					return "canceled"
				}
				if tt.fails {
					return "failed"
				}
				return "done"
			}
			if ran, _ := m.boot(); ranSteps(ran) != tt.ran {
				t.Errorf("ran %q, want %q\n%s", ranSteps(ran), tt.ran, m.console.String())
			}
			for range 2 {
				if ran, _ := m.boot(); len(ran) > 0 {
					t.Errorf("a later boot runs %q", ran)
				}
			}
		})
	}
}

// What cannot be done is told.
func TestPowerStateFails(t *testing.T) {
	m := fromFile(t, "#cloud-config\npower_state: {mode: reboot}\n")
	m.onRun = func(handoff.Transient) string { return "failed" }
	if _, r := m.boot(); r.State != report.Degraded || !strings.Contains(m.read("run/provisioner/status.json"), "power state") {
		t.Errorf("%s, %q", r.State, r.Errors)
	}
}

func TestFinalMessage(t *testing.T) {
	m := fromFile(t, "#cloud-config\nfinal_message: \"up \\e[2J$uptime\\nfrom $datasource\"\n")
	m.write("proc/uptime", "12.34 56.78\n")
	for range 2 {
		m.console.Reset()
		m.boot()
		if want := "\nup \\u{1b}[2J12.34\nfrom file\n"; !strings.HasSuffix(m.console.String(), want) {
			t.Errorf("the console ends in %q, want %q", m.console.String(), want)
		}
	}
}
