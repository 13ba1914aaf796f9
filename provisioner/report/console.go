package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Console writes one line a stage, for whoever watches the machine start.
type Console struct {
	W io.Writer
}

// Say writes "provisioner: STAGE: TEXT" as one line in one write. That it cannot be written is no reason to
// stop a boot.
func (c Console) Say(stage, format string, args ...any) {
	_, _ = io.WriteString(c.W, "provisioner: "+printable(stage)+": "+printable(fmt.Sprintf(format, args...))+"\n")
}

// printable is a text of others on one line: control, bidi and separator characters are \u{..}, and it ends
// after 4 KiB.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() > maxTextBytes {
			fmt.Fprintf(&b, "... (%d bytes more)", len(s)-i)
			break
		}
		switch {
		case r == utf8.RuneError, r != ' ' && !unicode.IsGraphic(r), r != ' ' && unicode.IsSpace(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
