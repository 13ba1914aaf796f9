// Package interfaces reads the network that /etc/network/interfaces of Debian's ifupdown describes.
//
// [Read] is all there is to call. Nothing in the text is run: what a command of it would add (an address, a route, a rule)
// is taken, and every other command is told.
//
// Format: interfaces(5) of ifupdown 0.8.44 (2024); README.Debian of ifenslave 2.14 and bridge-utils 1.7 (bridge-utils-interfaces(5)),
// vlan-interfaces(5) of vlan 2.0, and resolvconf(8).
package interfaces

import (
	"path"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// What is far beyond what a machine has. They keep the cost in bounds.
const (
	maxBytes     = 1 << 20
	maxLinks     = 1_000
	maxAddresses = 1_000 // of a link
	maxPatterns  = 64
	maxWord      = 64     // of a pattern
	maxOptions   = 50_000 // of all stanzas, with what they inherit
)

// Read gives the network that a text describes, whole or without what is wrong, which is reported; nil if it is too long.
//
// All interfaces of the text are brought up. One that the text does not bring up at boot (auto) is optional.
func Read(c *findings.Collector, f *source.File) *network.Network {
	if len(f.Bytes) > maxBytes {
		c.ReportAt(rules.NetworkSyntax, "", f.Range(0, 0), "a file in the form of interfaces(5) is not larger than %d KiB", maxBytes>>10)
		return nil
	}
	r := &reader{c: c, file: f, network: &network.Network{At: f.Range(0, 0)}, links: map[string]*link{}, auto: map[string]bool{}}
	r.parse()
	r.inherit()
	for _, s := range r.stanzas {
		if !s.template || r.isAuto(s.name.text) {
			r.stanza(s)
		}
	}
	r.relate()
	return r.finish()
}

type reader struct {
	c       *findings.Collector
	file    *source.File
	network *network.Network

	stanzas  []*stanza
	auto     map[string]bool // what is brought up at boot
	patterns []string        // of that
	links    map[string]*link
	order    []*link
	routes   []pending
	full     bool // there are too many links, and it is told
}

// A stanza is what a text says once of an interface: eth0 and inet and static.
type stanza struct {
	name           word
	family, method string
	parent         word // of which it takes options
	options        []*option
	template       bool // another takes its options
}

// An option is a line of a stanza. Its key has hyphens for underscores, which are the same in all that is known.
type option struct {
	key  string
	name word
	args []word
}

// A link is one that is being put together of its stanzas.
type link struct {
	network.Link
	name  word
	said  bool         // there is a stanza of it
	made  network.Kind // what it is by its options; "" if they do not say
	mixed bool         // they say two things
	hasID bool         // its VLANID is said

	raw     word      // what it is a VLAN on
	master  word      // the bond it is in
	primary word      // the member of its bond that is used while it is up
	members []word    // what is in it
	ports   []*option // cost and priority of ports, of a bridge
}

func (r *reader) at(w word) source.Range { return r.file.Range(w.from, w.to) }

// span is the whole of an option.
func (r *reader) span(o *option) source.Range {
	to := o.name.to
	if len(o.args) > 0 {
		to = o.args[len(o.args)-1].to
	}
	return findings.FirstLine(r.file.Range(o.name.from, to))
}

func (r *reader) report(rule *diag.Rule, w word, format string, args ...any) {
	r.c.ReportAt(rule, "", r.at(w), format, args...)
}

// ignore tells that something has no effect, and why.
func (r *reader) ignore(o *option, why string) {
	r.c.ReportAt(rules.NetworkIgnored, "", r.span(o), "%s %s", network.Quoted(o.name.text), why)
}

// refuse tells that a value is none, and why.
func (r *reader) refuse(rule *diag.Rule, w word, err *network.Fault) {
	r.c.ReportAt(rule, "", r.at(w), "%s", err.Summary).Detail = err.Detail
}

// parse cuts the text into stanzas.
func (r *reader) parse() {
	s := scanner{text: r.file.Bytes}
	var current *stanza
	ignoring := false // lines of a stanza that has no effect
	options := 0
	for words := s.line(); words != nil; words = s.line() {
		first, args := words[0], words[1:]
		o := &option{key: strings.ReplaceAll(first.text, "_", "-"), name: first, args: args}
		switch first.text {
		case "iface":
			ignoring = false
			if current = r.iface(o); current == nil {
				ignoring = true
			}
			continue
		case "auto", "allow-auto":
			for _, w := range args {
				r.bringUp(w)
			}
		case "mapping":
			current, ignoring = nil, true
			r.ignore(o, "has no effect: interfaces are known by their own names here")
			continue
		case "rename":
			r.ignore(o, "has no effect: no interface is renamed")
		case "source", "source-directory", "source-dir":
			r.ignore(o, "has no effect: there is no other file to read")
		case "no-auto-down", "no-scripts": // about ifdown, and scripts of the image
		default:
			switch {
			case strings.HasPrefix(first.text, "allow-"): // some are brought up when they appear, which is always now
			case ignoring:
				continue
			case current == nil:
				r.report(rules.NetworkSyntax, first, "%s is outside of every stanza", network.Quoted(first.text))
				continue
			case options == maxOptions:
				r.report(rules.NetworkSyntax, first, "there are more than %d options", maxOptions)
				return
			default:
				options++
				current.options = append(current.options, o)
				continue
			}
		}
		current, ignoring = nil, false
	}
}

// iface begins a stanza; nil if nothing can be made of it.
func (r *reader) iface(o *option) *stanza {
	if len(o.args) == 0 {
		r.report(rules.NetworkSyntax, o.name, "iface has no name")
		return nil
	}
	s := &stanza{name: o.args[0], method: "static"}
	rest := o.args[1:]
	if len(rest) >= 2 && rest[0].text != "inherits" {
		s.family, s.method = rest[0].text, rest[1].text
		if s.family != "inet" && s.family != "inet6" {
			r.unsupported(rest[0], "systemd-networkd has no family %s", network.Quoted(s.family))
			return nil
		}
		rest = rest[2:]
	}
	switch {
	case len(rest) == 2 && rest[0].text == "inherits":
		s.parent = rest[1]
	case len(rest) > 0:
		r.report(rules.NetworkSyntax, rest[0], "iface has a name, a family and a method, and perhaps inherits and another name")
		return nil
	}
	r.stanzas = append(r.stanzas, s)
	return s
}

// unsupported tells of something that networkd does not do, and that is left out.
func (r *reader) unsupported(w word, format string, args ...any) {
	r.c.ReportAt(rules.NetworkUnsupported, "", r.at(w), format, args...).Severity = diag.Warning
}

// bringUp notes what is brought up at boot: a name, a pattern (/eth*), or a name and the stanza that is meant for it (eth0=home).
func (r *reader) bringUp(w word) {
	name, logical, mapped := strings.Cut(w.text, "=")
	pattern, isPattern := strings.CutPrefix(name, "/")
	pattern, index, indexed := strings.Cut(pattern, "/")
	_, err := path.Match(pattern, "")
	switch {
	case mapped && logical != name:
		r.c.ReportAt(rules.NetworkIgnored, "", r.at(w), "%s has no effect: interfaces are known by their own names here", network.Quoted(w.text))
	case !isPattern:
		r.auto[name] = true
	case indexed && index != "", err != nil:
		r.c.ReportAt(rules.NetworkIgnored, "", r.at(w), "%s has no effect: it is not a pattern of names alone", network.Quoted(w.text))
	case len(r.patterns) == maxPatterns || len(pattern) > maxWord:
		r.report(rules.NetworkSyntax, w, "there are more than %d patterns, or one of more than %d characters", maxPatterns, maxWord)
	default:
		r.patterns = append(r.patterns, pattern)
	}
}

func (r *reader) isAuto(name string) bool {
	if r.auto[name] || len(name) > maxWord {
		return r.auto[name]
	}
	for _, p := range r.patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

// inherit gives stanzas the options of those that they name, but for what they say themselves.
func (r *reader) inherit() {
	last := map[string]*stanza{}
	total := 0
	for _, s := range r.stanzas {
		if s.parent.text != "" {
			parent := last[s.parent.text]
			if parent == nil {
				r.report(rules.NetworkUndefined, s.parent, "no stanza before this one is called %s", network.Quoted(s.parent.text))
				continue
			}
			parent.template = true
			if total += len(parent.options); total > maxOptions {
				r.report(rules.NetworkSyntax, s.parent, "more than %d options are inherited", maxOptions)
				return
			}
			own := map[string]bool{}
			for _, o := range s.options {
				own[o.key] = true
			}
			var options []*option
			for _, o := range parent.options {
				if !own[o.key] {
					options = append(options, o)
				}
			}
			s.options = append(options, s.options...)
		}
		last[s.name.text] = s
	}
}
