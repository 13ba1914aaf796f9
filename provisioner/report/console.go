package report

import (
	"fmt"
	"io"
	"strings"

	"cloudconfig/schema/diag"
)

// Console writes one line a stage, for whoever watches the machine start.
type Console struct {
	W io.Writer
	// Journal says that W is taken by systemd's journal, which reads a priority in front of each line.
	Journal bool
}

// UserPriority is PRIORITY in the journal of a line that is the user's: notice. No line of ours that is not sent with
// fields has it, so that who reads the journal can tell them apart.
const UserPriority = "5"

// Say writes "provisioner: STAGE: TEXT" as one line in one write. That it cannot be written is no reason to
// stop a boot.
func (c Console) Say(stage, format string, args ...any) {
	_, _ = io.WriteString(c.W, "provisioner: "+printable(stage)+": "+printable(fmt.Sprintf(format, args...))+"\n")
}

// maxLines is how much of a message is printed.
const maxLines = 100

// Print writes a message of the user's, each of its lines as it is. Of two priorities in front of a line the journal takes
// the first, which is ours (SyslogLevelPrefix= in systemd.exec(5), v252).
func (c Console) Print(message string) {
	mark := ""
	if c.Journal {
		mark = "<" + UserPriority + ">"
	}
	lines := strings.SplitN(strings.TrimRight(message, "\n"), "\n", maxLines+1)
	for _, line := range lines[:min(len(lines), maxLines)] {
		_, _ = io.WriteString(c.W, mark+printable(line)+"\n")
	}
}

// printable is a text of others on one line, which ends after 4 KiB.
func printable(s string) string {
	if len(s) > maxTextBytes {
		rest := len(s) - maxTextBytes
		return diag.Printable(strings.ToValidUTF8(s[:maxTextBytes], "")) + fmt.Sprintf("... (%d bytes more)", rest)
	}
	return diag.Printable(s)
}
