//go:build linux

package firstboot_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

// machine is a root that counts as running, with a systemd that writes down what it is asked.
type machine struct {
	t       *testing.T
	dir     string
	calls   []string
	console strings.Builder
	fails   string // a unit whose jobs fail
	refuses bool   // systemd runs no script
	// onRun, if not nil, is what a unit that is nowhere on disk does; it gives the result of its job.
	onRun func(handoff.Transient) string
}

func newMachine(t *testing.T, files map[string]string) *machine {
	m := &machine{t: t, dir: t.TempDir()}
	for _, dir := range []string{"home", "run", "root", "var/lib", "etc/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(m.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
	m.write("etc/group", "root:x:0:\nsudo:x:27:\n")
	m.write("etc/shadow", "root:*:19000:0:99999:7:::\n")
	m.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	m.write("run/systemd/container", "test\n")
	for name, text := range files {
		m.write(name, text)
	}
	return m
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(name string) string {
	text, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		return "(none)"
	}
	return string(text)
}

// status is what the last run left behind.
func (m *machine) status() (report.Status, error) {
	root, err := fsroot.Open(m.dir)
	if err != nil {
		return report.Status{}, err
	}
	defer root.Close()
	return report.ReadStatus(root)
}

// run runs one stage, and gives the report and what systemd was asked meanwhile.
func (m *machine) run(stage func(context.Context, firstboot.Env) *report.Report, change ...func(*firstboot.Env)) (*report.Report, []string) {
	m.t.Helper()
	root, err := fsroot.Open(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer root.Close()
	m.calls = nil
	env := firstboot.Env{
		Root: root, Live: true, Now: time.Now, Version: "test",
		Console: report.Console{W: &m.console}, Log: slog.New(slog.DiscardHandler),
		Manager: func(context.Context) (handoff.Manager, error) { return m, nil },
		Scripts: filepath.Join(m.dir, "run/provisioner/scripts"),
		Sources: datasources.Env{Root: m.dir, Limits: datasources.Limits{Connect: time.Second, Answer: time.Second, Overall: time.Second}},
	}
	for _, f := range change {
		f(&env)
	}
	r := stage(context.Background(), env)
	return r, m.calls
}

// reboot empties /run, as a machine does that is started again.
func (m *machine) reboot() {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.dir, "run")); err != nil {
		m.t.Fatal(err)
	}
	m.write("run/systemd/container", "test\n")
}

