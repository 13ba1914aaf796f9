//go:build integration && linux

package nspawn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// seed is where the machine finds its instance.
const seed = "var/seed"

// settings are those of an image whose networks are tried for a short time.
const settings = "datasources: [nocloud=/" + seed + "]\nnetwork-timeout: 12s\n"

// hasty are settings by which a network that does not work is soon taken back. A static one that works needs no more.
const hasty = "datasources: [nocloud=/" + seed + "]\nnetwork-timeout: 10s\n"

// long says that every repetition is wanted.
func long() bool { return os.Getenv("LONG") != "" }

// runs is how often a thing is done that has to go well each time.
func runs() int {
	if long() {
		return 10
	}
	return 1
}

// newLabImage is a machine with three cards and the program, which finds a description of its network when it boots.
func newLabImage(t *testing.T, settings, description string) (*machine, *lab) {
	t.Helper()
	m, l := newLabMachine(t)
	installProgram(t, m.root)
	m.write(t, "etc/provisioner/provisioner.yaml", 0o644, settings)
	if _, err := run("systemctl", "--root="+m.root, "enable", "provisioner.target"); err != nil {
		t.Fatal(err)
	}
	m.write(t, seed+"/meta-data", 0o644, "instance-id: i-lab\n")
	m.write(t, seed+"/user-data", 0o644, "#cloud-config\nhostname: lab\n")
	m.describe(t, description)
	return m, l
}

// describe puts a description of the network where the next run of the program finds it.
func (m *machine) describe(t *testing.T, description string) {
	t.Helper()
	m.write(t, seed+"/network-config", 0o644, "network:\n  version: 2"+description)
}

// wantExit runs a command and checks how it ends.
func (m *machine) wantExit(t *testing.T, want int, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := m.sh(ctx, command+" 2>&1")
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		got = -1
	}
	if got != want {
		t.Errorf("%s: exit status %d, want %d (%v)\n%s", command, got, want, err, out)
	}
	return out
}

const apply = "provisioner apply --datasource nocloud=/" + seed

// TestTopologies changes the network of a machine that runs, from each topology to the next. Nothing of one may be left
// in the next.
func TestTopologies(t *testing.T) {
	m, l := newLabImage(t, settings, good.description)
	m.wantBooted(t, l, good)
	for _, c := range topologies {
		if c.kinds == "" && c.renamed == "" {
			m.change(t, l, c)
		}
	}
	m.change(t, l, good)
	m.wantSameAfterBoot(t, l, good)
}

// TestMade is the same with links that not every kernel makes, and with a VLAN that nobody else is in.
func TestMade(t *testing.T) {
	first := topologyOf("VLAN on bond")
	first.need(t)
	m, l := newLabImage(t, settings, first.description)
	m.wantBooted(t, l, first)
	if long() { // the other boots are proved where they cost less
		m.wantSameAfterBoot(t, l, first)
	}
	for _, c := range topologies {
		if c.kinds != "" && c.name != first.name {
			m.change(t, l, c)
		}
	}
	if long() {
		m.change(t, l, first)
	}
	m.change(t, l, good)
	for _, c := range lockouts {
		if c.kinds != "" {
			m.lockOut(t, l, c)
		}
	}
}

// wantBooted boots the machine and checks that it has the network that it was given.
func (m *machine) wantBooted(t *testing.T, l *lab, c topology) {
	t.Helper()
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	c.check(t, m, l)
}

// wantSameAfterBoot reboots, and checks that the network is the same and that nothing was written.
func (m *machine) wantSameAfterBoot(t *testing.T, l *lab, c topology) {
	t.Helper()
	before := m.snapshot(t)
	m.reboot(t)
	m.wantStatus(t, "done", "nocloud")
	c.check(t, m, l)
	if diff := m.changed(t, before); diff != "" {
		t.Errorf("the second boot wrote:\n%s", diff)
	}
}

// change gives a machine that runs another network.
func (m *machine) change(t *testing.T, l *lab, c topology) {
	t.Run("to "+c.name, func(t *testing.T) {
		c.need(t)
		m.describe(t, c.description)
		start := time.Now()
		m.wantExit(t, 0, apply)
		t.Logf("applied in %s", time.Since(start).Round(10*time.Millisecond))
		c.check(t, m, l)
	})
}

