package accounts

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/objects"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// editor is the state of one Edit.
type editor struct {
	passwd, shadow, group, gshadow, subuid, subgid *table

	defs       defs
	outside    outside
	uids, gids *ids
	uidOwner   map[int]string
	gidName    map[int]string
	subUIDs    *subIDs
	subGIDs    *subIDs
	isNew      map[string]bool
	makeHome   map[string]bool
	salt       []byte
	today      string // in days since 1970, as shadow has it; empty if the clock cannot be right
	diags      diag.List
	ledger     Ledger
	newGroup   map[string]bool
	joined     map[string]bool // groups that somebody is to be in
	gone       map[string]bool // users whom somebody has removed by hand
}

// Numbers of fields.
const (
	passwdFields, shadowFields, groupFields, gshadowFields, subIDFields = 7, 9, 4, 4, 3
)

func newEditor(now State) *editor {
	d := parseDefs(now.LoginDefs, now.Defaults)
	e := &editor{
		passwd:   parseTable(Passwd, now.Texts[Passwd], passwdFields, 2, 3),
		shadow:   parseTable(Shadow, now.Texts[Shadow], shadowFields),
		group:    parseTable(Group, now.Texts[Group], groupFields, 2),
		gshadow:  parseTable(GShadow, now.Texts[GShadow], gshadowFields),
		subuid:   parseTable(SubUID, now.Texts[SubUID], subIDFields),
		subgid:   parseTable(SubGID, now.Texts[SubGID], subIDFields),
		subUIDs:  newSubIDs(now.Texts[SubUID], d.subUIDMin, d.subUIDMax, d.subUIDCount),
		subGIDs:  newSubIDs(now.Texts[SubGID], d.subGIDMin, d.subGIDMax, d.subGIDCount),
		defs:     d,
		outside:  readOutside(now),
		uids:     newIDs(d.uidMin, d.uidMax, d.sysUIDMin, d.sysUIDMax),
		gids:     newIDs(d.gidMin, d.gidMax, d.sysGIDMin, d.sysGIDMax),
		uidOwner: map[int]string{}, gidName: map[int]string{},
		isNew: map[string]bool{}, makeHome: map[string]bool{},
		salt: now.Salt, ledger: noLedger{}, newGroup: map[string]bool{}, joined: map[string]bool{}, gone: map[string]bool{},
	}
	if !now.Now.Before(now.Built) {
		e.today = strconv.FormatInt(now.Now.Unix()/secondsPerDay, 10)
	}
	for _, l := range e.passwd.lines {
		if l.fields != nil {
			e.useUID(l.number(2), l.fields[0])
		}
	}
	for _, l := range e.group.lines {
		if l.fields != nil {
			e.useGID(l.number(2), l.fields[0])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.outside.users)) {
		e.useUID(e.outside.users[name].uid, name)
	}
	for _, name := range slices.Sorted(maps.Keys(e.outside.groups)) {
		e.useGID(e.outside.groups[name].gid, name)
	}
	return e
}

func (e *editor) useUID(uid int, name string) {
	if _, known := e.uidOwner[uid]; !known && uid >= 0 {
		e.uidOwner[uid] = name
		e.uids.use(uid)
	}
}

func (e *editor) useGID(gid int, name string) {
	if _, known := e.gidName[gid]; !known && gid >= 0 {
		e.gidName[gid] = name
		e.gids.use(gid)
	}
}

// report adds a finding about a field of an item.
func (e *editor) report(rule *diag.Rule, at source.Range, field, format string, args ...any) {
	d := diag.New(rule, at, format, args...)
	d.Path = field
	e.diags.Add(d)
}

// reportSecret adds a finding about a line that has a password in it.
func (e *editor) reportSecret(rule *diag.Rule, at source.Range, format string, args ...any) {
	d := diag.New(rule, at, format, args...)
	d.Secret = true
	e.diags.Add(d)
}

func indexed(item, field string, i int) string {
	if item == "" {
		return ""
	}
	return fmt.Sprintf("%s.%s[%d]", item, field, i)
}

func fieldOf(item, field string) string {
	if item == "" {
		return ""
	}
	return item + "." + field
}

func (e *editor) userExists(name string) bool {
	_, outside := e.outside.users[name]
	return outside || e.passwd.byName[name] != nil
}

// groupNamed finds a group by name or number; empty if there is none.
func (e *editor) groupNamed(s string) string {
	if _, outside := e.outside.groups[s]; outside || e.group.byName[s] != nil {
		return s
	}
	if gid, ok := parseID(s); ok {
		return e.gidName[gid]
	}
	return ""
}

