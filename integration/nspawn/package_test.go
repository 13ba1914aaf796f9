//go:build integration && linux

package nspawn_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// packages makes the .deb and the .rpm of this machine's architecture, and returns where they are.
func packages(t *testing.T) (deb, rpm string) {
	t.Helper()
	if os.Getenv(inVM) != "" {
		t.Skip("the virtual machine has no Go")
	}
	out := t.TempDir()
	if _, err := run("make", "-C", filepath.Join("..", ".."), "packages", "OUT="+out, "ARCHES="+runtime.GOARCH, "VERSION=v1.2.3"); err != nil {
		t.Fatal(err)
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return filepath.Join(out, "provisioner_1.2.3-1_"+runtime.GOARCH+".deb"), filepath.Join(out, "provisioner-1.2.3-1."+arch+".rpm")
}

// seeded writes a NoCloud seed, and what of the image its user-data is for.
func (m *machine) seeded(t *testing.T, key sshKey) {
	t.Helper()
	m.write(t, "var/lib/cloud/seed/nocloud/meta-data", 0o644, "instance-id: i-1\nlocal-hostname: fromseed\n")
	m.write(t, "var/lib/cloud/seed/nocloud/user-data", 0o644, user(key))
	m.write(t, "etc/systemd/system/etcd2.service", 0o644, etcd)
	m.write(t, "etc/systemd/system/witness.service", 0o644, witness)
	if _, err := run("systemctl", "--root="+m.root, "enable", "witness.service"); err != nil {
		t.Fatal(err)
	}
}

// TestDebianPackage: a fresh Debian with the package and nothing else provisions itself from a NoCloud seed. What is known of
// the machine stays when the package goes, until it is purged.
func TestDebianPackage(t *testing.T) {
	m := newMachine(t)
	key := newSSHKey(t, "user-data")
	deb, _ := packages(t)
	pkg, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "root/provisioner.deb", 0o644, string(pkg))
	if out, err := run("chroot", m.root, "dpkg", "-i", "/root/provisioner.deb"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.seeded(t, key)
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	m.wantConfigured(t, key)
	m.want(t, "enabled", "systemctl is-enabled provisioner.target")
	m.want(t, "", "dpkg --verify provisioner")
	m.want(t, "there", "test -s /usr/share/man/man8/provisioner.8.gz && test -s /usr/share/doc/provisioner/copyright && echo there")
	m.wantSame(t, func() { m.wantConfigured(t, key) })

	m.want(t, "kept", "dpkg -r provisioner >/dev/null 2>&1; test -d /var/lib/provisioner/instance/ && test ! -e /usr/bin/provisioner && echo kept")
	m.want(t, "gone", "dpkg -P provisioner >/dev/null 2>&1; test ! -e /var/lib/provisioner && test ! -L /etc/systemd/system/provisioner.target && echo gone")
}

// TestRPM: the other package does the same. What it needs of systemd is not asked for, since no rpm has put it there.
func TestRPM(t *testing.T) {
	m := newMachine(t)
	key := newSSHKey(t, "user-data")
	_, rpm := packages(t)
	if out, err := run("rpm", "--root="+m.root, "--nodeps", "-i", rpm); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const enabled = "etc/systemd/system/multi-user.target.wants/provisioner.target"
	if _, err := os.Lstat(filepath.Join(m.root, enabled)); err != nil { // a first boot would do so too
		t.Errorf("the package does not enable it: %v", err)
	}
	m.seeded(t, key)
	m.boot(t)
	m.wantStatus(t, "done", "nocloud")
	m.wantConfigured(t, key)
	m.want(t, "enabled", "systemctl is-enabled provisioner.target")
	m.want(t, "there", "test -s /usr/share/man/man8/provisioner.8.gz && test -s /usr/share/doc/provisioner/copyright && echo there")
	m.halt(t)
	if out, err := run("rpm", "--root="+m.root, "--nodeps", "-V", "provisioner"); err != nil {
		t.Errorf("the package's files are others: %v\n%s", err, out)
	}
	if out, err := run("rpm", "--root="+m.root, "-e", "provisioner"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, gone := range []string{"usr/bin/provisioner", "usr/lib/systemd/system/provisioner.service", enabled} {
		if _, err := os.Lstat(filepath.Join(m.root, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is left, or %v", gone, err)
		}
	}
	if _, err := os.Stat(filepath.Join(m.root, "var/lib/provisioner/instance")); err != nil {
		t.Errorf("what is known of the machine is lost: %v", err)
	}
}

// TestAsCloudInit: what waits for cloud-init is told that the boot has ended, once it has; later boots write nothing for that.
func TestAsCloudInit(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\ncloud-init-compat: yes\n")
	key := newSSHKey(t, "user-data")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o644, user(key))
	if _, err := run("make", "-C", filepath.Join("..", ".."), "install-compat", "DESTDIR="+m.root); err != nil {
		t.Fatal(err)
	}
	// It looks as scripts of images do, and what it sees must be of this boot.
	m.write(t, "etc/systemd/system/waits.service", 0o644, `[Unit]
Before=provisioner-local.service
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'while [ ! -e /var/lib/cloud/instance/boot-finished ]; do sleep 0.1; done; provisioner status --format json | grep -o done > /run/waited'
[Install]
WantedBy=sysinit.target
`)
	if _, err := run("systemctl", "--root="+m.root, "enable", "waits.service"); err != nil {
		t.Fatal(err)
	}
	m.boot(t)
	told := func() {
		m.want(t, "status: done", "cloud-init status --wait")
		m.want(t, "status: done", "runuser -u nobody -- cloud-init status --wait")
		m.want(t, "done", "cloud-init status --format json | grep '\"status\"' | cut -d'\"' -f4")
		m.want(t, "done", "for i in $(seq 50); do test -e /run/waited && break; sleep 0.1; done; head -n 1 /run/waited")
		m.want(t, "there", "test -s /run/cloud-init/result.json && test -s /run/cloud-init/status.json && echo there")
	}
	told()
	m.wantSame(t, told)
}
