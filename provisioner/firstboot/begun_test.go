//go:build linux

package firstboot_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
)

// What makes the machine crash, or start again without an orderly shutdown, is begun three times and no more.
func TestNoMachineStartsAgainForEver(t *testing.T) {
	for name, tt := range map[string]struct {
		config, crashes, before, after string
	}{
		"a script":            {"#!/bin/sh\nreboot -f\n", "script", "", ""},
		"a command":           {"#cloud-config\nruncmd: [a, reboot -f, c]\n", "runcmd-1", "runcmd-0", ""},
		"a command, going on": {"#cloud-config\nruncmd: [a, {command: reboot -f, on_error: continue}, c]\n", "runcmd-1", "runcmd-0", "runcmd-2"},
	} {
		// What ends with the watch is waited for, a moment.
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := fromFile(t, tt.config)
				var cut context.CancelFunc
				m.onRun = func(u handoff.Transient) string {
					if strings.Contains(u.Unit, tt.crashes) {
						cut()
						return never
					}
					return "done"
				}
				boot := func() (string, *report.Report) {
					m.reboot()
					_, before := m.run(firstboot.BootMain)
					r, calls := m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
						ctx, cut = context.WithCancel(ctx)
						defer cut()
						return firstboot.BootHandoff(ctx, env)
					})
					ran := ranSteps(runs(append(before, calls...)))
					if strings.HasPrefix(ran, "script-") {
						ran = "script"
					}
					return ran, r
				}
				for n := range 3 {
					want := strings.TrimSpace(tt.before + " " + tt.crashes)
					if n > 0 {
						want = tt.crashes
					}
					if ran, _ := boot(); ran != want {
						t.Errorf("boot %d runs %q, want %q", n+1, ran, want)
					}
				}
				ran, r := boot()
				said := strings.Join(outcomes(r), ", ")
				if ran != tt.after || r.State != report.Degraded || !strings.Contains(said, " given-up") {
					t.Errorf("then it runs %q, want %q; %s: %s", ran, tt.after, r.State, said)
				}
				if ran, r := boot(); ran != "" || r.State != report.Done {
					t.Errorf("in the end it runs %q; %s", ran, r.State)
				}
			})
		})
	}
}

// What systemd refuses has not taken the machine down, however often.
func TestWhatIsRefusedIsNotGivenUp(t *testing.T) {
	m := fromFile(t, "#cloud-config\nruncmd: [a]\n")
	m.refuses = true
	for range 5 {
		m.boot()
	}
	m.refuses = false
	if ran, r := m.boot(); ranSteps(ran) != "runcmd-0" || r.State != report.Done {
		t.Errorf("%s: ran %q", r.State, ran)
	}
}
