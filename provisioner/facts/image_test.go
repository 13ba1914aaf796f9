package facts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/image"
)

func TestImage(t *testing.T) {
	const hash = "$6$examplesalt$jfTLmATMLm2jDA3ByHyFJeVai3E8Gbt9AA7EuFAupFJWg8unspwt5kkHp4zW8Susuta6Rd6iSk0sucz5sJm/j0"
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/lib/os-release", "NAME=\"Some Linux\"\nID=some\nVERSION_ID=\"7\"\n", 0o644)
	link("etc/os-release", "../usr/lib/os-release")
	write("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-254.so", "", 0o644)
	write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/sh\n# a comment\nbroken\n", 0o644)
	write("etc/shadow", "root:*:19000:0:99999:7:::\nanna:"+hash+":19000:0:99999:7:::\n", 0o600)
	write("etc/group", "root:x:0:\nwheel:x:10:anna,bert\n", 0o644)
	write("root/.ssh/authorized_keys", "# mine\n"+key+" me@here\n", 0o600)
	write("etc/sudoers", "root ALL=(ALL) ALL\n%wheel\tALL=(ALL) ALL\n# %admin ALL=(ALL) ALL\n", 0o600)
	write("etc/sudoers.d/ops", "%ops ALL=(ALL) NOPASSWD: ALL\n", 0o600)
	write("etc/shells", "# shells\n/bin/sh\n/bin/bash\n", 0o644)
	write("etc/ssh/ssh_host_rsa_key", "PRIVATE", 0o600)
	write("etc/ssh/sshd_config", "", 0o600)
	write("etc/ssl/certs/a.pem", "", 0o644)
	write("etc/provisioner/provisioner.yaml", "default-user: some\n", 0o644)
	write("usr/bin/bash", "", 0o755)
	write("usr/bin/notes", "", 0o644)
	link("usr/bin/sh", "bash")
	link("bin", "usr/bin")
	write("usr/lib/systemd/system/ssh.service", "[Unit]\nAfter=a\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n", 0o644)
	write("usr/lib/systemd/system/getty@.service", "[Service]\n", 0o644)
	write("usr/lib/systemd/system/noise.txt", "", 0o644)
	write("usr/lib/systemd/system/over.service", "[Install]\nWantedBy=a.target\n", 0o644)
	write("etc/systemd/system/over.service", "[Service]\n", 0o644)
	link("etc/systemd/system/sshd.service", "/usr/lib/systemd/system/ssh.service")
	link("etc/systemd/system/gone.service", "/dev/null")
	link("etc/systemd/system/multi-user.target.wants/ssh.service", "/usr/lib/systemd/system/ssh.service")

	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, err := facts.Image(root)
	if err != nil {
		t.Fatal(err)
	}
	want := &image.Image{
		Version: 1, Name: "some-7", Systemd: 254, DefaultUser: "some",
		Users: []image.User{
			{Name: "anna", UID: 1000, GID: 1000, Home: "/home/anna", Shell: "/bin/sh", Password: true},
			{Name: "root", Home: "/root", Shell: "/bin/bash", Keys: true},
		},
		Groups:      []image.Group{{Name: "root"}, {Name: "wheel", GID: 10, Members: []string{"anna", "bert"}}},
		AdminGroups: []string{"ops", "wheel"},
		Shells:      []string{"/bin/bash", "/bin/sh"},
		Units: []image.Unit{
			{Name: "getty@.service"},
			{Name: "gone.service", Masked: true},
			{Name: "over.service"},
			{Name: "ssh.service", Install: []string{"WantedBy=multi-user.target", "Alias=sshd.service"}, Enabled: true},
			{Name: "sshd.service", Alias: "ssh.service"},
		},
		Links: map[string]string{"/bin": "/usr/bin"},
		Directories: map[string][]string{
			"/etc":                {"group", "os-release", "passwd", "provisioner/", "shadow", "shells", "ssh/", "ssl/", "sudoers", "sudoers.d/", "systemd/"},
			"/etc/provisioner":    {"provisioner.yaml"},
			"/etc/ssh":            {"sshd_config"},
			"/etc/ssl":            {"certs/"},
			"/etc/sudoers.d":      {"ops"},
			"/etc/systemd":        {"system/"},
			"/etc/systemd/system": {"gone.service", "multi-user.target.wants/", "over.service", "sshd.service"},
			"/usr/bin":            {"bash", "sh"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "examplesalt") || strings.Contains(string(text), "AAAAC3") {
		t.Errorf("a secret in the profile: %v", err)
	}
	if again, err := image.Parse(text); err != nil || !cmp.Equal(got, again) {
		t.Errorf("the profile is not read back: %v", err)
	}
}

// TestImageOfNothing: an empty root has a profile, and nothing is in it.
func TestImageOfNothing(t *testing.T) {
	root, err := fsroot.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	im, err := facts.Image(root)
	if err != nil || im.Name != "image" || len(im.Users)+len(im.Units) != 0 {
		t.Errorf("%+v %v", im, err)
	}
}
