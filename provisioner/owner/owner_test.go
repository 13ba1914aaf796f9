//go:build linux

package owner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/owner"
)

const (
	etc       = "etc/systemd/system/"
	lib       = "usr/lib/systemd/system/"
	generated = "run/systemd/generator.early/"
)

// cloudInit is Debian's package, of which the generator has found that it is to run.
var cloudInit = map[string]string{
	lib + "cloud-init.target":                               "",
	lib + "cloud-init.service":                              "",
	etc + "cloud-init.target.wants/cloud-init.service":      "-> /" + lib + "cloud-init.service",
	generated + "multi-user.target.wants/cloud-init.target": "-> /" + lib + "cloud-init.target",
}

// enabled is a unit that multi-user.target pulls in.
func enabled(unit string) map[string]string {
	stem, instance, found := strings.Cut(unit, "@")
	file := unit
	if found {
		file = stem + "@" + filepath.Ext(instance)
	}
	return map[string]string{lib + file: "", etc + "multi-user.target.wants/" + unit: "-> /" + lib + file}
}

// with is files and more of them; what is "gone" is not there.
func with(files map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for name, text := range files {
		all[name] = text
	}
	for i := 0; i < len(more); i += 2 {
		if all[more[i]] = more[i+1]; more[i+1] == "gone" {
			delete(all, more[i])
		}
	}
	return all
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		words string
		found string // who
	}{
		{name: "nobody else"},
		{name: "cloud-init", files: cloudInit, found: "cloud-init"},
		{name: "cloud-init whose generator has found no datasource", files: with(cloudInit, generated+"multi-user.target.wants/cloud-init.target", "gone", "run/cloud-init/disabled", "")},
		{name: "cloud-init that nothing pulls in", files: with(cloudInit, generated+"multi-user.target.wants/cloud-init.target", "gone")},
		{name: "cloud-init disabled by its file", files: with(cloudInit, "etc/cloud/cloud-init.disabled", "")},
		{name: "cloud-init disabled on the command line", files: cloudInit, words: "quiet cloud-init=disabled"},
		{name: "cloud-init without a generator", files: enabled("cloud-init-local.service"), found: "cloud-init"},
		{name: "cloud-init masked", files: with(enabled("cloud-init-local.service"), etc+"cloud-init-local.service", "-> /dev/null")},
		{name: "cloud-init removed, and its links left", files: with(enabled("cloud-init.service"), lib+"cloud-init.service", "gone")},
		{name: "Ignition with a configuration", files: map[string]string{"run/ignition.env": "", "etc/.ignition-result.json": `{"userConfigProvided":true}`}, found: "ignition"},
		{name: "Ignition without one", files: map[string]string{"run/ignition.env": "", "etc/.ignition-result.json": `{"userConfigProvided":false}`}},
		{name: "an Ignition that writes no result", files: map[string]string{"run/ignition.env": "PLATFORM_ID=ec2\n"}, found: "ignition"},
		{name: "coreos-cloudinit", files: with(enabled("user-config.target"), "usr/bin/coreos-cloudinit", "ELF"), found: "coreos-cloudinit"},
		{name: "units of coreos-cloudinit that run us", files: with(enabled("user-config.target"), "usr/bin/coreos-cloudinit", "-> provisioner")},
		{name: "units of coreos-cloudinit without a program", files: enabled("user-config.target")},
		{name: "Google's agent", files: enabled("google-guest-agent.service"), found: "google-guest-agent"},
		{name: "Google's agent that leaves accounts alone", files: with(enabled("google-guest-agent.service"), "etc/default/instance_configs.cfg", "[Daemons]\naccounts_daemon = false\n")},
		{name: "Google's start-up scripts, which write nothing of ours", files: enabled("google-startup-scripts.service")},
		{name: "Azure's agent", files: enabled("walinuxagent.service"), found: "walinuxagent"},
		{name: "Azure's agent that leaves the provisioning to others", files: with(enabled("walinuxagent.service"), "etc/waagent.conf", "# Provisioning.Agent=auto\nProvisioning.Agent=disabled\n")},
		{name: "Azure's agent of old, likewise", files: with(enabled("waagent.service"), "etc/waagent.conf", "Provisioning.Enabled=n\n")},
		{name: "Afterburn's keys", files: enabled("afterburn-sshkeys@core.service"), found: "afterburn"},
		{name: "Afterburn's metadata, which is an agent's", files: enabled("afterburn.service")},
		{name: "systemd's importer", files: map[string]string{lib + "systemd-imds-import.service": "", "run/systemd/generator/sysinit.target.wants/systemd-imds-import.service": "-> /" + lib + "systemd-imds-import.service"}, found: "systemd-imds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				var err error
				if target, isLink := strings.CutPrefix(text, "-> "); isLink {
					err = os.Symlink(target, file)
				} else {
					err = os.WriteFile(file, []byte(text), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			decide := func(setting string) string {
				if setting != owner.Unset {
					if err := owner.Check(setting); err != nil {
						t.Fatal(err)
					}
				}
				why, err := owner.Decide(root, setting, strings.Fields(c.words))
				if err != nil {
					t.Fatal(err)
				}
				return why
			}
			why := decide(owner.Unset)
			if c.found == "" && why != "" || c.found != "" && !strings.Contains(why, "undecided: "+c.found+" provisions") {
				t.Errorf("unset: %q, want %q", why, c.found)
			}
			if why := decide(owner.We); why != "" {
				t.Errorf("ours: %q", why)
			}
			for _, other := range append(owner.Names(), owner.Other) {
				if why := decide(other); why == "" {
					t.Errorf("%s: ours all the same", other)
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	if err := owner.Check("cloudinit"); err == nil || !strings.Contains(err.Error(), "cloud-init") {
		t.Errorf("a name that is none: %v", err)
	}
}
