//go:build integration && linux

package nspawn_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// standin is an agent of the image: it writes down the environment that it starts with, and those of its needs that
// are not ready yet, and is ready itself a moment later.
const standin = `#!/bin/sh
name=$1 needs=$2 line=$1
shift 2
for v; do eval "line=\"\$line $v=\$$v\""; done
for n in $needs; do [ -e /run/standin/$n ] || line="$line before=$n"; done
mkdir -p /var/standin /run/standin /run/flannel
echo "$line" >> /var/standin/$name
sleep 0.2
[ $name != flanneld ] || echo FLANNEL_SUBNET=10.1.1.1/24 > /run/flannel/subnet.env
: > /run/standin/$name
systemd-notify --ready
exec sleep infinity
`

// standins are the units of the agents. None of them says what it starts after; docker is enabled in the image, and its
// start is held back.
var standins = map[string]string{
	"etcd2":    "ExecStart=/usr/bin/standin etcd2 '' ETCD_NAME ETCD_DATA_DIR",
	"flanneld": "EnvironmentFile=-/run/flannel/options.env\nExecStart=/usr/bin/standin flanneld etcd2 FLANNELD_ETCD_ENDPOINTS FLANNELD_IFACE",
	"docker":   "EnvironmentFile=-/run/flannel/subnet.env\nExecStart=/usr/bin/standin docker 'etcd2 flanneld' DOCKER_OPTS FLANNEL_SUBNET\n[Install]\nWantedBy=multi-user.target",
}

// startedWith is what each of them must write down, at every start.
var startedWith = map[string]string{
	"etcd2":    "etcd2 ETCD_NAME=node1 ETCD_DATA_DIR=/var/lib/etcd2",
	"flanneld": "flanneld FLANNELD_ETCD_ENDPOINTS=http://127.0.0.1:2379 FLANNELD_IFACE=host0",
	"docker":   "docker DOCKER_OPTS=--debug FLANNEL_SUBNET=10.1.1.1/24",
}

// parts are files that one configuration makes in many directories: all of them or none.
var parts = []string{
	"etc/app/one.conf", "etc/app/two.conf", "opt/greeting", "opt/deep/er/file", "home/elroy/.config/app", "etc/systemd/system/hello.service",
	"etc/systemd/system/multi-user.target.wants/hello.service", "etc/systemd/system/docker.service.d/10-opts.conf", "opt/large",
}

// node is the user-data of a machine with everything.
func node(key sshKey) string {
	return fmt.Sprintf(`#cloud-config
hostname: node1
ssh_authorized_keys:
  - %[1]s
users:
  - name: elroy
    groups: [sudo]
    ssh_authorized_keys:
      - %[1]s
write_files:
  - {path: /etc/app/one.conf, content: "1"}
  - {path: /etc/app/two.conf, content: "2", permissions: "0600"}
  - {path: /opt/greeting, content: hello, owner: "elroy:sudo", permissions: "0640"}
  - {path: /opt/deep/er/file, content: deep}
  - {path: /home/elroy/.config/app, content: mine, owner: "elroy:elroy"}
  - {path: /opt/large, content: %[2]q}
  - {path: /run/volatile, content: until the power goes}
coreos:
  etcd2:
    name: node1
    data-dir: /var/lib/etcd2
  flannel:
    etcd_endpoints: http://127.0.0.1:2379
    interface: host0
  units:
    - name: docker.service
      drop-ins:
        - name: 10-opts.conf
          content: |
            [Service]
            Environment=DOCKER_OPTS=--debug
    - name: flanneld.service
      command: start
    - name: etcd2.service
      command: start
    - name: hello.service
      command: start
      enable: true
      content: |
        [Unit]
        After=multi-user.target
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/true
        [Install]
        WantedBy=multi-user.target
`, key.public, strings.Repeat("0123456789abcdef", 1<<14))
}

// origins are where the machines have it from: a seed, with a network of its own, and a metadata service.
var origins = []string{"nocloud", "ec2"}

// originOf is that of machine number n: every fourth is of the metadata service.
func originOf(n int) string { return origins[(n%4)/3] }

// newNode is a machine of that kind which has never been on.
func newNode(t *testing.T, origin string, key sshKey) *machine {
	t.Helper()
	m := newMachine(t)
	installProgram(t, m.root)
	m.write(t, "usr/bin/standin", 0o755, standin)
	for name, text := range standins {
		m.write(t, "usr/lib/systemd/system/"+name+".service", 0o644, "[Unit]\nDescription=Stand-in\n[Service]\nType=notify\nNotifyAccess=all\n"+text+"\n")
	}
	if _, err := run("systemctl", "--root="+m.root, "enable", "provisioner.target", "docker.service"); err != nil {
		t.Fatal(err)
	}
	switch origin {
	case "nocloud":
		if err := os.Remove(filepath.Join(m.root, "etc/systemd/network/10-host0.network")); err != nil {
			t.Fatal(err)
		}
		m.write(t, "etc/provisioner/provisioner.yaml", 0o644, "datasources: [nocloud=/var/seed]\n")
		m.write(t, "var/seed/meta-data", 0o644, "instance-id: i-node\n")
		m.write(t, "var/seed/user-data", 0o644, node(key))
		m.write(t, "var/seed/network-config", 0o644, "network:\n  version: 2\n  ethernets:\n    host0:\n      addresses: ["+machineAddress+"/24]\n"+
			"      routes: [{to: default, via: "+gatewayAddress+"}]\n")
	case "ec2":
		m.write(t, "etc/provisioner/provisioner.yaml", 0o644, "datasources: [ec2]\n")
		m.serveMetadata(t, node(key), key)
	}
	return m
}

