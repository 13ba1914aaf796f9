package rules

import "cloudconfig/schema/diag"

// Findings about units and agents on the machine.
var (
	UnitMissing = &diag.Rule{ID: "unit-missing", Severity: diag.Error, Machine: true, Title: "the unit does not exist",
		Help: "A unit to be enabled has its content in this configuration, or a file on the machine in /etc/systemd/system, /run/systemd/system or systemd/system below /usr/local/lib, /usr/lib or /lib."}
	UnitMasked = &diag.Rule{ID: "unit-masked", Severity: diag.Error, Machine: true, Title: "the unit is masked",
		Help: "A masked unit can be neither enabled nor started. Remove the mask, or do not ask for the unit."}
	UnitNoInstall = &diag.Rule{ID: "unit-no-install", Severity: diag.Warning, Machine: true, Title: "the unit cannot be enabled",
		Help:    "Enabling makes the links that the [Install] section asks for; this unit has none, so it is not started at boot. Add the section, or start the unit with command.",
		Example: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web",
		Instead: "coreos:\n  units:\n    - name: web.service\n      enable: true\n      content: |\n        [Service]\n        ExecStart=/opt/web\n        [Install]\n        WantedBy=multi-user.target"}
	UnitInstall = &diag.Rule{ID: "unit-install", Severity: diag.Error, Machine: true, Title: "the [Install] section cannot be followed",
		Help: "The section names something that is no unit, a name that cannot be another name of this unit, a specifier other than %i, %j, %n, %N, %p and %%, or a link where a file is already."}
	UnitVolatile = &diag.Rule{ID: "unit-volatile", Severity: diag.Info, Machine: true, Title: "the unit goes to /run",
		Help: "/etc is read-only here, so the unit is put below /run and made again at every boot."}
	NetworkEnable = &diag.Rule{ID: "network-enable", Severity: diag.Warning, Machine: true, Title: "a networkd file is neither enabled nor started",
		Help: "networkd reads all of its files; enable and command have no effect on one."}
	AgentMissing = &diag.Rule{ID: "agent-missing", Severity: diag.Warning, Machine: true, Title: "the agent is not on this machine",
		Help: "The settings are written, and nobody on this machine reads them."}
)

func unitRules() []*diag.Rule {
	return []*diag.Rule{UnitMissing, UnitMasked, UnitNoInstall, UnitInstall, UnitVolatile, NetworkEnable, AgentMissing}
}
