//go:build integration && linux

package machines_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudconfig/integration/vm"
)

// bootTimeout is how long a machine may take from power-on to a login. What is tested is not fast: the processor is
// emulated, and others use this machine too.
const bootTimeout = 8 * time.Minute

// hardware is a machine as it is bought.
type hardware struct {
	disk      string   // root, on NVMe, which the kernel mounts by itself; empty for none
	writeBack string   // how the host keeps what is written to it: "unsafe" unless it is said
	seed      string   // a further disk on NVMe, which is there before any module is loaded
	drives    []string // further disks, as virtio-blk: this kernel has no driver for an emulated CD-ROM
	arguments string   // of the kernel
	uuid      string   // of the SMBIOS
	smbios    []string // further -smbios
	memoryMiB int      // 1024 unless it is said
	clock     string   // when it starts, as -rtc base= has it; empty for now
	pxe       bool     // the card's ROM boots it, and nothing else
	efi       bool     // UEFI boots it by HTTP, and nothing else
}

// machine is a virtual machine that was switched on.
type machine struct {
	world
	nic
	dir   string
	since time.Time // power-on

	qemu *exec.Cmd
	off  chan struct{} // closed when it is off
}

// powerOn switches a machine on. It goes off with the test.
func (w world) powerOn(t *testing.T, card nic, h hardware) *machine {
	t.Helper()
	m := &machine{world: w, nic: card, dir: scratch(t), off: make(chan struct{})}
	m.qemu = w.command(context.Background(), append([]string{"qemu-system-x86_64"}, h.flags(t, card)...)...)
	m.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	console, err := os.Create(filepath.Join(m.dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	m.qemu.Stdout, m.qemu.Stderr = console, console
	m.since = time.Now()
	if err := m.qemu.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.off)
		_ = m.qemu.Wait() // killed or off
		console.Close()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("console:\n%s", tail(m.console(), 150))
		}
		m.cut()
	})
	return m
}

// cut cuts the power.
func (m *machine) cut() {
	_ = m.qemu.Process.Kill() // it may be off
	<-m.off
}

func (h hardware) flags(t *testing.T, card nic) []string {
	t.Helper()
	memory := h.memoryMiB
	if memory == 0 {
		memory = 1024
	}
	// Without graphics the firmware and iPXE print on the serial line too.
	flags := []string{"-machine", "q35,graphics=off", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", strconv.Itoa(memory),
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-device", "virtio-rng-pci",
		"-netdev", "tap,id=n0,ifname=" + card.tap + ",script=no,downscript=no"}
	if h.efi {
		variables := filepath.Join(scratch(t), "variables")
		mustRun(t, "cp", efiVariables, variables)
		flags = append(flags, "-drive", "if=pflash,format=raw,readonly=on,file="+efiFirmware, "-drive", "if=pflash,format=raw,file="+variables,
			"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no", "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no")
	}
	if h.pxe {
		flags = append(flags, "-boot", "n", "-device", "virtio-net-pci,netdev=n0,bootindex=1,mac="+card.mac)
	} else {
		flags = append(flags, "-device", "virtio-net-pci,netdev=n0,romfile=,mac="+card.mac)
	}
	if h.disk != "" {
		kernel, _, err := vm.Kernel()
		if err != nil {
			missing(t, "a kernel: "+err.Error())
		}
		flags = append(flags, "-kernel", kernel, "-append", "root=/dev/nvme0n1 rw "+kernelArguments+" "+h.arguments)
		cache := h.writeBack
		if cache == "" {
			cache = "unsafe"
		}
		flags = append(flags, "-drive", "if=none,id=root,file="+h.disk+",cache="+cache+",format="+format(t, h.disk), "-device", "nvme,drive=root,serial=root")
	}
	if h.seed != "" {
		flags = append(flags, "-drive", "if=none,id=seed,format=raw,readonly=on,file="+h.seed, "-device", "nvme,drive=seed,serial=seed")
	}
	for _, drive := range h.drives {
		flags = append(flags, "-drive", "if=virtio,format=raw,readonly=on,file="+drive)
	}
	if h.uuid != "" {
		flags = append(flags, "-uuid", h.uuid)
	}
	for _, s := range h.smbios {
		flags = append(flags, "-smbios", s)
	}
	if h.clock != "" {
		flags = append(flags, "-rtc", "base="+h.clock)
	}
	return flags
}

// kernelArguments keep an emulated boot short: what they leave out is of no matter to it. A processor that others want too is
// late for the check of the timer.
const kernelArguments = "console=ttyS0 quiet " + emulated

const emulated = "mitigations=off cryptomgr.notests=1 no_timer_check panic=-1"

func format(t *testing.T, disk string) string {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := f.Read(magic); err != nil {
		t.Fatal(err)
	}
	if string(magic) == "QFI\xfb" {
		return "qcow2"
	}
	return "raw"
}

// console is what the machine printed so far.
func (m *machine) console() string {
	text, err := os.ReadFile(filepath.Join(m.dir, "console"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.ReplaceAll(text, []byte("\r"), nil))
}

// sshKey is a key pair: a file, and the line for authorized_keys.
type sshKey struct{ private, public string }

func newSSHKey(t *testing.T, comment string) sshKey {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	mustRun(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return sshKey{file, strings.TrimSpace(string(public))}
}

// ssh runs a command on the machine, logged in with a key.
func (m *machine) ssh(ctx context.Context, key sshKey, user, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return output(m.command(ctx, "ssh", "-F", "none", "-i", key.private, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR", user+"@"+m.address, command))
}

// login waits until a user can log in with a key, and says how long that took from power-on.
func (m *machine) login(t *testing.T, key sshKey, user string) time.Duration {
	t.Helper()
	banner, took, err := m.tryLogin(t.Context(), bootTimeout, key, user)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("power-on to sshd's banner %.1f s, to the login of %s %.1f s", banner.Seconds(), user, took.Seconds())
	return took
}

// tryLogin says besides when sshd was there, if that was not before. The door is knocked at before a key is tried: a handshake
// costs an emulated processor seconds.
func (m *machine) tryLogin(ctx context.Context, timeout time.Duration, key sshKey, user string) (banner, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for {
		if banner == 0 {
			if last = m.knock(); last == nil {
				banner = time.Since(m.since)
			}
		}
		if banner != 0 {
			var who string
			if who, last = m.ssh(ctx, key, user, "id -un"); last == nil && who == user {
				return banner, time.Since(m.since), nil
			}
		}
		select {
		case <-m.off:
			return 0, 0, fmt.Errorf("the machine went off before %s could log in", user)
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("%s cannot log in after %s: %w", user, timeout, last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// knock waits for the banner of sshd.
func (m *machine) knock() error {
	conn, err := m.dial(m.address + ":22")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	banner := make([]byte, 4)
	if _, err := conn.Read(banner); err != nil || string(banner) != "SSH-" {
		return fmt.Errorf("no banner but %q: %w", banner, err)
	}
	return nil
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
