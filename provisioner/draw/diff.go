package draw

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of the diff of two texts. It costs at most maxEdits times the lines of both.
const (
	maxDiffBytes = 256 << 10
	maxEdits     = 256
	context      = 3 // lines around a change
)

// Unified is the lines of a unified diff without the names of the files; ok is false if the texts are too
// large, or too different for it to be of use.
func Unified(before, after string) (lines []string, ok bool) {
	if len(before) > maxDiffBytes || len(after) > maxDiffBytes {
		return nil, false
	}
	edits, ok := diffLines(linesOf(before), linesOf(after))
	if !ok {
		return nil, false
	}
	a, b := 1, 1 // the line numbers of edits[i]
	for i := 0; i < len(edits); {
		if edits[i].sign == ' ' {
			i, a, b = i+1, a+1, b+1
			continue
		}
		// A hunk goes from the context before its first change to that after the last one which the next change
		// is not near to.
		start := max(i-context, 0)
		end := i
		for j := i; j < len(edits) && j <= end+2*context+1; j++ {
			if edits[j].sign != ' ' {
				end = j
			}
		}
		stop := min(end+1+context, len(edits))
		hunk := edits[start:stop]
		fromA, fromB := a-(i-start), b-(i-start)
		removed, added := 0, 0
		var body []string
		for _, e := range hunk {
			if e.sign != '+' {
				removed++
			}
			if e.sign != '-' {
				added++
			}
			text, whole := strings.CutSuffix(e.line, "\n")
			body = append(body, string(e.sign)+text)
			if !whole {
				body = append(body, `\ no newline at the end`)
			}
		}
		lines = append(lines, fmt.Sprintf("@@ -%s +%s @@", span(fromA, removed), span(fromB, added)))
		lines = append(lines, body...)
		i, a, b = stop, fromA+removed, fromB+added
	}
	return lines, true
}

// span is a place in a file as a hunk names it.
func span(from, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", from-1)
	case 1:
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d,%d", from, count)
}

// linesOf splits a text into its lines, each with its end.
func linesOf(text string) []string { return slices.Collect(strings.Lines(text)) }

// edit is a line that stays (' '), goes ('-') or comes ('+').
type edit struct {
	sign byte
	line string
}

// diffLines finds the shortest way from a to b, if it has at most maxEdits steps.
//
// Source: E. W. Myers, An O(ND) Difference Algorithm and Its Variations, Algorithmica 1 (1986).
func diffLines(a, b []string) ([]edit, bool) {
	limit := min(len(a)+len(b), maxEdits)
	reach := make([]int, 2*limit+3) // reach[zero+k]: how far in a one gets on diagonal k
	zero := limit + 1
	var steps [][]int // reach before each step
	for d := 0; d <= limit; d++ {
		steps = append(steps, slices.Clone(reach[zero-d-1:zero+d+2]))
		for k := -d; k <= d; k += 2 {
			x := reach[zero+k-1] + 1
			if k == -d || k != d && reach[zero+k-1] < reach[zero+k+1] {
				x = reach[zero+k+1]
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			reach[zero+k] = x
			if x >= len(a) && x-k >= len(b) {
				return wayBack(a, b, steps), true
			}
		}
	}
	return nil, false
}

// wayBack follows the steps from the ends of a and b to their beginnings.
func wayBack(a, b []string, steps [][]int) []edit {
	var out []edit
	x, y := len(a), len(b)
	for d := len(steps) - 1; d > 0; d-- {
		reach, zero, k := steps[d], d+1, x-y
		down := k == -d || k != d && reach[zero+k-1] < reach[zero+k+1]
		from := k - 1
		if down {
			from = k + 1
		}
		fromX := reach[zero+from]
		for x > fromX && y > fromX-from {
			x, y = x-1, y-1
			out = append(out, edit{' ', a[x]})
		}
		if down {
			y--
			out = append(out, edit{'+', b[y]})
		} else {
			x--
			out = append(out, edit{'-', a[x]})
		}
	}
	for x > 0 {
		x--
		out = append(out, edit{' ', a[x]})
	}
	slices.Reverse(out)
	return out
}
