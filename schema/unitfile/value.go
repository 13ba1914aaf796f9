package unitfile

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/schema/calendar"
	"cloudconfig/schema/spelling"
)

// wrong is a part of a value that systemd does not take; offsets are in the value, both 0 for all of it.
type wrong struct {
	from, to     int
	what, detail string
}

// judge says what is wrong with a value that is not empty. A word that waits for a substitution is not judged.
// The kinds are those of the table; "exec" is in command.go.
func judge(kind, value string) []wrong {
	kind, words, _ := strings.Cut(kind, " ")
	f := judgeOf(kind)
	if f == nil {
		return nil
	}
	return f(value, words)
}

func judgeOf(kind string) func(value, words string) []wrong {
	switch kind {
	case "one":
		return func(value, words string) []wrong { return oneOf(value, words, false) }
	case "boolor":
		return func(value, words string) []wrong { return oneOf(value, words, true) }
	case "bool":
		return plain(isBoolean, "true or false")
	case "span":
		return plain(isSpan, "a length of time, such as 90s or 1h 30min")
	case "calendar":
		return func(value, _ string) []wrong {
			if unsettled(value) {
				return nil
			}
			if err := calendar.Check(value); err != nil {
				return []wrong{{what: quoted(value) + " is not a calendar expression", detail: err.Error()}}
			}
			return nil
		}
	case "unsigned":
		return plain(func(v string) bool { return isNumber(v, 0, 1<<63-1) }, "a whole number")
	case "integer":
		return plain(func(v string) bool { return isNumber(v, -1<<63, 1<<63-1) }, "a whole number")
	case "nice":
		return plain(func(v string) bool { return isNumber(v, -20, 19) }, "a number from -20 to 19")
	case "oom":
		return plain(func(v string) bool { return isNumber(v, -1000, 1000) }, "a number from -1000 to 1000")
	case "weight":
		return plain(func(v string) bool { return isNumber(v, 1, 10000) }, "a number from 1 to 10000")
	case "cpuweight":
		return plain(func(v string) bool { return v == "idle" || isNumber(v, 1, 10000) }, "a number from 1 to 10000, or idle")
	case "mode":
		return plain(isMode, "a mode in octal digits, such as 0644")
	case "signal":
		return plain(isSignal, "a signal, such as SIGTERM")
	case "limit":
		return plain(isLimit, "a number, two with a colon between them, or infinity")
	case "memory":
		return func(value, _ string) []wrong {
			return plain(func(v string) bool { return v == "infinity" || isPercent(v) || isSize(v) }, "a size such as 512M, a share such as 10%, or infinity")(value, "")
		}
	case "size":
		return plain(isSize, "a size, such as 512M")
	case "tasks":
		return plain(func(v string) bool { return v == "infinity" || isPercent(v) || isNumber(v, 0, 1<<62) }, "a number, a share such as 10%, or infinity")
	case "percent":
		return plain(isPercent, "a share, such as 20%")
	case "action":
		return func(value, _ string) []wrong { return oneOf(value, actions, false) }
	case "level":
		return func(value, _ string) []wrong { return oneOf(value, levels, false) }
	case "input":
		return plain(isInput, "null, tty, tty-force, tty-fail, data, file:PATH, socket or fd")
	case "output":
		return plain(isOutput, "inherit, null, tty, journal, kmsg, journal+console, kmsg+console, file:PATH, append:PATH, truncate:PATH, socket or fd")
	case "path":
		return absolute("")
	case "envfile":
		return absolute("-")
	case "directory":
		return func(value, _ string) []wrong {
			if value == "~" || value == "-~" {
				return nil
			}
			return absolute("-")(value, "")
		}
	case "condition":
		return absolute("|! ")
	case "paths":
		return each(func(w string) string { return notAbsolute(w) })
	case "npaths":
		return each(func(w string) string { return notAbsolute(strings.TrimLeft(w, "-+")) })
	case "unit":
		return func(value, _ string) []wrong { return units(value, true) }
	case "units":
		return func(value, _ string) []wrong { return units(value, false) }
	case "environment":
		return environment
	}
	return judgeOfNetwork(kind)
}

const (
	actions = "none reboot reboot-force reboot-immediate poweroff poweroff-force poweroff-immediate exit exit-force soft-reboot soft-reboot-force kexec kexec-force halt halt-force halt-immediate"
	levels  = "emerg alert crit err warning notice info debug 0 1 2 3 4 5 6 7"
)

