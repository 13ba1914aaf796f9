package network

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// maxNested is how many links the kernel puts on each other, the card included (MAX_NEST_DEV in
// include/linux/netdevice.h, Linux 6.18).
const maxNested = 8

// maxShown bounds the places that a finding about a loop names.
const maxShown = 8

// loops finds links that are made on themselves, by way of others, and those that are made on too many.
//
// Links are taken away as soon as nothing is left that they are made on. Those that stay are in a loop, or above one.
func (k *checker) loops() {
	below := map[*Link]int{}     // how much of what a link is made on is left
	above := map[*Link][]*Link{} // what is made on it
	height := map[*Link]int{}
	for i := range k.n.Links {
		l := &k.n.Links[i]
		k.madeOn(l, func(b *Link) bool {
			below[l]++
			above[b] = append(above[b], l)
			return true
		})
	}
	var free []*Link
	for i := range k.n.Links {
		if l := &k.n.Links[i]; below[l] == 0 {
			free = append(free, l)
		}
	}
	for len(free) > 0 {
		l := free[len(free)-1]
		free = free[:len(free)-1]
		if height[l]++; height[l] == maxNested+1 { // once, not again for what is above
			k.ReportAt(rules.NetworkLoop, "", l.At, "%q is the %dth link of a stack; Linux has %d on each other at most", l.ID, height[l], maxNested)
		}
		for _, a := range above[l] {
			height[a] = max(height[a], height[l])
			if below[a]--; below[a] == 0 {
				free = append(free, a)
			}
		}
	}
	seen := map[*Link]*Link{} // from where each was come by
	for i := range k.n.Links {
		start := &k.n.Links[i]
		l := start
		for below[l] > 0 && seen[l] == nil {
			seen[l] = start
			l = k.left(l, below)
		}
		if below[l] > 0 && seen[l] == start {
			k.loop(l, below)
		}
	}
}

// madeOn gives what a link is made on, one after the other, as long as it is told to go on.
func (k *checker) madeOn(l *Link, yield func(*Link) bool) {
	for _, m := range k.members[l] {
		if !yield(m) {
			return
		}
	}
	if parent := k.links[l.Parent.ID]; parent != nil && l.Parent.ID != "" {
		yield(parent)
	}
}

// left is the first of what a link is made on that was not taken away.
func (k *checker) left(l *Link, below map[*Link]int) (b *Link) {
	k.madeOn(l, func(m *Link) bool {
		b = m
		return below[m] == 0
	})
	return b
}

// loop reports the loop that a link is in, at the one that comes first in the description.
func (k *checker) loop(l *Link, below map[*Link]int) {
	first := l
	for m := k.left(l, below); m != l; m = k.left(m, below) {
		if m.At.Start.Offset < first.At.Start.Offset {
			first = m
		}
	}
	d := k.ReportAt(rules.NetworkLoop, "", first.At, "%q is made on itself", first.ID)
	for m := k.left(first, below); m != first && len(d.Related) < maxShown; m = k.left(m, below) {
		if !m.At.IsZero() {
			d.Related = append(d.Related, diag.Related{Message: "by way of this one", At: m.At})
		}
	}
}