// wantNode checks a machine that is on: everything is done, and every agent had at each start what it is to have.
func (m *machine) wantNode(t *testing.T, origin string) {
	t.Helper()
	m.wantStatus(t, "done", origin)
	m.want(t, "active", "systemctl is-active provisioner.target")
	m.want(t, "active\nactive\nactive\nactive", "systemctl is-active etcd2 flanneld docker hello")
	m.want(t, "", "systemctl --failed --no-legend --plain")
	for name, want := range startedWith {
		text, err := os.ReadFile(filepath.Join(m.root, "var/standin", name))
		if err != nil {
			t.Error(err)
			continue
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != want {
				t.Errorf("an agent started with %q, want %q", line, want)
			}
		}
	}
}

// tree is everything that lasts in a machine's root, by path: kinds, modes, owners and contents.
func (m *machine) tree(t *testing.T) map[string]string {
	t.Helper()
	tree := map[string]string{}
	for _, top := range []string{"etc", "home", "opt", "root", "var/lib/provisioner"} {
		err := filepath.WalkDir(filepath.Join(m.root, top), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(m.root, path)
			if err != nil {
				return err
			}
			text, err := describe(path)
			fields := strings.Fields(text)
			// MODE UID:GID inode N size N mtime N ctime N CONTENT
			tree[name] = fields[0] + " " + fields[1] + strings.Join(fields[min(len(fields), 10):], "")
			if differs[filepath.Base(path)] {
				tree[name] = fields[0] + " " + fields[1]
			}
			if filepath.Base(path) == "shadow" {
				text, err := os.ReadFile(path)
				tree[name] = fields[0] + " " + fields[1] + " " + lastChange.ReplaceAllString(string(text), "$1:DAY")
				return err
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// lastChange is the day on which a password was changed, in shadow(5): a test may go on past midnight.
var lastChange = regexp.MustCompile(`(?m)^([^:]*:[^:]*):[0-9]+`)

// differs are the files in which machines differ that were made in the same way.
var differs = map[string]bool{"machine-id": true, "record.json": true, "origin.json": true, "machine.json": true}

// wantTree checks that all is as it is on another machine.
func (m *machine) wantTree(t *testing.T, want map[string]string) {
	t.Helper()
	got := m.tree(t)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%s is %q, and %q where the power was not cut", path, got[path], want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, there := want[path]; !there {
			t.Errorf("%s is %q, and not there where the power was not cut", path, got[path])
		}
	}
}

// found says what the power left of the configuration: "nothing", "all", or "unfinished" if the next boot is to undo
// it first.
func (m *machine) found(t *testing.T) string {
	t.Helper()
	n := 0
	for _, part := range parts {
		if _, err := os.Lstat(filepath.Join(m.root, part)); err == nil {
			n++
		}
	}
	_, err := os.Lstat(filepath.Join(m.root, "var/lib/provisioner/journal"))
	switch {
	case err == nil:
		return "unfinished"
	case n == 0:
		return "nothing"
	case n < len(parts):
		t.Errorf("%d of %d files are there, and nothing says that they are to be undone", n, len(parts))
	}
	return "all"
}

// inPairs runs a test so many times, two at a time.
func inPairs(t *testing.T, times int, f func(t *testing.T, n int)) {
	two := make(chan struct{}, 2)
	t.Run("all", func(t *testing.T) {
		for n := range times {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				two <- struct{}{}
				t.Cleanup(func() { <-two })
				f(t, n)
			})
		}
	})
}

// trees are those that machines end with, one for each origin: all of its machines end alike.
type trees struct {
	mu  sync.Mutex
	all map[string]map[string]string
}

// of is the tree for an origin: that of the first machine that asks.
func (r *trees) of(t *testing.T, origin string, m *machine) map[string]string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]map[string]string{}
	}
	if r.all[origin] == nil {
		r.all[origin] = m.tree(t)
	}
	return r.all[origin]
}

// firstBoot boots a new machine, which must end as the others of its kind.
func firstBoot(t *testing.T, origin string, key sshKey, all *trees) {
	m := newNode(t, origin, key)
	began := time.Now()
	m.boot(t)
	m.wantNode(t, origin)
	t.Logf("%s: all done after %s", origin, time.Since(began).Round(10*time.Millisecond))
	m.wantLogin(t, key, "elroy")
	m.wantTree(t, all.of(t, origin, m))
}

// TestFirstBoots boots new machines.
func TestFirstBoots(t *testing.T) {
	key, all, times := newSSHKey(t, "node"), &trees{}, 6
	if long() {
		times = 100
	}
	inPairs(t, times, func(t *testing.T, n int) { firstBoot(t, originOf(n), key, all) })
}

// TestCuts cuts the power of new machines in the first five seconds, at random. With the power back, they must end as
// machines do whose power stays.
func TestCuts(t *testing.T) {
	key, all, times := newSSHKey(t, "node"), &trees{}, 10
	if long() {
		times = 200
	}
	inPairs(t, len(origins), func(t *testing.T, n int) { firstBoot(t, origins[n], key, all) })
	inPairs(t, times, func(t *testing.T, n int) {
		origin, after := originOf(n), rand.N(5*time.Second)
		m := newNode(t, origin, key)
		began := time.Now()
		m.start(t)
		if err := poll(t.Context(), haltTimeout, func() error {
			if m.guest() == 0 {
				return errors.New("the machine does not run")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(began.Add(after)))
		m.cut(t)
		t.Logf("%s: the power was cut after %s: %s of the configuration was there", origin, after.Round(time.Millisecond), m.found(t))
		m.boot(t)
		m.wantNode(t, origin)
		m.wantTree(t, all.of(t, origin, m))
	})
}