func judgeOfNetwork(kind string) func(value, words string) []wrong {
	switch kind {
	case "mtu":
		return plain(func(v string) bool { n, ok := sizeOf(v); return ok && n >= 68 && n <= 1<<32-1 }, "a number of bytes, 68 at least")
	case "ifname":
		return plain(isInterfaceName, "the name of an interface: 15 characters at most, no blank, slash or colon")
	case "vlan":
		return plain(func(v string) bool { return isNumber(v, 0, 4094) }, "a VLAN's id from 0 to 4094")
	case "port":
		return plain(func(v string) bool { return v == "auto" || isNumber(v, 1, 65535) }, "a port from 1 to 65535")
	case "mac":
		return plain(func(v string) bool { return v == "none" || isHardwareAddress(v) }, "a hardware address, such as 00:50:56:ab:cd:ef")
	case "macs":
		return each(func(w string) string {
			if isHardwareAddress(strings.TrimPrefix(w, "!")) {
				return ""
			}
			return quoted(w) + " is not a hardware address"
		})
	case "address":
		return plain(func(v string) bool { return isIP(v) || isPrefix(v) }, "an IP address with the length of its network, such as 10.0.0.2/24")
	case "ip":
		return plain(func(v string) bool { return isIP(v) || isBoolean(v) }, "an IP address")
	case "gateway":
		return plain(func(v string) bool {
			return isIP(v) || slices.Contains([]string{"dhcp4", "_dhcp4", "_dhcp", "_ipv6ra", "_dhcp6"}, v)
		}, "an IP address, _dhcp4 or _ipv6ra")
	case "prefix":
		return plain(func(v string) bool { return v == "default" || isIP(v) || isPrefix(v) }, "a network, such as 10.0.0.0/8")
	case "prefixes":
		return func(value, _ string) []wrong {
			return each(func(w string) string {
				if isIP(w) || isPrefix(w) {
					return ""
				}
				return quoted(w) + " is not a network"
			})(strings.ReplaceAll(value, ",", " "), "")
		}
	case "dns":
		return each(func(w string) string {
			if isServer(w) {
				return ""
			}
			return quoted(w) + " is not the address of a DNS server"
		})
	case "endpoint":
		return plain(func(v string) bool {
			i := strings.LastIndexByte(v, ':')
			return i > 0 && isNumber(v[i+1:], 1, 65535)
		}, "HOST:PORT")
	case "dhcp":
		return func(value, _ string) []wrong {
			if slices.Contains([]string{"both", "none", "v4", "v6"}, value) {
				return nil // the old words
			}
			return oneOf(value, "ipv4 ipv6", true)
		}
	}
	return nil
}

// unsettled says that something of a text is filled in later: a variable, a specifier, a template's marks.
func unsettled(text string) bool {
	return strings.ContainsAny(text, "$%") || strings.Contains(text, "{{") || strings.Contains(text, "<%")
}

// quoted is a value as a message shows it.
func quoted(value string) string {
	if len(value) > 60 {
		value = strings.ToValidUTF8(value[:60], "") + "..."
	}
	return strconv.Quote(value)
}

// plain judges a value as a whole.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func plain(ok func(string) bool, is string) func(value, words string) []wrong {
	return func(value, _ string) []wrong {
		if ok(value) || unsettled(value) && !strings.HasSuffix(value, "%") || strings.Contains(value, "$") {
			return nil
		}
		return []wrong{{what: "cannot be " + quoted(value), detail: is}}
	}
}

// each judges the words of a value; bad says what is wrong with one.
// Many call it, and none needs a copy of its own.
//
//go:noinline
func each(bad func(word string) string) func(value, words string) []wrong {
	return func(value, _ string) []wrong {
		var out []wrong
		all, open := split(value)
		if open >= 0 {
			return []wrong{unclosed(open, value)}
		}
		for _, w := range all {
			if text := w.text(value); text != "" && !unsettled(text) {
				if what := bad(text); what != "" {
					out = append(out, wrong{from: w.from, to: w.to, what: what})
				}
			}
		}
		return out
	}
}

func unclosed(open int, value string) wrong {
	return wrong{from: open, to: open + 1, what: "a quote that is not closed", detail: "systemd leaves the setting out"}
}

