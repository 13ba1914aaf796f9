package rules

import "cloudconfig/schema/diag"

// Findings about what users may do with sudo.
var (
	SudoRule = &diag.Rule{ID: "sudo-rule", Severity: diag.Error, Title: "not a sudoers rule",
		Help:    "A rule is one line of what sudoers(5) has after the user's name: hosts, =, whom to become in brackets, and commands with their absolute paths.",
		Example: "users:\n  - name: anna\n    sudo: everything", Instead: "users:\n  - name: anna\n    sudo: ALL=(ALL) ALL"}
	SudoersSyntax = &diag.Rule{ID: "sudoers-syntax", Severity: diag.Error, Title: "sudo cannot read this line",
		Help: "Before version 1.9.3 one such line made sudo refuse everything; since then it passes the line over. Commands have absolute paths, and : , = and \\ in their arguments a backslash in front. visudo -cf FILE checks a file."}
	SudoersMode = &diag.Rule{ID: "sudoers-mode", Severity: diag.Warning, Title: "sudo does not trust the file",
		Help:    "sudo reads a file only if root owns it and nobody else may write to it. Without owner and permissions that is so; 0440 is usual.",
		Example: "write_files:\n  - path: /etc/sudoers.d/web\n    permissions: \"0666\"", Instead: "write_files:\n  - path: /etc/sudoers.d/web\n    permissions: \"0440\""}
	SudoersName = &diag.Rule{ID: "sudoers-name", Severity: diag.Warning, Title: "sudo passes a file of this name over",
		Help:    "In /etc/sudoers.d files whose names have a dot in them or end in ~ are not read.",
		Example: "write_files:\n  - path: /etc/sudoers.d/web.conf", Instead: "write_files:\n  - path: /etc/sudoers.d/web"}
	SudoNoPassword = &diag.Rule{ID: "sudo-nopasswd", Severity: diag.Info, Title: "root without a password",
		Help: "Whoever gets hold of a session or a key of this user is root. That is usual for a user who has a key and no password; of one who has a password sudo can ask for it."}
)

func sudoersRules() []*diag.Rule {
	return []*diag.Rule{SudoRule, SudoersSyntax, SudoersMode, SudoersName, SudoNoPassword}
}
