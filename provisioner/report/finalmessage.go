package report

import "strings"

// FinalMessage puts values in the place of $name, ${name}, {{name}} and {{ name }}, in small letters or capitals; what is no
// name stays. The line by which cloud-init knows a template of Jinja is dropped.
//
// Source: cloud-init, cloudinit/config/cc_final_message.py, at 26.2 (2026-08).
func FinalMessage(text string, values map[string]string) string {
	if first, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "## template:") {
		text = rest
	}
	var out strings.Builder
	for text != "" {
		value, length := "", 0
		for _, form := range [...][2]string{{"{{", "}}"}, {"${", "}"}, {"$", ""}} {
			if inside, ok := strings.CutPrefix(text, form[0]); ok {
				if value, length = named(inside, form[1], values); length > 0 {
					length += len(form[0])
					break
				}
			}
		}
		if length == 0 {
			value, length = text[:1], 1
		}
		out.WriteString(value)
		text = text[length:]
	}
	return out.String()
}

// named finds the value of a name at the beginning of a text, blanks and what ends it included; length is 0 if there
// is none.
func named(text, end string, values map[string]string) (value string, length int) {
	trimmed := text
	if end == "}}" {
		trimmed = strings.TrimLeft(text, " ")
	}
	name := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"))]
	value, known := values[strings.ToLower(name)]
	rest := trimmed[len(name):]
	if end == "}}" {
		rest = strings.TrimLeft(rest, " ")
	}
	if !known || !strings.HasPrefix(rest, end) {
		return "", 0
	}
	return value, len(text) - len(rest) + len(end)
}