func oneOf(value, words string, boolean bool) []wrong {
	list := strings.Fields(words)
	if slices.Contains(list, value) || boolean && isBoolean(value) || unsettled(value) {
		return nil
	}
	w := wrong{what: "cannot be " + quoted(value), detail: "one of " + strings.Join(list, ", ")}
	if boolean {
		w.detail = "true, false, " + strings.Join(list, ", ")
	}
	if meant := spelling.Nearest(value, list); meant != "" {
		w.detail = "did you mean " + strconv.Quote(meant) + "?"
	}
	return []wrong{w}
}

// absolute judges a path, which some characters may go before.
func absolute(before string) func(value, words string) []wrong {
	return func(value, _ string) []wrong {
		path := strings.TrimLeft(value, before)
		if path == "" || unsettled(path) || notAbsolute(strings.Trim(path, `"'`)) == "" {
			return nil
		}
		return []wrong{{from: len(value) - len(path), to: len(value), what: notAbsolute(path)}}
	}
}

func notAbsolute(path string) string {
	if strings.HasPrefix(path, "/") {
		return ""
	}
	return quoted(path) + " is not an absolute path"
}

func units(value string, single bool) []wrong {
	return each(func(name string) string {
		if single && strings.ContainsAny(name, " ") || !ValidName(name) {
			return quoted(name) + " is not a unit"
		}
		return ""
	})(value, "")
}

// environment judges assignments. It quotes none of their values, which may be secrets.
func environment(value, _ string) []wrong {
	all, open := split(value)
	if open >= 0 {
		return []wrong{unclosed(open, value)}
	}
	var out []wrong
	for _, w := range all {
		text := w.text(value)
		name, _, assigned := strings.Cut(text, "=")
		switch {
		case strings.HasPrefix(text, "$") || strings.Contains(text, "{{"):
		case !assigned:
			out = append(out, wrong{from: w.from, to: w.to, what: "a word that is no assignment, which systemd leaves out", detail: `put quotes around the whole assignment: "NAME=a value with blanks"`})
		case !isVariableName(name) && !unsettled(name):
			from := w.from
			if strings.ContainsRune(`"'`, rune(value[from])) {
				from++
			}
			out = append(out, wrong{from: from, to: from + max(1, min(len(name), w.to-from)), what: "not the name of an environment variable, so systemd leaves the assignment out",
				detail: "letters, digits and underscores"})
		}
	}
	return out
}

func isVariableName(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return name != ""
}

func isBoolean(v string) bool {
	switch strings.ToLower(v) {
	case "1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off":
		return true
	}
	return false
}

// IsTrue is what a value means that systemd takes for a boolean; false of any other.
func IsTrue(v string) bool {
	switch strings.ToLower(v) {
	case "1", "yes", "y", "true", "t", "on":
		return true
	}
	return false
}

func isNumber(v string, from, to int64) bool {
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		// A leading zero makes no octal number here.
		n, err = strconv.ParseInt(v, 10, 64)
	}
	return err == nil && n >= from && n <= to && !strings.Contains(v, "_")
}

func isMode(v string) bool {
	n, err := strconv.ParseUint(v, 8, 32)
	return err == nil && n <= 0o7777
}

// spanUnits are the units of time in the order in which systemd tries them.
var spanUnits = [...]string{"seconds", "second", "sec", "s", "minutes", "minute", "min", "months", "month", "M", "msec", "ms", "m",
	"hours", "hour", "hr", "h", "days", "day", "d", "weeks", "week", "w", "years", "year", "y", "usec", "us", "μs", "µs", "nsec", "ns"}

// isSpan says that a value is a length of time.
//
// Source: parse_time in src/basic/time-util.c of systemd 252.
func isSpan(v string) bool {
	const space, digits = " \t\n\r", "0123456789"
	v = strings.Trim(v, space)
	if v == "infinity" || v == "" {
		return v != ""
	}
	for v != "" {
		number := strings.TrimLeft(strings.TrimPrefix(v, "+"), digits)
		whole := len(v) - len(number)
		if rest, dot := strings.CutPrefix(number, "."); dot {
			number = strings.TrimLeft(rest, digits)
		} else if whole == 0 || v[whole-1] == '+' {
			return false
		}
		rest := strings.TrimLeft(number, space)
		for _, unit := range spanUnits {
			if after, ok := strings.CutPrefix(rest, unit); ok {
				rest = after
				break
			}
		}
		if rest == number && rest != "" {
			return false
		}
		v = strings.TrimLeft(rest, space)
	}
	return true
}

