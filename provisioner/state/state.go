// Package state is what the provisioner remembers of an instance between boots, in /var/lib/provisioner.
//
//	machine.json          which machine this is, to tell a copy of its disk by
//	scripts.json          the digests of the scripts that run a single time ever, and have ended
//	left.json             what other instances that the machine was have made, until this one has its manifest
//	instance              a link to the directory of the instance that this machine is
//	instances/HASH/       one for each instance, named by a hash since an id is as hostile as user-data
//	  manifest.json       what the configuration owns, and the digest of the configuration
//	  floor.json          the digest of the platform's metadata that the access floor was made from, and what it made
//	  instance.json       the metadata, for boots on which the datasource is lost
//	  origin.json         the datasource that was taken, and what identifies the machine
//	  record.json         why it was taken, and everything that it answered; see package record
//	  user-data           the configuration as fetched, unless the settings say not to keep it
//	  runtime.json        what later boots do: everything to put back below /run, the jobs, and the scripts
//	  handed-off.json     the digest of the configuration whose hand-off has ended
//	  outbox.json         what others are to be told and have not heard yet; in the top directory while the instance is not known
//	  included.json       what lists of #include-once have fetched, kept as user-data is
//	  scripts.json        the digests of the scripts, the steps, and of the inputs of the commands, that have ended
//	  shell               what the shells of the steps that have ended leave for the next; gone with the last step
//
// All of it is readable by root alone, and written as changes of the same transaction as everything else.
package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// Top is the directory of all state, relative to the root.
const Top = "var/lib/provisioner"

// Current is the link to the directory of the instance that the machine is.
const Current = Top + "/instance"

// Names of the files of an instance.
const (
	ManifestFile = "manifest.json"
	FloorFile    = "floor.json"
	InstanceFile = "instance.json"
	OriginFile   = "origin.json"
	RecordFile   = "record.json"
	UserDataFile = "user-data"
	RuntimeFile  = "runtime.json"
	ScriptsFile  = "scripts.json"
	IncludedFile = "included.json"
	// MachineFile lies in Top: it is the machine's, whichever instance that is.
	MachineFile = "machine.json"
	ShellFile   = "shell"
	HandedFile  = "handed-off.json"
	OutboxFile  = "outbox.json"
)

// LeftFile is in Top, in the form of a manifest: what an instance that the machine was has made. It has no digest if that was
// another one, and not this one by another name.
const LeftFile = "left.json"

const maxFile = 96 << 20 // 64 MiB in base64, and what stands around it

// Dir is the directory of an instance, relative to the root.
func Dir(datasource, id string) string {
	sum := sha256.Sum256([]byte(datasource + "\x00" + id))
	return path.Join(Top, "instances", hex.EncodeToString(sum[:16]))
}

// Manifest is what was applied, and what of earlier configurations is still there.
type Manifest struct {
	Version int `json:"version"`
	// Digest is the SHA-256, in hex, of the configuration that was applied.
	Digest string `json:"digest"`
	// ByHand says that an administrator has applied it, so that it need not be what the datasource says.
	ByHand bool        `json:"by_hand,omitempty"`
	Items  []plan.Item `json:"items,omitempty"`
}

// Origin is where the configuration of an instance is from: what a later boot asks, and when it asks others.
type Origin struct {
	Version int `json:"version"`
	// Spec is the datasource as --datasource takes it; its URL may have a secret.
	Spec string `json:"spec"`
	// Named is the digest of everything that named datasources then; "" if it was detected.
	Named string `json:"named,omitempty"`
	// Machine is the digest of what identified the machine then.
	Machine string `json:"machine"`
}

// Machine is which machine this is: digests, each "" of what the machine does not have. A machine with another UUID, or
// serial number where one has no UUID, and the same machine-id is a copy.
type Machine struct {
	Version int    `json:"version"`
	UUID    string `json:"uuid,omitempty"`   // of the SMBIOS
	Serial  string `json:"serial,omitempty"` // of DMI
	ID      string `json:"id,omitempty"`     // of /etc/machine-id
	// Copied says that the state of instances beside it is of the machine that this one was copied from.
	Copied bool `json:"copied,omitempty"`
}

// IsOther says that the machine is known to be another than m was: by its hardware, and where neither has any that can be
// told apart, by its machine-id.
func (m Machine) IsOther(now Machine) bool {
	switch {
	case m.UUID != "" && now.UUID != "":
		return m.UUID != now.UUID
	case m.Serial != "" && now.Serial != "":
		return m.Serial != now.Serial
	case m.UUID == "" && m.Serial == "":
		return m.ID != "" && now.ID != "" && m.ID != now.ID
	}
	return false
}

