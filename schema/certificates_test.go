package schema_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudconfig/schema"
	ct "cloudconfig/schema/certificate/certificatetest"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// The certificates of the goldens. All of them are made the same way each time, so that -update changes a golden
// only where its case has changed.
var (
	authority    = ct.Make(ct.Request{Name: "Example CA", From: "2020-01-01", To: "2089-12-31", CA: true, Key: ct.ECDSA(9)})
	intermediate = ct.Make(ct.Request{Name: "Example Issuing CA", From: "2020-01-01", To: "2079-12-31", CA: true, Key: ct.ECDSA(8), Issuer: authority})
	web          = ct.Make(ct.Request{Name: "web1", Hosts: []string{"web1", "web1.example.com"}, From: "2020-01-01", To: "2069-12-31", Issuer: authority})
	webOfChain   = ct.Make(ct.Request{Name: "web1", Hosts: []string{"web1"}, From: "2020-01-01", To: "2069-12-31", Issuer: intermediate})
)

func signed(from, to string, hosts ...string) *ct.Issued {
	return ct.Make(ct.Request{Name: "web1", Hosts: hosts, From: from, To: to, Issuer: authority})
}

// entry is an item of certificates with everything at paths of its own.
func entry(key, certificate, chain, ca string) string {
	var b strings.Builder
	b.WriteString("certificates:\n  - name: web\n")
	for _, part := range []struct{ name, text string }{{"key", key}, {"certificate", certificate}, {"chain", chain}, {"ca", ca}} {
		if part.text != "" {
			b.WriteString("    " + part.name + "_path: /etc/ssl/web/" + part.name + ".pem\n    " + part.name + ": |\n" + indent(part.text, 6))
		}
	}
	return b.String()
}

// pair is an entry with the key of what it certifies.
func pair(i *ct.Issued) string { return entry(i.KeyPEM(), i.PEM(), "", "") }

// files are entries of write_files, a path and a content each.
func files(pathsAndContents ...string) string {
	var b strings.Builder
	b.WriteString("write_files:\n")
	for i := 0; i < len(pathsAndContents); i += 2 {
		b.WriteString("  - path: " + pathsAndContents[i] + "\n    permissions: \"0640\"\n    content: |\n" + indent(pathsAndContents[i+1], 6))
	}
	return b.String()
}

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", by))
		}
		b.WriteString(line)
	}
	return b.String()
}

// cut leaves out a line, counted from 0.
func cut(text string, line int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(append(lines[:line:line], lines[line+1:]...), "")
}

