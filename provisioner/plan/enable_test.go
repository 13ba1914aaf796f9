package plan_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

const lib = "usr/lib/systemd/system/"

// enableTests are units and the links that enabling one makes, as systemd 252 does.
var enableTests = []struct {
	name    string
	disk    map[string]string
	unit    string
	content string // what the configuration gives the unit
	runtime bool
	links   map[string]string
	want    []string // findings
	foreign string   // why systemctl does something else
}{
	{
		name: "content of the configuration", unit: "web.service", content: "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
		links: map[string]string{"etc/systemd/system/multi-user.target.wants/web.service": "/etc/systemd/system/web.service"},
	},
	{
		name: "a unit of the machine's, with everything",
		disk: map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target g.target\nRequiredBy=x.target\nAlias=aa.service\n"},
		unit: "a.service",
		links: map[string]string{
			"etc/systemd/system/m.target.wants/a.service":    "/" + lib + "a.service",
			"etc/systemd/system/g.target.wants/a.service":    "/" + lib + "a.service",
			"etc/systemd/system/x.target.requires/a.service": "/" + lib + "a.service",
			"etc/systemd/system/aa.service":                  "/" + lib + "a.service",
		},
	},
	{
		name: "for this boot", disk: map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target\n"}, unit: "a.service", runtime: true,
		links: map[string]string{"run/systemd/system/m.target.wants/a.service": "/" + lib + "a.service"},
	},
	{
		name: "Also, to and fro",
		disk: map[string]string{lib + "b.service": "[Install]\nWantedBy=m.target\nAlso=b.socket\n", lib + "b.socket": "[Install]\nWantedBy=sockets.target\nAlso=b.service\n"},
		unit: "b.service",
		links: map[string]string{
			"etc/systemd/system/m.target.wants/b.service":      "/" + lib + "b.service",
			"etc/systemd/system/sockets.target.wants/b.socket": "/" + lib + "b.socket",
		},
	},
	{
		name: "Also alone", disk: map[string]string{lib + "c.service": "[Install]\nAlso=b.socket\n", lib + "b.socket": "[Install]\nWantedBy=sockets.target\n"}, unit: "c.service",
		links: map[string]string{"etc/systemd/system/sockets.target.wants/b.socket": "/" + lib + "b.socket"},
	},
	{
		name: "Also of what is not there is a warning", disk: map[string]string{lib + "c.service": "[Install]\nWantedBy=m.target\nAlso=gone.socket\n"}, unit: "c.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/c.service": "/" + lib + "c.service"}, want: []string{"warning unit-missing"},
	},
	{
		name: "an instance of a template", disk: map[string]string{lib + "t-u@.service": "[Install]\nWantedBy=%i.target %p.target %j.target %N.target\nAlias=tt@.service\n"}, unit: "t-u@one.service",
		links: map[string]string{
			"etc/systemd/system/one.target.wants/t-u@one.service":     "/" + lib + "t-u@.service",
			"etc/systemd/system/t-u.target.wants/t-u@one.service":     "/" + lib + "t-u@.service",
			"etc/systemd/system/u.target.wants/t-u@one.service":       "/" + lib + "t-u@.service",
			"etc/systemd/system/t-u@one.target.wants/t-u@one.service": "/" + lib + "t-u@.service",
			"etc/systemd/system/tt@one.service":                       "/" + lib + "t-u@.service",
		},
	},
	{
		name: "the instance that a template has by default", disk: map[string]string{lib + "t@.service": "[Install]\nWantedBy=m.target\nAlias=tt@.service\nDefaultInstance=def\n"}, unit: "t@.service",
		links: map[string]string{
			"etc/systemd/system/m.target.wants/t@def.service": "/" + lib + "t@.service",
			"etc/systemd/system/tt@.service":                  "/" + lib + "t@.service",
		},
	},
	{
		name: "the default instance has a file of its own", disk: map[string]string{lib + "e@.service": "[Install]\nWantedBy=m.target\nDefaultInstance=a\n", lib + "e@a.service": "[Service]\n"}, unit: "e@.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/e@a.service": "/" + lib + "e@.service"},
	},
	{
		name: "a template without an instance", disk: map[string]string{lib + "u@.service": "[Install]\nWantedBy=m.target\n"}, unit: "u@.service",
		want: []string{"error unit-install"},
	},
	{
		name: "a template for a template", disk: map[string]string{lib + "v@.service": "[Install]\nWantedBy=slot@.target\n"}, unit: "v@.service",
		links: map[string]string{"etc/systemd/system/slot@.target.wants/v@.service": "/" + lib + "v@.service"},
	},
	{
		name: "a drop-in adds an [Install] section", disk: map[string]string{lib + "d.service": "[Service]\n", lib + "d.service.d/i.conf": "[Install]\nWantedBy=m.target\n"}, unit: "d.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/d.service": "/" + lib + "d.service"},
	},
	{
		name: "a drop-in starts a list anew",
		disk: map[string]string{
			lib + "d.service": "[Install]\nWantedBy=old.target\n", "etc/systemd/system/d.service.d/i.conf": "[Install]\nWantedBy=\nWantedBy=m.target\n",
			lib + "d.service.d/i.conf": "[Install]\nWantedBy=hidden.target\n",
		},
		unit:  "d.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/d.service": "/" + lib + "d.service"},
	},
	{
		name: "drop-ins count in the order of their names, whatever their directory",
		disk: map[string]string{
			lib + "d.service": "[Service]\n", lib + "d.service.d/9.conf": "[Install]\nWantedBy=\nWantedBy=m.target\n",
			"etc/systemd/system/d.service.d/1.conf": "[Install]\nWantedBy=old.target\n", "etc/systemd/system/d.service.d/5.conf": "[Install]\nWantedBy=older.target\n", lib + "d.service.d/99.off": "[Install]\nWantedBy=off.target\n",
		},
		unit:  "d.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/d.service": "/" + lib + "d.service"},
	},
	{
		name: "a drop-in of the template", disk: map[string]string{lib + "e@.service": "[Service]\n", "etc/systemd/system/e@.service.d/z.conf": "[Install]\nWantedBy=m.target\n"}, unit: "e@x.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/e@x.service": "/" + lib + "e@.service"},
	},
	{
		name: "by another name", disk: map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target\n", lib + "alias.service": "-> a.service"}, unit: "alias.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/a.service": "/" + lib + "a.service"},
	},
	{
		name: "an instance by another name", disk: map[string]string{lib + "t@.service": "[Install]\nWantedBy=m.target\n", lib + "alias@.service": "-> t@.service"}, unit: "alias@q.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/t@q.service": "/" + lib + "t@.service"},
	},
	{
		name: "a linked unit", disk: map[string]string{"opt/l.service": "[Install]\nWantedBy=m.target\n", "etc/systemd/system/l.service": "-> /opt/l.service"}, unit: "l.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/l.service": "/opt/l.service"},
	},
	{
		name: "the old way to have a dependency as an alias, and a list begun anew", disk: map[string]string{lib + "q.service": "[Install]\nWantedBy=\"quoted.target\" other.target\nWantedBy=\nWantedBy=last.target\nAlias=foo.target.wants/q.service\n"}, unit: "q.service",
		links: map[string]string{
			"etc/systemd/system/foo.target.wants/q.service":  "/" + lib + "q.service",
			"etc/systemd/system/last.target.wants/q.service": "/" + lib + "q.service",
		},
	},
	{
		name: "aliases that cannot be", disk: map[string]string{lib + "bad.service": "[Install]\nAlias=bad.socket bad2@.service bad3.service ../x.service\n"}, unit: "bad.service",
		links: map[string]string{"etc/systemd/system/bad3.service": "/" + lib + "bad.service"},
		want:  []string{"error unit-install", "error unit-install", "error unit-install"},
	},
	{
		name: "names that are none", disk: map[string]string{lib + "bad.service": "[Install]\nWantedBy=no-suffix ok.target %I.target x%%.target x% ../../x.target\n"}, unit: "bad.service",
		links: map[string]string{"etc/systemd/system/ok.target.wants/bad.service": "/" + lib + "bad.service"},
		want:  slices.Repeat([]string{"error unit-install"}, 5),
	},
	{
		name: "an alias that is the unit itself", disk: map[string]string{lib + "self.service": "[Install]\nAlias=self.service\n"}, unit: "self.service",
	},
	{
		name: "a mount has no other names", disk: map[string]string{lib + "m.mount": "[Install]\nAlias=mm.mount\nWantedBy=x.target\n"}, unit: "m.mount",
		links: map[string]string{"etc/systemd/system/x.target.wants/m.mount": "/" + lib + "m.mount"}, want: []string{"error unit-install"},
	},
	{
		name: "a file stands where a link belongs", disk: map[string]string{lib + "a.service": "[Install]\nAlias=theirs.service\nWantedBy=m.target\n", "etc/systemd/system/theirs.service": "[Service]\n"}, unit: "a.service",
		links: map[string]string{"etc/systemd/system/m.target.wants/a.service": "/" + lib + "a.service"}, want: []string{"error unit-install"},
	},
	{
		name: "a link to something else is made anew", disk: map[string]string{lib + "a.service": "[Install]\nAlias=b.service\n", lib + "other.service": "[Service]\n", "etc/systemd/system/b.service": "-> /" + lib + "other.service"}, unit: "a.service",
		links: map[string]string{"etc/systemd/system/b.service": "/" + lib + "a.service"},
	},
	{
		name: "a link in other words stays", disk: map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target\n", "etc/systemd/system/m.target.wants/a.service": "-> ../../../../usr/lib/systemd/system/a.service"}, unit: "a.service",
	},
	{
		name: "a link through another name of the directory stays", disk: map[string]string{"lib": "-> usr/lib", lib + "a.service": "[Install]\nWantedBy=m.target\n", "etc/systemd/system/m.target.wants/a.service": "-> /lib/systemd/system/a.service"}, unit: "a.service",
	},
	{
		name: "no [Install] section in the configuration, which the text's own findings say", unit: "n.service", content: "[Service]\nExecStart=/bin/true\n",
	},
	{
		name: "no [Install] section", disk: map[string]string{lib + "n.service": "[Service]\n"}, unit: "n.service", want: []string{"warning unit-no-install"},
	},
	{name: "nowhere", unit: "nowhere.service", want: []string{"error unit-missing"}},
	{
		name: "masked", disk: map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target\n", "etc/systemd/system/a.service": "-> /dev/null"}, unit: "a.service", want: []string{"error unit-masked"},
	},
	{name: "an empty file masks", disk: map[string]string{lib + "a.service": ""}, unit: "a.service", want: []string{"error unit-masked"}},
	{
		name: "links in a circle", disk: map[string]string{lib + "a.service": "-> b.service", lib + "b.service": "-> a.service"}, unit: "a.service", want: []string{"error unit-missing"},
	},
	{
		name: "UpheldBy", disk: map[string]string{lib + "a.service": "[Install]\nUpheldBy=y.target\n"}, unit: "a.service",
		links:   map[string]string{"etc/systemd/system/y.target.upholds/a.service": "/" + lib + "a.service"},
		foreign: "known from systemd 254 on",
	},
	{
		name: "a network file", unit: "10-a.network", content: "[Match]\nName=a\n", want: []string{"warning network-enable"},
		foreign: "it is none of systemctl's",
	},
}

