package objects

import (
	"strings"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
)

// etcd checks what the settings of etcd 2 say together. A unit of the configuration may give etcd more by its
// environment, of which only the names are looked at.
func (w *world) etcd() {
	for i := range w.config.Agents {
		a := &w.config.Agents[i]
		if a.Name != "etcd2" {
			continue
		}
		for _, side := range []struct{ urls, prefix, variable string }{
			{"listen_client_urls", "", "ETCD_CERT_FILE"}, {"listen_peer_urls", "peer_", "ETCD_PEER_CERT_FILE"},
		} {
			urls, cert, key := settingOf(a, side.urls), settingOf(a, side.prefix+"cert_file"), settingOf(a, side.prefix+"key_file")
			elsewhere := w.unitsMention(side.variable) || w.unitsMention(strings.Replace(side.variable, "_CERT_", "_KEY_", 1))
			switch tls := strings.Contains(urls.V, "https://"); {
			case elsewhere:
			case tls && !cert.Set && !key.Set:
				w.etcdSlip(rules.EtcdTLS, side.urls, urls, cert, "etcd has no certificate to listen by https with", "give "+side.prefix+"cert_file and "+side.prefix+"key_file")
			case cert.Set && !key.Set:
				w.etcdSlip(rules.EtcdTLS, side.prefix+"cert_file", cert, key, "a certificate without its key", "give "+side.prefix+"key_file")
			case key.Set && !cert.Set:
				w.etcdSlip(rules.EtcdTLS, side.prefix+"key_file", key, cert, "a key without its certificate", "give "+side.prefix+"cert_file")
			case urls.Set && !tls && cert.Set && !language.HoldsPlaceholder(urls.V):
				w.etcdSlip(rules.EtcdTLS, side.urls, urls, cert, "etcd listens by http, and passes its certificate over", "write https")
			}
		}
		cluster, name := settingOf(a, "initial_cluster"), settingOf(a, "name")
		for _, key := range []string{"discovery", "discovery_srv"} {
			if v := settingOf(a, key); v.Set && cluster.Set {
				w.etcdSlip(rules.EtcdCluster, key, v, cluster, key+" and initial_cluster exclude each other", "remove one of them")
			}
		}
		if proxy := settingOf(a, "proxy").V; cluster.Set && name.Set && (proxy == "" || proxy == "off") && !strings.ContainsAny(name.V+cluster.V, "$<>{}%") {
			there := false
			for item := range strings.SplitSeq(cluster.V, ",") {
				there = there || strings.HasPrefix(strings.TrimSpace(item), name.V+"=")
			}
			if !there && strings.Contains(cluster.V, "=") {
				w.etcdSlip(rules.EtcdCluster, "initial_cluster", cluster, name, "this member's own name is not in initial_cluster", "add it, or correct the name")
			}
		}
	}
}

// settingOf is what an agent's key is set to; a value that is not set if nothing is.
func settingOf(a *config.Agent, key string) *config.Value[string] {
	for i := range a.Settings {
		if s := &a.Settings[i]; s.Key == key && s.Value.V != "" {
			return &s.Value
		}
	}
	return &config.Value[string]{}
}

// etcdSlip reports a setting of etcd 2 that another one, or the lack of it, makes wrong.
func (w *world) etcdSlip(rule *diag.Rule, key string, v, other *config.Value[string], summary, detail string) {
	f := w.ReportAt(rule, "coreos.etcd2."+key, v.At, "%s", summary)
	f.Detail, f.Secret = detail, language.HasUserInfo(v.V)
	if other.Set {
		f.Related = []diag.Related{{Message: "the other one is here", At: other.At}}
	}
}

// unitsMention says that a unit or drop-in of the configuration has a word in it.
func (w *world) unitsMention(word string) bool {
	for i := range w.config.Units {
		u := &w.config.Units[i]
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