// TestCertificateGoldens makes the goldens about certificates, with -update, and holds them to what is made here.
func TestCertificateGoldens(t *testing.T) {
	const host = "hostname: web1\n"
	rsa := func(k string, sha1 bool) *ct.Issued {
		r := ct.Request{Name: "web1", Hosts: []string{"web1"}, From: "2020-01-01", To: "2069-12-31", Key: ct.RSA2048(), SHA1: sha1}
		if k == "1024" {
			r.Key = ct.RSA1024()
		}
		if sha1 {
			r.Issuer = ct.Make(ct.Request{Name: "Old CA", From: "2020-01-01", To: "2089-12-31", Key: ct.RSA2048(), CA: true})
			r.Key = nil
		}
		return ct.Make(r)
	}
	notCA := ct.Make(ct.Request{Name: "Example CA", From: "2020-01-01", To: "2089-12-31", Key: ct.ECDSA(9)})
	anew := ct.Make(ct.Request{Name: "Example CA", From: "2020-01-01", To: "2089-12-31", CA: true, Key: ct.ECDSA(7)})
	stranger := ct.Make(ct.Request{Name: "Another CA", From: "2020-01-01", To: "2089-12-31", CA: true, Key: ct.ECDSA(6)})
	oldCA := ct.Make(ct.Request{Name: "Example CA", From: "2010-01-01", To: "2020-01-01", CA: true, Key: ct.ECDSA(9)})
	own := ct.Make(ct.Request{Name: "web1", Hosts: []string{"web1"}, From: "2020-01-01", To: "2069-12-31", CA: true})
	pinned := ct.Make(ct.Request{Name: "web1", Hosts: []string{"web1"}, From: "2020-01-01", To: "2069-12-31"})
	old := signed("2020-01-01", "2021-01-01", "web1")
	otherKey := ct.KeyPEM(ct.ECDSA(2))
	short := ct.Block("CERTIFICATE", web.Certificate.Raw[:len(web.Certificate.Raw)-9])
	crlf := strings.ReplaceAll(web.PEM(), "\n", `\r\n`)
	broken := strings.Replace(web.PEM(), "MII", "MI!", 1)
	encrypted := strings.Replace(ct.Block("RSA PRIVATE KEY", make([]byte, 96)), "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n", 1)

	for name, text := range map[string]string{
		"bad/certificate-expired":           host + pair(old),
		"bad/certificate-not-yet-valid":     host + pair(signed("2030-01-01", "2069-12-31", "web1")),
		"bad/certificate-valid-tomorrow":    host + pair(signed("2026-11-23", "2069-12-31", "web1")),
		"bad/certificate-expires-soon":      host + pair(signed("2026-06-01", "2026-12-10", "web1")),
		"bad/certificate-key-mismatch":      host + entry(otherKey, web.PEM(), "", ""),
		"bad/certificate-key-of-second":     host + entry(web.KeyPEM(), authority.PEM()+web.PEM(), "", ""),
		"bad/certificate-chain-order":       host + entry("", webOfChain.PEM(), authority.PEM()+intermediate.PEM(), ""),
		"bad/certificate-chain-stranger":    host + entry("", web.PEM()+stranger.PEM(), "", ""),
		"bad/certificate-chain-itself":      host + entry("", web.PEM(), web.PEM(), authority.PEM()),
		"bad/certificate-chain-missing":     host + entry("", webOfChain.PEM(), "", authority.PEM()),
		"bad/certificate-ca-anew":           host + entry("", web.PEM(), "", anew.PEM()),
		"bad/certificate-ca-no-ca":          host + entry("", web.PEM(), "", notCA.PEM()),
		"bad/certificate-ca-expired":        host + entry("", web.PEM(), "", oldCA.PEM()),
		"bad/certificate-ca-one-expired":    host + entry("", web.PEM(), "", authority.PEM()+oldCA.PEM()),
		"bad/certificate-ca-alone-no-ca":    entry("", "", "", signed("2020-01-01", "2069-12-31", "web1").PEM()),
		"bad/certificate-is-ca":             host + pair(own),
		"bad/certificate-weak-key":          host + pair(rsa("1024", false)),
		"bad/certificate-weak-signature":    host + pair(rsa("2048", true)),
		"bad/certificate-no-names":          host + pair(signed("2020-01-01", "2069-12-31")),
		"bad/certificate-names-service":     host + pair(signed("2020-01-01", "2069-12-31", "www.example.com")),
		"bad/certificate-names-machine":     host + "coreos:\n  etcd2:\n    advertise_client_urls: https://10.0.0.2:2379\n" + pair(signed("2020-01-01", "2069-12-31", "infra0", "10.0.0.1")),
		"bad/certificate-names-network":     host + "coreos:\n  units:\n    - name: 10-lan.network\n      content: |\n        [Match]\n        Name=eth0\n        [Network]\n        Address=10.0.0.2/24\n" + pair(signed("2020-01-01", "2069-12-31", "10.0.0.1")),
		"bad/certificate-names-localhost":   host + pair(signed("2020-01-01", "2069-12-31", "localhost", "127.0.0.1")),
		"bad/certificate-key-encrypted":     host + entry(encrypted, web.PEM(), "", ""),
		"bad/certificate-key-encrypted-8":   host + entry(ct.Block("ENCRYPTED PRIVATE KEY", make([]byte, 96)), web.PEM(), "", ""),
		"bad/certificate-key-openssh":       host + entry(ct.Block("OPENSSH PRIVATE KEY", make([]byte, 96)), web.PEM(), "", ""),
		"bad/certificate-key-damaged":       host + entry(cut(ct.Block("RSA PRIVATE KEY", []byte("0\x82\x01\x00"+strings.Repeat("x", 256))), 2), web.PEM(), "", ""),
		"bad/certificate-key-in-its-place":  host + entry("", web.KeyPEM(), "", ""),
		"bad/certificate-in-place-of-key":   host + entry(web.PEM(), web.PEM(), "", ""),
		"bad/certificate-request":           host + entry("", ct.Block("CERTIFICATE REQUEST", make([]byte, 96)), "", ""),
		"bad/certificate-no-pem":            host + entry("no key\n", "no certificate\n", "", ""),
		"bad/certificate-cut-der":           host + entry("", short, "", ""),
		"bad/certificate-damaged":           host + entry("", strings.Replace(web.PEM(), "AQH/", "AAAA", 1), "", ""),
		"bad/certificate-placeholder":       host + entry("-----BEGIN EC PRIVATE KEY-----\n...\n-----END EC PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nYOUR-CERTIFICATE-HERE\n-----END CERTIFICATE-----\n", "", "<the CA>\n"),
		"bad/certificate-paths":             "write_files:\n  - path: /etc/ssl/a.pem\ncertificates:\n  - name: a\n    source: file\n    certificate_path: /etc/ssl/a.pem\n    certificate: /media/a.pem\n    ca_path: /etc/ssl/b.pem\n    ca: media/ca.pem\n  - name: a\n    source: file\n    key_path: /etc/ssl/b.pem\n    key: /media/b.pem\n",
		"bad/certificate-source":            "certificates:\n  - name: a\n    certificate_path: /etc/ssl/a.pem\n    certificate: /media/a.pem\n  - name: b\n    source: file\n    certificate_path: /etc/ssl/b.pem\n    certificate: |\n" + indent(web.PEM(), 6) + "  - name: c\n    source: acme\n",
		"bad/certificate-keys":              "certificates:\n  - name: a b\n  - name: c\n    key_path: /etc/ssl/c.key\n    key_mode: \"0644\"\n    certificate: |\n" + indent(web.PEM(), 6) + "  - name: d\n    ca: \"\"\n    ca_path: /etc/ssl/ca.pem\n",
		"bad/pem-cut-short":                 host + entry("", cut(web.PEM(), strings.Count(web.PEM(), "\n")-1), "", authority.PEM()),
		"bad/pem-end-alone":                 host + entry("", cut(web.PEM(), 0), "", ""),
		"bad/pem-labels":                    host + entry("", strings.Replace(web.PEM(), "END CERTIFICATE", "END PRIVATE KEY", 1), "", ""),
		"bad/pem-hyphens":                   host + entry("", strings.Replace(web.PEM(), "-----BEGIN", "----BEGIN", 1), "", ""),
		"bad/pem-indented":                  host + entry("", strings.Replace(web.PEM(), "-----END", "  -----END", 1), "", ""),
		"bad/pem-character":                 host + entry("", broken, "", ""),
		"bad/pem-character-accents":         host + entry("", strings.Replace(web.PEM(), "MIIB", "MIéé", 1), "", ""),
		"bad/pem-line-missing":              host + entry("", cut(web.PEM(), 2), "", ""),
		"bad/pem-character-missing":         host + entry("", strings.Replace(web.PEM(), "AQH/", "AQ/", 1), "", ""),
		"bad/pem-blank-line":                host + entry("", strings.Replace(web.PEM(), "\n", "\n\n", 3), "", ""),
		"bad/pem-one-line":                  host + "certificates:\n  - name: web\n    certificate_path: /etc/web.pem\n    certificate: >\n" + indent(web.PEM(), 6),
		"bad/pem-escaped-lines":             host + "certificates:\n  - name: web\n    certificate_path: /etc/web.pem\n    certificate: '" + strings.ReplaceAll(web.PEM(), "\n", `\n`) + "'\n",
		"bad/pem-key-damaged":               host + entry(strings.Replace(web.KeyPEM(), "MI", "M*I", 1), "", "", ""),
		"bad/pem-file-cut-short":            files("/etc/ssl/web.crt", cut(web.PEM(), strings.Count(web.PEM(), "\n")-1)),
		"bad/pem-file-character":            files("/etc/ssl/web.crt", "日本\n"+broken),
		"bad/pem-file-placeholder":          files("/etc/ssl/web.crt", "-----BEGIN CERTIFICATE-----\nMIIFNDCCAx6gAwIBAgIBATALBgkqhkiG9w0BAQUwLTEMMAoGA1UEBhMDVVNBMRAw\n...snip...\nEtHaxYQRy72yZrte6Ypw57xPRB8sw1DIYjr821Lw05DrLuBYcbyclg==\n-----END CERTIFICATE-----\n"),
		"bad/pem-file-one-line":             "write_files:\n  - path: /etc/ssl/web.key\n    permissions: \"0600\"\n    content: -----BEGIN RSA PRIVATE KEY----- ... -----END RSA PRIVATE KEY-----\n",
		"bad/pem-file-encoded":              "write_files:\n  - path: /etc/ssl/web.crt\n    encoding: b64\n    content: " + base64.StdEncoding.EncodeToString([]byte(broken)) + "\n",
		"bad/certificate-file-expired":      files("/etc/ssl/web.crt", old.PEM()),
		"bad/certificate-file-der":          "write_files:\n  - path: /etc/ssl/web.der\n    encoding: b64\n    content: " + base64.StdEncoding.EncodeToString(old.Certificate.Raw) + "\n",
		"bad/certificate-file-key-mismatch": files("/etc/ssl/web.crt", web.PEM(), "/etc/ssl/web.key", otherKey, "/opt/cert.pem", web.PEM(), "/opt/key.pem", otherKey, "/opt/other.key", otherKey),

		"ok/certificate-whole.yaml": host + entry(web.KeyPEM(), web.PEM(), "", authority.PEM()),
		"ok/certificate-chain.yaml": host + entry(webOfChain.KeyPEM(), webOfChain.PEM(), intermediate.PEM(), authority.PEM()) + "    reload: nginx.service\n    owner: root:ssl-cert\n    key_mode: \"0640\"\n",
		"ok/certificate-one-file.yaml": "certificates:\n  - name: proxy\n    certificate_path: /etc/haproxy/all.pem\n    key_path: /etc/haproxy/all.pem\n    certificate: |\n" + indent(webOfChain.PEM(), 6) +
			"    chain: |\n" + indent(intermediate.PEM(), 6) + "    key: |\n" + indent(webOfChain.KeyPEM(), 6),
		"ok/certificate-files.yaml":        "certificates:\n  - name: media\n    source: file\n    certificate: /media/web.pem\n    certificate_path: /etc/ssl/web.pem\n    key: /media/web.key\n",
		"ok/certificate-key-alone.yaml":    "certificates:\n  - name: signing\n    key_path: /etc/signing.key\n    key: |\n" + indent(ct.KeyPEM(ct.Ed25519(1)), 6),
		"ok/certificate-rsa.yaml":          host + pair(rsa("2048", false)),
		"ok/certificate-pinned.yaml":       host + entry("", pinned.PEM(), "", pinned.PEM()),
		"ok/certificate-wildcard.yaml":     "hostname: web1.example.com\n" + pair(signed("2020-01-01", "2069-12-31", "*.example.com")),
		"ok/certificate-any-address.yaml":  host + pair(signed("2020-01-01", "2069-12-31", "kubernetes", "10.3.0.1")),
		"ok/certificate-client.yaml":       host + pair(ct.Make(ct.Request{Name: "anna", Client: true, From: "2020-01-01", To: "2069-12-31", Issuer: authority})),
		"ok/certificate-short-lived.yaml":  host + pair(signed("2026-11-15", "2026-12-05", "web1")),
		"ok/certificate-text-around.yaml":  host + entry("", "Certificate:\n    Data: of openssl x509 -text\n"+web.PEM()+"\n", "", ""),
		"ok/certificate-ec-parameters.txt": "#cloud-config\n" + host + entry("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+web.KeyPEM(), web.PEM(), "", ""),
		"ok/pem-windows-line-ends.yaml":    "write_files:\n  - path: /etc/ssl/web.crt\n    content: \"" + crlf + "\"\n",
		"ok/pem-files.yaml": files("/etc/ssl/web.crt", web.PEM(), "/etc/ssl/web.key", web.KeyPEM(), "/etc/ssl/ca.pem", authority.PEM(), "/etc/ssl/ca-key.pem", authority.KeyPEM(),
			"/etc/apt/key.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\nmQ\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n",
			"/etc/munge/munge.key", "no PEM at all\n", "/root/.ssh/id_ed25519", ct.Block("OPENSSH PRIVATE KEY", make([]byte, 96)), "/etc/ssl/with-passphrase.key", encrypted),
	} {
		if !strings.HasPrefix(text, "#") {
			text = "#cloud-config\n" + text
		}
		path := filepath.Join("testdata", name)
		if strings.HasPrefix(name, "bad/") {
			path += ".yaml"
		}
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != text {
			t.Errorf("%s is not what is made here; run go test ./schema -update", path)
		}
	}
}

// TestCertificateClock: where the clock cannot be right no date is held against it, and metadata says more names.
func TestCertificateClock(t *testing.T) {
	found := func(text string, in schema.Input) string {
		in.Files = []*source.File{{Name: "t", Bytes: []byte("#cloud-config\n" + text)}}
		_, list := schema.Decode(in)
		var ids []string
		for _, d := range list {
			ids = append(ids, d.Severity.String()+" "+d.Rule.ID)
		}
		return strings.Join(ids, ", ")
	}
	expired := pair(signed("2020-01-01", "2021-01-01", "10.0.0.1"))
	for _, tt := range []struct {
		name string
		in   schema.Input
		want string
	}{
		{"no clock", schema.Input{}, ""},
		{"in its time", schema.Input{Now: time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC)}, ""},
		{"the last day", schema.Input{Now: time.Date(2020, 12, 31, 12, 0, 0, 0, time.UTC)}, "warning certificate-expires-soon"},
		{"the second after", schema.Input{Now: time.Date(2021, 1, 1, 0, 0, 1, 0, time.UTC)}, "error certificate-expired"},
		{"before", schema.Input{Now: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)}, "error certificate-not-yet-valid"},
		{"the machine by its address", schema.Input{Meta: &schema.Metadata{Hostname: "x", PrivateIPv4: "10.0.0.1"}}, ""},
		{"another machine by its address", schema.Input{Meta: &schema.Metadata{Hostname: "x", PrivateIPv4: "10.0.0.2"}}, "warning certificate-names"},
	} {
		if got := found(expired, tt.in); got != tt.want {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestCertificateCost: a configuration of nothing but keys is not worth seconds.
func TestCertificateCost(t *testing.T) {
	text := "#cloud-config\n" + files("/a", strings.Repeat(ct.KeyPEM(ct.RSA2048()), 3000))
	_, list := schema.Decode(schema.Input{Files: []*source.File{{Name: "t", Bytes: []byte(text)}}})
	if len(list) != 0 {
		t.Errorf("found %v", list[0])
	}
}

// TestCertificateSecrets: nothing of a private key is in a finding, wherever it stands.
func TestCertificateSecrets(t *testing.T) {
	paths, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, list := decode(path, text)
		for _, d := range list {
			line := string((&source.File{Bytes: text}).Text(d.Subject.Start.Line))
			if d.Rule == rules.PrivateKeyMisplaced && !d.Secret || strings.Contains(line, "PRIVATE KEY") && !d.Secret && d.Rule != rules.PEMSyntax {
				t.Errorf("%s: %s: the line of a private key would be drawn", path, d.Rule.ID)
			}
		}
	}
}
