package objects

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// hasUnit says that a unit will be there, or may be. Systemd makes mounts, swaps, devices, slices and scopes by
// itself.
func (w *world) hasUnit(name string) bool {
	switch path.Ext(name) {
	case ".mount", ".automount", ".swap", ".device", ".slice", ".scope":
		return true
	}
	if w.units[name] || w.units[unitfile.TemplateOf(name)] {
		return true
	}
	return w.image != nil && w.image.Unit(name) != nil
}

// nearUnit is the unit that was most likely meant, in words.
func (w *world) nearUnit(name string) string {
	return w.near(name, w.units, func() []string {
		var names []string
		for i := range w.image.Units {
			names = append(names, w.image.Units[i].Name)
		}
		return names
	})
}

// dependencies checks what units need: each other, programs and files.
func (w *world) dependencies() {
	if w.image != nil {
		for i := range w.config.Units {
			w.asked(&w.config.Units[i])
		}
		w.agents()
	}
	triggers := map[string]bool{}
	for _, t := range w.texts {
		if t.own && !triggers[t.unit] {
			triggers[t.unit] = true
			w.trigger(t)
		}
		if w.image != nil {
			w.references(t)
		}
		elsewhere := slices.ContainsFunc(t.sections, hasRoot)
		for _, s := range t.sections {
			for _, d := range s.Directives {
				switch {
				case elsewhere: // its programs and files are not those of the image
				case d.Name == "EnvironmentFile":
					w.environmentFile(t, d)
				case isExec(d.Name) && s.Name != "Path":
					w.exec(t, d)
				}
			}
		}
	}
	for _, t := range w.texts {
		w.Slips(t.from, t.found)
	}
}

// asked checks that a unit is there which is enabled, started or changed.
func (w *world) asked(u *config.Unit) {
	if !u.Name.Set || language.IsNetworkFile(u.Name.V) || u.Content.V != "" {
		return
	}
	severity, what := diag.Warning, ""
	switch command := u.Command.V; {
	case u.Enable.V:
		severity, what = diag.Error, "enabled"
	case command != "" && command != "stop":
		what = "started"
		if command != "start" {
			what = "asked to " + command
		}
	case len(u.DropIns) > 0 && !strings.HasSuffix(strings.TrimSuffix(u.Name.V, path.Ext(u.Name.V)), "-"): // a drop-in of all with that prefix
		what = "changed"
	default:
		return
	}
	if !w.hasUnit(u.Name.V) {
		w.find(rules.UnitElsewhere, severity, u.Name.At, "unit %q, to be %s, is not in this configuration", u.Name.V, what).Detail = w.nearUnit(u.Name.V)
		return
	}
	there := w.image.Unit(u.Name.V)
	if there == nil || w.units[u.Name.V] || what == "changed" {
		return
	}
	if there.Masked {
		w.ReportAt(rules.UnitMaskedImage, "", u.Name.At, "unit %q, to be %s, is masked in %s", u.Name.V, what, w.image.Name).Severity = severity
		return
	}
	if own := w.image.Unit(there.Alias); own != nil {
		there = own
	}
	if u.Enable.V && len(there.Install) == 0 && !w.byUnit[u.Name.V].installable {
		w.ReportAt(rules.UnitStaticImage, "", u.Enable.At, "unit %q of %s has no [Install] section to enable it by", u.Name.V, w.image.Name)
	}
}

// agents checks that somebody reads the settings of agents.
func (w *world) agents() {
	check := func(unit, key string, at source.Range) {
		if !w.hasUnit(unit) {
			w.find(rules.AgentElsewhere, diag.Warning, at, "unit %q, which %s is for, is not in this configuration", unit, key)
		}
	}
	for i := range w.config.Agents {
		a := &w.config.Agents[i]
		if len(a.Settings) > 0 {
			check(agentService(a.Name), "coreos."+a.Name, a.Settings[0].Value.At)
		}
	}
	if u := w.config.Update; u.RebootStrategy.Set && u.RebootStrategy.V != "off" {
		check("locksmithd.service", "coreos.update.reboot_strategy", u.RebootStrategy.At)
	}
	for _, v := range []config.Value[string]{w.config.Update.Group, w.config.Update.Server} {
		if v.Set {
			check("update-engine.service", "coreos.update", v.At)
			break
		}
	}
}

