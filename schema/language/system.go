package language

import "slices"

// The settings of the whole system, under the keys of cloud-init.

var keyboardFields = []field{
	{name: "layout", required: true, shape: &shape{kind: text, strict: true, rule: isKeyboard}, doc: "XKBLAYOUT", example: "de"},
	{name: "model", shape: &shape{kind: text, strict: true, rule: isKeyboard}, doc: "XKBMODEL", example: "pc105"},
	{name: "variant", shape: &shape{kind: text, strict: true, rule: isKeyboard}, doc: "XKBVARIANT", example: "nodeadkeys"},
	{name: "options", shape: &shape{kind: text, strict: true, rule: isKeyboard}, doc: "XKBOPTIONS", example: "compose:rctrl"},
}

var ntpFields = []field{
	{name: "enabled", shape: &strictBoolean, doc: "Set the clock from the network; true if nothing is said", example: "true"},
	{name: "servers", shape: &shape{kind: list, unique: true, item: &shape{kind: text, strict: true, rule: isHostOrAddress}}, doc: "Servers, by name or address", example: "[ntp.example.com]"},
	{name: "pools", shape: &shape{kind: list, unique: true, item: &shape{kind: text, strict: true, rule: isHostOrAddress}}, doc: "Names that stand for many servers", example: "[pool.ntp.org]"},
	{name: "peers", shape: &shape{kind: list, unique: true, item: &strictText}, doc: "Servers that agree on a time with this one", example: "[ntp2.example.com]", later: &later{instead: timesyncd}},
	{name: "allow", shape: &shape{kind: list, unique: true, item: &strictText}, doc: "Networks that may ask this machine for the time", example: "[192.0.2.0/24]", later: &later{instead: timesyncd}},
	{name: "ntp_client", shape: &strictText, doc: "The program that sets the clock", example: "systemd-timesyncd", later: &later{instead: timesyncd, unless: []string{"auto", "systemd-timesyncd"}}},
	{name: "config", shape: &shape{kind: mapping, min: 1, fields: []field{
		{name: "confpath", shape: &strictText, doc: "Where the settings go", example: "/etc/chrony/chrony.conf"},
		{name: "check_exe", shape: &strictText, doc: "The program that must be there", example: "chronyd"},
		{name: "packages", shape: &shape{kind: list, unique: true, item: &strictText}, doc: "Packages to install", example: "[chrony]"},
		{name: "service_name", shape: &strictText, doc: "The unit to restart", example: "chrony"},
		{name: "template", shape: &strictText, doc: "The settings, as a template of Jinja"},
	}}, doc: "Settings of another program than systemd-timesyncd", later: &later{instead: timesyncd}},
}

const timesyncd = "systemd-timesyncd sets the clock and does nothing else; write the file of another program with write_files"

var resolverFields = []field{
	{name: "nameservers", shape: &shape{kind: list, item: &shape{kind: text, rule: isNameserver}}, doc: "Addresses of name servers", example: "[192.0.2.53]"},
	{name: "searchdomains", shape: &shape{kind: list, item: &shape{kind: text, rule: isDomain}}, doc: "Domains in which short names are looked for", example: "[example.com]"},
	{name: "domain", shape: &shape{kind: text, strict: true, rule: isDomain}, doc: "The domain of the machine", example: "example.com"},
	{name: "sortlist", shape: &shape{kind: list, item: &shape{kind: anything}}, doc: "Networks whose addresses come first", example: "[192.0.2.0/24]", later: &later{instead: resolved}},
	{name: "options", shape: &shape{kind: mapping, free: &shape{kind: anything, null: true}}, doc: "Options of resolv.conf(5)", example: "{rotate: true}", later: &later{instead: resolved}},
}

const resolved = "systemd-resolved has no such setting"

var caFields = []field{
	{name: "trusted", shape: &shape{kind: list, min: 1, item: &strictText}, doc: "Certificates to trust, in PEM", example: "[-----BEGIN CERTIFICATE-----...]"},
	{name: "remove_defaults", shape: &strictBoolean, doc: "Trust none of the distribution's", example: "true"},
}

var hostKeyFields = []field{
	{name: "ecdsa_private", shape: &privateHostKey, doc: "The private key in the form of OpenSSH"},
	{name: "ecdsa_public", shape: &publicHostKey, doc: "The public key", example: "ecdsa-sha2-nistp256 AAAA..."},
	{name: "ecdsa_certificate", shape: &publicHostKey, doc: "The host certificate", example: "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAA..."},
	{name: "ed25519_private", shape: &privateHostKey, doc: "The private key in the form of OpenSSH"},
	{name: "ed25519_public", shape: &publicHostKey, doc: "The public key", example: "ssh-ed25519 AAAA..."},
	{name: "ed25519_certificate", shape: &publicHostKey, doc: "The host certificate", example: "ssh-ed25519-cert-v01@openssh.com AAAA..."},
	{name: "rsa_private", shape: &privateHostKey, doc: "The private key in the form of OpenSSH"},
	{name: "rsa_public", shape: &publicHostKey, doc: "The public key", example: "ssh-rsa AAAA..."},
	{name: "rsa_certificate", shape: &publicHostKey, doc: "The host certificate", example: "ssh-rsa-cert-v01@openssh.com AAAA..."},
}

