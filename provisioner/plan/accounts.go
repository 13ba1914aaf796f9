package plan

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/objects"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// OriginDefaultUser marks the changes that make the image's default user where nobody named it.
const OriginDefaultUser = "default user"

// userTable is the accounts as they will be. It looks at the machine when it is first asked, so that a
// configuration without users and owners never does.
type userTable struct {
	c      *computation
	loaded bool
	result accounts.Result
}

// user finds an account by name. Its home is relative to the root, and "" if it is the root itself.
func (t *userTable) user(name string) (uid, gid int, home string, ok bool) {
	t.load(accounts.Want{})
	u, ok := t.result.Users[name]
	if !ok && name == "root" { // which is the kernel's name for 0, whatever a bare root has of accounts
		return 0, 0, "root", true
	}
	return u.UID, u.GID, strings.TrimPrefix(path.Clean("/"+u.Home), "/"), ok
}

// group finds a group by name.
func (t *userTable) group(name string) (gid int, ok bool) {
	t.load(accounts.Want{})
	gid, ok = t.result.Groups[name]
	return gid, ok || name == "root"
}

// load computes the accounts, once.
func (t *userTable) load(want accounts.Want) {
	if t.loaded || t.c == nil {
		return
	}
	t.loaded = true
	t.result = accounts.Edit(t.c.accountState(), want)
	t.c.diags.Add(t.result.Diagnostics...)
}

// accounts plans users and groups: the account files, the homes of new users, and their sudo rules.
func (c *computation) accounts() {
	c.users = userTable{c: c}
	want := accounts.Want{Groups: c.Config.Groups, Users: c.people(), Passwords: c.passwords(), HashLater: c.hashLater, Ledger: accountLedger{c}}
	if len(want.Groups)+len(want.Users)+len(want.Passwords) == 0 && !c.ledger.hasAccounts() {
		return
	}
	c.users.load(want)
	origin := c.originOf(want)
	for _, f := range c.users.result.Files {
		change := Change{Kind: WriteFile, Path: f.Path, Data: f.Data, Attr: c.accountFileAttr(f), Secret: f.Secret, Origin: origin}
		for _, r := range f.Records {
			change.Records = append(change.Records, Record(r))
			change.Why = append(change.Why, r.Why...)
		}
		if change.Why = unique(change.Why); len(change.Why) == 0 && origin == "" {
			change.Origin = OriginPrune
		}
		c.put(&change)
	}
	for i := range want.Users {
		u := &want.Users[i]
		if a := c.users.result.Users[u.Name.V]; a.MakeHome {
			c.makeHome(a, u)
		}
	}
	c.sudoers(want.Users)
}

// passwords are those that are given apart from users.
func (c *computation) passwords() []accounts.Password {
	s := &c.Config.System
	var out []accounts.Password
	for _, p := range s.Passwords {
		if !p.User.Set {
			p.User = schema.Value[string]{V: c.DefaultUser, At: p.Text.At}
		}
		expire := !p.OfUsers && (!s.ExpirePasswords.Set || s.ExpirePasswords.V)
		out = append(out, accounts.Password{Password: p, Expire: expire, Lockable: p.OfUsers})
	}
	return out
}

// people are the accounts that something is said about, in order. The default user stands first where it has
// keys or a password and nobody names it: the access floor makes it before anything else is known, and it must get the same
// uid either way.
func (c *computation) people() []accounts.User {
	var out []accounts.User
	named := false
	for i := range c.Config.Users {
		item := accounts.User{User: c.Config.Users[i], Path: fmt.Sprintf("users[%d]", i)}
		if item.Default {
			item.Name = schema.Value[string]{V: c.DefaultUser, At: item.At, Set: true}
		}
		if item.Name.V == "" {
			continue // the decoder reports it
		}
		if item.Name.V == c.DefaultUser {
			named = true
			item.NewShell, item.NewGroups = "/bin/bash", []string{"sudo", "wheel", "docker"}
		}
		out = append(out, item)
	}
	password := slices.ContainsFunc(c.Config.System.Passwords, func(p schema.Password) bool { return !p.User.Set })
	if !named && c.DefaultUser != "" && (len(c.Config.SSHAuthorizedKeys)+len(c.Meta.SSHKeys) > 0 || password) {
		u := accounts.User{NewShell: "/bin/bash", NewGroups: []string{"sudo", "wheel", "docker"}}
		u.Name = schema.Value[string]{V: c.DefaultUser, Set: true}
		out = append([]accounts.User{u}, out...)
	}
	return out
}

// originOf says who asked for accounts: nobody did where the default user alone is made.
func (c *computation) originOf(want accounts.Want) string {
	if len(want.Groups) == 0 && len(want.Users) == 1 && want.Users[0].Path == "" {
		return OriginDefaultUser
	}
	return ""
}

