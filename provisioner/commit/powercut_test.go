package commit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// before is a small machine; srv is the second volume.
var before = map[string]string{
	"etc": "dir", "etc/passwd": "root", "etc/hosts": "localhost", "etc/mode": "same", "etc/gone": "bye",
	"etc/localtime": "->UTC", "etc/link": "->old", "etc/old.d": "dir", "etc/old.d/only": "1", "etc/open": "dir",
	"etc/become": "->a", "home": "dir",
	"srv": "dir", "srv/data": "old data", "srv/sub": "dir", "srv/sub/gone": "bye", "srv/empty": "dir",
}

// machines are what everything is tried on: together a change of every kind, each in several directories and on
// both volumes.
func machines() map[string]machine {
	withState := maps.Clone(before)
	for _, p := range []string{"var", "var/lib", "var/lib/provisioner"} {
		withState[p] = "dir"
	}
	const old = "var/lib/provisioner/instances/old"
	copied := maps.Clone(withState)
	maps.Copy(copied, map[string]string{
		"var/lib/provisioner/instances": "dir", old: "dir", old + "/user-data": "password", old + "/manifest.json": "{}",
		"var/lib/provisioner/instance": "->instances/old", "etc/ssh": "dir", "etc/ssh/ssh_host_rsa_key": "old", "etc/ssh/ssh_host_rsa_key.pub": "old",
	})
	bare := newDisk(before)
	bare.vfat = true
	return map[string]machine{
		"a later run": {newDisk(withState), []plan.Change{
			{Kind: plan.WriteFile, Path: "etc/passwd", Data: []byte("root core")},
			{Kind: plan.WriteFile, Path: "etc/mode", Data: []byte("same"), Attr: fsroot.Attr{Mode: 0o600}},
			{Kind: plan.WriteFile, Path: "etc/hostname", Data: []byte("web1")},
			{Kind: plan.Remove, Path: "etc/gone"},
			{Kind: plan.MakeLink, Path: "etc/localtime", Target: "../Berlin"},
			{Kind: plan.MakeDirectory, Path: "etc/open", Attr: fsroot.Attr{Mode: 0o700, UID: 7, GID: 7}},
			{Kind: plan.Remove, Path: "etc/old.d/only"},
			{Kind: plan.Remove, Path: "etc/old.d"},
			{Kind: plan.WriteFile, Path: "srv/data", Data: []byte("new data")},
			{Kind: plan.WriteFile, Path: "srv/sub/new", Data: []byte("new")},
			{Kind: plan.Remove, Path: "srv/empty"},
		}},
		"another instance": {newDisk(copied), []plan.Change{
			{Kind: plan.WriteFile, Path: "var/lib/provisioner/left.json", Data: []byte("{}"), Attr: fsroot.Attr{Mode: 0o600}},
			{Kind: plan.Remove, Path: "var/lib/provisioner/instance"},
			{Kind: plan.Remove, Path: old + "/user-data"},
			{Kind: plan.Remove, Path: old + "/manifest.json"},
			{Kind: plan.Remove, Path: old},
			{Kind: plan.WriteFile, Path: "etc/ssh/ssh_host_rsa_key", Data: []byte("new"), Attr: fsroot.Attr{Mode: 0o600}},
			{Kind: plan.WriteFile, Path: "etc/ssh/ssh_host_rsa_key.pub", Data: []byte("new")},
		}},
		"a first run, srv like a vfat": {bare, []plan.Change{
			{Kind: plan.MakeLink, Path: "etc/mtab", Target: "/proc/mounts"},
			{Kind: plan.MakeLink, Path: "etc/hosts", Target: "hosts.d"},
			{Kind: plan.WriteFile, Path: "etc/become", Data: []byte("a file")},
			{Kind: plan.Remove, Path: "etc/link"},
			{Kind: plan.MakeDirectory, Path: "home/core", Attr: fsroot.Attr{Mode: 0o750, UID: 500, GID: 500}},
			{Kind: plan.MakeDirectory, Path: "home/core/.ssh", Attr: fsroot.Attr{Mode: 0o700, UID: 500, GID: 500}},
			{Kind: plan.WriteFile, Path: "home/core/.ssh/keys", Data: []byte("ssh-ed25519"), Attr: fsroot.Attr{Mode: 0o600, UID: 500, GID: 500}},
			{Kind: plan.WriteFile, Path: "srv/data", Data: []byte("new data")},
			{Kind: plan.Remove, Path: "srv/sub/gone"},
			{Kind: plan.MakeDirectory, Path: "srv/made", Attr: fsroot.Attr{Mode: 0o755}},
			{Kind: plan.WriteFile, Path: "srv/made/x", Data: []byte("x")},
		}},
	}
}

type machine struct {
	disk    *disk
	changes []plan.Change
}

