package schema

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/unitfile"
)

// unitTexts are the texts of one unit, networkd file or settings file of a daemon, wherever in the
// configuration they stand.
type unitTexts struct {
	name  string
	whole bool // the first text is the unit's own
	parts []unitText
	entry *Unit // what coreos.units says of it; nil if it is in write_files alone
}

type unitText struct {
	name   string // of a drop-in; the order in which they are read
	from   passage
	secret bool
}

// checkUnits looks inside units, drop-ins and networkd files, and at how they are enabled and ordered.
func (d *world) checkUnits() {
	units := d.unitTexts()
	nodes := make([]unitfile.Node, len(units))
	for i, u := range units {
		nodes[i] = unitfile.Node{Name: u.name, Whole: u.whole, Enabled: u.entry != nil && u.entry.Enable.V}
		for _, p := range u.parts {
			nodes[i].Texts = append(nodes[i].Texts, p.from.text)
		}
		for j, found := range unitfile.Check(u.name, u.whole, nodes[i].Texts...) {
			d.unitSlips(u.parts[j], found)
		}
		d.checkInstall(u, units)
	}
	for _, c := range unitfile.Cycles(nodes) {
		d.cycle(c, units)
	}
}

// unitSlips reports what is wrong in one text; of a secret one, without a word of it.
func (d *world) unitSlips(p unitText, found []diag.Slip) {
	if p.secret {
		for i := range found {
			s := &found[i]
			s.Secret, s.Summary, s.Detail = true, s.Rule.Title, ""
		}
	}
	d.slips(p.from, found)
}

// unitTexts gathers the texts by the name of their unit, in the order in which the names are first written.
func (d *world) unitTexts() []*unitTexts {
	var out []*unitTexts
	index := map[string]*unitTexts{}
	of := func(name string) *unitTexts {
		u := index[name]
		if u == nil {
			u = &unitTexts{name: name}
			index[name] = u
			out = append(out, u)
		}
		return u
	}
	for i := range d.config.Units {
		unit := &d.config.Units[i]
		if !unit.Name.Set {
			continue
		}
		u := of(unit.Name.V)
		if u.entry == nil || unit.Enable.V {
			u.entry = unit
		}
		if strings.TrimSpace(unit.Content.V) != "" && !unit.Mask.V {
			u.own(unitText{from: d.passages[unit.Content.At]})
		}
		for _, drop := range unit.DropIns {
			if drop.Content.Set {
				u.parts = append(u.parts, unitText{name: drop.Name.V, from: d.passages[drop.Content.At]})
			}
		}
	}
	for i := range d.config.Files {
		f := &d.config.Files[i]
		name, dropIn, ok := systemdFile(f.Path.V)
		p, kept := d.passages[f.Content.At]
		if !ok || !kept || f.Append.V || len(f.Content.V) == 0 {
			continue
		}
		t := unitText{name: dropIn, from: p, secret: f.Secret}
		if u := of(name); dropIn == "" {
			u.own(t)
		} else {
			u.parts = append(u.parts, t)
		}
	}
	for _, u := range out {
		u.parts = slices.DeleteFunc(u.parts, func(p unitText) bool { return p.from.node == nil })
		u.whole = u.whole && len(u.parts) > 0
		slices.SortStableFunc(u.parts, func(a, b unitText) int { return strings.Compare(a.name, b.name) })
	}
	return out
}

// own adds a unit's own text. Of two, which another finding is about, the first is looked at.
func (u *unitTexts) own(t unitText) {
	if !u.whole && t.from.node != nil {
		u.whole = true
		u.parts = append(u.parts, t)
	}
}

// systemdFile says what a path is to systemd: a unit, a networkd file or the settings of a daemon, or a drop-in
// for one, whose name dropIn is.
func systemdFile(file string) (name, dropIn string, ok bool) {
	dir, base := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	if of, isDropIn := strings.CutSuffix(path.Base(dir), ".d"); isDropIn && strings.HasSuffix(base, ".conf") {
		dir, base, dropIn = path.Dir(dir), of, base
	}
	switch dir {
	case "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system":
		return base, dropIn, unitfile.ValidName(base)
	case "/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network":
		return base, dropIn, IsNetworkFile(base)
	case "/etc/systemd":
		return base, dropIn, strings.HasSuffix(base, ".conf")
	}
	return "", "", false
}

