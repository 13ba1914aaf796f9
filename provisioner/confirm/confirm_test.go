//go:build linux

package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/confirm"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
)

const (
	eth0    = "etc/systemd/network/05-provisioner-eth0.network"
	rescue  = "run/systemd/network/05-provisioner-dhcp.network"
	pending = "var/lib/provisioner/network/pending.json"
	kept    = "var/lib/provisioner/network/confirmed.json"
)

var (
	address = netip.MustParsePrefix("192.0.2.10/24")
	gateway = netip.MustParseAddr("192.0.2.1")
)

// world is a machine with one card. What its networkd makes of eth0 is what the file says, a word: "good", or what is wrong.
type world struct {
	t    *testing.T
	root *fsroot.Root
	dir  string
	now  time.Time
	boot string

	image    string // the word of the image's own file, where there is none of ours
	dhcp     string // the word of DHCP on every card
	running  string // what networkd reads last
	off      bool   // networkd does not run
	enabled  bool
	bus      error         // what Reload says
	udev     error         // what ReloadUdev says
	mute     bool          // the URL is not reached
	lag      time.Duration // how long networkd takes to act on Reload, at the time acts
	acts     time.Time
	said     []string
	calls    []string
	more     []plan.Interface
	known    map[int]string       // what networkd knows of, by its number
	told     map[string]time.Time // since when the kernel tells of what it does not know yet
	reads    time.Duration        // how long it takes to know
	patience time.Duration        // how long a gateway that is silent is asked
	cancel   func()               // called when somebody sleeps
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0), boot: "boot-1", image: "good", dhcp: "good", known: map[int]string{}, told: map[string]time.Time{}}
	for _, dir := range []string{"var/lib", "run", "etc"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	w.root = root
	return w
}

// word is what the files on disk are for the card.
func (w *world) word() string {
	for path, otherwise := range map[string]string{eth0: "", rescue: w.dhcp} {
		if text := w.read(path); text != "(none)" {
			if otherwise != "" {
				return otherwise
			}
			return strings.TrimSpace(text)
		}
	}
	return w.image
}

func (w *world) read(name string) string {
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		return "(none)"
	}
	return string(text)
}

// bounded says that systemd and networkd are never waited for without end.
func (w *world) bounded(ctx context.Context) {
	if _, ok := ctx.Deadline(); !ok {
		w.t.Error("somebody is asked who may never answer")
	}
}

func (w *world) call(format string, args ...any) {
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

func (w *world) Interfaces(context.Context) ([]plan.Interface, error) {
	i := plan.Interface{
		Name: "eth0", Index: 2, MAC: "02:00:00:00:00:01", Up: true, Carrier: true, MTU: 1500,
		Addresses: []plan.InterfaceAddress{{Prefix: address}},
		Routes:    []plan.InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: gateway, Protocol: "dhcp"}},
	}
	switch w.running {
	case "dark":
		i.Carrier, i.Addresses = false, nil
	case "bare":
		i.Addresses, i.Routes = nil, nil
	case "tentative":
		i.Addresses[0].Tentative = true
	case "twice":
		i.Addresses[0].Duplicate = true
	case "down":
		i.Up, i.Carrier, i.Addresses = false, false, nil
	case "lonely":
		i.Routes = nil
	}
	if w.running == "absent" {
		return w.more, nil
	}
	return append([]plan.Interface{i}, w.more...), nil
}

func (w *world) Delete(_ context.Context, index int) error {
	w.call("delete %d", index)
	w.more = slices.DeleteFunc(w.more, func(i plan.Interface) bool { return i.Index == index })
	return nil
}
func (w *world) Rename(index int, name string) error {
	for other, known := range w.known {
		if other != index && known == name && w.reads > 0 {
			w.call("networkd: two have the name %s", name)
		}
	}
	w.call("rename %d %s", index, name)
	for i := range w.more {
		if w.more[i].Index == index {
			w.more[i].Name = name
		}
	}
	return nil
}
func (w *world) Release(index int) error {
	w.call("release %d", index)
	for i := range w.more {
		if w.more[i].Index == index {
			w.more[i].Master = ""
		}
	}
	return nil
}
func (w *world) SetMTU(index, mtu int) error {
	w.call("mtu %d %d", index, mtu)
	for i := range w.more {
		if w.more[i].Index == index {
			w.more[i].MTU = mtu
		}
	}
	return nil
}
func (w *world) RemoveAddress(index int, p netip.Prefix) error {
	w.call("remove %d %s", index, p)
	return nil
}
func (w *world) ReloadUdev(context.Context) error          { return w.udev }
func (w *world) Running(ctx context.Context) (bool, error) { w.bounded(ctx); return !w.off, nil }
func (w *world) Enabled(ctx context.Context) (bool, error) { w.bounded(ctx); return w.enabled, nil }
func (w *world) Start(ctx context.Context) error {
	w.bounded(ctx)
	w.call("start")
	w.off, w.running = false, w.word()
	return nil
}
func (w *world) Reconfigure(ctx context.Context, index int) error {
	if known, err := w.Known(ctx); err != nil || known[index] == "" {
		return fmt.Errorf("Link %d not known", index)
	}
	w.call("reconfigure %d", index)
	return nil
}

