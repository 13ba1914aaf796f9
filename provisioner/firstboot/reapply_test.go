//go:build linux

package firstboot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

const oemFile = "usr/share/oem/cloud-config.yml"

// remains are the lines of a report on what was left.
func remains(r *report.Report) string { return strings.Join(r.Remains(), "\n") }

// units is what systemd was asked, without the kernel's hostname, which is the test machine's own.
func units(calls []string) []string {
	return slices.DeleteFunc(calls, func(c string) bool { return strings.HasPrefix(c, "hostname ") })
}

func (m *machine) isThere(path string) bool {
	_, err := os.Lstat(filepath.Join(m.dir, path))
	return err == nil
}

func overwrite(env *firstboot.Env) { env.Overwrite = true }
func prune(env *firstboot.Env)     { env.Prune = true }

// One configuration of everything that there is a record of, applied twice: the second time nothing is written, not even with the
// same content, and nothing that runs is restarted.
func TestApplyTwice(t *testing.T) {
	m := fromFile(t, config+`    - name: again.service
      command: reload-or-restart
users:
  - name: anna
    passwd: $6$abc$0123456789012345678901234567890123456789012345678901234567890123456789012345678901234.
    sudo: ALL=(ALL) NOPASSWD:ALL
    groups: [sudo]
    ssh_authorized_keys: ["`+laptopKey+`"]
manage_etc_hosts: localhost
locale: de_DE.UTF-8
timezone: UTC
ca_certs: {remove_defaults: true}
`)
	m.write("usr/sbin/update-ca-certificates", "")
	m.write("etc/ca-certificates.conf", "a.crt\n!b.crt\n")
	r, calls := m.run(firstboot.Apply)
	if r.State != report.Done || len(calls) == 0 {
		t.Fatalf("%s, %v, %q", r.State, r.Errors, calls)
	}
	before := m.persistent()
	r, calls = m.run(firstboot.Apply)
	calls = units(calls)
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"start web.service", "start again.service"}, calls); diff != "" || r.State != report.Done || len(r.Changes) > 0 {
		t.Errorf("%s, %v\n%s", r.State, r.Changes, diff)
	}
	if remains(r) != "" {
		t.Errorf("left:\n%s", remains(r))
	}
}

func TestChangedByHand(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.Apply)
	m.write("etc/motd", "by hand")
	if err := os.Remove(filepath.Join(m.dir, "etc/systemd/system/multi-user.target.wants/web.service")); err != nil {
		t.Fatal(err)
	}
	const want = `kept: /etc/motd was changed by hand since; --overwrite takes it back
kept: /etc/systemd/system/multi-user.target.wants/web.service was removed by hand since; --overwrite takes it back`
	for range 2 { // it is not ours because it was seen once
		r, _ := m.run(firstboot.Apply)
		if diff := cmp.Diff(want, remains(r)); diff != "" || r.State != report.Done || m.read("etc/motd") != "by hand" {
			t.Errorf("%s, %q\n%s", r.State, m.read("etc/motd"), diff)
		}
	}
	// A boot never takes anything back.
	m.write(settingsFile, m.read(settingsFile)+"later-boots: apply\n")
	m.write(oemFile, strings.ReplaceAll(config, "web1", "web2"))
	m.reboot()
	if r, _ := m.run(firstboot.BootMain); m.read("etc/motd") != "by hand" || m.read("etc/hostname") != "web2\n" || remains(r) != want {
		t.Errorf("%s, %q\n%s", m.read("etc/hostname"), m.read("etc/motd"), remains(r))
	}
	r, _ := m.run(firstboot.Apply, overwrite)
	if m.read("etc/motd") != "hello" || !m.isThere("etc/systemd/system/multi-user.target.wants/web.service") || remains(r) != "" {
		t.Errorf("overwritten: %q\n%s", m.read("etc/motd"), remains(r))
	}
}

// Of two lines of one name one is somebody else's: none goes, and with --overwrite only one.
func TestALineOfSomebodyElse(t *testing.T) {
	m := fromFile(t, "#cloud-config\nhostname: web1\nmanage_etc_hosts: localhost\n")
	m.write("etc/hosts", "127.0.0.1 localhost\n")
	m.run(firstboot.Apply)
	ours := m.read("etc/hosts")
	m.write("etc/hosts", ours+"127.0.1.1 alias\n")
	m.write(oemFile, "#cloud-config\nhostname: web1\n")
	if m.run(firstboot.Apply, prune); m.read("etc/hosts") != ours+"127.0.1.1 alias\n" {
		t.Errorf("hosts is %q", m.read("etc/hosts"))
	}
	if m.run(firstboot.Apply, prune, overwrite); !strings.HasSuffix(m.read("etc/hosts"), "127.0.1.1 alias\n") || m.read("etc/hosts") == ours+"127.0.1.1 alias\n" {
		t.Errorf("overwritten: hosts is %q", m.read("etc/hosts"))
	}
}

