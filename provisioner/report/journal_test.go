package report_test

import (
	"log/slog"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
)

func TestJournal(t *testing.T) {
	type entry struct {
		Message  string
		Priority journal.Priority
		Fields   map[string]string
	}
	var got []entry
	log := slog.New(report.JournalTo(func(m string, p journal.Priority, f map[string]string) error {
		got = append(got, entry{m, p, f})
		return nil
	}))
	log.Debug("not worth keeping")
	log.With("data-source", "ec2").WithGroup("commit").Warn("a\nb",
		"password", schema.Secret("hunter2"), slog.Group("file", "path", "/etc/motd", "size", 5))
	log.Error("plain", report.MessageIDKey, report.Failed.MessageID())

	want := []entry{
		{`a\u{a}b`, journal.PriWarning, map[string]string{"SYSLOG_IDENTIFIER": "provisioner", "PROVISIONER_DATA_SOURCE": "ec2",
			"PROVISIONER_COMMIT_PASSWORD": "(secret)", "PROVISIONER_COMMIT_FILE_PATH": "/etc/motd", "PROVISIONER_COMMIT_FILE_SIZE": "5"}},
		{"plain", journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "provisioner", "MESSAGE_ID": "3e43a8f4569b4f3b82193a35795fb4ef"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoggersOfOneParentDoNotMix(t *testing.T) {
	var got []string
	log := slog.New(report.JournalTo(func(_ string, _ journal.Priority, f map[string]string) error {
		got = append(got, f["PROVISIONER_UNIT"])
		return nil
	})).With("a", 1, "b", 2, "c", 3)
	one, two := log.With("unit", "one"), log.With("unit", "two")
	one.Info("")
	two.Info("")
	if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoJournalNoLog(t *testing.T) {
	if report.Journal("").Enabled(t.Context(), slog.LevelError) {
		t.Error("a run outside systemd would log twice")
	}
}
