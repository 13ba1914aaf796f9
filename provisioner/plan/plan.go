// Package plan decides every change to a machine before one is made.
//
// [Compute] is pure: configuration, metadata and facts in, a [Plan] out. A plan is data, without functions, so
// it can be compared, printed, hashed and kept. Package draw shows it, package commit makes the changes, package handoff
// does what cannot be undone.
package plan

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"cloudconfig/datasources/httpget"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

// Plan is every change to make, in order.
type Plan struct {
	// Changes are made all or none: directories before what is in them.
	Changes []Change
	// Runtime are changes below /run of a running system, made after Changes are committed and never in the
	// journal. Below another root they are in Changes instead.
	Runtime []Change
	// Hostname is to be set in the kernel of a running system; empty for none.
	Hostname string
	// Reload says that a unit, drop-in, link or mask changed, so that systemd must read them again.
	Reload bool
	// Networkd says that a networkd file changed.
	Networkd bool
	// Network is what that means for the links of Input.Network.
	Network NetworkChange
	// Commands are programs of the distribution, run after the commit, in order, before the units of Jobs start
	// and before Scripts.
	Commands []Command
	// Jobs are what systemd is asked to do after the commit, in order.
	Jobs []Job
	// Agents are the units of agents that the configuration sets up or starts and that are on the machine. Commands
	// come before them too.
	Agents []string
	// Enabled are the units that start with the machine from its next boot on.
	Enabled []string
	// Hosts are names that the agents of Jobs have to look up.
	Hosts []string
	// PhoneHome is whom to tell in the end that the machine is up; nil for nobody.
	PhoneHome *PhoneHome
	// Scripts are run after the commit, in order.
	Scripts []Script
	// Boothooks have run when the plan is made, and run again on every boot.
	Boothooks []Script
	// BootSteps have run when the plan is made, and run again on every boot; Steps are run after all else, once for each
	// instance. Both run in order until one fails.
	BootSteps, Steps []Step
	// Power is what becomes of the machine in the end; nil if it just stays on.
	Power *Power
	// FinalMessage is printed on the console at the end of every boot.
	FinalMessage string
	// Owned is everything the configuration asks for, changed or not, and what of an earlier one is still there: what
	// the manifest keeps, by path.
	Owned []Item
	// ByHand is what somebody has changed or removed since it was applied, and is left so.
	ByHand []Left
	// Orphans are what no configuration has any more, and is left.
	Orphans []Left
	// Kept are all changes below /run that the configuration asks for on a running system, made already or
	// not: what later boots put back.
	Kept []Change
	// Stale are changes below /run of a running system that were asked for and are not any more, and stay until the next
	// boot.
	Stale []Change
	// Unseen are paths that Compute had to know and Facts did not: the plan is unfinished, look at them with
	// facts.Look and compute again. A path that ends in "/" is to be listed.
	Unseen []string
	// Unasked are addresses that somebody else may have: put who has each into Facts.Holders and compute again. A plan
	// that is not to be committed may leave it.
	Unasked []Claim
}

// Kind is what a change does. Its text is in JSON and must not change.
type Kind string

// The kinds of change.
const (
	MakeDirectory Kind = "directory"
	WriteFile     Kind = "file"
	MakeLink      Kind = "link"
	Remove        Kind = "remove"
)

// Change is one name in the file system that will be other than it was.
type Change struct {
	Kind Kind
	Path string // relative to the root: "etc/hostname"
	Attr fsroot.Attr
	Data []byte // of WriteFile, the whole content
	// Target is where a MakeLink leads.
	Target string
	// Secret says that the content is never shown, neither its size nor its digest.
	Secret bool
	// Records says what changes in a file that others own lines in too (passwd, hosts, environment): such a
	// file is shown and compared by records, never whole.
	Records []Record
	// Given says that it is made and then its owner's, as a home is: no record of it is kept.
	Given bool
	Was   Seen
	Why   []source.Range // the places in the user's text that asked for it
	// Origin says who asked where nobody wrote anything: "metadata", "default user".
	Origin string
}

