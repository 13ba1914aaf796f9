package changes

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

// account is an account's line in passwd(5).
func account(u image.User) string {
	return fmt.Sprintf("%s:x:%d:%d::%s:%s\n", u.Name, u.UID, u.GID, u.Home, u.Shell)
}

// membership is a group's line in group(5).
func membership(g image.Group) string {
	return fmt.Sprintf("%s:x:%d:%s\n", g.Name, g.GID, strings.Join(g.Members, ","))
}

// collection is what one configuration makes of the machine, by kind and name.
type collection struct {
	*machine
	config *schema.Config
	plan   plan.Plan
	out    map[string]thing
	users  map[int]string // names by id
	groups map[int]string
	homes  map[string]bool
	// records are the places of records by their names: "user core".
	records map[string]source.Range
}

// things is what a configuration makes of the machine.
func (m *machine) things(c *schema.Config) (map[string]thing, diag.List, error) {
	p, found, err := m.plan(c)
	if err != nil {
		return nil, nil, err
	}
	l := &collection{machine: m, config: c, plan: p, out: map[string]thing{}, users: map[int]string{}, groups: map[int]string{}, homes: map[string]bool{}, records: map[string]source.Range{}}
	for _, change := range p.Changes {
		for _, r := range change.Records {
			l.records[r.Name] = first(r.Why)
		}
	}
	l.accounts()
	parents := map[string]bool{}
	for _, change := range p.Changes {
		parents[path.Dir(change.Path)] = true
	}
	for i := range p.Changes {
		change := &p.Changes[i]
		if change.Kind == plan.MakeDirectory && (parents[change.Path] || l.homes[change.Path]) {
			continue // it is there for what is in it, or for whose it is
		}
		l.change(change)
	}
	l.configured()
	for _, j := range p.Jobs {
		t := thing{kind: KindJob, name: j.Unit, state: j.Action, at: first(j.Why)}
		if before, there := l.out[id(t)]; there {
			t.state, t.at = before.state+", then "+j.Action, before.at
		}
		l.add(t)
	}
	for i, s := range p.Scripts {
		l.add(thing{kind: KindScript, name: fmt.Sprintf("script %d", i+1), state: counted(s.Content), data: s.Content, secret: true, at: first(s.Why)})
	}
	for _, steps := range [][]plan.Step{p.BootSteps, p.Steps} {
		for _, s := range steps {
			text := []byte(s.Text)
			l.add(thing{kind: KindScript, name: s.Name, state: counted(text), data: text, secret: true, at: first(s.Why)})
		}
	}
	if p.Power != nil {
		l.add(thing{kind: KindSetting, name: "power_state", state: p.Power.String(), at: first(p.Power.Why)})
	}
	if h := p.PhoneHome; h != nil {
		l.add(thing{kind: KindSetting, name: "phone_home", state: h.String(), data: []byte(h.URL), secret: true, at: first(h.Why)})
	}
	return l.out, found, nil
}

func id(t thing) string { return string(t.kind) + "\x00" + t.name }

// add takes a thing. Many call it, and none needs a copy of its own.
//
//go:noinline
func (l *collection) add(t thing) { l.out[id(t)] = t }

func first(why []source.Range) source.Range {
	for _, at := range why {
		if !at.IsZero() {
			return at
		}
	}
	return source.Range{}
}

func counted(text []byte) string {
	n := strings.Count(string(text), "\n")
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	if n == 1 {
		return "1 line"
	}
	return strconv.Itoa(n) + " lines"
}

// final is an account file as the plan leaves it, in fields.
func (l *collection) final(file string) [][]string {
	text := l.root.nodes[file].data
	for i := range l.plan.Changes {
		if c := &l.plan.Changes[i]; c.Path == file && c.Kind == plan.WriteFile {
			text = string(c.Data)
		}
	}
	var out [][]string
	for line := range strings.Lines(text) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(fields) > 1 {
			out = append(out, fields)
		}
	}
	return out
}

