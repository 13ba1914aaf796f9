package plan

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/sshkey"
)

// The lines that enclose our keys in a file that others have keys in too.
const (
	keysBegin = "# provisioner: begin"
	keysEnd   = "# provisioner: end"
)

// keys plans the SSH keys of users: a block of our own in ~/.ssh/authorized_keys, and where
// ~/.ssh/authorized_keys.d is a directory, a file of our own in it as well.
func (c *computation) keys() {
	sets := map[string]*keySet{}
	var order []*keySet
	people := c.people()
	for i := range people {
		u := &people[i]
		set := sets[u.Name.V]
		if set == nil {
			set = &keySet{user: u.Name.V, at: u.At, seen: map[string]bool{}, options: c.disabledOptions(u.Name.V)}
			sets[u.Name.V] = set
			order = append(order, set)
		}
		c.keysOf(set, u)
	}
	for _, set := range order {
		if set.user == c.DefaultUser {
			set.addAll(c.Config.SSHAuthorizedKeys)
			c.platformKeys(set)
		}
		if len(set.keys) > 0 {
			c.authorize(set)
		} else {
			c.lockout(set)
		}
	}
}

// lockout reports a user to whom keys were given of which none is one, and who has no other way in: no
// password, and no key that was there before.
func (c *computation) lockout(set *keySet) {
	_, _, home, known := c.users.user(set.user)
	if set.malformed.IsZero() || !known || c.hasPassword(set.user) {
		return
	}
	if home != "" && c.isDirectory(home) {
		if have, ok := c.current(path.Join(home, ".ssh", "authorized_keys")); ok && len(keysIn(have)) > 0 {
			return
		}
	}
	d := c.report(rules.Lockout, set.malformed, "%s would have no way to log in: none of the keys is valid, and there is no password", set.user)
	d.Detail = "give a key that is whole"
}

// hasPassword says that a user will have a password that is good for a login.
func (c *computation) hasPassword(user string) bool {
	text, _ := c.current("etc/shadow")
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if fields[0] == user && len(fields) > 1 {
			return fields[1] != "" && !strings.HasPrefix(fields[1], "!") && !strings.HasPrefix(fields[1], "*")
		}
	}
	return false
}

// keySet is the keys of one user, each once.
type keySet struct {
	user string
	at   source.Range
	keys []wantedKey
	seen map[string]bool
	// options, if not empty, stand before every key of the set in place of its own, wherever in the file it is.
	options string
	// malformed is where the first line stands that is no key.
	malformed source.Range
}

// wantedKey is a key and where it was asked for.
type wantedKey struct {
	sshkey.Key
	at source.Range
}

// add takes a line if it is a key.
func (s *keySet) add(line string, at source.Range) error {
	k, err := sshkey.Parse(line)
	if err != nil {
		return err
	}
	if s.options != "" {
		k.Options = s.options
	}
	if id := keyID(k); !s.seen[id] {
		s.seen[id] = true
		s.keys = append(s.keys, wantedKey{k, at})
	}
	return nil
}

// addAll takes keys from user-data. One that is malformed was reported when the text was decoded.
func (s *keySet) addAll(lines []schema.Value[string]) {
	for _, l := range lines {
		if s.add(l.V, l.At) != nil && s.malformed.IsZero() {
			s.malformed = l.At
		}
	}
}

// keyID is what makes two lines the same key.
func keyID(k sshkey.Key) string { return k.Type + " " + k.Blob }

// describe is a key in words: type, fingerprint, comment.
func describe(k sshkey.Key) string {
	return strings.TrimSpace(k.Type + " " + k.Fingerprint() + " " + k.Comment)
}

// keysOf adds what an item of users says.
func (c *computation) keysOf(set *keySet, u *accounts.User) {
	set.addAll(u.SSHAuthorizedKeys)
	for _, name := range u.ImportGitHub {
		c.imported(set, gitHubKeys(name.V), name.At)
	}
	if u.ImportURL.Set {
		c.imported(set, u.ImportURL.V, u.ImportURL.At)
	}
}

// imported adds keys that were fetched. The URL may hold a token, so that no message here has it.
func (c *computation) imported(set *keySet, url string, at source.Range) {
	lines, fetched := c.Imported[url]
	if !fetched {
		c.report(rules.ImportMissing, at, "the keys of %s that are to be imported are not there", set.user)
		return
	}
	valid := 0
	for _, l := range lines {
		if set.add(l, at) == nil {
			valid++
		}
	}
	if len(lines) > 0 && valid == 0 {
		c.report(rules.ImportMissing, at, "none of what was fetched for %s is an SSH key", set.user)
	}
}