// TestRenamed gives cards other names while the machine runs. There is no udev that would do it at the next boot.
func TestRenamed(t *testing.T) {
	for _, c := range topologies {
		if c.renamed == "" || !long() && c.name != "swapped" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m, l := newLabImage(t, settings, good.description)
			m.wantBooted(t, l, good)
			m.change(t, l, c)
			m.wantSameAfterBoot(t, l, c)
		})
	}
}

// TestFirstBoot has our units set up the network before anything else needs it.
func TestFirstBoot(t *testing.T) {
	for _, c := range topologies {
		if !long() && c.name != "renamed" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			m, l := newLabImage(t, settings, c.description)
			m.wantBooted(t, l, c)
			m.wantSameAfterBoot(t, l, c)
		})
	}
}

// good is the network that the machine has, and that it must have again.
var good = topologyOf("static")

// lockout is a network with which the machine would be lost.
type lockout struct {
	name, description string
	// says is what the status must name.
	says []string
	// harm is what is broken outside.
	harm func(*testing.T, *lab)
	// kinds are kinds of links that a kernel may lack.
	kinds string
	// again is of one that is found out as another is.
	again bool
}

var lockouts = []lockout{
	{
		name: "wrong gateway",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.254}]
`,
		says: []string{"eth0", "10.77.0.254"},
	}, {
		name: "wrong subnet",
		description: `
  ethernets:
    eth0:
      addresses: [10.99.0.2/24]
      routes: [{to: default, via: 10.99.0.1}]
`,
		says: []string{"eth0", "10.99.0.1"},
	}, {
		name: "unplugged card",
		description: `
  ethernets:
    eth1:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
`,
		harm: func(t *testing.T, l *lab) { l.pull(t, 1, true) },
		says: []string{"eth1"},
	}, {
		name: "bad DNS",
		description: `
  ethernets:
    eth0:
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
      nameservers: {addresses: [10.77.0.253]}
`,
		says: []string{"check.example.net"},
	}, {
		name:  "wrong VLAN",
		kinds: "vlan",
		description: `
  ethernets:
    eth0: {}
  vlans:
    eth0.99:
      id: 99
      link: eth0
      addresses: [10.77.0.2/24]
      routes: [{to: default, via: 10.77.0.1}]
`,
		says: []string{"eth0.99", "10.77.0.1"},
	}, {
		name:  "no network at all",
		again: true,
		description: `
  ethernets:
    eth0: {}
