package firstboot_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// A machine whose source needs the network, and that has none, is given one by DHCP, until something of the configuration
// takes its place.
func TestANetworkForTheSource(t *testing.T) {
	const file, job = "run/systemd/network/99-provisioner-everywhere.network", "reload-or-restart systemd-networkd.service"
	const static = "#cloud-config\ncoreos:\n  units:\n    - name: 10-lan.network\n      content: \"[Match]\\nName=eth0\\n\\n[Network]\\nDHCP=yes\\n\"\n"
	for _, test := range []struct {
		name     string
		files    map[string]string
		userData string
		online   bool
		made     bool
		left     bool
	}{
		{name: "nothing configures the network", made: true, left: true},
		{name: "systemd's files for guests are no configuration", files: map[string]string{"usr/lib/systemd/network/80-vm-vt.network": "[Match]\n"}, made: true, left: true},
		{name: "nor is its file for a container's own link", files: map[string]string{"usr/lib/systemd/network/80-container-host0.network": "[Match]\nVirtualization=container\nName=host0\n"}, made: true, left: true},
		{name: "the configuration does, from now on", userData: static, made: true},
		{name: "it is there", online: true},
		{name: "networkd has a file", files: map[string]string{"usr/lib/systemd/network/zz-default.network": "[Match]\n"}},
		{name: "ifupdown has a card", files: map[string]string{"etc/network/interfaces.d/eth0": "auto eth0\niface eth0 inet dhcp\n"}},
		{name: "ifupdown has the loopback alone", files: map[string]string{"etc/network/interfaces": "auto lo\niface lo inet loopback\n"}, made: true, left: true},
		{name: "netplan has a file", files: map[string]string{"etc/netplan/50-x.yaml": "network: {}\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(metadatatest.EC2(instance("i-1", test.userData)))
			defer server.Close()
			files := map[string]string{settingsFile: "datasources: [\"ec2=" + server.URL + "\"]\n"}
			for name, text := range test.files {
				files[name] = text
			}
			m := newMachine(t, files)
			online := func(env *firstboot.Env) { env.Online = func() bool { return test.online } }
			r, calls := m.run(firstboot.Apply, online)
			if r.State != report.Done {
				t.Fatalf("%s, %v\n%s", r.State, r.Errors, m.console.String())
			}
			if made := slices.Contains(calls, job); made != test.made {
				t.Errorf("made %t, want %t: %q\n%s", made, test.made, calls, m.console.String())
			}
			if left := strings.Contains(m.read(file), "DHCP=yes"); left != test.left {
				t.Errorf("left %t, want %t: %s", left, test.left, m.read(file))
			}
		})
	}
}
