package plan

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// system plans what cloud-init's language says of the machine as a whole, but for its name and its accounts.
func (c *computation) system() {
	c.timezone()
	c.locale()
	c.keyboard()
	c.ntp()
	c.resolver()
	c.sshServer()
	c.caCerts()
}

const (
	localtime = "etc/localtime"
	zoneinfo  = "usr/share/zoneinfo"
)

// timezone plans the link /etc/localtime, relative as timedatectl(1) makes it, and the name in /etc/timezone
// where the machine has that file, as Debian does. UTC is what a machine without the link has, so it needs no
// zone file.
//
// Source: localtime(5) and src/timedate/timedated.c of systemd 252.
func (c *computation) timezone() {
	tz := c.Config.System.Timezone
	if !tz.Set || tz.V == "" {
		return
	}
	why := []source.Range{tz.At}
	zone := path.Join(zoneinfo, tz.V)
	kind := fsroot.Absent
	if strings.HasPrefix(zone, zoneinfo+"/") && !strings.ContainsAny(tz.V, "\x00\n") {
		kind, _ = c.will(c.resolve(zone))
	}
	link := Change{Kind: MakeLink, Path: localtime, Target: "../" + zone, Why: why}
	switch {
	case kind == 0:
		return // asked for
	case kind != fsroot.Regular && tz.V == "UTC":
		link = Change{Kind: Remove, Path: localtime, Why: why}
	case kind != fsroot.Regular:
		c.report(rules.TimezoneMissing, tz.At, "there is no time zone %q on this machine", tz.V)
		return
	default:
		// Debian's installer makes the link absolute, and that is as good.
		if s := c.see(localtime); s.Kind == fsroot.Link && linkTarget(localtime, s.Target) == zone {
			link.Target = s.Target
		}
	}
	c.put(&link)
	if old, attr, there := c.shared("etc/timezone"); there {
		data := []byte(tz.V + "\n")
		if strings.TrimSpace(string(old)) == tz.V {
			data = old
		}
		c.put(&Change{Kind: WriteFile, Path: c.resolve("etc/timezone"), Attr: attr, Data: data, Why: why})
	}
}

// locale plans LANG in /etc/locale.conf, and in /etc/default/locale where the machine has that or is a Debian,
// whose systemd and PAM read it instead. Of the two one may be a link to the other. Other variables stay.
//
// Source: locale.conf(5) of systemd 252; its Debian package 252.39-1~deb12u2.
func (c *computation) locale() {
	locale := c.Config.System.Locale
	if !locale.Set || locale.V == "" {
		return
	}
	value, ok := c.oneLine(locale)
	if !ok {
		return
	}
	files := []string{c.resolve("etc/locale.conf")}
	if debian := c.resolve("etc/default/locale"); debian != files[0] {
		if c.isThere(debian, "etc/debian_version") {
			files = append(files, debian)
		}
	}
	why := []source.Range{locale.At}
	for _, file := range files {
		c.assign(file, []assignment{{"LANG", shellValue(value, false), why}})
	}
	if !c.hasLocale(value) {
		c.report(rules.LocaleMissing, locale.At, "this machine does not have the locale %q", value)
	}
}

// assign plans lines KEY=value in a file that others have lines in too.
func (c *computation) assign(file string, want []assignment) {
	old, attr, _ := c.shared(file)
	data, records := assign(old, c.holdAll(file, old, want))
	var why []source.Range
	for _, a := range want {
		why = append(why, a.why...)
	}
	c.put(&Change{Kind: WriteFile, Path: file, Attr: attr, Data: data, Records: records, Why: unique(why)})
}

// hasLocale says that a locale is compiled, as far as one can tell: it is built into the C library, has a
// directory of its own, or is named in the archive. An archive too large to be read may have it.
//
// Source: setlocale(3) and locale(1) of glibc 2.36; a name is looked for as written and with its character set
// in small letters and digits alone, as localedef(1) writes it.
func (c *computation) hasLocale(name string) bool {
	switch name {
	case "C", "POSIX", "C.UTF-8", "C.utf8":
		return true
	}
	const dir = "usr/lib/locale"
	if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return false
	}
	archive := c.see(dir + "/locale-archive")
	if archive.Kind == fsroot.Regular && archive.Data == nil && archive.Size > 0 {
		return true
	}
	for _, n := range []string{name, normalLocale(name)} {
		if c.isDirectory(dir+"/"+n) || bytes.Contains(archive.Data, []byte(n+"\x00")) {
			return true
		}
	}
	return false
}

