//go:build linux

package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
)

// shell is a systemd that runs what it is asked to.
type shell struct {
	recorder
	dir   string
	units []handoff.Transient
	state map[string]handoff.State
}

func (s *shell) Run(ctx context.Context, t handoff.Transient) (<-chan string, error) {
	s.units = append(s.units, t)
	cmd := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(t.Environment, "INVOCATION_ID="+t.Unit)
	err := cmd.Run()
	ended := make(chan string, 1)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		s.state[t.Unit] = handoff.State{Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: exit.ExitCode()}
		if exit.ExitCode() < 0 {
			s.state[t.Unit] = handoff.State{Load: "loaded", Active: "failed", Result: "signal", ExitStatus: 9}
		}
		ended <- "failed"
		return ended, nil
	}
	ended <- "done"
	return ended, err
}

func (s *shell) State(_ context.Context, unit string) (handoff.State, error) {
	return s.state[unit], nil
}

func newShell(t *testing.T) *shell {
	return &shell{dir: t.TempDir(), state: map[string]handoff.State{}}
}

// steps are steps named runcmd[0] and so on; one whose text ends in " # go on" lets the others run.
func steps(texts ...string) []plan.Step {
	var out []plan.Step
	for i, text := range texts {
		out = append(out, plan.Step{Name: fmt.Sprintf("runcmd[%d]", i), Text: text, Continue: strings.HasSuffix(text, " # go on")})
	}
	return out
}

func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		name  string
		texts []string
		want  []string // outcomes
		wrote string   // to the file $OUT
	}{
		{"one after the other", []string{"echo a >>out", "echo b >>out"}, []string{"runcmd[0] done", "runcmd[1] done"}, "a\nb\n"},
		{"the first that fails stops the rest", []string{"echo a >>out", "exit 3", "echo b >>out", "echo c >>out"},
			[]string{"runcmd[0] done", "runcmd[1] failed 3", "runcmd[2] not-run", "runcmd[3] not-run"}, "a\n"},
		{"unless it says otherwise", []string{"false # go on", "echo b >>out"}, []string{"runcmd[0] failed 1", "runcmd[1] done"}, "b\n"},
		{"what the shell cannot read fails", []string{"if true; then (", "echo b >>out"}, []string{"runcmd[0] failed 2", "runcmd[1] not-run"}, ""},
		{"directory and variables are carried over", []string{
			"mkdir -p 'a dir'; cd 'a dir'; export X='it'\"'\"'s\n$Y'; Z=plain; set -eu",
			"cd .; exit 0", // an exit does not lose them
			`printf '%s|%s|' "$X" "$Z" >../out; env | grep -c '^[XZ]=' >>../out; echo "${INVOCATION_ID}" >>../out`,
			"unset X; 'cd' '..'",
			`echo "${X-gone} $Z" >>out`,
		}, []string{"runcmd[0] done", "runcmd[1] done", "runcmd[2] done", "runcmd[3] done", "runcmd[4] done"},
			"it's\n$Y|plain|1\nprovisioner-runcmd-2.service\ngone plain\n"},
		{"also from one that fails", []string{"mkdir d; cd d; false # go on", "echo x >../out"}, []string{"runcmd[0] failed 1", "runcmd[1] done"}, "x\n"},
		{"nothing runs in another directory than it was meant for", []string{"mkdir d; cd d; rmdir ../d", "echo x >>out"},
			[]string{"runcmd[0] done", "runcmd[1] failed 2"}, ""},
		{"a home and a path", []string{`echo "$HOME $PATH" >out`}, []string{"runcmd[0] done"}, "/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, dir := newShell(t), filepath.Join(t.TempDir(), "provisioner", "scripts")
			told := 0
			r := handoff.Start(t.Context(), m, handoff.Request{Steps: steps(tt.texts...)}, handoff.Options{
				ScriptDir: dir, StepEnded: func(handoff.Outcome, []byte) { told++; checkModes(t, dir) }})
			var got []string
			ran := 0
			for _, o := range r.Outcomes {
				line := o.Script + " " + o.Result
				if o.ExitStatus != 0 {
					line += fmt.Sprint(" ", o.ExitStatus)
				}
				if got = append(got, line); o.Result != handoff.NotRun {
					ran++
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if told != ran || len(m.units) != ran {
				t.Errorf("%d ran, %d were told", ran, told)
			}
			out, _ := os.ReadFile(filepath.Join(m.dir, "out"))
			if diff := cmp.Diff(tt.wrote, string(out)); diff != "" {
				t.Errorf("they wrote (-want +got):\n%s", diff)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left in the directory of scripts: %v", left)
			}
		})
	}
}

