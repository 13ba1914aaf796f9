package plan_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// publicKey is a public key of a letter.
func publicKey(letter, comment string) string {
	raw := "\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + strings.Repeat(letter, 32)
	return strings.TrimSpace("ssh-ed25519 " + base64.StdEncoding.EncodeToString([]byte(raw)) + " " + comment)
}

const (
	annasKeys = "home/anna/.ssh/authorized_keys"
	begin     = "# provisioner: begin\n"
	end       = "# provisioner: end\n"
)

func withKeys(keys ...string) func(*schema.User) {
	return func(u *schema.User) {
		for i, k := range keys {
			u.SSHAuthorizedKeys = append(u.SSHAuthorizedKeys, val(k, 20+i))
		}
	}
}

// give puts a file of Anna's on a disk.
func give(d disk, p string, n node) {
	d.put(p, n)
	for q := range d {
		if strings.HasPrefix(q, "home/anna/") {
			m := d[q]
			m.attr.UID, m.attr.GID = 1000, 1000
			d[q] = m
		}
	}
}

func TestKeys(t *testing.T) {
	a, b, c := publicKey("A", "a@x"), publicKey("B", "b@x"), publicKey("C", "")
	for _, tc := range []struct {
		name string
		have string // empty for no file
		keys []string
		want string
	}{
		{"no file", "", []string{a, b}, begin + a + "\n" + b + "\n" + end},
		{"the same key twice", "", []string{a, publicKey("A", "again"), "  " + b + "  "}, begin + a + "\n" + b + "\n" + end},
		{"options are kept", "", []string{`from="10.0.0.0/8",no-pty ` + a}, begin + `from="10.0.0.0/8",no-pty ` + a + "\n" + end},
		{"a malformed key is left out", "", []string{"ssh-ed25519 AAAA", a, "$key"}, begin + a + "\n" + end},
		{"other lines stay, byte for byte", "# mine\r\n\n" + c + "\n garbage", []string{a}, "# mine\r\n\n" + c + "\n garbage\n" + begin + a + "\n" + end},
		{"the block is replaced where it stands", c + "\n" + begin + a + "\n" + end + "# after", []string{b}, c + "\n" + begin + b + "\n" + end + "# after"},
		{"a key outside the block is not added again", c + "\n", []string{c, a}, c + "\n" + begin + a + "\n" + end},
		{"every key is outside", c + "\n", []string{c}, c + "\n"},
		{"a block that has no key left goes", c + "\n" + begin + a + "\n" + end, []string{c}, c + "\n"},
		{"an open block encloses nothing", begin + c + "\n", []string{a}, begin + c + "\n" + begin + a + "\n" + end},
		{"an end without a beginning", end + c + "\n", []string{a}, end + c + "\n" + begin + a + "\n" + end},
		{"equal keys change nothing", begin + a + "\n" + end + c, []string{a}, begin + a + "\n" + end + c},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := debianDisk(nil)
			if tc.have != "" {
				give(d, annasKeys, node{kind: fsroot.Regular, data: tc.have, attr: fsroot.Attr{Mode: 0o644}})
			}
			p := d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("anna", withKeys(tc.keys...))}}})
			if diff := cmp.Diff(tc.want, d.content(annasKeys)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if tc.have == tc.want && len(p.Changes) > 0 {
				t.Errorf("the file is as it should be, and the plan has %v", listing(p))
			}
			want := fsroot.Attr{Mode: 0o600, UID: 1000, GID: 1000}
			if tc.have != "" {
				want.Mode = 0o644
			} else if dir := d["home/anna/.ssh"].attr; dir != (fsroot.Attr{Mode: 0o700, UID: 1000, GID: 1000}) {
				t.Errorf("~/.ssh is made with %+v", dir)
			}
			if got := d[annasKeys].attr; got != want {
				t.Errorf("the file has %+v, want %+v", got, want)
			}
		})
	}
}

func TestWhoseKeysTheyAre(t *testing.T) {
	a, b, c, e := publicKey("A", ""), publicKey("B", ""), publicKey("C", ""), publicKey("E", "")
	in := plan.Input{
		Facts: clock(),
		Config: &schema.Config{
			SSHAuthorizedKeys: []schema.Value[string]{val(b), val(a)},
			Users: []schema.User{{At: at(1), Default: true, SSHAuthorizedKeys: []schema.Value[string]{val(a)}}, named("anna", func(u *schema.User) {
				u.ImportGitHub = []schema.Value[string]{val("anna-at-github")}
				u.ImportURL = val("https://keys.example/anna?token=t0ken")
			})},
		},
		Meta:        schema.Metadata{SSHKeys: []string{c, a, "nonsense"}},
		DefaultUser: "core",
		Imported:    map[string][]string{"https://api.github.com/users/anna-at-github/keys": {e, "rubbish"}, "https://keys.example/anna?token=t0ken": {b}},
	}
	d := debianDisk(nil)
	p, diags := d.compute(t, in)
	if diff := cmp.Diff([]string{"warning platform-key"}, findings(diags)); diff != "" || !strings.Contains(diags[0].Summary, "key 3 ") {
		t.Errorf("findings: %v", diags)
	}
	d.apply(p)
	if diff := cmp.Diff(begin+a+"\n"+b+"\n"+c+"\n"+end, d.content("home/core/.ssh/authorized_keys")); diff != "" {
		t.Errorf("the default user's: user-data first, each once:\n%s", diff)
	}
	if diff := cmp.Diff(begin+e+"\n"+b+"\n"+end, d.content(annasKeys)); diff != "" {
		t.Errorf("imported ones:\n%s", diff)
	}

	in.Imported = map[string][]string{"https://keys.example/anna?token=t0ken": {"<html>"}}
	_, diags = d.compute(t, in)
	if got := findings(diags); !slices.Equal(got, []string{"error import-missing", "error import-missing", "warning platform-key"}) {
		t.Errorf("findings: %v", got)
	}
	for _, f := range diags {
		if strings.Contains(f.Summary, "t0ken") {
			t.Errorf("the token is in %q", f.Summary)
		}
	}
}

