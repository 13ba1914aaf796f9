//go:build linux

package owner_test

import (
	"os"
	"path/filepath"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/owner"
)

func TestOfNetwork(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"a file of networkd", "usr/lib/systemd/network/zz-default.network", "[Match]\n", "usr/lib/systemd/network/zz-default.network"},
		{"one that is for guests", "usr/lib/systemd/network/80-vm-vt.network", "[Match]\n", ""},
		{"our own", "run/systemd/network/99-ours.network", "[Match]\n", ""},
		{"a link file, which configures no address", "etc/systemd/network/10-a.link", "[Match]\n", ""},
		{"netplan", "etc/netplan/50-x.yaml", "network: {}\n", "etc/netplan/50-x.yaml"},
		{"NetworkManager", "etc/systemd/system/multi-user.target.wants/NetworkManager.service", "", "etc/systemd/system/multi-user.target.wants/NetworkManager.service"},
		{"ifupdown has a card", "etc/network/interfaces.d/eth0", "auto eth0\niface eth0 inet dhcp\n", "etc/network/interfaces.d/eth0"},
		{"ifupdown has the loopback alone", "etc/network/interfaces", "iface lo inet loopback\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, test.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if got, err := owner.OfNetwork(root, "99-ours.network"); got != test.want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
