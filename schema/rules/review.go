package rules

import "cloudconfig/schema/diag"

// Findings about what a review says of its own findings: comments in the text, and the file .provisioner.yaml.
var (
	UnusedIgnore = &diag.Rule{ID: "unused-ignore", Severity: diag.Warning, Title: "a comment ignores what is not found",
		Help:    "Nothing is found at the place that the comment is about, by the rule that it names. Remove the comment, or move it to the line of the finding or right above it, so that it does not hide a later mistake.",
		Example: "hostname: web1 # provisioner: ignore deprecated-key it was here once", Instead: "hostname: web1"}
	UnknownIgnore = &diag.Rule{ID: "unknown-ignore", Severity: diag.Warning, Title: "a comment ignores a rule that does not exist",
		Help:    "The comment takes ids of rules, with commas between them, and then the reason. `provisioner explain` lists the ids.",
		Example: "packages: [nginx] # provisioner: ignore unsuported-key the image has it", Instead: "packages: [nginx] # provisioner: ignore unsupported-key the image has it"}
	IgnoreWithoutReason = &diag.Rule{ID: "ignore-without-reason", Severity: diag.Warning, Title: "a comment ignores a rule and does not say why",
		Help:    "Whoever reads the configuration next has to know why the finding is no mistake here. Write the reason after the rule.",
		Example: "packages: [nginx] # provisioner: ignore unsupported-key", Instead: "packages: [nginx] # provisioner: ignore unsupported-key the image has it"}
	IgnoreError = &diag.Rule{ID: "ignore-error", Severity: diag.Warning, Title: "a comment tries to ignore an error",
		Help:    "A machine refuses a configuration that has an error, whatever its comments say, so a comment cannot take one away. Mend what is found, and remove the comment.",
		Example: "hostname: web_1 # provisioner: ignore hostname it has always been called that", Instead: "hostname: web-1"}
	UnknownRule = &diag.Rule{ID: "unknown-rule", Severity: diag.Error, Title: "no rule has this id",
		Help:    "Under rules, .provisioner.yaml takes ids of rules. `provisioner explain` lists them.",
		Example: "rules:\n  unsuported-key: off", Instead: "rules:\n  unsupported-key: off"}
)

func reviewRules() []*diag.Rule {
	return []*diag.Rule{UnusedIgnore, UnknownIgnore, IgnoreWithoutReason, IgnoreError, UnknownRule}
}