// accountFileAttr is owner and mode of an account file: what it has, else what Debian gives it where there is
// a group shadow, else root's alone if it holds hashes.
func (c *computation) accountFileAttr(f accounts.File) fsroot.Attr {
	if s := c.follow(f.Path); s.Kind == fsroot.Regular {
		return s.Attr
	}
	switch gid, ok := c.users.group("shadow"); {
	case !f.Secret:
		return fsroot.Attr{Mode: 0o644}
	case ok:
		return fsroot.Attr{Mode: 0o640, GID: gid}
	default:
		return fsroot.Attr{Mode: 0o600}
	}
}

// accountState reads everything that defines accounts.
func (c *computation) accountState() accounts.State {
	s := accounts.State{
		Texts:         map[string][]byte{},
		LoginDefs:     c.firstText("etc/login.defs", "usr/etc/login.defs"),
		Defaults:      c.firstText("etc/default/useradd", "usr/etc/default/useradd"),
		OutsidePasswd: c.texts("usr/lib/passwd", "usr/share/baselayout/passwd"),
		OutsideGroup:  c.texts("usr/lib/group", "usr/share/baselayout/group"),
		Now:           c.Facts.Now,
		Built:         c.Facts.Built,
		Salt:          c.Facts.Salt,
	}
	for _, p := range accounts.Paths() {
		s.Texts[p] = c.text(p)
	}
	s.Sysusers = c.texts(c.fragments(".conf", "etc/sysusers.d", "run/sysusers.d", "usr/local/lib/sysusers.d", "usr/lib/sysusers.d")...)
	userdb := []string{"etc/userdb", "run/userdb", "run/host/userdb", "usr/local/lib/userdb", "usr/lib/userdb"}
	s.UserRecords = c.texts(c.fragments(".user", userdb...)...)
	s.GroupRecords = c.texts(c.fragments(".group", userdb...)...)
	return s
}

// fragments lists the files of a name in several directories, sorted by name; of one name, that in the first
// directory counts.
func (c *computation) fragments(suffix string, dirs ...string) []string {
	found := map[string]string{}
	for _, dir := range dirs {
		for _, name := range c.list(dir) {
			if _, over := found[name]; !over && strings.HasSuffix(name, suffix) {
				found[name] = path.Join(dir, name)
			}
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[name])
	}
	return out
}

// texts are the contents of those files that are there.
func (c *computation) texts(paths ...string) [][]byte {
	var out [][]byte
	for _, p := range paths {
		if text := c.text(p); text != nil {
			out = append(out, text)
		}
	}
	return out
}

// firstText is the content of the first file that is there.
func (c *computation) firstText(paths ...string) []byte {
	for _, p := range paths {
		if text := c.text(p); text != nil {
			return text
		}
	}
	return nil
}

// text is the content of a file that defines accounts, through links; nil if it is not there. A file that
// cannot be read is reported, because to take it for missing would give an id twice.
func (c *computation) text(p string) []byte {
	s := c.follow(p)
	switch {
	case s.Fault != "":
		c.report(rules.AccountFile, source.Range{}, "/%s: %s", p, s.Fault)
	case s.Kind == fsroot.Regular && s.Data == nil && s.Size > 0:
		c.report(rules.AccountFile, source.Range{}, "/%s is too large to be read", p)
	case s.Kind == fsroot.Regular && s.Data == nil:
		return []byte{}
	case s.Kind == fsroot.Regular:
		return s.Data
	}
	return nil
}

// follow is what is at a path, or where its links lead.
func (c *computation) follow(p string) *Seen {
	const maxLinks = 8
	s := c.see(p)
	for range maxLinks {
		if s.Kind != fsroot.Link || s.Fault != "" {
			break
		}
		next := s.Target
		if !path.IsAbs(next) {
			next = path.Join("/", path.Dir(realPath(p, s)), next)
		}
		if p = strings.TrimPrefix(path.Clean(next), "/"); p == "" {
			p = "."
		}
		s = c.see(p)
	}
	return s
}

// isDirectory says that a directory is at a path, or will be; a link to one counts. What a link leads to is
// known once something below it was looked at.
func (c *computation) isDirectory(p string) bool {
	s := c.see(p)
	if s.Kind == fsroot.Link {
		c.see(path.Join(p, ".ssh"))
	}
	if cl := c.claims[realPath(p, s)]; cl != nil {
		return cl.want.Kind == MakeDirectory
	}
	return s.Kind == fsroot.Directory
}

