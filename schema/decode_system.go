package schema

import (
	"fmt"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/passhash"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/sshkey"
	"cloudconfig/schema/yamltree"
)

// readSystem fills System from the top level.
func (d *decoder) readSystem(m reader) {
	s := &d.config.System
	s.FQDN = m.text("fqdn")
	s.PreserveHostname = m.boolean("preserve_hostname")
	s.CreateHostnameFile = m.boolean("create_hostname_file")
	s.PreferFQDN = m.boolean("prefer_fqdn_over_hostname")
	s.Timezone = m.text("timezone")
	if n := m.node("locale"); n != nil {
		if _, isSwitch := language.AsBoolean(n); !isSwitch {
			s.Locale = d.asText(n)
		}
	}
	if n := m.node("keyboard"); n != nil {
		km := d.mapping(n, language.At("keyboard"))
		s.Keyboard.Layout = km.text("layout")
		s.Keyboard.Model = km.text("model")
		s.Keyboard.Variant = km.text("variant")
		s.Keyboard.Options = km.text("options")
	}
	if n := m.found["ntp"]; n != nil && !d.Bad[n] {
		nm := d.mapping(n, language.At("ntp"))
		s.NTP.At = findings.FirstLine(n.Range)
		s.NTP.Enabled = nm.boolean("enabled")
		s.NTP.Servers = append(s.NTP.Servers, nm.texts("servers")...)
		s.NTP.Pools = append(s.NTP.Pools, nm.texts("pools")...)
	}
	d.readResolver(m)
	if n := m.node("ca_certs"); n != nil {
		cm := d.mapping(n, language.At("ca_certs"))
		s.CACerts.RemoveDefaults = cm.boolean("remove_defaults")
		for i, item := range cm.items("trusted") {
			if v := d.asText(item); v.Set {
				s.CACerts.Trusted = append(s.CACerts.Trusted, v)
				d.Keep(findings.Passage{Path: fmt.Sprintf("ca_certs.trusted[%d]", i), Node: item, Text: v.V})
			}
		}
	}
	d.readSSH(m)
	d.readPasswords(m)
	if n := m.node("phone_home"); n != nil {
		pm := d.mapping(n, language.At("phone_home"))
		p := PhoneHome{At: findings.FirstLine(n.Range), Tries: pm.integer("tries"), Post: pm.texts("post")}
		if address := pm.text("url"); address.Set {
			p.URL = Value[Secret]{V: Secret(address.V), At: address.At, Set: true}
			if strings.ContainsAny(address.V, "?@") { // where people put their tokens
				at := pm.node("url")
				d.Secret[at] = true
				d.Hide(at)
			}
		}
		if len(p.Post) == 1 && p.Post[0].V == "all" {
			p.Post = nil
		}
		s.PhoneHome = &p
	}
}

func (d *decoder) readResolver(m reader) {
	n := m.node("resolv_conf")
	if n == nil {
		return
	}
	if !m.boolean("manage_resolv_conf").V {
		key := language.PairOf(m.n, "resolv_conf").Key
		d.ReportAt(rules.ResolverIdle, "resolv_conf", key.Range, "resolv_conf has no effect without manage_resolv_conf").Detail = "write manage_resolv_conf: true"
		return
	}
	rm, r := d.mapping(n, language.At("resolv_conf")), &d.config.System.Resolver
	r.At = findings.FirstLine(n.Range)
	r.Nameservers = append(r.Nameservers, rm.texts("nameservers")...)
	r.SearchDomains = append(r.SearchDomains, rm.texts("searchdomains")...)
	r.Domain = rm.text("domain")
}

func (d *decoder) readSSH(m reader) {
	s := &d.config.System.SSH
	if auth := m.word("ssh_pwauth"); auth.Set && auth.V != "unchanged" {
		s.PasswordAuthentication = Value[bool]{V: !isFalse(auth.V), At: auth.At, Set: true}
	}
	s.DisableRoot = m.boolean("disable_root")
	s.DisableRootOptions = m.text("disable_root_opts")
	s.DeleteKeys = m.boolean("ssh_deletekeys")
	s.GenerateKeyTypes = append(s.GenerateKeyTypes, m.texts("ssh_genkeytypes")...)
	c := &s.Console
	c.NoFingerprints, c.KeyHash = m.boolean("no_ssh_fingerprints"), m.text("authkey_hash")
	c.WithoutFingerprint = append(c.WithoutFingerprint, m.texts("ssh_fp_console_blacklist")...)
	c.WithoutKey = append(c.WithoutKey, m.texts("ssh_key_console_blacklist")...)
	if n := m.node("ssh"); n != nil {
		c.HostKeys = d.mapping(n, language.At("ssh")).boolean("emit_keys_to_console")
	}
	if n := m.node("ssh_keys"); n != nil {
		km := d.mapping(n, language.At("ssh_keys"))
		for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
			k := HostKey{Type: kind, Private: km.secret(kind + "_private"), Public: km.text(kind + "_public"), Certificate: km.text(kind + "_certificate")}
			if !samePair(k) {
				d.Report(rules.HostKeyMismatch, "ssh_keys."+kind+"_public", km.node(kind+"_public"), "the public %s host key is not that of the private one", kind)
			}
			if k.Private.Set || k.Public.Set || k.Certificate.Set {
				s.HostKeys = append(s.HostKeys, k)
			}
		}
	}
	if names := atGitHub(m.texts("ssh_import_id")); names != nil {
		d.config.Users = append(d.config.Users, User{At: names[0].At, Default: true, ImportGitHub: names})
	}
}

