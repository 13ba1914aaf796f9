package diag

import (
	"bytes"
	"slices"
	"sort"
	"strconv"
	"strings"

	"cloudconfig/schema/source"
)

const concealed = "(secret)"

// A concealer knows which lines of a file may not be drawn. A document that did not parse says nothing of
// what its values are, so it goes by looks, and would rather hide too much.
type concealer struct {
	file *source.File
	pem  [][2]int // lines of private keys, first and last, in order

	// Findings come in the order of the text, so the last answer is often the next one too.
	asked struct {
		line, length int
		piece        *byte
		hides        bool
	}
}

func newConcealer(f *source.File) *concealer {
	c := &concealer{file: f}
	open := 0 // the line on which a key begins, 0 outside of one
	for offset := 0; ; {
		k := bytes.Index(f.Bytes[offset:], []byte("PRIVATE KEY"))
		if k < 0 {
			break
		}
		offset += k
		n := f.Pos(offset).Line
		switch line := f.Text(n); {
		case bytes.Contains(line, []byte("END ")) && !bytes.Contains(line, []byte("BEGIN ")):
			from := max(open, f.FirstLine()) // a key may end that does not begin
			for len(c.pem) > 0 && c.pem[len(c.pem)-1][0] >= from {
				c.pem = c.pem[:len(c.pem)-1]
			}
			c.pem = append(c.pem, [2]int{from, n})
			open = 0
		case open == 0:
			open = n
		}
		offset += len("PRIVATE KEY")
	}
	if open > 0 {
		c.pem = append(c.pem, [2]int{open, f.FirstLine() + f.Lines()})
	}
	return c
}

// hides says whether line n, of which piece is looked at, may not be drawn: by itself, as part of a private
// key, or as what stands below a key such as password.
func (c *concealer) hides(n int, piece []byte) bool {
	if len(piece) == 0 {
		return c.look(n, piece)
	}
	if a := &c.asked; a.line != n || a.piece != &piece[0] || a.length != len(piece) {
		a.line, a.piece, a.length, a.hides = n, &piece[0], len(piece), c.look(n, piece)
	}
	return c.asked.hides
}

func (c *concealer) look(n int, piece []byte) bool {
	i := sort.Search(len(c.pem), func(i int) bool { return c.pem[i][1] >= n })
	if i < len(c.pem) && n >= c.pem[i][0] || looksSecret(string(piece)) {
		return true
	}
	const far = 200 // lines up, beyond which the key of a text is not searched for
	depth := indentation(c.file.Text(n))
	for above := n - 1; depth > 0 && above >= c.file.FirstLine() && above > n-far; above-- {
		line := c.file.Text(above)
		if content := bytes.TrimSpace(line); len(content) == 0 || content[0] == '#' || indentation(line) >= depth {
			continue
		}
		key, _, found := bytes.Cut(line[:min(len(line), near)], []byte(":"))
		return found && namesSecret(string(key))
	}
	return false
}

func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t-")) }

// conceal replaces what a message quotes and must not: what looks like a secret, and if the line it is about
// is hidden, everything quoted from it but its key.
func conceal(message, line string, hidden bool) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(message, '"')
		if i < 0 {
			break
		}
		quoted, err := strconv.QuotedPrefix(message[i:])
		if err != nil {
			quoted = message[i : i+1]
		}
		b.WriteString(message[:i])
		message = message[i+len(quoted):]
		if text, err := strconv.Unquote(quoted); err == nil && (looksSecret(text) || hidden && !harmless(text, line)) {
			quoted = concealed
		}
		b.WriteString(quoted)
	}
	b.WriteString(message)
	// What is not in quotes is in our words, and still worth a look.
	words := strings.Split(b.String(), " ")
	for i, w := range words {
		if !strings.Contains(w, concealed) && looksToken(w) {
			words[i] = concealed
		}
	}
	return strings.Join(words, " ")
}

// harmless says that a word is not in a line, or only as a key; what is a key may be a part of longer words too. The
// line of a template does not show what is made of it.
func harmless(word, line string) bool {
	if strings.Contains(line, "{{") || strings.Contains(line, "{%") {
		return false
	}
	for isKey := false; ; {
		before, rest, found := strings.Cut(line, word)
		if !found || word == "" {
			return true
		}
		part := before != "" && isWordByte(before[len(before)-1]) || rest != "" && isWordByte(rest[0])
		switch after := strings.TrimLeft(rest, `"' `); {
		case after != "" && (after[0] == ':' || after[0] == '=') && !part:
			isKey = true
		case !isKey || !part:
			return false
		}
		line = rest
	}
}

