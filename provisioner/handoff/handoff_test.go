//go:build linux

package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
)

// recorder is a systemd that writes down what it is asked, and answers as it was told.
type recorder struct {
	calls  []string
	ends   map[string]string        // result of a unit's job; "" is "done", "never" does not end
	after  map[string]time.Duration // how long a unit's job takes
	states map[string]handoff.State // of a unit that is not simply active
	refuse map[string]error         // by call
}

func (r *recorder) call(format string, args ...any) error {
	c := fmt.Sprintf(format, args...)
	r.calls = append(r.calls, c)
	return r.refuse[c]
}

func (r *recorder) SetHostname(name string) error { return r.call("hostname %s", name) }
func (r *recorder) Reload(context.Context) error  { return r.call("reload") }
func (r *recorder) Reset(_ context.Context, unit string) error {
	return r.call("reset %s", unit)
}

func (r *recorder) Enqueue(_ context.Context, unit, action string) (<-chan string, error) {
	if err := r.call("%s %s", action, unit); err != nil {
		return nil, err
	}
	return r.job(unit), nil
}

func (r *recorder) Run(_ context.Context, t handoff.Transient) (<-chan string, error) {
	if strings.HasPrefix(t.Unit, "provisioner-command-") {
		return r.job(t.Unit), r.call("run %s after %q before %q: %q", t.Unit, t.After, t.Before, t.Command)
	}
	file := t.Command[len(t.Command)-1]
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	command := append(append([]string(nil), t.Command[:len(t.Command)-1]...), filepath.Base(file))
	return r.job(t.Unit), r.call("run %s after %q: %q: %q", t.Unit, t.After, command, text)
}

func (r *recorder) job(unit string) <-chan string {
	ended := make(chan string, 1)
	result := r.ends[unit]
	switch {
	case result == "never":
	case result == "":
		time.AfterFunc(r.after[unit], func() { ended <- "done" })
	default:
		time.AfterFunc(r.after[unit], func() { ended <- result })
	}
	return ended
}

func (r *recorder) State(_ context.Context, unit string) (handoff.State, error) {
	ours := strings.HasPrefix(unit, "provisioner-") // is there as soon as it was run
	if s, ok := r.states[unit]; ok && (!ours || slices.ContainsFunc(r.calls, func(c string) bool { return strings.HasPrefix(c, "run "+unit) })) {
		return s, nil
	}
	return handoff.State{Load: "loaded", Active: "active", Result: "success", Queued: true}, nil
}

const etcd, flannel, fleet, networkd = "etcd2.service", "flanneld.service", "fleet.service", "systemd-networkd.service"

func jobs(actionUnit ...string) []plan.Job {
	var out []plan.Job
	for i := 0; i < len(actionUnit); i += 2 {
		out = append(out, plan.Job{Action: actionUnit[i], Unit: actionUnit[i+1]})
	}
	return out
}

