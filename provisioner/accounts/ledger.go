package accounts

import (
	"fmt"
	"strings"
)

// Ledger knows what of the accounts was applied before, and takes down what is asked for now. A record is a part of an
// account file, by a name without secrets: "user core", "shell of core" and the like in passwd, "password of core" in
// shadow, "group docker" and "group docker: member core" in group.
type Ledger interface {
	// Hold takes down that a record is to say wanted where found is, nil for nothing, and says whether it may: what
	// somebody has changed by hand stays.
	Hold(file, record, wanted string, found *string) bool
	// Keep takes down a record that nothing else is asked of than that it is there: what it said before this run, nil
	// if it is new, and what it says now.
	Keep(file, record string, before *string, now string)
	// Applied says that a record was applied before.
	Applied(file, record string) bool
	// Orphans are the records of a file that were applied before and were not taken down since, sorted.
	Orphans(file string) []string
	// Drop says that one of them, that says found, is to go.
	Drop(file, record, found string) bool
}

// noLedger is that of a machine of which nothing is known.
type noLedger struct{}

func (noLedger) Hold(string, string, string, *string) bool { return true }
func (noLedger) Keep(string, string, *string, string)      {}
func (noLedger) Applied(string, string) bool               { return false }
func (noLedger) Orphans(string) []string                   { return nil }
func (noLedger) Drop(string, string, string) bool          { return false }

func userRecord(name string) string  { return "user " + name }
func groupRecord(name string) string { return "group " + name }

func memberRecord(group, user string) string {
	return fmt.Sprintf("%s: member %s", groupRecord(group), user)
}

func fieldRecord(field, user string) string { return field + " of " + user }

// The fields of accounts that are records of their own.
const (
	gecosField, shellField                    = "gecos", "shell"
	passwordField, expiryField, inactiveField = "password", "end", "inactivity"
)

// account is what is there of an account, to be compared; nil if it is not there.
func (e *editor) account(name string) *string {
	l := e.passwd.byName[name]
	if l == nil {
		return nil
	}
	text := l.raw + "\n" + e.hashOf(name)
	return &text
}

// isGone says that an account that was applied before is not there any more: whoever has removed it, it stays so.
func (e *editor) isGone(name string) bool {
	if e.userExists(name) || !e.ledger.Applied(Passwd, userRecord(name)) {
		return false
	}
	e.gone[name] = !e.ledger.Hold(Passwd, userRecord(name), "", nil)
	return e.gone[name]
}

// keepUsers takes down the accounts that are ours, as they are now.
func (e *editor) keepUsers(want Want, before map[string]*string) {
	for i := range want.Users {
		name := want.Users[i].Name.V
		record, now := userRecord(name), e.account(name)
		if now != nil && (e.isNew[name] || e.ledger.Applied(Passwd, record)) {
			e.ledger.Keep(Passwd, record, before[name], *now)
		}
	}
}

// keepGroups takes down the groups that are ours: those that are asked for, login groups of users, and those that
// somebody is put into.
func (e *editor) keepGroups(want Want) {
	wanted := map[string]bool{}
	for _, g := range want.Groups {
		wanted[g.Name.V] = true
	}
	for i := range want.Users {
		if l := e.passwd.byName[want.Users[i].Name.V]; l != nil {
			wanted[e.gidName[l.number(3)]] = true
		}
	}
	for name, l := range e.group.byName {
		record := groupRecord(name)
		if e.newGroup[name] {
			e.ledger.Keep(Group, record, nil, l.identity())
		} else if was := l.identity(); (wanted[name] || e.joined[name]) && e.ledger.Applied(Group, record) {
			e.ledger.Keep(Group, record, &was, was)
		}
	}
}

// identity is a group without its members.
func (l *line) identity() string { return l.fields[0] + ":" + l.fields[2] }

// orphans finds what was applied and is not asked for any more, and removes what is to go: memberships first, then
// accounts, then groups that are empty. The home of an account stays.
func (e *editor) orphans() {
	for _, record := range e.ledger.Orphans(Group) {
		if group, user, ok := strings.Cut(strings.TrimPrefix(record, "group "), ": member "); ok {
			if l := e.group.byName[group]; l != nil && l.has(user) && e.ledger.Drop(Group, record, "") {
				e.leave(group, func(m string) bool { return m == user })
			}
		}
	}
	going := e.orphanUsers()
	used := map[string]bool{} // login groups of those who stay
	for _, u := range e.passwd.lines {
		if u.fields != nil && !u.gone && !going[u.fields[0]] {
			used[u.fields[3]] = true
		}
	}
	for _, record := range e.ledger.Orphans(Group) {
		if l := e.group.byName[strings.TrimPrefix(record, "group ")]; l != nil {
			found := l.identity()
			if used[l.fields[2]] || l.fields[3] != "" || len(l.joined) > 0 {
				found += " and others use it"
			}
			if e.ledger.Drop(Group, record, found) {
				r := Record{Name: record, Action: "removed"}
				e.gshadow.remove(l.fields[0], r)
				e.group.remove(l.fields[0], r)
			}
		}
	}
	for _, file := range []string{Passwd, Shadow} {
		for _, record := range e.ledger.Orphans(file) {
			e.resetField(file, record, going)
		}
	}
}

// orphanUsers removes the accounts that are to go, and gives those that are not asked for any more.
func (e *editor) orphanUsers() (going map[string]bool) {
	going = map[string]bool{}
	gone := map[string]bool{}
	for _, record := range e.ledger.Orphans(Passwd) {
		if name, ok := strings.CutPrefix(record, "user "); ok {
			going[name] = true
			if found := e.account(name); found != nil && e.ledger.Drop(Passwd, record, *found) {
				gone[name] = true
				r := Record{Name: record, Action: "removed", Detail: "the home stays"}
				e.passwd.remove(name, r)
				r.Detail = ""
				for _, t := range []*table{e.shadow, e.subuid, e.subgid} {
					t.remove(name, r)
				}
			}
		}
	}
	if len(gone) > 0 {
		for _, l := range e.group.lines {
			if l.fields != nil {
				e.leave(l.fields[0], func(m string) bool { return gone[m] })
			}
		}
	}
	return going
}

// leave takes members out of a group.
func (e *editor) leave(group string, goes func(user string) bool) {
	for _, t := range []*table{e.group, e.gshadow} {
		if l := t.byName[group]; l != nil {
			t.leave(l, goes)
		}
	}
}

// resetField gives a field of an account that is no longer asked for what a new account has there. Of an account that is no
// longer asked for itself nothing more is said.
func (e *editor) resetField(file, record string, going map[string]bool) {
	what, name, ok := strings.Cut(record, " of ")
	if !ok {
		return
	}
	if going[name] {
		e.ledger.Keep(file, record, new(string), "")
		return
	}
	t, field, none := e.passwd, 0, ""
	switch what {
	case gecosField:
		field = 4
	case shellField:
		field, none = 6, e.defs.shell
	case passwordField:
		t, field, none = e.shadow, 1, noPassword
	case inactiveField:
		t, field = e.shadow, 6
	case expiryField:
		t, field = e.shadow, 7
	}
	l := t.byName[name]
	if l == nil || field == 0 || l.fields[field] == none || !e.ledger.Drop(file, record, l.fields[field]) {
		return
	}
	t.set(l, field, none)
	t.records = append(t.records, Record{Name: record, Action: "removed"})
}
