package schema

import (
	"sort"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/source"
)

// places are stretches of files that are values.
type places []source.Range

// sorted are the places in each file, in order.
func (l places) sorted() map[string]places {
	out := map[string]places{}
	for _, r := range l {
		out[r.File] = append(out[r.File], r)
	}
	for _, own := range out {
		sort.Slice(own, func(i, j int) bool { return own[i].Start.Offset < own[j].Start.Offset })
	}
	return out
}

// hold says that an offset is in one of the places, which are in order and in one file.
func (l places) hold(offset int) bool {
	i := sort.Search(len(l), func(i int) bool { return l[i].Start.Offset > offset }) - 1
	return i >= 0 && offset < l[i].End.Offset
}

// invisible reports invisible characters of parts, but in contents of files that nobody runs.
func (d *decoder) invisible(parts []*source.File) {
	quiet, concealed := d.quiet.sorted(), d.concealed.sorted()
	for _, f := range parts {
		d.invisibleIn(f, quiet[f.Name], concealed[f.Name])
	}
}

func (d *decoder) invisibleIn(f *source.File, quiet, concealed places) {
	reported := 0
	for _, s := range glyphs.Hidden(string(f.Bytes)) {
		at := f.Range(s.From, s.To)
		if quiet.hold(at.Start.Offset) {
			continue
		}
		if reported++; reported > findings.MaxSlips {
			return
		}
		s.Secret = concealed.hold(at.Start.Offset)
		d.Slip("", at, s)
	}
}
