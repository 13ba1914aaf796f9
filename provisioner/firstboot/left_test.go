//go:build linux

package firstboot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/firstboot"
)

const (
	bootsWith = "#cloud-config\nhostname: a1\nbootcmd: [\"true\"]\nruncmd: [echo a]\npower_state: {mode: reboot}\n" +
		"coreos: {units: [{name: a.service, command: restart, content: \"[Service]\\nExecStart=/bin/true\\n\"}]}\n"
	byHand = "#cloud-config\nhostname: b1\nruncmd: [echo b]\n"
)

// What the boot has left for its last stage is not handed off once something else was applied by hand: neither what it starts
// and runs nor what it does to the machine. That units are to be read again is owed all the same.
func TestAppliedByHandBeforeTheHandOff(t *testing.T) {
	for name, tt := range map[string]struct {
		config string
		killed bool // before it hands off
	}{
		"another configuration": {byHand, false},
		"the same":              {bootsWith, false},
		"another, whose run is killed once committed": {byHand, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, bootsWith)
			m.run(firstboot.BootLocal)
			m.run(firstboot.BootMain)
			m.write(oemFile, tt.config)
			r, calls := m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
				if left := m.read("run/provisioner/handoff.json"); tt.killed {
					env.Manager = func(context.Context) (handoff.Manager, error) {
						m.write("run/provisioner/handoff.json", left)
						return nil, errors.New("killed")
					}
				}
				return firstboot.Apply(ctx, env)
			})
			if !tt.killed && (r.State != report.Done || !slices.Contains(calls, "reload") || m.isThere("run/provisioner/handoff.json") || m.isThere(firstboot.FirstPath)) {
				t.Errorf("by hand: %s %v, calls %q", r.State, r.Errors, calls)
			}
			r, calls = m.run(firstboot.BootHandoff)
			if r.ExitStatus != report.ExitDone || len(calls) > 0 || m.isThere("run/provisioner/handoff.json") {
				t.Errorf("the last stage: %s %v, calls %q", r.State, r.Errors, calls)
			}
			if handed := m.isThere("var/lib/provisioner/instance/handed-off.json"); handed == tt.killed {
				t.Errorf("it counts as handed off: %t", handed)
			}
		})
	}
}

// Only one run hands off at a time: the last stage of a boot leaves it to an apply by hand, and that waits for the former.
func TestOneHandsOffAtATime(t *testing.T) {
	m := fromFile(t, bootsWith)
	m.run(firstboot.BootLocal)
	m.run(firstboot.BootMain)
	root, err := fsroot.Open(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	release, err := commit.LockHandOff(t.Context(), root, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, calls := m.run(firstboot.BootHandoff); r.ExitStatus != report.ExitDone || len(calls) > 0 {
		t.Errorf("the last stage: %s %v, calls %q", r.State, r.Errors, calls)
	}
	// What asks for it from within does not wait for itself.
	if r, calls := m.run(firstboot.Apply, func(e *firstboot.Env) { e.Within = true }); r.State != report.Done || len(calls) == 0 {
		t.Errorf("from within: %s %v, calls %q", r.State, r.Errors, calls)
	}
	m.write(oemFile, byHand)
	said := make(chan string, 1)
	_, calls := m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
		env.Console.W = writer(func(line string) {
			if strings.Contains(line, "hands off just now") {
				said <- line
				release()
			}
		})
		return firstboot.Apply(ctx, env)
	})
	if len(said) != 1 || len(calls) == 0 {
		t.Errorf("it did not wait; calls %q", calls)
	}
}

// noReload is a systemd that cannot read its units again.
type noReload struct {
	*machine
	err error
}

func (n noReload) Reload(ctx context.Context) error {
	_ = n.machine.Reload(ctx)
	return n.err
}

// Where units could not be read again nothing is handed off, whatever the configuration asks for in the end; as soon as they
// can, all of it is, by whoever comes.
func TestUnitsThatCannotBeReadAgain(t *testing.T) {
	for name, next := range map[string][]func(context.Context, firstboot.Env) *report.Report{
		"restarted":       {firstboot.BootMain, firstboot.BootHandoff},
		"applied by hand": {firstboot.Apply},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, bootsWith)
			n := noReload{m, handoff.ErrNoSpace}
			use := func(env *firstboot.Env) {
				env.Manager = func(context.Context) (handoff.Manager, error) { return n, nil }
			}
			for range 4 { // nor is anything given up for that
				var all []string
				for _, stage := range stages() {
					_, calls := m.run(stage, use)
					all = append(all, calls...)
				}
				if !slices.Contains(all, "reload") || slices.ContainsFunc(all, func(c string) bool {
					return strings.Contains(c, "a.service") || strings.Contains(c, "runcmd") || strings.Contains(c, "power")
				}) || m.isThere("var/lib/provisioner/instance/handed-off.json") {
					t.Errorf("calls %q", all)
				}
			}
			n.err = nil
			var all []string
			for _, stage := range next {
				r, calls := m.run(stage, use)
				if all = append(all, calls...); r.State == report.Degraded || r.State == report.Failed {
					t.Errorf("%s: %v", r.State, r.Errors)
				}
			}
			for _, want := range []string{"reload", map[string]string{"restarted": "restart", "applied by hand": "start"}[name] + " a.service", "run provisioner-runcmd-0.service", "run provisioner-power-state.service"} {
				if !slices.Contains(all, want) {
					t.Errorf("no %s: calls %q", want, all)
				}
			}
			if !m.isThere("var/lib/provisioner/instance/handed-off.json") || m.isThere("run/provisioner/reload") {
				t.Error("it is not marked as handed off, or a reload is owed for ever")
			}
		})
	}
}

