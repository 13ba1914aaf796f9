package openstack

import (
	"fmt"
	"strconv"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// name gives the links IDs of our own, which are the names of those that are made: bond0 and so on of bonds, BASE.ID of a
// VLAN where the name of its base is known, else vlanID. What comes back are the new ones by what the description has.
func (r *reader) name() map[string]string {
	before := make([]string, len(r.network.Links))
	bonds := 0
	for i := range r.network.Links {
		l := &r.network.Links[i]
		if before[i] = l.ID; l.Kind != network.Bond {
			continue
		}
		for l.ID = "bond0"; r.taken[l.ID]; l.ID = "bond" + strconv.Itoa(bonds) {
			bonds++
		}
		r.taken[l.ID] = true
	}
	more := 0 // of those whose name is taken
	for i := range r.network.Links {
		l := &r.network.Links[i]
		if l.Kind != network.VLAN {
			continue
		}
		plain := fmt.Sprintf("vlan%d", l.VLANID)
		if l.ID = r.onBase(l); l.ID == "" {
			l.ID = plain
		}
		for ; r.taken[l.ID]; more++ {
			l.ID = fmt.Sprintf("%s-%d", plain, more)
		}
		r.taken[l.ID] = true
	}
	for i := range r.network.Links {
		l := &r.network.Links[i]
		if l.Kind != network.Ethernet {
			continue
		}
		switch {
		case l.Rename != "":
			if l.ID = l.Rename; l.Match.IsZero() {
				l.Rename = "" // it is found by it
			}
			continue
		case network.CheckWord(l.ID) != nil:
			l.ID = "link"
		}
		for plain := l.ID; r.taken[l.ID]; more++ {
			l.ID = fmt.Sprintf("%s-%d", plain, more)
		}
		r.taken[l.ID] = true
	}
	ids := make(map[string]string, len(before))
	for i, id := range before {
		ids[id] = r.network.Links[i].ID
	}
	return ids
}

// onBase is the usual name of a VLAN; empty if what its base is called is not known, or if that would be too long.
func (r *reader) onBase(l *network.Link) string {
	i, there := r.links[l.Parent.ID]
	if !there {
		return ""
	}
	base := &r.network.Links[i]
	if base.Kind == network.VLAN || base.Name() == "" {
		return ""
	}
	name := fmt.Sprintf("%s.%d", base.Name(), l.VLANID)
	if len(name) > network.MaxName || r.taken[name] {
		return ""
	}
	return name
}

// resolve makes the IDs of the description ours, wherever a link names another.
func (r *reader) resolve(ids map[string]string) {
	for i := range r.network.Links {
		l := &r.network.Links[i]
		l.Parent = r.ours(l.Parent, ids)
		members := l.Members[:0]
		for _, m := range l.Members {
			if m.Ref = r.ours(m.Ref, ids); m.ID != "" {
				members = append(members, m)
			}
		}
		if l.Members = members; l.Bond != nil {
			l.Bond.Primary = r.ours(l.Bond.Primary, ids)
		}
	}
}

func (r *reader) ours(ref network.Ref, ids map[string]string) network.Ref {
	id, there := ids[ref.ID]
	if ref.ID != "" && !there {
		r.ReportAt(rules.NetworkUndefined, "", ref.At, "no link has the id %s", network.Quoted(ref.ID))
	}
	ref.ID = id
	return ref
}
