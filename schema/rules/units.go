package rules

import "cloudconfig/schema/diag"

// Findings about units and agents on the machine.
var (
	UnitMissing = &diag.Rule{ID: "unit-missing", Severity: diag.Error, Machine: true, Title: "the unit does not exist",
		Help: "A unit to be enabled has its content in this configuration, or a file on the machine in /etc/systemd/system, /run/systemd/system or systemd/system below /usr/local/lib, /usr/lib or /lib."}
	UnitMasked = &diag.Rule{ID: "unit-masked", Severity: diag.Error, Machine: true, Title: "the unit is masked",
		Help: "A masked unit can be neither enabled nor started. Remove the mask, or do not ask for the unit."}
	UnitNoInstall = &diag.Rule{ID: "unit-no-install", Severity: diag.Warning, Machine: true, Title: "the unit cannot be enabled",
		Help:    "Enabling makes the links that the [Install] section asks for; this unit of the machine has none, so it is not started at boot. Start it with command, or let one of your units want it.",
		Example: "coreos:\n  units:\n    - name: etcd.service\n      enable: true", Instead: "coreos:\n  units:\n    - name: etcd.service\n      command: start"}
	UnitInstall = &diag.Rule{ID: "unit-install", Severity: diag.Error, Machine: true, Title: "the [Install] section cannot be followed",
		Help: "The section names something that is no unit, a name that cannot be another name of this unit, a specifier other than %i, %j, %n, %N, %p and %%, or a link where a file is already."}
	UnitVolatile = &diag.Rule{ID: "unit-volatile", Severity: diag.Info, Machine: true, Title: "the unit goes to /run",
		Help: "/etc is read-only here, so the unit is put below /run and made again at every boot."}
	NetworkEnable = &diag.Rule{ID: "network-enable", Severity: diag.Warning, Machine: true, Title: "a networkd file is neither enabled nor started",
		Help: "networkd reads all of its files; enable and command have no effect on one."}
	AgentMissing = &diag.Rule{ID: "agent-missing", Severity: diag.Warning, Machine: true, Title: "the agent is not on this machine",
		Help: "The settings are written, and nobody on this machine reads them."}
)

