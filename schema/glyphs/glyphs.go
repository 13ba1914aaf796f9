// Package glyphs finds characters that make a text look like another: those that turn the direction of what is
// shown, those that show nothing, and letters of two alphabets in one name.
//
// Sources: Unicode 15 annex 9 (bidirectional formatting characters) and technical standard 39, section 5.1 (mixed
// scripts); "Trojan Source" (CVE-2021-42574).
package glyphs

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// maxHidden is how many invisible characters of one text are told.
const maxHidden = 200

// Hidden finds the characters of a text that turn its direction or show nothing.
func Hidden(text string) []diag.Slip {
	var found []diag.Slip
	for i := 0; i < len(text) && len(found) < maxHidden; {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if what := hidden(r); what != "" {
			found = append(found, diag.Slip{Rule: rules.BidiControl, From: i, To: i + size, Summary: fmt.Sprintf("%s (U+%04X)", what, r), Detail: "remove it"})
		}
		i += size
	}
	return found
}

// hidden says what an invisible character does; "" of any other. The joiners are left out, since words of
// several languages and many pictures have them.
func hidden(r rune) string {
	switch {
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return "an invisible character that turns the direction of what is shown"
	case r == 0x200E, r == 0x200F, r == 0x061C:
		return "an invisible mark of direction"
	case r == 0x200B, r == 0x2060, r == 0x180E, r == 0x00AD, r >= 0xE0000 && r <= 0xE007F:
		return "an invisible character"
	}
	return ""
}

// Mixed finds the first letter in a name that is not of the alphabet of the name's first letter and looks like
// one of it: between Latin, Cyrillic and Greek. ok is false if there is none.
func Mixed(name string) (from, to int, ok bool) {
	var first *unicode.RangeTable
	for i, r := range name {
		var script *unicode.RangeTable
		switch {
		case r < utf8.RuneSelf && (r|0x20 < 'a' || r|0x20 > 'z'):
			continue
		case unicode.Is(unicode.Latin, r):
			script = unicode.Latin
		case unicode.Is(unicode.Cyrillic, r):
			script = unicode.Cyrillic
		case unicode.Is(unicode.Greek, r):
			script = unicode.Greek
		default:
			continue
		}
		if first == nil {
			first = script
		}
		if script != first {
			if first != unicode.Latin {
				// The foreign letter is the first one, if Latin follows.
				for j, l := range name {
					if unicode.Is(first, l) {
						return j, j + utf8.RuneLen(l), true
					}
				}
			}
			return i, i + utf8.RuneLen(r), true
		}
	}
	return 0, 0, false
}

// Alphabet names that of a letter.
func Alphabet(letter string) string {
	r, _ := utf8.DecodeRuneInString(letter)
	switch {
	case unicode.Is(unicode.Cyrillic, r):
		return "Cyrillic"
	case unicode.Is(unicode.Greek, r):
		return "Greek"
	}
	return "Latin"
}