// persistent is everything outside /run with what tells that it was written: contents, modes, times.
func (m *machine) persistent() map[string]string {
	m.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(m.dir, func(path string, entry fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(m.dir, path)
		if err != nil || rel == "run" || strings.HasPrefix(rel, "run/") || rel == "." || rel == "var/lib/provisioner" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		out[rel] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano())
		if entry.Type().IsRegular() {
			out[rel] += m.read(rel)
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func (m *machine) call(format string, args ...any) error {
	m.calls = append(m.calls, fmt.Sprintf(format, args...))
	return nil
}

func (m *machine) SetHostname(name string) error           { return m.call("hostname %s", name) }
func (m *machine) Reload(context.Context) error            { return m.call("reload") }
func (m *machine) Reset(_ context.Context, _ string) error { return nil }

// never is the result of what does not end.
const never = "never"

func (m *machine) ended(result string) (<-chan string, error) {
	done := make(chan string, 1)
	if result != never {
		done <- result
	}
	return done, nil
}

func (m *machine) Enqueue(_ context.Context, unit, action string) (<-chan string, error) {
	_ = m.call("%s %s", action, unit)
	if unit == m.fails {
		return m.ended("failed")
	}
	return m.ended("done")
}

func (m *machine) Run(_ context.Context, t handoff.Transient) (<-chan string, error) {
	if m.refuses {
		return nil, errors.New("connection closed")
	}
	_ = m.call("run %s", t.Unit)
	if m.onRun != nil {
		return m.ended(m.onRun(t))
	}
	return m.ended("done")
}

func (m *machine) State(context.Context, string) (handoff.State, error) {
	return handoff.State{Load: "loaded", Active: "active"}, nil
}

const config = `#cloud-config
hostname: web1
write_files:
  - path: /etc/motd
    content: hello
  - path: /run/early/flag
    content: up
coreos:
  etcd2:
    name: infra0
  units:
    - name: web.service
      enable: true
      command: restart
      content: |
        [Service]
        ExecStart=/bin/true
        [Install]
        WantedBy=multi-user.target
    - name: old.service
      command: reload
    - name: scratch.service
      runtime: true
      content: |
        [Service]
        ExecStart=/bin/true
`

const (
	settingsFile = "etc/provisioner/provisioner.yaml"
	agentDropIn  = "run/systemd/system/etcd2.service.d/20-cloudinit.conf"
)

// fromFile is a machine whose settings name a file below its root.
func fromFile(t *testing.T, userData string) *machine {
	m := newMachine(t, nil)
	m.write("usr/share/oem/cloud-config.yml", userData)
	m.write(settingsFile, "datasources: [\"file="+filepath.Join(m.dir, "usr/share/oem/cloud-config.yml")+"\"]\n")
	return m
}

func TestFirstAndLaterBoots(t *testing.T) {
	m := fromFile(t, config)
	// A file is of this machine: the first stage applies it whole.
	if r, calls := m.run(firstboot.BootLocal); r.State != report.Running || !slices.Equal(calls, []string{"hostname web1", "reload"}) {
		t.Fatalf("local: %s, %v, %q", r.State, r.Errors, calls)
	}
	for name, want := range map[string]string{"etc/hostname": "web1\n", "etc/motd": "hello", "run/early/flag": "up"} {
		if got := m.read(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	m.write("usr/share/oem/cloud-config.yml", "#cloud-config\nhostname: another\n") // nobody asks again
	for name, stage := range map[string]func(context.Context, firstboot.Env) *report.Report{"floor": firstboot.BootFloor, "main": firstboot.BootMain} {
		if r, calls := m.run(stage); r.State != report.Running || len(calls) > 0 {
			t.Fatalf("%s: %s, %v, %q", name, r.State, r.Errors, calls)
		}
	}
	r, calls := m.run(firstboot.BootHandoff)
	want := []string{"restart web.service", "reload old.service", "start provisioner-success.target"}
	if diff := cmp.Diff(want, calls); diff != "" || r.State != report.Done {
		t.Errorf("handoff: %s\n%s", r.State, diff)
	}
	m.write("usr/share/oem/cloud-config.yml", config)
	if s, err := m.status(); err != nil || s.State != report.Done || len(s.Changes) == 0 {
		t.Errorf("status %+v, %v", s, err)
	}

	before := m.persistent()
	for boot := 2; boot <= 3; boot++ {
		m.reboot()
		// systemd's generator, before anything is loaded; then the rest.
		root, err := fsroot.Open(m.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := firstboot.Generate(context.Background(), root, nil, "/run/systemd/generator"); err != nil {
			t.Fatal(err)
		}
		root.Close()
		if m.read(agentDropIn) == "(none)" || m.read("run/systemd/system/scratch.service") == "(none)" || m.read("run/early/flag") != "(none)" {
			t.Errorf("boot %d: the generator puts units back and nothing else", boot)
		}
		if r, calls := m.run(firstboot.BootLocal); r.State != report.Running || len(calls) > 0 || m.read("run/early/flag") != "up" {
			t.Errorf("boot %d: local: %s, %q, flag %q", boot, r.State, calls, m.read("run/early/flag"))
		}
		m.run(firstboot.BootFloor)
		if r, _ := m.run(firstboot.BootMain); r.State != report.Running {
			t.Errorf("boot %d: main: %s, %v", boot, r.State, r.Errors)
		}
		_, calls := m.run(firstboot.BootHandoff)
		if diff := cmp.Diff([]string{"start web.service", "start provisioner-success.target"}, calls); diff != "" {
			t.Errorf("boot %d: what runs is not restarted: %s", boot, diff)
		}
		if diff := cmp.Diff(before, m.persistent()); diff != "" {
			t.Errorf("boot %d wrote something persistent: %s", boot, diff)
		}
	}
}

func TestRefusedUserDataLeavesTheFloor(t *testing.T) {
	instance := metadatatest.Example()
	instance.UserData = []byte("#cloud-config\nhostnme: hunter2\n")
	handler := metadatatest.EC2(instance)
	server := httptest.NewServer(handler)
	defer server.Close()
	m := newMachine(t, map[string]string{settingsFile: "datasources: [\"ec2=" + server.URL + "\"]\n"})

	m.run(firstboot.BootFloor)
	if got := m.read("home/core/.ssh/authorized_keys"); !strings.Contains(got, instance.Keys[0].OpenSSH) {
		t.Errorf("after the floor, keys are %q", got)
	}
	r, _ := m.run(firstboot.BootMain)
	if r.State != report.Refused || r.ExitStatus != 1 {
		t.Errorf("main: %s", r.State)
	}
	if got := m.read("etc/hostname"); got != instance.Hostname+"\n" {
		t.Errorf("hostname %q", got)
	}
	s, err := m.status()
	if err != nil || s.State != report.Refused || len(s.Diagnostics) != 1 || s.Diagnostics[0].At.Start.Line != 2 || s.Diagnostics[0].Rule != "unknown-key" {
		t.Errorf("status %+v, %v", s, err)
	}
	if strings.Contains(m.console.String(), "hunter2") {
		t.Errorf("the console has words of the user's: %s", m.console.String())
	}
	const two = "provisioner: the configuration is refused: user-data:2:1: unknown key [unknown-key]\n" +
		"provisioner: nothing of the configuration is applied, other than the platform's keys, hostname and network; provisioner status says more\n"
	if got := m.read("run/issue.d/provisioner.issue"); got != two || !strings.HasSuffix(m.console.String(), two) {
		t.Errorf("above the prompt: %q, on the console: %q", got, m.console.String())
	}
	if _, calls := m.run(firstboot.BootHandoff); len(calls) > 0 {
		t.Errorf("a hand-off after a refusal: %q", calls)
	}
	if s, err := m.status(); err != nil || s.State != report.Refused {
		t.Errorf("status after the hand-off: %s, %v", s.State, err)
	}
}

func TestAnotherConfigurationAtALaterBoot(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	m.write("usr/share/oem/cloud-config.yml", strings.Replace(config, "hello", "goodbye", 1))

	m.reboot()
	if r, _ := m.run(firstboot.BootMain); r.State != report.Running || m.read("etc/motd") != "hello" {
		t.Errorf("a boot applies another configuration: %s, %q", r.State, m.read("etc/motd"))
	}
	if !strings.Contains(m.console.String(), "not what was applied") {
		t.Errorf("it is not told: %s", m.console.String())
	}
	m.write(settingsFile, m.read(settingsFile)+"later-boots: apply\n")
	m.reboot()
	if r, _ := m.run(firstboot.BootMain); r.State != report.Running || m.read("etc/motd") != "goodbye" {
		t.Errorf("the settings say to apply it: %s, %q", r.State, m.read("etc/motd"))
	}
}

func TestALostDatasourceIsNoNewMachine(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	m.reboot()
	if err := os.RemoveAll(filepath.Join(m.dir, "usr/share/oem")); err != nil {
		t.Fatal(err)
	}
	before := m.persistent()
	r, _ := m.run(firstboot.BootMain)
	if r.State != report.Running {
		t.Fatalf("main: %s, %v", r.State, r.Errors)
	}
	_, calls := m.run(firstboot.BootHandoff)
	if !slices.Contains(calls, "start web.service") || m.read(agentDropIn) == "(none)" {
		t.Errorf("the hand-off of the kept configuration: %q", calls)
	}
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("something persistent was written: %s", diff)
	}
}

func TestAScriptRunsOnce(t *testing.T) {
	m := fromFile(t, "#!/bin/sh\necho once\n")
	for boot, want := range []int{1, 0} {
		m.reboot()
		m.run(firstboot.BootMain)
		r, calls := m.run(firstboot.BootHandoff)
		runs := 0
		for _, c := range calls {
			if strings.HasPrefix(c, "run ") {
				runs++
			}
		}
		if runs != want || r.State != report.Done {
			t.Errorf("boot %d runs it %d times, want %d: %s, %v", boot+1, runs, want, r.State, r.Errors)
		}
	}
}

func TestAFailedJobIsAFailedHandOff(t *testing.T) {
	m := fromFile(t, config)
	m.fails = "web.service"
	r, _ := m.run(firstboot.Apply)
	if r.State != report.Degraded || r.ExitStatus != 4 {
		t.Errorf("apply: %s", r.State)
	}
	if m.read("etc/motd") != "hello" {
		t.Error("what was committed stays")
	}
}

func TestInstancesAreApart(t *testing.T) {
	m := fromFile(t, config)
	as := func(id string) func(*firstboot.Env) {
		return func(env *firstboot.Env) {
			env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: id}
		}
	}
	m.run(firstboot.BootMain, as("../../../etc"))
	m.write("etc/motd", "changed by hand")
	m.run(firstboot.BootMain, as("../../../etc"))
	if got := m.read("etc/motd"); got != "changed by hand" {
		t.Errorf("the same instance: %q", got)
	}
	m.run(firstboot.BootMain, as("another"))
	if got := m.read("etc/motd"); got != "hello" {
		t.Errorf("another instance: %q", got)
	}
	dirs, err := os.ReadDir(filepath.Join(m.dir, "var/lib/provisioner/instances"))
	if err != nil || len(dirs) != 1 {
		t.Errorf("directories %v, %v: what was kept of the other one goes", dirs, err)
	}
}

const laptopKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@laptop"

// onPlatform is metadata with a hostname and a key, of an instance.
func onPlatform(hostname string) func(*firstboot.Env) {
	return func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{
			Version: 1, Datasource: "test", InstanceID: "i-1", Hostname: hostname, PrivateIPv4: "10.0.0.5",
			SSHKeys: metadataKeys(),
		}
	}
}

func metadataKeys() []string {
	var keys []string
	for _, k := range metadatatest.Example().Keys {
		keys = append(keys, k.OpenSSH)
	}
	return keys
}

// The floor is planned from the platform's metadata alone: on a machine that has its configuration it would take
// away what that added.
func TestOtherMetadataAtALaterBootTakesNothingAway(t *testing.T) {
	m := fromFile(t, "#cloud-config\nhostname: web1\nssh_authorized_keys: ['"+laptopKey+"']\n")
	m.run(firstboot.BootFloor, onPlatform("ip-1"))
	m.run(firstboot.BootMain, onPlatform("ip-1"))
	m.run(firstboot.BootHandoff)
	before := m.persistent()
	m.reboot()
	for _, stage := range []func(context.Context, firstboot.Env) *report.Report{firstboot.BootLocal, firstboot.BootFloor, firstboot.BootMain} {
		m.run(stage, onPlatform("ip-2"))
	}
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("something persistent was written: %s", diff)
	}
	keys := m.read("home/core/.ssh/authorized_keys")
	if m.read("etc/hostname") != "web1\n" || !strings.Contains(keys, laptopKey) || !strings.Contains(keys, metadataKeys()[0]) {
		t.Errorf("hostname %q, keys %q", m.read("etc/hostname"), keys)
	}
}

func TestALaterBootNeedsNoConfiguration(t *testing.T) {
	m := fromFile(t, strings.Replace(config, "hostname: web1\n", "hostname: web1\nusers: [{name: anna, uid: 1500}]\n", 1))
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)

	// What a plan would refuse now is the administrator's to change.
	m.write("etc/passwd", strings.Replace(m.read("etc/passwd"), "1500", "1600", 1))
	m.reboot()
	if r, _ := m.run(firstboot.BootMain); r.State != report.Running {
		t.Errorf("after a change by hand: %s, %v", r.State, r.Errors)
	}
	if _, calls := m.run(firstboot.BootHandoff); !slices.Contains(calls, "start web.service") {
		t.Errorf("after a change by hand: %q", calls)
	}

	// Nothing of other user-data, where nothing is kept of what was applied.
	m.write(settingsFile, m.read(settingsFile)+"keep-user-data: no\n")
	m.write("usr/share/oem/cloud-config.yml", "#!/bin/sh\necho other\n")
	m.reboot()
	m.run(firstboot.BootMain)
	if _, calls := m.run(firstboot.BootHandoff); slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "run ") }) {
		t.Errorf("other user-data is run: %q", calls)
	}
}

