package plan_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

const (
	sshUnit    = "usr/lib/systemd/system/ssh.service"
	mainConfig = "etc/ssh/sshd_config"
	ownConfig  = "etc/ssh/sshd_config.d/20-provisioner.conf"
	included   = "Include /etc/ssh/sshd_config.d/*.conf\n"
	reloadSSH  = "reload-or-try-restart ssh.service"
)

func TestPasswordAuthentication(t *testing.T) {
	no := schema.System{SSH: schema.SSHServer{PasswordAuthentication: val(false)}}
	yes := schema.System{SSH: schema.SSHServer{PasswordAuthentication: val(true)}}
	with := func(config string, more ...string) map[string]string {
		out := map[string]string{sshUnit: "[Service]\n", mainConfig: config}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	runSystem(t, []systemCase{
		{name: "a file of our own", config: no, disk: with("# Debian\n" + included + "UsePAM yes\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{reloadSSH}},
		{name: "before cloud-init's", config: yes, disk: with(included, "etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication no\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication yes\n"}, jobs: []string{reloadSSH}},
		{name: "behind another's", config: no, disk: with(included, "etc/ssh/sshd_config.d/01-image.conf", "passwordauthentication  yes\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{reloadSSH}, findings: []string{"warning ssh-setting-hidden"}},
		{name: "behind one that says the same", config: no, disk: with(included, "etc/ssh/sshd_config.d/01-image.conf", "PasswordAuthentication=no\n", "etc/ssh/sshd_config.d/02-old.bak", "PasswordAuthentication yes\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{reloadSSH}},
		{name: "a setting for some connections hides nothing", config: no, disk: with(included, "etc/ssh/sshd_config.d/01-image.conf", "Match User git\n  PasswordAuthentication yes\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{reloadSSH}},
		{name: "a relative include", config: no, disk: with("include sshd_config.d/*.conf\n"),
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{reloadSSH}},
		{name: "without the include, in place", config: no, disk: with("Port 22\n#PasswordAuthentication yes\nPasswordAuthentication yes # for now\nUsePAM yes\n"),
			want: map[string]string{mainConfig: "Port 22\n#PasswordAuthentication yes\nPasswordAuthentication no\nUsePAM yes\n"}, jobs: []string{reloadSSH}},
		{name: "without the include, before what counts for some", config: no, disk: with("Port 22\nMatch User git\n\tPasswordAuthentication yes\n"),
			want: map[string]string{mainConfig: "Port 22\nPasswordAuthentication no\nMatch User git\n\tPasswordAuthentication yes\n"}, jobs: []string{reloadSSH}},
		{name: "without the include, at the end", config: yes, disk: with("Port 22"),
			want: map[string]string{mainConfig: "Port 22\nPasswordAuthentication yes\n"}, jobs: []string{reloadSSH}},
		{name: "an include that comes too late", config: no, disk: with("PasswordAuthentication yes\n" + included),
			want: map[string]string{mainConfig: "PasswordAuthentication no\n" + included}, jobs: []string{reloadSSH}},
		{name: "an include for some connections", config: no, disk: with("Match all\n" + included),
			want: map[string]string{mainConfig: "PasswordAuthentication no\nMatch all\n" + included}, jobs: []string{reloadSSH}},
		{name: "it is so already", config: no, disk: with("PasswordAuthentication no\n")},
		{name: "another name of the unit, and a configuration outside /etc", config: no,
			disk: map[string]string{"usr/lib/systemd/system/sshd.service": "[Service]\n", "usr/etc/ssh/sshd_config": included},
			want: map[string]string{ownConfig: "PasswordAuthentication no\n"}, jobs: []string{"reload-or-try-restart sshd.service"}},
		{name: "no sshd yet", config: no, want: map[string]string{ownConfig: "PasswordAuthentication no\n"}},
	})
}

// hostKey is a pair made of a seed.
func hostKey(t *testing.T, seed string) (private, public string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, 32)))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	blob := "\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + string(key.Public().(ed25519.PublicKey))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "ssh-ed25519 " + base64.StdEncoding.EncodeToString([]byte(blob))
}

func TestHostKeys(t *testing.T) {
	private, public := hostKey(t, "a")
	secret := schema.Value[schema.Secret]{V: schema.Secret(strings.TrimSuffix(private, "\n")), Set: true, At: at(1)}
	const file = "etc/ssh/ssh_host_ed25519_key"
	keys := func(k schema.HostKey) schema.System {
		k.Type = "ed25519"
		return schema.System{SSH: schema.SSHServer{HostKeys: []schema.HostKey{k}}}
	}
	disk := map[string]string{sshUnit: "[Service]\n", mainConfig: included}
	pair := map[string]string{file: private, file + ".pub": public + " root@web1\n"}
	broken := schema.Value[schema.Secret]{V: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", Set: true, At: at(1)}
	certified := maps.Clone(pair)
	certified[file+"-cert.pub"] = "ssh-ed25519-cert-v01@openssh.com AAAA\n"
	certified[ownConfig] = "HostCertificate /" + file + "-cert.pub\n"
	runSystem(t, []systemCase{
		{name: "a pair", config: keys(schema.HostKey{Private: secret, Public: val(public + " root@web1\n")}), disk: disk, want: pair, jobs: []string{reloadSSH}},
		{name: "the public key is made", config: keys(schema.HostKey{Private: secret}), disk: disk,
			want: map[string]string{file: private, file + ".pub": public + "\n"}, jobs: []string{reloadSSH}},
		{name: "a certificate", config: keys(schema.HostKey{Private: secret, Public: val(public + " root@web1"), Certificate: val("ssh-ed25519-cert-v01@openssh.com AAAA\n")}),
			disk: disk, want: certified, jobs: []string{reloadSSH}},
		{name: "it is so already", config: keys(schema.HostKey{Private: secret}), disk: map[string]string{file + ".pub": public + "\n"},
			want: map[string]string{file: private}},
		{name: "a private key that is damaged", config: keys(schema.HostKey{Private: broken}), disk: disk,
			want: map[string]string{file: broken.V.Reveal()}, jobs: []string{reloadSSH}, findings: []string{"warning host-key-public"}},
	})
}

func TestPrivateHostKeyIsSecret(t *testing.T) {
	private, _ := hostKey(t, "a")
	in := plan.Input{Config: &schema.Config{System: schema.System{SSH: schema.SSHServer{HostKeys: []schema.HostKey{{Type: "ed25519", Private: val(schema.Secret(private))}}}}}}
	for _, tt := range []struct {
		name string
		old  fsroot.Attr // of an rsa key that is there
		want fsroot.Attr
	}{
		{"root's alone", fsroot.Attr{Mode: 0o600}, fsroot.Attr{Mode: 0o600}},
		{"the group's where the image's own is", fsroot.Attr{Mode: 0o640, GID: 101}, fsroot.Attr{Mode: 0o640, GID: 101}},
		{"no other group's", fsroot.Attr{Mode: 0o640, GID: 5}, fsroot.Attr{Mode: 0o600}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(map[string]string{"etc/group": "ssh_keys:x:101:\n"})
			d.put("etc/ssh/ssh_host_rsa_key", node{kind: fsroot.Regular, data: "x", attr: tt.old})
			p := d.applied(t, in)
			i := slices.IndexFunc(p.Changes, func(c plan.Change) bool { return c.Path == "etc/ssh/ssh_host_ed25519_key" })
			if i < 0 || !p.Changes[i].Secret || p.Changes[i].Attr != tt.want {
				t.Errorf("the key is not secret and %+v: %+v", tt.want, p.Changes)
			}
		})
	}
}

func TestImagesHostKeys(t *testing.T) {
	private, public := hostKey(t, "a")
	del := schema.System{SSH: schema.SSHServer{DeleteKeys: val(true)}}
	own := del
	own.SSH.HostKeys = []schema.HostKey{{Type: "ed25519", Private: val(schema.Secret(private)), Public: val(public)}}
	image := map[string]string{
		"etc/ssh/ssh_host_rsa_key": "rsa", "etc/ssh/ssh_host_rsa_key.pub": "rsa", "etc/ssh/ssh_host_ed25519_key": "ed",
		"etc/ssh/ssh_host_ed25519_key.pub": "ed", "etc/ssh/moduli": "m",
	}
	generating := maps.Clone(image)
	generating["usr/lib/systemd/system/sshd-keygen@.service"] = "[Service]\n"
	runSystem(t, []systemCase{
		{name: "an image that makes new ones", config: del, disk: generating, image: true, want: map[string]string{
			"etc/ssh/ssh_host_rsa_key": "(none)", "etc/ssh/ssh_host_rsa_key.pub": "(none)",
			"etc/ssh/ssh_host_ed25519_key": "(none)", "etc/ssh/ssh_host_ed25519_key.pub": "(none)"}},
		{name: "those that are given stay", config: own, disk: generating, image: true, want: map[string]string{
			"etc/ssh/ssh_host_rsa_key": "(none)", "etc/ssh/ssh_host_rsa_key.pub": "(none)",
			"etc/ssh/ssh_host_ed25519_key": private, "etc/ssh/ssh_host_ed25519_key.pub": public + "\n"}},
		{name: "nobody makes new ones", config: del, disk: image, image: true, findings: []string{"warning host-keys-kept"}},
		{name: "a system that runs", config: del, disk: generating, findings: []string{"warning host-keys-kept"}},
		{name: "there are none", config: del, image: true},
		{name: "not wanted", config: schema.System{SSH: schema.SSHServer{DeleteKeys: val(false)}}, disk: generating, image: true},
	})
}

func TestRootIsKeptOut(t *testing.T) {
	a, b := publicKey("A", "a@x"), publicKey("B", "b@x")
	const file = "root/.ssh/authorized_keys"
	const options = `restrict,command="echo 'Log in as core, not as root.'; sleep 10; exit 1" `
	for _, tt := range []struct {
		name   string
		ssh    schema.SSHServer
		have   string
		want   string
		action []string
	}{
		{"not asked for", schema.SSHServer{}, "", begin + a + "\n" + end, []string{"added"}},
		{"our options, in place of the key's", schema.SSHServer{DisableRoot: val(true)}, "", begin + options + a + "\n" + end, []string{"added"}},
		{"the user's", schema.SSHServer{DisableRoot: val(true), DisableRootOptions: val(`no-pty,command="echo $USER not $DISABLE_USER"`)}, "",
			begin + `no-pty,command="echo core not root" ` + a + "\n" + end, []string{"added"}},
		{"no way around it", schema.SSHServer{DisableRoot: val(true)}, a + "\n" + b + "\n", b + "\n" + begin + options + a + "\n" + end, []string{"changed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := schema.User{Name: val("root"), SSHAuthorizedKeys: []schema.Value[string]{val("no-pty " + a)}}
			if tt.name == "not asked for" {
				u.SSHAuthorizedKeys[0].V = a
			}
			d := newDisk(map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "etc/shadow": "root:*:1::::::\n", "etc/group": "root:x:0:\n", "root/": ""})
			if tt.have != "" {
				d.put(file, node{kind: fsroot.Regular, data: tt.have, attr: fsroot.Attr{Mode: 0o600}})
			}
			p := d.applied(t, plan.Input{DefaultUser: "core", Config: &schema.Config{Users: []schema.User{u}, System: schema.System{SSH: tt.ssh}}})
			if got := d.content(file); got != tt.want {
				t.Errorf("the keys are\n%s\nwant\n%s", got, tt.want)
			}
			var actions []string
			for _, c := range p.Changes {
				for _, r := range c.Records {
					actions = append(actions, r.Action)
				}
			}
			if !slices.Equal(actions, tt.action) {
				t.Errorf("records %q, want %q", actions, tt.action)
			}
		})
	}
}

// TestSSHDReadsOurSettings has sshd itself say what our edits of its configuration mean to it.
func TestSSHDReadsOurSettings(t *testing.T) {
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		missing(t, "sshd, Debian's package openssh-server")
	}
	if _, err := os.Stat("/run/sshd"); err != nil {
		missing(t, "/run/sshd, without which sshd reads nothing")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	for name, config := range map[string]string{
		"in place": "Port 22\nPasswordAuthentication yes\nMatch User git\n\tPasswordAuthentication yes\n",
		"added":    "Port 22\nMatch User git\n\tPasswordAuthentication yes\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(map[string]string{mainConfig: config})
			d.applied(t, plan.Input{Config: &schema.Config{System: schema.System{SSH: schema.SSHServer{PasswordAuthentication: val(false)}}}})
			dir := t.TempDir()
			key, file := filepath.Join(dir, "key"), filepath.Join(dir, "sshd_config")
			if err := os.WriteFile(key, private, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("HostKey "+key+"\n"+d.content(mainConfig)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(sshd, "-T", "-f", file, "-C", "user=core,host=h,addr=10.0.0.1").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "passwordauthentication no\n") {
				t.Errorf("sshd takes it otherwise: %v\n%s", err, out)
			}
		})
	}
}
