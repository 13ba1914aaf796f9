// Package language is what may stand where in a cloud-config: one table of all keys.
//
// [Checker.CheckDocument] holds a document against the table and marks what is wrong; [At] reads what was found right;
// [Keys] and [JSONSchema] show the table to people and to their tools. What a configuration means, and whether its
// entries fit each other, is not known here.
package language

import (
	"math"
	"regexp"
	"sync"
)

// A key that is not in the table does not exist.

// kind is what a value may be. The zero value is invalid.
type kind uint8

const (
	text        kind = iota + 1 // any scalar, as written
	boolean                     // true, false, and what YAML 1.1 took for them
	integer                     // a whole number
	number                      // a number
	permissions                 // a file mode in any of its spellings
	commas                      // one text of names with commas between
	list                        // a sequence of item; a lone scalar where lone is set
	mapping                     // the keys in fields, and keys of the user's own where free is set
	either                      // what one of several shapes takes
	anything                    // any value at all
)

// shape is what a value must look like. There are hundreds, so they are kept small: flags stand together.
type shape struct {
	kind kind
	// strict takes a scalar only where YAML makes of it what is wanted: no number or truth for a text, nothing in
	// quotes for a truth or a number. cloud-init's schema has it so.
	strict bool
	null   bool // the value may be null
	blank  bool // '' counts as not written, as coreos-cloudinit and cloud-init have it
	lone   bool // a list of one may be written as its item
	unique bool // no text may be twice in a list
	secret bool // never shown
	// refuses makes foreign keys errors: without them the machine would be another one.
	refuses bool

	rule      rule     // checks a value beyond its kind
	oneOf     []string // of a text; true and false stand for the truths as well
	pattern   *pattern // of a text
	low, high int      // of an integer; both 0 for no bounds, high many for none above

	item     *shape // of a list
	min, max int    // how many items a list has, or keys a mapping; max 0 for no bound

	fields []field
	// also are fields that several mappings have besides their own.
	also []field
	// foreign are keys that cloud-init knows in this mapping, and this language does not.
	foreign []foreign
	// free is what the user's own keys hold, which are all that are not in fields; keys checks such a key.
	free *shape
	keys rule
	// anyOf names keys of which one at least must be there.
	anyOf []string

	either []*shape // in the order tried: the first that takes the value, else the first of its kind
}

// field is one key of a mapping.
type field struct {
	name       string
	shape      *shape
	doc        string // one sentence, without a full stop
	example    string // a value as one would write it
	required   bool
	deprecated *deprecated // nil of a key that is not
	later      *later      // nil of a key that is acted on
	// variable is the environment variable that an agent's setting becomes.
	variable string
}

// deprecated says what to use instead of a key; it is a finding, and the key works all the same.
type deprecated struct {
	instead string
	// renamed is the key of today that takes the same values.
	renamed string
}

// later says what to do until a key is acted on: it is checked, and nothing is done. unless are values that ask for
// nothing, of the key itself or of the key in below it.
type later struct {
	instead string
	unless  []string
	in      string
}

// foreign is a key of cloud-init's that has no meaning here, with what to do instead. unless is a value that asks for
// nothing, if there is one.
type foreign struct{ name, instead, unless string }

// pattern is a regular expression, in what RE2 and ECMA 262 have in common, and what it is in words.
type pattern struct {
	expr, words string

	once sync.Once
	re   *regexp.Regexp
}

func (p *pattern) match(s string) bool {
	// Compiled when first asked: most documents ask for few.
	p.once.Do(func() { p.re = regexp.MustCompile(p.expr) })
	return p.re.MatchString(s)
}

