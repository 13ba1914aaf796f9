//go:build integration && linux

package hostile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func file(path, more string) string {
	return fmt.Sprintf("write_files:\n  - path: %s\n    content: x\n%s", path, more)
}

func unit(name, more string) string {
	return fmt.Sprintf("coreos:\n  units:\n    - name: %s\n      content: \"[Service]\\nExecStart=/bin/true\\n\"\n%s", name, more)
}

func content(encoding, text string) string {
	return fmt.Sprintf("write_files:\n  - path: /etc/motd\n    encoding: %s\n    content: %s\n", encoding, text)
}

// What is wrong in the text is refused with status 1, the rule and the line, and nothing is touched.
func TestText(t *testing.T) {
	bomb := base64.StdEncoding.EncodeToString([]byte(packed(t, strings.Repeat("\x00", 33<<20))))
	half := base64.StdEncoding.EncodeToString([]byte(packed(t, strings.Repeat("\x00", 30<<20))))
	sound := packed(t, "#cloud-config\nhostname: web1\n")
	tests := []struct{ name, text, rule string }{
		{"an unknown key at the top", "hostnam: x\n", "unknown-key"},
		{"an unknown key of a user", "users: [{name: bob, groop: x}]\n", "unknown-key"},
		{"an unknown key of a file", file("/etc/motd", "    permisions: x\n"), "unknown-key"},
		{"an unknown key of a unit", unit("a.service", "      enabled: true\n"), "unknown-key"},
		{"an unknown key of an agent", "coreos: {etcd2: {nmae: x}}\n", "unknown-key"},
		{"a key given twice", "hostname: a\nhostname: b\n", "duplicate-key"},

		{"a relative path", file("etc/motd", ""), "file-path"},
		{"a path that climbs", file("/etc/../../../../etc/motd", ""), "file-path"},
		{"a path that is a directory's", file("/etc/", ""), "file-path"},
		{"a path with a line end", file(`"/etc/a\nb"`, ""), "file-path"},
		{"a path with a NUL", file(`"/etc/a\0b"`, ""), "file-path"},
		{"a path of the kernel's", file("/proc/sysrq-trigger", ""), "kernel-path"},
		{"our settings", file("/etc/provisioner/provisioner.yaml", ""), "path-reserved"},
		{"our journal", file("//var/lib//provisioner/journal", ""), "path-reserved"},
		{"the same path twice", file("/etc/motd", "  - path: /etc/motd\n"), "item-twice"},
		{"the same path twice, spelt otherwise", file("/etc/motd", "  - path: //etc///motd\n"), "item-twice"},

		{"a unit name that climbs", unit("../../etc/passwd", ""), "unit-name"},
		{"a unit name that climbs and ends well", unit("../../passwd.service", ""), "unit-name"},
		{"a networkd file that climbs", unit("../../passwd.network", ""), "unit-name"},
		{"a drop-in name that climbs", unit("a.service", "      drop-ins: [{name: ../../etc/passwd, content: x}]\n"), "drop-in-name"},
		{"a drop-in name that climbs and ends well", unit("a.service", "      drop-ins: [{name: ../../x.conf, content: x}]\n"), "drop-in-name"},
		{"a user name that climbs", "users: [{name: ../../etc/passwd}]\n", "account-name"},
		{"a user name like an option", "users: [{name: -rf}]\n", "account-name"},
		{"a user name with a colon", "users: [{name: 'a:b'}]\n", "account-name"},
		{"a user name with a line end", `users: [{name: "a\nb"}]` + "\n", "account-name"},
		{"a user name that is empty", "users: [{name: ''}]\n", "account-name"},
		{"a user name that is a number", "users: [{name: '0'}]\n", "account-name"},
		{"a group name that climbs", "groups: [../../etc/passwd]\n", "account-name"},

		{"a second root", "users: [{name: bob, uid: 0}]\n", "account-id"},
		{"an id that is nobody's", "users: [{name: bob, uid: 4294967295}]\n", "account-id"},
		{"a colon in a name for people", "users: [{name: bob, gecos: 'x:0:0::/:/bin/sh'}]\n", "account-field"},
		{"a line end in a name for people", `users: [{name: bob, gecos: "x\nroot2::0:0::/:/bin/sh"}]` + "\n", "account-field"},
		{"a colon in a shell", "users: [{name: bob, shell: '/bin/sh:x'}]\n", "account-field"},
		{"a line end in a sudo rule", `users: [{name: bob, sudo: "ALL=(ALL) ALL\nALL ALL=(ALL) NOPASSWD: ALL"}]` + "\n", "sudo-rule"},
		{"plain text where a hash belongs", "users: [{name: bob, passwd: opensesame}]\n", "password-hash"},
		{"an empty hash, which would let everybody in", "users: [{name: bob, passwd: ''}]\n", "password-hash"},
		{"a hash with a colon", "users: [{name: bob, passwd: '$6$salt$hash:0:::::::'}]\n", "password-hash"},
		{"an owner that is none", file("/etc/motd", "    owner: ../x\n"), "file-owner"},

		{"a line end in a value for etcd", `coreos: {etcd2: {name: "a\nExecStartPre=/bin/evil"}}` + "\n", "one-line"},
		{"a carriage return in a value for etcd", `coreos: {etcd2: {name: "a\rExecStartPre=/bin/evil"}}` + "\n", "one-line"},
		{"a quote in a value for etcd", `coreos: {etcd2: {name: 'a" "LD_PRELOAD=/evil.so'}}` + "\n", "setting-quote"},
		{"an apostrophe in a value for fleet", `coreos: {fleet: {metadata: "a='b"}}` + "\n", "setting-quote"},
		{"a line end in the update server", `coreos: {update: {server: "x\nGROUP=evil"}}` + "\n", "one-line"},
		{"a line end in the OEM's name", `coreos: {oem: {id: x, name: "x\nID=evil"}}` + "\n", "one-line"},

		{"base64 that is none", content("base64", "'not base64!'"), "encoding"},
		{"base64 that is cut short", content("base64", "aGVsbG8"), "encoding"},
		{"gzip that is none", content("gzip+base64", "aGVsbG8="), "encoding"},
		{"gzip that is cut short", content("gzip+base64", base64.StdEncoding.EncodeToString([]byte(sound[:len(sound)-6]))), "encoding"},
		{"gzip with a wrong sum", content("gzip+base64", base64.StdEncoding.EncodeToString([]byte(sound[:len(sound)-8]+"12345678"))), "encoding"},
		{"a file that unpacks to too much", content("gzip+base64", bomb), "encoding"},
		{"files that together unpack to too much", "write_files:\n" + strings.Join([]string{
			"  - {path: /etc/a, encoding: gz+b64, content: &a " + half + "}", "  - {path: /etc/b, encoding: gz+b64, content: *a}",
			"  - {path: /etc/c, encoding: gz+b64, content: *a}"}, "\n") + "\n", "encoding"},

		{"user-data that unpacks to too much", packed(t, "#cloud-config\n"+strings.Repeat("#\n", 17<<20)), "too-large"},
		{"user-data packed five times", packed(t, packed(t, packed(t, packed(t, packed(t, "#cloud-config\n"))))), "decompression-failed"},
		{"user-data that is cut short", sound[:len(sound)-9], "decompression-failed"},
		{"user-data with a wrong sum", sound[:len(sound)-8] + "12345678", "decompression-failed"},
		{"something behind the packed user-data", sound + "evil", "decompression-failed"},

		{"a document that is a list", "#cloud-config\n- a\n", "wrong-type"},
		{"aliases that multiply", "#cloud-config\nx-a: &a [x,x,x,x,x,x,x,x,x]\n" + laughs(), "yaml-too-large"},
		{"too many levels", "#cloud-config\nx-a: " + strings.Repeat("[", 200_000) + "\n", "yaml-too-large"},
		{"an alias of itself", "#cloud-config\nx-a: &a [*a]\n", "yaml-alias"},
		{"a page of HTML", "#<html>\n", "header-unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, tt.text)
			r.refuses(t, 1, "user-data", ": error: ", "["+tt.rule+"]")
		})
	}
}

