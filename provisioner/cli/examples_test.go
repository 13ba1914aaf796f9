package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/cli"
)

// TestExamples applies every example to a scratch root, and finds nothing left to do afterwards.
func TestExamples(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../examples/*.yaml", "../../examples/*.sh"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 8 {
		t.Fatalf("%d examples", len(files))
	}
	t.Setenv("JOURNAL_STREAM", "")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			root := t.TempDir()
			small := map[string]string{
				"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/group": "root:x:0:\nsudo:x:27:\n",
				"etc/shadow": "root:*:19000:0:99999:7:::\n", "home/.keep": "", "root/.keep": "", "var/lib/.keep": "",
				"etc/debian_version": "12.5\n", "usr/share/zoneinfo/Europe/Berlin": "TZif2", "usr/sbin/update-ca-certificates": "#!/bin/sh\n",
				"etc/ca-certificates.conf": "", "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n",
			}
			for _, unit := range []string{"docker", "etcd2", "fleet", "flanneld", "locksmithd", "update-engine", "rpcbind", "systemd-sysctl"} {
				small["usr/lib/systemd/system/"+unit+".service"] = "[Service]\nExecStart=/bin/true\n"
			}
			for _, unit := range []string{"systemd-timesyncd", "systemd-resolved", "ssh"} {
				small["usr/lib/systemd/system/"+unit+".service"] = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
			}
			for name, text := range small {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			run := func(command string) string {
				var out bytes.Buffer
				c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
				args := []string{"provisioner", command, "--datasource", "file=" + file, "--metadata", "../../examples/metadata.json", "--root", root}
				if got := c.Main(args); got != 0 {
					t.Fatalf("%s ends with %d:\n%s", command, got, &out)
				}
				for _, word := range []string{"warning:", "error:"} {
					if strings.Contains(out.String(), word) {
						t.Errorf("%s prints a finding:\n%s", command, &out)
					}
				}
				return out.String()
			}
			run("apply")
			again := run("plan")
			if !strings.Contains(again, "0 to add, 0 to change, 0 to remove") && !strings.Contains(again, "nothing to do") {
				t.Errorf("after apply there is something left to do:\n%s", again)
			}
		})
	}
}