// samePair says that the public key of a pair is that of the private one, as far as both are given and can be read.
func samePair(k HostKey) bool {
	made, err := sshkey.Public([]byte(k.Private.V.Reveal()))
	if !k.Private.Set || !k.Public.Set || err != nil {
		return true
	}
	given, err := sshkey.Parse(k.Public.V)
	return err != nil || given.Type == made.Type && given.Blob == made.Blob
}

// atGitHub are the names of "gh:NAME" among what ssh_import_id has.
func atGitHub(ids []Value[string]) []Value[string] {
	var out []Value[string]
	for _, id := range ids {
		if name, ok := strings.CutPrefix(id.V, "gh:"); ok {
			id.V = name
			out = append(out, id)
		}
	}
	return out
}

// readPasswords reads password and chpasswd.
func (d *decoder) readPasswords(m reader) {
	if n := m.node("password"); n != nil {
		d.password(Value[string]{}, findings.Passage{Path: "password", Node: n, Text: n.Value}, 0, len(n.Value))
	}
	n := m.node("chpasswd")
	if n == nil {
		return
	}
	cm := d.mapping(n, language.At("chpasswd"))
	d.config.System.ExpirePasswords = cm.boolean("expire")
	for i, item := range cm.items("users") {
		if d.Bad[item] || item.Kind != yamltree.Mapping {
			continue
		}
		if t := language.PairOf(item, "type").Value; t != nil && (d.Bad[t] || t.Value == "RANDOM") {
			continue
		}
		um := d.mapping(item, language.At("chpasswd.users"))
		value := um.node("password")
		user := um.text("name")
		if value == nil || !user.Set {
			continue
		}
		p := findings.Passage{Path: fmt.Sprintf("chpasswd.users[%d].password", i), Node: value, Text: value.Value}
		if um.text("type").V == "text" {
			d.plaintext(user, p, 0, len(p.Text))
		} else {
			d.hashed(user, p, 0, len(p.Text))
		}
	}
	for i, item := range cm.items("list") {
		path := "chpasswd.list"
		if cm.node("list").Kind == yamltree.Sequence {
			path = fmt.Sprintf("%s[%d]", path, i)
		}
		if v := d.asText(item); v.Set {
			d.passwordLines(findings.Passage{Path: path, Node: item, Text: item.Value})
		}
	}
}

// passwordLines reads lines of a name, a colon and a password.
func (d *decoder) passwordLines(p findings.Passage) {
	from := 0
	for text := range strings.Lines(p.Text) {
		entry := strings.TrimRight(text, "\r\n")
		name, password, ok := strings.Cut(entry, ":")
		switch {
		case strings.TrimSpace(entry) == "":
		case !ok || !language.ValidAccountName(name) || password == "":
			d.aboutPassword(p, from, from+len(entry), diag.Slip{Rule: rules.PasswordLine, Summary: p.Path + " has a line that sets no password", Detail: "write a user's name, a colon and a password or its hash"})
		default:
			user := Value[string]{V: name, At: d.placeIn(p, from, from+len(name)), Set: true}
			d.password(user, p, from+len(name)+1, from+len(entry))
		}
		from += len(text)
	}
}

// farIn is how many bytes into a text a place is looked for: it takes counting the lines up to it, and a hostile
// text has many.
const farIn = 64 << 10

func (d *decoder) placeIn(p findings.Passage, from, to int) source.Range {
	if to > farIn {
		return findings.FirstLine(p.Node.Range)
	}
	return p.Node.Span(d.Sources[p.Node.Range.File], from, to)
}

// aboutPassword reports what is found about a piece of a text that holds passwords.
func (d *decoder) aboutPassword(p findings.Passage, from, to int, s diag.Slip) {
	if s.Secret = true; to <= farIn {
		s.From, s.To = from, to
	}
	d.Slips(p, []diag.Slip{s})
}

// password takes what may be a password, its hash, or a wish for one at random, as cloud-init tells them apart.
func (d *decoder) password(user Value[string], p findings.Passage, from, to int) {
	switch text := p.Text[from:to]; {
	case text == "R" || text == "RANDOM":
		d.aboutPassword(p, from, to, diag.Slip{Rule: rules.NotApplied, Summary: p.Path + " asks for a password at random, which is not acted on yet", Detail: "give a hash"})
	case strings.HasPrefix(text, "$") && strings.Count(text, "$") >= 3:
		d.hashed(user, p, from, to)
	default:
		d.plaintext(user, p, from, to)
	}
}

func (d *decoder) plaintext(user Value[string], p findings.Passage, from, to int) {
	if from == to {
		d.aboutPassword(p, 0, 0, diag.Slip{Rule: rules.PasswordLine, Summary: p.Path + " is empty and sets no password"})
		return
	}
	what := " is"
	if from > 0 {
		what = " has"
	}
	d.aboutPassword(p, from, to, diag.Slip{Rule: rules.PasswordPlaintext, Summary: p.Path + what + " a password in plain text", Detail: "give a hash, as mkpasswd prints it"})
	d.addPassword(user, p, from, to, false)
}

// hashed takes a hash. One that is none would lock the user out, and is left out.
func (d *decoder) hashed(user Value[string], p findings.Passage, from, to int) {
	if err := passhash.Check(p.Text[from:to]); err != nil {
		d.aboutPassword(p, from, to, diag.Slip{Rule: rules.PasswordHash, Severity: diag.Warning, Summary: fmt.Sprintf("%s is left out: %v", p.Path, err), Detail: "give the hash, as mkpasswd prints it, or type: text"})
		return
	}
	d.addPassword(user, p, from, to, true)
}

func (d *decoder) addPassword(user Value[string], p findings.Passage, from, to int, hashed bool) {
	text := Value[Secret]{V: Secret(p.Text[from:to]), At: p.Node.Range, Set: true}
	d.config.System.Passwords = append(d.config.System.Passwords, Password{User: user, Text: text, Hashed: hashed})
}
