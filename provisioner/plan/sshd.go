package plan

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/sshkey"
)

const (
	sshdConfig    = "etc/ssh/sshd_config"
	sshdConfigDir = "etc/ssh/sshd_config.d"
	// sshdFile sorts before what cloud-init (50-cloud-init.conf), Fedora (40-, 50-redhat.conf) and Azure's
	// images have there: of two settings sshd takes the first.
	sshdFile = sshdConfigDir + "/20-provisioner.conf"
)

// sshServer plans the host keys of sshd, and what sshd is told of them and of passwords.
func (c *computation) sshServer() {
	s := c.Config.System.SSH
	var settings []sshSetting
	if p := s.PasswordAuthentication; p.Set {
		value := "no"
		if p.V {
			value = "yes"
		}
		settings = append(settings, sshSetting{"PasswordAuthentication", value, p.At})
	}
	var files []string
	for i := range s.HostKeys {
		k := &s.HostKeys[i]
		files = append(files, c.hostKey(k)...)
		if k.Certificate.Set {
			settings = append(settings, sshSetting{"HostCertificate", "/" + hostKeyFile(k) + "-cert.pub", k.Certificate.At})
		}
	}
	c.deleteHostKeys()
	if len(settings) > 0 {
		files = append(files, c.sshSettings(settings))
	}
	if len(files) == 0 {
		return
	}
	// Debian calls the unit ssh, everybody else sshd.
	unit, why := "ssh.service", source.Range{}
	if !c.find(unit).exists() {
		unit = "sshd.service"
	}
	for _, f := range files {
		if cl := c.claimAt(f); cl != nil && why.IsZero() && c.changes(f) {
			why = firstRange(cl.want.Why)
		}
	}
	c.restart(unit, "reload-or-try-restart", why, files...)
}

// sshSetting is a line of sshd_config(5).
type sshSetting struct {
	key, value string
	at         source.Range
}

// repeats says that every line of a key counts, not the first alone.
func (s sshSetting) repeats() bool { return s.key == "HostCertificate" }

// is says that a line sets the same key, of several that count to the same value.
func (s sshSetting) is(l sshLine) bool {
	return strings.EqualFold(l.key, s.key) && (!s.repeats() || l.value == s.value)
}

// sshSettings plans settings of sshd: in a file of our own where its configuration includes that before it says
// anything else of them, else line by line in the configuration itself. It gives the file.
func (c *computation) sshSettings(settings []sshSetting) string {
	main := c.resolve(sshdConfig)
	text, there := c.current(main)
	if !there { // openSUSE's, which a file in /etc would replace
		text, there = c.current(c.resolve("usr/" + sshdConfig))
	}
	lines := sshLines(text)
	included := slices.IndexFunc(lines, sshLine.includesDir)
	if said := slices.IndexFunc(lines, func(l sshLine) bool {
		return slices.ContainsFunc(settings, func(s sshSetting) bool { return !s.repeats() && s.is(l) })
	}); there && (included < 0 || said >= 0 && said < included) {
		return c.editSSH(main, string(text), settings)
	}
	var own strings.Builder
	var why []source.Range
	for _, s := range settings {
		own.WriteString(s.key + " " + s.value + "\n")
		why = append(why, s.at)
		c.reportHidden(s)
	}
	c.put(&Change{Kind: WriteFile, Path: sshdFile, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(own.String()), Why: unique(why)})
	return sshdFile
}

// reportHidden reports a file that sshd reads before ours and that says otherwise.
func (c *computation) reportHidden(s sshSetting) {
	if s.repeats() {
		return
	}
	for _, name := range c.list(sshdConfigDir) {
		if name >= path.Base(sshdFile) || !strings.HasSuffix(name, ".conf") {
			continue
		}
		text, _ := c.current(c.resolve(path.Join(sshdConfigDir, name)))
		lines := sshLines(text)
		if i := slices.IndexFunc(lines, s.is); i >= 0 && !strings.EqualFold(lines[i].value, s.value) {
			c.report(rules.SSHSettingHidden, s.at, "/%s/%s sets %s %s, and is read first", sshdConfigDir, name, s.key, lines[i].value)
			return
		}
	}
}

