// Package cloudinit says what a run came to in cloud-init's words and files, for scripts that wait for those: the
// answers of "cloud-init status", and what that program leaves behind when it has ended.
//
// [Of] is the place to start. It knows nothing of cloud-init's configuration, and does none of its work.
//
// Source: cloud-init, cloudinit/cmd/status.py and cloudinit/cmd/main.py (2025-09).
package cloudinit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
)

// Exit statuses of "cloud-init status".
const (
	ExitDone     = 0 // also of one that runs, is still to run, or never will
	ExitError    = 1
	ExitDegraded = 2 // done, and something that was to start failed
)

// Status is what "cloud-init status" answers.
type Status struct {
	// Word is "done", "running", "error", "not started" or "disabled"; Extended is the same and more.
	Word, Extended string
	ExitStatus     int
	// Datasource is "ec2", "" if none is known yet.
	Datasource string
	// Boot says whether the program is to run at all: "enabled-by-generator", "disabled-by-generator" or "unknown".
	Boot string
	// Errors are what made it fail, Warnings what did not.
	Errors, Warnings []string
	// Last is when something happened last; zero if nothing did.
	Last time.Time
}

// Of is a status in cloud-init's words. Absent says that nothing ran, and that nothing is going to.
func Of(s report.Status, absent bool) Status {
	out := Status{Word: "done", Boot: "enabled-by-generator", Last: s.Finished}
	if s.Datasource != "none" {
		out.Datasource = s.Datasource
	}
	if out.Last.IsZero() {
		out.Last = s.Started
	}
	var wrong []string
	for _, d := range s.Diagnostics {
		if d.Severity == diag.Error {
			wrong = append(wrong, fmt.Sprintf("%s: %s [%s]", d.At, d.Summary, d.Rule))
		}
	}
	wrong = append(wrong, s.Errors...)
	switch s.State {
	case report.None:
		if out.Word, out.Boot = "not started", "unknown"; absent {
			out.Word, out.Boot = "disabled", "disabled-by-generator"
		}
	case report.Running:
		out.Word = "running"
	case report.Refused, report.Failed:
		out.Word, out.Extended, out.ExitStatus, out.Errors = "error", "error - done", ExitError, wrong
	case report.Degraded:
		out.Extended, out.ExitStatus, out.Warnings = "degraded done", ExitDegraded, wrong
	}
	if out.Extended == "" {
		out.Extended = out.Word
	}
	return out
}

// detail is the datasource as cloud-init spells it: "DataSourceEc2".
func (s Status) detail() string {
	if s.Datasource == "" {
		return "DataSourceNone"
	}
	for _, name := range []string{"ConfigDrive", "DigitalOcean", "GCE", "NoCloud", "OpenStack", "VMware"} {
		if strings.EqualFold(name, s.Datasource) {
			return "DataSource" + name
		}
	}
	return "DataSource" + strings.ToUpper(s.Datasource[:1]) + s.Datasource[1:]
}

// last is the time of Last, "" if nothing happened yet.
func (s Status) last() string {
	if s.Last.IsZero() {
		return ""
	}
	return s.Last.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

// recoverable are the warnings, by their level.
func (s Status) recoverable() map[string][]string {
	if len(s.Warnings) == 0 {
		return map[string][]string{}
	}
	return map[string][]string{"WARNING": s.Warnings}
}

// WriteText writes what "cloud-init status" prints; with long what --long does.
func (s Status) WriteText(w io.Writer, long bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "status: %s\n", s.Word)
	if long {
		fmt.Fprintf(&b, "extended_status: %s\nboot_status_code: %s\n", s.Extended, s.Boot)
		if last := s.last(); last != "" {
			fmt.Fprintf(&b, "last_update: %s\n", last)
		}
		fmt.Fprintf(&b, "detail: %s\nerrors:%s\n", s.detail(), list(s.Errors, " []"))
		if len(s.Warnings) == 0 {
			b.WriteString("recoverable_errors: {}\n")
		} else {
			fmt.Fprintf(&b, "recoverable_errors:\nWARNING:%s\n", list(s.Warnings, ""))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func list(lines []string, none string) string {
	if len(lines) == 0 {
		return none
	}
	return "\n\t- " + strings.Join(lines, "\n\t- ")
}

// WriteJSON writes what "cloud-init status --format json" prints, without the stages of that program.
func (s Status) WriteJSON(w io.Writer) error {
	text, err := json.MarshalIndent(map[string]any{
		"boot_status_code": s.Boot, "datasource": s.Datasource, "detail": s.detail(), "errors": notNil(s.Errors),
		"extended_status": s.Extended, "last_update": s.last(), "recoverable_errors": s.recoverable(), "status": s.Word,
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

func notNil(lines []string) []string {
	if lines == nil {
		return []string{}
	}
	return lines
}

// Paths of what cloud-init leaves behind, below the root.
const (
	runDir = "run/cloud-init"
	// InstanceLink leads into /run, so that boot-finished is there only once this boot has ended, and no later boot writes
	// to the disk.
	InstanceLink   = "var/lib/cloud/instance"
	instanceTarget = "/" + runDir + "/instance"
)

// IsOther says that cloud-init itself is or was here: its files are left alone then.
func IsOther(root fsroot.FS) (bool, error) {
	for _, path := range []string{"usr/bin/cloud-init", "var/lib/cloud/instances", InstanceLink} {
		info, err := root.Stat(path)
		if err != nil {
			return false, fmt.Errorf("look for cloud-init: %w", err)
		}
		ours := info.Kind == fsroot.Absent || info.Kind == fsroot.Link && (path == "usr/bin/cloud-init" || info.Target == instanceTarget)
		if !ours {
			return true, nil
		}
	}
	return false, nil
}

// Link are the changes that make /var/lib/cloud/instance, once for all boots.
func Link() []plan.Change {
	return []plan.Change{
		{Kind: plan.MakeDirectory, Path: "var/lib/cloud", Attr: fsroot.Attr{Mode: 0o755}, Origin: plan.OriginState},
		{Kind: plan.MakeLink, Path: InstanceLink, Target: instanceTarget, Origin: plan.OriginState},
	}
}

// Files are the changes below /run that say that a run has ended: status.json, result.json and boot-finished, which has
// the seconds since the machine started.
func (s Status) Files(version string, uptime time.Duration) ([]plan.Change, error) {
	type stage struct {
		Errors            []string            `json:"errors"`
		Finished          float64             `json:"finished"`
		RecoverableErrors map[string][]string `json:"recoverable_errors"`
	}
	v1 := map[string]any{"datasource": s.detail(), "errors": notNil(s.Errors)}
	result, err1 := json.MarshalIndent(map[string]any{"v1": v1}, "", " ")
	status, err2 := json.MarshalIndent(map[string]any{"v1": map[string]any{
		"datasource": s.detail(), "stage": nil,
		"modules-final": stage{notNil(s.Errors), float64(s.Last.Unix()), s.recoverable()},
	}}, "", " ")
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("internal error: %v %v", err1, err2)
	}
	finished := fmt.Sprintf("%.2f - %s - v. %s\n", uptime.Seconds(), s.last(), version)
	return []plan.Change{
		file("status.json", append(status, '\n')), file("result.json", append(result, '\n')),
		file("instance/boot-finished", []byte(finished)), // last: it is what is waited for
	}, nil
}

func file(name string, text []byte) plan.Change {
	return plan.Change{Kind: plan.WriteFile, Path: runDir + "/" + name, Attr: fsroot.Attr{Mode: 0o644}, Data: text, Origin: plan.OriginState}
}
