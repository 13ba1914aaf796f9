package accounts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
)

// debian is what a small Debian has.
func debian() map[string]string {
	return map[string]string{
		accounts.Passwd:  "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		accounts.Shadow:  "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
		accounts.Group:   "root:x:0:\ndaemon:x:1:\nsudo:x:27:\nusers:x:100:\ndocker:x:998:\nnogroup:x:65534:\n",
		accounts.GShadow: "root:*::\ndaemon:*::\nsudo:*::\nusers:*::\ndocker:!::\nnogroup:*::\n",
		accounts.SubUID:  "",
		accounts.SubGID:  "",
		"etc/login.defs": "PASS_MAX_DAYS\t99999\nPASS_MIN_DAYS\t0\nPASS_WARN_AGE\t7\nUID_MIN 1000\nUID_MAX 60000\n#SYS_UID_MIN 100\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\nUMASK\t022\n",
	}
}

func stateOf(files map[string]string) accounts.State {
	s := accounts.State{Texts: map[string][]byte{}, Now: time.Unix(20000*24*60*60, 0), Built: time.Unix(19000*24*60*60, 0)}
	for p, text := range files {
		s.Texts[p] = []byte(text)
	}
	s.LoginDefs, s.Defaults = s.Texts["etc/login.defs"], s.Texts["etc/default/useradd"]
	return s
}

// edit is every account file after an Edit without findings.
func edit(t *testing.T, files map[string]string, want accounts.Want) map[string]string {
	t.Helper()
	result := accounts.Edit(stateOf(files), want)
	if result.Diagnostics.HasErrors() {
		t.Errorf("%v", findings(result.Diagnostics))
	}
	got := map[string]string{}
	for _, p := range accounts.Paths() {
		if text, there := files[p]; there {
			got[p] = text
		}
	}
	for _, f := range result.Files {
		got[f.Path] = string(f.Data)
	}
	return got
}

// What follows makes users that read like what they are.

type option func(*accounts.User)

func user(name string, options ...option) accounts.User {
	u := accounts.User{Path: "users[0]"}
	u.Name = text(name)
	for _, o := range options {
		o(&u)
	}
	return u
}

func users(list ...accounts.User) accounts.Want { return accounts.Want{Users: list} }

func text(s string) schema.Value[string] { return schema.Value[string]{V: s, Set: true} }
func yes(b bool) schema.Value[bool]      { return schema.Value[bool]{V: b, Set: true} }
func uid(n int) option                   { return func(u *accounts.User) { u.UID = schema.Value[int]{V: n, Set: true} } }
func gecos(s string) option              { return func(u *accounts.User) { u.Gecos = text(s) } }
func home(s string) option               { return func(u *accounts.User) { u.HomeDir = text(s) } }
func shell(s string) option              { return func(u *accounts.User) { u.Shell = text(s) } }
func primary(s string) option            { return func(u *accounts.User) { u.PrimaryGroup = text(s) } }
func lock(b bool) option                 { return func(u *accounts.User) { u.LockPasswd = yes(b) } }
func expires(day string) option          { return func(u *accounts.User) { u.ExpireDate = text(day) } }
func inactive(n int) option {
	return func(u *accounts.User) { u.Inactive = schema.Value[int]{V: n, Set: true} }
}
func noCreateHome(b bool) option   { return func(u *accounts.User) { u.NoCreateHome = yes(b) } }
func noUserGroup(u *accounts.User) { u.NoUserGroup = yes(true) }
func system(u *accounts.User)      { u.System = yes(true) }
func hash(s string) option {
	return func(u *accounts.User) { u.Passwd = schema.Value[schema.Secret]{V: schema.Secret(s), Set: true} }
}
func in(groups ...string) option {
	return func(u *accounts.User) {
		for _, g := range groups {
			u.Groups = append(u.Groups, text(g))
		}
	}
}

func addTo(path, lines string) func(map[string]string) {
	return func(f map[string]string) { f[path] += lines }
}

