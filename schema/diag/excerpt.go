package diag

import (
	"strings"
	"unicode/utf8"
)

// An excerpt is a line as it is drawn, or the part of a long one around what is underlined.
type excerpt struct {
	text   string
	indent int // cells in front of the carets
	width  int // how many carets, at least one
}

const (
	maxCells = 160 // of an excerpt
	lead     = 40  // cells kept in front of the carets of a long line
	tabWidth = 8
	most     = 256 // bytes of a long line that are laid out, on either side
)

// draw lays out a line in the cells of a terminal. Tabs become spaces, so that the carets are right wherever
// the terminal has its stops.
func draw(v *view, forCI bool) excerpt {
	type cell struct {
		glyph string
		at    int
	}
	at, begin, end := 0, -1, -1
	start, stop := 0, len(v.line)
	if v.from > 2*most {
		for start = v.from - most; start < v.from && !utf8.RuneStart(v.line[start]); start++ {
		}
	}
	stop = min(stop, v.from+2*most)
	drawn := make([]cell, 0, max(0, stop-start))
	for i := start; i < stop; {
		if i >= v.from && begin < 0 {
			begin = at
		}
		if i >= v.to && end < 0 {
			end = at
		}
		r, size := utf8.DecodeRune(v.line[i:])
		written := string(v.line[i : i+size])
		g := glyph(r, v.line, i, size, forCI)
		width := len(g)
		switch {
		case r == '\t':
			width = tabWidth - at%tabWidth
			g = strings.Repeat(" ", width)
		case g == written:
			width = cells(r)
		}
		drawn = append(drawn, cell{g, at})
		at += width
		i += size
	}
	if begin < 0 {
		begin = at
	}
	if end < 0 {
		end = at
	}
	left, right := 0, at
	if at > maxCells {
		left = max(0, min(begin-lead, at-maxCells))
		right = left + maxCells
	}
	var b strings.Builder
	var e excerpt
	if v.cut || start > 0 || left > 0 {
		b.WriteString("…")
		e.indent = 1
	}
	origin := -1 // the cell of the first character drawn
	for _, c := range drawn {
		if c.at < left {
			continue
		}
		if c.at >= right {
			b.WriteString("…")
			break
		}
		if origin < 0 {
			origin = c.at
		}
		b.WriteString(c.glyph)
	}
	e.text = b.String()
	e.indent += begin - max(origin, 0)
	e.width = max(1, min(end, right)-begin)
	return e
}
