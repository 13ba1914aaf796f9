package firstboot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path"
	"strings"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/seal"
	"cloudconfig/provisioner/state"
)

const (
	machineIDFile = "etc/machine-id"
	dbusIDFile    = "var/lib/dbus/machine-id" // a link to the former, or a file of its own
)

// settleIdentity comes first in a boot, before the network and sshd. It makes host keys where sshd has none and nobody else
// makes any, as after a seal; and it tells a machine that is a copy of another one: other hardware with our state of
// the first. That one gets new host keys and forgets its leases, and if it has the machine-id of the first, another one
// for the next boot and DHCP by the cards' addresses in this one.
//
// All of it is one transaction, with the record of the machine: it is done once, whatever becomes of the power.
// Where DMI says nothing, as in a container, a copy cannot be told from what it was copied from.
//
// That it cannot be done is a warning and stops no boot.
func (r *run) settleIdentity(ctx context.Context) {
	if err := r.settleMachine(ctx); err != nil {
		r.say("identity", "%v", err)
		r.Warn("whether this machine is a copy, and whether it has host keys, could not be settled: %v", err)
	}
}

func (r *run) settleMachine(ctx context.Context) error {
	if err := r.lookAtMachine(); err != nil {
		return err
	}
	was, known, err := r.machineOnce()
	if err != nil {
		return err
	}
	now := r.machineNow()
	if known && was.IsOther(now) {
		return r.settleCopy(ctx, was, now)
	}
	changes, err := hostkeys.Missing(r.Root)
	if err == nil && len(changes) > 0 {
		r.say("identity", "sshd has no host keys; making them")
	}
	record, err2 := r.machineRecord()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if dir, err := state.CurrentDir(r.Root); err != nil || dir == "" {
		record = nil // a machine that is not provisioned has no record yet
	}
	return r.makeSo(ctx, append(changes, record...))
}

// settleCopy makes a machine another one than that it was copied from.
func (r *run) settleCopy(ctx context.Context, was, now state.Machine) error {
	changes, err := hostkeys.Renew(r.Root)
	if err == nil && len(changes) == 0 {
		changes, err = hostkeys.Missing(r.Root)
	}
	if err != nil {
		return err
	}
	r.Clone = true
	said := "it gets new SSH host keys"
	if sameID := was.ID != "" && was.ID == now.ID; sameID {
		id, err := r.newMachineID()
		if err != nil {
			return err
		}
		if len(id) > 0 {
			now.ID = idDigest(string(id[0].Data))
			changes = append(changes, id...)
			said += ", DHCP by the addresses of its cards in this boot, and a new machine-id from the next boot on"
		}
		defer r.askByMAC(ctx)
	}
	record, err := state.File(state.Top, state.MachineFile, now)
	if err == nil {
		err = r.makeSo(ctx, append(changes, record))
	}
	if err != nil {
		return err
	}
	// Others make these, so that one which cannot be removed must not keep the rest from being done.
	leases, err := seal.Leases(r.Root)
	if err != nil {
		r.say("identity", "%v", err)
	}
	for _, file := range leases {
		if err := r.makeSo(ctx, []plan.Change{{Kind: plan.Remove, Path: file, Origin: "identity"}}); err != nil {
			r.say("identity", "%v", err)
		}
	}
	r.Warn("this machine is a copy of another one, which was not sealed: %s", said)
	r.say("identity", "this machine is a copy of another one, which was not sealed: %s", said)
	return nil
}

// makeSo commits changes, and says nothing if there are none.
func (r *run) makeSo(ctx context.Context, changes []plan.Change) error {
	made, err := r.apply(ctx, changes)
	if err != nil || len(made) == 0 {
		return err
	}
	for _, c := range made {
		if c.Origin != plan.OriginState {
			r.Commit([]plan.Change{c})
		}
	}
	return r.label(ctx, made)
}

