//go:build linux

package firstboot_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/confirm"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/source"
)

const (
	ourFile  = "etc/systemd/network/05-provisioner-dummy7.network"
	markFile = "var/lib/provisioner/network/pending.json"
)

// onDummy is a configuration with a network of one made link.
func onDummy(address string) string {
	return "#cloud-config\nhostname: web1\nnetwork:\n  version: 2\n  dummy-devices:\n    dummy7:\n      addresses: [" + address + "]\n"
}

// fakeNet is a network in which an address works unless it is 192.0.2.66; the image has one of its own.
type fakeNet struct {
	*machine
	loaded string // the file of ours that networkd read last
	off    bool
	now    time.Time
}

func (n *fakeNet) with(env *firstboot.Env) {
	env.Network, env.Interfaces = &confirm.System{Kernel: n, Networkd: n, Prober: n}, n.Interfaces
	env.Now = func() time.Time { n.now = n.now.Add(10 * time.Second); return n.now } // every look at the clock takes that long
}

func (n *fakeNet) Interfaces(context.Context) ([]plan.Interface, error) {
	card := plan.Interface{
		Name: "eth0", Index: 2, Up: true, Carrier: true, Addresses: []plan.InterfaceAddress{{Prefix: netip.MustParsePrefix("198.51.100.7/24")}},
		Routes: []plan.InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("198.51.100.1")}},
	}
	dummy := plan.Interface{Name: "dummy7", Index: 3, Kind: "dummy", Up: true, Carrier: true}
	for _, line := range strings.Split(n.loaded, "\n") {
		if p, err := netip.ParsePrefix(strings.TrimPrefix(line, "Address=")); err == nil && p.Addr() != netip.MustParseAddr("192.0.2.66") {
			dummy.Addresses = append(dummy.Addresses, plan.InterfaceAddress{Prefix: p})
		}
	}
	return []plan.Interface{card, dummy}, nil
}
func (n *fakeNet) Delete(context.Context, int) error      { return nil }
func (n *fakeNet) Rename(int, string) error               { return nil }
func (n *fakeNet) SetMTU(int, int) error                  { return nil }
func (n *fakeNet) Release(int) error                      { return nil }
func (n *fakeNet) RemoveAddress(int, netip.Prefix) error  { return nil }
func (n *fakeNet) ReloadUdev(context.Context) error       { return nil }
func (n *fakeNet) Running(context.Context) (bool, error)  { return !n.off, nil }
func (n *fakeNet) Enabled(context.Context) (bool, error)  { return true, nil }
func (n *fakeNet) Start(context.Context) error            { return nil }
func (n *fakeNet) Reconfigure(context.Context, int) error { return nil }
func (n *fakeNet) Known(context.Context) (map[int]string, error) {
	return map[int]string{2: "eth0", 3: "dummy7"}, nil
}
func (n *fakeNet) Answers(context.Context, int, netip.Addr, netip.Addr) (bool, error) {
	return true, nil
}
func (n *fakeNet) Reach(context.Context, string) error { return nil }

// networkd is asked twice under the name of Reload: PID 1 has one too, and the machine counts that.
func (n *fakeNet) Reload(context.Context) error {
	n.loaded = n.read(ourFile)
	return n.call("networkd reload")
}

func newFakeNet(t *testing.T, userData string) *fakeNet {
	m := fromFile(t, userData)
	m.write("proc/sys/kernel/random/boot_id", "boot-1\n")
	return &fakeNet{machine: m, now: time.Unix(1_790_000_000, 0)}
}

