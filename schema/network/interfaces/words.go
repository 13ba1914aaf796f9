package interfaces

import "bytes"

// A word is one of a line, between two offsets in the file.
type word struct {
	text     string
	from, to int
}

// A scanner cuts a text into lines of words. A backslash at the end of a line goes on with the next one, and a line that begins with
// # is none.
type scanner struct {
	text []byte
	i    int
}

// line is the next line that has words; nil at the end.
func (s *scanner) line() []word {
	for s.i < len(s.text) {
		comment := false
		var words []word
		for more := true; more; {
			end := len(s.text)
			if n := bytes.IndexByte(s.text[s.i:], '\n'); n >= 0 {
				end = s.i + n
			}
			line := bytes.TrimSuffix(s.text[s.i:end], []byte("\r"))
			if len(words) == 0 && bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
				comment = true
			}
			more = !comment && bytes.HasSuffix(line, []byte(`\`)) && end < len(s.text)
			if more {
				line = line[:len(line)-1]
			}
			if !comment {
				words = cut(words, line, s.i)
			}
			s.i = min(end+1, len(s.text))
		}
		if len(words) > 0 {
			return words
		}
	}
	return nil
}

// cut adds the words of a line that begins at an offset.
func cut(words []word, line []byte, offset int) []word {
	for i := 0; i < len(line); {
		if line[i] == ' ' || line[i] == '\t' || line[i] == '\r' {
			i++
			continue
		}
		from := i
		for i < len(line) && line[i] != ' ' && line[i] != '\t' && line[i] != '\r' {
			i++
		}
		words = append(words, word{string(line[from:i]), offset + from, offset + i})
	}
	return words
}
