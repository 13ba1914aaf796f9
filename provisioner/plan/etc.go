package plan

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

const hostnameFile = "etc/hostname"

// names is what the machine is called: host by its kernel, fqdn in full; each is empty if nobody says so.
type names struct{ host, fqdn string }

// hostname plans the machine's name: the configuration's, else the platform's, without a dot at the end. A name
// of several labels stays whole unless fqdn or prefer_fqdn_over_hostname says otherwise. Where the user keeps
// the name, or there is none, there is nothing to do.
func (c *computation) hostname() {
	want := Change{Kind: WriteFile, Path: hostnameFile, Attr: fsroot.Attr{Mode: 0o644}}
	var ok bool
	if c.names, want.Why, ok = c.wantedNames(); !ok {
		return
	}
	if c.Config.System.PreserveHostname.V {
		c.names.host = ""
		return
	}
	if c.names.host == "" {
		c.names.host = c.platformHostname()
		want.Origin = OriginMetadata
	}
	name := c.names.host
	if name == "" {
		return
	}
	if c.writesHostname() {
		want.Data = []byte(name + "\n")
		c.put(&want)
	}
	if c.Facts.Live && c.Facts.SystemHostname != name && !c.isKept(hostnameFile) {
		c.plan.Hostname = name
	}
}

// writesHostname says that the name goes to /etc/hostname, and not to the kernel alone.
func (c *computation) writesHostname() bool {
	create := c.Config.System.CreateHostnameFile
	return !create.Set || create.V
}

// wantedNames are the names that the configuration gives, and where it does; ok is false, and reported, if one
// is no name.
func (c *computation) wantedNames() (n names, why []source.Range, ok bool) {
	s := &c.Config.System
	for _, v := range []struct {
		schema.Value[string]
		name *string
	}{{c.Config.Hostname, &n.host}, {s.FQDN, &n.fqdn}} {
		if !v.Set || v.V == "" {
			continue
		}
		*v.name = strings.TrimSuffix(c.setting(v.V, v.At), ".")
		why = append(why, v.At)
		if !language.ValidHostname(*v.name) {
			c.report(rules.Hostname, v.At, "%q is not a hostname", *v.name)
			return names{}, nil, false
		}
	}
	short := func(name string) string { first, _, _ := strings.Cut(name, "."); return first }
	switch {
	case s.PreferFQDN.Set && !s.PreferFQDN.V && n.host != "":
		if n.fqdn == "" && strings.Contains(n.host, ".") {
			n.fqdn = n.host
		}
		n.host = short(n.host)
	case s.PreferFQDN.V && n.fqdn != "":
		n.host = n.fqdn
	case n.host == "":
		n.host = short(n.fqdn)
	}
	return n, why, true
}

// platformHostname is the platform's name for the machine. It comes from outside, so it may be too long, or
// no name at all; that is no reason to refuse the rest.
func (c *computation) platformHostname() string {
	name := strings.TrimSuffix(c.Meta.Hostname, ".")
	if len(name) > 64 {
		short, _, _ := strings.Cut(name, ".")
		c.report(rules.PlatformHostname, source.Range{}, "the platform's hostname has %d characters and is cut at the first dot", len(name))
		name = short
	}
	if name != "" && !language.ValidHostname(name) {
		c.report(rules.PlatformHostname, source.Range{}, "the platform's hostname is not a hostname and is left out")
		return ""
	}
	return name
}

// etcFiles plans the settings files that we share with others or that configure CoreOS.
func (c *computation) etcFiles() {
	c.hosts()
	c.environment()
	c.oemRelease()
	c.updateConf()
}

