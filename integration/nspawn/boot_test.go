//go:build integration && linux

package nspawn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// etcd stands in for an agent of the image: like CoreOS' own it is not enabled, and its settings come from a
// drop-in. It keeps the environment it was started with.
const etcd = `[Unit]
Description=Stand-in for etcd
[Service]
ExecStart=/bin/sh -c 'env | grep ^ETCD_ > /run/etcd-started-with; exec sleep infinity'
`

// witness is a service of the image that looks, as early as any service may, whether the agent's settings are
// there.
const witness = `[Unit]
Description=Looks for the settings of the agent
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ls /run/systemd/system/etcd2.service.d/20-cloudinit.conf /run/volatile > /run/witness 2>&1 || :'
[Install]
WantedBy=multi-user.target
`

// newImage is a machine with the program installed as its Makefile says, enabled as an image would enable it,
// and set up by settings.
func newImage(t *testing.T, settings string) *machine {
	t.Helper()
	m := newMachine(t)
	installProgram(t, m.root)
	m.write(t, "etc/provisioner/provisioner.yaml", 0o644, settings)
	m.write(t, "etc/systemd/system/etcd2.service", 0o644, etcd)
	m.write(t, "etc/systemd/system/witness.service", 0o644, witness)
	if _, err := run("systemctl", "--root="+m.root, "enable", "provisioner.target", "witness.service"); err != nil {
		t.Fatal(err)
	}
	return m
}

// installProgram installs the program below a root.
func installProgram(t *testing.T, root string) {
	t.Helper()
	if os.Getenv(inVM) != "" {
		return // the pristine root has it
	}
	// -o build: install what is there.
	if _, err := run("make", "-C", filepath.Join("..", ".."), "-o", "build", "install-system", "DESTDIR="+root); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr", "bin", "provisioner"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
}

// user is the user-data of a boot that works. hello.service is ordered where a provisioner that waits for its
// jobs would wait for ever.
func user(key sshKey) string {
	return fmt.Sprintf(`#cloud-config
hostname: fromuser
ssh_authorized_keys:
  - %[1]s
users:
  - name: elroy
    groups: [sudo]
    ssh_authorized_keys:
      - %[1]s
write_files:
  - path: /opt/greeting
    owner: elroy:sudo
    permissions: "0640"
    content: hello
  - path: /run/volatile
    permissions: "0600"
    content: here until the power goes
coreos:
  etcd2:
    name: node1
    data-dir: /var/lib/etcd2
  units:
    - name: etcd2.service
      command: start
    - name: hello.service
      command: start
      enable: true
      content: |
        [Unit]
        Description=Says hello
        After=multi-user.target
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/sh -c 'echo hello > /run/hello'
        [Install]
        WantedBy=multi-user.target
`, key.public)
}

func TestFromFile(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
	key := newSSHKey(t, "user-data")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o644, user(key))
	m.boot(t)
	m.wantStatus(t, "done", "file")
	m.wantConfigured(t, key)
	m.wantSame(t, func() { m.wantConfigured(t, key) })
}

func TestFromMetadata(t *testing.T) {
	m := newImage(t, "datasources: [ec2]\n")
	fromUser, fromPlatform := newSSHKey(t, "user-data"), newSSHKey(t, "metadata")
	m.serveMetadata(t, user(fromUser), fromPlatform)
	m.boot(t)
	m.wantStatus(t, "done", "ec2")
	both := func() {
		m.wantConfigured(t, fromUser)
		m.wantLogin(t, fromPlatform, "core")
	}
	both()
	m.wantSame(t, both)
}

// A configuration that is refused locks nobody out, and changes nothing else.
func TestRefused(t *testing.T) {
	m := newImage(t, "datasources: [ec2]\n")
	fromUser, fromPlatform := newSSHKey(t, "user-data"), newSSHKey(t, "metadata")
	bad := strings.Replace(user(fromUser), "permissions:", "permisions:", 1) // in line 13
	m.serveMetadata(t, bad, fromPlatform)
	m.boot(t)

	m.wantLogin(t, fromPlatform, "core")
	m.want(t, "fromplatform", "hostname")
	m.want(t, "failed", "systemctl is-failed provisioner.service")
	m.want(t, "inactive", "systemctl is-active etcd2.service || :")
	m.want(t, "absent", "test -e /opt/greeting || getent passwd elroy || echo absent")
	m.want(t, "active", "systemctl is-active provisioner-failure.target")
	m.want(t, "1", "provisioner status >/dev/null; echo $?")
	s := m.wantStatus(t, "refused", "ec2")
	if len(s.Diagnostics) == 0 {
		t.Fatal("status has no diagnostics")
	}
	d := s.Diagnostics[0]
	if at := fmt.Sprintf("%s:%d:%d", d.At.File, d.At.Start.Line, d.At.Start.Column); at != "user-data:13:5" || d.Rule != "unknown-key" {
		t.Errorf("status says %s [%s], want user-data:13:5 [unknown-key]", at, d.Rule)
	}
	if _, err := m.ssh(t, fromUser, "core", "true"); err == nil {
		t.Error("a key of the refused configuration opens the door")
	}
}

