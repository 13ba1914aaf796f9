package schema

import (
	"net/netip"
	"regexp"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// Variable matches the variables of a configuration, with the backslash that keeps one from being replaced.
// A longer name that merely begins like one does not match.
var Variable = regexp.MustCompile(`\\?\$(public_ipv4|private_ipv4|public_ipv6|private_ipv6|instance_id|instance_type|instance_region|instance_zone|instance_hostname)\b`)

// IsAddress says that a variable is one of the four addresses, which coreos-cloudinit had and replaced everywhere.
func IsAddress(name string) bool {
	switch name {
	case "public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6":
		return true
	}
	return false
}

// Values are what the variables of a configuration stand for on an instance, by name without the dollar. A
// variable without a value is not in it: it is never the empty string.
type Values map[string]string

// Values are what the platform says of this instance.
func (m Metadata) Values() Values {
	v := Values{}
	v.Add("public_ipv4", m.PublicIPv4)
	v.Add("private_ipv4", m.PrivateIPv4)
	v.Add("public_ipv6", m.PublicIPv6)
	v.Add("private_ipv6", m.PrivateIPv6)
	v.Add("instance_id", m.InstanceID)
	v.Add("instance_type", m.InstanceType)
	v.Add("instance_region", m.Region)
	v.Add("instance_zone", m.Zone)
	v.Add("instance_hostname", m.Hostname)
	return v
}

// Add gives a variable a value, unless it has one. What others say goes into units and settings: it must be what
// it is called, and nothing besides, or it is passed over.
func (v Values) Add(name, value string) {
	addr, err := netip.ParseAddr(value)
	switch {
	case v[name] != "" || value == "":
	case IsAddress(name) && (err != nil || addr.Zone() != "" || addr.Is4() != strings.HasSuffix(name, "ipv4")):
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'%\\$", r) }):
	default:
		v[name] = value
	}
}

// unset reports variables without a value. The machine may know one all the same, from its environment or its
// default route, so it is never an error here.
func (d *decoder) unset(values Values) {
	if values == nil {
		return
	}
	for n, all := range d.variables {
		content := strings.HasPrefix(d.passages[n.Range].path, "write_files")
		for _, at := range Variable.FindAllStringIndex(n.Value, maxSlips) {
			name := strings.TrimPrefix(n.Value[at[0]:at[1]], "$")
			switch {
			case name[0] == '\\', !all && !IsAddress(name), values[name] != "":
				continue
			case content:
				d.reportAt(rules.VariableKept, "", n.Span(d.files[n.Range.File], at[0], at[1]), "$%s has no value and stays as it is", name)
			default:
				f := d.reportAt(rules.VariableMissing, "", n.Span(d.files[n.Range.File], at[0], at[1]), "$%s has no value in the metadata", name)
				f.Severity, f.Detail = diag.Warning, "it is an error on a machine that does not know it either"
			}
		}
	}
}
