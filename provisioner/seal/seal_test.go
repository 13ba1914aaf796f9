//go:build linux

package seal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/seal"
	"cloudconfig/provisioner/state"
)

const id = "0123456789abcdef0123456789abcdef\n"

// machine is what a machine that was provisioned has; what its clones must not share is what says so.
func machine() map[string]string {
	return map[string]string{
		"etc/machine-id":                                       id,
		"etc/passwd":                                           "stays",
		"etc/provisioner/provisioner.yaml":                     "stays",
		"etc/ssh/sshd_config":                                  "stays",
		"etc/ssh/ssh_host_ed25519_key":                         "goes",
		"etc/ssh/ssh_host_ed25519_key.pub":                     "goes",
		"etc/ssh/ssh_host_rsa_key-cert.pub":                    "goes",
		"etc/systemd/network/05-provisioner-eth0.network":      "goes",
		"etc/systemd/network/50-dhcp.network":                  "stays",
		"etc/udev/rules.d/70-persistent-net.rules":             "goes",
		"var/lib/dbus/machine-id":                              "goes",
		"var/lib/provisioner/scripts.json":                     "goes",
		"var/lib/provisioner/instances/ab/manifest.json":       "goes",
		"var/lib/cloud/instances/i-1/user-data.txt":            "goes",
		"var/lib/cloud/data/instance-id":                       "goes",
		"var/lib/dhcp/dhclient.eth0.leases":                    "goes",
		"var/lib/NetworkManager/internal-1-eth0.lease":         "goes",
		"var/lib/NetworkManager/secret_key":                    "goes",
		"var/lib/NetworkManager/NetworkManager-intern.conf":    "stays",
		"var/lib/systemd/random-seed":                          "goes",
		"var/lib/systemd/credential.secret":                    "goes",
		"var/lib/systemd/timesync/clock":                       "stays",
		"var/log/journal/0123456789abcdef/system.journal":      "goes",
		"var/log/syslog":                                       "goes",
		"var/log/nginx/access.log.1":                           "goes",
		"var/crash/202611281200/vmcore":                        "goes",
		"root/.ssh/authorized_keys":                            "stays",
		"root/.bash_history":                                   "stays",
		"home/anna/.bash_history":                              "stays",
		"home/anna/.ssh/authorized_keys":                       "stays",
		"run/provisioner/status.json":                          "goes",
		"etc/iscsi/initiatorname.iscsi":                        "InitiatorName=iqn.1993-08.org.debian:01:stays\n",
		"srv/www/index.html":                                   "stays",
		"usr/lib/systemd/system/systemd-random-seed.service":   "stays",
		"var/lib/provisioner/instances/ab/directory/user-data": "goes",
	}
}

func system(t *testing.T, files map[string]string) (*fsroot.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// content is every file and link below a directory.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		if d.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(p)
			all[name] = "-> " + target
			return err
		}
		text, err := os.ReadFile(p)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func paths(items []seal.Item) (out []string) {
	for _, i := range items {
		out = append(out, i.Path)
	}
	slices.Sort(out)
	return out
}

