package language

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/passhash"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/sshkey"
	"cloudconfig/schema/sudoers"
	"cloudconfig/schema/unitfile"
	"cloudconfig/schema/yamltree"
)

// rule checks a scalar beyond its kind and reports what is wrong.
type rule func(c *Checker, path string, n *yamltree.Node)

// AsBoolean reads true and false, and the words YAML 1.1 has for them, quoted or not: coreos-cloudinit's
// users wrote all of these.
func AsBoolean(n *yamltree.Node) (v, ok bool) {
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y":
		return true, true
	case "false", "no", "off", "n":
		return false, true
	}
	return false, false
}

var decimal = expression(`^[-+]?(0|[1-9][0-9]*)$`)

// AsInteger reads a decimal number, quoted or not.
func AsInteger(n *yamltree.Node) (int, bool) {
	if !decimal().MatchString(n.Value) {
		return 0, false
	}
	v, err := strconv.Atoi(n.Value)
	return v, err == nil
}

func isNumber(n *yamltree.Node) bool {
	_, err := strconv.ParseFloat(n.Value, 64)
	return err == nil && !strings.ContainsAny(n.Value, "xXpP_iInN")
}

// asWord is a scalar as one of some words: where YAML 1.1 has made a truth of it, the word that was meant.
func asWord(n *yamltree.Node, words []string) string {
	if slices.Contains(words, n.Value) {
		return n.Value
	}
	if v, ok := AsBoolean(n); ok && n.Style == yamltree.Plain {
		meant := []string{"false", "off"}
		if v {
			meant = []string{"true", "on"}
		}
		for _, w := range meant {
			if slices.Contains(words, w) {
				return w
			}
		}
	}
	return n.Value
}

// lookAlikes are modes that a tool has turned into decimal numbers; read as octal, each is a mode that nobody
// wants.
var lookAlikes = map[string]string{"420": "0644", "384": "0600", "493": "0755", "511": "0777", "448": "0700", "416": "0640", "292": "0444", "365": "0555", "438": "0666"}

var (
	octal    = expression(`^(0o)?[0-7]{3,5}$`)
	digits   = expression(`^[0-9]+$`)
	symbolic = expression(`^[ugoa]*([-+=][rwxst]*)+(,[ugoa]*([-+=][rwxst]*)+)*$`)
)

// AsMode reads a file mode: octal with or without 0 or 0o before it, or chmod's symbols applied to no mode
// at all.
func AsMode(text string) (mode uint32, ok bool) {
	if octal().MatchString(text) {
		v, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
		return uint32(v), err == nil && v <= 0o7777
	}
	if !symbolic().MatchString(text) {
		return 0, false
	}
	for _, clause := range strings.Split(text, ",") {
		i := strings.IndexAny(clause, "-+=")
		who := clause[:i]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		for op := clause[i:]; op != ""; {
			end := 1 + strings.IndexAny(op[1:]+"=", "-+=")
			set, all := symbolBits(who, op[1:end])
			switch op[0] {
			case '=':
				mode = mode&^all | set
			case '+':
				mode |= set
			case '-':
				mode &^= set
			}
			op = op[end:]
		}
	}
	return mode, true
}

// symbolBits are the bits that the letters give to the classes of who, and all bits that these classes have.
func symbolBits(who, letters string) (set, all uint32) {
	for _, class := range who {
		shift := map[rune]uint{'u': 6, 'g': 3, 'o': 0}[class]
		all |= 7 << shift
		for _, l := range letters {
			switch l {
			case 'r':
				set |= 4 << shift
			case 'w':
				set |= 2 << shift
			case 'x':
				set |= 1 << shift
			case 's':
				set |= map[rune]uint32{'u': 0o4000, 'g': 0o2000}[class]
			case 't':
				set |= 0o1000
			}
		}
	}
	return set, all
}

func (c *Checker) checkPermissions(n *yamltree.Node, path string) {
	_, ok := AsMode(n.Value)
	meant, lookAlike := lookAlikes[n.Value]
	switch {
	case lookAlike && n.Style == yamltree.Plain:
		d := c.Report(rules.Permissions, path, n, "%s is %s in decimal", n.Value, meant)
		d.Detail = `write "` + meant + `"`
		d.Fix = []diag.Edit{{At: n.Range, Text: `"` + meant + `"`}}
	case ok:
	case digits().MatchString(n.Value) && strings.ContainsAny(n.Value, "89"):
		d := c.Report(rules.Permissions, path, n, "%q has digits that no octal mode has", n.Value)
		if v, err := strconv.ParseUint(n.Value, 10, 32); err == nil && v <= 0o7777 && n.Value[0] != '0' {
			d.Detail = `if it is decimal, write "0` + strconv.FormatUint(v, 8) + `"`
		}
	default:
		d := c.Report(rules.Permissions, path, n, "%s is not a file mode", quote(n, &shape{}))
		d.Detail = `write it in octal, such as "0644"`
	}
}

