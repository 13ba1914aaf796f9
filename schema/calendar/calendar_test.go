package calendar_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"cloudconfig/schema/calendar"
)

var good = []string{
	"daily", "Weekly", "semi-annually", "hourly UTC", "Mon", "Mon..Fri", "Mon-Fri 04:00", "Thu,Fri 2012-*-1,5 11:12:13",
	"Sat,Thu,Mon..Wed,Sat..Sun", "mon, 10:00", "*-*-* 04:00", "*-*-1..7 18:00", "*:0/15", "0/5:00", "12-02", "*-02~03", "*-*~01",
	"2003-03-05 05:40", "03-05 08:05:40", "05:40:23.4200004/3.1700005", "12:00 Europe/Berlin", "12:00 CET", "12:00 utc",
	"@1395716396", "*-*-*", "*-*-* *:*:*", "99-1-1", "*-*~07/1", "00:00:00..30/10", "*-*-01..10/2", "monday..sunday 1:1",
}

var bad = []string{
	"", "UTC", "5", "*/5", "*:*/5", "Mon *:*/5", "25:00", "12:60", "12:00:60", "12", "Sun..Mon", "Mon..", "Mon..Wed..Fri",
	"Mondays", "Mon,Foo", "*-13-01", "*-*-32", "*-0-1", "1969-1-1", "2200-1-1", "noon", "every day", "*-*-* 04:00 ", "12:00:", "12:", "-1-1",
	"*-*-*-*", "*~*~*", "0 4 * * *", "*/10 * * * *", "@", "@12 12:00", "12:00 Pacific Time", "*:0/0", "12:00 mon", "1:1:1..1",
}

func TestCheck(t *testing.T) {
	for _, text := range good {
		if err := calendar.Check(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range bad {
		if calendar.Check(text) == nil {
			t.Errorf("%q is taken for an expression", text)
		}
	}
}

// TestSystemdAgrees holds the expressions above, and others made of their parts by chance, against systemd's
// own reader.
func TestSystemdAgrees(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze")
	}
	parts := []string{"*", "0", "1", "5", "12", "31", "59", "60", "2012", "70", ":", ":", "-", "-", "~", "/", "..", ",", " ", ".", "Mon", "Sun", "tuesday", "@", "x"}
	chance := rand.New(rand.NewPCG(1, 2))
	texts := append(append([]string(nil), good...), bad...)
	for range 1500 {
		text := []string{"", "*-*-* ", "Mon ", "*-", "*:"}[chance.IntN(5)]
		for range 1 + chance.IntN(6) {
			text += parts[chance.IntN(len(parts))]
		}
		texts = append(texts, text)
	}
	// One run says of all which are none; it stops at none of them.
	args := []string{"calendar", "--iterations=0", "--"}
	refused := map[string]bool{}
	for len(texts) > 0 {
		n := min(len(texts), 200)
		out, _ := exec.Command(analyze, append(args[:3:3], texts[:n]...)...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if rest, ok := strings.CutPrefix(line, "Failed to parse calendar specification '"); ok {
				refused[rest[:strings.LastIndex(rest, "':")]] = true
			}
		}
		for _, text := range texts[:n] {
			if err := calendar.Check(text); (err != nil) != refused[text] {
				t.Errorf("%q: here %v, systemd refuses: %v", text, err, refused[text])
			}
		}
		texts = texts[n:]
	}
}

func FuzzCalendar(f *testing.F) {
	for _, text := range append(append([]string(nil), good...), bad...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := calendar.Check(text); err != nil && err.Error() == "" {
			t.Error("no reason")
		}
	})
}

// missing skips a test that needs what this machine does not have; on CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