// slip keeps something to report in a unit's text, if it can be among those that are told.
func (w *world) slip(t *unitText, rule *diag.Rule, severity diag.Severity, from, to int, summary, detail string) *diag.Slip {
	s := diag.Slip{Rule: rule, Severity: severity, From: from, To: to, Summary: summary, Detail: detail}
	if n := len(t.found); n >= 2*findings.MaxSlips || n >= findings.MaxSlips && cmp.Or(severity, rule.Severity) != diag.Error {
		return &s
	}
	t.found = append(t.found, s)
	return &t.found[len(t.found)-1]
}

// orImage ends a summary about what is not there.
func (w *world) orImage(summary string) string {
	if w.image != nil {
		summary += ", nor in " + w.image.Name
	}
	return summary
}

// trigger checks that what a timer, socket or path starts is there.
func (w *world) trigger(t *unitText) {
	suffix := path.Ext(t.unit)
	key := "Unit"
	switch suffix {
	case ".timer", ".path":
	case ".socket":
		key = "Service"
	default:
		return
	}
	stem := strings.TrimSuffix(t.unit, suffix)
	for _, other := range w.byUnit[t.unit].texts {
		for _, s := range other.sections {
			for _, d := range s.Directives {
				switch {
				case d.Name == key && (s.Name == "Timer" || s.Name == "Path" || s.Name == "Socket") && d.Value != "":
					if w.image != nil && !strings.Contains(d.Value, "%") && !w.hasUnit(d.Value) {
						w.slip(other, rules.UnitTrigger, w.severity(diag.Warning), d.ValueOffset, d.ValueOffset+len(d.Value),
							w.orImage("unit "+strconv.Quote(d.Value)+" is not in this configuration"), w.nearUnit(d.Value))
					}
					return
				case d.Name == "Accept" && unitfile.IsTrue(d.Value) && !strings.HasSuffix(stem, "@"):
					stem += "@"
				}
			}
		}
	}
	service := stem + ".service"
	if suffix == ".socket" && w.image == nil || w.hasUnit(service) {
		return // an image often has the service of a socket that is written anew
	}
	f := w.ReportAt(rules.UnitTrigger, "", t.at, "%s", w.orImage(strconv.Quote(t.unit)+" starts "+strconv.Quote(service)+", which is not in this configuration"))
	f.Severity, f.Detail = w.severity(diag.Warning), w.nearUnit(service)
}

// references checks the units that [Unit] and [Install] name, each once: what must be there before what is only
// put in order.
func (w *world) references(t *unitText) {
	told := map[string]bool{}
	for _, severity := range []diag.Severity{diag.Warning, diag.Info} {
		for _, s := range t.sections {
			for _, d := range s.Directives {
				if (s.Name == "Unit" || s.Name == "Install") && weightOf(d.Name) == severity {
					w.reference(t, d, severity, told)
				}
			}
		}
	}
}

// weightOf says how bad it is if a unit that a directive names does not exist; 0 if it is no such directive.
func weightOf(directive string) diag.Severity {
	switch directive {
	case "Requires", "Requisite", "BindsTo", "WantedBy", "RequiredBy":
		return diag.Warning
	case "Wants", "After", "Before", "PartOf", "Upholds":
		return diag.Info
	}
	return 0
}

func (w *world) reference(t *unitText, d unitfile.Directive, severity diag.Severity, told map[string]bool) {
	from := min(d.ValueOffset, len(t.from.Text))
	for _, name := range strings.Fields(d.Value) {
		at := strings.Index(t.from.Text[from:], name)
		if at < 0 {
			return
		}
		at += from
		from = at + len(name)
		if !unitfile.ValidName(name) || told[name] || w.hasUnit(name) {
			continue
		}
		told[name] = true
		if w.misspelt[installed{t.unit, name}] {
			continue // and told so
		}
		w.slip(t, rules.UnitReference, w.severity(severity), at, from, w.orImage("unit "+strconv.Quote(name)+" is not in this configuration"), w.nearUnit(name))
	}
}

func isExec(directive string) bool {
	switch directive {
	case "ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPost":
		return true
	}
	return false
}

