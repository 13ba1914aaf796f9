package schema

import (
	"path"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/script"
	"cloudconfig/schema/sshkey"
	"cloudconfig/schema/sudoers"
	"cloudconfig/schema/yamltree"
)

// inside looks at what a file of write_files holds, by where it goes and how it begins.
func (d *decoder) inside(f *File, content *yamltree.Node, at string) {
	if !f.Content.Set || d.Bad[content] {
		return
	}
	p := findings.Passage{Path: language.Join(at, "content"), Node: content, Text: string(f.Content.V), Secret: f.Secret}
	d.Keep(p)
	d.CheckText(p.Path, content, f.Secret)
	if f.Secret {
		d.concealed = append(d.concealed, content.Range)
	}
	switch clean := path.Clean(f.Path.V); {
	case clean == "/etc/sudoers" || path.Dir(clean) == "/etc/sudoers.d":
		d.sudoersFile(f, p, at)
	case isAuthorizedKeys(clean):
		d.Slips(p, sshkey.CheckFile(p.Text))
	case script.Is(p.Text):
		d.scriptFile(f, p)
	default:
		d.quiet = append(d.quiet, content.Range)
		return
	}
	if p.Text != content.Value {
		d.Slips(p, glyphs.Hidden(p.Text))
	}
}

// sudoersFile checks the rules in a file, and whether sudo reads it.
func (d *decoder) sudoersFile(f *File, p findings.Passage, at string) {
	d.Slips(p, sudoers.Check(p.Text))
	name := path.Base(f.Path.V)
	if dir := path.Dir(path.Clean(f.Path.V)); dir == "/etc/sudoers.d" && (strings.Contains(name, ".") || strings.HasSuffix(name, "~")) {
		d.ReportAt(rules.SudoersName, language.Join(at, "path"), f.Path.At, "sudo passes over files whose names have a dot in them or end in ~")
	}
	user, group, _ := strings.Cut(f.Owner.V, ":")
	ours := func(name string) bool { return name == "" || name == "root" || name == "0" }
	switch {
	case !ours(user):
		d.ReportAt(rules.SudoersMode, language.Join(at, "owner"), f.Owner.At, "sudo reads no rules from a file of another user than root").Detail = "leave owner out"
	case f.Mode.V&0o002 != 0, f.Mode.V&0o020 != 0 && !ours(group):
		d.ReportAt(rules.SudoersMode, language.Join(at, "permissions"), f.Mode.At, "sudo reads no rules from a file that others may write to").Detail = `write "0440"`
	}
}

// isAuthorizedKeys says that sshd reads a file as a list of keys, as it is usually set up.
func isAuthorizedKeys(clean string) bool {
	switch path.Base(clean) {
	case "authorized_keys", "authorized_keys2":
		return true
	}
	return strings.HasSuffix(path.Dir(clean), "/.ssh/authorized_keys.d") || strings.HasPrefix(clean, "/etc/ssh/authorized_keys/")
}

// scriptFile checks a script. One that cannot be run by its name may still be given to its interpreter, which
// does not look at the line that names it.
func (d *decoder) scriptFile(f *File, p findings.Passage) {
	runs := f.Mode.V&0o111 != 0
	var found []diag.Slip
	for _, s := range script.Check(p.Text) {
		switch {
		case s.Rule == rules.ScriptLineEnds && runs:
			s.Severity = diag.Error
		case s.Rule == rules.ScriptLineEnds:
			if !script.RunsInShell(p.Text) {
				continue
			}
		case s.Rule != rules.ScriptPipeShell && !runs:
			continue
		}
		found = append(found, s)
	}
	d.Slips(p, found)
}