func TestWhatIsNoLongerAskedFor(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.Apply)
	m.write(oemFile, "#cloud-config\nhostname: web1\n")
	r, calls := m.run(firstboot.Apply)
	for _, path := range []string{"etc/motd", "etc/systemd/system/web.service", "run/early/flag"} {
		if m.read(path) == "(none)" || !strings.Contains(remains(r), "left over: /"+path+" is no longer asked for; --prune removes it") {
			t.Errorf("%s is %q\n%s", path, m.read(path), remains(r))
		}
	}
	if len(units(calls)) > 0 {
		t.Errorf("calls %q", calls)
	}
	m.write("etc/motd", "by hand")

	r, calls = m.run(firstboot.Apply, prune)
	for _, path := range []string{"etc/systemd/system/web.service", "etc/systemd/system/multi-user.target.wants", agentDropIn, "run/early/flag"} {
		if m.isThere(path) {
			t.Errorf("%s is there", path)
		}
	}
	const kept = "left over: /etc/motd is no longer asked for, and was changed by hand since; --prune --overwrite removes it"
	if diff := cmp.Diff(kept, remains(r)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"reload", "stop web.service", "stop scratch.service"}, units(calls)); diff != "" {
		t.Error(diff)
	}
	if m.read("etc/hostname") != "web1\n" {
		t.Error("what is asked for stays")
	}
	if r, _ := m.run(firstboot.Apply, prune, overwrite); m.read("etc/motd") != "(none)" || remains(r) != "" {
		t.Errorf("%q\n%s", m.read("etc/motd"), remains(r))
	}
}

// A boot was cut short after the commit and before everything was started, and the user-data is another one now.
func TestHalfway(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain) // and the power goes
	m.reboot()
	if r, _ := m.run(firstboot.BootMain); r.State != report.Running {
		t.Fatalf("the same configuration: %s, %v", r.State, r.Errors)
	}
	m.reboot()
	m.write(oemFile, strings.ReplaceAll(config, "web1", "web2"))
	r, calls := m.run(firstboot.BootMain)
	if r.State != report.Failed || len(r.Errors) != 1 || len(calls) > 0 || m.read("etc/hostname") != "web1\n" {
		t.Fatalf("another configuration: %s, %q, calls %q", r.State, r.Errors, calls)
	}
	for _, want := range []string{"and the user-data is ", "was committed and not handed off to the end", "provisioner apply"} {
		if !strings.Contains(r.Errors[0], want) {
			t.Errorf("%q says nothing of %q", r.Errors[0], want)
		}
	}
	if r, _ := m.run(firstboot.Apply); r.State != report.Done || m.read("etc/hostname") != "web2\n" {
		t.Errorf("apply: %s, %v", r.State, r.Errors)
	}
	// Once it was handed off, another configuration is told of and left alone.
	m.reboot()
	m.write(oemFile, config)
	if r, _ := m.run(firstboot.BootMain); r.State != report.Running {
		t.Errorf("after the hand-off: %s, %v", r.State, r.Errors)
	}
}

func TestHandOffIsResumed(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootMain) // and the power goes
	m.reboot()
	m.run(firstboot.BootLocal)
	m.run(firstboot.BootMain)
	if r, calls := m.run(firstboot.BootHandoff); r.State != report.Done || !strings.Contains(strings.Join(calls, "\n"), "start web.service") {
		t.Fatalf("%s, %q", r.State, calls)
	}
	before := m.persistent()
	m.reboot()
	m.run(firstboot.BootLocal)
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	if diff := cmp.Diff(before, m.persistent()); diff != "" {
		t.Errorf("a later boot writes\n%s", diff)
	}
}

// A systemd that is not to be reached has not got anything: the next boot hands off all of it.
func TestNothingIsHandedOffWithoutSystemd(t *testing.T) {
	m := fromFile(t, config)
	r, _ := m.run(firstboot.Apply, func(env *firstboot.Env) {
		env.Manager = func(context.Context) (handoff.Manager, error) { return nil, errors.New("no bus") }
	})
	if r.State != report.Degraded || m.isThere("var/lib/provisioner/instance/handed-off.json") {
		t.Errorf("%s, %v", r.State, r.Errors)
	}
	if r, _ := m.run(firstboot.Apply); r.State != report.Done || !m.isThere("var/lib/provisioner/instance/handed-off.json") {
		t.Errorf("%s, %v", r.State, r.Errors)
	}
}

