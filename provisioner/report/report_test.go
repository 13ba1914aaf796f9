package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

var (
	start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

	unknownKey = &diag.Rule{ID: "unknown-key", Severity: diag.Error, Title: "unknown key"}
	odd        = &diag.Rule{ID: "odd", Severity: diag.Warning, Title: "odd", Machine: true}
)

func at(line, column int) source.Range {
	return source.Range{File: "user-data", Start: source.Pos{Line: line, Column: column}, End: source.Pos{Line: line, Column: column + 1}}
}

// files are the files of a report by name, as they would be on disk.
func files(t *testing.T, r *report.Report) map[string]plan.Change {
	t.Helper()
	changes, err := report.Files(r)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]plan.Change{}
	for _, c := range changes {
		byName[c.Path] = c
	}
	return byName
}

func TestFilesOfAWholeRun(t *testing.T) {
	r := report.New(report.Versions{Provisioner: "1.0.0", Kernel: "6.18.0"}, start)
	r.Enter("fetch", start)
	r.Consider("configdrive", "absent: no disk labelled config-2")
	r.Consider("ec2", "DMI vendor is Amazon EC2")
	r.Identify(schema.Metadata{Datasource: "ec2", InstanceID: "i-1", Hostname: "web1", SSHKeys: []string{"ssh-ed25519 AAAA me"}})
	r.Enter("check", start.Add(200*time.Millisecond))
	r.Diagnose(diag.List{diag.New(odd, at(12, 5), "odd %q", "hunter2")})
	r.Enter("commit", start.Add(250*time.Millisecond))
	r.Commit([]plan.Change{
		{Kind: plan.WriteFile, Path: "etc/hostname", Data: []byte("web1\n"), Was: seen(fsroot.Regular), Why: []source.Range{at(15, 11)}},
		{Kind: plan.WriteFile, Path: "etc/key.pem", Data: []byte("hunter2"), Secret: true, Was: seen(fsroot.Absent), Why: []source.Range{at(16, 3)}},
		{Kind: plan.WriteFile, Path: "etc/shadow", Data: []byte("root:hunter2:"), Was: seen(fsroot.Regular), Origin: "default user",
			Records: []plan.Record{{Name: "user core", Action: "added", Detail: "password (secret)"}}},
		{Kind: plan.Remove, Path: "etc/old", Was: seen(fsroot.Link)},
	})
	r.Enter("hand off", start.Add(300*time.Millisecond))
	r.HandOff(handoff.Result{Outcomes: []handoff.Outcome{
		{Unit: "etcd2.service", Action: "start", Result: "done"},
		{Unit: "fleet.service", Action: "start", Result: "failed", Detail: "exit-code, status 3", ExitStatus: 3}}})
	r.Finish(report.Degraded, start.Add(time.Second))

	got := files(t, r)
	wantStatus := `{
  "version": 1,
  "state": "degraded",
  "exit_status": 4,
  "stage": "hand off",
  "failed_stage": "hand off",
  "datasource": "ec2",
  "started": "2026-11-22T10:00:00Z",
  "finished": "2026-11-22T10:00:01Z",
  "diagnostics": [
    {
      "severity": "warning",
      "rule": "odd",
      "class": "machine",
      "summary": "odd",
      "at": {
        "file": "user-data",
        "start": {
          "line": 12,
          "column": 5,
          "offset": 0
        },
        "end": {
          "line": 12,
          "column": 6,
          "offset": 0
        }
      }
    }
  ],
  "errors": [
    "fleet.service: start: failed (exit-code, status 3)"
  ],
  "changes": [
    {
      "kind": "file",
      "path": "/etc/hostname",
      "action": "changed",
      "why": [
        "user-data:15:11"
      ]
    },
    {
      "kind": "file",
      "path": "/etc/key.pem",
      "action": "added",
      "why": [
        "user-data:16:3"
      ]
    },
    {
      "kind": "file",
      "path": "/etc/shadow",
      "action": "changed",
      "why": [
        "default user"
      ]
    },
    {
      "kind": "remove",
      "path": "/etc/old",
      "action": "removed"
    }
  ],
  "jobs": [
    {
      "unit": "etcd2.service",
      "action": "start",
      "result": "done"
    },
    {
      "unit": "fleet.service",
      "action": "start",
      "result": "failed",
      "detail": "exit-code, status 3",
      "exit_status": 3
    }
  ],
  "stages": [
    {
      "name": "fetch",
      "duration_ms": 200
    },
    {
      "name": "check",
      "duration_ms": 50
    },
    {
      "name": "commit",
      "duration_ms": 50
    },
    {
      "name": "hand off",
      "duration_ms": 700
    }
  ]
}
`
	if diff := cmp.Diff(wantStatus, string(got["run/provisioner/status.json"].Data)); diff != "" {
		t.Errorf("status.json (-want +got):\n%s", diff)
	}
	wantInstance := `{
  "version": 1,
  "datasource": "ec2",
  "instance_id": "i-1",
  "hostname": "web1",
  "ssh_keys": [
    "ssh-ed25519 AAAA me"
  ]
}
`
	if diff := cmp.Diff(wantInstance, string(got["run/provisioner/instance.json"].Data)); diff != "" {
		t.Errorf("instance.json (-want +got):\n%s", diff)
	}

	result := string(got["run/provisioner/result.json"].Data)
	var kept struct {
		Stages  []report.Stage
		Sources []report.Source
		Changes []report.Change
	}
	if err := json.Unmarshal([]byte(result), &kept); err != nil {
		t.Fatal(err)
	}
	wantStages := []report.Stage{{Name: "fetch", DurationMS: 200}, {Name: "check", DurationMS: 50}, {Name: "commit", DurationMS: 50}, {Name: "hand off", DurationMS: 700}}
	if diff := cmp.Diff(wantStages, kept.Stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if len(kept.Sources) != 2 {
		t.Errorf("sources %+v", kept.Sources)
	}
	five := int64(5)
	wantChanges := []report.Change{
		{Kind: "file", Path: "/etc/hostname", Action: "changed", SizeBytes: &five, SHA256: plan.Digest([]byte("web1\n")), Why: []string{"user-data:15:11"}},
		{Kind: "file", Path: "/etc/key.pem", Action: "added", Why: []string{"user-data:16:3"}},
		{Kind: "file", Path: "/etc/shadow", Action: "changed", Records: []report.Record{{Name: "user core", Action: "added"}}, Why: []string{"default user"}},
		{Kind: "remove", Path: "/etc/old", Action: "removed"},
	}
	if diff := cmp.Diff(wantChanges, kept.Changes); diff != "" {
		t.Errorf("changes of result.json (-want +got):\n%s", diff)
	}

	modes := map[string]uint32{}
	for name, c := range got {
		modes[name] = c.Attr.Mode
		if c.Origin != plan.OriginState {
			t.Errorf("%s would be taken for a change that somebody asked for", name)
		}
		if strings.Contains(string(c.Data), "hunter2") {
			t.Errorf("%s holds the user's text", name)
		}
	}
	wantModes := map[string]uint32{"run/provisioner": 0o755, "run/provisioner/status.json": 0o644,
		"run/provisioner/instance.json": 0o644, "run/provisioner/result.json": 0o600}
	if diff := cmp.Diff(wantModes, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func seen(k fsroot.Kind) plan.Seen { return plan.Seen{Info: fsroot.Info{Kind: k}} }

// The run that commits and the one that watches the jobs are two processes with one report.
func TestAReportGoesOnInAnotherProcess(t *testing.T) {
	r := report.New(report.Versions{Provisioner: "1"}, start)
	r.Enter("commit", start)
	r.Diagnose(diag.List{diag.New(odd, at(12, 5), "")})
	r.Enter("hand off", start.Add(time.Second))
	kept := report.New(report.Versions{}, start.Add(2*time.Second))
	if err := json.Unmarshal(files(t, r)["run/provisioner/result.json"].Data, kept); err != nil {
		t.Fatal(err)
	}
	kept.Enter("hand off", start.Add(2*time.Second))
	kept.Finish(report.Done, start.Add(5*time.Second))
	want := []report.Stage{{Name: "commit", DurationMS: 1000}, {Name: "hand off", DurationMS: 3000}}
	if diff := cmp.Diff(want, kept.Stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if !kept.Started.Equal(start) || len(kept.Diagnostics) != 1 || kept.State != report.Done || kept.Versions.Provisioner != "1" {
		t.Errorf("lost on the way: %+v", kept)
	}
}

// A wait belongs to the stage in which it was, whichever process writes it down.
func TestWaits(t *testing.T) {
	r := report.New(report.Versions{}, start)
	r.Enter("fetch", start)
	r.Waited("datasource ec2", 3*time.Second)
	r.Waited("the lock", 99*time.Millisecond) // nobody wants to know
	r.Enter("check", start.Add(4*time.Second))
	r.Enter("hand off", start.Add(5*time.Second))
	r.Waited("start of etcd2.service\x1b", 100*time.Millisecond)
	r.Finish(report.Done, start.Add(6*time.Second))
	want := []report.Stage{
		{Name: "fetch", DurationMS: 4000, Waits: []report.Awaited{{What: "datasource ec2", DurationMS: 3000}}},
		{Name: "check", DurationMS: 1000},
		{Name: "hand off", DurationMS: 1000, Waits: []report.Awaited{{What: `start of etcd2.service\u{1b}`, DurationMS: 100}}},
	}
	if diff := cmp.Diff(want, r.Stages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who asks later is told what went wrong first, and what is only worth a warning does not count.
func TestFirstFailure(t *testing.T) {
	r := report.New(report.Versions{}, start)
	r.Enter("fetch", start)
	r.Warn("%s could not be told", "https://example.com/")
	r.Enter("commit", start)
	r.Fail(errors.New("no space left on device"))
	r.Enter("hand off", start)
	r.Fail(errors.New("etcd2.service: start: failed"))
	r.Leave([]report.Left{{Path: "/etc/motd"}}, []report.Left{{Path: "/etc/passwd", Record: "user core"}})
	if s := r.Public(); s.FailedStage != "commit" || len(s.Warnings) != 1 || len(s.Kept) != 1 || s.Orphans[0].Record != "user core" {
		t.Errorf("%+v", s)
	}
}

func TestNoMetadataNoInstanceFile(t *testing.T) {
	if _, ok := files(t, report.New(report.Versions{}, start))["run/provisioner/instance.json"]; ok {
		t.Error("an instance file of an instance that nobody knows")
	}
}

// What others say reaches a report only on one line, without a character that could act on a terminal, and
// within bounds.
func TestTextOfOthers(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"an escape sequence", "a\x1b[31mb", `a\u{1b}[31mb`},
		{"text that runs backwards", "a\u202eb", `a\u{202e}b`},
		{"a line separator", "a\u2028b", `a\u{2028}b`},
		{"bytes that are no text", "a\xffb", `a\x{ff}b`},
		{"letters of any language stay", "é日本 x", "é日本 x"},
		{"too long", strings.Repeat("x", 5000), strings.Repeat("x", 4096) + "... (904 bytes more)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := report.New(report.Versions{}, start)
			r.Fail(errors.New(tt.in))
			r.Identify(schema.Metadata{Hostname: tt.in, SSHKeys: []string{tt.in}})
			r.HandOff(handoff.Result{Outcomes: []handoff.Outcome{{Unit: "u.service", Result: "done", Detail: tt.in}}})
			r.Commit([]plan.Change{{Kind: plan.MakeDirectory, Path: tt.in}})
			got := []string{r.Errors[0], r.Metadata.Hostname, r.Metadata.SSHKeys[0], r.Jobs[0].Detail}
			if diff := cmp.Diff([]string{tt.want, tt.want, tt.want, tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if path := r.Changes[0].Path; strings.ContainsAny(path, "\x1b\u202e\u2028") || !utf8.ValidString(path) || len(path) > 4200 {
				t.Errorf("path %q", path)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	r := report.New(report.Versions{}, start)
	var l diag.List
	for i := range 300 {
		l.Add(diag.New(odd, at(i+1, 1), ""))
	}
	l.Add(diag.New(unknownKey, at(400, 1), ""))
	r.Diagnose(l)
	if n := len(r.Diagnostics); n != 200 || r.Diagnostics[n-1].Rule != "unknown-key" {
		t.Errorf("%d findings are kept, the last of rule %s; an error must not be lost behind warnings", n, r.Diagnostics[n-1].Rule)
	}
	var errs []error
	for i := range 201 {
		errs = append(errs, fmt.Errorf("%d", i))
	}
	r.Fail(errors.Join(errs...))
	if len(r.Errors) != 200 {
		t.Errorf("%d errors are kept", len(r.Errors))
	}
	r.Commit(make([]plan.Change, 10_001))
	if len(r.Changes) != 10_000 {
		t.Errorf("%d changes are kept", len(r.Changes))
	}
	for i := range 402 {
		if r.Waited("a card", time.Second); i%100 == 0 {
			r.Enter(fmt.Sprint("stage ", i), start)
		}
		r.Warn("%d", i)
	}
	r.Leave(make([]report.Left, 201), make([]report.Left, 201))
	if len(r.Warnings) != 200 || len(r.Kept) != 200 || len(r.Orphans) != 200 {
		t.Errorf("%d warnings, %d things kept and %d orphans are kept", len(r.Warnings), len(r.Kept), len(r.Orphans))
	}
	if want := 101 + 1 + 1 + 202 + 202 + 2; r.Omitted != want {
		t.Errorf("omitted %d, want %d", r.Omitted, want)
	}
}

func TestExitStatusOfAState(t *testing.T) {
	want := map[report.State]int{report.None: 0, report.Done: 0, report.Refused: 1, report.Failed: 3, report.Degraded: 4, report.Running: 5, "": 3}
	for s, status := range want {
		if got := s.ExitStatus(); got != status {
			t.Errorf("%q: exit status %d, want %d", s, got, status)
		}
	}
}

func TestReadStatus(t *testing.T) {
	tests := []struct {
		name, content string
		want          report.State
		wantErr       string
	}{
		{"nothing ran", "", report.None, ""},
		{"a run has ended", `{"version":1,"state":"done"}`, report.Done, ""},
		{"a run that says it goes on", `{"version":1,"state":"running"}`, report.Running, ""},
		{"a field of a later release", `{"version":1,"state":"refused","mood":"good"}`, report.Refused, ""},
		{"a form of a later release", `{"version":2,"state":"done"}`, "", "version 2"},
		{"a state that is none", `{"version":1,"state":"great"}`, "", "unknown state"},
		{"a torn file", `{"version":1,"sta`, "", "unexpected end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, root := place(t)
			if tt.content != "" {
				write(t, filepath.Join(dir, "status.json"), tt.content)
			}
			got, err := report.ReadStatus(root)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || got.State != tt.want || got.ExitStatus != tt.want.ExitStatus() {
				t.Errorf("state %q, exit status %d, error %v; want %q", got.State, got.ExitStatus, err, tt.want)
			}
		})
	}
}

func TestStatusIsReadAsItWasWritten(t *testing.T) {
	r := report.New(report.Versions{Provisioner: "1"}, start)
	r.Enter("check", start)
	r.Diagnose(diag.List{diag.New(unknownKey, at(12, 5), "")})
	r.Finish(report.Refused, start.Add(time.Second))
	dir, root := place(t)
	write(t, filepath.Join(dir, "status.json"), string(files(t, r)["run/provisioner/status.json"].Data))
	got, err := report.ReadStatus(root)
	if err != nil {
		t.Fatal(err)
	}
	want := r.Public()
	want.Changes = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// place is the directory of the reports below a root, and that root.
func place(t *testing.T) (string, *fsroot.Root) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, report.Dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := fsroot.Open(top)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWriteText(t *testing.T) {
	finished := report.Status{Version: 1, Started: start, Finished: start.Add(1500 * time.Millisecond)}
	with := func(change func(*report.Status)) report.Status { s := finished; change(&s); return s }
	tests := []struct {
		name   string
		status report.Status
		want   string
	}{
		{"nothing ran", report.Status{Version: 1, State: report.None}, "state:      none: nothing ran since this machine started\n"},
		{"a refused configuration names the place",
			with(func(s *report.Status) {
				s.State, s.Datasource, s.Stage = report.Refused, "ec2", "check"
				s.Diagnostics = []report.Finding{{Severity: diag.Error, Rule: "unknown-key", Summary: "unknown key", Path: "write_files[2]", At: at(12, 5)}}
			}), `state:      refused: the configuration is wrong; nothing of it was applied
datasource: ec2
stage:      check
finished:   2026-11-22T10:00:01Z, after 1.5s
user-data:12:5: error: unknown key in write_files[2] [unknown-key]
`},
		{"a failed agent is named once",
			with(func(s *report.Status) {
				s.State, s.Omitted = report.Degraded, 3
				s.Errors = []string{"fleet.service: start: failed (exit-code, status 3)"}
				s.Jobs = []handoff.Outcome{{Unit: "etcd2.service", Action: "start", Result: "done"}, {Unit: "fleet.service", Action: "start", Result: "failed"}}
				s.Changes = []report.Change{{Kind: plan.WriteFile, Path: "/etc/motd", Action: "added"}}
			}), `state:      degraded: everything was applied, and something that was to start failed
finished:   2026-11-22T10:00:01Z, after 1.5s
error: fleet.service: start: failed (exit-code, status 3)
job: etcd2.service: start: done
added: /etc/motd (file)
and 3 more entries, which are not kept
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			if err := report.WriteText(&got, tt.status); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A line of the user's that looks like one of ours is marked where the journal takes it, and a mark of his own is text.
func TestTheUsersLinesAreMarkedInTheJournal(t *testing.T) {
	for journal, want := range map[bool]string{
		false: "provisioner: mine\n<6>provisioner: mine\n",
		true:  "<5>provisioner: mine\n<5><6>provisioner: mine\n",
	} {
		var got strings.Builder
		report.Console{W: &got, Journal: journal}.Print("provisioner: mine\n<6>provisioner: mine\n")
		if got.String() != want {
			t.Errorf("journal %v: %q", journal, got.String())
		}
	}
}

func TestConsoleIsOneLine(t *testing.T) {
	var got strings.Builder
	report.Console{W: &got}.Say("fetch", "%s user-data %d bytes", "ec2\n", 1234)
	if want := "provisioner: fetch: ec2\\u{a} user-data 1234 bytes\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

// A status may be one that somebody else has put below another root: nothing of it acts on a terminal, and a pipe in its
// place is not waited for.
func TestAStatusOfSomebodyElse(t *testing.T) {
	var out strings.Builder
	err := report.WriteText(&out, report.Status{Version: 1, State: report.Failed, Stage: "\x1b[2J", Errors: []string{"a\nstate: done\u202e"}})
	if err != nil || strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Contains(out.String(), "\nstate: done") {
		t.Errorf("%q, %v", out.String(), err)
	}
	dir, root := place(t)
	if err := os.Symlink("/dev/zero", filepath.Join(dir, report.StatusFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := report.ReadStatus(root); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("error %v", err)
	}
}

// A directory that is a link is one below the root, wherever it says that it leads.
func TestNoStatusFromOutsideTheRoot(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, report.StatusFile), `{"version":1,"state":"degraded","stage":"commit"}`)
	write(t, filepath.Join(outside, report.ResultFile), `{"version":1,"errors":["outside"]}`)
	dir, root := place(t)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, dir); err != nil {
		t.Fatal(err)
	}
	if s, err := report.ReadStatus(root); err != nil || s.State != report.None {
		t.Errorf("%q, %v", s.State, err)
	}
	if e := report.Explain(report.Status{Version: 1, State: report.Done, Stage: "commit"}, root); !e.Partial {
		t.Errorf("%+v", e)
	}
}
