//go:build linux

package firstboot_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

// server answers for every host, by path.
type server struct {
	texts map[string]string
	asked []string
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, req.URL.Path)
	text, there := s.texts[req.URL.Path]
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req, Body: io.NopCloser(strings.NewReader(text)), ContentLength: -1}
	if !there {
		resp.StatusCode = http.StatusNotFound
	}
	return resp, nil
}

func (s *server) use(env *firstboot.Env) { env.Sources.Transport = s }

// runs are the units without a file that systemd was asked to run.
func runs(calls []string) (out []string) {
	for _, c := range calls {
		if unit, ok := strings.CutPrefix(c, "run "); ok {
			out = append(out, unit)
		}
	}
	return out
}

const withHook = `Content-Type: multipart/mixed; boundary="B"

--B
Content-Type: text/cloud-boothook

#!/bin/sh
echo fetches the real document
--B

#include
file:///run/secrets/config.yaml
--B--
`

// A boothook hands over the document: it runs when somebody can log in, and before the file is read that it writes.
func TestABoothookHandsOverTheDocument(t *testing.T) {
	m := fromFile(t, withHook)
	m.onRun = func(u handoff.Transient) string {
		if !strings.Contains(m.read("home/core/.ssh/authorized_keys"), metadataKeys()[0]) {
			t.Error("the boothook runs before the floor")
		}
		if text, err := os.ReadFile(u.Command[len(u.Command)-1]); err != nil || !strings.HasPrefix(string(text), "#!/bin/sh\necho fetches") {
			t.Errorf("it runs %q, %v", text, err)
		}
		if !slices.Equal(u.Environment, []string{"INSTANCE_ID=i-1"}) || u.Timeout <= 0 || u.Timeout > 5*time.Minute {
			t.Errorf("it has %q and %s", u.Environment, u.Timeout)
		}
		m.write("run/secrets/config.yaml", "#cloud-config\nwrite_files: [{path: /etc/motd, content: hello}]\n")
		return "done"
	}
	hooks := func() []string { _, calls := m.run(firstboot.BootMain, onPlatform("ip-1")); return runs(calls) }
	if got := hooks(); len(got) != 1 || !strings.HasPrefix(got[0], "provisioner-boothook-") || m.read("etc/motd") != "hello" {
		t.Fatalf("it ran %q, motd is %q\n%s", got, m.read("etc/motd"), m.console.String())
	}
	if r, _ := m.run(firstboot.BootHandoff); r.State != report.Done {
		t.Errorf("%s, %v", r.State, r.Errors)
	}
	// And on every boot, with or without a datasource; nothing is applied again.
	before := m.persistent()
	for range 2 {
		m.reboot()
		if got := hooks(); len(got) != 1 {
			t.Errorf("a later boot runs %q", got)
		}
		m.write(settingsFile, "\n")
		before[settingsFile] = ""
	}
	after := m.persistent()
	if after[settingsFile] = ""; len(after) != len(before) || after["etc/motd"] != before["etc/motd"] {
		t.Error("a later boot wrote something persistent")
	}
}

// A boothook that fails, or that systemd had to end, stops nothing that does not need it, and is told.
func TestABoothookThatFails(t *testing.T) {
	for _, result := range []string{"failed", "timeout"} {
		m := fromFile(t, strings.Replace(withHook, "#include\nfile:///run/secrets/config.yaml", config, 1))
		m.onRun = func(handoff.Transient) string { return result }
		if r, _ := m.run(firstboot.BootMain); r.State != report.Running || m.read("etc/motd") != "hello" {
			t.Errorf("%s: main: %s, %v", result, r.State, r.Errors)
		}
		r, calls := m.run(firstboot.BootHandoff)
		if r.State != report.Degraded || !slices.Contains(calls, "restart web.service") || !strings.Contains(strings.Join(r.Errors, "\n"), "boothook") {
			t.Errorf("%s: hand-off: %s, %q, %q", result, r.State, r.Errors, calls)
		}
		// Who needs what it should have written is refused.
		m = fromFile(t, withHook)
		m.onRun = func(handoff.Transient) string { return result }
		if r, _ := m.run(firstboot.BootMain); r.State != report.Refused || len(r.Diagnostics) == 0 || r.Diagnostics[0].Rule != "include-missing" {
			t.Errorf("%s: without the file: %s, %+v", result, r.State, r.Diagnostics)
		}
	}
}

