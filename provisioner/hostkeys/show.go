package hostkeys

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/sshkey"
)

// Shown says what of the host keys is printed to the console, by their types ("ssh-rsa").
type Shown struct {
	// WithoutFingerprint and WithoutKey are types whose fingerprint, and whose key, are left out.
	WithoutFingerprint, WithoutKey []string
}

// Block is the keys in the form that tools look for in what a machine has written to its console: aws ec2
// get-console-output and others take what stands between its BEGIN and END lines.
//
// Format: tools/write-ssh-key-fingerprints of cloud-init 23.1, without the prefix that logger puts in front there, and
// ssh-keygen -l of OpenSSH 9.2.
func Block(keys []Key, s Shown) string {
	const bar = "#############################################################\n"
	var b strings.Builder
	b.WriteString(bar + "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n")
	for _, k := range keys {
		if slices.Contains(s.WithoutFingerprint, k.Type) {
			continue
		}
		comment := k.Comment
		if comment == "" {
			comment = "no comment"
		}
		fmt.Fprintf(&b, "%d %s %s (%s)\n", k.Bits, k.Fingerprint, diag.Printable(comment), strings.ToUpper(k.Kind))
	}
	b.WriteString("-----END SSH HOST KEY FINGERPRINTS-----\n" + bar + "-----BEGIN SSH HOST KEY KEYS-----\n")
	for _, k := range keys {
		if !slices.Contains(s.WithoutKey, k.Type) {
			b.WriteString(diag.Printable(k.Line) + "\n")
		}
	}
	b.WriteString("-----END SSH HOST KEY KEYS-----\n")
	return b.String()
}

// maxCell is how much of an option or a comment is shown, in characters: all rows are as wide as the widest.
const maxCell = 80

// Authorized is a table of the keys with which a user can log in, by their fingerprints, as tools know it from what
// cloud-init writes to the console. Of the keys' options only the names are shown: their values may be secrets.
//
// hash is "sha256", "sha512" or "md5". Format: cc_ssh_authkey_fingerprints.py and simpletable.py of cloud-init 23.1.
func Authorized(user, file string, keys []sshkey.Key, hash string) string {
	const prefix = "ci-info: "
	if len(keys) == 0 {
		return diag.Printable(prefix+"no authorized SSH keys fingerprints found for user "+user+".") + "\n"
	}
	rows := [][]string{{"Keytype", "Fingerprint (" + hash + ")", "Options", "Comment"}}
	for _, k := range keys {
		row := []string{k.Type, digest(k, hash), optionNames(k.Options), diag.Printable(k.Comment)}
		for i := range row {
			if row[i] == "" {
				row[i] = "-"
			}
			if cell := []rune(row[i]); len(cell) > maxCell && i != 1 {
				row[i] = string(cell[:maxCell])
			}
		}
		rows = append(rows, row)
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell)+2)
		}
	}
	bar, total := "+", 1
	for _, w := range width {
		bar += strings.Repeat("-", w) + "+"
		total += w + 1
	}
	lines := []string{centre(diag.Printable("Authorized keys from "+file+" for user "+user), "+", total), bar}
	for i, row := range rows {
		line := "|"
		for j, cell := range row {
			line += centre(cell, " ", width[j]) + "|"
		}
		if lines = append(lines, line); i == 0 {
			lines = append(lines, bar)
		}
	}
	return prefix + strings.Join(append(lines, bar), "\n"+prefix) + "\n"
}

func centre(text, fill string, width int) string {
	room := max(0, width-utf8.RuneCountInString(text))
	return strings.Repeat(fill, room/2) + text + strings.Repeat(fill, room-room/2)
}

// digest is that of a key, in hex, with a colon between the bytes.
func digest(k sshkey.Key, hash string) string {
	raw, _ := base64.StdEncoding.DecodeString(k.Blob)
	var sum []byte
	switch hash {
	case "md5":
		s := md5.Sum(raw)
		sum = s[:]
	case "sha512":
		s := sha512.Sum512(raw)
		sum = s[:]
	default:
		s := sha256.Sum256(raw)
		sum = s[:]
	}
	var b strings.Builder
	for i, c := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

// optionNames drops what stands in quotes, and the sign before it: `command="x",no-pty` is "command,no-pty".
func optionNames(options string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(options); i++ {
		switch c := options[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c != '=':
			b.WriteByte(c)
		}
	}
	return diag.Printable(b.String())
}
