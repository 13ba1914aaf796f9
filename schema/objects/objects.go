// Package objects holds what a configuration makes (files, units, users, certificates) against each other, and against
// the image that it is for.
//
// [Check] is the thing to call. What can be said of a value by itself is said before, by package language.
package objects

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/image"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/sshkey"
)

// Input is what is looked at.
type Input struct {
	Config *config.Config
	// Meta is what is known of the instance, Image what its image has; nil where that is not known.
	Meta  *config.Metadata
	Image *image.Image
	Now   time.Time // that dates are held against; zero for not looking at them
}

// Check checks what entries need of each other, and of the image where a profile says what it has.
//
// A text of certificates that turns out to be a placeholder is taken out of the configuration.
func Check(found *findings.Collector, in Input) {
	w := &world{
		Collector: found, config: in.Config, image: in.Image,
		users: map[string]bool{}, groups: map[string]bool{}, files: map[string]*config.File{}, units: map[string]bool{},
	}
	w.gather()
	w.repeated()
	w.checkUsers()
	w.etcd()
	w.checkUnits()
	w.objects()
	w.checkCertificates(in.Now, in.Meta)
}

// objects checks what is only known once all that the configuration makes is gathered.
func (w *world) objects() {
	whole := w.Diags.Count(diag.Error)+w.Diags.Count(diag.Warning) == 0
	w.generated()
	w.owners()
	w.memberships()
	w.dependencies()
	if whole { // what was passed over may be what lets somebody in
		w.access()
	}
}

// world is what there will be, of this configuration and of the image.
type world struct {
	*findings.Collector
	config *config.Config
	image  *image.Image // nil if it is not known
	// users and groups are those that the configuration makes, units those whose text it has.
	users, groups, units map[string]bool
	files                map[string]*config.File // that are written whole, by path
	named                []*unitTexts            // in the order in which the names are first written
	byUnit               map[string]*unitTexts
	texts                []*unitText // of units, in the order written
	installing           *bool
	written              map[string]bool    // answers of mentions
	guesses              int                // how often a near name was looked for
	targets              map[string]string  // what was meant by names of targets
	misspelt             map[installed]bool // those that are reported
}

// gather fills the tables of what the configuration makes.
func (w *world) gather() {
	c := w.config
	w.users[w.defaultUser()], w.groups[w.defaultUser()] = true, true
	for i := range c.Users {
		u := &c.Users[i]
		w.users[u.Name.V] = true
		if !u.NoUserGroup.V && !u.PrimaryGroup.Set {
			w.groups[u.Name.V] = true
		}
	}
	for _, g := range c.Groups {
		w.groups[g.Name.V] = true
	}
	for i := range c.Files {
		if f := &c.Files[i]; f.Path.Set {
			w.files[f.Path.V] = f
		}
	}
	w.gatherUnits()
}

// defaultUser is whom keys at the top level belong to.
func (w *world) defaultUser() string {
	if w.image != nil && w.image.DefaultUser != "" {
		return w.image.DefaultUser
	}
	return "core"
}

// find reports what needs something that is not in the configuration, with a severity for where the image is
// known not to have it either. Without a profile that is worth knowing at most.
func (w *world) find(rule *diag.Rule, with diag.Severity, at source.Range, format string, args ...any) *diag.Diagnostic {
	f := w.ReportAt(rule, "", at, format, args...)
	f.Severity = w.severity(with)
	if w.image != nil {
		f.Summary += ", nor in " + w.image.Name
	}
	return f
}

func (w *world) severity(with diag.Severity) diag.Severity {
	if w.image == nil || with == diag.Warning && w.installs() {
		return diag.Info
	}
	return with
}

// installs says that something in the configuration may bring more than the image has.
func (w *world) installs() bool {
	if w.installing == nil {
		found := w.anyText(func(text string) bool {
			for _, command := range []string{"apt-get", "apt install", "dnf ", "yum ", "zypper ", "apk add", "dpkg -i", "rpm -", "pacman -S", "snap install"} {
				if strings.Contains(text, command) {
					return true
				}
			}
			return false
		})
		w.installing = &found
	}
	return *w.installing
}

// anyText says that one of the texts that a machine runs or reads is of a kind: units, files, scripts and commands.
func (w *world) anyText(is func(string) bool) bool {
	return slices.ContainsFunc(w.texts, func(t *unitText) bool { return is(t.from.Text) }) ||
		slices.ContainsFunc(w.config.Files, func(f config.File) bool { return is(string(f.Content.V)) }) ||
		w.anyScript(is)
}

