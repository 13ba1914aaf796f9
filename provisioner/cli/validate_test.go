package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/cli"
)

// TestPlatformSize: the limits of platforms are those of the file as it is, compressed or not.
func TestPlatformSize(t *testing.T) {
	text := []byte("#cloud-config\n# " + strings.Repeat("a", 20_000) + "\n")
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &bytes.Buffer{}}
	if status := c.Main([]string{"provisioner", "validate", path}); status != 0 || !strings.Contains(out.String(), ":1:1: warning: 20017 bytes are more than the 16384 that EC2 takes [platform-size]") {
		t.Errorf("status %d\n%s", status, out.String())
	}
}
