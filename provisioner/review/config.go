package review

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
	"cloudconfig/schema/yamltree"
)

// ConfigName is what the file is called that says which rules hold.
const ConfigName = ".provisioner.yaml"

// Config is what a .provisioner.yaml says. A nil Config says nothing.
type Config struct {
	// Image is what machines the configurations are for: the name of a profile, or the path of a file, which is
	// below Dir if it is relative. Empty if nothing is said.
	Image string
	// Dir is the absolute directory that the file is in. Its patterns are about paths below it.
	Dir string

	rules     severities
	ignore    []string // patterns of files that are not checked
	overrides []override
}

// severities are what findings of a rule become: off is gone, asIs is as they are.
type severities map[*diag.Rule]diag.Severity

const (
	asIs diag.Severity = 0
	off  diag.Severity = -1
)

type override struct {
	paths []string
	rules severities
}

// Skips says that the file at an absolute path is not checked.
func (c *Config) Skips(path string) bool {
	return c != nil && c.about(path, c.ignore)
}

// about says that one of the patterns matches a path.
func (c *Config) about(path string, patterns []string) bool {
	below, err := filepath.Rel(c.Dir, path)
	if err != nil || path == "" {
		return false
	}
	below = filepath.ToSlash(below)
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, below) })
}

// apply gives findings in the file at an absolute path the severities that they have here, and leaves out what is
// off. Of several overrides the last one counts.
func (c *Config) apply(path string, l diag.List) diag.List {
	if c == nil {
		return l
	}
	var out diag.List
	for _, d := range l {
		severity := c.rules[d.Rule]
		for _, o := range c.overrides {
			if s, said := o.rules[d.Rule]; said && c.about(path, o.paths) {
				severity = s
			}
		}
		switch severity {
		case off:
			continue
		case asIs:
		default:
			d.Severity = severity
		}
		out.Add(d)
	}
	return out
}

// ParseConfig reads the text of a .provisioner.yaml that is in a directory. If anything is found wrong with it, it
// must not be used.
func ParseConfig(f *source.File, dir string) (*Config, diag.List) {
	root, found := yamltree.Parse(f)
	p := configParser{config: &Config{Dir: dir}, found: found}
	if root != nil && root.Kind != yamltree.Null {
		p.top(root)
	}
	return p.config, p.found.Sorted()
}

type configParser struct {
	config *Config
	found  diag.List
}

func (p *configParser) complain(rule *diag.Rule, at source.Range, detail, format string, args ...any) {
	d := diag.New(rule, at, format, args...)
	d.Detail = detail
	p.found.Add(d)
}

// wants complains unless a value is of a kind.
func (p *configParser) wants(n *yamltree.Node, kind yamltree.Kind, what string) bool {
	if n.Kind != kind {
		at := n.Range
		if at.End.Line > at.Start.Line {
			at.End = at.Start
		}
		p.complain(rules.WrongType, at, "", "this must be %s", what)
	}
	return n.Kind == kind
}

func (p *configParser) unknown(key *yamltree.Node, known ...string) {
	detail := "known here are " + strings.Join(known, ", ")
	if near := spelling.Nearest(key.Value, known); near != "" {
		detail = fmt.Sprintf("did you mean %q?", near)
	}
	p.complain(rules.UnknownKey, key.Range, detail, "unknown key %q in %s", key.Value, ConfigName)
}

func (p *configParser) top(n *yamltree.Node) {
	if !p.wants(n, yamltree.Mapping, "a mapping of keys to values") {
		return
	}
	for _, pair := range n.Pairs {
		switch fold(pair.Key.Value) {
		case "image":
			if p.wants(pair.Value, yamltree.Scalar, "the name or the file of a profile") {
				p.config.Image = pair.Value.Value
			}
		case "rules":
			p.rules(pair.Value, &p.config.rules)
		case "unknown-keys":
			p.unknownKeys(pair.Value, &p.config.rules)
		case "ignore":
			p.config.ignore = p.patterns(pair.Value)
		case "overrides":
			if p.wants(pair.Value, yamltree.Sequence, "a list of overrides") {
				for _, item := range pair.Value.Items {
					p.override(item)
				}
			}
		default:
			p.unknown(pair.Key, "ignore", "image", "overrides", "rules", "unknown-keys")
		}
	}
}

// fold makes hyphen and underscore the same letter, as in keys of the language.
func fold(key string) string { return strings.ReplaceAll(key, "_", "-") }

func (p *configParser) override(n *yamltree.Node) {
	if !p.wants(n, yamltree.Mapping, "a mapping with paths and rules") {
		return
	}
	var o override
	for _, pair := range n.Pairs {
		switch fold(pair.Key.Value) {
		case "paths":
			o.paths = p.patterns(pair.Value)
		case "rules":
			p.rules(pair.Value, &o.rules)
		case "unknown-keys":
			p.unknownKeys(pair.Value, &o.rules)
		default:
			p.unknown(pair.Key, "paths", "rules", "unknown-keys")
		}
	}
	if n.Get("paths") == nil {
		at := n.Range
		at.End = at.Start
		p.complain(rules.MissingKey, at, "", `an override needs "paths"`)
	}
	p.config.overrides = append(p.config.overrides, o)
}

