package schema

// The language is one table. The decoder checks a document against it, and explain and the documentation are
// drawn from it: a key that is not here does not exist.

// kind is what a value may be. The zero value is invalid.
type kind int

const (
	text        kind = iota + 1 // any scalar, as written
	boolean                     // true, false, and what YAML 1.1 took for them
	integer                     // a whole number
	number                      // a number
	permissions                 // a file mode in any of its spellings
	list                        // a sequence of item; a lone scalar where lone is set
	mapping                     // the keys in fields
	names                       // a list of names, or one text with commas
	memberships                 // top-level groups: names, or names with lists of members
	userList                    // users: mappings, or names of existing users
)

// shape is what a value must look like.
type shape struct {
	kind   kind
	fields []field // of a mapping or the items of userList
	item   *shape  // of a list
	lone   bool    // a list of one may be written as its item
	oneOf  []string
	rule   rule // checks a scalar beyond its kind
	secret bool // never shown
}

// field is one key of a mapping.
type field struct {
	name     string
	shape    shape
	doc      string // one sentence, without a full stop
	example  string // a value as one would write it
	required bool
	// deprecated says what to use instead; it is a warning and works all the same.
	deprecated string
	// variable is the environment variable that an agent's setting becomes.
	variable string
}

// language is the top level of a cloud-config.
var language = shape{kind: mapping, fields: []field{
	{name: "hostname", shape: shape{kind: text, rule: isHostname}, doc: "The name of the machine, short or fully qualified", example: "web1"},
	{name: "manage_etc_hosts", shape: shape{kind: text, oneOf: []string{"localhost", "true", "template", "false"}}, doc: "Give the hostname an address in /etc/hosts; its other lines stay", example: "localhost"},
	{name: "ssh_authorized_keys", shape: shape{kind: list, lone: true, item: &shape{kind: text, rule: isSSHKey}}, doc: "Public keys of the default user", example: "[ssh-ed25519 AAAA... me@laptop]"},
	{name: "groups", shape: shape{kind: memberships}, doc: "Groups to make, with members or without", example: "[docker, {web: [anna, bert]}]"},
	{name: "users", shape: shape{kind: userList, fields: userFields}, doc: "Accounts; the word default stands for the image's default user", example: "[default, {name: anna}]"},
	{name: "write_files", shape: shape{kind: list, item: &shape{kind: mapping, fields: fileFields}}, doc: "Files to write", example: "[{path: /etc/motd, content: hello}]"},
	{name: "coreos", shape: shape{kind: mapping, fields: coreosFields}, doc: "Units, and the settings of the agents that CoreOS brought"},
}}

var userFields = []field{
	{name: "name", required: true, shape: shape{kind: text, rule: isAccountName}, doc: "The login name", example: "anna"},
	{name: "passwd", shape: shape{kind: text, rule: isPasswordHash, secret: true}, doc: "The password's hash, as crypt(5) has it", example: "$y$j9T$..."},
	{name: "hashed_passwd", shape: shape{kind: text, rule: isPasswordHash, secret: true}, doc: "The same as passwd", example: "$y$j9T$..."},
	{name: "lock_passwd", shape: shape{kind: boolean}, doc: "Give the password, but no login with it", example: "true"},
	{name: "ssh_authorized_keys", shape: shape{kind: list, lone: true, item: &shape{kind: text, rule: isSSHKey}}, doc: "Public keys of the user", example: "[ssh-ed25519 AAAA... anna@laptop]"},
	{name: "coreos_ssh_import_github", shape: shape{kind: text, rule: isGitHubName}, doc: "A user at GitHub whose public keys are wanted", example: "anna", deprecated: "use coreos_ssh_import_github_users"},
	{name: "coreos_ssh_import_github_users", shape: shape{kind: list, lone: true, item: &shape{kind: text, rule: isGitHubName}}, doc: "Users at GitHub whose public keys are wanted", example: "[anna, bert]"},
	{name: "coreos_ssh_import_url", shape: shape{kind: text, rule: isKeyURL}, doc: "A URL that answers with public keys in the JSON of GitHub's API", example: "https://example.com/keys.json"},
	{name: "gecos", shape: shape{kind: text, rule: isAccountField}, doc: "The user's full name or a comment", example: "Anna Example"},
	{name: "homedir", shape: shape{kind: text, rule: isAbsolutePath}, doc: "The home directory", example: "/home/anna"},
	{name: "no_create_home", shape: shape{kind: boolean}, doc: "Do not make the home directory", example: "true"},
	{name: "primary_group", shape: shape{kind: text, rule: isAccountName}, doc: "The login group, by name or number", example: "users"},
	{name: "groups", shape: shape{kind: names, rule: isAccountName}, doc: "Further groups of the user, as a list or with commas", example: "[sudo, docker]"},
	{name: "no_user_group", shape: shape{kind: boolean}, doc: "Make no group of the user's own name", example: "true"},
	{name: "system", shape: shape{kind: boolean}, doc: "A system account: a low id and no home directory", example: "true"},
	{name: "no_log_init", shape: shape{kind: boolean}, doc: "Leave lastlog and faillog alone; they always are", example: "true"},
	{name: "shell", shape: shape{kind: text, rule: isAbsolutePath}, doc: "The login shell", example: "/bin/bash"},
	{name: "uid", shape: shape{kind: integer, rule: isID}, doc: "The user id; else the next free one", example: "1500"},
	{name: "sudo", shape: shape{kind: list, lone: true, item: &shape{kind: text, rule: isSudoRule}}, doc: "What the user may do with sudo, one sudoers rule an item", example: "ALL=(ALL) ALL"},
}

