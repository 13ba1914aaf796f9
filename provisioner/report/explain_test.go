package report_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// explained is what a run is explained as, to root or to somebody else.
func explained(t *testing.T, toRoot bool, run func(*report.Report)) (report.Explanation, string) {
	t.Helper()
	r := report.New(report.Versions{Provisioner: "1"}, start)
	run(r)
	dir, root := place(t)
	for name, f := range files(t, r) {
		if toRoot || filepath.Base(name) != report.ResultFile {
			write(t, filepath.Join(dir, filepath.Base(name)), string(f.Data))
		}
	}
	s, err := report.ReadStatus(root)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	e := report.Explain(s, root)
	if err := report.WriteExplanation(&text, e, false); err != nil {
		t.Fatal(err)
	}
	return e, text.String()
}

func fetched(r *report.Report) {
	r.Enter("settings", start)
	r.Enter("fetch", start)
	r.Consider("nocloud", "no such disk")
	r.Consider("ec2", "it answered")
	r.Waited("datasource ec2", 3*time.Second)
	r.Identify(schema.Metadata{Datasource: "ec2"})
	r.Fetched = &report.Fetched{UserDataBytes: 120, UserDataSHA256: "00ff", Parts: 2}
	r.Enter("check", start)
}

func TestExplain(t *testing.T) {
	motd := plan.Change{Kind: plan.WriteFile, Path: "etc/motd", Why: []source.Range{at(5, 1)}}
	job := func(result string) handoff.Result {
		return handoff.Result{Outcomes: []handoff.Outcome{{Unit: "etcd2.service", Action: "start", Result: result}}, Waited: []time.Duration{2 * time.Second}}
	}
	for _, c := range []struct {
		name   string
		toRoot bool
		run    func(*report.Report)
		want   string
	}{
		{"refused: the place comes before all", true, func(r *report.Report) {
			fetched(r)
			r.Diagnose(diag.List{diag.New(unknownKey, at(12, 5), "")})
			r.Finish(report.Refused, start)
		}, `state: refused: the configuration is wrong; nothing of it was applied

failed first: check
  user-data:12:5: error: unknown key [unknown-key]
  parts: 2

datasource: ok
  nocloud: no such disk
  ec2: it answered
fetch: ok
  user-data: 120 bytes, sha256 00ff
  waited 3s for datasource ec2
check: failed
  as above
plan: not reached
commit: not reached
network: not reached
hand off: not reached
`},
		{"nobody answered", true, func(r *report.Report) {
			r.Enter("fetch", start)
			r.Consider("ec2", "gave up after 5m0s")
			r.Fail(errors.New("ec2: gave up after 5m0s"))
			r.Finish(report.Failed, start)
		}, `state: failed: nothing of the configuration was applied

failed first: datasource
  error: ec2: gave up after 5m0s
  ec2: gave up after 5m0s

datasource: failed
  as above
fetch: not reached
check: not reached
plan: not reached
commit: not reached
network: not reached
hand off: not reached
`},
		{"a failed agent, to somebody who may not see all", false, func(r *report.Report) {
			fetched(r)
			r.Enter("plan", start)
			r.Enter("commit", start)
			r.Commit([]plan.Change{motd})
			r.Enter("hand off", start)
			r.HandOff(job("failed"))
			r.Finish(report.Degraded, start)
		}, `state: degraded: everything was applied, and something that was to start failed

failed first: hand off
  etcd2.service: start: failed
  waited 2s for start of etcd2.service

datasource: ok
  ec2
fetch: ok
  waited 3s for datasource ec2
check: ok
plan: ok
commit: ok
  changed: /etc/motd (file), for user-data:5:1
network: not needed
hand off: failed
  as above

root sees more: the datasources that were thought of, and what was fetched
`},
		{"a later boot", true, func(r *report.Report) {
			r.Enter("restore", start)
			r.Enter("fetch", start)
			r.Identify(schema.Metadata{Datasource: "ec2"})
			r.Enter("hand off", start)
			r.HandOff(job("done"))
			r.Finish(report.Done, start)
		}, `state: done

datasource: ok
  ec2
fetch: ok
check: not needed
plan: not needed
commit: not needed
network: not needed
hand off: ok
  etcd2.service: start: done
  waited 2s for start of etcd2.service
`},
		{"settings that are wrong", true, func(r *report.Report) {
			r.Enter("settings", start)
			r.Fail(errors.New("/etc/provisioner/provisioner.yaml:1:1: floor must be yes or no"))
			r.Finish(report.Failed, start)
		}, `state: failed: nothing of the configuration was applied

failed first: start
  error: /etc/provisioner/provisioner.yaml:1:1: floor must be yes or no

start: failed
  as above
datasource: not reached
fetch: not reached
check: not reached
plan: not reached
commit: not reached
network: not reached
hand off: not reached
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, text := explained(t, c.toRoot, c.run)
			if diff := cmp.Diff(c.want, text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A run that goes on says how far it is; a machine on which nothing ran has no steps.
func TestExplainWhatIsNotOver(t *testing.T) {
	e, _ := explained(t, true, func(r *report.Report) { fetched(r); r.PID = 1 })
	for _, s := range e.Steps {
		if want := map[string]string{"datasource": "ok", "fetch": "ok", "check": "running"}[s.Name]; s.Result != want && want != "" || want == "" && s.Result != "not reached" {
			t.Errorf("%s: %s", s.Name, s.Result)
		}
	}
	if e := report.Explain(report.Status{Version: 1, State: report.None}, nil); len(e.Steps) > 0 || e.Partial {
		t.Errorf("%+v", e)
	}
}
