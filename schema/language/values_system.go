package language

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/sshkey"
	"cloudconfig/schema/yamltree"
)

// isWord says that a value is made of letters, digits and some other characters, and is not empty.
func isWord(s, others string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(others, r)
	})
}

// zoneAreas are the directories of the time zone database, and zones its files outside of them, as of tzdata 2024a.
// Cities come and go with every release, and so are not checked.
var (
	zoneAreas = []string{"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada", "Chile", "Etc", "Europe", "Indian", "Mexico", "Pacific", "US", "posix", "right"}
	zones     = []string{
		"CET", "CST6CDT", "Cuba", "EET", "EST", "EST5EDT", "Egypt", "Eire", "GB", "GB-Eire", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich", "HST", "Hongkong", "Iceland", "Iran",
		"Israel", "Jamaica", "Japan", "Kwajalein", "Libya", "MET", "MST", "MST7MDT", "NZ", "NZ-CHAT", "Navajo", "PRC", "PST8PDT", "Poland", "Portugal", "ROC", "ROK", "Singapore",
		"Turkey", "UCT", "UTC", "Universal", "W-SU", "WET", "Zulu",
	}
)

func isTimezone(c *Checker, path string, n *yamltree.Node) {
	area, city, hasCity := strings.Cut(n.Value, "/")
	known, words := zones, zones
	if hasCity {
		known, words = zoneAreas, zoneAreas
	}
	for _, v := range known {
		if v == area && (!hasCity || wellFormedCity(city)) {
			return
		}
	}
	d := c.Report(rules.Timezone, path, n, "%s is not a time zone", quote(n, &shape{}))
	switch near := nearest(area, words); {
	case hasCity && near != "" && near != area && wellFormedCity(city):
		d.Detail = "did you mean \"" + near + "/" + city + "\"?"
	case !hasCity && near != "":
		d.Detail = "did you mean \"" + near + "\"?"
	default:
		d.Detail = "a region and a city, such as Europe/Berlin, or UTC"
	}
	if isWord(area, "_+-") && (!hasCity || wellFormedCity(city)) {
		// It may be a zone that a later release has, or one of the image's own.
		c.soften(d, n)
	}
}

func wellFormedCity(city string) bool {
	for name := range strings.SplitSeq(city, "/") {
		if !isWord(name, "_+-") {
			return false
		}
	}
	return true
}

// soften makes a warning of a finding, and takes the value as it is.
func (c *Checker) soften(d *diag.Diagnostic, n *yamltree.Node) {
	d.Severity = diag.Warning
	delete(c.Bad, n)
}

func isLocale(c *Checker, path string, n *yamltree.Node) {
	rest, modifier, hasModifier := strings.Cut(n.Value, "@")
	name, charset, hasCharset := strings.Cut(rest, ".")
	language, country, hasCountry := strings.Cut(name, "_")
	wellFormed := (isWord(language, "") && len(language) <= 3 && language == strings.ToLower(language) && (!hasCountry || isWord(country, "") && country == strings.ToUpper(country)) ||
		name == "C" || name == "POSIX") &&
		(!hasCharset || isWord(charset, "-_")) && (!hasModifier || isWord(modifier, "-_=;"))
	if wellFormed {
		return
	}
	d := c.Report(rules.Locale, path, n, "%s is not a locale", quote(n, &shape{}))
	d.Detail = "such as de_DE.UTF-8 or C.UTF-8"
	if isWord(n.Value, "_.@-=;") {
		c.soften(d, n) // an image may have one of its own
	}
}

// isLocaleSwitch passes over true, which cloud-init's schema has and which says nothing.
func isLocaleSwitch(c *Checker, path string, n *yamltree.Node) {
	if v, _ := AsBoolean(n); v {
		d := c.ReportAt(rules.Locale, path, n.Range, "true is not a locale, and counts as not written")
		d.Severity, d.Detail = diag.Warning, "such as de_DE.UTF-8; false leaves the locale as it is"
	}
}

func isKeyboard(c *Checker, path string, n *yamltree.Node) {
	if n.Value != "" && !isWord(n.Value, "_,:+-.()/") {
		c.Report(rules.Keyboard, path, n, "%s is not a keyboard setting", quote(n, &shape{})).Detail = "names with commas between, such as de or us,de"
	}
}

// isName says that a text can be a name in the domain name system, underscores included; a dot at the end does not
// matter.
func isName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isWord(label, "-_") || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

func isHostOrAddress(c *Checker, path string, n *yamltree.Node) {
	if _, err := netip.ParseAddr(n.Value); err == nil || isName(n.Value) && !allDigits(n.Value) {
		return
	}
	d := c.Report(rules.HostOrAddress, path, n, "%s is neither a host name nor an address", quote(n, &shape{}))
	if strings.Contains(n.Value, "://") || strings.Contains(n.Value, ":") {
		d.Detail = "write the name alone, without a scheme and a port"
	} else if strings.ContainsAny(n.Value, ", ") {
		d.Detail = "write a list of names"
	}
}

