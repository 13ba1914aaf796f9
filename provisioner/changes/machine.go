package changes

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
)

// machine is one that has an image and nothing else: what the plans of both configurations are computed for.
type machine struct {
	image *image.Image
	known bool // the image was named, not assumed
	meta  schema.Metadata
	root  tree
}

func machineOf(in Input) *machine {
	m := &machine{image: in.Image, known: in.Image != nil, meta: in.Meta}
	if m.image == nil {
		m.image = assumed(in.Old, in.New)
	}
	m.root = treeOf(m.image)
	return m
}

// assumed is an image that has what configurations take for granted: the accounts and units that they name and do
// not make.
func assumed(configs ...*schema.Config) *image.Image {
	im := &image.Image{DefaultUser: "core", Users: []image.User{{Name: "root", Home: "/root", Shell: "/bin/sh"}}, Groups: []image.Group{{Name: "root"}}}
	made := map[string]bool{"": true, "root": true, "core": true}
	for _, c := range configs {
		for _, u := range c.Users {
			made[u.Name.V] = true
		}
	}
	// These ids are given to nobody: systemd.io/UIDS-GIDS.
	const first = 62000
	have := map[string]bool{}
	user := func(name string) {
		if !made[name] && !have["u "+name] && !isNumber(name) {
			have["u "+name] = true
			im.Users = append(im.Users, image.User{Name: name, UID: first + len(im.Users), GID: 65534, Home: "/nonexistent", Shell: "/bin/sh"})
		}
	}
	group := func(name string) {
		if !made[name] && !have["g "+name] && !isNumber(name) {
			have["g "+name] = true
			im.Groups = append(im.Groups, image.Group{Name: name, GID: first + len(im.Groups)})
		}
	}
	unit := func(name string) {
		if !have["unit "+name] {
			have["unit "+name] = true
			im.Units = append(im.Units, image.Unit{Name: name, Install: []string{"WantedBy=multi-user.target"}})
		}
	}
	for _, c := range configs {
		for _, g := range c.Groups {
			made[g.Name.V] = true // no user has this name, or the text would have been refused
		}
	}
	for _, name := range []string{"sudo", "wheel", "docker", "shadow", "systemd-network"} {
		group(name)
	}
	for _, c := range configs {
		for _, f := range c.Files {
			owner, of, _ := strings.Cut(f.Owner.V, ":")
			user(owner)
			group(of)
		}
		for _, g := range c.Groups {
			for _, member := range g.Members {
				user(member.V)
			}
		}
		for _, u := range c.Users {
			group(u.PrimaryGroup.V)
			for _, g := range u.Groups {
				group(g.V)
			}
		}
		for _, u := range c.Units {
			if u.Name.V != "" && !language.IsNetworkFile(u.Name.V) {
				unit(u.Name.V)
			}
		}
	}
	for _, name := range []string{"locksmithd.service", "update-engine.service"} {
		unit(name)
	}
	return im
}

func isNumber(name string) bool { return strings.Trim(name, "0123456789") == "" }

// plan computes what a configuration makes of the machine.
func (m *machine) plan(c *schema.Config) (plan.Plan, diag.List, error) {
	now := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // no date is compared
	in := plan.Input{Config: c, Network: c.Network, Meta: m.meta, DefaultUser: m.image.DefaultUser, Imported: map[string][]string{}, Facts: plan.Facts{Now: now, Built: now}}
	if in.DefaultUser == "" {
		in.DefaultUser = "core"
	}
	for _, url := range plan.Imports(c) {
		in.Imported[url] = nil // fetched at boot; who they are for is told by the configuration
	}
	const rounds = 256 // each finds what the one before made it look for
	for range rounds {
		p, found := plan.Compute(in)
		if len(p.Unseen) == 0 {
			return p, m.findings(found), nil
		}
		if err := facts.Look(m.root, &in.Facts, p.Unseen); err != nil {
			return p, nil, err
		}
	}
	return plan.Plan{}, nil, errors.New("the units lead from one to the next without an end")
}

// findings are what plan would refuse on this image: nothing where it is only assumed, and nothing that is about
// what is not known here.
func (m *machine) findings(found diag.List) diag.List {
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool {
		return !m.known || d.Severity != diag.Error || d.Rule == rules.VariableMissing || d.Rule == rules.ImportMissing || d.Rule == rules.Hostname
	})
}

// tree is a file system in memory that can only be looked at.
type tree struct {
	fsroot.FS // the operations that change something: there are none
	nodes     map[string]node
	names     map[string][]string // in each directory, sorted
}

