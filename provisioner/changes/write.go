package changes

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloudconfig/provisioner/draw"
	"cloudconfig/schema/diag"
)

// Report is what Write draws.
type Report struct {
	// Old and New are the names of the configurations, Image that of the profile, if one was named.
	Old, New, Image string
	Items           []Item
}

// Options say how a report is drawn.
type Options struct {
	Format string // "text", "json" or "markdown"
	Color  bool   // of the text form
}

// Drawing is the JSON form of a report.
type Drawing struct {
	Version int    `json:"version"` // always 1
	Old     string `json:"old"`
	New     string `json:"new"`
	Image   string `json:"image,omitempty"`
	// Changes are all of them, the dangerous ones first.
	Changes []Item `json:"changes"`
	// Stays says that something is removed which a machine that has it keeps.
	Stays   bool    `json:"stays"`
	Summary Summary `json:"summary"`
}

// Summary counts changes.
type Summary struct {
	Dangerous int `json:"dangerous"`
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Removed   int `json:"removed"`
}

// Formats are those that Write knows.
func Formats() []string { return []string{"text", "json", "markdown"} }

// Write draws a report: as text for a terminal, as the JSON of [Drawing], or as Markdown for a comment on a change.
// No text of the user's can be taken for markup or for a command of a terminal. The errors are the writer's.
func Write(w io.Writer, r Report, o Options) error {
	d := Drawing{Version: 1, Old: r.Old, New: r.New, Image: r.Image, Changes: r.Items, Stays: slices.ContainsFunc(r.Items, stays), Summary: summarize(r.Items)}
	if d.Changes == nil {
		d.Changes = []Item{}
	}
	if o.Format == "json" {
		return diag.WriteJSON(w, d)
	}
	b := bufio.NewWriter(w)
	if o.Format == "markdown" {
		markdown(b, d)
	} else {
		text(b, d, o.Color)
	}
	return b.Flush()
}

// stays says that what is removed is something that a machine keeps.
func stays(i Item) bool {
	return i.Action == "removed" && i.Kind != KindJob && i.Kind != KindScript && i.Kind != KindSetting && !strings.HasPrefix(i.Name, "/run/")
}

const staysNote = "What is removed stays on machines that are set up already, but for a key of a user who keeps another one, and the links of a network that another one replaces."

func summarize(items []Item) (s Summary) {
	for _, i := range items {
		if i.Danger != "" {
			s.Dangerous++
		}
		switch i.Action {
		case "added":
			s.Added++
		case "changed":
			s.Changed++
		case "removed":
			s.Removed++
		}
	}
	return s
}

func (s Summary) String() string {
	return fmt.Sprintf("%d added, %d changed, %d removed; %d dangerous", s.Added, s.Changed, s.Removed, s.Dangerous)
}

// split parts the dangerous items, which come first, from the others.
func split(items []Item) (dangerous, others []Item) {
	n := 0
	for n < len(items) && items[n].Danger != "" {
		n++
	}
	return items[:n], items[n:]
}

// state is what an item was and is, in words.
func (i *Item) state() string {
	switch {
	case i.Was != "" && i.Now != "":
		return i.Was + " -> " + i.Now
	case i.Secret && i.Was+i.Now == "":
		return "(secret)"
	case i.Secret:
		return i.Was + i.Now + " (secret)"
	}
	return i.Was + i.Now
}

// places are those that ask for an item.
func (i *Item) places() string {
	switch {
	case i.Old != "" && i.New != "":
		return i.Old + " -> " + i.New
	default:
		return i.Old + i.New
	}
}

func text(b *bufio.Writer, d Drawing, color bool) {
	w := textWriter{b, color}
	if len(d.Changes) == 0 {
		w.line("", "nothing changes")
		return
	}
	dangerous, others := split(d.Changes)
	if len(dangerous) > 0 {
		w.line("", "dangerous:")
		w.items(dangerous)
		if len(others) > 0 {
			w.line("", "the rest:")
		}
	}
	w.items(others)
	if d.Stays {
		w.line("", staysNote)
	}
	w.line("", d.Summary.String())
}