func without(path string) func(map[string]string) {
	return func(f map[string]string) { delete(f, path) }
}

// added is what one text has beyond another, and "-" lines that are gone.
func added(before, after string) string {
	have := map[string]int{}
	for l := range strings.Lines(before) {
		have[l]++
	}
	var out strings.Builder
	for l := range strings.Lines(after) {
		if have[l] > 0 {
			have[l]--
			continue
		}
		out.WriteString(l)
	}
	for l := range strings.Lines(before) {
		if have[l] > 0 {
			have[l]--
			out.WriteString("-" + l)
		}
	}
	return out.String()
}

func TestEdit(t *testing.T) {
	const ann = "ann:x:1000:1000::/home/ann:/bin/bash\n"
	for _, tc := range []struct {
		name   string
		change func(map[string]string)
		want   accounts.Want
		// lines that each file gains; "-" in front of those that go. A file that is not named must not change.
		lines map[string]string
	}{
		{"a password is usable", nil, users(user("ann", hash("$6$s$h"), noUserGroup)), map[string]string{
			accounts.Passwd: "ann:x:1000:100::/home/ann:/bin/bash\n",
			accounts.Shadow: "ann:$6$s$h:20000:0:99999:7:::\n",
			accounts.SubUID: "ann:100000:65536\n", accounts.SubGID: "ann:100000:65536\n"}},
		{"a password is usable unless it is locked", nil, users(user("ann", hash("$6$s$h"), lock(true), system, primary("sudo"))), map[string]string{
			accounts.Passwd: "ann:x:999:27::/home/ann:/bin/bash\n",
			accounts.Shadow: "ann:!$6$s$h:20000::::::\n"}},
		{"an account without a password is not locked for keys", nil, users(user("ann", lock(true), system, primary("27"))), map[string]string{
			accounts.Passwd: "ann:x:999:27::/home/ann:/bin/bash\n",
			accounts.Shadow: "ann:*:20000::::::\n"}},
		{"what is so already is not written", nil, users(user("daemon", uid(1), gecos("daemon"), home("/usr/sbin/"), shell("/usr/sbin/nologin"), primary("daemon"), hash("*"))), nil},
		{"a date is no reason to write", nil, users(user("daemon", in("sudo")), user("root")), map[string]string{
			accounts.Group: "sudo:x:27:daemon\n-sudo:x:27:\n", accounts.GShadow: "sudo:*::daemon\n-sudo:*::\n"}},
		{"a member is not added twice", addTo(accounts.Group, "web:x:700:root,daemon\n"), users(user("daemon", in("web"))), nil},
		{"a group that exists is left alone", nil, accounts.Want{Groups: []schema.Group{{Name: text("docker")}}}, nil},
		{"subordinate ids of one name are kept", func(f map[string]string) {
			f[accounts.SubUID], f[accounts.SubGID] = "ann:5:5\n", "ann:5:5\n"
		}, users(user("ann", noUserGroup)), map[string]string{
			accounts.Passwd: "ann:x:1000:100::/home/ann:/bin/bash\n", accounts.Shadow: "ann:*:20000:0:99999:7:::\n"}},
		{"there is nothing to lock", without(accounts.Shadow), users(user("daemon", lock(true))), nil},
		{"there is nothing to unlock", func(f map[string]string) { f[accounts.Shadow] = "daemon:!*:1::::::\nroot:!:1::::::\n" },
			users(user("daemon", lock(false)), user("root", lock(false))), nil},
		{"of two lines with one name the first counts", addTo(accounts.Passwd, "daemon:x:1500:1500::/x:/bin/sh\n"),
			users(user("daemon", uid(1), shell("/usr/sbin/nologin"))), nil},
		{"a last line without an end stays without", func(f map[string]string) { f[accounts.Passwd] = "a:x:5:5::/:/bin/sh\nb:x:6:6::/:/x" },
			users(user("a", shell("/bin/a"))), map[string]string{accounts.Passwd: "a:x:5:5::/:/bin/a\n-a:x:5:5::/:/bin/sh\n"}},
		{"ranges of subordinate ids that overlap", func(f map[string]string) {
			f[accounts.SubUID] = "x:100000:200000\ny:150000:10\n"
			delete(f, accounts.SubGID)
		}, users(user("ann", noUserGroup)), map[string]string{
			accounts.Passwd: "ann:x:1000:100::/home/ann:/bin/bash\n", accounts.Shadow: "ann:*:20000:0:99999:7:::\n",
			accounts.SubUID: "ann:300000:65536\n"}},
		{"an end", nil, users(user("daemon", expires("2032-09-01"), inactive(30))), map[string]string{
			accounts.Shadow: "daemon:*:19000:0:99999:7:30:22889:\n-daemon:*:19000:0:99999:7:::\n"}},
		{"an end before the beginning is no day 0, which some take for never", nil, users(user("daemon", expires("1969-12-31"))), map[string]string{
			accounts.Shadow: "daemon:*:19000:0:99999:7::1:\n-daemon:*:19000:0:99999:7:::\n"}},
		{"an end that is there already", func(f map[string]string) { f[accounts.Shadow] = "daemon:*:19000:0:99999:7:0:22889:\n" },
			users(user("daemon", expires("2032-09-01"), inactive(0))), nil},
		{"an end for a line that is missing", without(accounts.Shadow), users(user("daemon", inactive(0))), map[string]string{
			accounts.Shadow: "daemon:*:20000:0:99999:7:0::\n"}},
		{"the end of a system account, which useradd forgets", nil, users(user("ann", system, primary("27"), expires("2032-09-01"))), map[string]string{
			accounts.Passwd: "ann:x:999:27::/home/ann:/bin/bash\n",
			accounts.Shadow: "ann:*:20000:::::22889:\n"}},
		{"a hash in passwd moves to shadow", func(f map[string]string) {
			f[accounts.Passwd] += "old:$1$s$h:1500:100::/:/bin/sh\n"
		}, users(user("old", hash("$6$s$h"))), map[string]string{
			accounts.Passwd: "old:x:1500:100::/:/bin/sh\n-old:$1$s$h:1500:100::/:/bin/sh\n",
			accounts.Shadow: "old:$6$s$h:20000:0:99999:7:::\n"}},
		{"files that are missing are made with what was asked for alone", func(f map[string]string) { clear(f) }, users(user("ann", hash("$6$s$h"))), map[string]string{
			accounts.Passwd: ann, accounts.Shadow: "ann:$6$s$h:20000::::::\n", accounts.Group: "ann:!:1000:\n"}},
		{"root in a root without accounts", func(f map[string]string) { clear(f) }, users(user("root")), map[string]string{
			accounts.Passwd: "root:x:0:0::/root:/bin/bash\n", accounts.Shadow: "root:*:20000::::::\n", accounts.Group: "root:!:0:\n"}},
		{"a user may be in a group of a later item", without(accounts.GShadow), users(user("ann", in("bob"), system), user("bob", system)), map[string]string{
			accounts.Passwd: "ann:x:999:999::/home/ann:/bin/bash\nbob:x:998:997::/home/bob:/bin/bash\n",
			accounts.Shadow: "ann:*:20000::::::\nbob:*:20000::::::\n",
			accounts.Group:  "ann:!:999:\nbob:!:997:ann\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := debian()
			if tc.change != nil {
				tc.change(files)
			}
			got := map[string]string{}
			for p, text := range edit(t, files, tc.want) {
				if lines := added(files[p], text); lines != "" {
					got[p] = lines
				}
			}
			if diff := cmp.Diff(tc.lines, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestLinesThatOutlivedAnAccountAreReplaced(t *testing.T) {
	files := debian()
	files[accounts.Shadow] += "ann:$6$old:1::::::\n"
	files[accounts.GShadow] += "ann:$6$old:root:root\n"
	got := edit(t, files, users(user("ann")))
	if !strings.HasSuffix(got[accounts.Shadow], "\nann:*:20000:0:99999:7:::\n") || strings.Contains(got[accounts.Shadow], "old") {
		t.Errorf("the new ann has the old one's password:\n%s", got[accounts.Shadow])
	}
	if !strings.HasSuffix(got[accounts.GShadow], "\nann:!::\n") || strings.Contains(got[accounts.GShadow], "old") {
		t.Errorf("the new group has the old one's members:\n%s", got[accounts.GShadow])
	}
}

// TestStrangeLinesStay adds to files full of what is no account.
func TestStrangeLinesStay(t *testing.T) {
	strange := "# comment: a:b:c:d:e:f\n\nbroken\nbroken:x:zz:1:::\ntoo:few\nx:y:1:2:3:4:5:6:7:8:9\r\n:x:5:5:::\n  indented:x:7:7::/:/bin/sh\n"
	files := debian()
	for _, p := range accounts.Paths() {
		files[p] = strange + files[p] + strange + "+nis::::::\n" + strange
	}
	for p, text := range edit(t, files, users(user("ann", in("docker")))) {
		head, tail, _ := strings.Cut(text, "+nis::::::\n")
		if !strings.HasPrefix(head, strange) || !strings.Contains(head[len(strange):], strange) || tail != strange {
			t.Errorf("/%s lost a line:\n%s", p, text)
		}
		if !strings.Contains(head, "ann") {
			t.Errorf("/%s: ann stands behind the NIS lines, where nobody finds her:\n%s", p, text)
		}
	}
}

func TestNoDateFromAClockThatCannotBeRight(t *testing.T) {
	state := stateOf(debian())
	state.Now = time.Unix(1, 0)
	for _, f := range accounts.Edit(state, users(user("ann"), user("daemon", hash("$6$s$h")))).Files {
		if f.Path == accounts.Shadow {
			want := "daemon:$6$s$h::0:99999:7:::\nann:*::0:99999:7:::\n-daemon:*:19000:0:99999:7:::\n"
			if diff := cmp.Diff(want, added(debian()[accounts.Shadow], string(f.Data))); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestAccountsOutsideEtc(t *testing.T) {
	state := func(change func(*accounts.State)) accounts.State {
		s := stateOf(debian())
		change(&s)
		return s
	}
	alt := state(func(s *accounts.State) {
		s.OutsidePasswd = [][]byte{[]byte("core:x:1000:1000:CoreOS Admin:/home/core:/bin/bash\n")}
		s.OutsideGroup = [][]byte{[]byte("core:x:1000:\nwheel:x:10:core\n")}
	})
	sysusers := state(func(s *accounts.State) {
		s.Sysusers = [][]byte{[]byte("# comment\ng wheel 10\nu etcd 300 \"etcd user\" /var/lib/etcd\nu auto - \"Auto\"\nu other 301:wheel\nm auto kvm\nu %x 5\n")}
	})
	userdb := state(func(s *accounts.State) {
		s.UserRecords = [][]byte{[]byte(`{"userName":"core","uid":1000,"gid":1001,"homeDirectory":"/var/home/core","realName":"Core"}`), []byte("{"), nil}
		s.GroupRecords = [][]byte{[]byte(`{"groupName":"wheel","gid":10,"members":["core","bad:name"]}`)}
	})
	for _, tc := range []struct {
		name  string
		state accounts.State
		want  accounts.Want
		lines map[string]string
		table string // how Users and Groups have the names of the test
	}{
		{"altfiles: the account is there", alt, users(user("core")), nil, "core 1000:1000 /home/core; wheel 10"},
		{"altfiles: its id is not given again", alt, users(user("ann", system, primary("wheel")), user("bob", noUserGroup)), map[string]string{
			accounts.Passwd: "ann:x:999:10::/home/ann:/bin/bash\nbob:x:1001:100::/home/bob:/bin/bash\n",
			accounts.Shadow: "ann:*:20000::::::\nbob:*:20000:0:99999:7:::\n",
			accounts.SubUID: "bob:100000:65536\n", accounts.SubGID: "bob:100000:65536\n"}, "bob 1001:100 /home/bob"},
		{"altfiles: a member copies the group", alt, users(user("daemon", in("wheel"))), map[string]string{
			accounts.Group: "wheel:x:10:core,daemon\n", accounts.GShadow: "wheel:!::core,daemon\n"}, "wheel 10"},
		{"altfiles: who is a member already copies nothing", alt, users(user("core", in("wheel"))), nil, "wheel 10"},
		{"altfiles: a password copies the account", alt, users(user("core", hash("$6$s$h"))), map[string]string{
			accounts.Passwd: "core:x:1000:1000:CoreOS Admin:/home/core:/bin/bash\n",
			accounts.Shadow: "core:$6$s$h:20000::::::\n"}, "core 1000:1000 /home/core"},
		{"altfiles: an end copies the account", alt, users(user("core", expires("2032-09-01"))), map[string]string{
			accounts.Passwd: "core:x:1000:1000:CoreOS Admin:/home/core:/bin/bash\n",
			accounts.Shadow: "core:*:20000:::::22889:\n"}, "core 1000:1000 /home/core"},
		{"sysusers: a fixed id", sysusers, users(user("etcd"), user("other")), nil, "etcd 300:300 /var/lib/etcd; other 301:10 /; wheel 10"},
		{"sysusers: an id that is not chosen yet is chosen now", sysusers, users(user("auto")), map[string]string{
			accounts.Passwd: "auto:x:299:299:Auto:/:/usr/sbin/nologin\n", accounts.Shadow: "auto:*:20000::::::\n",
			accounts.Group: "auto:x:299:\n", accounts.GShadow: "auto:!::\n"}, "auto 299:299 /"},
		{"sysusers: a group is made by a membership line", sysusers, users(user("daemon", in("kvm"))), map[string]string{
			accounts.Group: "kvm:x:299:daemon\n", accounts.GShadow: "kvm:!::daemon\n"}, "kvm 299"},
		{"userdb: the account is there", userdb, users(user("core", in("wheel"))), nil, "core 1000:1001 /var/home/core; wheel 10"},
		{"userdb: a name that would break the line is left out", userdb, users(user("daemon", in("wheel"))), map[string]string{
			accounts.Group: "wheel:x:10:core,daemon\n", accounts.GShadow: "wheel:!::core,daemon\n"}, "wheel 10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result := accounts.Edit(tc.state, tc.want)
			for _, d := range result.Diagnostics {
				t.Errorf("%s [%s]", d.Summary, d.Rule.ID)
			}
			got := map[string]string{}
			for _, f := range result.Files {
				got[f.Path] = added(string(tc.state.Texts[f.Path]), string(f.Data))
			}
			if diff := cmp.Diff(tc.lines, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			for entry := range strings.SplitSeq(tc.table, "; ") {
				name, _, _ := strings.Cut(entry, " ")
				have := ""
				if u, ok := result.Users[name]; ok {
					have = fmt.Sprintf("%s %d:%d %s", name, u.UID, u.GID, u.Home)
				} else if gid, ok := result.Groups[name]; ok {
					have = fmt.Sprintf("%s %d", name, gid)
				}
				if have != entry {
					t.Errorf("the table has %q, want %q", have, entry)
				}
			}
		})
	}
}

func TestHomes(t *testing.T) {
	for _, tc := range []struct {
		name string
		user accounts.User
		want bool
	}{
		{"a user gets a home", user("ann"), true},
		{"unless it is told not to", user("ann", noCreateHome(true)), false},
		{"a system user gets none", user("ann", system), false},
		{"unless it names one", user("ann", system, home("/var/lib/ann")), true},
		{"or asks for one", user("ann", system, noCreateHome(false)), true},
		{"not even if it names one", user("ann", system, home("/var/lib/ann"), noCreateHome(true)), false},
		{"an existing user gets none", user("daemon"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := accounts.Edit(stateOf(debian()), users(tc.user)).Users[tc.user.Name.V]
			if got.MakeHome != tc.want {
				t.Errorf("MakeHome is %v", got.MakeHome)
			}
		})
	}

	for defs, want := range map[string]uint32{"": 0o755, "UMASK 027": 0o750, "HOME_MODE 0700\nUMASK 022": 0o700, "HOME_MODE 711": 0o711} {
		if got := accounts.Edit(accounts.State{LoginDefs: []byte(defs)}, accounts.Want{}).HomeMode; got != want {
			t.Errorf("with %q a home has mode %o, want %o", defs, got, want)
		}
	}
}

func TestFindings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(map[string]string)
		want   accounts.Want
		rule   string
		field  string
	}{
		{"another uid", nil, users(user("daemon", uid(7))), "account-differs", "users[0].uid"},
		{"another home", nil, users(user("daemon", home("/home/daemon"))), "account-differs", "users[0].homedir"},
		{"another login group", nil, users(user("daemon", primary("sudo"))), "account-differs", "users[0].primary_group"},
		{"unknown login group of a new user", nil, users(user("ann", primary("web"))), "group-unknown", "users[0].primary_group"},
		{"unknown login group of an existing user", nil, users(user("daemon", primary("web"))), "group-unknown", "users[0].primary_group"},
		{"unknown number of a login group", nil, users(user("ann", primary("4711"))), "group-unknown", "users[0].primary_group"},
		{"unknown group", nil, users(user("ann", in("sudo", "web"))), "group-unknown", "users[0].groups[1]"},
		{"member of a group without being a user", nil, accounts.Want{Groups: []schema.Group{{Name: text("web"), Members: []schema.Value[string]{text("nope")}}}}, "member-unknown", "groups[0].members[0]"},
		{"a group's name", nil, users(user("docker")), "group-not-own", "users[0].name"},
		{"a group's name, made in the same text", nil, accounts.Want{Groups: []schema.Group{{Name: text("ann")}}, Users: users(user("ann")).Users}, "group-not-own", "users[0].name"},
		{"a second root", without(accounts.Passwd), users(user("ann", uid(0))), "account-id", "users[0].uid"},
		{"root's uid", nil, users(user("ann", uid(0))), "id-taken", "users[0].uid"},
		{"a taken uid", nil, users(user("ann", uid(1))), "id-taken", "users[0].uid"},
		{"a uid that another item takes", nil, users(user("ann", uid(1500)), user("bob", uid(1500))), "id-taken", "users[0].uid"},
		{"a negative uid", nil, users(user("ann", uid(-1))), "account-id", "users[0].uid"},
		{"the uid that means none", nil, users(user("ann", uid(1<<32-1))), "account-id", "users[0].uid"},
		{"the old uid that means none", nil, users(user("ann", uid(65535))), "account-id", "users[0].uid"},
		{"a colon in the comment", nil, users(user("ann", gecos("a:b"))), "account-field", "users[0].gecos"},
		{"a line end in the shell", nil, users(user("ann", shell("/bin/sh\nroot2::0:0:::"))), "account-field", "users[0].shell"},
		{"a colon in the hash", nil, users(user("ann", hash("$6$s:0"))), "account-field", "users[0].passwd"},
		{"a colon in the home", nil, users(user("daemon", home("/a:b"))), "account-field", "users[0].homedir"},
		{"no name", nil, users(user("../etc/passwd")), "account-name", "users[0].name"},
		{"a number as name", nil, users(user("1000")), "account-name", "users[0].name"},
		{"no name of a group", nil, accounts.Want{Groups: []schema.Group{{Name: text("a,b")}}}, "account-name", "groups[0]"},
		{"a malformed line of that name", addTo(accounts.Passwd, "ann:x:zz:0:::\n"), users(user("ann")), "account-file", "users[0].name"},
		{"a malformed line of the group's name", addTo(accounts.Group, "ann:x\n"), users(user("ann")), "account-file", "users[0].name"},
		{"no uid left", func(f map[string]string) { f["etc/login.defs"] = "UID_MIN 1\nUID_MAX 1\n" }, users(user("ann")), "ids-full", "users[0].uid"},
		{"no gid left", func(f map[string]string) { f["etc/login.defs"] = "GID_MIN 1\nGID_MAX 1\n" }, users(user("ann")), "ids-full", "users[0].name"},
		{"a range that is upside down", func(f map[string]string) { f["etc/login.defs"] = "UID_MIN 2000\nUID_MAX 1\n" }, users(user("ann")), "ids-full", "users[0].uid"},
		{"no subordinate ids left", func(f map[string]string) { f["etc/login.defs"] = "SUB_UID_MAX 100001\n" }, users(user("ann")), "ids-full", "users[0].name"},
		{"the root directory as home", nil, users(user("ann", home("/"))), "home-of-system", "users[0].homedir"},
		{"/home as home", nil, users(user("ann", home("/home/"))), "home-of-system", "users[0].homedir"},
		{"root's home as another's", nil, users(user("ann", home("/root"))), "home-of-system", "users[0].homedir"},
		{"below /etc as home", nil, users(user("ann", home("/etc/ann"))), "home-of-system", "users[0].homedir"},
		{"a way up in the home", nil, users(user("ann", home("/srv/x/../ann"))), "home-of-system", "users[0].homedir"},
		{"a relative home", nil, users(user("ann", home("home/ann"))), "home-of-system", "users[0].homedir"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := debian()
			if tc.change != nil {
				tc.change(files)
			}
			got := accounts.Edit(stateOf(files), tc.want).Diagnostics
			if len(got) != 1 || got[0].Rule.ID != tc.rule || got[0].Path != tc.field {
				t.Errorf("want %s at %s, got %v", tc.rule, tc.field, findings(got))
			}
			for _, d := range got {
				if strings.Contains(d.Summary, "$6$") {
					t.Errorf("the hash is in %q", d.Summary)
				}
			}
		})
	}
}

func TestWhoMayBecomeRootAnywayIsNotTold(t *testing.T) {
	sudo := user("ann", in("docker"))
	sudo.Sudo = []schema.Value[string]{text("ALL=(ALL) ALL")}
	for _, u := range []accounts.User{sudo, user("bob", in("docker", "wheel"))} {
		files := debian()
		files[accounts.Group] += "wheel:x:10:\n"
		if got := accounts.Edit(stateOf(files), users(u)).Diagnostics; len(got) != 0 {
			t.Errorf("%s: %v", u.Name.V, findings(got))
		}
	}
}

func TestRecordsSayWhatChangesWithoutSecrets(t *testing.T) {
	result := accounts.Edit(stateOf(debian()), users(user("ann", hash("$6$s$h"), in("docker", "sudo")), user("daemon", shell("/bin/sh"), hash("$6$s$x"))))
	got := map[string][]string{}
	for _, f := range result.Files {
		for _, r := range f.Records {
			got[f.Path] = append(got[f.Path], r.Name+": "+r.Action+", "+r.Detail)
		}
	}
	members := []string{"group ann: added, gid 1000", "group docker: member ann: added, ", "group sudo: member ann: added, "}
	want := map[string][]string{
		accounts.Passwd:  {"user ann: added, uid 1000, gid 1000, home /home/ann, shell /bin/bash, password (secret)", "user daemon: changed, shell /bin/sh"},
		accounts.Shadow:  {"user ann: added, password (secret)", "user daemon: changed, password (secret)"},
		accounts.Group:   members,
		accounts.GShadow: members,
		accounts.SubUID:  {"subuid ann: added, 65536 ids from 100000"},
		accounts.SubGID:  {"subgid ann: added, 65536 ids from 100000"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestASecondEditIsEmpty: what was written is what is wanted.
func TestASecondEditIsEmpty(t *testing.T) {
	want := users(user("ann", uid(1234), hash("$6$s$h"), lock(true), in("docker", "sudo"), home("/srv/ann/"), gecos("A"), shell("/bin/sh")), user("one", system), user("daemon", shell("/x")))
	want.Groups = []schema.Group{{Name: text("web"), Members: []schema.Value[string]{text("ann")}}}
	state := stateOf(debian())
	for _, f := range accounts.Edit(state, want).Files {
		state.Texts[f.Path] = f.Data
	}
	state.Now = state.Now.AddDate(1, 0, 0)
	result := accounts.Edit(state, want)
	for _, f := range result.Files {
		t.Errorf("/%s changes again", f.Path)
	}
	if len(result.Diagnostics) > 0 {
		t.Errorf("%v", findings(result.Diagnostics))
	}
}

func TestDefaultsForANewAccountAlone(t *testing.T) {
	u := user("core")
	u.NewShell, u.NewGroups = "/bin/zsh", []string{"sudo", "nowhere"}
	got := edit(t, debian(), users(u))
	if !strings.Contains(got[accounts.Passwd], "core:x:1000:1000::/home/core:/bin/zsh\n") || !strings.Contains(got[accounts.Group], "sudo:x:27:core\n") {
		t.Errorf("the new account lacks what it is to have:\n%s%s", got[accounts.Passwd], got[accounts.Group])
	}
	u.Name = text("daemon")
	for p, text := range edit(t, debian(), users(u)) {
		if text != debian()[p] {
			t.Errorf("/%s: the account was there and is changed", p)
		}
	}
}

// BenchmarkEdit shows that the cost is in proportion to the users, all in one group.
func BenchmarkEdit(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var want accounts.Want
			for i := range n {
				want.Users = append(want.Users, user(fmt.Sprintf("u%d", i), in("users")))
			}
			state := stateOf(debian())
			for b.Loop() {
				accounts.Edit(state, want)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/user")
		})
	}
}

func FuzzEdit(f *testing.F) {
	d := debian()
	f.Add([]byte(d[accounts.Passwd]), []byte(d[accounts.Shadow]), []byte(d[accounts.Group]), []byte(d[accounts.GShadow]), []byte("a:1:1\n"), []byte(d["etc/login.defs"]), []byte(`u a 1:2 "x" / /x`), "ann", "sudo")
	f.Fuzz(func(t *testing.T, passwd, shadow, group, gshadow, sub, defs, outside []byte, name, other string) {
		state := accounts.State{
			Texts:     map[string][]byte{accounts.Passwd: passwd, accounts.Shadow: shadow, accounts.Group: group, accounts.GShadow: gshadow, accounts.SubUID: sub, accounts.SubGID: sub},
			LoginDefs: defs, Defaults: defs, Sysusers: [][]byte{outside}, UserRecords: [][]byte{outside}, GroupRecords: [][]byte{outside},
			OutsidePasswd: [][]byte{outside}, OutsideGroup: [][]byte{outside},
		}
		want := users(user(name, in(other)), user(other, primary(name), gecos(name), shell(other)))
		result := accounts.Edit(state, want)
		if result.Diagnostics.HasErrors() {
			return
		}
		for _, f := range result.Files {
			state.Texts[f.Path] = f.Data
		}
		for _, f := range accounts.Edit(state, want).Files {
			t.Errorf("/%s changes again:\n%q\n%q", f.Path, state.Texts[f.Path], f.Data)
		}
	})
}

func findings(l diag.List) []string {
	var out []string
	for _, d := range l {
		out = append(out, fmt.Sprintf("%s at %s: %s", d.Rule.ID, d.Path, d.Summary))
	}
	return out
}
