// Package owner says who provisions this machine: we, or another program of the image that would write accounts, keys
// and files in the same boot.
//
// [Decide] is the thing to call. Two provisioners on one machine undo each other's work, so where another one acts and
// the settings do not say who is to, nobody of us does anything. [OfNetwork] says what configures the network, if anything does.
package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
)

// What the setting owner: may say, beside the name of a program in the table. Unset leaves it to what is found.
const (
	Unset = ""
	We    = "provisioner"
	Other = "other"
)

// rival is another program that provisions machines.
type rival struct {
	name string
	// units are those that do it. One that ends with "@" stands for all instances of the template.
	units []string
	// own are targets of its own, which pull its units in and count only if something pulls them in.
	own []string
	// resting says that it does nothing in this boot although a unit of it is pulled in; nil if there is no such thing.
	resting func(l *look) bool
	// found, where units say nothing, is what shows that it has acted or acts; "" if nothing does.
	found func(l *look) string
}

// rivals are those that write accounts, SSH keys or files from what a platform says. Agents that only report, collect
// or run scripts of their own are none: google-startup-scripts, afterburn.service, qemu-guest-agent, open-vm-tools.
// Nor are systemd's credentials (passwd.*, ssh.authorized_keys.root): systemd-sysusers and systemd-tmpfiles have used
// them before we look at the machine.
//
// Sources: cloud-init 25.1, tools/cloud-init-generator and systemd/*.service; Ignition 2.20, docs/operator-notes.md;
// coreos-cloudinit 1.14, units/; google-guest-agent 20250327, README.md; WALinuxAgent 2.12, README.md;
// afterburn 5.7, docs/usage; systemd 261, systemd-imds-generator(8).
func rivals() []rival {
	return []rival{
		{
			name: "cloud-init", own: []string{"cloud-init.target"},
			units: []string{"cloud-init.target", "cloud-init-main.service", "cloud-init-local.service", "cloud-init.service", "cloud-init-network.service"},
			resting: func(l *look) bool {
				return l.exists("etc/cloud/cloud-init.disabled") || l.exists("run/cloud-init/disabled") || slices.Contains(l.words, "cloud-init=disabled")
			},
		},
		{name: "ignition", found: ignition},
		{
			name: "coreos-cloudinit", units: []string{"system-config.target", "user-config.target", "user-cloudinit-proc-cmdline.service", "user-configdrive.service", "system-cloudinit@"},
			own: []string{"system-config.target", "user-config.target"},
			resting: func(l *look) bool {
				return !l.exists("usr/bin/coreos-cloudinit") || l.isLinkToUs("usr/bin/coreos-cloudinit")
			},
		},
		{
			name: "google-guest-agent", units: []string{"google-guest-agent.service", "google-guest-agent-manager.service", "google-accounts-daemon.service"},
			resting: func(l *look) bool {
				return strings.EqualFold(l.setting("etc/default/instance_configs.cfg", "accounts_daemon"), "false")
			},
		},
		{
			name: "walinuxagent", units: []string{"walinuxagent.service", "waagent.service"},
			resting: func(l *look) bool {
				agent := strings.ToLower(l.setting("etc/waagent.conf", "Provisioning.Agent"))
				return agent == "disabled" || agent == "cloud-init" || strings.EqualFold(l.setting("etc/waagent.conf", "Provisioning.Enabled"), "n")
			},
		},
		{name: "afterburn", units: []string{"afterburn-sshkeys@", "afterburn-hostname.service", "coreos-metadata-sshkeys@"}},
		{name: "systemd-imds", units: []string{"systemd-imds-import.service"}},
	}
}

// ignition has run before we could, in the initial RAM disk: a result that says that it was given a configuration
// shows it, and where there is no result, as of versions before 2.8, that it was there at all.
func ignition(l *look) string {
	const result, env = "etc/.ignition-result.json", "run/ignition.env"
	text, _, err := l.root.ReadFile(result, 1<<20)
	if err == nil {
		var r struct{ UserConfigProvided bool }
		if json.Unmarshal(text, &r) == nil && !r.UserConfigProvided {
			return ""
		}
		return "/" + result
	}
	if l.exists(env) {
		return "/" + env
	}
	return ""
}

// Names are those of the programs that are known.
func Names() []string {
	var names []string
	for _, r := range rivals() {
		names = append(names, r.name)
	}
	return names
}

// Check says what is wrong with a setting.
func Check(setting string) error {
	known := append([]string{We, Other}, Names()...)
	if !slices.Contains(known, setting) {
		return errors.New("owner must be one of " + strings.Join(known, ", "))
	}
	return nil
}

