package source_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"cloudconfig/schema/source"
)

// A column is the number of code points before it, however long the line is and whatever is in it.
func TestPosOfLongLines(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "é", "日", "\U0001F600", "\x80", "\xf0\x9f", "\xe6", strings.Repeat("\x80", 5)}
	for range 20 {
		var b strings.Builder
		b.WriteString("first\n")
		for b.Len() < 20<<10 {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		b.WriteString("\nlast")
		f := &source.File{Name: "f", Bytes: []byte(b.String())}
		end := strings.LastIndex(b.String(), "\n")
		for range 500 {
			offset := len("first\n") + r.IntN(end-len("first\n")+1)
			want := source.Pos{Line: 2, Column: 1 + utf8.RuneCount(f.Bytes[len("first\n"):offset]), Offset: offset}
			if got := f.Pos(offset); got != want {
				t.Fatalf("offset %d is %+v, want %+v", offset, got, want)
			}
		}
		if got := f.Pos(len(f.Bytes)); got.Line != 3 || got.Column != 5 {
			t.Errorf("the end is %+v", got)
		}
	}
}
