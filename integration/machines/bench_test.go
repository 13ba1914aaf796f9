//go:build integration && linux

package machines_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the tables of docs/benchmarks.md")

// provisioners are what is compared: the same machine with none, with Debian's cloud-init, and with this one.
var provisioners = []struct {
	name  string
	guess int      // the least memory in MiB that was seen to be enough; the search for it begins there
	units []string // its own
	done  string   // a command that waits until it has ended, and succeeds if all went well
}{
	{"none", 96, nil, "true"},
	{"cloud-init", 112, []string{"cloud-init-local", "cloud-init", "cloud-config", "cloud-final"}, "cloud-init status --wait >/dev/null"},
	{"provisioner", 96, []string{"provisioner-local", "provisioner-floor", "provisioner", "provisioner-handoff"}, "provisioner status --wait >/dev/null"},
}

const (
	benchUsers = 4
	benchFiles = 20
	benchBoots = 3
	slowness   = 5 // how many times longer a boot with little memory may take than one with enough
)

// benchData is the same for both provisioners: the language that they share.
func benchData(key sshKey) string {
	text := "#cloud-config\nhostname: fromuser\nusers:\n"
	for n := range benchUsers {
		text += fmt.Sprintf("  - name: user%d\n    shell: /bin/bash\n    ssh_authorized_keys:\n      - %s\n", n+1, key.public)
	}
	text += "write_files:\n"
	for n := range benchFiles {
		text += fmt.Sprintf("  - path: /opt/files/file%d\n    permissions: \"0644\"\n    content: |\n      %s\n", n+1, strings.Repeat("what is in it ", 40))
	}
	return text
}

// benchProbe is run as root in a machine that has been idle for a while; each line is a name and a number.
const benchProbe = `
for f in MemAvailable MemFree Cached AnonPages Slab; do echo $f $(sed -n "s/^$f: *\([0-9]*\) kB/\1/p" /proc/meminfo); done
all=0; user=0
for p in /proc/[0-9]*; do all=$((all+1)); [ -z "$(tr -d '\0' < $p/cmdline)" ] || user=$((user+1)); done
echo Processes $all; echo UserProcesses $user
echo Units $(systemctl list-units --all --no-legend --plain | wc -l)
echo Failed $(systemctl list-units --failed --no-legend --plain | wc -l)
echo Peak $(cat /sys/fs/cgroup/prov.slice/memory.peak)
echo CPU $(sed -n 's/^usage_usec //p' /sys/fs/cgroup/prov.slice/cpu.stat)
echo Userspace $(systemctl show -P UserspaceTimestampMonotonic)
echo Finish $(systemctl show -P FinishTimestampMonotonic)
echo MultiUser $(systemctl show -P ActiveEnterTimestampMonotonic multi-user.target)
echo Disk $(df --output=used -k / | tail -n 1)
`