// What is left by one boot is where the next one begins.
func TestStepsGoOn(t *testing.T) {
	var left []byte
	m, o := newShell(t), handoff.Options{ScriptDir: filepath.Join(t.TempDir(), "s", "s"), StepEnded: func(_ handoff.Outcome, s []byte) { left = s }}
	all := steps("mkdir d; cd d; A=1", `echo "$A" >here`)
	for i := range all {
		if err := handoff.Start(t.Context(), m, handoff.Request{Steps: all[i : i+1], Shell: left}, o).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(m.dir, "d", "here")); err != nil || string(text) != "1\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Nothing of a command is where others can read it, and it is watched until it has ended.
func TestStepUnits(t *testing.T) {
	m := newShell(t)
	dir := filepath.Join(t.TempDir(), "s", "s")
	r := handoff.Request{Steps: steps("echo hunter2; exit 3")}
	result := handoff.Start(t.Context(), m, r, handoff.Options{ScriptDir: dir})
	want := handoff.Transient{
		Unit: "provisioner-runcmd-0.service", Description: "Command of runcmd", Command: []string{"/bin/sh", dir + "/runcmd-0"},
		After:       []string{"provisioner-handoff.service"},
		Environment: []string{"PROVISIONER_HANDOFF=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
	}
	if diff := cmp.Diff([]handoff.Transient{want}, m.units); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := fmt.Sprint(result.Err()), "provisioner-runcmd-0.service: run: failed (exit-code, status 3)"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	m.units = nil
	if err := handoff.BootSteps(t.Context(), m, []plan.Step{{Name: "bootcmd[0]", Text: `test "$INSTANCE_ID" = i-1`}}, "i-1", time.Minute, handoff.Options{ScriptDir: dir}).Err(); err != nil {
		t.Error(err)
	}
	if u := m.units[0]; u.Unit != "provisioner-bootcmd-0.service" || u.Timeout != time.Minute || len(u.After) > 0 {
		t.Errorf("%+v", u)
	}
}

// One that does not end keeps the others from running, and is not marked as ended; nor is one that systemd refuses.
func TestStepsThatDoNotEnd(t *testing.T) {
	const unit = "provisioner-runcmd-0.service"
	for name, tt := range map[string]struct {
		systemd recorder
		want    []string
		told    int
	}{
		"never": {recorder{ends: map[string]string{unit: "never"}, states: map[string]handoff.State{unit: {Load: "loaded", Active: "activating", Unlimited: true, Queued: true}}},
			[]string{"timeout", handoff.NotRun}, 0},
		"ended when the machine went down": {recorder{ends: map[string]string{unit: "canceled"}}, []string{"canceled", handoff.NotRun}, 1},
		"jobs come before": {recorder{ends: map[string]string{etcd: "failed"}, after: map[string]time.Duration{etcd: time.Minute}},
			[]string{"failed", "done", "done"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				request, told := handoff.Request{Steps: steps("a", "b")}, 0
				if name == "jobs come before" {
					request.Jobs = jobs("start", etcd)
				}
				r := handoff.Start(t.Context(), &tt.systemd, request, handoff.Options{
					ScriptDir: filepath.Join(t.TempDir(), "s", "s"), StepEnded: func(handoff.Outcome, []byte) { told++ }})
				var got []string
				for _, o := range r.Outcomes {
					got = append(got, o.Result)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || told != tt.told {
					t.Errorf("%d told (-want +got):\n%s", told, diff)
				}
			})
		})
	}
}

// turner is a systemd that runs conditions, and writes down what else it is asked to run.
type turner struct {
	*shell
	asked [][]string
	ends  string
}

func (u *turner) Run(ctx context.Context, t handoff.Transient) (<-chan string, error) {
	if t.Unit != "provisioner-power-state.service" {
		return u.shell.Run(ctx, t)
	}
	u.asked = append(u.asked, t.Command)
	ended := make(chan string, 1)
	ended <- u.ends
	return ended, nil
}

func TestTurnOff(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/shutdown"); err != nil {
		t.Skip("no shutdown(8): ", err)
	}
	for _, tt := range []struct {
		name  string
		power plan.Power
		ends  string
		want  []string // the last arguments of shutdown; nil if nothing is done
		fails bool
	}{
		{"off", plan.Power{Mode: "poweroff"}, "done", []string{"-P", "--", "now"}, false},
		{"again", plan.Power{Mode: "reboot", Message: "-x $y"}, "canceled", []string{"-r", "--", "now", "-x $y"}, false},
		{"later", plan.Power{Mode: "halt", DelayMinutes: 5, Message: "bye"}, "done", []string{"-H", "--", "+5", "bye"}, false},
		{"much later", plan.Power{Mode: "halt", DelayMinutes: 1 << 40}, "done", []string{"-H", "--", "+527040"}, false},
		{"if so", plan.Power{Mode: "reboot", Condition: "'test' '1' '-lt' '2'"}, "done", []string{"-r", "--", "now"}, false},
		{"if not so", plan.Power{Mode: "reboot", Condition: "exit 1"}, "done", nil, false},
		{"nobody knows", plan.Power{Mode: "reboot", Condition: "kill -9 $$"}, "done", nil, true},
		{"it cannot be done", plan.Power{Mode: "reboot"}, "failed", []string{"-r", "--", "now"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &turner{shell: newShell(t), ends: tt.ends}
			done, err := handoff.TurnOff(t.Context(), m, tt.power, handoff.Options{ScriptDir: filepath.Join(t.TempDir(), "s", "s")})
			if (err != nil) != tt.fails || done != (tt.want != nil && !tt.fails) {
				t.Errorf("done %t, %v", done, err)
			}
			if tt.want == nil {
				if len(m.asked) > 0 {
					t.Errorf("asked %q", m.asked)
				}
				return
			}
			if len(m.asked) != 1 || !slices.Equal(m.asked[0][1:], tt.want) {
				t.Errorf("asked %q, want %q", m.asked, tt.want)
			}
		})
	}
}
