//go:build integration && linux

// Package nspawn_test boots machines with a real systemd: Debian in systemd-nspawn, each with an overlay over
// one pristine root and a network of its own. What is proved is proved from outside, over SSH or by looking.
//
// It needs root, and installs the rest. Nothing of the host is changed but a folder in the user's cache; what is
// started is ended by its process id, also when a test fails.
package nspawn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	bootTimeout = 3 * time.Minute
	haltTimeout = 30 * time.Second

	// guestRebooted is nspawn's exit status when the guest wants to be started again and --keep-unit is set.
	guestRebooted = 133
)

// machine is a container that is, or was, running.
type machine struct {
	network
	plug func() error // makes its cards before each boot; nil if they stay
	name string
	dir  string // its own folder in the cache
	root string // its root as it sees it
	disk string // what was written since the pristine root

	mu       sync.Mutex
	nspawn   *exec.Cmd // of the boot at hand
	boots    int
	stopping bool
	off      chan struct{} // closed when it will not boot again
}

// newMachine makes a machine that is not running yet, and whose root can be changed before it boots.
func newMachine(t *testing.T) *machine {
	t.Helper()
	need(t)
	m := newMachineIn(t, newNetwork(t))
	m.write(t, "etc/systemd/network/10-host0.network", 0o644,
		"[Match]\nName=host0\n\n[Network]\nAddress="+machineAddress+"/24\nGateway="+gatewayAddress+"\n")
	return m
}

// newMachineIn makes a machine in a network, with nothing that says how it is set up.
func newMachineIn(t *testing.T, n network) *machine {
	t.Helper()
	return newMachineOver(t, n, pristine(t))
}

// newMachineOver makes a machine over layers of an overlay, the uppermost first.
func newMachineOver(t *testing.T, n network, lower string) *machine {
	t.Helper()
	sweep(t)
	m := &machine{network: n}
	m.name = strings.TrimSuffix(m.inside, "-in")
	m.dir = filepath.Join(cache(t), "run", m.name)
	m.root, m.disk = filepath.Join(m.dir, "root"), filepath.Join(m.dir, "disk")
	work := filepath.Join(m.dir, "work")
	for _, dir := range []string{m.root, m.disk, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(m.dir); err != nil {
			t.Error(err)
		}
	})
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, m.disk, work)
	if err := syscall.Mount("overlay", m.root, "overlay", 0, options); err != nil {
		t.Fatalf("mount an overlay: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(m.root, 0); err != nil {
			t.Errorf("unmount %s: %v", m.root, err)
			_ = syscall.Unmount(m.root, syscall.MNT_DETACH) // or the files below could not be removed
		}
	})
	if lower != pristine(t) {
		return m
	}
	// Nothing but a boot changes the disk, and sshd is a service: without a preset Debian would enable its socket too.
	for _, unit := range []string{"ssh.socket", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"} {
		m.link(t, "etc/systemd/system/"+unit, "/dev/null")
	}
	return m
}

// sweep removes what earlier runs left that were killed together with their cleanup: machines, namespaces, and disks of
// virtual machines.
func sweep(t *testing.T) {
	t.Helper()
	left := map[string]bool{}
	for _, pattern := range []string{filepath.Join(cache(t), "run", "provisioner-*"), "/run/netns/provisioner-*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), "-in"), "-out")
			var pid, n int
			if _, err := fmt.Sscanf(name, "provisioner-%d-%d", &pid, &n); err == nil && syscall.Kill(pid, 0) != nil {
				left[name] = true
			}
		}
	}
	for name := range left {
		t.Logf("removing what another process left: %s", name)
		dir := filepath.Join(cache(t), "run", name)
		_ = syscall.Unmount(filepath.Join(dir, "root"), syscall.MNT_DETACH) // it may not be mounted
		_ = os.RemoveAll(dir)
		for _, side := range []string{"-in", "-out"} {
			_, _ = run("ip", "netns", "del", name+side)
		}
		for _, group := range cgroups(name) {
			removeCgroup(group)
		}
	}
	disks, err := filepath.Glob(filepath.Join(cache(t), "run-vm-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range disks {
		var pid, n int
		if _, err := fmt.Sscanf(filepath.Base(dir), "run-vm-%d-%d", &pid, &n); err == nil && syscall.Kill(pid, 0) != nil {
			t.Logf("removing what another process left: %s", filepath.Base(dir))
			_ = syscall.Unmount(filepath.Join(dir, "root"), syscall.MNT_DETACH) // it may not be mounted
			_ = os.RemoveAll(dir)
		}
	}
}

