package report

import (
	"context"
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// Journal is a log handler that sends to systemd's journal, with the record's attributes as fields named
// PROVISIONER_..., if stream ($JOURNAL_STREAM) says that our output goes there; else it drops everything.
func Journal(stream string) slog.Handler {
	if stream == "" {
		return slog.DiscardHandler
	}
	return journalHandler{send: journal.Send, prefix: "PROVISIONER"}
}

// What messages of ours are about, for whoever looks for them with journalctl MESSAGE_ID=. They never change.
const (
	MessageBegan = "902ccc4321fe422b844670e829bb3711"
	MessageStage = "94e4f0e182ff4660a600da59e7848999"
)

// MessageID is that of the message which says that a run has ended so.
func (s State) MessageID() string {
	switch s {
	case Done, None:
		return "6fff89310386484aa464bc8adb3a1849"
	case Refused:
		return "8749cc3eb4ea4f3d9b6952681ef77338"
	case Degraded:
		return "643936559b6a48a1a9973abddc184d75"
	}
	return "3e43a8f4569b4f3b82193a35795fb4ef"
}

// Level is how much the end of a run in this state is to be noticed.
func (s State) Level() slog.Level {
	switch s {
	case Done, None:
		return slog.LevelInfo
	case Degraded:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// MessageIDKey is the attribute that becomes MESSAGE_ID.
const MessageIDKey = "message_id"

// journalHandler is a value: WithAttrs and WithGroup give changed copies.
type journalHandler struct {
	send   func(message string, p journal.Priority, fields map[string]string) error
	prefix string
	fields []field
}

type field struct{ name, value string }

// Enabled implements slog.Handler.
func (h journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (h journalHandler) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]string{"SYSLOG_IDENTIFIER": "provisioner"}
	for _, f := range h.fields {
		fields[f.name] = f.value
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == MessageIDKey {
			fields["MESSAGE_ID"] = a.Value.String()
			return true
		}
		for _, f := range flatten(h.prefix, a) {
			fields[f.name] = f.value
		}
		return true
	})
	return h.send(printable(r.Message), priority(r.Level), fields)
}

// WithAttrs implements slog.Handler.
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.fields = h.fields[:len(h.fields):len(h.fields)]
	for _, a := range attrs {
		h.fields = append(h.fields, flatten(h.prefix, a)...)
	}
	return h
}

// WithGroup implements slog.Handler.
func (h journalHandler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.prefix += "_" + fieldName(name)
	}
	return h
}

// flatten makes fields of an attribute; the value resolves itself first, so a secret prints as one.
func flatten(prefix string, a slog.Attr) []field {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		return []field{{prefix + "_" + fieldName(a.Key), printable(v.String())}}
	}
	if a.Key != "" {
		prefix += "_" + fieldName(a.Key)
	}
	var out []field
	for _, member := range v.Group() {
		out = append(out, flatten(prefix, member)...)
	}
	return out
}

// fieldName is a key as the journal takes it: capitals, digits and underscores, 32 of them at most.
// Source: systemd.io/JOURNAL_EXPORT_FORMATS and sd_journal_send(3); a whole name may have 64.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	return name[:min(len(name), 32)]
}

func priority(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