// planFor fills in what facts would have seen.
func planFor(root fsroot.FS, changes []plan.Change) plan.Plan {
	p := plan.Plan{Changes: slices.Clone(changes), Reload: true}
	for i := range p.Changes {
		c := &p.Changes[i]
		info, err := root.Stat(c.Path)
		if err != nil {
			panic(err)
		}
		c.Was.Info = info
		if info.Kind == fsroot.Regular {
			data, info, err := root.ReadFile(c.Path, plan.MaxData)
			if err != nil {
				panic(err)
			}
			sum := sha256.Sum256(data)
			c.Was.Info, c.Was.SHA256 = info, hex.EncodeToString(sum[:])
		}
		if c.Kind == plan.WriteFile && c.Attr == (fsroot.Attr{}) {
			c.Attr.Mode = 0o644
		}
	}
	return p
}

// died runs f until it returns or the power is cut.
func died(f func()) (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, cut = p.(powerCut); !cut {
				panic(p)
			}
		}
	}()
	f()
	return false
}

// trees are what the machine is before and after the changes.
func trees(t *testing.T, m machine) (before, after map[string]string) {
	t.Helper()
	d := m.disk.clone()
	before = d.tree()
	p := planFor(d, m.changes)
	r, err := commit.Apply(context.Background(), d, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Changed) != len(m.changes) || r.Syncs == 0 {
		t.Fatalf("receipt %+v", r)
	}
	if d.at("srv/data").xattr != "x of srv/data" {
		t.Errorf("the new file has the attributes %q", d.at("srv/data").xattr)
	}
	for dir, n := range d.pathsSeen {
		if n > 1 && !strings.HasPrefix(dir, "var/") && dir != "srv" {
			t.Errorf("%s was synced %d times", dir, n)
		}
	}
	return before, d.tree()
}

// Cut at every step of Apply, in every way; then at every step of the Recover after it, in every way; and
// once more when all is done.
func TestPowerCut(t *testing.T) {
	for name, m := range machines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, m)
			others := slices.DeleteFunc(slices.Sorted(maps.Keys(cuts)), func(how string) bool { return how == lost || how == some })
			for n, cut := 1, true; cut; n++ {
				d := m.disk.clone()
				p := planFor(d, m.changes)
				d.cut = n
				var err error
				cut = died(func() { _, err = commit.Apply(context.Background(), d, p) })
				d.cut = 0
				if err != nil {
					t.Fatalf("cut at %d: %v", n, err)
				}
				story := fmt.Sprint("Apply cut at step ", n)
				c.each(d, []string{lost, some, killed}, story, !cut, c.cutRecovery)
				c.each(d, others, story, !cut, c.recovery)
			}
			t.Logf("%d recoveries", c.recoveries)
		})
	}
}

// With many files on both volumes, or in many directories, each volume is synced as a whole, and neither reaches
// the other. The steps of which there are many are not all cut.
func TestPowerCutWithManyFiles(t *testing.T) {
	t.Parallel()
	m := machine{disk: newDisk(before)}
	for i := range 70 {
		dir := fmt.Sprint("home/", i)
		m.changes = append(m.changes, plan.Change{Kind: plan.MakeDirectory, Path: dir, Attr: fsroot.Attr{Mode: 0o750, UID: i}},
			plan.Change{Kind: plan.WriteFile, Path: dir + "/x", Data: []byte("content")})
		for _, dir := range []string{"etc", "srv"} {
			m.changes = append(m.changes, plan.Change{Kind: plan.WriteFile, Path: fmt.Sprint(dir, "/", i), Data: []byte("content")})
		}
	}
	c := newChecker(t, m)
	last := ""
	for n, cut := 1, true; cut; n++ {
		d := m.disk.clone()
		p := planFor(d, m.changes)
		d.cut = n
		cut = died(func() { commit.Apply(context.Background(), d, p) })
		d.cut = 0
		if d.op != last || n%20 == 0 {
			c.each(d, []string{lost, some, killed}, fmt.Sprintf("Apply cut at step %d (%s)", n, d.op), !cut, c.recovery)
		}
		last = d.op
	}
}

// A sync fails once, Apply rolls back, and that is cut at every step.
func TestPowerCutWhileRollingBack(t *testing.T) {
	for name, m := range machines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChecker(t, m)
			for n, failed := 1, true; failed; n++ {
				failed = false
				for cutAt, cut := 1, true; cut; cutAt++ {
					d := m.disk.clone()
					p := planFor(d, m.changes)
					syncs := 0
					d.fail = func(op string) error {
						if op == "sync" {
							syncs++
						}
						if op != "sync" || syncs != n || failed {
							return nil
						}
						failed, d.steps, d.cut = true, 0, cutAt
						return syscall.EIO
					}
					failed = false
					cut = died(func() { commit.Apply(context.Background(), d, p) })
					d.fail, d.cut = nil, 0
					if cut {
						c.each(d, []string{lost, some, killed}, fmt.Sprintf("sync %d fails, cut %d steps later", n, cutAt), false, c.recovery)
					}
				}
			}
			t.Logf("%d recoveries", c.recoveries)
		})
	}
}

// checker recovers disks and looks at what comes out.
type checker struct {
	*testing.T
	dice          *rand.Rand
	before, after map[string]string
	recoveries    int
	known         map[string]bool
}

