// Package sshkey reads an authorized_keys file and each line of one, and says which keys sshd would not take, or
// others could find out.
//
// Format: sshd(8) of OpenSSH 9.2, AUTHORIZED_KEYS FILE FORMAT; the inside of a key is RFC 4253 section 6.6,
// RFC 5656 section 3.1, RFC 8709 section 4, and PROTOCOL.u2f of OpenSSH.
package sshkey

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// Key is a public key with what stands around it.
type Key struct {
	// Options is what precedes the type, as written: `from="10.0.0.0/8",no-pty`; empty if there is none.
	Options string
	Type    string // ssh-ed25519
	Blob    string // the key itself, in base64
	Comment string // the rest of the line
}

// String is the line as it goes into the file, without a line end.
func (k Key) String() string {
	fields := []string{k.Options, k.Type, k.Blob, k.Comment}
	return strings.Join(slices.DeleteFunc(fields, func(s string) bool { return s == "" }), " ")
}

// maxLine is far beyond any key: one of RSA with 16,384 bits has 2,800 bytes, and the private one 12,700.
const maxLine = 16 << 10

const certificate = "-cert-v01@openssh.com"

// fields is how many fields the inside of a key has, the type being the first; 0 for a type that sshd does
// not know.
func fields(keyType string) int {
	switch keyType {
	case "ssh-ed25519":
		return 2
	case "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com":
		return 3
	case "sk-ecdsa-sha2-nistp256@openssh.com":
		return 4
	case "ssh-dss":
		return 5
	}
	return 0
}

func known(keyType string) bool {
	if base, ok := strings.CutSuffix(keyType, certificate); ok {
		if strings.HasPrefix(base, "sk-") {
			base += "@openssh.com"
		}
		keyType = base
	}
	return fields(keyType) > 0
}

// Parse reads a line: options if there are any, type, key, comment. Blanks around it do not matter.
//
// The error says what is wrong; nothing of the line is in it.
func Parse(line string) (Key, error) {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return Key{}, errors.New("the key is empty")
	case strings.Contains(line, "PRIVATE KEY"):
		return Key{}, errors.New("this is a private key, which must never leave its owner; the public one is in the file that ends in .pub")
	case strings.HasPrefix(line, "---- BEGIN SSH2"):
		return Key{}, errors.New("this is a key in the form of RFC 4716; convert it with ssh-keygen -i")
	case strings.HasPrefix(line, "-----BEGIN"):
		return Key{}, errors.New("this is a key in the form of PEM; convert it with ssh-keygen -i -m PKCS8")
	case strings.HasPrefix(line, "PuTTY-User-Key-File"):
		return Key{}, errors.New("this is a key in the form of PuTTY; export the public key in the form of OpenSSH")
	case strings.HasPrefix(line, "#"):
		return Key{}, errors.New("this is a comment, not a key")
	case strings.ContainsAny(line, "\r\n"):
		return Key{}, errors.New("there is a line end inside the key; a key is one line")
	case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }):
		return Key{}, errors.New("there is a control character in the key")
	case len(line) > maxLine:
		return Key{}, errors.New("the key is longer than any key is")
	}
	var k Key
	var err error
	if k.Type, line = word(line); !known(k.Type) {
		line = k.Type + " " + line
		if strings.HasPrefix(k.Type, "AAAA") {
			return Key{}, errors.New("the type is missing in front of the key")
		}
		if k.Options, line, err = options(line); err != nil {
			return Key{}, err
		}
		if k.Type, line = word(line); !known(k.Type) {
			return Key{}, errors.New("this is no public key that sshd knows: it begins with no known type, such as ssh-ed25519 or ssh-rsa")
		}
	}
	k.Blob, k.Comment = word(line)
	if err := checkBlob(k.Type, k.Blob); err != nil {
		return Key{}, err
	}
	for rest := k.Comment; rest != ""; {
		var w string
		if w, rest = word(rest); known(w) && strings.HasPrefix(rest, "AAAA") {
			return Key{}, errors.New("there are two keys on one line")
		}
	}
	return k, nil
}

// word cuts the first word off a line, and the blanks after it.
func word(line string) (word, rest string) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], " \t")
}

// options cuts off the options, which reach to the first blank outside quotes. A backslash keeps a quote
// from ending them.
func options(line string) (opts, rest string, err error) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return line[:i], strings.TrimLeft(line[i:], " \t"), nil
		}
	}
	if quoted {
		return "", "", errors.New("a quote in the options of the key is not closed")
	}
	return line, "", nil
}

