// Package identity says which machine a disk is in, and what has to become of a disk that is another machine's.
//
// [Disk] is where to start. Its Machine, Hardware and ID say which machine this is now; [Disk.Settle] what a copy of a
// machine needs to be one of its own; and [Disk.Succeed] what goes when the machine is to be another instance than the one
// whose state it has. All of it looks and decides: whoever calls commits the changes, tells them, and starts what reads them.
// What goes of a disk before it is copied is package seal's.
package identity

import (
	"encoding/hex"
	"strings"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// Disk is a system in the machine that it is in now.
type Disk struct {
	Root *fsroot.Root
	// Host is what firmware and kernel say of the machine; nil if nobody has looked.
	Host *machine.Machine
	// Live says that the root is the running system's.
	Live bool
}

const (
	machineIDFile = "etc/machine-id"
	dbusIDFile    = "var/lib/dbus/machine-id" // a link to the former, or a file of its own
)

// Hardware is a digest that is another on another machine: of what DMI says, else of the machine-id.
func (d Disk) Hardware() string {
	dmi := d.Host.DMI
	parts := []string{dmi.SystemVendor, dmi.ProductName, d.Host.UUID(), machine.Real(dmi.ProductSerial)}
	if dmi.IsZero() {
		parts = []string{d.ID()}
	}
	return plan.Digest([]byte(strings.Join(parts, "\x00")))
}

// ID stands in for the instance id that a datasource does not tell: "image" below another root, else the
// UUID of the SMBIOS, else the machine-id. It names directories and is not shown: whoever may read /run must not learn
// the machine-id (machine-id(5)).
func (d Disk) ID() string {
	if !d.Live {
		return "image"
	}
	if id := d.Host.UUID(); id != "" {
		return "uuid:" + id
	}
	if text, _, err := d.Root.ReadFile(machineIDFile, 4096); err == nil && len(text) > 1 {
		return "machine-id:" + strings.TrimSpace(string(text))
	}
	return "unknown"
}

// Machine is which machine this is now.
func (d Disk) Machine() state.Machine {
	m := state.Machine{Version: 1}
	if id := d.Host.UUID(); id != "" {
		m.UUID = plan.Digest([]byte(id))
	}
	if serial := machine.Real(d.Host.DMI.ProductSerial); serial != "" {
		m.Serial = plan.Digest([]byte(serial))
	}
	if text, _, err := d.Root.ReadFile(machineIDFile, 4096); err == nil {
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

// Once is which machine this was when it was looked at last.
func (d Disk) Once() (m state.Machine, known bool, err error) {
	known, err = state.Read(d.Root, state.Top, state.MachineFile, &m)
	return m, known, err
}

// IsCopy says that the state of instances that the system has is of another machine: it is in another one than before, or has
// been settled there and has no state of its own yet.
func (d Disk) IsCopy() (bool, error) {
	was, known, err := d.Once()
	return known && (was.Copied || was.IsOther(d.Machine())), err
}

// Record is the change that remembers which machine this is, and that it has a state of its own; none if that is known, or if
// it is another machine by now, which the next boot has to settle.
func (d Disk) Record() ([]plan.Change, error) {
	if !d.Live || d.Host == nil {
		return nil, nil
	}
	was, known, err := d.Once()
	now := d.Machine()
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
