//go:build integration && linux

package nspawn_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// costs says whether the tests that measure run: they want a quiet machine, and minutes of it.
func costs(t *testing.T) {
	t.Helper()
	if !long() && os.Getenv("COST") == "" {
		t.Skip("missing: COST=1 or LONG=1, since it measures for minutes")
	}
}

const seedDir = "var/lib/cloud/seed/nocloud/"

// costly is a configuration of 16 KiB: 20 files, 4 users with a key each, and 4 units.
func costly(key sshKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#cloud-config\nhostname: measured\nssh_authorized_keys:\n  - %s\nusers:\n  - default\n", key.public)
	for i := range 4 {
		fmt.Fprintf(&b, "  - name: user%d\n    ssh_authorized_keys:\n      - %s\n", i, key.public)
	}
	b.WriteString("write_files:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "  - path: /opt/files/%d\n    content: |\n", i)
		for line := range 6 {
			fmt.Fprintf(&b, "      line %d of file %d, %s\n", line, i, strings.Repeat("x", 80))
		}
	}
	b.WriteString("coreos:\n  units:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "    - name: unit%[1]d.service\n      command: start\n      enable: true\n      content: |\n"+
			"        [Service]\n        Type=oneshot\n        RemainAfterExit=yes\n        ExecStart=/bin/true\n        [Install]\n        WantedBy=multi-user.target\n", i)
	}
	return b.String()
}

// newCostly is a machine with that configuration on a seed; we are enabled on it or not.
func newCostly(t *testing.T, key sshKey, enabled bool) *machine {
	t.Helper()
	m := newMachine(t)
	installProgram(t, m.root)
	m.write(t, seedDir+"user-data", 0o644, costly(key))
	m.write(t, seedDir+"meta-data", 0o644, "instance-id: measured-1\n")
	if !enabled {
		return m
	}
	if _, err := run("systemctl", "--root="+m.root, "enable", "provisioner.target"); err != nil {
		t.Fatal(err)
	}
	return m
}

// reached is when a boot reached a unit, since its systemd began.
func (m *machine) reached(t *testing.T, unit string) time.Duration {
	t.Helper()
	text, err := m.sh(t.Context(), "systemctl show -P UserspaceTimestampMonotonic; systemctl show -P ActiveEnterTimestampMonotonic "+unit)
	if err != nil {
		t.Fatal(err)
	}
	var began, done int64
	if _, err := fmt.Sscan(text, &began, &done); err != nil || done == 0 {
		t.Fatalf("%s was not reached: %q, %v", unit, text, err)
	}
	return time.Duration(done-began) * time.Microsecond
}

// median is the middle one, and span all of them for people.
func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func span(all []time.Duration) string {
	return fmt.Sprintf("%s [%s..%s]", median(all), slices.Min(all), slices.Max(all))
}

// TestCost measures what we add to a boot: pairs of machines with and without us, one at a time.
func TestCost(t *testing.T) {
	costs(t)
	key := newSSHKey(t, "cost")
	const pairs = 15
	boots := []string{"first boot", "second boot"}
	with, without, whole := map[string][]time.Duration{}, map[string][]time.Duration{}, map[string][]time.Duration{}
	for i := range pairs {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			for _, enabled := range []bool{i%2 == 0, i%2 != 0} {
				into := without
				if enabled {
					into = with
				}
				t.Run(fmt.Sprintf("enabled=%t", enabled), func(t *testing.T) {
					m := newCostly(t, key, enabled)
					for n, boot := range boots {
						if n == 0 {
							m.boot(t)
						} else {
							m.reboot(t)
						}
						if enabled {
							m.wantStatus(t, "done", "nocloud")
							whole[boot] = append(whole[boot], m.reached(t, "provisioner.target"))
						}
						into[boot] = append(into[boot], m.reached(t, "multi-user.target"))
					}
				})
			}
		})
	}
	for _, boot := range boots {
		var added []time.Duration
		for i := range with[boot] {
			added = append(added, with[boot][i]-without[boot][i])
		}
		t.Logf("%s: multi-user.target without us %s, with us %s; added %s, in %d pairs; provisioner.target %s", boot, span(without[boot]), span(with[boot]), span(added), len(added), span(whole[boot]))
	}
}

