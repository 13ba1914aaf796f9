package language

import (
	"net"
	"net/url"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// What etcd takes: its pkg/types/urls.go and etcdmain/config.go of v2.3.8 (2017), which v3 has kept.

// isDiscovery checks the URL of a discovery service with its token.
func isDiscovery(c *Checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	u, err := url.Parse(n.Value)
	switch {
	case strings.ContainsAny(n.Value, "<>{}$") || strings.Contains(strings.ToLower(n.Value), "token"):
		d := c.Report(rules.Discovery, path, n, "the discovery URL has a placeholder in it")
		d.Detail = "get a token of this cluster's own"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		d := c.Report(rules.DiscoveryURL, path, n, "discovery is not a URL")
		d.Detail = "such as https://discovery.example.com/TOKEN"
	case u.Path == "/new" || strings.Trim(u.Path, "/") == "":
		d := c.Report(rules.Discovery, path, n, "the discovery URL has no token in it")
		d.Detail = "it is the URL that makes tokens: ask it once, and write its answer here"
	case u.Hostname() == "discovery.etcd.io":
		d := c.Report(rules.DiscoveryPublic, path, n, "the public discovery service cannot be relied on")
		d.Detail = "use initial_cluster, discovery_srv, or a discovery service of your own"
	}
}

// isURLs checks a list of URLs with commas between them.
func isURLs(c *Checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	c.urls(path, n, n.Value, 0, false)
}

// isUpdateServer checks where updates come from; a word that is no URL turns them off.
func isUpdateServer(c *Checker, path string, n *yamltree.Node) {
	isPublicLine(c, path, n)
	c.urls(path, n, n.Value, 0, false)
}

// isMemberURLs checks the URLs of a member of etcd's cluster, which have a port and nothing behind it.
func isMemberURLs(c *Checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	c.urls(path, n, n.Value, 0, true)
}

// isAdvertisedURLs checks the URLs that others are told.
func isAdvertisedURLs(c *Checker, path string, n *yamltree.Node) {
	isMemberURLs(c, path, n)
	for _, item := range commaItems(n.Value, 0) {
		scheme, rest, _ := strings.Cut(item.text, "://")
		host, port, _ := net.SplitHostPort(rest)
		if host == "0.0.0.0" || host == "::" {
			c.settingSlip(path, n, rules.EtcdAdvertise, item, "an address that is no machine's", "such as "+scheme+"://$private_ipv4:"+port)
			return // one slip, however many ports it is told with
		}
	}
}

// isInitialCluster checks name=URL pairs.
func isInitialCluster(c *Checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	for _, item := range commaItems(n.Value, 0) {
		name, address, found := strings.Cut(item.text, "=")
		if !found || strings.Contains(name, "/") || name == "" {
			if !HoldsPlaceholder(item.text) {
				c.settingSlip(path, n, rules.EtcdCluster, item, "not the name of a member, =, and its URL", "such as a=http://10.0.0.1:2380")
			}
			continue
		}
		c.urls(path, n, address, item.from+len(name)+1, true)
	}
}

// An item is part of a list in one text.
type item struct {
	text string
	from int
}

func commaItems(text string, offset int) []item {
	var out []item
	for _, part := range strings.Split(text, ",") {
		lead := len(part) - len(strings.TrimLeft(part, " \t"))
		out = append(out, item{strings.TrimSpace(part), offset + lead})
		offset += len(part) + 1
	}
	return out
}

// HoldsPlaceholder says that somebody has still to fill something in, in one of the ways of templates.
func HoldsPlaceholder(text string) bool {
	return strings.ContainsAny(text, "<>{}%") || strings.Contains(text, "...") || strings.Contains(Variable.ReplaceAllString(text, ""), "$")
}

// urls checks a list of URLs that stands at an offset in the text of a node. A variable is an address.
func (c *Checker) urls(path string, n *yamltree.Node, list string, offset int, member bool) {
	for _, item := range commaItems(list, offset) {
		text := Variable.ReplaceAllStringFunc(item.text, func(name string) string {
			if strings.HasSuffix(name, "_ipv6") {
				return "2001:db8::1"
			}
			return "192.0.2.1"
		})
		scheme, rest, hasScheme := strings.Cut(text, "://")
		wrong := func(summary, detail string) { c.settingSlip(path, n, rules.SettingURL, item, summary, detail) }
		switch {
		case HoldsPlaceholder(item.text):
			continue
		case strings.ContainsAny(text, " \t"):
			wrong("a blank between URLs", "put a comma there")
			continue
		case text == "" && strings.Contains(list, ","):
			wrong("a comma too many", "")
			continue
		case !hasScheme && (member || strings.ContainsAny(text, ".:")):
			wrong("a URL without its scheme", "write http:// or https:// in front of it")
			continue
		case !hasScheme, scheme == "unix", scheme == "unixs":
			continue
		case scheme != "http" && scheme != "https":
			wrong("a URL that is neither http nor https", "")
			continue
		}
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "":
			wrong("not a URL", "such as http://10.0.0.1:2379")
		case member && u.Port() == "":
			wrong("a URL without a port", "etcd's are 2379 for clients and 2380 for peers")
		case member && strings.Contains(rest, "/"):
			wrong("a URL with a path", "leave out what follows the port")
		}
	}
}

func (c *Checker) settingSlip(path string, n *yamltree.Node, rule *diag.Rule, at item, summary, detail string) {
	c.Slips(findings.Passage{Path: path, Node: n, Text: n.Value, Secret: HasUserInfo(n.Value)}, []diag.Slip{{
		Rule: rule, From: at.from, To: at.from + max(1, len(at.text)), Summary: summary, Detail: detail,
	}})
}