// allDigits says that a text has digits and dots alone, and so is an address with a mistake in it.
func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// isNameserver takes what resolved.conf(5) does: an address, with a port, an interface and a server's name.
func isNameserver(c *Checker, path string, n *yamltree.Node) {
	address, server, hasServer := strings.Cut(n.Value, "#")
	_, err := netip.ParseAddr(address)
	if err != nil {
		_, err = netip.ParseAddrPort(address)
	}
	if err != nil || hasServer && !isName(server) {
		c.Report(rules.Nameserver, path, n, "%s is not an address", quote(n, &shape{})).Detail = "such as 192.0.2.53 or 2001:db8::53"
	}
}

func isDomain(c *Checker, path string, n *yamltree.Node) {
	if name := strings.TrimPrefix(n.Value, "~"); name == "." || isName(name) {
		return
	}
	d := c.Report(rules.DomainName, path, n, "%s is not a domain name", quote(n, &shape{}))
	if strings.ContainsAny(n.Value, ", ") {
		d.Detail = "write a list of domains"
	}
}

// isImportID takes names at GitHub. Others come from Launchpad, or from a server of the image's own.
func isImportID(c *Checker, path string, n *yamltree.Node) {
	name, atGitHub := strings.CutPrefix(n.Value, "gh:")
	switch {
	case !atGitHub:
		c.notApplied(path, n.Range, "keys are imported from GitHub alone, as gh:NAME; give others with ssh_authorized_keys")
	case !gitHubName().MatchString(name):
		c.Report(rules.GitHubName, path, n, "%s is not a user name at GitHub", quote(n, &shape{}))
	}
}

func isDate(c *Checker, path string, n *yamltree.Node) {
	if _, err := time.Parse(time.DateOnly, n.Value); err != nil {
		c.Report(rules.AccountExpiry, path, n, "%s is not a day", quote(n, &shape{})).Detail = "write it as in 2032-09-01"
	}
}

// isPlaintext warns of a password that is one, whatever it is.
func isPlaintext(c *Checker, path string, n *yamltree.Node) {
	d := c.Report(rules.PasswordPlaintext, path, n, "%s is a password in plain text", path)
	d.Detail, d.Secret = "give passwd, a hash as mkpasswd prints it", true
	if strings.ContainsFunc(n.Value, unicode.IsControl) {
		d := c.Report(rules.OneLine, path, n, "%s has a line end or control character in it", path)
		d.Secret = true
	}
}

// isUserMapping tells users by their names from a lone item of users, which lacks its hyphen, and from names that
// have a colon in place of one.
func isUserMapping(c *Checker, path string, n *yamltree.Node) {
	empty := func(p yamltree.Pair) bool { return p.Value.Kind == yamltree.Null && !p.Value.Broken }
	name := PairOf(n, "name").Value
	switch {
	case name != nil && name.Kind == yamltree.Scalar:
		d := c.Report(rules.WrongType, path, n, "%s must be a list of users, not a mapping", path)
		d.Subject, d.Detail = findings.FirstLine(n.Range), "begin each user with a hyphen"
	case len(n.Pairs) > 0 && !slices.ContainsFunc(n.Pairs, func(p yamltree.Pair) bool { return !empty(p) }):
		d := c.Report(rules.WrongType, path, n, "%s must be a list of users, not names with nothing below them", path)
		d.Subject, d.Detail = findings.FirstLine(n.Range), "begin each user with - name:"
		if key, below := c.keys[n]; below {
			d.Subject = key
		}
	}
}

// hostKeyType is "rsa" of "ssh_keys.rsa_public".
func hostKeyType(path string) string {
	_, key, _ := strings.Cut(path, ".")
	kind, _, _ := strings.Cut(key, "_")
	return kind
}

// noHostKey leaves a host key out, and says why.
func (c *Checker) noHostKey(path string, n *yamltree.Node, why string) {
	d := c.Report(rules.HostKey, path, n, "%s is left out: %s", path, why)
	d.Subject = findings.FirstLine(n.Range)
	c.Bad[n] = true
}

func isPrivateHostKey(c *Checker, path string, n *yamltree.Node) {
	key, err := sshkey.Public([]byte(n.Value))
	switch {
	case err != nil:
		c.noHostKey(path, n, err.Error())
	case sshkey.Family(key.Type) != hostKeyType(path):
		c.noHostKey(path, n, "it is of type "+sshkey.Family(key.Type))
	}
}

func isPublicHostKey(c *Checker, path string, n *yamltree.Node) {
	if strings.Contains(n.Value, "PRIVATE KEY") {
		c.Report(rules.SSHPrivateKey, path, n, "%s is a private key", path).Secret = true
		return
	}
	key, err := sshkey.Parse(n.Value)
	isCertificate := sshkey.IsCertificate(key.Type)
	switch {
	case err != nil:
		c.noHostKey(path, n, err.Error())
	case key.Options != "":
		c.noHostKey(path, n, "a host key has no options")
	case isCertificate != strings.HasSuffix(path, "_certificate"):
		if isCertificate {
			c.noHostKey(path, n, "it is a certificate")
		} else {
			c.noHostKey(path, n, "it is no certificate")
		}
	case sshkey.Family(key.Type) != hostKeyType(path):
		c.noHostKey(path, n, "it is of another type")
	}
}
