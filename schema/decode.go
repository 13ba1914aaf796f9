// Package schema is the language of a cloud-config: text in, meaning out.
//
// [Decode] is the thing to call. It reads no file, asks no network and looks at no machine, so that the same
// findings come on a laptop and at boot. The keys of the language are one table, in language.go.
package schema

import (
	"fmt"
	"time"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// Input is what Decode looks at.
type Input struct {
	// Files are the parts of a configuration in the order in which they are merged.
	Files []*source.File
	// Now is the time that dates are held against.
	Now time.Time
	// Image is what the configuration is held against, where it is known what the image has; nil where not.
	Image *Image
}

// Decode turns user-data into a configuration and says everything that is wrong with it, in source order. A
// part is a cloud-config or a script, as its first line says; an empty part is nothing at all. If the list
// has errors the configuration is incomplete and must not be applied. It is never nil.
//
// Parts are merged: of single values a later one wins, with a finding for information; lists are appended.
func Decode(in Input) (*Config, diag.List) {
	d := &decoder{config: &Config{}, budget: maxUnpacked}
	d.files = map[string]*source.File{}
	for _, f := range in.Files {
		d.files[f.Name] = f
		d.part(f)
	}
	d.references()
	d.objects(in.Image)
	return d.config, d.diags.Sorted()
}

// decoder fills a Config, part after part.
type decoder struct {
	checker
	config   *Config
	budget   int64 // bytes that may still be unpacked
	passages map[source.Range]passage
}

func (d *decoder) part(f *source.File) {
	switch d.header(f) {
	case partScript:
		d.script(f)
	case partConfig:
		root, ds := yamltree.Parse(f)
		d.diags.Add(ds...)
		if root == nil || root.Kind == yamltree.Null {
			return
		}
		d.bad = map[*yamltree.Node]bool{}
		d.check(root, &language, "")
		d.read(root)
	}
}

// read fills the Config from a tree that has been checked. Nodes that were found bad read as not written.
func (d *decoder) read(root *yamltree.Node) {
	if root.Kind != yamltree.Mapping {
		return
	}
	m := d.mapping(root, &language)
	c := d.config
	d.scalar(&c.Hostname, m.text("hostname"), "hostname")
	if hosts := m.word("manage_etc_hosts"); hosts.Set {
		if hosts.V == "true" || hosts.V == "template" {
			hosts.V = "localhost"
		}
		hosts.Set = hosts.V == "localhost"
		d.scalar(&c.ManageEtcHosts, hosts, "manage_etc_hosts")
	}
	c.SSHAuthorizedKeys = append(c.SSHAuthorizedKeys, m.texts("ssh_authorized_keys")...)
	d.readGroups(m.node("groups"))
	d.readUsers(m.node("users"))
	for i, item := range m.items("write_files") {
		d.readFile(item, fmt.Sprintf("write_files[%d]", i))
	}
	if n := m.node("coreos"); n != nil {
		d.readCoreOS(d.mapping(n, shapeOf("coreos")))
	}
}

// scalar sets a single value of the configuration, saying so if an earlier part had another.
func (d *decoder) scalar(to *Value[string], v Value[string], path string) {
	if !v.Set {
		return
	}
	if to.Set && to.V != v.V {
		f := d.reportAt(rules.Overridden, path, v.At, "%s is given again and this value wins", path)
		f.Related = []diag.Related{{Message: "the earlier one", At: to.At}}
	}
	*to = v
}

func (d *decoder) readGroups(n *yamltree.Node) {
	add := func(name *yamltree.Node, members *yamltree.Node) {
		g := Group{Name: d.asText(name)}
		if members != nil {
			g.Members = d.asNames(members)
		}
		if g.Name.Set {
			d.config.Groups = append(d.config.Groups, g)
		}
	}
	switch {
	case n == nil:
	case n.Kind == yamltree.Scalar:
		for _, name := range commaNames(n) {
			add(name, nil)
		}
	case n.Kind == yamltree.Mapping:
		for _, p := range n.Pairs {
			add(p.Key, p.Value)
		}
	default:
		for _, item := range n.Items {
			if item.Kind == yamltree.Mapping {
				for _, p := range item.Pairs {
					add(p.Key, p.Value)
				}
				continue
			}
			add(item, nil)
		}
	}
}

func (d *decoder) readUsers(n *yamltree.Node) {
	if n == nil {
		return
	}
	items := n.Items
	if n.Kind == yamltree.Scalar {
		items = commaNames(n)
	}
	for _, item := range items {
		var u User
		switch {
		case d.bad[item]:
			continue
		case item.Kind == yamltree.Scalar && item.Value == "default":
			u = User{At: item.Range, Default: true}
		case item.Kind == yamltree.Scalar:
			u = User{At: item.Range, Name: d.asText(item)}
		case item.Kind == yamltree.Mapping:
			u = d.readUser(d.mapping(item, shapeOf("users")))
		}
		if u.Name.Set || u.Default {
			d.config.Users = append(d.config.Users, u)
		}
	}
}

func (d *decoder) readUser(m reader) User {
	u := User{
		At:                firstLine(m.n.Range),
		Name:              m.text("name"),
		Passwd:            m.secret("passwd"),
		LockPasswd:        m.boolean("lock_passwd"),
		SSHAuthorizedKeys: m.texts("ssh_authorized_keys"),
		ImportGitHub:      m.texts("coreos_ssh_import_github_users"),
		ImportURL:         m.text("coreos_ssh_import_url"),
		Gecos:             m.text("gecos"),
		HomeDir:           m.text("homedir"),
		NoCreateHome:      m.boolean("no_create_home"),
		PrimaryGroup:      m.text("primary_group"),
		Groups:            m.names("groups"),
		NoUserGroup:       m.boolean("no_user_group"),
		System:            m.boolean("system"),
		NoLogInit:         m.boolean("no_log_init"),
		Shell:             m.text("shell"),
		UID:               m.integer("uid"),
	}
	if !u.Passwd.Set {
		u.Passwd = m.secret("hashed_passwd")
	}
	if one := m.text("coreos_ssh_import_github"); one.Set {
		u.ImportGitHub = append(u.ImportGitHub, one)
	}
	for _, rule := range m.texts("sudo") {
		if rule.V != "" && (len(rule.V) > 5 || !isFalse(rule.V)) {
			u.Sudo = append(u.Sudo, rule)
		}
	}
	return u
}

func isFalse(text string) bool {
	v, ok := asBoolean(&yamltree.Node{Value: text})
	return ok && !v
}

func (d *decoder) readFile(n *yamltree.Node, path string) {
	if d.bad[n] || n.Kind != yamltree.Mapping {
		return
	}
	m := d.mapping(n, shapeOf("write_files"))
	f := File{
		At:       firstLine(n.Range),
		Path:     m.text("path"),
		Owner:    m.text("owner"),
		Mode:     m.mode("permissions"),
		Append:   m.boolean("append"),
		Defer:    m.boolean("defer"),
		Template: m.boolean("template"),
	}
	content := m.node("content")
	f.Content, f.Encoded = d.contentOf(content, m.word("encoding").V, path)
	if f.Content.Set {
		d.keep(passage{path: join(path, "content"), node: content, text: string(f.Content.V)})
	}
	f.Secret = m.boolean("secret").V || f.Mode.V&0o004 == 0 || holdsPrivateKey(f.Content.V)
	switch {
	case f.Secret && !f.Mode.Set:
		f.Mode.V = 0o600
	case f.Secret && f.Mode.V&0o004 != 0:
		d.reportAt(rules.SecretReadable, join(path, "permissions"), f.Mode.At, "everybody may read this secret").Detail = `write "0600"`
	}
	d.config.Files = append(d.config.Files, f)
}

func (d *decoder) readCoreOS(m reader) {
	for i, item := range m.items("units") {
		path := fmt.Sprintf("coreos.units[%d]", i)
		if d.bad[item] || item.Kind != yamltree.Mapping {
			continue
		}
		um := d.mapping(item, unitShape)
		u := Unit{
			At:      firstLine(item.Range),
			Name:    um.text("name"),
			Content: um.text("content"),
			Runtime: um.boolean("runtime"),
			Mask:    um.boolean("mask"),
			Enable:  um.boolean("enable"),
			Command: um.word("command"),
		}
		if u.Content.Set {
			d.keep(passage{path: join(path, "content"), node: um.node("content"), text: u.Content.V})
		}
		for j, drop := range um.items("drop_ins") {
			if d.bad[drop] || drop.Kind != yamltree.Mapping {
				continue
			}
			dm := d.mapping(drop, dropInShape)
			u.DropIns = append(u.DropIns, DropIn{At: firstLine(drop.Range), Name: dm.text("name"), Content: dm.text("content")})
			if n := dm.node("content"); n != nil && n.Kind == yamltree.Scalar {
				d.keep(passage{path: fmt.Sprintf("%s.drop_ins[%d].content", path, j), node: n, text: n.Value})
			}
		}
		d.config.Units = append(d.config.Units, u)
	}
	for _, name := range []string{"etcd", "etcd2", "fleet", "flannel", "locksmith"} {
		n := m.node(name)
		if n == nil {
			continue
		}
		f := findField(coreosFields, name)
		agent := Agent{Name: name, At: firstLine(n.Range)}
		for _, p := range n.Pairs {
			key := findField(f.shape.fields, fold(p.Key.Value))
			if key == nil || d.bad[p.Value] || d.bad[p.Key] {
				continue
			}
			agent.Settings = append(agent.Settings, Setting{
				Key: key.name, Variable: key.variable, Secret: key.shape.secret || hasUserInfo(p.Value.Value),
				Value: Value[string]{V: settingText(p.Value, &key.shape), At: p.Value.Range, Set: true},
			})
		}
		d.config.Agents = append(d.config.Agents, agent)
	}
	if n := m.node("oem"); n != nil {
		om, oem := d.mapping(n, &findField(coreosFields, "oem").shape), &d.config.OEM
		d.scalar(&oem.ID, om.text("id"), "coreos.oem.id")
		d.scalar(&oem.Name, om.text("name"), "coreos.oem.name")
		d.scalar(&oem.VersionID, om.text("version_id"), "coreos.oem.version_id")
		d.scalar(&oem.HomeURL, om.text("home_url"), "coreos.oem.home_url")
		d.scalar(&oem.BugReportURL, om.text("bug_report_url"), "coreos.oem.bug_report_url")
	}
	if n := m.node("update"); n != nil {
		um, update := d.mapping(n, &findField(coreosFields, "update").shape), &d.config.Update
		d.scalar(&update.RebootStrategy, um.word("reboot_strategy"), "coreos.update.reboot_strategy")
		d.scalar(&update.Group, um.text("group"), "coreos.update.group")
		d.scalar(&update.Server, um.text("server"), "coreos.update.server")
	}
}

// settingText is a setting as it stands in the environment: what YAML took for a truth is true or false.
func settingText(n *yamltree.Node, s *shape) string {
	if s.kind == boolean {
		if v, _ := asBoolean(n); v {
			return "true"
		}
		return "false"
	}
	if s.oneOf != nil {
		return asWord(n, s.oneOf)
	}
	return n.Value
}

var (
	unitShape   = &shape{kind: mapping, fields: unitFields}
	dropInShape = findField(unitFields, "drop_ins").shape.item
)

// shapeOf is the shape of a top-level key, or of the items of its list.
func shapeOf(key string) *shape {
	s := &findField(language.fields, key).shape
	if s.item != nil {
		s = s.item
	}
	return s
}

// reader gives the values of a mapping that has been checked, by the names of the table.
type reader struct {
	d     *decoder
	n     *yamltree.Node
	shape *shape
	found map[string]*yamltree.Node
}

func (d *decoder) mapping(n *yamltree.Node, s *shape) reader {
	r := reader{d: d, n: n, shape: s, found: map[string]*yamltree.Node{}}
	for _, p := range n.Pairs {
		name := fold(p.Key.Value)
		if _, there := r.found[name]; !there && findField(s.fields, name) != nil {
			r.found[name] = p.Value
		}
	}
	return r
}

// node is the value of a key, or nil if it is not written or bad.
func (r reader) node(key string) *yamltree.Node {
	n := r.found[key]
	if n == nil || r.d.bad[n] {
		return nil
	}
	return n
}

// items are the items of a list; a lone scalar is a list of one.
func (r reader) items(key string) []*yamltree.Node {
	n := r.node(key)
	switch {
	case n == nil:
		return nil
	case n.Kind == yamltree.Sequence:
		return n.Items
	}
	return []*yamltree.Node{n}
}

func (r reader) text(key string) Value[string] { return r.d.asText(r.node(key)) }

func (r reader) word(key string) Value[string] {
	n := r.node(key)
	v := r.d.asText(n)
	if v.Set {
		v.V = asWord(n, findField(r.shape.fields, key).shape.oneOf)
	}
	return v
}

func (r reader) secret(key string) Value[Secret] {
	v := r.text(key)
	return Value[Secret]{V: Secret(v.V), At: v.At, Set: v.Set}
}

func (r reader) boolean(key string) Value[bool] {
	n := r.node(key)
	if n == nil {
		return Value[bool]{}
	}
	v, _ := asBoolean(n)
	return Value[bool]{V: v, At: n.Range, Set: true}
}

func (r reader) integer(key string) Value[int] {
	n := r.node(key)
	if n == nil {
		return Value[int]{}
	}
	v, _ := asInteger(n)
	return Value[int]{V: v, At: n.Range, Set: true}
}

func (r reader) mode(key string) Value[uint32] {
	n := r.node(key)
	if n == nil {
		return Value[uint32]{V: 0o644}
	}
	v, _ := asMode(n.Value)
	return Value[uint32]{V: v, At: n.Range, Set: true}
}

func (r reader) texts(key string) []Value[string] {
	var out []Value[string]
	for _, n := range r.items(key) {
		if v := r.d.asText(n); v.Set {
			out = append(out, v)
		}
	}
	return out
}

func (r reader) names(key string) []Value[string] { return r.d.asNames(r.node(key)) }

func (d *decoder) asNames(n *yamltree.Node) []Value[string] {
	if n == nil || d.bad[n] {
		return nil
	}
	items := n.Items
	if n.Kind == yamltree.Scalar {
		items = commaNames(n)
	}
	var out []Value[string]
	for _, item := range items {
		if v := d.asText(item); v.Set {
			out = append(out, v)
		}
	}
	return out
}

func (d *decoder) asText(n *yamltree.Node) Value[string] {
	if n == nil || d.bad[n] || n.Kind != yamltree.Scalar {
		return Value[string]{}
	}
	return Value[string]{V: n.Value, At: n.Range, Set: true}
}