// TestBenchBoot is "make bench-boot".
func TestBenchBoot(t *testing.T) {
	if os.Getenv("BENCH") == "" {
		t.Skip(`it takes an hour; set BENCH=1, or run "make bench-boot"`)
	}
	need(t)
	probe := newSSHKey(t, "probe")
	key := newSSHKey(t, "user-data")
	data := noCloud("i-bench", benchData(key))
	data["network-config"] = "version: 2\nethernets:\n  enp0s2:\n    dhcp4: true\n"
	seed := iso(t, "cidata", data)
	disks := make([]string, len(provisioners))
	for i := range provisioners {
		disks[i] = benchDisk(t, i, probe)
	}
	figures := make([]map[string][]float64, len(provisioners))
	for i := range figures {
		figures[i] = map[string][]float64{}
	}
	for boot := range benchBoots { // in turn, so that what else runs here is shared
		for i, p := range provisioners {
			t.Run(fmt.Sprintf("%s/%d", p.name, boot+1), func(t *testing.T) {
				f, err := benchBoot(t, i, disks[i], seed, 1024, 15*time.Minute, probe, key)
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range f {
					figures[i][name] = append(figures[i][name], value)
				}
				t.Logf("%v", f)
			})
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	smallest := make([]int, len(provisioners))
	for i, p := range provisioners {
		t.Run(p.name+"/smallest", func(t *testing.T) {
			patience := slowness * time.Duration(figures[i]["Login"][0]*float64(time.Second))
			smallest[i] = smallestMemory(t, i, disks[i], seed, patience, probe, key)
		})
	}
	table := benchTable(figures, smallest)
	t.Logf("\n%s", table)
	if *update && !t.Failed() {
		writeTable(t, filepath.Join("..", "..", "docs", "benchmarks.md"), table)
	}
}

// benchDisk makes the disk of one provisioner. All of them have a key for the probe, a network for a machine that nobody
// configures, and a slice for the units that provision, in which one process stays, so that its figures do.
func benchDisk(t *testing.T, i int, probe sshKey) string {
	t.Helper()
	lower := pristine(t)
	if provisioners[i].name == "cloud-init" {
		lower = withCloudInit(t)
	}
	path := filepath.Join(scratch(t), "disk")
	withRoot(t, lower, func(r root) {
		r.write(t, "root/.ssh/authorized_keys", 0o600, probe.public+"\n")
		r.write(t, "etc/systemd/system/prov.slice", 0o644, "[Slice]\nMemoryAccounting=yes\nCPUAccounting=yes\n")
		r.write(t, "etc/systemd/system/keeper.service", 0o644, `[Unit]
DefaultDependencies=no
Before=cloud-init-local.service provisioner-local.service
[Service]
Slice=prov.slice
ExecStart=/bin/sleep infinity
[Install]
WantedBy=sysinit.target
`)
		mustRun(t, "systemctl", "--root="+string(r), "enable", "keeper.service")
		for _, unit := range provisioners[i].units {
			r.write(t, "etc/systemd/system/"+unit+".service.d/slice.conf", 0o644, "[Service]\nSlice=prov.slice\n")
		}
		switch provisioners[i].name {
		case "none":
			r.write(t, "etc/systemd/network/10-all.network", 0o644, "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n")
			r.write(t, "etc/hostname", 0o644, "fromuser\n")
		case "cloud-init":
			r.write(t, "etc/cloud/ds-identify.cfg", 0o644, "policy: enabled\n")
			r.write(t, "etc/cloud/cloud.cfg.d/99-bench.cfg", 0o644, "datasource_list: [NoCloud, None]\n"+
				"disable_root: false\nssh_deletekeys: false\nlocale: false\n") // the probe logs in as root; neither makes host keys; no locale is compiled
		case "provisioner":
			r.installProgram(t, "datasources: [nocloud]\n")
		}
		r.disk(t, path)
	})
	return path
}

// withCloudInit is the pristine root with Debian's cloud-init, made when it is missing.
func withCloudInit(t *testing.T) string {
	t.Helper()
	path := pristine(t) + "-cloud-init"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	unfinished := path + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "cp", "-a", pristine(t), unfinished)
	r := root(unfinished)
	r.copy(t, "run/systemd/resolve/stub-resolv.conf", 0o644, "/etc/resolv.conf") // what etc/resolv.conf leads to
	r.write(t, "usr/sbin/policy-rc.d", 0o755, "#!/bin/sh\nexit 101\n")
	install := exec.Command("chroot", unfinished, "sh", "-ec", "mount -t proc proc /proc; trap 'umount /proc' EXIT; apt-get update -q; apt-get install -q -y --no-install-recommends cloud-init; apt-get clean")
	install.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"}
	install.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if _, err := output(install); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"run/systemd", "usr/sbin/policy-rc.d"} {
		if err := os.RemoveAll(filepath.Join(unfinished, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.write(t, "etc/machine-id", 0o444, "uninitialized\n")
	if err := os.Rename(unfinished, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// benchBoot boots a fresh copy of a disk, checks that it was configured, and measures.
func benchBoot(t *testing.T, i int, disk, seed string, memoryMiB int, timeout time.Duration, probe, key sshKey) (map[string]float64, error) {
	p := provisioners[i]
	w := newWorld(t)
	w.dhcp(t)
	f := map[string]float64{"Load": hostLoad(t)}
	m := w.powerOn(t, w.plug(t), hardware{disk: overlay(t, disk), seed: seed, memoryMiB: memoryMiB})
	user, with := "user1", key
	if p.name == "none" {
		user, with = "root", probe
	}
	banner, login, err := m.tryLogin(t.Context(), timeout, with, user)
	if err != nil {
		return nil, err
	}
	f["Banner"], f["Login"] = banner.Seconds(), login.Seconds()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if _, err := m.ssh(ctx, probe, "root", p.done+"; systemctl is-system-running --wait >/dev/null"); err != nil {
		t.Logf("at the end of the boot: %v", err) // "degraded" is seen below
	}
	if p.name != "none" {
		want := fmt.Sprintf("fromuser %d %d %d", benchUsers, benchUsers, benchFiles)
		got, err := m.ssh(ctx, probe, "root", "echo $(hostname) $(getent passwd | grep -c ^user) $(cat /home/user*/.ssh/authorized_keys | grep -c ^ssh-) $(ls /opt/files | wc -l)")
		if err != nil || got != want {
			return nil, fmt.Errorf("configured as %q (%w), not as %q", got, err, want)
		}
	}
	select {
	case <-time.After(10 * time.Second): // what is cached and what still ends
	case <-m.off:
		return nil, errors.New("the machine went off")
	}
	text, err := m.ssh(ctx, probe, "root", benchProbe)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if f[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("the probe says %q", line)
		}
	}
	if f["Failed"] > 0 {
		failed, _ := m.ssh(ctx, probe, "root", "systemctl list-units --failed --no-legend --plain")
		return f, fmt.Errorf("failed units: %s", failed)
	}
	return f, nil
}

// smallestMemory looks for the least memory, in steps of 16 MiB, in which the first boot ends as it should in the given time.
func smallestMemory(t *testing.T, i int, disk, seed string, patience time.Duration, probe, key sshKey) int {
	fits := func(memoryMiB int) (ok bool) {
		t.Run(fmt.Sprint(memoryMiB), func(t *testing.T) {
			_, err := benchBoot(t, i, disk, seed, memoryMiB, patience, probe, key)
			t.Logf("%d MiB: %v", memoryMiB, err)
			ok = err == nil
		})
		return ok
	}
	const step, last = 16, 512
	at := provisioners[i].guess
	if fits(at) {
		for at > step && fits(at-step) {
			at -= step
		}
		return at
	}
	for at += step; at <= last; at += step {
		if fits(at) {
			return at
		}
	}
	t.Fatalf("it does not fit into %d MiB", last)
	return 0
}

func hostLoad(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

// benchTable has the median of each figure, and in brackets the least and the greatest.
func benchTable(figures []map[string][]float64, smallest []int) string {
	var table strings.Builder
	line := func(name string, cell func(i int) string) {
		table.WriteString("| " + name + " |")
		for i := range provisioners {
			table.WriteString(" " + cell(i) + " |")
		}
		table.WriteString("\n")
	}
	line("", func(i int) string { return provisioners[i].name })
	table.WriteString("|---" + strings.Repeat("|---", len(provisioners)) + "|\n")
	for _, row := range []struct {
		name, figure string
		unit         float64
		digits       int
	}{
		{"power-on to sshd's banner, s", "Banner", 1, 1},
		{"power-on to the login with the configured key, s", "Login", 1, 1},
		{"multi-user.target, s after the kernel started", "MultiUser", 1e6, 1},
		{"start-up finished, s after the kernel started", "Finish", 1e6, 1},
		{"CPU of its units, s of the emulated processor", "CPU", 1e6, 1},
		{"peak of their memory, page cache too, MiB", "Peak", 1 << 20, 1},
		{"MemAvailable afterwards, MiB", "MemAvailable", 1024, 1},
		{"MemFree, MiB", "MemFree", 1024, 1},
		{"Cached, MiB", "Cached", 1024, 1},
		{"AnonPages, MiB", "AnonPages", 1024, 1},
		{"Slab, MiB", "Slab", 1024, 1},
		{"processes left, the kernel's too", "Processes", 1, 0},
		{"processes left, of user space", "UserProcesses", 1, 0},
		{"units loaded", "Units", 1, 0},
		{"disk used, MiB", "Disk", 1024, 1},
		{"load of the host before the boot", "Load", 1, 1},
	} {
		line(row.name, func(i int) string {
			values := append([]float64(nil), figures[i][row.figure]...)
			if len(values) == 0 {
				return ""
			}
			sort.Float64s(values)
			number := func(v float64) string { return strconv.FormatFloat(v/row.unit, 'f', row.digits, 64) }
			return fmt.Sprintf("%s [%s..%s]", number(values[len(values)/2]), number(values[0]), number(values[len(values)-1]))
		})
	}
	line("smallest memory in which the first boot ends well, MiB", func(i int) string { return fmt.Sprint(smallest[i]) })
	return table.String()
}

const tableBegin, tableEnd = "<!-- measured: make bench-boot -->\n", "<!-- end -->\n"

func writeTable(t *testing.T, path, table string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", path)
	}
	if err := os.WriteFile(path, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
