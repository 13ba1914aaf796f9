package objects

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/unitfile"
)

// unitTexts are the texts of one unit, networkd file or settings file of a daemon, wherever in the
// configuration they stand.
type unitTexts struct {
	name  string
	texts []*unitText // all of them, in the order written
	// parts are those that systemd reads, in its order.
	parts []*unitText
	whole bool // the first part is the unit's own
	// installable says that a text has something in [Install].
	installable bool
	entry       *config.Unit // what coreos.units says of it; nil if it is in write_files alone
}

type unitText struct {
	unit     string
	own      bool         // it is the unit's own, and no drop-in
	dropIn   string       // the name of a drop-in, by which they are read in order
	at       source.Range // of the name
	from     findings.Passage
	secret   bool
	sections []unitfile.Section
	found    []diag.Slip // by the checks against others
}

// checkUnits looks inside units, drop-ins and networkd files, and at how they are enabled and ordered.
func (w *world) checkUnits() {
	units := w.named
	nodes := make([]unitfile.Node, len(units))
	for i, u := range units {
		nodes[i] = unitfile.Node{Name: u.name, Whole: u.whole, Enabled: u.entry != nil && u.entry.Enable.V}
		for _, p := range u.parts {
			nodes[i].Texts = append(nodes[i].Texts, p.from.Text)
		}
		for j, found := range unitfile.Check(u.name, u.whole, nodes[i].Texts...) {
			w.unitSlips(u.parts[j], found)
		}
		w.checkInstall(u)
	}
	for _, c := range unitfile.Cycles(nodes) {
		w.cycle(c, units)
	}
}

// unitSlips reports what is wrong in one text; of a secret one, without a word of it.
func (w *world) unitSlips(p *unitText, found []diag.Slip) {
	if p.secret {
		for i := range found {
			s := &found[i]
			s.Secret, s.Summary, s.Detail = true, s.Rule.Title, ""
		}
	}
	w.Slips(p.from, found)
}

// gatherUnits finds the texts of units.
func (w *world) gatherUnits() {
	w.byUnit = map[string]*unitTexts{}
	for i := range w.config.Units {
		unit := &w.config.Units[i]
		if !unit.Name.Set {
			continue // reported
		}
		u := w.unit(unit.Name.V)
		if u.entry == nil || unit.Enable.V {
			u.entry = unit
		}
		if unit.Content.V != "" {
			w.addText(u, unitText{own: true, at: unit.Name.At}, unit.Content.At, strings.TrimSpace(unit.Content.V) != "" && !unit.Mask.V)
		}
		for _, drop := range unit.DropIns {
			w.addText(u, unitText{dropIn: drop.Name.V, at: drop.Name.At}, drop.Content.At, true)
		}
	}
	for i := range w.config.Files {
		f := &w.config.Files[i]
		name, dropIn, ok := systemdFile(f.Path.V)
		if !ok {
			continue
		}
		if dropIn == "" && unitfile.ValidName(name) {
			w.units[name] = true
		}
		if _, kept := w.Passages[f.Content.At]; kept {
			w.addText(w.unit(name), unitText{own: dropIn == "", dropIn: dropIn, at: f.Path.At, secret: f.Secret}, f.Content.At, !f.Append.V && len(f.Content.V) > 0)
		}
	}
	for _, u := range w.named {
		sort.SliceStable(u.parts, func(i, j int) bool { return u.parts[i].dropIn < u.parts[j].dropIn })
	}
}

// unit is what there is of a unit.
func (w *world) unit(name string) *unitTexts {
	u := w.byUnit[name]
	if u == nil {
		u = &unitTexts{name: name}
		w.byUnit[name] = u
		w.named = append(w.named, u)
	}
	return u
}

// addText adds a text of a unit. One that systemd does not read, or not by itself, is no part; of two own texts, which
// another finding is about, the first is.
func (w *world) addText(u *unitTexts, t unitText, content source.Range, isPart bool) {
	p, kept := w.Passages[content]
	if !kept {
		return
	}
	t.unit, t.from = u.name, p
	t.sections, _ = unitfile.Parse(p.Text)
	u.texts = append(u.texts, &t)
	if isPart && (!t.own || !u.whole) {
		u.parts = append(u.parts, &t)
		u.whole = u.whole || t.own
	}
	if !unitfile.ValidName(u.name) {
		return
	}
	w.texts = append(w.texts, &t)
	if t.own {
		w.units[u.name] = true
	}
	install := unitfile.InstallOf(t.sections)
	for _, alias := range install.Alias {
		w.units[alias] = true
	}
	u.installable = u.installable || !install.IsZero()
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
		return base, dropIn, language.IsNetworkFile(base)
	case "/etc/systemd":
		return base, dropIn, strings.HasSuffix(base, ".conf")
	}
	return "", "", false
}

