//go:build linux

package firstboot_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/record"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
)

// link is a network on which one service answers at every address.
type link struct {
	handler http.Handler
	mu      sync.Mutex
	asked   []string // "169.254.169.254 /latest/user-data"
}

func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.asked = append(l.asked, req.URL.Host+" "+req.URL.Path)
	l.mu.Unlock()
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, req)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

func (l *link) use(env *firstboot.Env) { env.Sources.Transport = l }

const (
	vendorFile = "sys/class/dmi/id/sys_vendor"
	uuidFile   = "sys/class/dmi/id/product_uuid"
)

// hardware is a machine that is no container, with what DMI says of it.
func hardware(t *testing.T, vendor string) *machine {
	m := newMachine(t, map[string]string{vendorFile: vendor + "\n", uuidFile: "11111111-2222-3333-4444-555555555555\n"})
	m.restart()
	return m
}

// restart is reboot, of a machine that is no container.
func (m *machine) restart() {
	m.t.Helper()
	m.reboot()
	if err := os.Remove(filepath.Join(m.dir, "run/systemd/container")); err != nil {
		m.t.Fatal(err)
	}
}

func instance(id, userData string) metadatatest.Instance {
	i := metadatatest.Example()
	i.ID, i.UserData = id, []byte(userData)
	return i
}

func reasonFor(r *report.Report, source string) string {
	for _, s := range r.Sources {
		if s.Name == source {
			return s.Reason
		}
	}
	return "(none)"
}

func TestTheDatasourceIsDetected(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	l := &link{handler: metadatatest.EC2(instance("i-1", "#cloud-config\nhostname: web1\n"))}
	m.run(firstboot.BootFloor, l.use)
	r, _ := m.run(firstboot.BootMain, l.use)
	if r.State != report.Running || m.read("etc/hostname") != "web1\n" || r.Datasource != "ec2" {
		t.Errorf("%s, %v, hostname %q", r.State, r.Errors, m.read("etc/hostname"))
	}
	if got := reasonFor(r, "file"); got != "asked only where it is named" {
		t.Errorf("file: %q", got)
	}
	if got := reasonFor(r, "ec2"); got != "it answered" {
		t.Errorf("ec2: %q", got)
	}
	if !strings.Contains(m.console.String(), `asking ec2: this is Amazon EC2: system vendor "Amazon EC2"`) {
		t.Errorf("the console does not say why:\n%s", m.console.String())
	}
}

func TestAStrangerIsNeverAsked(t *testing.T) {
	for _, vendor := range []string{"QEMU", "HPE", "e24cloud", "Xen"} {
		m := hardware(t, vendor)
		m.write(uuidFile, "ec2d1111-2222-3333-4444-555566667777\n")
		l := &link{handler: metadatatest.EC2(instance("i-1", "#cloud-config\nhostname: stranger\n"))}
		for _, stage := range []func(context.Context, firstboot.Env) *report.Report{firstboot.BootLocal, firstboot.BootFloor, firstboot.BootMain, firstboot.Apply} {
			if r, _ := m.run(stage, l.use); len(r.Errors) > 0 || r.ExitStatus != 0 && r.ExitStatus != report.ExitRunning {
				t.Errorf("%s: %s, %v", vendor, r.State, r.Errors)
			}
		}
		if len(l.asked) > 0 || m.read("etc/hostname") != "(none)" {
			t.Errorf("%s: asked %q, hostname %q", vendor, l.asked, m.read("etc/hostname"))
		}
	}
}

func TestADetectedDatasourceThatIsAbsentIsAFailure(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	l := &link{handler: http.NotFoundHandler()}
	r, _ := m.run(firstboot.Apply, l.use)
	if r.ExitStatus != report.ExitFailed || !strings.Contains(reasonFor(r, "ec2"), "404") {
		t.Errorf("%s, %v, %q", r.State, r.Errors, reasonFor(r, "ec2"))
	}
}

