package plan_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// disk is a machine's file system in memory.
type disk map[string]node

type node struct {
	kind   fsroot.Kind
	data   string
	target string
	attr   fsroot.Attr
	volume fsroot.Volume
}

// newDisk makes a disk of contents by path, root's and 0644; "-> target" is a link, and a path that ends in a
// slash a directory. Directories above are there too.
func newDisk(files map[string]string) disk {
	d := disk{".": {kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o755}}}
	for p, content := range files {
		target, link := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(p, "/"):
			d.mkdir(strings.TrimSuffix(p, "/"))
		case link:
			d.put(p, node{kind: fsroot.Link, target: target})
		default:
			d.put(p, node{kind: fsroot.Regular, data: content, attr: fsroot.Attr{Mode: 0o644}})
		}
	}
	return d
}

func (d disk) put(p string, n node) {
	d.mkdir(path.Dir(p))
	d[p] = n
}

func (d disk) mkdir(p string) {
	for ; p != "."; p = path.Dir(p) {
		if _, there := d[p]; !there {
			d[p] = node{kind: fsroot.Directory, attr: fsroot.Attr{Mode: 0o755}}
		}
	}
}

// real resolves the links among the parents of a path.
func (d disk) real(p string) string {
	if p == "." {
		return p
	}
	dir := d.real(path.Dir(p))
	for n := d[dir]; n.kind == fsroot.Link; n = d[dir] {
		to := n.target
		if !path.IsAbs(to) {
			to = path.Join("/", path.Dir(dir), to)
		}
		dir = d.real(strings.TrimPrefix(path.Clean(to), "/"))
	}
	return path.Join(dir, path.Base(p))
}

// seen is what package facts would see.
func (d disk) seen(p string) *plan.Seen {
	real := d.real(p)
	n, there := d[real]
	s := &plan.Seen{Info: fsroot.Info{Kind: fsroot.Absent, Real: real}}
	for dir := real; s.Volume.Top == ""; dir = path.Dir(dir) {
		s.Volume = d[dir].volume
		if dir == "." {
			break
		}
	}
	if !there {
		return s
	}
	s.Kind, s.Target, s.Attr = n.kind, n.target, n.attr
	if n.kind == fsroot.Regular {
		s.Size, s.Data, s.SHA256 = int64(len(n.data)), []byte(n.data), plan.Digest([]byte(n.data))
	}
	return s
}

// directory is what package facts would see at a path that others are below: a link to a directory is that.
func (d disk) directory(p string) *plan.Seen {
	s := d.seen(p)
	for range 8 {
		if s.Kind != fsroot.Link {
			break
		}
		to := s.Target
		if !path.IsAbs(to) {
			to = path.Join("/", path.Dir(s.Real), to)
		}
		s = d.seen(strings.TrimPrefix(path.Clean(to), "/"))
	}
	if s.Kind != fsroot.Directory {
		return d.seen(p)
	}
	return s
}

// list is the names in a directory.
func (d disk) list(dir string) []string {
	names := []string{}
	real := d.real(path.Join(dir, "x"))
	for p := range d {
		if p != "." && path.Dir(p) == path.Dir(real) {
			names = append(names, path.Base(p))
		}
	}
	slices.Sort(names)
	return names
}

// compute looks and computes until the plan is finished.
func (d disk) compute(t *testing.T, in plan.Input) (plan.Plan, diag.List) {
	t.Helper()
	in.Facts.Paths = map[string]*plan.Seen{}
	for range 50 {
		p, diags := plan.Compute(in)
		if len(p.Unseen) == 0 {
			return p, diags
		}
		for _, u := range p.Unseen {
			dir, list := strings.CutSuffix(u, "/")
			for above := dir; above != "."; above = path.Dir(above) {
				in.Facts.Paths[above] = d.directory(above)
			}
			s := d.seen(dir)
			if list && s.Kind == fsroot.Directory {
				s.Entries = d.list(dir)
			}
			in.Facts.Paths[dir] = s
		}
	}
	t.Fatal("the plan is never finished")
	return plan.Plan{}, nil
}

// apply makes the changes of a plan.
func (d disk) apply(p plan.Plan) {
	for _, c := range slices.Concat(p.Changes, p.Runtime) {
		at := d.real(c.Path)
		switch c.Kind {
		case plan.Remove:
			delete(d, at)
		case plan.MakeDirectory:
			d.put(at, node{kind: fsroot.Directory, attr: c.Attr})
		case plan.MakeLink:
			d.put(at, node{kind: fsroot.Link, target: c.Target})
		default:
			d.put(at, node{kind: fsroot.Regular, data: string(c.Data), attr: c.Attr})
		}
	}
}

// applied computes, expects no finding, applies, and expects a second plan to have no change left.
func (d disk) applied(t *testing.T, in plan.Input) plan.Plan {
	t.Helper()
	p, diags := d.compute(t, in)
	for _, f := range diags {
		t.Errorf("unexpected finding %s: %s", f.Rule.ID, f.Summary)
	}
	d.apply(p)
	again, _ := d.compute(t, in)
	for _, c := range slices.Concat(again.Changes, again.Runtime) {
		t.Errorf("a second plan still has %s %s: %q", c.Kind, c.Path, c.Data)
	}
	return p
}

// content is a file as it is on the disk, "-> target" for a link, "(none)" if nothing is there.
func (d disk) content(p string) string {
	switch n, there := d[d.real(p)]; {
	case !there:
		return "(none)"
	case n.kind == fsroot.Link:
		return "-> " + n.target
	default:
		return n.data
	}
}

// findings are "severity rule" of each.
func findings(l diag.List) []string {
	var out []string
	for _, f := range l {
		out = append(out, f.Severity.String()+" "+f.Rule.ID)
	}
	return out
}

// val is a value as if it were written on a line of user-data.
func val[T any](v T, line ...int) schema.Value[T] {
	l := 1
	if len(line) > 0 {
		l = line[0]
	}
	return schema.Value[T]{V: v, Set: true, At: at(l)}
}

func at(line int) source.Range {
	return source.Range{File: "user-data", Start: source.Pos{Line: line, Column: 1}, End: source.Pos{Line: line, Column: 2}}
}