// anyScript says that one of the scripts, boothooks and commands is of a kind. The words of a command stand without
// their quotes there.
func (w *world) anyScript(is func(string) bool) bool {
	matches := func(s config.Script) bool { return is(string(s.Content)) }
	runs := func(c config.Command) bool { return is(strings.ReplaceAll(c.Text, "'", "")) }
	return slices.ContainsFunc(w.config.Scripts, matches) || slices.ContainsFunc(w.config.Boothooks, matches) ||
		slices.ContainsFunc(w.config.BootCommands, runs) || slices.ContainsFunc(w.config.RunCommands, runs)
}

func isNumeric(name string) bool {
	_, err := strconv.ParseUint(name, 10, 32)
	return err == nil
}

// hasUser says that an account will be there, or may be where the image is not known and the name is one that
// systems bring.
func (w *world) hasUser(name string) bool {
	if w.users[name] || isNumeric(name) {
		return true
	}
	if w.image == nil {
		return isSystemName(name)
	}
	return w.image.User(name) != nil
}

func (w *world) hasGroup(name string) bool {
	if w.groups[name] || isNumeric(name) {
		return true
	}
	if w.image == nil {
		return isSystemName(name)
	}
	return w.image.Group(name) != nil
}

// isSystemName says that an account or group is one that distributions or CoreOS bring, so that nobody has to
// be told that the configuration does not make it.
func isSystemName(name string) bool {
	switch name {
	case "root", "adm", "admin", "audio", "backup", "bin", "cdrom", "core", "crontab", "daemon", "dialout", "disk", "docker", "etcd", "fleet", "floppy", "ftp",
		"games", "incus", "input", "kmem", "kvm", "libvirt", "locksmith", "lp", "lxd", "mail", "man", "messagebus", "netdev", "news", "nobody", "nogroup", "ntp",
		"operator", "plugdev", "polkitd", "portage", "proxy", "render", "rkt", "rkt-admin", "shadow", "src", "sshd", "staff", "sudo", "sync", "sys", "syslog",
		"tape", "tty", "users", "utmp", "uucp", "video", "wheel", "www-data":
		return true
	}
	return strings.HasPrefix(name, "systemd-")
}

// owners checks who owns the files that are written.
func (w *world) owners() {
	for i := range w.config.Files {
		f := &w.config.Files[i]
		user, group, _ := strings.Cut(f.Owner.V, ":")
		switch {
		case !f.Owner.Set:
		case user != "" && !w.hasUser(user):
			w.find(rules.OwnerElsewhere, diag.Error, f.Owner.At, "user %q is not in this configuration", user).Detail = w.near(user, w.users, w.imageUsers)
		case group != "" && !w.hasGroup(group):
			w.find(rules.OwnerElsewhere, diag.Error, f.Owner.At, "group %q is not in this configuration", group).Detail = w.near(group, w.groups, w.imageGroups)
		}
	}
}

// memberships checks the groups of users, the members of groups, and shells.
func (w *world) memberships() {
	for i := range w.config.Users {
		u := &w.config.Users[i]
		isRoot := u.Name.V == "root" || len(u.Sudo) > 0 || slices.ContainsFunc(u.Groups, isAdmin)
		for _, g := range append([]config.Value[string]{u.PrimaryGroup}, u.Groups...) {
			if g.Set && !w.hasGroup(g.V) {
				w.find(rules.GroupElsewhere, diag.Error, g.At, "group %q is not in this configuration", g.V).Detail = w.near(g.V, w.groups, w.imageGroups)
			}
			if isPowerful(g.V) && !isRoot {
				w.ReportAt(rules.GroupPowerful, "", g.At, "%s can become root through the group %s", userName(u), g.V)
			}
		}
		if u.Shell.Set && w.isMissing(path.Clean(u.Shell.V)) {
			w.find(rules.ShellMissing, diag.Warning, u.Shell.At, "%q is not in this configuration", u.Shell.V)
		}
		if len(u.Sudo) > 0 && w.image != nil && !w.image.Program("sudo") {
			f := w.ReportAt(rules.SudoMissing, "", u.Sudo[0].At, "%s has no sudo", w.image.Name)
			f.Severity = w.severity(diag.Warning)
		}
	}
	for _, g := range w.config.Groups {
		for _, m := range g.Members {
			if !w.hasUser(m.V) {
				w.find(rules.MemberElsewhere, diag.Error, m.At, "user %q is not in this configuration", m.V).Detail = w.near(m.V, w.users, w.imageUsers)
			}
		}
	}
}