func TestTheFloorAgreesWithTheConfiguration(t *testing.T) {
	m := fromFile(t, "#cloud-config\nusers: [{name: core, uid: 1500, groups: [web]}]\ngroups: [web]\n")
	m.run(firstboot.BootFloor, onPlatform("ip-1"))
	if !strings.Contains(m.read("home/core/.ssh/authorized_keys"), metadataKeys()[0]) {
		t.Errorf("no floor: %s", m.console.String())
	}
	r, _ := m.run(firstboot.BootMain, onPlatform("ip-1"))
	if r.State != report.Running || !strings.Contains(m.read("etc/passwd"), "core:x:1500:") {
		t.Errorf("%s, %v\n%s\n%s", r.State, r.Errors, m.read("etc/passwd"), m.console.String())
	}
}

// What stands in the way of the floor stands in the way of the configuration too, which has the platform's part in
// it: the floor only tells it, and the configuration is refused for it.
func TestAFloorThatCannotBeMade(t *testing.T) {
	m := fromFile(t, "#cloud-config\nwrite_files: [{path: /etc/motd, content: hello}]\n")
	m.write("etc/group", m.read("etc/group")+"core:x:500:\n") // a group of the default user's name, and no user
	if r, _ := m.run(firstboot.BootFloor, onPlatform("ip-1")); r.State != report.Running {
		t.Errorf("floor: %s", r.State)
	}
	if !strings.Contains(m.console.String(), "access floor: it cannot be made: ") {
		t.Errorf("it is not told: %s", m.console.String())
	}
	r, _ := m.run(firstboot.BootMain, onPlatform("ip-1"))
	if r.State != report.Refused || len(r.Diagnostics) != 1 || r.Diagnostics[0].Rule != "group-not-own" || m.read("etc/motd") != "(none)" {
		t.Errorf("main: %s, %+v, %q", r.State, r.Diagnostics, m.read("etc/motd"))
	}
}

