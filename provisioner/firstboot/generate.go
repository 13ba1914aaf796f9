package firstboot

import (
	"context"
	"errors"
	"path"
	"strings"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/owner"
	"cloudconfig/provisioner/settings"
)

// DisabledPath is the file that keeps us from doing anything at a boot, and offWord the word on the kernel command line that
// does. Our units have both as conditions.
const (
	DisabledPath = "etc/provisioner/disabled"
	offWord      = "provisioner=off"
)

// Generate is what our systemd generator does, before systemd loads anything and at each of its reloads. It puts units and
// drop-ins back, once in a boot. On the first boot of an instance it holds back, until everything is handed off, agents that
// the image starts by itself, and logins over a socket, until the access floor stands: by drop-ins below dir, which is
// systemd's and is empty each time. words are those of the kernel command line.
func Generate(ctx context.Context, root *fsroot.Root, words []string, dir string) error {
	if off, err := isOff(root, words); off || err != nil {
		return err
	}
	own, err := isProvisioned(root, func() (*machine.Machine, error) { return machine.Read(root.Name()) })
	if err != nil {
		return err
	}
	// What a commit that was cut short has left is undone by the first stage only: it is no configuration to start with.
	cut, err := commit.Interrupted(root)
	if err != nil {
		return err
	}
	if own && !cut {
		if info, err := root.Stat(FirstPath); err != nil || info.Kind != fsroot.Absent {
			return errors.Join(err, holdBack(root, dir))
		}
		if info, err := root.Stat(restoredPath); err != nil || info.Kind != fsroot.Absent {
			return err
		}
		_, err = restoreCurrent(ctx, root, isUnit)
		return err
	}
	return holdBack(root, dir)
}

// isOff says that this boot is not ours.
func isOff(root fsroot.FS, words []string) (bool, error) {
	for _, w := range words {
		if w == offWord {
			return true, nil
		}
	}
	info, err := root.Stat(DisabledPath)
	if err != nil || info.Kind != fsroot.Absent {
		return true, err
	}
	s, err := settings.Load(root)
	return s.Owner != owner.Unset && s.Owner != owner.We, err
}

// agents are those of an image that a configuration has settings for, or that are no use before it is applied.
var agents = [...]string{
	"etcd.service", "etcd2.service", "etcd-member.service", "fleet.service", "flanneld.service", "docker.service",
	"kubelet.service", "locksmithd.service",
}

// logins are the templates of what a socket starts for each connection. The sockets themselves are not held back: all of
// basic.target would be with them. A connection waits instead.
var logins = [...]string{"ssh@.service", "sshd@.service"}

// holdBack writes the drop-ins that hold back what the image has of these units.
func holdBack(root *fsroot.Root, dir string) error {
	var errs []error
	for _, unit := range agents {
		errs = append(errs, drop(root, dir, unit, "provisioner.service provisioner-handoff.service"))
	}
	for _, unit := range logins {
		errs = append(errs, drop(root, dir, unit, "provisioner-floor.service"))
	}
	return errors.Join(errs...)
}

// drop orders a unit after others, if the image has it. One without the usual dependencies may come so early that we wait for
// it, and is left alone.
func drop(root *fsroot.Root, dir, unit, after string) error {
	text, err := unitText(root, unit)
	if text == "" || err != nil || strings.Contains(text, "DefaultDependencies=no") || strings.Contains(text, "DefaultDependencies=false") {
		return err
	}
	folder := strings.TrimPrefix(path.Join(dir, unit+".d"), "/")
	info, err := root.Stat(folder)
	if err == nil && info.Kind == fsroot.Absent { // else another generator has made it
		err = root.Mkdir(folder, fsroot.Attr{Mode: 0o755})
	}
	if err != nil {
		return err
	}
	return root.Create(path.Join(folder, "05-provisioner-hold.conf"),
		[]byte("# Until the first boot has provisioned the machine.\n[Unit]\nAfter="+after+"\n"), fsroot.Attr{Mode: 0o644})
}

// unitDirs are where units of an image are, those that win first.
var unitDirs = [...]string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

// unitText is the text of a unit of the image; "" if there is none, or if it is masked. What is behind a link is not read.
func unitText(root *fsroot.Root, unit string) (string, error) {
	for _, dir := range unitDirs {
		file := path.Join(dir, unit)
		info, err := root.Stat(file)
		switch {
		case err != nil:
			return "", err
		case info.Kind == fsroot.Link && info.Target == "/dev/null":
			return "", nil
		case info.Kind == fsroot.Link:
			return "[Unit]\n", nil
		case info.Kind == fsroot.Regular:
			text, _, err := root.ReadFile(file, 1<<20)
			return string(text) + "\n", err
		}
	}
	return "", nil
}
