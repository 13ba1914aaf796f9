package rules

import "cloudconfig/schema/diag"

// Findings about accounts and keys that depend on the machine.
var (
	AccountDiffers = &diag.Rule{ID: "account-differs", Severity: diag.Error, Machine: true, Title: "the account exists and differs in a field that is not changed",
		Help: "The id, login group and home directory of an account that exists are never changed, since the files it owns would have to move with them. Write what the machine has, leave the key out, or change the account with usermod."}
	AccountFile = &diag.Rule{ID: "account-file", Severity: diag.Error, Machine: true, Title: "a file that defines accounts cannot be used",
		Help: "passwd, group and their like are edited line by line, so they must be readable, and no malformed line may have the name that is to be added. Mend the file with vipw, vigr or pwck."}
	IDTaken = &diag.Rule{ID: "id-taken", Severity: diag.Error, Machine: true, Title: "another account has the id",
		Help: "Two accounts with one id are one account to the kernel: each could read and change everything of the other's. Choose a free id, or leave uid out."}
	IDsFull = &diag.Rule{ID: "ids-full", Severity: diag.Error, Machine: true, Title: "no id is free",
		Help: "Every id in the range of /etc/login.defs is in use. Give a uid, or widen the range."}
	GroupUnknown = &diag.Rule{ID: "group-unknown", Severity: diag.Error, Machine: true, Title: "no such group",
		Help: "The machine does not have the group and nothing here makes it. List it in the top-level groups, or leave it out."}
	GroupNotOwn = &diag.Rule{ID: "group-not-own", Severity: diag.Error, Machine: true, Title: "a group has the name of the new user",
		Help: "A new user gets a group of its own name, and this name is another group's. Set primary_group to that name if the user belongs in it, or no_user_group: true."}
	GroupPowerful = &diag.Rule{ID: "group-powerful", Severity: diag.Info, Title: "membership in this group is as good as root",
		Help: "Members of docker, lxd, incus and disk can become root without a password. Give sudo instead if that is what is meant."}
	MemberUnknown = &diag.Rule{ID: "member-unknown", Severity: diag.Error, Machine: true, Title: "a member who is no user",
		Help: "The group would name an account that does not exist; whoever gets that name later would be a member. Add the user to users, or leave it out."}
	HomeOfSystem = &diag.Rule{ID: "home-of-system", Severity: diag.Error, Title: "a directory of the system as home",
		Help: "A home belongs to its user, and these directories belong to the system. Choose a directory below /home, /var/lib, /srv or /opt."}
	SkelEntry = &diag.Rule{ID: "skel-entry", Severity: diag.Warning, Machine: true, Title: "an entry of /etc/skel is not copied",
		Help: "Files, directories and symbolic links are copied to new homes; a device, a socket, or a file too large to read is left out."}

	KeysNoHome = &diag.Rule{ID: "keys-no-home", Severity: diag.Error, Machine: true, Title: "SSH keys for a user without a home directory",
		Help: "sshd looks for keys in the home directory. Let the user have one (homedir, no_create_home: false), or give the keys to another user."}
	KeysUntrusted = &diag.Rule{ID: "keys-untrusted", Severity: diag.Error, Machine: true, Title: "something other than the user's own file is where keys belong",
		Help: "~/.ssh must be a directory and authorized_keys a regular file with one name, both the user's own: a link there could lead us to change another file. Remove what is there."}
	ImportMissing = &diag.Rule{ID: "import-missing", Severity: diag.Error, Machine: true, Title: "keys to be imported were not fetched",
		Help: "Without them the user could not log in. Check the name or URL, and that the machine reaches it."}
	Lockout = &diag.Rule{ID: "lockout", Severity: diag.Error, Machine: true, Title: "a user to whom keys are given would have no way to log in",
		Help:    "None of the user's keys is valid, and there is neither a password nor a key that was there before. A machine that nobody can log in to cannot be mended.",
		Example: "users:\n  - name: anna\n    ssh_authorized_keys:\n      - ssh-rsa AAAA...", Instead: "users:\n  - name: anna\n    ssh_authorized_keys:\n      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@laptop"}
	PlatformKey = &diag.Rule{ID: "platform-key", Severity: diag.Warning, Machine: true, Title: "an SSH key of the platform's is malformed",
		Help: "The key is left out, the others go in. Correct it where the platform keeps it."}
)

func accountRules() []*diag.Rule {
	return []*diag.Rule{
		AccountDiffers, AccountFile, IDTaken, IDsFull, GroupUnknown, GroupNotOwn, GroupPowerful, MemberUnknown, HomeOfSystem, SkelEntry,
		KeysNoHome, KeysUntrusted, ImportMissing, Lockout, PlatformKey,
	}
}
