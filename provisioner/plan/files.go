package plan

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// files plans write_files in two rounds: first the entries that replace a file, and, when everything else is
// planned, the deferred ones and those that append. So what is appended follows whatever else this plan puts
// into the file.
func (c *computation) files(deferred bool) {
	c.filing = true
	defer func() { c.filing = false }()
	if !deferred {
		c.pathsOnce()
	}
	for i := range c.Config.Files {
		if f := &c.Config.Files[i]; !f.Append.V && f.Defer.V == deferred {
			c.replace(f)
		}
	}
	if deferred {
		c.appends()
	}
}

// pathsOnce reports an entry that would replace what an earlier one has written. Equal spellings never come
// this far; here are the paths that a link makes one.
func (c *computation) pathsOnce() {
	first := map[string]*schema.File{}
	for i := range c.Config.Files {
		f := &c.Config.Files[i]
		p := relative(f.Path.V)
		id := c.identity(p)
		switch earlier := first[id]; {
		case earlier == nil:
			first[id] = f
		case !f.Append.V:
			d := c.report(rules.PathTwice, f.Path.At, "%q and %q are the same file", earlier.Path.V, f.Path.V)
			d.Related = []diag.Related{{Message: "the other one", At: earlier.Path.At}}
		}
	}
}

// replace plans an entry that is the whole file.
func (c *computation) replace(f *schema.File) {
	attr, ok := c.owner(f.Owner, fsroot.Attr{Mode: f.Mode.V})
	if !ok {
		return
	}
	p := relative(f.Path.V)
	if cl := c.claimAt(p); cl != nil && cl.asked.IsZero() && len(cl.want.Records) > 0 {
		c.report(rules.FileOverrides, f.Path.At, "%q replaces a file of accounts", f.Path.V)
	}
	c.putFile(f, Change{
		Kind: WriteFile, Path: p, Attr: attr, Data: c.fileContent(f),
		Secret: f.Secret, Why: []source.Range{f.At},
	})
}

// appends plans the entries that add to a file. It can be told from the file alone what of them is there
// already: if the file ends with the contents of the first few entries for it, one after the other, only the
// rest is added.
func (c *computation) appends() {
	entries := map[string][]*schema.File{}
	var order []string
	for i := range c.Config.Files {
		f := &c.Config.Files[i]
		if !f.Append.V {
			continue
		}
		p := relative(f.Path.V)
		id := c.identity(p)
		if entries[id] == nil {
			order = append(order, id)
		}
		entries[id] = append(entries[id], f)
	}
	for _, id := range order {
		c.appendAll(entries[id])
	}
}

// appendAll plans all that is appended to one file.
func (c *computation) appendAll(entries []*schema.File) {
	first := entries[0]
	want := Change{Kind: WriteFile, Path: relative(first.Path.V), Attr: fsroot.Attr{Mode: 0o644}}
	s := c.see(want.Path)
	planned := c.claims[realPath(want.Path, s)]
	if c.isKept(want.Path) {
		return
	}
	switch {
	case planned != nil && planned.want.Kind == WriteFile:
		want.Attr, want.Data = planned.want.Attr, planned.want.Data
		want.Secret, want.Records, want.Origin = planned.want.Secret, planned.want.Records, planned.want.Origin
	case planned != nil || s.Kind == fsroot.Link:
		c.report(rules.AppendTarget, first.Path.At, "nothing can be appended to %q, which is a link", first.Path.V)
		return
	case s.Kind == fsroot.Regular && s.Data == nil && s.Size > 0:
		c.report(rules.AppendTarget, first.Path.At, "nothing can be appended to %q, which has %d bytes", first.Path.V, s.Size)
		return
	case s.Kind == fsroot.Regular:
		want.Attr, want.Data = s.Attr, s.Data
		want.Secret = s.Attr.Mode&0o004 == 0
	}
	var all []byte
	ends := []int{0} // where the content of each entry ends in all
	for _, f := range entries {
		all = append(all, c.fileContent(f)...)
		ends = append(ends, len(all))
		if f.Mode.Set {
			want.Attr.Mode = f.Mode.V
		}
		attr, ok := c.owner(f.Owner, want.Attr)
		if !ok {
			return
		}
		want.Attr = attr
		want.Secret = want.Secret || f.Secret
		want.Why = append(want.Why, f.At)
	}
	there := 0
	if planned == nil || planned.asked.IsZero() {
		if want.Data, there = c.tail(want.Path, want.Data, all); there < 0 {
			return
		}
		for _, end := range ends {
			if end > there && bytes.HasSuffix(want.Data, all[:end]) {
				there = end
			}
		}
		want.Records = append([]Record{}, want.Records...) // the rest of the file is not ours
		if there < len(all) {
			r := Record{Name: "end of file", Action: "added", Detail: count(lineCount(all[there:]), "line"), Why: want.Why}
			want.Records = append(want.Records, r)
		}
	}
	want.Data = append(slices.Clip(want.Data), all[there:]...)
	c.putFile(first, want)
}

