package schema

import (
	"net"
	"net/url"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// What etcd takes: its pkg/types/urls.go and etcdmain/config.go of v2.3.8 (2017), which v3 has kept.

// isDiscovery checks the URL of a discovery service with its token.
func isDiscovery(c *checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	u, err := url.Parse(n.Value)
	switch {
	case strings.ContainsAny(n.Value, "<>{}$") || strings.Contains(strings.ToLower(n.Value), "token"):
		d := c.report(rules.Discovery, path, n, "the discovery URL has a placeholder in it")
		d.Detail = "get a token of this cluster's own"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		d := c.report(rules.DiscoveryURL, path, n, "discovery is not a URL")
		d.Detail = "such as https://discovery.example.com/TOKEN"
	case u.Path == "/new" || strings.Trim(u.Path, "/") == "":
		d := c.report(rules.Discovery, path, n, "the discovery URL has no token in it")
		d.Detail = "it is the URL that makes tokens: ask it once, and write its answer here"
	case u.Hostname() == "discovery.etcd.io":
		d := c.report(rules.DiscoveryPublic, path, n, "the public discovery service cannot be relied on")
		d.Detail = "use initial_cluster, discovery_srv, or a discovery service of your own"
	}
}

// isURLs checks a list of URLs with commas between them.
func isURLs(c *checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	c.urls(path, n, n.Value, 0, false)
}

// isUpdateServer checks where updates come from; a word that is no URL turns them off.
func isUpdateServer(c *checker, path string, n *yamltree.Node) {
	isPublicLine(c, path, n)
	c.urls(path, n, n.Value, 0, false)
}

// isMemberURLs checks the URLs of a member of etcd's cluster, which have a port and nothing behind it.
func isMemberURLs(c *checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	c.urls(path, n, n.Value, 0, true)
}

// isAdvertisedURLs checks the URLs that others are told.
func isAdvertisedURLs(c *checker, path string, n *yamltree.Node) {
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
func isInitialCluster(c *checker, path string, n *yamltree.Node) {
	isSetting(c, path, n)
	for _, item := range commaItems(n.Value, 0) {
		name, address, found := strings.Cut(item.text, "=")
		if !found || strings.Contains(name, "/") || name == "" {
			if !holdsPlaceholder(item.text) {
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

// holdsPlaceholder says that somebody has still to fill something in, in one of the ways of templates.
func holdsPlaceholder(text string) bool {
	return strings.ContainsAny(text, "<>{}%") || strings.Contains(text, "...") || strings.Contains(Variable.ReplaceAllString(text, ""), "$")
}

// urls checks a list of URLs that stands at an offset in the text of a node. A variable is an address.
func (c *checker) urls(path string, n *yamltree.Node, list string, offset int, member bool) {
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
		case holdsPlaceholder(item.text):
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

func (c *checker) settingSlip(path string, n *yamltree.Node, rule *diag.Rule, at item, summary, detail string) {
	c.slips(passage{path: path, node: n, text: n.Value, secret: hasUserInfo(n.Value)}, []diag.Slip{{
		Rule: rule, From: at.from, To: at.from + max(1, len(at.text)), Summary: summary, Detail: detail,
	}})
}

// etcd checks what the settings of etcd 2 say together. A unit of the configuration may give etcd more by its
// environment, of which only the names are looked at.
func (d *decoder) etcd() {
	for _, a := range d.config.Agents {
		if a.Name != "etcd2" {
			continue
		}
		get := func(key string) Value[string] {
			for _, s := range a.Settings {
				if s.Key == key && s.Value.V != "" {
					return s.Value
				}
			}
			return Value[string]{}
		}
		report := func(rule *diag.Rule, key string, v, other Value[string], summary, detail string) {
			f := d.reportAt(rule, "coreos.etcd2."+key, v.At, "%s", summary)
			f.Detail, f.Secret = detail, hasUserInfo(v.V)
			if other.Set {
				f.Related = []diag.Related{{Message: "the other one is here", At: other.At}}
			}
		}
		for _, side := range []struct{ urls, prefix, variable string }{
			{"listen_client_urls", "", "ETCD_CERT_FILE"}, {"listen_peer_urls", "peer_", "ETCD_PEER_CERT_FILE"},
		} {
			urls, cert, key := get(side.urls), get(side.prefix+"cert_file"), get(side.prefix+"key_file")
			elsewhere := d.unitsMention(side.variable) || d.unitsMention(strings.Replace(side.variable, "_CERT_", "_KEY_", 1))
			switch tls := strings.Contains(urls.V, "https://"); {
			case elsewhere:
			case tls && !cert.Set && !key.Set:
				report(rules.EtcdTLS, side.urls, urls, cert, "etcd has no certificate to listen by https with", "give "+side.prefix+"cert_file and "+side.prefix+"key_file")
			case cert.Set && !key.Set:
				report(rules.EtcdTLS, side.prefix+"cert_file", cert, key, "a certificate without its key", "give "+side.prefix+"key_file")
			case key.Set && !cert.Set:
				report(rules.EtcdTLS, side.prefix+"key_file", key, cert, "a key without its certificate", "give "+side.prefix+"cert_file")
			case urls.Set && !tls && cert.Set && !holdsPlaceholder(urls.V):
				report(rules.EtcdTLS, side.urls, urls, cert, "etcd listens by http, and passes its certificate over", "write https")
			}
		}
		cluster, name := get("initial_cluster"), get("name")
		for _, key := range []string{"discovery", "discovery_srv"} {
			if v := get(key); v.Set && cluster.Set {
				report(rules.EtcdCluster, key, v, cluster, key+" and initial_cluster exclude each other", "remove one of them")
			}
		}
		if proxy := get("proxy").V; cluster.Set && name.Set && (proxy == "" || proxy == "off") && !strings.ContainsAny(name.V+cluster.V, "$<>{}%") {
			there := false
			for _, item := range commaItems(cluster.V, 0) {
				there = there || strings.HasPrefix(item.text, name.V+"=")
			}
			if !there && strings.Contains(cluster.V, "=") {
				report(rules.EtcdCluster, "initial_cluster", cluster, name, "this member's own name is not in initial_cluster", "add it, or correct the name")
			}
		}
	}
}

// unitsMention says that a unit or drop-in of the configuration has a word in it.
func (d *decoder) unitsMention(word string) bool {
	for _, u := range d.config.Units {
		if strings.Contains(u.Content.V, word) {
			return true
		}
		for _, drop := range u.DropIns {
			if strings.Contains(drop.Content.V, word) {
				return true
			}
		}
	}
	return false
}
