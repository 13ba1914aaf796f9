package machine

import "strings"

// Cmdline is the kernel command line, in its order.
type Cmdline []Option

// Option is one word of the command line. Key has "_" for every "-", since the kernel takes them for the same; Value
// is what follows the first "=", and IsSet says that there was one.
type Option struct {
	Key, Value string
	IsSet      bool
}

// ParseCmdline splits a command line at blanks outside double quotes, and takes the quotes away. What follows "--" is
// for init alone and left out. Source: Linux, lib/cmdline.c next_arg() and init/main.c (6.1).
func ParseCmdline(text string) Cmdline {
	var all Cmdline
	for _, word := range splitWords(text) {
		if word == "--" {
			break
		}
		key, value, isSet := strings.Cut(word, "=")
		all = append(all, Option{Key: canonical(key), Value: value, IsSet: isSet})
	}
	return all
}

func canonical(key string) string { return strings.ReplaceAll(key, "-", "_") }

func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, c := range []byte(text) {
		switch {
		case c == '"':
			quoted, begun = !quoted, true
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			end()
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	end()
	return words
}

// Get is the value of a key; the last one wins. Hyphen and underscore are the same.
func (c Cmdline) Get(key string) (value string, ok bool) {
	all := c.All(key)
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

// All is every value of a key that has one, in their order.
func (c Cmdline) All(key string) []string {
	var all []string
	for _, o := range c {
		if o.IsSet && o.Key == canonical(key) {
			all = append(all, o.Value)
		}
	}
	return all
}

// Settings is every word that has a value, as KEY=VALUE without quotes, in their order.
func (c Cmdline) Settings() []string {
	var all []string
	for _, o := range c {
		if o.IsSet {
			all = append(all, o.Key+"="+o.Value)
		}
	}
	return all
}
