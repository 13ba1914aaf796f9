package schema

import (
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
)

// unset reports variables without a value. The machine may know one all the same, from its environment or its
// default route, so it is never an error here.
func (d *decoder) unset(values Values) {
	if values == nil {
		return
	}
	for n, all := range d.variables {
		content := strings.HasPrefix(d.Passages[n.Range].Path, "write_files")
		for _, at := range language.Variable.FindAllStringIndex(n.Value, findings.MaxSlips) {
			name := strings.TrimPrefix(n.Value[at[0]:at[1]], "$")
			switch {
			case name[0] == '\\', !all && !language.IsAddress(name), values[name] != "":
				continue
			case content:
				d.ReportAt(rules.VariableKept, "", n.Span(d.Sources[n.Range.File], at[0], at[1]), "$%s has no value and stays as it is", name)
			default:
				f := d.ReportAt(rules.VariableMissing, "", n.Span(d.Sources[n.Range.File], at[0], at[1]), "$%s has no value in the metadata", name)
				f.Severity, f.Detail = diag.Warning, "it is an error on a machine that does not know it either"
			}
		}
	}
}
