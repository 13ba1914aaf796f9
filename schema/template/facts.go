package template

import (
	"strings"

	"cloudconfig/schema/config"
)

// v1Keys are what cloud-init promises of every instance, by its documentation, and what it has besides.
//
// Source: cloud-init, doc/rtd/explanation/instancedata.rst (2026).
func v1Keys() []string {
	return []string{
		"availability_zone", "cloud_id", "cloud_name", "distro", "distro_release", "distro_version", "instance_id", "kernel_release",
		"local_hostname", "machine", "platform", "public_ssh_keys", "python_version", "region", "subplatform", "system_platform", "unique_id", "variant",
	}
}

// topLevel are the names that a template may begin with: those of cloud-init, the keys of v1, and ours.
func topLevel() []string {
	return append(v1Keys(),
		"v1", "ds", "merged_cfg", "merged_system_cfg", "sys_info", "system_info", "userdata", "vendordata", "vendordata2", "base64_encoded_keys", "sensitive_keys", "features",
		"hostname", "public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6", "instance_type", "zone")
}

// Facts are the variables of an instance: what cloud-init has below v1 and again at the top, ds as the datasource has it
// (nil if there is nothing), and the names that are ours alone. What is not known is not there. ds is what JSON decodes
// to; a key of it with an operator of Jinja's in its name, as in "local-hostname", is there with underscores too.
func Facts(meta config.Metadata, ds map[string]any) map[string]any {
	cloud, platform := cloudOf(meta.Datasource)
	v1 := map[string]any{}
	add := func(to map[string]any, name, value string) {
		if value != "" {
			to[name] = value
		}
	}
	add(v1, "availability_zone", meta.Zone)
	add(v1, "cloud_id", cloud)
	add(v1, "cloud_name", cloud)
	add(v1, "instance_id", meta.InstanceID)
	add(v1, "local_hostname", meta.Hostname)
	add(v1, "platform", platform)
	add(v1, "region", meta.Region)
	v1["public_ssh_keys"] = append([]string{}, meta.SSHKeys...)
	vars := map[string]any{}
	for name, v := range v1 {
		vars[name] = v
	}
	for _, name := range []string{"availability_zone", "cloud_name", "instance_id", "local_hostname"} { // which v1 has in both spellings
		if v, ok := v1[name]; ok {
			v1[strings.ReplaceAll(name, "_", "-")] = v
		}
	}
	vars["v1"] = v1
	add(vars, "hostname", meta.Hostname)
	add(vars, "public_ipv4", meta.PublicIPv4)
	add(vars, "private_ipv4", meta.PrivateIPv4)
	add(vars, "public_ipv6", meta.PublicIPv6)
	add(vars, "private_ipv6", meta.PrivateIPv6)
	add(vars, "instance_type", meta.InstanceType)
	add(vars, "zone", meta.Zone)
	if ds != nil {
		vars["ds"] = withAliases(ds, maxNesting)
	}
	return vars
}

// cloudOf is what cloud-init calls the cloud and the platform of a datasource.
func cloudOf(datasource string) (cloud, platform string) {
	name, _, _ := strings.Cut(datasource, "=")
	switch name {
	case "ec2":
		return "aws", "ec2"
	case "configdrive":
		return "configdrive", "openstack"
	}
	return name, name
}

// withAliases adds the names of keys as Jinja can write them behind a dot, as deep as depth levels.
// Mappings in lists stay as they are, as in cloud-init.
func withAliases(v any, depth int) any {
	in, ok := v.(map[string]any)
	if !ok || depth == 0 {
		return v
	}
	out := make(map[string]any, len(in))
	for k, item := range in {
		item = withAliases(item, depth-1)
		out[k] = item
		alias := alias(k)
		if _, there := in[alias]; !there {
			out[alias] = item
		}
	}
	return out
}

// alias is a name with an underscore for each operator of Jinja's.
func alias(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch two := name[i:min(i+2, len(name))]; {
		case two == "//" || two == "**" || two == "==" || two == "!=" || two == ">=" || two == "<=":
			b.WriteByte('_')
			i++
		case strings.IndexByte("+-/*%~[](){}<>=.:|,;", name[i]) >= 0:
			b.WriteByte('_')
		default:
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
