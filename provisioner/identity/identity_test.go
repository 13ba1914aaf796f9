//go:build linux

package identity_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/identity"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
	"cloudconfig/schema"
)

const (
	firstUUID = "11111111-2222-3333-4444-555555555555"
	otherUUID = "22222222-2222-3333-4444-555555555555"
	firstID   = "0123456789abcdef0123456789abcdef\n"
	uuidFile  = "sys/class/dmi/id/product_uuid"
	hostKey   = "etc/ssh/ssh_host_ed25519_key"
)

// disk is a running system with these files.
func disk(t *testing.T, files map[string]string) identity.Disk {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	host, err := machine.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Disk{Root: root, Host: host, Live: true}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// paths are those of changes, with "-" in front of what is removed.
func paths(changes []plan.Change) string {
	var out []string
	for _, c := range changes {
		if c.Kind == plan.Remove {
			c.Path = "-" + c.Path
		}
		out = append(out, c.Path)
	}
	return strings.Join(out, " ")
}

func TestSettle(t *testing.T) {
	was := state.Machine{Version: 1, UUID: plan.Digest([]byte(firstUUID)), ID: plan.Digest([]byte(firstID[:32]))}
	for _, test := range []struct {
		name         string
		uuid, id     string
		copy, sameID bool
		changes      string
	}{
		{"the same machine", firstUUID, firstID, false, false, ""},
		{"another, with the id of the first", otherUUID, firstID, true, true, hostKey + " " + hostKey + ".pub etc/machine-id var/lib/provisioner/machine.json"},
		{"another, that has an id of its own", otherUUID, "f" + firstID[1:], true, false, hostKey + " " + hostKey + ".pub var/lib/provisioner/machine.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := disk(t, map[string]string{
				uuidFile: test.uuid + "\n", "etc/machine-id": test.id, hostKey: "PRIVATE KEY\n",
				state.Top + "/" + state.MachineFile: text(t, was),
			})
			s, err := d.Settle()
			if err != nil || s.Copy != test.copy || s.SameID != test.sameID || paths(s.Changes) != test.changes {
				t.Errorf("%v, %+v: %s", err, s, paths(s.Changes))
			}
			if copied, err := d.IsCopy(); copied != test.copy || err != nil {
				t.Errorf("IsCopy: %t, %v", copied, err)
			}
		})
	}
}

func TestSucceed(t *testing.T) {
	own, other := state.Dir("file", "i-2"), state.Dir("file", "i-1")
	for _, test := range []struct {
		name    string
		last    string
		copied  bool // and so its keys are others already
		another bool
		has     string
		keys    bool
	}{
		{"the only instance", "", false, false, "", false},
		{"another instance", "i-1", false, true, "-" + other + "/user-data", true},
		{"and what that had to tell", "i-1", false, true, "-" + state.Top + "/outbox.json", true},
		{"a copy, that has new keys already", "i-1", true, true, "-" + state.Top + "/network", false},
		{"the same by another name", "i-2", false, false, "-" + other + "/user-data", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{uuidFile: firstUUID + "\n", hostKey: "PRIVATE KEY\n", "etc/systemd/system/ssh.service": "[Unit]\n"}
			if test.last != "" {
				files[other+"/user-data"] = "secret"
				files[other+"/"+state.InstanceFile] = text(t, schema.Metadata{InstanceID: test.last})
			}
			if test.copied {
				files[state.Top+"/"+state.MachineFile] = text(t, state.Machine{Version: 1, Copied: true})
			}
			d := disk(t, files)
			if test.last != "" {
				if err := os.Symlink("instances/"+filepath.Base(other), filepath.Join(d.Root.Name(), state.Current)); err != nil {
					t.Fatal(err)
				}
			}
			s, err := d.Succeed(own, schema.Metadata{InstanceID: "i-2"})
			if err != nil || s.Another != test.another || len(s.Keys) > 0 != test.keys || len(s.Jobs) > 0 != test.keys {
				t.Errorf("%v, %+v", err, s)
			}
			if got := paths(s.Changes); test.has == "" && got != "" || !strings.Contains(got, test.has) {
				t.Errorf("changes: %s", got)
			}
		})
	}
}
