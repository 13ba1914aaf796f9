package accounts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/schema"
)

// TestLikeUseradd compares with the tools that are replaced: the same files, field for field, but for dates.
func TestLikeUseradd(t *testing.T) {
	needsTools(t, "useradd", "groupadd", "usermod")
	for _, tc := range []struct {
		name     string
		change   func(files map[string]string)
		commands []string // %s is the root
		want     accounts.Want
	}{
		{"one user", nil, []string{"useradd -p * ann"}, users(user("ann"))},
		{"ids go on above the highest", addTo(accounts.Passwd, "old:x:1500:100::/:/bin/sh\n"),
			[]string{"useradd -p * ann", "useradd -p * bob"}, users(user("ann"), user("bob"))},
		{"the range is full to the top", addTo(accounts.Passwd, "old:x:60000:100::/:/bin/sh\nfirst:x:1000:100::/:/bin/sh\n"),
			[]string{"useradd -p * ann"}, users(user("ann"))},
		{"every field", nil,
			[]string{"useradd -u 2000 -c Ann -d /srv/ann -s /bin/zsh -G sudo,docker -p $6$salt$hash ann"},
			users(user("ann", uid(2000), gecos("Ann"), home("/srv/ann"), shell("/bin/zsh"), in("sudo", "docker"), hash("$6$salt$hash")))},
		{"primary group by name", nil, []string{"useradd -p * -g docker -G docker ann"}, users(user("ann", primary("docker"), in("docker")))},
		{"primary group by number", nil, []string{"useradd -p * -g 27 ann"}, users(user("ann", primary("27")))},
		{"no group of its own", nil, []string{"useradd -p * -N ann"}, users(user("ann", noUserGroup))},
		{"the group of a uid that is a gid already", addTo(accounts.Group, "old:x:1500:\n"),
			[]string{"useradd -p * -u 1500 ann"}, users(user("ann", uid(1500)))},
		{"a uid below the range", nil, []string{"useradd -p * -u 300 ann"}, users(user("ann", uid(300)))},
		{"a uid above the range", nil, []string{"useradd -p * -u 70000 ann"}, users(user("ann", uid(70000)))},
		{"system users go downwards", nil,
			[]string{"useradd -p * -r one", "useradd -p * -r two"}, users(user("one", system), user("two", system))},
		{"system range is full to the bottom", addTo(accounts.Passwd, "old:x:101:100::/:/bin/sh\n"),
			[]string{"useradd -p * -r one"}, users(user("one", system))},
		{"a system user with a low uid", nil, []string{"useradd -p * -r -u 50 one"}, users(user("one", system, uid(50)))},
		{"a system user with a high uid", nil, []string{"useradd -p * -r -u 2000 one"}, users(user("one", system, uid(2000)))},
		{"groups come first", nil, []string{"groupadd web", "useradd -p * -G web ann"},
			accounts.Want{Groups: []schema.Group{{Name: text("web")}}, Users: users(user("ann", in("web"))).Users}},
		{"no gshadow", without(accounts.GShadow), []string{"groupadd web", "useradd -p * -G docker ann"},
			accounts.Want{Groups: []schema.Group{{Name: text("web")}}, Users: users(user("ann", in("docker"))).Users}},
		{"no subordinate ids", without(accounts.SubUID), []string{"useradd -p * ann"}, users(user("ann"))},
		{"a gap between subordinate ids", addTo(accounts.SubUID, "x:100000:65536\ny:400000:10\nz:231072:65536\n"),
			[]string{"useradd -p * ann", "useradd -p * bob", "useradd -p * eve"}, users(user("ann"), user("bob"), user("eve"))},
		{"NIS lines stay last", func(f map[string]string) {
			f[accounts.Passwd] += "+::::::\n"
			f[accounts.Group] += "+:::\n"
			f[accounts.Shadow] += "+::::::::\n"
		}, []string{"useradd -p * ann"}, users(user("ann"))},
		{"comments and the last line without an end", func(f map[string]string) {
			f[accounts.Passwd] = "# ours\n" + f[accounts.Passwd] + "old:x:1500:100::/:/bin/sh"
		}, []string{"useradd -p * ann"}, users(user("ann"))},
		{"no limits to passwords", func(f map[string]string) { f["etc/login.defs"] = "USERGROUPS_ENAB yes\nUID_MIN 500\nGID_MIN 600\n" },
			[]string{"useradd -p * ann", "useradd -p * -r one"}, users(user("ann"), user("one", system))},
		{"own groups are switched off", func(f map[string]string) { f["etc/login.defs"] = "USERGROUPS_ENAB no\n" },
			[]string{"useradd -p * ann"}, users(user("ann"))},
		{"useradd's defaults", func(f map[string]string) {
			f["etc/default/useradd"] = "HOME=/srv\nSHELL=/bin/zsh\nGROUP=27\nINACTIVE=5\nEXPIRE=2030-01-01\n"
		}, []string{"useradd -p * -N ann", "useradd -p * -r one"}, users(user("ann", noUserGroup), user("one", system))},
		{"an end", nil, []string{"useradd -p * -e 2032-09-01 -f 30 ann"}, users(user("ann", expires("2032-09-01"), inactive(30)))},
		{"no end, against useradd's defaults", func(f map[string]string) { f["etc/default/useradd"] = "INACTIVE=5\nEXPIRE=2030-01-01\n" },
			[]string{"useradd -p * -e 2032-09-01 -f -1 ann"}, users(user("ann", expires("2032-09-01"), inactive(-1)))},
		{"an end at once, of an existing user", nil, []string{"usermod -e 1970-01-02 -f 0 daemon"}, users(user("daemon", expires("1970-01-02"), inactive(0)))},
		{"no end of an existing user's password", func(f map[string]string) {
			f[accounts.Shadow] = strings.Replace(f[accounts.Shadow], "daemon:*:19000:0:99999:7::", "daemon:*:19000:0:99999:7:30:", 1)
		}, []string{"usermod -f -1 daemon"}, users(user("daemon", inactive(-1)))},
		{"an existing user gets what is named", nil, []string{"usermod -c Ann -s /bin/zsh -p $6$salt$hash -aG docker daemon"},
			users(user("daemon", gecos("Ann"), shell("/bin/zsh"), hash("$6$salt$hash"), in("docker")))},
		{"an existing user is locked", func(f map[string]string) {
			f[accounts.Shadow] = strings.Replace(f[accounts.Shadow], "daemon:*", "daemon:$6$salt$hash", 1)
		}, []string{"usermod -L daemon"}, users(user("daemon", lock(true)))},
		{"an existing user is unlocked", func(f map[string]string) {
			f[accounts.Shadow] = strings.Replace(f[accounts.Shadow], "daemon:*", "daemon:!$6$salt$hash", 1)
		}, []string{"usermod -U daemon"}, users(user("daemon", lock(false)))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := debian()
			if tc.change != nil {
				tc.change(files)
			}
			root := writeRoot(t, files)
			for _, command := range tc.commands {
				args := strings.Fields(command)
				run(t, args[0], append([]string{"-R", root}, args[1:]...)...)
			}
			want := map[string]string{}
			for _, p := range accounts.Paths() {
				if data, err := os.ReadFile(filepath.Join(root, p)); err == nil {
					want[p] = normal(string(data), p)
				}
			}

			got := edit(t, files, tc.want)
			for p, text := range got {
				got[p] = normal(text, p)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the tools write -, we write +:\n%s", diff)
			}
		})
	}
}

