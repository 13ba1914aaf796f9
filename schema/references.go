package schema

import (
	"path"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// references checks what entries say about each other: the same path, unit content or drop-in twice. Items
// for one user are merged, since cloud-init's users write them so: of single values the later one wins.
func (d *decoder) references() {
	c := d.config
	files := map[string]source.Range{}
	for i := range c.Files {
		f := &c.Files[i]
		if !f.Path.Set {
			continue
		}
		f.Path.V = path.Clean(f.Path.V)
		if first, there := files[f.Path.V]; there && !f.Append.V {
			d.twice(f.Path.At, first, "file %q is written twice", f.Path.V)
		} else if !there {
			files[f.Path.V] = f.Path.At
		}
	}
	contents := map[string]source.Range{}
	for i := range c.Units {
		u := &c.Units[i]
		if u.Name.Set && u.Content.V != "" {
			d.once(contents, u.Name.V, u.Name.At, "unit %q has content twice", u.Name.V)
		}
		for _, drop := range u.DropIns {
			if !u.Name.Set || !drop.Name.Set {
				continue
			}
			d.once(contents, u.Name.V+"/"+drop.Name.V, drop.Name.At, "drop-in %q of this unit is written twice", drop.Name.V)
		}
	}
	c.Users = mergeUsers(c.Users)
	d.checkUsers()
	d.etcd()
	d.checkUnits()
}

func (d *decoder) once(seen map[string]source.Range, key string, at source.Range, format string, args ...any) {
	if first, there := seen[key]; there {
		d.twice(at, first, format, args...)
		return
	}
	seen[key] = at
}

func (d *decoder) twice(at, first source.Range, format string, args ...any) {
	f := d.reportAt(rules.ItemTwice, "", at, format, args...)
	f.Related = []diag.Related{{Message: "the first one", At: first}}
}

// mergeUsers makes one item of all that name the same user.
func mergeUsers(users []User) []User {
	var out []User
	index := map[string]int{}
	for _, u := range users {
		key := u.Name.V
		if u.Default {
			key = "\x00default"
		}
		i, there := index[key]
		if !there {
			index[key] = len(out)
			out = append(out, u)
			continue
		}
		to := &out[i]
		later(&to.Passwd, u.Passwd)
		later(&to.LockPasswd, u.LockPasswd)
		later(&to.ImportURL, u.ImportURL)
		later(&to.Gecos, u.Gecos)
		later(&to.HomeDir, u.HomeDir)
		later(&to.NoCreateHome, u.NoCreateHome)
		later(&to.PrimaryGroup, u.PrimaryGroup)
		later(&to.NoUserGroup, u.NoUserGroup)
		later(&to.System, u.System)
		later(&to.NoLogInit, u.NoLogInit)
		later(&to.Shell, u.Shell)
		later(&to.UID, u.UID)
		later(&to.ExpireDate, u.ExpireDate)
		later(&to.Inactive, u.Inactive)
		to.SSHAuthorizedKeys = append(to.SSHAuthorizedKeys, u.SSHAuthorizedKeys...)
		to.ImportGitHub = append(to.ImportGitHub, u.ImportGitHub...)
		to.Groups = append(to.Groups, u.Groups...)
		to.Sudo = append(to.Sudo, u.Sudo...)
	}
	return out
}

func later[T any](to *Value[T], v Value[T]) {
	if v.Set {
		*to = v
	}
}