// language is the top level of a cloud-config. What cloud-init has too is typed as in the schema of its release
// 26.2, cloudinit/config/schemas/schema-cloud-config-v1.json (2026-08).
var language = shape{kind: mapping, foreign: foreignKeys, fields: []field{
	{name: "hostname", shape: &shape{kind: text, blank: true, rule: isHostname}, doc: "The name of the machine, short or fully qualified", example: "web1"},
	{name: "fqdn", shape: &shape{kind: text, strict: true, blank: true, rule: isHostname}, doc: "The fully qualified name of the machine", example: "web1.example.com"},
	{name: "prefer_fqdn_over_hostname", shape: &strictBoolean, doc: "Take fqdn whole for the hostname, not its first label", example: "true"},
	{name: "preserve_hostname", shape: &strictBoolean, doc: "Leave the hostname as it is", example: "true"},
	{name: "create_hostname_file", shape: &strictBoolean, doc: "Write /etc/hostname; false sets the hostname of this boot alone", example: "false"},
	{name: "manage_etc_hosts", shape: &shape{kind: text, oneOf: []string{"localhost", "true", "template", "false"}}, doc: "Give the hostname an address in /etc/hosts; its other lines stay", example: "localhost"},
	{name: "timezone", shape: &shape{kind: text, strict: true, blank: true, rule: isTimezone}, doc: "The time zone, as the directories below /usr/share/zoneinfo name it", example: "Europe/Berlin"},
	{name: "locale", shape: &shape{kind: either, either: []*shape{{kind: boolean, strict: true, rule: isLocaleSwitch}, {kind: text, strict: true, rule: isLocale}}}, doc: "The locale of the system; false leaves it as it is", example: "de_DE.UTF-8"},
	{name: "locale_configfile", shape: &strictText, doc: "Where the locale is written", example: "/etc/default/locale", later: &later{instead: "the locale goes to /etc/locale.conf, and to /etc/default/locale where the distribution reads that", unless: []string{"/etc/default/locale", "/etc/locale.conf"}}},
	{name: "keyboard", shape: &shape{kind: mapping, fields: keyboardFields}, doc: "The keyboard of console and X11, as keyboard(5) has it", example: "{layout: de}"},
	{name: "ntp", shape: &shape{kind: mapping, fields: ntpFields, null: true}, doc: "Where the time comes from; null for the distribution's servers", example: "{servers: [ntp.example.com]}"},
	{name: "manage_resolv_conf", shape: &strictBoolean, doc: "Tell the resolver what resolv_conf says", example: "true"},
	{name: "resolv_conf", shape: &shape{kind: mapping, fields: resolverFields}, doc: "Name servers and search domains, where manage_resolv_conf is true", example: "{nameservers: [192.0.2.53]}"},
	{name: "vendor_data", shape: &shape{kind: mapping, foreign: foreignVendorKeys, fields: []field{
		{name: "enabled", shape: &strictBoolean, doc: "Take the vendor data of the platform, below what is written here", example: "false"},
	}}, doc: "What is done with the vendor data of the platform", example: "{enabled: false}"},
	{name: "ca_certs", shape: &shape{kind: mapping, min: 1, fields: caFields}, doc: "Certificate authorities that the whole system trusts", example: "{trusted: [-----BEGIN CERTIFICATE-----...]}"},

	{name: "network", shape: &networkShape, doc: "The network of the machine, in the language of netplan", example: "{version: 2, ethernets: {eth0: {dhcp4: true}}}"},

	{name: "ssh_authorized_keys", shape: &shape{kind: list, lone: true, item: &sshKey}, doc: "Public keys of the default user", example: "[ssh-ed25519 AAAA... me@laptop]"},
	{name: "ssh_import_id", shape: &shape{kind: list, item: &shape{kind: text, strict: true, rule: isImportID}}, doc: "Users whose public keys the default user gets; gh: for GitHub", example: "[gh:anna]"},
	{name: "ssh_pwauth", shape: &shape{kind: text, oneOf: []string{"true", "false", "unchanged", "yes", "no", "on", "off"}}, doc: "Let sshd take passwords", example: "false"},
	{name: "disable_root", shape: &strictBoolean, doc: "Refuse root's login by SSH", example: "true"},
	{name: "disable_root_opts", shape: &shape{kind: text, strict: true, rule: isOneLine}, doc: "Options in front of root's keys that refuse the login", example: "no-port-forwarding,no-pty"},
	{name: "ssh_keys", shape: &shape{kind: mapping, fields: hostKeyFields, foreign: foreignHostKeys}, doc: "The host keys of sshd", example: "{ed25519_private: ..., ed25519_public: ...}"},
	{name: "ssh_genkeytypes", shape: &shape{kind: list, min: 1, item: &shape{kind: text, strict: true, oneOf: []string{"ecdsa", "ed25519", "rsa"}}}, doc: "The types of host key to make", example: "[ed25519]"},
	{name: "ssh_deletekeys", shape: &strictBoolean, doc: "Remove the image's host keys, so that they are made anew", example: "true"},
	{name: "ssh_quiet_keygen", shape: &strictBoolean, doc: "Make host keys without a word on the console", example: "true", later: &later{instead: quietConsole, unless: []string{"true"}}},
	{name: "ssh_publish_hostkeys", shape: &shape{kind: mapping, fields: publishFields}, doc: "Tell the platform the host keys", example: "{enabled: false}", later: &later{instead: "read them with ssh-keyscan", unless: []string{"false"}, in: "enabled"}},
	{name: "no_ssh_fingerprints", shape: &strictBoolean, doc: "Print no fingerprints of authorized keys to the console", example: "true"},
	{name: "authkey_hash", shape: &shape{kind: text, strict: true, oneOf: []string{"sha256", "sha512", "md5"}}, doc: "The digest of those fingerprints", example: "sha256"},
	{name: "ssh_fp_console_blacklist", shape: &shape{kind: list, unique: true, item: &strictText}, doc: "Types of host key whose fingerprint is not printed to the console", example: "[ssh-rsa]"},
	{name: "ssh_key_console_blacklist", shape: &shape{kind: list, unique: true, item: &strictText}, doc: "Types of host key that are not printed to the console; ssh-dss unless it is given", example: "[ssh-rsa]"},
	{name: "ssh", shape: &shape{kind: mapping, fields: []field{
		{name: "emit_keys_to_console", required: true, shape: &strictBoolean, doc: "Print the host keys and their fingerprints to the console", example: "false"},
	}}, doc: "What of SSH is printed to the console", example: "{emit_keys_to_console: false}"},

	{name: "groups", shape: &shape{kind: either, either: []*shape{
		{kind: commas, blank: true, rule: isAccountName},
		&groupMembers,
		{kind: list, item: &shape{kind: either, either: []*shape{{kind: text, rule: isAccountName}, &groupMembers}}},
	}}, doc: "Groups to make, with members or without", example: "[docker, {web: [anna, bert]}]"},
	{name: "users", shape: &shape{kind: either, either: []*shape{
		{kind: list, item: &shape{kind: either, either: []*shape{{kind: text, strict: true, rule: isUserAlone}, &userEntry, {kind: list, item: &shape{kind: text, strict: true, rule: isAccountName}}}}},
		{kind: mapping, rule: isUserMapping, keys: isAccountName, free: &shape{kind: either, either: []*shape{&userBelowName, {kind: boolean}}}},
		{kind: commas, strict: true, rule: isAccountName},
	}}, doc: "Accounts; the word default stands for the image's default user", example: "[default, {name: anna}]"},
	{name: "user", shape: &shape{kind: either, either: []*shape{{kind: text, strict: true, rule: isAccountName}, &userEntry}}, doc: "Another default user than the image's, as an item of users", example: "anna", later: &later{instead: "list the user under users"}},
	{name: "password", shape: &shape{kind: text, strict: true, secret: true}, doc: "The password of the default user, or its hash", example: "$y$j9T$..."},
	{name: "chpasswd", shape: &shape{kind: mapping, fields: chpasswdFields}, doc: "Passwords of users, and whether they must be changed", example: "{expire: false, users: [{name: anna, password: $y$j9T$...}]}"},

	{name: "write_files", shape: &shape{kind: list, min: 1, item: &shape{kind: mapping, fields: fileFields}}, doc: "Files to write", example: "[{path: /etc/motd, content: hello}]"},
	{name: "certificates", shape: &shape{kind: list, item: &shape{kind: mapping, fields: certificateFields}}, doc: "Certificates and keys, checked before they are written", example: "[{name: web, source: file, certificate: /media/web.pem, certificate_path: /etc/ssl/web.pem}]"},
	{name: "coreos", shape: &shape{kind: mapping, fields: coreosFields}, doc: "Units, and the settings of the agents that CoreOS brought"},

	{name: "bootcmd", shape: &shape{kind: list, min: 1, item: &shape{kind: either, either: command}}, doc: "Commands to run early in every boot, one after the other", example: "[[modprobe, br_netfilter]]"},
	{name: "runcmd", shape: &shape{kind: list, min: 1, item: &shape{kind: either, either: command, null: true}}, doc: "Commands to run at the end of the first boot, one after the other until one fails", example: "[[systemctl, restart, nginx]]"},
	{name: "mounts", shape: &shape{kind: list, min: 1, item: &shape{kind: list, min: 1, max: 6, item: &shape{kind: text, null: true}}}, doc: "Lines of fstab(5), a list of fields each", example: `[[/dev/vdb, /srv, ext4, defaults, "0", "2"]]`, later: &later{instead: viaMount}},
	{name: "mount_default_fields", shape: &shape{kind: list, min: 6, max: 6, item: &shape{kind: text, null: true}}, doc: "What the fields of mounts are that a line lacks", example: `[null, null, auto, "defaults,nofail", "0", "2"]`, later: &later{instead: viaMount}},
	{name: "swap", shape: &shape{kind: mapping, fields: swapFields}, doc: "A file to swap to", example: "{filename: /swapfile, size: 1G}", later: &later{instead: "write a .swap unit in coreos.units"}},
	{name: "growpart", shape: &shape{kind: mapping, fields: growpartFields}, doc: "Grow partitions to the size of the disk", example: "{mode: auto, devices: [/]}", later: &later{instead: "use systemd-repart", unless: []string{"off", "false"}, in: "mode"}},
	{name: "resize_rootfs", shape: &shape{kind: text, oneOf: []string{"true", "false", "noblock"}}, doc: "Grow the root file system to the size of its partition", example: "true", later: &later{instead: "use systemd-growfs, or x-systemd.growfs in fstab", unless: []string{"false"}}},
	{name: "power_state", shape: &shape{kind: mapping, fields: powerFields}, doc: "Turn the machine off at the end of the first boot", example: "{mode: reboot}"},
	{name: "phone_home", shape: &shape{kind: mapping, fields: phoneFields}, doc: "Tell a server at the end of the first boot that the machine is up", example: "{url: https://example.com/up}"},
	{name: "final_message", shape: &strictText, doc: "What to print on the console at the end of every boot", example: "up after $uptime seconds"},
}}

