// Package support makes a bundle of what somebody who helps has to know of a run: a tar file.
//
// [Write] is the thing to call. Nothing of user-data, of scripts, or of what they print can get into it, since it is made
// of an allow-list: of each file the fields that are named here, of the journal our own messages, of the kernel command
// line the words that are known. What is not known is left out.
package support

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/httpget"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
	"cloudconfig/provisioner/state"
)

// Input is what a bundle is made from.
type Input struct {
	Root    *fsroot.Root
	Version string // of this program
	Program string // the path of this program, by which the journal knows what it said under another name
	Now     time.Time
	// Run runs a program and gives what it prints; nil below another root than the running system's, of which there is
	// neither a journal nor a command line.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
	// Interfaces are those of the running system; nil if nobody looks.
	Interfaces func(context.Context) ([]plan.Interface, error)
}

// About is about.json: the machine, and what the owner of its image says.
type About struct {
	Version     int       `json:"version"` // of the form: 1
	Made        time.Time `json:"made"`
	Provisioner string    `json:"provisioner"`
	System      string    `json:"system,omitempty"` // PRETTY_NAME of os-release
	Kernel      string    `json:"kernel,omitempty"`
	// CommandLine is the kernel's: values that are not known to be harmless are "...".
	CommandLine []string `json:"command_line,omitempty"`
	Settings    *Owner   `json:"settings,omitempty"`
	// Owned are the paths that the configuration owns.
	Owned []string `json:"owned,omitempty"`
	// Queued is how many messages are waiting to be told.
	Queued     int    `json:"queued,omitempty"`
	Interfaces []Link `json:"interfaces,omitempty"`
	// Missing says what could not be had, and why.
	Missing []string `json:"missing,omitempty"`
}

// Owner is what the settings of the image say. URLs are without user info and query values.
type Owner struct {
	Datasources  []string `json:"datasources,omitempty"`
	DefaultUser  string   `json:"default_user"`
	LaterBoots   string   `json:"later_boots"`
	KeepUserData bool     `json:"keep_user_data"`
	IMDSv1       bool     `json:"imdsv1"`
	Floor        bool     `json:"floor"`
	Removable    bool     `json:"removable"`
	NTP          []string `json:"ntp,omitempty"`
	NetworkCheck string   `json:"network_check,omitempty"`
	ReportURL    string   `json:"report_url,omitempty"`
	Pins         int      `json:"pins,omitempty"`
	Keys         int      `json:"keys,omitempty"`
	Signed       bool     `json:"signed"`
	Insecure     bool     `json:"insecure"`
}

// Link is a network interface.
type Link struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind,omitempty"`
	Driver    string   `json:"driver,omitempty"`
	MAC       string   `json:"mac,omitempty"`
	Up        bool     `json:"up"`
	Carrier   bool     `json:"carrier"`
	MTU       int      `json:"mtu"`
	Addresses []string `json:"addresses,omitempty"`
	Routes    int      `json:"routes,omitempty"`
}

// Bounds.
const (
	maxFile    = 64 << 20
	runTime    = 20 * time.Second
	maxOutput  = 32 << 20
	maxEntries = 10_000
)

// Write writes the bundle. An error is of the writer: what cannot be read is missing, and about.json says so.
func Write(ctx context.Context, w io.Writer, in Input) error {
	b := &bundle{Input: in, tar: tarWriter{w: w, at: in.Now}, about: About{Version: 1, Made: in.Now.UTC().Round(0), Provisioner: in.Version}}
	b.reports()
	b.owner()
	b.state()
	if in.Run != nil {
		b.machine(ctx)
		b.units(ctx)
		b.journal(ctx)
	}
	b.addJSON("about.json", b.about)
	return b.tar.close()
}

type bundle struct {
	Input
	tar   tarWriter
	about About
}

func (b *bundle) missing(what string, err error) {
	if err != nil {
		b.about.Missing = append(b.about.Missing, fmt.Sprintf("%s: %v", what, err))
	}
}

