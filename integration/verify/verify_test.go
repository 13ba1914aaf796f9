//go:build integration && linux

// Package verify_test holds what is said of units against systemd's own reader: a unit with an error is one that
// systemd refuses, and one without is not.
//
// It needs systemd-analyze, of systemd 252 or later; with CI=true it fails without it.
package verify_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// pieces are texts of which units are made: every way to begin with every way to go on.
var pieces = map[string][2][]string{
	"service": {
		{"", "[Service]\n", "[Unit]\nDescription=a\n[Service]\n", "[Service]\nType=oneshot\n", "[Service]\nType=oneshot\nRemainAfterExit=yes\n", "[Service]\nType=dbus\n",
			"[Service]\nRestart=always\nType=oneshot\n", "[Unit]\nSuccessAction=reboot\n[Service]\n", "[Serivce]\n", "[Service]\nPAMName=a\nKillMode=none\n", "[Service\n",
			"[Service]\nType=nonsense\n", "[Service] # c\n"},
		{"", "ExecStart=/bin/true\n", "ExecStart=/bin/true\nExecStart=/bin/true\n", "ExecStart=bin/true\n", "ExecStart=true\n", "ExecStart=-bin/true\n", "ExecStart=~/a\n",
			"ExecStart=/bin/true \"a\n", "ExecStart=\"/bin/true\n", "ExecStart=/bin/\n", "ExecStart=\nExecStart=/bin/true\n", "ExecStart=/bin/true\nExecStart=\n",
			"ExecStart=/bin/true ; /bin/true\n", "ExecStart=/bin/true \\; a\n", "ExecStop=/bin/true\n", "ExecStart=/bin/true \\\n  a\n", "ExecStart=/bin/true\nWorkingDirectory=a\n",
			"ExecStart=/bin/true\nWorkingDirectory=-a\n", "ExecStart=/bin/true\nWorkingDirectory=~\n", "ExecStart=@/bin/true\n", "ExecStart=@/bin/true a\n", "ExecStart=-\n",
			"ExecStart=/bin/true\nRootDirectory=a\n", "ExecStart=/bin/true 'a b' \"c\"d\n", "ExecStart=A=b /bin/true\n", "ExecStart=/bin/true\nExecStartPre=a/b\n",
			"ExecStart=/bin/true\nRestart=on-success\n", "ExecStart=.\n", "ExecStart=+!/bin/true\n", "ExecStart=/bin/true ;\n", "ExecStart=; /bin/true\n"},
	},
	"timer": {
		{"[Timer]\n", "[Timer]\nUnit=b.service\n", ""},
		{"", "OnCalendar=daily\n", "OnCalendar=nonsense\n", "OnBootSec=5min\n", "OnBootSec=5 x\n", "OnBootSec=5 x\nOnCalendar=daily\n", "OnClockChange=yes\n", "OnClockChange=no\n"},
	},
	"socket": {
		{"[Socket]\n", "[Socket]\nService=b.service\n"},
		{"", "ListenStream=80\n", "ListenFIFO=/run/a\n", "Accept=no\n"},
	},
	"path":  {{"[Path]\n"}, {"", "PathExists=/a\n", "MakeDirectory=yes\n", "DirectoryNotEmpty=/a\n"}},
	"mount": {{"[Mount]\n"}, {"", "What=/dev/a\n", "What=/dev/a\nWhere=/a\n", "What=/dev/a\nWhere=/b\n", "What=/dev/a\nWhere=//a/\n", "Where=/a\n"}},
	"swap":  {{"[Swap]\n"}, {"", "What=/dev/a\n", "What=/a\n"}},
}

func TestSystemdAgrees(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze")
	}
	for kind, p := range pieces {
		t.Run(kind, func(t *testing.T) {
			texts := map[string]string{}
			for _, head := range p[0] {
				for _, rest := range p[1] {
					name := fmt.Sprintf("a%d.%s", len(texts), kind)
					if strings.TrimSpace(head+rest) != "" {
						texts[name] = strings.NewReplacer("/a\n", "/"+strings.TrimSuffix(name, "."+kind)+"\n").Replace(head + rest)
					}
				}
			}
			said := verify(t, analyze, texts)
			for name, text := range texts {
				refused := strings.Contains(said, "Unit "+name+" has a bad unit file setting") || strings.Contains(said, name+" failed to load properly")
				var errs []string
				for _, s := range unitfile.Check(name, true, text)[0] {
					if s.Severity == diag.Error || s.Severity == 0 && s.Rule.Severity == diag.Error {
						errs = append(errs, s.Rule.ID+": "+s.Summary)
					}
				}
				if refused != (len(errs) > 0) {
					t.Errorf("%q:\nhere %q\nsystemd refuses it: %v", text, errs, refused)
				}
			}
		})
	}
}

// verify is what systemd-analyze says of some units, which trigger b.service and services of their own names.
func verify(t *testing.T, analyze string, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("b.service", "[Service]\nExecStart=/bin/true\n")
	for name, text := range texts {
		write(name, text)
		args = append(args, filepath.Join(dir, name))
		stem, kind, _ := strings.Cut(name, ".")
		if kind != "service" {
			write(stem+".service", "[Service]\nExecStart=/bin/true\n")
		}
	}
	out, _ := exec.Command(analyze, args...).CombinedOutput()
	return string(out)
}

// TestExamplesOfRules: what the rules' own examples write instead is taken by systemd.
func TestExamplesOfRules(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze")
	}
	for _, r := range rules.All() {
		if !strings.HasPrefix(r.ID, "unit-") || r.Machine || r.Instead == "" {
			continue
		}
		cfg, _ := schema.Decode(schema.Input{Files: []*source.File{{Name: r.ID, Bytes: []byte("#cloud-config\n" + r.Instead + "\n")}}})
		texts := map[string]string{}
		for _, u := range cfg.Units {
			if u.Content.V != "" {
				texts[u.Name.V] = u.Content.V
			}
		}
		for line := range strings.Lines(verify(t, analyze, texts)) {
			for name := range texts {
				if strings.Contains(line, "/"+name+":") || strings.Contains(line, name+" has a bad unit file setting") {
					t.Errorf("%s: %s", r.ID, line)
				}
			}
		}
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