// gidOf is the id of a group that exists. A group that will get its id later gets it now.
func (e *editor) gidOf(name string, why source.Range) int {
	if l := e.group.byName[name]; l != nil {
		return l.number(2)
	}
	if g := e.outside.groups[name]; g.gid >= 0 {
		return g.gid
	}
	return e.copyGroup(name, why).number(2)
}

// addGroup makes a group.
func (e *editor) addGroup(name string, gid int, password string, members []string, why source.Range) *line {
	e.useGID(gid, name)
	e.newGroup[name] = true
	r := Record{Name: groupRecord(name), Action: "added", Detail: fmt.Sprintf("gid %d", gid), Why: places(why)}
	id := strconv.Itoa(gid)
	list := strings.Join(members, ",")
	if !e.gshadow.missing {
		e.gshadow.put(r, name, "!", "", list)
		password = "x"
	}
	return e.group.add(r, name, password, id, list)
}

// copyGroup gives a group from outside /etc a line of its own there.
func (e *editor) copyGroup(name string, why source.Range) *line {
	g := e.outside.groups[name]
	if g.gid < 0 {
		g.gid = e.newGID(unknownID, true, why, "")
	}
	members := slices.DeleteFunc(slices.Clone(g.members), func(m string) bool { return !isName(m) })
	return e.addGroup(name, g.gid, "x", members, why)
}

// newGID takes a free gid, the preferred one if it can be had.
func (e *editor) newGID(preferred int, system bool, why source.Range, field string) int {
	gid, ok := e.gids.takeLike(preferred, system)
	if !ok {
		e.report(rules.IDsFull, why, field, "no gid is free in the range of login.defs")
		return 0
	}
	return gid
}

// ensureGroup makes a top-level group that does not exist.
func (e *editor) ensureGroup(index int, g schema.Group) {
	field := fmt.Sprintf("groups[%d]", index)
	name := g.Name.V
	switch {
	case !isName(name):
		e.report(rules.AccountName, g.Name.At, field, "%q is not a name for a group", name)
	case e.group.broken[name]:
		e.report(rules.AccountFile, g.Name.At, field, "/%s has a malformed line for %s", Group, name)
	case e.groupNamed(name) == "" && e.ledger.Applied(Group, groupRecord(name)) && !e.ledger.Hold(Group, groupRecord(name), "", nil):
	case e.groupNamed(name) == "":
		e.addGroup(name, e.newGID(unknownID, false, g.Name.At, field), "x", nil, g.Name.At)
	}
}

// join puts a user in a group and says whether that is new.
func (e *editor) join(user, group string, why source.Range) bool {
	l := e.group.byName[group]
	if l == nil {
		g, outside := e.outside.groups[group]
		if !outside || slices.Contains(g.members, user) {
			return false // reported, or so already
		}
		l = e.copyGroup(group, why)
	}
	r := Record{Name: memberRecord(group, user), Action: "added", Why: places(why)}
	e.joined[group] = true
	var found *string
	if l.has(user) {
		if !e.ledger.Applied(Group, r.Name) {
			return false // it is not ours
		}
		found = new(string)
	}
	if !e.ledger.Hold(Group, r.Name, "", found) || !e.group.join(l, user, r) {
		return false
	}
	if l := e.gshadow.byName[group]; l != nil {
		e.gshadow.join(l, user, r)
	}
	return true
}

// ensureUser makes an account, or makes the one that is there what the item says.
func (e *editor) ensureUser(u *User) {
	name := u.Name.V
	switch {
	case !isName(name):
		e.report(rules.AccountName, u.Name.At, fieldOf(u.Path, "name"), "%q is not a name for an account", name)
		return
	case e.passwd.broken[name] || e.shadow.broken[name]:
		e.report(rules.AccountFile, u.Name.At, fieldOf(u.Path, "name"), "/%s or /%s has a malformed line for %s", Passwd, Shadow, name)
		return
	case !e.fieldsAreWhole(u), e.isGone(name):
		return
	}
	if o, outside := e.outside.users[name]; outside && e.passwd.byName[name] == nil {
		if !needsLine(o, u) {
			e.compare(u, o.uid, o.gid, o.home)
			return
		}
		e.copyUser(name, o, u)
	}
	if l := e.passwd.byName[name]; l != nil {
		e.changeUser(l, u)
	} else {
		e.addUser(u)
	}
}

