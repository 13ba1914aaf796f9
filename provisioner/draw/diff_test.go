package draw

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestUnified(t *testing.T) {
	numbered := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintf(&b, "%d\n", i)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, before, after, want string }{
		{"nothing", "a\n", "a\n", ""},
		{"all new", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"all gone", "a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{"three lines around", numbered(1, 9), numbered(1, 4) + "x\n" + numbered(6, 9), "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
		{"changes that are near share a hunk", numbered(1, 8), "x\n" + numbered(2, 7) + "y\n", "@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n"},
		{"changes that are far do not", numbered(1, 9), "x\n" + numbered(2, 8) + "y\n", "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n"},
		{"no line end at the end", "a\nb", "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n\\ no newline at the end\n+b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, ok := Unified(tt.before, tt.after)
			got := ""
			for _, l := range lines {
				got += l + "\n"
			}
			if !ok || got != tt.want {
				t.Errorf("got %v\n%swant\n%s", ok, got, tt.want)
			}
		})
	}
}

// TestDiffLinesRoundTrip: what stays and goes is the old text, what stays and comes the new one.
func TestDiffLinesRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() []string {
		out := make([]string, random.IntN(12))
		for i := range out {
			out[i] = string('a' + rune(random.IntN(4)))
		}
		return out
	}
	for range 5000 {
		a, b := text(), text()
		edits, ok := diffLines(a, b)
		var before, after []string
		for _, e := range edits {
			if e.sign != '+' {
				before = append(before, e.line)
			}
			if e.sign != '-' {
				after = append(after, e.line)
			}
		}
		if !ok || strings.Join(before, "") != strings.Join(a, "") || strings.Join(after, "") != strings.Join(b, "") {
			t.Fatalf("%q to %q: %v, %v", a, b, edits, ok)
		}
	}
}

func TestDiffIsBounded(t *testing.T) {
	start := time.Now()
	if _, ok := Unified(strings.Repeat("a\n", 100_000), strings.Repeat("b\n", 100_000)); ok {
		t.Error("two texts that have nothing in common are drawn")
	}
	if _, ok := Unified(strings.Repeat("a", maxDiffBytes+1), ""); ok {
		t.Error("a text beyond the bound is drawn")
	}
	if spent := time.Since(start); spent > 5*time.Second {
		t.Errorf("it took %v", spent)
	}
}
