package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/datasources/address"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/cli"
)

// TestExamples applies every example to a scratch root, and finds nothing left to do afterwards.
func TestExamples(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../examples/*.yaml", "../../examples/*.sh", "../../examples/*.mime"} {
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

// TestExampleOfAnInclude only validates it: applying it would ask the network.
func TestExampleOfAnInclude(t *testing.T) {
	var out bytes.Buffer
	c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	if got := c.Main([]string{"provisioner", "validate", "--strict", "../../examples/include.txt"}); got != 0 || strings.Count(out.String(), "[include-unread]") != 2 {
		t.Errorf("it ends with %d:\n%s", got, &out)
	}
}

// TestExampleOfPXE boots a machine with the command line of the example, as far as that can be done without a network.
func TestExampleOfPXE(t *testing.T) {
	text, err := os.ReadFile("../../examples/pxelinux.cfg")
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(text), "\n  APPEND ")
	if !found {
		t.Fatal("it has no command line")
	}
	cmdline := machine.ParseCmdline(line)
	url, _ := cmdline.Get("cloud-config-url")
	if err := address.Check(url); err != nil {
		t.Errorf("%s: %v", url, err)
	}
	asked, err := trust.Policy{}.FromCommandLine(cmdline.Settings(), trust.ReadFile(t.TempDir()))
	if err != nil || len(asked.CADigests) != 1 {
		t.Errorf("it asks for %+v, error %v", asked, err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/cmdline"), []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	const want = "asked, in this order:\n  cmdline "
	if got := c.Main([]string{"provisioner", "detect", "--root", root}); got != 0 || !strings.Contains(out.String(), want) {
		t.Errorf("detect ends with %d, want %q:\n%s", got, want, &out)
	}
}