func TestKeyRecords(t *testing.T) {
	a, b := publicKey("A", "a@x"), publicKey("B", "b@x")
	d := debianDisk(nil)
	give(d, annasKeys, node{kind: fsroot.Regular, data: begin + a + "\n" + end, attr: fsroot.Attr{Mode: 0o600}})
	p := d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("anna", withKeys("malformed", b))}}})
	var got []string
	for _, c := range p.Changes {
		for _, r := range c.Records {
			got = append(got, r.Name+": "+r.Action+", "+r.Detail)
		}
	}
	want := []string{
		"key 1 of anna: added, ssh-ed25519 SHA256:FINGERPRINT b@x",
		"key of anna: removed, ssh-ed25519 SHA256:FINGERPRINT a@x",
	}
	for i, g := range got {
		if _, rest, ok := strings.Cut(g, "SHA256:"); ok && len(rest) > 43 {
			got[i] = strings.Replace(g, rest[:43], "FINGERPRINT", 1)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestKeysOfFlatcar(t *testing.T) {
	a, c := publicKey("A", ""), publicKey("C", "")
	d := debianDisk(nil)
	give(d, "home/anna/.ssh/authorized_keys.d/other", node{kind: fsroot.Regular, data: c + "\n"})
	give(d, annasKeys, node{kind: fsroot.Regular, data: c + "\n", attr: fsroot.Attr{Mode: 0o600}})
	d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("anna", withKeys(a))}}})
	if got := d.content("home/anna/.ssh/authorized_keys.d/provisioner"); got != begin+a+"\n"+end {
		t.Errorf("the file of our own has %q", got)
	}
	if got := d.content(annasKeys); got != c+"\n"+begin+a+"\n"+end {
		t.Errorf("authorized_keys has %q", got)
	}
}

func TestKeyFindings(t *testing.T) {
	key := publicKey("A", "")
	for _, tc := range []struct {
		name   string
		change func(disk)
		user   schema.User
		rule   string
	}{
		{"a system user without a home", nil, named("sys", withKeys(key), func(u *schema.User) { u.System = val(true) }), "keys-no-home"},
		{"a user whose home was never made", func(d disk) { delete(d, "home/anna") }, named("anna", withKeys(key)), "keys-no-home"},
		{"~/.ssh is a link", func(d disk) { give(d, "home/anna/.ssh", node{kind: fsroot.Link, target: "/root/.ssh"}) }, named("anna", withKeys(key)), "keys-untrusted"},
		{"~/.ssh is a file", func(d disk) { give(d, "home/anna/.ssh", node{kind: fsroot.Regular}) }, named("anna", withKeys(key)), "keys-untrusted"},
		{"~/.ssh is another's", func(d disk) {
			d.put("home/anna/.ssh", node{kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o700, UID: 77}})
		}, named("anna", withKeys(key)), "keys-untrusted"},
		{"authorized_keys is a link", func(d disk) { give(d, annasKeys, node{kind: fsroot.Link, target: "/etc/shadow"}) }, named("anna", withKeys(key)), "keys-untrusted"},
		{"authorized_keys is a FIFO", func(d disk) { give(d, annasKeys, node{kind: fsroot.Other}) }, named("anna", withKeys(key)), "keys-untrusted"},
		{"authorized_keys is another's", func(d disk) {
			d.put(annasKeys, node{kind: fsroot.Regular, attr: fsroot.Attr{UID: 77}})
		}, named("anna", withKeys(key)), "keys-untrusted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := debianDisk(nil)
			if tc.change != nil {
				tc.change(d)
			}
			p, diags := d.compute(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{tc.user}}})
			if diff := cmp.Diff([]string{"error " + tc.rule}, findings(diags), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings: %s", diff)
			}
			for _, c := range p.Changes {
				if strings.Contains(c.Path, ".ssh") {
					t.Errorf("the plan writes /%s", c.Path)
				}
			}
		})
	}
}