func newChecker(t *testing.T, m machine) *checker {
	c := &checker{T: t, dice: rand.New(rand.NewPCG(1, 2)), known: map[string]bool{}}
	c.before, c.after = trees(t, m)
	return c
}

// each goes on with what the cuts called for make of d. What is settled already as it was before, in the same
// test, is not tried again.
func (c *checker) each(d *disk, how []string, story string, committed bool, try func(d *disk, story string, committed bool)) {
	c.Helper()
	for _, how := range how {
		e := d.clone()
		if how != killed {
			e.settle(cuts[how](c.dice))
			key := fmt.Sprintf("%v %v %p %s", committed, maps.Equal(d.tree(), c.after), try, e.fingerprint())
			if c.known[key] {
				continue
			}
			c.known[key] = true
		}
		try(e, story+", "+how, committed)
	}
}

// cutRecovery cuts Recover at every step.
func (c *checker) cutRecovery(d *disk, story string, committed bool) {
	c.Helper()
	for m, cut := 1, true; cut; m++ {
		e := d.clone()
		e.cut = m
		story := fmt.Sprint(story, "; Recover cut at step ", m)
		cut = died(func() { c.recover(e, story) })
		e.cut = 0
		if cut {
			c.each(e, []string{lost, some, killed}, story, committed, c.recovery)
		} else {
			c.check(e, story, committed)
		}
	}
}

// recovery lets Recover come to its end.
func (c *checker) recovery(d *disk, story string, committed bool) {
	c.Helper()
	c.recover(d, story)
	c.check(d, story, committed)
}

func (c *checker) recover(d *disk, story string) {
	c.Helper()
	c.recoveries++
	r, err := commit.Recover(context.Background(), d)
	if err != nil || len(r.Kept) > 0 || r.Units != r.RolledBack {
		c.Fatalf("%s: %+v, %v", story, r, err)
	}
}

// check wants a recovered disk to be whole, and to stay so when the power fails once more.
func (c *checker) check(d *disk, story string, committed bool) {
	c.Helper()
	tree := d.tree()
	switch {
	case committed && !maps.Equal(tree, c.after):
		c.Fatalf("%s: Apply had ended well (-want +got)\n%s", story, cmp.Diff(c.after, tree))
	case !maps.Equal(tree, c.before) && !maps.Equal(tree, c.after):
		c.Fatalf("%s: a mixture (-before +got)\n%s\n(-after +got)\n%s", story, cmp.Diff(c.before, tree), cmp.Diff(c.after, tree))
	}
	if left, _ := d.ReadDir("var/lib/provisioner"); slices.ContainsFunc(left, isOwn) {
		c.Fatalf("%s: leftovers %v", story, left)
	}
	c.each(d, []string{lost, some}, story+"; recovered", committed, func(e *disk, story string, committed bool) {
		c.recover(e, story)
		if again := e.tree(); !maps.Equal(again, tree) {
			c.Fatalf("%s: (-recovered +after the cut)\n%s", story, cmp.Diff(tree, again))
		}
	})
}

// An operation that fails once must leave everything as it was; one that fails for good, a journal at most.
func TestFaults(t *testing.T) {
	space := map[string]bool{"create": true, "mkdir": true, "symlink": true, "link": true, "inherit": true}
	tests := []struct {
		name    string
		err     error
		applies func(op string) bool
		once    bool
	}{
		{"EIO once", syscall.EIO, func(string) bool { return true }, true},
		{"EIO for good", syscall.EIO, func(string) bool { return true }, false},
		{"ENOSPC for good", syscall.ENOSPC, func(op string) bool { return space[op] }, false},
		{"EROFS for good", syscall.EROFS, func(op string) bool { return !looks[op] }, false},
	}
	for _, tt := range tests {
		for name, m := range machines() {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				c := newChecker(t, m)
				for n, met := 1, true; met; n++ {
					d := m.disk.clone()
					p := planFor(d, m.changes)
					ops := 0
					met = false
					d.fail = func(op string) error {
						ops++
						if ops < n || met && tt.once || !tt.applies(op) {
							return nil
						}
						met = true
						return tt.err
					}
					_, err := commit.Apply(context.Background(), d, p)
					d.fail = nil
					if met && err != nil && !errors.Is(err, tt.err) {
						t.Fatalf("step %d: %v does not say why", n, err)
					}
					waiting, _ := commit.Interrupted(d)
					if tt.once && err != nil && (waiting || !maps.Equal(d.tree(), c.before)) {
						t.Fatalf("step %d: not rolled back at once after %v (-want +got)\n%s", n, err, cmp.Diff(c.before, d.tree()))
					}
					story := fmt.Sprintf("%v at step %d", err, n)
					c.each(d, []string{lost, some, killed}, story, err == nil, func(e *disk, story string, committed bool) {
						c.recovery(e, story, committed)
						if tt.once && !committed && !maps.Equal(e.tree(), c.before) {
							t.Fatalf("%s: something is left (-want +got)\n%s", story, cmp.Diff(c.before, e.tree()))
						}
					})
				}
			})
		}
	}
}
