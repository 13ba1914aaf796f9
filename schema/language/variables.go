package language

import "regexp"

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
