package rules

import "cloudconfig/schema/diag"

// Findings about keys and values of the language.
var (
	UnknownKey = &diag.Rule{ID: "unknown-key", Severity: diag.Error, Title: "unknown key",
		Help:    "A key that nobody reads is a mistake that nobody sees: the setting would silently not be made. Write the key that is meant, or move it to the level where it belongs. Keys that begin with x- are yours.",
		Example: "write_files:\n  - path: /etc/motd\n    permisions: \"0644\"", Instead: "write_files:\n  - path: /etc/motd\n    permissions: \"0644\""}
	UnsupportedKey = &diag.Rule{ID: "unsupported-key", Severity: diag.Warning, Title: "a key of cloud-init's that has no effect here",
		Help:    "cloud-init knows the key and this program does not act on it. The rest of the document is applied.",
		Example: "packages: [nginx]", Instead: "coreos:\n  units:\n    - name: install-nginx.service\n      command: start"}
	NotApplied = &diag.Rule{ID: "not-applied", Severity: diag.Warning, Title: "a key or value that is not acted on yet",
		Help:    "What is written is checked, and nothing is done about it in this version. The rest of the document is applied.",
		Example: "mounts:\n  - [/dev/vdb, /srv, ext4]", Instead: "coreos:\n  units:\n    - name: srv.mount\n      command: start\n      content: |\n        [Mount]\n        What=/dev/vdb\n        Where=/srv"}
	DeprecatedKey = &diag.Rule{ID: "deprecated-key", Severity: diag.Info, Title: "deprecated key",
		Help: "The key works, and there is a better one."}
	WrongType = &diag.Rule{ID: "wrong-type", Severity: diag.Error, Title: "wrong type",
		Help:    "The value is of another kind than the key takes: a mapping where a list is needed, text where a number is.",
		Example: "write_files:\n  path: /etc/motd", Instead: "write_files:\n  - path: /etc/motd"}
	BadValue = &diag.Rule{ID: "bad-value", Severity: diag.Error, Title: "the key does not take this value",
		Help:    "The key takes only the values that the message lists.",
		Example: "coreos:\n  units:\n    - name: a.service\n      command: enable", Instead: "coreos:\n  units:\n    - name: a.service\n      enable: true"}
	EmptyValue = &diag.Rule{ID: "empty-value", Severity: diag.Warning, Title: "no value",
		Help:    "The key or item has no value and counts as not written. A line of a comment alone, or a value indented too little, does this.",
		Example: "hostname:", Instead: "hostname: web1"}
	MissingKey = &diag.Rule{ID: "missing-key", Severity: diag.Error, Title: "a key is missing",
		Help:    "The entry cannot be used without this key.",
		Example: "write_files:\n  - content: hello", Instead: "write_files:\n  - path: /etc/motd\n    content: hello"}
	Placeholder = &diag.Rule{ID: "placeholder", Severity: diag.Warning, Title: "a placeholder in place of a value",
		Help: "The value is one that documentation shows, cut short or in angle brackets, and somebody has still to fill it in. It counts as not written; in the content of a file it stays."}
	ItemTwice = &diag.Rule{ID: "item-twice", Severity: diag.Error, Title: "the same thing is defined twice",
		Help: "Two entries of one document name the same path, unit or user and contradict each other. Keep one, or put both into one entry. In two parts they would be merged."}
	Overridden = &diag.Rule{ID: "overridden", Severity: diag.Info, Title: "a later part gives another value",
		Help: "Parts are merged in order: mappings by key, lists one after the other, and of a single value the later one wins. Items that name the same path, unit, user or certificate are merged as mappings."}
	MoreFindings = &diag.Rule{ID: "more-findings", Severity: diag.Info, Title: "more was found than is told",
		Help: "Of one text 5,000 findings are told, and 200 of a unit or script in it. Mend those, and the rest comes."}

	Hostname = &diag.Rule{ID: "hostname", Severity: diag.Error, Title: "not a hostname",
		Help:    "A hostname is made of labels of letters, digits and hyphens, 63 characters at most each, 64 in all (RFC 1123; Linux).",
		Example: "hostname: web_1", Instead: "hostname: web-1"}
	AccountName = &diag.Rule{ID: "account-name", Severity: diag.Error, Title: "not a name for an account or group",
		Help:    "A name begins with a letter or underscore, goes on with letters, digits, underscores, hyphens and dots, and has 32 characters at most.",
		Example: "users:\n  - name: ../etc/passwd", Instead: "users:\n  - name: anna"}
	UserNameAlone = &diag.Rule{ID: "user-name-alone", Severity: diag.Info, Title: "a user with nothing but a name",
		Help:    "cloud-init and this program make an account that nobody can log in to; coreos-cloudinit refuses the item. Give the user keys or a password, unless it is for a service.",
		Example: "users:\n  - anna", Instead: "users:\n  - name: anna\n    ssh_authorized_keys:\n      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@laptop"}
	AccountField = &diag.Rule{ID: "account-field", Severity: diag.Error, Title: "a colon or control character in an account's field",
		Help: "A field of passwd(5) ends at a colon or a line's end: with one in it, the rest would become other fields."}
	AccountID = &diag.Rule{ID: "account-id", Severity: diag.Error, Title: "not an id for an account",
		Help: "Ids go from 1 to 4294967294; 0 is root's and no second account may have it, 65535 and 4294967295 mean no id."}
	PasswordHash = &diag.Rule{ID: "password-hash", Severity: diag.Error, Title: "not a password hash",
		Help:    "passwd takes a hash as crypt(5) has it, never the password itself, which everybody who can read the configuration would know. The command mkpasswd --method=yescrypt makes one.",
		Example: "users:\n  - name: anna\n    passwd: letmein", Instead: "users:\n  - name: anna\n    passwd: $y$j9T$..."}
	PasswordWeak = &diag.Rule{ID: "password-weak", Severity: diag.Warning, Title: "a password hash that is easily reversed",
		Help: "Hashes of DES and MD5 ($1$) are tried out by the billion a second, and everybody who can read the configuration can try. Make a new one with mkpasswd --method=yescrypt or openssl passwd -6."}
	SSHKey = &diag.Rule{ID: "ssh-key", Severity: diag.Warning, Title: "not an SSH public key",
		Help: "The key is left out, the others go in. A key is one line: a type, the key in base64, a comment."}
	SSHKeyWeak = &diag.Rule{ID: "ssh-key-weak", Severity: diag.Warning, Title: "an SSH key that sshd refuses or others could break",
		Help: "DSA keys, and RSA keys of fewer than 1024 bits, let nobody in any more; RSA keys of fewer than 2048 bits could let others in. Make a new pair: ssh-keygen -t ed25519."}
	SSHKeyTwice = &diag.Rule{ID: "ssh-key-twice", Severity: diag.Info, Title: "an SSH key that is in the list already",
		Help: "The second does no harm. Where the first one is removed to take a right away, the second is easily overlooked."}
	SSHPrivateKey = &diag.Rule{ID: "ssh-private-key", Severity: diag.Error, Title: "a private key where a public one belongs",
		Help: "Whoever can read this configuration has the key. Make a new pair and put the .pub file here."}
	GitHubName = &diag.Rule{ID: "github-name", Severity: diag.Error, Title: "not a user name at GitHub",
		Help: "A name at GitHub has letters, digits and single hyphens, 39 characters at most."}
	KeyURL = &diag.Rule{ID: "key-url", Severity: diag.Error, Title: "not a URL that keys may come from",
		Help: "Keys that let people in are fetched by https only."}

	FilePath = &diag.Rule{ID: "file-path", Severity: diag.Error, Title: "not a path that a file can have",
		Help:    "A path is absolute, has no . or .. in it and no control character.",
		Example: "write_files:\n  - path: etc/motd", Instead: "write_files:\n  - path: /etc/motd"}
	Permissions = &diag.Rule{ID: "permissions", Severity: diag.Error, Title: "not a file mode",
		Help:    "A mode is octal, quoted or not (\"0644\", 0644, 0o644), or symbolic (u=rw,go=r). A number that some tool has turned into decimal (420 for 0644) is refused, since it would be a strange mode read as octal.",
		Example: "write_files:\n  - path: /etc/motd\n    permissions: 420", Instead: "write_files:\n  - path: /etc/motd\n    permissions: \"0644\""}
	FileOwner = &diag.Rule{ID: "file-owner", Severity: diag.Error, Title: "not an owner",
		Help:    "An owner is user, user:group or :group, each a name or a number.",
		Example: "write_files:\n  - path: /etc/motd\n    owner: core core", Instead: "write_files:\n  - path: /etc/motd\n    owner: core:core"}
	Encoding = &diag.Rule{ID: "encoding", Severity: diag.Error, Title: "content that cannot be decoded",
		Help: "The content is not what its encoding says: characters that are not base64, a gzip stream that is cut short or damaged, or more than may be unpacked."}
	SecretReadable = &diag.Rule{ID: "secret-readable", Severity: diag.Warning, Title: "everybody may read a secret",
		Help:    "The content is a private key, or is said to be secret, and its mode lets everybody read it. Without permissions it would be 0600.",
		Example: "write_files:\n  - path: /etc/token\n    secret: true\n    permissions: \"0644\"", Instead: "write_files:\n  - path: /etc/token\n    secret: true"}
	PublicSecret = &diag.Rule{ID: "public-secret", Severity: diag.Error, Title: "a user's name or password in a file that everybody may read",
		Help: "The value goes into a file that every account of the machine may read. Give the URL without user info."}
	MountRoot = &diag.Rule{ID: "kernel-path", Severity: diag.Error, Title: "a path of the kernel's",
		Help: "What is below /proc, /sys and /dev is not kept anywhere. For a kernel parameter write a file in /etc/sysctl.d."}

	UnitName = &diag.Rule{ID: "unit-name", Severity: diag.Error, Title: "not a unit name",
		Help:    "A unit's name has a suffix that systemd knows (.service, .socket, .timer, ... or .network, .netdev, .link for the network), no slash, and 255 characters at most.",
		Example: "coreos:\n  units:\n    - name: web", Instead: "coreos:\n  units:\n    - name: web.service"}
	DropInName = &diag.Rule{ID: "drop-in-name", Severity: diag.Error, Title: "not a name for a drop-in",
		Help:    "systemd reads only drop-ins whose names end in .conf; a slash would lead out of the unit's directory.",
		Example: "drop_ins:\n  - name: limits", Instead: "drop_ins:\n  - name: 10-limits.conf"}
	OneLine = &diag.Rule{ID: "one-line", Severity: diag.Error, Title: "a value of several lines",
		Help: "The value becomes part of a line in a settings file: with a line end or control character in it, the rest would become a line of its own."}
	SettingQuote = &diag.Rule{ID: "setting-quote", Severity: diag.Error, Title: "a quote in a setting",
		Help:    "The value goes into an environment variable as it is: the agent would take the quote as part of it. It is nearly always left over from a shell.",
		Example: "coreos:\n  etcd2:\n    name: '\"infra0\"'", Instead: "coreos:\n  etcd2:\n    name: infra0"}
	Window = &diag.Rule{ID: "reboot-window", Severity: diag.Error, Title: "not a time for a reboot window",
		Help:    "A window starts at HH:MM, with a weekday before it if it is weekly, and its length is a number with units (1h30m).",
		Example: "window_start: noon", Instead: "window_start: Thu 23:00"}
)

func languageRules() []*diag.Rule {
	return []*diag.Rule{
		UnknownKey, UnsupportedKey, NotApplied, DeprecatedKey, WrongType, BadValue, EmptyValue, MissingKey, Placeholder, ItemTwice, Overridden, MoreFindings,
		Hostname, AccountName, UserNameAlone, AccountField, AccountID, PasswordHash, PasswordWeak, SSHKey, SSHKeyWeak, SSHKeyTwice, SSHPrivateKey, GitHubName, KeyURL,
		FilePath, Permissions, FileOwner, Encoding, SecretReadable, PublicSecret, MountRoot,
		UnitName, DropInName, OneLine, SettingQuote, Window,
	}
}