// isHostLabel says that a text is a label of a hostname: letters, digits, and hyphens inside, 63 at most.
func isHostLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) < 0
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isAccount says that a text can be the name of an account or group; those of machines end in $.
func isAccount(text string) bool {
	if text == "" || len(text) > 32 || text[0] != '_' && !(isAlphanumeric(rune(text[0])) && text[0] > '9') {
		return false
	}
	rest := text[1:]
	if len(rest) > 0 {
		rest = strings.TrimSuffix(rest, "$")
	}
	return strings.IndexFunc(rest, func(r rune) bool { return !isAlphanumeric(r) && r != '_' && r != '.' && r != '-' }) < 0
}

// ValidHostname says that a name can be a machine's: labels as in RFC 1123, 64 characters in all; a dot at
// the end is left out of account.
func ValidHostname(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 64 {
		return false
	}
	for _, label := range strings.Split(name, ".") {
		if !isHostLabel(label) {
			return false
		}
	}
	return true
}

func isHostname(c *Checker, path string, n *yamltree.Node) {
	if ValidHostname(Variable.ReplaceAllString(n.Value, "x")) {
		return
	}
	if c.mixed(path, n, diag.Error) {
		return
	}
	d := c.Report(rules.Hostname, path, n, "%s is not a hostname", quote(n, &shape{}))
	switch {
	case strings.Contains(n.Value, "_"):
		d.Detail = "a hostname has no underscore"
	case len(n.Value) > 64:
		d.Detail = "a hostname has 64 characters at most"
	default:
		d.Detail = "letters, digits and hyphens, in labels with dots between"
	}
}

