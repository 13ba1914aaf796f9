//go:build integration && linux

package hostile_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cloudconfig/datasources/metadatatest"
)

// The canaries: each has a piece that nothing else can have by chance. They are of no use anywhere.
const (
	hash       = "$6$rounds=5000$cAnArYsAlT$VHVjaTEyMzQ1Njc4OTBhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ekFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWF"
	token      = "ghp_cAnArYtOkEn0123456789abcdefABCDEF01"
	privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n" +
		"cAnArYkEyQyNTUxOQAAACBkdoUd6Bb7xcR0xi2Hdrz5BW40dKbeJSPQFLGCcmKZwQAAAJ\n-----END OPENSSH PRIVATE KEY-----\n"
	wireGuardKey = "cAnArYwIrEgUaRdKeY0123456789abcdefABCDEFGHI="
)

// canary is in every one of them, in some spelling of base64 too.
var canary = []byte("cAnArY")

func leaks(text []byte) []string {
	var out []string
	for line := range bytes.Lines(text) {
		found := bytes.Contains(line, canary)
		for _, secret := range []string{hash, token, privateKey} {
			for skip := range 3 {
				encoded := base64.StdEncoding.EncodeToString([]byte(secret[skip:]))
				found = found || bytes.Contains(line, []byte(encoded[:24]))
			}
		}
		if found {
			out = append(out, shorten(strings.TrimSpace(string(line))))
		}
	}
	return out
}

// indented is a text as a block of YAML.
func indented(text, by string) string {
	return strings.ReplaceAll(strings.TrimSuffix(by+strings.ReplaceAll(text, "\n", "\n"+by), by), "\t", " ")
}

// quiet runs every command on the user-data, and looks for canaries in what each says and in all that anybody
// could read afterwards.
func (r *root) quiet(t *testing.T, status int) {
	t.Helper()
	file := []string{"--datasource", "file=" + r.userData, "--root", r.dir}
	commands := [][]string{
		{"validate", r.userData}, {"validate", "--format", "json", r.userData}, {"validate", "--strict", r.userData},
		{"validate", "--format", "sarif", r.userData}, {"validate", "--format", "github", r.userData},
		{"validate", "--format", "gitlab", r.userData}, {"validate", "--format", "junit", r.userData},
		{"validate", "--write-baseline", "/dev/stdout", r.userData},
		append([]string{"plan"}, file...), append([]string{"plan", "--format", "json"}, file...), append([]string{"plan", "--color", "always"}, file...),
		append([]string{"apply"}, file...),
		{"status", "--root", r.dir}, {"status", "--format", "json", "--root", r.dir},
		append([]string{"plan"}, file...), append([]string{"apply"}, file...), {"status", "--root", r.dir},
	}
	for _, c := range commands {
		got := run(t, append([]string{program()}, c...)...)
		for _, line := range leaks([]byte(got.stdout + "\n" + got.stderr)) {
			t.Errorf("%s %s says: %s", c[0], strings.Join(c[1:min(len(c), 3)], " "), line)
		}
		if c[0] == "apply" && got.status != status {
			t.Errorf("want exit status %d, got %v", status, got)
		}
	}
	r.unreadable(t)
}

// unreadable walks the root as nobody, reads everything that can be read, and looks for canaries in there.
func (r *root) unreadable(t *testing.T) {
	t.Helper()
	// t.TempDir makes a folder that nobody else can enter.
	if err := os.Chmod(filepath.Dir(filepath.Dir(r.dir)), 0o755); err != nil {
		t.Fatal(err)
	}
	type leak struct{ name, line string }
	var found []leak
	var names []string
	done := make(chan error)
	go func() {
		// The credentials are this thread's alone. It is never unlocked, so it ends with the goroutine.
		runtime.LockOSThread()
		const nobody = 65534
		for _, call := range []struct{ number, a, b, c uintptr }{
			{syscall.SYS_SETGROUPS, 0, 0, 0}, {syscall.SYS_SETRESGID, nobody, nobody, nobody}, {syscall.SYS_SETRESUID, nobody, nobody, nobody},
		} {
			if _, _, errno := syscall.RawSyscall(call.number, call.a, call.b, call.c); errno != 0 {
				done <- errno
				return
			}
		}
		done <- filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what nobody cannot read is what is hoped for
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			name, err := filepath.Rel(r.dir, path)
			names = append(names, name)
			for _, line := range leaks(text) {
				found = append(found, leak{name, line})
			}
			return err
		})
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "etc/passwd") || slices.Contains(names, "etc/shadow") {
		t.Fatalf("this is not what nobody can read: %q", names)
	}
	for _, l := range found {
		t.Errorf("everybody can read in /%s: %s", l.name, l.line)
	}
}