func TestEnable(t *testing.T) {
	for _, tt := range enableTests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			u := unit(tt.unit, tt.content)
			u.Enable = val(true)
			u.Runtime = schema.Value[bool]{V: tt.runtime}
			in := plan.Input{Config: &schema.Config{Units: []schema.Unit{u}}}
			p, diags := d.compute(t, in)
			got := map[string]string{}
			for _, c := range p.Changes {
				if c.Kind == plan.MakeLink {
					got[c.Path] = c.Target
				}
			}
			if want := tt.links; !maps.Equal(got, want) {
				t.Errorf("links %v\nwant  %v", got, want)
			}
			if got := findings(diags); !slices.Equal(got, tt.want) {
				t.Errorf("findings %q, want %q", got, tt.want)
			}
			d.apply(p)
			if again, _ := d.compute(t, in); len(again.Changes) > 0 {
				t.Errorf("a second plan has %d changes", len(again.Changes))
			}
			if len(p.Jobs) > 0 {
				t.Errorf("enabling starts %v", p.Jobs)
			}
		})
	}
}

func TestEnableWithWhatComesLaterInTheConfiguration(t *testing.T) {
	a, b := unit("a.service", "[Install]\nWantedBy=m.target\nAlso=b.socket\n"), unit("b.socket", "[Socket]\n")
	a.Enable = val(true)
	b.DropIns = []schema.DropIn{{At: at(2), Name: val("i.conf"), Content: val("[Install]\nWantedBy=sockets.target\n")}}
	d := newDisk(nil)
	d.applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{a, b}}})
	if got, want := d.content("etc/systemd/system/sockets.target.wants/b.socket"), "-> /etc/systemd/system/b.socket"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnableWhatTheConfigurationMasks(t *testing.T) {
	u := unit("a.service", "")
	u.Enable, u.Mask = val(true), val(true)
	p, diags := newDisk(map[string]string{lib + "a.service": "[Install]\nWantedBy=m.target\n"}).compute(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{u}}})
	if got := findings(diags); !slices.Equal(got, []string{"error unit-masked"}) {
		t.Errorf("got %q", got)
	}
	if last := p.Changes[len(p.Changes)-1]; last.Target != "/dev/null" {
		t.Errorf("got %+v", last)
	}
}