func TestUserDataThatHangsCostsNoFloor(t *testing.T) {
	handler := metadatatest.EC2(metadatatest.Example(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/latest/user-data"})
	server := httptest.NewServer(handler)
	defer server.Close()
	m := newMachine(t, map[string]string{settingsFile: "datasources: [\"ec2=" + server.URL + "\"]\n"})
	m.run(firstboot.BootFloor)
	if got := m.read("home/core/.ssh/authorized_keys"); !strings.Contains(got, metadataKeys()[0]) {
		t.Errorf("keys %q\n%s", got, m.console.String())
	}
	if r, _ := m.run(firstboot.BootMain); r.State != report.Failed {
		t.Errorf("main: %s", r.State)
	}
}

// Version 1 of EC2's metadata service is taken if the settings say so, and then it is told.
func TestIMDSv1IsASetting(t *testing.T) {
	instance := metadatatest.Example()
	instance.Tokens = metadatatest.Unknown
	server := httptest.NewServer(metadatatest.EC2(instance))
	defer server.Close()
	source := "datasources: [\"ec2=" + server.URL + "\"]\n"
	const note = "version 1 of the service was taken"

	m := newMachine(t, map[string]string{settingsFile: source})
	if r, _ := m.run(firstboot.Apply); r.State != report.Failed || strings.Contains(m.console.String(), note) {
		t.Errorf("without the setting: %s\n%s", r.State, m.console.String())
	}
	m = newMachine(t, map[string]string{settingsFile: source + "imdsv1: yes\n"})
	r, _ := m.run(firstboot.Apply)
	if r.State != report.Done || !strings.Contains(m.console.String(), note) || len(r.Sources) == 0 || !strings.Contains(r.Sources[0].Reason, note) {
		t.Errorf("with the setting: %s, %+v\n%s", r.State, r.Sources, m.console.String())
	}
}

func TestWarningsAreInTheStatus(t *testing.T) {
	m := fromFile(t, "#cloud-config\npackages: [hunter2]\nhostname: web1\n")
	m.run(firstboot.BootMain)
	r, _ := m.run(firstboot.BootHandoff)
	if r.State != report.Done || len(r.Diagnostics) != 1 || r.Diagnostics[0].Rule != "unsupported-key" {
		t.Errorf("%s, %+v", r.State, r.Diagnostics)
	}
	if out := m.console.String(); !strings.Contains(out, ":2:1: warning: ") || strings.Contains(out, "hunter2") {
		t.Errorf("console: %s", out)
	}
}

// What stands in the way below /run, which is written after the commit, is known before it.
func TestTroubleBelowRunIsKnownBefore(t *testing.T) {
	m := fromFile(t, config)
	m.write("run/early", "a file where a directory is wanted\n")
	if r, _ := m.run(firstboot.Apply); r.State != report.Refused || m.read("etc/motd") != "(none)" {
		t.Errorf("%s, %q", r.State, m.read("etc/motd"))
	}
}

func TestBrokenSettingsAreNoLostDatasource(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	m.reboot()
	m.write(settingsFile, "datasource: [ec2]\n")
	if r, _ := m.run(firstboot.BootMain); r.State != report.Failed || r.ExitStatus != 3 {
		t.Errorf("%s, %v", r.State, r.Errors)
	}
}

func TestWhatIsDroppedBelowRunStaysAway(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.Apply)
	m.write("usr/share/oem/cloud-config.yml", strings.Replace(config, "  - path: /run/early/flag\n    content: up\n", "", 1))
	m.run(firstboot.Apply)
	m.reboot()
	m.run(firstboot.BootLocal)
	if m.read("run/early/flag") != "(none)" {
		t.Error("what the configuration no longer has comes back")
	}
	if m.read(agentDropIn) == "(none)" {
		t.Error("what it has does not")
	}
}

// systemd runs its generators at every daemon-reload.
func TestTheGeneratorUndoesNothing(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.Apply)
	m.reboot()
	m.run(firstboot.BootLocal)
	if err := os.Remove(filepath.Join(m.dir, agentDropIn)); err != nil {
		t.Fatal(err)
	}
	root, err := fsroot.Open(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := firstboot.Generate(context.Background(), root, nil, "/run/systemd/generator"); err != nil {
		t.Fatal(err)
	}
	if m.read(agentDropIn) != "(none)" {
		t.Error("what was removed by hand is back")
	}
}

func TestARunThatWasKilledIsNotRunning(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootLocal, func(env *firstboot.Env) { env.PID = os.Getpid() })
	if s, err := m.status(); err != nil || s.State != report.Running {
		t.Errorf("between the stages of a boot: %s, %v", s.State, err)
	}
	text := strings.Replace(m.read("run/provisioner/status.json"), `"state": "running",`, `"state": "running", "pid": 4194305,`, 1)
	m.write("run/provisioner/status.json", text)
	if s, err := m.status(); err != nil || s.State != report.Failed {
		t.Errorf("of a process that is gone: %s, %v", s.State, err)
	}
}