type textWriter struct {
	b     *bufio.Writer
	color bool
}

func (w textWriter) line(code, text string) {
	if w.color && code != "" {
		text = code + text + "\x1b[0m"
	}
	w.b.WriteString(text + "\n")
}

func (w textWriter) items(items []Item) {
	for _, i := range items {
		sign, code := draw.Mark(i.Action)
		words := []string{sign, string(i.Kind)}
		if i.Kind != KindHostname {
			words = append(words, diag.Printable(i.Name))
		}
		if s := i.state(); s != "" {
			words = append(words, diag.Printable(s))
		}
		said := strings.Join(words, " ")
		if p := i.places(); p != "" {
			said += "  (" + diag.Printable(p) + ")"
		}
		w.line(code, said)
		if i.Danger != "" {
			w.line("", "    "+string(i.Danger)+": "+i.Danger.Meaning())
		}
		for _, l := range i.Diff {
			code := ""
			switch l[0] {
			case '+':
				_, code = draw.Mark("added")
			case '-':
				_, code = draw.Mark("removed")
			}
			w.line(code, "    "+l)
		}
	}
}

// maxComment is how many items a comment shows before it says how many more there are: services refuse comments of
// more than 64 KiB.
const (
	maxComment      = 100
	maxCommentBytes = 40 << 10
)

// markdown draws a comment for a change at GitHub or GitLab.
func markdown(b *bufio.Writer, d Drawing) {
	image := ""
	if d.Image != "" {
		image = " on " + code(d.Image)
	}
	fmt.Fprintf(b, "### What changes on a machine%s\n\n", image)
	if len(d.Changes) == 0 {
		b.WriteString("Nothing.\n")
		return
	}
	fmt.Fprintf(b, "%s: %s\n", code(d.Old+" -> "+d.New), d.Summary)
	shown, bytes := 0, 0
	dangerous, others := split(d.Changes)
	for _, part := range []struct {
		headline string
		items    []Item
	}{{"#### Dangerous", dangerous}, {"#### The rest", others}} {
		for n, i := range part.items {
			if shown >= maxComment || bytes > maxCommentBytes {
				break
			}
			var s strings.Builder
			if n == 0 {
				s.WriteString("\n" + part.headline + "\n\n")
			}
			fmt.Fprintf(&s, "- %s %s", i.Action, i.Kind)
			if i.Kind != KindHostname {
				s.WriteString(" " + code(i.Name))
			}
			if state := i.state(); state != "" {
				s.WriteString(": " + code(state))
			}
			if p := i.places(); p != "" {
				s.WriteString(" (" + code(p) + ")")
			}
			if i.Danger != "" {
				fmt.Fprintf(&s, "\n  **%s**: %s", i.Danger, i.Danger.Meaning())
			}
			s.WriteString("\n")
			if len(i.Diff) > 0 && bytes+s.Len() < maxCommentBytes {
				body := strings.Join(i.Diff, "\n  ")
				if len(body) < maxCommentBytes/2 {
					fence := strings.Repeat("`", max(3, longestRun(body)+1))
					s.WriteString("\n  " + fence + "diff\n  " + body + "\n  " + fence + "\n")
				} else {
					fmt.Fprintf(&s, "\n  %d lines differ.\n", len(i.Diff))
				}
			}
			b.WriteString(s.String())
			shown++
			bytes += s.Len()
		}
	}
	if more := len(d.Changes) - shown; more > 0 {
		fmt.Fprintf(b, "\nand %d more\n", more)
	}
	if d.Stays {
		b.WriteString("\n" + staysNote + "\n")
	}
}

// code is a text of others as a code span, in which nothing is markup, a mention or a link. Control characters are
// \u{..}, line ends too.
func code(text string) string {
	const longest = 300
	text = diag.Printable(text)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || strings.TrimSpace(text) != text || text == "" {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRun is the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for i := 0; i < len(text); i++ {
		if text[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
