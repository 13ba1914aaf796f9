//go:build linux

package firstboot_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

// What a boot waited for is in its report, with how long that took: nobody has to guess.
func TestWaitsAreInTheReport(t *testing.T) {
	server := httptest.NewServer(metadatatest.EC2(metadatatest.Example(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/latest/user-data"}))
	defer server.Close()
	clock := metadatatest.NewClock()
	m := newMachine(t, nil)
	r, _ := m.run(firstboot.Apply, func(e *firstboot.Env) {
		e.Datasources = []string{"ec2=" + server.URL}
		e.Sources.Now, e.Sources.Sleep, e.Now = clock.Now, clock.Sleep, clock.Now
		e.Sources.Limits = datasources.Limits{Overall: 20 * time.Second}
	})
	if r.State != report.Failed || r.FailedStage == "" {
		t.Errorf("%s in %q", r.State, r.FailedStage)
	}
	var waits []report.Awaited
	for _, s := range r.Stages {
		if s.Name == "fetch" {
			waits = s.Waits
		}
	}
	if len(waits) != 1 || !strings.HasPrefix(waits[0].What, "datasource ec2=") || waits[0].DurationMS < 18_000 {
		t.Errorf("fetch waited for %+v", waits)
	}
}

// What was fetched is known by its size and digest, and by no word of it.
func TestWhatWasFetched(t *testing.T) {
	m := fromFile(t, config)
	r, _ := m.run(firstboot.Apply)
	if f := r.Fetched; f == nil || f.UserDataBytes != int64(len(config)) || len(f.UserDataSHA256) != 64 || f.Parts != 1 {
		t.Errorf("%+v", f)
	}
}

// listener is a server that others are told at, and what it was told.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	told   []string // path, content type and body of each
	asked  map[string]int
	status int
}

func listen(t *testing.T) *listener {
	l := &listener{status: http.StatusNoContent, asked: map[string]int{}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked[r.URL.Path]++
		if l.status < 300 {
			l.told = append(l.told, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+"\n"+string(body))
		}
		w.WriteHeader(l.status)
	}))
	t.Cleanup(l.Close)
	return l
}

// heard is what was told since the last call.
func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.told = nil
	return told
}

// quick keeps a server that does not answer from taking the time of a test.
func quick(e *firstboot.Env) {
	clock := metadatatest.NewClock()
	e.Sources.Now, e.Sources.Sleep = clock.Now, clock.Sleep
}

// toldMachine is one whose settings name a configuration, and where its reports go.
func toldMachine(t *testing.T, l *listener, userData string) *machine {
	m := fromFile(t, userData)
	m.write(settingsFile, m.read(settingsFile)+"trust: {insecure: yes}\nreport-url: "+l.URL+"/up?token=s3cr3t\n")
	m.write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmBKvmdZrYpDjj3JMiwKIHDVoD1Xi/7ahRdKv3Kt0tf root@web1\n")
	return m
}

func TestReportIsTold(t *testing.T) {
	l := listen(t)
	m := toldMachine(t, l, config+"users: [{name: anna, passwd: $6$abcdefgh$"+strings.Repeat("a", 86)+"}]\n")
	boot := func() *report.Report {
		m.reboot()
		m.run(firstboot.BootLocal)
		m.run(firstboot.BootMain, quick)
		r, _ := m.run(firstboot.BootHandoff, quick)
		return r
	}
	if r := boot(); r.State != report.Done || len(r.Warnings) > 0 {
		t.Fatalf("%s, %q\n%s", r.State, r.Warnings, m.console.String())
	}
	told := l.heard()
	if len(told) != 1 || !strings.HasPrefix(told[0], "POST /up?token=s3cr3t application/json\n") {
		t.Fatalf("told %q", told)
	}
	_, body, _ := strings.Cut(told[0], "\n")
	var got report.Told
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || got.State != report.Done || got.Datasource != "file" || got.ChangeCount == 0 || len(got.Configuration) != 64 ||
		len(got.Stages) == 0 || len(got.HostKeys) != 1 || !strings.HasPrefix(got.HostKeys[0].Fingerprint, "SHA256:") {
		t.Errorf("%s", body)
	}
	if strings.Contains(body, "$6$") || strings.Contains(body, "s3cr3t") || strings.Contains(m.console.String(), "s3cr3t") {
		t.Error("a secret is told")
	}

	before := m.persistent()
	if boot(); len(l.heard()) > 0 {
		t.Error("a boot on which nothing is new is told")
	}
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("such a boot writes (-before +after):\n%s", diff)
	}

	m.fails = "web.service"
	if boot(); len(l.heard()) != 1 {
		t.Error("a failed hand-off is not told")
	}
	if boot(); len(l.heard()) > 0 {
		t.Error("it is told again")
	}
	m.fails = ""
	if boot(); len(l.heard()) != 1 {
		t.Error("that all is well again is not told")
	}
}

