package rules

import "cloudconfig/schema/diag"

// Findings about templates, before and while they are rendered.
var (
	TemplateSyntax = &diag.Rule{ID: "template-syntax", Severity: diag.Error, Title: "the template cannot be read",
		Help:    "A document whose first line is ## template: jinja is a template of Jinja: {{ value }} is printed, {% if %}, {% for %} and {% set %} act, {# #} is a comment. Every tag, bracket and quote ends where it should, and every block has its end. Put {% raw %} and {% endraw %} around text that is to stay as it is.",
		Example: "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname", Instead: "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}"}
	TemplateUnsupported = &diag.Rule{ID: "template-unsupported", Severity: diag.Error, Title: "the template uses what is not there",
		Help:    "There is one template and no other to include or extend, and values do not change. Filters, tests, functions and methods are those of Jinja that a configuration needs.",
		Example: "## template: jinja\n#cloud-config\n{% include 'base.yaml' %}", Instead: "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}"}
	TemplateName = &diag.Rule{ID: "template-name", Severity: diag.Error, Title: "the template asks for a variable that no machine has",
		Help:    "A template knows v1 and the keys of v1, ds, merged_cfg, hostname, public_ipv4, private_ipv4, public_ipv6, private_ipv6, instance_type and zone, and what it sets itself. A name that may be missing is asked for with is defined, or has a default.",
		Example: "## template: jinja\n#cloud-config\nhostname: {{ v1.hostname }}", Instead: "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}"}
	TemplateUndefined = &diag.Rule{ID: "template-undefined", Severity: diag.Error, Machine: true, Title: "a variable of the template has no value on this machine",
		Help:    "A variable is never replaced by nothing. What not every machine has gets a default, or stands inside a condition with is defined.",
		Example: "## template: jinja\n#cloud-config\nhostname: {{ ds.meta_data.name }}", Instead: "## template: jinja\n#cloud-config\nhostname: {{ ds.meta_data.name | default(\"web\") }}"}
	TemplateValue = &diag.Rule{ID: "template-value", Severity: diag.Error, Machine: true, Title: "a value in the template is not of the kind that is needed",
		Help:    "Texts are put together with ~, numbers are added with +, and a number in a text is made one with | int. A division by zero has no value.",
		Example: "## template: jinja\n#cloud-config\nhostname: {{ \"web\" + 1 }}", Instead: "## template: jinja\n#cloud-config\nhostname: {{ \"web\" ~ 1 }}"}
	TemplateTooLarge = &diag.Rule{ID: "template-too-large", Severity: diag.Error, Title: "the template takes too long, or makes too much",
		Help: "A template takes at most 100,000 steps, makes at most 32 MiB and nests 64 levels deep. A step is one operation, one turn of a loop or one item of a list."}
)

func templateRules() []*diag.Rule {
	return []*diag.Rule{TemplateSyntax, TemplateUnsupported, TemplateName, TemplateUndefined, TemplateValue, TemplateTooLarge}
}