// Record is what is ours in a file that we share.
type Record struct {
	Name   string // "user core", "group docker: member core", "key 3 of core", "host web1"
	Action string // "added", "changed" or "removed"
	Detail string // without secrets: "uid 1000, home /home/core, password (secret)"
	Why    []source.Range
}

// Seen is what facts saw at a path.
type Seen struct {
	fsroot.Info
	SHA256 string // hex, of a regular file
	// Data is a regular file's content, up to MaxData bytes; nil for a larger one. It is never kept or printed
	// as JSON.
	Data []byte `json:"-"`
	// Entries are the names in a directory that was to be listed.
	Entries []string
	// Volume is the file system that the path is on, or would be.
	Volume fsroot.Volume
	// Fault says why nothing could be learnt of this path, in words for the user; empty if all is well.
	Fault string
}

// MaxData is the size in bytes up to which the content of a file is read into Seen.
const MaxData = 32 << 20

// Facts is what the machine is, before anything changes.
type Facts struct {
	// Now dates the accounts. It is before Built if the clock cannot be right.
	Now, Built time.Time
	// Live says that the root is the running system's.
	Live bool
	// Paths is what is at each path that was looked at. A path that is missing here was not looked at; every
	// parent of a path that is here is here as well.
	Paths map[string]*Seen
	// Environment has the COREOS_* variables of our own process.
	Environment map[string]string
	// DefaultRouteIPv4 and DefaultRouteIPv6 are addresses of the interface of the default route, if any.
	DefaultRouteIPv4, DefaultRouteIPv6 string
	// Salt is random bytes, for the hashes of passwords that are given in plain text.
	Salt []byte
	// Interfaces are those of a running system; nil below another root.
	Interfaces []Interface
	// Holders says who has an address that was asked for, by the hardware address; "" for nobody.
	Holders map[Claim]string
	// SystemHostname is the kernel's hostname on a running system.
	SystemHostname string
}

// Job is a request to systemd about one unit.
type Job struct {
	Unit string
	// Action is start, stop, restart, reload, try-restart, reload-or-restart or reload-or-try-restart.
	Action string
	// Once says that the job is for what this plan changes, and none of later boots.
	Once bool
	Why  []source.Range
}

// Command is a program of the distribution that makes something of files that this plan writes.
type Command struct {
	Argv []string // the program's absolute path, then its arguments
	// Inputs is a digest of those files. Where a run was cut short before the program ended, a later boot runs it.
	Inputs string
	Why    []source.Range
}

// Script is something to run, as often as When says.
type Script struct {
	Name    string // "user-data"
	Content []byte `json:"-"`
	When    schema.When
	Why     []source.Range
}

// Step is a command of bootcmd or runcmd.
type Step struct {
	Name string `json:"name"` // "runcmd[0]"
	// Text is for /bin/sh. It may hold a secret, and is never shown.
	Text string `json:"text"`
	// Continue says that the steps after it run even if it fails.
	Continue bool           `json:"continue,omitempty"`
	Why      []source.Range `json:"-"`
}

// Power is what becomes of the machine after everything else.
type Power struct {
	Mode         string `json:"mode"` // "poweroff", "reboot" or "halt"
	DelayMinutes int    `json:"delay_minutes,omitempty"`
	Message      string `json:"message,omitempty"`
	// Condition, if not empty, is a text for /bin/sh that ends with status 0 if it is to be done. It is never shown.
	Condition string         `json:"condition,omitempty"`
	Why       []source.Range `json:"-"`
}

// String is "reboot in 5 minutes, if its condition holds".
func (p *Power) String() string {
	s := p.Mode
	if p.DelayMinutes > 0 {
		s += " in " + count(p.DelayMinutes, "minute")
	}
	if p.Condition != "" {
		s += ", if its condition holds"
	}
	return s
}

