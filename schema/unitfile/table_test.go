package unitfile_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"cloudconfig/schema/unitfile"
)

func TestTable(t *testing.T) {
	tests := []struct {
		name, file, section, directive string
		known                          bool
		instead                        string
	}{
		{"a section's own", "a.service", "Service", "ExecStart", true, ""},
		{"shared", "a.mount", "Mount", "PrivateTmp", true, ""},
		{"of every unit", "a.target", "Unit", "After", true, ""},
		{"a part of a name", "a.service", "Service", "Exec", false, ""},
		{"the end of a name", "a.service", "Service", "Start", false, ""},
		{"a word that a value may be", "a.service", "Service", "oneshot", false, ""},
		{"the kind of others", "a.service", "Service", "bool", false, ""},
		{"newer than 252", "a.service", "Service", "RestartSteps", true, ""},
		{"old", "a.service", "Service", "BlockIOWeight", true, "IOWeight"},
		{"another section's", "a.service", "Service", "OnCalendar", false, ""},
		{"another type's section", "a.service", "Timer", "OnCalendar", false, ""},
		{"the same section of another type", "a.network", "Link", "WakeOnLan", false, ""},
		{"its own", "a.link", "Link", "WakeOnLan", true, ""},
		{"a hyphen in the section", "a.network", "SR-IOV", "Trust", true, ""},
		{"a daemon's", "journald.conf", "Journal", "SystemMaxUse", true, ""},
		{"empty", "a.service", "Service", "", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			known, instead := unitfile.Known(tt.file, tt.section, tt.directive)
			if known != tt.known || instead != tt.instead {
				t.Errorf("known %v, instead %q", known, instead)
			}
		})
	}
}

// TestTableIsWhole: every section names a type of file, and no name is there twice.
func TestTableIsWhole(t *testing.T) {
	files := []string{"a.service", "a.socket", "a.mount", "a.swap", "a.automount", "a.timer", "a.path", "a.slice", "a.scope", "a.target", "a.device",
		"a.network", "a.netdev", "a.link", "system.conf", "journald.conf", "resolved.conf", "timesyncd.conf", "logind.conf", "networkd.conf", "coredump.conf"}
	for _, file := range files {
		for _, section := range unitfile.Sections(file) {
			names := unitfile.Names(file, section)
			slices.Sort(names)
			for i, name := range names {
				if i > 0 && names[i-1] == name {
					t.Errorf("%s: [%s] has %s twice", file, section, name)
				}
				if known, _ := unitfile.Known(file, section, name); !known {
					t.Errorf("%s: %s of [%s] is not found", file, name, section)
				}
				if !unitfile.Judged(unitfile.KindOf(file, section, name)) {
					t.Errorf("%s: %s of [%s] is of no kind that is known: %q", file, name, section, unitfile.KindOf(file, section, name))
				}
			}
		}
	}
}

// TestTableAgainstSystemd: what the systemd of this machine knows, the table knows in the same section.
func TestTableAgainstSystemd(t *testing.T) {
	out, err := exec.Command("/lib/systemd/systemd", "--dump-configuration-items").Output()
	if err != nil {
		missing(t, "a systemd that lists what it knows")
	}
	section, seen := "", 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok || strings.Contains(name, " ") {
			continue
		}
		seen++
		file := "a." + strings.ToLower(section)
		if section == "Unit" || section == "Install" {
			file = "a.target"
		}
		if known, _ := unitfile.Known(file, section, name); !known {
			t.Errorf("[%s] %s is not in the table", section, name)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d directives were listed", seen)
	}
}

// missing skips a test that needs what this machine does not have; on CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
