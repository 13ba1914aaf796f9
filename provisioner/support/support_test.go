//go:build linux

package support_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/support"
)

// canary is in every place that may hold a secret; a bundle must not have it.
const canary = "c4n4ry"

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// bundle makes one, and unpacks it with somebody else's program.
func bundle(t *testing.T, dir string, run func(context.Context, string, ...string) ([]byte, error)) (files map[string]string, raw []byte) {
	t.Helper()
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var out bytes.Buffer
	in := support.Input{Root: root, Version: "v1", Program: "/usr/bin/provisioner", Now: time.Unix(1795000000, 0), Run: run, Interfaces: func(context.Context) ([]plan.Interface, error) {
		return []plan.Interface{{Name: "eth0", MAC: "52:54:00:00:00:01", MTU: 1500, Up: true}}, nil
	}}
	if err := support.Write(t.Context(), &out, in); err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for r := tar.NewReader(bytes.NewReader(out.Bytes())); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, out.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || h.Mode != 0o600 || h.Typeflag != tar.TypeReg || h.ModTime.Unix() != 1795000000 {
			t.Errorf("%s: %+v, %v", h.Name, h, err)
		}
		files[strings.TrimPrefix(h.Name, "provisioner-logs/")] = string(text)
	}
}

func TestNothingSecret(t *testing.T) {
	dir := t.TempDir()
	instance := "var/lib/provisioner/instances/00"
	write(t, dir, instance+"/user-data", "#cloud-config\nhostname: "+canary+"\n")
	write(t, dir, instance+"/record.json", `{"data":"`+canary+`"}`)
	write(t, dir, instance+"/runtime.json", `{"version":1,"scripts":[{"name":"a","content":"`+canary+`"}]}`)
	write(t, dir, instance+"/manifest.json", `{"version":1,"digest":"00","items":[{"kind":"file","path":"etc/motd"}]}`)
	write(t, dir, instance+"/outbox.json", `{"version":1,"queued":[{"kind":"phone_home","url":"https://example.com/?t=`+canary+`","body":"YQ=="}]}`)
	if err := os.Symlink("instances/00", filepath.Join(dir, "var/lib/provisioner/instance")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "etc/shadow", "root:$6$"+canary+":1::::::\n")
	write(t, dir, "etc/provisioner/provisioner.yaml", "datasources: [\"nocloud=https://u:"+canary+"@example.com/?t="+canary+"\"]\nreport-url: https://u:"+canary+"@example.com/up?t="+canary+"\n")
	write(t, dir, "run/provisioner/status.json", `{"version":1,"state":"done","exit_status":0,"hint":"`+canary+`"}`)
	write(t, dir, "run/provisioner/result.json", `{"version":1,"state":"done","exit_status":0,"versions":{"provisioner":"v1"},
		"metadata":{"version":1,"instance_id":"i-1","ssh_keys":["ssh-ed25519 `+canary+`"],"tags":{"a":"`+canary+`"}}}`)
	write(t, dir, "run/provisioner/scripts/1", canary)
	write(t, dir, "run/provisioner/handoff.json", canary)
	write(t, dir, "etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
	write(t, dir, "proc/sys/kernel/osrelease", "6.1.0\n")
	write(t, dir, "proc/cmdline", "BOOT_IMAGE=/vmlinuz root=LABEL=root ro quiet "+canary+" password="+canary+" cloud-config-url=https://u:"+canary+
		"@example.com/c?mac=1&t="+canary+" ds=nocloud;s=https://example.com/?"+canary+" "+canary+"!=1\n")
	run := func(_ context.Context, name string, args ...string) ([]byte, error) {
		switch name {
		case "systemctl":
			return []byte("Id=provisioner.service\nActiveState=active\nEnvironment=T=" + canary + "\n\nId=provisioner.target\nActiveState=active\n"), nil
		case "journalctl":
			return []byte(`{"_SYSTEMD_UNIT":"provisioner.service","_COMM":"provisioner","MESSAGE":"provisioner: fetch: ec2","_CMDLINE":"` + canary + `","_PID":"7"}
{"_SYSTEMD_UNIT":"provisioner.service","_COMM":"provisioner","MESSAGE":"finished: done","PROVISIONER_STATE":"done"}
{"_SYSTEMD_UNIT":"provisioner-handoff.service","_COMM":"provisioner","MESSAGE":"a final_message of ` + canary + `"}
{"_SYSTEMD_UNIT":"provisioner-handoff.service","_COMM":"provisioner","PRIORITY":"5","MESSAGE":"provisioner: a final_message of ` + canary + `"}
{"_SYSTEMD_UNIT":"coreos-cloudinit-handoff-7.service","_COMM":"provisioner","_EXE":"/usr/bin/provisioner","PRIORITY":"5","MESSAGE":"provisioner: ` + canary + `"}
{"_SYSTEMD_UNIT":"coreos-cloudinit-handoff-7.service","_COMM":"provisioner","_EXE":"/usr/bin/provisioner","PRIORITY":"6","MESSAGE":"provisioner: hand off: 1"}
{"_SYSTEMD_UNIT":"oem-cloudinit.service","_COMM":"coreos-cloudini","_EXE":"/usr/bin/provisioner","PRIORITY":"6","MESSAGE":"provisioner: fetch: file"}
{"_SYSTEMD_UNIT":"oem-cloudinit.service","_COMM":"coreos-cloudini","_EXE":"/usr/bin/provisioner","PRIORITY":"6","MESSAGE":"began","PROVISIONER_STAGE":"lock"}
{"_SYSTEMD_UNIT":"provisioner-runcmd-0.service","_COMM":"coreos-cloudini","_EXE":"/bin/sh","MESSAGE":"provisioner: ` + canary + `"}
{"_SYSTEMD_UNIT":"provisioner-runcmd-0.service","_COMM":"provisioner","_EXE":"/usr/bin/provisioner","MESSAGE":"provisioner: ` + canary + `"}
{"_SYSTEMD_UNIT":"provisioner-script-user-data-1.service","_COMM":"provisioner","MESSAGE":"provisioner: ` + canary + `"}
{"_SYSTEMD_UNIT":"provisioner.service","_COMM":"sh","MESSAGE":"provisioner: ` + canary + `"}
{"_PID":"1","UNIT":"provisioner.service","MESSAGE":"Finished Provision this machine."}
{"_PID":"1","UNIT":"provisioner-script-user-data-1.service","MESSAGE":"` + canary + `"}
{"_SYSTEMD_UNIT":"provisioner.service","_COMM":"provisioner","MESSAGE":[112,1]}
no JSON ` + canary + `
`), nil
		}
		return nil, errors.New("no such program")
	}
	files, raw := bundle(t, dir, run)
	if bytes.Contains(raw, []byte(canary)) {
		for name, text := range files {
			if strings.Contains(text, canary) {
				t.Errorf("%s:\n%s", name, text)
			}
		}
	}
	want := map[string]string{
		"units.txt": "Id=provisioner.service\nActiveState=active\n\nId=provisioner.target\nActiveState=active\n",
		"journal.json": `{"MESSAGE":"provisioner: fetch: ec2","_PID":"7","_SYSTEMD_UNIT":"provisioner.service"}
{"MESSAGE":"finished: done","PROVISIONER_STATE":"done","_SYSTEMD_UNIT":"provisioner.service"}
{"MESSAGE":"provisioner: hand off: 1","PRIORITY":"6","_SYSTEMD_UNIT":"coreos-cloudinit-handoff-7.service"}
{"MESSAGE":"provisioner: fetch: file","PRIORITY":"6","_SYSTEMD_UNIT":"oem-cloudinit.service"}
{"MESSAGE":"began","PRIORITY":"6","PROVISIONER_STAGE":"lock","_SYSTEMD_UNIT":"oem-cloudinit.service"}
{"MESSAGE":"Finished Provision this machine.","UNIT":"provisioner.service","_PID":"1"}
`,
		"about.json": `{
  "version": 1,
  "made": "2026-11-18T11:06:40Z",
  "provisioner": "v1",
  "system": "Debian GNU/Linux 12 (bookworm)",
  "kernel": "6.1.0",
  "command_line": [
    "BOOT_IMAGE=/vmlinuz",
    "root=LABEL=root",
    "ro",
    "quiet",
    "...",
    "password=...",
    "cloud-config-url=https://example.com/c?mac=...\u0026t=...",
    "ds=...",
    "..."
  ],
  "settings": {
    "datasources": [
      "nocloud=https://example.com/?t=..."
    ],
    "default_user": "core",
    "later_boots": "report",
    "keep_user_data": true,
    "imdsv1": false,
    "floor": true,
    "removable": false,
    "report_url": "https://example.com",
    "signed": false,
    "insecure": false
  },
  "owned": [
    "file /etc/motd"
  ],
  "queued": 1,
  "interfaces": [
    {
      "name": "eth0",
      "mac": "52:54:00:00:00:01",
      "up": true,
      "carrier": false,
      "mtu": 1500
    }
  ]
}
`,
	}
	for name, text := range want {
		if diff := cmp.Diff(text, files[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !strings.Contains(files["result.json"], `"instance_id": "i-1"`) || !strings.Contains(files["status.json"], `"state": "done"`) {
		t.Errorf("reports %q %q", files["result.json"], files["status.json"])
	}
}

// What cannot be had is missing, and the bundle says so: it is for machines on which things are wrong.
func TestNothingThere(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "etc/provisioner/provisioner.yaml", canary+": [\n")
	write(t, dir, "run/provisioner/status.json", `{"version":`+canary)
	files, raw := bundle(t, dir, func(context.Context, string, ...string) ([]byte, error) { return nil, errors.New("not found") })
	for _, what := range []string{"status.json: ", "result.json: ", "settings: they are wrong", "command line: ", "units: not found", "journal: not found"} {
		if !strings.Contains(files["about.json"], what) {
			t.Errorf("%q is not told:\n%s", what, files["about.json"])
		}
	}
	if bytes.Contains(raw, []byte(canary)) {
		t.Errorf("%s", files["about.json"])
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAWriterThatFails(t *testing.T) {
	root, err := fsroot.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := support.Write(t.Context(), full{}, support.Input{Root: root}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

func TestRunIsBounded(t *testing.T) {
	out, err := support.Run(t.Context(), "sh", "-c", "head -c 40000000 /dev/zero; exit 3")
	if err == nil || len(out) == 0 || len(out) > 32<<20 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