// fieldsAreWhole reports fields that would break a line.
func (e *editor) fieldsAreWhole(u *User) bool {
	whole := true
	check := func(field, value string, at source.Range) {
		if !isField(value) {
			whole = false
			d := diag.New(rules.AccountField, at, "a colon or control character in %s of %s", field, u.Name.V)
			d.Path, d.Secret = fieldOf(u.Path, field), field == "passwd"
			e.diags.Add(d)
		}
	}
	check("gecos", u.Gecos.V, u.Gecos.At)
	check("homedir", u.HomeDir.V, u.HomeDir.At)
	check("shell", u.Shell.V, u.Shell.At)
	check("passwd", u.Passwd.V.Reveal(), u.Passwd.At)
	return whole
}

// needsLine says that an account from outside /etc has to get a line there for what is asked.
func needsLine(o outsideUser, u *User) bool {
	return o.uid < 0 || u.Passwd.Set || u.LockPasswd.Set || u.ExpireDate.Set || u.Inactive.Set ||
		u.Gecos.Set && u.Gecos.V != o.gecos || u.Shell.Set && u.Shell.V != o.shell
}

// copyUser gives an account from outside /etc a line of its own there.
func (e *editor) copyUser(name string, o outsideUser, u *User) {
	if o.uid < 0 {
		o.uid = e.newUID(u, true)
	}
	if o.gid < 0 {
		if _, own := e.outside.groups[name]; own {
			o.gid = e.gidOf(name, u.At)
		} else {
			o.gid = e.newGID(o.uid, true, u.At, u.Path)
			e.addGroup(name, o.gid, "!", nil, u.At)
		}
	}
	e.useUID(o.uid, name)
	r := Record{Name: "user " + name, Action: "added", Detail: fmt.Sprintf("uid %d, as defined outside /etc", o.uid), Why: places(u.At)}
	e.passwd.add(r, name, "x", strconv.Itoa(o.uid), strconv.Itoa(o.gid), o.gecos, o.home, o.shell)
	if e.shadow.byName[name] == nil {
		r.Detail = "no password"
		e.shadow.add(r, e.shadowFields(name, noPassword, true)...)
	}
}

// changeUser makes an existing account what the item says.
func (e *editor) changeUser(l *line, u *User) {
	e.compare(u, l.number(2), l.number(3), l.fields[5])
	var changes []string
	var why []source.Range
	change := func(field int, v schema.Value[string], what string) {
		found := l.fields[field]
		if v.Set && e.ledger.Hold(Passwd, fieldRecord(what, u.Name.V), v.V, &found) && found != v.V {
			e.passwd.set(l, field, v.V)
			changes = append(changes, fmt.Sprintf("%s %s", what, v.V))
			why = append(why, v.At)
		}
	}
	change(4, u.Gecos, gecosField)
	change(6, u.Shell, shellField)
	if len(changes) > 0 {
		e.passwd.records = append(e.passwd.records, Record{Name: "user " + u.Name.V, Action: "changed", Detail: strings.Join(changes, ", "), Why: why})
	}
	e.changeShadow(l, u)
}

// compare reports what an existing account has other than the item says, and we do not change.
func (e *editor) compare(u *User, uid, gid int, home string) {
	name := u.Name.V
	if u.UID.Set && u.UID.V != uid {
		e.report(rules.AccountDiffers, u.UID.At, fieldOf(u.Path, "uid"), "%s has uid %d, not %d, and it is not changed", name, uid, u.UID.V)
	}
	if u.HomeDir.Set && path.Clean(u.HomeDir.V) != path.Clean(home) {
		e.report(rules.AccountDiffers, u.HomeDir.At, fieldOf(u.Path, "homedir"), "the home of %s is %s, and it is not changed", name, home)
	}
	if !u.PrimaryGroup.Set {
		return
	}
	switch group := e.groupNamed(u.PrimaryGroup.V); {
	case group == "":
		e.unknownPrimary(u)
	case e.gidOf(group, u.PrimaryGroup.At) != gid:
		e.report(rules.AccountDiffers, u.PrimaryGroup.At, fieldOf(u.Path, "primary_group"), "the login group of %s has gid %d, and it is not changed", name, gid)
	}
}

func (e *editor) unknownPrimary(u *User) {
	e.report(rules.GroupUnknown, u.PrimaryGroup.At, fieldOf(u.Path, "primary_group"), "no group %q for user %s", u.PrimaryGroup.V, u.Name.V)
}