// write puts a file into the root before the first boot.
func (m *machine) write(t *testing.T, path string, mode os.FileMode, content string) {
	t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// link puts a symbolic link into the root before the first boot.
func (m *machine) link(t *testing.T, path, target string) {
	t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// boot starts the machine and waits until it has settled. It is powered off when the test ends.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	m.start(t)
	m.settle(t, 1)
}

// start starts the machine, for the first time or after its power was cut.
func (m *machine) start(t *testing.T) {
	t.Helper()
	m.off, m.boots, m.stopping, m.nspawn = make(chan struct{}), 0, false, nil
	console, err := os.OpenFile(filepath.Join(m.dir, "console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	groups := cgroups(m.name)
	for _, dir := range groups {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	started := make(chan error, 1)
	go m.power(console, groups, started)
	t.Cleanup(func() {
		if t.Failed() {
			m.explain(t)
		}
		m.halt(t)
		console.Close()
		for _, dir := range groups {
			removeCgroup(dir)
		}
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

// cut cuts the power. What the machine wrote is on its disk, since the host goes on.
func (m *machine) cut(t *testing.T) {
	t.Helper()
	guest := m.guest()
	m.mu.Lock()
	m.stopping = true
	nspawn := m.nspawn
	m.mu.Unlock()
	if guest == 0 {
		t.Fatal("the machine does not run")
	}
	_ = nspawn.Process.Kill() // the guest first would be a shutdown that nspawn sees
	_ = syscall.Kill(guest, syscall.SIGKILL)
	<-m.off
	if err := poll(t.Context(), haltTimeout, func() error {
		if err := syscall.Kill(guest, 0); err == nil {
			return errors.New("the guest is still there")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// power runs nspawn again and again for as long as the guest wants to be rebooted.
func (m *machine) power(console *os.File, groups []string, started chan<- error) {
	defer close(m.off)
	for {
		cmd := m.command(groups)
		cmd.Stdout, cmd.Stderr = console, console
		m.mu.Lock()
		if m.stopping {
			m.mu.Unlock()
			return
		}
		var err error
		if m.plug != nil {
			err = m.plug()
		}
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			m.nspawn = cmd
			m.boots++
		}
		m.mu.Unlock()
		if m.boots == 1 || err != nil {
			select {
			case started <- err:
			default:
			}
		}
		if err != nil {
			return
		}
		_ = cmd.Wait() // the status says it
		if cmd.ProcessState.ExitCode() != guestRebooted {
			return
		}
	}
}

// command is one boot. Two nspawns in one cgroup would share their payload's, so each has its own. A network
// namespace from outside would cost the guest CAP_NET_ADMIN, without which networkd does not start. The time zone
// and the resolver would become the host's at every boot. Without a systemd on the host nothing can be registered.
// nspawn's console is read-only without a terminal; with --console=pipe it would stay empty.
func (m *machine) command(groups []string) *exec.Cmd {
	script := `for dir in $CGROUPS; do echo $$ > "$dir/cgroup.procs"; done; exec "$@"`
	cmd := exec.Command("sh", "-ec", script, "sh", "systemd-nspawn", "--quiet", "--boot", "--directory="+m.root,
		"--network-namespace-path=/run/netns/"+m.inside, "--machine="+m.name, "--hostname=unnamed",
		"--timezone=off", "--resolv-conf=off", "--register=no", "--keep-unit", "--capability=CAP_NET_ADMIN", "--notify-ready=yes")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CGROUPS=" + strings.Join(groups, " ")}
	// SIGTERM is an orderly shutdown. SIGKILL would leave the guest running without its nspawn.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	return cmd
}

// cgroups are a machine's, one in every hierarchy that systemd would use.
func cgroups(name string) (dirs []string) {
	hierarchies := []string{"/sys/fs/cgroup"} // version 2
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err != nil {
		hierarchies = []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}
	}
	for _, h := range hierarchies {
		if _, err := os.Stat(h); err == nil {
			dirs = append(dirs, filepath.Join(h, name))
		}
	}
	return dirs
}

// removeCgroup removes a cgroup with those in it, deepest first. One that is still in use stays: the kernel
// says so, and there is nothing to be done.
func removeCgroup(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			removeCgroup(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}

// guest is the process id of the machine's init, 0 if there is none.
func (m *machine) guest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nspawn == nil {
		return 0
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "PID (NAME) STATE PPID ...", where NAME may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(m.nspawn.Process.Pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	return 0
}

// inside runs a command in the machine, as root, and returns what it printed.
func (m *machine) sh(ctx context.Context, command string) (string, error) {
	pid := m.guest()
	if pid == 0 {
		return "", errors.New("the machine does not run")
	}
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(pid), "-a", "--", "sh", "-c", command)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), withStderr("sh -c", []string{command}, err)
}

// settle waits until boot number n is over: nothing is queued any more. Failed units are settled, too.
func (m *machine) settle(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTimeout)
	defer cancel()
	state := ""
	for {
		m.mu.Lock()
		boots := m.boots
		m.mu.Unlock()
		if boots >= n {
			// It fails for every state but "running", and until there is a systemd to ask.
			state, _ = m.sh(ctx, "systemctl is-system-running")
			if state == "running" || state == "degraded" {
				return
			}
		}
		select {
		case <-m.off:
			t.Fatalf("the machine went off during boot %d", n)
		case <-ctx.Done():
			t.Fatalf("boot %d has not settled after %s: %s", n, bootTimeout, state)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reboot has the machine reboot itself, as an administrator would, and waits until it has settled.
func (m *machine) reboot(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	next := m.boots + 1
	m.mu.Unlock()
	// The command may not live to tell.
	_, _ = m.sh(t.Context(), "systemctl reboot")
	m.settle(t, next)
}

// halt powers the machine off, and ends it the hard way if it does not listen.
func (m *machine) halt(t *testing.T) {
	t.Helper()
	guest := m.guest()
	m.mu.Lock()
	m.stopping = true
	nspawn := m.nspawn
	m.mu.Unlock()
	if nspawn != nil {
		_ = nspawn.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	select {
	case <-m.off:
		return
	case <-time.After(haltTimeout):
	}
	t.Errorf("the machine did not shut down in %s", haltTimeout)
	if guest != 0 {
		_ = syscall.Kill(guest, syscall.SIGKILL) // nspawn's own end would leave it running
	}
	_ = nspawn.Process.Kill()
	<-m.off
}

// explain shows what the machine said, for a test that failed.
func (m *machine) explain(t *testing.T) {
	t.Helper()
	if console, err := os.ReadFile(filepath.Join(m.dir, "console")); err == nil {
		t.Logf("console:\n%s", tail(string(console), 60))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, command := range []string{
		"journalctl -b --no-pager -o short-monotonic -u 'provisioner*' -t provisioner | tail -n 100",
		"systemctl --no-pager --failed; systemctl --no-pager list-jobs",
		"provisioner status",
	} {
		out, err := m.sh(ctx, command)
		t.Logf("%s: %v\n%s", command, err, out)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// watched collects output and tells when a text was in it.
type watched struct {
	text string
	seen chan struct{}

	mu   sync.Mutex
	all  bytes.Buffer
	told bool
}

// Write implements io.Writer.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if !w.told && strings.Contains(w.all.String(), w.text) {
		w.told = true
		close(w.seen)
	}
	return len(p), nil
}

// String is everything that was written so far.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