var (
	gitHubName = expression(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$`)
)

// ValidAccountName says that a text can be the name of an account.
func ValidAccountName(name string) bool { return isAccount(name) }

// isUserAlone checks an item of users that is a name and nothing else.
func isUserAlone(c *Checker, path string, n *yamltree.Node) {
	if isAccountName(c, path, n); n.Value != "default" && !c.Bad[n] {
		d := c.ReportAt(rules.UserNameAlone, path, n.Range, "a user of a name alone gets no key, no password and no rights")
		d.Detail = "write name: in front of it and what else the user has below"
	}
}

func isAccountName(c *Checker, path string, n *yamltree.Node) {
	isReference := strings.HasSuffix(path, "primary_group") || strings.Contains(path, ".groups")
	if n.Kind == yamltree.Scalar && (isAccount(n.Value) || isReference && digits().MatchString(n.Value)) {
		return
	}
	if c.mixed(path, n, diag.Error) {
		return
	}
	d := c.Report(rules.AccountName, path, n, "%s is not a name for an account or group", quote(n, &shape{}))
	d.Detail = "letters, digits, _, - and ., not beginning with a digit"
}

func isAccountField(c *Checker, path string, n *yamltree.Node) {
	if strings.ContainsFunc(n.Value, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
		c.Report(rules.AccountField, path, n, "%s has a colon or a control character in it", path)
	}
}

func isAbsolutePath(c *Checker, at string, n *yamltree.Node) {
	isAccountField(c, at, n)
	if !strings.HasPrefix(n.Value, "/") || strings.Contains(n.Value+"/", "/../") {
		c.Report(rules.FilePath, at, n, "%s is not an absolute path", quote(n, &shape{}))
	}
}

func isID(c *Checker, path string, n *yamltree.Node) {
	v, _ := AsInteger(n)
	if v < 1 || v > 4294967294 || v == 65535 {
		c.Report(rules.AccountID, path, n, "%d is not an id for an account", v)
	}
}

// IsPlaceholder says that a value stands for one that somebody has still to fill in, as documentation has it.
func IsPlaceholder(text string) bool {
	return strings.HasSuffix(text, "...") || strings.Contains(text, "<") && strings.Contains(text, ">")
}

// Placeholder passes over a value that is none, with a warning.
func (c *Checker) Placeholder(path string, n *yamltree.Node) {
	d := c.Report(rules.Placeholder, path, n, "%s is a placeholder and counts as not written", path)
	d.Secret = true
	c.Bad[n] = true
}

func isPasswordHash(c *Checker, path string, n *yamltree.Node) {
	if strings.HasPrefix(n.Value, "$") && IsPlaceholder(n.Value) {
		c.Placeholder(path, n)
		return
	}
	if err := passhash.Check(n.Value); err != nil {
		d := c.Report(rules.PasswordHash, path, n, "%v", err)
		d.Detail = "give the hash, as mkpasswd prints it"
		d.Secret = true
		return
	}
	if weakness := passhash.Weakness(n.Value); weakness != "" {
		d := c.ReportAt(rules.PasswordWeak, path, n.Range, "%s", weakness)
		d.Detail = "make a new one with mkpasswd"
		d.Secret = true
	}
}

func isSSHKey(c *Checker, path string, n *yamltree.Node) {
	c.mixed(path, n, diag.Warning) // in its comment, which says whose it is
	for _, s := range sshkey.Check(n.Value) {
		switch s.Rule {
		case rules.SSHPrivateKey:
			c.Report(rules.SSHPrivateKey, path, n, "%s is a private key", path).Secret = true
		case rules.SSHKey:
			c.Report(rules.SSHKey, path, n, "%s is left out: %s", path, s.Summary)
		default:
			c.Slips(findings.Passage{Path: path, Node: n, Text: n.Value}, []diag.Slip{s})
		}
	}
}

func isGitHubName(c *Checker, path string, n *yamltree.Node) {
	if !gitHubName().MatchString(n.Value) {
		c.Report(rules.GitHubName, path, n, "%s is not a user name at GitHub", quote(n, &shape{}))
	}
}

func isKeyURL(c *Checker, path string, n *yamltree.Node) {
	if IsPlaceholder(n.Value) {
		c.Placeholder(path, n)
		return
	}
	u, err := url.Parse(n.Value)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		d := c.Report(rules.KeyURL, path, n, "%s is not an https URL", path)
		d.Detail = "keys are fetched by https only"
		d.Secret = true // it may hold a token
	}
}

// isPostURL checks where something is posted to. It may hold a token.
func isPostURL(c *Checker, path string, n *yamltree.Node) {
	u, err := url.Parse(n.Value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		d := c.Report(rules.PostURL, path, n, "%s is not a URL of http or https", path)
		d.Secret = true
	}
}

func isSudoRule(c *Checker, path string, n *yamltree.Node) {
	if v, ok := AsBoolean(n); ok && !v {
		return // cloud-init's way to say: none
	}
	for _, s := range sudoers.CheckRule(n.Value) {
		c.Slips(findings.Passage{Path: path, Node: n, Text: n.Value}, []diag.Slip{s})
		c.Bad[n] = c.Bad[n] || s.Rule == rules.SudoRule
	}
}

func isFilePath(c *Checker, at string, n *yamltree.Node) {
	p := n.Value
	clean := path.Clean(p)
	switch {
	case strings.ContainsFunc(p, unicode.IsControl):
		c.Report(rules.FilePath, at, n, "the path has a control character in it")
	case !strings.HasPrefix(p, "/"):
		d := c.Report(rules.FilePath, at, n, "path %s is relative", quote(n, &shape{}))
		d.Detail = "begin it with /"
	case strings.Contains(p+"/", "/../") || strings.Contains(p+"/", "/./"):
		d := c.Report(rules.FilePath, at, n, "path %s has . or .. in it", quote(n, &shape{}))
		d.Detail = "write " + strconv.Quote(clean)
	case clean == "/" || strings.HasSuffix(p, "/"):
		c.Report(rules.FilePath, at, n, "path %s is a directory's", quote(n, &shape{}))
	case strings.Count(clean, "/") > maxDepth:
		c.Report(rules.FilePath, at, n, "the path is more than %d directories deep", maxDepth)
	case len(p) > 4095 || longestName(p) > 255:
		c.Report(rules.FilePath, at, n, "the path is longer than Linux has it: 4,095 bytes, and 255 for each name")
	case below(clean, "/proc", "/sys", "/dev"):
		c.Report(rules.MountRoot, at, n, "%s is the kernel's", quote(n, &shape{}))
	case slices.Contains(strings.Split(clean, "/"), ".provisioner-stage"), below(clean, "/etc/provisioner", "/var/lib/provisioner", "/run/provisioner", "/var/run/provisioner"):
		c.Report(rules.PathReserved, at, n, "%s belongs to the provisioner", quote(n, &shape{}))
	default:
		c.mixed(at, n, diag.Warning)
	}
}

// maxDepth is how many directories deep a file may be: each costs a look at every commit.
const maxDepth = 64

// userInfo matches a URL with a user's name or password in it.
var userInfo = expression(`://[^/\s]*@`)

func HasUserInfo(text string) bool { return userInfo().MatchString(text) }

// isPublicLine checks a value that goes into a file which everybody may read.
func isPublicLine(c *Checker, path string, n *yamltree.Node) {
	isOneLine(c, path, n)
	if HasUserInfo(n.Value) {
		d := c.Report(rules.PublicSecret, path, n, "%s has a user's name or password in its URL", path)
		d.Detail = "everybody on the machine may read the file that it goes to"
		d.Secret = true
	}
}

func longestName(p string) int {
	longest := 0
	for _, name := range strings.Split(p, "/") {
		longest = max(longest, len(name))
	}
	return longest
}

func below(p string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
}

var owner = expression(`^[A-Za-z0-9_][A-Za-z0-9_.$-]*(:([A-Za-z0-9_][A-Za-z0-9_.$-]*)?)?$|^:[A-Za-z0-9_][A-Za-z0-9_.$-]*$`)

func isOwner(c *Checker, path string, n *yamltree.Node) {
	if !owner().MatchString(n.Value) {
		d := c.Report(rules.FileOwner, path, n, "%s is not an owner", quote(n, &shape{}))
		d.Detail = "user, user:group or :group"
	}
}

// NetworkSuffixes end the names of networkd's files, which coreos.units takes besides units.
var NetworkSuffixes = []string{".network", ".netdev", ".link"}

// IsNetworkFile says that a name in coreos.units is one of networkd's files.
func IsNetworkFile(name string) bool {
	return slices.ContainsFunc(NetworkSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

var networkFile = expression(`^[A-Za-z0-9_@%:+.-][A-Za-z0-9_@%:+. -]*$`)

func isUnitName(c *Checker, path string, n *yamltree.Node) {
	if unitfile.ValidName(n.Value) || IsNetworkFile(n.Value) && networkFile().MatchString(n.Value) && len(n.Value) <= 255 {
		return
	}
	if c.mixed(path, n, diag.Error) {
		return
	}
	d := c.Report(rules.UnitName, path, n, "%s is not a unit name", quote(n, &shape{}))
	switch {
	case strings.Contains(n.Value, "/"):
		d.Detail = "a name has no slash"
	case n.Value != "" && !strings.Contains(n.Value, "."):
		d.Detail = "did you mean " + strconv.Quote(n.Value+".service") + "?"
	}
}

func isDropInName(c *Checker, path string, n *yamltree.Node) {
	if networkFile().MatchString(n.Value) && strings.HasSuffix(n.Value, ".conf") && !strings.HasPrefix(n.Value, ".") && len(n.Value) <= 255 {
		return
	}
	d := c.Report(rules.DropInName, path, n, "%s is not a name for a drop-in", quote(n, &shape{}))
	d.Detail = "it ends in .conf and has no slash"
}

func isOneLine(c *Checker, path string, n *yamltree.Node) {
	if strings.ContainsFunc(n.Value, unicode.IsControl) {
		d := c.Report(rules.OneLine, path, n, "%s has a line end or control character in it", path)
		d.Secret = strings.Contains(path, "password")
		if n.Style == yamltree.Literal || n.Style == yamltree.Folded {
			d.Detail = "write it on one line, or with >- before it"
		}
	}
}

func isSetting(c *Checker, path string, n *yamltree.Node) {
	isOneLine(c, path, n)
	if strings.ContainsAny(n.Value, `"'`) {
		d := c.Report(rules.SettingQuote, path, n, "%s has a quote in it", path)
		d.Detail = "leave it out: the agent would take it as part of the value"
	}
}

var (
	windowStart  = expression(`^((?i:sun|mon|tue|wed|thu|fri|sat) )?0*([0-9]|1[0-9]|2[0-3]):0*([0-9]|[1-5][0-9])$`)
	windowLength = expression(`^[-+]?([0-9]*(\.[0-9]*)?[a-z]+)+$`)
)

func isWindowStart(c *Checker, path string, n *yamltree.Node) {
	if !windowStart().MatchString(n.Value) {
		d := c.Report(rules.Window, path, n, "%s is not a time", quote(n, &shape{}))
		d.Detail = "HH:MM, or a weekday and HH:MM: Thu 23:00"
	}
}

func isDuration(c *Checker, path string, n *yamltree.Node) {
	if !windowLength().MatchString(n.Value) {
		d := c.Report(rules.Window, path, n, "%s is not a length of time", quote(n, &shape{}))
		d.Detail = "a number with its unit: 1h30m"
	}
}

// expression is a regular expression that is compiled when it is first needed: most runs need few of them.
func expression(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
