package certificate_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"cloudconfig/schema/certificate"
	ct "cloudconfig/schema/certificate/certificatetest"
	"cloudconfig/schema/diag"
)

var (
	root   = ct.Make(ct.Request{Name: "Root", From: "2020-01-01", To: "2089-12-31", CA: true, Key: ct.ECDSA(9)})
	middle = ct.Make(ct.Request{Name: "Middle", From: "2020-01-01", To: "2079-12-31", CA: true, Key: ct.ECDSA(8), Issuer: root})
	leaf   = ct.Make(ct.Request{Name: "web", Hosts: []string{"web.example.com"}, From: "2020-01-01", To: "2069-12-31", Issuer: middle})
)

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// ids are "part severity rule" of each finding.
func ids(found []certificate.Finding) string {
	var out []string
	for _, f := range found {
		severity := f.Severity
		if severity == 0 {
			severity = f.Rule.Severity
		}
		out = append(out, f.Part.String()+" "+severity.String()+" "+f.Rule.ID)
	}
	return strings.Join(out, ", ")
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  certificate.Set
		want string
	}{
		{name: "nothing at all"},
		{name: "whole", set: certificate.Set{leaf.PEM(), middle.PEM(), root.PEM(), leaf.KeyPEM()}},
		{name: "the chain after the certificate", set: certificate.Set{leaf.PEM() + middle.PEM(), "", root.PEM(), leaf.KeyPEM()}},
		{name: "the root in the chain as well", set: certificate.Set{leaf.PEM(), middle.PEM() + root.PEM(), root.PEM(), ""}},
		{name: "up to an intermediate that is the CA", set: certificate.Set{leaf.PEM(), "", middle.PEM(), ""}},
		{name: "a key alone", set: certificate.Set{certificate.PrivateKey: leaf.KeyPEM()}},
		{name: "the old form of an EC key", set: certificate.Set{leaf.PEM(), "", "", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + leaf.KeyPEM()}},
		{name: "the intermediate is missing", set: certificate.Set{leaf.PEM(), "", root.PEM(), ""}, want: "certificate error certificate-chain"},
		{name: "two keys", set: certificate.Set{certificate.PrivateKey: leaf.KeyPEM() + root.KeyPEM()}, want: "key error certificate-kind"},
		{name: "a public key", set: certificate.Set{ct.Block("PUBLIC KEY", make([]byte, 60))}, want: "certificate error certificate-kind"},
		{name: "a chain that is damaged proves nothing", set: certificate.Set{leaf.PEM(), strings.Replace(middle.PEM(), "MI", "!I", 1), root.PEM(), ""}, want: "chain error pem-syntax"},
		{name: "DER", set: certificate.Set{string(leaf.Certificate.Raw)}, want: "certificate error pem-syntax"},
		{name: "a key that Go does not know", set: certificate.Set{certificate.PrivateKey: ct.Block("PRIVATE KEY", x448())}, want: "key warning private-key-type"},
		{name: "a key of another form", set: certificate.Set{certificate.PrivateKey: strings.ReplaceAll(leaf.KeyPEM(), "PRIVATE", "RSA PRIVATE")}, want: "key error pem-content"},
		{name: "a key as large as none", set: certificate.Set{certificate.PrivateKey: ct.Block("PRIVATE KEY", append([]byte{0x30, 0x82, 0x20, 0x00}, make([]byte, 0x2000)...))}, want: "key error private-key-type"},
	} {
		c := certificate.Checker{Now: now}
		if got := ids(c.Check(tt.set)); got != tt.want {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
		}
	}
}

// x448 is a private key of a curve that Go does not have, in PKCS #8 (RFC 8410).
func x448() []byte {
	return append([]byte{0x30, 0x46, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6f, 0x04, 0x3a, 0x04, 0x38}, make([]byte, 56)...)
}

