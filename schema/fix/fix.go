// Package fix mends in a configuration what has one cure and no other, keeping comments and layout.
//
// [Mend] is the thing to call. It never changes what a configuration without errors asks for.
package fix

import (
	"time"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// maxPasses bounds how often what one cure uncovers is mended too.
const maxPasses = 10

// Mend returns the text with all that can be mended, and the findings that are gone. The text is the same where
// nothing can be, and where a cure would change what is applied: a finding that counts as a mistake in one place may
// be what was meant.
func Mend(f *source.File, now time.Time) ([]byte, diag.List) {
	cfg, found := decode(f, now)
	sound := !found.HasErrors()
	var mended diag.List
	for range maxPasses {
		text, cured := found.Mended(f)
		if len(cured) == 0 {
			break
		}
		next := &source.File{Name: f.Name, Bytes: text, Line: f.Line}
		after, left := decode(next, now)
		if sound && (left.HasErrors() || !schema.Equal(cfg, after)) {
			break
		}
		f, found = next, left
		mended = append(mended, cured...)
	}
	return f.Bytes, mended
}

func decode(f *source.File, now time.Time) (*schema.Config, diag.List) {
	return schema.Decode(schema.Input{Files: []*source.File{f}, Now: now})
}