// Secrets where they belong are applied, and nobody hears of them.
func TestSecretsWhereTheyBelong(t *testing.T) {
	tests := []struct{ name, text string }{
		{"a hash", "users:\n  - {name: bob, passwd: '" + hash + "'}\n  - {name: eve, passwd: '" + hash + "', lock_passwd: true}\n  - {name: carl, hashed-passwd: '" + hash + "'}\n"},
		{"files that keep others out", "write_files:\n  - {path: /etc/a, permissions: '0600', content: " + token + "}\n" +
			"  - {path: /etc/b, permissions: '0640', append: true, content: " + token + "}\n" +
			"  - {path: /etc/c, permissions: 'u=rw', defer: true, encoding: b64, content: " + base64.StdEncoding.EncodeToString([]byte(token)) + "}\n" +
			"  - path: /etc/key\n    permissions: 0400\n    content: |\n" + indented(privateKey, "      ")},
		{"a file of which it is said", "write_files:\n  - {path: /etc/a, secret: true, content: " + token + "}\n"},
		{"a private key of which nothing is said", "write_files:\n  - path: /etc/key\n    content: |\n" + indented(privateKey, "      ")},
		{"passwords of agents", "coreos:\n  fleet: {etcd_username: x, etcd_password: " + token + "}\n  flannel: {etcd_password: " + token + "}\n  locksmith: {etcd_password: " + token + "}\n"},
		{"a key of a tunnel", "coreos:\n  units:\n    - name: wg0.netdev\n      content: |\n        [NetDev]\n        Name=wg0\n        Kind=wireguard\n        [WireGuard]\n        PrivateKey=" + wireGuardKey + "\n"},
		{"user info in addresses of agents", "coreos:\n  etcd2: {discovery: 'https://user:" + token + "@discovery.example.com/1'}\n  fleet: {etcd_servers: 'https://user:" + token + "@etcd.example.com/'}\n"},
		{"a script", "#!/bin/sh\nexport TOKEN=" + token + "\ncat <<E\n" + privateKey + "E\n"},
		{"a variable in a file that keeps others out", "write_files:\n  - {path: /etc/a, permissions: '0600', content: 'cAnArYword $private_ipv4'}\n"},
		{"keys of the user's own", "x-token: " + token + "\nx-key: |\n" + indented(privateKey, "  ")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, tt.text)
			r.quiet(t, 0)
		})
	}
}

// A change of what is secret is told without the secret, old or new.
func TestSecretsThatChange(t *testing.T) {
	r := newRoot(t)
	for _, text := range []string{
		"users: [{name: bob, passwd: '" + hash + "'}]\nwrite_files: [{path: /etc/a, permissions: '0600', content: " + token + "}]\n",
		"users: [{name: bob, passwd: '" + hash[:len(hash)-1] + "G'}]\nwrite_files: [{path: /etc/a, permissions: '0600', content: " + token + "2}]\n",
		"users: [{name: bob, passwd: '" + hash + "'}]\nwrite_files: [{path: /etc/a, permissions: '0644', content: harmless}]\n",
	} {
		r.write(t, text)
		r.quiet(t, 0)
	}
}