// Known is what networkd has read: at first what there is, and what is new or has another name only after a while.
func (w *world) Known(ctx context.Context) (map[int]string, error) {
	all, err := w.Interfaces(ctx)
	for _, i := range all {
		was, ok := w.known[i.Index]
		switch since, seen := w.told[i.Name]; {
		case ok && was == i.Name || w.reads == 0:
		case !seen:
			w.told[i.Name] = w.now
			continue
		case w.now.Sub(since) < w.reads:
			continue
		}
		w.known[i.Index] = i.Name
	}
	return maps.Clone(w.known), err
}
func (w *world) Reload(context.Context) error {
	if w.bus != nil {
		return w.bus
	}
	w.call("reload")
	if w.acts = w.now.Add(w.lag); w.lag == 0 {
		w.running = w.word()
	}
	return nil
}
func (w *world) Answers(_ context.Context, index int, from, to netip.Addr) (bool, error) {
	if w.running == "silent" {
		w.now = w.now.Add(w.patience)
	}
	if from != address.Addr() || to != gateway || index == 8 {
		return false, fmt.Errorf("asked from %s for %s", from, to)
	}
	return w.running != "silent", nil
}
func (w *world) Reach(context.Context, string) error {
	if w.mute {
		return errors.New("no route to host")
	}
	return nil
}

func (w *world) input() confirm.Input {
	return confirm.Input{
		Root: w.root, System: confirm.System{Kernel: w, Networkd: w, Prober: w}, BootID: w.boot,
		Say: func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) },
		Now: func() time.Time { return w.now },
		Sleep: func(_ context.Context, d time.Duration) {
			if w.now = w.now.Add(d); w.lag > 0 && !w.now.Before(w.acts) {
				w.running = w.word()
			}
			if w.cancel != nil {
				w.cancel()
			}
		},
	}
}

// claim is what the description says of eth0 in most tests.
func claim() confirm.Link {
	return confirm.Link{Name: "eth0", Was: "eth0", Addresses: []netip.Prefix{address}, Gateways: []netip.Addr{gateway}}
}