// normalLocale is "de_DE.utf8@euro" of "de_DE.UTF-8@euro".
func normalLocale(name string) string {
	name, modifier, _ := strings.Cut(name, "@")
	language, charset, dotted := strings.Cut(name, ".")
	if dotted {
		charset = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(charset))
		language += "." + charset
	}
	if modifier != "" {
		language += "@" + modifier
	}
	return language
}

const (
	vconsole        = "etc/vconsole.conf"
	debianKeyboard  = "etc/default/keyboard"
	vconsoleUnit    = "systemd-vconsole-setup.service"
	debianSetupUnit = "console-setup.service"
)

// keyboard plans the layout of X11 and of the console in /etc/vconsole.conf, and in /etc/default/keyboard where the
// machine has that or is a Debian, whose systemd, X11 and console-setup read it. The console's keymap is the one that
// systemd has for the layout; if it has none, the console keeps what it has. What is not said is what cloud-init
// takes: the model pc105, no variant, no options; a variant of the layout before would make no sense for the new one.
//
// Source: vconsole.conf(5) of systemd 252 and of 254, which knows the XKB variables; keyboard(5) of
// console-setup 1.221; cloud-init 23.4, cc_keyboard.py.
func (c *computation) keyboard() {
	k := c.Config.System.Keyboard
	if !k.Layout.Set || k.Layout.V == "" {
		return
	}
	if !k.Model.Set {
		k.Model.V = "pc105"
	}
	var xkb []assignment
	var values []string
	for _, v := range []struct {
		key   string
		value schema.Value[string]
	}{
		{"XKBLAYOUT", k.Layout}, {"XKBMODEL", k.Model}, {"XKBVARIANT", k.Variant}, {"XKBOPTIONS", k.Options},
	} {
		value, ok := c.oneLine(v.value)
		if !ok {
			return
		}
		at := v.value.At
		if !v.value.Set {
			at = k.Layout.At
		}
		values = append(values, value)
		xkb = append(xkb, assignment{v.key, shellValue(value, true), []source.Range{at}})
	}
	console := xkb
	if keymap := c.keymap(values[0], values[2]); keymap != "" {
		console = append([]assignment{{"KEYMAP", shellValue(keymap, false), []source.Range{k.Layout.At}}}, xkb...)
	}
	c.assign(c.resolve(vconsole), console)
	c.restart(vconsoleUnit, "try-restart", k.Layout.At, c.resolve(vconsole))
	if c.isThere(debianKeyboard, "etc/debian_version") {
		c.assign(c.resolve(debianKeyboard), xkb)
		c.restart(debianSetupUnit, "try-restart", k.Layout.At, c.resolve(debianKeyboard))
	}
}

// keymap is the console's keymap for a layout and its variant, "" if systemd's table has none. Of several lines
// for one layout the first is the best known.
//
// Source: kbd-model-map of systemd 252, whose columns are keymap, layout, model, variant, options, "-" for none.
func (c *computation) keymap(layout, variant string) string {
	if variant == "" {
		variant = "-"
	}
	table, _ := c.current("usr/share/systemd/kbd-model-map")
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) >= 4 && !strings.HasPrefix(f[0], "#") && f[1] == layout && f[3] == variant {
			return f[0]
		}
	}
	return ""
}

// isThere says that something is at one of some paths, or will be.
func (c *computation) isThere(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		kind, _ := c.will(p)
		return kind != fsroot.Absent && kind != 0
	})
}

// restart asks for a job of a unit that this machine may have, if one of the files it reads changes.
func (c *computation) restart(unit, action string, why source.Range, files ...string) {
	if f := c.find(unit); !f.exists() || f.masked || !slices.ContainsFunc(files, c.changes) {
		return
	}
	c.plan.Jobs = append(c.plan.Jobs, Job{Unit: unit, Action: action, Once: true, Why: []source.Range{why}})
}