// program is the program of a command line of a unit, and where it begins in the value. ignored says that its
// failure is none.
//
// Source: systemd.service(5), "Command lines", systemd 252.
func program(value string) (name string, at int, ignored bool) {
	for at < len(value) && strings.IndexByte("@-:+!|", value[at]) >= 0 {
		ignored = ignored || value[at] == '-'
		at++
	}
	name, _, _ = strings.Cut(strings.ReplaceAll(value[at:], "\t", " "), " ")
	if strings.ContainsAny(name, "%$\\\"'") {
		return "", at, ignored
	}
	return name, at, ignored
}

// exec checks the program of a command line.
func (w *world) exec(t *unitText, d unitfile.Directive) {
	name, at, ignored := program(d.Value)
	if name == "" || name == "/" {
		return
	}
	from := d.ValueOffset + at
	if !path.IsAbs(name) {
		if w.image != nil && !ignored && !strings.Contains(name, "/") && !w.image.Program(name) {
			w.slip(t, rules.ExecMissing, w.severity(diag.Warning), from, from+len(name), w.image.Name+" has no program "+strconv.Quote(name), "")
		}
		return
	}
	clean := path.Clean(name)
	switch f := w.files[clean]; {
	case f != nil && f.Mode.V&0o111 == 0 && !f.Append.V:
		if !w.mentions("chmod") {
			s := w.slip(t, rules.ExecMode, 0, from, from+len(name), strconv.Quote(name)+" is written without the execute bit", `write permissions: "0755" in its entry`)
			s.Related = []diag.Related{{Message: "the entry", At: f.Path.At}}
		}
	case f == nil && !ignored && w.isMissing(clean):
		w.slip(t, rules.ExecMissing, w.severity(diag.Warning), from, from+len(name), w.orImage(strconv.Quote(name)+" is not in this configuration"), "")
	}
}

// hasRoot says that the programs of a unit are not those of the image.
func hasRoot(s unitfile.Section) bool {
	return slices.ContainsFunc(s.Directives, func(d unitfile.Directive) bool {
		return d.Name == "RootDirectory" || d.Name == "RootImage" || d.Name == "BindPaths"
	})
}

// environmentFile checks that a file of environment variables is there, where nothing but this can have made it.
func (w *world) environmentFile(t *unitText, d unitfile.Directive) {
	file := path.Clean(d.Value)
	if w.image == nil || !path.IsAbs(d.Value) || strings.ContainsAny(d.Value, "%*?[") || w.files[file] != nil || w.makes(file) {
		return
	}
	if there, known := w.image.Has(file); there || !known || w.mentions(file) {
		return
	}
	w.slip(t, rules.EnvironmentMissing, w.severity(diag.Warning), d.ValueOffset, d.ValueOffset+len(d.Value),
		w.orImage(strconv.Quote(d.Value)+" is not in this configuration"), "put a - before it if it may be missing")
}

// makes says that the configuration makes a file by another key than write_files.
func (w *world) makes(file string) bool {
	switch file {
	case "/etc/environment", "/etc/hostname", "/etc/hosts":
		return true
	case "/etc/oem-release":
		return w.config.OEM.ID.Set
	case "/etc/coreos/update.conf":
		u := &w.config.Update
		return u.Group.Set || u.RebootStrategy.Set || u.Server.Set
	}
	return false
}

// maxMentions bounds how many words are looked for in all texts; of the rest it is taken that they are there.
const maxMentions = 64

// mentions says that a text of the configuration has a word, apart from the programs that units run and the
// environment files that they read: then something may make what is missing.
func (w *world) mentions(word string) bool {
	if found, known := w.written[word]; known {
		return found
	}
	if len(w.written) >= maxMentions {
		return true
	}
	found := w.anyScript(func(text string) bool { return strings.Contains(text, word) })
	for i := range w.config.Files {
		f := &w.config.Files[i]
		found = found || !strings.Contains(f.Path.V, "/systemd/system/") && strings.Contains(string(f.Content.V), word)
	}
	for _, t := range w.texts {
		for _, s := range t.sections {
			for _, d := range s.Directives {
				value := d.Value
				switch {
				case found || d.Name == "EnvironmentFile":
					continue
				case isExec(d.Name):
					name, at, _ := program(value)
					value = value[at+len(name):]
				}
				found = strings.Contains(value, word) || strings.HasSuffix(word, "chmod") && strings.Contains(d.Value, word)
			}
		}
	}
	if w.written == nil {
		w.written = map[string]bool{}
	}
	w.written[word] = found
	return found
}