// write commits files as a plan would, "" for one that goes, with the mark.
func (w *world) write(files map[string]string, links ...confirm.Link) {
	w.t.Helper()
	var changes []plan.Change
	for path, text := range files {
		c := plan.Change{Kind: plan.WriteFile, Path: path, Attr: fsroot.Attr{Mode: 0o644, UID: os.Getuid(), GID: os.Getgid()}, Data: []byte(text)}
		if text == "" {
			c = plan.Change{Kind: plan.Remove, Path: path}
		}
		changes = append(changes, c)
	}
	mark, err := confirm.Mark(w.root, confirm.Change{BootID: w.boot, Links: links, Files: changes, Timeout: time.Minute, Host: "192.0.2.80:80", Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(append(mark, changes...))
}

func (w *world) apply(changes []plan.Change) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Join(w.dir, "etc/systemd/network"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	f := plan.Facts{Paths: map[string]*plan.Seen{}}
	for i := range changes {
		if err := facts.Look(w.root, &f, []string{changes[i].Path}); err != nil {
			w.t.Fatal(err)
		}
		changes[i].Was = *f.Paths[changes[i].Path]
	}
	if _, err := commit.Apply(w.t.Context(), w.root, plan.Plan{Changes: changes}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run() confirm.Outcome {
	w.t.Helper()
	w.calls = nil
	out := confirm.Run(w.t.Context(), w.input())
	if w.read(pending) == "(none)" != (out.State == confirm.Confirmed || out.State == confirm.Unconfirmed || out.State == "") {
		w.t.Errorf("%s, and the mark is %.40s", out.State, w.read(pending))
	}
	return out
}

// A network that works is confirmed, and is what a later one that does not is put back to.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name string
		word string // what the new file makes of the card
		set  func(*world)
		want confirm.Outcome
		file string // what is there afterwards
	}{
		{"all is well", "good", nil, confirm.Outcome{State: confirm.Confirmed}, "good"},
		{"no cable", "dark", nil, restored("last-confirmed", "eth0: no carrier"), "old"},
		{"kept down", "down", nil, restored("last-confirmed", "eth0: it is not up"), "old"},
		{"no card", "absent", nil, restored("last-confirmed", "eth0: there is no such interface"), "old"},
		{"no address", "bare", nil, restored("last-confirmed", "eth0: the address 192.0.2.10/24 is not there"), "old"},
		{"an address that is never sure", "tentative", nil, restored("last-confirmed", "eth0: the address 192.0.2.10/24 is tentative"), "old"},
		{"an address that another has", "twice", nil, restored("last-confirmed", "eth0: another machine has the address 192.0.2.10/24"), "old"},
		{"a gateway that is none", "silent", nil, restored("last-confirmed", "eth0: the gateway 192.0.2.1 does not answer"), "old"},
		{"the URL is not reached, whatever is put back", "good", func(w *world) { w.mute = true }, restored("last-confirmed", "192.0.2.80:80 cannot be reached: no route to host"), "old"},
		{"nobody presses Enter", "good", nil, restored("last-confirmed", "nobody has kept it"), "old"},
		{"networkd is enabled and does not run", "good", func(w *world) { w.off, w.enabled = true, true }, confirm.Outcome{State: confirm.Confirmed}, "good"},
		{"nothing acts on files", "good", func(w *world) { w.off = true },
			confirm.Outcome{State: confirm.Unconfirmed, Failed: []string{"systemd-networkd does not run and is not enabled, so nothing acts on the files"}}, "good"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.write(map[string]string{eth0: "old"}, claim())
			if out := w.run(); out.State != confirm.Confirmed {
				t.Fatalf("the first one: %+v, %q", out, w.said)
			}
			if !strings.Contains(w.read(kept), `"files":[{`) {
				t.Errorf("confirmed: %s", w.read(kept))
			}
			w.write(map[string]string{eth0: test.word}, claim())
			if test.set != nil {
				test.set(w)
			}
			in := w.input()
			if test.name == "nobody presses Enter" {
				in.Keep = func(context.Context) bool { return false }
			}
			began := w.now
			out := confirm.Run(t.Context(), in)
			if diff := cmp.Diff(test.want, out); diff != "" {
				t.Errorf("outcome (-want +got):\n%s%s", diff, strings.Join(w.said, "\n"))
			}
			if got := w.read(eth0); got != test.file {
				t.Errorf("the file is %q, want %q", got, test.file)
			}
			if took := w.now.Sub(began); took > time.Minute+3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func restored(to string, why ...string) confirm.Outcome {
	return confirm.Outcome{State: confirm.Restored, Failed: why, Restored: to}
}

// Where what was there before does not work either, the image's own network comes next, and then DHCP on every card.
func TestOrderOfRestoring(t *testing.T) {
	for _, test := range []struct {
		name, before, image, dhcp string
		want                      string
		err                       bool
		file                      string
		rescued                   bool
	}{
		{"the one before works", "lonely", "good", "good", "last-confirmed", false, "lonely", false},
		{"the image's own works", "silent", "good", "good", "image", false, "(none)", false},
		{"DHCP works", "silent", "bare", "good", "dhcp", false, "(none)", true},
		{"nothing works, and DHCP may yet", "silent", "bare", "bare", "dhcp", true, "(none)", true},
		{"no cable anywhere: the one before is as good as any", "dark", "dark", "good", "last-confirmed", true, "dark", false},
		{"there was none before", "", "good", "good", "image", false, "(none)", false},
		{"there was none before, and the image has none", "", "bare", "good", "dhcp", false, "(none)", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.image, w.dhcp = test.image, test.dhcp
			if test.before != "" {
				w.apply([]plan.Change{{Kind: plan.WriteFile, Path: eth0, Attr: fsroot.Attr{Mode: 0o644, UID: os.Getuid(), GID: os.Getgid()}, Data: []byte(test.before)}})
			}
			w.write(map[string]string{eth0: "bare"}, claim())
			began := w.now
			out := w.run()
			if out.Restored != test.want || out.State != confirm.Restored || out.Err != nil != test.err {
				t.Errorf("outcome %+v\n%s", out, strings.Join(w.said, "\n"))
			}
			if got := w.read(eth0); got != test.file {
				t.Errorf("the file is %q, want %q", got, test.file)
			}
			if there := w.read(rescue) == networkd.Everywhere().Text; there != test.rescued {
				t.Errorf("DHCP on every card: %v", there)
			}
			if took := w.now.Sub(began); took > 5*time.Minute {
				t.Errorf("it took %s", took)
			}
			// It is so on the next boot too, although /run is empty then; and it is not tried again.
			w.boot = "boot-2"
			if err := os.RemoveAll(filepath.Join(w.dir, "run")); err != nil {
				t.Fatal(err)
			}
			if _, err := confirm.Boot(t.Context(), w.root, w.boot); err != nil {
				t.Fatal(err)
			}
			if there := w.read(rescue) == networkd.Everywhere().Text; there != test.rescued || w.read(eth0) != test.file {
				t.Errorf("after a boot: DHCP on every card: %v, and the file is %q", there, w.read(eth0))
			}
			if again := w.run(); again.Restored != test.want || len(w.calls) > 0 {
				t.Errorf("after a boot: %+v, %q", again, w.calls)
			}
		})
	}
}

// A boot that finds the mark of another one puts back what was there, and tries once more; the power may go at any time.
func TestPowerCut(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "good"}, claim())
	boot := func(id string) confirm.Outcome {
		t.Helper()
		w.boot = id
		out, err := confirm.Boot(t.Context(), w.root, id)
		if err != nil {
			t.Fatal(err)
		}
		w.running = w.word()
		return out
	}
	if out := boot("boot-1"); out.State != "" || w.read(eth0) != "good" {
		t.Errorf("the boot that made the mark: %+v", out)
	}
	for _, id := range []string{"boot-2", "boot-3"} { // the second time the power is cut before it is tried
		if out := boot(id); out.State != confirm.Restored || out.Restored != "image" || w.read(eth0) != "(none)" {
			t.Errorf("%s: %+v, the file is %q", id, out, w.read(eth0))
		}
	}
	w.cancel = func() { panic("cut") }
	w.mute = true
	func() {
		defer func() { _ = recover() }()
		in := w.input()
		confirm.Run(t.Context(), in)
	}()
	w.cancel = nil
	if w.read(eth0) != "good" || !strings.Contains(w.read(pending), `"attempts":2`) {
		t.Fatalf("the second attempt: %q, %s", w.read(eth0), w.read(pending))
	}
	out := boot("boot-4")
	if len(out.Failed) != 1 || w.read(eth0) != "(none)" {
		t.Errorf("after two attempts: %+v, the file is %q", out, w.read(eth0))
	}
	if out := w.run(); out.State != confirm.Restored || len(w.calls) > 0 {
		t.Errorf("it is tried again: %+v, %q", out, w.calls)
	}
}

// Who has started the machine anew may have done so because of the network: it has the one from before, and keeps it.
func TestStartedAnew(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "old"}, claim())
	w.run()
	w.write(map[string]string{eth0: "good"}, claim())
	w.boot = "boot-2"
	if out, err := confirm.Boot(t.Context(), w.root, w.boot); err != nil || out.Restored != "last-confirmed" || w.read(eth0) != "old" {
		t.Errorf("%+v, %v, the file is %q", out, err, w.read(eth0))
	}
	if out := w.run(); out.State != confirm.Restored || len(w.calls) > 0 || w.read(eth0) != "old" {
		t.Errorf("it is tried again: %+v, %q", out, w.calls)
	}
}