func laughs() string {
	var b strings.Builder
	for c := 'b'; c <= 'k'; c++ {
		fmt.Fprintf(&b, "x-%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return b.String()
}

// What does not fit the machine is refused with status 1, the rule and the line, and nothing is touched.
func TestMachine(t *testing.T) {
	keys := "users:\n  - name: eve\n    ssh_authorized_keys: ['" + key + "']\n"
	tests := []struct {
		name, text string
		prepare    func(t *testing.T, r *root)
		rule       string
	}{
		{"an owner that nothing defines", file("/etc/motd", "    owner: nobody-at-all\n"), nil, "owner-unknown"},
		{"a group that nothing defines", file("/etc/motd", "    owner: 'root:nobody-at-all'\n"), nil, "owner-unknown"},
		{"the same file twice through a link", file("/etc/a/f", "  - {path: /etc/b/f, content: y}\n"), func(t *testing.T, r *root) {
			r.mkdir(t, "etc/a", 0o755, 0)
			r.link(t, "a", "etc/b")
		}, "path-twice"},
		{"the same file twice through a link out of the root", file("/tmp/x", "  - {path: /out/x, content: y}\n"), func(t *testing.T, r *root) {
			r.link(t, "../../../../../../../tmp", "out")
		}, "path-twice"},
		{"the same file as a unit", "write_files: [{path: /etc/systemd/system/a.service, content: x}]\n" + unit("a.service", ""), nil, ""},
		{"the same file as the settings of an agent", "write_files: [{path: /run/systemd/system/etcd2.service.d/20-cloudinit.conf, content: x}]\ncoreos: {etcd2: {name: x}}\n", nil, ""},
		{"the file of the accounts, and an account", "write_files: [{path: /etc/passwd, content: 'root::0:0::/:/bin/sh'}]\nusers: [{name: bob}]\n", nil, ""},
		{"our state through a link", file("/srv/journal", ""), func(t *testing.T, r *root) { r.link(t, "/var/lib/provisioner", "srv") }, "path-reserved"},
		{"our reports through a link", file("/srv/provisioner/status.json", ""), func(t *testing.T, r *root) { r.link(t, "../run", "srv") }, "path-reserved"},
		{"a directory where a file goes", file("/etc/skel", ""), nil, "target-kind"},
		{"a file where a directory goes", file("/etc/hosts/x", ""), nil, "target-kind"},
		{"a FIFO where a file goes", file("/etc/fifo", ""), func(t *testing.T, r *root) {
			if err := syscall.Mkfifo(r.path("etc/fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "target-kind"},
		{"a device where a file goes", file("/etc/null", ""), func(t *testing.T, r *root) { r.device(t, "etc/null") }, "target-kind"},
		{"a link in a circle", file("/etc/loop/x", ""), func(t *testing.T, r *root) { r.link(t, "loop", "etc/loop") }, "target-untrusted"},
		{"a name that no file can have", file("/etc/"+strings.Repeat("n", 300), ""), nil, ""},
		{"a home of the system's", "users: [{name: bob, homedir: //etc/ssh/}]\n", nil, "home-of-system"},
		{"an id that is taken", "users: [{name: bob, uid: 1000}]\n", nil, ""},

		{"a way through eve's link", file("/home/eve/sub/f", ""), func(t *testing.T, r *root) { r.link(t, "/etc", "home/eve/sub") }, "target-untrusted"},
		{"eve's link as target", file("/home/eve/f", ""), func(t *testing.T, r *root) { r.link(t, "/etc/shadow", "home/eve/f") }, "target-untrusted"},
		{"eve's second name of a file as target", file("/home/eve/f", ""), func(t *testing.T, r *root) { r.hardLink(t, "etc/shadow", "home/eve/f") }, "target-untrusted"},
		{"anybody's link as target", file("/tmp/f", ""), func(t *testing.T, r *root) { r.link(t, "/etc/shadow", "tmp/f") }, "target-untrusted"},
		{"a home below eve's link", "users: [{name: bob, homedir: /home/eve/sub/bob}]\n", func(t *testing.T, r *root) { r.link(t, "/etc", "home/eve/sub") }, "target-untrusted"},

		{"~/.ssh is a link to root's", keys, func(t *testing.T, r *root) { r.link(t, "/root/.ssh", "home/eve/.ssh") }, "keys-untrusted"},
		{"~/.ssh is a relative link to root's", keys, func(t *testing.T, r *root) { r.link(t, "../../root/.ssh", "home/eve/.ssh") }, "keys-untrusted"},
		{"~/.ssh is a file", keys, func(t *testing.T, r *root) { r.remove(t, "home/eve/.ssh"); r.file(t, "home/eve/.ssh", 0o600, 1000, "") }, "keys-untrusted"},
		{"authorized_keys is a link to the hashes", keys, func(t *testing.T, r *root) { r.link(t, "/etc/shadow", "home/eve/.ssh/authorized_keys") }, "keys-untrusted"},
		{"authorized_keys is a second name of the hashes", keys, func(t *testing.T, r *root) { r.hardLink(t, "etc/shadow", "home/eve/.ssh/authorized_keys") }, "keys-untrusted"},
		{"authorized_keys is a FIFO", keys, func(t *testing.T, r *root) {
			if err := syscall.Mkfifo(r.path("home/eve/.ssh/authorized_keys"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "keys-untrusted"},
		{"authorized_keys is a device", keys, func(t *testing.T, r *root) { r.device(t, "home/eve/.ssh/authorized_keys") }, "keys-untrusted"},
		{"authorized_keys is a directory", keys, func(t *testing.T, r *root) { r.mkdir(t, "home/eve/.ssh/authorized_keys", 0o700, 1000) }, "keys-untrusted"},
		{"authorized_keys is another user's", keys, func(t *testing.T, r *root) { r.file(t, "home/eve/.ssh/authorized_keys", 0o600, 1001, "x\n") }, "keys-untrusted"},
		{"authorized_keys is a terabyte of nothing", keys, func(t *testing.T, r *root) {
			r.file(t, "home/eve/.ssh/authorized_keys", 0o600, 1000, "")
			if err := os.Truncate(r.path("home/eve/.ssh/authorized_keys"), 1<<40); err != nil {
				t.Fatal(err)
			}
		}, "keys-untrusted"},
		{"authorized_keys.d is a link", keys, func(t *testing.T, r *root) {
			r.mkdir(t, "home/eve/.ssh/authorized_keys.d", 0o700, 1000)
			r.link(t, "/etc/shadow", "home/eve/.ssh/authorized_keys.d/provisioner")
		}, "keys-untrusted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			if tt.prepare != nil {
				tt.prepare(t, r)
			}
			r.write(t, tt.text)
			r.refuses(t, 1, "user-data", ": error: ", tt.rule)
		})
	}
}

func (r *root) hardLink(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(r.path(from), r.path(to)); err != nil {
		t.Fatal(err)
	}
}

func (r *root) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(r.path(name)); err != nil {
		t.Fatal(err)
	}
}

func (r *root) device(t *testing.T, name string) {
	t.Helper()
	const null = 1<<8 | 3
	if err := syscall.Mknod(r.path(name), syscall.S_IFCHR|0o600, null); err != nil {
		t.Fatal(err)
	}
}

// Nothing of a file that eve has linked to is so much as opened.
func TestNothingIsReadThroughEvesLinks(t *testing.T) {
	need(t, "strace")
	for _, tt := range []struct{ name, at, to string }{
		{"~/.ssh", "home/eve/.ssh", "/root/.ssh"},
		{"authorized_keys", "home/eve/.ssh/authorized_keys", "/root/.ssh/authorized_keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.link(t, tt.to, tt.at)
			r.write(t, "users:\n  - name: eve\n    ssh_authorized_keys: ['"+key+"']\n")
			trace := r.path("../trace")
			if got := r.apply(t, "strace", "-f", "-qq", "-y", "-e", "trace=openat,openat2,open", "-o", trace); got.status != 1 {
				t.Errorf("want exit status 1, got %v", got)
			}
			for line := range strings.Lines(r.read(t, "../trace")) {
				if strings.Contains(line, "/root/root") {
					t.Errorf("root's home was opened: %s", line)
				}
			}
		})
	}
}

// A link that would lead out of the root is resolved inside it, or replaced, but never followed.
func TestLinksOutOfTheRoot(t *testing.T) {
	tests := []struct {
		name, text string
		prepare    func(t *testing.T, r *root)
		wantStatus []int
		want       map[string]string // what is where
	}{
		{"a directory, absolute", file("/srv/canary", ""), func(t *testing.T, r *root) {
			r.link(t, r.path("../outside"), "srv")
			r.mkdir(t, r.path("../outside"), 0o755, 0)
		}, []int{0}, nil},
		{"a directory, climbing", file("/srv/deep/canary", ""), func(t *testing.T, r *root) {
			r.mkdir(t, "srv", 0o755, 0)
			r.link(t, "../../outside", "srv/deep")
			r.mkdir(t, "outside", 0o755, 0)
		}, []int{0}, map[string]string{"outside/canary": "x"}},
		{"a file", file("/etc/motd", ""), func(t *testing.T, r *root) { r.link(t, "../../outside/canary", "etc/motd") }, []int{0}, map[string]string{"etc/motd": "x"}},
		{"the account file", "users: [{name: bob}]\n", func(t *testing.T, r *root) { r.link(t, "../../outside/canary", "etc/passwd") }, []int{0, 1, 3}, nil},
		{"all of /etc", "hostname: web1\n", func(t *testing.T, r *root) { r.link(t, "../outside", "etc") }, []int{1, 3}, nil},
		{"all of /run", "hostname: web1\n", func(t *testing.T, r *root) { r.link(t, "../outside", "run") }, []int{1, 3}, nil},
		{"all of /var", "hostname: web1\n", func(t *testing.T, r *root) { r.link(t, "../outside", "var") }, []int{1, 3}, nil},
		{"our lock", "hostname: web1\n", func(t *testing.T, r *root) {
			r.mkdir(t, "run/provisioner", 0o755, 0)
			r.link(t, "../../../outside/canary", "run/provisioner/lock")
		}, []int{3}, nil},
		{"our status", "hostname: web1\n", func(t *testing.T, r *root) {
			r.mkdir(t, "run/provisioner", 0o755, 0)
			r.link(t, "../../../outside/canary", "run/provisioner/status.json")
		}, []int{0}, map[string]string{"etc/hostname": "web1\n"}},
		{"the lock of the account files", "users: [{name: bob}]\n", func(t *testing.T, r *root) { r.link(t, "../../outside/canary", "etc/.pwd.lock") }, []int{0, 3}, nil},
		{"our instance", "hostname: web1\n", func(t *testing.T, r *root) {
			r.mkdir(t, "var/lib/provisioner", 0o700, 0)
			r.link(t, "../../../../outside", "var/lib/provisioner/instance")
		}, []int{0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			tt.prepare(t, r)
			r.write(t, tt.text)
			was := r.tree(t)
			got := r.apply(t)
			now := r.tree(t)
			if !slices.Contains(tt.wantStatus, got.status) {
				t.Errorf("want exit status %v, got %v", tt.wantStatus, got)
			}
			if got.status != 0 {
				r.same(t, was)
			}
			for name, is := range now {
				if strings.HasPrefix(name, "../") && was[name] != is {
					t.Errorf("%s was %q and is %q", name, was[name], is)
				}
			}
			for name, want := range tt.want {
				if is := r.read(t, name); is != want {
					t.Errorf("%s holds %q, want %q", name, is, want)
				}
			}
		})
	}
}

// A plan that apply cannot make is none: they must say the same.
func TestPlanAndApplyAgreeOnDanglingLinks(t *testing.T) {
	r := newRoot(t)
	r.link(t, "/data/opt", "opt")
	r.write(t, file("/opt/app/x", ""))
	was := r.tree(t)
	plan, apply := r.plan(t), r.apply(t)
	if plan.status != apply.status {
		t.Errorf("plan: %v\napply: %v", plan, apply)
	}
	if apply.status != 0 {
		r.same(t, was)
	}
}

// What was left out of a machine that is otherwise as asked is told by apply, and by status afterwards.
func TestWarningsAreTold(t *testing.T) {
	r := newRoot(t)
	r.write(t, "ssh_authorized_keys: ['ssh-rsa garbage', '"+key+"']\n")
	apply := r.apply(t)
	if apply.status != 0 || !strings.Contains(apply.stderr, "user-data:2:23: warning: ") {
		t.Errorf("want exit status 0 and a warning of the first key, got %v", apply)
	}
	if got := run(t, program(), "status", "--root", r.dir); !strings.Contains(got.stdout, "[ssh-key]") {
		t.Errorf("status does not say it: %v", got)
	}
}

// What systemd takes for more than text stays text.
func TestValuesStayValues(t *testing.T) {
	r := newRoot(t)
	r.write(t, `coreos: {etcd2: {name: 'a%h $HOME ${X} \', data_dir: '%n', discovery_srv: '\'}}`+"\n")
	if got := r.apply(t); got.status != 0 {
		t.Fatal(got)
	}
	var names []string
	for line := range strings.Lines(r.read(t, "run/systemd/system/etcd2.service.d/20-cloudinit.conf")) {
		line = strings.TrimSuffix(line, "\n")
		if backslashes := len(line) - len(strings.TrimRight(line, `\`)); backslashes%2 == 1 {
			t.Errorf("%s: the next line is part of this one", line)
		}
		if rest := strings.ReplaceAll(line, "%%", ""); strings.Contains(rest, "%") {
			t.Errorf("%s: systemd would put something else in the place of %%", line)
		}
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	if want := []string{"[Service]", "Environment", "Environment", "Environment"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// An address with a line in it is not an address, whoever says so, and does not become a directive.
func TestMetadataIsNoSyntax(t *testing.T) {
	r := newRoot(t)
	r.file(t, "../metadata", 0o600, 0, `{"version":1,"datasource":"x","instance_id":"../../../../outside","public_ipv4":"192.0.2.1\nExecStartPre=/bin/evil"}`)
	r.write(t, "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n        ExecStart=/bin/echo $public_ipv4\n")
	was := r.tree(t)
	got := run(t, r.command("apply", "--metadata", r.path("../metadata"))...)
	text, _ := os.ReadFile(r.path("etc/systemd/system/a.service"))
	if strings.Contains(string(text), "\nExecStartPre") {
		t.Errorf("a second directive:\n%s\n%v", text, got)
	}
	for name := range r.tree(t) {
		if _, there := was[name]; !there && strings.Contains(name, "outside") {
			t.Errorf("the instance's id became a path: %s", name)
		}
	}
}

// The user's text may be short and ask for much. The kernel's figure for the memory of a child is no lower than what
// this process has when it starts it, which is up to 200 MiB.
func TestCosts(t *testing.T) {
	const mib = 1 << 20
	var aliases strings.Builder
	fmt.Fprintf(&aliases, "#cloud-config\nwrite_files:\n  - {path: /srv/0, content: &a %q}\n", strings.Repeat("A", 30*mib))
	for i := range 30 {
		fmt.Fprintf(&aliases, "  - {path: /srv/%d, content: *a}\n", i+1)
	}
	tests := []struct {
		name, text string
		command    string
		statuses   []int
		maxMemory  int64
		maxCPU     time.Duration
	}{
		{"half a kilobyte that unpacks to a gigabyte of aliases", packed(t, packed(t, aliases.String())), "plan", []int{1}, 400 * mib, 5 * time.Second},
		{"a path of a thousand directories", file(strings.Repeat("/a", 1000), ""), "apply", []int{0, 1}, 400 * mib, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoot(t)
			r.write(t, tt.text)
			got := run(t, r.command(tt.command)...)
			got.stdout = ""
			if !slices.Contains(tt.statuses, got.status) {
				t.Errorf("want exit status %v, got %v", tt.statuses, got)
			}
			if got.maxMemory > tt.maxMemory || got.cpu > tt.maxCPU {
				t.Errorf("%d bytes of user-data take %d MiB and %v of CPU time; at most %d MiB and %v are expected",
					len(tt.text), got.maxMemory/mib, got.cpu, tt.maxMemory/mib, tt.maxCPU)
			}
		})
	}
}