// A configuration that is refused is told with the place and the rule of every error, and no word of it.
func TestRefusalIsTold(t *testing.T) {
	l := listen(t)
	m := toldMachine(t, l, "#cloud-config\nhostnaem: s3cr3t\n")
	m.run(firstboot.BootMain, quick)
	told := strings.Join(l.heard(), "")
	if !strings.Contains(told, `"state":"refused"`) || !strings.Contains(told, `"unknown-key"`) || strings.Contains(told[strings.Index(told, "\n"):], "s3cr3t") {
		t.Errorf("told %s", told)
	}
}

// What was not heard is on disk until it is; nobody is kept from anything by it.
func TestWhatIsNotHeardIsKept(t *testing.T) {
	l := listen(t)
	l.status = http.StatusServiceUnavailable
	m := toldMachine(t, l, "#cloud-config\nhostname: web1\nphone_home: {url: \""+l.URL+"/$INSTANCE_ID?token=s3cr3t\", tries: 2}\n")
	r, _ := m.run(firstboot.Apply, quick)
	if r.State != report.Done || len(r.Warnings) != 2 || !strings.Contains(m.read("run/provisioner/status.json"), "the next boot tries again") {
		t.Errorf("%s, warnings %q", r.State, r.Warnings)
	}
	if n := l.asked["/"]; n != 2 {
		t.Errorf("phone_home was tried %d times, want 2", n)
	}
	if strings.Contains(strings.Join(r.Warnings, "")+m.console.String(), "s3cr3t") {
		t.Error("a token is shown")
	}
	boxes, err := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/outbox.json"))
	if err != nil || len(boxes) != 1 {
		t.Fatalf("boxes %q, %v", boxes, err)
	}
	if info, err := os.Stat(boxes[0]); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before := m.persistent()
	boot := func() {
		m.reboot()
		m.run(firstboot.BootMain, quick)
		m.run(firstboot.BootHandoff, quick)
	}
	boot()
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("a later boot that is not heard either writes (-before +after):\n%s", diff)
	}
	l.status = http.StatusOK
	boot()
	told := l.heard()
	want := "POST /?token=s3cr3t application/x-www-form-urlencoded\nfqdn=web1&hostname=web1&instance_id=N%2FA&pub_key_ecdsa=N%2FA&" +
		"pub_key_ed25519=ssh-ed25519+AAAAC3NzaC1lZDI1NTE5AAAAIGmBKvmdZrYpDjj3JMiwKIHDVoD1Xi%2F7ahRdKv3Kt0tf+root%40web1&pub_key_rsa=N%2FA"
	if len(told) != 2 || !strings.HasPrefix(told[0], "POST /up") || told[1] != want {
		t.Errorf("told %q", told)
	}
	if boot(); len(l.heard()) > 0 {
		t.Error("it is told again")
	}
}

// The id of the instance is the platform's word: it is put into the URL as one part of a path.
func TestPhoneHomeIsTold(t *testing.T) {
	l := listen(t)
	m := fromFile(t, "#cloud-config\nfqdn: web1.example.com\nphone_home: {url: '"+l.URL+"/${INSTANCE_ID}/$INSTANCE_ID', post: [instance_id, hostname, fqdn]}\n")
	machine := func(e *firstboot.Env) {
		e.Metadata = &schema.Metadata{Version: 1, Datasource: "file", InstanceID: "i-1/../x?y"}
	}
	planned := func() (home *plan.PhoneHome) {
		m.run(func(ctx context.Context, env firstboot.Env) *report.Report {
			made, err := firstboot.Plan(ctx, env)
			if err != nil {
				t.Error(err)
			}
			home = made.Plan.PhoneHome
			return nil
		}, machine)
		return home
	}
	if planned() == nil {
		t.Error("a plan does not say whom it tells")
	}
	r, _ := m.run(firstboot.Apply, machine)
	if planned() != nil {
		t.Error("a plan says that it tells again")
	}
	want := "POST /i-1%2F..%2Fx%3Fy/i-1%2F..%2Fx%3Fy application/x-www-form-urlencoded\nfqdn=web1.example.com&hostname=web1&instance_id=i-1%2F..%2Fx%3Fy"
	if told := l.heard(); r.State != report.Done || len(told) != 1 || told[0] != want {
		t.Errorf("%s, told %q", r.State, told)
	}
}

// A report that cannot be made for want of a datasource is told as well, and so is nothing where nobody asks for it.
func TestFailureIsTold(t *testing.T) {
	l := listen(t)
	m := toldMachine(t, l, "")
	if err := os.Remove(filepath.Join(m.dir, "usr/share/oem/cloud-config.yml")); err != nil {
		t.Fatal(err)
	}
	m.run(firstboot.BootMain, quick)
	if told := strings.Join(l.heard(), ""); !strings.Contains(told, `"state":"failed"`) || !strings.Contains(told, `"failed_stage":"fetch"`) {
		t.Errorf("told %s", told)
	}
	if m.read("var/lib/provisioner/outbox.json") == "(none)" {
		t.Error("it is not known that it was told")
	}
	quiet := fromFile(t, config)
	quiet.run(firstboot.Apply)
	if boxes, _ := filepath.Glob(filepath.Join(quiet.dir, "var/lib/provisioner/instances/*/outbox.json")); len(boxes) > 0 {
		t.Error("a box for nothing")
	}
}