// What was taken at the first boot stays, whatever is plugged in later; who may name others still may.
func TestTheDatasourceStays(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	l := &link{handler: metadatatest.EC2(instance("i-1", config))}
	looked := false
	withDisk := func(env *firstboot.Env) {
		env.Disks = func(context.Context) ([]detect.Disk, error) {
			looked = true
			return []detect.Disk{{Name: "vdb", Label: "cidata"}}, nil
		}
	}
	m.run(firstboot.BootMain, l.use)
	m.run(firstboot.BootHandoff, l.use)

	m.restart()
	l.asked = nil
	r, _ := m.run(firstboot.BootMain, l.use, withDisk)
	if r.State != report.Running || looked || len(l.asked) == 0 {
		t.Errorf("%s, %v, looked at disks: %v, asked %q", r.State, r.Errors, looked, l.asked)
	}
	if got := reasonFor(r, "file"); got != "not asked: the first boot took ec2" {
		t.Errorf("file: %q", got)
	}

	// A file that is applied by hand does not change where later boots ask.
	m.write("by-hand.yaml", "#cloud-config\nhostname: by-hand\n")
	m.run(firstboot.Apply, l.use, func(env *firstboot.Env) { env.Datasources = []string{"file=" + filepath.Join(m.dir, "by-hand.yaml")} })
	m.restart()
	l.asked = nil
	if r, _ = m.run(firstboot.BootMain, l.use, withDisk); r.Datasource != "ec2" || looked || len(l.asked) == 0 || m.read("etc/hostname") != "by-hand\n" {
		t.Errorf("after a file by hand: %s, %v, asked %q, hostname %q", r.Datasource, r.Errors, l.asked, m.read("etc/hostname"))
	}

	m.write("by-settings.yaml", "#cloud-config\nhostname: other\n")
	m.write(settingsFile, "datasources: [file="+filepath.Join(m.dir, "by-settings.yaml")+"]\n")
	m.restart()
	l.asked = nil
	if r, _ = m.run(firstboot.BootMain, l.use); r.Datasource != "file" || len(l.asked) > 0 {
		t.Errorf("the settings name another: %s, asked %q", r.Datasource, l.asked)
	}
	m.write(settingsFile, "\n")
	m.write("proc/cmdline", "provisioner.datasource=file="+filepath.Join(m.dir, "by-settings.yaml")+"\n")
	m.restart()
	if r, _ = m.run(firstboot.BootMain, l.use); r.Datasource != "file" || len(l.asked) > 0 {
		t.Errorf("the command line names another: %s, asked %q", r.Datasource, l.asked)
	}
	// On another machine all is chosen anew.
	m.write("proc/cmdline", "quiet\n")
	m.write(vendorFile, "HPE\n")
	m.restart()
	if r, _ = m.run(firstboot.BootMain, l.use); len(l.asked) > 0 || reasonFor(r, "ec2") == "not asked: the first boot took ec2" {
		t.Errorf("on another machine: asked %q, %q", l.asked, reasonFor(r, "ec2"))
	}
}

// A machine that is the one it was is not another instance because the network says so.
func TestIdentityConflict(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	as := func(id, hostname string) *link {
		return &link{handler: metadatatest.EC2(instance(id, "#cloud-config\nhostname: "+hostname+"\n"))}
	}
	m.run(firstboot.BootMain, as("i-1", "web1").use)
	m.run(firstboot.BootHandoff)
	before := m.persistent()
	stages := []func(context.Context, firstboot.Env) *report.Report{firstboot.BootLocal, firstboot.BootFloor, firstboot.BootMain}

	m.restart()
	var r *report.Report
	for _, stage := range stages {
		r, _ = m.run(stage, as("i-2", "evil").use)
	}
	const want = `identity-conflict: ec2 says that this is instance "i-2", but the machine is still the one that was provisioned as "i-1"; nothing is applied; if it is to be another, remove /var/lib/provisioner`
	if r.ExitStatus != report.ExitFailed || !slices.Equal(r.Errors, []string{want}) {
		t.Errorf("%s, %q", r.State, r.Errors)
	}
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("something was applied: %s", diff)
	}
	if r, _ = m.run(firstboot.Apply, as("i-2", "evil").use); r.ExitStatus != report.ExitFailed || m.read("etc/hostname") != "web1\n" {
		t.Errorf("by hand: %s, hostname %q", r.State, m.read("etc/hostname"))
	}

	m.write(uuidFile, "99999999-2222-3333-4444-555555555555\n")
	m.restart()
	for _, stage := range stages {
		r, _ = m.run(stage, as("i-2", "web2").use)
	}
	if r.State != report.Running || m.read("etc/hostname") != "web2\n" {
		t.Errorf("on a new machine: %s, %v, hostname %q", r.State, r.Errors, m.read("etc/hostname"))
	}
	m.run(firstboot.BootHandoff)
	if err := os.RemoveAll(filepath.Join(m.dir, "var/lib/provisioner")); err != nil {
		t.Fatal(err)
	}
	m.restart()
	for _, stage := range stages {
		r, _ = m.run(stage, as("i-3", "web3").use)
	}
	if r.State != report.Running || m.read("etc/hostname") != "web3\n" {
		t.Errorf("without its state: %s, %v, hostname %q", r.State, r.Errors, m.read("etc/hostname"))
	}
}

