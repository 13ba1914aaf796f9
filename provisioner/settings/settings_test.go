//go:build linux

package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/settings"
)

func TestLoad(t *testing.T) {
	defaults := settings.Settings{DefaultUser: "core", LaterBoots: "report", KeepUserData: true, Floor: true}
	for _, c := range []struct {
		name, text string
		want       settings.Settings
		err        string
	}{
		{"no file", "", defaults, ""},
		{"an empty file", "\n# nothing\n", defaults, ""},
		{"everything", "datasources: [ec2, file=/a]\ndefault-user: ops\nlater-boots: apply\nkeep-user-data: no\nfloor: false\nimdsv1: yes\n",
			settings.Settings{Datasources: []string{"ec2", "file=/a"}, DefaultUser: "ops", LaterBoots: "apply", IMDSv1: true}, ""},
		{"an unknown setting", "datasources: [ec2]\ndatasource: [ec2]\n", defaults, ":2:13: unknown setting \"datasource\""},
		{"a setting twice", "floor: yes\nfloor: no\n", defaults, ":2:1: "},
		{"no list", "datasources: ec2\n", defaults, "datasources must be a list"},
		{"a list in the list", "datasources: [[ec2]]\n", defaults, "a datasource is a name"},
		{"no name", "default-user: ../root\n", defaults, "default-user must be the name of an account"},
		{"another word", "later-boots: never\n", defaults, "later-boots must be report or apply"},
		{"neither yes nor no", "floor: maybe\n", defaults, "floor must be yes or no"},
		{"neither yes nor no for version 1", "imdsv1: optional\n", defaults, "imdsv1 must be yes or no"},
		{"no mapping", "- ec2\n", defaults, "the settings are a mapping"},
		{"no YAML", "floor: [\n", defaults, "/etc/provisioner/provisioner.yaml:1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, settings.Path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			got, err := settings.Load(root)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