// changeShadow makes an existing account's password and its end what the item says.
func (e *editor) changeShadow(l *line, u *User) {
	name := u.Name.V
	s := e.shadow.byName[name]
	var have []string
	switch {
	case s != nil:
		have = s.fields
	case l.fields[1] == "x":
		have = e.shadowFields(name, noPassword, u.System.V)
	default:
		have = e.shadowFields(name, l.fields[1], u.System.V)
	}
	fields := slices.Clone(have)
	var details []string
	var why []source.Range
	u = e.holdShadow(u, have, true)
	if hash := password(u, have[1]); hash != have[1] {
		fields[1], fields[2] = hash, e.changed(u)
		details, why = append(details, describePassword(u, hash)), places(u.Passwd.At, u.LockPasswd.At)
	}
	details = append(details, setExpiry(fields, u)...)
	if slices.Equal(fields, have) {
		return
	}
	r := Record{Name: "user " + name, Action: "changed", Detail: strings.Join(details, ", "), Why: append(why, places(u.ExpireDate.At, u.Inactive.At)...)}
	if s == nil {
		r.Action = "added"
		e.shadow.add(r, fields...)
	} else {
		e.shadow.setAll(s, fields)
		e.shadow.records = append(e.shadow.records, r)
	}
	if l.fields[1] != "x" {
		e.passwd.set(l, 1, "x")
		e.passwd.records = append(e.passwd.records, Record{Name: "user " + name, Action: "changed", Detail: "password moved to shadow", Why: r.Why})
	}
}

// holdShadow takes down what an item asks of a line of shadow, and gives the item as far as it may be so. there says that the
// line is not new.
func (e *editor) holdShadow(u *User, have []string, there bool) *User {
	may, want := *u, slices.Clone(have)
	setExpiry(want, u)
	hold := func(what, wanted string, field int) bool {
		found := &have[field]
		if !there {
			found = nil
		}
		return e.ledger.Hold(Shadow, fieldRecord(what, u.Name.V), wanted, found)
	}
	if (u.Passwd.Set || u.LockPasswd.Set) && !hold(passwordField, password(u, have[1]), 1) {
		may.Passwd, may.LockPasswd = schema.Value[schema.Secret]{}, schema.Value[bool]{}
	}
	if u.Inactive.Set && !hold(inactiveField, want[6], 6) {
		may.Inactive = schema.Value[int]{}
	}
	if u.ExpireDate.Set && !hold(expiryField, want[7], 7) {
		may.ExpireDate = schema.Value[string]{}
	}
	return &may
}

// describePassword says what password a line of shadow has, and not which.
func describePassword(u *User, hash string) string {
	switch {
	case hash == noPassword:
		return "no password"
	case u.expire:
		return "password (secret), to be changed at the first login"
	}
	return "password (secret)"
}

// setExpiry sets the end of an account in a line of shadow, and says what of it is new.
//
// Source: shadow(5) of shadow-utils 4.13. The account's end is in days since 1970; of day 0 it is not agreed
// whether it means never, so that what ended before ends on day 1. An empty field is never.
func setExpiry(fields []string, u *User) (details []string) {
	if day, err := time.Parse(time.DateOnly, u.ExpireDate.V); err == nil {
		if days := strconv.FormatInt(max(day.Unix()/secondsPerDay, 1), 10); fields[7] != days {
			fields[7] = days
			details = append(details, "disabled from "+u.ExpireDate.V)
		}
	}
	if u.Inactive.Set {
		days, detail := strconv.Itoa(u.Inactive.V), fmt.Sprintf("disabled %d days after the password has expired", u.Inactive.V)
		if u.Inactive.V < 0 {
			days, detail = "", "not disabled when the password has expired"
		}
		if fields[6] != days {
			fields[6] = days
			details = append(details, detail)
		}
	}
	return details
}

// changed is the date of a password that is set now. 1970 means to PAM that it must be changed.
//
// Source: shadow(5) of shadow-utils 4.13, "date of last password change".
func (e *editor) changed(u *User) string {
	if u.expire {
		return "0"
	}
	return e.today
}