const many = math.MaxInt32

// Shapes that many keys have.
var (
	strictText    = shape{kind: text, strict: true}
	strictBoolean = shape{kind: boolean, strict: true}
	anyBoolean    = shape{kind: boolean}
	anyInteger    = shape{kind: integer}
	anySetting    = shape{kind: text, rule: isSetting}
	sshKey        = shape{kind: text, rule: isSSHKey}
)

// What to do instead of what is not acted on.
const (
	viaUnit      = "do it in a unit of coreos.units"
	viaFiles     = "write its file with write_files"
	viaMount     = "write a .mount unit in coreos.units"
	quietConsole = "no key is ever printed to the console"
)

var fileFields = []field{
	{name: "path", required: true, shape: &shape{kind: text, rule: isFilePath}, doc: "Where the file goes", example: "/etc/motd"},
	{name: "content", shape: &shape{kind: text}, doc: "What is in the file; empty if nothing is said", example: "hello"},
	{name: "encoding", shape: &shape{kind: text, oneOf: encodings, blank: true}, doc: "How the content is written here", example: "gzip+base64"},
	{name: "owner", shape: &shape{kind: text, blank: true, rule: isOwner}, doc: "Owner and group, by name or number; root:root if nothing is said", example: "core:core"},
	{name: "permissions", shape: &shape{kind: permissions, blank: true}, doc: "The mode, in octal or as chmod's symbols; if nothing is said 0644, or 0600 of a secret", example: `"0600"`},
	{name: "append", shape: &anyBoolean, doc: "Add the content to what is there", example: "true"},
	{name: "defer", shape: &anyBoolean, doc: "Write the file after all others", example: "true"},
	{name: "source", shape: &shape{kind: mapping, fields: sourceFields}, doc: "Where the content is fetched from; content is what is taken if that fails", example: "{uri: https://example.com/motd}", later: &later{instead: "give the content here"}},
	{name: "secret", shape: &anyBoolean, doc: "Show the content nowhere; taken for granted where the mode keeps others out", example: "true"},
	{name: "template", shape: &anyBoolean, doc: "Substitute every instance variable in the content, not the addresses alone", example: "true"},
}

