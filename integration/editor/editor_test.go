//go:build integration

// Package editor runs the language server under a real client, the one of Neovim.
package editor

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const config = `#cloud-config
hostname: "é𝄞 web"
write_files:
- permissions: 420
  
  path: /etc/motd
`

func TestNeovim(t *testing.T) {
	editor := neovim(t)
	program := os.Getenv("PROVISIONER")
	if program == "" {
		program, _ = filepath.Abs("../../bin/provisioner")
	}
	script, err := filepath.Abs("testdata/session.lua")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, out := filepath.Join(dir, "web.yaml"), filepath.Join(dir, "out.json")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(editor, "--headless", "--clean", "-n", "-c", "luafile "+script, file)
	cmd.Env = append(os.Environ(), "PROVISIONER="+program, "SESSION_OUT="+out, "HOME="+dir, "XDG_STATE_HOME="+dir, "XDG_CACHE_HOME="+dir)
	cmd.WaitDelay = time.Second
	kill := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	var said struct {
		Before, After, Completion []string
		Hover                     struct{ Contents struct{ Value string } }
		Text                      string
		Stopped                   bool
	}
	text, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, printed)
	}
	// Columns are bytes, as the editor counts.
	if len(said.Before) != 2 || !strings.HasPrefix(said.Before[0], "2:10-2:22 hostname ") || !strings.HasPrefix(said.Before[1], "4:15-4:18 permissions ") {
		t.Errorf("findings %q", said.Before)
	}
	if !strings.Contains(said.Hover.Contents.Value, "write_files.permissions") {
		t.Errorf("hover %q", said.Hover.Contents.Value)
	}
	if !slices.Contains(said.Completion, "owner") || slices.Contains(said.Completion, "path") || slices.Contains(said.Completion, "permissions") {
		t.Errorf("completion %q", said.Completion)
	}
	if len(said.After) != 1 || !strings.Contains(said.Text, `- permissions: "0644"`) {
		t.Errorf("after the cure: %q\n%s", said.After, said.Text)
	}
	if !said.Stopped {
		t.Error("the server does not end when the editor says so")
	}
}

// neovim is the editor, installed if need be and allowed.
func neovim(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("nvim"); err == nil {
		return path
	}
	if os.Getuid() == 0 {
		install := exec.Command("sh", "-c", "apt-get update -q && apt-get install -q -y --no-install-recommends neovim")
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil {
			t.Logf("apt-get install neovim: %v\n%s", err, out)
		}
	}
	path, err := exec.LookPath("nvim")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("missing: nvim, Debian's package neovim")
	default:
		t.Skip("missing: nvim, Debian's package neovim")
	}
	return path
}
