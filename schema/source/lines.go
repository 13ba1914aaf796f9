package source

import "sort"

// Lines are lines of files, by the files' names: the first and the last of each stretch.
type Lines map[string][][2]int

// Add adds the lines from first to last; none where last is before first.
func (l Lines) Add(file string, first, last int) {
	if first <= last {
		l[file] = append(l[file], [2]int{first, last})
	}
}

// Sort puts the stretches of each file in order, and makes one of those that overlap. Has is right only after it.
func (l Lines) Sort() {
	for file, all := range l {
		sort.Slice(all, func(i, j int) bool { return all[i][0] < all[j][0] })
		out := all[:1]
		for _, s := range all[1:] {
			if last := &out[len(out)-1]; s[0] <= last[1] {
				last[1] = max(last[1], s[1])
				continue
			}
			out = append(out, s)
		}
		l[file] = out
	}
}

// Has says that a place begins on one of the lines.
func (l Lines) Has(at Range) bool {
	all := l[at.File]
	i := sort.Search(len(all), func(i int) bool { return all[i][1] >= at.Start.Line })
	return i < len(all) && all[i][0] <= at.Start.Line
}