// editSSH plans settings as lines of sshd's configuration: in place of the first line that has the key, else
// before the first Match block, since what follows that counts for some connections only.
func (c *computation) editSSH(file, text string, settings []sshSetting) string {
	attr := fsroot.Attr{Mode: 0o644}
	if a, ok := c.attr(file); ok {
		attr = a
	}
	records := []Record{} // never nil: the file is shared even if nothing of ours changes
	var why []source.Range
	for _, s := range settings {
		why = append(why, s.at)
		line := s.key + " " + s.value + "\n"
		lines := sshLines([]byte(text))
		r := Record{Name: s.key, Action: "added", Detail: s.value, Why: []source.Range{s.at}}
		at, end := globalEnd(text), 0
		var found *string
		if i := slices.IndexFunc(lines, s.is); i >= 0 {
			found, at, end = &lines[i].value, lines[i].start, lines[i].end
			r.Action = "changed"
		}
		if !c.hold(file, SSHForm, sshLine{key: s.key, value: s.value}.name(), s.value, found) || found != nil && *found == s.value {
			continue
		}
		if end == 0 {
			end = at
		}
		if at > 0 && text[at-1] != '\n' {
			line = "\n" + line
		}
		text = text[:at] + line + text[end:]
		records = append(records, r)
	}
	c.put(&Change{Kind: WriteFile, Path: file, Attr: attr, Data: []byte(text), Records: records, Why: unique(why)})
	return file
}

// sshLine is a setting in a configuration of sshd, with the offsets of its line.
type sshLine struct {
	key, value string
	start, end int
}

// sshLines are the settings of a configuration that count for every connection: those before the first Match.
//
// Source: sshd_config(5) of OpenSSH 9.2: keys are in any case, a "=" may stand after one, an argument may be in
// double quotes, and a comment may follow.
func sshLines(text []byte) []sshLine {
	var out []sshLine
	at := 0
	for line := range bytes.Lines(text) {
		l := sshLine{start: at, end: at + len(line)}
		at = l.end
		rest := strings.TrimSpace(string(line))
		if rest == "" || rest[0] == '#' {
			continue
		}
		i := strings.IndexAny(rest, " \t=")
		if i < 0 {
			continue
		}
		l.key, rest = rest[:i], strings.TrimLeft(rest[i:], " \t=")
		if strings.EqualFold(l.key, "Match") {
			break
		}
		if j := strings.Index(rest, " #"); j >= 0 {
			rest = rest[:j]
		}
		l.value = strings.Trim(strings.TrimSpace(rest), `"`)
		out = append(out, l)
	}
	return out
}

// globalEnd is the offset of the first Match block, or the end of the text.
func globalEnd(text string) int {
	at := 0
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && strings.EqualFold(f[0], "Match") {
			return at
		}
		at += len(line)
	}
	return at
}

// name is that of the line's record.
func (l sshLine) name() string {
	if strings.EqualFold(l.key, "HostCertificate") { // of which every line counts
		return "HostCertificate " + l.value
	}
	return strings.ToLower(l.key)
}

// includesDir says that a line includes every .conf in sshdConfigDir.
func (l sshLine) includesDir() bool {
	return strings.EqualFold(l.key, "Include") && slices.ContainsFunc(strings.Fields(l.value), func(p string) bool {
		return p == "/"+sshdConfigDir+"/*.conf" || p == path.Base(sshdConfigDir)+"/*.conf"
	})
}

// hostKeyFile is where a host key's private part is.
func hostKeyFile(k *schema.HostKey) string { return "etc/ssh/ssh_host_" + k.Type + "_key" }

