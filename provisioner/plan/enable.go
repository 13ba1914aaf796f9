package plan

import (
	"maps"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// unitPath are the directories that units are in, those that win first. What generators make during a boot is
// not there for us to see.
//
// Source: systemd.unit(5), systemd 252.
var unitPath = [...]string{
	"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system",
}

// unitFile is a unit on the machine as it will be.
type unitFile struct {
	name   string // the unit's own, if it was asked for by another one
	path   string // of its file; "" if there is none
	masked bool
}

func (f unitFile) exists() bool { return f.path != "" }

// find looks for a unit as systemd does: a file of that name, then one of the template it is an instance of;
// a link to another unit is another name of that.
func (c *computation) find(name string) unitFile {
	for range maxLinks {
		p := c.search(name)
		if p == "" {
			return unitFile{}
		}
		kind, target := c.will(p)
		switch {
		case c.isMask(p):
			return unitFile{name: name, path: p, masked: true}
		case kind != fsroot.Link:
			return unitFile{name: name, path: p}
		}
		to := linkTarget(c.identity(p), target)
		other := path.Base(to)
		if n, o := splitUnit(name), splitUnit(other); n.instance != "" && o.isTemplate() {
			other = o.with(n.instance)
		}
		if other == name || !unitfile.ValidName(other) {
			// A link to a file of the same name elsewhere: systemd calls such a unit linked.
			return unitFile{name: name, path: c.resolve(p), masked: c.isMask(c.resolve(p))}
		}
		name = other
	}
	return unitFile{}
}

// search is the path of a unit's file or link, or "".
func (c *computation) search(name string) string {
	for _, n := range []string{name, splitUnit(name).template()} {
		if n == "" {
			continue
		}
		for _, dir := range unitPath {
			p := dir + "/" + n
			if kind, _ := c.will(p); kind == fsroot.Regular || kind == fsroot.Link {
				return p
			}
		}
	}
	return ""
}

// plannedDropIns are the names of the drop-ins of this plan, by their directories.
func (c *computation) plannedDropIns() map[string][]string {
	out := map[string][]string{}
	for _, cl := range c.order {
		if dir, name := path.Split(cl.want.Path); strings.HasSuffix(dir, ".d/") && cl.want.Kind == WriteFile {
			dir = path.Clean(dir)
			out[dir] = append(out[dir], name)
		}
	}
	return out
}

// enable plans the links that "systemctl enable --force" makes for a unit and for what its Also= names, where
// planned are the drop-ins of this plan.
//
// Source: systemd 252, src/shared/install.c.
func (c *computation) enable(u *schema.Unit, planned map[string][]string) {
	e := enabling{computation: c, planned: planned, why: u.Enable.At, dir: c.unitDir(u)}
	seen := map[string]bool{}
	for queue := []string{u.Name.V}; len(queue) > 0; queue = queue[1:] {
		if name := queue[0]; !seen[name] {
			seen[name] = true
			queue = append(queue, e.one(name)...)
			e.also = true
		}
	}
}

// enabling is the enabling of one unit of the configuration.
type enabling struct {
	*computation
	planned map[string][]string // names of drop-ins by directory
	why     source.Range
	dir     string // where the links go
	also    bool   // past the unit itself, at those that its Also= names
}

// report adds a finding; about a unit that only Also= names it is a warning.
func (e *enabling) report(rule *diag.Rule, format string, args ...any) {
	d := e.computation.report(rule, e.why, format, args...)
	if e.also && d.Severity == diag.Error {
		d.Severity = diag.Warning
	}
}

// one plans the links of one unit and gives the units that it names with Also=.
func (e *enabling) one(name string) (also []string) {
	f := e.find(name)
	switch {
	case !f.exists():
		e.report(rules.UnitMissing, "there is no unit %s to enable", name)
		return nil
	case f.masked:
		e.report(rules.UnitMasked, "%s is masked and cannot be enabled", name)
		return nil
	}
	install := unitfile.InstallOf(e.sections(f))
	if install.IsZero() {
		if !e.also && !e.written(f) {
			e.report(rules.UnitNoInstall, "%s has no [Install] section to enable it by", f.name)
		}
		return nil
	}
	e.aliases(f, install.Alias)
	e.dependencies(f, install)
	for _, n := range install.Also {
		if n, ok := e.expand(f.name, n); ok {
			also = append(also, n)
		}
	}
	return also
}

// written says that the unit's text is in the configuration, so that the finding is one of the text.
func (e *enabling) written(f unitFile) bool {
	return slices.ContainsFunc(e.Config.Units, func(u schema.Unit) bool { return u.Name.V == f.name && u.Content.V != "" }) ||
		slices.ContainsFunc(e.Config.Files, func(w schema.File) bool { return w.Path.V == "/"+f.path })
}

// aliases plans the links for other names of a unit.
func (e *enabling) aliases(f unitFile, names []string) {
	unit := splitUnit(f.name)
	for _, alias := range names {
		alias, ok := e.expandAlias(f.name, alias)
		if !ok {
			continue
		}
		a := splitUnit(alias)
		if a.isTemplate() && unit.instance != "" {
			alias = a.with(unit.instance)
			a = splitUnit(alias)
		}
		switch {
		case alias == f.name:
		case a.suffix != unit.suffix || a.at != unit.at || a.instance != unit.instance && !unit.isTemplate():
			e.report(rules.UnitInstall, "%s cannot be another name of %s", alias, f.name)
		case !slices.Contains(aliasable[:], unit.suffix):
			e.report(rules.UnitInstall, "a unit that ends in %s has no other names", unit.suffix)
		default:
			e.link(e.dir+"/"+alias, f.path)
		}
	}
}

// expandAlias is the name that an Alias= means. The old form TARGET.wants/UNIT makes a dependency.
func (e *enabling) expandAlias(unit, alias string) (string, bool) {
	dir, base, slash := strings.Cut(alias, "/")
	if !slash {
		return e.expand(unit, alias)
	}
	target, wants := strings.CutSuffix(dir, ".wants")
	if !wants {
		target, wants = strings.CutSuffix(dir, ".requires")
	}
	if !wants || base != unit || !unitfile.ValidName(target) {
		e.report(rules.UnitInstall, "%q cannot be another name of %s", alias, unit)
		return "", false
	}
	e.link(e.dir+"/"+alias, e.find(unit).path)
	return "", false
}

// aliasable are the kinds of unit that may have other names.
var aliasable = [...]string{".service", ".socket", ".target", ".device", ".timer", ".path"}

// dependencies plans the links that make others want a unit.
func (e *enabling) dependencies(f unitFile, install unitfile.Install) {
	unit := splitUnit(f.name)
	name := f.name
	if unit.isTemplate() && install.DefaultInstance != "" {
		instance, ok := specifiers(f.name, install.DefaultInstance)
		name = unit.with(instance)
		if !ok || !unitfile.ValidName(name) {
			e.report(rules.UnitInstall, "%s has an instance %q by default, which is none", f.name, install.DefaultInstance)
			return
		}
	}
	for _, d := range []struct {
		dir   string
		names []string
	}{
		{".wants/", install.WantedBy}, {".requires/", install.RequiredBy}, {".upholds/", install.UpheldBy},
	} {
		for _, by := range d.names {
			by, ok := e.expand(name, by)
			switch {
			case !ok:
			case splitUnit(name).isTemplate() && !splitUnit(by).isTemplate():
				e.report(rules.UnitInstall, "%s is a template: only an instance of it can be enabled for %s", name, by)
			default:
				e.link(e.dir+"/"+by+d.dir+name, f.path)
			}
		}
	}
}

// link plans a link to a unit's file. One that leads there already stays as it is, and is ours all the same.
func (e *enabling) link(at, file string) {
	to := "/" + file
	kind, target := e.will(at)
	switch kind {
	case fsroot.Regular, fsroot.Directory:
		e.report(rules.UnitInstall, "/%s is there and is not a link", at)
		return
	case fsroot.Link:
		there := linkTarget(e.identity(at), target)
		if e.identity(there) == e.identity(file) {
			to = target
		}
	}
	e.put(&Change{Kind: MakeLink, Path: at, Target: to, Why: []source.Range{e.why}})
}

// expand is a unit's name in an [Install] section, specifiers replaced; what is no name is reported.
func (e *enabling) expand(unit, text string) (string, bool) {
	name, ok := specifiers(unit, text)
	if !ok || !unitfile.ValidName(name) {
		e.report(rules.UnitInstall, "%q in [Install] of %s is not a unit", text, unit)
		return "", false
	}
	return name, true
}

// specifiers replaces %i, %j, %n, %N, %p and %%. Others say something of the machine that runs, which the one
// that we write to may not be yet.
//
// Source: systemd.unit(5), "Specifiers"; systemd 252, src/shared/install-printf.c.
func specifiers(unit, text string) (string, bool) {
	u := splitUnit(unit)
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		if after == "" {
			return "", false
		}
		switch after[0] {
		case '%':
			b.WriteByte('%')
		case 'i':
			b.WriteString(u.instance)
		case 'j':
			b.WriteString(u.prefix[strings.LastIndexByte(u.prefix, '-')+1:])
		case 'n':
			b.WriteString(unit)
		case 'N':
			b.WriteString(strings.TrimSuffix(unit, u.suffix))
		case 'p':
			b.WriteString(u.prefix)
		default:
			return "", false
		}
		text = after[1:]
	}
}