func userName(u *config.User) string {
	if u.Default {
		return "the default user"
	}
	return u.Name.V
}

// isPowerful says that members of a group can become root, though it is not made for that.
func isPowerful(group string) bool {
	return group == "docker" || group == "lxd" || group == "incus" || group == "disk"
}

// isAdmin says that a group is made for those who may become root.
func isAdmin(group config.Value[string]) bool { return group.V == "sudo" || group.V == "wheel" }

// isMissing says that a program is certainly not there: the image is known, and its directory is one where
// nothing in the configuration can have put it.
func (w *world) isMissing(program string) bool {
	if w.image == nil || w.files[program] != nil {
		return false
	}
	there, known := w.image.Has(program)
	if there || !known {
		return false
	}
	dir := path.Dir(program)
	return slices.Contains([]string{"/bin", "/sbin", "/usr/bin", "/usr/sbin"}, dir) || !w.mentions(dir)
}

// maxGuesses bounds how often a near name is looked for, a thousand names at a time, since each costs as much as
// there are names.
const maxGuesses = 32

// near is the name that was most likely meant, in words, of those that the configuration makes and those of the
// image.
func (w *world) near(name string, made map[string]bool, more func() []string) string {
	if w.guesses += 1 + len(made)/1000; w.guesses > maxGuesses {
		return ""
	}
	var names []string
	for n := range made {
		names = append(names, n)
	}
	slices.Sort(names)
	if w.image != nil {
		names = append(names, more()...)
	}
	if n := spelling.Nearest(name, names); n != "" && n != name {
		return "did you mean " + strconv.Quote(n) + "?"
	}
	return ""
}

func (w *world) imageUsers() []string {
	var names []string
	for i := range w.image.Users {
		names = append(names, w.image.Users[i].Name)
	}
	return names
}

func (w *world) imageGroups() []string {
	var names []string
	for i := range w.image.Groups {
		names = append(names, w.image.Groups[i].Name)
	}
	return names
}

// conflict reports an entry of write_files for a file that something else makes whole, and gives nil if there is none.
func (w *world) conflict(file, by string, at source.Range) *diag.Diagnostic {
	f := w.files[file]
	if f == nil || f.Append.V {
		return nil
	}
	d := w.ReportAt(rules.FileGenerated, "", f.Path.At, "%q is made by %s too", f.Path.V, by)
	if f.Defer.V {
		d.Severity, d.Detail = diag.Warning, "this entry wins"
	}
	d.Related = []diag.Related{{Message: by, At: at}}
	return d
}

// generated checks entries of write_files for files that another key makes. Where the two are put together,
// as in /etc/hosts and ~/.ssh/authorized_keys, there is nothing to say.
func (w *world) generated() {
	c := w.config
	if f := w.files["/etc/hostname"]; f != nil && c.Hostname.Set && strings.TrimSpace(string(f.Content.V)) != c.Hostname.V {
		if d := w.conflict("/etc/hostname", "hostname", c.Hostname.At); d != nil {
			d.Severity, d.Detail = diag.Warning, "this entry wins"
		}
	}
	for i := range c.Users {
		if c.Users[i].Default {
			continue
		}
		for _, file := range []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"} {
			if d := w.conflict(file, "users", c.Users[i].At); d != nil {
				d.Severity = diag.Warning // an error of the machine's, if the account is not there already
			}
		}
		break
	}
	for i := range c.Users {
		if len(c.Users[i].Sudo) > 0 {
			w.conflict("/etc/sudoers.d/90-provisioner-users", "sudo", c.Users[i].Sudo[0].At)
			break
		}
	}
	if c.OEM.ID.V != "" {
		w.conflict("/etc/oem-release", "coreos.oem", c.OEM.ID.At)
	}
	for _, a := range c.Agents {
		switch {
		case len(a.Settings) == 0:
		case a.Name == "flannel":
			w.conflict("/run/flannel/options.env", "coreos.flannel", a.At)
		default:
			w.conflict("/run/systemd/system/"+agentService(a.Name)+".d/20-cloudinit.conf", "coreos."+a.Name, a.At)
		}
	}
	for i := range c.Units {
		u := &c.Units[i]
		dir := unitDirectory(u)
		if u.Content.V != "" {
			w.conflict(dir+u.Name.V, "coreos.units", u.Name.At)
		}
		for _, drop := range u.DropIns {
			if drop.Content.V != "" {
				w.conflict(dir+u.Name.V+".d/"+drop.Name.V, "coreos.units", drop.Name.At)
			}
		}
	}
}