// accounts adds users, passwords, groups and members. Ids that nobody wrote are given in order, so that a machine
// that is there already keeps its own: they are no change.
func (l *collection) accounts() {
	written := map[string]*schema.User{}
	for i := range l.config.Users {
		written[l.config.Users[i].Name.V] = &l.config.Users[i]
	}
	for _, f := range l.final("etc/passwd") {
		if len(f) < 7 {
			continue
		}
		uid, _ := strconv.Atoi(f[2])
		if l.users[uid] == "" {
			l.users[uid] = f[0]
		}
		t := thing{kind: KindUser, name: f[0], at: l.records["user "+f[0]]}
		if u := written[f[0]]; u != nil {
			if t.at.IsZero() {
				t.at = u.At
			}
			if u.UID.Set {
				t.state = "uid " + f[2] + ", "
			}
			if u.PrimaryGroup.Set {
				t.state += "primary group " + u.PrimaryGroup.V + ", "
			}
		}
		l.homes[strings.TrimPrefix(path.Clean(f[5]), "/")] = true
		t.state += "home " + f[5] + ", shell " + f[6]
		if f[4] != "" {
			t.state += ", " + f[4]
		}
		l.add(t)
	}
	for _, f := range l.final("etc/shadow") {
		if hash := f[1]; hash != "" && hash[0] != '*' && hash[0] != '!' {
			t := thing{kind: KindPassword, name: f[0], data: []byte(hash), secret: true}
			if u := written[f[0]]; u != nil {
				t.at = u.Passwd.At
			}
			l.add(t)
		}
	}
	for _, f := range l.final("etc/group") {
		if len(f) < 4 {
			continue
		}
		gid, _ := strconv.Atoi(f[2])
		if l.groups[gid] == "" {
			l.groups[gid] = f[0]
		}
		if _, own := l.out[id(thing{kind: KindUser, name: f[0]})]; !own { // a user's own group comes and goes with the user
			l.add(thing{kind: KindGroup, name: f[0], at: l.records["group "+f[0]]})
		}
		for _, member := range strings.Split(f[3], ",") {
			if member != "" {
				l.add(thing{kind: KindMember, name: f[0] + ": " + member, at: l.records["group "+f[0]+": member "+member]})
			}
		}
	}
}

// owner is "user:group".
func (l *collection) owner(a fsroot.Attr) string {
	name := func(names map[int]string, id int) string {
		if n := names[id]; n != "" {
			return n
		}
		return strconv.Itoa(id)
	}
	return name(l.users, a.UID) + ":" + name(l.groups, a.GID)
}

// change adds what the plan has at a path.
func (l *collection) change(c *plan.Change) {
	dir, base := path.Dir(c.Path), path.Base(c.Path)
	switch {
	case slices.Contains([]string{"etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid"}, c.Path) && c.Records != nil:
	case c.Path == "etc/hostname" && len(c.Why) > 0 && first(c.Why) == l.config.Hostname.At:
	case isAgentFile(c.Path):
	case len(c.Records) == 1 && c.Records[0].Name == "end of file":
		l.file(c, "appended")
	case c.Records != nil:
		l.lines(c)
	case isUnitDirectory(dir) && c.Kind == plan.MakeLink && c.Target == "/dev/null":
		l.add(thing{kind: KindMask, name: base, at: first(c.Why)})
	case c.Kind == plan.MakeLink && isUnitDirectory(path.Dir(dir)) && isDependency(path.Ext(dir)):
		// A unit may be wanted by several.
		t := thing{kind: KindEnabled, name: base, state: strings.TrimSuffix(path.Base(dir), path.Ext(dir)), at: first(c.Why)}
		if before, there := l.out[id(t)]; there {
			t.state = before.state + ", " + t.state
		}
		l.add(t)
	case c.Kind == plan.MakeLink:
		l.add(thing{kind: KindLink, name: "/" + c.Path, state: "-> " + c.Target, at: first(c.Why)})
	case c.Kind == plan.MakeDirectory:
		l.add(thing{kind: KindDirectory, name: "/" + c.Path, state: fmt.Sprintf("%04o %s", c.Attr.Mode, l.owner(c.Attr)), at: first(c.Why)})
	case c.Kind == plan.WriteFile:
		l.file(c, "")
	}
}

