package plan_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/provisioner/draw"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// debianDisk is a disk with what a small Debian says about accounts.
func debianDisk(files map[string]string) disk {
	all := map[string]string{
		"etc/passwd":      "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\n",
		"etc/shadow":      "root:*:19000:0:99999:7:::\nanna:*:19000:0:99999:7:::\n",
		"etc/group":       "root:x:0:\nsudo:x:27:\nshadow:x:42:\nusers:x:100:\nanna:x:1000:\n",
		"etc/gshadow":     "root:*::\nsudo:*::\nshadow:*::\nusers:*::\nanna:!::\n",
		"etc/login.defs":  "USERGROUPS_ENAB yes\nPASS_MAX_DAYS 99999\n",
		"etc/skel/.shrc":  "# skeleton\n",
		"etc/skel/bin/":   "",
		"home/":           "",
		"root/":           "",
		"etc/sudoers.d/":  "",
		"etc/skel/config": "-> /etc/skel/.shrc",
	}
	for p, content := range files {
		all[p] = content
	}
	d := newDisk(all)
	d["home/anna"] = node{kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o755, UID: 1000, GID: 1000}}
	for _, p := range []string{"etc/shadow", "etc/gshadow"} {
		n := d[p]
		n.attr = fsroot.Attr{Mode: 0o640, GID: 42}
		d[p] = n
	}
	return d
}

// clock is a right one.
func clock() plan.Facts {
	return plan.Facts{Now: time.Unix(20000*24*60*60, 0), Built: time.Unix(19000*24*60*60, 0)}
}

func named(name string, options ...func(*schema.User)) schema.User {
	u := schema.User{At: at(3), Name: val(name, 3)}
	for _, o := range options {
		o(&u)
	}
	return u
}

// listing is the changes of a plan, one line each: kind, path, mode and owner.
func listing(p plan.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		line := fmt.Sprintf("%s /%s %o %d:%d", c.Kind, c.Path, c.Attr.Mode, c.Attr.UID, c.Attr.GID)
		if c.Secret {
			line += " secret"
		}
		if c.Target != "" {
			line += " -> " + c.Target
		}
		if c.Origin != "" {
			line += " (" + c.Origin + ")"
		}
		out = append(out, line)
	}
	return out
}

func TestANewUserIsFilesAndAHome(t *testing.T) {
	d := debianDisk(nil)
	in := plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert", func(u *schema.User) {
		u.Groups = []schema.Value[string]{val("sudo")}
		u.Passwd = val(schema.Secret("$6$salt$hash"))
	})}}}
	p := d.applied(t, in)
	want := []string{
		"file /etc/passwd 644 0:0",
		"file /etc/shadow 640 0:42 secret",
		"file /etc/group 644 0:0",
		"file /etc/gshadow 640 0:42 secret",
		"directory /home/bert 755 1001:1001",
		"file /home/bert/.shrc 644 1001:1001",
		"directory /home/bert/bin 755 1001:1001",
		"link /home/bert/config 777 1001:1001 -> /home/bert/.shrc",
	}
	if diff := cmp.Diff(want, listing(p)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if got := d.content("etc/shadow"); !strings.Contains(got, "bert:$6$salt$hash:20000:") {
		t.Errorf("the password is not in shadow:\n%s", got)
	}
	for _, c := range p.Changes {
		if len(c.Why) != 1 && c.Path != "etc/group" && c.Path != "etc/gshadow" && c.Path != "etc/shadow" {
			t.Errorf("/%s: nobody asked for it: %v", c.Path, c.Why)
		}
		for _, r := range c.Records {
			if strings.Contains(r.Detail, "$6$") {
				t.Errorf("a record tells the hash: %+v", r)
			}
		}
	}
}

func TestAHomeThatIsThereIsLeftAlone(t *testing.T) {
	d := debianDisk(map[string]string{"home/bert/": ""})
	d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}})
	if n := d["home/bert"]; n.attr.UID != 0 || d.content("home/bert/.shrc") != "(none)" {
		t.Errorf("the home was taken over: %+v", n)
	}
}