// checkBlob says whether the base64 text holds a whole key of the type that stands in front of it.
func checkBlob(keyType, blob string) error {
	switch {
	case blob == "":
		return errors.New("the key is missing after its type")
	case strings.Contains(blob, "..") || strings.Contains(blob, "…"):
		return errors.New("the key is cut short: it has dots in place of its rest")
	case strings.ContainsAny(blob, "<>${}[]*"):
		return errors.New("there is a placeholder where the key should be")
	}
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		return errors.New("the key is not valid base64; it may be cut short or wrapped")
	}
	inner, rest, ok := field(raw)
	if !ok {
		return errors.New("the key is cut short")
	}
	if string(inner) != keyType {
		return errors.New("the type in front of the key is not the type inside it")
	}
	if strings.HasSuffix(keyType, certificate) {
		return nil // what follows are not all fields with a length
	}
	n := 1
	for ; len(rest) > 0; n++ {
		var f []byte
		if f, rest, ok = field(rest); !ok {
			return errors.New("the key is cut short")
		}
		curve, isECDSA := strings.CutPrefix(strings.TrimPrefix(keyType, "sk-"), "ecdsa-sha2-")
		switch {
		case n == 1 && isECDSA && string(f) != strings.TrimSuffix(curve, "@openssh.com"),
			n == 1 && strings.Contains(keyType, "ed25519") && len(f) != 32,
			len(f) == 0:
			return errors.New("the inside of the key is damaged")
		}
	}
	if n != fields(keyType) {
		return errors.New("the key is cut short, or more follows it than a key has")
	}
	return nil
}

// field cuts off a field with its length, a 32-bit number, in front.
func field(b []byte) (f, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// Check says what is wrong with a line: that it is no key, or that its key is weak. Its offsets are those of the
// line as given.
func Check(line string) []diag.Slip {
	k, err := Parse(line)
	lead := len(line) - len(strings.TrimLeft(line, " \t\r\n"))
	switch {
	case err != nil && strings.Contains(line, "PRIVATE KEY"):
		return []diag.Slip{{Rule: rules.SSHPrivateKey, Summary: "this is a private key", Secret: true}}
	case err != nil:
		return []diag.Slip{{Rule: rules.SSHKey, Summary: err.Error()}}
	}
	summary, detail := k.weakness()
	if summary == "" {
		return nil
	}
	from := lead + strings.Index(line[lead:], k.Type+" ")
	if k.Options != "" {
		from = lead + len(k.Options)
		from += strings.Index(line[from:], k.Type)
	}
	return []diag.Slip{{Rule: rules.SSHKeyWeak, From: from, To: from + len(k.Type), Summary: summary, Detail: detail}}
}

// CheckFile says what is wrong with the lines of an authorized_keys file. Empty lines and comments are none.
func CheckFile(text string) []diag.Slip {
	var found []diag.Slip
	seen := map[string]bool{}
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		trimmed := strings.TrimRight(line, " \t\r")
		if t := strings.TrimLeft(trimmed, " \t"); t != "" && t[0] != '#' {
			for _, s := range Check(trimmed) {
				if s.To == 0 {
					s.From, s.To = len(trimmed)-len(t), len(trimmed)
				}
				s.From, s.To = s.From+at, s.To+at
				found = append(found, s)
				if s.Rule == rules.SSHPrivateKey {
					return found // its lines are no keys either
				}
			}
			if k, err := Parse(trimmed); err == nil {
				if seen[k.Type+" "+k.Blob] {
					from := at + len(trimmed) - len(t)
					found = append(found, diag.Slip{Rule: rules.SSHKeyTwice, From: from, To: at + len(trimmed), Summary: "the key is there already"})
				}
				seen[k.Type+" "+k.Blob] = true
			}
		}
		at += len(line) + 1
	}
	return found
}

// weakness says why a key should not be used, and what to do.
//
// Sources: ssh-dss is off since OpenSSH 7.0 and gone since 10.0; RequiredRSASize of sshd_config(5) is 1024 unless
// set otherwise (OpenSSH 9.1); 2,048 bits are NIST SP 800-131A's least (rev. 2, 2019).
func (k Key) weakness() (summary, detail string) {
	const detailNew = "make a new one: ssh-keygen -t ed25519"
	if strings.HasPrefix(k.Type, "ssh-dss") {
		return "sshd takes no DSA keys any more", detailNew
	}
	switch n := k.rsaBits(); {
	case n == 0 || n >= 2048:
		return "", ""
	case n < 1024:
		return "sshd takes no RSA keys of fewer than 1024 bits", detailNew
	}
	return "an RSA key of fewer than 2048 bits can be broken", detailNew
}

// rsaBits is the length of an RSA key; 0 of another.
func (k Key) rsaBits() int {
	if k.Type != "ssh-rsa" {
		return 0
	}
	rest, err := base64.StdEncoding.DecodeString(k.Blob)
	if err != nil {
		return 0
	}
	var n []byte
	for range 3 { // type, exponent, modulus
		var ok bool
		if n, rest, ok = field(rest); !ok {
			return 0
		}
	}
	for len(n) > 0 && n[0] == 0 {
		n = n[1:]
	}
	if len(n) == 0 {
		return 0
	}
	return len(n)*8 - bits.LeadingZeros8(n[0])
}