func link(t *testing.T, dir, name, target string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestSeal(t *testing.T) {
	root, dir := system(t, machine())
	link(t, dir, "var/lib/provisioner/instance", "instances/ab")
	before := content(t, dir)
	found, err := seal.Look(root, seal.Options{})
	if err != nil || len(found.Left) == 0 || len(found.Removed) > 0 {
		t.Fatalf("%+v, error %v", found, err)
	}
	if after := content(t, dir); len(after) != len(before) {
		t.Errorf("a look has changed something: %d files, now %d", len(before), len(after))
	}
	if first, last := found.Left[0].Path, found.Left[len(found.Left)-1].Path; first != "/var/lib/provisioner/instance" || last != "/etc/machine-id" {
		t.Errorf("begins with %s and ends with %s", first, last)
	}
	kept := []string{"/etc/iscsi/initiatorname.iscsi", "/home/anna/.ssh/authorized_keys", "/root/.ssh/authorized_keys"}
	if got := paths(found.Kept); !slices.Equal(got, kept) {
		t.Errorf("kept: %q", got)
	}
	done, err := seal.Run(context.Background(), root, seal.Options{})
	if err != nil || len(done.Left) > 0 || !slices.Equal(paths(done.Kept), kept) {
		t.Fatalf("%+v, error %v", done, err)
	}
	after := content(t, dir)
	if after["etc/machine-id"] != "uninitialized\n" {
		t.Errorf("the machine-id is %q", after["etc/machine-id"])
	}
	for name, text := range before {
		if _, there := after[name]; there != (text == "stays" || strings.HasSuffix(text, "stays\n") || name == "etc/machine-id") {
			t.Errorf("%s (%q): there is %v", name, text, there)
		}
	}
	for name := range after {
		if _, there := before[name]; !there && name != "run/provisioner/lock" {
			t.Errorf("%s is new", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "var/log/nginx")); err != nil {
		t.Error(err)
	}
	again, err := seal.Run(context.Background(), root, seal.Options{})
	if err != nil || len(again.Left) > 0 {
		t.Errorf("again: %+v, error %v", again, err)
	}
}

func TestSealTakesHistoryIfAsked(t *testing.T) {
	root, dir := system(t, machine())
	if _, err := seal.Run(context.Background(), root, seal.Options{History: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root/.bash_history", "home/anna/.bash_history"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// A link is a name like another: it goes, and where it leads is not looked at. Only a directory that rules name may be
// reached by one, as it is by the system itself: if root made the link, and below the root.
func TestNothingIsRemovedThroughALink(t *testing.T) {
	root, dir := system(t, map[string]string{
		"etc/machine-id": id, "srv/journal/a": "x", "srv/writable/b": "x", "srv/precious/a": "x", "srv/precious/b/c": "x", "home/anna/x": "x", "root/x": "x",
		"var/lib/provisioner/x": "x", "var/log/x": "x",
	})
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"var/lib/provisioner/instance":         outside,
		"var/lib/provisioner/instances":        "/srv/precious",
		"var/lib/cloud/data":                   outside,
		"var/lib/cloud/instance":               "../../../srv/precious",
		"var/log/journal":                      "/srv/journal",
		"var/crash":                            "/srv/writable/link",
		"srv/writable/link":                    "/srv/precious",
		"var/log/elsewhere":                    outside,
		"etc/ssh/ssh_host_ed25519_key":         "/srv/precious/a",
		"var/lib/dhcp":                         outside,
		"home/anna/.ssh":                       "/srv/precious",
		"home/bert":                            "/srv/precious",
		"home/anna/.bash_history":              "/srv/precious/a",
		"var/lib/dbus/machine-id":              "/etc/machine-id",
		"var/lib/systemd/random-seed":          outside + "/file",
		"var/lib/NetworkManager/x.lease":       outside,
		"etc/systemd/network/05-provisioner-x": outside,
	} {
		link(t, dir, name, target)
	}
	if err := os.Chmod(filepath.Join(dir, "srv/writable"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Run(context.Background(), root, seal.Options{}); !errors.Is(err, fsroot.ErrUntrusted) {
		t.Errorf("by a link that anybody may have made: error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "var/crash")); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Run(context.Background(), root, seal.Options{History: true}); err != nil {
		t.Fatal(err)
	}
	after := content(t, dir)
	if _, there := after["srv/journal/a"]; there {
		t.Error("the journal, which root has put elsewhere, is there")
	}
	for _, name := range []string{"srv/precious/b/c", "home/anna/x", "root/x"} {
		if _, there := after[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
	if len(content(t, outside)) != 1 {
		t.Error("something outside is gone")
	}
}

// A user cannot keep the rest from being sealed: what cannot be looked at, or removed, in places that users can write to is
// kept and said, with the cure. In the system's own places it is an error.
func TestUsersCannotKeepTheRestFromBeingSealed(t *testing.T) {
	deep := strings.Repeat("a/", 70) + "x"
	files := machine()
	files["var/crash/deep/"+deep] = "stays"
	root, dir := system(t, files)
	many := filepath.Join(dir, "var/crash/many")
	if err := os.Mkdir(many, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 101 {
		if err := os.Mkdir(filepath.Join(many, strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, dir, "home/bert/.ssh", "/srv")
	for _, name := range []string{"var/crash", "home/bert"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o1777); err != nil {
			t.Fatal(err)
		}
	}
	kept := []string{
		"/etc/iscsi/initiatorname.iscsi", "/home/anna/.ssh/authorized_keys", "/home/bert/.ssh/authorized_keys", "/root/.ssh/authorized_keys",
		"/var/crash/deep", "/var/crash/many",
	}
	small := seal.Small(seal.Options{}, 100)
	look, err := seal.Look(root, small)
	if err != nil || !slices.Equal(paths(look.Kept), kept) {
		t.Errorf("a look keeps %q, error %v", paths(look.Kept), err)
	}
	done, err := seal.Run(context.Background(), root, small)
	if err != nil || len(done.Left) > 0 || !slices.Equal(paths(done.Kept), kept) {
		t.Errorf("left %q, kept %q, error %v", paths(done.Left), paths(done.Kept), err)
	}
	for _, i := range done.Kept {
		strange := strings.HasPrefix(i.Path, "/var/crash/") || strings.HasPrefix(i.Path, "/home/bert/")
		if said := strings.HasPrefix(i.Reason, "it could not be looked at: "); said != strange || said && !strings.Contains(i.Reason, "seal again") {
			t.Errorf("%s: %s", i.Path, i.Reason)
		}
	}
	if after := content(t, dir); after["etc/machine-id"] != "uninitialized\n" || after["var/crash/202611281200/vmcore"] != "" {
		t.Error("the rest is not sealed")
	}

	if err := os.RemoveAll(many); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "var/crash"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Run(context.Background(), root, small); !errors.Is(err, fsroot.ErrTooLarge) {
		t.Errorf("in the system's own place: error %v", err)
	}
}

// The power fails after every step: what is left never takes itself for a provisioned machine without its keys, and never
// has an uninitialized machine-id beside anything that belongs to the machine.
func TestPowerCuts(t *testing.T) {
	for step := 1; ; step++ {
		root, dir := system(t, machine())
		link(t, dir, "var/lib/provisioner/instance", "instances/ab")
		ctx := &countdown{Context: context.Background(), left: step}
		_, err := seal.Run(ctx, root, seal.Options{})
		after := content(t, dir)
		_, provisioned := after["var/lib/provisioner/instance"]
		_, hostKey := after["etc/ssh/ssh_host_ed25519_key"]
		if provisioned && !hostKey {
			t.Errorf("step %d: provisioned, without a host key", step)
		}
		found, lookErr := seal.Look(root, seal.Options{})
		if lookErr != nil {
			t.Fatal(lookErr)
		}
		if after["etc/machine-id"] != id && len(found.Left) > 0 {
			t.Errorf("step %d: without a machine-id, and %q are there", step, paths(found.Left))
		}
		if err == nil {
			if step < 10 {
				t.Errorf("only %d steps", step)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if done, err := seal.Run(context.Background(), root, seal.Options{}); err != nil || len(done.Left) > 0 {
			t.Errorf("step %d: the next seal: %+v, error %v", step, done.Left, err)
		}
	}
}

var errCut = errors.New("the power is gone")

// countdown is a context that ends after it was asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

func TestSealWaitsForNoRun(t *testing.T) {
	root, dir := system(t, machine())
	other, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	unlock, err := commit.Lock(context.Background(), other, commit.Patience, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := seal.Run(ctx, root, seal.Options{}); err == nil || len(content(t, dir)) < len(machine()) {
		t.Errorf("sealed while another run works on it: error %v", err)
	}
}

// An image whose machine-id is empty is one whose owner wants no presets at the first boot; a missing file is made by
// systemd.
func TestMachineIDs(t *testing.T) {
	for text, sealed := range map[string]bool{"": true, "\n": true, "uninitialized\n": true, "uninitialized": true, id: false, "nonsense": false} {
		root, _ := system(t, map[string]string{"etc/machine-id": text})
		found, err := seal.Look(root, seal.Options{})
		if err != nil || (len(found.Left) == 0) != sealed {
			t.Errorf("%q: %+v, error %v", text, found.Left, err)
		}
	}
	root, _ := system(t, map[string]string{"etc/passwd": ""})
	if found, err := seal.Look(root, seal.Options{}); err != nil || len(found.Left) > 0 {
		t.Errorf("no file: %+v, error %v", found.Left, err)
	}
}

// The paths of other packages are those of the table.
func TestPathsOfOthers(t *testing.T) {
	root, _ := system(t, map[string]string{
		state.Top + "/x": "", state.Current: "", "etc/systemd/network/" + networkd.Prefix + "eth0.network": "", report.Dir + "/" + report.StatusFile: "",
	})
	found, err := seal.Look(root, seal.Options{})
	if err != nil || len(found.Left) != 4 || found.Left[0].Path != "/"+state.Current {
		t.Errorf("%+v, error %v", found.Left, err)
	}
}