// A script is run once per instance, and its exit status is seen.
func TestScript(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/user-script]\n")
	m.write(t, "usr/share/oem/user-script", 0o644, "#!/bin/sh -e\necho \"ran in $(hostname)\" | tee -a /var/script-ran\nexit 9\n")
	m.boot(t)
	s := m.wantStatus(t, "degraded", "file")
	if errs := strings.Join(s.Errors, "\n"); !strings.Contains(errs, "status 9") {
		t.Errorf("errors %q do not say how the script ended", errs)
	}
	m.want(t, "4", "provisioner status >/dev/null; echo $?")
	m.want(t, "failed", "systemctl is-failed provisioner-handoff.service")
	m.want(t, "active", "systemctl is-active provisioner.target")
	m.want(t, "active", "systemctl is-active provisioner-failure.target")
	m.want(t, "ran in unnamed", "cat /var/script-ran")
	m.want(t, "ran in unnamed", "journalctl -b -o cat -u 'provisioner-script-*' _TRANSPORT=stdout")
	m.reboot(t)
	m.wantStatus(t, "done", "file")
	m.want(t, "ran in unnamed", "cat /var/script-ran")
}

// A metadata service that comes late delays what it is needed for, and not the login on the console.
func TestLateMetadata(t *testing.T) {
	m := newImage(t, "datasources: [ec2]\n")
	key := newSSHKey(t, "metadata")
	m.serveMetadata(t, user(key), key, "-unavailable", "12s")
	m.boot(t)
	m.wantStatus(t, "done", "ec2")
	m.wantConfigured(t, key)
	m.want(t, "yes", `
		start() { systemctl show -P ActiveEnterTimestampMonotonic "$1"; }
		test $(start systemd-user-sessions.service) -lt $(start provisioner.service) && echo yes`)
}

// serveMetadata serves an instance until the test ends.
func (m *machine) serveMetadata(t *testing.T, userData string, key sshKey, more ...string) {
	t.Helper()
	dir := t.TempDir()
	server := filepath.Join(dir, "metadata")
	if _, err := run("go", "build", "-o", server, "cloudconfig/integration/metadata"); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"user-data": userData, "keys": key.public + "\n"}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{server, "-listen", metadata + ":80", "-user-data", filepath.Join(dir, "user-data"),
		"-keys", filepath.Join(dir, "keys"), "-hostname", "fromplatform"}
	m.serve(t, "serving instance", append(args, more...)...)
}

// status is what the tests read of provisioner status --format json.
type status struct {
	State, Datasource string
	Diagnostics       []struct {
		Rule string
		At   struct {
			File  string
			Start struct{ Line, Column int }
		}
	}
	Errors []string
}

// wantStatus waits until the run is over and checks how it ended.
func (m *machine) wantStatus(t *testing.T, state, datasource string) status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	text, _ := m.sh(ctx, "provisioner status --wait --format json") // its exit status says the state again
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("status: %v\n%s", err, text)
	}
	if s.State != state || s.Datasource != datasource {
		t.Fatalf("status is %q from %q, want %q from %q; errors: %q, diagnostics: %+v", s.State, s.Datasource, state, datasource, s.Errors, s.Diagnostics)
	}
	return s
}

// want checks what a command prints in the machine.
func (m *machine) want(t *testing.T, want, command string) {
	t.Helper()
	got, err := m.sh(t.Context(), command)
	if got != want {
		t.Errorf("%s\n got  %q (%v)\n want %q", strings.TrimSpace(command), got, err, want)
	}
}

// wantLogin logs in from outside.
func (m *machine) wantLogin(t *testing.T, key sshKey, user string) {
	t.Helper()
	if got, err := m.ssh(t, key, user, "id", "-un"); err != nil || got != user {
		t.Errorf("login of %s: %q, %v", user, got, err)
	}
}

