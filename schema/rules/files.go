package rules

import "cloudconfig/schema/diag"

// Findings about files, the hostname and the settings files we share with others.
var (
	OwnerUnknown = &diag.Rule{ID: "owner-unknown", Severity: diag.Error, Machine: true, Title: "the owner does not exist",
		Help: "The owner of a file is an account and a group that the machine has or that users and groups of this configuration make. A number is taken as it is, but has no login group."}
	PathTwice = &diag.Rule{ID: "path-twice", Severity: diag.Error, Machine: true, Title: "two entries write the same file",
		Help: "The paths differ and lead to the same place, since a directory on the way is a symbolic link. Keep one entry, or let the later one append."}
	FileOverrides = &diag.Rule{ID: "file-overrides", Severity: diag.Error, Machine: true, Title: "an entry replaces a file of accounts",
		Help: "The accounts that this configuration asks for would be in this file, and are not: the entry is the whole file. Leave it out."}
	AppendTarget = &diag.Rule{ID: "append-target", Severity: diag.Error, Machine: true, Title: "nothing can be appended there",
		Help: "Content is appended to a regular file of 32 MiB at most. A symbolic link would be replaced, not followed: name the file that it leads to."}
	PlatformHostname = &diag.Rule{ID: "platform-hostname", Severity: diag.Warning, Machine: true, Title: "the platform's hostname cannot be used as it is",
		Help: "Linux takes hostnames of 64 characters at most. A longer one is cut at its first dot; one that is no hostname is not used at all. Give one with hostname."}
	PlatformAddress = &diag.Rule{ID: "platform-address", Severity: diag.Warning, Machine: true, Title: "the platform gives an address that is none",
		Help: "What the platform says is not an IP address, and is not written to /etc/environment."}
	HostsName = &diag.Rule{ID: "hosts-name", Severity: diag.Warning, Machine: true, Title: "no hostname for /etc/hosts",
		Help: "manage_etc_hosts needs a hostname, and neither the configuration nor the platform nor the machine has one. Give one with hostname."}
)

func fileRules() []*diag.Rule {
	return []*diag.Rule{OwnerUnknown, PathTwice, FileOverrides, AppendTarget, PlatformHostname, PlatformAddress, HostsName}
}