// What is written is labelled before anything is started, where SELinux is on. The program that does it is a stand-in:
// there is no kernel with SELinux to test on.
func TestLabels(t *testing.T) {
	m := fromFile(t, config)
	program := filepath.Join(m.dir, "restorecon")
	m.write("restorecon", "#!/bin/sh\ntr '\\0' '\\n' >>\""+filepath.Join(m.dir, "labelled")+"\"\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(env *firstboot.Env) { env.Restorecon = program }
	m.run(firstboot.BootMain, with)
	if m.read("labelled") != "(none)" {
		t.Error("without SELinux something is labelled")
	}
	m = fromFile(t, config)
	m.write("sys/fs/selinux/enforce", "1")
	m.write("restorecon", "#!/bin/sh\ntr '\\0' '\\n' >>\""+filepath.Join(m.dir, "labelled")+"\"\n")
	program = filepath.Join(m.dir, "restorecon")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	r, _ := m.run(firstboot.BootMain, with)
	for _, path := range []string{"/etc/motd\n", "/etc/hostname\n", "/" + agentDropIn + "\n", "/var/lib/provisioner/instances\n"} {
		if !strings.Contains(m.read("labelled"), path) {
			t.Errorf("%q is not labelled: %s, %v, %q", path, r.State, r.Errors, m.read("labelled"))
		}
	}
	m.write("restorecon", "#!/bin/sh\nexit 1\n")
	m.write("usr/share/oem/cloud-config.yml", config+"# changed\n")
	if r, _ := m.run(firstboot.Apply, with); r.State != report.Degraded {
		t.Errorf("labels that cannot be set: %s", r.State)
	}
}

func TestAScriptThatDidNotStartRunsLater(t *testing.T) {
	m := fromFile(t, "#!/bin/sh\necho once\n")
	m.refuses = true
	m.run(firstboot.BootMain)
	if r, _ := m.run(firstboot.BootHandoff); r.State != report.Degraded {
		t.Errorf("first boot: %s", r.State)
	}
	m.refuses = false
	m.reboot()
	m.run(firstboot.BootMain)
	if r, calls := m.run(firstboot.BootHandoff); r.State != report.Done || !strings.Contains(strings.Join(calls, "\n"), "run ") {
		t.Errorf("second boot: %s, %q", r.State, calls)
	}
}

// Labels that cannot be set come after the commit: what is committed is handed off all the same, and the boot is
// degraded, be it the floor's or the configuration's.
func TestTroubleAfterTheCommitStopsNothing(t *testing.T) {
	broken := func(env *firstboot.Env) { env.Restorecon = "/nonexistent" }
	m := fromFile(t, config)
	m.write("sys/fs/selinux/enforce", "1")
	if r, _ := m.run(firstboot.BootMain, broken); r.State != report.Running || m.read("etc/motd") != "hello" {
		t.Errorf("main: %s, %v", r.State, r.Errors)
	}
	r, calls := m.run(firstboot.BootHandoff)
	if r.State != report.Degraded || !slices.Contains(calls, "restart web.service") || slices.Contains(calls, "start provisioner-success.target") {
		t.Errorf("hand-off: %s, %q", r.State, calls)
	}

	m = fromFile(t, config)
	m.write("sys/fs/selinux/enforce", "1")
	r, _ = m.run(firstboot.Apply, broken, onPlatform("ip-1"))
	if r.State != report.Degraded || m.read("etc/motd") != "hello" || !strings.Contains(m.read("home/core/.ssh/authorized_keys"), metadataKeys()[0]) {
		t.Errorf("with a floor: %s, %v", r.State, r.Errors)
	}
}

// What an administrator applies by hand is this instance's configuration from then on.
func TestAFileAppliedByHandStays(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain, onPlatform("ip-1"))
	m.run(firstboot.BootHandoff)
	m.write("by-hand.yaml", "#cloud-config\ncoreos:\n  units:\n    - {name: new.service, command: start, content: \"[Service]\\nExecStart=/bin/true\"}\n")
	m.run(firstboot.Apply, func(env *firstboot.Env) { env.Datasources = []string{"file=" + filepath.Join(m.dir, "by-hand.yaml")} })
	for _, again := range []func(*firstboot.Env){onPlatform("ip-1"), func(*firstboot.Env) {}} {
		m.reboot()
		m.run(firstboot.BootLocal)
		m.run(firstboot.BootMain, again)
		_, calls := m.run(firstboot.BootHandoff)
		if diff := cmp.Diff([]string{"start new.service", "start provisioner-success.target"}, calls); diff != "" {
			t.Error(diff)
		}
	}
	// And without any datasource in the settings.
	m.write(settingsFile, "\n")
	m.reboot()
	m.run(firstboot.BootMain)
	if _, calls := m.run(firstboot.BootHandoff); !slices.Contains(calls, "start new.service") {
		t.Errorf("without a datasource: %q", calls)
	}
}

func TestACommandThatWasCutShortRunsLater(t *testing.T) {
	m := fromFile(t, "#cloud-config\nhostname: web1\n")
	m.run(firstboot.BootMain)
	kept, err := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/runtime.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte(`{"version":1,"commands":[{"argv":["/usr/sbin/update-ca-certificates"],"inputs":"digest"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const run = "run provisioner-command-update-ca-certificates-1.service"
	for _, want := range []bool{true, false} {
		m.reboot()
		m.run(firstboot.BootMain)
		if _, calls := m.run(firstboot.BootHandoff); slices.Contains(calls, run) != want {
			t.Errorf("systemd was asked %q; the command is to be run: %v", calls, want)
		}
	}
}
