// Package sudoers reads the rules of sudo: a file of them, or what a user's entry says after the name. It says
// where visudo would find a syntax error; it knows no Defaults by name, and resolves no alias.
//
// Format: sudoers(5) of sudo 1.9.13, and what its visudo takes.
package sudoers

import (
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// Check reads a file of rules. Every line that is wrong has a slip.
func Check(text string) []diag.Slip {
	p := &parser{text: text, rule: rules.SudoersSyntax}
	for p.i < len(text) {
		if !p.line() {
			p.passLine()
		}
	}
	return p.found
}

// CheckRule reads what follows the name of a user: ALL=(ALL) NOPASSWD: ALL.
func CheckRule(text string) []diag.Slip {
	p := &parser{text: text, rule: rules.SudoRule}
	if p.privileges() {
		p.ended()
	}
	return p.found
}

// A parser reads one text. Its methods return false once a slip of the line is found.
type parser struct {
	text  string
	i     int
	rule  *diag.Rule
	found []diag.Slip

	last int // where the last command begins
}

// fail notes what is wrong with the word that begins here.
func (p *parser) fail(detail, summary string) bool {
	from, to := p.i, p.i
	for to < len(p.text) && strings.IndexByte(" \t\r\n,:=()", p.text[to]) < 0 {
		to++
	}
	if to == from && to < len(p.text) && p.text[to] != '\n' && p.text[to] != '\r' {
		to++
	}
	if to == 0 {
		// No range but that of the whole begins and ends at the start.
		from, to = 0, len(p.text)
	}
	p.found = append(p.found, diag.Slip{Rule: p.rule, From: from, To: to, Summary: summary, Detail: detail})
	return false
}

func (p *parser) at(k int) byte {
	if p.i+k < len(p.text) {
		return p.text[p.i+k]
	}
	return '\n'
}

// blanks passes blanks, and line ends with a backslash in front.
func (p *parser) blanks() {
	for p.i < len(p.text) {
		switch {
		case p.at(0) == ' ' || p.at(0) == '\t' || p.at(0) == '\r' && p.at(1) == '\n':
			p.i++
		case p.at(0) == '\\' && p.at(1) == '\n' && p.i+1 < len(p.text):
			p.i += 2
		case strings.HasPrefix(p.text[p.i:], "\\\r\n"):
			p.i += 3
		default:
			return
		}
	}
}

// passLine goes to the beginning of the next line that is none of this one's.
func (p *parser) passLine() {
	for p.i < len(p.text) {
		b := p.text[p.i]
		p.i++
		switch {
		case b == '\n':
			return
		case b == '\\' && p.i < len(p.text):
			if strings.HasPrefix(p.text[p.i:], "\r\n") {
				p.i++
			}
			p.i++
		}
	}
}

// comment passes one that reaches to the end of the line, where a backslash means nothing.
func (p *parser) comment() {
	if k := strings.IndexByte(p.text[p.i:], '\n'); k >= 0 {
		p.i += k
	} else {
		p.i = len(p.text)
	}
}

// ended wants nothing but a comment before the end of the line.
func (p *parser) ended() bool {
	p.blanks()
	if p.at(0) == '#' {
		p.comment()
	}
	if p.at(0) != '\n' {
		return p.fail("put a backslash in front of a character that is part of a word", "more than a rule has stands here")
	}
	p.i = min(p.i+1, len(p.text))
	return true
}

// take passes a character, with the blanks in front of it, if it comes next.
func (p *parser) take(b byte) bool {
	p.blanks()
	if p.at(0) != b || p.i >= len(p.text) {
		return false
	}
	p.i++
	return true
}

// keyword passes a word that blanks follow.
func (p *parser) keyword(words ...string) bool {
	for _, w := range words {
		if strings.HasPrefix(p.text[p.i:], w) && strings.IndexByte(" \t\n", p.at(len(w))) >= 0 {
			p.i += len(w)
			return true
		}
	}
	return false
}

// line reads one line of a file.
func (p *parser) line() bool {
	p.blanks()
	switch {
	case p.at(0) == '\n':
		p.i++
		return true
	case p.keyword("@include", "@includedir", "#include", "#includedir"):
		if p.blanks(); p.at(0) == '\n' {
			return p.fail("", "the path of what to include is missing")
		}
		p.passLine()
		return true
	case p.at(0) == '#' && (p.at(1) < '0' || p.at(1) > '9'):
		p.comment()
		return true
	case strings.HasPrefix(p.text[p.i:], "Defaults") && strings.IndexByte(" \t\n@:!>\\", p.at(len("Defaults"))) >= 0:
		p.i += len("Defaults")
		return p.defaults()
	case p.keyword("User_Alias", "Runas_Alias", "Host_Alias"):
		return p.aliases((*parser).member)
	case p.keyword("Cmnd_Alias", "Cmd_Alias"):
		return p.aliases((*parser).command)
	}
	return p.list((*parser).member, "a user") && p.privileges() && p.ended()
}

// defaults reads settings, as far as quotes and commas go.
func (p *parser) defaults() bool {
	if strings.IndexByte("@:!>", p.at(0)) >= 0 {
		what := (*parser).member
		if p.at(0) == '!' {
			what = (*parser).command
		}
		p.i++
		if !p.list(what, "whom this is about") {
			return false
		}
	}
	for {
		for p.take('!') {
		}
		p.blanks()
		from := p.i
		for b := p.at(0); b >= 'a' && b <= 'z' || p.i > from && (b >= '0' && b <= '9' || b == '_'); b = p.at(0) {
			p.i++
		}
		if p.i == from {
			return p.fail("", "the name of a setting is expected here")
		}
		p.blanks()
		if (p.at(0) == '+' || p.at(0) == '-') && p.at(1) == '=' {
			p.i++
		}
		if p.take('=') {
			p.blanks()
			if from := p.i; !p.word(" \t\r\n,") {
				return false
			} else if p.i == from {
				return p.fail("", "the value of a setting is expected here")
			}
		}
		if !p.take(',') {
			return p.ended()
		}
	}
}

// aliases reads NAME = members, more of them after a colon.
func (p *parser) aliases(member func(*parser) bool) bool {
	for {
		p.blanks()
		from := p.i
		for b := p.at(0); b >= 'A' && b <= 'Z' || p.i > from && (b >= '0' && b <= '9' || b == '_'); b = p.at(0) {
			p.i++
		}
		switch {
		case p.i == from:
			return p.fail("capitals, digits and underscores, a capital first", "the name of an alias is expected here")
		case !p.take('='):
			return p.fail("", "= is expected after the name of an alias")
		case !p.list(member, "a member of the alias"):
			return false
		case !p.take(':'):
			return p.ended()
		}
	}
}

// list reads members with commas between them.
func (p *parser) list(member func(*parser) bool, what string) bool {
	for {
		for p.take('!') {
		}
		p.blanks()
		from := p.i
		if !member(p) {
			return false
		}
		if p.i == from {
			return p.fail("", what+" is expected here")
		}
		if !p.take(',') {
			return true
		}
	}
}

// member reads a user, group, host, network or alias.
func (p *parser) member() bool {
	if p.at(0) == '#' && p.at(1) >= '0' && p.at(1) <= '9' || p.at(0) == '%' || p.at(0) == '+' {
		p.i++
		if p.at(0) == '#' || p.at(0) == ':' {
			p.i++
		}
	}
	if n := ipv6(p.text[p.i:]); n > 0 {
		p.i += n
		return true
	}
	return p.word(" \t\r\n#>!=:,()")
}

// ipv6 is how long the IPv6 address or network is that begins here.
func ipv6(text string) int {
	n, colons := 0, 0
	for n < len(text) && strings.IndexByte("0123456789abcdefABCDEF:./", text[n]) >= 0 {
		if text[n] == ':' {
			colons++
		}
		n++
	}
	if colons < 2 {
		return 0
	}
	return n
}

// word passes a word, quoted or not, that the given characters end. A backslash keeps the next character from
// meaning anything.
func (p *parser) word(end string) bool {
	if p.at(0) == '"' {
		for k := 1; p.i+k < len(p.text) && p.at(k) != '\n'; k++ {
			switch p.at(k) {
			case '\\':
				k++
			case '"':
				p.i += k + 1
				return true
			}
		}
		return p.fail("close it on its line", "a quote that is not closed")
	}
	for p.i < len(p.text) && strings.IndexByte(end, p.at(0)) < 0 {
		if p.at(0) == '\\' && p.at(1) != '\n' && p.at(1) != '\r' {
			p.i++
		} else if p.at(0) == '\\' {
			break
		}
		p.i++
	}
	return true
}

// privileges reads hosts = commands, more of them after a colon.
func (p *parser) privileges() bool {
	for command := -1; ; {
		if !p.list((*parser).member, "a host") {
			return false
		}
		if !p.take('=') {
			if command >= 0 { // an alias and a colon were read where a tag was meant
				here := p.i
				p.i = command
				word := p.capitals()
				if p.i = command; word != "" {
					return p.fail("such as NOPASSWD: or NOEXEC:", "sudo knows no such tag")
				}
				p.i = here
			}
			return p.fail("such as ALL=(ALL) ALL", "= is expected between hosts and commands")
		}
		if !p.commands() {
			return false
		}
		command = p.last
		if !p.take(':') {
			return true
		}
	}
}

// tags can stand in front of a command, each with a colon.
var tags = []string{
	"EXEC", "NOEXEC", "FOLLOW", "NOFOLLOW", "INTERCEPT", "NOINTERCEPT", "LOG_INPUT", "NOLOG_INPUT", "LOG_OUTPUT", "NOLOG_OUTPUT", "MAIL", "NOMAIL",
	"PASSWD", "NOPASSWD", "SETENV", "NOSETENV",
}

// options can stand in front of a command, each with a value.
var options = []string{"ROLE", "TYPE", "APPARMOR_PROFILE", "PRIVS", "LIMITPRIVS", "CWD", "CHROOT", "TIMEOUT", "NOTBEFORE", "NOTAFTER"}

// commands reads commands with what stands in front of them. Whom to become, and tags, hold for those after
// them too.
func (p *parser) commands() bool {
	noPassword, asRoot := -1, true
	for {
		if p.take('(') {
			from := p.i
			if !p.runas() {
				return false
			}
			asRoot = becomesRoot(p.text[from : p.i-1])
		}
		for {
			p.blanks()
			from := p.i
			name := p.capitals()
			if slices.Contains(options, name) && p.take('=') {
				p.blanks()
				if !p.word(" \t\r\n,") {
					return false
				}
				continue
			}
			if slices.Contains(tags, name) && p.take(':') {
				switch name {
				case "NOPASSWD":
					noPassword = from
				case "PASSWD":
					noPassword = -1
				}
				continue
			}
			p.i = from
			break
		}
		denied := false
		for p.take('!') {
			denied = !denied
		}
		p.blanks()
		from := p.i
		p.last = from
		if !p.command() {
			return false
		}
		if p.text[from:p.i] == "ALL" && noPassword >= 0 && asRoot && !denied {
			p.found = append(p.found, diag.Slip{Rule: rules.SudoNoPassword, From: noPassword, To: p.i, Summary: "every command as root without a password"})
			noPassword = -1
		}
		if !p.take(',') {
			return true
		}
	}
}

// becomesRoot says that root is among the users in brackets.
func becomesRoot(runas string) bool {
	users, _, _ := strings.Cut(runas, ":")
	for _, u := range strings.Split(users, ",") {
		if u = strings.TrimSpace(u); u == "ALL" || u == "root" || u == "#0" || u == "" && !strings.Contains(runas, ":") {
			return true
		}
	}
	return false
}

// runas reads users and groups in brackets, after the opening one.
func (p *parser) runas() bool {
	for _, last := range []bool{false, true} {
		if p.blanks(); p.at(0) != ')' && (p.at(0) != ':' || last) {
			if !p.list((*parser).member, "a user to become") {
				return false
			}
		}
		switch {
		case p.take(')'):
			return true
		case last || !p.take(':'):
			return p.fail("close the bracket", "a closing bracket is expected here")
		}
	}
	return true
}

// capitals passes a word of capitals and underscores.
func (p *parser) capitals() string {
	from := p.i
	for b := p.at(0); b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'; b = p.at(0) {
		p.i++
	}
	return p.text[from:p.i]
}

