//go:build linux

package hold_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/hold"
)

func TestBack(t *testing.T) {
	const unit, units = "[Service]\nExecStart=/bin/true\n", "usr/lib/systemd/system/"
	dir := t.TempDir()
	for name, text := range map[string]string{
		units + "docker.service": unit, "etc/systemd/system/etcd2.service": unit, units + "ssh@.service": unit, units + "nginx.service": unit,
		units + "flanneld.service": "[Unit]\nDefaultDependencies=no\n" + unit, // so early that we wait for it
		units + "kubelet.service":  unit, "etc/systemd/system/kubelet.service": "->/dev/null",
		units + "etcd.service": "->/opt/etcd.service", "generator/docker.service.d/other.conf": "",
	} {
		file := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil && text != "" && text[:2] == "->" {
			err = os.Symlink(text[2:], file)
		} else if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := hold.Back(root, "/generator"); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "generator/*/05-provisioner-hold.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(filepath.Dir(file))] = string(text)
	}
	after := func(what string) string {
		return "# Until the first boot has provisioned the machine.\n[Unit]\nAfter=" + what + "\n"
	}
	agent := after("provisioner.service provisioner-handoff.service")
	want := map[string]string{"docker.service.d": agent, "etcd2.service.d": agent, "etcd.service.d": agent, "ssh@.service.d": after("provisioner-floor.service")}
	if !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