// unitDirectory is where a unit of the configuration goes, with a slash at its end.
func unitDirectory(u *config.Unit) string {
	dir := "/etc/systemd/"
	if u.Runtime.V {
		dir = "/run/systemd/"
	}
	if language.IsNetworkFile(u.Name.V) {
		return dir + "network/"
	}
	return dir + "system/"
}

// agentService is the unit of an agent.
func agentService(agent string) string {
	switch agent {
	case "locksmith", "flannel":
		agent += "d"
	}
	return agent + ".service"
}

// access checks that somebody can log in, and that somebody who can is able to become root. Whether the platform
// brings a key is not known here, so this says nothing of configurations that leave it to the platform.
func (w *world) access() {
	c := w.config
	login, admin := len(c.SSHAuthorizedKeys) > 0, len(c.SSHAuthorizedKeys) > 0
	password := map[string]bool{}
	for _, p := range c.System.Passwords {
		password[p.User.V] = true
		login = true
		admin = admin || !p.User.Set || p.User.V == "root" || p.User.V == w.defaultUser()
	}
	for file := range w.files {
		// A file for sudoers or polkit is the user's own way to say who becomes root.
		admin = admin || strings.HasPrefix(file, "/etc/sudoers") || strings.HasPrefix(file, "/etc/polkit-1/")
	}
	var can, cannot *config.User // the first of each
	for i := range c.Users {
		u := &c.Users[i]
		switch {
		case u.Default || u.Name.V == w.defaultUser():
			return // who has the platform's keys, and may become root
		case canLogin(u) || password[u.Name.V]:
			login = true
			admin = admin || w.canBecomeRoot(u)
			if can == nil {
				can = u
			}
		case cannot == nil && isPerson(u):
			cannot = u
		}
	}
	if w.image != nil {
		for i := range w.image.Users {
			if u := &w.image.Users[i]; u.Password || u.Keys {
				login = true
				admin = admin || u.UID == 0 || slices.ContainsFunc(w.image.AdminGroups, func(name string) bool {
					g := w.image.Group(name)
					return g != nil && (g.GID == u.GID || slices.Contains(g.Members, u.Name))
				})
			}
		}
	}
	switch {
	case cannot != nil && !login:
		f := w.ReportAt(rules.NoLogin, "", cannot.At, "nobody whom this configuration names can log in")
		f.Severity, f.Detail = w.severity(diag.Warning), "give "+cannot.Name.V+" an SSH key or a password"
	case can != nil && !admin:
		f := w.ReportAt(rules.NoRoot, "", can.At, "nobody who can log in can become root")
		f.Severity, f.Detail = w.severity(diag.Warning), "such as sudo: ALL=(ALL) ALL for "+can.Name.V
	}
}

// isPerson says that a user is meant to log in.
func isPerson(u *config.User) bool {
	shell := path.Base(u.Shell.V)
	return !u.System.V && shell != "nologin" && shell != "false"
}

// canLogin says that a user has a key, or will have one, or a password.
func canLogin(u *config.User) bool {
	hash := u.Passwd.V.Reveal()
	switch {
	case !isPerson(u) && u.Shell.Set:
		return false
	case len(u.ImportGitHub) > 0 || u.ImportURL.Set:
		return true
	case u.Passwd.Set && !u.LockPasswd.V && hash != "" && hash[0] != '!' && hash[0] != '*':
		return true
	}
	return slices.ContainsFunc(u.SSHAuthorizedKeys, func(key config.Value[string]) bool {
		_, err := sshkey.Parse(key.V)
		return err == nil
	})
}

func (w *world) canBecomeRoot(u *config.User) bool {
	return u.Name.V == "root" || len(u.Sudo) > 0 || slices.ContainsFunc(append([]config.Value[string]{u.PrimaryGroup}, u.Groups...), func(g config.Value[string]) bool {
		return isAdmin(g) || isPowerful(g.V) || g.V == "admin" || w.image != nil && slices.Contains(w.image.AdminGroups, g.V)
	})
}
