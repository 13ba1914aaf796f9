package firstboot

import (
	"context"
	"errors"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hold"
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
			return errors.Join(err, hold.Back(root, dir))
		}
		if info, err := root.Stat(restoredPath); err != nil || info.Kind != fsroot.Absent {
			return err
		}
		_, err = restoreCurrent(ctx, root, isUnit)
		return err
	}
	return hold.Back(root, dir)
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
