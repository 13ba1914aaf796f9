package identity

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// Settlement is what makes a system one of the machine that it is in.
type Settlement struct {
	// Changes are one transaction, with the record of the machine in it: it is done once, whatever becomes of the power.
	Changes []plan.Change
	// FirstKeys says that sshd gets host keys because it has none.
	FirstKeys bool
	// Copy says that the system is in another machine than before; SameID, that it goes by the machine-id of that one, so that
	// DHCP must not go by it in this boot; and Gets what the machine gets, in words.
	Copy, SameID bool
	Gets         string
}

// Settle says what a system needs that may be a copy: host keys where sshd has none and nobody else makes any, as after a
// seal; and in other hardware than its record has, new host keys, and if it has the machine-id of the first, another one for
// the next boot. After an error the Settlement has what was found until then, and is not to be committed.
//
// Where DMI says nothing, as in a container, a copy cannot be told from what it was copied from.
func (d Disk) Settle() (s Settlement, err error) {
	was, known, err := d.Once()
	if err != nil {
		return s, err
	}
	if now := d.Machine(); known && was.IsOther(now) {
		return d.settleCopy(was, now)
	}
	changes, err := hostkeys.Missing(d.Root)
	s.FirstKeys = err == nil && len(changes) > 0
	record, err2 := d.Record()
	if err := errors.Join(err, err2); err != nil {
		return s, err
	}
	if dir, err := state.CurrentDir(d.Root); err != nil || dir == "" || was.Copied {
		record = nil // a machine that is not provisioned has no record yet, or stays a copy
	}
	s.Changes = append(changes, record...)
	return s, nil
}

// settleCopy makes a machine another one than that it was copied from.
func (d Disk) settleCopy(was, now state.Machine) (s Settlement, err error) {
	changes, err := hostkeys.Renew(d.Root)
	if err == nil && len(changes) == 0 {
		changes, err = hostkeys.Missing(d.Root)
	}
	if err != nil {
		return s, err
	}
	s.Copy, s.Gets = true, "new SSH host keys"
	if was.ID != "" && was.ID == now.ID {
		id, err := d.newMachineID()
		if err != nil {
			return s, err
		}
		if s.SameID = true; len(id) > 0 {
			now.ID = idDigest(string(id[0].Data))
			changes = append(changes, id...)
			s.Gets += ", DHCP by the addresses of its cards in this boot, and a new machine-id from the next boot on"
		}
	}
	now.Copied = true
	record, err := state.File(state.Top, state.MachineFile, now)
	s.Changes = append(changes, record)
	return s, err
}

// newMachineID are the changes that give the machine another id; none if the file is a mount, as it is while systemd has
// made one up for this boot: what is on the disk then is not what this machine goes by.
//
// Nothing of systemd reads the file a second time but what starts later, so it is written now, and not when the machine
// is shut down: that may be a power cut. "uninitialized" would have systemd apply all presets on the next boot.
func (d Disk) newMachineID() ([]plan.Change, error) {
	v, err := d.Root.Volume(machineIDFile)
	if err != nil || v.Top == machineIDFile {
		return nil, err
	}
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a UUID of version 4, as machine-id(5) has it
	text := []byte(hex.EncodeToString(b) + "\n")
	changes := []plan.Change{{Kind: plan.WriteFile, Path: machineIDFile, Attr: fsroot.Attr{Mode: 0o444}, Data: text, Secret: true, Origin: "identity"}}
	if info, err := d.Root.Stat(dbusIDFile); err != nil || info.Kind != fsroot.Regular {
		return changes, err
	}
	dbus := changes[0]
	dbus.Path = dbusIDFile
	return append(changes, dbus), nil
}

// byMAC is the name of our drop-ins of networkd, late among those of a file.
const byMAC = "90-provisioner-copy.conf"

// ByMAC are the changes that have networkd ask for addresses as the card and not as the machine-id, in this boot: servers take two machines
// with one id for one. ClientIdentifier= is a setting of .network files alone, and so each gets a drop-in; those
// that come later in this boot are served by the DUID. What cannot be looked at is left out, and told.
//
// Source: systemd.network(5), networkd.conf(5) of systemd 252.
func (d Disk) ByMAC() (changes []plan.Change, errs []error) {
	changes = []plan.Change{dropIn("run/systemd/networkd.conf.d/"+byMAC, "[DHCPv4]\nDUIDType=link-layer\n\n[DHCPv6]\nDUIDType=link-layer\n")}
	seen := map[string]bool{}
	for _, dir := range networkd.Dirs() {
		names, err := fsroot.List(d.Root, dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".network") && !seen[name] {
				seen[name] = true
				changes = append(changes, dropIn(path.Join("run/systemd/network", name+".d", byMAC), "[DHCPv4]\nClientIdentifier=mac\n"))
			}
		}
	}
	return changes, errs
}

func dropIn(file, text string) plan.Change {
	return plan.Change{Kind: plan.WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(text), Origin: "identity"}
}