var sourceFields = []field{
	{name: "uri", required: true, shape: &shape{kind: text, strict: true}, doc: "The address of the content", example: "https://example.com/motd"},
	{name: "headers", shape: &shape{kind: mapping, free: &shape{kind: text, strict: true, secret: true}}, doc: "Headers of the request", example: "{Accept: text/plain}"},
}

var encodings = []string{"base64", "b64", "gz", "gzip", "gz+base64", "gzip+base64", "gz+b64", "gzip+b64", "text/plain"}

var unitFields = []field{
	{name: "name", required: true, shape: &shape{kind: text, rule: isUnitName}, doc: "The unit's name with its suffix", example: "web.service"},
	{name: "content", shape: &shape{kind: text}, doc: "The text of the unit file"},
	{name: "drop_ins", shape: &shape{kind: list, item: &shape{kind: mapping, fields: []field{
		{name: "name", required: true, shape: &shape{kind: text, rule: isDropInName}, doc: "The drop-in's name", example: "10-limits.conf"},
		{name: "content", shape: &shape{kind: text}, doc: "The text of the drop-in"},
	}}}, doc: "Changes to a unit that is there", example: "[{name: 10-limits.conf, content: ...}]"},
	{name: "runtime", shape: &anyBoolean, doc: "Write to /run: gone with the next boot but for what the configuration restores", example: "true"},
	{name: "mask", shape: &anyBoolean, doc: "Make it impossible to start", example: "true"},
	{name: "enable", shape: &anyBoolean, doc: "Start it at every later boot, as its [Install] section says", example: "true"},
	{name: "command", shape: &shape{kind: text, blank: true, oneOf: []string{"start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart"}}, doc: "What to do with it in this boot", example: "start"},
}

