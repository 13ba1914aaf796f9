//go:build integration && linux

package machines_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cutFiles is how many files the machines of [TestPowerCuts] are to have besides, so that there is something to be cut.
const cutFiles = 60

// TestPowerCuts kills QEMU, by its process id, while the machine provisions itself for the first time, and boots it again from
// the disk as it was then. QEMU keeps nothing of the disk in the host's page cache (cache=none), so what the machine had
// not written is lost, with all that its own page cache had.
//
// However it was cut, in the end everything is configured as if nothing had happened, and nothing twice.
func TestPowerCuts(t *testing.T) {
	need(t)
	cuts := 2
	if isLong() {
		cuts = 50
	}
	if _, err := fmt.Sscan(os.Getenv("CUTS"), &cuts); err != nil && os.Getenv("CUTS") != "" {
		t.Fatal(err)
	}
	key := newSSHKey(t, "user-data")
	drive := iso(t, "cidata", noCloud("i-cut", cutData(key)))
	w := newWorld(t)
	w.dhcp(t)
	card := w.plug(t)
	var whole string         // what a machine has that was not cut
	var window time.Duration // from its first words to the login
	t.Run("not cut", func(t *testing.T) {
		m := w.powerOn(t, card, hardware{disk: fileCopy(t, installed(t)), writeBack: "none", drives: []string{drive}})
		begin := m.waitFor(t, "provisioner: fetch: asking")
		window = m.login(t, key, "elroy") - begin
		m.wantConfigured(t, key, "nocloud")
		whole = m.configured(t, key)
		t.Logf("it begins %.1f s after power-on", begin.Seconds())
	})
	if t.Failed() {
		t.FailNow()
	}
	counts := map[string]int{}
	for n := range cuts {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			disk := fileCopy(t, installed(t))
			m := w.powerOn(t, card, hardware{disk: disk, writeBack: "none", drives: []string{drive}})
			m.waitFor(t, "provisioner: fetch: asking")
			after := rand.N(window)
			time.Sleep(after)
			m.cut()
			said := m.console()
			m = w.powerOn(t, card, hardware{disk: disk, writeBack: "none", drives: []string{drive}})
			m.wantConfigured(t, key, "nocloud")
			if got := m.configured(t, key); got != whole {
				t.Errorf("cut %.2f s after it began, and then it has\n%s\nnot\n%s", after.Seconds(), got, whole)
			}
			found := found(said, m.console())
			counts[found]++
			t.Logf("cut %.2f s after it began, %s", after.Seconds(), found)
		})
	}
	t.Logf("%d cuts within %.1f s: %v", cuts, window.Seconds(), counts)
}

// found says how far a machine had come, by what it said before and after it was cut.
func found(before, after string) string {
	switch {
	case strings.Contains(after, "an earlier run was cut short"):
		return "in the middle of a commit, which was taken back"
	case !strings.Contains(before, "commit: "):
		return "before a commit"
	case strings.Contains(after, "commit: "):
		return "between two commits"
	}
	return "after the last commit"
}

func cutData(key sshKey) string {
	text := userData(key)
	before, after, _ := strings.Cut(text, "coreos:\n")
	for n := range cutFiles {
		before += fmt.Sprintf("  - path: /opt/files/%d/file%d\n    permissions: \"0644\"\n    content: %s\n", n%7, n, strings.Repeat(fmt.Sprint("text", n), 50))
	}
	return before + "coreos:\n" + after
}

// configured is everything that a configuration made on a machine, as text. The date of a password is not in it.
func (m *machine) configured(t *testing.T, key sshKey) string {
	t.Helper()
	text, err := m.ssh(t.Context(), key, "elroy", `sudo -n sh -c '
cd /
find opt etc/sudoers.d etc/systemd/system/hello.service home/elroy ! -name ".bash_history" -printf "%M %u %g %p %l\n" | sort
find opt etc/sudoers.d etc/systemd/system/hello.service home/elroy -type f ! -name ".bash_history" -exec sha256sum {} + | sort -k 2
cat etc/passwd etc/group etc/hostname
cut -d: -f1,2 etc/shadow; cat etc/gshadow
find etc/systemd/system -name "hello*" | sort
pwck -rq; grpck -r
find / -xdev -name "*provisioner*tmp*" -o -xdev -path "*/.provisioner*" | sort'`)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text
}

// waitFor waits until the machine has printed a text, and says when that was after power-on.
func (m *machine) waitFor(t *testing.T, text string) time.Duration {
	t.Helper()
	for {
		if strings.Contains(m.console(), text) {
			return time.Since(m.since)
		}
		select {
		case <-m.off:
			t.Fatalf("the machine went off before it said %q", text)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(m.since) > bootTimeout {
			t.Fatalf("the machine does not say %q", text)
		}
	}
}

// fileCopy is a copy of a disk as it is.
func fileCopy(t *testing.T, disk string) string {
	t.Helper()
	path := filepath.Join(scratch(t), "disk")
	mustRun(t, "cp", "--sparse=always", disk, path)
	return path
}