// A service that is lost, or whose answers are another's, is not a new machine either.
func TestALostServiceIsNoNewMachine(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	m.run(firstboot.BootMain, (&link{handler: metadatatest.EC2(instance("i-1", config))}).use)
	m.run(firstboot.BootHandoff)
	m.restart()
	r, _ := m.run(firstboot.BootMain, (&link{handler: http.NotFoundHandler()}).use)
	if _, calls := m.run(firstboot.BootHandoff); r.State != report.Running || !slices.Contains(calls, "start web.service") {
		t.Errorf("%s, %v, %q", r.State, r.Errors, calls)
	}
}

func TestRemovableDisks(t *testing.T) {
	stick := func(env *firstboot.Env) {
		env.Disks = func(context.Context) ([]detect.Disk, error) {
			return []detect.Disk{{Name: "sda1", Label: "cidata", Removable: true}}, nil
		}
	}
	for settings, want := range map[string]bool{"": false, "removable: no\n": false, "removable: yes\n": true} {
		m := hardware(t, "HPE")
		m.write(settingsFile, settings)
		var found detect.Result
		var err error
		m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
			found, err = firstboot.Detect(ctx, env)
			return nil
		}, stick)
		if err != nil {
			t.Fatal(err)
		}
		named := slices.ContainsFunc(append(found.Candidates, found.Rejected...), func(c detect.Candidate) bool { return c.Spec == "nocloud" })
		taken := slices.ContainsFunc(found.Candidates, func(c detect.Candidate) bool { return c.Spec == "nocloud" })
		if named && taken != want {
			t.Errorf("%q: taken %v, want %v", settings, taken, want)
		}
	}
}

const imported = "#cloud-config\nusers:\n  - name: anna\n    coreos_ssh_import_url: https://keys.example.com/anna?token=hunter2\n"

// What was recorded is run again without a network, and comes to the same plan; also what was asked for after the
// datasource had answered.
func TestReplay(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	service := metadatatest.EC2(instance("i-1", imported))
	l := &link{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "keys.example.com" {
			_, _ = w.Write([]byte(`[{"id": 1, "key": "` + laptopKey + `"}]`))
			return
		}
		service.ServeHTTP(w, r)
	})}
	before := m.plan(l.use)
	if r, _ := m.run(firstboot.Apply, l.use); r.State != report.Done {
		t.Fatalf("%s, %v", r.State, r.Errors)
	}
	if strings.Contains(m.console.String(), "hunter2") {
		t.Errorf("the console has a secret: %s", m.console.String())
	}
	kept, err := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/record.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	other := hardware(t, "HPE")
	nobody := &link{handler: http.NotFoundHandler()}
	replay := func(env *firstboot.Env) { env.Datasources = []string{"replay=" + kept[0]} }
	if diff := cmp.Diff(before, other.plan(nobody.use, replay)); diff != "" {
		t.Errorf("the plan is another: %s", diff)
	}
	r, _ := other.run(firstboot.Apply, nobody.use, replay)
	if r.State != report.Done || r.Datasource != "ec2" || r.Metadata.InstanceID != "i-1" {
		t.Errorf("%s, %v, %+v", r.State, r.Errors, r.Metadata)
	}
	if got := other.read("home/anna/.ssh/authorized_keys"); !strings.Contains(got, laptopKey) {
		t.Errorf("keys %q", got)
	}
	if len(nobody.asked) > 0 {
		t.Errorf("asked %q", nobody.asked)
	}

	// Another question than those that were recorded has no answer, and is not asked again.
	var rec record.Record
	text, err := os.ReadFile(kept[0])
	if err != nil || json.Unmarshal(text, &rec) != nil {
		t.Fatal(err)
	}
	if reason := rec.Decisions[0].Reason; rec.Platform != "Amazon EC2" || !rec.Decisions[0].Taken || reason == "" || len(rec.Decisions) < 3 {
		t.Errorf("platform %q, decisions %+v", rec.Platform, rec.Decisions)
	}
	rec.Data.UserData = []byte(strings.Replace(imported, "/anna", "/bob", 1))
	if text, err = json.Marshal(rec); err != nil {
		t.Fatal(err)
	}
	other.write("other.json", string(text))
	r, _ = other.run(firstboot.Apply, nobody.use, func(env *firstboot.Env) {
		env.Datasources = []string{"replay=" + filepath.Join(other.dir, "other.json")}
	})
	if r.ExitStatus != report.ExitFailed || len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "the record has no answer to this") || strings.Contains(r.Errors[0], "hunter2") {
		t.Errorf("%s, %q", r.State, r.Errors)
	}
}

