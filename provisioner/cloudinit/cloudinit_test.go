package cloudinit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/cloudinit"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
)

var at = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestWords(t *testing.T) {
	refused := report.Status{State: report.Refused, Datasource: "nocloud", Started: at, Finished: at, Diagnostics: []report.Finding{
		{Severity: diag.Warning, Rule: "later-key", Summary: "not yet"}, {Severity: diag.Error, Rule: "unknown-key", Summary: "unknown key"},
	}}
	tests := []struct {
		name   string
		status report.Status
		absent bool
		exit   int
		long   string
	}{
		{name: "nobody can say whether anything will run", status: report.Status{State: report.None},
			long: "status: not started\nextended_status: not started\nboot_status_code: unknown\ndetail: DataSourceNone\nerrors: []\nrecoverable_errors: {}\n"},
		{name: "nothing will run", status: report.Status{State: report.None}, absent: true,
			long: "status: disabled\nextended_status: disabled\nboot_status_code: disabled-by-generator\ndetail: DataSourceNone\nerrors: []\nrecoverable_errors: {}\n"},
		{name: "a run that goes on", status: report.Status{State: report.Running, Started: at, Datasource: "ec2"},
			long: "status: running\nextended_status: running\nboot_status_code: enabled-by-generator\nlast_update: Sat, 28 Nov 2026 12:00:00 +0000\ndetail: DataSourceEc2\nerrors: []\nrecoverable_errors: {}\n"},
		{name: "done without a datasource", status: report.Status{State: report.Done, Started: at, Finished: at, Datasource: "none"},
			long: "status: done\nextended_status: done\nboot_status_code: enabled-by-generator\nlast_update: Sat, 28 Nov 2026 12:00:00 +0000\ndetail: DataSourceNone\nerrors: []\nrecoverable_errors: {}\n"},
		{name: "refused: errors only, not warnings", status: refused, exit: 1,
			long: "status: error\nextended_status: error - done\nboot_status_code: enabled-by-generator\nlast_update: Sat, 28 Nov 2026 12:00:00 +0000\ndetail: DataSourceNoCloud\nerrors:\n\t- -: unknown key [unknown-key]\nrecoverable_errors: {}\n"},
		{name: "a unit did not start", status: report.Status{State: report.Degraded, Started: at, Finished: at, Datasource: "gce", Errors: []string{"etcd2.service: start: failed"}}, exit: 2,
			long: "status: done\nextended_status: degraded done\nboot_status_code: enabled-by-generator\nlast_update: Sat, 28 Nov 2026 12:00:00 +0000\ndetail: DataSourceGCE\nerrors: []\nrecoverable_errors:\nWARNING:\n\t- etcd2.service: start: failed\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := cloudinit.Of(tt.status, tt.absent)
			if s.ExitStatus != tt.exit {
				t.Errorf("exit status %d, want %d", s.ExitStatus, tt.exit)
			}
			var long, short, inJSON strings.Builder
			if err := s.WriteText(&long, true); err != nil || long.String() != tt.long {
				t.Errorf("got %q, want %q (%v)", long.String(), tt.long, err)
			}
			first, _, _ := strings.Cut(tt.long, "\n")
			if err := s.WriteText(&short, false); err != nil || short.String() != first+"\n" {
				t.Errorf("short: %q, %v", short.String(), err)
			}
			var got map[string]any
			if err := s.WriteJSON(&inJSON); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(inJSON.String()), &got); err != nil || "status: "+got["status"].(string) != first || got["errors"] == nil || got["recoverable_errors"] == nil {
				t.Errorf("JSON: %v, %s", err, inJSON.String())
			}
		})
	}
}

func TestFiles(t *testing.T) {
	s := cloudinit.Of(report.Status{State: report.Done, Started: at, Finished: at, Datasource: "nocloud"}, false)
	files, err := s.Files("provisioner v1", 12340*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1]
	if want := "12.34 - Sat, 28 Nov 2026 12:00:00 +0000 - v. provisioner v1\n"; last.Path != "run/cloud-init/instance/boot-finished" || string(last.Data) != want {
		t.Errorf("%s: %q, want %q, and last of all", last.Path, last.Data, want)
	}
	for _, c := range files[:len(files)-1] {
		var got struct {
			V1 struct {
				Datasource string `json:"datasource"`
			} `json:"v1"`
		}
		if err := json.Unmarshal(c.Data, &got); err != nil || got.V1.Datasource != "DataSourceNoCloud" {
			t.Errorf("%s: %v, %s", c.Path, err, c.Data)
		}
	}
}
