package objects

import (
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/sshkey"
)

// IsSystemDirectory says that a directory is no place for a home; dir is absolute and clean.
func IsSystemDirectory(dir string) bool {
	switch dir {
	case "/", "/home", "/lib", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var",
		"/usr/bin", "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/sbin", "/usr/share", "/usr/src",
		"/usr/local/bin", "/usr/local/lib", "/usr/local/sbin",
		"/var/cache", "/var/home", "/var/lib", "/var/local", "/var/lock", "/var/log", "/var/mail", "/var/opt", "/var/roothome", "/var/run", "/var/spool", "/var/tmp",
		"/run/user":
		return true
	}
	top, _, _ := strings.Cut(dir[1:], "/")
	return slices.Contains([]string{"bin", "boot", "dev", "efi", "etc", "lib32", "lib64", "proc", "sbin", "sys"}, top)
}

// IsSudoRule says that a rule is one line that is about one user. A name in capitals would be an alias in
// sudoers (ALL is everybody), and a backslash at the end joins the next line to this one.
func IsSudoRule(user, rule string) bool {
	return strings.ContainsFunc(user, func(r rune) bool { return r >= 'a' && r <= 'z' }) &&
		strings.Contains(rule, "=") && !strings.HasSuffix(rule, `\`) &&
		!strings.ContainsFunc(rule, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// checkUsers checks what the fields of one user say together.
func (w *world) checkUsers() {
	w.keysTwice(w.config.SSHAuthorizedKeys)
	for i := range w.config.Users {
		u := &w.config.Users[i]
		w.keysTwice(u.SSHAuthorizedKeys)
		if home := path.Clean(u.HomeDir.V); u.HomeDir.Set && path.IsAbs(home) && IsSystemDirectory(home) && (home != "/root" || u.Name.V != "root") {
			w.ReportAt(rules.HomeOfSystem, "", u.HomeDir.At, "%q cannot be the home of %s", u.HomeDir.V, u.Name.V)
		}
		for _, rule := range u.Sudo {
			if !IsSudoRule(u.Name.V, rule.V) {
				w.ReportAt(rules.SudoRule, "", rule.At, "not a rule that sudoers can have for %s", u.Name.V)
			}
		}
	}
}

// keysTwice finds keys that a list has twice, whatever stands around them.
func (w *world) keysTwice(keys []config.Value[string]) {
	first := map[string]source.Range{}
	for _, v := range keys {
		k, err := sshkey.Parse(v.V)
		if err != nil {
			continue
		}
		if at, there := first[k.Blob]; there {
			f := w.ReportAt(rules.SSHKeyTwice, "", v.At, "the key is in the list already")
			f.Related = []diag.Related{{Message: "the first one", At: at}}
			continue
		}
		first[k.Blob] = v.At
	}
}
