// Package units_test checks the units that are installed with the program.
package units_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read reads all units by name.
func read(t *testing.T) map[string]string {
	t.Helper()
	units := map[string]string{}
	for _, pattern := range []string{"*.service", "*.target"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			units[name] = string(text)
		}
	}
	return units
}

// values are the words given to a directive, over all its lines.
func values(unit, directive string) []string {
	var out []string
	for line := range strings.Lines(unit) {
		if v, ok := strings.CutPrefix(line, directive+"="); ok {
			out = append(out, strings.Fields(v)...)
		}
	}
	return out
}

func TestEveryServiceHasABound(t *testing.T) {
	for name, text := range read(t) {
		if strings.HasSuffix(name, ".service") && len(values(text, "TimeoutStartSec")) != 1 {
			t.Errorf("%s may start for ever, or as long as the machine's default says", name)
		}
	}
	if got := values(read(t)["provisioner-floor.service"], "TimeoutStartSec"); !slices.Equal(got, []string{"30"}) {
		t.Errorf("sshd waits %s s for the access floor; 30 is what is promised", got)
	}
}

func TestNothingWaitsForTheNetwork(t *testing.T) {
	for name, text := range read(t) {
		for _, directive := range []string{"After", "Wants", "Requires"} {
			if slices.Contains(values(text, directive), "network-online.target") {
				t.Errorf("%s: %s=network-online.target; asking again is faster than waiting for it", name, directive)
			}
		}
	}
}

func TestALoginWaitsForTheFloorOnly(t *testing.T) {
	// What a unit is ordered before, other than early boot as a whole, which local must precede.
	want := map[string][]string{
		"provisioner-local.service":   {"network-pre.target", "sysinit.target", "shutdown.target"},
		"provisioner-floor.service":   {"ssh.service", "sshd.service", "systemd-user-sessions.service", "shutdown.target"},
		"provisioner.service":         nil,
		"provisioner-handoff.service": nil,
		"provisioner.target":          {"shutdown.target"},
		"provisioner-success.target":  nil,
		"provisioner-failure.target":  nil,
	}
	for name, text := range read(t) {
		before, known := want[name]
		if got := values(text, "Before"); !known || !slices.Equal(got, before) {
			t.Errorf("%s is ordered before %v, want %v", name, got, before)
		}
	}
}

func TestCommands(t *testing.T) {
	command := regexp.MustCompile(`^/usr/bin/provisioner boot (local|floor|main|handoff)$`)
	for name, text := range read(t) {
		if exec := strings.Join(values(text, "ExecStart"), " "); strings.HasSuffix(name, ".service") && !command.MatchString(exec) {
			t.Errorf("%s runs %q", name, exec)
		}
	}
}

func TestSystemdAgrees(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze is not installed")
	}
	dir := t.TempDir()
	program, err := os.Executable() // any program: verify wants it to be there
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no"}
	for name, text := range read(t) {
		file := filepath.Join(dir, name)
		args = append(args, file)
		text = strings.ReplaceAll(text, "/usr/bin/provisioner", program)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(analyze, args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=warning")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// missing skips a test that needs something this machine lacks; on CI a missing thing is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
