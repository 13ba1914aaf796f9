package schema_test

import (
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

// TestShippedImages: every profile that is shipped can be read, is called what its file is, and has what a machine
// cannot do without.
func TestShippedImages(t *testing.T) {
	if len(schema.Images()) == 0 {
		t.Fatal("no profile")
	}
	for _, name := range schema.Images() {
		im := schema.ShippedImage(name)
		if im == nil || im.Name != name || im.Systemd < 200 || im.User("root") == nil || im.Group("root") == nil || im.Unit("multi-user.target") == nil || !im.Program("sh") {
			t.Errorf("%s is not whole", name)
		}
	}
	if schema.ShippedImage("debian") != nil {
		t.Error("a profile of a name that is none")
	}
}

func TestImageHas(t *testing.T) {
	im := &schema.Image{
		Links: map[string]string{"/bin": "/usr/bin"},
		Directories: map[string][]string{
			"/usr/bin": {"sh"}, "/etc": {"default/", "hosts", "ssl/"}, "/etc/default": {"ssh"},
		},
	}
	for _, c := range []struct {
		why, file    string
		there, known bool
	}{
		{"listed", "/usr/bin/sh", true, true},
		{"through a link", "/bin/sh", true, true},
		{"not listed", "/bin/zsh", false, true},
		{"in a directory below", "/etc/default/ssh", true, true},
		{"in a directory that is not there", "/etc/web/web.env", false, true},
		{"far below one that is not there", "/etc/web/a/b", false, true},
		{"in a directory that is there and not listed", "/etc/ssl/certs/a.pem", false, false},
		{"in a place that nobody looked at", "/srv/web/run", false, false},
		{"at the top", "/vmlinuz", false, false},
	} {
		if there, known := im.Has(c.file); there != c.there || known != c.known {
			t.Errorf("%s (%s): %v, %v", c.file, c.why, there, known)
		}
	}
}

func TestImageUnit(t *testing.T) {
	im := &schema.Image{Units: []schema.ImageUnit{{Name: "getty@.service"}, {Name: "ssh.service"}}}
	for name, want := range map[string]string{"ssh.service": "ssh.service", "getty@tty1.service": "getty@.service", "getty@.service": "getty@.service", "ssh@a.service": "", "@.service": "", "x": ""} {
		got := ""
		if u := im.Unit(name); u != nil {
			got = u.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestParseImage(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 1, "name": "x"`: "not JSON at byte 26",
		`{"version": 2}`:             "version 2",
		`{}`:                         "version 0",
		`{"version": 1, "users": "root:$6$secret"}`: "not a facts profile",
		`[]`: "not a facts profile",
		`{"version": 1, "directories": {"etc": ["hosts"]}}`: "not an absolute path",
	} {
		_, err := schema.ParseImage([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	// Lists that somebody wrote by hand, in any order, are found all the same.
	im, err := schema.ParseImage([]byte(`{"version": 1, "units": [{"name": "b.service"}, {"name": "a.service"}], "directories": {"/bin": ["z", "a"]}}`))
	if err != nil || im.Unit("a.service") == nil || !im.Program("a") {
		t.Errorf("%v %v", im, err)
	}
}

// FuzzImage: no profile that can be read makes a check panic.
func FuzzImage(f *testing.F) {
	f.Add([]byte(`{"version": 1, "name": "x", "units": [{"name": "a@.service"}], "directories": {"/etc": ["a/"], "": []}, "links": {"/bin": "/bin"}}`))
	text := "#cloud-config\nusers: [{name: a, groups: b, shell: /bin/x}]\ncoreos: {units: [{name: a@b.service, enable: true}, {name: c.service, content: \"[Service]\\nExecStart=/bin/x\\nEnvironmentFile=/etc/y/z\"}]}\n"
	f.Fuzz(func(t *testing.T, profile []byte) {
		im, err := schema.ParseImage(profile)
		if err != nil {
			return
		}
		schema.Decode(schema.Input{Files: []*source.File{{Name: "fuzz", Bytes: []byte(text)}}, Image: im})
	})
}

// TestSmallImage: what Debian's profile cannot show.
func TestSmallImage(t *testing.T) {
	small := &schema.Image{Version: 1, Name: "small", DefaultUser: "admin", Directories: map[string][]string{"/usr/bin": {"sh"}, "/opt/bin": {}}}
	for _, c := range []struct{ name, text, want string }{
		{"a sudo rule without sudo", "users: [{name: admin, sudo: ALL=(ALL) ALL}]", "warning sudo-missing"},
		{"a script may install it", "users: [{name: admin, sudo: ALL=(ALL) ALL}]\nwrite_files: [{path: /a, content: apt-get install sudo}]", "info sudo-missing"},
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