// What proves nothing against a network is tried again, and confirmed if it works.
func TestSecondAttempt(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "good"}, claim())
	w.boot = "boot-2"
	if _, err := confirm.Boot(t.Context(), w.root, w.boot); err != nil || w.read(eth0) != "(none)" {
		t.Fatalf("%v, the file is %q", err, w.read(eth0))
	}
	w.running = w.word()
	if out := w.run(); out.State != confirm.Confirmed || w.read(eth0) != "good" {
		t.Errorf("%+v, the file is %q", out, w.read(eth0))
	}
}

// Whoever ends the run does not leave the machine with a network that was not checked, and does not wait for anything. It is tried
// again where there was none before.
func TestEndedMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		before, restored, left, mark string
	}{
		"there was one":  {"old", "last-confirmed", "old", `"state":"failed"`},
		"there was none": {"", "image", "(none)", `"state":"cut"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.before != "" {
				w.write(map[string]string{eth0: test.before}, claim())
				w.run()
			}
			w.write(map[string]string{eth0: "silent"}, claim())
			w.image = "bare" // and nobody finds out
			ctx, cancel := context.WithCancel(t.Context())
			w.cancel = cancel
			began := w.now
			out := confirm.Run(ctx, w.input())
			want := restored(test.restored, "the check was ended")
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if got := w.read(eth0); got != test.left || !strings.Contains(w.read(pending), test.mark) {
				t.Errorf("the file is %q, the mark %.80s", got, w.read(pending))
			}
			if took := w.now.Sub(began); took > time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Who ends it while a network is put back has that one, whether it works or not.
func TestEndedWhileItGoesBack(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "bare"}, claim())
	w.image = "bare"
	ctx, cancel := context.WithCancel(t.Context())
	began := w.now
	w.cancel = func() {
		if w.now.Sub(began) > 70*time.Second {
			cancel()
		}
	}
	out := confirm.Run(ctx, w.input())
	if took := w.now.Sub(began); out.Restored != "image" || out.Failed[0] != "eth0: the address 192.0.2.10/24 is not there" || took > 71*time.Second {
		t.Errorf("%+v after %s", out, took)
	}
}

// If networkd cannot be told anything, the old files are there all the same, and that is told.
func TestNetworkdDoesNotListen(t *testing.T) {
	w := newWorld(t)
	w.running = "good"
	w.write(map[string]string{eth0: "old"}, claim())
	w.run()
	w.bus = errors.New("systemd-networkd: Reload: timed out")
	w.write(map[string]string{eth0: "good"}, claim())
	out := w.run()
	if diff := cmp.Diff(restored("last-confirmed", "systemd-networkd: Reload: timed out"), out); diff != "" || w.read(eth0) != "old" {
		t.Errorf("the file is %q, outcome (-want +got):\n%s", w.read(eth0), diff)
	}
}

// Where there was no network before, one of which networkd could not be told is tried again at the next boot, once.
func TestNetworkdDidNotListen(t *testing.T) {
	w := newWorld(t)
	w.bus = errors.New("systemd-networkd: Reload: broken pipe")
	w.write(map[string]string{eth0: "good"}, claim())
	next := func(boot string) confirm.Outcome {
		w.boot = boot
		if _, err := confirm.Boot(t.Context(), w.root, boot); err != nil {
			t.Fatal(err)
		}
		w.running = w.word()
		return w.run()
	}
	if out := w.run(); out.State != confirm.Restored || w.read(eth0) != "(none)" {
		t.Errorf("%+v, the file is %q", out, w.read(eth0))
	}
	if out := next("boot-2"); out.State != confirm.Restored || w.read(eth0) != "(none)" {
		t.Errorf("the second time: %+v, the file is %q", out, w.read(eth0))
	}
	w.bus = nil
	if out := next("boot-3"); out.State != confirm.Restored || w.read(eth0) != "(none)" {
		t.Errorf("it is tried a third time: %+v, the file is %q", out, w.read(eth0))
	}

	w = newWorld(t)
	w.bus = errors.New("systemd-networkd: Reload: broken pipe")
	w.write(map[string]string{eth0: "good"}, claim())
	w.run()
	w.bus = nil
	if out := next("boot-2"); out.State != confirm.Confirmed || w.read(eth0) != "good" {
		t.Errorf("networkd listens again: %+v, the file is %q", out, w.read(eth0))
	}
}

// What goes wrong beside a network that works is told, and does not take it back.
func TestOthersAreSlow(t *testing.T) {
	w := newWorld(t)
	w.udev = errors.New("udevadm: signal: killed")
	w.write(map[string]string{eth0: "good"}, claim())
	if out := w.run(); out.State != confirm.Confirmed || !errors.Is(out.Err, w.udev) || w.read(eth0) != "good" {
		t.Errorf("%+v, the file is %q", out, w.read(eth0))
	}
	w.write(map[string]string{eth0: "silent"}, claim())
	if out := w.run(); out.State != confirm.Restored || len(out.Failed) != 2 || out.Failed[0] != w.udev.Error() || w.read(eth0) != "good" {
		t.Errorf("one that does not work: %+v, the file is %q", out, w.read(eth0))
	}
}

// What DHCP gives is held to the same.
func TestDHCP(t *testing.T) {
	for word, want := range map[string]confirm.Outcome{
		"good":   {State: confirm.Confirmed},
		"bare":   restored("image", "eth0: no address by DHCP"),
		"silent": restored("image", "eth0: the gateway 192.0.2.1 does not answer"),
	} {
		t.Run(word, func(t *testing.T) {
			w := newWorld(t)
			w.write(map[string]string{eth0: word}, confirm.Link{Name: "eth0", DHCP4: true, DHCP6: true})
			if diff := cmp.Diff(want, w.run()); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// What is not promised is not waited for.
func TestUnchecked(t *testing.T) {
	for name, l := range map[string]confirm.Link{
		"optional":                   {Name: "eth0", Unchecked: true, Addresses: []netip.Prefix{address}},
		"in a bond, without a cable": {Name: "eth0", NoCarrier: true, Addresses: []netip.Prefix{address}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write(map[string]string{eth0: "dark"}, l)
			if out := w.run(); out.State != confirm.Confirmed {
				t.Errorf("%+v", out)
			}
		})
	}
}

// A mark that is replaced before it was checked still leads back to what was checked.
func TestMarkOverMark(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "lonely"}, claim())
	w.write(map[string]string{eth0: "bare"}, claim())
	if out := w.run(); out.Restored != "image" || w.read(eth0) != "(none)" {
		t.Errorf("%+v, the file is %q", out, w.read(eth0))
	}
}

// A boot does not try a second time what has failed; somebody by hand may.
func TestSpent(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "bare"}, claim())
	w.run()
	c := confirm.Change{BootID: w.boot, Links: []confirm.Link{claim()}, Now: w.now, Files: []plan.Change{
		{Kind: plan.WriteFile, Path: eth0, Attr: fsroot.Attr{Mode: 0o644, UID: os.Getuid(), GID: os.Getgid()}, Data: []byte("bare")},
	}}
	if _, err := confirm.Mark(w.root, c); !errors.Is(err, confirm.ErrSpent) {
		t.Errorf("by a boot: %v", err)
	}
	c.ByHand = true
	if changes, err := confirm.Mark(w.root, c); err != nil || len(changes) == 0 {
		t.Errorf("by hand: %d changes, %v", len(changes), err)
	}
}

// networkd answers, and acts a little later: what is seen until then is the network before.
func TestNetworkdIsSlow(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "good"}, claim())
	w.run()
	w.lag = time.Second
	w.write(map[string]string{eth0: "silent"}, claim())
	if out := w.run(); out.State != confirm.Restored || w.read(eth0) != "good" {
		t.Errorf("%+v, the file is %q", out, w.read(eth0))
	}
}

func TestMarkOfNothing(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{"etc/systemd/network/10-user.network": "good", "etc/motd": "hello"})
	if out := w.run(); out.State != "" || w.read(pending) != "(none)" {
		t.Errorf("%+v: %s", out, w.read(pending))
	}
}

// The kernel is brought where udev and networkd are too late, and back again.
func TestKernel(t *testing.T) {
	card := func(index int, name, mac string) plan.Interface {
		return plan.Interface{Name: name, Index: index, MAC: mac, PermanentMAC: mac, Up: true, Carrier: true, MTU: 1500}
	}
	w := newWorld(t)
	const vlan, bond = "etc/systemd/network/05-provisioner-vlan7.netdev", "etc/systemd/network/05-provisioner-bond0.netdev"
	w.more = []plan.Interface{
		card(3, "lan", "02:00:00:00:00:03"), card(4, "wan", "02:00:00:00:00:04"), card(5, "port", "02:00:00:00:00:05"),
		{Name: "bond0", Index: 6, Kind: "bond", Up: true, Carrier: true}, {Name: "vlan7", Index: 7, Kind: "vlan", Parent: "lan", Up: true, Carrier: true},
	}
	w.more[2].Master = "bond0"
	w.write(map[string]string{vlan: "[Match]\nName=x\n[NetDev]\nName=vlan7\nKind=vlan\n[VLAN]\nId=7\n", bond: "[NetDev]\nName=bond0\nKind=bond\n"})
	w.write(map[string]string{vlan: "[NetDev]\nName=vlan7\nKind=vlan\n[VLAN]\nId=8\n", bond: "[NetDev]\nName=bond0\nKind=bond\n"})
	// The mark was never checked; so that there is something to come from, it is confirmed first.
	w.more[3].Kind, w.more[4].Kind = "", ""
	w.run()
	w.more[3].Kind, w.more[4].Kind = "bond", "vlan"
	w.write(map[string]string{vlan: "[NetDev]\nName=vlan7\nKind=vlan\n[VLAN]\nId=9\n", bond: ""},
		confirm.Link{Name: "wan", Was: "lan", MAC: "02:00:00:00:00:03", Rename: true, MTU: 9000, MTUWas: 1500},
		confirm.Link{Name: "lan", Was: "wan", MAC: "02:00:00:00:00:04", Rename: true, Addresses: []netip.Prefix{address}},
	)
	out := w.run()
	if out.State != confirm.Restored {
		t.Errorf("outcome %+v", out)
	}
	want := []string{
		"delete 7",
		"rename 3 provisioner3", "rename 4 provisioner4", "rename 3 wan", "rename 4 lan", "mtu 3 9000",
		"reload", "reconfigure 3", "reconfigure 4", "delete 6",
		"rename 3 provisioner3", "rename 4 provisioner4", "rename 3 lan", "rename 4 wan", "mtu 3 1500",
		"reload", "reconfigure 3", "reconfigure 4",
	}
	if diff := cmp.Diff(want, w.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// networkd leaves an MTU as it was set once; where none is named any more, it is the usual one again.
func TestMTUIsReset(t *testing.T) {
	w := newWorld(t)
	w.more = []plan.Interface{{Name: "eth1", Index: 3, Up: true, Carrier: true, MTU: 9000}}
	link := confirm.Link{Name: "eth1", Was: "eth1", Stem: "05-provisioner-eth1", MTUWas: 9000}
	const file = "etc/systemd/network/05-provisioner-eth1.network"
	w.write(map[string]string{file: "[Link]\nMTUBytes=9000\n"}, link)
	w.run()
	w.write(map[string]string{file: "[Link]\n"}, link)
	if out := w.run(); out.State != confirm.Confirmed || !slices.Contains(w.calls, "mtu 3 1500") {
		t.Errorf("%+v, %q", out, w.calls)
	}
}

// Addresses that were there and are not to be are gone in the end, whoever had set them.
func TestStaleAddresses(t *testing.T) {
	w := newWorld(t)
	other := netip.MustParsePrefix("198.51.100.7/24")
	w.more = []plan.Interface{{Name: "eth1", Index: 3, Up: true, Carrier: true, Addresses: []plan.InterfaceAddress{{Prefix: other}, {Prefix: address}}}}
	w.write(map[string]string{eth0: "good"}, confirm.Link{Name: "eth1", Addresses: []netip.Prefix{address}, Drop: []netip.Prefix{other}})
	if out := w.run(); out.State != confirm.Confirmed || !slices.Contains(w.calls, "remove 3 198.51.100.7/24") {
		t.Errorf("%+v, %q", out, w.calls)
	}
}

// A card that leaves a bond which stays is taken out of it, and one that was not in it before, when that is put back; what others
// have put it in is theirs.
func TestLeavesABond(t *testing.T) {
	w := newWorld(t)
	card := func(n int, master string) plan.Interface {
		return plan.Interface{Name: fmt.Sprintf("eth%d", n), Index: n + 2, Up: true, Carrier: true, MTU: 1500, Master: master}
	}
	w.more = []plan.Interface{card(1, "bond0"), card(2, "bond0"), card(3, ""), card(4, "others"), {Name: "bond0", Index: 9, Kind: "bond", Up: true, Carrier: true}}
	const in, out = "[Network]\nBond=bond0\n", "[Network]\nDHCP=no\n"
	file := func(n int) string { return fmt.Sprintf("etc/systemd/network/05-provisioner-eth%d.network", n) }
	link := func(n int) confirm.Link {
		name := fmt.Sprintf("eth%d", n)
		return confirm.Link{Name: name, Was: name, Stem: "05-provisioner-" + name}
	}
	links := []confirm.Link{link(1), link(2), link(3), link(4)}
	w.write(map[string]string{file(1): in, file(2): in, file(4): in}, links...)
	w.run()
	w.write(map[string]string{file(1): out, file(3): in, file(4): out}, links...)
	w.mute = true
	input := w.input()
	w.calls = nil
	w.cancel = func() { // what networkd does, in time
		for i := range w.more[:3] {
			w.more[i].Master = masterOf(w.read(file(i + 1)))
		}
	}
	if got := confirm.Run(t.Context(), input); got.State != confirm.Restored {
		t.Errorf("%+v", got)
	}
	want := []string{"reload", "release 3", "reload", "release 5"} // networkd begins anew by itself with a link whose file changed
	if diff := cmp.Diff(want, w.calls[:min(len(want), len(w.calls))]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func masterOf(file string) string {
	_, name, _ := strings.Cut(strings.TrimSpace(file), "Bond=")
	return name
}

// A VRF sends nothing itself: its gateway is asked on the member whose network it is in, and one that is in none is not asked.
func TestGatewayOfAVRF(t *testing.T) {
	for name, test := range map[string]struct {
		master string
		via    netip.Addr
		word   string
		state  confirm.State
	}{
		"a member answers":       {"red", gateway, "good", confirm.Confirmed},
		"no answer to a member":  {"red", gateway, "silent", confirm.Restored},
		"in no member's network": {"red", netip.MustParseAddr("198.51.100.1"), "silent", confirm.Confirmed},
		"in that of no member":   {"", gateway, "silent", confirm.Confirmed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.more = []plan.Interface{
				{Name: "red", Index: 8, Kind: "vrf", Up: true, Carrier: true},
				{Name: "eth1", Index: 3, Up: true, Carrier: true, Master: test.master, Addresses: []plan.InterfaceAddress{{Prefix: address}}},
			}
			w.write(map[string]string{eth0: test.word}, confirm.Link{Name: "red", Gateways: []netip.Addr{test.via}})
			if out := w.run(); out.State != test.state {
				t.Errorf("%+v", out)
			}
		})
	}
}

// networkd reads what the kernel says a little later: it is waited for between the names of cards that change theirs with each other,
// though not for ever.
func TestSwap(t *testing.T) {
	for name, test := range map[string]struct {
		reads time.Duration
		two   bool
	}{
		"it reads soon":  {time.Second, false},
		"it never reads": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.more = []plan.Interface{{Name: "lan", Index: 3, MAC: "02:00:00:00:00:03", Up: true, Carrier: true}, {Name: "wan", Index: 4, MAC: "02:00:00:00:00:04", Up: true, Carrier: true}}
			w.known = map[int]string{2: "eth0", 3: "lan", 4: "wan"}
			w.reads = test.reads
			w.write(map[string]string{eth0: "good"},
				confirm.Link{Name: "wan", Was: "lan", MAC: "02:00:00:00:00:03", Rename: true},
				confirm.Link{Name: "lan", Was: "wan", MAC: "02:00:00:00:00:04", Rename: true},
			)
			began := w.now
			if out := w.run(); out.State != confirm.Confirmed {
				t.Errorf("%+v", out)
			}
			if two := slices.Contains(w.calls, "networkd: two have the name wan"); two != test.two {
				t.Errorf("calls: %q", w.calls)
			}
			if took := w.now.Sub(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// What networkd has just made it may not know yet: it is told to configure that once it does, and passed over if it never does.
func TestNewToNetworkd(t *testing.T) {
	for name, test := range map[string]struct {
		reads time.Duration
		told  bool
	}{
		"it reads soon":  {time.Second, true},
		"it never reads": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.more = []plan.Interface{{Name: "br0", Index: 5, Kind: "bridge", Up: true, Carrier: true}}
			w.known, w.reads = map[int]string{2: "eth0"}, test.reads
			renamed := claim()
			renamed.Rename = true
			w.write(map[string]string{eth0: "good"}, renamed, confirm.Link{Name: "br0", Rename: true})
			if out := w.run(); out.State != confirm.Confirmed || slices.Contains(w.calls, "reconfigure 5") != test.told || !slices.Contains(w.calls, "reconfigure 2") {
				t.Errorf("%+v, %q", out, w.calls)
			}
		})
	}
}

// Where nothing can be committed, as on a full disk, the last resort is put in place all the same.
func TestNothingCanBeCommitted(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "silent"}, claim())
	w.cancel = func() {
		mark := filepath.Join(w.dir, pending)
		if info, err := os.Stat(mark); err == nil && info.IsDir() {
			return
		}
		if err := errors.Join(os.Remove(mark), os.MkdirAll(mark+"/in the way", 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	out := confirm.Run(t.Context(), w.input())
	if out.State != confirm.Restored || out.Restored != "dhcp" || w.read(eth0) != "(none)" || w.read(rescue) == "(none)" {
		t.Errorf("%+v, eth0 %q, DHCP %q, said %q", out, w.read(eth0), w.read(rescue), w.said)
	}
}

// What somebody has mended by hand since a network was put back stays at the next boot; what was below /run comes again.
func TestMendedByHand(t *testing.T) {
	w := newWorld(t)
	w.write(map[string]string{eth0: "old"}, claim())
	w.run()
	w.write(map[string]string{eth0: "silent"}, claim())
	if out := w.run(); out.Restored != "last-confirmed" {
		t.Fatalf("%+v", out)
	}
	if err := os.WriteFile(filepath.Join(w.dir, eth0), []byte("mended"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.boot = "boot-2"
	if out, err := confirm.Boot(t.Context(), w.root, w.boot); err != nil || out.State != confirm.Restored || w.read(eth0) != "mended" {
		t.Errorf("%+v, %v, the file is %q", out, err, w.read(eth0))
	}
}

// Many links whose gateways are silent do not make the check longer than it may take.
func TestManySilentGateways(t *testing.T) {
	w := newWorld(t)
	w.patience = 2 * time.Second
	links := make([]confirm.Link, 1000)
	for i := range links {
		links[i] = claim()
	}
	w.write(map[string]string{eth0: "silent"}, links...)
	began := w.now
	out := w.run()
	if took := w.now.Sub(began); out.State != confirm.Restored || took > 70*time.Second {
		t.Errorf("%s after %s", out.State, took)
	}
}

// Where there is no udev, a boot gives cards the names and MTUs that our files say, before networkd starts.
func TestNames(t *testing.T) {
	const left, right = "[Match]\nMACAddress=02:00:00:00:00:03\n\n[Link]\nName=wan\nMTUBytes=1400\n", "[Match]\nPermanentMACAddress=02:00:00:00:00:04\n\n[Link]\nName=lan\n"
	for name, test := range map[string]struct {
		udev bool
		want map[int]string
		mtu  bool
	}{
		"without udev": {false, map[int]string{3: "wan", 4: "lan", 5: "eth5"}, true},
		"with udev":    {true, map[int]string{3: "lan", 4: "wan", 5: "eth5"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.more = []plan.Interface{{Name: "lan", Index: 3, Kind: "veth", MAC: "02:00:00:00:00:03", MTU: 1500}, {Name: "wan", Index: 4, Kind: "veth", MAC: "02:00:00:00:00:04"}, {Name: "eth5", Index: 5, MAC: "02:00:00:00:00:05"}}
			files := map[string]string{
				"etc/systemd/network/05-provisioner-left.link": left, "etc/systemd/network/05-provisioner-right.link": right,
				"etc/systemd/network/05-provisioner-gone.link": "[Match]\nPermanentMACAddress=02:00:00:00:00:09\n\n[Link]\nName=eth5\n",
				"etc/systemd/network/10-image.link":            "[Match]\nMACAddress=02:00:00:00:00:05\n\n[Link]\nName=image\n",
				"etc/systemd/network/05-provisioner-fast.link": "[Match]\nDriver=fast\n\n[Link]\nName=fast\n",
			}
			if test.udev {
				files["run/udev/control"] = ""
			}
			for file, text := range files {
				file = filepath.Join(w.dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if err := confirm.Names(t.Context(), w.input()); err != nil {
				t.Error(err)
			}
			got := map[int]string{}
			for _, i := range w.more {
				got[i.Index] = i.Name
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if mtu := slices.ContainsFunc(w.calls, func(c string) bool { return strings.Contains(c, "1400") }); mtu != test.mtu {
				t.Errorf("%q", w.calls)
			}
		})
	}
}
