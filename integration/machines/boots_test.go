//go:build integration && linux

package machines_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudconfig/datasources/metadatatest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if images.folder != "" {
		os.RemoveAll(images.folder)
	}
	os.Exit(status)
}

// userData is a configuration whose every part can be seen from outside.
func userData(key sshKey) string {
	return fmt.Sprintf(`#cloud-config
hostname: fromuser
users:
  - name: elroy
    groups: [sudo, systemd-journal]
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - %s
write_files:
  - path: /opt/greeting
    owner: elroy:elroy
    permissions: "0640"
    content: hello
coreos:
  units:
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

// status is what the tests read of provisioner status --format json.
type status struct {
	State, Datasource string
	Errors            []string
}

// wantConfigured logs in, and checks that everything is as [userData] says.
func (m *machine) wantConfigured(t *testing.T, key sshKey, datasource string) {
	t.Helper()
	m.login(t, key, "elroy")
	m.wantStatus(t, key, "done", datasource)
	for command, want := range map[string]string{
		"hostname":          "fromuser",
		"cat /opt/greeting": "hello",
		"cat /run/hello":    "hello",
		"id -Gn":            "elroy sudo systemd-journal",
		"sudo -n id -un":    "root",
		failedUnits:         "",
	} {
		m.want(t, key, want, command)
	}
	m.logTimes(t, key)
}

// failedUnits prints the units that failed. The floor may be out of time: its 30 seconds are meant for a processor that is one.
const failedUnits = "systemctl --failed --no-legend --plain | grep -v ^provisioner-floor.service || :"

// wantStatus waits until the run is over and checks how it ended.
func (m *machine) wantStatus(t *testing.T, key sshKey, state, datasource string) {
	t.Helper()
	text, err := m.ssh(t.Context(), key, "elroy", "provisioner status --wait --format json")
	var s status
	if e := json.Unmarshal([]byte(text), &s); e != nil {
		t.Fatalf("status: %v, %v\n%s", err, e, text)
	}
	if s.State != state || s.Datasource != datasource {
		t.Errorf("status is %q from %q, want %q from %q; errors: %q", s.State, s.Datasource, state, datasource, s.Errors)
	}
}

// want checks what a command prints in the machine.
func (m *machine) want(t *testing.T, key sshKey, want, command string) {
	t.Helper()
	if got, err := m.ssh(t.Context(), key, "elroy", command); got != want {
		t.Errorf("%s\n got  %q (%v)\n want %q", command, got, err, want)
	}
}

// logTimes logs the machine's own view of its boot.
func (m *machine) logTimes(t *testing.T, key sshKey) {
	t.Helper()
	out, err := m.ssh(t.Context(), key, "elroy", `systemd-analyze time | head -n 1
for u in provisioner-local provisioner-floor provisioner provisioner-handoff ssh; do
  echo "$u.service: began $(systemctl show -P InactiveExitTimestampMonotonic $u) us, active $(systemctl show -P ActiveEnterTimestampMonotonic $u) us after the kernel"
done
uname -r; systemctl --version | head -n 1; sed -n s/^MemAvailable/MemAvailable/p /proc/meminfo`)
	t.Logf("guest: %s %v", out, err)
}

const networkData = `{
  "links": [{"id": "eth0", "type": "phy", "ethernet_mac_address": %q}],
  "networks": [{"id": "n0", "link": "eth0", "type": "ipv4", "ip_address": %q, "netmask": "255.255.255.0",
    "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.77.0.1"}]}],
  "services": []
}`

// TestConfigDrive has a configuration drive of OpenStack's, and no network but the one described on it.
func TestConfigDrive(t *testing.T) {
	need(t)
	w, key, platform := newWorld(t), newSSHKey(t, "user-data"), newSSHKey(t, "platform")
	card := w.plug(t)
	meta, err := json.Marshal(map[string]any{"uuid": "8a3f0a52-6ac1-4a4c-9f0e-0d1e6cbb6f11", "hostname": "fromplatform", "name": "fromplatform",
		"public_keys": map[string]string{"admin": platform.public}})
	if err != nil {
		t.Fatal(err)
	}
	drive := iso(t, "config-2", map[string]string{
		"openstack/latest/meta_data.json":    string(meta),
		"openstack/latest/user_data":         userData(key),
		"openstack/latest/network_data.json": fmt.Sprintf(networkData, card.mac, card.address),
	})
	m := w.powerOn(t, card, hardware{disk: overlay(t, installed(t)), drives: []string{drive}})
	m.wantConfigured(t, key, "configdrive")
	m.login(t, platform, "core")
}

// TestNoCloud has a disk of cloud-init's form.
func TestNoCloud(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	w.dhcp(t)
	drive := iso(t, "cidata", noCloud("i-nocloud", userData(key)))
	m := w.powerOn(t, w.plug(t), hardware{disk: overlay(t, installed(t)), drives: []string{drive}})
	m.wantConfigured(t, key, "nocloud")
}

// TestDebianPackage has a Debian with the package and nothing else, and a disk of cloud-init's form.
func TestDebianPackage(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	w.dhcp(t)
	out := scratch(t)
	mustRun(t, "make", "-C", filepath.Join("..", ".."), "packages", "OUT="+out, "ARCHES="+runtime.GOARCH, "VERSION=v1.2.3")
	disk := filepath.Join(out, "disk")
	withRoot(t, pristine(t), func(r root) {
		r.copy(t, "root/provisioner.deb", 0o644, filepath.Join(out, "provisioner_1.2.3-1_"+runtime.GOARCH+".deb"))
		mustRun(t, "chroot", string(r), "dpkg", "-i", "/root/provisioner.deb")
		r.disk(t, disk)
	})
	drive := iso(t, "cidata", noCloud("i-package", userData(key)))
	m := w.powerOn(t, w.plug(t), hardware{disk: disk, drives: []string{drive}})
	m.wantConfigured(t, key, "nocloud")
	m.want(t, key, "provisioner v1.2.3", "provisioner --version")
}

// noCloud are the files of a disk for nocloud, with DHCP on every card.
func noCloud(id, userData string) map[string]string {
	return map[string]string{"user-data": userData, "meta-data": "instance-id: " + id + "\nlocal-hostname: fromplatform\n",
		"network-config": "version: 2\nethernets:\n  all:\n    match: {name: \"e*\"}\n    dhcp4: true\n"}
}

// TestEC2 has the firmware say that this is Amazon EC2, and nothing else that says where a configuration is.
func TestEC2(t *testing.T) {
	need(t)
	w, key, platform := newWorld(t), newSSHKey(t, "user-data"), newSSHKey(t, "platform")
	w.dhcp(t)
	card := w.plug(t)
	i := metadatatest.Example()
	i.Hostname, i.MAC, i.LocalIPv4, i.PublicIPv4, i.IPv6 = "fromplatform", card.mac, card.address, "", ""
	i.UserData, i.Keys = []byte(userData(key)), []metadatatest.Key{{Name: "admin", OpenSSH: platform.public}}
	service := metadatatest.EC2(i)
	w.serve(t, linkLocal+":80", service)
	m := w.powerOn(t, card, hardware{disk: overlay(t, installed(t)), uuid: "ec2e1916-9099-7caf-fd21-012345abcdef",
		smbios: []string{"type=0,vendor=Amazon EC2,version=1.0", "type=1,manufacturer=Amazon EC2,product=t3.micro,serial=ec2e1916-9099-7caf-fd21-012345abcdef"}})
	m.login(t, platform, "core")
	m.wantConfigured(t, key, "ec2")
	t.Logf("asked of the metadata service: %q", service.Requests())
}

// TestGCE is the same with Google Compute Engine.
func TestGCE(t *testing.T) {
	need(t)
	w, key, platform := newWorld(t), newSSHKey(t, "user-data"), newSSHKey(t, "platform")
	w.dhcp(t, "--address=/metadata.google.internal/"+linkLocal)
	card := w.plug(t)
	i := metadatatest.ExampleGCE()
	i.Hostname, i.Name, i.MAC, i.IP, i.ExternalIP, i.IPv6s = "fromplatform.c.example-1.internal", "fromplatform", card.mac, card.address, "", nil
	i.Attributes = map[string]string{"ssh-keys": "admin:" + platform.public + "\n", "user-data": userData(key)}
	service := metadatatest.GCE(i)
	w.serve(t, linkLocal+":80", service)
	m := w.powerOn(t, card, hardware{disk: overlay(t, installed(t)),
		smbios: []string{"type=0,vendor=Google,version=Google", "type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-0123456789ABCDEF0123456789ABCDEF"}})
	m.login(t, platform, "core")
	m.wantConfigured(t, key, "gce")
	t.Logf("asked of the metadata server: %q", service.Requests())
}

// TestUUID boots two machines from the same disk and by the same URL, whose variables and whose instances differ by what
// the firmware says.
func TestUUID(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	w.dhcp(t)
	document := userData(key)
	site := newSite(document)
	w.serve(t, serverAddress+":80", site)
	instances := map[string]string{}
	for _, uuid := range []string{"11111111-2222-4333-8444-555555555501", "11111111-2222-4333-8444-555555555502"} {
		t.Run(uuid, func(t *testing.T) {
			card := w.plug(t)
			m := w.powerOn(t, card, hardware{disk: overlay(t, installed(t)), uuid: uuid,
				arguments: fmt.Sprintf("cloud-config-url=http://%s/cloud?uuid=${uuid}&mac=${mac:hexhyp} cloud-config-digest=sha256-%x", serverAddress, sha256.Sum256([]byte(document)))})
			m.wantConfigured(t, key, "cmdline")
			if want := "/cloud?uuid=" + uuid + "&mac=" + strings.ReplaceAll(card.mac, ":", "-"); !slices.Contains(site.requests(), want) {
				t.Errorf("asked for %q, not for %s", site.requests(), want)
			}
			name, err := m.ssh(t.Context(), key, "elroy", "sudo ls /var/lib/provisioner/instances")
			if err != nil || name == "" || instances[name] != "" {
				t.Errorf("its instance is %q (%v), which %q has too", name, err, instances[name])
			}
			instances[name] = uuid
		})
	}
}

// site is a web server that has one document, whatever is asked for, and remembers what was.
type site struct {
	document string
	mu       sync.Mutex
	asked    []string
}

func newSite(document string) *site { return &site{document: document} }

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.remember(r)
	w.Header().Set("Content-Type", "text/cloud-config")
	_, _ = io.WriteString(w, s.document)
}

func (s *site) remember(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}
