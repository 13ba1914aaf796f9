package rules

import "cloudconfig/schema/diag"

// Findings inside scripts: those that are user-data, and those that write_files writes.
var (
	ScriptLineEnds = &diag.Rule{ID: "script-line-ends", Severity: diag.Warning, Title: "a script with Windows line ends",
		Help: "The kernel would look for an interpreter whose name ends in a carriage return. Of user-data that is a script the line ends are made Unix ones; the content of a file is written as it is."}
	ScriptInterpreter = &diag.Rule{ID: "script-interpreter", Severity: diag.Error, Title: "a script without an interpreter",
		Help: "After #! comes the absolute path of the program that runs the script.", Example: "#!bash", Instead: "#!/bin/bash"}
	ScriptOptions = &diag.Rule{ID: "script-options", Severity: diag.Error, Title: "more options after #! than the kernel hands over",
		Help:    "Linux hands everything after the interpreter over as one argument, blanks included: env looks for a program of that name, and a shell knows no such option. Set options with set, or write env -S.",
		Example: "#!/usr/bin/env bash -e", Instead: "#!/bin/bash -e"}
	ScriptMark = &diag.Rule{ID: "script-mark", Severity: diag.Warning, Title: "a byte order mark in front of #!",
		Help: "The kernel does not recognise #! behind it, and the script does not run. Save the script without the mark."}
	BoothookUnrun = &diag.Rule{ID: "boothook-unrun", Severity: diag.Info, Machine: true, Title: "a boothook is not run by a plan",
		Help: "A plan changes nothing, so it runs nothing. What a boothook would write or start is not in the plan; an apply runs it first."}
	ScriptPipeShell = &diag.Rule{ID: "script-pipe-shell", Severity: diag.Warning, Title: "what is fetched is run unseen",
		Help:    "Whoever controls the server, or the way to it where the URL is plain http, controls the machine; and a transfer that is cut short runs half a script. Fetch to a file, check its digest, then run it. Of https it is worth knowing, no more.",
		Example: "#!/bin/sh\ncurl http://get.example.com | sh", Instead: "#!/bin/sh\ncurl -fsSo /tmp/get https://get.example.com\nsha256sum -c /etc/get.sha256 && sh /tmp/get"}
)

func scriptRules() []*diag.Rule {
	return []*diag.Rule{ScriptLineEnds, ScriptInterpreter, ScriptOptions, ScriptMark, BoothookUnrun, ScriptPipeShell}
}
