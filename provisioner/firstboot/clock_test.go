//go:build linux

package firstboot_test

import (
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
	ct "cloudconfig/schema/certificate/certificatetest"
)

// TestCertificatesAndTheClock: a machine refuses a certificate for its date only if its clock can be right, and a later
// boot does not look at it again. A change of it reloads the unit, once.
func TestCertificatesAndTheClock(t *testing.T) {
	made := func(to string) string {
		crt := ct.Make(ct.Request{Name: "web", Hosts: []string{"web"}, From: "2025-01-01", To: to})
		return "#cloud-config\ncertificates:\n  - name: web\n    reload: web.service\n    certificate_path: /etc/web.pem\n    certificate: |\n      " +
			strings.ReplaceAll(strings.TrimSpace(crt.PEM()), "\n", "\n      ") + "\n"
	}
	m := newMachine(t, map[string]string{"user-data": made("2069-12-31"), "etc/systemd/system/web.service": "[Service]\nExecStart=/bin/true\n"})
	at := func(now time.Time) func(*firstboot.Env) {
		return func(e *firstboot.Env) {
			e.Datasources = []string{"file=" + m.dir + "/user-data"}
			e.Now = func() time.Time { return now }
		}
	}
	early, late := time.Unix(0, 0), time.Date(2070, 6, 1, 0, 0, 0, 0, time.UTC)

	r, _ := m.run(firstboot.Apply, at(late))
	if r.State != report.Refused || m.read("etc/web.pem") != "(none)" {
		t.Errorf("with a certificate that has expired it is %s", r.State)
	}
	r, calls := m.run(firstboot.Apply, at(early))
	if r.State != report.Done || !strings.Contains(strings.Join(calls, "\n"), "reload-or-try-restart web.service") {
		t.Errorf("in 1970 it is %s, and systemd was asked %q", r.State, calls)
	}
	r, calls = m.run(firstboot.Apply, at(early))
	if r.State != report.Done || strings.Contains(strings.Join(calls, "\n"), "web.service") {
		t.Errorf("a second time it is %s, and systemd was asked %q", r.State, calls)
	}
}
