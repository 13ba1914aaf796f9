package rules

import "cloudconfig/schema/diag"

// Findings about variables such as $private_ipv4.
var (
	VariableMissing = &diag.Rule{ID: "variable-missing", Severity: diag.Error, Machine: true, Title: "a variable has no value on this machine",
		Help: "In settings and units a variable is never replaced by nothing: an agent would listen everywhere, or nowhere. The value comes from the platform's metadata, then from COREOS_* in the environment and in /etc/environment, then, for a private address, from the interface of the default route. Write \\$name for the text itself."}
	VariableKept = &diag.Rule{ID: "variable-kept", Severity: diag.Warning, Machine: true, Title: "a variable has no value and stays as it is",
		Help: "In contents of files and in scripts a variable without a value may be meant as text. Write \\$name where it is."}
)

func variableRules() []*diag.Rule { return []*diag.Rule{VariableMissing, VariableKept} }
