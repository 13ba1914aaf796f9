package plan

import (
	"fmt"
	"sort"
	"strings"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/provisioner/fsroot"
)

// Applied is what is known of an earlier run: what it made, so that a change by somebody else shows, and so does what
// the configuration no longer has.
type Applied struct {
	// Items are those of the manifest.
	Items []Item
	// Runtime are the changes below /run of a running system that belong to them.
	Runtime []Change
	// Same says that the configuration is the one that was applied: where nothing changes, nothing is restarted.
	Same bool
	// Inherited says that another instance made it, whose disk this one has: what this one asks for comes before what
	// anybody has changed there since.
	Inherited bool
	// Partial says that the configuration is a part of what there will be: what it does not have is for the rest to say.
	Partial bool
}

// Item is what a configuration owns at a path.
type Item struct {
	Kind   Kind        `json:"kind"`
	Path   string      `json:"path"`
	Attr   fsroot.Attr `json:"attr,omitzero"`
	SHA256 string      `json:"sha256,omitempty"` // of a file's content
	Target string      `json:"target,omitempty"` // of a link
	// Before says that something was there when it was first written. What that was is not known any more, so it is
	// never removed.
	Before bool `json:"before,omitempty"`
	// Any says that whatever is found is as good as what was applied, because we have put it there.
	Any bool `json:"-"`
	// Records are what is ours of a file in which others own lines too; such a file is compared by them, never whole.
	Records []Held `json:"records,omitempty"`
}

// Held is a record of a shared file that is ours.
type Held struct {
	Form Form `json:"form"`
	// Name is the record's within the file: "user core", "COREOS_PUBLIC_IPV4". There are no secrets in it.
	Name string `json:"name"`
	// SHA256 is that of what the record says, in hex.
	SHA256 string `json:"sha256"`
	// Size is how many bytes a record of TailForm has.
	Size int `json:"size,omitempty"`
	// Before is as in Item.
	Before bool `json:"before,omitempty"`
}

// Left is something that is other than the configuration has it, or that no configuration has any more, and that a
// plan leaves as it is.
type Left struct {
	Kind Kind
	Path string
	// Record is the name of a record of a shared file; "" for the path itself.
	Record string
	// ByHand is "changed" or "removed" if somebody did so since it was applied, else "".
	ByHand string
	// Before says that something was there before us, so that it is never removed.
	Before bool
	// Orphan says that no configuration has it any more.
	Orphan bool
}

// String is what is left, why, and what can be done about it.
func (l Left) String() string {
	what := "/" + l.Path
	if l.Record != "" {
		what += ": " + l.Record
	}
	switch {
	case !l.Orphan:
		return fmt.Sprintf("kept: %s was %s by hand since; --overwrite takes it back", what, l.ByHand)
	case l.Before:
		return fmt.Sprintf("left over: %s is no longer asked for; it was there before, and stays", what)
	case l.ByHand != "":
		return fmt.Sprintf("left over: %s is no longer asked for, and was changed by hand since; --prune --overwrite removes it", what)
	}
	return fmt.Sprintf("left over: %s is no longer asked for; --prune removes it", what)
}

// What somebody did by hand.
const (
	changedByHand = "changed"
	removedByHand = "removed"
)

// OriginPrune marks the removal of what the configuration no longer has.
const OriginPrune = "no longer asked for"

// ledger compares what was applied, what is wanted, and what is found.
type ledger struct {
	items   map[string]*Item // applied, by path
	records map[recordID]Held
	held    map[recordID]Held // of this plan
	kept    map[string]*Item  // by real path: changed by hand, and left
	stays   []Item            // what no configuration has any more, and is left
}

type recordID struct {
	path string
	form Form
	name string
}

func newLedger(a *Applied) ledger {
	l := ledger{items: map[string]*Item{}, records: map[recordID]Held{}, held: map[recordID]Held{}, kept: map[string]*Item{}}
	if a == nil {
		return l
	}
	for i := range a.Items {
		item := &a.Items[i]
		l.items[item.Path] = item
		for _, h := range item.Records {
			l.records[recordID{item.Path, h.Form, h.Name}] = h
		}
	}
	return l
}

// isApplied says that what is found at a path is what was applied there.
func (it *Item) isApplied(s *Seen) bool {
	if it.Any {
		return true
	}
	switch it.Kind {
	case Remove:
		return s.Kind == fsroot.Absent
	case MakeLink:
		return s.Kind == fsroot.Link && s.Target == it.Target
	case MakeDirectory:
		return s.Kind == fsroot.Directory
	}
	return s.Kind == fsroot.Regular && s.Attr == it.Attr && s.Digest() == it.SHA256
}

// takes says that what is wanted comes before what anybody has changed.
func (c *computation) takes() bool { return c.Overwrite || c.Applied != nil && c.Applied.Inherited }

// isByHand says that somebody has changed what was applied at a path, and that it is not what is wanted either.
// A directory is there for what is in it.
func (c *computation) isByHand(want *Change, s *Seen) bool {
	item := c.ledger.items[want.Path]
	return item != nil && len(item.Records) == 0 && want.Records == nil && !want.Given && want.Kind != MakeDirectory &&
		want.Origin != OriginPrune && !want.IsAlready(s) && !item.isApplied(s) && !c.takes()
}

