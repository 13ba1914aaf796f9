package diag

import "cloudconfig/schema/source"

// Edit is a change to the user's text that mends a finding: what stands at a place becomes another text.
type Edit struct {
	At   source.Range
	Text string
}

// Mended is the text of a file with the cures of the list's findings, and the findings that they are of. A cure
// that begins before the end of an earlier one waits for another time.
func (l List) Mended(f *source.File) ([]byte, List) {
	var text []byte
	var cured List
	done := 0
	for _, d := range l {
		if len(d.Fix) == 0 || !fits(d.Fix, f, done) {
			continue
		}
		for _, e := range d.Fix {
			text = append(append(text, f.Bytes[done:e.At.Start.Offset]...), e.Text...)
			done = e.At.End.Offset
		}
		cured = append(cured, d)
	}
	return append(text, f.Bytes[done:]...), cured
}

// fits says that edits are in a file, one after the other, from an offset on.
func fits(edits []Edit, f *source.File, done int) bool {
	for _, e := range edits {
		if e.At.File != f.Name || e.At.Start.Offset < done || e.At.End.Offset < e.At.Start.Offset || e.At.End.Offset > len(f.Bytes) {
			return false
		}
		done = e.At.End.Offset
	}
	return true
}
