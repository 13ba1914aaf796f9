package rules

import "cloudconfig/schema/diag"

// Findings about what a text looks like, what other readers of the same file make of it, and how long it is.
var (
	BidiControl = &diag.Rule{ID: "bidi-control", Severity: diag.Warning, Title: "an invisible character",
		Help: "The text is not what it looks like: the character turns the direction of what is shown, or parts a word, and a reviewer sees neither. Remove it; where it is meant, write it as an escape in double quotes."}
	Confusable = &diag.Rule{ID: "confusable", Severity: diag.Warning, Title: "letters of two alphabets in one name",
		Help: "A Cyrillic or Greek letter looks like a Latin one and is another: the name is not the one that it is read as. Type it again."}
	YAML11 = &diag.Rule{ID: "yaml-1-1", Severity: diag.Warning, Title: "other tools read another value here",
		Help:    "The value is text for this program. Readers of YAML 1.1, cloud-init among them, make a truth or a number of it first: yes becomes True, 0644 becomes 420, 12:30 becomes 750, 1.10 becomes 1.1. Quote it.",
		Example: "write_files:\n  - path: /etc/version\n    content: 1.10", Instead: "write_files:\n  - path: /etc/version\n    content: \"1.10\""}
	PlatformSize = &diag.Rule{ID: "platform-size", Severity: diag.Warning, Title: "longer than some platforms take",
		Help: "Platforms limit user-data: EC2 to 16 KiB (before base64), Hetzner Cloud to 32 KiB, OpenStack to 65,535 bytes of base64, which are 48 KiB, Azure and VMware's guestinfo to 64 KiB, Google Compute Engine to 256 KiB. Compress it with gzip, or fetch large contents at run time. Elsewhere there is nothing to do."}
)

func textRules() []*diag.Rule { return []*diag.Rule{BidiControl, Confusable, YAML11, PlatformSize} }
