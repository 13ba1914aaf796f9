//go:build linux

package firstboot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// Scripts that wait for cloud-init see that the run has ended, where the image wants that.
func TestCloudInitCompat(t *testing.T) {
	files := map[string]string{
		"etc/provisioner/provisioner.yaml": "datasources: [file=/c.yaml]\ncloud-init-compat: yes\n",
		"proc/uptime":                      "12.34 5.6\n",
	}
	m := newMachine(t, files)
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("#cloud-config\nhostname: web1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(e *firstboot.Env) { e.Datasources = []string{"file=" + config} }
	finished := func() string { return m.read("run/cloud-init/instance/boot-finished") }

	if r, _ := m.run(firstboot.BootLocal, named); r.State != report.Running || finished() != "(none)" {
		t.Fatalf("after the first stage: %s, %q", r.State, finished())
	}
	if m.run(firstboot.BootMain, named); finished() != "(none)" {
		t.Fatalf("before the hand-off: %q", finished())
	}
	if r, _ := m.run(firstboot.BootHandoff, named); r.State != report.Done {
		t.Fatalf("%s, %s", r.State, m.console.String())
	}
	if got := finished(); !strings.HasPrefix(got, "12.34 - ") {
		t.Errorf("boot-finished: %q", got)
	}
	if to, err := os.Readlink(filepath.Join(m.dir, "var/lib/cloud/instance")); err != nil || to != "/run/cloud-init/instance" {
		t.Errorf("%q, %v", to, err)
	}
}

func TestCloudInitCompatIsOff(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"unless the settings say so":         {},
		"where cloud-init is":                {"etc/provisioner/provisioner.yaml": "cloud-init-compat: yes\n", "usr/bin/cloud-init": "#!/usr/bin/python3\n"},
		"where cloud-init has left its tree": {"etc/provisioner/provisioner.yaml": "cloud-init-compat: yes\n", "var/lib/cloud/instances/i-1/boot-finished": "old\n"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, files)
			config := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(config, []byte("#cloud-config\nhostname: web1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r, _ := m.run(firstboot.Apply, func(e *firstboot.Env) { e.Datasources = []string{"file=" + config} })
			if r.State != report.Done || m.read("run/cloud-init/result.json") != "(none)" {
				t.Errorf("%s, %s", r.State, m.read("run/cloud-init/result.json"))
			}
			if _, err := os.Lstat(filepath.Join(m.dir, "var/lib/cloud/instance")); err == nil {
				t.Error("/var/lib/cloud/instance is there")
			}
		})
	}
}
