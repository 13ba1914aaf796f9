package assemble

import (
	"bytes"
	"encoding/base64"
)

// A slip is what is wrong in an encoded text, between two offsets.
type slip struct {
	from, to   int
	what, cure string
}

// fromBase64 decodes base64 in lines of any length.
//
// Source: RFC 2045 section 6.8, but that a character it does not have is refused and not passed over: what is
// damaged must not be applied.
func fromBase64(b []byte) ([]byte, *slip) {
	compact := make([]byte, 0, len(b))
	padding := 0
	for i, c := range b {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '=' && padding < 2:
			padding++
		case c == '=' || padding > 0:
			return nil, &slip{i, i + 1, "the base64 goes on after its end", "encode each part as a whole"}
		case !isBase64Letter(c):
			return nil, &slip{i, i + 1, "a character that base64 does not have", "encode the part again, or leave out its Content-Transfer-Encoding"}
		}
		compact = append(compact, c)
	}
	text := make([]byte, base64.StdEncoding.DecodedLen(len(compact)))
	n, err := base64.StdEncoding.Decode(text, compact)
	if err != nil {
		end := len(bytes.TrimRight(b, " \t\r\n"))
		return nil, &slip{max(end-1, 0), end, "the base64 is cut short", "encode the part again, and send all of it"}
	}
	return text[:n], nil
}

// fromQuotedPrintable decodes quoted-printable.
//
// Source: RFC 2045 section 6.7.
func fromQuotedPrintable(b []byte) ([]byte, *slip) {
	text := make([]byte, 0, len(b))
	for at := 0; at < len(b); {
		line, next := nextLine(b, at)
		end := b[at+len(line) : next]
		line = bytes.TrimRight(line, " \t")
		if soft, ok := bytes.CutSuffix(line, []byte("=")); ok {
			line, end = soft, nil
		}
		for i := 0; i < len(line); i++ {
			if line[i] != '=' {
				text = append(text, line[i])
				continue
			}
			if i+2 >= len(line) || !isHex(line[i+1]) || !isHex(line[i+2]) {
				return nil, &slip{at + i, at + i + 1, "this is not quoted-printable", "write an equals sign as =3D, or leave out the Content-Transfer-Encoding"}
			}
			text = append(text, unhex(line[i+1])<<4|unhex(line[i+2]))
			i += 2
		}
		text = append(text, end...)
		at = next
	}
	return text, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