// sections are those of a unit's texts.
func (e *enabling) sections(f unitFile) (all []unitfile.Section) {
	for _, text := range e.unitTexts(f, e.planned) {
		more, _ := unitfile.Parse(text)
		all = append(all, more...)
	}
	return all
}

// unitTexts are a unit's file, then its drop-ins in the order that systemd reads them. planned are the drop-ins of this
// plan.
func (c *computation) unitTexts(f unitFile, planned map[string][]string) (all []string) {
	dropIns := map[string]string{} // the path that wins, by name
	for _, unit := range []string{f.name, splitUnit(f.name).template()} {
		if unit == "" {
			continue
		}
		for _, dir := range unitPath {
			dir += "/" + unit + ".d"
			for _, name := range slices.Concat(c.list(dir), planned[dir]) {
				if strings.HasSuffix(name, ".conf") && dropIns[name] == "" && len(dropIns) < maxDropIns {
					dropIns[name] = dir + "/" + name
				}
			}
		}
	}
	data, _ := c.current(f.path)
	all = append(all, string(data))
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		data, _ := c.current(c.resolve(dropIns[name]))
		all = append(all, string(data))
	}
	return all
}

// maxDropIns bounds how many drop-ins of a unit are read.
const maxDropIns = 1000

// unitName is the parts of a unit's name: "prefix@instance.suffix".
type unitName struct {
	prefix, instance, suffix string // suffix has its dot
	at                       bool   // it is a template or an instance of one
}

func splitUnit(name string) unitName {
	stem, suffix := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		stem, suffix = name[:dot], name[dot:]
	}
	prefix, instance, at := strings.Cut(stem, "@")
	return unitName{prefix, instance, suffix, at}
}

func (u unitName) isTemplate() bool { return u.at && u.instance == "" }

// with is the name of an instance of the template.
func (u unitName) with(instance string) string { return u.prefix + "@" + instance + u.suffix }

// template is the name of the template that u is an instance of, or "".
func (u unitName) template() string {
	if u.instance == "" {
		return ""
	}
	return u.with("")
}