// Nothing is run of user-data that is packed wrongly.
func TestNoBoothookOfRefusedUserData(t *testing.T) {
	m := fromFile(t, strings.Replace(withHook, "#include\n", "#part-handler\n", 1))
	r, calls := m.run(firstboot.BootMain)
	if r.State != report.Refused || len(runs(calls)) > 0 {
		t.Errorf("%s, %q", r.State, calls)
	}
}

func TestIncludes(t *testing.T) {
	s := &server{texts: map[string]string{
		"/base.yaml": "#cloud-config\nwrite_files: [{path: /etc/motd, content: hello}]\n",
		"/list":      "#include\nhook\n", "/hook": "#cloud-boothook\n#!/bin/sh\n",
	}}
	m := fromFile(t, "#include\nhttps://config.example.com/base.yaml\nhttps://config.example.com/list\nfile:///run/late.yaml\n")
	m.onRun = func(handoff.Transient) string {
		m.write("run/late.yaml", "#cloud-config\nhostname: web1\n")
		return "done"
	}
	r, calls := m.run(firstboot.BootMain, s.use)
	if r.State != report.Running || m.read("etc/motd") != "hello" || m.read("etc/hostname") != "web1\n" || len(runs(calls)) != 1 {
		t.Errorf("%s, %v, %+v, %q, %q", r.State, r.Errors, r.Diagnostics, m.read("etc/motd"), calls)
	}
	if !slices.Equal(s.asked, []string{"/base.yaml", "/list", "/hook"}) {
		t.Errorf("asked for %q", s.asked)
	}
	for _, d := range r.Diagnostics {
		t.Errorf("%s at %v", d.Rule, d.At)
	}
	// A later boot needs none of it.
	m.reboot()
	s.asked = nil
	if r, _ := m.run(firstboot.BootMain, s.use); r.State != report.Running || len(s.asked) > 0 {
		t.Errorf("%s, asked for %q", r.State, s.asked)
	}
}

// One include that cannot be had is no reason to apply the rest, nor to keep silent about the others; the floor stands.
func TestAnIncludeThatFails(t *testing.T) {
	s := &server{texts: map[string]string{"/2": "#cloud-config\nwrite_files: [{path: /etc/motd, content: hello}]\n"}}
	m := fromFile(t, "#include\nhttps://u:hunter2@config.example.com/1\nhttps://config.example.com/2\nhttp://config.example.com/3\nhttps://169.254.169.254/4\n")
	r, _ := m.run(firstboot.BootMain, s.use, onPlatform("ip-1"))
	if r.State != report.Failed || m.read("etc/motd") != "(none)" || !strings.Contains(m.read("home/core/.ssh/authorized_keys"), metadataKeys()[0]) {
		t.Errorf("%s, %q", r.State, m.read("etc/motd"))
	}
	all := strings.Join(r.Errors, "\n") + m.console.String()
	for _, want := range []string{
		":2:1: include: get https://config.example.com/1: status 404", ":4:1: include: get http://config.example.com/3: nothing shows that it is from whom it should be",
		":5:1: include: get https://169.254.169.254/4: the address is one of this machine or its link",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not told in %s", want, all)
		}
	}
	if strings.Contains(all, "hunter2") {
		t.Errorf("a secret is told: %s", all)
	}
}

// What an address gave once it is not asked for again, even where the run that asked came to nothing.
func TestIncludeOnceIsKept(t *testing.T) {
	s := &server{texts: map[string]string{"/token": "#cloud-config\nwrite_files: [{path: /etc/motd, content: hello}]\n"}}
	m := fromFile(t, "#include-once\nhttps://config.example.com/token\nfile:///run/late.yaml\n")
	if r, _ := m.run(firstboot.BootMain, s.use, onPlatform("ip-1")); r.State != report.Refused {
		t.Fatalf("%s, %v", r.State, r.Errors)
	}
	kept, err := filepath.Glob(filepath.Join(m.dir, "var/lib/provisioner/instances/*/included.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q, %v", kept, err)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s.texts, s.asked = nil, nil
	m.write("run/late.yaml", "#cloud-config\nhostname: web1\n")
	if r, _ := m.run(firstboot.Apply, s.use, onPlatform("ip-1")); r.State != report.Done || m.read("etc/motd") != "hello" || len(s.asked) > 0 {
		t.Errorf("%s, %v, asked for %q", r.State, r.Errors, s.asked)
	}
	// Another instance asks again.
	other := func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: "i-2"}
	}
	if r, _ := m.run(firstboot.Apply, s.use, other); r.State != report.Failed || len(s.asked) != 1 {
		t.Errorf("%s, asked for %q", r.State, s.asked)
	}
}