// Secrets where they do not belong, in every way a document can be wrong: it is refused, and does not say what
// they are.
func TestSecretsWhereTheyDoNotBelong(t *testing.T) {
	block := "|\n" + indented(privateKey, "      ")
	tests := []struct{ name, text string }{
		{"misspelt keys", "users:\n  - name: bob\n    pasword: " + hash + "\n    hash: " + hash + "\n    pass: " + token + "\nwrite_files:\n  - path: /etc/k\n    contnet: " + block +
			"coreos:\n  etcd2: {tokn: " + token + "}\n  fleet: {etcd_pasword: " + token + "}\n"},
		{"keys one level off", "passwd: " + hash + "\ncontent: " + block + "etcd_password: " + token + "\n"},
		{"wrong types", "users:\n  - name: bob\n    passwd: [" + hash + "]\n    uid: " + hash + "\n    lock_passwd: " + token + "\n    system: {x: " + hash + "}\nhostname: " + token +
			"\nwrite_files:\n  - {path: " + token + ", owner: " + token + ", permissions: " + token + ", append: " + token + ", encoding: " + token + ", content: [x, " + token + "]}\n"},
		{"as names", "users: ['" + hash + "', " + token + "]\ngroups: {'" + token + "': [" + token + "]}\ncoreos:\n  units:\n    - {name: " + token + ", command: " + token + "}\n"},
		{"as keys", token + ": x\n'" + hash + "': y\nusers:\n  - {'" + hash + "': 1, name: bob}\n"},
		{"as SSH keys", "ssh_authorized_keys:\n  - |\n" + indented(privateKey, "    ") + "  - " + strings.Split(privateKey, "\n")[2] + "\nusers: [{name: bob, ssh_authorized_keys: [" + token + "]}]\n"},
		{"given twice", "users:\n  - name: bob\n    passwd: " + hash + "\n    passwd: " + hash + "\n" + token + ": 1\n" + token + ": 2\n"},
		{"a plain password", "users: [{name: bob, passwd: cAnArYopensesame}]\n"},
		{"a hash cut short", "users: [{name: bob, passwd: '" + hash[:40] + "'}]\n"},
		{"content that is not base64", "write_files: [{path: /etc/a, encoding: base64, content: '" + token + "!'}]\n"},
		{"a quote that does not end", "users:\n  - name: bob\n    passwd: \"" + hash + "\n    uid: [\n"},
		{"an alias", "a: *" + token + "\n"},
		{"an anchor and a tag", "k: !" + token + " x\nj: &" + token + " " + token + "\n? [" + token + "]\n: x\n"},
		{"a tab", "passwd: " + hash + "\n\tb: " + token + "\n"},
		{"a mapping in a line", "passwd: " + hash + ": " + token + "\n"},
		{"a bad indent", "write_files:\n  - path: /etc/a\n   content: " + token + "\n"},
		{"a key that is not indented", "write_files:\n  - path: /etc/k\n    content: |\n" + privateKey},
		{"a document of nothing but a key", "#\n" + privateKey},
		{"a document of nothing but a token", "#" + token + "\n" + hash + "\n"},
		{"a unit that is no unit", "coreos:\n  units:\n    - name: a.service\n      content: |\n        " + token + "\n        [Servic\n        Environment=TOKEN=" + token + "\n      command: x\n"},
		{"a setting of two lines", "coreos: {etcd2: {name: \"" + token + "\\n\", discovery: '" + token + "'}, locksmith: {etcd_password: [" + token + "], window_start: " + token + "}}\n"},
		{"a value that is none of the words", "coreos: {update: {reboot-strategy: " + token + "}}\n"},
		{"fields of an account", "users: [{name: bob, sudo: " + token + ", gecos: '" + token + ":x', shell: " + token + ", homedir: " + token + ", primary_group: '-" + token + "', groups: ['" + hash + "']}]\n"},
		{"user info in an address that is not taken", "users:\n  - {name: bob, coreos_ssh_import_url: 'http://user:" + token + "@example.com/keys?t=" + token + "'}\n  - {name: carl, coreos_ssh_import_github: '" + token + "'}\n"},
		{"owners that are not there", "write_files: [{path: /etc/a, owner: " + token + "}]\n"},
		{"groups that are not there", "users: [{name: bob, groups: [" + token[:30] + "]}]\n"},
		{"keys of cloud-init's", "chpasswd: {list: 'root:" + token + "'}\nrh_subscription: {password: " + token + "}\nno-such-key: 1\n"},
		{"UTF-16", "#\xff\xfe" + token + "\n"},
		{"a content that is no text, and keys that may have been meant for it", "write_files:\n  - {path: /etc/a, permissions: '0600', content: {a: cAnArYword}}\n" +
			"  - path: /etc/b\n    permissions: '0600'\n    contnt: cAnArYword\n    contents: |\n      cAnArYword\n"},
		{"lines of chpasswd", "chpasswd:\n  list: |\n    bob:cAnArYword\n    cAnArYword\n    :cAnArYword\n    a b:cAnArYword\n  users: [{name: bob, password: [cAnArYword], type: cAnArYword}]\npassword: {a: cAnArYword}\n"},
		{"a unit that others cannot read", "write_files:\n  - path: /etc/systemd/system/a.service\n    permissions: '0600'\n    content: |\n      [Unit]\n      Requires=cAnArYword.service\n" +
			"      [Service]\n      ExecStart=cAnArYword\n      cAnArYword=1\n      [cAnArYword]\nhostname: a_b\n"},
		{"bytes that are no text", "#cloud-config\npasswd: " + token + "\xff\x00\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.write(t, tt.text)
			r.quiet(t, 1)

			// A machine quotes nothing at all, whatever it looks like.
			r.write(t, strings.ReplaceAll(tt.text, token, "cAnArYword"))
			for _, c := range [][]string{r.command("apply"), {program(), "status", "--root", r.dir}, {program(), "status", "--format", "json", "--root", r.dir}} {
				got := run(t, c...)
				for _, line := range leaks([]byte(got.stdout + got.stderr)) {
					t.Errorf("%s quotes: %s", c[1], line)
				}
			}
		})
	}
}