var fileFields = []field{
	{name: "path", required: true, shape: shape{kind: text, rule: isFilePath}, doc: "Where the file goes", example: "/etc/motd"},
	{name: "content", shape: shape{kind: text}, doc: "What is in the file; empty if nothing is said", example: "hello"},
	{name: "encoding", shape: shape{kind: text, oneOf: encodings}, doc: "How the content is written here", example: "gzip+base64"},
	{name: "owner", shape: shape{kind: text, rule: isOwner}, doc: "Owner and group, by name or number; root:root if nothing is said", example: "core:core"},
	{name: "permissions", shape: shape{kind: permissions}, doc: "The mode, in octal or as chmod's symbols; if nothing is said 0644, or 0600 of a secret", example: `"0600"`},
	{name: "append", shape: shape{kind: boolean}, doc: "Add the content to what is there", example: "true"},
	{name: "defer", shape: shape{kind: boolean}, doc: "Write the file after all others", example: "true"},
	{name: "secret", shape: shape{kind: boolean}, doc: "Show the content nowhere; taken for granted where the mode keeps others out", example: "true"},
	{name: "template", shape: shape{kind: boolean}, doc: "Substitute every instance variable in the content, not the addresses alone", example: "true"},
}

var encodings = []string{"base64", "b64", "gz", "gzip", "gz+base64", "gzip+base64", "gz+b64", "gzip+b64", "text/plain"}

var unitFields = []field{
	{name: "name", required: true, shape: shape{kind: text, rule: isUnitName}, doc: "The unit's name with its suffix", example: "web.service"},
	{name: "content", shape: shape{kind: text}, doc: "The text of the unit file"},
	{name: "drop_ins", shape: shape{kind: list, item: &shape{kind: mapping, fields: []field{
		{name: "name", required: true, shape: shape{kind: text, rule: isDropInName}, doc: "The drop-in's name", example: "10-limits.conf"},
		{name: "content", shape: shape{kind: text}, doc: "The text of the drop-in"},
	}}}, doc: "Changes to a unit that is there", example: "[{name: 10-limits.conf, content: ...}]"},
	{name: "runtime", shape: shape{kind: boolean}, doc: "Write to /run: gone with the next boot but for what the configuration restores", example: "true"},
	{name: "mask", shape: shape{kind: boolean}, doc: "Make it impossible to start", example: "true"},
	{name: "enable", shape: shape{kind: boolean}, doc: "Start it at every later boot, as its [Install] section says", example: "true"},
	{name: "command", shape: shape{kind: text, oneOf: []string{"start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart"}}, doc: "What to do with it in this boot", example: "start"},
}

var coreosFields = []field{
	{name: "units", shape: shape{kind: list, item: &shape{kind: mapping, fields: unitFields}}, doc: "systemd units and their drop-ins"},
	{name: "etcd", shape: shape{kind: mapping, fields: etcdFields}, doc: "Settings of etcd 0.4", deprecated: "use etcd2"},
	{name: "etcd2", shape: shape{kind: mapping, fields: etcd2Fields}, doc: "Settings of etcd 2 and later"},
	{name: "fleet", shape: shape{kind: mapping, fields: fleetFields}, doc: "Settings of fleet"},
	{name: "flannel", shape: shape{kind: mapping, fields: flannelFields}, doc: "Settings of flannel"},
	{name: "locksmith", shape: shape{kind: mapping, fields: locksmithFields}, doc: "Settings of locksmith"},
	{name: "oem", shape: shape{kind: mapping, fields: oemFields}, doc: "Who made the image: /etc/oem-release"},
	{name: "update", shape: shape{kind: mapping, fields: updateFields}, doc: "How updates are made: /etc/coreos/update.conf"},
}