// Floor is what the access floor was made from, and what it made.
type Floor struct {
	Version int         `json:"version"`
	Digest  string      `json:"digest"`
	Items   []plan.Item `json:"items,omitempty"`
}

// HandedOff is the configuration whose hand-off has ended, well or not, by its digest.
type HandedOff struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// Scripts are the scripts that have ended, well or not, by the SHA-256 of their text, the commands by that of
// their inputs, and the steps by that of their names and texts.
type Scripts struct {
	Version int               `json:"version"`
	Ended   map[string]string `json:"ended"` // digest to result
	// Begun is the digest of what was begun and has not ended yet, and Times how often it was, in this instance's file.
	Begun string `json:"begun,omitempty"`
	Times int    `json:"times,omitempty"`
}

// Runtime is what a later boot does: it has all that takes, so that neither the datasource nor the configuration
// is needed for it.
type Runtime struct {
	Version int    `json:"version"`
	Items   []Kept `json:"items,omitempty"`
	// Commands are those that a boot which was cut short has left to be run.
	Commands []Command `json:"commands,omitempty"`
	Jobs     []Job     `json:"jobs,omitempty"`
	Scripts  []Script  `json:"scripts,omitempty"`
	// Boothooks run on every boot, before all else.
	Boothooks []Script `json:"boothooks,omitempty"`
	// Agents are units that the commands come before.
	Agents []string `json:"agents,omitempty"`
	// Enabled are units that start with the machine.
	Enabled []string `json:"enabled,omitempty"`
	// BootSteps run on every boot, after the boothooks; Steps are those that a boot which was cut short has left.
	BootSteps []plan.Step `json:"boot_steps,omitempty"`
	Steps     []plan.Step `json:"steps,omitempty"`
	// Power is what is done with the machine at the end of the first boot, FinalMessage is printed at the end of each.
	Power        *plan.Power `json:"power,omitempty"`
	FinalMessage string      `json:"final_message,omitempty"`
	// Hosts are names that the agents of Jobs have to look up.
	Hosts []string `json:"hosts,omitempty"`
	// PhoneHome is whom to tell, once, that the machine is up; nil for nobody.
	PhoneHome *plan.PhoneHome `json:"phone_home,omitempty"`
}

// Outbox is what others are to be told.
type Outbox struct {
	Version int `json:"version"`
	// Queued has not been heard yet; it is in order.
	Queued []Message `json:"queued,omitempty"`
	// Told is what was queued last, by the kind of message: what is the same is not told again.
	Told map[string]string `json:"told,omitempty"`
}

// Message is one thing to post.
type Message struct {
	Kind string `json:"kind"` // "report", "phone_home"
	// URL may have a secret in it.
	URL         string `json:"url"`
	ContentType string `json:"content_type"`
	Body        []byte `json:"body"`
	// Tries is how often it is sent in one boot; 0 for as often as there is time for.
	Tries int `json:"tries,omitempty"`
}

// IsAmong says that a message is one of others.
func (m *Message) IsAmong(others []Message) bool {
	for i := range others {
		if o := &others[i]; o.Kind == m.Kind && o.URL == m.URL && bytes.Equal(o.Body, m.Body) {
			return true
		}
	}
	return false
}

// maxQueued is how many messages wait; a new one takes the place of the oldest.
const maxQueued = 4

// Add queues a message. What it says, in short, is what was told last from now on.
func (o *Outbox) Add(m Message, says string) {
	if o.Told == nil {
		o.Told = map[string]string{}
	}
	o.Version, o.Told[m.Kind] = 1, says
	o.Queued = append(o.Queued, m)
	o.Queued = o.Queued[max(0, len(o.Queued)-maxQueued):]
}

// Included is what lists of #include-once have fetched, by URL.
type Included struct {
	Version int               `json:"version"`
	Texts   map[string][]byte `json:"texts"`
}

// Command is a program of the distribution to run.
type Command struct {
	Argv   []string `json:"argv"`
	Inputs string   `json:"inputs"`
}

// Job is what the configuration asks of systemd.
type Job struct {
	Unit   string `json:"unit"`
	Action string `json:"action"`
}

// Script is a script to run.
type Script struct {
	Name    string      `json:"name"`
	Content []byte      `json:"content"`
	When    schema.When `json:"when,omitempty"`
}