func (p *configParser) rules(n *yamltree.Node, to *severities) {
	if !p.wants(n, yamltree.Mapping, "a mapping of rules to off, info, warning, error or on") {
		return
	}
	for _, pair := range n.Pairs {
		rule := rules.Lookup(pair.Key.Value)
		if rule == nil {
			var ids []string
			for _, r := range rules.All() {
				ids = append(ids, r.ID)
			}
			detail := ""
			if near := spelling.Nearest(pair.Key.Value, ids); near != "" {
				detail = fmt.Sprintf("did you mean %q?", near)
			}
			p.complain(rules.UnknownRule, pair.Key.Range, detail, "no rule is called %q", pair.Key.Value)
			continue
		}
		if severity, ok := p.word(rule.ID, pair.Value, choice{"off", off}, choice{"info", diag.Info}, choice{"warning", diag.Warning}, choice{"error", diag.Error}, choice{"on", asIs}); ok {
			to.set(rule, severity)
		}
	}
}

func (p *configParser) unknownKeys(n *yamltree.Node, to *severities) {
	if severity, ok := p.word("unknown-keys", n, choice{"warn", diag.Warning}, choice{"error", diag.Error}); ok {
		to.set(rules.UnknownKey, severity)
	}
}

func (s *severities) set(rule *diag.Rule, severity diag.Severity) {
	if *s == nil {
		*s = severities{}
	}
	(*s)[rule] = severity
}

// choice is a word and what it stands for.
type choice struct {
	word     string
	severity diag.Severity
}

// word is what the value of a key stands for, which is one of a few words.
func (p *configParser) word(key string, n *yamltree.Node, choices ...choice) (diag.Severity, bool) {
	var words []string
	for _, c := range choices {
		if n.Kind == yamltree.Scalar && n.Value == c.word {
			return c.severity, true
		}
		words = append(words, c.word)
	}
	detail := "one of " + strings.Join(words, ", ")
	if n.Kind == yamltree.Scalar {
		p.complain(rules.BadValue, n.Range, detail, "%s cannot be %q", key, n.Value)
	} else {
		p.wants(n, yamltree.Scalar, detail)
	}
	return 0, false
}

// patterns are those of a list, or a lone one.
func (p *configParser) patterns(n *yamltree.Node) []string {
	items := []*yamltree.Node{n}
	if n.Kind != yamltree.Scalar {
		if !p.wants(n, yamltree.Sequence, "a list of paths") {
			return nil
		}
		items = n.Items
	}
	var out []string
	for _, item := range items {
		if !p.wants(item, yamltree.Scalar, "a path or a pattern of paths") {
			continue
		}
		if err := checkPattern(item.Value); err != nil {
			p.complain(rules.BadValue, item.Range, "", "%q is %v", item.Value, err)
			continue
		}
		out = append(out, strings.TrimPrefix(item.Value, "./"))
	}
	return out
}

// FindConfig is the configuration for the file at an absolute path, as Run finds it: nil if there is none. If
// anything is found wrong with it, it must not be used.
func FindConfig(path string) (*Config, diag.List, error) {
	c := configs{root: filepath.Dir(path)}
	config, err := c.of(c.root)
	return config, c.found, err
}

// configs finds the configuration of each file, and reads each once.
type configs struct {
	root  string // the directory that names are relative to
	none  bool
	given *Config
	found diag.List
	files []*source.File
	dirs  map[string]*Config
}

// of is the configuration for what is in an absolute directory: the one that was given, or else the nearest one
// upwards, up to the top of a Git working tree. The error says that there is one that cannot be read.
func (c *configs) of(dir string) (*Config, error) {
	if c.none || c.given != nil {
		return c.given, nil
	}
	if config, known := c.dirs[dir]; known {
		return config, nil
	}
	config, err := c.look(dir)
	if err != nil {
		return nil, err
	}
	if c.dirs == nil {
		c.dirs = map[string]*Config{}
	}
	c.dirs[dir] = config
	return config, nil
}

func (c *configs) look(dir string) (*Config, error) {
	path := filepath.Join(dir, ConfigName)
	// A link could lead to another tree, whose owner would then say what is checked in this one.
	switch info, err := os.Lstat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", c.name(path))
	case err == nil:
		return c.read(path)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR):
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		return nil, nil
	}
	if above := filepath.Dir(dir); above != dir {
		return c.of(above)
	}
	return nil, nil
}

// load reads the one configuration for all files.
func (c *configs) load(name string) error {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.root, path)
	}
	config, err := c.read(path)
	c.given = config
	return err
}

func (c *configs) read(path string) (*Config, error) {
	name := c.name(path)
	text, err := readRegular(path, name, maxConfig)
	if err != nil {
		return nil, err
	}
	f := &source.File{Name: name, Bytes: text}
	config, found := ParseConfig(f, filepath.Dir(path))
	c.found.Add(found...)
	c.files = append(c.files, f)
	return config, nil
}

// name is a path as findings have it: from where the command runs.
func (c *configs) name(path string) string {
	if name, err := filepath.Rel(c.root, path); err == nil {
		return name
	}
	return path
}
