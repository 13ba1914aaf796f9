//go:build integration && linux

package handoff_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/handoff"
)

// The tests below talk to the systemd that runs here, so they run on a machine made for it: integration/nspawn
// puts them there.
func connect(t *testing.T) *handoff.Systemd {
	t.Helper()
	if os.Getenv("PROVISIONER_TEST_MACHINE") == "" {
		t.Skip("this is no machine for tests; integration/nspawn has one")
	}
	s, err := handoff.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// unit defines a unit below /run, without telling systemd.
func unit(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("/run/systemd/system", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) })
}

func TestRealSystemd(t *testing.T) {
	s := connect(t)
	unit(t, "t-old.service", "[Service]\nExecStart=/bin/sleep infinity\n")
	unit(t, "t-up.service", "[Service]\nExecStart=/bin/sleep infinity\n")
	systemctl(t, "start", "t-old.service", "t-up.service") // from now on only a reload makes systemd read them again
	unit(t, "t-old.service", "[Service]\nExecStart=/bin/sleep infinity\nEnvironment=NEW=yes\n")
	unit(t, "t-ok.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
	// It fails when the job of the next one is there already, which else would start it again.
	unit(t, "t-bad.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 0.3; exit 3'\n")
	unit(t, "t-needs-bad.service", "[Unit]\nRequires=t-bad.service\nAfter=t-bad.service\n[Service]\nExecStart=/bin/true\n")
	unit(t, "t-late.service", "[Service]\nExecStart=/bin/sh -c 'sleep 0.2; exit 4'\n")
	unit(t, "t-slow.service", "[Service]\nType=oneshot\nTimeoutStartSec=1\nExecStart=/bin/sleep 60\n")
	unit(t, "t-condition.service", "[Service]\nType=oneshot\nExecCondition=/bin/false\nExecStart=/bin/true\n")

	r := handoff.Start(t.Context(), s, handoff.Request{
		Hostname: "handed-off",
		Reload:   true,
		Jobs: jobs("restart", "t-old.service", "start", "t-late.service", "start", "t-ok.service", "start", "t-bad.service",
			"start", "t-needs-bad.service", "start", "t-slow.service", "start", "t-condition.service",
			"start", "t-none.service", "reload", "t-ok.service", "stop", "t-up.service", "stop", "t-gone.service"),
		Scripts: []handoff.Script{
			{Name: "one", Content: []byte("#! /usr/bin/env  bash \nsleep 0.3\necho first from \"$0\" $HOME\n")},
			{Name: "two", Content: []byte("#!/bin/sh -eu\necho second $#\nexit 7\n")},
			{Name: "no $HOME", Content: []byte("#!/bin/echo $HOME %h ${HOME}\n")},
		},
	}, handoff.Options{})
	var got []string
	for _, o := range r.Outcomes {
		got = append(got, o.String())
	}
	want := []string{
		"t-old.service: restart: done",
		"t-late.service: start: failed (exit-code, status 4)",
		"t-ok.service: start: done",
		"t-bad.service: start: failed (exit-code, status 3)",
		"t-needs-bad.service: start: dependency (needs t-bad.service, which failed (exit-code, status 3))",
		"t-slow.service: start: failed (timeout, status 15)",
		"t-condition.service: start: done",
		"t-none.service: start: failed (Unit t-none.service not found.)",
		"t-ok.service: reload: failed (Job type reload is not applicable for unit t-ok.service.)",
		"t-up.service: stop: done",
		"t-gone.service: stop: done",
		"provisioner-script-one-1.service: run: done",
		"provisioner-script-two-2.service: run: failed (exit-code, status 7)",
		"provisioner-script-no-home-3.service: run: done",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if len(r.Errs) > 0 {
		t.Errorf("errors: %v", r.Errs)
	}
	if name, err := os.Hostname(); name != "handed-off" {
		t.Errorf("hostname %q, %v", name, err)
	}
	if env := systemctl(t, "show", "-P", "Environment", "t-old.service"); env != "NEW=yes" {
		t.Errorf("environment %q: units were not read again", env)
	}
	if left := systemctl(t, "list-units", "--all", "--plain", "--no-legend", "provisioner-script-*"); left != "" {
		t.Errorf("units left: %s", left)
	}
	if left, _ := os.ReadDir("/run/provisioner/scripts"); len(left) > 0 {
		t.Errorf("scripts left: %v", left)
	}
	dir := "/run/provisioner/scripts/provisioner-script-"
	wantLines := []string{"first from " + dir + "one-1", "second 0", "$HOME %h ${HOME} " + dir + "no-home-3"}
	if diff := cmp.Diff(wantLines, journal(t, "provisioner-script-*")); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// A second hand-off of the same goes on with what the first one has started, in any state.
func TestTwoHandOffsOfSystemd(t *testing.T) {
	r := handoff.Request{
		Commands: []handoff.Command{{Argv: []string{"/bin/sleep", "1"}}},
		Scripts: []handoff.Script{
			{Name: "a", Content: []byte("#!/bin/sh\nsleep 2\necho a >>/run/t-two\n")},
			{Name: "b", Content: []byte("#!/bin/sh\necho b >>/run/t-two\nexit 3\n")},
		},
		Steps: steps("sleep 1; echo c >>/run/t-two; cd /tmp"),
	}
	t.Cleanup(func() { os.Remove("/run/t-two") })
	got := make(chan []string)
	for range 2 {
		s := connect(t)
		go func() {
			var lines []string
			for _, o := range handoff.Start(t.Context(), s, r, handoff.Options{
				ScriptEnded: func(o handoff.Outcome) { lines = append(lines, "told "+o.Script) },
				StepEnded:   func(o handoff.Outcome, _ []byte) { lines = append(lines, "told "+o.Script) },
			}).Outcomes {
				lines = append(lines, o.Unit+" "+o.Result)
			}
			got <- lines
		}()
		time.Sleep(500 * time.Millisecond)
	}
	want := []string{
		"provisioner-command-sleep-1.service done", "provisioner-script-a-1.service done", "provisioner-script-b-2.service failed",
		"provisioner-runcmd-0.service done", "told a", "told b", "told runcmd[0]",
	}
	slices.Sort(want)
	for range 2 {
		// The first one alone is told of the program.
		lines := slices.DeleteFunc(<-got, func(line string) bool { return line == "told sleep" })
		slices.Sort(lines)
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("a hand-off (-want +got):\n%s", diff)
		}
	}
	if text, err := os.ReadFile("/run/t-two"); string(text) != "a\nb\nc\n" {
		t.Errorf("they ran %q, %v", text, err)
	}
	if left, _ := os.ReadDir("/run/provisioner/scripts"); len(left) > 0 {
		t.Errorf("scripts left: %v", left)
	}
}

// A boothook has the instance's id, and is ended by systemd when its time is over; the next one runs all the same.
func TestRealSystemdBoothooks(t *testing.T) {
	s := connect(t)
	r := handoff.Boothooks(t.Context(), s, []handoff.Script{
		{Name: "slow", Content: []byte("#!/bin/sh\nsleep 60\n")},
		{Name: "quick", Content: []byte("#!/bin/sh\necho \"on $INSTANCE_ID\"\n")},
	}, "i-1", time.Second, handoff.Options{})
	var got []string
	for _, o := range r.Outcomes {
		got = append(got, o.String())
	}
	want := []string{"provisioner-boothook-slow-1.service: run: failed (timeout, status 15)", "provisioner-boothook-quick-2.service: run: done"}
	if diff := cmp.Diff(want, got); diff != "" || len(r.Errs) > 0 {
		t.Errorf("outcomes (-want +got):\n%s, errors %v", diff, r.Errs)
	}
	if diff := cmp.Diff([]string{"on i-1"}, journal(t, "provisioner-boothook-*")); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// systemd drops its connections when it executes itself anew, and the signal of a job's end with them.
func TestSystemdExecutedAnew(t *testing.T) {
	s := connect(t)
	unit(t, "t-busy.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 5\n")
	w := handoff.Enqueue(t.Context(), s, handoff.Request{Reload: true, Jobs: jobs("start", "t-busy.service")}, handoff.Options{})
	systemctl(t, "daemon-reexec")
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := w.Wait(ctx).Err(); err != nil {
		t.Error(err)
	}
}

func TestRunIsFull(t *testing.T) {
	s := connect(t)
	out, err := exec.Command("findmnt", "-nbo", "SIZE", "/run").Output()
	if err != nil {
		t.Fatal(err)
	}
	resize := func(size string) {
		if out, err := exec.Command("mount", "-o", "remount,size="+size, "/run").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	resize("8M")
	defer resize(strings.TrimSpace(string(out)))
	r := handoff.Start(t.Context(), s, handoff.Request{Reload: true, Jobs: jobs("start", "t-ok.service")}, handoff.Options{})
	if !errors.Is(r.Err(), handoff.ErrNoSpace) || len(r.Outcomes) > 0 {
		t.Errorf("error %v, outcomes %v", r.Err(), r.Outcomes)
	}
}

func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("systemctl", args...).Output()
	if err != nil {
		t.Fatalf("systemctl %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// journal is what units printed.
func journal(t *testing.T, units string) []string {
	t.Helper()
	if err := exec.Command("journalctl", "--sync").Run(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("journalctl", "-o", "cat", "_TRANSPORT=stdout", "-u", units).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