// An address that cannot be asked is told without user info and query.
func TestSecretsInAddresses(t *testing.T) {
	r := newRoot(t)
	r.write(t, "users: [{name: bob, coreos_ssh_import_url: 'https://user:"+token+"@keys.invalid/keys?t="+token+"#"+token+"'}]\n")
	for _, command := range []string{"plan", "apply"} {
		p := startLogged(t, r.path("../log"), r.command(command)...)
		p.says(t, "waiting for", patience/4)
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-p.err
		for _, line := range leaks([]byte(p.log())) {
			t.Errorf("%s: %s", command, line)
		}
	}
	r.unreadable(t)
	for _, args := range [][]string{
		{"apply", "--root", r.dir, "--datasource", "ec2=http://user:" + token + "@127.0.0.1"},
		{"plan", "--root", r.dir, "--datasource", "ec2=http://127.0.0.1/?t=" + token},
		{"plan", "--root", r.dir, "--datasource", "ec2=http://[" + token},
	} {
		got := run(t, append([]string{program()}, args...)...)
		for _, line := range leaks([]byte(got.stdout + got.stderr)) {
			t.Errorf("%v: %s", args, line)
		}
	}
	r.unreadable(t)
}

// What a metadata service hands out is no better than what is written by hand.
func TestSecretsFromAService(t *testing.T) {
	i := metadatatest.Example()
	i.UserData = []byte("#cloud-config\nusers: [{name: bob, passwd: '" + hash + "', pasword: '" + hash + "'}]\n" + token + ": 1\n")
	r := newRoot(t)
	url := service(t, i)
	for _, args := range [][]string{r.fromEC2("plan", url), r.fromEC2("apply", url), {program(), "status", "--root", r.dir}} {
		got := run(t, args...)
		if got.status != 1 {
			t.Errorf("want exit status 1, got %v", got)
		}
		for _, line := range leaks([]byte(got.stdout + got.stderr)) {
			t.Errorf("%v: %s", args, line)
		}
	}
	r.unreadable(t)
}

// Metadata in the wrong form is not quoted either.
func TestSecretsInMetadata(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"not JSON", token},
		{"another form", `{"hostname": {"` + token + `": "` + token + `"}}`},
		{"a hostname", `{"version": 1, "hostname": "` + token + `/"}`},
		{"an address", `{"version": 1, "public_ipv4": "` + token + `"}`},
		{"a key", `{"version": 1, "ssh_keys": ["` + token + `"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot(t)
			r.file(t, "../metadata", 0o600, 0, tt.text)
			r.write(t, "#cloud-config\n")
			for _, command := range []string{"plan", "apply"} {
				got := run(t, r.command(command, "--metadata", r.path("../metadata"))...)
				for _, line := range leaks([]byte(got.stdout + got.stderr)) {
					t.Errorf("%s: %s", command, line)
				}
			}
		})
	}
}

// What goes into a file that everybody may read can hold no secret: it is refused, and not shown either.
func TestSecretInAPublicSetting(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"coreos: {update: {server: 'https://user:" + token + "@updates.example.com/'}}\n",
		"coreos: {oem: {id: x, home_url: 'https://user:" + token + "@example.com/'}}\n",
	} {
		r := newRoot(t)
		r.write(t, text)
		r.quiet(t, 1)
	}
}