// PhoneHome is whom to tell that the machine is up.
type PhoneHome struct {
	// URL has $INSTANCE_ID in it as it is written. It may hold a token, and is shown without user info and query values.
	URL string `json:"url"`
	// Post names what is told: "pub_key_ed25519", "hostname"; empty for everything.
	Post  []string       `json:"post,omitempty"`
	Tries int            `json:"tries,omitempty"` // in one boot; 0 for 10
	Names []string       `json:"names,omitempty"` // of the machine, the full one first
	Why   []source.Range `json:"-"`
}

// Fields are the names of what is told.
func (p *PhoneHome) Fields() []string {
	if len(p.Post) > 0 {
		return p.Post
	}
	return []string{"pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"}
}

// String is "tell https://example.com/up, once: hostname, fqdn".
func (p *PhoneHome) String() string {
	return "tell " + p.Address() + ", once: " + strings.Join(p.Fields(), ", ")
}

// Address is the URL without user info and query values.
func (p *PhoneHome) Address() string {
	return httpget.Redact(strings.ReplaceAll(p.URL, "${INSTANCE_ID}", "$INSTANCE_ID"))
}

// Input is all that Compute looks at.
type Input struct {
	Config *schema.Config
	Meta   schema.Metadata
	Facts  Facts
	// DefaultUser is the user whom top-level and platform keys belong to: "core".
	DefaultUser string
	// Imported are the public keys fetched for users that name GitHub or a URL, by URL.
	Imported map[string][]string
	// Network is what the machine's network is to be; nil leaves it as it is.
	Network *network.Network
	// NetworkUnits are units of the configuration to whose .network files a link of Network is left, as one that the
	// platform describes is.
	NetworkUnits []schema.Unit
	// Applied is what an earlier run made; nil if there is no record of any, and then what is wanted comes before what
	// is found.
	Applied *Applied
	// Overwrite takes back what somebody has changed by hand; Prune removes what the configuration no longer has.
	Overwrite, Prune bool
}

// Interface is an interface that the machine has.
type Interface struct {
	Name  string
	Index int
	// AltNames are the other names that it is known by.
	AltNames []string
	// MAC is its address now, PermanentMAC the card's own, "" of one without: in lower case with colons.
	MAC, PermanentMAC string
	// Kind is the kernel's of a made one: "bond", "vlan"; "" of a card.
	Kind string
	// Driver is what makes it work, "virtio_net" or "veth"; networkd matches this name.
	Driver   string
	Loopback bool
	// Up says that it is brought up, Carrier that something is at the other end of the cable.
	Up, Carrier bool
	MTU         int
	// Master is the bond, bridge or VRF that it is in, Parent what a VLAN is on: names.
	Master, Parent string
	Addresses      []InterfaceAddress
	Routes         []InterfaceRoute
}

// InterfaceAddress is an address that an interface has.
type InterfaceAddress struct {
	// Prefix is the address itself, with the bits of its network.
	Prefix netip.Prefix
	// Peer is the other end of a link of two ends; not valid of others.
	Peer netip.Addr
	// Dynamic says that it is there for a time only: DHCP gave it, or a router.
	Dynamic bool
	// Tentative says that it is not known yet whether somebody else has it, Duplicate that somebody has.
	Tentative, Duplicate bool
	// Deprecated ones are not for new connections, Temporary ones not for others to know us by.
	Deprecated, Temporary bool
}

// InterfaceRoute is a route that the kernel has.
type InterfaceRoute struct {
	To     netip.Prefix // of no bits: the default route
	Via    netip.Addr   // not valid: on the link
	Source netip.Addr   // from which it sends, if it names one
	Table  uint32
	Metric uint32
	// Protocol is who made it: "kernel", "boot", "static", "dhcp", "ra", or a number.
	Protocol string
}

// Lines is how many lines a script has, counting a last one without an end.
func (s *Script) Lines() int { return lineCount(s.Content) }

// Digest is the SHA-256 of what is in a file, in hex; empty if nobody has looked.
func (s *Seen) Digest() string {
	if s.SHA256 == "" && int64(len(s.Data)) == s.Size {
		return Digest(s.Data)
	}
	return s.SHA256
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
