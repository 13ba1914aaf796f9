package language

// The accounts of the language: users, groups and their passwords.

// userEntry is an item of users, userBelowName what stands below a name where users is a mapping.
var (
	userEntry     = shape{kind: mapping, fields: userFields, anyOf: []string{"name", "snapuser"}}
	userBelowName = shape{kind: mapping, fields: userFields}
)

// groupMembers are groups by name, with the names of their members.
var groupMembers = shape{kind: mapping, keys: isAccountName, free: &shape{kind: either, null: true, either: accountNames}}

// accountNames are a list of names, or one text with commas.
var accountNames = []*shape{{kind: commas, blank: true, rule: isAccountName}, {kind: list, item: &shape{kind: text, rule: isAccountName}}}

var userFields = []field{
	{name: "name", shape: &shape{kind: text, rule: isAccountName}, doc: "The login name; every item has it", example: "anna"},
	{name: "passwd", shape: &shape{kind: text, rule: isPasswordHash, secret: true}, doc: "The password's hash, as crypt(5) has it", example: "$y$j9T$..."},
	{name: "hashed_passwd", shape: &shape{kind: text, rule: isPasswordHash, secret: true}, doc: "The same as passwd", example: "$y$j9T$..."},
	{name: "plain_text_passwd", shape: &shape{kind: text, strict: true, secret: true, rule: isPlaintext}, doc: "The password itself, for everybody to read who sees the configuration", example: "correct horse", deprecated: &deprecated{instead: "use passwd, with a hash"}},
	{name: "lock_passwd", shape: &anyBoolean, doc: "Give the password, but no login with it", example: "true"},
	{name: "expiredate", shape: &shape{kind: text, blank: true, rule: isDate}, doc: "The day from which the account is disabled", example: `"2032-09-01"`},
	{name: "inactive", shape: &shape{kind: integer, low: -1, high: many}, doc: "After how many days without a new password, once it has expired, the account is disabled; -1 for never", example: `"30"`},
	{name: "ssh_authorized_keys", shape: &shape{kind: list, lone: true, item: &sshKey}, doc: "Public keys of the user", example: "[ssh-ed25519 AAAA... anna@laptop]"},
	{name: "ssh_import_id", shape: &shape{kind: list, min: 1, item: &shape{kind: text, strict: true, rule: isImportID}}, doc: "Users whose public keys are wanted; gh: for GitHub", example: "[gh:anna]"},
	{name: "coreos_ssh_import_github", shape: &shape{kind: text, blank: true, rule: isGitHubName}, doc: "A user at GitHub whose public keys are wanted", example: "anna", deprecated: &deprecated{instead: "use coreos_ssh_import_github_users", renamed: "coreos_ssh_import_github_users"}},
	{name: "coreos_ssh_import_github_users", shape: &shape{kind: list, lone: true, item: &shape{kind: text, rule: isGitHubName}}, doc: "Users at GitHub whose public keys are wanted", example: "[anna, bert]"},
	{name: "coreos_ssh_import_url", shape: &shape{kind: text, blank: true, rule: isKeyURL}, doc: "A URL that answers with public keys in the JSON of GitHub's API", example: "https://example.com/keys.json"},
	{name: "ssh_redirect_user", shape: &strictBoolean, doc: "Answer a login by SSH with the name of the default user", example: "true", later: &later{instead: "leave the user without keys", unless: []string{"false"}}},
	{name: "gecos", shape: &shape{kind: text, rule: isAccountField}, doc: "The user's full name or a comment", example: "Anna Example"},
	{name: "homedir", shape: &shape{kind: text, blank: true, rule: isAbsolutePath}, doc: "The home directory", example: "/home/anna"},
	{name: "no_create_home", shape: &anyBoolean, doc: "Do not make the home directory", example: "true"},
	{name: "primary_group", shape: &shape{kind: text, blank: true, rule: isAccountName}, doc: "The login group, by name or number", example: "users"},
	{name: "groups", shape: &shape{kind: either, either: append(accountNames[:2:2], &shape{kind: mapping, keys: isAccountName, free: &shape{kind: anything, null: true}})}, doc: "Further groups of the user, as a list or with commas", example: "[sudo, docker]"},
	{name: "create_groups", shape: &strictBoolean, doc: "Make those of groups that do not exist", example: "false", later: &later{instead: "list new groups in the top-level groups", unless: []string{"false"}}},
	{name: "no_user_group", shape: &anyBoolean, doc: "Make no group of the user's own name", example: "true"},
	{name: "system", shape: &anyBoolean, doc: "A system account: a low id and no home directory", example: "true"},
	{name: "no_log_init", shape: &anyBoolean, doc: "Leave lastlog and faillog alone; they always are", example: "true"},
	{name: "shell", shape: &shape{kind: text, blank: true, rule: isAbsolutePath}, doc: "The login shell", example: "/bin/bash"},
	{name: "uid", shape: &shape{kind: integer, rule: isID}, doc: "The user id; else the next free one", example: "1500"},
	{name: "sudo", shape: &shape{kind: list, lone: true, null: true, item: &shape{kind: text, null: true, blank: true, rule: isSudoRule}}, doc: "What the user may do with sudo, one sudoers rule an item", example: "ALL=(ALL) ALL"},
	{name: "doas", shape: &shape{kind: list, min: 1, item: &strictText}, doc: "Rules of doas.conf(5)", example: "[permit nopass anna]", later: &later{instead: viaFiles}},
	{name: "selinux_user", shape: &strictText, doc: "The SELinux user of the login", example: "staff_u", later: &later{instead: "run semanage login in a unit of coreos.units"}},
	{name: "snapuser", shape: &strictText, doc: "The e-mail address of an account at Ubuntu's single sign-on, in place of a name", example: "anna@example.com", later: &later{instead: "give a name, and the keys with ssh_authorized_keys"}},
}

var chpasswdFields = []field{
	{name: "expire", shape: &strictBoolean, doc: "Let the passwords be changed at the first login; true if nothing is said", example: "false"},
	{name: "users", shape: &shape{kind: list, item: &shape{kind: either, either: []*shape{
		{kind: mapping, fields: []field{
			{name: "name", required: true, shape: &shape{kind: text, strict: true, rule: isAccountName}, doc: "The user's name", example: "anna"},
			{name: "password", required: true, shape: &shape{kind: text, strict: true, secret: true}, doc: "The hash of the password, or the password itself where type is text", example: "$y$j9T$..."},
			{name: "type", shape: &shape{kind: text, oneOf: []string{"hash", "text"}}, doc: "What password is; RANDOM, without one, is not acted on", example: "hash"},
		}},
		{kind: mapping, fields: []field{
			{name: "name", required: true, shape: &shape{kind: text, strict: true, rule: isAccountName}},
			{name: "type", required: true, shape: &shape{kind: text, oneOf: []string{"RANDOM"}}, later: &later{instead: "give a hash: a password that is printed to the console is known to whoever reads that"}},
		}},
	}}}, doc: "Users and their passwords", example: "[{name: anna, password: $y$j9T$...}]"},
	{name: "list", shape: &shape{kind: either, secret: true, either: []*shape{
		{kind: text, strict: true, secret: true},
		{kind: list, min: 1, item: &shape{kind: text, strict: true, secret: true, pattern: &pattern{expr: "^.+:.+$", words: "a name, a colon and a password"}}},
	}}, doc: "Lines of a name, a colon and a password or its hash", example: "[anna:$y$j9T$...]", deprecated: &deprecated{instead: "use chpasswd.users"}},
}
