package rules

import "cloudconfig/schema/diag"

// Findings about what the entries of a configuration need of each other and of the image. The severity here is
// that without a facts profile, where the image may have what the configuration lacks; with one (--image) a
// finding is a warning, or an error where plan would refuse the configuration.
var (
	OwnerElsewhere = &diag.Rule{ID: "owner-elsewhere", Severity: diag.Info, Title: "nothing here makes the owner of a file",
		Help:    "The file is written only if the image has the account and the group, and refused at plan time otherwise. Check the name, or make them with users and groups.",
		Example: "users:\n  - name: web\nwrite_files:\n  - path: /srv/index.html\n    owner: wbe", Instead: "users:\n  - name: web\nwrite_files:\n  - path: /srv/index.html\n    owner: web"}
	GroupElsewhere = &diag.Rule{ID: "group-elsewhere", Severity: diag.Info, Title: "nothing here makes the group of a user",
		Help:    "The configuration is applied only if the image has the group, and refused at plan time otherwise. Check the name, or list it in the top-level groups.",
		Example: "users:\n  - name: anna\n    groups: [webb]", Instead: "groups: [webb]\nusers:\n  - name: anna\n    groups: [webb]"}
	MemberElsewhere = &diag.Rule{ID: "member-elsewhere", Severity: diag.Info, Title: "nothing here makes the member of a group",
		Help:    "The configuration is applied only if the image has the account, and refused at plan time otherwise. Check the name, or add it to users.",
		Example: "groups:\n  - ops: [anna]", Instead: "groups:\n  - ops: [anna]\nusers:\n  - name: anna"}
	UnitElsewhere = &diag.Rule{ID: "unit-elsewhere", Severity: diag.Warning, Title: "the unit is neither in the configuration nor in the image",
		Help:    "A unit is enabled, started or changed by a drop-in only where it exists: in content, in a file that write_files puts where systemd looks, or in the image. It needs a facts profile (--image).",
		Example: "coreos:\n  units:\n    - name: sssh.service\n      command: restart", Instead: "coreos:\n  units:\n    - name: ssh.service\n      command: restart"}
	UnitMaskedImage = &diag.Rule{ID: "unit-masked-image", Severity: diag.Warning, Title: "the unit is masked in the image",
		Help: "A masked unit can be neither enabled nor started: plan refuses the one, and the other fails. It needs a facts profile (--image)."}
	UnitStaticImage = &diag.Rule{ID: "unit-static-image", Severity: diag.Warning, Title: "the unit of the image cannot be enabled",
		Help: "The unit has no [Install] section, so that enabling it does nothing: others start it, or nobody does. Start it with command, or add the section in a drop-in. It needs a facts profile (--image)."}
	AgentElsewhere = &diag.Rule{ID: "agent-elsewhere", Severity: diag.Warning, Title: "settings for an agent that exists nowhere",
		Help: "The settings are written, and nobody reads them: neither the configuration nor the image has the unit of the agent. It needs a facts profile (--image)."}
	UnitReference = &diag.Rule{ID: "unit-reference", Severity: diag.Warning, Title: "a unit refers to one that exists nowhere",
		Help:    "A unit that requires another one is not started without it; one that is wanted by another one is never started by it; an order against it has no effect. It needs a facts profile (--image).",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Unit]\n        Requires=ssh-keygen.service\n        [Service]\n        ExecStart=/usr/bin/sleep infinity",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Unit]\n        Requires=ssh.service\n        [Service]\n        ExecStart=/usr/bin/sleep infinity"}
	UnitTrigger = &diag.Rule{ID: "unit-trigger", Severity: diag.Info, Title: "a timer, socket or path that has nothing to start",
		Help:    "A timer starts the service of its own name, or the one that Unit= names; a socket does the same with Service=, and with Accept=yes it starts instances of a template. Without that unit systemd does not start it.",
		Example: "coreos:\n  units:\n    - name: backup.timer\n      content: |\n        [Timer]\n        OnCalendar=daily\n    - name: backups.service\n      content: |\n        [Service]\n        ExecStart=/usr/bin/backup",
		Instead: "coreos:\n  units:\n    - name: backup.timer\n      content: |\n        [Timer]\n        OnCalendar=daily\n    - name: backup.service\n      content: |\n        [Service]\n        ExecStart=/usr/bin/backup"}
	MountName = &diag.Rule{ID: "mount-name", Severity: diag.Error, Title: "the name of a mount unit is not that of its directory",
		Help:    "systemd refuses a mount, automount or swap unit whose name is not its Where= or What= with each / made a -. The command systemd-escape -p --suffix=mount DIRECTORY prints the name.",
		Example: "coreos:\n  units:\n    - name: data.mount\n      content: |\n        [Mount]\n        What=/dev/vdb\n        Where=/srv/data",
		Instead: "coreos:\n  units:\n    - name: srv-data.mount\n      content: |\n        [Mount]\n        What=/dev/vdb\n        Where=/srv/data"}
	FileGenerated = &diag.Rule{ID: "file-generated", Severity: diag.Error, Title: "an entry writes a file that another key makes",
		Help:    "Two places of the configuration say what is in one file, and only one of them can. Keep one. It is a warning for the hostname and for an entry with defer, which win, and for the files of accounts, where plan knows whether an account has to change.",
		Example: "hostname: web1\nwrite_files:\n  - path: /etc/hostname\n    content: web2", Instead: "hostname: web1"}
	ExecMode = &diag.Rule{ID: "exec-mode", Severity: diag.Warning, Title: "a unit runs a file that cannot be executed",
		Help:    "The file is written without the execute bit, so the unit fails with status 203/EXEC. Without permissions a file is 0644.",
		Example: "write_files:\n  - path: /opt/bin/web\n    content: |\n      #!/bin/sh\ncoreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/bin/web",
		Instead: "write_files:\n  - path: /opt/bin/web\n    permissions: \"0755\"\n    content: |\n      #!/bin/sh\ncoreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/bin/web"}
	ExecMissing = &diag.Rule{ID: "exec-missing", Severity: diag.Warning, Title: "a unit runs a program that exists nowhere",
		Help: "Neither the configuration nor the image has the program, so the unit fails with status 203/EXEC. It needs a facts profile (--image)."}
	EnvironmentMissing = &diag.Rule{ID: "environment-file", Severity: diag.Warning, Title: "a unit reads an environment file that exists nowhere",
		Help:    "Without the file the unit is not started. Write it, or put a - before its path where it may be missing. It needs a facts profile (--image).",
		Example: "[Service]\nEnvironmentFile=/etc/default/web", Instead: "[Service]\nEnvironmentFile=-/etc/default/web"}
	ShellMissing = &diag.Rule{ID: "shell-missing", Severity: diag.Warning, Title: "the shell of a user exists nowhere",
		Help:    "Nobody can log in to an account without its shell. It needs a facts profile (--image).",
		Example: "users:\n  - name: anna\n    shell: /bin/bsh", Instead: "users:\n  - name: anna\n    shell: /bin/bash"}
	SudoMissing = &diag.Rule{ID: "sudo-missing", Severity: diag.Warning, Title: "a sudo rule for an image without sudo",
		Help: "The rule is written, and nothing reads it. It needs a facts profile (--image)."}
	NoLogin = &diag.Rule{ID: "no-login", Severity: diag.Info, Title: "nobody whom the configuration names can log in",
		Help: "None of its users has an SSH key or a password, and there are no keys at the top level. The platform may bring a key for the default user; where it does not, nobody gets in. Users with system: true or a shell that refuses logins do not count."}
	NoRoot = &diag.Rule{ID: "no-root", Severity: diag.Info, Title: "nobody who can log in can become root",
		Help:    "Whoever gets in can change nothing: no user who can log in has a sudo rule or is in a group that may become root, and root has neither key nor password.",
		Example: "users:\n  - name: anna\n    passwd: $y$j9T$...", Instead: "users:\n  - name: anna\n    passwd: $y$j9T$...\n    sudo: ALL=(ALL) ALL"}
)

func objectRules() []*diag.Rule {
	return []*diag.Rule{
		OwnerElsewhere, GroupElsewhere, MemberElsewhere, UnitElsewhere, UnitMaskedImage, UnitStaticImage, AgentElsewhere, UnitReference, UnitTrigger, MountName, FileGenerated,
		ExecMode, ExecMissing, EnvironmentMissing, ShellMissing, SudoMissing, NoLogin, NoRoot,
	}
}