// checkInstall says that a unit of the configuration is to be enabled and has no [Install] section, or one
// that leads nowhere.
func (w *world) checkInstall(u *unitTexts) {
	if u.entry == nil || !u.entry.Enable.V || !u.whole || language.IsNetworkFile(u.name) || u.entry.Mask.V {
		return
	}
	var sections []unitfile.Section
	for _, p := range u.parts {
		sections = append(sections, p.sections...)
	}
	install := unitfile.InstallOf(sections)
	if install.IsZero() {
		what := "has no [Install] section to enable it by"
		if slices.ContainsFunc(sections, func(s unitfile.Section) bool { return s.Name == "Install" }) {
			what = "has an [Install] section that asks for nothing"
		}
		w.ReportAt(rules.UnitEnable, "", u.entry.Enable.At, "%s %s", u.name, what).Detail = "such as [Install] with WantedBy=multi-user.target"
	}
	names := slices.Concat(install.WantedBy, install.RequiredBy)
	for _, target := range names[:min(len(names), maxTargets)] {
		if !strings.HasSuffix(target, ".target") || w.byUnit[target] != nil {
			continue
		}
		meant := w.meantTarget(target)
		if meant == "" {
			continue
		}
		for _, p := range u.parts {
			if from := mentionOf(p, target); from >= 0 {
				if w.misspelt == nil {
					w.misspelt = map[installed]bool{}
				}
				w.misspelt[installed{u.name, target}] = true
				w.unitSlips(p, []diag.Slip{{Rule: rules.UnitTarget, From: from, To: from + len(target),
					Summary: fmt.Sprintf("%q is not a target that systemd has", target), Detail: fmt.Sprintf("did you mean %q?", meant)}})
			}
		}
	}
}

// installed is a unit and a target that its [Install] section names.
type installed struct{ unit, target string }

// maxTargets is how many targets of one unit are looked at.
const maxTargets = 8

// meantTarget is the target of systemd's that was probably meant by a name, or "" if it is one or none is near.
// After a few the answer is "" for names that are new, since each takes its time.
func (w *world) meantTarget(name string) string {
	meant, asked := w.targets[name]
	known := strings.Fields(targets)
	if asked || len(w.targets) >= maxGuesses || slices.Contains(known, name) {
		return meant
	}
	if w.targets == nil {
		w.targets = map[string]string{}
	}
	w.targets[name] = spelling.Nearest(name, known)
	return w.targets[name]
}

// mentionOf is where the [Install] section of a text names a target, or -1.
func mentionOf(t *unitText, target string) int {
	for _, s := range t.sections {
		for _, d := range s.Directives {
			if s.Name == "Install" && (d.Name == "WantedBy" || d.Name == "RequiredBy") {
				if i := strings.Index(t.from.Text[d.ValueOffset:d.End], target); i >= 0 {
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

// place is where a step of a cycle is written.
func (w *world) place(units []*unitTexts, s *unitfile.Step) source.Range {
	from := units[s.Node].parts[s.Text].from
	if from.Text != from.Node.Value {
		return findings.FirstLine(from.Node.Range)
	}
	return from.Node.Span(w.Sources[from.Node.Range.File], s.From, s.To)
}

// cycle reports units that wait for each other, at the first place where that is written, with the others
// beside it.
func (w *world) cycle(c unitfile.Cycle, units []*unitTexts) {
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
	first := units[c.Steps[0].Node].parts[c.Steps[0].Text]
	f := diag.New(rules.UnitCycle, w.place(units, &c.Steps[0]), "%s", summary)
	f.Path, f.Secret = first.from.Path, first.secret
	if first.secret {
		f.Summary = rules.UnitCycle.Title
	}
	byDefault, ours := false, false
	for i := range c.Steps[1:] {
		s := &c.Steps[1+i]
		if s.Node >= 0 && !units[s.Node].parts[s.Text].secret {
			f.Related = append(f.Related, diag.Related{Message: "and here", At: w.place(units, s)})
		}
	}
	for _, s := range c.Steps {
		byDefault = byDefault || s.Node < 0
		ours = ours || s.Node < 0 && strings.HasPrefix(s.Unit, "provisioner")
	}
	if !c.Together && !ours { // to break such a ring, systemd may drop the start of our own unit
		f.Severity = diag.Warning
	}
	if byDefault {
		f.Detail = "some of this order is systemd's default; DefaultDependencies=no in [Unit] takes a unit out of it"
	}
	w.Diags.Add(f)
}