// hosts plans manage_etc_hosts. Our record in /etc/hosts is the line of 127.0.1.1, which Debian has for the
// machine's own name: its address is its mark, so that a new name replaces the old one. All other lines stay,
// and localhost is put back where an earlier program has lost it.
//
// Source: Debian Reference, section 5.1.1; hosts(5).
func (c *computation) hosts() {
	if c.Config.ManageEtcHosts.V != "localhost" {
		return
	}
	why := []source.Range{c.Config.ManageEtcHosts.At}
	own := c.ownNames()
	if len(own) == 0 {
		c.report(rules.HostsName, why[0], "there is no hostname to put into /etc/hosts")
		return
	}
	old, attr, _ := c.shared("etc/hosts")
	if !c.hold("etc/hosts", HostForm, ownAddress, strings.Join(own, " "), HostForm.find(ownAddress, old)) {
		c.put(&Change{Kind: WriteFile, Path: "etc/hosts", Attr: attr, Data: old, Records: []Record{}, Why: why})
		return
	}
	lines, records := setHost(strings.SplitAfter(string(old), "\n"), own)
	for i := range records {
		records[i].Why = why
	}
	c.put(&Change{
		Kind: WriteFile, Path: "etc/hosts", Attr: attr, Data: []byte(strings.Join(lines, "")),
		Records: records, Why: why,
	})
}

// ownNames are the machine's names as a line of /etc/hosts has them, the full one first.
func (c *computation) ownNames() []string {
	name := c.names.host
	if name == "" || c.writesHostname() { // an entry of write_files may have changed it since
		name = c.ownName()
	}
	out := []string{c.names.fqdn, name}
	if c.names.fqdn == "" {
		short, _, _ := strings.Cut(name, ".")
		out = []string{name, short}
	} else if short, _, _ := strings.Cut(name, "."); short != name {
		out = append(out, short)
	}
	out = slices.DeleteFunc(out, func(n string) bool { return n == "" })
	return slices.Compact(out)
}

// ownName is the name that /etc/hostname has, else the kernel's.
func (c *computation) ownName() string {
	data, _ := c.current(hostnameFile)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && language.ValidHostname(line) {
			return line
		}
	}
	if language.ValidHostname(c.Facts.SystemHostname) {
		return c.Facts.SystemHostname
	}
	return ""
}

// ownAddress is that of the machine's own name.
const ownAddress = "127.0.1.1"

// setHost makes the line of 127.0.1.1 that of some names; lines keep their ends.
func setHost(lines, names []string) ([]string, []Record) {
	const own, loopback = ownAddress, "127.0.0.1"
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	} else if !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	line := own + " " + strings.Join(names, " ")
	record := Record{Name: "host " + names[0], Action: "added", Detail: line}

	var out []string
	records := []Record{}         // never nil: the file is shared even if nothing of ours changes
	placed, localhost := false, 0 // localhost: how many lines of out come up to and with the first of 127.0.0.1
	for _, l := range lines {
		text, _, _ := strings.Cut(l, "#")
		fields := strings.Fields(text)
		if len(fields) == 0 || fields[0] != own {
			out = append(out, l)
			if localhost == 0 && len(fields) > 0 && fields[0] == loopback && slices.Contains(fields, "localhost") {
				localhost = len(out)
			}
			continue
		}
		switch {
		case placed:
			records = append(records, Record{Name: "host " + strings.Join(fields[1:], " "), Action: "removed"})
		case slices.Equal(fields[1:], names):
			out = append(out, l)
		default:
			record.Action = "changed"
			records = append(records, record)
			out = append(out, line+"\n")
		}
		placed = true
	}
	if localhost == 0 {
		out = slices.Insert(out, 0, loopback+" localhost\n")
		records = append(records, Record{Name: "host localhost", Action: "added", Detail: loopback + " localhost"})
		localhost = 1
	}
	if !placed {
		out = slices.Insert(out, localhost, line+"\n")
		records = append(records, record)
	}
	return out, records
}

const environmentFile = "etc/environment"

