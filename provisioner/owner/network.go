package owner

import (
	"errors"
	"io/fs"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
)

// OfNetwork names what of the machine configures its network, a file relative to the root; "" for nothing. A file of networkd
// called but is none: it is ours.
func OfNetwork(root fsroot.FS, but string) (string, error) {
	for _, dir := range networkd.Dirs() {
		names, err := fsroot.List(root, dir)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".network") && !isForGuests(name) && name != but {
				return dir + "/" + name, nil
			}
		}
	}
	names, err := fsroot.List(root, "etc/netplan")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".yaml") {
			return "etc/netplan/" + name, nil
		}
	}
	for _, unit := range []string{"NetworkManager", "dhcpcd", "connman", "wicked", "network"} {
		enabled := "etc/systemd/system/multi-user.target.wants/" + unit + ".service"
		if info, err := root.Stat(enabled); err != nil || info.Kind != fsroot.Absent {
			return enabled, err
		}
	}
	return inInterfaces(root)
}

// inInterfaces is a file of interfaces(5) that configures a card; "" if there is none.
func inInterfaces(root fsroot.FS) (string, error) {
	files := []string{"etc/network/interfaces"}
	names, err := fsroot.List(root, "etc/network/interfaces.d")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		files = append(files, "etc/network/interfaces.d/"+name)
	}
	for _, file := range files {
		text, _, err := root.ReadFile(file, 1<<20)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "iface" && f[1] != "lo" {
				return file, nil
			}
		}
	}
	return "", nil
}

// isForGuests says that systemd ships a file for the links of virtual machines and containers, or for Wi-Fi, not for cards.
func isForGuests(name string) bool {
	for _, prefix := range []string{"80-container-", "80-vm-", "80-wifi-", "80-6rd-", "80-iwd", "80-namespace-", "80-auto-link-local", "89-ethernet.network.example"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
