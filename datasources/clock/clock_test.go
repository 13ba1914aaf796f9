package clock_test

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudconfig/datasources/clock"
)

var (
	built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	epoch = time.Date(1970, 1, 1, 0, 0, 10, 0, time.UTC)
	right = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
)

// answer is what a server sends back to a request: nil is nothing.
type answer func(request []byte) []byte

// says is the answer of a server that has a time.
func says(t time.Time) answer { return but(t, func([]byte) {}) }

// but is that answer with something changed.
func but(t time.Time, change func(packet []byte)) answer {
	return func(request []byte) []byte {
		p := make([]byte, 48)
		p[0], p[1] = 4<<3|4, 2
		copy(p[24:32], request[40:48])
		stamp := uint64(t.Unix()+2208988800)<<32 | uint64(t.Nanosecond())<<32/1e9
		binary.BigEndian.PutUint64(p[32:], stamp)
		binary.BigEndian.PutUint64(p[40:], stamp)
		change(p)
		return p
	}
}

// serve is the address of a server that gives the answers in turn, the last one for ever.
func serve(t *testing.T, asked *atomic.Int32, answers ...answer) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 100)
		for turn := 0; ; turn++ {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			asked.Add(1)
			if n != 48 || buf[0] != 4<<3|3 {
				t.Errorf("a request of %d bytes, beginning with %#x", n, buf[0])
			}
			if p := answers[min(turn, len(answers)-1)](buf[:n]); p != nil {
				_, _ = conn.WriteTo(p, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestCorrect(t *testing.T) {
	silence := answer(func([]byte) []byte { return nil })
	for _, tt := range []struct {
		name    string
		shows   time.Time // epoch if nothing is said
		answers []answer  // a server each
		want    time.Time // what the clock shows then; as before if zero
		err     string
	}{
		{name: "a server that is right", answers: []answer{says(right)}, want: right},
		{name: "the first that answers", answers: []answer{silence, says(right), says(right.Add(time.Hour))}, want: right},
		{name: "forward, from a clock that could be right", shows: built.Add(time.Hour), answers: []answer{says(right)}, want: right},
		{name: "never backward", shows: right.Add(time.Hour), answers: []answer{says(right)}, err: "the clock is right by the time server"},
		{name: "the past", answers: []answer{says(built.Add(-time.Hour))}, err: "which is before this program was built"},
		{name: "1970", answers: []answer{says(epoch.Add(time.Hour))}, err: "it has 1970-01-01 01:00:10 UTC, which is before"},
		{name: "the far future", answers: []answer{says(built.AddDate(10, 0, 1))}, err: "more than ten years after"},
		{name: "after the seconds of NTP began anew", shows: built, answers: []answer{says(time.Date(2036, 3, 1, 0, 0, 0, 0, time.UTC))}, want: time.Date(2036, 3, 1, 0, 0, 0, 0, time.UTC)},
		{name: "a kiss of death", answers: []answer{but(right, func(p []byte) { p[1] = 0; copy(p[12:], "RATE") })}, err: "kiss of death RATE"},
		{name: "a kiss that moves a terminal", answers: []answer{but(right, func(p []byte) { p[1] = 0; copy(p[12:], "\x1b[1m") })}, err: `\u{1b}[1m`},
		{name: "a server without a time", answers: []answer{but(right, func(p []byte) { p[0] |= 3 << 6 })}, err: "does not know the time itself"},
		{name: "stratum 16", answers: []answer{but(right, func(p []byte) { p[1] = 16 })}, err: "does not know the time itself"},
		{name: "another client", answers: []answer{but(right, func(p []byte) { p[0] = 4<<3 | 3 })}, err: "not that of a server"},
		{name: "a time of zero", answers: []answer{but(right, func(p []byte) { clear(p[40:48]) })}, err: "its answer has no time"},
		{name: "sent before it was received", answers: []answer{but(right, func(p []byte) { p[35]++ })}, err: "sends before it receives"},
		{name: "what was not asked", answers: []answer{but(right, func(p []byte) { p[24]++ })}, err: "no answer in time"},
		{name: "half a packet", answers: []answer{func(r []byte) []byte { return says(right)(r)[:40] }}, err: "no answer in time"},
		{name: "nobody", answers: []answer{silence}, err: "no answer in time"},
		{name: "no server", err: "no time server is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.shows.IsZero() {
				tt.shows = epoch
			}
			var asked atomic.Int32
			var said []string
			c := &clock.Clock{
				Built: built, Patience: 300 * time.Millisecond,
				System: func() time.Time { return tt.shows },
				Say:    func(line string) { said = append(said, line) },
			}
			for _, a := range tt.answers {
				c.Servers = append(c.Servers, serve(t, &asked, a))
			}
			err := c.Correct(t.Context())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !c.Shown().Equal(tt.shows) || said != nil {
					t.Errorf("error %v, want %q; the clock shows %v; said %q", err, tt.err, c.Shown(), said)
				}
				return
			}
			if err != nil || c.Shown().Sub(tt.want).Abs() > time.Second {
				t.Errorf("error %v, the clock shows %v, want %v", err, c.Shown(), tt.want)
			}
			if len(said) != 1 || !strings.HasPrefix(said[0], "the clock was at "+clock.Print(tt.shows)+"; the clock of this run alone is now at ") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// What was not asked for does not hide the answer that was.
func TestStrayPackets(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		buf := make([]byte, 100)
		_, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		for _, a := range []answer{but(right.Add(time.Hour), func(p []byte) { p[30]++ }), func([]byte) []byte { return []byte("?") }, says(right)} {
			_, _ = conn.WriteTo(a(buf), from)
		}
	}()
	c := &clock.Clock{Built: built, Servers: []string{conn.LocalAddr().String()}, System: func() time.Time { return epoch }}
	if err := c.Correct(t.Context()); err != nil || c.Now().Sub(right).Abs() > time.Second {
		t.Errorf("error %v, the clock shows %v", err, c.Now())
	}
}

func TestNow(t *testing.T) {
	var none *clock.Clock
	if d := time.Since(none.Now()).Abs(); d > time.Minute || none.IsBehind() || none.Correct(t.Context()) == nil {
		t.Errorf("no clock is the machine's own: %v apart", d)
	}
	behind := &clock.Clock{Built: built, System: func() time.Time { return epoch }}
	if !behind.Now().Equal(built) || !behind.Shown().Equal(epoch) || !behind.IsBehind() {
		t.Errorf("a clock that is behind says %v", behind.Now())
	}
	well := &clock.Clock{Built: built, System: func() time.Time { return right }}
	if !well.Now().Equal(right) || well.IsBehind() {
		t.Errorf("a clock that is right says %v", well.Now())
	}
}

func TestSet(t *testing.T) {
	for _, fails := range []bool{false, true} {
		var asked atomic.Int32
		system := epoch
		var said string
		c := &clock.Clock{Built: built, Servers: []string{serve(t, &asked, says(right))}, System: func() time.Time { return system },
			Say: func(line string) { said = line }}
		c.Set = func(to time.Time) error {
			if fails {
				return errors.New("not permitted")
			}
			system = to
			return nil
		}
		if err := c.Correct(t.Context()); err != nil || c.Now().Sub(right).Abs() > time.Second {
			t.Errorf("error %v, the clock shows %v", err, c.Now())
		}
		if system.Equal(epoch) != fails || strings.Contains(said, "the clock of this run alone") != fails {
			t.Errorf("the machine's clock is at %v: %s", system, said)
		}
		if moved := c.Moved(); (moved > 0) == fails || !fails && moved != system.Sub(epoch) {
			t.Errorf("the machine's clock was moved by %v", moved)
		}
		// What is known is not asked again.
		if err := c.Correct(t.Context()); err == nil || !strings.Contains(err.Error(), "is right by the time server") || asked.Load() != 1 {
			t.Errorf("error %v after %d requests", err, asked.Load())
		}
	}
}

func TestThreeTries(t *testing.T) {
	var asked atomic.Int32
	c := &clock.Clock{Built: built, Servers: []string{serve(t, &asked, func([]byte) []byte { return nil })}, Patience: 20 * time.Millisecond}
	for range 5 {
		if c.Correct(t.Context()) == nil {
			t.Error("the clock was moved by silence")
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// Whom leases name, as the errors say of servers that are not there.
func TestServersOfDHCP(t *testing.T) {
	for _, tt := range []struct {
		name, leases, links string
		err                 string
	}{
		{"nothing", "", "", "DHCP did not name two"},
		{"one", "NTP=192.0.2.1\n", "NTP=192.0.2.1\n", "one alone is not believed"},
		{"this machine, and nobody", "NTP=127.0.0.1 0.0.0.0 224.0.1.1 ntp.example.com\n", "NTP=192.0.2.1\n", "one alone is not believed"},
		{"another form", "[NTP]\nServer=192.0.2.1\n", "", "DHCP did not name two"},
		{"two", "# This is private data. Do not parse.\nADDRESS=192.0.2.9\nNTP=192.0.2.1 192.0.2.2\n", "", "the time server 192.0.2.1: "},
		{"two of two links", "NTP=192.0.2.1\n", "NTP=192.0.2.2\n", "the time server 192.0.2.2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for dir, text := range map[string]string{"leases": tt.leases, "links": tt.links} {
				dir = filepath.Join(root, "run/systemd/netif", dir)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "2"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c := &clock.Clock{Built: built, Root: root, Patience: 50 * time.Millisecond}
			if err := c.Correct(t.Context()); err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestAgreement(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []answer
		err     string
	}{
		{"two that agree", []answer{says(right), says(right.Add(9 * time.Second))}, ""},
		{"two that do not", []answer{says(right), says(right.Add(time.Minute))}, "are 1m0s apart"},
		{"two of three that do", []answer{says(right), says(right), says(right.AddDate(1, 0, 0))}, "apart"},
		{"one that lies beyond belief, and one", []answer{says(right), says(right.AddDate(30, 0, 0))}, "one alone is not believed"},
		{"two that lie beyond belief", []answer{says(epoch), says(epoch)}, "before this program was built"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			var servers []string
			for _, a := range tt.answers {
				servers = append(servers, serve(t, &asked, a))
			}
			c := &clock.Clock{Built: built, System: func() time.Time { return epoch }, Patience: time.Second}
			err := clock.CorrectFromDHCP(t.Context(), c, servers)
			if tt.err == "" && (err != nil || c.Now().Sub(right).Abs() > time.Second) {
				t.Errorf("error %v, the clock shows %v", err, c.Now())
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !c.Shown().Equal(epoch)) {
				t.Errorf("error %v, want %q; the clock shows %v", err, tt.err, c.Shown())
			}
		})
	}
}

// No packet makes a client panic, and none is believed that is not a server's answer.
func FuzzParse(f *testing.F) {
	f.Add(says(right)(make([]byte, 48)))
	f.Add(make([]byte, 48))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < 48 {
			return
		}
		sent, held, err := clock.Parse(p, built)
		if err == nil && (held < 0 || sent.Sub(built).Abs() > 69*365*24*time.Hour) {
			t.Errorf("sent %v, held %v", sent, held)
		}
	})
}
