// Package report is the record of a run: what was found, changed and started, and how it ended.
//
// A run fills a [Report] and hands what [Files] makes of it to package commit, which writes it below
// run/provisioner. [ReadStatus] and [WriteText] are the other end, for the status command. Three files come of
// a report:
//
//	status.json    0644  [Status]: an allow-list of fields, for everybody on the machine
//	instance.json  0644  [schema.Metadata] of the instance
//	result.json    0600  the whole [Report]
//
// None of them holds user-data. Findings are redacted by construction; every other text is made of our words,
// names and paths, and loses control characters and what is beyond a bound on its way in.
package report

import (
	"fmt"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// Exit statuses of the commands that apply, and of status, which says of the last run what that one said of
// itself.
const (
	// ExitDone: done, or nothing to do.
	ExitDone = 0
	// ExitRefused: the configuration was refused; nothing of it is applied.
	ExitRefused = 1
	// ExitUsage: the command line is wrong.
	ExitUsage = 2
	// ExitFailed: failed and rolled back, or failed before any change.
	ExitFailed = 3
	// ExitDegraded: committed, but the hand-off failed.
	ExitDegraded = 4
	// ExitRunning: not ended yet; of status alone.
	ExitRunning = 5
)

// State is how a run stands. Its text is in JSON and must not change.
type State string

// The states of a run.
const (
	None     State = "none"     // nothing ran since the machine started
	Running  State = "running"  // not ended yet
	Done     State = "done"     // the machine is as asked
	Refused  State = "refused"  // the configuration is wrong
	Failed   State = "failed"   // the machine or the network let us down; nothing was changed but the access floor
	Degraded State = "degraded" // all is committed, but something that was to start failed
)

// ExitStatus is the exit status that says the same as the state.
func (s State) ExitStatus() int {
	switch s {
	case None, Done:
		return ExitDone
	case Refused:
		return ExitRefused
	case Degraded:
		return ExitDegraded
	case Running:
		return ExitRunning
	}
	return ExitFailed
}

// Bounds of what a report keeps. What is beyond them is counted in Omitted.
const (
	maxEntries   = 200
	maxChanges   = 10_000
	maxTextBytes = 4 << 10
)

// Report is everything known of a run. Its JSON form is result.json. The zero value is no report: use [New].
type Report struct {
	Status
	// Metadata is what the platform says of the instance; nil if it is not known.
	Metadata *schema.Metadata `json:"metadata,omitempty"`
	// Sources are the datasources that were thought of, in order, and what became of each.
	Sources []Source `json:"sources,omitempty"`
	// Fetched is the configuration as it was fetched; nil if none was.
	Fetched *Fetched `json:"fetched,omitempty"`
	// HostKeys are those that the machine shows to who logs in by SSH.
	HostKeys []HostKey `json:"host_keys,omitempty"`
	Versions Versions  `json:"versions"`

	entered time.Time // when the stage at hand began
	waits   []Awaited // what the stage at hand waited for
	waited  int       // how many waits are kept of all stages
}

// Status is what everybody on the machine may know of a run. Its JSON form is status.json.
type Status struct {
	// Version is that of the form: 1.
	Version int   `json:"version"`
	State   State `json:"state"`
	// ExitStatus goes with State.
	ExitStatus int `json:"exit_status"`
	// PID is the process that is at it, while the state is Running; 0 between the stages of a boot.
	PID int `json:"pid,omitempty"`
	// Reason says why nothing was done, where the state is None: another program provisions this machine.
	Reason string `json:"reason,omitempty"`
	// Stage is the last stage that was entered: "fetch", "commit", "hand off".
	Stage string `json:"stage,omitempty"`
	// FailedStage is the first stage in which the machine or the network let us down; missing if none.
	FailedStage string `json:"failed_stage,omitempty"`
	// Datasource is what the user-data came from: "ec2"; "none" if there is no datasource.
	Datasource string `json:"datasource,omitempty"`
	// Proof is what shows where the user-data is from: "tls", "pin", "digest" or "signature", "none" if it is
	// unauthenticated; missing if it came from a disk or by the platform's own channel.
	Proof string `json:"proof,omitempty"`
	// Started and Finished are in UTC; Finished is missing while the run goes on.
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// Diagnostics are what is wrong with the user's text, at most 200; errors are kept before the rest.
	Diagnostics []Finding `json:"diagnostics,omitempty"`
	// Errors are what the machine or the network did not do, at most 200.
	Errors []string `json:"errors,omitempty"`
	// Warnings are what went wrong and changes nothing of the state: a server that could not be told, at most 200.
	Warnings []string `json:"warnings,omitempty"`
	// Clone says that the machine is a copy of another that was not sealed.
	Clone bool `json:"clone,omitempty"`
	// Kept are things of ours that somebody changed by hand, and that were left as they are.
	Kept []Left `json:"kept,omitempty"`
	// Orphans are things of ours that the configuration no longer has, and that were left as they are.
	Orphans []Left `json:"orphans,omitempty"`
	// Changes are what was committed, in order. Size, digest and records are in result.json only.
	Changes []Change `json:"changes,omitempty"`
	// Network is what became of a network that was written; missing if none was, and none is left to be checked.
	Network *Network `json:"network,omitempty"`
	// Jobs are what was asked of systemd, scripts included, and what became of it.
	Jobs []handoff.Outcome `json:"jobs,omitempty"`
	// Stages are the stages of the run that have ended, in order, with the time each took and what it waited for.
	Stages []Stage `json:"stages,omitempty"`
	// Omitted counts what was left out of the lists because they were full.
	Omitted int `json:"omitted,omitempty"`
}

// Network is what became of a network that was written.
type Network struct {
	// State is "confirmed" if the machine was reachable with it, "restored" if it was not, or nobody knows, and another one was put
	// in its place, "unconfirmed" if it is there and could not be checked yet.
	State string `json:"state"`
	// Failed is what the check has found, at most 200 lines.
	Failed []string `json:"failed,omitempty"`
	// Restored is what was put in its place: "last-confirmed", "image" (none of ours) or "dhcp" (on every card).
	Restored string `json:"restored,omitempty"`
}

// Finding is a diagnostic without a word of the user's text.
type Finding struct {
	Severity diag.Severity `json:"severity"`
	Rule     string        `json:"rule"`
	// Class is "text" if validate gives the finding too, "machine" if it depends on the machine.
	Class string `json:"class"`
	// Summary is the rule's own title.
	Summary string `json:"summary"`
	// Path is the place in the language's own words: "write_files[2].permissions".
	Path string `json:"path,omitempty"`
	// At is the place in the file, missing if there is none.
	At source.Range `json:"at,omitzero"`
}

// Change is one change that was committed.
type Change struct {
	Kind plan.Kind `json:"kind"`
	// Path is absolute in the system that was changed: "/etc/hostname".
	Path string `json:"path"`
	// Action is "added", "changed" or "removed".
	Action string `json:"action"`
	// SizeBytes and SHA256 are those of a file's new content. They are missing of what is secret, and of files
	// that we own only records in.
	SizeBytes *int64 `json:"size_bytes,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	// Records are what was ours in a file that we share.
	Records []Record `json:"records,omitempty"`
	// Why are the places that asked for it: "user-data:15:11", or "metadata".
	Why []string `json:"why,omitempty"`
}

// Record is one record of a shared file: "user core", "added".
type Record struct {
	Name   string `json:"name"`
	Action string `json:"action"`
}

// Source is a datasource that was thought of.
type Source struct {
	Name string `json:"name"`
	// Reason says why it was taken, or why not.
	Reason string `json:"reason"`
}

// Left is something that a run has left as it is.
type Left struct {
	// Path is absolute in the system: "/etc/motd".
	Path string `json:"path"`
	// Record is the one of a shared file that is meant: "user core"; missing if the whole file is.
	Record string `json:"record,omitempty"`
	// ByHand is "changed" or "removed" if somebody did so since it was applied.
	ByHand string `json:"by_hand,omitempty"`
	// Before says that something was there before it was first written, so that it is never removed.
	Before bool `json:"before,omitempty"`
}

// Remains says what was left, a line each.
func (s *Status) Remains() []string {
	var out []string
	for i, l := range append(s.Kept[:len(s.Kept):len(s.Kept)], s.Orphans...) {
		left := plan.Left{Path: strings.TrimPrefix(l.Path, "/"), Record: l.Record, ByHand: l.ByHand, Before: l.Before, Orphan: i >= len(s.Kept)}
		out = append(out, left.String())
	}
	return out
}

// String is "/etc/passwd: user core".
func (l Left) String() string {
	if l.Record == "" {
		return l.Path
	}
	return l.Path + ": " + l.Record
}

// Fetched is the configuration as it was fetched, without a word of it.
type Fetched struct {
	// UserDataBytes and UserDataSHA256 are of the user-data as the datasource gave it, still packed; the digest is in hex, and
	// missing if there is none.
	UserDataBytes  int64  `json:"user_data_bytes"`
	UserDataSHA256 string `json:"user_data_sha256,omitempty"`
	// VendorDocuments and Parts count the documents of the platform's own, and the texts that all of it was taken apart into.
	VendorDocuments int `json:"vendor_documents,omitempty"`
	Parts           int `json:"parts,omitempty"`
}

// Stage is a stage of a run that has ended.
type Stage struct {
	Name       string `json:"name"`
	DurationMS int64  `json:"duration_ms"`
	// Waits are what it waited for, in order, as far as that took 0.1 s or more. Some may be part of others.
	Waits []Awaited `json:"waited_for,omitempty"`
}

// Awaited is something that a stage waited for.
type Awaited struct {
	// What is in our words: "datasource ec2", "the lock".
	What       string `json:"what"`
	DurationMS int64  `json:"duration_ms"`
}

// HostKey is the public part of a key of the machine, as ssh-keygen -l has it.
type HostKey struct {
	Type        string `json:"type"` // "ssh-ed25519"
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"` // "SHA256:..."
}

// Versions are what ran where.
type Versions struct {
	Provisioner string `json:"provisioner"`
	Kernel      string `json:"kernel,omitempty"`
}

// New is the report of a run that begins now.
func New(v Versions, now time.Time) *Report {
	return &Report{
		Status:   Status{Version: 1, State: Running, ExitStatus: ExitRunning, Started: now.UTC().Round(0)},
		Versions: Versions{printable(v.Provisioner), printable(v.Kernel)},
		entered:  now,
	}
}

// Enter says that a stage begins and the one before has ended. A stage that goes on in another process, with a
// report that was read back, is entered again there and stays one stage.
func (r *Report) Enter(stage string, now time.Time) {
	if stage == r.Stage {
		return
	}
	r.leave(now)
	r.Stage, r.entered = printable(stage), now
}

func (r *Report) leave(now time.Time) {
	if r.Stage != "" {
		r.Stages = append(r.Stages, Stage{r.Stage, now.Sub(r.entered).Milliseconds(), r.waits})
	}
	r.waits = nil
}

// shortestWait is how long a wait is that is worth a line.
const shortestWait = 100 * time.Millisecond

// Waited keeps what the stage at hand waited for, if that took long enough to be of interest.
func (r *Report) Waited(what string, d time.Duration) {
	switch {
	case d < shortestWait:
	case r.waited == maxEntries:
		r.Omitted++
	default:
		r.waited++
		r.waits = append(r.waits, Awaited{printable(what), d.Milliseconds()})
	}
}

// Finish says how the run ended.
func (r *Report) Finish(s State, now time.Time) {
	r.leave(now)
	r.PID = 0
	r.State, r.ExitStatus, r.Finished = s, s.ExitStatus(), now.UTC().Round(0)
}

// Identify says where the machine runs.
func (r *Report) Identify(meta schema.Metadata) {
	m := meta
	m.Version = 1
	for _, s := range []*string{&m.Datasource, &m.InstanceID, &m.Hostname, &m.PublicIPv4, &m.PrivateIPv4,
		&m.PublicIPv6, &m.PrivateIPv6, &m.Region, &m.Zone, &m.InstanceType} {
		*s = printable(*s)
	}
	m.SSHKeys, m.Tags = nil, nil
	for _, k := range meta.SSHKeys[:min(len(meta.SSHKeys), maxEntries)] {
		m.SSHKeys = append(m.SSHKeys, printable(k))
	}
	r.Omitted += len(meta.SSHKeys) - len(m.SSHKeys)
	r.Metadata, r.Datasource = &m, m.Datasource
}

// Consider keeps what became of one datasource.
func (r *Report) Consider(name, reason string) {
	if len(r.Sources) == maxEntries {
		r.Omitted++
		return
	}
	r.Sources = append(r.Sources, Source{printable(name), printable(reason)})
}

// Diagnose keeps findings: of each the rule, the place and names of ours, without a word of the user's text.
func (r *Report) Diagnose(l diag.List) {
	for _, d := range l.Sorted() {
		f := Finding{Severity: d.Severity, Rule: d.Rule.ID, Class: "text", Summary: printable(d.Rule.Title), Path: printable(d.Path), At: d.Subject}
		if d.Rule.Machine {
			f.Class = "machine"
		}
		f.At.File = printable(f.At.File)
		r.diagnose(f)
	}
}

// diagnose adds a finding; in a full list an error takes the place of the last finding that is none.
func (r *Report) diagnose(f Finding) {
	if len(r.Diagnostics) < maxEntries {
		r.Diagnostics = append(r.Diagnostics, f)
		return
	}
	r.Omitted++
	if f.Severity != diag.Error {
		return
	}
	for i := len(r.Diagnostics) - 1; i >= 0; i-- {
		if r.Diagnostics[i].Severity != diag.Error {
			r.Diagnostics = append(append(r.Diagnostics[:i:i], r.Diagnostics[i+1:]...), f)
			return
		}
	}
}

// Fail keeps an error; of joined errors each one. A nil error is nothing.
func (r *Report) Fail(err error) {
	if err == nil {
		return
	}
	if r.FailedStage == "" {
		r.FailedStage = r.Stage
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		r.keep(&r.Errors, line)
	}
}

// Warn keeps what went wrong and changes nothing of the state.
func (r *Report) Warn(format string, args ...any) { r.keep(&r.Warnings, fmt.Sprintf(format, args...)) }

func (r *Report) keep(list *[]string, line string) {
	if len(*list) == maxEntries {
		r.Omitted++
		return
	}
	*list = append(*list, printable(line))
}

// Leave keeps what was left as it is: what somebody changed by hand, and what the configuration no longer has. It takes
// the place of what an earlier call has kept.
func (r *Report) Leave(kept, orphans []Left) {
	take := func(from []Left) (out []Left) {
		for _, l := range from[:min(len(from), maxEntries)] {
			l.Path, l.Record = printable(l.Path), printable(l.Record)
			out = append(out, l)
		}
		r.Omitted += len(from) - len(out)
		return out
	}
	r.Kept, r.Orphans = take(kept), take(orphans)
}

// Commit keeps changes that were made.
func (r *Report) Commit(changes []plan.Change) {
	for _, c := range changes {
		if len(r.Changes) == maxChanges {
			r.Omitted++
			continue
		}
		r.Changes = append(r.Changes, changeOf(c))
	}
}

func changeOf(c plan.Change) Change {
	out := Change{Kind: c.Kind, Path: printable("/" + c.Path), Action: "changed"}
	switch {
	case c.Kind == plan.Remove:
		out.Action = "removed"
	case c.Was.Kind == fsroot.Absent:
		out.Action = "added"
	}
	for _, rec := range c.Records {
		out.Records = append(out.Records, Record{printable(rec.Name), printable(rec.Action)})
	}
	if c.Kind == plan.WriteFile && !c.Secret && len(c.Records) == 0 {
		size := int64(len(c.Data))
		out.SizeBytes, out.SHA256 = &size, plan.Digest(c.Data)
	}
	for _, at := range c.Why {
		out.Why = append(out.Why, printable(at.String()))
	}
	if len(c.Why) == 0 && c.Origin != "" {
		out.Why = []string{printable(c.Origin)}
	}
	return out
}

// Confirm keeps what became of a network.
func (r *Report) Confirm(n Network) {
	var lines []string
	for _, line := range n.Failed[:min(len(n.Failed), maxEntries)] {
		lines = append(lines, printable(line))
	}
	r.Omitted += len(n.Failed) - len(lines)
	n.Failed = lines
	r.Network = &n
}

// HandOff keeps what became of the jobs, and why the hand-off failed if it did.
func (r *Report) HandOff(result handoff.Result) {
	for i, o := range result.Outcomes {
		if i < len(result.Waited) {
			r.Waited(o.Action+" of "+o.Unit, result.Waited[i])
		}
		if len(r.Jobs) == maxEntries {
			r.Omitted++
			continue
		}
		o.Unit, o.Action, o.Detail, o.Script = printable(o.Unit), printable(o.Action), printable(o.Detail), printable(o.Script)
		r.Jobs = append(r.Jobs, o)
	}
	r.Fail(result.Err())
}
