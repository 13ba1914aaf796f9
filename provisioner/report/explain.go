package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/diag"
)

// Explanation is the way of a configuration from the datasource to what was changed and started.
type Explanation struct {
	Version    int   `json:"version"` // of the form: 1
	State      State `json:"state"`
	ExitStatus int   `json:"exit_status"`
	// FirstFailed is the name of the first step that failed; missing if none did.
	FirstFailed string `json:"first_failed,omitempty"`
	// Partial says that result.json, which root alone may read, was not to be had.
	Partial bool `json:"partial,omitempty"`
	// Steps are all steps, in order; none if nothing ran.
	Steps []Step `json:"steps,omitempty"`
}

// Step is one step of the way.
type Step struct {
	// Name is "start", "datasource", "fetch", "check", "plan", "commit", "network" or "hand off".
	Name string `json:"name"`
	// Result is "ok", "failed", "running", "not needed" or "not reached".
	Result string `json:"result"`
	// Details are lines of what was decided and done, and why.
	Details []string `json:"details,omitempty"`
}

// stepOf is the step that a stage of a run belongs to; "" of one that is not known.
func stepOf(stage string) string {
	switch stage {
	case "lock", "restore", "settings":
		return "start"
	case "include", "boothooks", "bootcmd", "import keys":
		return "check"
	case "access floor", "new instance":
		return "commit"
	case "fetch", "check", "plan", "commit", "network", "hand off":
		return stage
	}
	return ""
}

// Explain makes the explanation of a status, with what result.json below the root says, if that can be read.
func Explain(s Status, root *fsroot.Root) Explanation {
	e := Explanation{Version: 1, State: s.State, ExitStatus: s.ExitStatus}
	if s.State == None || s.State == Running && s.Stage == "" {
		return e
	}
	var r Report
	e.Partial = readJSON(root, ResultFile, &r) != nil
	r.Status = s
	for _, name := range []string{"start", "datasource", "fetch", "check", "plan", "commit", "network", "hand off"} {
		step := Step{Name: name, Details: r.details(name)}
		step.Result = r.resultOf(step, e.FirstFailed != "")
		if step.Result == "failed" {
			step.Details = append(r.troubles(name), step.Details...)
			if e.FirstFailed == "" {
				e.FirstFailed = name
			}
		}
		if name != "start" || step.Result == "failed" || len(step.Details) > 0 {
			e.Steps = append(e.Steps, step)
		}
	}
	return e
}

// resultOf says how a step ended. after says that an earlier one failed.
func (r *Report) resultOf(s Step, after bool) string {
	entered := r.Datasource != "" && s.Name == "datasource"
	for _, stage := range r.Stages {
		entered = entered || stepOf(stage.Name) == s.Name
	}
	entered = entered && (s.Name != "fetch" || r.Datasource != "") // nothing was fetched from nobody
	switch {
	case r.hasFailed(s.Name):
		return "failed"
	case r.State == Running && stepOf(r.Stage) == s.Name:
		return "running"
	case entered || len(s.Details) > 0:
		return "ok"
	case after || r.State == Running:
		return "not reached"
	}
	return "not needed"
}

func (r *Report) hasFailed(step string) bool {
	switch step {
	case "check", "plan":
		for _, d := range r.Diagnostics {
			if d.Severity == diag.Error && d.step() == step {
				return true
			}
		}
	case "network":
		return r.Network != nil && r.Network.State == "restored"
	case "hand off":
		for _, j := range r.Jobs {
			if !j.OK() {
				return true
			}
		}
	}
	return r.failedStep() == step
}

// failedStep is the step of the first error of the machine; "" if there is none.
func (r *Report) failedStep() string {
	step := stepOf(r.FailedStage)
	switch {
	case step == "fetch" && r.Datasource == "":
		return "datasource" // none has answered
	case step == "" && (r.FailedStage != "" || r.State == Failed && r.PID == 0 && len(r.Errors) > 0):
		return "start"
	}
	return step
}