// Who wants no user-data kept, keeps none in the record.
func TestNothingIsRecordedThatIsNotToBeKept(t *testing.T) {
	m := hardware(t, "Amazon EC2")
	m.write(settingsFile, "keep-user-data: no\n")
	l := &link{handler: metadatatest.EC2(instance("i-1", "#cloud-config\nhostname: web1\n"))}
	m.run(firstboot.BootMain, l.use)
	kept, err := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/record.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	var rec record.Record
	text, err := os.ReadFile(kept[0])
	if err != nil || json.Unmarshal(text, &rec) != nil {
		t.Fatal(err)
	}
	if !rec.WithoutBodies || rec.Data.UserData != nil || len(rec.Answers) == 0 {
		t.Errorf("record %s", text)
	}
	for _, a := range rec.Answers {
		if a.Body != nil {
			t.Errorf("%s %s has a body", a.Method, a.URL)
		}
	}
}

// The id of the machine stands in where the datasource has none, and is shown to nobody.
func TestInstanceWithoutAnID(t *testing.T) {
	dirOf := func(m *machine) string {
		m.t.Helper()
		if r, _ := m.run(firstboot.Apply); r.State != report.Done || r.Metadata.InstanceID != "" {
			m.t.Fatalf("%s, %v, %+v", r.State, r.Errors, r.Metadata)
		}
		to, err := os.Readlink(filepath.Join(m.dir, "var/lib/provisioner/instance"))
		if err != nil {
			m.t.Fatal(err)
		}
		return to
	}
	seen := map[string]string{}
	for _, tt := range []struct {
		name, uuid, machineID string
		byUUID                bool
	}{
		{"by UUID", "11111111-2222-3333-4444-555555555555", "0123456789abcdef0123456789abcdef", true},
		{"another UUID", "21111111-2222-3333-4444-555555555555", "0123456789abcdef0123456789abcdef", true},
		{"a UUID that is no machine's own", "03000200-0400-0500-0006-000700080009", "0123456789abcdef0123456789abcdef", false},
		{"another machine-id", "", "1123456789abcdef0123456789abcdef", false},
	} {
		m := hardware(t, "HPE")
		m.write("usr/share/a.yaml", "#cloud-config\nhostname: web1\n")
		m.write(settingsFile, "datasources: [file="+filepath.Join(m.dir, "usr/share/a.yaml")+"]\n")
		m.write(uuidFile, tt.uuid+"\n")
		m.write("etc/machine-id", tt.machineID+"\n")
		dir := dirOf(m)
		if was, again := seen[dir]; again {
			t.Errorf("%s is the same as %s", tt.name, was)
		}
		seen[dir] = tt.name
		m.write("etc/machine-id", "f"+tt.machineID[1:]+"\n")
		if isSame := dirOf(m) == dir; isSame != tt.byUUID {
			t.Errorf("%s: with another machine-id it is the same: %v", tt.name, isSame)
		}
	}
}

// plan is what would be changed.
func (m *machine) plan(change ...func(*firstboot.Env)) []plan.Change {
	m.t.Helper()
	var made firstboot.Prepared
	var err error
	m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
		made, err = firstboot.Plan(ctx, env)
		return nil
	}, change...)
	if err != nil || made.Found.HasErrors() {
		m.t.Fatalf("%v, %v", err, made.Found)
	}
	return made.Plan.Changes
}