func TestDefaultUser(t *testing.T) {
	key := publicKey("A", "me")
	core := func(change func(*schema.Config)) *schema.Config {
		cfg := &schema.Config{}
		change(cfg)
		return cfg
	}
	item := schema.User{At: at(2), Default: true}
	for _, tc := range []struct {
		name   string
		files  map[string]string
		config *schema.Config
		meta   schema.Metadata
		passwd string // the line of core; empty for none
		groups string // whose line it ends
	}{
		{"nothing belongs to it", nil, core(func(c *schema.Config) { c.Users = []schema.User{named("bert")} }), schema.Metadata{}, "", "sudo:x:27:"},
		{"a top-level key", nil, core(func(c *schema.Config) { c.SSHAuthorizedKeys = []schema.Value[string]{val(key)} }), schema.Metadata{},
			"core:x:1001:1001::/home/core:/bin/bash", "sudo:x:27:core"},
		{"a platform key", nil, nil, schema.Metadata{SSHKeys: []string{key}}, "core:x:1001:1001::/home/core:/bin/bash", "sudo:x:27:core"},
		{"it is named", nil, core(func(c *schema.Config) { c.Users = []schema.User{item} }), schema.Metadata{}, "core:x:1001:1001::/home/core:/bin/bash", "sudo:x:27:core"},
		{"it comes first where nobody names it", nil, core(func(c *schema.Config) { c.Users = []schema.User{named("bert")} }), schema.Metadata{SSHKeys: []string{key}},
			"core:x:1001:1001::/home/core:/bin/bash", "sudo:x:27:core"},
		{"it comes where it is named", nil, core(func(c *schema.Config) { c.Users = []schema.User{named("bert"), item} }), schema.Metadata{SSHKeys: []string{key}},
			"core:x:1002:1002::/home/core:/bin/bash", "sudo:x:27:core"},
		{"an item of its name keeps what the item does not say", nil, core(func(c *schema.Config) {
			c.Users = []schema.User{named("core", func(u *schema.User) { u.UID = val(5000) })}
		}), schema.Metadata{}, "core:x:5000:5000::/home/core:/bin/bash", "sudo:x:27:core"},
		{"it exists", map[string]string{"etc/passwd": "core:x:500:500::/var/core:/bin/sh\n", "var/core/": ""}, nil, schema.Metadata{SSHKeys: []string{key}},
			"core:x:500:500::/var/core:/bin/sh", "sudo:x:27:"},
		{"it exists outside /etc", map[string]string{"usr/lib/passwd": "core:x:500:500::/var/core:/bin/sh\n", "var/core/": ""}, nil, schema.Metadata{SSHKeys: []string{key}}, "", "sudo:x:27:"},
		{"it exists as a user record", map[string]string{"usr/lib/userdb/core.user": `{"userName":"core","uid":500,"homeDirectory":"/var/core"}`, "var/core/": ""}, nil, schema.Metadata{SSHKeys: []string{key}}, "", "sudo:x:27:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := debianDisk(tc.files)
			for _, home := range []string{"var/core"} {
				if n, there := d[home]; there {
					n.attr = fsroot.Attr{Mode: 0o755, UID: 500, GID: 500}
					d[home] = n
				}
			}
			p := d.applied(t, plan.Input{Facts: clock(), Config: tc.config, Meta: tc.meta, DefaultUser: "core"})
			line := ""
			for l := range strings.Lines(d.content("etc/passwd")) {
				if strings.HasPrefix(l, "core:") {
					line = strings.TrimSpace(l)
				}
			}
			if line != tc.passwd {
				t.Errorf("passwd has %q, want %q", line, tc.passwd)
			}
			if !strings.Contains("\n"+d.content("etc/group"), "\n"+tc.groups+"\n") {
				t.Errorf("group lacks %q:\n%s", tc.groups, d.content("etc/group"))
			}
			if tc.config == nil {
				for _, c := range p.Changes {
					if c.Origin != plan.OriginDefaultUser && c.Origin != plan.OriginMetadata {
						t.Errorf("/%s: nobody wrote this, and the origin is %q", c.Path, c.Origin)
					}
				}
			}
		})
	}
}

