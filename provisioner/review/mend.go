package review

import (
	"context"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// maxPasses bounds how often what one cure uncovers is mended too.
const maxPasses = 10

// Mended is a text before and after it was mended.
type Mended struct {
	Name string // as findings have it
	Path string // absolute
	// Before and After are the whole texts.
	Before, After []byte
	// Cured are the findings that are gone.
	Cured diag.List
}

// Mend mends in a text what has one cure and no other, keeping comments and layout. What a sound configuration asks
// for does not change: where a cure would change it, the text stays as it is. Nothing that [Check] leaves out is
// mended. The error is the context's, should it end.
func Mend(ctx context.Context, f *source.File, o CheckOptions) (Mended, error) {
	m := Mended{Name: f.Name, Path: o.Path, Before: f.Bytes, After: f.Bytes}
	c, err := Check(ctx, f, o)
	if err != nil {
		return m, err
	}
	for range maxPasses {
		text, cured := c.Found.Mended(f)
		if len(cured) == 0 {
			break
		}
		next := &source.File{Name: f.Name, Bytes: text}
		left, err := Check(ctx, next, o)
		if err != nil {
			return m, err
		}
		if !c.wrong && (left.wrong || !config.Equal(c.config, left.config)) {
			break
		}
		f, c, m.After = next, left, text
		m.Cured = append(m.Cured, cured...)
	}
	return m, nil
}
