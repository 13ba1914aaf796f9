// Package networktest shows networks to tests.
package networktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
)

// Dump is what a network says, a line for each thing, without what it does not say and without places.
func Dump(n *network.Network) string {
	if n == nil {
		return "none\n"
	}
	var b strings.Builder
	write(&b, 0, "", tree(n))
	return b.String()
}

// Golden is a network and what was found in its description.
func Golden(n *network.Network, found diag.List) string {
	var b strings.Builder
	for _, d := range found {
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", d.Subject, d.Severity, d.Summary, d.Rule.ID)
		if d.Detail != "" {
			fmt.Fprintf(&b, "  %s\n", d.Detail)
		}
	}
	return b.String() + Dump(n)
}

// Check says what of a network could be more than one value of a file: text with a line end or another control character in it,
// or with a quote. Of a name it says when no interface can have it.
func Check(n *network.Network) error {
	if n == nil {
		return nil
	}
	for i := range n.Links {
		l := &n.Links[i]
		if name := l.Name(); name != "" {
			if err := network.CheckName(name); err != nil {
				return errors.New(err.String())
			}
		}
		for _, name := range l.Match.Names {
			if err := network.CheckPattern(name); err != nil {
				return errors.New(err.String())
			}
		}
	}
	return check(tree(n))
}

func tree(n *network.Network) any {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		panic(err)
	}
	return out
}

func check(v any) error {
	switch v := v.(type) {
	case string:
		if strings.ContainsFunc(v, func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune("\u2028\u2029\ufffd\"'\\%", c) }) {
			return fmt.Errorf("a value is %q", v)
		}
	case []any:
		for _, item := range v {
			if err := check(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, item := range v {
			if key == "At" || strings.HasSuffix(key, "At") {
				continue
			}
			if err := check(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// said tells whether a value is anything but the zero of its type; a place is nothing. Numbers that may be 0 are behind a pointer, and
// those that are not have no other.
func said(key string, v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case bool:
		return v
	case json.Number:
		return v != "0" || key == "Metric" || key == "Priority"
	case []any:
		for _, item := range v {
			if said("", item) {
				return true
			}
		}
		return false
	case map[string]any:
		for key, item := range v {
			if key != "At" && !strings.HasSuffix(key, "At") && said(key, item) {
				return true
			}
		}
		return false
	}
	return true
}

func write(b *strings.Builder, depth int, key string, v any) {
	if m, ok := v.(map[string]any); ok {
		if key != "" {
			line(b, depth, key)
			depth++
		}
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool {
			return (keys[i] == "ID") != (keys[j] == "ID") && keys[i] == "ID" || (keys[j] != "ID" && keys[i] < keys[j])
		})
		for _, k := range keys {
			if k != "At" && !strings.HasSuffix(k, "At") && said(k, m[k]) {
				write(b, depth, k, m[k])
			}
		}
		return
	}
	if list, ok := v.([]any); ok {
		for _, item := range list {
			if said("", item) {
				write(b, depth, key, item)
			}
		}
		return
	}
	line(b, depth, fmt.Sprintf("%s %v", key, v))
}

func line(b *strings.Builder, depth int, text string) {
	b.WriteString(strings.Repeat("  ", depth) + text + "\n")
}
