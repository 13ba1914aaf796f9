// Package schema is the language of a cloud-config: text in, meaning out.
//
// [Decode] is the thing to call. It reads no file, asks no network and looks at no machine, so that the same
// findings come on a laptop and at boot. It takes the parts through the packages below: header says what each is,
// language what may stand where, merge makes one tree of all, config is what that means, and objects says whether it
// fits together. Reading the tree into the types, and looking inside its texts, is done here.
package schema

import (
	"fmt"
	"slices"
	"time"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/header"
	"cloudconfig/schema/image"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/objects"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// Input is what Decode looks at.
type Input struct {
	// Vendor are the parts of the platform's vendor data. They are merged before all others and set no policy; the
	// others may say that they are not taken.
	Vendor []*source.File
	// Files are the parts of a configuration in the order in which they are merged.
	Files []*source.File
	// Now is the time that dates are held against. If it is zero, as it should be where the clock cannot be right,
	// no dates are looked at.
	Now time.Time
	// Meta is what is known of the instance; nil where nothing is.
	Meta *Metadata
	// Values are held against the variables, where no machine is at hand to say what they are: one without a value is
	// a finding. With nil nothing is said of variables.
	Values Values
	// Raw is the user-data as a platform is to be given it, for its limits; nil where that is not known, or no
	// longer matters.
	Raw []byte
	// Image is what the configuration is held against, where it is known what the image has; nil where not.
	Image *image.Image
}

// Decode turns user-data into a configuration and says everything that is wrong with it, in source order. A
// part is a cloud-config, a script or a boothook, as its first line says; an empty part is nothing at all. If the list
// has errors the configuration is incomplete and must not be applied. It is never nil.
//
// Parts are merged, vendor data first: mappings by key; of single values a later one wins, with a finding for
// information; lists are appended, but for items that name the same path, unit, user or certificate, which are
// merged as mappings. The Range of each value stays in its own part.
func Decode(in Input) (*Config, diag.List) {
	d := newDecoder()
	d.decode(in)
	return d.config, d.Sorted()
}

func newDecoder() *decoder {
	return &decoder{Checker: language.Checker{Collector: findings.New()}, config: &Config{}, budget: maxUnpacked, variables: map[*yamltree.Node]bool{}}
}

// decode reads all parts, and gives the tree that they are together; nil if there is none.
func (d *decoder) decode(in Input) *yamltree.Node {
	trees, parts := d.parts(in.Files), in.Files
	if d.config.RefusesVendor = d.refusesVendor(trees); len(in.Vendor) > 0 && !d.config.RefusesVendor {
		own := *d.config
		d.config.Scripts, d.config.Boothooks = nil, nil
		vendor := d.parts(in.Vendor)
		yieldNetwork(vendor, trees)
		trees, parts = append(vendor, trees...), slices.Concat(in.Vendor, in.Files)
		d.config.Scripts, d.config.Boothooks = append(d.config.Scripts, own.Scripts...), append(d.config.Boothooks, own.Boothooks...)
	}
	root := d.merge(trees)
	if root != nil {
		d.read(root)
	}
	d.reportOverridden()
	d.tidy()
	objects.Check(d.Collector, objects.Input{Config: d.config, Meta: in.Meta, Image: in.Image, Now: in.Now})
	if len(in.Files) > 0 && (root != nil || !d.Diags.HasErrors()) { // a template grows or shrinks when it is rendered
		d.size(in.Files[0], in.Raw)
	}
	d.invisible(parts)
	d.unset(in.Values)
	if len(parts) > 0 {
		d.More(parts[0])
	}
	d.config.Hidden = d.Hidden()
	return root
}

// parts checks parts, and gives the trees of those that are cloud-configs.
func (d *decoder) parts(files []*source.File) (trees []*yamltree.Node) {
	for _, f := range files {
		d.Sources[f.Name] = f.Whole()
		if root := d.part(f); root != nil {
			trees = append(trees, root)
		}
	}
	return trees
}

// refusesVendor says that the last of the parts that say something of it wants no vendor data.
func (d *decoder) refusesVendor(trees []*yamltree.Node) bool {
	for _, root := range slices.Backward(trees) {
		if root.Kind != yamltree.Mapping || d.Bad[root] {
			continue
		}
		if n := d.mapping(root, language.At("")).node("vendor_data"); n != nil && n.Kind == yamltree.Mapping {
			if enabled := d.mapping(n, language.At("vendor_data")).boolean("enabled"); enabled.Set {
				return !enabled.V
			}
		}
	}
	return false
}

// decoder fills a Config.
type decoder struct {
	language.Checker
	config *Config
	reader yamltree.Reader
	budget int64 // bytes that may still be unpacked
	// quiet are contents of files in which any character may be, concealed those that are secrets.
	quiet, concealed places

	overridden []overridden
	// variables are the values in which variables are replaced; true where every fact counts, not the addresses
	// alone.
	variables map[*yamltree.Node]bool
}

// part checks a part. It gives the tree of a cloud-config, nil of all else.
func (d *decoder) part(f *source.File) *yamltree.Node {
	switch header.Of(d.Collector, f) {
	case header.Script:
		d.script(f)
	case header.Boothook:
		d.boothook(f)
	case header.Config:
		root, ds := d.reader.Parse(f)
		d.Diags.Add(ds...)
		if root == nil || root.Kind == yamltree.Null {
			return nil
		}
		d.CheckDocument(root)
		return root
	}
	return nil
}

// read fills the Config from a tree that has been checked. Nodes that were found bad read as not written.
func (d *decoder) read(root *yamltree.Node) {
	if root.Kind != yamltree.Mapping {
		return
	}
	m := d.mapping(root, language.At(""))
	c := d.config
	c.Hostname = m.text("hostname")
	if n := m.node("hostname"); n != nil {
		d.variables[n] = true
	}
	if hosts := m.word("manage_etc_hosts"); hosts.Set {
		if hosts.V == "true" || hosts.V == "template" {
			hosts.V = "localhost"
		}
		if hosts.V == "localhost" {
			c.ManageEtcHosts = hosts
		}
	}
	c.SSHAuthorizedKeys = append(c.SSHAuthorizedKeys, m.texts("ssh_authorized_keys")...)
	d.readGroups(m.node("groups"))
	d.readUsers(m.node("users"))
	d.readSystem(m)
	for i, item := range m.items("write_files") {
		d.readFile(item, fmt.Sprintf("write_files[%d]", i))
	}
	d.readCertificates(m)
	c.BootCommands = d.commands(m, "bootcmd")
	c.RunCommands = d.commands(m, "runcmd")
	d.readPowerState(m)
	c.FinalMessage = m.text("final_message")
	if n := m.node("network"); n != nil {
		if c.Network = describedNetwork(d.Collector, n); c.Network != nil {
			network.Check(d.Collector, c.Network)
		}
	}
	if n := m.node("coreos"); n != nil {
		d.readCoreOS(d.mapping(n, language.At("coreos")))
	}
}

func (d *decoder) readGroups(n *yamltree.Node) {
	switch {
	case n == nil:
	case n.Kind == yamltree.Scalar:
		for _, name := range d.CommaNames(n) {
			d.addGroup(name, nil)
		}
	case n.Kind == yamltree.Mapping:
		for _, p := range n.Pairs {
			d.addGroup(p.Key, p.Value)
		}
	default:
		for _, item := range n.Items {
			if item.Kind == yamltree.Mapping {
				for _, p := range item.Pairs {
					d.addGroup(p.Key, p.Value)
				}
				continue
			}
			d.addGroup(item, nil)
		}
	}
}

func (d *decoder) addGroup(name, members *yamltree.Node) {
	g := Group{Name: d.asText(name)}
	if members != nil {
		g.Members = d.asNames(members)
	}
	if g.Name.Set {
		d.config.Groups = append(d.config.Groups, g)
	}
}

func (d *decoder) readUsers(n *yamltree.Node) {
	if n == nil {
		return
	}
	items := n.Items
	if n.Kind == yamltree.Scalar {
		items = d.CommaNames(n)
	}
	for _, item := range items {
		switch {
		case d.Bad[item]:
		case item.Kind == yamltree.Scalar:
			d.addName(item)
		case item.Kind == yamltree.Mapping:
			m := d.mapping(item, language.At("users"))
			d.addUser(d.readUser(m.text("name"), m))
		case item.Kind == yamltree.Sequence:
			for _, name := range item.Items {
				d.addName(name)
			}
		}
	}
	for _, p := range n.Pairs {
		switch {
		case d.Bad[p.Value] || d.Bad[p.Key]:
		case p.Value.Kind == yamltree.Mapping:
			d.addUser(d.readUser(d.asText(p.Key), d.mapping(p.Value, language.At("users"))))
		case p.Value.Kind == yamltree.Scalar && !isFalse(p.Value.Value):
			d.addName(p.Key)
		}
	}
}

// addName adds a user of whom nothing but the name is said.
func (d *decoder) addName(name *yamltree.Node) {
	u := User{At: name.Range, Name: d.asText(name)}
	if u.Name.V == "default" {
		u.Name, u.Default = Value[string]{}, true
	}
	d.addUser(&u)
}

func (d *decoder) addUser(u *User) {
	if u.Name.Set || u.Default {
		d.config.Users = append(d.config.Users, *u)
	}
}

func (d *decoder) readUser(name Value[string], m reader) *User {
	u := &User{
		At:                findings.FirstLine(m.n.Range),
		Name:              name,
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
		ExpireDate:        m.text("expiredate"),
		Inactive:          m.integer("inactive"),
	}
	if !u.Passwd.Set {
		u.Passwd = m.secret("hashed_passwd")
	}
	if one := m.text("coreos_ssh_import_github"); one.Set {
		u.ImportGitHub = append(u.ImportGitHub, one)
	}
	u.ImportGitHub = append(u.ImportGitHub, atGitHub(m.texts("ssh_import_id"))...)
	if plain := m.secret("plain_text_passwd"); plain.Set && u.Name.Set {
		d.config.System.Passwords = append(d.config.System.Passwords, Password{User: u.Name, Text: plain, OfUsers: true})
	}
	for _, rule := range m.texts("sudo") {
		if rule.V != "" && (len(rule.V) > 5 || !isFalse(rule.V)) {
			u.Sudo = append(u.Sudo, rule)
		}
	}
	return u
}

func isFalse(text string) bool {
	v, ok := language.AsBoolean(&yamltree.Node{Value: text})
	return ok && !v
}

func (d *decoder) readFile(n *yamltree.Node, path string) {
	if n.Kind != yamltree.Mapping {
		return
	}
	m := d.mapping(n, language.At("write_files"))
	f := File{
		At:       findings.FirstLine(n.Range),
		Path:     m.text("path"),
		Owner:    m.text("owner"),
		Mode:     m.mode("permissions"),
		Append:   m.boolean("append"),
		Defer:    m.boolean("defer"),
		Template: m.boolean("template"),
	}
	if n := m.node("source"); n != nil {
		f.Source = d.readSource(d.mapping(n, language.At("write_files.source")))
	}
	content := m.node("content")
	f.Content, f.Encoded = d.contentOf(content, m.word("encoding").V, path)
	f.Secret = m.boolean("secret").V || f.Mode.V&0o004 == 0 || holdsPrivateKey(f.Content.V)
	switch {
	case f.Secret && !f.Mode.Set:
		f.Mode.V = 0o600
	case f.Secret && f.Mode.V&0o004 != 0:
		d.ReportAt(rules.SecretReadable, language.Join(path, "permissions"), f.Mode.At, "everybody may read this secret").Detail = `write "0600"`
	}
	if f.Secret {
		d.Secret[content] = true
		for _, p := range n.Pairs { // what is misspelt may have been meant for the content
			if name := language.Fold(p.Key.Value); p.Value == content || !m.keys.Has(name) || name == "content" {
				d.Hide(p.Value)
			}
		}
	}
	if f.Content.Set && !f.Encoded {
		d.variables[content] = f.Template.V
	}
	if !d.Bad[n] { // its content is looked at all the same
		d.config.Files = append(d.config.Files, f)
	}
	d.inside(&f, content, path)
}

func (d *decoder) readSource(m reader) Source {
	s := Source{URI: m.text("uri")}
	if n := m.node("headers"); n != nil {
		for _, p := range n.Pairs {
			if v := d.asText(p.Value); v.Set {
				s.Headers = append(s.Headers, Header{Name: p.Key.Value, Value: Value[Secret]{V: Secret(v.V), At: v.At, Set: true}})
			}
		}
	}
	return s
}

func (d *decoder) readCoreOS(m reader) {
	for i, item := range m.items("units") {
		path := fmt.Sprintf("coreos.units[%d]", i)
		if d.Bad[item] || item.Kind != yamltree.Mapping {
			continue
		}
		um := d.mapping(item, language.At("coreos.units"))
		u := Unit{
			At:      findings.FirstLine(item.Range),
			Name:    um.text("name"),
			Content: um.text("content"),
			Runtime: um.boolean("runtime"),
			Mask:    um.boolean("mask"),
			Enable:  um.boolean("enable"),
			Command: um.word("command"),
		}
		if u.Content.Set {
			d.Keep(findings.Passage{Path: language.Join(path, "content"), Node: um.node("content"), Text: u.Content.V})
			d.variables[um.node("content")] = true
		}
		for j, drop := range um.items("drop_ins") {
			if d.Bad[drop] || drop.Kind != yamltree.Mapping {
				continue
			}
			dm := d.mapping(drop, language.At("coreos.units.drop_ins"))
			u.DropIns = append(u.DropIns, DropIn{At: findings.FirstLine(drop.Range), Name: dm.text("name"), Content: dm.text("content")})
			if n := dm.node("content"); n != nil && n.Kind == yamltree.Scalar {
				d.Keep(findings.Passage{Path: fmt.Sprintf("%s.drop_ins[%d].content", path, j), Node: n, Text: n.Value})
				d.variables[n] = true
			}
		}
		d.config.Units = append(d.config.Units, u)
	}
	for _, name := range []string{"etcd", "etcd2", "fleet", "flannel", "locksmith"} {
		n := m.node(name)
		if n == nil {
			continue
		}
		keys := language.At("coreos." + name)
		agent := Agent{Name: name, At: findings.FirstLine(n.Range)}
		for _, p := range n.Pairs {
			s, known := keys.Setting(p)
			if !known || d.Bad[p.Value] || d.Bad[p.Key] {
				continue
			}
			setting := Setting{Key: s.Key, Variable: s.Variable, Secret: s.Secret, Value: Value[string]{V: s.Text, At: p.Value.Range, Set: true}}
			if setting.Secret {
				d.Secret[p.Value] = true
			}
			d.variables[p.Value] = true
			agent.Settings = append(agent.Settings, setting)
		}
		d.config.Agents = append(d.config.Agents, agent)
	}
	for _, key := range []string{"oem", "update"} {
		if n := m.node(key); n != nil {
			for _, p := range n.Pairs {
				d.variables[p.Value] = true
			}
		}
	}
	if n := m.node("oem"); n != nil {
		om, oem := d.mapping(n, language.At("coreos.oem")), &d.config.OEM
		oem.ID = om.text("id")
		oem.Name = om.text("name")
		oem.VersionID = om.text("version_id")
		oem.HomeURL = om.text("home_url")
		oem.BugReportURL = om.text("bug_report_url")
	}
	if n := m.node("update"); n != nil {
		um, update := d.mapping(n, language.At("coreos.update")), &d.config.Update
		update.RebootStrategy = um.word("reboot_strategy")
		update.Group = um.text("group")
		update.Server = um.text("server")
	}
}

// reader gives the values of a mapping that has been checked, by the names of the table.
type reader struct {
	d     *decoder
	n     *yamltree.Node
	keys  language.Mapping
	found map[string]*yamltree.Node
}

func (d *decoder) mapping(n *yamltree.Node, keys language.Mapping) reader {
	r := reader{d: d, n: n, keys: keys, found: map[string]*yamltree.Node{}}
	for _, p := range n.Pairs {
		name := language.Fold(p.Key.Value)
		if _, there := r.found[name]; !there && keys.Has(name) {
			r.found[name] = p.Value
		}
	}
	return r
}

// node is the value of a key, or nil if it is not written or bad. It has so many callers that a copy in each, as the
// compiler would make it, is 40 kB; so have text and asText.
//
//go:noinline
func (r reader) node(key string) *yamltree.Node {
	n := r.found[key]
	if n == nil || r.d.Bad[n] || n.Kind == yamltree.Null {
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

//go:noinline
func (r reader) text(key string) Value[string] { return r.d.asText(r.node(key)) }

func (r reader) word(key string) Value[string] {
	n := r.node(key)
	v := r.d.asText(n)
	if v.Set {
		v.V = r.keys.Word(key, n)
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
	v, _ := language.AsBoolean(n)
	return Value[bool]{V: v, At: n.Range, Set: true}
}

func (r reader) integer(key string) Value[int] {
	n := r.node(key)
	if n == nil {
		return Value[int]{}
	}
	v, _ := language.AsInteger(n)
	return Value[int]{V: v, At: n.Range, Set: true}
}

func (r reader) mode(key string) Value[uint32] {
	n := r.node(key)
	if n == nil {
		return Value[uint32]{V: 0o644}
	}
	v, _ := language.AsMode(n.Value)
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
	if n == nil || d.Bad[n] {
		return nil
	}
	items := n.Items
	switch n.Kind {
	case yamltree.Scalar:
		items = d.CommaNames(n)
	case yamltree.Mapping:
		for _, p := range n.Pairs {
			items = append(items, p.Key)
		}
	}
	var out []Value[string]
	for _, item := range items {
		if v := d.asText(item); v.Set {
			out = append(out, v)
		}
	}
	return out
}

//go:noinline
func (d *decoder) asText(n *yamltree.Node) Value[string] {
	if n == nil || d.Bad[n] || n.Kind != yamltree.Scalar {
		return Value[string]{}
	}
	return Value[string]{V: n.Value, At: n.Range, Set: true}
}
