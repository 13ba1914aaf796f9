// Package passhash says whether a text can stand in the password field of /etc/shadow: a hash that crypt(3)
// knows, or a mark that locks the account. It computes no hash.
//
// Format: crypt(5) of libxcrypt 4.4, shadow(5).
package passhash

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Check returns nil if s is a password hash, or one locked by "!" in front, or "*", "!" or "!!" alone.
//
// The error says what is wrong in words that may be shown to anyone: nothing of s is in it.
func Check(s string) error {
	switch {
	case s == "":
		return errors.New("the hash is empty, which would let anyone in; write * for no password")
	case strings.ContainsAny(s, "\r\n"):
		return errors.New("the hash holds a line end")
	case strings.Contains(s, ":"):
		return errors.New("the hash holds a colon, which ends the field in /etc/shadow")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F }); i >= 0 {
		return errors.New("the hash holds a blank or a character that is not plain ASCII; is it the password itself?")
	}
	if s == "*" {
		return nil
	}
	switch hash := strings.TrimLeft(s, "!"); {
	case hash == "" || hash == "*":
		return nil
	case strings.HasSuffix(hash, "..."):
		return errors.New("the hash is cut short: it ends in three dots")
	case hash[0] == '$':
		return checkMethod(hash)
	case hash[0] == '_' && len(hash) == 20 && isBase64(hash[1:]): // extended DES
		return nil
	case len(hash) == 13 && isBase64(hash): // DES
		return nil
	}
	return errors.New("this is no password hash; is it the password itself? make a hash with mkpasswd or openssl passwd -6")
}

// Weakness says why a hash that passes [Check] keeps its password no secret, or "".
func Weakness(s string) string {
	switch hash := strings.TrimLeft(s, "!"); {
	case strings.HasPrefix(hash, "$1$"):
		return "an MD5 hash: its password is found by trying billions a second"
	case hash != "" && hash[0] != '$' && hash[0] != '*':
		return "a DES hash: its password is found by trying all there are"
	}
	return ""
}

// checkMethod checks $method$...$hash.
func checkMethod(s string) error {
	fields := strings.Split(s, "$")
	method, rest := fields[1], fields[2:]
	switch method {
	case "1":
		return checkSalted(rest, 8, 22)
	case "5", "6":
		if len(rest) > 0 && strings.HasPrefix(rest[0], "rounds=") {
			n, err := strconv.ParseUint(rest[0][len("rounds="):], 10, 32)
			if err != nil || n < 1000 || n > 999_999_999 {
				return errors.New("the number of rounds is not between 1000 and 999999999")
			}
			rest = rest[1:]
		}
		if method == "5" {
			return checkSalted(rest, 16, 43)
		}
		return checkSalted(rest, 16, 86)
	case "2a", "2b", "2x", "2y":
		if len(rest) != 2 {
			return errFields
		}
		if n, err := strconv.ParseUint(rest[0], 10, 8); err != nil || len(rest[0]) != 2 || n < 4 || n > 31 {
			return errors.New("the cost of a bcrypt hash is two digits between 04 and 31")
		}
		return checkHash(rest[1], 53)
	case "y", "gy":
		if len(rest) != 3 {
			return errFields
		}
		if rest[0] == "" || !isBase64(rest[0]) {
			return errors.New("the parameters of the hash hold a character that does not belong there")
		}
		if len(rest[1]) > 86 || !isBase64(rest[1]) {
			return errSalt
		}
		return checkHash(rest[2], 43)
	case "7":
		if len(rest) != 2 {
			return errFields
		}
		if len(rest[0]) < 11 || len(rest[0]) > 97 || !isBase64(rest[0]) {
			return errSalt
		}
		return checkHash(rest[1], 43)
	case "sha1":
		if len(rest) != 3 {
			return errFields
		}
		if n, err := strconv.ParseUint(rest[0], 10, 32); err != nil || n < 4 {
			return errors.New("the number of rounds is not 4 or more")
		}
		if rest[1] == "" || len(rest[1]) > 64 || !isBase64(rest[1]) {
			return errSalt
		}
		return checkHash(rest[2], 28)
	}
	return errors.New("the method of the hash, between its first two $, is none of 1, 5, 6, 2a, 2b, 2x, 2y, 7, y, gy, sha1")
}

var (
	errFields = errors.New("the hash lacks a part: too few or too many $")
	errSalt   = errors.New("the salt of the hash is missing, too long, or holds a character that does not belong there")
)

// checkSalted checks the salt and the hash of methods whose salt is free text.
func checkSalted(rest []string, salt, hash int) error {
	if len(rest) != 2 {
		return errFields
	}
	if rest[0] == "" || len(rest[0]) > salt || strings.ContainsAny(rest[0], `;*!\`) {
		return errSalt
	}
	return checkHash(rest[1], hash)
}

func checkHash(s string, want int) error {
	if len(s) != want {
		return fmt.Errorf("the last part of the hash has %d characters, not %d", len(s), want)
	}
	if !isBase64(s) {
		return errors.New("the last part of the hash holds a character that does not belong there")
	}
	return nil
}

// isBase64 says that s is made of the digits of crypt(5), which are not those of RFC 4648.
func isBase64(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '.' && c <= '9':
		default:
			return false
		}
	}
	return true
}