// platformKeys adds what the platform says.
func (c *computation) platformKeys(set *keySet) {
	for i, l := range c.Meta.SSHKeys {
		if err := set.add(l, source.Range{}); err != nil {
			c.report(rules.PlatformKey, source.Range{}, "key %d of the platform's is left out: %v", i+1, err)
		}
	}
}

// authorize plans the files that let a user in.
func (c *computation) authorize(set *keySet) {
	uid, gid, home, known := c.users.user(set.user)
	if !known {
		return // reported with the accounts
	}
	if home == "" || !c.isDirectory(home) {
		c.report(rules.KeysNoHome, set.at, "%s has SSH keys and no home directory", set.user)
		return
	}
	dir := path.Join(home, ".ssh")
	file, own := path.Join(dir, "authorized_keys"), path.Join(dir, "authorized_keys.d")
	if !c.isOwn(set, dir, uid, fsroot.Directory) || !c.isOwn(set, file, uid, fsroot.Regular) {
		return
	}
	attr := fsroot.Attr{Mode: 0o600, UID: uid, GID: gid}
	have, _ := c.current(file)
	want := c.mergeKeys(set, file, have)
	if _, there := c.attr(dir); !there && len(want) > 0 {
		c.put(&Change{Kind: MakeDirectory, Path: dir, Attr: fsroot.Attr{Mode: 0o700, UID: uid, GID: gid}, Why: set.why(), Origin: set.origin()})
	}
	c.putKeys(set, file, attr, have, want)

	if c.see(own).Kind != fsroot.Directory {
		return
	}
	// update-ssh-keys of CoreOS and Flatcar makes authorized_keys anew from the files in this directory.
	file = path.Join(own, "provisioner")
	if c.isOwn(set, own, uid, fsroot.Directory) && c.isOwn(set, file, uid, fsroot.Regular) {
		have, _ := c.current(file)
		c.putKeys(set, file, attr, have, keyBlock(c.keyLines(set, file, have, set.keys, nil)))
	}
}

// isOwn reports a path at which something else is than the user's own directory or file.
func (c *computation) isOwn(set *keySet, p string, uid int, kind fsroot.Kind) bool {
	s := c.see(p)
	trouble := ""
	switch {
	case s.Kind == fsroot.Link:
		trouble = "it is a symbolic link"
	case s.Fault != "":
		trouble = s.Fault
	case s.Kind == fsroot.Absent:
	case s.Kind != kind:
		trouble = "it is not what belongs there"
	case s.Attr.UID != uid && s.Attr.UID != 0:
		trouble = "it is another user's"
	case kind == fsroot.Regular && s.Data == nil && s.Size > 0:
		trouble = "it is too large to be read"
	}
	if trouble != "" {
		c.report(rules.KeysUntrusted, set.at, "the keys of %s are not written: /%s: %s", set.user, p, trouble)
	}
	return trouble == "" && s.Kind != 0
}

// putKeys plans a file of keys, if it changes.
func (c *computation) putKeys(set *keySet, p string, attr fsroot.Attr, have, want []byte) {
	if bytes.Equal(have, want) {
		return
	}
	if now, there := c.attr(p); there {
		attr = now
	}
	records := append([]Record{}, set.records(have, want)...) // never nil: the file is shared whatever changes
	c.put(&Change{Kind: WriteFile, Path: p, Attr: attr, Data: want, Records: records, Why: set.why(), Origin: set.origin()})
}

// records says which keys come and go.
func (s *keySet) records(have, want []byte) []Record {
	before, after := keysIn(have), keysIn(want)
	var out []Record
	for i, k := range s.keys {
		if id := keyID(k.Key); after[id] && !before[id] {
			out = append(out, Record{Name: fmt.Sprintf("key %d of %s", i+1, s.user), Action: "added", Detail: describe(k.Key), Why: unique([]source.Range{k.at})})
		} else if s.options != "" && before[id] && !bytes.Contains(have, []byte(k.String())) {
			out = append(out, Record{Name: fmt.Sprintf("key %d of %s", i+1, s.user), Action: "changed", Detail: describe(k.Key) + ", with other options", Why: unique([]source.Range{k.at})})
		}
	}
	block, _, _ := cutBlock(have)
	for line := range bytes.Lines(block) {
		if k, err := sshkey.Parse(string(line)); err == nil && !after[keyID(k)] {
			out = append(out, Record{Name: "key of " + s.user, Action: "removed", Detail: describe(k)})
		}
	}
	return out
}

