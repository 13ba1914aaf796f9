package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"cloudconfig/provisioner/review"
	"cloudconfig/schema/diag"
)

// mended writes what was mended, to the files themselves or, with --diff, to standard output as a diff.
func (v *validation) mended(c *Command, all []review.Mended) error {
	for _, m := range all {
		if v.diff {
			if err := drawMended(c.Stdout, m); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(m.Path)
		if err != nil {
			return err
		}
		err = writeFile(m.Path, info.Mode().Perm(), func(w io.Writer) error {
			_, err := w.Write(m.After)
			return err
		})
		if err != nil {
			return err
		}
	}
	if v.quiet || len(all) == 0 {
		return nil
	}
	cured := 0
	for _, m := range all {
		cured += len(m.Cured)
	}
	what := "mended"
	if v.diff {
		what = "could be mended"
	}
	_, err := fmt.Fprintf(c.Stderr, "%s %s in %s\n", plural(cured, "finding"), what, plural(len(all), "file"))
	return err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// drawMended draws the lines that change, without those around them, which may hold secrets. Lines of which only
// the end changes are counted.
func drawMended(w io.Writer, m review.Mended) error {
	var b strings.Builder
	name := diag.Printable(m.Name)
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
	before, after := lines(m.Before), lines(m.After)
	hidden := func(number int) bool {
		return slices.ContainsFunc(m.Cured, func(d diag.Diagnostic) bool { return d.Secret && d.Subject.Start.Line == number })
	}
	ends := 0
	for i := range max(len(before), len(after)) {
		var was, is string
		if i < len(before) {
			was = before[i]
		}
		if i < len(after) {
			is = after[i]
		}
		wasText, isText := strings.TrimRight(was, "\r\n"), strings.TrimRight(is, "\r\n")
		switch {
		case was == is:
		case wasText == isText:
			ends++
		case hidden(i + 1):
			fmt.Fprintf(&b, "@@ -%d +%d @@\n-(secret)\n+(secret)\n", i+1, i+1)
		default:
			fmt.Fprintf(&b, "@@ -%d +%d @@\n-%s\n+%s\n", i+1, i+1, diag.Line(wasText), diag.Line(isText))
		}
	}
	if ends > 0 {
		fmt.Fprintf(&b, "@@ %s @@\n", plural(ends, "line end"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lines are the lines of a text with their ends. Where there is no line feed at all, carriage returns end lines.
func lines(text []byte) []string {
	sep := "\n"
	if !bytes.Contains(text, []byte(sep)) {
		sep = "\r"
	}
	return strings.SplitAfter(string(text), sep)
}