var coreosFields = []field{
	{name: "units", shape: &shape{kind: list, item: &shape{kind: mapping, fields: unitFields}}, doc: "systemd units and their drop-ins"},
	{name: "etcd", shape: &shape{kind: mapping, fields: etcdFields}, doc: "Settings of etcd 0.4", deprecated: &deprecated{instead: "use etcd2"}},
	{name: "etcd2", shape: &shape{kind: mapping, fields: etcd2Fields}, doc: "Settings of etcd 2 and later"},
	{name: "fleet", shape: &shape{kind: mapping, fields: fleetFields}, doc: "Settings of fleet"},
	{name: "flannel", shape: &shape{kind: mapping, fields: flannelFields}, doc: "Settings of flannel"},
	{name: "locksmith", shape: &shape{kind: mapping, fields: locksmithFields}, doc: "Settings of locksmith"},
	{name: "oem", shape: &shape{kind: mapping, fields: oemFields}, doc: "Who made the image: /etc/oem-release"},
	{name: "update", shape: &shape{kind: mapping, fields: updateFields}, doc: "How updates are made: /etc/coreos/update.conf"},
}

var oemFields = []field{
	{name: "id", shape: &shape{kind: text, rule: isPublicLine}, doc: "A short name of the platform", example: "rackspace"},
	{name: "name", shape: &shape{kind: text, rule: isPublicLine}, doc: "Its full name", example: "Rackspace Cloud Servers"},
	{name: "version_id", shape: &shape{kind: text, rule: isPublicLine}, doc: "The version of the image's support for it", example: "168.0.0"},
	{name: "home_url", shape: &shape{kind: text, rule: isPublicLine}, doc: "Where to read about it", example: "https://www.rackspace.com/"},
	{name: "bug_report_url", shape: &shape{kind: text, rule: isPublicLine}, doc: "Where to report trouble", example: "https://github.com/coreos/bugs"},
}

var updateFields = []field{
	{name: "reboot_strategy", shape: &shape{kind: text, blank: true, oneOf: []string{"best-effort", "etcd-lock", "reboot", "off"}}, doc: "Who decides when an update reboots the machine", example: "etcd-lock"},
	{name: "group", shape: &shape{kind: text, rule: isPublicLine}, doc: "The update channel", example: "stable"},
	{name: "server", shape: &shape{kind: text, rule: isUpdateServer}, doc: "The update server", example: "https://updates.example.com/v1/update/"},
}
