//go:build linux

package firstboot_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/report"
)

// What needs more than this machine, or is wrong, the first stage leaves to the later ones, without a word.
func TestLocalLeavesToLaterStages(t *testing.T) {
	for name, c := range map[string]struct {
		userData string
		settings string // more of them
		state    report.State
	}{
		"a boothook": {userData: "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/cloud-boothook\n\n#!/bin/sh\n\n--b\nContent-Type: text/cloud-config\n\n#cloud-config\nhostname: web1\n--b--\n",
			state: report.Running},
		"an include":              {userData: "#include\nfile:///usr/share/more\n", state: report.Refused},
		"an address":              {userData: "#cloud-config\nhostname: web1\ncoreos:\n  etcd2:\n    advertise-client-urls: http://$private_ipv4:2379\n", state: report.Refused},
		"a mistake":               {userData: "#cloud-config\nhostnme: web1\n", state: report.Refused},
		"settings that are wrong": {userData: "#cloud-config\nhostname: web1\n", settings: "removable: maybe\n", state: report.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, c.userData)
			m.write(settingsFile, m.read(settingsFile)+c.settings)
			before := m.persistent()
			r, calls := m.run(firstboot.BootLocal)
			if wrong := c.settings != ""; !wrong && (r.State != report.Running || len(r.Errors)+len(r.Diagnostics)+len(calls) > 0) {
				t.Errorf("local: %s, %v, %v, %q", r.State, r.Errors, r.Diagnostics, calls)
			}
			if strings.Contains(m.console.String(), "refused") || strings.Contains(m.console.String(), "waiting") {
				t.Errorf("it says: %s", m.console.String())
			}
			for name, was := range before {
				if now := m.persistent()[name]; now != was {
					t.Errorf("%s was changed", name)
				}
			}
			if c.state == report.Refused && strings.Contains(c.userData, "$private") {
				return // the rest waits half a minute for an address
			}
			if r, _ := m.run(firstboot.BootMain); r.State != c.state {
				t.Errorf("main: %s, %v, want %s", r.State, r.Errors, c.state)
			}
		})
	}
}

// The first stage finds that another program is to provision the machine, and no stage does anything.
func TestOwner(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		ignition bool
		ours     bool
	}{
		"nobody else":                  {ours: true},
		"another, and nobody says who": {ignition: true},
		"another, and we are to":       {settings: "owner: provisioner\n", ignition: true, ours: true},
		"another is to":                {settings: "owner: other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			m := fromFile(t, config)
			m.write(settingsFile, m.read(settingsFile)+c.settings)
			if c.ignition {
				m.write("etc/.ignition-result.json", `{"userConfigProvided": true}`)
			}
			before := m.persistent()
			for _, stage := range []func(context.Context, firstboot.Env) *report.Report{firstboot.BootLocal, firstboot.BootFloor, firstboot.BootMain, firstboot.BootHandoff} {
				if r, calls := m.run(stage); !c.ours && (r.State != report.None || r.ExitStatus != 0 || r.Reason == "" || len(calls) > 0) {
					t.Errorf("%s, %d, %q, %v, %q", r.State, r.ExitStatus, r.Reason, r.Errors, calls)
				}
			}
			if c.ours != (m.read("etc/motd") == "hello") {
				t.Errorf("motd is %q", m.read("etc/motd"))
			}
			if c.ours {
				// It stays ours, whoever is installed later.
				m.write("etc/.ignition-result.json", `{"userConfigProvided": true}`)
				m.reboot()
				if r, _ := m.run(firstboot.BootLocal); r.State != report.Running {
					t.Errorf("a later boot: %s, %q", r.State, r.Reason)
				}
				return
			}
			if now := m.persistent(); len(now) != len(before) {
				t.Errorf("%d paths, there were %d", len(now), len(before))
			}
			if s, err := m.status(); err != nil || s.State != report.None || s.Reason == "" {
				t.Errorf("status %+v, %v", s, err)
			}
			if n := strings.Count(m.console.String(), "provisions this machine"); n != 1 {
				t.Errorf("told %d times: %s", n, m.console.String())
			}
		})
	}
}

// The generator holds agents of the image back until the first boot has handed off, and does nothing where we are off.
func TestGeneratorHoldsBack(t *testing.T) {
	const dir = "run/systemd/generator"
	const unit = "[Service]\nExecStart=/bin/true\n"
	images := map[string]string{
		"usr/lib/systemd/system/docker.service": unit, "etc/systemd/system/etcd2.service": unit, "usr/lib/systemd/system/ssh@.service": unit,
		"usr/lib/systemd/system/flanneld.service": "[Unit]\nDefaultDependencies=no\n" + unit, "usr/lib/systemd/system/kubelet.service": unit,
	}
	const agent = "After=provisioner.service provisioner-handoff.service"
	held := map[string]string{"docker.service": agent, "etcd2.service": agent, "ssh@.service": "After=provisioner-floor.service"}
	generate := func(t *testing.T, m *machine, words ...string) {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(m.dir, dir)); err != nil { // as systemd does
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(m.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := fsroot.Open(m.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := firstboot.Generate(t.Context(), root, words, "/"+dir); err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, m *machine, when string, held map[string]string) {
		t.Helper()
		entries, err := os.ReadDir(filepath.Join(m.dir, dir))
		if err != nil || len(entries) != len(held) {
			t.Errorf("%s: %v, %v", when, entries, err)
		}
		for unit, line := range held {
			if text := m.read(dir + "/" + unit + ".d/05-provisioner-hold.conf"); !strings.HasSuffix(text, "[Unit]\n"+line+"\n") {
				t.Errorf("%s: %s: %q", when, unit, text)
			}
		}
	}
	m := fromFile(t, config)
	for name, text := range images {
		m.write(name, text)
	}
	if err := os.Symlink("/dev/null", filepath.Join(m.dir, "etc/systemd/system/kubelet.service")); err != nil {
		t.Fatal(err)
	}
	generate(t, m)
	want(t, m, "before the first stage", held)
	m.run(firstboot.BootLocal)
	generate(t, m)
	want(t, m, "when everything is committed, and nothing handed off", held)
	m.run(firstboot.BootMain)
	m.run(firstboot.BootHandoff)
	generate(t, m)
	want(t, m, "after the hand-off", nil)
	m.reboot()
	generate(t, m)
	want(t, m, "on a later boot", nil)
	if m.read(agentDropIn) == "(none)" {
		t.Error("a later boot has its drop-ins back")
	}
	for name, off := range map[string]struct {
		words          []string
		settings, file string
	}{
		"a word on the command line": {words: []string{"quiet", "provisioner=off"}},
		"a file":                     {file: "etc/provisioner/disabled"},
		"the settings":               {settings: "owner: cloud-init\n"},
	} {
		t.Run("off by "+name, func(t *testing.T) {
			m := fromFile(t, config)
			for name, text := range images {
				m.write(name, text)
			}
			m.write(settingsFile, m.read(settingsFile)+off.settings)
			if off.file != "" {
				m.write(off.file, "")
			}
			generate(t, m, off.words...)
			want(t, m, "off", nil)
		})
	}
}
