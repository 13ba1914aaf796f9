package schema

import (
	"slices"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/source"
)

// places are stretches of files that are values.
type places []source.Range

// holder answers for a file which offsets lie in one of its places.
func (l places) holder(file string) func(offset int) bool {
	var own []source.Range
	for _, r := range l {
		if r.File == file {
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b source.Range) int { return a.Start.Offset - b.Start.Offset })
	return func(offset int) bool {
		i, exact := slices.BinarySearchFunc(own, offset, func(r source.Range, offset int) int { return r.Start.Offset - offset })
		if !exact {
			i--
		}
		return i >= 0 && i < len(own) && offset < own[i].End.Offset
	}
}

// invisible reports invisible characters of a part, but in contents of files that nobody runs.
func (d *decoder) invisible(f *source.File) {
	quiet, concealed := d.quiet.holder(f.Name), d.concealed.holder(f.Name)
	reported := 0
	for _, s := range glyphs.Hidden(string(f.Bytes)) {
		at := f.Range(s.From, s.To)
		if quiet(at.Start.Offset) {
			continue
		}
		if reported++; reported > findings.MaxSlips {
			return
		}
		s.Secret = concealed(at.Start.Offset)
		d.Slip("", at, s)
	}
}
