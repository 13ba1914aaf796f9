package rules

import "cloudconfig/schema/diag"

// Findings about the settings of etcd and the agents that use it.
var (
	Discovery = &diag.Rule{ID: "discovery-url", Severity: diag.Warning, Title: "a discovery URL that cannot work",
		Help:    "The URL has a placeholder in place of the token, or is the one that makes tokens: every cluster needs a token of its own.",
		Example: "coreos:\n  etcd2:\n    discovery: https://discovery.example.com/new", Instead: "coreos:\n  etcd2:\n    discovery: https://discovery.example.com/3e86b59982e49066c5d813af1c2e2579"}
	DiscoveryURL = &diag.Rule{ID: "discovery-not-url", Severity: diag.Error, Title: "discovery is not a URL",
		Help: "discovery takes a URL with http or https."}
	DiscoveryPublic = &diag.Rule{ID: "discovery-public", Severity: diag.Warning, Title: "the public discovery service cannot be relied on",
		Help:    "discovery.etcd.io is deprecated, was down for long times, and no new cluster should need it (etcd-io/website#708; etcd-io/etcd#21915, June 2026). Name the members with initial_cluster, let DNS name them with discovery_srv, or run a discovery service of your own.",
		Example: "coreos:\n  etcd2:\n    discovery: https://discovery.etcd.io/3e86b59982e49066c5d813af1c2e2579", Instead: "coreos:\n  etcd2:\n    name: a\n    initial_cluster: a=http://10.0.0.1:2380,b=http://10.0.0.2:2380"}
	SettingURL = &diag.Rule{ID: "setting-url", Severity: diag.Warning, Title: "not the URLs that the agent takes",
		Help:    "The setting takes URLs with http or https, commas between them. Those of etcd's members have a port and no path: etcd does not start with any other.",
		Example: "coreos:\n  etcd2:\n    listen_client_urls: 10.0.0.1:2379", Instead: "coreos:\n  etcd2:\n    listen_client_urls: http://10.0.0.1:2379"}
	EtcdAdvertise = &diag.Rule{ID: "etcd-advertise", Severity: diag.Warning, Title: "an address that nobody can reach is advertised",
		Help:    "0.0.0.0 and [::] stand for all addresses of a machine where it listens. To others they mean themselves. Advertise an address of the machine.",
		Example: "coreos:\n  etcd2:\n    advertise_client_urls: http://0.0.0.0:2379", Instead: "coreos:\n  etcd2:\n    advertise_client_urls: http://$private_ipv4:2379"}
	EtcdTLS = &diag.Rule{ID: "etcd-tls", Severity: diag.Warning, Title: "URLs and certificates of etcd do not go together",
		Help: "etcd does not listen by https without cert_file and key_file (peer_cert_file and peer_key_file for peers), and passes certificates over where it listens by http alone."}
	EtcdCluster = &diag.Rule{ID: "etcd-cluster", Severity: diag.Warning, Title: "etcd cannot form its cluster so",
		Help:    "initial_cluster is a list of name=URL with commas between, has this member's own name in it, and is an alternative to discovery and discovery_srv. etcd does not start otherwise.",
		Example: "coreos:\n  etcd2:\n    name: a\n    initial_cluster: b=http://10.0.0.2:2380", Instead: "coreos:\n  etcd2:\n    name: a\n    initial_cluster: a=http://10.0.0.1:2380,b=http://10.0.0.2:2380"}
)

func agentRules() []*diag.Rule {
	return []*diag.Rule{Discovery, DiscoveryURL, DiscoveryPublic, SettingURL, EtcdAdvertise, EtcdTLS, EtcdCluster}
}