// command reads ALL, an alias, or an absolute path with arguments, after digests if there are any.
func (p *parser) command() bool {
	for p.digest() {
		p.take(',')
		p.blanks()
	}
	for p.take('!') {
	}
	p.blanks()
	from := p.i
	switch {
	case p.at(0) == '"':
		if !p.word("") {
			return false
		}
		p.arguments()
		return true
	case p.at(0) == '/', p.at(0) == '^', p.keyword("sudoedit"):
		p.arguments()
		return true
	case p.keyword("list"):
		return true
	}
	if name := p.capitals(); name != "" && strings.IndexByte(" \t\r\n,:#\\", p.at(0)) >= 0 && name[0] >= 'A' {
		return true
	}
	p.i = from
	if strings.IndexByte("\n\r,:=)#", p.at(0)) >= 0 {
		return p.fail("", "a command is expected here")
	}
	return p.fail("give its absolute path, such as /usr/bin/systemctl; or ALL", "a command without its absolute path")
}

// digest passes one, such as sha256:....
func (p *parser) digest() bool {
	for _, method := range []string{"sha224", "sha256", "sha384", "sha512"} {
		if strings.HasPrefix(p.text[p.i:], method) {
			p.i += len(method)
			p.take(':')
			p.blanks()
			for b := p.at(0); b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '+' || b == '/' || b == '='; b = p.at(0) {
				p.i++
			}
			return true
		}
	}
	return false
}

// arguments passes a path and arguments, up to what ends a command. An = ends none but where it stands alone.
func (p *parser) arguments() {
	for p.i < len(p.text) {
		switch b := p.at(0); {
		case b == '\n' || b == ',' || b == ':' || b == '#':
			return
		case b == '=' && (p.i == 0 || p.text[p.i-1] == ' ' || p.text[p.i-1] == '\t') && strings.IndexByte(" \t\n", p.at(1)) >= 0:
			return
		case b == '\\' && p.i+1 < len(p.text):
			if strings.HasPrefix(p.text[p.i+1:], "\r\n") {
				p.i++
			}
			p.i += 2
		default:
			p.i++
		}
	}
}