// A network that works is confirmed, and is no matter for systemd any more; one that does not is put back, and all else stays.
func TestNetworkIsTried(t *testing.T) {
	n := newFakeNet(t, onDummy("192.0.2.10/24"))
	r, calls := n.run(firstboot.Apply, n.with)
	if r.ExitStatus != report.ExitDone || r.Network == nil || r.Network.State != "confirmed" || n.read(markFile) != "(none)" {
		t.Fatalf("%+v, errors %q\n%s", r.Network, r.Errors, &n.console)
	}
	if diff := cmp.Diff([]string{"networkd reload", "hostname web1"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	good := n.read(ourFile)

	n.write("usr/share/oem/cloud-config.yml", strings.Replace(onDummy("192.0.2.66/24"), "web1", "web2", 1))
	r, _ = n.run(firstboot.Apply, n.with)
	want := &report.Network{State: "restored", Failed: []string{"dummy7: the address 192.0.2.66/24 is not there"}, Restored: "last-confirmed"}
	if diff := cmp.Diff(want, r.Network); diff != "" || r.ExitStatus != report.ExitDegraded || len(r.Errors) != 1 {
		t.Errorf("exit status %d, errors %q, network (-want +got):\n%s%s", r.ExitStatus, r.Errors, diff, &n.console)
	}
	if n.read(ourFile) != good || n.read("etc/hostname") != "web2\n" {
		t.Errorf("the network is %q, the name %q", n.read(ourFile), n.read("etc/hostname"))
	}
	if text := n.read("run/provisioner/status.json"); !strings.Contains(text, `"restored": "last-confirmed"`) {
		t.Errorf("status: %s", text)
	}

	// What was put back is what is asked for again: nothing is wrong any more.
	n.write("usr/share/oem/cloud-config.yml", onDummy("192.0.2.10/24"))
	if r, _ = n.run(firstboot.Apply, n.with); r.ExitStatus != report.ExitDone || r.Network != nil || n.read(markFile) != "(none)" {
		t.Errorf("exit status %d, network %+v, errors %q\n%s", r.ExitStatus, r.Network, r.Errors, &n.console)
	}
}

// boot runs the stages of a boot.
func (n *fakeNet) boot(id string, running func(stage string) bool) *report.Report {
	n.t.Helper()
	n.reboot()
	n.write("proc/sys/kernel/random/boot_id", id+"\n")
	var r *report.Report
	for _, s := range []struct {
		name string
		run  func(context.Context, firstboot.Env) *report.Report
	}{{"local", firstboot.BootLocal}, {"floor", firstboot.BootFloor}, {"main", firstboot.BootMain}, {"handoff", firstboot.BootHandoff}} {
		was := n.off
		if n.off = !running(s.name); was && !n.off {
			n.loaded = n.read(ourFile) // it starts
		}
		r, _ = n.run(s.run, n.with)
	}
	return r
}

// A mark of another boot: the files of before are there when networkd starts, and the network is tried once more.
func TestNetworkAfterPowerCut(t *testing.T) {
	n := newFakeNet(t, onDummy("192.0.2.10/24"))
	late := func(stage string) bool { return stage == "main" || stage == "handoff" }
	if r := n.boot("boot-1", late); r.ExitStatus != report.ExitDone || r.Network == nil || r.Network.State != "confirmed" {
		t.Fatalf("%+v, errors %q\n%s", r.Network, r.Errors, &n.console)
	}
	good := n.read(ourFile)
	// The power is cut while it is checked.
	n.write("usr/share/oem/cloud-config.yml", onDummy("192.0.2.66/24"))
	func() {
		defer func() { _ = recover() }()
		n.run(firstboot.Apply, n.with, func(env *firstboot.Env) {
			env.Network.Prober = nil
			env.Network.Kernel = dying{n}
		})
	}()
	if n.read(ourFile) == good || n.read(markFile) == "(none)" {
		t.Fatalf("the network that was cut short: %q, the mark: %s", n.read(ourFile), n.read(markFile))
	}
	var seen string
	r := n.boot("boot-2", func(stage string) bool {
		if stage == "floor" {
			seen = n.read(ourFile) // as networkd finds it
		}
		return late(stage)
	})
	if seen != good {
		t.Errorf("networkd finds %q", seen)
	}
	if n.read(ourFile) != good || r.ExitStatus != report.ExitDegraded || r.Network.State != "restored" {
		t.Errorf("%+v, exit status %d\n%s", r.Network, r.ExitStatus, &n.console)
	}
	// It has failed now, and that is told on every boot; nothing more is tried.
	began := n.console.Len()
	if r := n.boot("boot-3", late); r.ExitStatus != report.ExitDegraded || n.read(ourFile) != good || strings.Contains(n.console.String()[began:], "going back") {
		t.Errorf("a later boot: %+v, exit status %d\n%s", r.Network, r.ExitStatus, n.console.String()[began:])
	}
}

// dying is a kernel that takes the power away with it.
type dying struct{ *fakeNet }

func (d dying) ReloadUdev(context.Context) error { panic("cut") }

func TestTryNetwork(t *testing.T) {
	const config = "network:\n  version: 2\n  dummy-devices:\n    dummy7:\n      addresses: [192.0.2.%/24]\n"
	with := func(last string) *source.File {
		return &source.File{Name: "net", Bytes: []byte(strings.Replace(config, "%", last, 1))}
	}
	yes, no := func(context.Context) bool { return true }, func(context.Context) bool { return false }
	for _, test := range []struct {
		name   string
		try    firstboot.Try
		status int
		kept   bool
	}{
		{"a network-config", firstboot.Try{File: with("10"), Kind: "cloud-init"}, report.ExitDone, true},
		{"a cloud-config", firstboot.Try{File: &source.File{Name: "web.yaml", Bytes: []byte(onDummy("192.0.2.10/24"))}}, report.ExitDone, true},
		{"kept", firstboot.Try{File: with("10"), Kind: "cloud-init", Wanted: yes}, report.ExitDone, true},
		{"not kept", firstboot.Try{File: with("10"), Kind: "cloud-init", Wanted: no}, report.ExitDegraded, false},
		{"not well", firstboot.Try{File: with("66"), Kind: "cloud-init", Wanted: yes}, report.ExitDegraded, false},
		{"wrong", firstboot.Try{File: with("666"), Kind: "cloud-init"}, report.ExitRefused, false},
		{"nothing", firstboot.Try{File: &source.File{Name: "net"}, Kind: "cloud-init"}, report.ExitFailed, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newFakeNet(t, "")
			test.try.Timeout = time.Minute
			r, _ := n.run(func(ctx context.Context, env firstboot.Env) *report.Report {
				return firstboot.TryNetwork(ctx, env, test.try)
			}, n.with)
			if kept := n.read(ourFile) != "(none)"; r.ExitStatus != test.status || kept != test.kept {
				t.Errorf("exit status %d, kept: %v, errors %q\n%s", r.ExitStatus, kept, r.Errors, &n.console)
			}
			if n.read("etc/hostname") != "(none)" {
				t.Error("more than the network is applied")
			}
		})
	}
}

// What goes wrong between the commit and the check is no reason to do without the check.
func TestNetworkIsTriedAfterTrouble(t *testing.T) {
	n := newFakeNet(t, onDummy("192.0.2.66/24"))
	n.write("sys/fs/selinux/enforce", "1")
	r, _ := n.run(firstboot.Apply, n.with, func(env *firstboot.Env) { env.Restorecon = "/nonexistent" })
	if r.ExitStatus != report.ExitDegraded || r.Network == nil || r.Network.State != "restored" || n.read(ourFile) != "(none)" {
		t.Errorf("exit status %d, %+v, the file is %q\n%s", r.ExitStatus, r.Network, n.read(ourFile), &n.console)
	}
}

// What is put back has its SELinux labels before networkd reads it, in the run and at the boot after a power cut.
func TestWhatIsPutBackIsLabelled(t *testing.T) {
	n := newFakeNet(t, onDummy("192.0.2.10/24"))
	n.write("sys/fs/selinux/enforce", "1")
	// Each call is told with what is there of our file then.
	n.write("restorecon", "#!/bin/sh\ncd "+n.dir+"\ntr '\\0' '\\n' | grep -q "+ourFile+" && grep ^Address= "+ourFile+" >>labelled\nexit 0\n")
	program := filepath.Join(n.dir, "restorecon")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(env *firstboot.Env) { n.with(env); env.Restorecon = program }
	n.run(firstboot.Apply, with)
	n.write("usr/share/oem/cloud-config.yml", onDummy("192.0.2.66/24"))
	if r, _ := n.run(firstboot.Apply, with); r.Network == nil || r.Network.State != "restored" {
		t.Fatalf("%+v\n%s", r.Network, &n.console)
	}
	labelled := strings.TrimSpace(n.read("labelled"))
	if !strings.Contains(labelled, "192.0.2.66") || !strings.HasSuffix(labelled, "Address=192.0.2.10/24") {
		t.Errorf("labelled in turn: %q", labelled)
	}
}