// Kept is one file, directory or link below /run.
type Kept struct {
	Kind   plan.Kind   `json:"kind"`
	Path   string      `json:"path"`
	Attr   fsroot.Attr `json:"attr"`
	Data   []byte      `json:"data,omitempty"`
	Target string      `json:"target,omitempty"`
	// Stale says that no configuration asks for it any more: it is not put back.
	Stale bool `json:"stale,omitempty"`
}

// Keep is the record of a plan.
func Keep(p plan.Plan) Runtime {
	r := Runtime{
		Version: 1, Agents: p.Agents, Enabled: p.Enabled, Hosts: p.Hosts,
		BootSteps: p.BootSteps, Steps: p.Steps, Power: p.Power, FinalMessage: p.FinalMessage, PhoneHome: p.PhoneHome,
	}
	for i, changes := range [][]plan.Change{p.Kept, p.Stale} {
		for _, c := range changes {
			r.Items = append(r.Items, Kept{Kind: c.Kind, Path: c.Path, Attr: c.Attr, Data: c.Data, Target: c.Target, Stale: i == 1})
		}
	}
	for _, c := range p.Commands {
		r.Commands = append(r.Commands, Command{Argv: c.Argv, Inputs: c.Inputs})
	}
	for _, j := range p.Jobs {
		if !j.Once {
			r.Jobs = append(r.Jobs, Job{Unit: j.Unit, Action: j.Action})
		}
	}
	for _, s := range p.Scripts {
		r.Scripts = append(r.Scripts, Script{Name: s.Name, Content: s.Content, When: s.When})
	}
	for _, s := range p.Boothooks {
		r.Boothooks = append(r.Boothooks, Script{Name: s.Name, Content: s.Content})
	}
	return r
}

// Changes are the record as changes to make again, and what of it is stale too if that is asked for.
func (r Runtime) Changes(stale bool) []plan.Change {
	var out []plan.Change
	for _, k := range r.Items {
		if k.Stale && !stale {
			continue
		}
		out = append(out, plan.Change{Kind: k.Kind, Path: k.Path, Attr: k.Attr, Data: k.Data, Target: k.Target, Secret: true, Origin: plan.OriginState})
	}
	return out
}

// CurrentDir is the directory of the instance that was last applied; "" if none ever was.
func CurrentDir(root fsroot.FS) (string, error) {
	info, err := root.Stat(Current)
	if err != nil {
		return "", fmt.Errorf("look for state: %w", err)
	}
	if info.Kind != fsroot.Link {
		return "", nil
	}
	return path.Join(Top, path.Clean("/" + info.Target)[1:]), nil
}

// Read reads a JSON file of an instance into v; ok is false if there is none.
func Read(root fsroot.FS, dir, name string, v any) (ok bool, err error) {
	data, ok, err := ReadBytes(root, dir, name)
	if !ok || err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("read state %s: %w", name, err)
	}
	return true, nil
}

// ReadBytes reads a file of an instance; ok is false if there is none.
func ReadBytes(root fsroot.FS, dir, name string) (data []byte, ok bool, err error) {
	data, _, err = root.ReadFile(path.Join(dir, name), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read state %s: %w", name, err)
	}
	return data, true, nil
}

// File is a change that writes a JSON file of an instance.
func File(dir, name string, v any) (plan.Change, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return plan.Change{}, fmt.Errorf("state %s: %w", name, err)
	}
	return Bytes(dir, name, append(text, '\n')), nil
}

// Bytes is a change that writes a file of an instance.
func Bytes(dir, name string, data []byte) plan.Change {
	return plan.Change{Kind: plan.WriteFile, Path: path.Join(dir, name), Attr: fsroot.Attr{Mode: 0o600}, Data: data, Secret: true, Origin: plan.OriginState}
}

// Directories are the changes that make an instance's directory; Top itself is package commit's.
func Directories(dir string) []plan.Change {
	var out []plan.Change
	for _, d := range []string{Top + "/instances", dir} {
		out = append(out, plan.Change{Kind: plan.MakeDirectory, Path: d, Attr: fsroot.Attr{Mode: 0o700}, Origin: plan.OriginState})
	}
	return out
}

// Link is the change that makes an instance the current one.
func Link(dir string) plan.Change {
	return plan.Change{Kind: plan.MakeLink, Path: Current, Target: "instances/" + path.Base(dir), Origin: plan.OriginState}
}

// Instance is the metadata as it is kept, in the form of instance.json.
func Instance(dir string, meta schema.Metadata) (plan.Change, error) {
	meta.Version = 1
	return File(dir, InstanceFile, meta)
}