// looksSecret says that a line, or a value, seems to hold a password, a hash of one, a private key or a
// token.
func looksSecret(s string) bool {
	return strings.Contains(s, "PRIVATE KEY") || looksAssigned(s) || looksToken(s)
}

// secretNames are what keys and variables of secrets are called, and some ways to misspell that.
var secretNames = [...]string{
	"passw", "pasw", "passphr", "pwd", "secret", "token", "credential", "authorization", "bearer",
	"apikey", "api_key", "accesskey", "access_key", "privatekey", "private_key",
}

// namesSecret says that a key is called like one of a secret. lock_passwd, which holds a yes or no, is not, nor is the
// NOPASSWD of sudoers.
func namesSecret(key string) bool {
	key = strings.Trim(strings.ReplaceAll(strings.ToLower(key), "-", "_"), ` "'`)
	if strings.HasSuffix(key, "lock_passwd") || key == "nopasswd" {
		return false
	}
	for _, name := range secretNames {
		if strings.Contains(key, name) {
			return true
		}
	}
	return strings.HasSuffix(key, "pass")
}

// looksAssigned says that a secret's name is followed by a value: password: x, TOKEN=x, --token x, Bearer x.
func looksAssigned(s string) bool {
	s = strings.TrimRight(s, ` "'`)
	for i := 0; i < len(s); i++ {
		if s[i] != ':' && s[i] != '=' && s[i] != ' ' {
			continue
		}
		from := i
		for from > 0 && s[from-1] == ' ' && s[i] != ' ' {
			from--
		}
		for from > 0 && (isWordByte(s[from-1]) || s[from-1] == '"' || s[from-1] == '\'') {
			from--
		}
		name := s[from:i]
		if s[i] == ' ' && !strings.HasPrefix(name, "--") && !strings.EqualFold(name, "bearer") || !namesSecret(name) {
			continue
		}
		value := strings.TrimLeft(s[i+1:], ` "'`)
		if value != "" && value[0] != '#' && value[0] != '|' && value[0] != '>' {
			return true
		}
	}
	return false
}

func isWordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-'
}

// tokens begin what some services hand out.
var tokens = [...]string{
	"AKIA", "ASIA", "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "hvs.", "eyJ", "AGE-SECRET-KEY-",
}

// looksToken says that there is a hash of a password, a URL with a password, a token with a known beginning,
// or a long run of characters as chance makes them. The key in an SSH public key is none.
func looksToken(s string) bool {
	if looksHash(s) {
		return true
	}
	if _, rest, found := strings.Cut(s, "://"); found {
		host, _, _ := strings.Cut(rest, "/")
		if user, _, found := strings.Cut(host, "@"); found && strings.Contains(user, ":") {
			return true
		}
	}
	runs := strings.FieldsFunc(s, func(r rune) bool {
		return r >= 0x80 || !isWordByte(byte(r)) && !strings.ContainsRune("+/=.", r)
	})
	return slices.ContainsFunc(runs, looksRandom)
}

// looksRandom says that a run of characters has a known beginning, or is long and mixed as chance has it.
func looksRandom(run string) bool {
	for _, t := range tokens {
		if strings.HasPrefix(run, t) && len(run) >= len(t)+12 {
			return true
		}
	}
	if len(run) < 40 || strings.HasPrefix(run, "AAAA") {
		return false
	}
	var upper, lower, digit int
	hexadecimal := true
	for i := 0; i < len(run); i++ {
		switch c := run[i]; {
		case c >= '0' && c <= '9':
			digit++
		case c >= 'a' && c <= 'z':
			lower++
			hexadecimal = hexadecimal && c <= 'f'
		case c >= 'A' && c <= 'Z':
			upper++
			hexadecimal = hexadecimal && c <= 'F'
		default:
			hexadecimal = false
		}
	}
	return digit >= 2 && (upper >= 2 && lower >= 2 || hexadecimal && upper+lower >= 2)
}

// looksHash says that there is a hash of crypt(5): $method$ and more.
func looksHash(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "$")
		if !found {
			return false
		}
		method, after, found := strings.Cut(rest, "$")
		if found && after != "" && after[0] > ' ' && len(method) > 0 && len(method) <= 10 && strings.Trim(method, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			return true
		}
		s = rest
	}
}

// Line is a line of the user's text as it may be shown: what looks like a password, a hash of one, a private key or
// a token is (secret), the rest as [Printable] has it, with its tabs.
func Line(text string) string {
	if looksSecret(text) {
		return concealed
	}
	parts := strings.Split(text, "\t")
	for i := range parts {
		parts[i] = Printable(parts[i])
	}
	return strings.Join(parts, "\t")
}