func isPercent(v string) bool {
	n, ok := strings.CutSuffix(v, "%")
	f, err := strconv.ParseFloat(n, 64)
	return ok && err == nil && f >= 0 && !strings.ContainsAny(n, "xXpP_eE")
}

func isSize(v string) bool { _, ok := sizeOf(v); return ok }

// sizeOf reads a size: numbers with the letters B, K, M, G, T, P, E, each greater than the next.
func sizeOf(v string) (float64, bool) {
	total := 0.0
	for v = strings.Trim(v, blanks); v != ""; v = strings.TrimLeft(v, blanks) {
		end := len(v) - len(strings.TrimLeft(v, "0123456789."))
		n, err := strconv.ParseFloat(v[:end], 64)
		if err != nil {
			return 0, false
		}
		v = strings.TrimLeft(v[end:], blanks)
		if v != "" {
			i := strings.IndexByte("BKMGTPE", v[0])
			if i < 0 {
				return 0, false
			}
			for ; i > 0; i-- {
				n *= 1024
			}
			v = v[1:]
		}
		if total += n; v == "" {
			return total, true
		}
	}
	return 0, false
}

// isLimit takes the form of a resource limit; what the number counts depends on the limit.
func isLimit(v string) bool {
	soft, hard, two := strings.Cut(v, ":")
	one := func(v string) bool {
		v = strings.TrimLeft(v, "+-")
		return v == "infinity" || v != "" && v[0] >= '0' && v[0] <= '9' && strings.Trim(v, "0123456789. abcdehiklmnorstuwyABCDEFGKMPTX") == ""
	}
	return one(soft) && (!two || one(hard))
}

// isSignal takes a signal's number, or its name with or without SIG.
func isSignal(v string) bool {
	if isNumber(v, 1, 64) {
		return true
	}
	name := strings.TrimPrefix(v, "SIG")
	if base, plus, ok := strings.Cut(name, "+"); ok {
		return base == "RTMIN" && isNumber(plus, 0, 30)
	}
	if base, minus, ok := strings.Cut(name, "-"); ok {
		return base == "RTMAX" && isNumber(minus, 0, 30)
	}
	return slices.Contains(strings.Fields("HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS RTMIN RTMAX"), name)
}

func isInput(v string) bool {
	switch v {
	case "null", "tty", "tty-force", "tty-fail", "data", "socket", "fd":
		return true
	}
	return strings.HasPrefix(v, "file:") || strings.HasPrefix(v, "fd:")
}

func isOutput(v string) bool {
	switch v {
	case "inherit", "null", "tty", "journal", "kmsg", "journal+console", "kmsg+console", "socket", "fd", "syslog", "syslog+console":
		return true
	}
	return strings.HasPrefix(v, "file:") || strings.HasPrefix(v, "append:") || strings.HasPrefix(v, "truncate:") || strings.HasPrefix(v, "fd:")
}

// isInterfaceName is what the kernel takes: dev_valid_name of Linux; systemd leaves out names of digits alone.
func isInterfaceName(v string) bool {
	return v != "" && len(v) <= 15 && v != "." && v != ".." && !strings.ContainsAny(v, " \t/:%") && strings.Trim(v, "0123456789") != ""
}

func isIP(v string) bool { _, err := netip.ParseAddr(v); return err == nil }

func isPrefix(v string) bool { _, err := netip.ParsePrefix(v); return err == nil }

// isServer takes ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, each with %INTERFACE and #NAME behind it.
func isServer(v string) bool {
	v, _, _ = strings.Cut(v, "#")
	if isIP(v) {
		return true
	}
	v, _, _ = strings.Cut(v, "%")
	_, err := netip.ParseAddrPort(v)
	return err == nil || isIP(v)
}

// isHardwareAddress takes 6 bytes, of InfiniBand 20, in pairs with : or -, or in fours with dots.
func isHardwareAddress(v string) bool {
	digits := 0
	for i := 0; i < len(v); i++ {
		switch c := v[i] | 0x20; {
		case c >= '0' && c <= '9' && v[i] == c, c >= 'a' && c <= 'f':
			digits++
		case v[i] == ':', v[i] == '-', v[i] == '.':
			if i == 0 || i+1 == len(v) {
				return false
			}
		default:
			return false
		}
	}
	return (digits == 12 || digits == 40) && strings.ContainsAny(v, ":-.")
}
