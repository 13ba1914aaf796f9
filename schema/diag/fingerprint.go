package diag

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprints are names for the findings of a list, in its order and each one different: 32 hexadecimal digits.
//
// A name stays the same while the text around a finding moves: it is made of the rule, the file relative to
// Options.Root, the path in the language without its indices, and the text of the line, without the blanks around
// it. Of a line that may not be drawn nothing goes in, since a short secret could be found again by trying. Where
// all of that is equal, findings are told apart by their order.
//
// The same names are in the forms for SARIF and GitLab, so they may not change from one release to another.
func Fingerprints(l List, o Options) []string {
	p := newPrinter(nil, o)
	return p.fingerprints(l)
}

func (p *printer) fingerprints(l List) []string {
	out := make([]string, len(l))
	seen := map[string]int{}
	for i := range l {
		d := &l[i]
		v := p.view(d)
		text := string(bytes.TrimSpace(v.line))
		if v.hidden {
			text = ""
		}
		if d.Subject.IsZero() {
			text = d.Rule.Title
		}
		name := Relative(d.Subject.File, p.Root)
		same := strings.Join([]string{"1", d.Rule.ID, name, withoutIndices(d.Path), text}, "\x00")
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", same, seen[same]))
		seen[same]++
		out[i] = hex.EncodeToString(sum[:16])
	}
	return out
}

// withoutIndices is "write_files.path" of "write_files[2].path": an entry added in front must not make every finding
// behind it a new one.
func withoutIndices(path string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, path, _ = strings.Cut(rest, "]")
	}
}