// setPassword puts a password into what an item says of its user. Where the hash that is there is one of that
// password already, it stays.
func (e *editor) setPassword(u *User, p Password, later bool) {
	text := p.Text.V.Reveal()
	have := e.hashOf(u.Name.V)
	open := strings.TrimLeft(have, "!")
	switch {
	case p.Hashed:
	case len(text) > maxPassword:
		e.reportSecret(rules.PasswordLong, p.Text.At, "the password of %s has more than %d bytes", u.Name.V, maxPassword)
		return
	case later, matches(open, text):
		text = open
	default:
		text = hash(text, u.Name.V, e.salt)
	}
	u.Passwd = schema.Value[schema.Secret]{V: schema.Secret(text), At: p.Text.At, Set: true}
	u.expire = p.Expire
	if !p.Lockable {
		u.LockPasswd = schema.Value[bool]{}
	}
}

// hashOf is what stands in place of a user's password, "" if there is no such user.
func (e *editor) hashOf(name string) string {
	if s := e.shadow.byName[name]; s != nil {
		return s.fields[1]
	}
	if l := e.passwd.byName[name]; l != nil && l.fields[1] != "x" {
		return l.fields[1]
	}
	return ""
}

// ensurePassword sets the password of a user of whom no item of users says anything, by the last that is given.
func (e *editor) ensurePassword(p Password, last map[string]Password, want Want) {
	name := p.User.V
	if e.gone[name] || slices.ContainsFunc(want.Users, func(u User) bool { return u.Name.V == name }) {
		return
	}
	if !e.userExists(name) {
		e.reportSecret(rules.PasswordUser, p.User.At, "there is no user %q to have a password", name)
		return
	}
	if last[name] != p {
		return
	}
	u := User{}
	u.Name = p.User
	e.setPassword(&u, p, want.HashLater)
	e.ensureUser(&u)
}

// noPassword is a hash that no password has. It locks the password, not the account.
const noPassword = "*"

// password is the second field of shadow, given what is there now.
func password(u *User, have string) string {
	hash := have
	if u.Passwd.Set && u.Passwd.V != "" {
		hash = u.Passwd.V.Reveal()
	}
	locked := strings.HasPrefix(hash, "!")
	switch {
	case u.LockPasswd.Set && u.LockPasswd.V && !locked && hash != noPassword:
		return "!" + hash
	case u.LockPasswd.Set && !u.LockPasswd.V && locked && strings.HasPrefix(hash, "!$"):
		return hash[1:]
	}
	return hash
}

// shadowFields are the fields of a new line.
func (e *editor) shadowFields(name, hash string, system bool) []string {
	if system {
		return []string{name, hash, e.today, "", "", "", "", "", ""}
	}
	return []string{name, hash, e.today, e.defs.passMin, e.defs.passMax, e.defs.passWarn, e.defs.inactive, e.defs.expire, ""}
}

// root is the one account that may have uid 0.
const root = "root"

// addUser makes a new account.
func (e *editor) addUser(u *User) {
	name, system := u.Name.V, u.System.V
	uid := e.newUID(u, system)
	gid := e.primaryGroup(u, uid, system)
	home := e.newHome(u)
	shell := u.Shell.V
	switch {
	case u.Shell.Set:
	case u.NewShell != "":
		shell = u.NewShell
	default:
		shell = e.defs.shell
	}
	hash := password(u, noPassword)

	e.useUID(uid, name)
	e.isNew[name] = true
	e.makeHome[name] = !u.NoCreateHome.V && (!system || u.HomeDir.Set || u.NoCreateHome.Set)
	fields := e.shadowFields(name, hash, system)
	fields[2] = e.changed(u)
	e.holdNew(u, fields)
	secret := strings.Join(append([]string{describePassword(u, hash)}, setExpiry(fields, u)...), ", ")
	r := Record{Name: "user " + name, Action: "added", Why: places(u.At),
		Detail: fmt.Sprintf("uid %d, gid %d, home %s, shell %s, %s", uid, gid, home, shell, secret)}
	e.passwd.add(r, name, "x", strconv.Itoa(uid), strconv.Itoa(gid), u.Gecos.V, home, shell)
	r.Detail = secret
	e.shadow.put(r, fields...)
	if !system && e.defs.uidMin <= uid && uid <= e.defs.uidMax {
		e.addSubIDs(u, e.subuid, e.subUIDs)
		e.addSubIDs(u, e.subgid, e.subGIDs)
	}
}

// holdNew takes down what an item asks of a new account.
func (e *editor) holdNew(u *User, shadow []string) {
	e.holdShadow(u, shadow, false)
	for what, v := range map[string]schema.Value[string]{gecosField: u.Gecos, shellField: u.Shell} {
		if v.Set {
			e.ledger.Hold(Passwd, fieldRecord(what, u.Name.V), v.V, nil)
		}
	}
}