// A script has the same unit whether or not those before it have ended: two of a kind would run beside each other.
func TestAScriptKeepsItsUnit(t *testing.T) {
	for name, stages := range map[string][]func(context.Context, firstboot.Env) *report.Report{
		"a later boot": {firstboot.BootMain, firstboot.BootHandoff}, "by hand": {firstboot.Apply},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, `#cloud-config-archive
- {type: text/x-shellscript, content: "#!/bin/sh\necho 1\n"}
- {type: text/x-shellscript, content: "#!/bin/sh\necho 2\n"}
`)
			m.onRun = func(handoff.Transient) string {
				m.refuses = true // the second one
				return "done"
			}
			m.run(firstboot.Apply)
			m.refuses, m.onRun = false, nil
			var all []string
			for _, stage := range stages {
				_, calls := m.run(stage)
				all = append(all, calls...)
			}
			if got := runs(all); len(got) != 1 || !strings.HasSuffix(got[0], "-2.service") {
				t.Errorf("ran %q", got)
			}
		})
	}
}

type writer func(line string)

func (w writer) Write(b []byte) (int, error) { w(string(b)); return len(b), nil }

// What cannot be left for the last stage is not handed off by the one before, for which units wait that it would wait for.
func TestNothingWaitsForItself(t *testing.T) {
	m := fromFile(t, bootsWith)
	m.run(firstboot.BootLocal)
	if err := os.MkdirAll(filepath.Join(m.dir, "run/provisioner/handoff.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, calls := m.run(firstboot.BootMain)
	for _, c := range calls {
		if strings.Contains(c, "a.service") || strings.Contains(c, "runcmd") {
			t.Errorf("call %s", c)
		}
	}
	if r.State != report.Degraded || !strings.Contains(strings.Join(r.Errors, ""), "nothing was started (systemctl restart provisioner tries again)") {
		t.Errorf("%s, %v", r.State, r.Errors)
	}
}

// The commands of a configuration do not begin where those of another one were cut off.
func TestAShellIsItsConfigurationsOwn(t *testing.T) {
	for name, config := range map[string]string{"other commands": byHand, "none": "#cloud-config\nhostname: b1\n"} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, "#cloud-config\nruncmd: [cd /srv, echo a]\n")
			const shell, kept = "run/provisioner/scripts/shell", "var/lib/provisioner/instance/shell"
			var found []string
			m.onRun = func(handoff.Transient) string {
				found = append(found, m.read(shell))
				m.write(shell, "TOKEN=s3cret\n")
				m.refuses = true // the second command
				return "done"
			}
			m.run(firstboot.Apply)
			if m.refuses = false; m.read(kept) != "TOKEN=s3cret\n" {
				t.Fatalf("the first command leaves %q", m.read(kept))
			}
			m.reboot()
			m.write(oemFile, config)
			m.run(firstboot.Apply)
			for _, text := range found {
				if strings.Contains(text, "s3cret") {
					t.Errorf("it begins with %q", text)
				}
			}
			if name == "none" && m.isThere(kept) {
				t.Error("what the first left is kept for ever")
			}
		})
	}
}

// A stage goes on with the report that an earlier one has left, and with none that is another run's: of one that goes on, or was
// killed.
func TestAReportOfAnotherRun(t *testing.T) {
	for name, pid := range map[string]string{"left": "", "of another run": `"pid": 4194305, `} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, "#cloud-config\nhostname: a1\nbootcmd: [\"true\"]\n")
			m.run(firstboot.BootLocal)
			const file = "run/provisioner/result.json"
			m.write(file, strings.Replace(m.read(file), `"state": "running",`, `"state": "running", `+pid+`"errors": ["an old one"],`, 1))
			if r, _ := m.run(firstboot.BootMain); slices.Contains(r.Errors, "an old one") != (pid == "") {
				t.Errorf("errors %q", r.Errors)
			}
		})
	}
}