// environment plans the COREOS_* lines of /etc/environment, for units that read it: the platform's addresses.
// A write_files entry for that very file wins.
func (c *computation) environment() {
	for i := range c.Config.Files {
		if f := &c.Config.Files[i]; relative(f.Path.V) == environmentFile && !f.Append.V {
			return
		}
	}
	var want []assignment
	for _, a := range []assignment{
		{key: "COREOS_PRIVATE_IPV4", value: c.Meta.PrivateIPv4},
		{key: "COREOS_PRIVATE_IPV6", value: c.Meta.PrivateIPv6},
		{key: "COREOS_PUBLIC_IPV4", value: c.Meta.PublicIPv4},
		{key: "COREOS_PUBLIC_IPV6", value: c.Meta.PublicIPv6},
	} {
		if a.value == "" {
			continue
		}
		if addr, err := netip.ParseAddr(a.value); err != nil || addr.Zone() != "" {
			c.report(rules.PlatformAddress, source.Range{}, "what the platform gives for %s is not an address", a.key)
			continue
		}
		want = append(want, a)
	}
	if len(want) == 0 {
		return
	}
	old, attr, _ := c.shared(environmentFile)
	data, records := assign(old, c.holdAll(environmentFile, old, want))
	c.put(&Change{Kind: WriteFile, Path: environmentFile, Attr: attr, Data: data, Records: records, Origin: OriginMetadata})
}

// assignment is a line KEY=value.
type assignment struct {
	key, value string
	why        []source.Range
}

// holdAll is those of some lines that may be what is wanted.
func (c *computation) holdAll(file string, text []byte, want []assignment) []assignment {
	return slices.DeleteFunc(slices.Clone(want), func(a assignment) bool {
		return !c.hold(file, AssignmentForm, a.key, a.value, AssignmentForm.find(a.key, text))
	})
}

// assign sets lines KEY=value in a text: in place where the key has lines, else at the end, in the order
// given. All other lines stay as they are, with their ends; so does a line that says the same already.
func assign(text []byte, want []assignment) ([]byte, []Record) {
	var b strings.Builder
	found := make([]bool, len(want))
	changed := make([]bool, len(want))
	for line := range strings.Lines(string(text)) {
		key, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), "=")
		i := slices.IndexFunc(want, func(a assignment) bool { return a.key == key })
		if i < 0 {
			b.WriteString(line)
			continue
		}
		found[i] = true
		set := key + "=" + want[i].value
		if strings.TrimRight(line, "\r\n") == set {
			b.WriteString(line)
			continue
		}
		changed[i] = true
		b.WriteString(set + "\n")
	}
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") && slices.Contains(found, false) {
		b.WriteByte('\n')
	}
	records := []Record{} // never nil: the file is shared even if nothing of ours changes
	for i, a := range want {
		r := Record{Name: a.key, Action: "changed", Detail: a.value, Why: a.why}
		if !found[i] {
			r.Action = "added"
			b.WriteString(a.key + "=" + a.value + "\n")
		}
		if changed[i] || !found[i] {
			records = append(records, r)
		}
	}
	return []byte(b.String()), records
}

// oemRelease plans /etc/oem-release, in the form of os-release(5), if the OEM has an id.
func (c *computation) oemRelease() {
	oem := &c.Config.OEM
	if oem.ID.V == "" {
		return
	}
	var b strings.Builder
	why := []source.Range{}
	for _, line := range []struct {
		key    string
		quoted bool // always, as coreos-cloudinit has it
		value  schema.Value[string]
	}{
		{"ID", false, oem.ID},
		{"VERSION_ID", false, oem.VersionID},
		{"NAME", true, oem.Name},
		{"HOME_URL", true, oem.HomeURL},
		{"BUG_REPORT_URL", true, oem.BugReportURL},
	} {
		value, ok := c.oneLine(line.value)
		if !ok {
			return
		}
		if line.value.Set {
			why = append(why, line.value.At)
		}
		b.WriteString(line.key + "=" + shellValue(value, line.quoted) + "\n")
	}
	c.put(&Change{Kind: WriteFile, Path: "etc/oem-release", Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(b.String()), Why: why})
}

