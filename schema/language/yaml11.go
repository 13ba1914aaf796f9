package language

import (
	"fmt"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// readOtherwise reports text that a reader of YAML 1.1 takes for something else, with another outcome. Only
// cloud-init reads what is not below coreos that way; coreos-cloudinit took text as it is written.
func (c *Checker) readOtherwise(n *yamltree.Node, path string, s *shape) {
	if n.Kind != yamltree.Scalar || n.Style != yamltree.Plain || len(n.Value) > 64 || strings.HasPrefix(path, "coreos.") || s.oneOf != nil {
		return
	}
	if n.Tag != "!!str" && n.Tag != "!!int" && n.Tag != "!!float" || strings.HasSuffix(withoutIndices(path), ".sudo") {
		return
	}
	read, severity := yaml11(n.Value)
	if read == "" {
		return
	}
	d := c.ReportAt(rules.YAML11, path, n.Range, "cloud-init reads %s as %s", quote(n, s), read)
	d.Severity = severity
	if severity == diag.Info {
		d.Summary = fmt.Sprintf("some tools read %s as %s", quote(n, s), read)
	}
	d.Detail = "quote it"
	d.Fix = []diag.Edit{{At: n.Range, Text: `"` + n.Value + `"`}} // letters, digits and signs need no escape
	d.Secret = s.secret
	if s.secret {
		d.Summary = "cloud-init does not read this as text"
	}
}

// yaml11 is what YAML 1.1 makes of a plain scalar, where that is written differently; "" where it is not. A
// number with a zero in front that is not octal is decimal to readers of YAML 1.2, and text to those of 1.1: that
// is for information.
//
// Source: https://yaml.org/type/{bool,int,float}.html (2005-01-18), as PyYAML 6.0 has them in resolver.py and
// constructor.py.
func yaml11(text string) (read string, severity diag.Severity) {
	switch text {
	case "yes", "Yes", "YES", "on", "On", "ON":
		return "true", diag.Warning
	case "no", "No", "NO", "off", "Off", "OFF":
		return "false", diag.Warning
	}
	sign, number := "", text
	if text != "" && (text[0] == '+' || text[0] == '-') {
		sign, number = strings.TrimPrefix(text[:1], "+"), text[1:]
	}
	if number == "" || number[0] != '.' && (number[0] < '0' || number[0] > '9') {
		return "", 0
	}
	digits := strings.ReplaceAll(number, "_", "")
	as := func(v string) (string, diag.Severity) {
		if v == text {
			return "", 0
		}
		return v, diag.Warning
	}
	integer := func(digits string, base int) (string, diag.Severity) {
		v, err := strconv.ParseInt(digits, base, 64)
		if err != nil {
			return "", 0
		}
		return as(sign + strconv.FormatInt(v, 10))
	}
	switch {
	case strings.Contains(number, ":"):
		first, rest, _ := strings.Cut(number, ":")
		if v, ok := sexagesimal(strings.ReplaceAll(first, "_", "") + ":" + rest); ok {
			return as(sign + strconv.FormatInt(v, 10))
		}
	case strings.HasPrefix(digits, "0x") && strings.Trim(digits[2:], "0123456789abcdefABCDEF") == "":
		return integer(digits[2:], 16)
	case strings.HasPrefix(digits, "0b") && strings.Trim(digits[2:], "01") == "":
		return integer(digits[2:], 2)
	case strings.Trim(digits, "01234567") == "" && digits[0] == '0' && len(digits) > 1:
		return integer(digits, 8)
	case strings.Trim(digits, "0123456789") == "" && digits[0] == '0' && len(digits) > 1 && sign == "" && digits == number:
		return strings.TrimLeft(digits, "0"), diag.Info
	case strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || len(digits) == 1):
		return integer(digits, 10)
	case number[0] == '.' && (len(number) < len(text) || strings.HasPrefix(number, "._")):
	case strings.Count(digits, ".") == 1 && strings.Trim(digits, "0123456789.") == "" && len(digits) > 1:
		v, err := strconv.ParseFloat(digits, 64)
		if err != nil || v >= 1e16 || v != 0 && v < 1e-4 {
			return "", 0
		}
		short := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(short, ".") {
			short += ".0"
		}
		return as(sign + short)
	}
	return "", 0
}

// sexagesimal reads 12:30:45 as YAML 1.1 does: every part after the first has 60 at most.
func sexagesimal(text string) (v int64, ok bool) {
	for i, part := range strings.Split(text, ":") {
		if part == "" || len(part) > 2 && i > 0 || len(part) > 9 || strings.Trim(part, "0123456789") != "" || i == 0 && part[0] == '0' || i > 8 {
			return 0, false
		}
		n, _ := strconv.ParseInt(part, 10, 64)
		if i > 0 && n > 59 {
			return 0, false
		}
		v = v*60 + n
	}
	return v, true
}
