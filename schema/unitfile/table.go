package unitfile

import (
	_ "embed"
	"strings"
	"sync"
)

// directives is the table of what systemd knows, a block for each section: the file types that may have it and
// the groups of directives that it shares, then a line for each kind of value. A name may be followed by the
// version that brought it (/254), or by + where it is newer than 252 and the version is not known. "old" lines
// name what has taken a directive's place, if anything has.
//
// Sources: systemd 252, --dump-configuration-items and the tables in its daemons; of later versions up to 259,
// src/core/load-fragment-gperf.gperf.in, src/network/networkd-network-gperf.gperf,
// src/network/netdev/netdev-gperf.gperf and src/udev/net/link-config-gperf.gperf of systemd's repository. A few
// names of networkd, udev and the daemons are newer than the files that were read, and have a + for that.
//
//go:embed directives.txt
var directives string

// block is a section of the table, or a group that sections share.
type block struct {
	name  string // "Service", or "@exec" of a group
	types string // " service @exec @kill @cgroup "
	body  string // its lines, a line end before and behind
}

var blocks = sync.OnceValue(func() []block {
	var out []block
	for text := range strings.SplitSeq(directives, "\n\n") {
		head, body, _ := strings.Cut(text, "\n")
		name, types, _ := strings.Cut(head[1:], "]")
		out = append(out, block{name: name, types: types + " ", body: "\n" + strings.TrimRight(body, "\n") + "\n"})
	}
	return out
})

// has says that a word is in the head of a block: a file type, or a group.
func (b *block) has(word string) bool {
	i := strings.Index(b.types, word)
	return i > 0 && b.types[i-1] == ' ' && b.types[i+len(word)] == ' '
}

// of says that files of a type may have the section. All units have those of "unit".
func (b *block) of(kind fileType) bool { return b.has(kind.name) || kind.unit && b.has("unit") }

// sectionOf finds a section of a file type in the table; nil if there is none.
func sectionOf(kind fileType, name string) *block {
	all := blocks()
	for i := range all {
		if b := &all[i]; b.name == name && b.of(kind) {
			return b
		}
	}
	return nil
}

// sectionsOf are the names of all sections that a file type may have.
func sectionsOf(kind fileType) []string {
	var out []string
	for _, b := range blocks() {
		if b.of(kind) {
			out = append(out, b.name)
		}
	}
	return out
}

// entry is what the table says of a directive.
type entry struct {
	kind string // of its value, with the words it may be: "one no always"
	// since is the version that brought it: "254", "+" if it is newer than 252, "" for one that 252 knows.
	since string
	old   bool
	// instead is what has taken the place of an old one: "IOWeight", "[Unit]StartLimitBurst", "+", or "".
	instead string
}

// find looks a directive up in a section and in the groups that it shares.
func (b *block) find(name string) (entry, bool) {
	if e, ok := b.own(name); ok {
		return e, true
	}
	if strings.IndexByte(b.types, '@') >= 0 {
		all := blocks()
		for i := range all {
			if g := &all[i]; g.name[0] == '@' && b.has(g.name) {
				if e, ok := g.own(name); ok {
					return e, true
				}
			}
		}
	}
	return entry{}, false
}

func (b *block) own(name string) (entry, bool) {
	for from := 0; name != ""; {
		i := strings.Index(b.body[from:], name)
		if i < 0 {
			break
		}
		i += from
		from = i + len(name)
		begin := strings.LastIndexByte(b.body[:i], '\n') + 1
		kind, _, _ := strings.Cut(b.body[begin:from], ":")
		if b.body[i-1] != ' ' || begin+len(kind) >= i {
			continue // a part of a longer name, or of the kind
		}
		rest := b.body[from : strings.IndexAny(b.body[from:], " \n")+from]
		if rest != "" && rest[0] != '/' && rest != "+" {
			continue
		}
		e := entry{kind: kind, since: strings.TrimPrefix(rest, "/")}
		if instead, old := strings.CutPrefix(kind, "old"); old {
			e = entry{kind: "text", old: true, instead: strings.TrimPrefix(instead, " ")}
		}
		return e, true
	}
	return entry{}, false
}

// names are all directives of a section, shared ones included.
func (b *block) names() []string {
	var out []string
	all := blocks()
	for i := range all {
		if g := &all[i]; g == b || g.name[0] == '@' && b.has(g.name) {
			for line := range strings.SplitSeq(strings.Trim(g.body, "\n"), "\n") {
				_, names, _ := strings.Cut(line, ":")
				for name := range strings.FieldsSeq(names) {
					name, _, _ = strings.Cut(name, "/")
					out = append(out, strings.TrimSuffix(name, "+"))
				}
			}
		}
	}
	return out
}

// fileType is a type of file: its name in the table, and whether it is a unit.
type fileType struct {
	name string
	unit bool
}

// typeOf tells by a name what a file is; ok is false if it is nothing that the table knows.
func typeOf(name string) (kind fileType, ok bool) {
	switch name {
	case "system.conf", "journald.conf", "resolved.conf", "timesyncd.conf", "logind.conf", "networkd.conf", "coredump.conf":
		return fileType{name: name}, true
	}
	_, suffix, ok := cutSuffix(name)
	switch {
	case !ok:
	case suffix == "network", suffix == "netdev", suffix == "link":
		return fileType{name: suffix}, true
	case ValidName(name):
		return fileType{name: suffix, unit: true}, true
	}
	return fileType{}, false
}
