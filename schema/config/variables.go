package config

import (
	"net/netip"
	"strings"

	"cloudconfig/schema/language"
)

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
	case language.IsAddress(name) && (err != nil || addr.Zone() != "" || addr.Is4() != strings.HasSuffix(name, "ipv4")):
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'%\\$", r) }):
	default:
		v[name] = value
	}
}