// checkInstall says that a unit of the configuration is to be enabled and has no [Install] section, or one
// that leads nowhere.
func (d *world) checkInstall(u *unitTexts, all []*unitTexts) {
	if u.entry == nil || !u.entry.Enable.V || !u.whole || IsNetworkFile(u.name) || u.entry.Mask.V {
		return
	}
	var sections []unitfile.Section
	for _, p := range u.parts {
		s, _ := unitfile.Parse(p.from.text)
		sections = append(sections, s...)
	}
	install := unitfile.InstallOf(sections)
	if install.IsZero() {
		what := "has no [Install] section to enable it by"
		if slices.ContainsFunc(sections, func(s unitfile.Section) bool { return s.Name == "Install" }) {
			what = "has an [Install] section that asks for nothing"
		}
		d.reportAt(rules.UnitEnable, "", u.entry.Enable.At, "%s %s", u.name, what).Detail = "such as [Install] with WantedBy=multi-user.target"
	}
	known := strings.Fields(targets)
	names := slices.Concat(install.WantedBy, install.RequiredBy)
	for _, target := range names[:min(len(names), maxTargets)] {
		if !strings.HasSuffix(target, ".target") || slices.Contains(known, target) ||
			slices.ContainsFunc(all, func(u *unitTexts) bool { return u.name == target }) {
			continue
		}
		meant := spelling.Nearest(target, known)
		if meant == "" {
			continue
		}
		for _, p := range u.parts {
			if from := mentionOf(p.from.text, target); from >= 0 {
				d.unitSlips(p, []diag.Slip{{Rule: rules.UnitTarget, From: from, To: from + len(target),
					Summary: fmt.Sprintf("%q is not a target that systemd has", target), Detail: fmt.Sprintf("did you mean %q?", meant)}})
			}
		}
	}
}

// maxTargets is how many targets of one unit are compared with those that systemd has.
const maxTargets = 8

// mentionOf is where a unit's [Install] section names a target, or -1.
func mentionOf(text, target string) int {
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		for _, d := range s.Directives {
			if s.Name == "Install" && (d.Name == "WantedBy" || d.Name == "RequiredBy") {
				if i := strings.Index(text[d.ValueOffset:d.End], target); i >= 0 {
					return d.ValueOffset + i
				}
			}
		}
	}
	return -1
}

// targets are those that systemd brings, those of CoreOS that users hook into, and ours: systemd.special(7),
// systemd 252.
const targets = `basic.target bluetooth.target boot-complete.target cryptsetup-pre.target cryptsetup.target ctrl-alt-del.target
	default.target emergency.target exit.target final.target first-boot-complete.target getty-pre.target getty.target graphical.target halt.target
	hibernate.target hybrid-sleep.target initrd-fs.target initrd-root-device.target initrd-root-fs.target initrd-switch-root.target
	initrd-usr-fs.target initrd.target integritysetup-pre.target integritysetup.target kbrequest.target kexec.target local-fs-pre.target
	local-fs.target machines.target multi-user.target network-online.target network-pre.target network.target nss-lookup.target
	nss-user-lookup.target paths.target poweroff.target printer.target reboot.target remote-cryptsetup.target remote-fs-pre.target
	remote-fs.target remote-veritysetup.target rescue.target rpcbind.target shutdown.target sigpwr.target sleep.target slices.target
	smartcard.target sockets.target sound.target suspend-then-hibernate.target suspend.target swap.target sysinit.target
	system-update-pre.target system-update.target time-set.target time-sync.target timers.target umount.target usb-gadget.target
	user-config.target system-config.target veritysetup-pre.target veritysetup.target
	provisioner.target provisioner-success.target provisioner-failure.target`

// cycle reports units that wait for each other, at the first place where that is written, with the others
// beside it.
func (d *world) cycle(c unitfile.Cycle, units []*unitTexts) {
	const most = 8 // names in a message
	summary := c.Steps[0].Unit + " waits for itself: it starts after "
	for i, s := range c.Steps[1:] {
		if i == most {
			summary += fmt.Sprintf("others (%d in all), and they after ", len(c.Steps))
			break
		}
		summary += s.Unit + ", which starts after "
	}
	summary += c.Steps[0].Unit
	place := func(s unitfile.Step) source.Range {
		p := units[s.Node].parts[s.Text]
		if p.from.text != p.from.node.Value {
			return firstLine(p.from.node.Range)
		}
		return p.from.node.Span(d.sources[p.from.node.Range.File], s.From, s.To)
	}
	first := units[c.Steps[0].Node].parts[c.Steps[0].Text]
	f := diag.New(rules.UnitCycle, place(c.Steps[0]), "%s", summary)
	f.Path, f.Secret = first.from.path, first.secret
	if first.secret {
		f.Summary = rules.UnitCycle.Title
	}
	byDefault := false
	for _, s := range c.Steps[1:] {
		if s.Node >= 0 && !units[s.Node].parts[s.Text].secret {
			f.Related = append(f.Related, diag.Related{Message: "and here", At: place(s)})
		}
	}
	for _, s := range c.Steps {
		byDefault = byDefault || s.Node < 0
	}
	if !c.Together {
		f.Severity = diag.Warning
	}
	if byDefault {
		f.Detail = "some of this order is systemd's default; DefaultDependencies=no in [Unit] takes a unit out of it"
	}
	d.diags.Add(f)
}