// keep leaves a path as somebody has made it, and drops what the plan has said of it.
func (c *computation) keep(want *Change, s *Seen) {
	id := realPath(want.Path, s)
	if c.ledger.kept[id] != nil {
		return
	}
	if cl := c.claims[id]; cl != nil {
		cl.dropped = true
		delete(c.claims, id)
	}
	c.ledger.kept[id] = c.ledger.items[want.Path]
	c.plan.ByHand = append(c.plan.ByHand, Left{Kind: want.Kind, Path: want.Path, ByHand: byHand(s.Kind == fsroot.Absent)})
}

func byHand(gone bool) string {
	if gone {
		return removedByHand
	}
	return changedByHand
}

// isKept says that a path was left as somebody has made it.
func (c *computation) isKept(p string) bool { return c.ledger.kept[c.identity(p)] != nil }

// hold remembers that the configuration has a record of a shared file, and says whether that may be what is wanted:
// it may unless somebody has changed or removed it since it was applied. found is nil where the record is not there.
func (c *computation) hold(p string, form Form, name, wanted string, found *string) bool {
	id := recordID{p, form, name}
	last, known := c.ledger.records[id]
	now := Held{Form: form, Name: name, SHA256: Digest([]byte(wanted)), Before: found != nil && form != KeyForm}
	if form == TailForm {
		now.Size = len(wanted)
	}
	free := true
	if known {
		now.Before = last.Before
		same := found != nil && (*found == wanted || Digest([]byte(*found)) == last.SHA256)
		if free = same || c.takes(); !free {
			now = last
			if _, told := c.ledger.held[id]; !told {
				c.plan.ByHand = append(c.plan.ByHand, Left{Kind: WriteFile, Path: p, Record: last.word(), ByHand: byHand(found == nil)})
			}
		}
	}
	c.ledger.held[id] = now
	return free
}

// owned is everything that the manifest is to keep, by path.
func (c *computation) owned() []Item {
	var out []Item
	for _, cl := range c.order {
		w := &cl.want
		if cl.dropped || w.Given || w.Records != nil || w.Origin == OriginPrune || c.isRuntime(cl) {
			continue
		}
		it := Item{Kind: w.Kind, Path: w.Path, Attr: w.Attr, Target: w.Target, Before: cl.seen.Kind != fsroot.Absent}
		if last := c.ledger.items[w.Path]; last != nil {
			it.Before = last.Before
		}
		if w.Kind == WriteFile {
			it.SHA256 = Digest(w.Data)
		}
		if w.Kind != MakeDirectory || !it.Before {
			out = append(out, it)
		}
	}
	for _, it := range c.ledger.kept {
		out = append(out, *it)
	}
	out = append(out, c.ledger.stays...)
	out = append(out, c.sharedItems()...)
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

// sharedItems are the files that we own records in.
func (c *computation) sharedItems() []Item {
	files := map[string]*Item{}
	for id, h := range c.ledger.held {
		it := files[id.path]
		if it == nil {
			it = &Item{Kind: WriteFile, Path: id.path, Before: c.see(id.path).Kind != fsroot.Absent}
			if last := c.ledger.items[id.path]; last != nil {
				it.Before = last.Before
			}
			files[id.path] = it
		}
		it.Records = append(it.Records, h)
	}
	var out []Item
	for _, it := range files {
		sort.Slice(it.Records, func(i, j int) bool {
			a, b := &it.Records[i], &it.Records[j]
			return a.Form < b.Form || a.Form == b.Form && a.Name < b.Name
		})
		out = append(out, *it)
	}
	return out
}

// accountLedger is the ledger as package accounts sees it.
type accountLedger struct{ c *computation }

func (l accountLedger) Hold(file, record, wanted string, found *string) bool {
	free := l.c.hold(file, AccountForm, record, wanted, found)
	if _, user, ok := strings.Cut(record, " of "); ok && l.Applied(accounts.Passwd, "user "+user) {
		id := recordID{file, AccountForm, record}
		h := l.c.ledger.held[id]
		h.Before = false // the account is ours, and so is what it had
		l.c.ledger.held[id] = h
	}
	return free
}

func (l accountLedger) Keep(file, record string, before *string, now string) {
	id := recordID{file, AccountForm, record}
	h := Held{Form: AccountForm, Name: record, SHA256: Digest([]byte(now))}
	last, known := l.c.ledger.records[id]
	if known && before != nil && Digest([]byte(*before)) != last.SHA256 && !l.c.takes() {
		h = last // changed by hand, which counts once it is to go
	}
	h.Before = known && last.Before
	l.c.ledger.held[id] = h
}

func (l accountLedger) Applied(file, record string) bool {
	_, known := l.c.ledger.records[recordID{file, AccountForm, record}]
	return known
}

func (l accountLedger) Orphans(file string) []string {
	if l.c.Applied == nil || l.c.Applied.Partial {
		return nil
	}
	var out []string
	for id := range l.c.ledger.records {
		if _, held := l.c.ledger.held[id]; !held && id.path == file && id.form == AccountForm {
			out = append(out, id.name)
		}
	}
	sort.Strings(out)
	return out
}

func (l accountLedger) Drop(file, record, found string) bool {
	id := recordID{file, AccountForm, record}
	return l.c.drop(id, l.c.ledger.records[id], found)
}

// hasAccounts says that accounts were applied.
func (l *ledger) hasAccounts() bool {
	for id := range l.records {
		if id.form == AccountForm {
			return true
		}
	}
	return false
}
