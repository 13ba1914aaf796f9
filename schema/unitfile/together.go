package unitfile

import (
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// together checks what a unit says in all: whether systemd would refuse it.
//
// Source: service_verify and its like in src/core of systemd 252.
func (c *checker) together() {
	var unread *diag.Slip
	for part := range c.slips {
		for i := range c.slips[part] {
			if slip := &c.slips[part][i]; slip.Rule == rules.UnitSyntax {
				if slip.Severity == diag.Error {
					return // nothing of it is read anyway
				}
				unread = slip
			}
		}
	}
	switch {
	case strings.HasPrefix(c.texts[0], include), strings.Contains(c.texts[0], "\n"+include):
		return // not all that the unit says is here
	case len(c.headers) == 0 && unread != nil && slices.Contains([]string{"service", "socket", "timer", "path", "mount"}, c.kind.name):
		unread.Severity = diag.Error // no line stands in a section, so the unit says nothing at all
		return
	case len(c.headers) == 0:
		return
	}
	switch c.kind.name {
	case "service":
		c.service()
	case "socket":
		c.need("Socket", "a socket without Listen...= has nothing to listen on", func(name string) bool { return strings.HasPrefix(name, "Listen") })
	case "timer":
		c.timer()
	case "path":
		c.need("Path", "a path unit without PathExists= or its like has nothing to watch", func(name string) bool {
			return strings.HasPrefix(name, "Path") || name == "DirectoryNotEmpty"
		})
	case "mount":
		c.need("Mount", "What= is missing", func(name string) bool { return name == "What" })
		c.namedAfter("Mount", "Where")
	case "automount":
		c.namedAfter("Automount", "Where")
	case "swap":
		c.namedAfter("Swap", "What")
	case "network", "link":
		c.match()
	case "netdev":
		for _, name := range []string{"Kind", "Name"} {
			if len(c.all("NetDev", name)) == 0 && !c.misspelt(func(n string) bool { return n == name || n == "NetDev" }) {
				c.at("NetDev", rules.NetworkNetdev, "networkd makes no device of a .netdev without "+name+"=")
			}
		}
	}
}

// all are the settings of a name in a section, over all texts; an empty one takes back those before it.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func (c *checker) all(section, name string) []setting {
	var out []setting
	for _, s := range c.settings {
		if s.section != section || s.Name != name {
			continue
		}
		if s.Value == "" {
			out = out[:0]
			continue
		}
		out = append(out, s)
	}
	return out
}

// last is the value of a setting of which one counts, or the zero setting.
func (c *checker) last(section, name string) setting {
	if all := c.all(section, name); len(all) > 0 {
		return all[len(all)-1]
	}
	return setting{}
}

// misspelt says that a name which is missing was probably meant by one that is not known. That slip is then an
// error, and the only one about it.
func (c *checker) misspelt(missing func(name string) bool) bool {
	for _, s := range c.suspects {
		if missing(s.meant) {
			c.slips[s.part][s.slip].Severity = diag.Error
			return true
		}
	}
	return false
}

// at reports something at the head of a section, or for the unit as a whole if there is none.
func (c *checker) at(section string, rule *diag.Rule, summary string) *diag.Slip {
	from, to := 0, 0
	for _, h := range c.headers {
		if h.section == section && h.part == 0 {
			from, to = h.Offset, h.Offset+len(section)+2
			break
		}
	}
	c.part = 0
	return c.report(rule, from, to, "%s", summary)
}

// on reports something at the value of a setting.
func (c *checker) on(s setting, summary string) *diag.Slip {
	c.part = s.part
	from, to := c.span(s.Directive, wrong{})
	return c.report(rules.UnitRefused, from, to, "%s", summary)
}

// need says that none of the settings that a section cannot do without is there.
func (c *checker) need(section, summary string, is func(name string) bool) {
	for _, s := range c.settings {
		if s.section == section && is(s.Name) && s.Value != "" {
			return
		}
	}
	if !c.misspelt(func(name string) bool { return is(name) || name == section }) {
		c.at(section, rules.UnitRefused, summary)
	}
}

func (c *checker) service() {
	kind, restart := c.last("Service", "Type"), c.last("Service", "Restart")
	starts := c.all("Service", "ExecStart")
	oneshot := kind.Value == "oneshot"
	success := c.last("Unit", "SuccessAction")
	if unsettled(kind.Value) {
		return
	}
	taken := slices.DeleteFunc(slices.Clone(starts), func(s setting) bool {
		return slices.ContainsFunc(command(s.Value), func(f commandFault) bool { return f.class == dropped })
	})
	if len(taken) == 0 && (success.Value == "" || success.Value == "none") {
		if !c.raise(starts) {
			c.noStart(oneshot)
		}
	}
	if !oneshot {
		c.oneStart(taken, kind)
	}
	if oneshot && (restart.Value == "always" || restart.Value == "on-success") {
		c.on(restart, "a oneshot service cannot have Restart="+restart.Value).Detail = "on-failure is possible from systemd 244 on; or use a timer"
	}
	if kind.Value == "dbus" && c.last("Service", "BusName").Value == "" {
		c.on(kind, "a service of Type=dbus needs BusName=")
	}
	if kill := c.last("Service", "KillMode"); c.last("Service", "PAMName").Value != "" && (kill.Value == "none" || kill.Value == "process") {
		c.on(kill, "a service with PAMName= cannot have KillMode="+kill.Value)
	}
}

