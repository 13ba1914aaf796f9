package report

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/journal"
)

// JournalTo is Journal with something in the journal's place.
func JournalTo(send func(message string, p journal.Priority, fields map[string]string) error) slog.Handler {
	return journalHandler{send: send, prefix: "PROVISIONER"}
}