var (
	privateHostKey = shape{kind: text, strict: true, secret: true, rule: isPrivateHostKey}
	publicHostKey  = shape{kind: text, strict: true, rule: isPublicHostKey}
)

const noDSA = "sshd takes no DSA key"

// foreignHostKeys are of the type that OpenSSH 7.0 (2015) turned off and 10.0 (2025) no longer has.
var foreignHostKeys = []foreign{
	{"dsa_private", noDSA, ""}, {"dsa_public", noDSA, ""}, {"dsa_certificate", noDSA, ""},
}

var publishFields = []field{
	{name: "enabled", shape: &strictBoolean, doc: "Tell the platform; true if nothing is said", example: "false"},
	{name: "blacklist", shape: &shape{kind: list, item: &strictText}, doc: "Types of key to keep from it", example: "[rsa]"},
}

// command is one of runcmd: a text for the shell, or words that the shell takes as they are. Numbers are taken among
// the words, since cloud-init runs them all the same. A mapping is of this language alone.
var command = append(slices.Clone(commandLine), &shape{kind: mapping, fields: []field{
	{name: "command", required: true, shape: &shape{kind: either, either: commandLine}, doc: "A text for the shell, or a list of words that it takes as they are", example: "[apt-get, update]"},
	{name: "on_error", shape: &shape{kind: text, oneOf: []string{"stop", "continue"}}, doc: "Whether the commands below are run if this one fails; stop if nothing is said", example: "continue"},
}})

var commandLine = []*shape{{kind: list, item: &shape{kind: text}}, {kind: text, strict: true}}

var swapFields = []field{
	{name: "filename", shape: &strictText, doc: "The file to make", example: "/swapfile"},
	{name: "size", shape: &shape{kind: either, either: []*shape{{kind: integer, strict: true}, {kind: text, strict: true, pattern: &pattern{expr: `^(auto|([0-9]+)?\.?[0-9]+[BKMGT])$`, words: "a number of bytes, a number with B, K, M, G or T, or auto"}}}}, doc: "Its size, in bytes or with a unit; auto goes by the memory", example: "1G"},
	{name: "maxsize", shape: &shape{kind: either, either: []*shape{{kind: integer, strict: true}, {kind: text, strict: true, pattern: &pattern{expr: `^([0-9]+)?\.?[0-9]+[BKMGT]$`, words: "a number of bytes, or a number with B, K, M, G or T"}}}}, doc: "The most that auto may make of it", example: "4G"},
}

var growpartFields = []field{
	{name: "mode", shape: &shape{kind: text, oneOf: []string{"auto", "growpart", "gpart", "off", "false"}}, doc: "The program to use", example: "auto"},
	{name: "devices", shape: &shape{kind: list, item: &strictText}, doc: "What to grow: mount points or devices", example: "[/]"},
	{name: "ignore_growroot_disabled", shape: &strictBoolean, doc: "Grow even where /etc/growroot-disabled is there", example: "true"},
}

var powerFields = []field{
	{name: "mode", required: true, shape: &shape{kind: text, oneOf: []string{"poweroff", "reboot", "halt"}}, doc: "What to do", example: "reboot"},
	{name: "delay", shape: &shape{kind: either, either: []*shape{{kind: integer, strict: true, high: many}, {kind: text, strict: true, pattern: &pattern{expr: `^(now|\+?[0-9]+)$`, words: "a number of minutes, or now"}}}}, doc: "In how many minutes; now if nothing is said", example: "5"},
	{name: "message", shape: &strictText, doc: "What to tell those who are logged in", example: "back in a minute"},
	{name: "timeout", shape: &shape{kind: integer, strict: true}, doc: "Of no effect: the machine is turned off when everything has ended", example: "30"},
	{name: "condition", shape: &shape{kind: either, either: []*shape{{kind: boolean, strict: true}, {kind: text, strict: true}, {kind: list, item: &shape{kind: text}}}}, doc: "true, false, or a command whose exit status says whether to do it", example: "[test, -e, /run/reboot-required]"},
}

var phoneFields = []field{
	{name: "url", required: true, shape: &shape{kind: text, strict: true, rule: isPostURL}, doc: "Where to post to; $INSTANCE_ID in it is the id of the instance", example: "https://example.com/up"},
	{name: "post", shape: &shape{kind: either, either: []*shape{{kind: text, oneOf: []string{"all"}}, {kind: list, item: &shape{kind: text, oneOf: []string{"pub_key_dsa", "pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"}}}}}, doc: "What to tell; all if nothing is said", example: "[hostname, instance_id]"},
	{name: "tries", shape: &shape{kind: integer, strict: true, low: 1, high: 100}, doc: "How often to try in one boot; 10 if nothing is said", example: "10"},
}