// write puts a disk into a directory of the host.
func (d disk) write(t *testing.T, root string) {
	t.Helper()
	for _, p := range slices.Sorted(maps.Keys(d)) {
		to := filepath.Join(root, p)
		var err error
		switch n := d[p]; n.kind {
		case fsroot.Directory:
			err = os.MkdirAll(to, 0o755)
		case fsroot.Link:
			err = os.Symlink(n.target, to)
		default:
			err = os.WriteFile(to, []byte(n.data), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// linksIn are the links below a directory of the host, by path.
func linksIn(t *testing.T, root string) map[string]string {
	t.Helper()
	links := map[string]string{}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.Type() != fs.ModeSymlink {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		links[rel], err = os.Readlink(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return links
}

// TestEnableAsSystemctl holds the table against the tool itself.
func TestEnableAsSystemctl(t *testing.T) {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil {
		missing(t, "systemctl is not installed")
	}
	for _, tt := range enableTests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.foreign != "" {
				t.Skip(tt.foreign)
			}
			t.Parallel()
			root := t.TempDir()
			d := newDisk(tt.disk)
			d.mkdir("etc/systemd/system")
			d.mkdir(path.Clean(lib))
			if tt.content != "" {
				d.put("etc/systemd/system/"+tt.unit, node{kind: fsroot.Regular, data: tt.content})
			}
			d.write(t, root)
			want := linksIn(t, root)
			maps.Copy(want, tt.links)

			args := []string{"--root=" + root, "enable", "--force", tt.unit}
			if tt.runtime {
				args = append(args, "--runtime")
			}
			out, err := exec.Command(systemctl, args...).CombinedOutput()
			refused := slices.ContainsFunc(tt.want, func(f string) bool { return strings.HasPrefix(f, "error") })
			if (err != nil) != refused && tt.unit != "m.mount" { // systemctl logs a mount's alias and goes on
				t.Errorf("systemctl ends with %v, and we have %q:\n%s", err, tt.want, out)
			}
			if got := linksIn(t, root); !maps.Equal(got, want) {
				t.Errorf("systemctl makes %v\nwe say         %v\n%s", got, want, out)
			}
		})
	}
}

// TestMaskAsSystemctl compares a mask, lasting and for this boot.
func TestMaskAsSystemctl(t *testing.T) {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil {
		missing(t, "systemctl is not installed")
	}
	for name, runtime := range map[string]bool{"for good": false, "for this boot": true} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := t.TempDir(), t.TempDir()
			d := newDisk(map[string]string{lib + "a.service": "[Service]\n"})
			d.write(t, theirs)
			u := unit("a.service", "")
			u.Mask, u.Runtime = val(true), schema.Value[bool]{V: runtime}
			d.applied(t, plan.Input{Config: &schema.Config{Units: []schema.Unit{u}}})
			d.write(t, ours)
			args := []string{"--root=" + theirs, "mask", "a.service"}
			if runtime {
				args = append(args, "--runtime")
			}
			if out, err := exec.Command(systemctl, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got, want := linksIn(t, ours), linksIn(t, theirs); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// missing skips a test that needs something this machine lacks; on CI a missing thing is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
