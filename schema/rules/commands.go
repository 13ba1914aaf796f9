package rules

import "cloudconfig/schema/diag"

// Findings about bootcmd, runcmd and the condition of power_state.
var (
	CommandEmpty = &diag.Rule{ID: "command-empty", Severity: diag.Warning, Title: "a command that runs nothing",
		Help: "An empty text, or a list without words, is passed over.", Example: "#cloud-config\nruncmd:\n  - \"\"\n  - date", Instead: "#cloud-config\nruncmd:\n  - date"}
	CommandWords = &diag.Rule{ID: "command-words", Severity: diag.Warning, Title: "a whole command as the only word of a list",
		Help:    "In a list every item is one word, and the first names the program: there is none whose name has blanks in it.",
		Example: "#cloud-config\nruncmd:\n  - [systemctl restart nginx]", Instead: "#cloud-config\nruncmd:\n  - [systemctl, restart, nginx]"}
)

func commandRules() []*diag.Rule { return []*diag.Rule{CommandEmpty, CommandWords} }
