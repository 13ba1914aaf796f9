package unitfile

import (
	"errors"
	"slices"
	"strings"
)

// Install is what the [Install] sections of a unit say. Names are as written: specifiers such as %i are not
// expanded.
type Install struct {
	WantedBy, RequiredBy, UpheldBy []string
	Alias, Also                    []string
	DefaultInstance                string
}

// IsZero says that there is nothing to enable.
func (i Install) IsZero() bool {
	return len(i.WantedBy)+len(i.RequiredBy)+len(i.UpheldBy)+len(i.Alias)+len(i.Also) == 0 && i.DefaultInstance == ""
}

// InstallOf reads the [Install] sections as systemctl enable does: names are parted by blanks and may be
// quoted, a directive that comes again adds to the first, and an empty one forgets what came before. Also is
// the exception: nothing makes systemd forget it. UpheldBy is known from systemd 254 on.
func InstallOf(sections []Section) Install {
	var in Install
	for _, s := range sections {
		if s.Name != "Install" {
			continue
		}
		for _, d := range s.Directives {
			switch d.Name {
			case "WantedBy":
				in.WantedBy = list(in.WantedBy, d.Value)
			case "RequiredBy":
				in.RequiredBy = list(in.RequiredBy, d.Value)
			case "UpheldBy":
				in.UpheldBy = list(in.UpheldBy, d.Value)
			case "Alias":
				in.Alias = list(in.Alias, d.Value)
			case "Also":
				in.Also = append(in.Also, words(d.Value)...)
			case "DefaultInstance":
				in.DefaultInstance = d.Value
			}
		}
	}
	for _, names := range []*[]string{&in.WantedBy, &in.RequiredBy, &in.UpheldBy, &in.Alias} {
		*names = once(*names)
	}
	return in
}

func list(old []string, value string) []string {
	if value == "" {
		return nil
	}
	return append(old, words(value)...)
}

// once leaves out what is there already.
func once(names []string) []string {
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// words parts a value at its blanks, but for those inside quotes, which are dropped. A backslash is kept,
// since it is part of the names of units. A value with an open quote has none, as systemd has it.
func words(value string) []string {
	var out []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	for _, r := range value {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				out = append(out, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil
	}
	if inWord {
		out = append(out, word.String())
	}
	return out
}

// Quote writes a value in double quotes, so that systemd reads back exactly the value from
// Environment=, where quotes, backslashes and % have a meaning. What stands in a variable is text: a line
// end, another control character but the tab, and bytes that are not UTF-8 are errors.
func Quote(value string) (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(value, "\x00") {
		switch {
		case r == '\n' || r == '\r':
			return "", errors.New("a line end cannot be in the value of a unit's setting")
		case r == 0 || r < ' ' && r != '\t' || r == 0x7F:
			return "", errors.New("a control character, or what is not UTF-8, cannot be in the value of a unit's setting")
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '%':
			b.WriteString("%%")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}