func TestOrderOfAHandOff(t *testing.T) {
	script := "provisioner-script-user-data-1.service"
	tests := []struct {
		name    string
		request handoff.Request
		want    []string
	}{
		{"nothing asked, nothing done", handoff.Request{}, nil},
		{"an agent sees the hostname and its drop-in when it starts",
			handoff.Request{Hostname: "web1", Reload: true, Jobs: jobs("start", etcd, "restart", fleet)},
			[]string{"hostname web1", "reload", "start etcd2.service", "restart fleet.service"}},
		{"no unit changed, so no reload", handoff.Request{Jobs: jobs("start", etcd)}, []string{"start etcd2.service"}},
		{"the network comes before the agents that need it",
			handoff.Request{Networkd: true, Jobs: jobs("start", etcd)},
			[]string{"reload-or-try-restart " + networkd, "start etcd2.service"}},
		{"what the distribution makes is there before the agents and scripts that need it",
			handoff.Request{Jobs: jobs("start", etcd, "restart", etcd, "start", fleet), Agents: []string{"docker.service", fleet},
				Commands: []handoff.Command{{Argv: []string{"/usr/sbin/update-ca-certificates"}}, {Argv: []string{"/bin/true", "--x"}}},
				Scripts:  []handoff.Script{{Name: "user-data", Content: []byte("#!/bin/sh\n")}}},
			[]string{"reset provisioner-command-update-ca-certificates-1.service",
				`run provisioner-command-update-ca-certificates-1.service after [] before ["docker.service" "etcd2.service" "fleet.service"]: ["/usr/sbin/update-ca-certificates"]`,
				"reset provisioner-command-true-2.service",
				`run provisioner-command-true-2.service after ["provisioner-command-update-ca-certificates-1.service"] before ["docker.service" "etcd2.service" "fleet.service"]: ["/bin/true" "--x"]`,
				"start etcd2.service", "restart etcd2.service", "start fleet.service",
				"reset " + script,
				"run " + script + ` after ["provisioner-handoff.service" "provisioner-command-true-2.service"]: ["/bin/sh" "provisioner-script-user-data-1"]: "#!/bin/sh\n"`}},
		{"scripts come last, one after the other",
			handoff.Request{Jobs: jobs("stop", etcd), Scripts: []handoff.Script{
				{Name: "user-data", Content: []byte("#!/bin/sh\necho 1\n")},
				{Name: "user-data part 3: Ünit%s/..", Content: []byte("#! /bin/sh  -e -x \necho 2\n")}}},
			[]string{"stop etcd2.service",
				"reset " + script,
				"run " + script + ` after ["provisioner-handoff.service"]: ["/bin/sh" "provisioner-script-user-data-1"]: "#!/bin/sh\necho 1\n"`,
				"reset provisioner-script-user-data-part-3-nit-s-2.service",
				"run provisioner-script-user-data-part-3-nit-s-2.service after [\"provisioner-handoff.service\" \"" + script + `"]: ["/bin/sh" "-e -x" "provisioner-script-user-data-part-3-nit-s-2"]: "#! /bin/sh  -e -x \necho 2\n"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &recorder{}
			dir := filepath.Join(t.TempDir(), "provisioner", "scripts")
			synctest.Test(t, func(t *testing.T) {
				r := handoff.Start(t.Context(), m, tt.request, handoff.Options{ScriptDir: dir})
				if err := r.Err(); err != nil {
					t.Errorf("Err: %v", err)
				}
			})
			if diff := cmp.Diff(tt.want, m.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left in the directory of scripts: %v", left)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	loaded := handoff.State{Load: "loaded", Active: "activating", Queued: true}
	tests := []struct {
		name    string
		systemd recorder
		request handoff.Request
		want    []string // of the error, line by line; nil if the hand-off worked
		takes   time.Duration
	}{
		{"a condition of the unit's own that does not hold is its author's will",
			recorder{ends: map[string]string{etcd: "skipped"}}, handoff.Request{Jobs: jobs("start", etcd)}, nil, 0},
		{"a failed agent is a failed hand-off, and the next one is still watched",
			recorder{ends: map[string]string{etcd: "failed", fleet: "dependency"},
				states: map[string]handoff.State{etcd: {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 3}}},
			handoff.Request{Jobs: jobs("start", etcd, "start", fleet)},
			[]string{"etcd2.service: start: failed (exit-code, status 3)", "fleet.service: start: dependency"}, 0},
		{"a job that somebody else replaced",
			recorder{ends: map[string]string{etcd: "canceled"}}, handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: canceled (something else was asked of it meanwhile)"}, 0},
		{"a unit that another one keeps from starting names it",
			recorder{ends: map[string]string{etcd: "failed", flannel: "dependency"}, states: map[string]handoff.State{
				etcd:    {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 3},
				flannel: {Load: "loaded", Active: "inactive", Needs: []string{"sysinit.target", etcd}}}},
			handoff.Request{Jobs: jobs("start", etcd, "start", flannel)},
			[]string{"etcd2.service: start: failed (exit-code, status 3)",
				"flanneld.service: start: dependency (needs etcd2.service, which failed (exit-code, status 3))"}, 0},
		{"and one that keeps that one from starting in turn",
			recorder{ends: map[string]string{fleet: "dependency"}, states: map[string]handoff.State{
				fleet:   {Load: "loaded", Active: "inactive", Needs: []string{flannel}},
				flannel: {Load: "loaded", Active: "inactive", Needs: []string{etcd}},
				etcd:    {Load: "masked", Active: "inactive"}}},
			handoff.Request{Jobs: jobs("start", fleet)},
			[]string{"fleet.service: start: dependency (needs flanneld.service, which needs etcd2.service, which is masked)"}, 0},
		{"units that need each other are not followed for ever",
			recorder{ends: map[string]string{fleet: "dependency"}, states: map[string]handoff.State{
				fleet:   {Load: "loaded", Active: "inactive", Needs: []string{flannel}},
				flannel: {Load: "loaded", Active: "inactive", Needs: []string{flannel}}}},
			handoff.Request{Jobs: jobs("start", fleet)},
			[]string{"fleet.service: start: dependency (needs flanneld.service, which did not start)"}, 0},
		{"a unit that fails after another one did",
			recorder{ends: map[string]string{etcd: "failed", flannel: "failed"}, states: map[string]handoff.State{
				etcd:    {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 3},
				flannel: {Load: "loaded", Active: "activating", Result: "signal", ExitStatus: 9, After: []string{"basic.target", etcd}}}},
			handoff.Request{Jobs: jobs("start", flannel, "start", etcd)},
			[]string{"etcd2.service: start: failed (exit-code, status 3)",
				"flanneld.service: start: failed (signal, status 9; after etcd2.service, which failed)"}, 0},
		{"units that wait for each other",
			recorder{refuse: map[string]error{"start etcd2.service": handoff.ErrCycle}, states: map[string]handoff.State{
				etcd:             {Load: "loaded", After: []string{"basic.target", fleet}},
				fleet:            {Load: "loaded", After: []string{flannel, "x.service"}},
				"x.service":      {Load: "loaded", After: []string{etcd}},
				flannel:          {Load: "loaded", After: []string{"basic.target"}},
				"basic.target":   {Load: "loaded", After: []string{"sysinit.target"}},
				"sysinit.target": {Load: "loaded"}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: failed (units wait for each other: etcd2.service after fleet.service after x.service after etcd2.service)"}, 0},
		{"a ring that only the unit itself knows of, since systemd has forgotten it meanwhile",
			recorder{refuse: map[string]error{"start etcd2.service": handoff.ErrCycle}, states: map[string]handoff.State{
				etcd:    {Load: "loaded", After: []string{fleet}, Before: []string{flannel}},
				fleet:   {Load: "loaded", After: []string{flannel}},
				flannel: {Load: "loaded"}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: failed (units wait for each other: etcd2.service after fleet.service after flanneld.service after etcd2.service)"}, 0},
		{"a ring among those that it needs",
			recorder{refuse: map[string]error{"start etcd2.service": handoff.ErrCycle}, states: map[string]handoff.State{
				etcd:    {Load: "loaded", After: []string{fleet}, Needs: []string{fleet}},
				fleet:   {Load: "loaded", After: []string{flannel}},
				flannel: {Load: "loaded", After: []string{fleet}}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: failed (units wait for each other: fleet.service after flanneld.service after fleet.service)"}, 0},
		{"a unit that was enabled, and whose start systemd has dropped",
			recorder{states: map[string]handoff.State{
				fleet:               {Load: "loaded", Active: "inactive", By: []string{"multi-user.target"}, After: []string{flannel}},
				flannel:             {Load: "loaded", Active: "active", After: []string{fleet}},
				"multi-user.target": {Load: "loaded", Active: "active"}}},
			handoff.Request{Jobs: jobs("start", etcd), Enabled: []string{etcd, fleet}},
			[]string{"fleet.service: start: canceled (units wait for each other: fleet.service after flanneld.service after fleet.service)"}, 0},
		{"an agent that the boot itself starts is watched too",
			recorder{ends: map[string]string{fleet: "failed"}, states: map[string]handoff.State{
				fleet:   {Load: "loaded", Active: "inactive", Queued: true},
				flannel: {Load: "loaded", Active: "inactive"}}},
			handoff.Request{Jobs: jobs("start", etcd), Agents: []string{etcd, flannel, fleet}},
			[]string{"fleet.service: start: failed"}, 0},
		{"a unit that nobody defines",
			recorder{refuse: map[string]error{"start etcd2.service": errors.New("Unit etcd2.service not found.")}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: failed (Unit etcd2.service not found.)"}, 0},
		{"a simple service counts as started before it reads its settings, and fails then",
			recorder{states: map[string]handoff.State{etcd: {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 1}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: failed (exit-code, status 1)"}, 0},
		{"a unit that says nothing has a bound too",
			recorder{ends: map[string]string{etcd: "never"}}, handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: timeout (not ended after 1m30s; it goes on unwatched)"}, 90 * time.Second},
		{"a unit's own longer limit counts, and systemd says itself what came of it",
			recorder{ends: map[string]string{etcd: "timeout"}, after: map[string]time.Duration{etcd: 5 * time.Minute},
				states: map[string]handoff.State{etcd: {Load: "loaded", Active: "failed", Result: "timeout", Timeout: 5 * time.Minute, Queued: true}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: timeout (timeout)"}, 5 * time.Minute},
		{"a oneshot without a limit has an hour",
			recorder{ends: map[string]string{etcd: "never"},
				states: map[string]handoff.State{etcd: {Load: "loaded", Active: "activating", Unlimited: true, Queued: true}}},
			handoff.Request{Jobs: jobs("start", etcd)},
			[]string{"etcd2.service: start: timeout (not ended after 1h0m0s; it goes on unwatched)"}, time.Hour},
		{"the time of a job counts from the end of the one before, which it may be waiting for",
			recorder{after: map[string]time.Duration{etcd: 80 * time.Second, fleet: 160 * time.Second},
				states: map[string]handoff.State{etcd: loaded, fleet: loaded}},
			handoff.Request{Jobs: jobs("start", etcd, "start", fleet)}, nil, 160 * time.Second},
		{"a lost signal, as when systemd executed itself anew: the state of the unit tells",
			recorder{ends: map[string]string{etcd: "never", fleet: "never"}, states: map[string]handoff.State{
				etcd:  {Load: "loaded", Active: "active"},
				fleet: {Load: "loaded", Active: "failed", Result: "signal", ExitStatus: 9}}},
			handoff.Request{Jobs: jobs("start", etcd, "start", fleet)},
			[]string{"fleet.service: start: failed (signal, status 9)"}, 30 * time.Second},
		{"a hostname that the kernel refuses is told, and the agents start",
			recorder{refuse: map[string]error{"hostname web1": os.ErrPermission}},
			handoff.Request{Hostname: "web1", Jobs: jobs("start", etcd)},
			[]string{"set hostname: permission denied"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := handoff.Start(t.Context(), &tt.systemd, tt.request, handoff.Options{})
				var got []string
				if err := r.Err(); err != nil {
					got = strings.Split(err.Error(), "\n")
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				if took := time.Since(began); took != tt.takes {
					t.Errorf("took %s, want %s", took, tt.takes)
				}
				var waited time.Duration
				for _, w := range r.Waited {
					waited += w
				}
				if waited != tt.takes || len(r.Waited) != len(r.Outcomes) {
					t.Errorf("waited %v for %d outcomes, %s in all", r.Waited, len(r.Outcomes), tt.takes)
				}
			})
		})
	}
}

func TestProgressNamesWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &recorder{after: map[string]time.Duration{etcd: 31 * time.Second}}
		var got []string
		r := handoff.Start(t.Context(), m, handoff.Request{Jobs: jobs("start", etcd)},
			handoff.Options{Progress: func(line string) { got = append(got, line) }})
		want := []string{
			"waiting for start of etcd2.service for 15s, at most 1m30s",
			"waiting for start of etcd2.service for 30s, at most 1m30s",
		}
		if diff := cmp.Diff(want, got); diff != "" || r.Err() != nil {
			t.Errorf("%v\nprogress (-want +got):\n%s", r.Err(), diff)
		}
	})
}

// Units that cannot be read again: nothing starts with settings of yesterday, and whoever hands off can tell that from a
// hand-off that went wrong.
func TestNoReloadNoJobs(t *testing.T) {
	m := &recorder{refuse: map[string]error{"reload": fmt.Errorf("no: %w", handoff.ErrNoSpace)},
		states: map[string]handoff.State{fleet: {Load: "loaded", Active: "inactive", Queued: true}}}
	request := handoff.Request{
		Hostname: "web1", Reload: true, Networkd: true, Jobs: jobs("start", etcd), Agents: []string{fleet}, Enabled: []string{flannel},
		Commands: []handoff.Command{{Argv: []string{"/bin/true"}}}, Scripts: []handoff.Script{{Name: "user-data", Content: []byte("#!/bin/sh\n")}},
		Steps: steps("true"), Power: &plan.Power{Mode: "poweroff"},
	}
	r := handoff.Start(t.Context(), m, request, handoff.Options{ScriptDir: filepath.Join(t.TempDir(), "s", "s"), Success: "hooks.target"})
	if !errors.Is(r.Err(), handoff.ErrNoSpace) || !r.Refused || len(r.Outcomes) > 0 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"hostname web1", "reload"}, m.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if r := handoff.Start(t.Context(), &recorder{ends: map[string]string{etcd: "failed"}}, handoff.Request{Reload: true, Jobs: jobs("start", etcd)}, handoff.Options{}); r.Refused {
		t.Error("one that went wrong is not refused")
	}
}

func TestHooksOfSuccess(t *testing.T) {
	for result, want := range map[string][]string{
		"done":   {"start etcd2.service", "start hooks.target"},
		"failed": {"start etcd2.service"},
	} {
		m := &recorder{ends: map[string]string{etcd: result}}
		synctest.Test(t, func(t *testing.T) {
			handoff.Start(t.Context(), m, handoff.Request{Jobs: jobs("start", etcd)}, handoff.Options{Success: "hooks.target"})
		})
		if diff := cmp.Diff(want, m.calls); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", result, diff)
		}
	}
}

func TestEnqueueDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &recorder{ends: map[string]string{etcd: "never"}}
		began := time.Now()
		w := handoff.Enqueue(t.Context(), m, handoff.Request{Jobs: jobs("start", etcd, "start", fleet)}, handoff.Options{})
		if took := time.Since(began); took != 0 || len(m.calls) != 2 {
			t.Errorf("Enqueue took %s and made %q", took, m.calls)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := w.Wait(ctx)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Wait outlived its context: %s", took)
		}
		if len(r.Outcomes) != 2 || r.Outcomes[0].Result != "canceled" {
			t.Errorf("outcomes %+v", r.Outcomes)
		}
	})
}

// A script may start the machine again: systemd ends it, and us, at the same time. That it has ended is told, or it would
// run again on the next boot, and start the machine again. One that had not begun is to run on the next boot.
func TestTheWatchIsEndedWithWhatItWatches(t *testing.T) {
	const unit, second, step = "provisioner-script-a-1.service", "provisioner-script-b-2.service", "provisioner-runcmd-0.service"
	scripts := []handoff.Script{{Name: "a", Content: []byte("#!/bin/sh\n")}, {Name: "b", Content: []byte("#!/bin/sh\n")}}
	for _, tt := range []struct {
		name    string
		request handoff.Request
		ends    map[string]string
		after   map[string]time.Duration
		want    []string // outcomes
		told    []string
		takes   time.Duration // from when the watch was ended, a minute after it began
	}{
		{"at the same moment", handoff.Request{Scripts: scripts}, map[string]string{unit: "canceled", second: "canceled"},
			map[string]time.Duration{unit: time.Minute, second: time.Minute}, []string{"canceled", "canceled"}, []string{"a"}, 0},
		{"the second one", handoff.Request{Scripts: scripts}, map[string]string{unit: "failed", second: "canceled"},
			map[string]time.Duration{unit: time.Second, second: time.Minute}, []string{"failed", "canceled"}, []string{"a", "b"}, 0},
		{"before there was any", handoff.Request{Scripts: scripts, Commands: []handoff.Command{{Argv: []string{"/bin/true"}}}},
			map[string]string{"provisioner-command-true-1.service": "canceled", unit: "canceled", second: "canceled"},
			map[string]time.Duration{"provisioner-command-true-1.service": time.Minute, unit: time.Minute, second: time.Minute},
			[]string{"canceled", "canceled", "canceled"}, []string{"true"}, 0},
		{"beside a job, which is canceled too", handoff.Request{Jobs: jobs("start", etcd), Scripts: scripts[:1]}, map[string]string{etcd: "never", unit: "canceled"},
			map[string]time.Duration{unit: time.Minute}, []string{"canceled", "canceled"}, []string{"a"}, 0},
		{"a little later", handoff.Request{Scripts: scripts}, map[string]string{unit: "canceled", second: "canceled"},
			map[string]time.Duration{unit: time.Minute + 3*time.Second, second: time.Minute}, []string{"canceled", "canceled"}, []string{"a"}, 3 * time.Second},
		{"not at all", handoff.Request{Jobs: jobs("start", etcd), Scripts: scripts}, map[string]string{etcd: "never", unit: "never", second: "never"}, nil,
			[]string{"canceled", "canceled", "canceled"}, nil, 5 * time.Second},
		{"a step", handoff.Request{Steps: steps("a", "b")}, map[string]string{step: "canceled"}, map[string]time.Duration{step: time.Minute + time.Second},
			[]string{"canceled", handoff.NotRun}, []string{"runcmd[0]"}, time.Second},
		{"before the steps", handoff.Request{Jobs: jobs("start", etcd), Steps: steps("a")}, map[string]string{etcd: "never"}, nil,
			[]string{"canceled", handoff.NotRun}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 20 { // what is ready at the same time, Go takes in any order
				dir := filepath.Join(t.TempDir(), "provisioner", "scripts")
				synctest.Test(t, func(t *testing.T) {
					m := &recorder{ends: tt.ends, after: tt.after}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					began := time.Now()
					var got, told []string
					r := handoff.Start(ctx, m, tt.request, handoff.Options{ScriptDir: dir, Timeout: time.Hour,
						ScriptEnded: func(o handoff.Outcome) { told = append(told, o.Script) },
						StepEnded:   func(o handoff.Outcome, _ []byte) { told = append(told, o.Script) },
					})
					for _, o := range r.Outcomes {
						got = append(got, o.Result)
					}
					slices.Sort(tt.told)
					slices.Sort(told)
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("outcomes (-want +got):\n%s", diff)
					}
					if diff := cmp.Diff(tt.told, told); diff != "" {
						t.Errorf("told (-want +got):\n%s", diff)
					}
					if took := time.Since(began) - time.Minute; took != tt.takes || len(r.Errs) > 0 {
						t.Errorf("took %s, errors %v", took, r.Errs)
					}
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

// A script that has ended is told of at once, also where something before it in the list takes very long; what is
// reported stays in order.
func TestScriptsAreToldOfAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &recorder{
			ends:   map[string]string{"provisioner-script-b-2.service": "failed", "provisioner-script-c-3.service": "never"},
			states: map[string]handoff.State{etcd: {Load: "loaded", Active: "activating", Unlimited: true, Queued: true}},
			after:  map[string]time.Duration{etcd: 50 * time.Minute, "provisioner-script-b-2.service": time.Minute},
		}
		dir := filepath.Join(t.TempDir(), "provisioner", "scripts")
		var scripts []handoff.Script
		for _, name := range []string{"a", "b", "c"} {
			scripts = append(scripts, handoff.Script{Name: name, Content: []byte("#!/bin/sh\n")})
		}
		began := time.Now()
		var told, got []string
		r := handoff.Start(t.Context(), m, handoff.Request{Jobs: jobs("start", etcd), Scripts: scripts}, handoff.Options{ScriptDir: dir,
			ScriptEnded: func(o handoff.Outcome) {
				told = append(told, fmt.Sprint(o.Script, " ", o.Result, " ", time.Since(began)))
			}})
		for i, o := range r.Outcomes {
			got = append(got, fmt.Sprint(o.Unit, " ", o.Result, " ", r.Waited[i]))
		}
		if diff := cmp.Diff([]string{"a done 0s", "b failed 1m0s"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		want := []string{"etcd2.service done 50m0s", "provisioner-script-a-1.service done 0s", "provisioner-script-b-2.service failed 0s",
			"provisioner-script-c-3.service timeout 1m30s"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if left := folder(dir); len(left) != 1 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestScript(t *testing.T) {
	const unit = "provisioner-script-user-data-1.service"
	dir := t.TempDir()
	plain := filepath.Join(dir, "not-executable")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		script  string
		systemd recorder
		want    string // of the error, "" if the script ran and ended well
		kept    bool   // whether the file stays
		ended   int    // how often ScriptEnded is called
	}{
		{"an interpreter found by another", "#!/usr/bin/env sh\n", recorder{}, "", false, 1},
		{"no line end after the first line", "#!/bin/sh", recorder{}, "", false, 1},
		{"its exit status is seen, and its unit forgotten", "#!/bin/sh\nexit 7\n",
			recorder{ends: map[string]string{unit: "failed"},
				states: map[string]handoff.State{unit: {Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 7}}},
			unit + ": run: failed (exit-code, status 7)", false, 1},
		{"one that never ends keeps its file and is not marked as ended", "#!/bin/sh\nsleep infinity\n",
			recorder{ends: map[string]string{unit: "never"},
				states: map[string]handoff.State{unit: {Load: "loaded", Active: "activating", Unlimited: true, Queued: true}}},
			unit + ": run: timeout (not ended after 1h0m0s; it goes on unwatched)", true, 0},
		{"no interpreter at all", "echo hello\n", recorder{},
			unit + `: run: failed (the first line of the script does not begin with "#!")`, false, 0},
		{"only blanks", "#! \t \n", recorder{}, unit + ": run: failed (the first line of the script names no interpreter)", false, 0},
		{"a relative interpreter", "#!bin/sh\n", recorder{}, unit + ": run: failed (the interpreter of the script is not an absolute path)", false, 0},
		{"a missing interpreter, whose name is the user's text", "#!/no/such/hunter2\n", recorder{},
			unit + ": run: failed (the interpreter of the script cannot be used: no such file or directory)", false, 0},
		{"a directory", "#!/\n", recorder{}, unit + ": run: failed (the interpreter of the script is not an executable file)", false, 0},
		{"a text file", "#!" + plain + "\n", recorder{}, unit + ": run: failed (the interpreter of the script is not an executable file)", false, 0},
		{"Windows line ends", "#!/bin/sh\r\n", recorder{}, unit + ": run: failed (the first line of the script ends with a carriage return; save it with Unix line ends)", false, 0},
		{"a NUL", "#!/bin/sh\x00\n", recorder{}, unit + ": run: failed (the first line of the script has a NUL byte)", false, 0},
		{"a first line that the kernel would cut", "#!/bin/sh " + strings.Repeat("x", 300) + "\n", recorder{},
			unit + ": run: failed (the first line of the script is longer than 256 bytes)", false, 0},
		{"systemd refuses", "#!/bin/sh\n",
			recorder{refuse: map[string]error{`run ` + unit + ` after ["provisioner-handoff.service"]: ["/bin/sh" "provisioner-script-user-data-1"]: "#!/bin/sh\n"`: errors.New("no")}},
			unit + ": run: failed (no)", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "provisioner", "scripts")
			synctest.Test(t, func(t *testing.T) {
				ended := 0
				request := handoff.Request{Scripts: []handoff.Script{{Name: "user-data", Content: []byte(tt.script)}}}
				w := handoff.Enqueue(t.Context(), &tt.systemd, request, handoff.Options{
					ScriptDir: dir, ScriptEnded: func(handoff.Outcome) { ended++ }})
				checkModes(t, dir)
				got := ""
				if err := w.Wait(t.Context()).Err(); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("error %q, want %q", got, tt.want)
				}
				if ended != tt.ended {
					t.Errorf("told %d times that it ended, want %d", ended, tt.ended)
				}
			})
			left, _ := os.ReadDir(dir)
			if (len(left) > 0) != tt.kept {
				t.Errorf("files left %v, want any: %t", left, tt.kept)
			}
		})
	}
}

// checkModes checks that only root, or whoever runs the test, can read a script.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return // no script came so far
	}
	if err != nil || d.Mode().Perm() != 0o700 {
		t.Errorf("directory of scripts: %v, %v", d.Mode(), err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if i, err := os.Stat(f); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("script: %v, %v", i.Mode(), err)
		}
	}
}

func TestRequestOfAPlan(t *testing.T) {
	p := plan.Plan{Hostname: "web1", Reload: true, Networkd: true, Jobs: jobs("start", etcd),
		Scripts: []plan.Script{{Name: "user-data", Content: []byte("#!/bin/sh\n")}}}
	want := handoff.Request{Hostname: "web1", Reload: true, Networkd: true, Jobs: jobs("start", etcd),
		Scripts: []handoff.Script{{Name: "user-data", Number: 1, Content: []byte("#!/bin/sh\n")}}}
	if diff := cmp.Diff(want, handoff.Of(p)); diff != "" {
		t.Errorf("Of (-want +got):\n%s", diff)
	}
	if handoff.Of(p).IsEmpty() || !handoff.Of(plan.Plan{}).IsEmpty() {
		t.Error("IsEmpty is wrong")
	}
}

func TestDropped(t *testing.T) {
	const unit = "web.service"
	idle := handoff.State{Load: "loaded", Active: "inactive", By: []string{"multi-user.target"}, After: []string{"x.target"}}
	states := func(change func(*handoff.State)) map[string]handoff.State {
		s := idle
		change(&s)
		return map[string]handoff.State{unit: s, "x.target": {Load: "loaded", After: []string{unit}},
			"multi-user.target": {Load: "loaded", Active: "inactive", Queued: true}, "graphical.target": {Load: "loaded", Active: "inactive"},
			"custom.target": {Load: "loaded", Active: "inactive", By: []string{"multi-user.target"}}}
	}
	for _, tt := range []struct {
		name   string
		change func(*handoff.State)
		want   string
	}{
		{"in a ring", func(*handoff.State) {}, "units wait for each other: web.service after x.target after web.service"},
		{"in no ring", func(s *handoff.State) { s.After = nil }, ""},
		{"it is still to start", func(s *handoff.State) { s.Queued = true }, ""},
		{"it was tried", func(s *handoff.State) { s.Tried = true }, ""},
		{"this boot does not want it", func(s *handoff.State) { s.By = []string{"graphical.target"} }, ""},
		{"what wants it was dropped with it", func(s *handoff.State) { s.By = []string{"custom.target"} }, "units wait for each other: web.service after x.target after web.service"},
		{"it is gone", func(s *handoff.State) { s.Load = "not-found" }, ""},
	} {
		if got := handoff.Dropped(t.Context(), &recorder{states: states(tt.change)}, unit); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A unit waits for the job of another one only if that is there already, so jobs are asked for in the order of the units.
func TestJobsAreAskedForInTheOrderOfTheirUnits(t *testing.T) {
	after := func(units ...string) handoff.State {
		return handoff.State{Load: "loaded", Active: "active", After: units}
	}
	for _, tt := range []struct {
		name   string
		states map[string]handoff.State
		want   []string
	}{
		{"no order among them", map[string]handoff.State{fleet: after("basic.target")}, []string{"start fleet.service", "start flanneld.service", "stop etcd2.service", "start etcd2.service"}},
		{"backwards", map[string]handoff.State{fleet: after(flannel, "basic.target"), flannel: after(etcd)},
			[]string{"stop etcd2.service", "start etcd2.service", "start flanneld.service", "start fleet.service"}},
		{"a ring", map[string]handoff.State{fleet: after(etcd), etcd: after(fleet)},
			[]string{"stop etcd2.service", "start etcd2.service", "start fleet.service", "start flanneld.service"}},
	} {
		m := &recorder{states: tt.states}
		handoff.Start(t.Context(), m, handoff.Request{Jobs: jobs("start", fleet, "start", flannel, "stop", etcd, "start", etcd)}, handoff.Options{})
		if diff := cmp.Diff(tt.want, m.calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Whoever watches is ended after what it watches, whatever it is called.
func TestTheWatcherIsEndedLast(t *testing.T) {
	m := &recorder{}
	dir := filepath.Join(t.TempDir(), "provisioner", "scripts")
	request := handoff.Request{
		Scripts: []handoff.Script{{Name: "user-data", Content: []byte("#!/bin/sh\n")}},
		Steps:   []plan.Step{{Name: "runcmd[0]", Text: "true"}},
	}
	synctest.Test(t, func(t *testing.T) {
		handoff.Start(t.Context(), m, request, handoff.Options{ScriptDir: dir, Watcher: "watcher.service"})
	})
	runs := 0
	for _, call := range m.calls {
		if strings.HasPrefix(call, "run ") {
			if runs++; !strings.Contains(call, ` after ["watcher.service"`) {
				t.Error(call)
			}
		}
	}
	if runs != 2 {
		t.Errorf("%q", m.calls)
	}
}

// crowded is a systemd with one hand-off's units under way when the next one comes.
type crowded struct {
	mu sync.Mutex // two hand-offs ask
	recorder
	files map[string]string // of units that are there
	jobs  map[string][]chan string
	// late are units that are there only when a second one is to be started.
	late map[string]bool
}

func newCrowded() *crowded {
	return &crowded{files: map[string]string{}, jobs: map[string][]chan string{}, late: map[string]bool{},
		recorder: recorder{states: map[string]handoff.State{}}}
}

func (c *crowded) Reset(ctx context.Context, unit string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recorder.Reset(ctx, unit)
}

func (c *crowded) Run(_ context.Context, t handoff.Transient) (<-chan string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := c.jobs[t.Unit]; is {
		delete(c.late, t.Unit)
		return nil, errors.New("Unit " + t.Unit + " was already loaded or has a fragment file.")
	}
	c.files[t.Unit] = t.Command[len(t.Command)-1]
	_ = c.call("run %s", t.Unit)
	return c.job(t.Unit), nil
}

func (c *crowded) Enqueue(_ context.Context, unit, action string) (<-chan string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.job(unit), c.call("%s %s", action, unit)
}

func (c *crowded) job(unit string) <-chan string {
	ended := make(chan string, 1)
	c.jobs[unit] = append(c.jobs[unit], ended)
	return ended
}

func (c *crowded) end(unit, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ended := range c.jobs[unit] {
		ended <- result
	}
	delete(c.jobs, unit)
}

func (c *crowded) State(_ context.Context, unit string) (handoff.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := handoff.State{Load: "loaded", Active: "activating", Unlimited: true, Queued: true}
	if _, is := c.jobs[unit]; !is || c.late[unit] {
		return handoff.State{Load: "not-found", Active: "inactive"}, nil
	}
	if other, is := c.states[unit]; is {
		return other, nil
	}
	return s, nil
}

// A hand-off that comes while another one has not ended goes on with its units, and does nothing to their files.
func TestTwoHandOffs(t *testing.T) {
	const (
		script1, script2 = "provisioner-script-one-1.service", "provisioner-script-two-2.service"
		command, step    = "provisioner-command-true-1.service", "provisioner-runcmd-0.service"
	)
	scripts := func(text string) handoff.Request {
		return handoff.Request{Scripts: []handoff.Script{{Name: "one", Content: []byte("#!/bin/sh\n" + text)}, {Name: "two", Content: []byte("#!/bin/sh\necho 2\n")}}}
	}
	commands := handoff.Request{Commands: []handoff.Command{{Argv: []string{"/bin/true"}}}}
	const busy = ": run: failed (what an earlier hand-off has started under this name has not ended)"
	for _, tt := range []struct {
		name          string
		first, second handoff.Request
		prepare       func(*crowded)
		calls         []string // of the second one
		ended         []string // what it is told
		err           string
	}{
		{"the same scripts", scripts(""), scripts(""), nil, []string{"start " + script1, "start " + script2}, []string{"one", "two"}, ""},
		{"at the same moment", scripts(""), scripts(""), func(c *crowded) { c.late[script1], c.late[script2] = true, true },
			[]string{"reset " + script1, "start " + script1, "reset " + script2, "start " + script2}, []string{"one", "two"}, ""},
		{"one has another text", scripts(""), scripts("exit"), nil, []string{"start " + script2}, []string{"two"}, script1 + busy},
		{"one is being ended, and would start again", scripts(""), scripts(""),
			func(c *crowded) {
				c.states[script1] = handoff.State{Load: "loaded", Active: "deactivating", Queued: true}
			},
			[]string{"start " + script2}, []string{"two"}, script1 + busy},
		{"a program that is still to run", commands, commands,
			func(c *crowded) { c.states[command] = handoff.State{Load: "loaded", Active: "inactive", Queued: true} },
			[]string{"start " + command}, []string{"true"}, ""},
		{"a program that may have begun before what it acts on was changed", commands, commands, nil, []string{"start " + command}, nil, ""},
		{"the same step", handoff.Request{Steps: steps("a")}, handoff.Request{Steps: steps("a"), Shell: []byte("PWD=/srv")}, nil,
			[]string{"start " + step}, []string{"runcmd[0]"}, ""},
		{"a step with another text", handoff.Request{Steps: steps("a")}, handoff.Request{Steps: steps("b"), Shell: []byte("PWD=/srv")}, nil, nil, nil, step + busy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, o := newCrowded(), handoff.Options{ScriptDir: filepath.Join(t.TempDir(), "provisioner", "scripts")}
			synctest.Test(t, func(t *testing.T) {
				over := make(chan error)
				go func() {
					over <- handoff.Start(t.Context(), c, tt.first, o).Err()
				}()
				synctest.Wait()
				if tt.prepare != nil {
					tt.prepare(c)
				}
				before, files := folder(o.ScriptDir), len(c.files)
				c.calls = nil
				var ended []string
				second := o
				second.ScriptEnded = func(out handoff.Outcome) { ended = append(ended, out.Script) }
				second.StepEnded = func(out handoff.Outcome, _ []byte) { ended = append(ended, out.Script) }
				go func() {
					over <- handoff.Start(t.Context(), c, tt.second, second).Err()
				}()
				synctest.Wait()
				if diff := cmp.Diff(tt.calls, c.calls); diff != "" || len(c.files) != files {
					t.Errorf("calls of the second one (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(before, folder(o.ScriptDir)); diff != "" {
					t.Errorf("files, with the second one (-want +got):\n%s", diff)
				}
				for _, unit := range []string{command, script1} {
					c.end(unit, "done")
				}
				synctest.Wait()
				if _, here := before[strings.TrimSuffix(script2, ".service")]; here && folder(o.ScriptDir)[strings.TrimSuffix(script2, ".service")] == "" {
					t.Error("the second script has lost its file")
				}
				c.end(script2, "done")
				c.end(step, "done")
				got := errors.Join(<-over, <-over)
				if got == nil && tt.err != "" || got != nil && got.Error() != tt.err {
					t.Errorf("error %v, want %q", got, tt.err)
				}
				if diff := cmp.Diff(tt.ended, ended); diff != "" {
					t.Errorf("the second one is told (-want +got):\n%s", diff)
				}
			})
			if left := folder(o.ScriptDir); len(left) > 0 {
				t.Errorf("left in the directory of scripts: %q", left)
			}
		})
	}
}

// folder has the files of a directory with their texts.
func folder(dir string) map[string]string {
	all := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		all[e.Name()] = string(text)
	}
	return all
}