// troubles are the errors of the machine, at the first step that has one; what became of a job is told as one.
func (r *Report) troubles(step string) (lines []string) {
	if r.failedStep() != step {
		return nil
	}
	jobs := map[string]bool{}
	for _, j := range r.Jobs {
		jobs[j.String()] = true
	}
	for _, text := range r.Errors {
		if !jobs[text] {
			lines = append(lines, "error: "+text)
		}
	}
	return lines
}

// step is where a finding was made.
func (f Finding) step() string {
	if f.Class == "machine" {
		return "plan"
	}
	return "check"
}

func (f Finding) String() string {
	where := ""
	if f.Path != "" {
		where = " in " + f.Path
	}
	return fmt.Sprintf("%s: %s: %s%s [%s]", f.At, f.Severity, f.Summary, where, f.Rule)
}

// details are what a step decided and did.
func (r *Report) details(step string) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, d := range r.Diagnostics {
		if d.step() == step {
			say("%s", d)
		}
	}
	switch step {
	case "datasource":
		for _, s := range r.Sources {
			say("%s: %s", s.Name, s.Reason)
		}
		if len(r.Sources) == 0 && r.Datasource != "" {
			say("%s", r.Datasource)
		}
	case "fetch":
		if f := r.Fetched; f != nil {
			say("user-data: %d bytes%s", f.UserDataBytes, labelled(", sha256 ", f.UserDataSHA256))
			if f.VendorDocuments > 0 {
				say("vendor data: %d documents", f.VendorDocuments)
			}
		}
		if r.Proof != "" {
			say("proof: %s", r.Proof)
		}
	case "check":
		if r.Fetched != nil && r.Fetched.Parts > 0 {
			say("parts: %d", r.Fetched.Parts)
		}
	case "commit":
		for _, c := range r.Changes {
			say("%s: %s (%s)%s", c.Action, c.Path, c.Kind, labelled(", for ", strings.Join(c.Why, ", ")))
		}
	case "hand off":
		for _, j := range r.Jobs {
			say("%s", j)
		}
	case "network":
		if n := r.Network; n != nil {
			say("%s%s", n.State, restoredTo(n.Restored))
			lines = append(lines, n.Failed...)
		}
	}
	for _, stage := range r.Stages {
		if stepOf(stage.Name) != step {
			continue
		}
		for _, w := range stage.Waits {
			say("waited %s for %s", inMS(w.DurationMS), w.What)
		}
	}
	return lines
}

func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + text
}

func inMS(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// longest is what a stage waited for longest; nil if it waited for nothing.
func (s Stage) longest() (longest *Awaited) {
	for i, w := range s.Waits {
		if longest == nil || w.DurationMS > longest.DurationMS {
			longest = &s.Waits[i]
		}
	}
	return longest
}

// WriteExplanation writes an explanation, in words or as JSON. In words the first step that failed comes before all.
func WriteExplanation(w io.Writer, e Explanation, asJSON bool) error {
	if asJSON {
		text, err := marshal(e)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	t := &textWriter{w: w}
	t.line("state: %s%s", e.State, meaning(Status{State: e.State, Stage: e.FirstFailed}))
	for _, s := range e.Steps {
		if s.Name == e.FirstFailed {
			t.line("")
			t.line("failed first: %s", s.Name)
			for _, d := range s.Details {
				t.line("  %s", d)
			}
		}
	}
	if len(e.Steps) > 0 {
		t.line("")
	}
	for _, s := range e.Steps {
		t.line("%s: %s", s.Name, s.Result)
		if s.Name == e.FirstFailed {
			t.line("  as above")
			continue
		}
		for _, d := range s.Details {
			t.line("  %s", d)
		}
	}
	if e.Partial {
		t.line("")
		t.line("root sees more: the datasources that were thought of, and what was fetched")
	}
	return t.err
}