// makeHome plans the home of a new user, with what is in /etc/skel. A home that is there stays as it is.
func (c *computation) makeHome(a accounts.Account, u *accounts.User) {
	home := strings.TrimPrefix(path.Clean("/"+a.Home), "/")
	if home == "" || c.isDirectory(home) {
		return
	}
	h := newHome{c: c, attr: fsroot.Attr{UID: a.UID, GID: a.GID}, skel: c.users.result.Skel, home: home}
	if !u.At.IsZero() {
		h.why = []source.Range{u.At}
	} else {
		h.origin = OriginDefaultUser
	}
	h.put(Change{Kind: MakeDirectory, Path: home}, c.users.result.HomeMode)
	if h.skel != "" && h.skel != home {
		h.copy("", 0)
	}
}

// newHome is a home directory in the making.
type newHome struct {
	c          *computation
	attr       fsroot.Attr // of everything in it, but for the mode
	skel, home string
	why        []source.Range
	origin     string
}

func (h *newHome) put(change Change, mode uint32) {
	change.Attr = h.attr
	change.Attr.Mode = mode
	change.Why, change.Origin, change.Given = h.why, h.origin, true
	h.c.put(&change)
}

// copy plans what is in a directory of the skeleton.
func (h *newHome) copy(dir string, depth int) {
	const maxDepth = 32
	for _, name := range h.c.list(path.Join(h.skel, dir)) {
		rel := path.Join(dir, name)
		from, to := path.Join(h.skel, rel), path.Join(h.home, rel)
		s := h.c.see(from)
		switch {
		case s.Kind == 0 || s.Kind == fsroot.Absent && s.Fault == "":
		case s.Kind == fsroot.Directory && s.Fault == "" && depth < maxDepth:
			h.put(Change{Kind: MakeDirectory, Path: to}, s.Attr.Mode)
			h.copy(rel, depth+1)
		case s.Kind == fsroot.Link && s.Fault == "":
			// A link into the skeleton leads into the home, as with useradd.
			target := s.Target
			if below, ok := strings.CutPrefix(target, "/"+h.skel+"/"); ok {
				target = "/" + path.Join(h.home, below)
			}
			h.put(Change{Kind: MakeLink, Path: to, Target: target}, 0o777)
		case s.Kind == fsroot.Regular && s.Fault == "" && (s.Data != nil || s.Size == 0):
			h.put(Change{Kind: WriteFile, Path: to, Data: s.Data}, s.Attr.Mode)
		default:
			h.c.report(rules.SkelEntry, firstRange(h.why), "/%s is not copied to /%s", from, to)
		}
	}
}

const sudoersFile = "etc/sudoers.d/90-provisioner-users"

// sudoers plans the sudo rules of users, a line each. Lines that are there stay, so that nobody loses a right
// because another configuration does not name it.
func (c *computation) sudoers(users []accounts.User) {
	asked := 0
	for i := range users {
		asked += len(users[i].Sudo)
	}
	if asked == 0 {
		return
	}
	have, _ := c.current(sudoersFile)
	change := Change{Kind: WriteFile, Path: sudoersFile, Attr: fsroot.Attr{Mode: 0o440}}
	text := bytes.Clone(have)
	lines := map[string]bool{}
	for l := range bytes.Lines(have) {
		lines[strings.TrimSuffix(string(l), "\n")] = true
	}
	for i := range users {
		u := &users[i]
		for i, rule := range u.Sudo {
			line := u.Name.V + " " + rule.V
			if !objects.IsSudoRule(u.Name.V, rule.V) {
				d := c.report(rules.SudoRule, rule.At, "not a rule that sudoers can have for %s", u.Name.V)
				d.Path = fmt.Sprintf("%s.sudo[%d]", u.Path, i)
				continue
			}
			var found *string
			if lines[line] {
				found = new(string)
			}
			if !c.hold(sudoersFile, SudoForm, line, "", found) || found != nil {
				continue
			}
			lines[line] = true
			if len(text) > 0 && text[len(text)-1] != '\n' {
				text = append(text, '\n')
			}
			text = append(text, line+"\n"...)
			change.Records = append(change.Records, Record{Name: "sudo rule of " + u.Name.V, Action: "added", Detail: rule.V, Why: unique([]source.Range{rule.At})})
			change.Why = append(change.Why, rule.At)
		}
	}
	if len(change.Records) > 0 {
		change.Data = text
		c.put(&change)
	}
}

// unique drops ranges that are no place, and those that are there already.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func unique(ranges []source.Range) []source.Range {
	var out []source.Range
	seen := make(map[source.Range]bool, len(ranges))
	for _, r := range ranges {
		place := r
		place.Made = 0
		if !r.IsZero() && !seen[place] {
			seen[place] = true
			out = append(out, r)
		}
	}
	return out
}