`,
		says: []string{"check.example.net"},
	},
}

// withCheck are settings by which a network is good if a server that has a name answers.
const withCheck = hasty + "network-check: http://check.example.net/\n"

// TestLockout applies networks with which nobody could reach the machine, and wants it back.
func TestLockout(t *testing.T) {
	m, l := newLabImage(t, withCheck, good.description)
	l.serveCheck(t)
	m.wantBooted(t, l, good)
	for _, c := range lockouts {
		if c.kinds == "" && (long() || !c.again) {
			m.lockOut(t, l, c)
		}
	}
}

// lockOut has the machine, the network of which is good, locked out and back again.
func (m *machine) lockOut(t *testing.T, l *lab, c lockout) {
	t.Run(c.name, func(t *testing.T) {
		if c.harm != nil {
			c.harm(t, l)
			defer func() {
				for i := range l.cards {
					l.pull(t, i, false)
				}
			}()
		}
		for n := range runs() {
			m.describe(t, c.description)
			start := time.Now()
			m.wantExit(t, 4, apply)
			ended := time.Since(start)
			back := l.wantReachable(t, "10.77.0.2", reachBound)
			t.Logf("run %d: apply ended after %s, reachable %s later", n+1, ended.Round(10*time.Millisecond), back.Round(10*time.Millisecond))
			m.wantRestored(t, "last-confirmed", c.says...)
			m.wantState(t, lines(good.want)...)
			m.describe(t, good.description)
			m.wantExit(t, 0, apply)
			m.wantExit(t, 0, "provisioner status")
			if t.Failed() {
				return
			}
		}
	})
}

// wantRestored checks that the status says what failed and what is there instead.
func (m *machine) wantRestored(t *testing.T, restored string, says ...string) {
	t.Helper()
	text := m.wantExit(t, 4, "provisioner status")
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("status does not say %q:\n%s", want, text)
		}
	}
	m.want(t, restored, `provisioner status --format json | tr -d ' \n' | grep -o '"restored":"[^"]*"' | cut -d'"' -f4`)
}

// TestPowerCut cuts the power after a network was applied that locks out, and before anybody knows.
func TestPowerCut(t *testing.T) {
	for n := range runs() {
		t.Run(fmt.Sprintf("run %d", n+1), func(t *testing.T) {
			m, l := newLabImage(t, strings.Replace(settings, "12s", "40s", 1), good.description)
			m.wantBooted(t, l, good)
			m.describe(t, lockouts[0].description)
			// It is there as soon as the route is, long before the bound is over.
			if _, err := m.sh(t.Context(), "systemd-run --quiet --collect --unit=apply "+apply); err != nil {
				t.Fatal(err)
			}
			if err := poll(t.Context(), time.Minute, func() error {
				got, err := m.state(t.Context())
				if err == nil && !strings.Contains(strings.Join(got, "\n"), "default via 10.77.0.254") {
					err = errors.New("the network has not been applied")
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if err := l.dial(far, "10.77.0.2"); err == nil {
				t.Fatal("the machine is not locked out, and nothing is proved")
			}
			m.cut(t)
			start := time.Now()
			m.start(t)
			l.wantReachable(t, "10.77.0.2", 2*time.Minute)
			t.Logf("reachable %s after the power was back", time.Since(start).Round(100*time.Millisecond))
			m.settle(t, 1)
			m.wantStatus(t, "degraded", "nocloud")
			m.want(t, "4", "provisioner status >/dev/null; echo $?")
			l.wantReachable(t, "10.77.0.2", 6*time.Minute)
			m.wantState(t, lines(good.want)...)
		})
	}
}

// TestFirstLockout has a network that locks out at the first boot, when there is none that was confirmed.
func TestFirstLockout(t *testing.T) {
	for name, tt := range map[string]struct{ image, restored, address string }{
		"nothing else": {"", "dhcp", leased(0, 0)},
		"an image with a network": {
			"[Match]\nName=eth0\n[Network]\nAddress=10.77.0.7/24\nGateway=10.77.0.1\nIPv6AcceptRA=no\n", "image", "10.77.0.7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, l := newLabImage(t, hasty, lockouts[0].description)
			if tt.image != "" {
				m.write(t, "etc/systemd/network/50-image.network", 0o644, tt.image)
			}
			start := time.Now()
			m.boot(t)
			l.wantReachable(t, tt.address, 2*time.Minute)
			t.Logf("reachable %s after the power was on", time.Since(start).Round(100*time.Millisecond))
			m.wantStatus(t, "degraded", "nocloud")
			m.wantRestored(t, tt.restored, "10.77.0.254")
			l.wantReachable(t, tt.address, reachBound)
			if tt.restored == "image" && !long() {
				return // with DHCP, which is not on the disk, there is more to a reboot
			}
			m.reboot(t)
			l.wantReachable(t, tt.address, 2*time.Minute)
			m.wantRestored(t, tt.restored, "10.77.0.254")
		})
	}
}

// TestTry tries networks as an administrator does.
func TestTry(t *testing.T) {
	m, l := newLabImage(t, settings, good.description)
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	bridge := topologyOf("bridge")
	for i, c := range []struct {
		description, want, address string
		exit                       int
	}{
		{lockouts[0].description, good.want, "10.77.0.2", 4},
		{bridge.description, bridge.want, "10.77.0.2", 0},
		{"\n  ethernets:\n    eth0:\n      addresses: [10.77.0.300/24]\n", bridge.want, "10.77.0.2", 1},
		{good.description, good.want, "10.77.0.2", 0},
	} {
		m.write(t, "root/network-config", 0o644, "network:\n  version: 2"+c.description)
		said := m.wantExit(t, c.exit, "provisioner network try /root/network-config --timeout 12s")
		t.Logf("%d: %s", i+1, said)
		l.wantReachable(t, c.address, reachBound)
		m.wantState(t, lines(c.want)...)
	}
}
