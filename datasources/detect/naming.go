package detect

import (
	"fmt"
	"slices"
	"strings"

	"cloudconfig/datasources/machine"
)

// parameter names a datasource, as --datasource takes it: on the kernel command line, as SMBIOS string and as credential.
const parameter = "provisioner.datasource"

// naming is what one place names.
type naming struct {
	place      string
	candidates []Candidate
	refused    []Candidate
	none       bool // it says that there is no datasource, or none of ours
}

// decides says that no other place is heard.
func (n naming) decides() bool { return len(n.candidates) > 0 || n.none }

// Naming is the part of [Detect] that looks at what names datasources, and at nothing else. Without one the result is
// not Named.
func Naming(e Evidence) Result {
	var r Result
	decided := ""
	for _, n := range []naming{
		named("the settings", "the settings name it", e.Settings),
		named("the kernel command line", parameter+"= on the kernel command line names it", e.Machine.Cmdline.All(parameter)),
		fromCloudInit(e.Machine.Cmdline),
		named("the SMBIOS strings", parameter+"= in an SMBIOS string names it", fromStrings(e.Machine.Strings)),
		named("the system credentials", "the credential "+parameter+" names it", words(e.Machine.Credentials[parameter])),
		fromSerial(e.Machine.DMI.ProductSerial),
	} {
		r.Rejected = append(r.Rejected, n.refused...)
		if n.decides() && !r.Named {
			decided = n.place
			r.Named, r.Candidates = true, n.candidates
			continue
		}
		for _, c := range n.candidates {
			if !slices.ContainsFunc(r.Candidates, func(taken Candidate) bool { return taken.Spec == c.Spec }) {
				c.Reason += ", which counts less than " + decided
				r.Rejected = append(r.Rejected, c)
			}
		}
	}
	return r
}

func named(place, why string, specs []string) naming {
	n := naming{place: place}
	for _, spec := range specs {
		n.candidates = append(n.candidates, Candidate{spec, why})
	}
	return n
}

func fromStrings(all []string) []string {
	var specs []string
	for _, s := range all {
		if spec, ok := strings.CutPrefix(s, parameter+"="); ok {
			specs = append(specs, spec)
		}
	}
	return specs
}

// words are the datasources of a credential: one on each line.
func words(text string) []string {
	return strings.Fields(text)
}

// fromCloudInit reads what cloud-init and coreos-cloudinit have on a kernel command line.
//
// Format: cloud-init, doc/rtd/reference/datasources/nocloud.rst and doc/rtd/explanation/kernel-command-line.rst (26.1);
// coreos-cloudinit, datasource/proc_cmdline (1.13).
func fromCloudInit(c machine.Cmdline) naming {
	n := naming{place: "cloud-config-url= and ds= on the kernel command line"}
	if url, ok := c.Get("cloud-config-url"); ok {
		// Installers switch another program's parameter off so.
		if url == "" || url == "/dev/null" {
			n.refused = append(n.refused, Candidate{"cmdline", "cloud-config-url= on the kernel command line is " + quote(url)})
		} else {
			n.candidates = append(n.candidates, Candidate{"cmdline", "cloud-config-url= on the kernel command line"})
		}
	}
	for _, key := range []string{"ds", "ci.ds", "ci.datasource"} {
		if value, ok := c.Get(key); ok {
			return n.with(value, key+"= on the kernel command line")
		}
	}
	return n
}

// fromSerial reads the serial number of a machine, in which a hypervisor's user can write ds=nocloud;....
func fromSerial(serial string) naming {
	n := naming{place: "ds= in the serial number"}
	for _, word := range strings.Fields(serial) {
		if value, ok := strings.CutPrefix(word, "ds="); ok && strings.HasPrefix(strings.ToLower(value), "nocloud") {
			return n.with(value, "ds= in the serial number of the machine")
		}
	}
	return n
}

// with adds what a value of ds= names: a name of cloud-init's, and fields behind ";".
func (n naming) with(value, why string) naming {
	name, fields, _ := strings.Cut(value, ";")
	switch lower := strings.ToLower(name); lower {
	case "nocloud", "nocloud-net":
		n.candidates = append(n.candidates, Candidate{"nocloud" + seed(fields), why})
	case "none":
		n.none = true
		n.refused = append(n.refused, Candidate{"none", why + " says that there is no datasource"})
	case "configdrive", "ec2", "gce", "openstack", "azure", "vmware", "digitalocean", "hetzner":
		n.candidates = append(n.candidates, Candidate{lower, why})
	default:
		n.none = true
		n.refused = append(n.refused, Candidate{quote(name), fmt.Sprintf("%s names a datasource that is not one of ours", why)})
	}
	return n
}

// seed is the argument of nocloud that the fields of ds= come to: "=URL", "=DIR", then ";h=NAME" and ";i=ID".
func seed(fields string) string {
	var from, host, id string
	for _, f := range strings.Split(fields, ";") {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "s", "seedfrom":
			from = strings.TrimPrefix(value, "file://")
		case "h", "local-hostname":
			host = ";h=" + value
		case "i", "instance-id":
			id = ";i=" + value
		}
	}
	if from+host+id == "" {
		return ""
	}
	return "=" + from + host + id
}