// raise makes errors of what was found at some settings, and says that something was: there is nothing else
// that the unit could live on.
func (c *checker) raise(settings []setting) (found bool) {
	for _, s := range settings {
		for i := range c.slips[s.part] {
			if slip := &c.slips[s.part][i]; slip.From >= s.ValueOffset && slip.To <= s.End && slip.Rule != rules.UnitShell {
				slip.Severity, found = diag.Error, true
			}
		}
	}
	return found
}

func (c *checker) kindOf(section, name string) string {
	e, _ := sectionOf(c.kind, section).find(name)
	return e.kind
}

func (c *checker) noStart(oneshot bool) {
	stops := len(c.all("Service", "ExecStop"))
	remains := IsTrue(c.last("Service", "RemainAfterExit").Value)
	summary := "a service without ExecStart= has nothing to run"
	switch {
	case stops > 0 && oneshot && remains:
		return
	case stops > 0:
		summary = "a service without ExecStart= must be of Type=oneshot with RemainAfterExit=yes"
	}
	if c.misspelt(func(name string) bool { return name == "ExecStart" || name == "Service" }) {
		return
	}
	c.at("Service", rules.UnitRefused, summary).Detail = "what changes a unit of the image goes into drop_ins"
}

// oneStart says that there is more than one command, which only a oneshot service can have.
func (c *checker) oneStart(starts []setting, kind setting) {
	commands := 0
	for _, s := range starts {
		n := 1
		if words, open := split(s.Value); open < 0 {
			for i, w := range words {
				if s.Value[w.from:w.to] == ";" && i > 0 && i+1 < len(words) {
					n++
				}
			}
		}
		if commands += n; commands > 1 {
			if kind.Value != "" && len(judge(c.kindOf("Service", "Type"), kind.Value)) > 0 && c.raise([]setting{kind}) {
				return // it is the type that is wrong
			}
			slip := c.on(s, "a second ExecStart=, which only a service of Type=oneshot can have")
			if s.part > 0 {
				slip.Detail = "write an empty ExecStart= before it, to replace the first"
			}
			return
		}
	}
}

func (c *checker) timer() {
	var triggers []setting
	for _, s := range c.settings {
		if s.section == "Timer" && strings.HasPrefix(s.Name, "On") && s.Value != "" {
			if kind := c.kindOf("Timer", s.Name); kind == "bool" && !IsTrue(s.Value) && !unsettled(s.Value) {
				continue
			}
			if len(judge(c.kindOf("Timer", s.Name), s.Value)) == 0 {
				return
			}
			triggers = append(triggers, s)
		}
	}
	if len(triggers) == 0 {
		if !c.misspelt(func(name string) bool { return strings.HasPrefix(name, "On") || name == "Timer" }) {
			c.at("Timer", rules.UnitRefused, "a timer without OnCalendar= or its like never fires")
		}
		return
	}
	c.raise(triggers)
}

// namedAfter says that the name of a unit is not that of its path.
func (c *checker) namedAfter(section, name string) {
	s := c.last(section, name)
	path := strings.Trim(s.Value, `"`)
	if !strings.HasPrefix(path, "/") || unsettled(path) || strings.Contains(c.name, "@") || section == "Swap" && !strings.HasPrefix(path, "/dev/") {
		return
	}
	stem, suffix, _ := cutSuffix(c.name)
	if want := PathName(path); want != stem && len(want)+len(suffix) < maxName {
		slip := c.on(s, fmt.Sprintf("the unit of %s cannot be called %s", quoted(path), c.name))
		slip.Rule, slip.Detail = rules.MountName, fmt.Sprintf("systemd wants the name %s.%s", want, suffix)
	}
}

// match says that a networkd file does not name its interfaces.
func (c *checker) match() {
	for _, s := range c.settings {
		if s.section == "Match" && s.Value != "" {
			return
		}
	}
	if c.misspelt(func(name string) bool { return name == "Match" }) {
		return
	}
	slip := c.at("Match", rules.NetworkMatch, "no [Match] says which interfaces are meant: systemd 245 and later ignore the file")
	slip.Detail = "write Name=* in [Match] for all of them"
	if c.kind.name == "link" {
		slip.Detail = "write OriginalName=* in [Match] for all of them"
	}
}
