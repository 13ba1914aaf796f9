//go:build integration && linux

package hostile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file system in user space that is somebody's own lets root not even look. Nobody keeps an image from being sealed by one.
func TestSealWhereAUserHasMounted(t *testing.T) {
	need(t)
	dir := t.TempDir()
	for _, name := range []string{"etc", "home/eve/.ssh", "home/mallory", "var/crash/a/b", "var/log/journal/x"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"etc/machine-id": strings.Repeat("0123456789abcdef", 2) + "\n", "var/log/journal/x/system.journal": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "var/crash"), 0o1777); err != nil {
		t.Fatal(err)
	}
	mount := func(name string) {
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			missing(t, "FUSE: "+err.Error())
		}
		name = filepath.Join(dir, name)
		if err := syscall.Mount("fuse", name, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=1000,group_id=1000", f.Fd())); err != nil {
			missing(t, "FUSE: "+err.Error())
		}
		t.Cleanup(func() {
			_ = syscall.Unmount(name, syscall.MNT_DETACH)
			_ = f.Close()
		})
	}
	for _, name := range []string{"home/eve/.ssh", "home/mallory", "var/crash/a/b"} {
		mount(name)
	}
	for _, args := range [][]string{{"--check"}, nil, {"--check"}, {"--history"}} {
		out, err := exec.Command(program(), append([]string{"seal", "--root", dir}, args...)...).CombinedOutput()
		want := 0
		if len(args) > 0 && args[0] == "--check" && strings.Contains(string(out), "left ") {
			want = 1
		}
		if code := exitCode(err); code != want {
			t.Errorf("seal %s: status %d\n%s", args, code, out)
		}
		for _, path := range []string{"/home/eve/.ssh", "/home/mallory", "/var/crash/a"} {
			if !strings.Contains(string(out), path+": it could not be looked at: permission denied; unmount") && !strings.Contains(string(out), path+": it could not be looked at: a file system is mounted there") {
				t.Errorf("seal %s does not say that it could not look at %s:\n%s", args, path, out)
			}
		}
		t.Logf("seal %s\n%s", args, out)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "etc/machine-id")); string(text) != "uninitialized\n" {
		t.Errorf("the machine-id is %q", text)
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}
