package plan_test

import (
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// accountsOf is a disk with two users and their groups.
func accountsOf(files map[string]string) disk {
	all := map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1001::/home/anna:/bin/sh\n",
		"etc/group":  "root:x:0:\nstaff:x:50:\nanna:x:1001:\n",
		"etc/shadow": "root:*:1::::::\nanna:*:1::::::\n",
	}
	for p, content := range files {
		all[p] = content
	}
	return newDisk(all)
}

func file(p, content string, line int) schema.File {
	return schema.File{
		At: at(line), Path: val(p, line), Content: val([]byte(content), line),
		Mode: schema.Value[uint32]{V: 0o644},
	}
}

func appending(f schema.File) schema.File {
	f.Append = val(true)
	return f
}

func TestFiles(t *testing.T) {
	withMode := func(f schema.File, mode uint32) schema.File {
		f.Mode = val(mode)
		return f
	}
	deferred := func(f schema.File) schema.File {
		f.Defer = val(true)
		return f
	}
	encoded := func(f schema.File) schema.File {
		f.Encoded = true
		return f
	}
	for _, tt := range []struct {
		name  string
		disk  map[string]string
		files []schema.File
		want  map[string]string
	}{
		{
			name:  "a file and the directories above it",
			files: []schema.File{file("/opt/app/conf", "x\n", 1)},
			want:  map[string]string{"opt/app/conf": "x\n"},
		},
		{
			name:  "a file that is there is replaced",
			disk:  map[string]string{"etc/motd": "old\n"},
			files: []schema.File{file("/etc/motd", "new\n", 1)},
			want:  map[string]string{"etc/motd": "new\n"},
		},
		{
			name:  "a link is replaced, not followed",
			disk:  map[string]string{"etc/motd": "-> ../run/motd", "run/motd": "theirs\n"},
			files: []schema.File{file("/etc/motd", "new\n", 1)},
			want:  map[string]string{"etc/motd": "new\n", "run/motd": "theirs\n"},
		},
		{
			name:  "an address is put in, other variables are not",
			files: []schema.File{file("/a", "ip=$private_ipv4 $HOME $instance_id\n", 1)},
			want:  map[string]string{"a": "ip=10.0.0.1 $HOME $instance_id\n"},
		},
		{
			name:  "encoded content is left as it is",
			files: []schema.File{encoded(file("/a", "$private_ipv4", 1))},
			want:  map[string]string{"a": "$private_ipv4"},
		},
		{
			name:  "append to what is there",
			disk:  map[string]string{"etc/profile": "umask 022\n"},
			files: []schema.File{appending(file("/etc/profile", "alias l=ls\n", 1))},
			want:  map[string]string{"etc/profile": "umask 022\nalias l=ls\n"},
		},
		{
			name:  "append makes a file that is not there",
			files: []schema.File{appending(file("/a", "x\n", 1))},
			want:  map[string]string{"a": "x\n"},
		},
		{
			name:  "what is appended already is not appended again",
			disk:  map[string]string{"a": "0\n1\n2\n"},
			files: []schema.File{appending(file("/a", "1\n", 1)), appending(file("/a", "2\n", 2))},
			want:  map[string]string{"a": "0\n1\n2\n"},
		},
		{
			name:  "an entry more than last time appends only itself",
			disk:  map[string]string{"a": "0\n1\n"},
			files: []schema.File{appending(file("/a", "1\n", 1)), appending(file("/a", "2\n", 2))},
			want:  map[string]string{"a": "0\n1\n2\n"},
		},
		{
			name:  "an entry that replaces, then one that appends the same",
			disk:  map[string]string{"a": "1\n1\n"},
			files: []schema.File{file("/a", "1\n", 1), appending(file("/a", "1\n", 2)), appending(file("/a", "2\n", 3))},
			want:  map[string]string{"a": "1\n1\n2\n"},
		},
		{
			name:  "append follows a deferred entry",
			files: []schema.File{deferred(file("/a", "1\n", 1)), appending(file("/a", "2\n", 2))},
			want:  map[string]string{"a": "1\n2\n"},
		},
		{
			name:  "append follows what we write into the same file",
			disk:  map[string]string{"etc/environment": "A=1\n"},
			files: []schema.File{appending(file("/etc/environment", "B=2\n", 1))},
			want:  map[string]string{"etc/environment": "A=1\nCOREOS_PRIVATE_IPV4=10.0.0.1\nB=2\n"},
		},
		{
			name:  "append through a directory that is a link, to one file",
			disk:  map[string]string{"etc/coreos": "-> flatcar", "etc/flatcar/x": "0\n"},
			files: []schema.File{appending(file("/etc/coreos/x", "1\n", 1)), appending(file("/etc/flatcar/x", "2\n", 2))},
			want:  map[string]string{"etc/flatcar/x": "0\n1\n2\n"},
		},
		{
			name:  "an entry for a file that we would write whole",
			files: []schema.File{file("/etc/hostname", "mine\n", 1)},
			want:  map[string]string{"etc/hostname": "mine\n"},
		},
		{
			name:  "special mode bits",
			files: []schema.File{withMode(file("/a", "", 1), 0o4755)},
			want:  map[string]string{"a": ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			d.applied(t, plan.Input{
				Config: &schema.Config{Files: tt.files},
				Meta:   schema.Metadata{PrivateIPv4: "10.0.0.1", InstanceID: "i-1", Hostname: "box"},
			})
			for p, want := range tt.want {
				if got := d.content(p); got != want {
					t.Errorf("%s is %q, want %q", p, got, want)
				}
			}
		})
	}
}

