package plan

import (
	"path"
	"slices"
	"sort"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/unitfile"
)

// orphans finds what was applied and no configuration has any more. It stays and is listed, or goes with Prune:
// what somebody has changed by hand only with Overwrite too, and what was there before us never. Files go before
// the directories that they are in.
func (c *computation) orphans() {
	if c.Applied == nil {
		return
	}
	if c.Applied.Partial {
		c.rest()
		return
	}
	needed := c.needed()
	for i := range slices.Backward(c.Applied.Items) { // sorted by path: what is in a directory comes first
		switch it := &c.Applied.Items[i]; {
		case it.Kind == MakeDirectory && needed[it.Path]:
			c.stay(*it, c.claimAt(it.Path) == nil)
		case it.Kind == MakeDirectory:
			c.orphanDirectory(it)
		case len(it.Records) > 0:
			c.orphanRecords(it)
		case it.Kind != Remove && c.claimAt(it.Path) == nil && !c.isKept(it.Path):
			c.orphan(it)
		}
	}
	if c.Facts.Live {
		runtime := slices.Clone(c.Applied.Runtime)
		sort.Slice(runtime, func(i, j int) bool { return runtime[i].Path > runtime[j].Path })
		for i := range runtime {
			c.orphanRuntime(&runtime[i])
		}
	}
}

// rest leaves everything that the configuration does not have in the manifest.
func (c *computation) rest() {
	for _, it := range c.Applied.Items {
		if len(it.Records) == 0 {
			c.stay(it, c.claimAt(it.Path) == nil && !c.isKept(it.Path))
		}
	}
	for id, h := range c.ledger.records {
		if _, held := c.ledger.held[id]; !held {
			c.ledger.held[id] = h
		}
	}
}

// needed are the directories above everything that the configuration has.
func (c *computation) needed() map[string]bool {
	needed := map[string]bool{}
	add := func(p string) {
		for dir := path.Dir(p); dir != "." && !needed[dir]; dir = path.Dir(dir) {
			needed[dir] = true
		}
	}
	for _, cl := range c.order {
		if cl.want.Kind != Remove && !cl.dropped {
			add(cl.want.Path)
		}
	}
	for _, it := range c.ledger.kept {
		add(it.Path)
	}
	for id := range c.ledger.held {
		add(id.path)
	}
	return needed
}

// stay leaves an item in the manifest.
func (c *computation) stay(it Item, stays bool) {
	if stays {
		c.ledger.stays = append(c.ledger.stays, it)
	}
}

// orphan is a file or a link.
func (c *computation) orphan(it *Item) {
	s := c.see(it.Path)
	if s.Kind == fsroot.Absent && s.Fault == "" {
		return // nothing is left of it
	}
	left := Left{Kind: it.Kind, Path: it.Path, Before: it.Before, Orphan: true}
	if s.Fault != "" || !it.isApplied(s) {
		left.ByHand = changedByHand
	}
	if c.prunes(left) && isRemovable(s) {
		c.put(&Change{Kind: Remove, Path: it.Path, Origin: OriginPrune})
		c.stop(it.Path)
		return
	}
	c.plan.Orphans = append(c.plan.Orphans, left)
	c.stay(*it, !c.Prune || !it.Before)
}

// prunes says that an orphan goes.
func (c *computation) prunes(l Left) bool {
	return c.Prune && !l.Before && (l.ByHand == "" || c.Overwrite)
}

// isRemovable says that a file or link can go: nothing is refused because of what is only to be tidied up.
func isRemovable(s *Seen) bool {
	return s.Fault == "" && !s.Volume.ReadOnly && (s.Kind == fsroot.Regular || s.Kind == fsroot.Link)
}

// stop asks for the end of a unit whose file goes, if no other file of it is there.
func (c *computation) stop(p string) {
	dir, name := path.Split(p)
	u := splitUnit(name)
	if !slices.Contains(unitPath[:], strings.TrimSuffix(dir, "/")) || !unitfile.ValidName(name) || u.isTemplate() || c.find(name).exists() {
		return
	}
	c.stops = append(c.stops, Job{Unit: name, Action: "stop", Once: true})
}

// orphanDirectory is a directory that we have made: it goes if nothing is left in it, and is not worth a word
// otherwise.
func (c *computation) orphanDirectory(it *Item) {
	s := c.see(it.Path)
	if s.Kind != fsroot.Directory || s.Fault != "" {
		return
	}
	if c.Prune && !s.Volume.ReadOnly && c.isEmptied(it.Path) {
		c.put(&Change{Kind: Remove, Path: it.Path, Origin: OriginPrune})
		return
	}
	c.stay(*it, true)
}

