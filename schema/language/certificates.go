package language

import (
	"strings"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// The sources of certificates. Those that ask a CA will come beside them, and take the same paths.
const (
	SourceInline = "inline"
	SourceFile   = "file"
)

var certificateFields = []field{
	{name: "name", required: true, shape: &shape{kind: text, rule: isCertificateName}, doc: "What the entry is called, each another", example: "etcd-peer"},
	{name: "source", shape: &shape{kind: text, oneOf: []string{SourceInline, SourceFile}}, doc: "Where key and certificates come from: they are here as PEM, as if nothing is said, or in files of the machine that are named here", example: "file"},
	{name: "key", shape: &shape{kind: text, secret: true}, doc: "The private key, or the file that it is in", example: "/media/peer.key"},
	{name: "key_path", shape: &shape{kind: text, rule: isFilePath}, doc: "Where the private key goes", example: "/etc/ssl/etcd/peer.key"},
	{name: "certificate", shape: &shape{kind: text}, doc: "The certificate, or the file that it is in; its chain may follow it", example: "/media/peer.pem"},
	{name: "certificate_path", shape: &shape{kind: text, rule: isFilePath}, doc: "Where the certificate goes", example: "/etc/ssl/etcd/peer.pem"},
	{name: "chain", shape: &shape{kind: text}, doc: "The certificates between the certificate and the CA, the issuer of the certificate first, or the file that they are in", example: "/media/chain.pem"},
	{name: "chain_path", shape: &shape{kind: text, rule: isFilePath}, doc: "Where the chain goes; if nothing is said, after the certificate in its file", example: "/etc/ssl/etcd/chain.pem"},
	{name: "ca", shape: &shape{kind: text}, doc: "The CA that the certificate leads to, one or several certificates, or the file that they are in", example: "/media/ca.pem"},
	{name: "ca_path", shape: &shape{kind: text, rule: isFilePath}, doc: "Where the CA goes", example: "/etc/ssl/etcd/ca.pem"},
	{name: "owner", shape: &shape{kind: text, rule: isOwner}, doc: "Owner and group of the files, by name or number; root:root if nothing is said", example: "etcd:etcd"},
	{name: "mode", shape: &shape{kind: permissions}, doc: "The mode of all files but the key's; 0644 if nothing is said", example: `"0644"`},
	{name: "key_mode", shape: &shape{kind: permissions}, doc: "The mode of the key, 0640 at most; 0600 if nothing is said", example: `"0640"`},
	{name: "reload", shape: &shape{kind: list, lone: true, item: &shape{kind: text, rule: isUnitName}}, doc: "Units to reload, or to restart if they cannot, when a file has changed and they are running", example: "[etcd2.service]"},
}

func isCertificateName(c *Checker, path string, n *yamltree.Node) {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' }
	odd := func(r rune) bool { return !plain(r) && !strings.ContainsRune(".-_", r) }
	if n.Value == "" || len(n.Value) > 64 || !plain(rune(n.Value[0])) || strings.ContainsFunc(n.Value, odd) {
		d := c.Report(rules.CertificateName, path, n, "%s is not a name for a certificate", quote(n, &shape{}))
		d.Detail = "letters, digits, dots, hyphens and underscores"
	}
}