func TestOwnersAreFoundWhereverTheyAreDefined(t *testing.T) {
	d := debianDisk(map[string]string{
		"usr/lib/passwd":                 "alt:x:300:301::/:/bin/sh\n",
		"usr/lib/group":                  "altgroup:x:302:\n",
		"usr/lib/sysusers.d/a.conf":      "u sys 303\n",
		"usr/lib/sysusers.d/masked.conf": "u gone 304\n",
		"etc/sysusers.d/masked.conf":     "-> /dev/null",
		"run/userdb/rec.user":            `{"userName":"rec","uid":305}`,
	})
	owned := func(p, owner string) schema.File {
		f := file(p, "x", 5)
		f.Owner = val(owner, 5)
		return f
	}
	cfg := &schema.Config{
		Users: []schema.User{named("bert")},
		Files: []schema.File{owned("/a", "alt:altgroup"), owned("/b", "sys"), owned("/c", "rec"), owned("/d", "bert:bert"), owned("/e", "anna")},
	}
	d.applied(t, plan.Input{Facts: clock(), Config: cfg})
	for p, want := range map[string]fsroot.Attr{"a": {UID: 300, GID: 302}, "b": {UID: 303}, "c": {UID: 305}, "d": {UID: 1001, GID: 1001}, "e": {UID: 1000}} {
		if got := d[p].attr; got.UID != want.UID || want.GID != 0 && got.GID != want.GID {
			t.Errorf("/%s belongs to %d:%d, want %d:%d", p, got.UID, got.GID, want.UID, want.GID)
		}
	}
	cfg.Files = []schema.File{owned("/f", "gone")}
	if _, diags := d.compute(t, plan.Input{Facts: clock(), Config: cfg}); len(diags) != 1 {
		t.Errorf("an account of a masked file is there: %v", findings(diags))
	}
}

func TestLinkedDefinitionsAreRead(t *testing.T) {
	d := debianDisk(map[string]string{"etc/login.defs": "-> ../usr/share/shadow/login.defs", "usr/share/shadow/login.defs": "-> /usr/share/defs", "usr/share/defs": "UID_MIN 2000\nGID_MIN 3000\n"})
	d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}})
	if got := d.content("etc/passwd"); !strings.Contains(got, "bert:x:2000:3000:") {
		t.Errorf("the ranges are not those of login.defs:\n%s", got)
	}
}

func TestAccountFilesThatAreMissing(t *testing.T) {
	d := newDisk(nil)
	p := d.applied(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}})
	want := []string{
		"directory /etc 755 0:0", "file /etc/passwd 644 0:0", "file /etc/shadow 600 0:0 secret", "file /etc/group 644 0:0",
		"directory /home 755 0:0", "directory /home/bert 755 1000:1000",
	}
	if diff := cmp.Diff(want, listing(p)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestUnreadableAccountFilesStopThePlan(t *testing.T) {
	in := plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}}
	for name, seen := range map[string]*plan.Seen{
		"it cannot be trusted": {Info: fsroot.Info{Kind: fsroot.Regular, Size: 3}, Fault: "several names"},
		"it is too large":      {Info: fsroot.Info{Kind: fsroot.Regular, Size: plan.MaxData + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			in.Facts.Paths = map[string]*plan.Seen{"etc/group": seen}
			for range 50 {
				p, diags := plan.Compute(in)
				if len(p.Unseen) == 0 {
					if got := findings(diags); !slices.Contains(got, "error account-file") {
						t.Errorf("findings: %v", got)
					}
					return
				}
				for _, u := range p.Unseen {
					if _, known := in.Facts.Paths[strings.TrimSuffix(u, "/")]; !known {
						in.Facts.Paths[strings.TrimSuffix(u, "/")] = &plan.Seen{Info: fsroot.Info{Kind: fsroot.Absent}}
					}
				}
			}
			t.Fatal("the plan is never finished")
		})
	}
}

func TestSkeletonEntriesThatAreNotCopied(t *testing.T) {
	d := debianDisk(nil)
	d.put("etc/skel/pipe", node{kind: fsroot.Other})
	_, diags := d.compute(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}})
	if diff := cmp.Diff([]string{"warning skel-entry"}, findings(diags)); diff != "" {
		t.Error(diff)
	}
}