func TestFileAttributes(t *testing.T) {
	for _, tt := range []struct {
		name, owner string
		mode        uint32 // of an entry that says one
		append      bool   // to a file that is 0640 anna:staff
		want        fsroot.Attr
	}{
		{name: "root's and 0644 if nothing is said", want: fsroot.Attr{Mode: 0o644}},
		{name: "a user keeps root's group, as chown has it", owner: "anna", want: fsroot.Attr{Mode: 0o644, UID: 1000}},
		{name: "a colon behind the user means the login group", owner: "anna:", want: fsroot.Attr{Mode: 0o644, UID: 1000, GID: 1001}},
		{name: "user and group", owner: "anna:staff", want: fsroot.Attr{Mode: 0o644, UID: 1000, GID: 50}},
		{name: "a group alone", owner: ":staff", want: fsroot.Attr{Mode: 0o644, GID: 50}},
		{name: "numbers that nobody has", owner: "7:8", want: fsroot.Attr{Mode: 0o644, UID: 7, GID: 8}},
		{name: "a user that the plan makes", owner: "new:new", want: fsroot.Attr{Mode: 0o644, UID: 1001, GID: 1002}},
		{name: "the bits beyond the nine", mode: 0o6711, want: fsroot.Attr{Mode: 0o6711}},
		{name: "append keeps owner and mode", append: true, want: fsroot.Attr{Mode: 0o640, UID: 1000, GID: 50}},
		{name: "append changes what the entry says", append: true, mode: 0o600, owner: ":anna", want: fsroot.Attr{Mode: 0o600, UID: 1000, GID: 1001}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := file("/x", "x\n", 3)
			f.Append = schema.Value[bool]{V: tt.append}
			if tt.owner != "" {
				f.Owner = val(tt.owner)
			}
			if tt.mode != 0 {
				f.Mode = val(tt.mode)
			}
			cfg := &schema.Config{Files: []schema.File{f}}
			if strings.HasPrefix(tt.owner, "new") {
				cfg.Users = []schema.User{{At: at(1), Name: val("new"), NoCreateHome: val(true)}}
			}
			d := accountsOf(nil)
			if tt.append {
				d.put("x", node{kind: fsroot.Regular, data: "0\n", attr: fsroot.Attr{Mode: 0o640, UID: 1000, GID: 50}})
			}
			d.applied(t, plan.Input{Config: cfg})
			if got := d["x"].attr; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestFileFindings(t *testing.T) {
	owned := func(owner string) schema.File {
		f := file("/a", "", 1)
		f.Owner = val(owner)
		return f
	}
	for _, tt := range []struct {
		name  string
		disk  map[string]string
		files []schema.File
		want  []string
	}{
		{name: "a user that is nowhere", files: []schema.File{owned("nobody-here")}, want: []string{"error owner-unknown"}},
		{name: "a group that is nowhere", files: []schema.File{owned("root:nobody-here")}, want: []string{"error owner-unknown"}},
		{name: "the login group of a number", files: []schema.File{owned("1000:")}, want: []string{"error owner-unknown"}},
		{name: "an id that means no id", files: []schema.File{owned("4294967295")}, want: []string{"error owner-unknown"}},
		{
			name:  "two spellings of one path",
			disk:  map[string]string{"etc/coreos": "-> flatcar", "etc/flatcar/": ""},
			files: []schema.File{file("/etc/coreos/x", "1", 1), file("/etc/flatcar/x", "2", 2)},
			want:  []string{"error path-twice"},
		},
		{
			name:  "an entry that replaces what an earlier one appended to",
			files: []schema.File{appending(file("/a", "1", 1)), file("/a", "2", 2)},
			want:  []string{"error path-twice"},
		},
		{
			name:  "append to a link would lose what it leads to",
			disk:  map[string]string{"etc/resolv.conf": "-> ../run/resolv.conf", "run/resolv.conf": "x"},
			files: []schema.File{appending(file("/etc/resolv.conf", "y", 1))},
			want:  []string{"error append-target"},
		},
		{
			name:  "append to a directory",
			disk:  map[string]string{"etc/": ""},
			files: []schema.File{appending(file("/etc", "y", 1))},
			want:  []string{"error target-kind"},
		},
		{
			name:  "a link out of the way into our state",
			disk:  map[string]string{"srv/x": "-> /var/lib/provisioner", "var/lib/provisioner/": ""},
			files: []schema.File{file("/srv/x/journal", "y", 1)},
			want:  []string{"error path-reserved"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := accountsOf(tt.disk).compute(t, plan.Input{Config: &schema.Config{Files: tt.files}})
			if got := findings(diags); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Keys are added to what an entry writes, so that nobody is locked out by it.
func TestAFileThatReplacesKeys(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1kRq0Dk0tTOkXhM0T6xbSb5rGcfmVvG5cVVtNnV7gA a"
	const keys = "home/anna/.ssh/authorized_keys"
	own := schema.User{At: at(1), Name: val("anna"), SSHAuthorizedKeys: []schema.Value[string]{val(key)}}
	for name, entry := range map[string]schema.File{
		"whole":    file("/"+keys, "theirs\n", 2),
		"appended": appending(file("/"+keys, "theirs\n", 2)),
	} {
		t.Run(name, func(t *testing.T) {
			d := accountsOf(nil)
			d.put("home/anna", node{kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o755, UID: 1000, GID: 1001}})
			p, diags := d.compute(t, plan.Input{Config: &schema.Config{Users: []schema.User{own}, Files: []schema.File{entry}}})
			if got := findings(diags); len(got) > 0 {
				t.Errorf("unexpected findings %q", got)
			}
			d.apply(p)
			if got := d.content(keys); !strings.Contains(got, "theirs\n") || !strings.Contains(got, key) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAppendToAFileTooLargeToRead(t *testing.T) {
	in := plan.Input{Config: &schema.Config{Files: []schema.File{appending(file("/a", "x", 1))}}}
	in.Facts.Paths = map[string]*plan.Seen{
		".": {Info: fsroot.Info{Kind: fsroot.Directory, Real: "."}},
		"a": {Info: fsroot.Info{Kind: fsroot.Regular, Real: "a", Size: plan.MaxData + 1}},
		// Nobody has looked at the rest, and nobody needs to.
		"etc/environment": {Info: fsroot.Info{Kind: fsroot.Absent}},
	}
	p, diags := plan.Compute(in)
	if got := findings(diags); !slices.Equal(got, []string{"error append-target"}) {
		t.Errorf("got %q, unseen %q", got, p.Unseen)
	}
}

func TestAppendIsARecordOfASharedFile(t *testing.T) {
	d := newDisk(map[string]string{"etc/fstab": "theirs\n"})
	in := plan.Input{Config: &schema.Config{Files: []schema.File{appending(file("/etc/fstab", "a\nb\n", 1))}}}
	p, _ := d.compute(t, in)
	if len(p.Changes) != 1 || len(p.Changes[0].Records) != 1 || p.Changes[0].Records[0].Detail != "2 lines" {
		t.Errorf("got %+v", p.Changes)
	}
	d.apply(p)
	p, _ = d.compute(t, in)
	if len(p.Owned) != 1 || len(p.Owned[0].Records) == 0 {
		t.Errorf("the file is not shared any more: %+v", p.Owned)
	}
}

func TestAppendKeepsASecretSecret(t *testing.T) {
	d := newDisk(nil)
	d.put("key", node{kind: fsroot.Regular, data: "k\n", attr: fsroot.Attr{Mode: 0o600}})
	p, _ := d.compute(t, plan.Input{Config: &schema.Config{Files: []schema.File{appending(file("/key", "x\n", 1))}}})
	if len(p.Changes) != 1 || !p.Changes[0].Secret {
		t.Errorf("what is added to a file that others may not read is shown: %+v", p.Changes)
	}
}