// shellValue writes a value so that a shell reads it back: in double quotes if it must be or has anything but
// letters, digits and ._~-, with a backslash before what means something inside quotes.
func shellValue(value string, quoted bool) string {
	bare := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._~-", r)
	}
	if !quoted && strings.IndexFunc(value, func(r rune) bool { return !bare(r) }) < 0 {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

// oneLine is a value that becomes part of a line of a settings file, variables replaced; ok is false, and
// reported, if it would not stay on its line.
func (c *computation) oneLine(v schema.Value[string]) (value string, ok bool) {
	value = c.setting(v.V, v.At)
	if strings.ContainsAny(value, "\n\r\x00") {
		c.report(rules.OneLine, v.At, "the value has a line end in it").Secret = true
		return "", false
	}
	return value, true
}

const updateFile = "etc/coreos/update.conf"

// updateConf plans /etc/coreos/update.conf, on the ground of the file that is there, else of the image's own.
func (c *computation) updateConf() {
	u := &c.Config.Update
	var want []assignment
	var why []source.Range
	for _, setting := range []struct {
		key   string
		value schema.Value[string]
	}{
		{"GROUP", u.Group}, {"REBOOT_STRATEGY", u.RebootStrategy}, {"SERVER", u.Server},
	} {
		if !setting.value.Set {
			continue
		}
		value, ok := c.oneLine(setting.value)
		if !ok {
			return
		}
		at := []source.Range{setting.value.At}
		want = append(want, assignment{setting.key, value, at})
		why = append(why, at...)
	}
	if len(want) == 0 {
		return
	}
	old, attr, ok := c.shared(updateFile)
	if !ok {
		old, _, _ = c.shared(path.Join("usr/share/coreos", path.Base(updateFile)))
	}
	data, records := assign(old, c.holdAll(updateFile, old, want))
	c.put(&Change{Kind: WriteFile, Path: updateFile, Attr: attr, Data: data, Records: records, Why: why})
}

// scripts plans user-data that is a script, and commands. A boothook and bootcmd run before there is a plan. They and
// runcmd are run as they are written: what a dollar means there is the shell's affair.
func (c *computation) scripts() {
	for _, s := range c.Config.Scripts {
		c.plan.Scripts = append(c.plan.Scripts, Script{
			Name: s.Name, Content: c.content(s.Content, s.At, false), When: s.When, Why: []source.Range{s.At},
		})
	}
	for _, s := range c.Config.Boothooks {
		c.plan.Boothooks = append(c.plan.Boothooks, Script{Name: s.Name, Content: s.Content, Why: []source.Range{s.At}})
	}
	c.plan.BootSteps, c.plan.Steps = Steps(c.Config.BootCommands), Steps(c.Config.RunCommands)
	c.plan.FinalMessage = c.Config.FinalMessage.V
	if p := c.Config.PowerState; p.Mode != "" {
		c.plan.Power = &Power{Mode: p.Mode, DelayMinutes: p.DelayMinutes, Message: p.Message, Condition: p.Condition, Why: []source.Range{p.At}}
	}
	c.phoneHome()
}

// Steps are commands as they are run.
func Steps(commands []schema.Command) []Step {
	var out []Step
	for _, c := range commands {
		out = append(out, Step{Name: c.Name, Text: c.Text, Continue: c.Continue, Why: []source.Range{c.At}})
	}
	return out
}

// phoneHome plans whom to tell in the end that the machine is up.
func (c *computation) phoneHome() {
	p := c.Config.System.PhoneHome
	if p == nil {
		return
	}
	out := &PhoneHome{URL: p.URL.V.Reveal(), Tries: p.Tries.V, Names: c.ownNames(), Why: []source.Range{p.At}}
	for _, v := range p.Post {
		out.Post = append(out.Post, v.V)
	}
	c.plan.PhoneHome = out
}
