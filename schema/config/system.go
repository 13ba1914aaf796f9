package config

import (
	"cloudconfig/schema/certificate"
	"cloudconfig/schema/source"
)

// System is what cloud-init's language says of the machine as a whole: names, places, time, the SSH server.
type System struct {
	FQDN             Value[string]
	PreserveHostname Value[bool] // leave the hostname as it is
	// CreateHostnameFile false leaves /etc/hostname alone; the kernel's name is set all the same.
	CreateHostnameFile Value[bool]
	PreferFQDN         Value[bool]   // the hostname is FQDN, not its first label
	Timezone           Value[string] // "Europe/Berlin"
	// Locale is "C.UTF-8"; unset where the user wrote false, which leaves the locale alone.
	Locale   Value[string]
	Keyboard Keyboard
	SSH      SSHServer
	NTP      NTP
	Resolver Resolver
	CACerts  CACerts
	// PhoneHome is nil if nobody is to be told.
	PhoneHome *PhoneHome
	// Passwords are what plain_text_passwd, password and chpasswd give, in this order; of one user the last counts.
	Passwords []Password
	// ExpirePasswords says that they must be changed at the first login: true unless chpasswd says otherwise.
	ExpirePasswords Value[bool]
}

// PhoneHome is whom to tell that the machine is up.
type PhoneHome struct {
	At source.Range
	// URL is of http or https; $INSTANCE_ID in it is not put in yet. It may hold a token.
	URL Value[Secret]
	// Post names what is told: "pub_key_ed25519", "hostname"; empty for everything.
	Post []Value[string]
	// Tries is how often it is tried in one boot.
	Tries Value[int]
}

// Keyboard is the layout of console and X11, as keyboard(5) has it.
type Keyboard struct {
	Layout, Model, Variant, Options Value[string]
}

// SSHServer is what is said about sshd and its host keys.
type SSHServer struct {
	// PasswordAuthentication is ssh_pwauth; unset where the user wrote "unchanged".
	PasswordAuthentication Value[bool]
	DisableRoot            Value[bool]
	DisableRootOptions     Value[string] // of the keys that refuse root
	HostKeys               []HostKey
	GenerateKeyTypes       []Value[string] // "rsa", "ecdsa", "ed25519"
	DeleteKeys             Value[bool]     // of the image, so that they are made anew
	Console                SSHConsole
}

// SSHConsole is what of keys is printed to the console at the end of the first boot.
type SSHConsole struct {
	HostKeys       Value[bool] // true unless emit_keys_to_console says otherwise
	NoFingerprints Value[bool] // of authorized keys
	KeyHash        Value[string]
	// WithoutFingerprint and WithoutKey are types of host key that are left out.
	WithoutFingerprint, WithoutKey []Value[string]
}

// HostKey is one pair of ssh_keys.
type HostKey struct {
	Type        string // "rsa", "ecdsa", "ed25519"
	Private     Value[Secret]
	Public      Value[string]
	Certificate Value[string]
}

// NTP is what systemd-timesyncd is told.
type NTP struct {
	At             source.Range // zero if the key is not there
	Enabled        Value[bool]
	Servers, Pools []Value[string]
}

// Resolver is what systemd-resolved is told.
type Resolver struct {
	At                         source.Range // zero if there is nothing to tell
	Nameservers, SearchDomains []Value[string]
	Domain                     Value[string]
}

// CACerts are certificates that the whole system trusts.
type CACerts struct {
	RemoveDefaults Value[bool]
	Trusted        []Value[string] // PEM
}

// Password is a password, or its hash, for one user.
type Password struct {
	User Value[string] // the default user where Set is false
	// Text is the password, or its hash where Hashed says so.
	Text   Value[Secret]
	Hashed bool
	// OfUsers says that it is plain_text_passwd of an item of users: lock_passwd counts for it, and
	// ExpirePasswords does not.
	OfUsers bool
}

// Certificate is an item of certificates: a key and what belongs to it, in files of the user's choice.
type Certificate struct {
	At      source.Range
	Name    Value[string]
	Source  Value[string] // "inline", also where the user says nothing, or "file"
	Parts   [certificate.Parts]CertificatePart
	Owner   Value[string]   // as of a File
	Mode    Value[uint32]   // of all but the key; 0o644 where the user says nothing
	KeyMode Value[uint32]   // of the key, 0o640 at most; 0o600 where the user says nothing
	Reload  []Value[string] // units to reload when a file has changed
}

// CertificatePart is one of the texts of an item. One without both of its values is not there.
type CertificatePart struct {
	// Path is where it goes, absolute and clean. It is unset for a file that stays where it is, and for a chain
	// that follows the certificate in its file.
	Path Value[string]
	// Content is PEM, or with source file the absolute path of a file of the machine.
	Content Value[Secret]
}