var oemFields = []field{
	{name: "id", shape: shape{kind: text, rule: isPublicLine}, doc: "A short name of the platform", example: "rackspace"},
	{name: "name", shape: shape{kind: text, rule: isPublicLine}, doc: "Its full name", example: "Rackspace Cloud Servers"},
	{name: "version_id", shape: shape{kind: text, rule: isPublicLine}, doc: "The version of the image's support for it", example: "168.0.0"},
	{name: "home_url", shape: shape{kind: text, rule: isPublicLine}, doc: "Where to read about it", example: "https://www.rackspace.com/"},
	{name: "bug_report_url", shape: shape{kind: text, rule: isPublicLine}, doc: "Where to report trouble", example: "https://github.com/coreos/bugs"},
}

var updateFields = []field{
	{name: "reboot_strategy", shape: shape{kind: text, oneOf: []string{"best-effort", "etcd-lock", "reboot", "off"}}, doc: "Who decides when an update reboots the machine", example: "etcd-lock"},
	{name: "group", shape: shape{kind: text, rule: isPublicLine}, doc: "The update channel", example: "stable"},
	{name: "server", shape: shape{kind: text, rule: isUpdateServer}, doc: "The update server", example: "https://updates.example.com/v1/update/"},
}

// unsupported are keys that cloud-init knows and that are not part of this language, with what to do instead;
// the top level of cloud-init 26.2's schema (cloudinit/config/schemas/schema-cloud-config-v1.json, 2026-08).
var unsupported = map[string]string{
	"ansible": viaUnit, "apk_repos": viaFiles, "apt": viaFiles, "apt_pipelining": viaFiles, "apt_reboot_if_required": viaUnit, "apt_update": viaUnit, "apt_upgrade": viaUnit,
	"authkey_hash": "", "autoinstall": "", "bootcmd": viaUnit, "byobu_by_default": "", "ca_certs": viaFiles, "chef": viaUnit, "chpasswd": "give each user passwd",
	"cloud_config_modules": "", "cloud_final_modules": "", "cloud_init_modules": "", "create_hostname_file": "", "device_aliases": viaUnit, "disable_ec2_metadata": viaUnit,
	"disable_root": viaFiles, "disable_root_opts": viaFiles, "disk_setup": viaUnit, "drivers": "", "fan": "", "final_message": "", "fqdn": "give the full name as hostname",
	"fs_setup": viaUnit, "growpart": viaUnit, "grub_dpkg": "", "keyboard": viaFiles, "landscape": viaUnit, "launch_index": "", "locale": viaFiles, "locale_configfile": viaFiles,
	"lxd": viaUnit, "manage_resolv_conf": viaFiles, "mcollective": viaUnit, "merge_how": "", "merge_type": "", "migrate": "", "mount_default_fields": viaMount, "mounts": viaMount,
	"no_ssh_fingerprints": "", "ntp": viaFiles, "output": "", "package_reboot_if_required": viaUnit, "package_update": viaUnit, "package_upgrade": viaUnit, "packages": viaUnit,
	"password": "give the user passwd", "phone_home": viaUnit, "power_state": viaUnit, "prefer_fqdn_over_hostname": "", "preserve_hostname": "", "puppet": viaUnit, "random_seed": "",
	"reporting": "", "resize_rootfs": viaUnit, "resolv_conf": viaFiles, "rh_subscription": viaUnit, "rpi": viaFiles, "rsyslog": viaFiles, "runcmd": viaUnit, "salt_minion": viaUnit,
	"snap": viaUnit, "spacewalk": viaUnit, "ssh": viaFiles, "ssh_deletekeys": "", "ssh_fp_console_blacklist": "", "ssh_genkeytypes": "", "ssh_import_id": "use coreos_ssh_import_github_users",
	"ssh_key_console_blacklist": "", "ssh_keys": viaFiles, "ssh_publish_hostkeys": "", "ssh_pwauth": viaFiles, "ssh_quiet_keygen": "", "allow_public_ssh_keys": "", "swap": viaUnit,
	"system_info": "", "timezone": "write /etc/localtime's link with a unit", "ubuntu_advantage": viaUnit, "ubuntu_pro": viaUnit, "updates": "", "user": "use users", "vendor_data": "",
	"version": "", "wireguard": viaFiles, "yum_repo_dir": viaFiles, "yum_repos": viaFiles, "zypper": viaFiles,
}

const (
	viaUnit  = "do it in a unit of coreos.units"
	viaFiles = "write its file with write_files"
	viaMount = "write a .mount unit in coreos.units"
)

// unsupportedUser are keys of cloud-init's users entries that have no meaning here.
var unsupportedUser = map[string]string{
	"create_groups": "", "doas": viaFiles, "expiredate": "", "inactive": "", "plain_text_passwd": "give passwd, a hash", "selinux_user": "", "snapuser": "",
	"ssh_import_id": "use coreos_ssh_import_github_users", "ssh_redirect_user": "",
}

// unsupportedFile are keys of cloud-init's write_files entries that have no meaning here.
var unsupportedFile = map[string]string{"source": "give the content here"}