func TestNames(t *testing.T) {
	const warning, info = "certificate warning certificate-names", "certificate info certificate-names"
	for _, tt := range []struct {
		hosts     string // of the certificate
		names     string // of the machine
		addresses string
		want      string
	}{
		{hosts: "web", want: ""}, // nothing is known of the machine
		{hosts: "web", names: "web"},
		{hosts: "WEB.example.com", names: "web.example.com"},
		{hosts: "web.example.com", names: "web"},
		{hosts: "*.example.com", names: "web.example.com"},
		{hosts: "*.example.com", names: "web"},
		{hosts: "*.example.com", names: "a.web.example.com", want: info},
		{hosts: "web", names: "web.example.com", want: warning},
		{hosts: "web", names: "web.example.com web"},
		{hosts: "www.example.com shop.example.com", names: "web1", want: info},
		{hosts: "infra0", names: "infra1", want: warning},
		{hosts: "infra0 10.0.0.1", names: "infra1"}, // its address is not known
		{hosts: "infra0 10.0.0.1", names: "infra1", addresses: "10.0.0.1"},
		{hosts: "infra0 10.0.0.1", names: "infra1", addresses: "10.0.0.2", want: warning},
		{hosts: "10.0.0.1", addresses: "10.0.0.2"}, // its name is not known
		{hosts: "2001:db8::1", names: "x", addresses: "2001:db8::1"},
		{hosts: "localhost 127.0.0.1 ::1", names: "web", want: warning},
		{hosts: "localhost 127.0.0.1 web", names: "web"},
	} {
		c := certificate.Checker{}
		c.Machine.Names = strings.Fields(tt.names)
		for _, a := range strings.Fields(tt.addresses) {
			c.Machine.Addresses = append(c.Machine.Addresses, netip.MustParseAddr(a))
		}
		crt := ct.Make(ct.Request{Name: "x", Hosts: strings.Fields(tt.hosts), From: "2020-01-01", To: "2069-12-31", Issuer: root})
		if got := ids(c.Check(certificate.Set{crt.PEM()})); got != tt.want {
			t.Errorf("for %q on %q %q: found %q, want %q", tt.hosts, tt.names, tt.addresses, got, tt.want)
		}
	}
}

func TestTrusted(t *testing.T) {
	old := ct.Make(ct.Request{Name: "Old", From: "2000-01-01", To: "2020-01-01", CA: true})
	own := ct.Make(ct.Request{Name: "own", Hosts: []string{"own"}, From: "2020-01-01", To: "2069-12-31"})
	for _, tt := range []struct{ name, text, want string }{
		{"a CA", root.PEM(), ""},
		{"several", root.PEM() + middle.PEM(), ""},
		{"no certificate", "Example CA\n", "certificate-kind"},
		{"a placeholder", "-----BEGIN CERTIFICATE-----\nYOUR-ORGS-TRUSTED-CA-CERT-HERE\n-----END CERTIFICATE-----\n", "placeholder"},
		{"expired", old.PEM(), "certificate-expired"},
		{"no CA", leaf.PEM(), "certificate-ca"},
		{"itself alone", own.PEM(), "certificate-ca"},
		{"a private key", root.KeyPEM(), "private-key-misplaced"},
		{"a request", ct.Block("CERTIFICATE REQUEST", make([]byte, 60)), "certificate-kind"},
	} {
		c := certificate.Checker{Now: now}
		var got []string
		for _, s := range c.Trusted(tt.text) {
			got = append(got, s.Rule.ID)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestLimits: what is beyond the limits is taken for whole.
func TestLimits(t *testing.T) {
	c := certificate.Checker{}
	text := c.Parse(strings.Repeat(leaf.KeyPEM(), 300))
	if len(text.Keys) != 300 || text.Keys[255].Public == nil || text.Keys[256].Public != nil {
		t.Errorf("%d keys, and the last one that is known is not the 256th", len(text.Keys))
	}
	if !text.Keys[256].Matches([]certificate.Certificate{{Certificate: root.Certificate}}) {
		t.Error("a key that is not known does not match")
	}
}

// FuzzCheck: nothing panics, every slip is inside its text and has a rule, and nothing of a key is in its words.
func FuzzCheck(f *testing.F) {
	f.Add(leaf.PEM()+middle.PEM(), middle.PEM(), root.PEM(), leaf.KeyPEM())
	f.Add("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\n<x>\n\nMII\xff=\n=\n----END CERTIFICATE-----", "-----BEGIN X-----\n", "-----END PGP-----", string(leaf.Certificate.Raw))
	f.Add(ct.Block("RSA PRIVATE KEY", []byte("0\x82\x00\x01x")), ct.Block("X509 CRL", nil), "-----BEGIN CERTIFICATE----- MII -----END CERTIFICATE-----", ct.KeyPEM(ct.RSA1024()))
	f.Fuzz(func(t *testing.T, a, b, ca, key string) {
		set := certificate.Set{a, b, ca, key}
		c := certificate.Checker{Now: now, Machine: certificate.Machine{Names: []string{"web"}}}
		found := c.Check(set)
		for _, s := range c.Trusted(a) {
			found = append(found, certificate.Finding{Part: certificate.Leaf, Slip: s})
		}
		for _, s := range found {
			text := set[s.Part]
			if s.Rule == nil || s.Summary == "" || s.From < 0 || s.To < s.From || s.To > len(text) {
				t.Errorf("%s: an unfinished slip %+v in %d bytes", s.Part, s, len(text))
			}
			if s.Severity > diag.Info {
				t.Errorf("severity %d", s.Severity)
			}
		}
	})
}