// tail compares what is to be appended with what was: it gives the text without that, or how much of all is in it
// already; there is -1 if the text is to be left as it is. What others have appended since is no reason to append anything
// once more.
func (c *computation) tail(p string, text, all []byte) (rest []byte, there int) {
	last, known := c.ledger.records[recordID{p, TailForm, tailName}]
	wanted := string(all)
	if known && bytes.Contains(text, all) || bytes.HasSuffix(text, all) {
		c.hold(p, TailForm, tailName, wanted, &wanted)
		return text, len(all)
	}
	var found *string
	if known {
		if found = tail(last, text); found != nil && Digest([]byte(*found)) != last.SHA256 {
			found = nil
		}
	}
	if !c.hold(p, TailForm, tailName, wanted, found) {
		return text, -1
	}
	if found != nil {
		text = slices.Clip(text[:len(text)-last.Size])
	}
	return text, 0
}

// putFile puts a change and marks the path as one that the user named.
func (c *computation) putFile(f *schema.File, want Change) {
	c.put(&want)
	if cl := c.claimAt(want.Path); cl != nil {
		cl.asked = f.Path.At
	}
}

// fileContent is what an entry says, variables replaced unless it came encoded.
func (c *computation) fileContent(f *schema.File) []byte {
	if f.Encoded {
		return f.Content.V
	}
	return c.content(f.Content.V, f.Content.At, f.Template.V)
}

// owner reads "user", "user:group", "user:" (the login group) and ":group" as chown(1) does, against the
// accounts as they will be; what it does not say stays as in attr.
func (c *computation) owner(owner schema.Value[string], attr fsroot.Attr) (fsroot.Attr, bool) {
	name, group, colon := strings.Cut(owner.V, ":")
	if name != "" {
		uid, login, _, ok := c.users.user(name)
		if !ok {
			uid, ok = number(name)
			login = -1
		}
		switch {
		case !ok:
			c.report(rules.OwnerUnknown, owner.At, "there is no user %q", name)
			return attr, false
		case colon && group == "" && login < 0:
			c.report(rules.OwnerUnknown, owner.At, "%s is a number, which has no login group", name)
			return attr, false
		case colon && group == "":
			attr.GID = login
		}
		attr.UID = uid
	}
	if group != "" {
		gid, ok := c.users.group(group)
		if !ok {
			gid, ok = number(group)
		}
		if !ok {
			c.report(rules.OwnerUnknown, owner.At, "there is no group %q", group)
			return attr, false
		}
		attr.GID = gid
	}
	return attr, true
}

// number reads the id of a user or group.
func number(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return int(n), err == nil && n < 1<<32-1
}

// relative is an absolute path of the language as the plan writes it.
func relative(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// will is what will be at a path if the plan ends here: planned, else seen.
func (c *computation) will(p string) (kind fsroot.Kind, target string) {
	s := c.see(p)
	cl := c.claims[realPath(p, s)]
	if cl == nil {
		return s.Kind, s.Target
	}
	switch cl.want.Kind {
	case WriteFile:
		return fsroot.Regular, ""
	case MakeDirectory:
		return fsroot.Directory, ""
	case MakeLink:
		return fsroot.Link, cl.want.Target
	default:
		return fsroot.Absent, ""
	}
}

// resolve is the path that a chain of links leads to; p itself if it is no link.
func (c *computation) resolve(p string) string {
	for range maxLinks {
		kind, target := c.will(p)
		if kind != fsroot.Link {
			break
		}
		p = linkTarget(c.identity(p), target)
	}
	return p
}

// maxLinks is how many links are followed in a row.
const maxLinks = 16

// linkTarget is where a link at a path leads, below the root.
func linkTarget(at, target string) string {
	if !path.IsAbs(target) {
		target = path.Join("/", path.Dir(at), target)
	}
	return relative(target)
}

// shared is a file that we own lines in: its content and attributes as they will be without those lines. A
// link is read through, since what is written in its place must have what others have in it. ok is false if
// there is no such file, and attr is then what a new one gets.
func (c *computation) shared(p string) (data []byte, attr fsroot.Attr, ok bool) {
	p = c.resolve(p)
	if data, ok = c.current(p); !ok {
		return nil, fsroot.Attr{Mode: 0o644}, false
	}
	if s := c.see(p); data == nil && s.Size > MaxData {
		c.report(rules.AppendTarget, source.Range{}, "/%s has %d bytes, too many for a settings file", p, s.Size)
	}
	attr, _ = c.attr(p)
	return data, attr, true
}