// newUID is the uid of a new account. Trouble is reported, and the answer is good enough to go on with.
func (e *editor) newUID(u *User, system bool) int {
	name := u.Name.V
	field := fieldOf(u.Path, "uid")
	if name == root && !u.UID.Set {
		return 0
	}
	if u.UID.Set {
		switch owner, taken := e.uidOwner[u.UID.V]; {
		case u.UID.V < 0 || u.UID.V == 65535 || u.UID.V >= 1<<32-1:
			e.report(rules.AccountID, u.UID.At, field, "%d is no uid", u.UID.V)
		case taken:
			e.report(rules.IDTaken, u.UID.At, field, "uid %d of %s is that of %s", u.UID.V, name, owner)
		case u.UID.V == 0 && name != root:
			e.report(rules.AccountID, u.UID.At, field, "uid 0 of %s is root's", name)
		default:
			e.uids.use(u.UID.V)
			return u.UID.V
		}
	}
	uid, ok := e.uids.take(system)
	if !ok {
		e.report(rules.IDsFull, u.Name.At, field, "no uid is free in the range of login.defs for %s", name)
	}
	return uid
}

// primaryGroup is the login group of a new account; its own is made.
func (e *editor) primaryGroup(u *User, uid int, system bool) int {
	name := u.Name.V
	if u.PrimaryGroup.Set {
		group := e.groupNamed(u.PrimaryGroup.V)
		if group == "" {
			e.unknownPrimary(u)
			return 0
		}
		return e.gidOf(group, u.PrimaryGroup.At)
	}
	if u.NoUserGroup.V || !u.NoUserGroup.Set && !e.defs.userGroups {
		if group := e.groupNamed(e.defs.group); group != "" {
			return e.gidOf(group, u.At)
		}
		gid, _ := parseID(e.defs.group)
		return gid
	}
	switch {
	case e.group.broken[name]:
		e.report(rules.AccountFile, u.Name.At, fieldOf(u.Path, "name"), "/%s has a malformed line for %s", Group, name)
		return 0
	case e.groupNamed(name) == "":
		gid := uid
		if uid != 0 {
			gid = e.newGID(uid, system, u.Name.At, fieldOf(u.Path, "name"))
		}
		e.addGroup(name, gid, "!", nil, u.At)
		return gid
	case name != root:
		e.report(rules.GroupNotOwn, u.Name.At, fieldOf(u.Path, "name"), "%s is the name of a group that is not the new user's", name)
	}
	return e.gidOf(name, u.At)
}

// newHome is the home directory of a new account.
func (e *editor) newHome(u *User) string {
	name := u.Name.V
	if !u.HomeDir.Set {
		if name == root {
			return "/root"
		}
		return e.defs.home + "/" + name
	}
	home := path.Clean(u.HomeDir.V)
	if !path.IsAbs(home) || slices.Contains(strings.Split(u.HomeDir.V, "/"), "..") || objects.IsSystemDirectory(home) && (home != "/root" || name != root) {
		e.report(rules.HomeOfSystem, u.HomeDir.At, fieldOf(u.Path, "homedir"), "%q cannot be the home of %s", u.HomeDir.V, name)
	}
	return home
}

// addSubIDs gives an account subordinate ids, where the machine has a file for them.
func (e *editor) addSubIDs(u *User, t *table, ranges *subIDs) {
	name := u.Name.V
	if t.missing || ranges.owners[name] || ranges.count == 0 {
		return
	}
	first, ok := ranges.take()
	if !ok {
		e.report(rules.IDsFull, u.Name.At, fieldOf(u.Path, "name"), "no range of subordinate ids is free in /%s for %s", t.path, name)
		return
	}
	r := Record{Name: path.Base(t.path) + " " + name, Action: "added", Detail: fmt.Sprintf("%d ids from %d", ranges.count, first), Why: places(u.At)}
	t.add(r, name, strconv.Itoa(first), strconv.Itoa(ranges.count))
}

// isName says that a name is safe in every account file, and no number.
func isName(name string) bool {
	if name == "" || len(name) > 32 || strings.ContainsAny(name[:1], "-~+.") {
		return false
	}
	if _, number := parseID(name); number {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`:,/"'\#!*%&;()<>|?=`+"`", r)
	})
}

// isField says that a text can be a field.
func isField(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == ':' })
}

// places are the ranges that are places.
func places(at ...source.Range) []source.Range {
	return slices.DeleteFunc(at, source.Range.IsZero)
}