func TestHowOftenScriptsRun(t *testing.T) {
	part := func(kind, text string) string {
		return "--B\nContent-Type: text/x-shellscript" + kind + "\n\n#!/bin/sh\n" + text + "\n"
	}
	m := fromFile(t, "Content-Type: multipart/mixed; boundary=B\n\n"+part("", "echo plain")+part("-per-boot", "echo boot")+part("-per-instance", "echo instance")+part("-per-once", "echo once")+"--B--\n")
	var ran []string
	m.onRun = func(u handoff.Transient) string {
		text, err := os.ReadFile(u.Command[len(u.Command)-1])
		if err != nil {
			t.Error(err)
		}
		words := strings.Fields(string(text))
		ran = append(ran, words[len(words)-1])
		return "done"
	}
	as := func(id string) func(*firstboot.Env) {
		return func(env *firstboot.Env) {
			env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: id}
		}
	}
	for _, tt := range []struct {
		instance string
		want     []string
	}{
		{"i-1", []string{"plain", "boot", "instance", "once"}},
		{"i-1", []string{"boot"}},
		{"i-2", []string{"plain", "boot", "instance"}},
		{"i-2", []string{"boot"}},
	} {
		ran = nil
		m.reboot()
		m.run(firstboot.BootMain, as(tt.instance))
		if r, _ := m.run(firstboot.BootHandoff); r.State != report.Done || !slices.Equal(ran, tt.want) {
			t.Errorf("%s: ran %q, want %q; %s, %v", tt.instance, ran, tt.want, r.State, r.Errors)
		}
	}
}

// What is Ignition's is left to it: but for the floor nothing is done.
func TestIgnition(t *testing.T) {
	m := fromFile(t, `{"ignition": {"version": "3.4.0"}}`)
	r, _ := m.run(firstboot.BootMain, onPlatform("ip-1"))
	if r.State != report.Running || len(r.Diagnostics) != 1 || r.Diagnostics[0].Rule != "ignition-aside" {
		t.Errorf("%s, %v, %+v", r.State, r.Errors, r.Diagnostics)
	}
	if _, err := os.Lstat(filepath.Join(m.dir, "var/lib/provisioner/instance")); err == nil {
		t.Error("it counts as applied")
	}
	if r, _ := m.run(firstboot.BootHandoff); r.State != report.Done {
		t.Errorf("hand-off: %s", r.State)
	}
}

// A template has the facts of the instance.
func TestTemplate(t *testing.T) {
	m := fromFile(t, "## template: jinja\n#cloud-config\nwrite_files:\n  - path: /etc/motd\n    content: \"{{ v1.instance_id }}\"\n")
	if r, _ := m.run(firstboot.BootMain, onPlatform("ip-1")); r.State != report.Running || m.read("etc/motd") != "i-1" {
		t.Errorf("%s, %v, %+v, %q", r.State, r.Errors, r.Diagnostics, m.read("etc/motd"))
	}
}

// The floor does not wait for what is included, nor for a boothook.
func TestTheFloorWaitsForNoInclude(t *testing.T) {
	s := &server{}
	m := fromFile(t, "#include\nhttps://config.example.com/never\n")
	r, calls := m.run(firstboot.BootFloor, s.use, onPlatform("ip-1"))
	if r.State != report.Running || len(s.asked) > 0 || len(runs(calls)) > 0 || !strings.Contains(m.read("home/core/.ssh/authorized_keys"), metadatatest.Example().Keys[0].OpenSSH) {
		t.Errorf("%s, asked for %q, %q", r.State, s.asked, calls)
	}
}
