package plan

import (
	"bytes"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// environmentNames are what the addresses are called in the environment, which coreos-cloudinit asked where the
// platform said nothing.
var environmentNames = map[string]string{
	"public_ipv4":  "COREOS_PUBLIC_IPV4",
	"private_ipv4": "COREOS_PRIVATE_IPV4",
	"public_ipv6":  "COREOS_PUBLIC_IPV6",
	"private_ipv6": "COREOS_PRIVATE_IPV6",
}

// instanceValues takes values from the platform's metadata, then from COREOS_* in our environment and in
// /etc/environment, then, for the private addresses, from the interface of the default route.
func (c *computation) instanceValues() schema.Values {
	v := c.Meta.Values()
	file := environmentOf(c.see("etc/environment"))
	for name, variable := range environmentNames {
		v.Add(name, c.Facts.Environment[variable])
		v.Add(name, file[variable])
	}
	v.Add("private_ipv4", c.Facts.DefaultRouteIPv4)
	v.Add("private_ipv6", c.Facts.DefaultRouteIPv6)
	return v
}

// environmentOf reads the KEY=value lines of /etc/environment, quotes around a value taken off.
func environmentOf(s *Seen) map[string]string {
	out := map[string]string{}
	if s.Kind != fsroot.Regular {
		return out
	}
	for line := range strings.Lines(string(s.Data)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok {
			out[key] = strings.Trim(value, `"'`)
		}
	}
	return out
}

// setting replaces the variables in a value of which the place is known; a variable without a value is an
// error of the machine.
func (c *computation) setting(text string, at source.Range) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return language.Variable.ReplaceAllStringFunc(text, func(match string) string {
		if match[0] == '\\' {
			return match[1:]
		}
		value, ok := c.values[match[1:]]
		if !ok {
			d := c.report(rules.VariableMissing, at, "%s has no value on this machine", match)
			d.Detail = "the platform's metadata does not say it; give it with --metadata, or in /etc/environment"
			return match
		}
		return value
	})
}

// content replaces the variables in a file's content or a script; a variable without a value stays as it is,
// with a warning. all says that every instance fact counts, not the four addresses alone.
func (c *computation) content(text []byte, at source.Range, all bool) []byte {
	if bytes.IndexByte(text, '$') < 0 {
		return text
	}
	return language.Variable.ReplaceAllFunc(text, func(match []byte) []byte {
		name := strings.TrimLeft(string(match), `\$`)
		if !language.IsAddress(name) && !all {
			return match
		}
		if match[0] == '\\' {
			return match[1:]
		}
		value, ok := c.values[name]
		if !ok {
			c.report(rules.VariableKept, at, "$%s has no value on this machine and stays as it is", name)
			return match
		}
		return []byte(value)
	})
}