// newMachineID are the changes that give the machine another id; none if the file is a mount, as it is while systemd has
// made one up for this boot: what is on the disk then is not what this machine goes by.
//
// Nothing of systemd reads the file a second time but what starts later, so it is written now, and not when the machine
// is shut down: that may be a power cut. "uninitialized" would have systemd apply all presets on the next boot.
func (r *run) newMachineID() ([]plan.Change, error) {
	v, err := r.Root.Volume(machineIDFile)
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
	if info, err := r.Root.Stat(dbusIDFile); err != nil || info.Kind != fsroot.Regular {
		return changes, err
	}
	dbus := changes[0]
	dbus.Path = dbusIDFile
	return append(changes, dbus), nil
}

// byMAC is the name of our drop-ins of networkd, late among those of a file.
const byMAC = "90-provisioner-copy.conf"

// askByMAC has networkd ask for addresses as the card and not as the machine-id, in this boot: servers take two machines
// with one id for one. ClientIdentifier= is a setting of .network files alone, and so each gets a drop-in; those
// that come later in this boot are served by the DUID.
//
// Source: systemd.network(5), networkd.conf(5) of systemd 252.
func (r *run) askByMAC(ctx context.Context) {
	changes := []plan.Change{dropIn("run/systemd/networkd.conf.d/"+byMAC, "[DHCPv4]\nDUIDType=link-layer\n\n[DHCPv6]\nDUIDType=link-layer\n")}
	seen := map[string]bool{}
	for _, dir := range networkd.Dirs() {
		names, err := fsroot.List(r.Root, dir)
		if err != nil {
			r.say("identity", "%v", err)
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".network") && !seen[name] {
				seen[name] = true
				changes = append(changes, dropIn(path.Join("run/systemd/network", name+".d", byMAC), "[DHCPv4]\nClientIdentifier=mac\n"))
			}
		}
	}
	if err := r.write(ctx, changes); err != nil {
		r.say("identity", "DHCP by the addresses of the cards: %v", err)
	}
}

func dropIn(file, text string) plan.Change {
	return plan.Change{Kind: plan.WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(text), Origin: "identity"}
}

// machineNow is which machine this is now.
func (r *run) machineNow() state.Machine {
	m := state.Machine{Version: 1}
	if id := r.host.UUID(); id != "" {
		m.UUID = plan.Digest([]byte(id))
	}
	if serial := machine.Real(r.host.DMI.ProductSerial); serial != "" {
		m.Serial = plan.Digest([]byte(serial))
	}
	if text, _, err := r.Root.ReadFile(machineIDFile, 4096); err == nil {
		m.ID = idDigest(string(text))
	}
	return m
}

// idDigest is the digest of a machine-id; "" of a text that is none.
func idDigest(text string) string {
	id := strings.TrimSpace(text)
	if b, err := hex.DecodeString(id); err != nil || len(b) != 16 {
		return ""
	}
	return plan.Digest([]byte(id))
}

// machineOnce is which machine this was when it was looked at last.
func (r *run) machineOnce() (m state.Machine, known bool, err error) {
	known, err = state.Read(r.Root, state.Top, state.MachineFile, &m)
	return m, known, err
}

// machineRecord is the change that remembers which machine this is; none if it is known to be another one by now, which
// the next boot has to settle.
func (r *run) machineRecord() ([]plan.Change, error) {
	if !r.Live || r.host == nil {
		return nil, nil
	}
	was, known, err := r.machineOnce()
	now := r.machineNow()
	for _, part := range []struct{ now, was *string }{{&now.UUID, &was.UUID}, {&now.Serial, &was.Serial}, {&now.ID, &was.ID}} {
		if *part.now == "" {
			*part.now = *part.was // what cannot be seen now is not forgotten
		}
	}
	if err != nil || known && (was.IsOther(now) || was == now) {
		return nil, err
	}
	record, err := state.File(state.Top, state.MachineFile, now)
	return []plan.Change{record}, err
}
