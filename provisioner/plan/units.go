package plan

import (
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// units plans coreos.units: contents and drop-ins, masks, what enabling makes, and the jobs.
//
// Jobs are the commands of the units in the order written, then those of the agents. They are all that the
// user asked for, whatever has changed: a run that finds its work done does not hand them off again. Enabling
// starts nothing in this boot.
func (c *computation) units() {
	for i := range c.Config.Units {
		c.putUnit(&c.Config.Units[i])
	}
	// Also= may name a unit that comes later, so enabling waits for the contents of all.
	planned := c.plannedDropIns()
	for i := range c.Config.Units {
		u := &c.Config.Units[i]
		network := language.IsNetworkFile(u.Name.V)
		if u.Enable.V && !network {
			c.enable(u, planned)
			c.plan.Enabled = append(c.plan.Enabled, u.Name.V)
		}
		if u.Command.V != "" && !network {
			c.plan.Jobs = append(c.plan.Jobs, Job{Unit: u.Name.V, Action: u.Command.V, Why: []source.Range{u.Command.At}})
		}
		for _, v := range []struct {
			asked bool
			key   string
			at    source.Range
		}{{u.Enable.V, "enable", u.Enable.At}, {u.Command.V != "", "command", u.Command.At}} {
			if network && v.asked {
				c.report(rules.NetworkEnable, v.at, "%s has no effect on %s", v.key, u.Name.V)
			}
		}
	}
	c.updateJobs()
}

const devNull = "/dev/null"

// putUnit plans the files of one unit.
func (c *computation) putUnit(u *schema.Unit) {
	name := u.Name.V
	if name == "" || strings.Contains(name, "/") {
		c.report(rules.UnitName, u.Name.At, "%q is not a unit name", name)
		return
	}
	content := u.Content.V != ""
	if !content && !u.Mask.V && !u.Runtime.V && len(u.DropIns) == 0 {
		return
	}
	dir := c.unitDir(u)
	if content {
		c.putUnitText(dir+"/"+name, name, u.Content, u.At)
	}
	for _, d := range u.DropIns {
		switch {
		case strings.Contains(d.Name.V, "/"):
			c.report(rules.DropInName, d.Name.At, "%q is not a name for a drop-in", d.Name.V)
		case d.Name.V != "" && d.Content.V != "":
			c.putUnitText(dir+"/"+name+".d/"+d.Name.V, name, d.Content, d.At)
		}
	}
	switch file := dir + "/" + name; {
	case u.Mask.V: // in place of the content, if there is one
		c.put(&Change{Kind: MakeLink, Path: file, Target: devNull, Why: []source.Range{u.Mask.At}})
	case u.Runtime.V && c.isMask(file):
		c.put(&Change{Kind: Remove, Path: file, Why: []source.Range{u.Runtime.At}})
	}
}

// unitDir is where a unit goes: below /run if it is for this boot only, or if /etc cannot be written.
func (c *computation) unitDir(u *schema.Unit) string {
	sub := "/systemd/system"
	if language.IsNetworkFile(u.Name.V) {
		sub = "/systemd/network"
	}
	switch {
	case u.Runtime.V:
		return "run" + sub
	case c.see("etc" + sub).Volume.ReadOnly:
		c.report(rules.UnitVolatile, u.At, "/etc is read-only: %s goes to /run", u.Name.V)
		return "run" + sub
	}
	return "etc" + sub
}

// putUnitText plans the text of a unit or drop-in, variables replaced. Everybody may read a unit, but of a
// .netdev with a key only root and networkd may.
func (c *computation) putUnitText(file, unit string, text schema.Value[string], at source.Range) {
	want := Change{Kind: WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o644}, Why: []source.Range{at}}
	value := c.setting(text.V, text.At)
	want.Data = []byte(value)
	if strings.HasSuffix(unit, ".netdev") && holdsNetworkKey(value) {
		want.Secret, want.Attr.Mode = true, 0o640
		want.Attr.GID, _ = c.users.group("systemd-network")
	}
	if strings.Contains(value, "PRIVATE KEY-----") {
		want.Secret = true
	}
	c.put(&want)
}

// holdsNetworkKey says that the text of a .netdev has a key in it: of WireGuard or MACsec.
//
// Source: systemd.netdev(5), systemd 252.
func holdsNetworkKey(text string) bool {
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		for _, d := range s.Directives {
			switch d.Name {
			case "PrivateKey", "PresharedKey", "Key":
				if d.Value != "" {
					return true
				}
			}
		}
	}
	return false
}

// isMask says that what will be at a unit's path masks it: a link to /dev/null, or an empty file.
func (c *computation) isMask(p string) bool {
	kind, target := c.will(p)
	data, ok := c.current(p)
	return kind == fsroot.Link && "/"+linkTarget(p, target) == devNull || ok && len(data) == 0 && c.see(p).Size == 0
}
