package review_test

import (
	"context"
	"testing"
	"time"

	"cloudconfig/provisioner/review"
	"cloudconfig/schema"
	"cloudconfig/schema/config"
	"cloudconfig/schema/source"
)

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func mend(t *testing.T, text []byte) review.Mended {
	t.Helper()
	m, err := review.Mend(context.Background(), &source.File{Name: "f", Bytes: text}, review.CheckOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMend(t *testing.T) {
	tests := []struct {
		name, text, want string
		mended           int
	}{
		{"nothing to do", "#cloud-config\nhostname: a # b\n", "#cloud-config\nhostname: a # b\n", 0},
		{"a decimal mode, comments and layout kept",
			"#cloud-config\nwrite_files:\n-   path: /a   # x\n    permissions:   420 # y\n-   {path: /b, permissions: 384}\n",
			"#cloud-config\nwrite_files:\n-   path: /a   # x\n    permissions:   \"0644\" # y\n-   {path: /b, permissions: \"0600\"}\n", 2},
		{"a deprecated key", "#cloud-config\nusers:\n- name: a\n  coreos-ssh-import-github: b\n", "#cloud-config\nusers:\n- name: a\n  coreos_ssh_import_github_users: b\n", 1},
		{"a deprecated key beside today's", "#cloud-config\nusers:\n- name: a\n  coreos-ssh-import-github: b\n  coreos-ssh-import-github-users: [c]\n", "#cloud-config\nusers:\n- name: a\n  coreos-ssh-import-github: b\n  coreos-ssh-import-github-users: [c]\n", 0},
		{"Windows line ends of a document", "#cloud-config\r\nhostname: a\r\nwrite_files:\r\n- {path: /a, permissions: 420}\r\n", "#cloud-config\nhostname: a\nwrite_files:\n- {path: /a, permissions: \"0644\"}\n", 2},
		{"a byte order mark", "\ufeff#cloud-config\nhostname: é\n", "#cloud-config\nhostname: é\n", 1},
		{"Windows line ends and a mark", "\ufeff#!/bin/sh\r\necho a\r\n", "#!/bin/sh\necho a\n", 2},
		{"what other tools read otherwise is quoted", "#cloud-config\nhostname: 0123\nusers:\n- name: no # é\n  gecos: 1_000\n", "#cloud-config\nhostname: \"0123\"\nusers:\n- name: \"no\" # é\n  gecos: \"1_000\"\n", 3},
		{"a header", "# cloud-config\nhostname: a\n", "#cloud-config\nhostname: a\n", 1},
		{"what has no one cure", "#cloud-config\nhostnam: a\nwrite_files:\n- path: /a\n  permissions: 0888\n", "#cloud-config\nhostnam: a\nwrite_files:\n- path: /a\n  permissions: 0888\n", 0},
		{"no YAML", "#cloud-config\n\ta: [", "#cloud-config\n\ta: [", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mend(t, []byte(tt.text))
			if string(m.After) != tt.want || len(m.Cured) != tt.mended {
				t.Errorf("got %q, %d mended; want %q, %d", m.After, len(m.Cured), tt.want, tt.mended)
			}
		})
	}
}

// FuzzMend: nothing panics, what was sound asks for the same afterwards, and a second time there is nothing to do.
func FuzzMend(f *testing.F) {
	f.Add([]byte("\ufeff#cloud-config\r\nwrite_files:\r\n- {path: /a, permissions: 420}\r\n"))
	f.Add([]byte("#cloud-config\nusers: [{name: a, coreos-ssh-import-github: b}]\n"))
	f.Add([]byte("\ufeff#!/bin/sh\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := &source.File{Name: "f", Bytes: text}
		before, found := schema.Decode(schema.Input{Files: []*source.File{file}, Now: now})
		got := mend(t, text).After
		mended := &source.File{Name: "f", Bytes: got}
		after, left := schema.Decode(schema.Input{Files: []*source.File{mended}, Now: now})
		if !found.HasErrors() && (left.HasErrors() || !config.Equal(before, after)) {
			t.Errorf("%q became %q, which asks for something else", text, got)
		}
		if again := mend(t, got); string(again.After) != string(got) && !left.HasErrors() {
			t.Errorf("%q is mended again, to %q: %v", got, again.After, again.Cured)
		}
	})
}