// wantConfigured checks that everything is as the user-data says.
func (m *machine) wantConfigured(t *testing.T, key sshKey) {
	t.Helper()
	m.wantLogin(t, key, "core")
	m.wantLogin(t, key, "elroy")
	m.want(t, "fromuser", "hostname")
	m.want(t, "fromuser", "cat /etc/hostname")
	m.want(t, "640 elroy sudo", "stat -c '%a %U %G' /opt/greeting")
	m.want(t, "hello", "cat /opt/greeting")
	m.want(t, "600 root root", "stat -c '%a %U %G' /run/volatile")
	m.want(t, "755 elroy elroy\n700 elroy elroy\n600 elroy elroy",
		"stat -c '%a %U %G' /home/elroy /home/elroy/.ssh /home/elroy/.ssh/authorized_keys")
	m.want(t, "elroy sudo", "id -Gn elroy")
	// A hand-off that waited for its jobs would never get to this unit.
	m.want(t, "active", "systemctl is-active hello.service")
	m.want(t, "active", "systemctl is-active etcd2.service")
	m.want(t, "ETCD_DATA_DIR=/var/lib/etcd2\nETCD_NAME=node1", "systemctl show -P Environment etcd2.service | tr ' ' '\\n' | sort")
	m.want(t, "ETCD_DATA_DIR=/var/lib/etcd2\nETCD_NAME=node1", "sort /run/etcd-started-with")
	m.want(t, "active", "systemctl is-active provisioner.target")
	m.want(t, "active", "systemctl is-active provisioner-success.target")
	m.want(t, "600", "stat -c %a /run/provisioner/result.json")
	m.want(t, "644\n644", "stat -c %a /run/provisioner/status.json /run/provisioner/instance.json")
	m.want(t, "", "pwck -rq; grpck -r")
	m.want(t, "", "systemctl --failed --no-legend --plain")
}

// wantSame reboots and checks that everything is as before, and that nothing persistent was written.
func (m *machine) wantSame(t *testing.T, check func()) {
	t.Helper()
	before := m.snapshot(t)
	m.reboot(t)
	m.wantStatus(t, "done", m.datasource(t))
	if diff := m.changed(t, before); diff != "" {
		t.Errorf("the second boot wrote:\n%s", diff)
	}
	m.want(t, "/run/systemd/system/etcd2.service.d/20-cloudinit.conf\n/run/volatile", "cat /run/witness")
	check()
}

func (m *machine) datasource(t *testing.T) string {
	t.Helper()
	text, err := m.sh(t.Context(), "provisioner status --format json")
	var s status
	if json.Unmarshal([]byte(text), &s) != nil {
		t.Fatalf("status: %v\n%s", err, text)
	}
	return s.Datasource
}

// What is secret in a configuration is in nothing that a boot prints, logs or leaves for others to read, whether the
// configuration is applied or refused.
func TestSecrets(t *testing.T) {
	const canary = "cAnArY"
	const hash = "$6$cAnArYsAlT$jfTLmATMLm2jDA3ByHyFJeVai3E8Gbt9AA7EuFAupFJWg8unspwt5kkHp4zW8Susuta6Rd6iSk0sucz5sJm/j0"
	const good = `#cloud-config
users:
  - name: elroy
    passwd: ` + hash + `
write_files:
  - path: /etc/token
    permissions: "0600"
    content: ghp_cAnArYtOkEn0123456789
  - path: /etc/key.pem
    content: |
      -----BEGIN PRIVATE KEY-----
      cAnArYkEy
      -----END PRIVATE KEY-----
coreos:
  fleet:
    etcd_password: cAnArYpAsSwOrD
`
	bad := strings.NewReplacer("passwd:", "paswd:", "content: ghp", "contnt: ghp", "etcd_password: ", "etcd_pasword: ").Replace(good)
	for name, tt := range map[string]struct{ userData, state string }{
		"applied":         {good, "done"},
		"misspelt":        {bad, "refused"},
		"no document":     {strings.Replace(good, "passwd: ", "passwd: [", 1), "refused"},
		"of another type": {strings.Replace(good, "content: ghp_cAnArYtOkEn0123456789", "owner: {token: ghp_cAnArYtOkEn0123456789}", 1), "refused"},
		"commands of them": {"#cloud-config\nbootcmd: [token=cAnArY]\nruncmd: [[sh, -c, exit 3, cAnArY], date cAnArY]\n" +
			"power_state: {mode: reboot, condition: test x = cAnArY}\n", "degraded"},
		"a script of them": {"#!/bin/sh\ntoken=" + canary + "\nexit 3\n", "degraded"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\n")
			m.write(t, "usr/share/oem/cloud-config.yml", 0o600, tt.userData)
			m.boot(t)
			m.wantStatus(t, tt.state, "file")
			// The pattern is spelt so that no command line holds what is looked for.
			for _, where := range []string{
				"journalctl -b -o export --all | grep -a 'cAn[A]rY'",
				"provisioner status; provisioner status --format json; provisioner status --explain",
				"provisioner logs --output - | grep -a cAn[A]rY",
				"provisioner plan 2>&1; provisioner plan --format json 2>&1",
				"su -s /bin/sh nobody -c \"grep -rsaI 'cAn[A]rY' /etc /home /opt /run /srv /tmp /usr/share /var\"",
			} {
				out, _ := m.sh(t.Context(), where+" || :")
				if strings.Contains(out, canary) {
					t.Errorf("%s says: %s", where, out)
				}
			}
			console, err := os.ReadFile(filepath.Join(m.dir, "console"))
			if err != nil || len(console) == 0 {
				t.Fatalf("no console: %v", err)
			}
			if strings.Contains(string(console), canary) {
				t.Errorf("the console says: %s", console)
			}
		})
	}
}
