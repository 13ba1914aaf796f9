package schema_test

import (
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

// FuzzImage: no profile that can be read makes a check panic.
func FuzzImage(f *testing.F) {
	f.Add([]byte(`{"version": 1, "name": "x", "units": [{"name": "a@.service"}], "directories": {"/etc": ["a/"], "": []}, "links": {"/bin": "/bin"}}`))
	text := "#cloud-config\nusers: [{name: a, groups: b, shell: /bin/x}]\ncoreos: {units: [{name: a@b.service, enable: true}, {name: c.service, content: \"[Service]\\nExecStart=/bin/x\\nEnvironmentFile=/etc/y/z\"}]}\n"
	f.Fuzz(func(t *testing.T, profile []byte) {
		im, err := image.Parse(profile)
		if err != nil {
			return
		}
		schema.Decode(schema.Input{Files: []*source.File{{Name: "fuzz", Bytes: []byte(text)}}, Image: im})
	})
}

// TestSmallImage: what Debian's profile cannot show.
func TestSmallImage(t *testing.T) {
	small := &image.Image{Version: 1, Name: "small", DefaultUser: "admin", Directories: map[string][]string{"/usr/bin": {"sh"}, "/opt/bin": {}}}
	for _, c := range []struct{ name, text, want string }{
		{"a sudo rule without sudo", "users: [{name: admin, sudo: ALL=(ALL) ALL}]", "warning sudo-missing"},
		{"a script may install it", "users: [{name: admin, sudo: ALL=(ALL) ALL}]\nwrite_files: [{path: /a, content: apt-get install sudo}]", "info sudo-missing"},
		{"a command may install it", "users: [{name: admin, sudo: ALL=(ALL) ALL}]\nruncmd: [[apt, install, sudo]]", "info sudo-missing"},
		{"the image says who the default user is", "write_files: [{path: /a, owner: admin}]", ""},
		{"and who is not", "write_files: [{path: /a, owner: core}]", "error owner-elsewhere"},
		{"a program that nothing fetches", "coreos: {units: [{name: a.service, content: \"[Service]\\nExecStart=/opt/bin/web\"}]}", "warning exec-missing"},
		{"one that something fetches", "coreos: {units: [{name: a.service, content: \"[Service]\\nExecStartPre=/usr/bin/sh -c 'fetch > /opt/bin/web'\\nExecStart=/opt/bin/web\"}]}", ""},
		{"one in another root", "coreos: {units: [{name: a.service, content: \"[Service]\\nRootDirectory=/srv\\nExecStart=/usr/bin/web\"}]}", ""},
	} {
		_, found := schema.Decode(schema.Input{Files: []*source.File{{Name: "f", Bytes: []byte("#cloud-config\n" + c.text + "\n")}}, Image: small})
		var got []string
		for _, d := range found {
			got = append(got, d.Severity.String()+" "+d.Rule.ID)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
