package schema

import (
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/merge"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// lists are the lists of the language that are more than their items one after the other, or that may be written
// as a single text.
var lists = []merge.List{
	{Path: "ssh_authorized_keys"},
	{Path: "groups", Commas: true},
	{Path: "users", Commas: true, Key: "name", Join: merge.Always, Replaces: map[string][]string{
		"passwd": {"hashed_passwd", "plain_text_passwd"}, "hashed_passwd": {"passwd", "plain_text_passwd"}, "plain_text_passwd": {"passwd", "hashed_passwd"},
	}},
	{Path: "users.ssh_authorized_keys"},
	{Path: "users.coreos_ssh_import_github_users"},
	{Path: "users.groups", Commas: true},
	{Path: "users.sudo"},
	{Path: "write_files", Key: "path", Clean: path.Clean, Adds: "append", Replaces: map[string][]string{"content": {"encoding", "source"}}},
	{Path: "coreos.units", Key: "name", Join: merge.Consistent},
	{Path: "coreos.units.drop_ins", Key: "name"},
	{Path: "certificates", Key: "name"},
}

// merge makes one of the trees of all parts.
func (d *decoder) merge(trees []*yamltree.Node) *yamltree.Node {
	return merge.Trees(trees, merge.Rules{
		Lists: lists,
		Key: func(at, key string) string {
			// What the user names is as written.
			if strings.HasPrefix(at, "x-") || strings.HasPrefix(key, "x-") || at == "groups" || at == "users.groups" || namesLinks(at) {
				return key
			}
			return language.Fold(key)
		},
		Skip: func(n *yamltree.Node) bool { return d.Bad[n] },
		Overridden: func(at string, earlier, later *yamltree.Node) {
			d.overridden = append(d.overridden, overridden{at, earlier, later})
		},
	})
}

// yieldNetwork takes the network out of vendor data where the user's is of another form, with which it makes no one: what the
// vendor says must not undo it.
func yieldNetwork(vendor, user []*yamltree.Node) {
	form := ""
	for _, tree := range user {
		if n := tree.Get("network"); n != nil {
			form = networkForm(n)
		}
	}
	for _, tree := range vendor {
		tree.Pairs = slices.DeleteFunc(tree.Pairs, func(p yamltree.Pair) bool {
			return form != "" && p.Key.Value == "network" && networkForm(p.Value) != form
		})
	}
}

// networkForm is "disabled", or else the version of the language.
func networkForm(n *yamltree.Node) string {
	if config := n.Get("config"); config != nil && config.Value == "disabled" {
		return config.Value
	}
	if version := n.Get("version"); version != nil && version.Value == "1" {
		return version.Value
	}
	return "2"
}

// namesLinks says that the keys of the mapping at a path are names of links: of those of a kind, or of a bridge's ports.
func namesLinks(at string) bool {
	below, ok := strings.CutPrefix(at, "network.")
	return ok && (!strings.Contains(below, ".") || strings.HasSuffix(below, ".path_cost") || strings.HasSuffix(below, ".port_priority"))
}

// overridden is a value that a later one takes the place of.
type overridden struct {
	path           string
	earlier, later *yamltree.Node
}

// reportOverridden reports such values, once it is known which are secret.
func (d *decoder) reportOverridden() {
	for _, o := range d.overridden {
		f := d.ReportAt(rules.Overridden, o.path, findings.FirstLine(o.later.Range), "%s is given again and this value wins", o.path)
		f.Related = []diag.Related{{Message: "the earlier one", At: findings.FirstLine(o.earlier.Range)}}
		f.Secret = d.Secret[o.later]
	}
}
