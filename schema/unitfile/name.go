package unitfile

import "strings"

// maxName is how long the name of a unit may be, in bytes.
const maxName = 255

// ValidName says that systemd takes a name as that of a unit: characters, length, one of its suffixes, and
// something before the @ of a template or an instance.
//
// Source: unit_name_is_valid in src/basic/unit-name.c of systemd 252.
func ValidName(name string) bool {
	stem, suffix, ok := cutSuffix(name)
	if !ok || len(name) > maxName || stem[0] == '@' {
		return false
	}
	switch suffix {
	case "service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope":
	default:
		return false
	}
	for i := 0; i < len(stem); i++ {
		switch c := stem[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte(`:-_.\@`, c) >= 0:
		default:
			return false
		}
	}
	return true
}

// cutSuffix cuts a name at its last dot; both parts have something in them.
func cutSuffix(name string) (stem, suffix string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i+1 == len(name) {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// PathName is an absolute path as it stands in the name of a unit, without a suffix: "srv-data" of "/srv/data",
// and "-" of the root.
//
// Source: unit_name_path_escape in src/basic/unit-name.c of systemd 252.
func PathName(path string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('-')
		}
		for i := 0; i < len(part); i++ {
			switch c := part[i]; {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == ':', c == '_', c == '.' && (i > 0 || b.Len() > 0):
				b.WriteByte(c)
			default:
				const hex = "0123456789abcdef"
				b.WriteString(`\x` + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
			}
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// TemplateOf is "getty@.service" of "getty@tty1.service", and "" of what is no instance.
func TemplateOf(unit string) string {
	at, dot := strings.IndexByte(unit, '@'), strings.LastIndexByte(unit, '.')
	if at < 0 || dot <= at+1 {
		return ""
	}
	return unit[:at+1] + unit[dot:]
}