// Findings inside the texts of units, drop-ins and networkd files.
var (
	UnitSyntax = &diag.Rule{ID: "unit-syntax", Severity: diag.Warning, Title: "a line that systemd cannot read",
		Help:    "A unit is made of sections in brackets, assignments and comments, each on a line of its own (systemd.syntax(7)). systemd ignores a line that is none of these; a section without its ] makes it refuse the whole unit, which is an error.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service\n        ExecStart=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web"}
	UnitContinuation = &diag.Rule{ID: "unit-continuation", Severity: diag.Warning, Title: "a line does not go on as it looks",
		Help:    "A line goes on in the next one if a backslash is its very last character. With a blank behind the backslash the next line stands alone, and systemd ignores it; with a backslash on the last line of a command, the next setting becomes a part of that command.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web \\\n        Restart=always",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web\n        Restart=always"}
	UnitSection = &diag.Rule{ID: "unit-section", Severity: diag.Warning, Title: "a section that systemd does not read here",
		Help:    "systemd ignores a section that it does not know, or that a file of this type does not have, with everything in it. Sections that begin with X- are yours.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Serivce]\n        ExecStart=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web"}
	UnitDirective = &diag.Rule{ID: "unit-directive", Severity: diag.Warning, Title: "a directive that systemd does not know there",
		Help:    "systemd ignores a directive that its section does not have. Write the name that is meant, or move it to its section. Names that begin with X- are yours.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStrat=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web"}
	UnitValue = &diag.Rule{ID: "unit-value", Severity: diag.Warning, Title: "a value that systemd does not take",
		Help:    "systemd ignores the setting, or a part of it, and goes on as if it were not there.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Unit]\n        After=docker\n        [Service]\n        ExecStart=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Unit]\n        After=docker.service\n        [Service]\n        ExecStart=/opt/web"}
	UnitExec = &diag.Rule{ID: "unit-exec", Severity: diag.Error, Title: "a command that systemd does not run",
		Help:    "A command is the absolute path of a program, or its bare name from systemd 239 on, and its arguments. systemd refuses a unit with any other, unless a - before it says that it may fail.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=bin/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/bin/web"}
	UnitShell = &diag.Rule{ID: "unit-shell", Severity: diag.Warning, Title: "shell syntax in a command",
		Help:    "systemd starts no shell for a command: pipes, redirections and && are handed to the program as arguments.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/opt/web > /var/log/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        ExecStart=/bin/sh -c '/opt/web > /var/log/web'"}
	UnitSpecifier = &diag.Rule{ID: "unit-specifier", Severity: diag.Warning, Title: "a % that systemd takes for its own",
		Help:    "In a unit, % and a letter is a specifier: %m is the machine's id, not the month. Write %% for a % that the program is to see.",
		Example: "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n        ExecStart=/bin/date +%Y-%m-%d",
		Instead: "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n        ExecStart=/bin/date +%%Y-%%m-%%d"}
	UnitRefused = &diag.Rule{ID: "unit-refused", Severity: diag.Error, Title: "systemd refuses the unit",
		Help:    "What the unit says together with its drop-ins cannot be: systemd reports bad-setting and starts nothing. A drop-in adds to ExecStart; write an empty ExecStart= before it to replace the command.",
		Example: "coreos:\n  units:\n    - name: web.service\n      content: |\n        [Service]\n        Environment=A=b",
		Instead: "coreos:\n  units:\n    - name: web.service\n      drop_ins:\n        - name: 10-a.conf\n          content: |\n            [Service]\n            Environment=A=b"}
	UnitOverridden = &diag.Rule{ID: "unit-overridden", Severity: diag.Warning, Title: "a setting is given twice",
		Help: "Of a setting that has one value the last one counts, and the one before has no effect."}
	UnitDeprecated = &diag.Rule{ID: "unit-deprecated", Severity: diag.Info, Title: "an old directive",
		Help: "systemd has another name for it by now, or has dropped it. Old names are still read, with a line in the journal, unless the help of the finding says otherwise."}
	UnitNewer = &diag.Rule{ID: "unit-newer", Severity: diag.Info, Title: "a directive that is newer than systemd 252",
		Help: "An older systemd ignores it. See which one the image has."}
	UnitEnable = &diag.Rule{ID: "unit-enable", Severity: diag.Warning, Title: "enable has nothing to follow",
		Help:    "Enabling makes the links that the [Install] section asks for, and the unit of this configuration has none, so it is not started at boot. Add the section, or start the unit with command.",
		Example: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web\n        [Install]\n        WantedBy=multi-user.target"}
	UnitTarget = &diag.Rule{ID: "unit-target", Severity: diag.Warning, Title: "a target that nothing starts",
		Help:    "The name is close to that of a target that systemd has, and is neither that nor a unit of this configuration.",
		Example: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web\n        [Install]\n        WantedBy=multiuser.target",
		Instead: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web\n        [Install]\n        WantedBy=multi-user.target"}
	UnitCycle = &diag.Rule{ID: "unit-cycle", Severity: diag.Error, Title: "units wait for each other",
		Help:    "Each of these units is to start after the next, and the last one after the first. systemd drops the start of one of them to break the cycle, and which one is not said. It is a warning where nothing makes the units start together, unless one of our own units is among them: if the start of that is dropped, nothing is applied. A service without DefaultDependencies=no starts after basic.target, and so after all local mounts and sockets.",
		Example: "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Unit]\n        Requires=b.service\n        After=b.service\n        [Service]\n        ExecStart=/opt/a\n    - name: b.service\n      content: |\n        [Unit]\n        After=a.service\n        [Service]\n        ExecStart=/opt/b",
		Instead: "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Unit]\n        Requires=b.service\n        After=b.service\n        [Service]\n        ExecStart=/opt/a\n    - name: b.service\n      content: |\n        [Service]\n        ExecStart=/opt/b"}
	CalendarExpression = &diag.Rule{ID: "calendar-expression", Severity: diag.Warning, Title: "not a calendar expression",
		Help:    "An expression is weekdays, a date and a time: Mon..Fri *-*-* 04:00 (systemd.time(7)), or a word such as daily. The five fields of cron are none. A timer without any other trigger is refused, which is an error.",
		Example: "coreos:\n  units:\n    - name: a.timer\n      content: |\n        [Timer]\n        OnCalendar=*:*/15",
		Instead: "coreos:\n  units:\n    - name: a.timer\n      content: |\n        [Timer]\n        OnCalendar=*:0/15"}
	NetworkMatch = &diag.Rule{ID: "network-match", Severity: diag.Warning, Title: "nothing says which interfaces are meant",
		Help:    "From systemd 245 on, networkd and udev ignore a file whose [Match] section is empty or missing; before, it held for every interface. Write Name=* where every interface is meant, in a .link OriginalName=*.",
		Example: "coreos:\n  units:\n    - name: 10-all.network\n      content: |\n        [Network]\n        DHCP=yes",
		Instead: "coreos:\n  units:\n    - name: 10-all.network\n      content: |\n        [Match]\n        Name=*\n        [Network]\n        DHCP=yes"}
	NetworkNetdev = &diag.Rule{ID: "network-netdev", Severity: diag.Warning, Title: "a .netdev without a kind or a name",
		Help:    "networkd makes a device of a .netdev only if its [NetDev] section has Kind= and Name=.",
		Example: "coreos:\n  units:\n    - name: br0.netdev\n      content: |\n        [NetDev]\n        Name=br0",
		Instead: "coreos:\n  units:\n    - name: br0.netdev\n      content: |\n        [NetDev]\n        Name=br0\n        Kind=bridge"}
	NetworkValue = &diag.Rule{ID: "network-value", Severity: diag.Warning, Title: "a value that networkd does not take",
		Help:    "networkd ignores the setting and goes on as if it were not there.",
		Example: "coreos:\n  units:\n    - name: 10-a.network\n      content: |\n        [Match]\n        Name=eth0\n        [Network]\n        Address=10.0.0.256/24",
		Instead: "coreos:\n  units:\n    - name: 10-a.network\n      content: |\n        [Match]\n        Name=eth0\n        [Network]\n        Address=10.0.0.25/24"}
)

func unitRules() []*diag.Rule {
	return []*diag.Rule{
		UnitMissing, UnitMasked, UnitNoInstall, UnitInstall, UnitVolatile, NetworkEnable, AgentMissing,
		UnitSyntax, UnitContinuation, UnitSection, UnitDirective, UnitValue, UnitExec, UnitShell, UnitSpecifier, UnitRefused,
		UnitOverridden, UnitDeprecated, UnitNewer, UnitEnable, UnitTarget, UnitCycle, CalendarExpression,
		NetworkMatch, NetworkNetdev, NetworkValue,
	}
}