// TestCostCPU measures the CPU that each of our units takes, and where a second boot writes.
func TestCostCPU(t *testing.T) {
	costs(t)
	m := newCostly(t, newSSHKey(t, "cost"), true)
	stages := []string{"local", "floor", "main", "handoff"}
	for _, stage := range stages {
		m.wrap(t, stage, "times.conf", `/bin/bash -c '/usr/bin/provisioner boot `+stage+`; s=$?; times > /run/times-`+stage+`; exit $s'`)
	}
	for n, boot := range []string{"first boot", "second boot"} {
		if n == 0 {
			m.boot(t)
		} else {
			m.reboot(t)
		}
		m.wantStatus(t, "done", "nocloud")
		var all float64
		for _, stage := range stages {
			// A stage that nothing is left for does not run.
			text, err := m.sh(t.Context(), "tail -n 1 /run/times-"+stage+" 2>/dev/null || echo 0m0s 0m0s")
			var user, system float64
			if _, scan := fmt.Sscanf(text, "0m%fs 0m%fs", &user, &system); err != nil || scan != nil {
				t.Fatalf("%s: %q: %v, %v", stage, text, err, scan)
			}
			t.Logf("%s: %s: %.3f s of CPU", boot, stage, user+system)
			all += user + system
		}
		t.Logf("%s: %.3f s of CPU in all", boot, all)
	}
}

// wrap has a stage of ours run in another way.
func (m *machine) wrap(t *testing.T, stage, name, command string) {
	t.Helper()
	unit := "provisioner-" + stage + ".service"
	if stage == "main" {
		unit = "provisioner.service"
	}
	m.write(t, "etc/systemd/system/"+unit+".d/"+name, 0o644, "[Service]\nNotifyAccess=all\nSystemCallFilter=\nExecStart=\nExecStart="+command+"\n")
}

var (
	opened  = regexp.MustCompile(`openat2?\(.*O_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE)`)
	changes = regexp.MustCompile(`\b(creat|rename|renameat|renameat2|unlink|unlinkat|mkdir|mkdirat|rmdir|link|linkat|symlink|symlinkat|mknodat|truncate|ftruncate|fallocate|chmod|fchmod|fchmodat|chown|fchown|fchownat|lchown|utimensat|setxattr|fsetxattr|mount)\(`)
	// volatile are the places where a boot may write: all are gone with it.
	volatile = regexp.MustCompile(`[</"](/?run/|dev/|proc/|sys/|tmp/)|/run>|</(dev|proc|sys|run)\b`)
)

// TestWritesNothing traces what a second boot of ours does to files: nothing outside /run is opened for writing, made,
// renamed or removed, not even to be put back as it was.
func TestWritesNothing(t *testing.T) {
	m := newCostly(t, newSSHKey(t, "cost"), true)
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	traced := []string{"local", "main"} // the floor is for first boots
	for _, stage := range traced {
		m.wrap(t, stage, "trace.conf", "/usr/bin/strace -f -y -z -s 200 -e trace=%%file,%%desc -o /run/trace-"+stage+" /usr/bin/provisioner boot "+stage)
	}
	m.reboot(t)
	m.wantStatus(t, "done", "nocloud")
	lines := 0
	for _, stage := range traced {
		text, err := m.sh(t.Context(), "cat /run/trace-"+stage)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			lines++
			if (opened.MatchString(line) || changes.MatchString(line)) && !volatile.MatchString(line) {
				t.Errorf("%s: %s", stage, strings.TrimSpace(line))
			}
		}
	}
	if lines < 100 {
		t.Errorf("only %d calls were traced", lines)
	}
}

// answers waits until something listens at the machine's port 22, and says how long that took.
func (m *machine) answers(t *testing.T, since time.Time) time.Duration {
	t.Helper()
	for time.Since(since) < bootTimeout {
		err := m.beyond(func() error {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(machineAddress, "22"), time.Second)
			if err == nil {
				defer c.Close()
				_, err = c.Read(make([]byte, 4)) // sshd greets first
			}
			return err
		})
		if err == nil {
			return time.Since(since)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no sshd answered")
	return 0
}

// TestCostOfWaiting measures how much later sshd answers where user-data never comes: pairs of machines on which we are
// enabled or not.
func TestCostOfWaiting(t *testing.T) {
	costs(t)
	const pairs = 15
	var with, without, added []time.Duration
	for i := range pairs {
		for _, enabled := range []bool{i%2 == 0, i%2 != 0} {
			t.Run(fmt.Sprintf("%d,enabled=%t", i, enabled), func(t *testing.T) {
				m := newImage(t, "datasources: [ec2]\n")
				key := newSSHKey(t, "cost")
				m.serveMetadata(t, user(key), key, "-hang", "/latest/user-data")
				if !enabled {
					if _, err := run("systemctl", "--root="+m.root, "disable", "provisioner.target"); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				m.start(t)
				took := m.answers(t, began)
				if enabled {
					with = append(with, took)
					m.wantLogin(t, key, "core")
				} else {
					without = append(without, took)
				}
			})
		}
		if i < len(with) && i < len(without) {
			added = append(added, with[i]-without[i])
		}
	}
	if len(added) == 0 {
		t.Fatal("nothing was measured")
	}
	t.Logf("sshd answers without us after %s, with us %s; added %s, in %d pairs", span(without), span(with), span(added), len(added))
}