func isDependency(ext string) bool {
	return ext == ".wants" || ext == ".requires" || ext == ".upholds"
}

func isUnitDirectory(dir string) bool {
	return dir == "etc/systemd/system" || dir == "run/systemd/system"
}

// isAgentFile says that a file is made of the settings of an agent, which are compared one by one.
func isAgentFile(p string) bool {
	return p == "run/flannel/options.env" || strings.HasPrefix(p, "run/systemd/provisioner") ||
		strings.HasPrefix(p, "run/systemd/system/") && strings.HasSuffix(p, ".service.d/20-cloudinit.conf")
}

func (l *collection) file(c *plan.Change, word string) {
	t := thing{kind: KindFile, name: "/" + c.Path, data: c.Data, secret: c.Secret, mode: c.Attr.Mode, owner: l.owner(c.Attr), at: first(c.Why)}
	t.state = fmt.Sprintf("%04o %s", t.mode, t.owner)
	if word != "" {
		t.state += ", " + word
	}
	switch {
	case strings.HasPrefix(c.Path, "etc/systemd/system/"), strings.HasPrefix(c.Path, "run/systemd/system/"):
		t.kind = KindUnit
	case strings.HasPrefix(c.Path, "etc/systemd/network/"), strings.HasPrefix(c.Path, "run/systemd/network/"):
		t.kind = KindNetwork
	}
	l.add(t)
}

// lines adds what is ours in a file that others have lines in too.
func (l *collection) lines(c *plan.Change) {
	for _, r := range c.Records {
		at := first(r.Why)
		if at.IsZero() {
			at = first(c.Why)
		}
		switch _, user, isKey := strings.Cut(r.Name, " of "); {
		case strings.HasPrefix(r.Name, "key ") && isKey:
			l.add(thing{kind: KindKey, name: user + ": " + r.Detail, at: at})
		case strings.HasPrefix(r.Name, "sudo rule of "):
			l.add(thing{kind: KindSudo, name: strings.TrimPrefix(r.Name, "sudo rule of ") + ": " + r.Detail, at: at})
		default:
			l.add(thing{kind: KindLine, name: "/" + c.Path + ": " + r.Name, state: r.Detail, at: at})
		}
	}
}

// configured adds what is known of the configuration better than of the plan: the hostname as it was written, keys
// that are fetched at boot, and the settings of agents one by one.
func (l *collection) configured() {
	if h := l.config.Hostname; h.Set {
		l.add(thing{kind: KindHostname, name: "hostname", state: h.V, at: h.At})
	}
	for i := range l.config.Users {
		u := &l.config.Users[i]
		name := u.Name.V
		if u.Default {
			name = l.image.DefaultUser
		}
		for _, who := range u.ImportGitHub {
			l.add(thing{kind: KindKey, name: name + ": those of " + who.V + " at GitHub", at: who.At})
		}
		if u.ImportURL.Set { // which may hold a token
			l.add(thing{kind: KindKey, name: name + ": those at a URL", data: []byte(u.ImportURL.V), secret: true, at: u.ImportURL.At})
		}
	}
	for i := range l.config.Agents {
		a := &l.config.Agents[i]
		for _, s := range a.Settings {
			t := thing{kind: KindSetting, name: "coreos." + a.Name + "." + s.Key, state: s.Value.V, secret: s.Secret, at: s.Value.At}
			if s.Secret {
				t.state, t.data = "", []byte(s.Value.V)
			}
			l.add(t)
		}
	}
}