// hostKey plans the files of a host key and gives those that sshd reads. The public key is made from the private
// one where it is not given; sshd needs it for nothing but certificates, people to compare.
func (c *computation) hostKey(k *schema.HostKey) (files []string) {
	file := hostKeyFile(k)
	public, at := strings.TrimSpace(k.Public.V), k.Public.At
	if k.Private.Set {
		made, err := sshkey.Public([]byte(k.Private.V.Reveal()))
		switch {
		case err != nil && (public == "" || k.Type != "dsa"): // which nobody reads any more
			c.report(rules.HostKeyPublic, k.Private.At, "the %s host key: %v", k.Type, err).Secret = true
		case err == nil && public == "":
			public, at = made.String(), k.Private.At
		}
		c.put(&Change{
			Kind: WriteFile, Path: file, Attr: c.hostKeyAttr(), Secret: true,
			Data: []byte(strings.TrimRight(k.Private.V.Reveal(), "\n") + "\n"), Why: []source.Range{k.Private.At},
		})
		files = append(files, file)
	}
	for _, f := range []struct {
		path, text string
		at         source.Range
	}{{file + ".pub", public, at}, {file + "-cert.pub", strings.TrimSpace(k.Certificate.V), k.Certificate.At}} {
		if f.text != "" {
			c.put(&Change{Kind: WriteFile, Path: f.path, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(f.text + "\n"), Why: []source.Range{f.at}})
			files = append(files, f.path)
		}
	}
	return files
}

// hostKeyTypes are those of which an image may have a key.
var hostKeyTypes = [...]string{"rsa", "dsa", "ecdsa", "ed25519"}

// hostKeyAttr is owner and mode of a private host key: root's alone, but for those Fedoras whose own keys are
// the group's ssh_keys, since OpenSSH takes such a key from no other.
func (c *computation) hostKeyAttr() fsroot.Attr {
	gid, ok := c.users.group("ssh_keys")
	for _, t := range hostKeyTypes {
		s := c.see("etc/ssh/ssh_host_" + t + "_key")
		if ok && s.Kind == fsroot.Regular && s.Attr == (fsroot.Attr{Mode: 0o640, GID: gid}) {
			return s.Attr
		}
	}
	return fsroot.Attr{Mode: 0o600}
}

// deleteHostKeys plans that the image's host keys go, but for those that are given. An sshd without a key lets
// nobody in, and nothing is generated here: so they go only from an image that makes new ones when it boots.
func (c *computation) deleteHostKeys() {
	del := c.Config.System.SSH.DeleteKeys
	if !del.V {
		return
	}
	given := map[string]bool{}
	for i := range c.Config.System.SSH.HostKeys {
		if k := &c.Config.System.SSH.HostKeys[i]; k.Private.Set {
			given[hostKeyFile(k)] = true
		}
	}
	var old []string
	for _, t := range hostKeyTypes {
		file := "etc/ssh/ssh_host_" + t + "_key"
		if c.see(file).Kind == fsroot.Regular && !given[file] {
			old = append(old, file)
		}
	}
	generates := slices.ContainsFunc([]string{"sshd-keygen@.service", "sshd-keygen.service", "ssh-keygen.service", "sshdgenkeys.service"},
		func(unit string) bool { f := c.find(unit); return f.exists() && !f.masked })
	switch {
	case len(old) == 0:
	case c.Facts.Live:
		c.report(rules.HostKeysKept, del.At, "the image's host keys stay: sshd may run with them already")
	case !generates:
		c.report(rules.HostKeysKept, del.At, "the image's host keys stay: no unit of this system makes new ones")
	default:
		for _, file := range old {
			for _, f := range []string{file, file + ".pub", file + "-cert.pub"} {
				if c.see(f).Kind == fsroot.Regular {
					c.put(&Change{Kind: Remove, Path: f, Why: []source.Range{del.At}})
				}
			}
		}
	}
}

// rootOptions is what stands before a key that must not let root in: whoever comes with it is told as whom to
// log in. They are those of disable_root where disable_root_opts does not say.
const rootOptions = `restrict,command="echo 'Log in as $USER, not as $DISABLE_USER.'; sleep 10; exit 1"`

// disabledOptions are the options of keys for a user, "" if they let him in.
func (c *computation) disabledOptions(user string) string {
	s := c.Config.System.SSH
	if !s.DisableRoot.V || user != "root" {
		return ""
	}
	options := rootOptions
	if s.DisableRootOptions.Set {
		var ok bool
		if options, ok = c.oneLine(s.DisableRootOptions); !ok {
			return ""
		}
	}
	login := c.DefaultUser
	if login == "" {
		login = "NONE"
	}
	return strings.NewReplacer("$DISABLE_USER", user, "$USER", login).Replace(strings.TrimSpace(options))
}
