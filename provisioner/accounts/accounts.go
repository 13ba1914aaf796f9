// Package accounts edits the account files (passwd, shadow, group, gshadow, subuid and subgid) as text.
//
// [Edit] is the thing to call. It is pure: texts in, texts out. It does what useradd(8), usermod(8) and
// groupadd(8) of shadow-utils 4.13 would do, without running them: a new id is the highest used one of the
// range in login.defs plus one, system ids go downwards, a user gets a group of its own name. What is not an
// account's line (comments, NIS lines, malformed ones), and every line that need not change, stays as it is,
// byte for byte and in its place.
//
// It makes no home directories and no keys; the caller does, from the [Account] table. Where shadow-utils
// would leave a password unset as "!", it is "*" here: sshd refuses even keys to an account whose password
// begins with "!" where PAM is not in use.
package accounts

import (
	"fmt"
	"time"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// The account files, by their paths below a root.
const (
	Passwd  = "etc/passwd"
	Shadow  = "etc/shadow"
	Group   = "etc/group"
	GShadow = "etc/gshadow"
	SubUID  = "etc/subuid"
	SubGID  = "etc/subgid"
)

// Paths lists the account files, in the order in which Edit answers.
func Paths() []string { return []string{Passwd, Shadow, Group, GShadow, SubUID, SubGID} }

// State is the accounts as they are.
type State struct {
	// Texts are the account files by path; nil or no entry is a file that is missing. A missing passwd, shadow
	// or group is made when it is needed and holds nothing but what was asked for; the others are not made.
	Texts map[string][]byte
	// LoginDefs is /etc/login.defs and Defaults is /etc/default/useradd; shadow-utils' own defaults count for
	// what they lack, but for USERGROUPS_ENAB, which is yes.
	LoginDefs, Defaults []byte
	// OutsidePasswd and OutsideGroup are files of passwd's and group's form outside /etc, as nss-altfiles reads.
	OutsidePasswd, OutsideGroup [][]byte
	// Sysusers are the files of sysusers.d(5) that count, in the order of their names.
	Sysusers [][]byte
	// UserRecords and GroupRecords are JSON records of nss-systemd(8)'s userdb.
	UserRecords, GroupRecords [][]byte
	// Now dates new passwords; before Built it cannot be right, and they get no date.
	Now, Built time.Time
	// Salt is random bytes, for the hashes of passwords that are given in plain text.
	Salt []byte
}

// Want is the accounts that are asked for.
type Want struct {
	Groups []schema.Group
	Users  []User
	// Passwords are for those users and for others that exist; of one user the last counts, and it counts
	// before what Users says.
	Passwords []Password
	// HashLater leaves passwords in plain text alone: to hash one costs milliseconds.
	HashLater bool
	// Ledger, if not nil, compares with what was applied before.
	Ledger Ledger
}

// Password is a password for a user, or its hash.
type Password struct {
	schema.Password
	// Expire says that it must be changed at the first login after it was set.
	Expire bool
	// Lockable says that the account's lock counts, as with a hash in Users; else the password opens it.
	Lockable bool
}

// User is an account that is asked for. What its fields do not say is left as it is, or for a new account
// done as useradd does.
type User struct {
	schema.User
	// Path is the item in the language's own words: "users[2]"; empty if nobody wrote it.
	Path string
	// NewShell and NewGroups are for an account that does not exist yet, where the item is silent. Groups that
	// do not exist are passed over.
	NewShell  string
	NewGroups []string
	// expire says that the password, if it is set now, must be changed at the first login.
	expire bool
}

// Result is the accounts as they will be.
type Result struct {
	// Files are the account files that change.
	Files []File
	// Users and Groups are all that there will be, by name, those outside /etc included.
	Users  map[string]Account
	Groups map[string]int // gid
	// HomeMode is the mode of a new home directory, and Skel where its content comes from, relative to the root.
	HomeMode uint32
	Skel     string
	// Diagnostics are findings of the machine. If one is an error, the rest of the answer must not be used but
	// to look names up.
	Diagnostics diag.List
}

// File is the new content of an account file.
type File struct {
	Path    string
	Data    []byte
	Secret  bool // holds password hashes
	Records []Record
}

// Record is one change in an account file, in words without secrets.
type Record struct {
	Name   string // "user core", "group docker: member core"
	Action string // "added", "changed" or "removed"
	Detail string // "uid 1000, home /home/core, password (secret)"
	Why    []source.Range
}

// Account is a user as it will be.
type Account struct {
	UID, GID    int
	Home, Shell string
	// New says that the account did not exist; MakeHome that it is to have a home directory, if that is not
	// there already.
	New, MakeHome bool
}

// Edit computes the account files that have what is asked for. Groups are made first, then users in order, then
// passwords of others, then memberships, so a user may be put in a group that another item makes.
//
// What an existing account has and the item does not name stays. Its password, comment, shell and memberships
// become what the item says; another id, login group or home directory is a finding, because files would have
// to move. An account that is defined outside /etc gets a line in /etc when one of its fields has to change,
// and such a group does when it gets a member: the first definition that is found counts, and /etc is first.
//
// What somebody has changed by hand since it was applied, as Want.Ledger has it, stays; what was applied and is not asked
// for any more goes if the ledger says so.
func Edit(now State, want Want) Result {
	e := newEditor(now)
	if want.Ledger != nil {
		e.ledger = want.Ledger
	}
	before := map[string]*string{}
	for i := range want.Users {
		before[want.Users[i].Name.V] = e.account(want.Users[i].Name.V)
	}
	for i, g := range want.Groups {
		e.ensureGroup(i, g)
	}
	passwords := map[string]Password{}
	for _, p := range want.Passwords {
		passwords[p.User.V] = p
	}
	for _, u := range want.Users {
		if p, given := passwords[u.Name.V]; given {
			e.setPassword(&u, p, want.HashLater)
		}
		e.ensureUser(&u)
	}
	for _, p := range want.Passwords {
		e.ensurePassword(p, passwords, want)
	}
	for i, g := range want.Groups {
		e.members(i, g)
	}
	for i := range want.Users {
		e.memberships(&want.Users[i])
	}
	e.keepUsers(want, before)
	e.keepGroups(want)
	e.orphans()
	return e.result()
}

// result collects what changed.
func (e *editor) result() Result {
	r := Result{Users: map[string]Account{}, Groups: map[string]int{}, HomeMode: e.defs.homeMode, Skel: e.defs.skel, Diagnostics: e.diags}
	for _, t := range []*table{e.passwd, e.shadow, e.group, e.gshadow, e.subuid, e.subgid} {
		if t.changed {
			secret := t == e.shadow || t == e.gshadow
			r.Files = append(r.Files, File{Path: t.path, Data: t.text(), Secret: secret, Records: t.records})
		}
	}
	for name, u := range e.outside.users {
		if u.uid >= 0 {
			r.Users[name] = Account{UID: u.uid, GID: max(u.gid, 0), Home: u.home, Shell: u.shell}
		}
	}
	for name, l := range e.passwd.byName {
		uid, gid := l.number(2), l.number(3)
		r.Users[name] = Account{UID: uid, GID: gid, Home: l.fields[5], Shell: l.fields[6], New: e.isNew[name], MakeHome: e.makeHome[name]}
	}
	for name, g := range e.outside.groups {
		if g.gid >= 0 {
			r.Groups[name] = g.gid
		}
	}
	for name, l := range e.group.byName {
		r.Groups[name] = l.number(2)
	}
	return r
}

// members puts the members of a top-level group in it.
func (e *editor) members(index int, g schema.Group) {
	for i, m := range g.Members {
		if e.gone[m.V] {
			continue
		}
		if !e.userExists(m.V) {
			e.report(rules.MemberUnknown, m.At, fmt.Sprintf("groups[%d].members[%d]", index, i), "no user %q to be a member of %s", m.V, g.Name.V)
			continue
		}
		e.join(m.V, g.Name.V, m.At)
	}
}

// memberships puts a user in its groups.
func (e *editor) memberships(u *User) {
	name := u.Name.V
	if !e.userExists(name) {
		return // reported
	}
	groups := u.Groups
	if len(groups) == 0 {
		for _, g := range u.NewGroups {
			if e.groupNamed(g) != "" && (e.isNew[name] || e.ledger.Applied(Group, memberRecord(g, name))) {
				e.join(name, g, u.At)
			}
		}
	}
	for i, g := range groups {
		id := e.groupNamed(g.V)
		if id == "" {
			e.report(rules.GroupUnknown, g.At, indexed(u.Path, "groups", i), "no group %q for user %s", g.V, name)
			continue
		}
		e.join(name, id, g.At)
	}
}