// isEmptied says that the plan removes all that is in a directory.
func (c *computation) isEmptied(dir string) bool {
	return !slices.ContainsFunc(c.list(dir), func(name string) bool {
		cl := c.claimAt(path.Join(dir, name))
		return cl == nil || cl.want.Kind != Remove
	})
}

// orphanRecords are records of a file that others own lines in too. Those of accounts are package accounts' to find.
func (c *computation) orphanRecords(it *Item) {
	cl := c.claimAt(it.Path)
	if cl != nil && cl.want.Records == nil || c.isKept(it.Path) {
		return // the file is wholly somebody's now
	}
	if s := c.see(it.Path); s.Fault != "" || s.Volume.ReadOnly {
		c.stay(*it, true)
		return
	}
	text, there := c.current(it.Path)
	if !there {
		return
	}
	attr, _ := c.attr(it.Path)
	want := Change{Kind: WriteFile, Path: it.Path, Attr: attr, Origin: OriginPrune}
	if cl != nil {
		want.Secret, want.Records, want.Why, want.Origin = cl.want.Secret, cl.want.Records, cl.want.Why, cl.want.Origin
	}
	have := map[Form]map[string]string{}
	going := map[Form]map[string]bool{}
	for _, h := range it.Records {
		id := recordID{it.Path, h.Form, h.Name}
		if _, held := c.ledger.held[id]; held || h.Form == AccountForm {
			continue
		}
		if have[h.Form] == nil {
			have[h.Form], going[h.Form] = h.Form.all(text), map[string]bool{}
		}
		found, there := have[h.Form][h.Name]
		if h.Form == TailForm {
			end := tail(h, text)
			if there = end != nil; there {
				found = *end
			}
		}
		if h.Form != KeyForm && h.Form.count(h.Name, text) > 1 {
			found += "\x00" // somebody has written another one, so it was changed by hand
		}
		if there && c.drop(id, h, found) {
			going[h.Form][h.Name] = true
			want.Records = append(want.Records, Record{Name: h.word(), Action: "removed"})
			if h.Form == TailForm {
				text = text[:len(text)-h.Size]
			}
		}
	}
	if len(want.Records) == 0 || cl != nil && len(want.Records) == len(cl.want.Records) {
		return
	}
	for form, names := range going {
		if len(names) > 0 && form != TailForm {
			text = form.without(names, text)
		}
	}
	want.Data = text
	if len(text) == 0 && !it.Before {
		want = Change{Kind: Remove, Path: it.Path, Origin: OriginPrune}
	}
	c.put(&want)
}

// drop says that a record which no configuration has any more goes; else it is listed and stays ours, unless what was
// there before us is let go.
func (c *computation) drop(id recordID, h Held, found string) bool {
	left := Left{Kind: WriteFile, Path: id.path, Record: h.word(), Before: h.Before, Orphan: true}
	if Digest([]byte(found)) != h.SHA256 {
		left.ByHand = changedByHand
	}
	if h.Form == TailForm && left.ByHand != "" { // others have written after it, so that it cannot be found
		c.ledger.held[id] = h
		return false
	}
	if c.prunes(left) {
		return true
	}
	c.plan.Orphans = append(c.plan.Orphans, left)
	if !c.Prune || !h.Before {
		c.ledger.held[id] = h
	}
	return false
}

// word is what a record is called where people read it.
func (h Held) word() string {
	switch h.Form {
	case KeyForm:
		return "key " + h.Name
	case HostForm:
		return "host " + h.Name
	case SudoForm:
		user, _, _ := strings.Cut(h.Name, " ")
		return "sudo rule of " + user + " (" + Digest([]byte(h.Name))[:8] + ")" // which may hold a secret, and is not for everybody
	}
	return h.Name
}

// orphanRuntime is a change below /run that was made for what was applied: the next boot does not make it again.
func (c *computation) orphanRuntime(was *Change) {
	s := c.see(was.Path)
	if was.Kind == Remove || s.Kind == fsroot.Absent || s.Fault != "" || c.claimAt(was.Path) != nil {
		return
	}
	if was.Kind == MakeDirectory {
		if c.Prune && s.Kind == fsroot.Directory && c.isEmptied(was.Path) {
			c.put(&Change{Kind: Remove, Path: was.Path, Origin: OriginPrune})
			return
		}
		c.plan.Stale = append(c.plan.Stale, *was)
		return
	}
	left := Left{Kind: was.Kind, Path: was.Path, Orphan: true}
	if !was.IsAlready(s) {
		left.ByHand = changedByHand
	}
	if c.prunes(left) && isRemovable(s) {
		c.put(&Change{Kind: Remove, Path: was.Path, Origin: OriginPrune})
		c.stop(was.Path)
		return
	}
	c.plan.Orphans = append(c.plan.Orphans, left)
	c.plan.Stale = append(c.plan.Stale, *was)
}