// Decide is "" if this machine is ours to provision, else why it is not. setting is a valid one; words are those of the
// kernel command line.
func Decide(root fsroot.FS, setting string, words []string) (why string, err error) {
	switch setting {
	case We:
		return "", nil
	case Unset:
	case Other:
		return "the settings say that another program provisions this machine", nil
	default:
		return "the settings say that " + setting + " provisions this machine", nil
	}
	name, where, err := find(root, words)
	if name == "" || err != nil {
		return "", err
	}
	return fmt.Sprintf("undecided: %s provisions this machine too (%s); nothing is done until the settings say owner: %s or owner: %s", name, where, We, name), nil
}

// find is the first of the others that acts in this boot, and what shows it.
func find(root fsroot.FS, words []string) (name, where string, err error) {
	l := &look{root: root, words: words, pulledIn: map[string][]string{}}
	if err := l.listUnits(); err != nil {
		return "", "", err
	}
	for _, r := range rivals() {
		if r.found != nil {
			where = r.found(l)
		}
		for _, unit := range r.units {
			if where == "" {
				where = l.pulls(unit, r.own)
			}
		}
		if where != "" && (r.resting == nil || !r.resting(l)) {
			return r.name, where, nil
		}
		where = ""
	}
	return "", "", nil
}

// look is a look at a machine.
type look struct {
	root  fsroot.FS
	words []string
	// pulledIn has, by the name of a unit, the links that pull it in.
	pulledIn map[string][]string
}

// unitDirs are where systemd finds units, and the links that pull them in. Source: systemd.unit(5) and
// systemd.generator(7), v252.
var unitDirs = [...]string{
	"etc/systemd/system", "run/systemd/system", "run/systemd/generator.early", "run/systemd/generator",
	"usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late",
}

// listUnits reads the directories *.wants and *.requires.
func (l *look) listUnits() error {
	for _, dir := range unitDirs {
		names, err := l.list(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".wants") && !strings.HasSuffix(name, ".requires") {
				continue
			}
			units, err := l.list(path.Join(dir, name))
			if err != nil {
				return err
			}
			for _, unit := range units {
				l.pulledIn[unit] = append(l.pulledIn[unit], path.Join(dir, name, unit))
			}
		}
	}
	return nil
}

// list is empty if there is no such directory.
func (l *look) list(dir string) ([]string, error) {
	info, err := l.root.Stat(dir)
	if err != nil || info.Kind != fsroot.Directory {
		return nil, err
	}
	return l.root.ReadDir(dir)
}

// pulls is the link that pulls a unit in; "" if none does, or if there is no such unit, or it is masked. A link of a
// target in own counts only if something pulls in that.
func (l *look) pulls(unit string, own []string) string {
	for name, links := range l.pulledIn {
		if name != unit && !(strings.HasSuffix(unit, "@") && strings.HasPrefix(name, unit)) || !l.isUnit(name) {
			continue
		}
		for _, link := range links {
			by := strings.TrimSuffix(strings.TrimSuffix(path.Base(path.Dir(link)), ".wants"), ".requires")
			if by != unit && slices.Contains(own, by) && l.pulls(by, without(own, by)) == "" {
				continue
			}
			return "/" + link
		}
	}
	return ""
}

func without(all []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == name })
}

// isUnit says that a unit is there and not masked: what a package leaves when it is removed are links to nothing.
func (l *look) isUnit(name string) bool {
	if stem, _, found := strings.Cut(name, "@"); found {
		name = stem + "@" + path.Ext(name)
	}
	for _, dir := range unitDirs {
		info, err := l.root.Stat(path.Join(dir, name))
		if err == nil && info.Kind != fsroot.Absent {
			return info.Target != "/dev/null"
		}
	}
	return false
}

func (l *look) exists(name string) bool {
	info, err := l.root.Stat(name)
	return err == nil && info.Kind != fsroot.Absent
}

func (l *look) isLinkToUs(name string) bool {
	info, err := l.root.Stat(name)
	return err == nil && info.Kind == fsroot.Link && path.Base(info.Target) == "provisioner"
}

// setting is what a file of lines "key = value" says last of a key; "" if it says nothing.
func (l *look) setting(name, key string) (value string) {
	text, _, err := l.root.ReadFile(name, 1<<20)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		k, v, found := strings.Cut(line, "=")
		if found && strings.TrimSpace(k) == key {
			value = strings.TrimSpace(v)
		}
	}
	return value
}
