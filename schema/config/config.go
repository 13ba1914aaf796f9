// Package config is what a cloud-config means, as types: [Config], and [Metadata] of the instance that it is for.
//
// Nothing is read or checked here. Package schema, which fills a Config, has its types under the same names.
package config

import (
	"cloudconfig/schema/network"
	"cloudconfig/schema/secret"
	"cloudconfig/schema/source"
)

// Secret is a password hash, a private key or a token.
type Secret = secret.Text

// Value is something the user wrote, with its place.
type Value[T any] struct {
	V  T
	At source.Range
	// Set says that the user wrote it; V is the zero value otherwise.
	Set bool
}

// Config is a whole cloud-config after decoding: typed, checked, in the order written.
type Config struct {
	Hostname          Value[string]
	ManageEtcHosts    Value[string] // "localhost", or unset: /etc/hosts is left alone
	SSHAuthorizedKeys []Value[string]
	Groups            []Group
	Users             []User
	Files             []File
	Agents            []Agent
	OEM               OEM
	Update            Update
	Units             []Unit
	System            System
	Certificates      []Certificate
	// Network is what is below network at the top level; nil if nothing is.
	Network *network.Network
	// Scripts are user-data that is a script, in order.
	Scripts []Script
	// Boothooks are scripts to run on every boot before the configuration is looked at whole, in order.
	Boothooks []Script
	// BootCommands are run on every boot before the configuration is applied, RunCommands once for each instance after
	// everything else; both in order.
	BootCommands, RunCommands []Command
	PowerState                PowerState
	// FinalMessage is what is printed on the console when a boot has ended; $version and its like are in it as written.
	FinalMessage Value[string]
	// RefusesVendor says that the platform's vendor data is not taken.
	RefusesVendor bool
	// Hidden are the lines of secret values, which no finding draws.
	Hidden source.Lines
}

// Group is an item of the top-level groups.
type Group struct {
	Name    Value[string]
	Members []Value[string]
}

// User is an item of users.
type User struct {
	At source.Range
	// Default says that the item is the word "default": the image's default user, with nothing else said.
	Default           bool
	Name              Value[string]
	Passwd            Value[Secret] // a crypt(3) hash, as it goes into shadow
	LockPasswd        Value[bool]
	SSHAuthorizedKeys []Value[string]
	ImportGitHub      []Value[string] // names of users at GitHub whose public keys are wanted
	ImportURL         Value[string]   // a URL that answers with GitHub's JSON
	Gecos             Value[string]
	HomeDir           Value[string]
	NoCreateHome      Value[bool]
	PrimaryGroup      Value[string] // a name or a number
	Groups            []Value[string]
	NoUserGroup       Value[bool]
	System            Value[bool]
	NoLogInit         Value[bool] // lastlog and faillog; accepted, and without effect since we write neither
	Shell             Value[string]
	UID               Value[int]
	ExpireDate        Value[string]   // the day from which the account is disabled: "2032-09-01"
	Inactive          Value[int]      // days after a password's expiry until the account is disabled; -1 for never
	Sudo              []Value[string] // right-hand sides of sudoers rules: "ALL=(ALL) NOPASSWD:ALL"
}

// File is an item of write_files.
type File struct {
	At   source.Range
	Path Value[string] // absolute and clean
	// Content is decoded: base64 and gzip are gone.
	Content Value[[]byte]
	// Encoded says that the content was given in base64 or gzip, so that nothing is substituted in it.
	Encoded bool
	Owner   Value[string] // "user", "user:group", ":group", names or numbers; unset is root:root
	// Mode has the twelve bits of chmod(2), setuid included; 0o644 where the user says nothing.
	Mode Value[uint32]
	// Append adds the content to what is there.
	Append Value[bool]
	// Defer writes the file after all others, and so after users exist.
	Defer    Value[bool]
	Secret   bool        // the content must never be shown
	Template Value[bool] // substitute every instance fact, not the four addresses alone
	Source   Source      // not acted on yet
}

// Source is where the content of a file is fetched from.
type Source struct {
	URI     Value[string]
	Headers []Header // of an HTTP request
}

// Header is a header of an HTTP request, which may hold a token.
type Header struct {
	Name  string
	Value Value[Secret]
}

// Agent is the settings of one of the agents CoreOS configures by environment.
type Agent struct {
	Name     string // etcd, etcd2, fleet, flannel, locksmith
	At       source.Range
	Settings []Setting // in the order of the user's text
}

// Setting is one environment variable of an agent.
type Setting struct {
	Key      string // the key of the language: listen_client_urls
	Variable string // ETCD_LISTEN_CLIENT_URLS
	Value    Value[string]
	Secret   bool
}

// OEM is coreos.oem, written to /etc/oem-release.
type OEM struct {
	ID, Name, VersionID, HomeURL, BugReportURL Value[string]
}

// Update is coreos.update, written to /etc/coreos/update.conf.
type Update struct {
	RebootStrategy, Group, Server Value[string]
}

// Unit is an item of coreos.units.
type Unit struct {
	At      source.Range
	Name    Value[string]
	Content Value[string] // unset where only drop-ins or a command are given
	DropIns []DropIn
	Runtime Value[bool]
	Mask    Value[bool]
	Enable  Value[bool]
	Command Value[string]
}

// DropIn is an item of drop_ins.
type DropIn struct {
	At      source.Range
	Name    Value[string]
	Content Value[string]
}

// Script is user-data that is run, not decoded.
type Script struct {
	// Name is the file it came from, as diagnostics print it, with the line where it begins if it is a piece of it.
	Name string
	// Content is the script as written, with Unix line ends; its first line names the interpreter.
	Content []byte
	At      source.Range
	// When says how often it runs; it means nothing of a boothook.
	When When
}

// When is how often a script runs. Its text is in JSON and must not change.
type When string

// A script runs once for each instance unless it came as one for every boot, or for a single time ever.
const (
	PerInstance When = ""
	PerBoot     When = "boot"
	Once        When = "once"
)

// Metadata is what the platform says of this instance. Its JSON form is that of instance.json and of
// --metadata; docs/json.md has the schema.
type Metadata struct {
	Version      int      `json:"version"` // always 1
	Datasource   string   `json:"datasource,omitempty"`
	InstanceID   string   `json:"instance_id,omitempty"`
	Hostname     string   `json:"hostname,omitempty"`
	PublicIPv4   string   `json:"public_ipv4,omitempty"`
	PrivateIPv4  string   `json:"private_ipv4,omitempty"`
	PublicIPv6   string   `json:"public_ipv6,omitempty"`
	PrivateIPv6  string   `json:"private_ipv6,omitempty"`
	Region       string   `json:"region,omitempty"`
	Zone         string   `json:"zone,omitempty"`
	InstanceType string   `json:"instance_type,omitempty"`
	SSHKeys      []string `json:"ssh_keys,omitempty"`
	// Tags are what the owner of the account has the platform say of the instance. They are for templates, and are
	// not shown to everybody on the machine.
	Tags map[string]string `json:"tags,omitempty"`
}