type node struct {
	kind   fsroot.Kind
	data   string
	target string
	mode   uint32
}

// treeOf is the files that an image has, as far as a profile knows them.
func treeOf(im *image.Image) tree {
	t := tree{nodes: map[string]node{".": {kind: fsroot.Directory, mode: 0o755}}, names: map[string][]string{}}
	var passwd, shadow, group strings.Builder
	for _, u := range im.Users {
		passwd.WriteString(account(u))
		hash := "*"
		if u.Password {
			hash = "x" // that there is one; which, nobody needs to know
		}
		shadow.WriteString(u.Name + ":" + hash + ":20000:0:99999:7:::\n")
		if u.Home != "/" && strings.HasPrefix(u.Home, "/") && u.Home != "/nonexistent" {
			t.directory(strings.TrimPrefix(path.Clean(u.Home), "/"))
		}
	}
	for _, g := range im.Groups {
		group.WriteString(membership(g))
	}
	for dir, names := range im.Directories {
		for _, name := range names {
			p := strings.TrimPrefix(path.Join(dir, name), "/")
			if strings.HasSuffix(name, "/") {
				t.directory(p)
			} else if strings.HasPrefix(dir, "/etc") && !strings.HasPrefix(dir, "/etc/skel") && !strings.HasPrefix(dir, "/etc/systemd/system") {
				t.put(p, node{kind: fsroot.Regular, mode: 0o644})
			}
		}
	}
	for _, u := range im.Units {
		p := "usr/lib/systemd/system/" + u.Name
		switch {
		case u.Masked:
			t.put(p, node{kind: fsroot.Link, target: "/dev/null"})
		case u.Alias != "":
			t.put(p, node{kind: fsroot.Link, target: u.Alias})
		case len(u.Install) > 0:
			t.put(p, node{kind: fsroot.Regular, mode: 0o644, data: "[Install]\n" + strings.Join(u.Install, "\n") + "\n"})
		default:
			t.put(p, node{kind: fsroot.Regular, mode: 0o644, data: "[Unit]\n"})
		}
	}
	t.put("etc/passwd", node{kind: fsroot.Regular, mode: 0o644, data: passwd.String()})
	t.put("etc/shadow", node{kind: fsroot.Regular, mode: 0o640, data: shadow.String()})
	t.put("etc/group", node{kind: fsroot.Regular, mode: 0o644, data: group.String()})
	for _, dir := range []string{"etc/systemd/system", "etc/systemd/network", "home", "root", "run", "tmp", "var", "opt", "srv"} {
		t.directory(dir)
	}
	for dir := range t.names {
		slices.Sort(t.names[dir])
	}
	return t
}

func (t *tree) directory(p string) {
	if _, there := t.nodes[p]; !there {
		t.put(p, node{kind: fsroot.Directory, mode: 0o755})
	}
}

func (t *tree) put(p string, n node) {
	if _, there := t.nodes[p]; !there {
		dir := path.Dir(p)
		t.directory(dir)
		t.names[dir] = append(t.names[dir], path.Base(p))
	}
	t.nodes[p] = n
}

// Stat looks at a path; there are no links to directories in a tree.
func (t tree) Stat(p string) (fsroot.Info, error) {
	n, there := t.nodes[p]
	if !there {
		return fsroot.Info{Kind: fsroot.Absent, Real: p}, nil
	}
	return fsroot.Info{Kind: n.kind, Attr: fsroot.Attr{Mode: n.mode}, Size: int64(len(n.data)), Target: n.target, Real: p}, nil
}

// ReadFile is the content of a file.
func (t tree) ReadFile(p string, _ int64) ([]byte, fsroot.Info, error) {
	info, _ := t.Stat(p)
	switch info.Kind {
	case fsroot.Regular:
		return []byte(t.nodes[p].data), info, nil
	case fsroot.Absent:
		return nil, info, &fs.PathError{Op: "read", Path: p, Err: fs.ErrNotExist}
	}
	return nil, info, &fs.PathError{Op: "read", Path: p, Err: syscall.EISDIR}
}

// ReadDir is the names in a directory.
func (t tree) ReadDir(p string) ([]string, error) {
	if t.nodes[p].kind != fsroot.Directory {
		return nil, &fs.PathError{Op: "list", Path: p, Err: fs.ErrNotExist}
	}
	return t.names[p], nil
}

// Volume is the same for all.
func (t tree) Volume(string) (fsroot.Volume, error) { return fsroot.Volume{ID: 1, Top: "."}, nil }