func (b *bundle) addJSON(name string, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		b.missing(name, err)
		return
	}
	b.tar.add(name, append(text, '\n'))
}

// reports adds status.json and result.json: the fields that we know, of which none is a secret.
func (b *bundle) reports() {
	var s report.Status
	if b.read(report.StatusFile, &s) {
		b.addJSON(report.StatusFile, s)
	}
	var r report.Report
	if b.read(report.ResultFile, &r) {
		if r.Metadata != nil {
			r.Metadata.SSHKeys, r.Metadata.Tags = nil, nil
		}
		b.addJSON(report.ResultFile, &r)
	}
}

func (b *bundle) read(name string, v any) bool {
	text, _, err := b.Root.ReadFile(path.Join(report.Dir, name), maxFile)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	b.missing(name, err)
	return err == nil
}

func (b *bundle) owner() {
	s, err := settings.Load(b.Root)
	if err != nil {
		b.about.Missing = append(b.about.Missing, "settings: they are wrong") // what is said of them may quote them
		return
	}
	o := Owner{
		DefaultUser: s.DefaultUser, LaterBoots: s.LaterBoots, KeepUserData: s.KeepUserData, IMDSv1: s.IMDSv1, Floor: s.Floor, Removable: s.Removable,
		NTP: s.NTP, NetworkCheck: s.NetworkCheck, Pins: len(s.Trust.Pins), Keys: len(s.Trust.Keys), Signed: s.Trust.Signed, Insecure: s.Trust.Insecure,
	}
	if s.ReportURL != "" {
		o.ReportURL = httpget.Origin(s.ReportURL)
	}
	for _, spec := range s.Datasources {
		o.Datasources = append(o.Datasources, catalog.Label(spec))
	}
	b.about.Settings = &o
}

// state adds the paths of what the configuration owns, without what is there.
func (b *bundle) state() {
	dir, err := state.CurrentDir(b.Root)
	b.missing("state", err)
	if dir == "" {
		return
	}
	var m state.Manifest
	_, err = state.Read(b.Root, dir, state.ManifestFile, &m)
	b.missing("manifest", err)
	for _, item := range m.Items[:min(len(m.Items), maxEntries)] {
		b.about.Owned = append(b.about.Owned, string(item.Kind)+" /"+item.Path)
	}
	var box state.Outbox
	_, err = state.Read(b.Root, dir, state.OutboxFile, &box)
	b.missing("outbox", err)
	b.about.Queued = len(box.Queued)
}

func (b *bundle) machine(ctx context.Context) {
	text, _, err := b.Root.ReadFile("proc/cmdline", 64<<10)
	b.missing("command line", err)
	b.about.CommandLine = commandLine(string(text))
	text, _, err = b.Root.ReadFile("proc/sys/kernel/osrelease", 1<<10)
	b.missing("kernel", err)
	b.about.Kernel = strings.TrimSpace(string(text))
	text, _, err = b.Root.ReadFile("etc/os-release", 64<<10)
	b.missing("os-release", err)
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			b.about.System = strings.Trim(strings.TrimSpace(name), `"'`)
		}
	}
	if b.Interfaces == nil {
		return
	}
	all, err := b.Interfaces(ctx)
	b.missing("interfaces", err)
	for _, i := range all[:min(len(all), maxEntries)] {
		l := Link{Name: i.Name, Kind: i.Kind, Driver: i.Driver, MAC: i.MAC, Up: i.Up, Carrier: i.Carrier, MTU: i.MTU, Routes: len(i.Routes)}
		for _, a := range i.Addresses {
			l.Addresses = append(l.Addresses, a.Prefix.String())
		}
		b.about.Interfaces = append(b.about.Interfaces, l)
	}
}

// ourUnits are our units, without those of scripts and commands, which are the user's.
func ourUnits() []string {
	return []string{
		"provisioner-local.service", "provisioner-floor.service", "provisioner.service", "provisioner-handoff.service",
		"provisioner.target", "provisioner-success.target", "provisioner-failure.target",
	}
}

