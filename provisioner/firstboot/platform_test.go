//go:build linux

package firstboot_test

import (
	"strings"
	"testing"

	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// TestPlatformIsTold: a platform that waits for it hears once what became of the first boot, and after the commit.
func TestPlatformIsTold(t *testing.T) {
	const good, bad = "#cloud-config\nhostname: web1\nwrite_files: [{path: /etc/x, content: s3cret}]\n", "#cloud-config\nhostnam: s3cret\n"
	for _, tt := range []struct {
		name, userData string
		faults         []metadatatest.Fault
		state          report.State
		told, notTold  []string // in the report to the platform; nil is no report
		console        string
	}{
		{name: "committed", userData: good, state: report.Done, told: []string{"<State>Ready</State>"}},
		{name: "refused", userData: bad, state: report.Refused, told: []string{"<State>NotReady</State>", "the configuration is refused: user-data:2:1 [unknown-key]"}},
		{name: "no metadata", userData: good, faults: []metadatatest.Fault{{Trouble: metadatatest.Oversize, Bytes: 3 << 20, Path: "/metadata/"}}, state: report.Failed,
			told: []string{"<State>NotReady</State>", "azure: get http://127.0.0.1", "larger than 2 MiB"}},
		{name: "a platform that does not listen", userData: good, faults: []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 400, Method: "POST"}}, state: report.Done,
			console: "the platform could not be told how it went: azure: post http://127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, nil)
			wire := &metadatatest.Wireserver{}
			vm := strings.Replace(metadatatest.ExampleVM, `"network": {`, `"unknown": {`, 1) // whose card this machine does not have
			w := metadatatest.NewWorld(t, metadatatest.Azure(vm, []byte(tt.userData), wire, tt.faults...), 0)
			from := func(e *firstboot.Env) {
				e.Datasources = []string{"azure=" + w.URL}
				e.Sources = w.Env
				e.Sources.Root = m.dir
			}
			m.run(firstboot.BootFloor, from)
			if reports := wire.Reports(); len(reports) > 0 {
				t.Errorf("told before anything was decided: %q", reports)
			}
			r, _ := m.run(firstboot.BootMain, from)
			if r.State != tt.state && !(tt.state == report.Done && r.State == report.Running) {
				t.Errorf("state %s, errors %q", r.State, r.Errors)
			}
			reports := wire.Reports()
			if tt.told == nil && len(reports) > 0 || tt.told != nil && len(reports) != 1 {
				t.Fatalf("told %q", reports)
			}
			for _, want := range tt.told {
				if !strings.Contains(reports[0], want) {
					t.Errorf("told %q, want %q", reports[0], want)
				}
			}
			if strings.Contains(strings.Join(reports, ""), "s3cret") || !strings.Contains(m.console.String(), tt.console) {
				t.Errorf("told %q; console %s", reports, m.console.String())
			}
			m.reboot()
			m.run(firstboot.BootMain, from)
			switch again := wire.Reports(); {
			case tt.name == "committed" && (len(again) != 2 || !strings.Contains(again[1], "<State>Ready</State>")):
				t.Errorf("on a later boot it is told %q", again)
			case tt.name == "refused" && len(again) != 2:
				t.Errorf("refused again it is told %q", again)
			}
		})
	}
}

// TestPlatformIsAskedNothing: a plan, and a root that is not this machine's, are nobody's business.
func TestPlatformIsAskedNothing(t *testing.T) {
	m := newMachine(t, nil)
	wire := &metadatatest.Wireserver{}
	w := metadatatest.NewWorld(t, metadatatest.Azure(metadatatest.ExampleVM, nil, wire), 0)
	if r, _ := m.run(firstboot.Apply, func(e *firstboot.Env) {
		e.Live, e.Datasources, e.Sources.Root = false, []string{"azure=" + w.URL}, m.dir
	}); r.State != report.Done || len(wire.Reports()) > 0 {
		t.Errorf("state %s, told %q", r.State, wire.Reports())
	}
}