func TestAnotherInstance(t *testing.T) {
	m := fromFile(t, config)
	as := func(id string) func(*firstboot.Env) {
		return func(env *firstboot.Env) {
			env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: id, Hostname: id, SSHKeys: []string{laptopKey}}
		}
	}
	m.write("etc/ssh/ssh_host_ed25519_key", "the old key\n")
	m.write("etc/ssh/ssh_host_ed25519_key.pub", "the old public key\n")
	m.write("usr/lib/systemd/system/ssh.service", "[Service]\n")
	m.run(firstboot.BootMain, as("i-old"))
	m.run(firstboot.BootHandoff)
	if m.read("run/early/flag") != "up" || m.read("etc/ssh/ssh_host_ed25519_key") != "the old key\n" {
		t.Fatal("the first instance is not there")
	}

	// The new one is refused: the floor stands, and nothing is kept of the old one but the list of what it has made.
	m.write(oemFile, "#cloud-config\nno-such-key: 1\n")
	r, _ := m.run(firstboot.BootMain, as("i-new"))
	if r.State != report.Refused || m.read("etc/hostname") != "i-new\n" || m.read("run/early/flag") != "(none)" {
		t.Errorf("%s, hostname %q, flag %q", r.State, m.read("etc/hostname"), m.read("run/early/flag"))
	}
	if key := m.read("etc/ssh/ssh_host_ed25519_key"); !strings.Contains(key, "OPENSSH PRIVATE KEY") || m.read("etc/ssh/ssh_host_ed25519_key.pub") == "the old public key\n" {
		t.Errorf("host key %q", key)
	}
	for path, text := range m.persistent() {
		if strings.HasPrefix(path, "var/lib/provisioner") && strings.Contains(text, "infra0") {
			t.Errorf("%s has user-data of the old instance", path)
		}
	}
	if !strings.Contains(m.read("var/lib/provisioner/left.json"), "etc/motd") {
		t.Error("there is no list of what the old one has made")
	}

	// It is mended: what it asks for comes before what anybody has changed meanwhile, and what it does not have is left over.
	m.write("etc/motd", "by hand")
	m.write(oemFile, "#cloud-config\nwrite_files: [{path: /etc/motd, content: new}]\n")
	key := m.read("etc/ssh/ssh_host_ed25519_key")
	r, _ = m.run(firstboot.BootMain, as("i-new"))
	if m.read("etc/motd") != "new" || r.State != report.Running || m.read("etc/ssh/ssh_host_ed25519_key") != key {
		t.Errorf("%s, %v, motd %q", r.State, r.Errors, m.read("etc/motd"))
	}
	if diff := cmp.Diff("/etc/systemd/system/multi-user.target.wants/web.service /etc/systemd/system/web.service", orphanPaths(r)); diff != "" {
		t.Error(diff)
	}
	if m.read("var/lib/provisioner/left.json") != "(none)" {
		t.Error("the list is there twice")
	}
	m.run(firstboot.Apply, as("i-new"), prune)
	if m.read("etc/systemd/system/web.service") != "(none)" || m.read("etc/motd") != "new" {
		t.Error("what the old one has made cannot be pruned")
	}
	if dirs, err := os.ReadDir(filepath.Join(m.dir, "var/lib/provisioner/instances")); err != nil || len(dirs) != 1 {
		t.Errorf("directories %v, %v", dirs, err)
	}
}

func orphanPaths(r *report.Report) string {
	var out []string
	for i := len(r.Orphans) - 1; i >= 0; i-- {
		out = append(out, r.Orphans[i].Path)
	}
	return strings.Join(out, " ")
}

// The same machine by another name: a datasource that tells an id comes after one that has none.
func TestAnotherNameIsNoOtherInstance(t *testing.T) {
	m := fromFile(t, config)
	m.write("etc/ssh/ssh_host_ed25519_key", "the key\n")
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	m.write("etc/motd", "by hand")
	r, _ := m.run(firstboot.BootMain, func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: "i-1"}
	})
	if m.read("etc/ssh/ssh_host_ed25519_key") != "the key\n" || m.read("etc/motd") != "by hand" || len(r.Kept) != 1 {
		t.Errorf("motd %q, kept %v", m.read("etc/motd"), r.Kept)
	}
}

// A copy of the disk in another machine is not given what the machine had below /run, and gets an access floor of its own.
func TestACopy(t *testing.T) {
	m := fromFile(t, config)
	m.write("etc/machine-id", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n")
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	m.write("etc/machine-id", "ffffffffffffffffffffffffffffffff\n")
	m.reboot()
	root, err := fsroot.Open(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := firstboot.Generate(context.Background(), root, nil, "/run/systemd/generator"); err != nil {
		t.Fatal(err)
	}
	if m.read(agentDropIn) != "(none)" || m.read("run/early/flag") != "(none)" {
		t.Error("it has what the other machine had")
	}
	m.run(firstboot.BootFloor, func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: "i-2", Hostname: "two"}
	})
	if m.read("etc/hostname") != "two\n" {
		t.Errorf("hostname %q", m.read("etc/hostname"))
	}
}

// A first boot that was cut short before the commit begins anew, whatever the configuration is by then.
func TestCutBeforeTheCommit(t *testing.T) {
	m := fromFile(t, config)
	m.run(firstboot.BootFloor, func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: "i-1", Hostname: "platform"}
	})
	m.reboot()
	m.write(oemFile, strings.ReplaceAll(config, "web1", "web2"))
	r, _ := m.run(firstboot.BootMain, func(env *firstboot.Env) {
		env.Metadata = &schema.Metadata{Version: 1, Datasource: "test", InstanceID: "i-1", Hostname: "platform"}
	})
	if r.State != report.Running || m.read("etc/hostname") != "web2\n" || remains(r) != "" {
		t.Errorf("%s, %v, hostname %q\n%s", r.State, r.Errors, m.read("etc/hostname"), remains(r))
	}
}
