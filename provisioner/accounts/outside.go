package accounts

import (
	"bytes"
	"encoding/json"
	"strings"
)

// outside is what defines accounts without a line in /etc. An id of -1 is one that is not known before the
// system has booted.
type outside struct {
	users  map[string]outsideUser
	groups map[string]outsideGroup
}

type outsideUser struct {
	uid, gid           int
	gecos, home, shell string
}

type outsideGroup struct {
	gid     int
	members []string
}

const unknownID = -1

// readOutside reads every definition; the first of a name counts.
func readOutside(now State) outside {
	o := outside{users: map[string]outsideUser{}, groups: map[string]outsideGroup{}}
	for _, text := range now.OutsideGroup {
		for name, l := range parseTable("", text, 4, 2).byName {
			o.addGroup(name, outsideGroup{gid: l.number(2), members: strings.FieldsFunc(l.fields[3], isComma)})
		}
	}
	for _, text := range now.OutsidePasswd {
		for name, l := range parseTable("", text, 7, 2, 3).byName {
			o.addUser(name, outsideUser{uid: l.number(2), gid: l.number(3), gecos: l.fields[4], home: l.fields[5], shell: l.fields[6]})
		}
	}
	for _, text := range now.GroupRecords {
		o.groupRecord(text)
	}
	for _, text := range now.UserRecords {
		o.userRecord(text)
	}
	for _, text := range now.Sysusers {
		for raw := range bytes.Lines(text) {
			o.sysusersLine(strings.TrimSpace(string(raw)))
		}
	}
	return o
}

func isComma(r rune) bool { return r == ',' }

func (o *outside) addUser(name string, u outsideUser) {
	if _, known := o.users[name]; !known && isName(name) && isField(u.gecos) && isField(u.home) && isField(u.shell) {
		o.users[name] = u
	}
}

func (o *outside) addGroup(name string, g outsideGroup) {
	if _, known := o.groups[name]; !known && isName(name) {
		o.groups[name] = g
	}
}

// userRecord reads a JSON user record.
//
// Format: systemd, docs/USER_RECORD.md. A record without a gid has the uid as gid.
func (o *outside) userRecord(text []byte) {
	var r struct {
		UserName      string
		RealName      string
		UID           *uint32
		GID           *uint32
		HomeDirectory string
		Shell         string
	}
	if json.Unmarshal(text, &r) != nil || r.UID == nil {
		return
	}
	gid := *r.UID
	if r.GID != nil {
		gid = *r.GID
	}
	home, shell := r.HomeDirectory, r.Shell
	if home == "" {
		home = "/home/" + r.UserName
	}
	if shell == "" {
		shell = "/bin/bash"
	}
	o.addUser(r.UserName, outsideUser{uid: int(*r.UID), gid: int(gid), gecos: r.RealName, home: home, shell: shell})
}

// groupRecord reads a JSON group record.
//
// Format: systemd, docs/GROUP_RECORD.md.
func (o *outside) groupRecord(text []byte) {
	var r struct {
		GroupName string
		GID       *uint32
		Members   []string
	}
	if json.Unmarshal(text, &r) == nil && r.GID != nil {
		o.addGroup(r.GroupName, outsideGroup{gid: int(*r.GID), members: r.Members})
	}
}

// sysusersLine reads a line of sysusers.d(5): type, name, id, comment, home and shell, as far as they say who
// will be there. A name with a specifier (%) cannot be known, and is no name.
func (o *outside) sysusersLine(line string) {
	f := splitQuoted(line)
	if len(f) < 2 {
		return
	}
	field := func(i int, otherwise string) string {
		if i < len(f) && f[i] != "-" && f[i] != "" {
			return f[i]
		}
		return otherwise
	}
	name := f[1]
	uidText, gidText, both := strings.Cut(field(2, ""), ":")
	uid, ok := parseID(uidText)
	if !ok {
		uid = unknownID
	}
	switch f[0] {
	case "g":
		o.addGroup(name, outsideGroup{gid: uid})
	case "u", "u!":
		gid := uid
		if both {
			if gid, ok = parseID(gidText); !ok {
				gid = unknownID
				if g, known := o.groups[gidText]; known {
					gid = g.gid
				}
			}
		} else {
			o.addGroup(name, outsideGroup{gid: gid})
			gid = o.groups[name].gid
		}
		shell := "/usr/sbin/nologin"
		if uid == 0 {
			shell = "/bin/sh"
		}
		o.addUser(name, outsideUser{uid: uid, gid: gid, gecos: field(3, ""), home: field(4, "/"), shell: field(5, shell)})
	case "m":
		o.addUser(name, outsideUser{uid: unknownID, gid: unknownID, home: "/", shell: "/usr/sbin/nologin"})
		o.addGroup(name, outsideGroup{gid: unknownID})
		o.addGroup(field(2, ""), outsideGroup{gid: unknownID})
	}
}

// splitQuoted splits a line at blanks; quotes keep a field together.
func splitQuoted(line string) []string {
	var out []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if q := line[0]; q == '"' || q == '\'' {
			field, rest, _ := strings.Cut(line[1:], string(q))
			out, line = append(out, field), rest
			continue
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		out, line = append(out, line[:end]), line[end:]
	}
	return out
}