func TestSudoRules(t *testing.T) {
	const path = "etc/sudoers.d/90-provisioner-users"
	rules := func(list ...string) func(*schema.User) {
		return func(u *schema.User) {
			for i, r := range list {
				u.Sudo = append(u.Sudo, val(r, 10+i))
			}
		}
	}
	for _, tc := range []struct {
		name  string
		have  string // empty for no file
		users []schema.User
		want  string
		rules []string
	}{
		{"rules in order", "", []schema.User{named("anna", rules("ALL=(ALL) NOPASSWD:ALL", "ALL=(bert) /bin/ls")), named("bert", rules("ALL=(ALL) ALL"))},
			"anna ALL=(ALL) NOPASSWD:ALL\nanna ALL=(bert) /bin/ls\nbert ALL=(ALL) ALL\n", nil},
		{"what is there stays and is not written twice", "eve ALL=(ALL) ALL\nanna ALL=(ALL) ALL", []schema.User{named("anna", rules("ALL=(ALL) ALL", "ALL=/bin/ls"))},
			"eve ALL=(ALL) ALL\nanna ALL=(ALL) ALL\nanna ALL=/bin/ls\n", nil},
		{"no rule, no file", "", []schema.User{named("anna")}, "(none)", nil},
		{"a second line in a rule", "", []schema.User{named("anna", rules("ALL=/bin/ls\nanna ALL=(ALL) ALL"))}, "(none)", []string{"error sudo-rule"}},
		{"a rule that would join the next line", "", []schema.User{named("anna", rules(`ALL=/bin/ls \`))}, "(none)", []string{"error sudo-rule"}},
		{"a name that sudo takes for everybody", "", []schema.User{named("ALL", rules("ALL=(ALL) ALL"))}, "(none)", []string{"error sudo-rule"}},
		{"no rule at all", "", []schema.User{named("anna", rules("yes"))}, "(none)", []string{"error sudo-rule"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := debianDisk(nil)
			if tc.have != "" {
				d.put(path, node{kind: fsroot.Regular, data: tc.have, attr: fsroot.Attr{Mode: 0o440}})
			}
			p, diags := d.compute(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: tc.users}})
			if diff := cmp.Diff(tc.rules, findings(diags), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings: %s", diff)
			}
			d.apply(p)
			if got := d.content(path); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if n, there := d[path]; there && n.attr.Mode != uint32(fs.FileMode(0o440)) {
				t.Errorf("mode %o: sudo ignores files that others can write to, and others need not read it", n.attr.Mode)
			}
		})
	}
}

func TestANewHomeThroughALink(t *testing.T) {
	d := debianDisk(nil)
	delete(d, "home/anna")
	delete(d, "home")
	d.put("home", node{kind: fsroot.Link, target: "var/home"})
	d.mkdir("var/home/bert")
	p, diags := d.compute(t, plan.Input{Facts: clock(), Config: &schema.Config{Users: []schema.User{named("bert")}}})
	if len(diags) > 0 || slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return strings.HasPrefix(c.Path, "home/") }) {
		t.Errorf("the home is there, behind a link: %v %v", findings(diags), listing(p))
	}
}

func TestPasswordsOfSystem(t *testing.T) {
	secret := func(s string) schema.Value[schema.Secret] { return val(schema.Secret(s), 3) }
	for _, tt := range []struct {
		name   string
		system schema.System
		users  []schema.User
		want   string // how the user's line in shadow begins, and its date
		date   string
	}{
		{name: "the default user is made", system: schema.System{Passwords: []schema.Password{{Text: secret("secret")}}}, want: "core:$6$", date: "0"},
		{name: "not to be changed", system: schema.System{Passwords: []schema.Password{{Text: secret("secret")}}, ExpirePasswords: val(false)}, want: "core:$6$", date: "20000"},
		{name: "of root", system: schema.System{Passwords: []schema.Password{{User: val("root"), Text: secret("$6$s$h"), Hashed: true}}}, want: "root:$6$s$h:", date: "0"},
		{name: "of an item, which locks it", users: []schema.User{{Name: val("anna"), LockPasswd: val(true)}},
			system: schema.System{Passwords: []schema.Password{{User: val("anna"), Text: secret("secret"), OfUsers: true}}}, want: "anna:!$6$", date: "20000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(map[string]string{
				"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "etc/shadow": "root:*:1::::::\n", "etc/group": "root:x:0:\n", "home/": "",
			})
			in := plan.Input{DefaultUser: "core", Config: &schema.Config{System: tt.system, Users: tt.users}}
			in.Facts.Now, in.Facts.Salt = time.Unix(20000*24*60*60, 0), []byte("salt")
			p := d.applied(t, in)
			found := false
			for line := range strings.Lines(d.content("etc/shadow")) {
				fields := strings.Split(line, ":")
				found = found || strings.HasPrefix(line, tt.want) && fields[2] == tt.date
			}
			if !found {
				t.Errorf("no line that begins with %s is of %s:\n%s", tt.want, tt.date, d.content("etc/shadow"))
			}
			var shown strings.Builder
			if err := draw.Write(&shown, p, draw.Options{}); err != nil {
				t.Fatal(err)
			}
			if text := shown.String(); strings.Contains(text, "$6$") || strings.Contains(text, ": secret") || !strings.Contains(text, "password (secret)") {
				t.Errorf("the plan shows\n%s", text)
			}
		})
	}
}
