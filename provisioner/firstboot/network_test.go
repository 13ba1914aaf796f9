package firstboot_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
)

const networkFile = "etc/systemd/network/05-provisioner-eth0.network"

// withNetwork is a machine whose platform describes its network, and a datasource that says so.
func withNetwork(t *testing.T, userData, network string) (*machine, func(*firstboot.Env)) {
	t.Helper()
	seed := t.TempDir()
	for name, text := range map[string]string{
		"meta-data":      "instance-id: i-1\npublic-keys: [" + metadataKeys()[0] + "]\n",
		"user-data":      userData,
		"network-config": network,
	} {
		if err := os.WriteFile(filepath.Join(seed, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t, nil)
	return m, func(env *firstboot.Env) {
		env.Datasources = []string{"nocloud=" + seed}
		env.Sources.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		env.Interfaces = func(context.Context) ([]plan.Interface, error) {
			return []plan.Interface{{Name: "lo", Index: 1, Loopback: true}, {Name: "eth0", Index: 2, MAC: "52:54:00:00:00:0a", PermanentMAC: "52:54:00:00:00:0a"}}, nil
		}
	}
}

// What the platform says of the network is part of the access floor; what the user says takes its place; and a card that is
// not there stops the network, but not the keys.
func TestTheNetworkOfThePlatform(t *testing.T) {
	const (
		platform = "version: 2\nethernets: {eth0: {addresses: [192.0.2.10/24]}}\n"
		own      = "#cloud-config\nnetwork: {version: 2, ethernets: {eth0: {addresses: [198.51.100.10/24]}}}\n"
	)
	for _, test := range []struct {
		name, userData, network string
		state                   report.State
		want                    string // in the file of the card; "" for no file
		rule                    string // that is found
	}{
		{name: "with user-data", userData: "#cloud-config\nhostname: web1\n", network: platform, state: report.Done, want: "Address=192.0.2.10/24\n"},
		{name: "without user-data", network: platform, state: report.Done, want: "Address=192.0.2.10/24\n"},
		{name: "user-data is refused", userData: "#cloud-config\nhostnam: web1\n", network: platform, state: report.Refused, want: "Address=192.0.2.10/24\n", rule: "unknown-key"},
		{name: "the user has another", userData: own, network: platform, state: report.Done, want: "Address=198.51.100.10/24\n", rule: "network-replaced"},
		{name: "the user has another, and the platform's is wrong", userData: own, network: "version: 3\n", state: report.Done, want: "Address=198.51.100.10/24\n", rule: "network-replaced"},
		{name: "the user's is wrong", userData: strings.Replace(own, "/24", "/33", 1), network: platform, state: report.Refused, want: "Address=192.0.2.10/24\n", rule: "network-address"},
		{name: "a unit of the user's is for the card", network: platform, state: report.Done, rule: "network-replaced",
			userData: "#cloud-config\ncoreos: {units: [{name: 10-lan.network, content: \"[Match]\\nName=eth0\\n\\n[Network]\\nDHCP=yes\\n\"}]}\n"},
		{name: "the platform's is wrong", network: "version: 2\nethernets: {eth0: {addresses: [192.0.2.10]}}\n", state: report.Refused, rule: "network-address"},
		{name: "a card is not there", network: strings.ReplaceAll(platform, "eth0", "eth7"), state: report.Refused, rule: "network-absent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, with := withNetwork(t, test.userData, test.network)
			floor, _ := m.run(firstboot.BootFloor, with)
			if got := m.read("home/core/.ssh/authorized_keys"); !strings.Contains(got, metadataKeys()[0]) {
				t.Errorf("the floor has no key: %s, %v", floor.State, floor.Errors)
			}
			if got := m.read(networkFile); strings.Contains(got, "192.0.2.10") && !strings.Contains(test.want, "192.0.2.10") {
				t.Errorf("the floor has a network that does not stay:\n%s", got)
			}
			r, _ := m.run(firstboot.BootMain, with)
			if r.State == report.Running {
				r, _ = m.run(firstboot.BootHandoff, with)
			}
			if got := m.read(networkFile); r.State != test.state || test.want == "" && got != "(none)" || !strings.Contains(got, test.want) {
				t.Errorf("%s, %s\n%s", r.State, got, m.console.String())
			}
			var rules []string
			for _, d := range r.Diagnostics {
				rules = append(rules, d.Rule)
			}
			if test.rule != "" && !strings.Contains(strings.Join(rules, " "), test.rule) || test.rule == "" && len(rules) > 0 {
				t.Errorf("found %q, want %q", rules, test.rule)
			}
		})
	}
}

// A card that the kernel is still looking for is waited for.
func TestACardThatIsLate(t *testing.T) {
	m, with := withNetwork(t, "", "version: 2\nethernets: {eth0: {dhcp4: true}}\n")
	looks := 0
	late := func(env *firstboot.Env) {
		with(env)
		there := env.Interfaces
		env.Interfaces = func(ctx context.Context) ([]plan.Interface, error) {
			if looks++; looks < 4 {
				return []plan.Interface{{Name: "lo", Index: 1, Loopback: true}}, nil
			}
			return there(ctx)
		}
	}
	r, _ := m.run(firstboot.Apply, late)
	if got := m.read(networkFile); r.State != report.Done || !strings.Contains(got, "DHCP=ipv4") {
		t.Errorf("%s, %s\n%s", r.State, got, m.console.String())
	}
	if !strings.Contains(m.console.String(), "waiting up to 10s for a card") {
		t.Error("nobody said so: " + m.console.String())
	}
}
