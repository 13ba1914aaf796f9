package schema

import "path"

// tidy makes paths clean, and one item of all that name the same user.
func (d *decoder) tidy() {
	for i := range d.config.Files {
		if f := &d.config.Files[i]; f.Path.Set {
			f.Path.V = path.Clean(f.Path.V)
		}
	}
	d.config.Users = mergeUsers(d.config.Users)
}

// mergeUsers makes one item of all that name the same user, since cloud-init's users write them so: of single values
// the later one wins.
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