// why is every place that asked for a key.
func (s *keySet) why() []source.Range {
	var out []source.Range
	for _, k := range s.keys {
		out = append(out, k.at)
	}
	return unique(out)
}

// origin says who asked where nobody wrote anything.
func (s *keySet) origin() string {
	if len(s.why()) == 0 {
		return OriginMetadata
	}
	return ""
}

// OriginMetadata marks what the platform asked for.
const OriginMetadata = "metadata"

// mergeKeys is a file of keys with our block as it should be: in the place of the old one, else at the end. A key
// that stands outside the block already is not in it, but where it must have our options it is there alone.
// Everything else stays, byte for byte.
func (c *computation) mergeKeys(set *keySet, file string, have []byte) []byte {
	old, before, after := cutBlock(have)
	others := keysIn(slices.Concat(before, after))
	var moved map[string]bool
	if set.options != "" {
		before, after, moved, others = set.without(before), set.without(after), others, nil
	}
	ours := slices.DeleteFunc(slices.Clone(set.keys), func(k wantedKey) bool { return others[keyID(k.Key)] })
	block := keyBlock(c.keyLines(set, file, have, ours, moved))
	if block == nil && len(keysIn(old)) == 0 {
		block = old // emptied by hand, and left so
	}
	if len(block) > 0 && len(before) > 0 && before[len(before)-1] != '\n' {
		before = append(bytes.Clone(before), '\n')
	}
	return slices.Concat(before, block, after)
}

// keyLines are the lines of our block: the keys that are wanted, as far as nobody has taken them out or changed them by
// hand, and then what stays of the old block. That is what the configuration no longer has, until it is pruned, and what
// somebody has put there since. Those that are moved there from elsewhere in the file were somebody's before us.
func (c *computation) keyLines(set *keySet, file string, have []byte, keys []wantedKey, moved map[string]bool) (lines []string) {
	block, _, _ := cutBlock(have)
	wanted := map[string]bool{}
	for _, k := range set.keys {
		wanted[keyName(k.Key)] = true
	}
	there := KeyForm.all(have)
	for _, k := range keys {
		name := keyName(k.Key)
		var found *string
		if line, ok := there[name]; ok {
			found = &line
		}
		switch free := c.hold(file, KeyForm, name, k.String(), found); {
		case free:
			lines = append(lines, k.String())
		case found != nil:
			lines = append(lines, *found)
		}
		if id := (recordID{file, KeyForm, name}); moved[keyID(k.Key)] {
			h := c.ledger.held[id]
			h.Before = true
			c.ledger.held[id] = h
		}
	}
	if c.ledger.items[file] == nil {
		return lines // a block of which there is no record
	}
	for line := range strings.Lines(string(block)) {
		name, value := KeyForm.read(line)
		_, known := c.ledger.records[recordID{file, KeyForm, name}]
		if name != "" && !wanted[name] && (known || !c.takes()) {
			lines = append(lines, value)
		}
	}
	return lines
}

// without is a text without the lines that are keys of the set.
func (s *keySet) without(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if k, err := sshkey.Parse(string(line)); err != nil || !s.seen[keyID(k)] {
			out = append(out, line...)
		}
	}
	return out
}

// keyBlock is our block; nil if there is no key.
func keyBlock(lines []string) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte(keysBegin + "\n" + strings.Join(lines, "\n") + "\n" + keysEnd + "\n")
}

// cutBlock finds our block, its two lines included. A first line without a last one encloses nothing: what
// follows it may be somebody else's.
func cutBlock(text []byte) (block, before, after []byte) {
	at, begin := 0, -1
	for line := range bytes.Lines(text) {
		switch string(bytes.TrimSpace(line)) {
		case keysBegin:
			begin = at
		case keysEnd:
			if begin >= 0 {
				end := at + len(line)
				return text[begin:end], text[:begin], text[end:]
			}
		}
		at += len(line)
	}
	return nil, text, nil
}

// keysIn are the keys in a file.
func keysIn(text []byte) map[string]bool {
	out := map[string]bool{}
	for line := range bytes.Lines(text) {
		if k, err := sshkey.Parse(string(line)); err == nil {
			out[keyID(k)] = true
		}
	}
	return out
}