const properties = "Id LoadState UnitFileState ActiveState SubState Result ConditionResult NRestarts ExecMainCode ExecMainStatus " +
	"ExecMainStartTimestamp ExecMainExitTimestamp ActiveEnterTimestamp CPUUsageNSec MemoryPeak"

func (b *bundle) units(ctx context.Context) {
	out, err := b.Run(ctx, "systemctl", append([]string{"show", "--no-pager", "--property=" + strings.ReplaceAll(properties, " ", ",")}, ourUnits()...)...)
	b.missing("units", err)
	var kept bytes.Buffer
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, "=")
		if name == "\n" || strings.Contains(" "+properties+" ", " "+name+" ") {
			kept.WriteString(line)
		}
	}
	b.tar.add("units.txt", kept.Bytes())
}

const fields = "__REALTIME_TIMESTAMP __MONOTONIC_TIMESTAMP PRIORITY MESSAGE MESSAGE_ID _PID _SYSTEMD_UNIT UNIT " +
	"PROVISIONER_STAGE PROVISIONER_STATE PROVISIONER_EXIT_STATUS PROVISIONER_DATASOURCE"

// journal adds the messages of this boot that are ours, and systemd's of our units.
func (b *bundle) journal(ctx context.Context) {
	args := []string{"-b", "-q", "--no-pager", "-o", "json", "-n", fmt.Sprint(maxEntries)}
	for _, unit := range ourUnits() {
		args = append(args, "_SYSTEMD_UNIT="+unit)
	}
	args = append(args, "+", "_PID=1")
	for _, unit := range ourUnits() {
		args = append(args, "UNIT="+unit)
	}
	if b.Program != "" {
		args = append(args, "+", "_EXE="+b.Program)
	}
	out, err := b.Run(ctx, "journalctl", args...)
	b.missing("journal", err)
	var kept bytes.Buffer
	for line := range bytes.Lines(out) {
		var entry map[string]any
		if json.Unmarshal(line, &entry) != nil || !b.isOurs(entry) {
			continue
		}
		few := map[string]string{}
		for _, name := range strings.Fields(fields) {
			if text, ok := entry[name].(string); ok { // bytes that are no text come as a list of numbers
				few[name] = text
			}
		}
		text, err := json.Marshal(few)
		if err != nil {
			continue
		}
		kept.Write(append(text, '\n'))
	}
	b.tar.add("journal.json", kept.Bytes())
}

// isOurs says that a message is one of ours and has no word of the user's: what else our program prints, such as
// final_message, is his, and is marked so by its priority. So are the units of his scripts. Other units run us as
// coreos-cloudinit: there it is the file of the program that the journal vouches for.
func (b *bundle) isOurs(entry map[string]any) bool {
	field := func(name string) string { text, _ := entry[name].(string); return text }
	unit := field("_SYSTEMD_UNIT")
	switch {
	case field("_PID") == "1":
		return slices.Contains(ourUnits(), field("UNIT"))
	case slices.Contains(ourUnits(), unit):
		if field("_COMM") != "provisioner" {
			return false
		}
	case b.Program == "" || field("_EXE") != b.Program || field("_COMM") != coreosComm && !strings.HasPrefix(unit, coreosUnit):
		return false
	}
	return field("PROVISIONER_STAGE")+field("PROVISIONER_STATE") != "" ||
		strings.HasPrefix(field("MESSAGE"), "provisioner: ") && field("PRIORITY") != report.UserPriority
}

// What the journal knows us by under coreos-cloudinit's name: the name of the process, which the kernel cuts to 15 bytes,
// and the unit that goes on watching.
const (
	coreosComm = "coreos-cloudini"
	coreosUnit = "coreos-cloudinit-handoff-"
)

// Run runs a program for at most 20 s and gives the first 32 MiB of what it prints.
func Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Env = &out, append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return out.kept, fmt.Errorf("%s: %w", name, err)
	}
	return out.kept, nil
}

// limited drops what is too much.
type limited struct{ kept []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p[:min(len(p), maxOutput-len(l.kept))]...)
	return len(p), nil
}
