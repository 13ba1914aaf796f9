package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"cloudconfig/datasources/machine"
)

// What an image has in place of a file or directory of the kernel's is passed over, and not waited for.
func TestFIFOs(t *testing.T) {
	dir := root(t, map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2"})
	for _, path := range []string{"proc/cmdline", "run/credentials/@system", "sys/class/net", "sys/class/dmi/id/product_name"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := machine.Read(dir)
	if err != nil || m.DMI.SystemVendor != "Amazon EC2" || m.DMI.ProductName != "" || m.Cmdline != nil || m.Links != nil {
		t.Errorf("%+v, error %v", m, err)
	}
}
