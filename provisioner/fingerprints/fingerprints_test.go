//go:build linux

package fingerprints_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/fingerprints"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

func TestPrint(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd":                       "root:x:0:0::/root:/bin/sh\ncore:x:1000:1000::/home/core:/bin/sh\n",
		"home/core/.ssh/authorized_keys":   "# mine\nfrom=\"10.0.0.1\" " + key + " core@laptop\n",
		"root/.ssh/authorized_keys":        key + "\n",
		"etc/ssh/ssh_host_ed25519_key.pub": key + " root@web1\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	keys, err := fingerprints.Await(t.Context(), root, true, time.Now)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	yes, no := schema.Value[bool]{V: true, Set: true}, schema.Value[bool]{Set: true}
	for _, test := range []struct {
		name      string
		change    func(*schema.Config)
		has, lack string
	}{
		{"as it is", func(*schema.Config) {}, "core|from|BEGIN SSH HOST KEY FINGERPRINTS|BEGIN SSH HOST KEY KEYS", "10.0.0.1|user root"},
		{"no host keys", func(c *schema.Config) { c.System.SSH.Console.HostKeys = no }, "core", "BEGIN"},
		{"no authorized keys", func(c *schema.Config) { c.System.SSH.Console.NoFingerprints = yes }, "BEGIN", "core"},
	} {
		terminal := filepath.Join(t.TempDir(), "console")
		if err := os.WriteFile(terminal, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var cfg schema.Config
		test.change(&cfg)
		if err := fingerprints.Print(root, terminal, fingerprints.Shown(&cfg, "core"), keys); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		got, _ := os.ReadFile(terminal)
		for _, want := range strings.Split(test.has, "|") {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, got)
			}
		}
		for _, not := range strings.Split(test.lack, "|") {
			if strings.Contains(string(got), not) {
				t.Errorf("%s: %q in\n%s", test.name, not, got)
			}
		}
	}
	if err := fingerprints.Print(root, dir, fingerprints.Shown(&schema.Config{}, "core"), keys); err == nil {
		t.Error("a directory is no terminal")
	}
}
