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

// Every unit can be switched off, in the same two ways.
func TestEveryUnitCanBeSwitchedOff(t *testing.T) {
	for name, text := range read(t) {
		if name == "provisioner-success.target" || name == "provisioner-failure.target" {
			continue // which nothing but our services starts
		}
		if word := values(text, "ConditionKernelCommandLine"); !slices.Equal(word, []string{"!provisioner=off"}) {
			t.Errorf("%s: the command line must not say %q", name, word)
		}
		if files := values(text, "ConditionPathExists"); !slices.Contains(files, "!/etc/provisioner/disabled") {
			t.Errorf("%s: there must be none of %q", name, files)
		}
	}
}

// Logins wait for the floor on the first boot of an instance only: on any other it is not started at all.
func TestTheFloorIsForFirstBoots(t *testing.T) {
	files := values(read(t)["provisioner-floor.service"], "ConditionPathExists")
	if !slices.Contains(files, "/run/provisioner/first") || !slices.Contains(files, "!/run/provisioner/handoff.json") {
		t.Errorf("the floor is started wherever %q", files)
	}
}

// multi-user.target waits for every unit with the usual dependencies that it pulls in.
func TestMultiUserWaitsForNobody(t *testing.T) {
	if got := values(read(t)["provisioner.target"], "DefaultDependencies"); !slices.Equal(got, []string{"no"}) {
		t.Errorf("DefaultDependencies=%s: a metadata service that hangs keeps the machine from multi-user.target", got)
	}
}

// The figures in docs/boot.md are those of systemd-analyze security, or better.
func TestExposureIsDocumented(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze is not installed")
	}
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "boot.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range read(t) {
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(name) + "` \\| ([0-9]+)\\.([0-9]) \\|$").FindSubmatch(docs)
		if row == nil {
			t.Errorf("%s has no figure in docs/boot.md", name)
			continue
		}
		// --threshold is in tenths.
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold="+string(row[1])+string(row[2]), "./"+name).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err != nil {
			t.Errorf("%s: docs/boot.md says %s.%s: %v: %s", name, row[1], row[2], err, lines[len(lines)-1])
		}
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