// TestChecksAreSilent has pwck and grpck look at what we write.
func TestChecksAreSilent(t *testing.T) {
	needsTools(t, "pwck", "grpck")
	files := debian()
	want := users(
		user("ann", in("docker", "sudo"), hash("$6$salt$hash")), user("bob", uid(4000), primary("docker")),
		user("one", system), user("daemon", shell("/bin/bash"), lock(true)), user("eve", in("web", "alt")))
	want.Groups = []schema.Group{{Name: text("web"), Members: []schema.Value[string]{text("ann")}}}

	state := stateOf(files)
	state.OutsideGroup = [][]byte{[]byte("alt:x:300:daemon\n")}
	result := accounts.Edit(state, want)
	if result.Diagnostics.HasErrors() {
		t.Errorf("%v", findings(result.Diagnostics))
	}
	for _, f := range result.Files {
		files[f.Path] = string(f.Data)
	}
	root := writeRoot(t, files)
	for _, u := range result.Users {
		mkdir(t, filepath.Join(root, u.Home))
		mkdir(t, filepath.Dir(filepath.Join(root, u.Shell)))
		if err := os.WriteFile(filepath.Join(root, u.Shell), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"pwck", "grpck"} {
		if out := run(t, tool, "-r", "-R", root); out != "" {
			t.Errorf("%s says: %s", tool, out)
		}
	}
}

// needsTools skips a test where the machine cannot run it.
func needsTools(t *testing.T, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "needs root: the tools change their root directory")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "needs "+tool+" of shadow-utils")
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(bytes.TrimSpace(out))
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func writeRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for p, text := range files {
		mkdir(t, filepath.Dir(filepath.Join(root, p)))
		if err := os.WriteFile(filepath.Join(root, p), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// normal blanks the dates of shadow, and sorts subuid and subgid: useradd sorts them when it looks for a gap,
// we leave their lines where they are.
func normal(text, p string) string {
	lines := strings.SplitAfter(text, "\n")
	switch p {
	case accounts.SubUID, accounts.SubGID:
		slices.Sort(lines)
	case accounts.Shadow:
		for i, l := range lines {
			if f := strings.Split(l, ":"); len(f) == 9 && f[2] != "" {
				f[2] = "DATE"
				lines[i] = strings.Join(f, ":")
			}
		}
	}
	return strings.Join(lines, "")
}

// missing skips a test that needs something this machine lacks; on CI a missing thing is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
